// A translation buffer unit: one device port with its TLBs. Its entries combine translation and
// configuration, so a hit needs neither the configuration cache nor an ASID; they carry both sets of tags for
// invalidation.
#pragma once

#include "models/core/device_port.h"
#include "models/core/memory_port.h"
#include "models/core/miss_table.h"
#include "models/core/tagged_cache.h"
#include "models/smmuv3/page_walk.h"

#include <string>

namespace iommusim::smmuv3 {

class Tbu {
public:
    Tbu(unsigned index, const Parameters& p, TimedQueue& queue, DmaTarget& target)
        : port(("device" + std::to_string(index)).c_str(), queue, target, index, p.port_outstanding,
               p.micro_tlb_latency),
          memory(("memory" + std::to_string(index)).c_str(), queue),
          micro_tlb(p.micro_tlb_entries, p.micro_tlb_ways, static_cast<Replacement>(p.tlb_replacement),
                    {tag::of_asid, tag::of_stream, tag::of_substream}),
          tlb(p.tlb_entries, p.tlb_ways, static_cast<Replacement>(p.tlb_replacement),
              {tag::of_asid, tag::of_stream, tag::of_substream}),
          slots(queue, "TBU slot", p.tbu_slots),
          misses(queue) {}

    DevicePort port;
    MemoryPort memory;
    TaggedCache<TlbEntry> micro_tlb;
    TaggedCache<TlbEntry> tlb;
    Resource slots;
    MissTable misses;
};

} // namespace iommusim::smmuv3
