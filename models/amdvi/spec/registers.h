// AMD-Vi: offsets and fields of the MMIO registers, after the chapter "Registers" (section "IOMMU MMIO
// Registers") of AMD's I/O virtualization technology specification. Layouts only, no behaviour. Registers of
// features that no model of ours advertises are listed too; the extended feature registers tell what is
// there. C++17.
#pragma once

#include "capability.h"

namespace iommusim::amdvi::spec {

/// Byte offsets. 64 bits wide unless the comment says otherwise.
namespace reg {
inline constexpr std::uint64_t dev_table_base = 0x0000;
inline constexpr std::uint64_t cmd_base = 0x0008;
inline constexpr std::uint64_t event_base = 0x0010;
inline constexpr std::uint64_t control = 0x0018;
inline constexpr std::uint64_t exclusion_base = 0x0020; ///< completion store base with EFR.SNPSup
inline constexpr std::uint64_t exclusion_limit = 0x0028;
inline constexpr std::uint64_t efr = 0x0030;
inline constexpr std::uint64_t ppr_base = 0x0038;
inline constexpr std::uint64_t hw_event_upper = 0x0040;                      ///< first word of the event
inline constexpr std::uint64_t hw_event_lower = 0x0048;                      ///< second word of the event
inline constexpr std::uint64_t hw_event_status = 0x0050;                     ///< EFR.HESup, as above
constexpr std::uint64_t smi_filter(unsigned n) { return 0x0060 + 8ull * n; } ///< n = 0 to 15
inline constexpr std::uint64_t ga_base = 0x00E0;
inline constexpr std::uint64_t ga_tail_address = 0x00E8;
inline constexpr std::uint64_t ppr_b_base = 0x00F0;
inline constexpr std::uint64_t event_b_base = 0x00F8;
constexpr std::uint64_t dev_table_segment(unsigned s) { return 0x0100 + 8ull * (s - 1); } ///< s = 1 to 7
inline constexpr std::uint64_t dsfx = 0x0138;
inline constexpr std::uint64_t dscx = 0x0140;
inline constexpr std::uint64_t dssx = 0x0148;
inline constexpr std::uint64_t misc0 = 0x0150;          ///< 32; copy of the capability's
inline constexpr std::uint64_t misc1 = 0x0154;          ///< 32
inline constexpr std::uint64_t msi_cap_header = 0x0158; ///< 32; EFR.MsiCapMmioSup, as those up to msi_map_cap
inline constexpr std::uint64_t msi_address_low = 0x015C;  ///< 32
inline constexpr std::uint64_t msi_address_high = 0x0160; ///< 32
inline constexpr std::uint64_t msi_data = 0x0164;         ///< 32
inline constexpr std::uint64_t msi_map_cap = 0x0168;      ///< 32
inline constexpr std::uint64_t perf_opt_control = 0x016C; ///< 32
inline constexpr std::uint64_t xt_general_interrupt = 0x0170;
inline constexpr std::uint64_t xt_ppr_interrupt = 0x0178;
inline constexpr std::uint64_t xt_ga_interrupt = 0x0180;
inline constexpr std::uint64_t viommu_status = 0x0190;
inline constexpr std::uint64_t efr2 = 0x01A0;
constexpr std::uint64_t marc_base(unsigned n) { return 0x0200 + 0x18ull * n; } ///< n = 0 to 3
constexpr std::uint64_t marc_relocation(unsigned n) { return marc_base(n) + 0x08; }
constexpr std::uint64_t marc_length(unsigned n) { return marc_base(n) + 0x10; }
inline constexpr std::uint64_t ignored = 0x1FF8; ///< without effect; accesses are a performance event

inline constexpr std::uint64_t cmd_head = 0x2000;
inline constexpr std::uint64_t cmd_tail = 0x2008;
inline constexpr std::uint64_t event_head = 0x2010;
inline constexpr std::uint64_t event_tail = 0x2018;
inline constexpr std::uint64_t status = 0x2020;
inline constexpr std::uint64_t ppr_head = 0x2030;
inline constexpr std::uint64_t ppr_tail = 0x2038;
inline constexpr std::uint64_t ga_head = 0x2040;
inline constexpr std::uint64_t ga_tail = 0x2048;
inline constexpr std::uint64_t ppr_b_head = 0x2050;
inline constexpr std::uint64_t ppr_b_tail = 0x2058;
inline constexpr std::uint64_t event_b_head = 0x2070;
inline constexpr std::uint64_t event_b_tail = 0x2078;
inline constexpr std::uint64_t ppr_auto_response = 0x2080;
inline constexpr std::uint64_t ppr_overflow_early = 0x2088;
inline constexpr std::uint64_t ppr_b_overflow_early = 0x2090;

// Performance counters; EFR.PCSup.
inline constexpr std::uint64_t counter_config = 0x4000;
inline constexpr std::uint64_t counter_pasid_lock = 0x4008;
inline constexpr std::uint64_t counter_domain_lock = 0x4010;
inline constexpr std::uint64_t counter_device_lock = 0x4018;
constexpr std::uint64_t counter_block(unsigned bank, unsigned counter) {
    return 0x40000 + (std::uint64_t{bank} << 12) + (std::uint64_t{counter} << 8);
}
} // namespace reg

/// Device Table Base Address Register, and those of the segments 1 to 7.
namespace dev_table_base {
inline constexpr Field size = bits(8, 0);   ///< pages of 4 KB - 1
inline constexpr Field base = bits(51, 12); ///< in place

constexpr std::uint64_t table_bytes(std::uint64_t size_code) { return (size_code + 1) * 4096; }
/// Largest size code with 2^log2_segments segments: 2 MB for all of them together.
constexpr std::uint64_t max_size(unsigned log2_segments) { return (512ull >> log2_segments) - 1; }
/// The segment of a DeviceID: its uppermost bits.
constexpr unsigned segment(std::uint16_t device_id, unsigned log2_segments) {
    return device_id >> (16 - log2_segments);
}
} // namespace dev_table_base

/// Base address registers of the command buffer, event logs, PPR logs and guest virtual APIC log.
namespace ring_base {
inline constexpr Field base = bits(51, 12);    ///< in place
inline constexpr Field length = bits(59, 56);  ///< 2^length times 16 bytes
inline constexpr std::uint64_t min_length = 8; ///< smaller codes are reserved
inline constexpr std::uint64_t reset_length = 8;

constexpr std::uint64_t ring_bytes(std::uint64_t length_code) { return 16ull << length_code; }
} // namespace ring_base

/// Head and tail pointers: byte offsets in the ring.
namespace ring_pointer {
inline constexpr Field offset = bits(18, 4);    ///< in place; entries of 16 bytes
inline constexpr Field ga_offset = bits(15, 3); ///< in place; GA log, entries of 8 bytes
} // namespace ring_pointer

/// IOMMU Control Register. Bits 49 and 57 are reserved.
namespace control {
inline constexpr Field iommu_en = bit(0);
inline constexpr Field ht_tun_en = bit(1);
inline constexpr Field event_log_en = bit(2);
inline constexpr Field event_int_en = bit(3);
inline constexpr Field com_wait_int_en = bit(4);
inline constexpr Field inv_timeout = bits(7, 5); ///< see inv_timeout_milliseconds()
inline constexpr Field pass_pw = bit(8);
inline constexpr Field res_pass_pw = bit(9);
inline constexpr Field coherent = bit(10);
inline constexpr Field isoc = bit(11);
inline constexpr Field cmd_buf_en = bit(12);
inline constexpr Field ppr_log_en = bit(13);
inline constexpr Field ppr_int_en = bit(14);
inline constexpr Field ppr_en = bit(15);
inline constexpr Field gt_en = bit(16);
inline constexpr Field ga_en = bit(17);
inline constexpr Field crw = bits(21, 18); ///< reserved in later revisions
inline constexpr Field smif_en = bit(22);
inline constexpr Field slf_wb_dis = bit(23);
inline constexpr Field smif_log_en = bit(24);
inline constexpr Field gam_en = bits(27, 25);
inline constexpr Field ga_log_en = bit(28);
inline constexpr Field ga_int_en = bit(29);
inline constexpr Field dual_ppr_log_en = bits(31, 30);
inline constexpr Field dual_event_log_en = bits(33, 32);
inline constexpr std::uint64_t dual_log_a = 0; ///< of both
inline constexpr std::uint64_t dual_log_b = 1;
inline constexpr std::uint64_t dual_log_auto_swap = 2;
inline constexpr Field dev_tbl_seg_en = bits(36, 34); ///< log2 of the segments, at most 3
inline constexpr Field priv_abrt_en = bits(38, 37);
inline constexpr Field ppr_auto_rsp_en = bit(39);
inline constexpr Field marc_en = bit(40);
inline constexpr Field blk_stop_mrk_en = bit(41);
inline constexpr Field ppr_auto_rsp_aon = bit(42);
inline constexpr Field num_int_remap_mode = bits(44, 43); ///< DomainIDPNE and DvmErrEn in earlier parts
inline constexpr Field eph_en = bit(45);
inline constexpr Field had_update = bits(47, 46);
inline constexpr Field gd_update_dis = bit(48);
inline constexpr Field xt_en = bit(50);
inline constexpr Field int_cap_xt_en = bit(51);
inline constexpr Field vcmd_en = bit(52);
inline constexpr Field viommu_en = bit(53);
inline constexpr Field ga_update_dis = bit(54);
inline constexpr Field gappi_en = bit(55);
inline constexpr Field tmpm_en = bit(56);
inline constexpr Field gcr3_trp_mode = bit(58);
inline constexpr Field irt_cache_dis = bit(59);
inline constexpr Field gst_buffer_trp_mode = bit(60);
inline constexpr Field snp_avic_en = bits(63, 61);

/// Time that InvTimeOut gives a device to answer an invalidation; 0: no limit (also the reserved code 7).
constexpr std::uint64_t inv_timeout_milliseconds(std::uint64_t code) {
    constexpr std::uint64_t times[8] = {0, 1, 10, 100, 1000, 10'000, 100'000, 0};
    return times[code & 7];
}
} // namespace control

/// Exclusion Base and Range Limit Registers.
namespace exclusion {
inline constexpr Field ex_en = bit(0);
inline constexpr Field allow = bit(1);      ///< all devices, not only those with DTE.EX
inline constexpr Field base = bits(51, 12); ///< in place; of both registers, the limit's page belongs to it
} // namespace exclusion

/// Hardware Event Status Register.
namespace hw_event_status {
inline constexpr Field hev = bit(0); ///< valid
inline constexpr Field heo = bit(1); ///< overflow
} // namespace hw_event_status

/// SMI Filter Registers.
namespace smi_filter {
inline constexpr Field device_id = bits(15, 0);
inline constexpr Field valid = bit(16);
inline constexpr Field lock = bit(17);
} // namespace smi_filter

/// Guest Virtual APIC Log Tail Address Register: where a copy of the tail pointer is kept in memory.
namespace ga_tail_address {
inline constexpr Field address = bits(51, 3); ///< in place
} // namespace ga_tail_address

/// Device specific feature, control and status registers.
namespace device_specific {
inline constexpr Field value = bits(23, 0);
inline constexpr Field minor_revision = bits(27, 24);
inline constexpr Field major_revision = bits(31, 28);
} // namespace device_specific

/// MSI Capability Header Register, as the PCI capability: the enable is software's, the rest is read-only.
namespace msi_cap_header {
inline constexpr Field cap_id = bits(7, 0);
inline constexpr std::uint64_t cap_id_msi = 0x05;
inline constexpr Field cap_ptr = bits(15, 8);
inline constexpr Field msi_en = bit(16);
inline constexpr Field multiple_capable = bits(19, 17);
inline constexpr Field multiple_enable = bits(22, 20);
inline constexpr Field address_64_bit = bit(23);
} // namespace msi_cap_header

/// MSI address and data registers.
namespace msi {
inline constexpr Field address_low = bits(31, 2); ///< in place
inline constexpr Field address_high = bits(31, 0);
inline constexpr Field data = bits(15, 0);
} // namespace msi

/// Performance Optimization Control Register.
namespace perf_opt_control {
inline constexpr Field perf_opt_en = bit(13);
} // namespace perf_opt_control

/// XT IOMMU Interrupt Control Registers (general, PPR, guest virtual APIC); Control.IntCapXTEn.
namespace xt_interrupt {
inline constexpr Field destination_mode = bit(2); ///< 1: logical
inline constexpr Field destination_low = bits(31, 8);
inline constexpr Field vector = bits(39, 32);
inline constexpr Field delivery_mode = bit(40);
inline constexpr Field destination_high = bits(63, 56); ///< bits 31:24

constexpr std::uint32_t destination(std::uint64_t value) {
    return static_cast<std::uint32_t>(destination_low.get(value) | destination_high.get(value) << 24);
}
} // namespace xt_interrupt

/// Memory Access Routing and Control: base, relocation and length registers.
namespace marc {
inline constexpr Field address = bits(51, 12); ///< in place; of all three
inline constexpr Field enable = bit(0);        ///< of the relocation register
inline constexpr Field read_only = bit(1);     ///< of the relocation register
} // namespace marc

/// IOMMU Status Register. Bits 14:13 and those above 18 are reserved.
namespace status {
inline constexpr Field event_overflow = bit(0);
inline constexpr Field event_log_int = bit(1);
inline constexpr Field com_wait_int = bit(2);
inline constexpr Field event_log_run = bit(3);
inline constexpr Field cmd_buf_run = bit(4);
inline constexpr Field ppr_overflow = bit(5);
inline constexpr Field ppr_int = bit(6);
inline constexpr Field ppr_log_run = bit(7);
inline constexpr Field ga_log_run = bit(8);
inline constexpr Field ga_overflow = bit(9);
inline constexpr Field ga_int = bit(10);
inline constexpr Field ppr_overflow_b = bit(11);
inline constexpr Field ppr_log_active = bit(12); ///< 1: log B
inline constexpr Field event_overflow_b = bit(15);
inline constexpr Field event_log_active = bit(16); ///< 1: log B
inline constexpr Field ppr_ovrflw_early_b = bit(17);
inline constexpr Field ppr_ovrflw_early = bit(18);
inline constexpr std::uint64_t write_1_to_clear = 0x68E67;
inline constexpr std::uint64_t read_only = 0x11198;
} // namespace status

/// PPR Log Auto Response Register.
namespace ppr_auto_response {
inline constexpr Field code = bits(3, 0);
inline constexpr Field mask_gn = bit(4);
} // namespace ppr_auto_response

/// PPR Log Overflow Early Indicator Registers.
namespace ppr_overflow_early {
inline constexpr Field threshold = bits(14, 0); ///< entries
inline constexpr Field interrupt_enable = bit(30);
inline constexpr Field enable = bit(31);
} // namespace ppr_overflow_early

/// Performance counters: configuration, and the block of each counter at reg::counter_block().
namespace counter {
inline constexpr Field n_counter = bits(10, 7); ///< per bank
inline constexpr Field n_counter_banks = bits(17, 12);
// Offsets in a block.
inline constexpr std::uint64_t value_offset = 0x00;
inline constexpr std::uint64_t source_offset = 0x08;
inline constexpr std::uint64_t pasid_match_offset = 0x10;
inline constexpr std::uint64_t domain_match_offset = 0x18;
inline constexpr std::uint64_t device_match_offset = 0x20;
inline constexpr std::uint64_t report_offset = 0x28;
inline constexpr Field value = bits(47, 0);
inline constexpr Field source_event = bits(7, 0); ///< a counter_event code
inline constexpr Field source_count_units = bit(30);
inline constexpr Field source_cac = bit(31); ///< counter accumulate: runs
inline constexpr Field match_value = bits(15, 0);
inline constexpr Field match_enable = bit(31);
inline constexpr Field match_mask = bits(47, 32);
inline constexpr Field report_event_note = bits(51, 0);
inline constexpr Field report_enable = bit(63); ///< CERE: log EVENT_COUNTER_ZERO
} // namespace counter

/// What a performance counter can count.
namespace counter_event {
inline constexpr unsigned untranslated_pass = 0x01;
inline constexpr unsigned pretranslated_pass = 0x02;
inline constexpr unsigned exclusion_pass = 0x03;
inline constexpr unsigned target_abort = 0x04;
inline constexpr unsigned translated = 0x05;
inline constexpr unsigned pte_hit = 0x06;
inline constexpr unsigned pte_miss = 0x07;
inline constexpr unsigned pde_hit = 0x08;
inline constexpr unsigned pde_miss = 0x09;
inline constexpr unsigned dte_hit = 0x0A;
inline constexpr unsigned dte_miss = 0x0B;
inline constexpr unsigned table_reads = 0x0C;
inline constexpr unsigned nested_reads = 0x0D;
inline constexpr unsigned guest_reads = 0x0E;
inline constexpr unsigned interrupt_dte_hit = 0x0F;
inline constexpr unsigned interrupt_dte_miss = 0x10;
inline constexpr unsigned commands = 0x11;
inline constexpr unsigned invalidation_commands = 0x12;
inline constexpr unsigned tlb_invalidations = 0x13;
inline constexpr unsigned ignored_register = 0x14;
inline constexpr unsigned vapic_non_guest_interrupts = 0x15;
inline constexpr unsigned vapic_guest_interrupts = 0x16;
inline constexpr unsigned smi_received = 0x17;
inline constexpr unsigned smi_blocked = 0x18;
} // namespace counter_event

} // namespace iommusim::amdvi::spec
