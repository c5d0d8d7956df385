// A translation buffer unit: one device port with its TLBs. Its entries combine translation and
// configuration, so a hit needs neither the configuration cache nor an ASID; they carry both sets of tags for
// invalidation.
#pragma once

#include "models/core/device_port.h"
#include "models/core/memory_port.h"
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
          queue_(queue) {}

    /// A miss that others of the same page wait for instead of walking again. Lives in the walking process.
    class Miss {
    public:
        Miss(Tbu& tbu, std::uint64_t page, std::uint64_t owner)
            : page_(page), owner_(owner), tbu_(tbu), done_(tbu.queue_) {
            next_ = tbu.misses_;
            tbu.misses_ = this;
        }
        Miss(const Miss&) = delete;
        ~Miss() {
            Miss** link = &tbu_.misses_;
            while (*link != this)
                link = &(*link)->next_;
            *link = next_;
            if (!tbu_.queue_.closed())
                done_.announce();
        }
        Condition& done() { return done_; }

    private:
        friend class Tbu;
        std::uint64_t page_;
        std::uint64_t owner_;
        Tbu& tbu_;
        Miss* next_;
        Condition done_;
    };

    /// The miss under way for a 4 KiB page of a requester, if any.
    Miss* find_miss(std::uint64_t page, std::uint64_t owner) const {
        for (Miss* m = misses_; m; m = m->next_)
            if (m->page_ == page && m->owner_ == owner)
                return m;
        return nullptr;
    }

    DevicePort port;
    MemoryPort memory;
    TaggedCache<TlbEntry> micro_tlb;
    TaggedCache<TlbEntry> tlb;
    Resource slots;
    std::uint64_t merged_misses = 0;

private:
    TimedQueue& queue_;
    Miss* misses_ = nullptr;
};

} // namespace iommusim::smmuv3
