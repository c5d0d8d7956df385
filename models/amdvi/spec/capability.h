// AMD-Vi: the PCI capability block that locates an IOMMU, and the two extended feature registers, after the
// chapter "Registers" of AMD's I/O virtualization technology specification (publication 48882). Layouts only,
// no behaviour. Fields of features that no model of ours advertises are listed too. C++17.
#pragma once

#include "../../base/bits.h"

#include <cstdint>

namespace iommusim::amdvi::spec {

/// "IOMMU Capability Block Registers": byte offsets from the start of the block, 32 bits each.
namespace cap_reg {
inline constexpr std::uint64_t header = 0x00;
inline constexpr std::uint64_t base_low = 0x04;
inline constexpr std::uint64_t base_high = 0x08;
inline constexpr std::uint64_t range = 0x0C;
inline constexpr std::uint64_t misc0 = 0x10;
inline constexpr std::uint64_t misc1 = 0x14; ///< CapHeader.CapExt
inline constexpr std::uint64_t block_bytes = 0x18;
} // namespace cap_reg

/// Capability Header.
namespace cap_header {
inline constexpr Field cap_id = bits(7, 0);
inline constexpr std::uint64_t cap_id_secure_device = 0x0F;
inline constexpr Field cap_ptr = bits(15, 8);
inline constexpr Field cap_type = bits(18, 16);
inline constexpr std::uint64_t cap_type_iommu = 3;
inline constexpr Field cap_rev = bits(23, 19);
inline constexpr Field iotlb_sup = bit(24); ///< ATS requests are answered
inline constexpr Field ht_tunnel = bit(25);
inline constexpr Field np_cache = bit(26); ///< not-present entries may be cached
inline constexpr Field efr_sup = bit(27);
inline constexpr Field cap_ext = bit(28);
} // namespace cap_header

/// Base Address Low and High: where the registers are.
namespace cap_base {
inline constexpr Field enable = bit(0);                   ///< write-1-set: locks the setup until reset
inline constexpr Field address = bits(63, 14);            ///< in place, of high << 32 | low
inline constexpr Field address_counters = bits(63, 19);   ///< with EFR.PCSup
inline constexpr std::uint64_t window_bytes = 0x4000;     ///< 16 KB
inline constexpr std::uint64_t window_bytes_pc = 0x80000; ///< 512 KB with EFR.PCSup
} // namespace cap_base

/// Range Register.
namespace cap_range {
inline constexpr Field unit_id = bits(4, 0);
inline constexpr Field rng_valid = bit(7);
inline constexpr Field bus_number = bits(15, 8);
inline constexpr Field first_device = bits(23, 16);
inline constexpr Field last_device = bits(31, 24);
} // namespace cap_range

/// Miscellaneous Information Register 0.
namespace cap_misc0 {
inline constexpr Field msi_num = bits(4, 0);
inline constexpr Field gva_size = bits(7, 5);
inline constexpr std::uint64_t gva_size_48 = 2; ///< other codes: not confirmed
inline constexpr Field pa_size = bits(14, 8);   ///< bits, as a number
inline constexpr Field va_size = bits(21, 15);  ///< bits, as a number
inline constexpr Field ht_ats_resv = bit(22);
inline constexpr Field msi_num_ppr = bits(31, 27);
} // namespace cap_misc0

/// Miscellaneous Information Register 1.
namespace cap_misc1 {
inline constexpr Field msi_num_ga = bits(4, 0);
} // namespace cap_misc1

/// Extended Feature Register. Bits 27:26 and 30 are reserved.
namespace efr {
inline constexpr Field pref_sup = bit(0);
inline constexpr Field ppr_sup = bit(1);
inline constexpr Field xt_sup = bit(2);
inline constexpr Field nx_sup = bit(3);
inline constexpr Field gt_sup = bit(4);
inline constexpr Field gappi_sup = bit(5);
inline constexpr Field ia_sup = bit(6);
inline constexpr Field ga_sup = bit(7);
inline constexpr Field he_sup = bit(8);
inline constexpr Field pc_sup = bit(9);
inline constexpr Field hats = bits(11, 10); ///< host levels - 4
inline constexpr std::uint64_t hats_none = 3;
inline constexpr Field gats = bits(13, 12);     ///< guest levels - 4
inline constexpr Field glx_sup = bits(15, 14);  ///< GCR3 table levels - 1
inline constexpr Field smif_sup = bits(17, 16); ///< SMI filter
inline constexpr Field smif_rc = bits(20, 18);  ///< log2 of its registers
inline constexpr Field gam_sup = bits(23, 21);  ///< guest virtual APIC modes
inline constexpr std::uint64_t gam_vapic = 1;
inline constexpr Field dual_ppr_log_sup = bits(25, 24);
inline constexpr Field dual_event_log_sup = bits(29, 28);
inline constexpr std::uint64_t dual_log_auto_swap = 2; ///< of both
inline constexpr Field sats_sup = bit(31);
inline constexpr Field pas_max = bits(36, 32); ///< PASID bits - 1
inline constexpr Field us_sup = bit(37);
inline constexpr Field dev_tbl_seg_sup = bits(39, 38); ///< log2 of the most segments
inline constexpr Field ppr_ovrflw_early_sup = bit(40);
inline constexpr Field ppr_auto_rsp_sup = bit(41);
inline constexpr Field marc_sup = bits(43, 42);
inline constexpr Field blk_stop_mrk_sup = bit(44);
inline constexpr Field perf_opt_sup = bit(45);
inline constexpr Field msi_cap_mmio_sup = bit(46);
inline constexpr Field snoop_attr_sup = bit(47);
inline constexpr Field gio_sup = bit(48);
inline constexpr Field ha_sup = bit(49);
inline constexpr Field eph_sup = bit(50);
inline constexpr Field attr_fw_sup = bit(51);
inline constexpr Field hd_sup = bit(52);
inline constexpr Field v2_hd_dis_sup = bit(53);
inline constexpr Field inv_iotlb_type_sup = bit(54);
inline constexpr Field viommu_sup = bit(55);
inline constexpr Field vm_guard_io_sup = bit(56);
inline constexpr Field vm_table_size = bits(60, 57);
inline constexpr Field ga_update_dis_sup = bit(61);
inline constexpr Field force_phy_dest_sup = bit(62);
inline constexpr Field snp_sup = bit(63);

/// Levels of tables that a HATS or GATS code other than hats_none stands for.
constexpr unsigned table_levels(std::uint64_t code) { return 4 + static_cast<unsigned>(code); }
} // namespace efr

/// Extended Feature 2 Register. All other bits are reserved.
namespace efr2 {
inline constexpr Field sev_snp_io_sup = bit(1);
inline constexpr Field tmpm_sup = bit(2);
inline constexpr Field gcr3_trp_mode = bit(3);
inline constexpr Field gappi_dis_sup = bit(4);
inline constexpr Field snp_avic_sup = bits(7, 5);
inline constexpr Field num_int_remap_sup = bits(9, 8);
inline constexpr std::uint64_t num_int_remap_512 = 0;
inline constexpr std::uint64_t num_int_remap_2048 = 1;
inline constexpr Field ht_range_ignore = bit(11);
} // namespace efr2

} // namespace iommusim::amdvi::spec
