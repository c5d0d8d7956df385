// VMSAv8-64 translation tables as SMMUv3 walks them: descriptors of stage 1 and stage 2, and the geometry of
// the granules. After Arm DDI 0487 chapter D8 (the AArch64 Virtual Memory System Architecture) and Arm IHI
// 0070 section 3.4. Layouts only. A descriptor is one 64-bit word. C++17.
#pragma once

#include "../../base/bits.h"

#include <cstdint>

namespace iommusim::smmuv3::spec {

/// What every descriptor has.
namespace descriptor {
inline constexpr std::uint64_t bytes = 8;
inline constexpr Field valid = bit(0);
inline constexpr Field type = bits(1, 0);         ///< an even code is invalid at every level
inline constexpr std::uint64_t type_block = 0b01; ///< levels 0 to 2; reserved, so invalid, at level 3
inline constexpr std::uint64_t type_table = 0b11; ///< levels 0 to 2
inline constexpr std::uint64_t type_page = 0b11;  ///< level 3
inline constexpr Field address_4k = bits(47, 12); ///< in place
inline constexpr Field address_16k = bits(47, 14);
inline constexpr Field address_64k = bits(47, 16);
inline constexpr Field address_51_48_64k =
    bits(15, 12); ///< output address 51:48, 64 KB granule with 52-bit addresses
inline constexpr Field address_49_48_ds = bits(49, 48); ///< in place, 4 KB and 16 KB granule with DS
inline constexpr Field address_51_50_ds = bits(9, 8);   ///< output address 51:50, likewise
inline constexpr Field hierarchical = bits(63, 59); ///< stage 1 tables: what they take away from all below
inline constexpr Field software_use = bits(58, 55); ///< ignored by hardware in leaf descriptors
} // namespace descriptor

/// Stage 1 block and page descriptors.
namespace stage1_leaf {
inline constexpr Field attr_index = bits(4, 2);
inline constexpr Field ns = bit(5);
inline constexpr Field ap = bits(7, 6);          ///< AP[2:1]
inline constexpr Field ap_unprivileged = bit(6); ///< AP[1]: 1 gives unprivileged access
inline constexpr Field ap_read_only = bit(7);    ///< AP[2]
inline constexpr std::uint64_t ap_privileged_rw = 0b00;
inline constexpr std::uint64_t ap_any_rw = 0b01;
inline constexpr std::uint64_t ap_privileged_ro = 0b10;
inline constexpr std::uint64_t ap_any_ro = 0b11;
inline constexpr Field sh = bits(9, 8);
inline constexpr Field af = bit(10);
inline constexpr Field ng = bit(11); ///< 1: not global, tagged with the ASID
inline constexpr Field nt = bit(16); ///< block descriptors, with IDR3.BBML
inline constexpr Field gp = bit(50);
inline constexpr Field dbm = bit(51);
inline constexpr Field contiguous = bit(52);
inline constexpr Field pxn = bit(53);
inline constexpr Field uxn = bit(54); ///< XN where there is one privilege level
inline constexpr Field pbha = bits(62, 59);
} // namespace stage1_leaf

/// Stage 1 table descriptors. CD.HAD0 or CD.HAD1 = 1 makes the hierarchical bits 63:59 ignored.
namespace stage1_table {
inline constexpr Field af = bit(10); ///< with IDR0.HTTU = 3
inline constexpr Field pxn_table = bit(59);
inline constexpr Field uxn_table = bit(60);
inline constexpr Field ap_table = bits(62, 61);
inline constexpr Field ap_table_no_unprivileged = bit(61);
inline constexpr Field ap_table_read_only = bit(62);
inline constexpr Field ns_table = bit(63);
} // namespace stage1_table

/// Stage 2 block and page descriptors; stage 2 table descriptors have no attributes.
namespace stage2_leaf {
inline constexpr Field memattr = bits(5, 2); ///< a memattr code, unless STE.S2FWB
inline constexpr Field s2ap = bits(7, 6);
inline constexpr std::uint64_t s2ap_none = 0;
inline constexpr std::uint64_t s2ap_read = 1;
inline constexpr std::uint64_t s2ap_write = 2;
inline constexpr std::uint64_t s2ap_read_write = 3;
inline constexpr Field sh = bits(9, 8);
inline constexpr Field af = bit(10);
inline constexpr Field fnxs = bit(11); ///< ignored by the SMMU
inline constexpr Field nt = bit(16);
inline constexpr Field dbm = bit(51);
inline constexpr Field contiguous = bit(52);
inline constexpr Field xn = bits(54, 53); ///< without IDR3.XNX only bit 54 counts
inline constexpr Field pbha = bits(62, 59);
} // namespace stage2_leaf

/// The geometry of a translation granule; levels 0 to 3 (level -1 exists only with the 52-bit DS format).
struct Granule {
    unsigned bits; ///< log2 of the page size: 12, 14 or 16

    constexpr std::uint64_t bytes() const { return 1ull << bits; }
    /// Address bits resolved by a full table: a table fills one granule with 8-byte descriptors.
    constexpr unsigned stride() const { return bits - 3; }
    constexpr unsigned entries_per_table() const { return 1u << stride(); }
    /// The lowest address bit that `level` resolves; also log2 of the bytes that one of its descriptors maps.
    constexpr unsigned level_shift(unsigned level) const { return bits + stride() * (3 - level); }
    constexpr std::uint64_t level_bytes(unsigned level) const { return 1ull << level_shift(level); }
    /// The level at which a stage 1 walk of an input address of `input_bits` (64 - TxSZ) starts.
    constexpr unsigned start_level(unsigned input_bits) const {
        return 4 - (input_bits - bits + stride() - 1) / stride();
    }
    /// Index bits of the table at the start level: at least 1, at most stride().
    constexpr unsigned start_index_bits(unsigned input_bits) const {
        return input_bits - level_shift(start_level(input_bits));
    }
    /// The index of `address` in a full table of `level`.
    constexpr unsigned index(std::uint64_t address, unsigned level) const {
        return static_cast<unsigned>((address >> level_shift(level)) & low_bits(stride()));
    }
    /// Whether `level` may hold block descriptors without the 52-bit formats: 4 KB 1 and 2, 16 KB and 64 KB
    /// only 2.
    constexpr bool block_level(unsigned level) const { return level == 2 || (level == 1 && bits == 12); }
    /// log2 of the number of adjacent descriptors of `level` that share one Contiguous group; 0 where there
    /// is none.
    constexpr unsigned contiguous_bits(unsigned level) const {
        if (level != 3 && !block_level(level))
            return 0;
        if (bits == 12)
            return 4;
        return bits == 14 && level == 3 ? 7 : 5;
    }
};

inline constexpr Granule granule_4k{12};
inline constexpr Granule granule_16k{14};
inline constexpr Granule granule_64k{16};

/// The 4 KB granule in numbers.
inline constexpr std::uint64_t page_4k_bytes = granule_4k.bytes();
inline constexpr unsigned entries_per_4k_table = granule_4k.entries_per_table();
inline constexpr std::uint64_t block_2m_bytes = granule_4k.level_bytes(2);
inline constexpr std::uint64_t block_1g_bytes = granule_4k.level_bytes(1);
/// TxSZ without small translation tables and without 52-bit input addresses (CD.T0SZ, CD.T1SZ, STE.S2T0SZ).
inline constexpr unsigned txsz_min = 16;
inline constexpr unsigned txsz_max = 39;

/// The attribute byte that AttrIndx of a stage 1 descriptor selects in CD.MAIR1:MAIR0.
constexpr std::uint8_t mair_byte(std::uint64_t mair_value, unsigned attr_index) {
    return static_cast<std::uint8_t>(mair_value >> (8 * (attr_index & 7)));
}

} // namespace iommusim::smmuv3::spec
