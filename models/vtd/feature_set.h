// What this VT-d model advertises. The capability registers and the feature page that the command line prints
// are generated from one table (feature_set.cpp), so neither can claim what the other does not.
//
// Can be built: legacy and scalable mode, abort mode; first stage with 4 or 5 levels, second stage with 3 to
// 5, nested, pass-through; PASIDs of up to 20 bits; Device-TLBs and page requests; queued invalidation, and
// register-based invalidation below version 6; interrupt remapping and posting; caching mode; write buffers;
// protected memory; accessed and dirty bits of both stages.
//
// Not built, and read as absent: advanced fault logging (AFL), memory types (MTS), execute requests (ERS),
// virtual commands (VCS), trusted devices (TDXIO), performance monitoring and enhanced commands (PMS, ECMDS),
// Device-TLB invalidation throttling (DIT), stop markers (SMS), second-stage widths of 30 and 64 bits.
//
// C++17: included by foreign virtual platforms.
#pragma once

#include "../core/feature_page.h"
#include "spec/registers.h"

#include <cstdint>
#include <string>
#include <vector>

namespace iommusim::vtd {

/// The configurable part of the feature set: what an integrator chooses when the hardware is built. The field
/// of the capability registers is named where there is one. The default is a server part with scalable mode.
struct Features {
    unsigned version_major = 1;      ///< VER.MAX; from 6 on there is no register-based invalidation
    unsigned version_minor = 0;      ///< VER.MIN
    unsigned host_address_bits = 46; ///< host address width, 32 to 52; firmware tells it, no register does

    // Second stage.
    unsigned guest_address_bits = 57;        ///< CAP.MGAW + 1, at most the width of the deepest table
    unsigned domain_id_bits = 16;            ///< CAP.ND: 4, 6, ... 16
    bool second_stage_3_level = true;        ///< CAP.SAGAW, 39 bits
    bool second_stage_4_level = true;        ///< CAP.SAGAW, 48 bits
    bool second_stage_5_level = true;        ///< CAP.SAGAW, 57 bits
    bool second_stage_2m = true;             ///< CAP.SLLPS
    bool second_stage_1g = true;             ///< CAP.SLLPS
    bool zero_length_read = true;            ///< CAP.ZLR
    bool snoop_control = true;               ///< ECAP.SC
    bool second_stage_accessed_dirty = true; ///< ECAP.SLADS
    bool page_selective_invalidation = true; ///< CAP.PSI
    unsigned max_address_mask = 18;          ///< CAP.MAMV, with PSI; 0 without

    // Scalable mode and first stage.
    bool scalable_mode = true;          ///< ECAP.SMTS
    bool first_stage = true;            ///< ECAP.FLTS
    bool second_stage = true;           ///< ECAP.SLTS, PASID entries for the second stage
    bool nested = true;                 ///< ECAP.NEST
    bool first_stage_1g = true;         ///< CAP.FL1GP
    bool first_stage_5_level = true;    ///< CAP.FL5LP
    bool extended_accessed_flag = true; ///< ECAP.EAFS
    bool supervisor_requests = true;    ///< ECAP.SRS
    bool page_walk_snoop = true;        ///< ECAP.SMPWCS
    bool pasid = true;                  ///< ECAP.PASID
    unsigned pasid_bits = 20;           ///< ECAP.PSS + 1, 1 to 20; counts with ECAP.PASID
    bool rid_pasid = true;              ///< ECAP.RPS
    bool rid_priv = true;               ///< ECAP.RPRIVS

    // Every mode.
    bool pass_through = true;          ///< ECAP.PT
    bool abort_mode = true;            ///< ECAP.ADMS
    bool coherent_walks = true;        ///< ECAP.C
    bool caching_mode = false;         ///< CAP.CM
    bool write_buffers = false;        ///< CAP.RWBF: software must flush them
    bool write_draining = true;        ///< CAP.DWD
    bool read_draining = true;         ///< CAP.DRD
    bool srtp_invalidates = true;      ///< CAP.ESRTPS
    bool protected_low_memory = true;  ///< CAP.PLMR
    bool protected_high_memory = true; ///< CAP.PHMR

    // Invalidation, Device-TLBs, page requests.
    bool queued_invalidation = true; ///< ECAP.QI
    bool device_tlb = true;          ///< ECAP.DT
    bool no_write_flag = true;       ///< ECAP.NWFS
    bool page_requests = true;       ///< ECAP.PRS
    bool page_request_drain = true;  ///< ECAP.PDS

    // Interrupts.
    bool interrupt_remapping = true;  ///< ECAP.IR
    bool x2apic = true;               ///< ECAP.EIM
    bool posted_interrupts = true;    ///< CAP.PI
    bool sirtp_invalidates = true;    ///< CAP.ESIRTPS
    unsigned max_interrupt_mask = 15; ///< ECAP.MHMV, with IR; 0 without

    // Where registers are.
    unsigned fault_records = 8;                ///< CAP.NFR + 1, 1 to 256
    std::uint64_t fault_record_offset = 0x220; ///< CAP.FRO * 16
    std::uint64_t iotlb_offset = 0x500;        ///< ECAP.IRO * 16, of IVA; IOTLB follows

    bool register_invalidation() const {
        return version_major < spec::ver::major_without_register_invalidation;
    }
    /// Whether second-stage tables of so many levels may be used.
    bool supports_levels(unsigned levels) const;
    /// Levels of the deepest second-stage table that may be used.
    unsigned max_levels() const;
    /// Bytes of the register set, a multiple of 4 KB.
    std::uint64_t register_space_bytes() const;
};

struct Parameters;

/// What a unit with these parameters advertises.
Features features_of(const Parameters& parameters);

/// Empty when `features` can be built, otherwise one sentence about the first value that cannot.
std::string first_violation(const Features& features);

/// The values of the Version, Capability and Extended Capability Registers.
struct IdRegisters {
    std::uint64_t ver = 0; ///< 32 bits
    std::uint64_t cap = 0;
    std::uint64_t ecap = 0;
};

IdRegisters make_id_registers(const Features& features);

using iommusim::FeatureRow;

/// The feature page: every defined field of the capability registers, in register and bit order.
std::vector<FeatureRow> describe(const Features& features);

} // namespace iommusim::vtd
