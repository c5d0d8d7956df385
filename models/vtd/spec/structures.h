// Intel VT-d remapping structures: root, context and PASID tables, after the chapter "Translation Structure
// Formats" of the VT-d architecture specification. Layouts only. Positions count over a whole entry, which is
// an array of 64-bit little-endian words. Pointer fields are in place; their bits at and above the host
// address width are reserved. C++17.
#pragma once

#include "../../base/bits.h"

#include <cstdint>

namespace iommusim::vtd::spec {

/// Root, context, PASID and page tables are pages of 4 KB.
inline constexpr std::uint64_t table_bytes = 4096;

/// "Source Identifier": bus, device and function of a requester.
namespace source_id {
inline constexpr Field function = bits(2, 0);
inline constexpr Field device = bits(7, 3);
inline constexpr Field devfn = bits(7, 0);
inline constexpr Field bus = bits(15, 8);
} // namespace source_id

/// "Root Entry" (legacy mode), indexed by bus. All other bits are reserved.
namespace root {
inline constexpr unsigned words = 2;
inline constexpr std::uint64_t bytes = 16;
inline constexpr Field p = bit(0);
inline constexpr Field ctp = bits(63, 12);
inline constexpr std::uint64_t reserved0 = 0xFFE;
inline constexpr std::uint64_t reserved1 = ~0ull;

constexpr std::uint64_t offset(std::uint16_t sid) { return source_id::bus.get(sid) * bytes; }
} // namespace root

/// "Scalable-Mode Root Entry", indexed by bus: the lower half is for devices 0 to 15, the upper for 16 to 31.
namespace scalable_root {
inline constexpr unsigned words = 2;
inline constexpr std::uint64_t bytes = 16;
inline constexpr Field lp = bit(0);
inline constexpr Field lctp = bits(63, 12);
inline constexpr Field up = bit(64);
inline constexpr Field uctp = bits(127, 76);
inline constexpr std::uint64_t reserved0 = 0xFFE;
inline constexpr std::uint64_t reserved1 = 0xFFE;

constexpr bool upper_half(std::uint16_t sid) { return bit(7).get(sid) != 0; }
} // namespace scalable_root

/// Address width codes of context and PASID entries: code n means n + 2 levels, 30 + 9 n bits.
namespace address_width {
inline constexpr unsigned aw_39_bits = 1;
inline constexpr unsigned aw_48_bits = 2;
inline constexpr unsigned aw_57_bits = 3;

constexpr unsigned levels(std::uint64_t aw_code) { return static_cast<unsigned>(aw_code) + 2; }
constexpr unsigned width_bits(std::uint64_t aw_code) { return 30 + 9 * static_cast<unsigned>(aw_code); }
constexpr unsigned code_of_levels(unsigned level_count) { return level_count - 2; }
} // namespace address_width

/// "Context Entry" (legacy mode), indexed by device and function.
namespace context {
inline constexpr unsigned words = 2;
inline constexpr std::uint64_t bytes = 16;
inline constexpr Field p = bit(0);
inline constexpr Field fpd = bit(1);                ///< fault processing disable: counts even while P = 0
inline constexpr Field tt = bits(3, 2);             ///< translation type
inline constexpr std::uint64_t tt_untranslated = 0; ///< second stage; no translation or translated requests
inline constexpr std::uint64_t tt_all = 1;          ///< second stage; with Device-TLB (ECAP.DT)
inline constexpr std::uint64_t tt_pass_through = 2; ///< ECAP.PT
inline constexpr std::uint64_t tt_reserved = 3;
inline constexpr Field slptptr = bits(63, 12);
inline constexpr Field aw = bits(66, 64); ///< an address_width code
inline constexpr Field avail = bits(70, 67);
inline constexpr Field did = bits(87, 72); ///< bits above the width of CAP.ND are reserved
inline constexpr std::uint64_t reserved0 = 0xFF0;
inline constexpr std::uint64_t reserved1 = 0xFFFF'FFFF'FF00'0080;

constexpr std::uint64_t offset(std::uint16_t sid) { return source_id::devfn.get(sid) * bytes; }
} // namespace context

/// "Scalable-Mode Context Entry"; two tables of 128 per bus.
namespace scalable_context {
inline constexpr unsigned words = 4;
inline constexpr std::uint64_t bytes = 32;
inline constexpr Field p = bit(0);
inline constexpr Field fpd = bit(1);
inline constexpr Field dte = bit(2);       ///< Device-TLB enable: translation and translated requests
inline constexpr Field paside = bit(3);    ///< requests with PASID
inline constexpr Field pre = bit(4);       ///< page requests
inline constexpr Field pdts = bits(11, 9); ///< PASID directory of 2^(PDTS + 7) entries
inline constexpr Field pasiddirptr = bits(63, 12);
inline constexpr Field rid_pasid = bits(83, 64); ///< ECAP.RPS; otherwise PASID 0 is used
inline constexpr Field rid_priv = bit(84);       ///< ECAP.RPRIVS
inline constexpr std::uint64_t reserved0 = 0x1E0;
inline constexpr std::uint64_t reserved1 = 0xFFFF'FFFF'FFE0'0000;
inline constexpr std::uint64_t reserved2 = ~0ull;
inline constexpr std::uint64_t reserved3 = ~0ull;

/// Offset in the lower or upper context table.
constexpr std::uint64_t offset(std::uint16_t sid) { return bits(6, 0).get(sid) * bytes; }
/// PASID bits that a directory of this size covers.
constexpr unsigned pasid_bits(std::uint64_t pdts_code) { return static_cast<unsigned>(pdts_code) + 13; }
} // namespace scalable_context

/// A PASID: the directory is indexed by the upper part, the table by the lower.
namespace pasid {
inline constexpr unsigned max_bits = 20;
inline constexpr Field directory_index = bits(19, 6);
inline constexpr Field table_index = bits(5, 0);
} // namespace pasid

/// "Scalable-Mode PASID Directory Entry".
namespace pasid_directory {
inline constexpr unsigned words = 1;
inline constexpr std::uint64_t bytes = 8;
inline constexpr Field p = bit(0);
inline constexpr Field fpd = bit(1);
inline constexpr Field smptblptr = bits(63, 12);
inline constexpr std::uint64_t reserved0 = 0xFFC;

constexpr std::uint64_t offset(std::uint64_t pasid_value) {
    return pasid::directory_index.get(pasid_value) * bytes;
}
} // namespace pasid_directory

/// "Scalable-Mode PASID Table Entry". Fields of absent features are reserved.
namespace pasid_entry {
inline constexpr unsigned words = 8;
inline constexpr std::uint64_t bytes = 64;

// Word 0: second stage.
inline constexpr Field p = bit(0);
inline constexpr Field fpd = bit(1);
inline constexpr Field aw = bits(4, 2); ///< an address_width code
inline constexpr Field slee = bit(5);   ///< execute enable of the second stage, removed later
inline constexpr Field pgtt = bits(8, 6);
inline constexpr std::uint64_t pgtt_first_stage = 1;
inline constexpr std::uint64_t pgtt_second_stage = 2;
inline constexpr std::uint64_t pgtt_nested = 3;
inline constexpr std::uint64_t pgtt_pass_through = 4;
inline constexpr Field slade = bit(9); ///< ECAP.SLADS
inline constexpr Field slptptr = bits(63, 12);

// Word 1: domain, snooping, memory types.
inline constexpr Field did = bits(79, 64);
inline constexpr Field pwsnp = bit(87); ///< page walk snoop; ECAP.SMPWCS
inline constexpr Field pgsnp = bit(88); ///< page snoop; ECAP.SC
inline constexpr Field cd = bit(89);    ///< ECAP.MTS, as those up to PAT
inline constexpr Field emte = bit(90);
inline constexpr Field emt = bits(93, 91);
inline constexpr Field pwt = bit(94);
inline constexpr Field pcd = bit(95);
inline constexpr Field pat = bits(127, 96);

// Word 2: first stage.
inline constexpr Field sre = bit(128); ///< supervisor requests; ECAP.SRS
inline constexpr Field ere = bit(129); ///< execute requests; ECAP.ERS
inline constexpr Field flpm = bits(131, 130);
inline constexpr std::uint64_t flpm_4_level = 0;
inline constexpr std::uint64_t flpm_5_level = 1; ///< CAP.FL5LP
inline constexpr Field wpe = bit(132);           ///< write protection for supervisor requests
inline constexpr Field nxe = bit(133);           ///< ECAP.ERS
inline constexpr Field smep = bit(134);          ///< ECAP.ERS
inline constexpr Field eafe = bit(135);          ///< ECAP.EAFS
inline constexpr Field flptptr = bits(191, 140);

/// Reserved in every unit; the fields of absent features come on top.
inline constexpr std::uint64_t reserved0 = 0xC00;
inline constexpr std::uint64_t reserved1 = 0x007F'0000;
inline constexpr std::uint64_t reserved2 = 0xF00;
/// Words 3 to 7 are reserved as a whole.
inline constexpr unsigned first_reserved_word = 3;

constexpr std::uint64_t offset(std::uint64_t pasid_value) {
    return pasid::table_index.get(pasid_value) * bytes;
}
} // namespace pasid_entry

} // namespace iommusim::vtd::spec
