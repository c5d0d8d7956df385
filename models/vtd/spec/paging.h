// Intel VT-d paging entries of both stages, after the chapters "DMA Remapping" (paging structures) and
// "Translation Structure Formats" of the VT-d architecture specification. Layouts only: every entry is one
// 64-bit little-endian word, a table holds 512 of them. Address fields are in place; their bits at and above
// the host address width are reserved up to bit 51. C++17.
#pragma once

#include "../../base/bits.h"

#include <cstdint>

namespace iommusim::vtd::spec {

/// Geometry that both stages share. Level 1 entries map 4 KB; the top level is 3, 4 or 5.
namespace paging {
inline constexpr unsigned page_bits = 12;
inline constexpr unsigned level_bits = 9;
inline constexpr unsigned entries = 512;
inline constexpr std::uint64_t entry_bytes = 8;
inline constexpr unsigned max_levels = 5;

/// log2 of the bytes that one entry of `level` covers.
constexpr unsigned level_shift(unsigned level) { return page_bits + level_bits * (level - 1); }
constexpr std::uint64_t level_bytes(unsigned level) { return 1ull << level_shift(level); }
constexpr unsigned index(std::uint64_t address, unsigned level) {
    return static_cast<unsigned>((address >> level_shift(level)) & (entries - 1));
}
/// Bits of the input address that a table of so many levels translates.
constexpr unsigned input_bits(unsigned levels) { return level_shift(levels + 1); }

/// Next table, or page frame of a 4 KB leaf.
inline constexpr Field address = bits(51, 12);
/// Page frame bits of a leaf at `level`, before the limit of the host address width.
constexpr Field page_frame(unsigned level) { return bits(51, level_shift(level)); }
} // namespace paging

/// "Second-Stage Paging Entries". An entry with R = W = 0 is not present and its other bits are ignored.
namespace second_stage {
inline constexpr Field r = bit(0);
inline constexpr Field w = bit(1);
inline constexpr Field x = bit(2);       ///< execute; ignored by units without it
inline constexpr Field emt = bits(5, 3); ///< leaf; ECAP.MTS
inline constexpr Field ipat = bit(6);    ///< leaf; ECAP.MTS
inline constexpr Field ps = bit(7);      ///< levels 2 and 3 (CAP.SLLPS); ignored at level 1
inline constexpr Field a = bit(8);       ///< with PASID entry SLADE, otherwise ignored
inline constexpr Field d = bit(9);       ///< leaf; with SLADE, otherwise ignored
inline constexpr Field snp = bit(11);    ///< leaf; ECAP.SC, otherwise reserved. Reserved in non-leaf entries
inline constexpr Field tm = bit(62);     ///< leaf; early revisions only, reserved since
/// Software may use these freely.
inline constexpr Field ignored_high = bits(61, 52);
} // namespace second_stage

/// "First-Stage Paging Entries": the format of x86-64.
namespace first_stage {
inline constexpr Field p = bit(0);
inline constexpr Field rw = bit(1);
inline constexpr Field us = bit(2);
inline constexpr Field pwt = bit(3);
inline constexpr Field pcd = bit(4);
inline constexpr Field a = bit(5);
inline constexpr Field d = bit(6);          ///< leaf
inline constexpr Field ps = bit(7);         ///< levels 2 and 3 (level 3: CAP.FL1GP); must be 0 above
inline constexpr Field pat_4k = bit(7);     ///< leaf at level 1
inline constexpr Field g = bit(8);          ///< leaf
inline constexpr Field ea = bit(10);        ///< with PASID entry EAFE
inline constexpr Field pat_large = bit(12); ///< leaf at levels 2 and 3
inline constexpr Field xd = bit(63);        ///< ECAP.ERS with NXE; ignored later
inline constexpr Field ignored_high = bits(62, 52);
inline constexpr unsigned canonical_bits_4_level = 48;
inline constexpr unsigned canonical_bits_5_level = 57;
} // namespace first_stage

} // namespace iommusim::vtd::spec
