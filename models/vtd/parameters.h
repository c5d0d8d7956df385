// Sizes, latencies and optional features of the VT-d model. C++17: public.
#pragma once

#include "../base/parameters.h"

namespace iommusim::vtd {

struct Parameters {
    Parameters() { set_defaults(*this); }
    static const std::vector<Parameter<Parameters>>& table();
    static const std::vector<Profile<Parameters>>& profiles();

    // What VER, CAP and ECAP advertise
    std::uint64_t major_version;
    std::uint64_t host_address_bits;
    std::uint64_t second_stage_levels; ///< choice: 3, 4, 5 levels at most
    std::uint64_t first_stage_levels;  ///< choice: 4, 5
    std::uint64_t largest_page;        ///< choice: 4 KiB, 2 MiB, 1 GiB
    std::uint64_t domain_id_bits;      ///< choice: index is CAP.ND
    std::uint64_t pasid_bits;          ///< 0: no PASIDs
    std::uint64_t scalable_mode;
    std::uint64_t caching_mode;
    std::uint64_t page_selective;
    std::uint64_t max_address_mask;
    std::uint64_t draining;
    std::uint64_t coherent_walks;
    std::uint64_t write_buffer_flush;
    std::uint64_t accessed_dirty;
    std::uint64_t device_tlbs;
    std::uint64_t page_requests;
    std::uint64_t interrupt_remapping;
    std::uint64_t posted_interrupts;
    std::uint64_t pass_through;
    std::uint64_t implicit_invalidation; ///< ESRTPS and ESIRTPS
    std::uint64_t protected_memory;
    std::uint64_t fault_records;

    // Device ports
    std::uint64_t device_ports;
    std::uint64_t port_outstanding;
    std::uint64_t input_latency;
    std::uint64_t read_window;
    std::uint64_t write_window;

    // Caches
    std::uint64_t context_entries;
    std::uint64_t context_ways;
    std::uint64_t context_latency;
    std::uint64_t pasid_entries;
    std::uint64_t pasid_ways;
    std::uint64_t pasid_latency;
    std::uint64_t iotlb_entries;
    std::uint64_t iotlb_ways;
    std::uint64_t iotlb_latency;
    std::uint64_t replacement;             ///< choice
    std::uint64_t structure_cache_entries; ///< per level and stage
    std::uint64_t structure_cache_ways;
    std::uint64_t structure_cache_latency;
    std::uint64_t interrupt_entries;
    std::uint64_t interrupt_ways;
    std::uint64_t interrupt_latency;

    // Misses
    std::uint64_t miss_slots;
    std::uint64_t configuration_slots;
    std::uint64_t walk_slots;

    // Invalidation
    std::uint64_t queue_fetch_burst;
    std::uint64_t queue_doorbell;
    std::uint64_t queue_decode;
    std::uint64_t queue_execution; ///< choice: serial, overlapped
    std::uint64_t queue_outstanding;
    std::uint64_t invalidation_lookup;
    std::uint64_t invalidation_probe;
    std::uint64_t wait_overhead;
    std::uint64_t device_tlb_timeout;

    // Registers
    std::uint64_t register_access;
    std::uint64_t register_acknowledge;
    std::uint64_t write_buffer_flush_time;
};

} // namespace iommusim::vtd
