// AMD-Vi: page table entries of the host (version 1) and of the guest (version 2), and the GCR3 table, after
// the section "I/O Page Tables" of AMD's I/O virtualization technology specification. Layouts only: every
// entry is one 64-bit little-endian word, a table holds 512 of them. Address fields are in place. C++17.
#pragma once

#include "size_code.h"

#include <cstdint>

namespace iommusim::amdvi::spec {

/// Geometry that all tables share. Level 1 entries map 4 KB.
namespace paging {
inline constexpr unsigned page_bits = 12;
inline constexpr unsigned level_bits = 9;
inline constexpr unsigned entries = 512;
inline constexpr std::uint64_t table_bytes = 4096;
inline constexpr std::uint64_t entry_bytes = 8;

/// log2 of the bytes that one entry of `level` covers.
constexpr unsigned level_shift(unsigned level) { return page_bits + level_bits * (level - 1); }
constexpr unsigned index(std::uint64_t address, unsigned level) {
    return static_cast<unsigned>((address >> level_shift(level)) & (entries - 1));
}
/// Bits of the input address that a table of so many levels translates. Level 6 has seven index bits.
constexpr unsigned input_bits(unsigned levels) {
    return level_shift(levels + 1) < 64 ? level_shift(levels + 1) : 64;
}
/// Next table or page.
inline constexpr Field address = bits(51, 12);
} // namespace paging

/// Host tables, "version 1". An entry says itself at which level the next table is.
namespace host {
inline constexpr unsigned max_levels = 6; ///< level 6 holds no leaves
inline constexpr Field pr = bit(0);
inline constexpr Field a = bit(5); ///< with DTE.HAD
inline constexpr Field d = bit(6); ///< leaf; with DTE.HAD
inline constexpr Field next_level = bits(11, 9);
inline constexpr std::uint64_t next_level_default_page = 0; ///< leaf of the size of its level
inline constexpr std::uint64_t next_level_sized_page = 7;   ///< leaf; the address carries the size
inline constexpr Field address = paging::address;
inline constexpr Field pmc = bits(58, 57); ///< leaf; page migration control, EFR2.TMPMSup
inline constexpr Field u = bit(59);        ///< leaf; the U bit of ATS completions
inline constexpr Field fc = bit(60);       ///< leaf; force coherent
inline constexpr Field ir = bit(61);
inline constexpr Field iw = bit(62);
/// Bits 59 and 60 of entries that point to a table may be reserved too; no source confirms it.
inline constexpr std::uint64_t reserved_leaf = 0x01F0'0000'0000'0000;
inline constexpr std::uint64_t reserved_table = 0x07F0'0000'0000'0000;

constexpr bool is_leaf(std::uint64_t entry) {
    const std::uint64_t level = next_level.get(entry);
    return level == next_level_default_page || level == next_level_sized_page;
}
/// log2 of the size of a leaf found at `level`. Sizes in the address end at bit 51: 64 if no 0 is below it.
constexpr unsigned leaf_log2_bytes(std::uint64_t leaf, unsigned level) {
    if (next_level.get(leaf) == next_level_default_page)
        return paging::level_shift(level);
    const unsigned zero = size_code::lowest_zero(address.in_place(leaf));
    return zero <= address.msb ? zero + 1 : 64;
}
/// Whether a leaf at `level` may have that size: the level's own, or more and less than the next level's.
constexpr bool leaf_size_fits(unsigned log2_bytes, unsigned level) {
    return level < max_levels && log2_bytes >= paging::level_shift(level) &&
           log2_bytes < paging::level_shift(level + 1);
}
/// First byte of a leaf's page.
constexpr std::uint64_t leaf_base(std::uint64_t leaf, unsigned log2_bytes) {
    return address.in_place(leaf) & ~low_bits(log2_bytes);
}
/// Level of the table that holds leaves of 2^log2_bytes, 12 to 56, and how many equal entries it takes.
constexpr unsigned leaf_level(unsigned log2_bytes) {
    return (log2_bytes - paging::page_bits) / paging::level_bits + 1;
}
constexpr unsigned leaf_copies(unsigned log2_bytes) {
    return 1u << ((log2_bytes - paging::page_bits) % paging::level_bits);
}
/// Address and NextLevel of a leaf of 2^log2_bytes (12 to 51) at an aligned address.
constexpr std::uint64_t encode_leaf(std::uint64_t page, unsigned log2_bytes) {
    if (leaf_copies(log2_bytes) == 1)
        return address.in_place(page) | next_level.make(next_level_default_page);
    return address.in_place(size_code::encode(page, log2_bytes)) | next_level.make(next_level_sized_page);
}
} // namespace host

/// Guest tables, "version 2": the format of x86-64, with 4 or 5 levels and pages of 4 KB, 2 MB, 1 GB.
namespace guest {
inline constexpr Field p = bit(0);
inline constexpr Field rw = bit(1);
inline constexpr Field us = bit(2);
inline constexpr Field pwt = bit(3);
inline constexpr Field pcd = bit(4);
inline constexpr Field a = bit(5);
inline constexpr Field d = bit(6);          ///< leaf
inline constexpr Field ps = bit(7);         ///< levels 2 and 3; must be 0 above
inline constexpr Field pat_4k = bit(7);     ///< leaf at level 1
inline constexpr Field g = bit(8);          ///< leaf
inline constexpr Field pat_large = bit(12); ///< leaf at levels 2 and 3
inline constexpr Field address = paging::address;
inline constexpr Field nx = bit(63); ///< EFR.NXSup
/// Page frame bits of a leaf at `level`.
constexpr Field page_frame(unsigned level) { return bits(51, paging::level_shift(level)); }
} // namespace guest

/// "Guest CR3 Table Entry", of every level of the table.
namespace gcr3 {
inline constexpr Field v = bit(0);
inline constexpr Field address = paging::address; ///< next table, or the guest's CR3 at level 0
inline constexpr unsigned max_pasid_bits = 20;

/// Index of a PASID at `level`, counted from 0; DTE.GLX is the level of the root.
constexpr unsigned index(std::uint32_t pasid, unsigned level) {
    return (pasid >> (paging::level_bits * level)) & (paging::entries - 1);
}
/// PASID bits that a table with this GLX code covers.
constexpr unsigned pasid_bits(std::uint64_t glx_code) {
    const unsigned covered = paging::level_bits * (static_cast<unsigned>(glx_code) + 1);
    return covered < max_pasid_bits ? covered : max_pasid_bits;
}
} // namespace gcr3

} // namespace iommusim::amdvi::spec
