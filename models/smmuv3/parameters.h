// Sizes, latencies and optional features of the SMMUv3 model. C++17: public.
#pragma once

#include "../base/parameters.h"

namespace iommusim::smmuv3 {

struct Parameters {
    Parameters() { set_defaults(*this); }
    static const std::vector<Parameter<Parameters>>& table();
    static const std::vector<Profile<Parameters>>& profiles();

    // What the ID registers advertise
    std::uint64_t stream_id_bits;
    std::uint64_t substream_id_bits;
    std::uint64_t output_address_bits; ///< choice: index is the OAS code
    std::uint64_t command_queue_log2;
    std::uint64_t event_queue_log2;
    std::uint64_t range_invalidation;
    std::uint64_t message_interrupts;
    std::uint64_t wake_events;
    std::uint64_t coherent_walks;

    // Translation buffer units: one per device port
    std::uint64_t device_ports;
    std::uint64_t port_outstanding;
    std::uint64_t micro_tlb_entries;
    std::uint64_t micro_tlb_ways;
    std::uint64_t micro_tlb_latency;
    std::uint64_t tlb_entries;
    std::uint64_t tlb_ways;
    std::uint64_t tlb_latency;
    std::uint64_t tlb_replacement;
    std::uint64_t tbu_slots;
    std::uint64_t link_latency;

    // Translation control unit
    std::uint64_t tcu_slots;
    std::uint64_t configuration_entries;
    std::uint64_t configuration_ways;
    std::uint64_t configuration_latency;
    std::uint64_t configuration_slots;
    std::uint64_t tcu_tlb_entries;
    std::uint64_t tcu_tlb_ways;
    std::uint64_t tcu_tlb_latency;
    std::uint64_t walk_slots;
    std::uint64_t walk_cache_l0_entries;
    std::uint64_t walk_cache_l1_entries;
    std::uint64_t walk_cache_l2_entries;
    std::uint64_t walk_cache_ways;
    std::uint64_t walk_cache_latency;

    // Commands and events
    std::uint64_t command_fetch_burst;
    std::uint64_t doorbell_latency;
    std::uint64_t command_decode;
    std::uint64_t invalidation_lookup;
    std::uint64_t invalidation_probe;
    std::uint64_t sync_overhead;
    std::uint64_t register_access;
    std::uint64_t register_acknowledge;
};

} // namespace iommusim::smmuv3
