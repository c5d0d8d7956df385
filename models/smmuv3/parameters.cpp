#include "models/smmuv3/parameters.h"

#include "models/core/tagged_cache.h"

namespace iommusim::smmuv3 {

namespace {
constexpr auto gem5 = "gem5 SMMUv3 defaults, cycles taken at 1 GHz";
constexpr auto mmu700_range = "Arm MMU-700 TRM 101542, configuration options";
constexpr std::uint64_t us = 1'000'000; // ps
} // namespace

const std::vector<Parameter<Parameters>>& Parameters::table() {
    using P = Parameters;
    using enum Unit;
    using enum Provenance;
    static const std::vector<Parameter<P>> rows = {
        {{"features.stream_id_bits", count, 16, 0, 32, chosen, "covers one PCIe segment", "IDR1.SIDSIZE"},
         &P::stream_id_bits},
        {{"features.substream_id_bits", count, 0, 0, 20, chosen, "no PASIDs unless asked for",
          "IDR1.SSIDSIZE"},
         &P::substream_id_bits},
        {{"features.output_address_bits", choice, 5, 0, 5, chosen,
          "48 bits, the most that 4 KiB tables reach", "IDR5.OAS, output address size in bits",
          "32|36|40|42|44|48"},
         &P::output_address_bits},
        {{"features.command_queue_log2", count, 15, 1, 19, chosen, "more than any driver in use allocates",
          "IDR1.CMDQS, log2 of the largest command queue"},
         &P::command_queue_log2},
        {{"features.event_queue_log2", count, 15, 1, 19, chosen, "as the command queue",
          "IDR1.EVENTQS, log2 of the largest event queue"},
         &P::event_queue_log2},
        {{"features.range_invalidation", flag, 1, 0, 1, architected, "mandatory from SMMUv3.2",
          "IDR3.RIL, range invalidation and level hints"},
         &P::range_invalidation},
        {{"features.message_interrupts", flag, 1, 0, 1, published, "MMU-600 and MMU-700: IDR0.MSI = 1",
          "IDR0.MSI, interrupts and CMD_SYNC completion as memory writes"},
         &P::message_interrupts},
        {{"features.wake_events", flag, 1, 0, 1, published, "MMU-700 TRM: IDR0.SEV by strap",
          "IDR0.SEV, CMD_SYNC completion and queue space signalled as WFE wake-up events"},
         &P::wake_events},
        {{"features.coherent_walks", flag, 1, 0, 1, published, "MMU-700 TRM: IDR0.COHACC by strap",
          "IDR0.COHACC, table and queue accesses snoop the CPU caches"},
         &P::coherent_walks},

        {{"tbu.ports", count, 1, 1, 62, chosen,
          "one translation buffer unit serves all devices of a small platform",
          "device ports, each with its own translation buffer unit (TBU)"},
         &P::device_ports},
        {{"tbu.outstanding", count, 256, 1, 4096, published, mmu700_range,
          "accesses that a port accepts before it holds requests back"},
         &P::port_outstanding},
        {{"micro_tlb.entries", count, 32, 0, 65536, published, gem5,
          "entries of the first-level TLB of a TBU"},
         &P::micro_tlb_entries},
        {{"micro_tlb.ways", count, 0, 0, 65536, published, gem5, "its associativity, 0: full"},
         &P::micro_tlb_ways},
        {{"micro_tlb.latency", picoseconds, 1000, 0, us, published, gem5, "lookup time of the micro-TLB"},
         &P::micro_tlb_latency},
        {{"tlb.entries", count, 2048, 0, 1 << 20, published, gem5, "entries of the main TLB of a TBU"},
         &P::tlb_entries},
        {{"tlb.ways", count, 4, 0, 1 << 20, published, gem5, "its associativity, 0: full"}, &P::tlb_ways},
        {{"tlb.latency", picoseconds, 3000, 0, us, published, gem5, "lookup time of the main TLB"},
         &P::tlb_latency},
        {{"tlb.replacement", choice, 0, 0, 2, published, gem5, "replacement policy of micro-TLB and main TLB",
          replacement_choices},
         &P::tlb_replacement},
        {{"tbu.slots", count, 16, 1, 512, published, gem5, "misses that a TBU can have outstanding"},
         &P::tbu_slots},
        {{"link.latency", picoseconds, 8000, 0, us, published, gem5, "TBU to TCU and back, each way"},
         &P::link_latency},

        {{"tcu.slots", count, 64, 1, 4096, published, gem5, "translations under way in the TCU"},
         &P::tcu_slots},
        {{"configuration.entries", count, 64, 0, 4096, published, gem5,
          "contexts (STE and CD) in the configuration cache"},
         &P::configuration_entries},
        {{"configuration.ways", count, 4, 0, 4096, published, gem5, "its associativity, 0: full"},
         &P::configuration_ways},
        {{"configuration.latency", picoseconds, 3000, 0, us, published, gem5, "its lookup time"},
         &P::configuration_latency},
        {{"configuration.slots", count, 4, 1, 64, published,
          "MMU-700 TRM: CTW slots, reference configuration", "configuration fetches under way"},
         &P::configuration_slots},
        {{"tcu_tlb.entries", count, 0, 0, 1 << 20, published, "gem5: SMMU TLB is off by default",
          "entries of a TLB shared by all TBUs, 0: none"},
         &P::tcu_tlb_entries},
        {{"tcu_tlb.ways", count, 4, 0, 1 << 20, published, gem5, "its associativity, 0: full"},
         &P::tcu_tlb_ways},
        {{"tcu_tlb.latency", picoseconds, 3000, 0, us, published, gem5, "its lookup time"},
         &P::tcu_tlb_latency},
        {{"walk.slots", count, 16, 1, 512, published, gem5, "page table walks under way"}, &P::walk_slots},
        {{"walk_cache.l0_entries", count, 4, 0, 65536, published, gem5, "level 0 table descriptors kept"},
         &P::walk_cache_l0_entries},
        {{"walk_cache.l1_entries", count, 28, 0, 65536, published, gem5, "level 1 table descriptors kept"},
         &P::walk_cache_l1_entries},
        {{"walk_cache.l2_entries", count, 348, 0, 65536, published, gem5, "level 2 table descriptors kept"},
         &P::walk_cache_l2_entries},
        {{"walk_cache.ways", count, 4, 0, 65536, published, gem5,
          "associativity of each walk cache, 0: full"},
         &P::walk_cache_ways},
        {{"walk_cache.latency", picoseconds, 4000, 0, us, published, gem5, "one walk cache lookup"},
         &P::walk_cache_latency},

        {{"cmdq.fetch_burst", count, 4, 1, 64, chosen, "one 64-byte line per read", "commands read at once"},
         &P::command_fetch_burst},
        {{"cmdq.doorbell", picoseconds, 5000, 0, us, chosen, "a few cycles of a 1 GHz clock",
          "from the arrival of a producer index to the first fetch"},
         &P::doorbell_latency},
        {{"cmdq.decode", picoseconds, 4000, 0, us, chosen, "a few cycles of a 1 GHz clock",
          "decoding of one command"},
         &P::command_decode},
        {{"invalidation.lookup", picoseconds, 20000, 0, us, measured,
          "so that one more TLBI in a batch costs 73 ns, as on Kunpeng 920 (Xiang Chen, iommu list, 31 Jul "
          "2021)",
          "invalidation lookup in the caches of TCU and TBU, beside the link"},
         &P::invalidation_lookup},
        {{"invalidation.probe", picoseconds, 250, 0, us, chosen, "four sets per cycle of a 1 GHz clock",
          "each place that a ranged invalidation has to look at"},
         &P::invalidation_probe},
        {{"sync.overhead", picoseconds, 20000, 0, us, chosen, "as an invalidation lookup",
          "CMD_SYNC beside the round trip to the TBUs, the drain and the completion write"},
         &P::sync_overhead},
        {{"registers.access", picoseconds, 20000, 0, us, chosen, "an APB access", "a register read or write"},
         &P::register_access},
        {{"registers.acknowledge", picoseconds, 100000, 0, 1000 * us, chosen, "not published for any product",
          "from a write to CR0, IRQ_CTRL or GBPA to its acknowledgement"},
         &P::register_acknowledge},
    };
    return rows;
}

const std::vector<Profile<Parameters>>& Parameters::profiles() {
    using P = Parameters;
    static const std::vector<Profile<P>> profiles = {
        {"generic", "the defaults of the parameter table", "see each parameter", {}},
        {"mmu-600",
         "an MMU-600 as configured in a current system on chip: 24-bit stream ids, no range invalidation",
         "Arm MMU-600 TRM; Intel Agilex 5 TRM (256-entry configuration and walk caches)",
         {{&P::stream_id_bits, 24},
          {&P::range_invalidation, 0},
          {&P::configuration_entries, 256},
          {&P::walk_cache_l0_entries, 256},
          {&P::walk_cache_l1_entries, 256},
          {&P::walk_cache_l2_entries, 256},
          {&P::tcu_tlb_entries, 256}}},
        {"mmu-700",
         "an MMU-700 in the reference configuration of its manual",
         "Arm MMU-700 TRM 101542, reset column",
         {{&P::stream_id_bits, 32},
          {&P::substream_id_bits, 20},
          {&P::command_queue_log2, 19},
          {&P::event_queue_log2, 19},
          {&P::tcu_slots, 256},
          {&P::walk_slots, 64},
          {&P::configuration_entries, 512},
          {&P::configuration_ways, 8},
          {&P::walk_cache_l0_entries, 16},
          {&P::walk_cache_l1_entries, 112},
          {&P::walk_cache_l2_entries, 384},
          {&P::tcu_tlb_entries, 512},
          {&P::walk_cache_ways, 8},
          {&P::tcu_tlb_ways, 8}}},
    };
    return profiles;
}

} // namespace iommusim::smmuv3
