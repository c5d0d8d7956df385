// SMMUv3 event records and page request records, after Arm IHI 0070 G.b sections 7.3 and 8.1.
// Layouts only. An event record is four 64-bit little-endian words; positions count over all 256 bits. The
// fields that only F_BAD_ATS_TREQ and the permission-overlay forms of F_PERMISSION have are not listed:
// nothing here generates them. C++17.
#pragma once

#include "../../base/bits.h"

#include <cstdint>

namespace iommusim::smmuv3::spec {

/// 7.3, event numbers.
namespace event_id {
inline constexpr unsigned f_uut = 0x01;
inline constexpr unsigned c_bad_streamid = 0x02;
inline constexpr unsigned f_ste_fetch = 0x03;
inline constexpr unsigned c_bad_ste = 0x04;
inline constexpr unsigned f_bad_ats_treq = 0x05;
inline constexpr unsigned f_stream_disabled = 0x06;
inline constexpr unsigned f_transl_forbidden = 0x07;
inline constexpr unsigned c_bad_substreamid = 0x08;
inline constexpr unsigned f_cd_fetch = 0x09;
inline constexpr unsigned c_bad_cd = 0x0A;
inline constexpr unsigned f_walk_eabt = 0x0B;
inline constexpr unsigned f_translation = 0x10;
inline constexpr unsigned f_addr_size = 0x11;
inline constexpr unsigned f_access = 0x12;
inline constexpr unsigned f_permission = 0x13;
inline constexpr unsigned f_tlb_conflict = 0x20;
inline constexpr unsigned f_cfg_conflict = 0x21;
inline constexpr unsigned e_page_request = 0x24;
inline constexpr unsigned f_vms_fetch = 0x25;
inline constexpr unsigned implementation_defined_first = 0xE0;
inline constexpr unsigned implementation_defined_last = 0xEF;
} // namespace event_id

/// The specification's name of an event number; "reserved" for one that has none.
constexpr const char* event_name(unsigned id) {
    switch (id) {
    case event_id::f_uut:
        return "F_UUT";
    case event_id::c_bad_streamid:
        return "C_BAD_STREAMID";
    case event_id::f_ste_fetch:
        return "F_STE_FETCH";
    case event_id::c_bad_ste:
        return "C_BAD_STE";
    case event_id::f_bad_ats_treq:
        return "F_BAD_ATS_TREQ";
    case event_id::f_stream_disabled:
        return "F_STREAM_DISABLED";
    case event_id::f_transl_forbidden:
        return "F_TRANSL_FORBIDDEN";
    case event_id::c_bad_substreamid:
        return "C_BAD_SUBSTREAMID";
    case event_id::f_cd_fetch:
        return "F_CD_FETCH";
    case event_id::c_bad_cd:
        return "C_BAD_CD";
    case event_id::f_walk_eabt:
        return "F_WALK_EABT";
    case event_id::f_translation:
        return "F_TRANSLATION";
    case event_id::f_addr_size:
        return "F_ADDR_SIZE";
    case event_id::f_access:
        return "F_ACCESS";
    case event_id::f_permission:
        return "F_PERMISSION";
    case event_id::f_tlb_conflict:
        return "F_TLB_CONFLICT";
    case event_id::f_cfg_conflict:
        return "F_CFG_CONFLICT";
    case event_id::e_page_request:
        return "E_PAGE_REQUEST";
    case event_id::f_vms_fetch:
        return "F_VMS_FETCH";
    default:
        return "reserved";
    }
}

/// 7.3, event record layout. Which fields an event has is said with its number in the specification; the
/// others are 0.
namespace event {
inline constexpr unsigned words = 4;
inline constexpr std::uint64_t bytes = 32;
inline constexpr Field id = bits(7, 0);
inline constexpr Field ssv = bit(11);
inline constexpr Field substream_id = bits(31, 12); ///< UNKNOWN while SSV is 0
inline constexpr Field stream_id = bits(63, 32);
inline constexpr Field stag = bits(79, 64);   ///< F_TRANSLATION, F_ADDR_SIZE, F_ACCESS, F_PERMISSION
inline constexpr Field reason = bits(79, 64); ///< implementation defined, events that cannot stall
inline constexpr Field gpcf = bit(80);
inline constexpr Field stall = bit(95);
inline constexpr Field pnu = bit(97); ///< 1 privileged
inline constexpr Field ind = bit(98); ///< 1 instruction
inline constexpr Field rnw = bit(99); ///< 1 read
inline constexpr Field nsipa = bit(102);
inline constexpr Field s2 = bit(103);
inline constexpr Field event_class = bits(105, 104); ///< CLASS: what the faulting access was for
inline constexpr std::uint64_t class_cd = 0;
inline constexpr std::uint64_t class_tt = 1;
inline constexpr std::uint64_t class_in = 2;
inline constexpr Field ttrnw = bit(108);
inline constexpr Field input_addr = bits(191, 128);
inline constexpr Field ipa = bits(247, 204);        ///< in place: address bits 55:12
inline constexpr Field fetch_addr = bits(247, 195); ///< in place: address bits 55:3
} // namespace event

/// 7.3, E_PAGE_REQUEST: fields that differ from the common layout.
namespace page_request_event {
inline constexpr Field ux = bit(98);
inline constexpr Field uw = bit(99);
inline constexpr Field ur = bit(100);
inline constexpr Field px = bit(101);
inline constexpr Field pw = bit(102);
inline constexpr Field pr = bit(103);
inline constexpr Field span = bits(115, 108);       ///< in units of 4 KB
inline constexpr Field input_addr = bits(191, 140); ///< in place: address bits 63:12
} // namespace page_request_event

/// 8.1, PRI queue entry: two 64-bit words.
namespace page_request {
inline constexpr unsigned words = 2;
inline constexpr std::uint64_t bytes = 16;
inline constexpr Field stream_id = bits(31, 0);
inline constexpr Field substream_id = bits(51, 32);
inline constexpr Field priv = bit(58);
inline constexpr Field x = bit(59);
inline constexpr Field r = bit(60);
inline constexpr Field w = bit(61);
inline constexpr Field last = bit(62);
inline constexpr Field ssv = bit(63);
inline constexpr Field prg_index = bits(72, 64);
inline constexpr Field address = bits(127, 76); ///< in place: address bits 63:12
} // namespace page_request

} // namespace iommusim::smmuv3::spec
