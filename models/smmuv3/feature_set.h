// What this SMMUv3 model advertises. The identification registers and the feature page that the command line
// prints are generated from one table (feature_set.cpp), so neither can claim what the other does not.
//
// Built: stage 1 translation with AArch64 (VMSAv8-64) little-endian tables and the 4 KB granule; linear and
// two-level stream tables and context descriptor tables, substreams; 8- or 16-bit ASIDs; range invalidation;
// hierarchical attribute disable; terminate fault model with abort and RAZ/WI; coherent access; MSIs; wake-up
// events.
//
// Not built, and read as absent: stage 2 (so no VMIDs, Hyp, S2FWB, XNX), AArch32, 16 KB and 64 KB granules,
// 52-bit addresses, broadcast TLB maintenance, hardware update of Access flag and dirty state, ATS, PRI,
// stalls, ATOS, MPAM, ECMDQ, small translation tables, page-based hardware attributes, attribute overrides,
// Secure and Realm state.
//
// Architecture version: AIDR reads SMMUv3.2, because a write to a guarded register is ignored as from that
// version. Of what SMMUv3.2 makes mandatory for a stage 1 implementation, BBML 1 is absent: IDR3.BBML reads
// 0, which tells software to break before make. Hyp and S2FWB are mandatory only with stage 2.
//
// C++17: included by foreign virtual platforms.
#pragma once

#include "../core/feature_page.h"
#include "spec/registers.h"

#include <cstdint>
#include <string>
#include <vector>

namespace iommusim::smmuv3 {

/// The configurable part of the feature set: what an integrator chooses when the hardware is built.
struct Features {
    unsigned sid_bits = 16;                      ///< StreamID bits, 0 to 32
    unsigned ssid_bits = 20;                     ///< SubstreamID bits, 0 to 20; 0: no substreams
    unsigned oas_code = spec::size_code_48_bits; ///< output address size code, 32 to 48 bits
    unsigned cmdq_log2_max = 19;                 ///< log2 of the largest Command queue, 0 to 19
    unsigned eventq_log2_max = 19;               ///< log2 of the largest Event queue, 0 to 19
    bool two_level_stream_table = true;          ///< mandatory from 7 StreamID bits
    bool two_level_cd = true;                    ///< two-level context descriptor tables
    bool asid16 = true;                          ///< 16-bit ASIDs, otherwise 8-bit
    bool coherent_access = true;                 ///< table, queue and MSI accesses are coherent
    bool msi = true;                             ///< message signalled interrupts
    bool sev = true;                             ///< wake-up events (WFE)
    bool range_invalidation = true;              ///< range fields and level hint of CMD_TLBI_*
    bool hierarchical_attribute_disable = true;  ///< CD.HAD0, CD.HAD1
    std::uint32_t iidr = 0; ///< SMMU_IIDR; no JEP106 code is assigned to this model, so 0 by default

    unsigned address_bits() const { return spec::address_bits(oas_code); }
    unsigned asid_bits() const { return asid16 ? 16 : 8; }
};

struct Parameters;

/// What a unit with these parameters advertises.
Features features_of(const Parameters& parameters);

/// Empty when `features` can be built, otherwise one sentence about the first value that cannot.
std::string first_violation(const Features& features);

/// The values of the identification registers (IHI 0070 section 6.3).
struct IdRegisters {
    std::uint32_t idr0 = 0;
    std::uint32_t idr1 = 0;
    std::uint32_t idr2 = 0;
    std::uint32_t idr3 = 0;
    std::uint32_t idr4 = 0;
    std::uint32_t idr5 = 0;
    std::uint32_t idr6 = 0;
    std::uint32_t iidr = 0;
    std::uint32_t aidr = 0;
};

IdRegisters make_id_registers(const Features& features);

using iommusim::FeatureRow;

/// The feature page: every defined field of the identification registers, in register and bit order.
std::vector<FeatureRow> describe(const Features& features);

} // namespace iommusim::smmuv3
