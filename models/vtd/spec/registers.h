// Intel VT-d remapping hardware unit: register offsets and fields, after the chapter "Register Descriptions"
// of the VT-d architecture specification. Layouts only, no behaviour. Fields of features that no model of
// ours advertises are listed too, so that the layouts are complete; the capability registers tell what is
// there. Names are those of the specification's 3.x revisions: FL and SL (first and second level) are FS and
// SS (first and second stage) in later ones. C++17.
#pragma once

#include "../../base/bits.h"

#include <cstdint>

namespace iommusim::vtd::spec {

/// The register set is a multiple of 4 KB, at an address aligned to 4 KB.
inline constexpr std::uint64_t register_page_bytes = 0x1000;
/// Unit of CAP.FRO and ECAP.IRO.
inline constexpr std::uint64_t register_offset_unit = 16;

/// Byte offsets ("Register Location"). 32 bits wide unless the comment says otherwise.
namespace reg {
inline constexpr std::uint64_t ver = 0x000;
inline constexpr std::uint64_t cap = 0x008;  ///< 64
inline constexpr std::uint64_t ecap = 0x010; ///< 64
inline constexpr std::uint64_t gcmd = 0x018;
inline constexpr std::uint64_t gsts = 0x01C;
inline constexpr std::uint64_t rtaddr = 0x020; ///< 64
inline constexpr std::uint64_t ccmd = 0x028;   ///< 64
inline constexpr std::uint64_t fsts = 0x034;
inline constexpr std::uint64_t fectl = 0x038;
inline constexpr std::uint64_t fedata = 0x03C;
inline constexpr std::uint64_t feaddr = 0x040;
inline constexpr std::uint64_t feuaddr = 0x044;
inline constexpr std::uint64_t aflog = 0x058; ///< 64; CAP.AFL
inline constexpr std::uint64_t pmen = 0x064;
inline constexpr std::uint64_t plmbase = 0x068;
inline constexpr std::uint64_t plmlimit = 0x06C;
inline constexpr std::uint64_t phmbase = 0x070;  ///< 64
inline constexpr std::uint64_t phmlimit = 0x078; ///< 64
inline constexpr std::uint64_t iqh = 0x080;      ///< 64
inline constexpr std::uint64_t iqt = 0x088;      ///< 64
inline constexpr std::uint64_t iqa = 0x090;      ///< 64
inline constexpr std::uint64_t ics = 0x09C;
inline constexpr std::uint64_t iectl = 0x0A0;
inline constexpr std::uint64_t iedata = 0x0A4;
inline constexpr std::uint64_t ieaddr = 0x0A8;
inline constexpr std::uint64_t ieuaddr = 0x0AC;
inline constexpr std::uint64_t iqercd = 0x0B0; ///< 64
inline constexpr std::uint64_t irta = 0x0B8;   ///< 64
inline constexpr std::uint64_t pqh = 0x0C0;    ///< 64
inline constexpr std::uint64_t pqt = 0x0C8;    ///< 64
inline constexpr std::uint64_t pqa = 0x0D0;    ///< 64
inline constexpr std::uint64_t prs = 0x0DC;
inline constexpr std::uint64_t pectl = 0x0E0;
inline constexpr std::uint64_t pedata = 0x0E4;
inline constexpr std::uint64_t peaddr = 0x0E8;
inline constexpr std::uint64_t peuaddr = 0x0EC;
/// Where the registers at fixed offsets that every unit has end; IVA, IOTLB and FRCD lie behind.
inline constexpr std::uint64_t core_end = 0x0F0;

// Memory type range registers, 64 bits each; ECAP.MTS.
inline constexpr std::uint64_t mtrrcap = 0x100;
inline constexpr std::uint64_t mtrrdef = 0x108;
inline constexpr std::uint64_t mtrr_fix64k_00000 = 0x120;
inline constexpr std::uint64_t mtrr_fix16k_80000 = 0x128;
inline constexpr std::uint64_t mtrr_fix16k_a0000 = 0x130;
inline constexpr std::uint64_t mtrr_fix4k_c0000 = 0x138; ///< and seven more, 8 bytes apart
constexpr std::uint64_t mtrr_physbase(unsigned n) { return 0x180 + 16ull * n; } ///< n = 0 to 9
constexpr std::uint64_t mtrr_physmask(unsigned n) { return 0x188 + 16ull * n; }

// Performance monitoring; ECAP.PMS.
inline constexpr std::uint64_t perfcap = 0x300; ///< 64
inline constexpr std::uint64_t perfcfgoff = 0x310;
inline constexpr std::uint64_t perffrzoff = 0x314;
inline constexpr std::uint64_t perfovfoff = 0x318;
inline constexpr std::uint64_t perfcntroff = 0x31C;
inline constexpr std::uint64_t perfintrsts = 0x324;
inline constexpr std::uint64_t perfintrctl = 0x328;
inline constexpr std::uint64_t perfintrdata = 0x32C;
inline constexpr std::uint64_t perfintraddr = 0x330;
inline constexpr std::uint64_t perfintruaddr = 0x334;
constexpr std::uint64_t perfevntcap(unsigned group) { return 0x380 + 8ull * group; } ///< 64

// Enhanced commands; CAP.ECMDS. 64 bits each.
inline constexpr std::uint64_t ecmd = 0x400;
inline constexpr std::uint64_t eceo = 0x408;
inline constexpr std::uint64_t ecrsp = 0x410;
constexpr std::uint64_t eccap(unsigned n) { return 0x430 + 8ull * n; } ///< n = 0 to 3

// Virtual commands, in the places of revision 3.3 and later; ECAP.VCS. 64 bits each.
inline constexpr std::uint64_t vcmd = 0xE00;
inline constexpr std::uint64_t vcrsp = 0xE10;
inline constexpr std::uint64_t vccap = 0xE30;

// Registers whose place the capability registers tell. IVA and IOTLB: 64 bits; FRCD: 128 bits.
constexpr std::uint64_t iva(std::uint64_t iro) { return iro * register_offset_unit; }
constexpr std::uint64_t iotlb(std::uint64_t iro) { return iro * register_offset_unit + 8; }
constexpr std::uint64_t frcd(std::uint64_t fro, unsigned index) {
    return fro * register_offset_unit + 16ull * index;
}
} // namespace reg

/// Version Register.
namespace ver {
inline constexpr Field min = bits(3, 0);
inline constexpr Field max = bits(7, 4);
/// From this major version on there is no register-based invalidation: the queue is mandatory.
inline constexpr unsigned major_without_register_invalidation = 6;
} // namespace ver

/// Capability Register. Bits 15:13, 23, 38, 58:57 are reserved.
namespace cap {
inline constexpr Field nd = bits(2, 0); ///< 2^(4 + 2 ND) domains; 7 is reserved
inline constexpr Field afl = bit(3);
inline constexpr Field rwbf = bit(4);
inline constexpr Field plmr = bit(5);
inline constexpr Field phmr = bit(6);
inline constexpr Field cm = bit(7);
inline constexpr Field sagaw = bits(12, 8); ///< bit n: second-stage tables of n + 2 levels
inline constexpr std::uint64_t sagaw_3_level = 0x2;
inline constexpr std::uint64_t sagaw_4_level = 0x4;
inline constexpr std::uint64_t sagaw_5_level = 0x8;
inline constexpr Field mgaw = bits(21, 16); ///< guest address bits - 1
inline constexpr Field zlr = bit(22);
inline constexpr Field fro = bits(33, 24);
inline constexpr Field sllps = bits(37, 34); ///< SSLPS later
inline constexpr std::uint64_t sllps_2m = 0x1;
inline constexpr std::uint64_t sllps_1g = 0x2;
inline constexpr Field psi = bit(39);
inline constexpr Field nfr = bits(47, 40); ///< fault recording registers - 1
inline constexpr Field mamv = bits(53, 48);
inline constexpr Field dwd = bit(54);
inline constexpr Field drd = bit(55);
inline constexpr Field fl1gp = bit(56); ///< FS1GP later
inline constexpr Field pi = bit(59);
inline constexpr Field fl5lp = bit(60); ///< FS5LP later
inline constexpr Field ecmds = bit(61);
inline constexpr Field esirtps = bit(62);
inline constexpr Field esrtps = bit(63);

/// Bits of a domain-id.
constexpr unsigned domain_id_bits(std::uint64_t nd_code) { return 4 + 2 * static_cast<unsigned>(nd_code); }
} // namespace cap

/// Extended Capability Register. Bits 5, 24, 27, 28 are deprecated; 19:18, 32, 57:54, 63:59 are reserved.
namespace ecap {
inline constexpr Field c = bit(0);
inline constexpr Field qi = bit(1);
inline constexpr Field dt = bit(2);
inline constexpr Field ir = bit(3);
inline constexpr Field eim = bit(4);
inline constexpr Field pt = bit(6);
inline constexpr Field sc = bit(7);
inline constexpr Field iro = bits(17, 8);
inline constexpr Field mhmv = bits(23, 20);
inline constexpr Field mts = bit(25);
inline constexpr Field nest = bit(26);
inline constexpr Field prs = bit(29);
inline constexpr Field ers = bit(30);
inline constexpr Field srs = bit(31);
inline constexpr Field nwfs = bit(33);
inline constexpr Field eafs = bit(34);
inline constexpr Field pss = bits(39, 35); ///< PASID bits - 1
inline constexpr Field pasid = bit(40);
inline constexpr Field dit = bit(41);
inline constexpr Field pds = bit(42);
inline constexpr Field smts = bit(43);
inline constexpr Field vcs = bit(44);
inline constexpr Field slads = bit(45); ///< SSADS later
inline constexpr Field slts = bit(46);  ///< SSTS later
inline constexpr Field flts = bit(47);  ///< FSTS later
inline constexpr Field smpwcs = bit(48);
inline constexpr Field rps = bit(49);
inline constexpr Field tdxio = bit(50);
inline constexpr Field pms = bit(51);
inline constexpr Field adms = bit(52);
inline constexpr Field rprivs = bit(53);
inline constexpr Field sms = bit(58); ///< position from a single secondary source
} // namespace ecap

/// Global Command Register. Enables are levels; the others act once when written 1.
namespace gcmd {
inline constexpr Field cfi = bit(23);
inline constexpr Field sirtp = bit(24); ///< one-shot
inline constexpr Field ire = bit(25);
inline constexpr Field qie = bit(26);
inline constexpr Field wbf = bit(27); ///< one-shot
inline constexpr Field eafl = bit(28);
inline constexpr Field sfl = bit(29);  ///< one-shot
inline constexpr Field srtp = bit(30); ///< one-shot
inline constexpr Field te = bit(31);
inline constexpr std::uint32_t one_shot_mask = 0x6900'0000;
/// GSTS & this, with one bit changed, is the value to write to GCMD.
inline constexpr std::uint32_t status_to_command_mask = 0x96FF'FFFF;
} // namespace gcmd

/// Global Status Register.
namespace gsts {
inline constexpr Field cfis = bit(23);
inline constexpr Field irtps = bit(24);
inline constexpr Field ires = bit(25);
inline constexpr Field qies = bit(26);
inline constexpr Field wbfs = bit(27);
inline constexpr Field afls = bit(28);
inline constexpr Field fls = bit(29);
inline constexpr Field rtps = bit(30);
inline constexpr Field tes = bit(31);
} // namespace gsts

/// Root Table Address Register. Address bits at and above the host address width are reserved.
namespace rtaddr {
inline constexpr Field ttm = bits(11, 10); ///< translation table mode
inline constexpr std::uint64_t ttm_legacy = 0;
inline constexpr std::uint64_t ttm_scalable = 1;
inline constexpr std::uint64_t ttm_reserved = 2;
inline constexpr std::uint64_t ttm_abort = 3; ///< ECAP.ADMS
inline constexpr Field rta = bits(63, 12);    ///< in place
} // namespace rtaddr

/// Context Command Register.
namespace ccmd {
inline constexpr Field did = bits(15, 0);
inline constexpr Field sid = bits(31, 16);
inline constexpr Field fm = bits(33, 32); ///< see function_mask()
inline constexpr Field caig = bits(60, 59);
inline constexpr Field cirg = bits(62, 61);
inline constexpr std::uint64_t granularity_none = 0; ///< CAIG: not performed; CIRG: reserved
inline constexpr std::uint64_t granularity_global = 1;
inline constexpr std::uint64_t granularity_domain = 2;
inline constexpr std::uint64_t granularity_device = 3;
inline constexpr Field icc = bit(63);
} // namespace ccmd

/// The source-id bits that a function mask (FM of CCMD and of the context-cache descriptor) leaves out of the
/// comparison: 0 none, 1 bit 2, 2 bits 2:1, 3 bits 2:0.
constexpr std::uint16_t function_mask(std::uint64_t fm_code) {
    constexpr std::uint16_t masks[4] = {0, 4, 6, 7};
    return masks[fm_code & 3];
}

/// Invalidate Address Register.
namespace iva {
inline constexpr Field am = bits(5, 0);
inline constexpr Field ih = bit(6);
inline constexpr Field addr = bits(63, 12); ///< in place
} // namespace iva

/// IOTLB Invalidate Register.
namespace iotlb {
inline constexpr Field did = bits(47, 32);
inline constexpr Field dw = bit(48);
inline constexpr Field dr = bit(49);
inline constexpr Field iaig = bits(58, 57);
inline constexpr Field iirg = bits(61, 60);
inline constexpr std::uint64_t granularity_none = 0; ///< IAIG: not performed; IIRG: reserved
inline constexpr std::uint64_t granularity_global = 1;
inline constexpr std::uint64_t granularity_domain = 2;
inline constexpr std::uint64_t granularity_page = 3;
inline constexpr Field ivt = bit(63);
} // namespace iotlb

/// Fault Status Register.
namespace fsts {
inline constexpr Field pfo = bit(0);
inline constexpr Field ppf = bit(1); ///< read-only: OR of FRCD.F
inline constexpr Field afo = bit(2); ///< CAP.AFL
inline constexpr Field apf = bit(3); ///< CAP.AFL
inline constexpr Field iqe = bit(4);
inline constexpr Field ice = bit(5);
inline constexpr Field ite = bit(6);
inline constexpr Field pro = bit(7);      ///< revision 2.x; PRS.PRO later
inline constexpr Field fri = bits(15, 8); ///< valid while PPF is 1
} // namespace fsts

/// Fault Event, Invalidation Event, Page Request Event and Performance Interrupt Control Registers.
namespace event_control {
inline constexpr Field ip = bit(30); ///< interrupt pending, read-only
inline constexpr Field im = bit(31); ///< interrupt mask
inline constexpr std::uint32_t reset = 0x8000'0000;
} // namespace event_control

/// Event Data, Address and Upper Address Registers of the same four.
namespace event_message {
inline constexpr Field data = bits(15, 0);           ///< MSI data
inline constexpr Field extended_data = bits(31, 16); ///< optional
inline constexpr Field address = bits(31, 2);        ///< in place
inline constexpr Field upper_address = bits(31, 0);  ///< ECAP.EIM
} // namespace event_message

/// Advanced Fault Log Register.
namespace aflog {
inline constexpr Field fls = bits(11, 9);  ///< 2^FLS pages
inline constexpr Field fla = bits(63, 12); ///< in place
} // namespace aflog

/// Protected Memory Enable Register.
namespace pmen {
inline constexpr Field prs = bit(0);
inline constexpr Field epm = bit(31);
} // namespace pmen

/// Invalidation Queue Head and Tail Registers: byte offsets from the queue's base, in units of 16 bytes. With
/// 256-bit descriptors bit 4 is 0.
namespace queue_index {
inline constexpr Field offset = bits(18, 4); ///< in place: the byte offset
inline constexpr Field half_slot = bit(4);   ///< must be 0 with IQA.DW = 1
} // namespace queue_index

/// Invalidation Queue Address Register.
namespace iqa {
inline constexpr Field qs = bits(2, 0);     ///< 2^QS pages of 4 KB
inline constexpr Field dw = bit(11);        ///< descriptors: 0 128 bits, 1 256 bits
inline constexpr Field addr = bits(63, 12); ///< in place

constexpr std::uint64_t queue_bytes(std::uint64_t qs_code) { return 4096ull << qs_code; }
constexpr unsigned descriptor_bytes(std::uint64_t dw_code) { return dw_code != 0 ? 32 : 16; }
} // namespace iqa

/// Invalidation Completion Status Register.
namespace ics {
inline constexpr Field iwc = bit(0);
} // namespace ics

/// Invalidation Queue Error Record Register.
namespace iqercd {
inline constexpr Field iqei = bits(3, 0);
inline constexpr unsigned iqei_none = 0;
inline constexpr unsigned iqei_invalid_tail = 1;
inline constexpr unsigned iqei_fetch_error = 2;
inline constexpr unsigned iqei_invalid_type = 3;
inline constexpr unsigned iqei_reserved_field = 4;
inline constexpr unsigned iqei_invalid_width = 5;
inline constexpr unsigned iqei_unaligned_tail = 6; ///< bit 4 set with 256-bit descriptors
inline constexpr unsigned iqei_invalid_ttm = 7;
inline constexpr Field itesid = bits(47, 32); ///< source-id of the first invalidation time-out
inline constexpr Field icesid = bits(63, 48); ///< source-id of the first completion error
} // namespace iqercd

/// The name of an invalidation queue error; "reserved" for a code that has none.
constexpr const char* queue_error_name(unsigned iqei_code) {
    constexpr const char* names[] = {"no information",         "invalid tail",
                                     "descriptor fetch error", "invalid type",
                                     "reserved field",         "invalid descriptor width",
                                     "unaligned tail",         "invalid translation table mode"};
    return iqei_code < 8 ? names[iqei_code] : "reserved";
}

/// Interrupt Remapping Table Address Register.
namespace irta {
inline constexpr Field s = bits(3, 0);      ///< 2^(S + 1) entries
inline constexpr Field eime = bit(11);      ///< x2APIC mode
inline constexpr Field irta = bits(63, 12); ///< in place

constexpr std::uint32_t entries(std::uint64_t s_code) { return 2u << s_code; }
} // namespace irta

/// Page Request Queue Head and Tail Registers: byte offsets, in units of 32 bytes.
namespace page_queue_index {
inline constexpr Field offset = bits(18, 5); ///< in place: the byte offset
} // namespace page_queue_index

/// Page Request Queue Address Register.
namespace pqa {
inline constexpr Field pqs = bits(2, 0);    ///< 2^PQS pages of 4 KB
inline constexpr Field addr = bits(63, 12); ///< in place

constexpr std::uint64_t queue_bytes(std::uint64_t pqs_code) { return 4096ull << pqs_code; }
} // namespace pqa

/// Page Request Status Register.
namespace prs {
inline constexpr Field ppr = bit(0); ///< pending page request
inline constexpr Field pro = bit(1); ///< page request overflow
} // namespace prs

/// Memory type range capability and default type registers.
namespace mtrr {
inline constexpr Field vcnt = bits(7, 0);
inline constexpr Field fix = bit(8);
inline constexpr Field wc = bit(10);
inline constexpr Field default_type = bits(7, 0);
inline constexpr Field fixed_enable = bit(10);
inline constexpr Field enable = bit(11);
} // namespace mtrr

/// Performance monitoring: capability, and the block of each counter at PERFCFGOFF + 0x100 * counter.
namespace perf {
inline constexpr Field counters = bits(15, 0);
inline constexpr Field counter_width = bits(22, 16);
inline constexpr Field event_groups = bits(28, 24);
inline constexpr Field filters = bits(36, 32);
inline constexpr Field interrupt_on_overflow = bit(50);
inline constexpr Field counter_stride = bits(54, 52); ///< 2^(n + 10) bytes
inline constexpr std::uint64_t config_block_bytes = 0x100;
inline constexpr Field config_interrupt_enable = bit(1);
inline constexpr Field config_event_group = bits(11, 8);
inline constexpr Field config_event_select = bits(59, 32);
inline constexpr Field filter_enable = bit(31); ///< of the filters at +8, 4 bytes each
inline constexpr std::uint64_t counter_capability_offset = 0x80;
inline constexpr Field interrupt_status = bit(0); ///< PERFINTRSTS.PIS
inline constexpr Field supported_events = bits(27, 0);
} // namespace perf

/// Enhanced Command and Response Registers.
namespace ecmd {
inline constexpr Field command = bits(7, 0);
inline constexpr Field operand = bits(63, 16);
inline constexpr std::uint64_t enable_counter = 0xF0;
inline constexpr std::uint64_t disable_counter = 0xF1;
inline constexpr std::uint64_t freeze_all = 0xF4;
inline constexpr std::uint64_t unfreeze_all = 0xF5;
inline constexpr Field response_in_progress = bit(0);
inline constexpr Field response_status = bits(7, 1);
} // namespace ecmd

/// Virtual Command, Response and Capability Registers.
namespace vcmd {
inline constexpr Field command = bits(7, 0);
inline constexpr std::uint64_t allocate_pasid = 1;
inline constexpr std::uint64_t free_pasid = 2;
inline constexpr Field operand = bits(63, 16);
inline constexpr Field response_in_progress = bit(0);
inline constexpr Field response_status = bits(7, 1);
inline constexpr std::uint64_t status_no_pasid = 16; ///< none left to allocate, or invalid one freed
inline constexpr Field response_pasid = bits(35, 16);
inline constexpr Field capability_pasid = bit(0);
} // namespace vcmd

} // namespace iommusim::vtd::spec
