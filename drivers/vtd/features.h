// What the driver concludes from the capability registers of a unit.
#pragma once

#include "drivers/vtd/configuration.h"

#include <cstdint>

namespace iommusim::vtd_driver {

struct Features {
    std::uint64_t cap = 0;
    std::uint64_t ecap = 0;
    bool scalable = false;         ///< scalable mode is used
    bool wide_descriptors = false; ///< the queue has 256-bit descriptors: wherever the unit has scalable mode
    bool first_stage = false;
    bool second_stage = false;
    bool nested = false;
    bool pasid = false;
    bool pass_through = false;
    bool page_walk_snoop = false; ///< PWSNP exists
    bool coherent = false;        ///< the unit snoops root, context and second-stage tables
    bool caching_mode = false;    ///< entries that are not present may be cached
    bool write_buffers = false;   ///< to be flushed after a change that needs no invalidation
    bool page_selective = false;
    bool drain_reads = false;
    bool drain_writes = false;
    bool snoop_control = false;
    bool device_tlb = false; ///< needs the queue
    bool queued = false;
    bool interrupt_remapping = false;
    bool x2apic = false;
    bool srtp_invalidates = false;
    bool sirtp_invalidates = false;
    unsigned pasid_bits = 0;
    unsigned max_address_mask = 0;
    unsigned domain_ids = 0;    ///< ids 0 to this - 1 exist; 0 and 1 are not for domains
    unsigned second_levels = 0; ///< of second-stage tables
    unsigned first_levels = 0;
    unsigned guest_bits = 0; ///< input width of the second stage
    std::uint64_t second_page_sizes = 0;
    std::uint64_t first_page_sizes = 0;
    unsigned fault_records = 0;
    std::uint64_t fault_record_offset = 0;
    std::uint64_t iotlb_offset = 0; ///< of IVA; IOTLB follows
};

/// Decides the features within the configuration's limits. False and the register with what is missing: a
/// table depth, a stage of translation, the invalidation interface that is asked for.
bool decide_features(std::uint64_t version, std::uint64_t cap, std::uint64_t ecap, const Configuration&,
                     Features&, std::uint64_t& lacking);

} // namespace iommusim::vtd_driver
