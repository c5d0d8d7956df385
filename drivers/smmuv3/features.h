// What the driver concludes from the identification registers of a unit.
#pragma once

#include "drivers/smmuv3/configuration.h"

#include <cstdint>

namespace iommusim::smmuv3_driver {

/// IDR0 to IDR5 and IIDR as read; index 2 is not used for a decision.
struct IdentificationRegisters {
    std::uint32_t idr[6] = {};
    std::uint32_t iidr = 0;
};

/// Decisions of the probe, the configuration's limits included.
struct Features {
    bool stage1 = false;
    bool stage2 = false;
    bool coherent = false;   ///< the unit snoops: tables, queues and MSIs need no cache maintenance
    bool msi = false;        ///< interrupts may be message signalled
    bool event_wake = false; ///< CMD_SYNC may wake a CPU from WFE (SEV)
    bool hyp = false;        ///< EL2 translation regime: its TLB entries are invalidated at reset
    bool ats = false;
    bool pri = false;
    bool two_level_streams = false;  ///< two-level stream table
    bool two_level_contexts = false; ///< two-level CD tables
    bool range_invalidation = false;
    bool can_stall = false; ///< STE.S1STALLD must be set where stalling is not wanted
    bool force_stall = false;
    bool force_sync = false; ///< erratum: every submission of a batch ends with a CMD_SYNC
    unsigned asid_bits = 8;
    unsigned stream_bits = 0;
    unsigned substream_bits = 0;
    unsigned command_queue_log2 = 0;
    unsigned event_queue_log2 = 0;
    unsigned input_bits = 48;  ///< stage-1 virtual address size, TTB0 half
    unsigned output_bits = 32; ///< physical address size
    unsigned output_size_code = 0;
    std::uint64_t page_sizes = 0;
    CompletionMode completion = CompletionMode::consumer; ///< never automatic
};

/// Decides the features. Returns false and names the offset of the register that lacks something
/// indispensable (stage 1, AArch64 little-endian tables, 4 KiB granule, a command queue of more than 64
/// entries, queues and tables that software places).
bool decide_features(const IdentificationRegisters&, const Configuration&, Features&, std::uint64_t& lacking);

} // namespace iommusim::smmuv3_driver
