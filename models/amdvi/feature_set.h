// What this AMD-Vi model advertises. The extended feature registers, the capability block and the feature
// page that the command line prints are generated from one table (feature_set.cpp), so none can claim what
// another does not.
//
// Can be built: host tables of 4 to 6 levels with accessed and dirty bits, guest tables of 4 or 5 levels with
// GCR3 tables of 1 to 3 levels and PASIDs of up to 20 bits, nested; segmented device tables; remote IOTLBs
// (ATS) and page requests; interrupt remapping with 32-bit and 128-bit entries, x2APIC destinations, the
// guest virtual APIC and its log; the exclusion range; the hardware event registers; caching of not-present
// entries.
//
// Not built, and read as absent: HyperTransport tunnels, performance counters, SMI filters, dual logs, early
// overflow indication and automatic responses of the PPR log, enhanced page requests, secure ATS, memory
// access routing, performance optimization, snoop attributes, hardware virtual IOMMUs, secure nested paging
// (SNP), page migration.
//
// C++17: included by foreign virtual platforms.
#pragma once

#include "../core/feature_page.h"
#include "spec/capability.h"

#include <cstdint>
#include <string>
#include <vector>

namespace iommusim::amdvi {

/// The configurable part of the feature set: what an integrator chooses when the hardware is built. The field
/// of the registers is named where there is one. The default is a server part of the Zen family.
struct Features {
    unsigned physical_address_bits = 48;     ///< CapMisc0.PAsize, 32 to 52
    unsigned virtual_address_bits = 64;      ///< CapMisc0.VAsize, 32 to 64
    bool np_cache = false;                   ///< CapHeader.NpCache: not-present entries may be cached
    unsigned log2_device_table_segments = 3; ///< EFR.DevTblSegSup, the most that software may choose

    // Host tables.
    bool host_translation = true; ///< EFR.HATS; 3 says that there is none
    unsigned host_levels = 6;     ///< EFR.HATS + 4, 4 to 6
    bool host_accessed = true;    ///< EFR.HASup
    bool host_dirty = true;       ///< EFR.HDSup

    // Guest tables. Without guest_translation the others mean nothing, as in parts whose firmware hides it.
    bool guest_translation = true;      ///< EFR.GTSup
    unsigned guest_levels = 5;          ///< EFR.GATS + 4, 4 or 5
    unsigned gcr3_levels = 3;           ///< EFR.GLXSup + 1, 1 to 3
    unsigned pasid_bits = 20;           ///< EFR.PASmax + 1, 1 to 20
    bool no_execute = true;             ///< EFR.NXSup
    bool user_supervisor = true;        ///< EFR.USSup
    bool guest_io = true;               ///< EFR.GIoSup: requests without PASID may use the table of PASID 0
    bool guest_accessed_disable = true; ///< EFR.GAUpdateDisSup
    bool guest_dirty_disable = true;    ///< EFR.V2HDDisSup

    // Commands, remote IOTLBs, page requests.
    bool remote_iotlb = true;           ///< CapHeader.IotlbSup
    bool page_requests = true;          ///< EFR.PPRSup
    bool prefetch = false;              ///< EFR.PreFSup
    bool invalidate_all = true;         ///< EFR.IASup
    bool invalidate_iotlb_type = false; ///< EFR.InvIotlbTypeSup

    // Interrupts.
    bool guest_apic = true;              ///< EFR.GASup: interrupt table entries of 128 bits
    bool guest_virtual_apic = true;      ///< EFR.GAMSup, with its log
    bool x2apic = true;                  ///< EFR.XTSup
    bool interrupt_table_2048 = false;   ///< EFR2.NumIntRemapSup
    bool interrupt_cache_disable = true; ///< Control.IRTCacheDis can be written
    bool ht_range_ignore = false;        ///< EFR2.HtRangeIgnore
    bool hardware_events = false;        ///< EFR.HESup

    /// Bytes of the register set.
    static constexpr std::uint64_t register_space_bytes() { return spec::cap_base::window_bytes; }
    /// Levels of the deepest host table; 0 without host translation.
    unsigned max_host_levels() const { return host_translation ? host_levels : 0; }
};

/// Empty when `features` can be built, otherwise one sentence about the first value that cannot.
std::string first_violation(const Features& features);

/// The values of the read-only registers.
struct IdRegisters {
    std::uint64_t cap_header = 0; ///< 32 bits, as the two below: of the capability block
    std::uint64_t cap_misc0 = 0;
    std::uint64_t cap_misc1 = 0;
    std::uint64_t efr = 0;
    std::uint64_t efr2 = 0;
};

IdRegisters make_id_registers(const Features& features);

using iommusim::FeatureRow;

/// The feature page: every defined field of these registers, in register and bit order.
std::vector<FeatureRow> describe(const Features& features);

} // namespace iommusim::amdvi
