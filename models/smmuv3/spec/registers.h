// SMMUv3 Non-secure programming interface: register offsets and fields, after Arm IHI 0070 G.b chapter 6.
// Layouts only, no behaviour. Fields of features that no model of ours advertises are listed too, so that the
// layouts are complete; the identification registers tell what is there. C++17.
#pragma once

#include "../../base/bits.h"

#include <cstdint>

namespace iommusim::smmuv3::spec {

/// Two consecutive pages of 64 KB, the base aligned to 64 KB (6.1).
inline constexpr std::uint64_t register_page_bytes = 0x10000;
inline constexpr std::uint64_t register_space_bytes = 2 * register_page_bytes;

/// Byte offsets from the base of page 0 (6.2, register overview). 32 bits wide unless the comment says 64.
namespace reg {
inline constexpr std::uint64_t idr0 = 0x000;
inline constexpr std::uint64_t idr1 = 0x004;
inline constexpr std::uint64_t idr2 = 0x008;
inline constexpr std::uint64_t idr3 = 0x00C;
inline constexpr std::uint64_t idr4 = 0x010;
inline constexpr std::uint64_t idr5 = 0x014;
inline constexpr std::uint64_t iidr = 0x018;
inline constexpr std::uint64_t aidr = 0x01C;
inline constexpr std::uint64_t cr0 = 0x020;
inline constexpr std::uint64_t cr0ack = 0x024;
inline constexpr std::uint64_t cr1 = 0x028;
inline constexpr std::uint64_t cr2 = 0x02C;
inline constexpr std::uint64_t s2pii = 0x030; ///< 64; IDR3.S2PI
inline constexpr std::uint64_t statusr = 0x040;
inline constexpr std::uint64_t gbpa = 0x044;
inline constexpr std::uint64_t agbpa = 0x048;
inline constexpr std::uint64_t irq_ctrl = 0x050;
inline constexpr std::uint64_t irq_ctrlack = 0x054;
inline constexpr std::uint64_t gerror = 0x060;
inline constexpr std::uint64_t gerrorn = 0x064;
inline constexpr std::uint64_t gerror_irq_cfg0 = 0x068; ///< 64
inline constexpr std::uint64_t gerror_irq_cfg1 = 0x070;
inline constexpr std::uint64_t gerror_irq_cfg2 = 0x074;
inline constexpr std::uint64_t strtab_base = 0x080; ///< 64
inline constexpr std::uint64_t strtab_base_cfg = 0x088;
inline constexpr std::uint64_t cmdq_base = 0x090; ///< 64
inline constexpr std::uint64_t cmdq_prod = 0x098;
inline constexpr std::uint64_t cmdq_cons = 0x09C;
inline constexpr std::uint64_t eventq_base = 0x0A0; ///< 64
inline constexpr std::uint64_t page0_alias_eventq_prod =
    0x0A8; ///< alias of page 1 or RAZ/WI: software uses page 1
inline constexpr std::uint64_t page0_alias_eventq_cons = 0x0AC;
inline constexpr std::uint64_t eventq_irq_cfg0 = 0x0B0; ///< 64
inline constexpr std::uint64_t eventq_irq_cfg1 = 0x0B8;
inline constexpr std::uint64_t eventq_irq_cfg2 = 0x0BC;
inline constexpr std::uint64_t priq_base = 0x0C0; ///< 64; IDR0.PRI
inline constexpr std::uint64_t page0_alias_priq_prod = 0x0C8;
inline constexpr std::uint64_t page0_alias_priq_cons = 0x0CC;
inline constexpr std::uint64_t priq_irq_cfg0 = 0x0D0; ///< 64; IDR0.PRI
inline constexpr std::uint64_t priq_irq_cfg1 = 0x0D8;
inline constexpr std::uint64_t priq_irq_cfg2 = 0x0DC;
inline constexpr std::uint64_t gatos_ctrl = 0x100; ///< IDR0.ATOS
inline constexpr std::uint64_t gatos_sid = 0x108;  ///< 64
inline constexpr std::uint64_t gatos_addr = 0x110; ///< 64
inline constexpr std::uint64_t gatos_par = 0x118;  ///< 64
inline constexpr std::uint64_t mpamidr = 0x130;    ///< IDR3.MPAM
inline constexpr std::uint64_t gmpam = 0x138;
inline constexpr std::uint64_t gbpmpam = 0x13C;
inline constexpr std::uint64_t vatos_sel = 0x180; ///< IDR0.VATOS
inline constexpr std::uint64_t idr6 = 0x190;
inline constexpr std::uint64_t dpt_base = 0x200; ///< 64; IDR3.DPT
inline constexpr std::uint64_t dpt_base_cfg = 0x208;
inline constexpr std::uint64_t dpt_cfg_far = 0x210; ///< 64
inline constexpr std::uint64_t implementation_defined_first = 0xE00;
inline constexpr std::uint64_t implementation_defined_last = 0xEFF;
inline constexpr std::uint64_t pidr4 = 0xFD0;
inline constexpr std::uint64_t pidr0 = 0xFE0;
inline constexpr std::uint64_t pidr1 = 0xFE4;
inline constexpr std::uint64_t pidr2 = 0xFE8;
inline constexpr std::uint64_t pidr3 = 0xFEC;
inline constexpr std::uint64_t cidr0 = 0xFF0;
inline constexpr std::uint64_t cidr1 = 0xFF4;
inline constexpr std::uint64_t cidr2 = 0xFF8;
inline constexpr std::uint64_t cidr3 = 0xFFC;

/// ECMDQ control pages, n = 0..255 (IDR1.ECMDQ): BASE (64) at +0, CFG at +8, STATUS at +12.
constexpr std::uint64_t cmdq_control_page(unsigned n) { return 0x4000 + 32ull * n; }

// Page 1.
inline constexpr std::uint64_t eventq_prod = 0x100A8;
inline constexpr std::uint64_t eventq_cons = 0x100AC;
inline constexpr std::uint64_t priq_prod = 0x100C8; ///< IDR0.PRI
inline constexpr std::uint64_t priq_cons = 0x100CC;
} // namespace reg

/// 6.3, SMMU_IDR0.
namespace idr0 {
inline constexpr Field s2p = bit(0);
inline constexpr Field s1p = bit(1);
inline constexpr Field ttf = bits(3, 2);
inline constexpr std::uint64_t ttf_aarch32 = 1;
inline constexpr std::uint64_t ttf_aarch64 = 2;
inline constexpr std::uint64_t ttf_both = 3;
inline constexpr Field cohacc = bit(4);
inline constexpr Field btm = bit(5);
inline constexpr Field httu =
    bits(7, 6); ///< 0 none, 1 Access flag, 2 and dirty state, 3 and table-descriptor AF
inline constexpr Field dormhint = bit(8);
inline constexpr Field hyp = bit(9);
inline constexpr Field ats = bit(10);
inline constexpr Field ns1ats = bit(11); ///< 1: stage-1-only (split-stage) ATS is not supported
inline constexpr Field asid16 = bit(12);
inline constexpr Field msi = bit(13);
inline constexpr Field sev = bit(14);
inline constexpr Field atos = bit(15);
inline constexpr Field pri = bit(16);
inline constexpr Field vmw = bit(17);
inline constexpr Field vmid16 = bit(18);
inline constexpr Field cd2l = bit(19);
inline constexpr Field vatos = bit(20);
inline constexpr Field ttendian = bits(22, 21);
inline constexpr std::uint64_t ttendian_mixed = 0;
inline constexpr std::uint64_t ttendian_little = 2;
inline constexpr std::uint64_t ttendian_big = 3;
inline constexpr Field atsrecerr = bit(23);
inline constexpr Field stall_model = bits(25, 24);
inline constexpr std::uint64_t stall_model_stall_and_terminate = 0;
inline constexpr std::uint64_t stall_model_terminate_only = 1;
inline constexpr std::uint64_t stall_model_stall_only = 2;
inline constexpr Field term_model = bit(26); ///< 1: RAZ/WI termination is not available, CD.A must be 1
inline constexpr Field st_level = bits(28, 27);
inline constexpr std::uint64_t st_level_linear = 0;
inline constexpr std::uint64_t st_level_two_level = 1;
inline constexpr Field rme_impl = bit(30);
} // namespace idr0

/// 6.3, SMMU_IDR1.
namespace idr1 {
inline constexpr Field sidsize = bits(5, 0);     ///< StreamID bits, 0 to 32
inline constexpr Field ssidsize = bits(10, 6);   ///< SubstreamID bits, 0 to 20
inline constexpr Field priqs = bits(15, 11);     ///< log2 of the largest PRI queue, at most 19
inline constexpr Field eventqs = bits(20, 16);   ///< log2 of the largest Event queue, at most 19
inline constexpr Field cmdqs = bits(25, 21);     ///< log2 of the largest Command queue, at most 19
inline constexpr Field attr_perms_ovr = bit(26); ///< INSTCFG, PRIVCFG, NSCFG overrides
inline constexpr Field attr_types_ovr = bit(27); ///< MTCFG, MemAttr, ALLOCCFG, SHCFG overrides
inline constexpr Field rel = bit(28);
inline constexpr Field queues_preset = bit(29);
inline constexpr Field tables_preset = bit(30);
inline constexpr Field ecmdq = bit(31);
} // namespace idr1

/// 6.3, SMMU_IDR2.
namespace idr2 {
inline constexpr Field ba_vatos = bits(9, 0);
} // namespace idr2

/// 6.3, SMMU_IDR3.
namespace idr3 {
inline constexpr Field had = bit(2);
inline constexpr Field pbha = bit(3);
inline constexpr Field xnx = bit(4);
inline constexpr Field pps = bit(5);
inline constexpr Field mpam = bit(7);
inline constexpr Field fwb = bit(8);
inline constexpr Field stt = bit(9);
inline constexpr Field ril = bit(10);
inline constexpr Field bbml = bits(12, 11);
inline constexpr Field e0pd = bit(13);
inline constexpr Field ptwnnc = bit(14);
inline constexpr Field dpt = bit(15);
inline constexpr Field pasidtt = bit(16);
inline constexpr Field epan = bit(17);
inline constexpr Field s1pi = bit(18);
inline constexpr Field s2pi = bit(19);
inline constexpr Field s2po = bit(20);
inline constexpr Field the = bit(21);
inline constexpr Field mteperm = bit(22);
inline constexpr Field aie = bit(23);
} // namespace idr3

/// 6.3, SMMU_IDR5.
namespace idr5 {
inline constexpr Field oas = bits(2, 0); ///< a size code, see address_bits()
inline constexpr Field gran4k = bit(4);
inline constexpr Field gran16k = bit(5);
inline constexpr Field gran64k = bit(6);
inline constexpr Field ds = bit(7);
inline constexpr Field d128 = bit(8);
inline constexpr Field vax = bits(11, 10); ///< virtual address extend: 0 48 bits, 1 52 bits, 2 56 bits
inline constexpr Field stall_max = bits(31, 16);
} // namespace idr5

/// 6.3, SMMU_IDR6.
namespace idr6 {
inline constexpr Field cmdq_control_page_log2numq = bits(19, 16);
inline constexpr Field cmdq_control_page_log2nump = bits(27, 24);
} // namespace idr6

/// The size code of IDR5.OAS, STE.S2PS and CD.IPS as a number of address bits (6.3, SMMU_IDR5.OAS).
constexpr unsigned address_bits(unsigned size_code) {
    constexpr unsigned sizes[8] = {32, 36, 40, 42, 44, 48, 52, 56};
    return sizes[size_code & 7];
}
inline constexpr unsigned size_code_32_bits = 0;
inline constexpr unsigned size_code_36_bits = 1;
inline constexpr unsigned size_code_40_bits = 2;
inline constexpr unsigned size_code_42_bits = 3;
inline constexpr unsigned size_code_44_bits = 4;
inline constexpr unsigned size_code_48_bits = 5;
inline constexpr unsigned size_code_52_bits = 6;
inline constexpr unsigned size_code_56_bits = 7;

/// 6.3, SMMU_IIDR.
namespace iidr {
inline constexpr Field implementer = bits(11, 0); ///< JEP106: continuation code 11:8, identity 6:0
inline constexpr Field revision = bits(15, 12);
inline constexpr Field variant = bits(19, 16);
inline constexpr Field product_id = bits(31, 20);
} // namespace iidr

/// 6.3, SMMU_AIDR.
namespace aidr {
inline constexpr Field arch_minor_rev = bits(3, 0); ///< n of SMMUv3.n
inline constexpr Field arch_major_rev = bits(7, 4); ///< 0 is SMMUv3
} // namespace aidr

/// 6.3, SMMU_CR0; CR0ACK has the same fields.
namespace cr0 {
inline constexpr Field smmuen = bit(0);
inline constexpr Field priqen = bit(1);
inline constexpr Field eventqen = bit(2);
inline constexpr Field cmdqen = bit(3);
inline constexpr Field atschk = bit(4);
inline constexpr Field vmw = bits(8, 6);
inline constexpr Field dpt_walk_en = bit(10);
} // namespace cr0

/// 6.3, SMMU_CR1: attributes of the SMMU's own accesses to tables and queues.
namespace cr1 {
inline constexpr Field queue_ic = bits(1, 0);
inline constexpr Field queue_oc = bits(3, 2);
inline constexpr Field queue_sh = bits(5, 4);
inline constexpr Field table_ic = bits(7, 6);
inline constexpr Field table_oc = bits(9, 8);
inline constexpr Field table_sh = bits(11, 10);
inline constexpr std::uint64_t non_cacheable = 0;
inline constexpr std::uint64_t write_back = 1;
inline constexpr std::uint64_t write_through = 2;
} // namespace cr1

/// Shareability, the same code everywhere (CR1, CD, STE, *_IRQ_CFG2, CMD_SYNC, descriptors); 1 is reserved.
namespace shareability {
inline constexpr std::uint64_t non_shareable = 0;
inline constexpr std::uint64_t outer_shareable = 2;
inline constexpr std::uint64_t inner_shareable = 3;
} // namespace shareability

/// The four-bit MemAttr code of STE, GBPA, *_IRQ_CFG2 and CMD_SYNC.MSIAttr; 4, 8 and C are reserved.
namespace memattr {
inline constexpr std::uint64_t device_ngnrne = 0x0;
inline constexpr std::uint64_t device_ngnre = 0x1;
inline constexpr std::uint64_t device_ngre = 0x2;
inline constexpr std::uint64_t device_gre = 0x3;
inline constexpr std::uint64_t normal_non_cacheable = 0x5;
inline constexpr std::uint64_t normal_write_through = 0xA;
inline constexpr std::uint64_t normal_write_back = 0xF;
} // namespace memattr

/// 6.3, SMMU_CR2.
namespace cr2 {
inline constexpr Field e2h = bit(0);
inline constexpr Field recinvsid = bit(1); ///< record C_BAD_STREAMID
inline constexpr Field ptm = bit(2);       ///< private TLB maintenance: broadcast invalidation is ignored
inline constexpr Field rec_cfg_ats = bit(3);
} // namespace cr2

/// 6.3, SMMU_STATUSR.
namespace statusr {
inline constexpr Field dormant = bit(0);
} // namespace statusr

/// 6.3, SMMU_GBPA: what happens to traffic while CR0.SMMUEN is 0. Override encodings as in the STE.
namespace gbpa {
inline constexpr Field memattr = bits(3, 0);
inline constexpr Field mtcfg = bit(4);
inline constexpr Field alloccfg = bits(11, 8);
inline constexpr Field shcfg = bits(13, 12);
inline constexpr std::uint64_t shcfg_use_incoming = 1;
inline constexpr Field privcfg = bits(17, 16);
inline constexpr Field instcfg = bits(19, 18);
inline constexpr Field abort = bit(20);
inline constexpr Field update = bit(31);
} // namespace gbpa

/// 6.3, SMMU_IRQ_CTRL; IRQ_CTRLACK has the same fields.
namespace irq_ctrl {
inline constexpr Field gerror_irqen = bit(0);
inline constexpr Field priq_irqen = bit(1);
inline constexpr Field eventq_irqen = bit(2);
} // namespace irq_ctrl

/// 6.3, SMMU_GERROR; GERRORN has the same fields. An error is active while its two bits differ (7.5).
namespace gerror {
inline constexpr Field cmdq_err = bit(0);
inline constexpr Field eventq_abt_err = bit(2);
inline constexpr Field priq_abt_err = bit(3);
inline constexpr Field msi_cmdq_abt_err = bit(4);
inline constexpr Field msi_eventq_abt_err = bit(5);
inline constexpr Field msi_priq_abt_err = bit(6);
inline constexpr Field msi_gerror_abt_err = bit(7);
inline constexpr Field sfm_err = bit(8);
inline constexpr Field cmdqp_err = bit(9);
inline constexpr Field dpt_err = bit(10);
} // namespace gerror

/// 6.3, SMMU_{GERROR,EVENTQ,PRIQ}_IRQ_CFG0.
namespace irq_cfg0 {
inline constexpr Field addr = bits(55, 2); ///< in place; 0 is no MSI
} // namespace irq_cfg0

/// 6.3, SMMU_{GERROR,EVENTQ,PRIQ}_IRQ_CFG1.
namespace irq_cfg1 {
inline constexpr Field data = bits(31, 0);
} // namespace irq_cfg1

/// 6.3, SMMU_{GERROR,EVENTQ,PRIQ}_IRQ_CFG2.
namespace irq_cfg2 {
inline constexpr Field memattr = bits(3, 0);
inline constexpr Field sh = bits(5, 4);
inline constexpr Field lo = bit(31); ///< PRIQ only: interrupt on every Last=1 request
} // namespace irq_cfg2

/// 6.3, SMMU_STRTAB_BASE.
namespace strtab_base {
inline constexpr Field addr = bits(55, 6); ///< in place
inline constexpr Field ra = bit(62);
} // namespace strtab_base

/// 6.3, SMMU_STRTAB_BASE_CFG.
namespace strtab_base_cfg {
inline constexpr Field log2size = bits(5, 0); ///< log2 of the number of StreamIDs covered
inline constexpr Field split = bits(10, 6);   ///< StreamID bits of the second level: 6, 8 or 10
inline constexpr Field fmt = bits(17, 16);
inline constexpr std::uint64_t fmt_linear = 0;
inline constexpr std::uint64_t fmt_two_level = 1;
} // namespace strtab_base_cfg

/// 6.3, SMMU_{CMDQ,EVENTQ,PRIQ}_BASE.
namespace queue_base {
inline constexpr Field log2size = bits(4, 0);
inline constexpr Field addr = bits(55, 5); ///< in place
inline constexpr Field ra = bit(62);       ///< CMDQ: read-allocate hint
inline constexpr Field wa = bit(62);       ///< EVENTQ, PRIQ: write-allocate hint
inline constexpr unsigned log2size_max = 19;
} // namespace queue_base

/// 3.5.1 and 6.3: producer and consumer index registers. With LOG2SIZE = n the index is bits n-1:0 and the
/// wrap flag is bit n; higher bits up to 19 are RES0.
namespace cmdq_prod {
inline constexpr Field wr = bits(19, 0);
} // namespace cmdq_prod
namespace cmdq_cons {
inline constexpr Field rd = bits(19, 0);
inline constexpr Field err = bits(30, 24); ///< a cerror code, see commands.h
} // namespace cmdq_cons
namespace eventq_prod {
inline constexpr Field wr = bits(19, 0);
inline constexpr Field ovflg = bit(31);
} // namespace eventq_prod
namespace eventq_cons {
inline constexpr Field rd = bits(19, 0);
inline constexpr Field ovackflg = bit(31);
} // namespace eventq_cons
namespace priq_prod {
inline constexpr Field wr = bits(19, 0);
inline constexpr Field ovflg = bit(31);
} // namespace priq_prod
namespace priq_cons {
inline constexpr Field rd = bits(19, 0);
inline constexpr Field ovackflg = bit(31);
} // namespace priq_cons

inline constexpr std::uint64_t command_bytes = 16;
inline constexpr std::uint64_t event_bytes = 32;
inline constexpr std::uint64_t page_request_bytes = 16;

/// 6.3, SMMU_GATOS_CTRL, _SID, _ADDR, _PAR (IDR0.ATOS).
namespace gatos_ctrl {
inline constexpr Field run = bit(0);
} // namespace gatos_ctrl
namespace gatos_sid {
inline constexpr Field stream_id = bits(31, 0);
inline constexpr Field substream_id = bits(51, 32);
inline constexpr Field ssid_valid = bit(52);
} // namespace gatos_sid
namespace gatos_addr {
inline constexpr Field httui = bit(6);
inline constexpr Field ind = bit(7);
inline constexpr Field rnw = bit(8);
inline constexpr Field pnu = bit(9);
inline constexpr Field type = bits(11, 10); ///< 1 stage 1, 2 stage 2, 3 both
inline constexpr Field addr = bits(63, 12); ///< in place
} // namespace gatos_addr
namespace gatos_par {
inline constexpr Field fault = bit(0);
inline constexpr Field sh = bits(9, 8); ///< FAULT = 0
inline constexpr Field size = bit(11);
inline constexpr Field addr = bits(55, 12);
inline constexpr Field attr = bits(63, 56);
inline constexpr Field reason = bits(2, 1); ///< FAULT = 1
inline constexpr Field fault_code = bits(11, 4);
inline constexpr Field fault_addr = bits(55, 12);
} // namespace gatos_par

/// 6.3, SMMU_CMDQ_CONTROL_PAGE_{BASE,CFG,STATUS}n and the registers of one ECMDQ (IDR1.ECMDQ).
namespace cmdq_control_page_base {
inline constexpr Field cmdq_preset = bit(0);
inline constexpr Field cmdqgs = bits(2, 1); ///< 1 is 64 KB
inline constexpr Field addr = bits(55, 16); ///< in place, an offset from page 0
} // namespace cmdq_control_page_base
namespace cmdq_control_page_cfg {
inline constexpr Field en = bit(0);
} // namespace cmdq_control_page_cfg
namespace cmdq_control_page_status {
inline constexpr Field enack = bit(0);
} // namespace cmdq_control_page_status
namespace ecmdq {
inline constexpr std::uint64_t base_offset = 0x0; ///< 64, as queue_base
inline constexpr std::uint64_t prod_offset = 0x8;
inline constexpr std::uint64_t cons_offset = 0xC;
inline constexpr Field prod_wr = bits(19, 0);
inline constexpr Field prod_errack = bit(23);
inline constexpr Field prod_en = bit(31);
inline constexpr Field cons_rd = bits(19, 0);
inline constexpr Field cons_err = bit(23);
inline constexpr Field cons_err_reason = bits(26, 24);
inline constexpr Field cons_enack = bit(31);
} // namespace ecmdq

} // namespace iommusim::smmuv3::spec
