// Intel VT-d queued invalidation descriptors, after the chapter "Caching Translation Information" (section
// "Queued Invalidation Interface") of the VT-d architecture specification. Layouts only. A descriptor is two
// or four 64-bit little-endian words (IQA.DW); all have their fields in the first two, and the others must be
// 0. C++17.
//
// `reserved0` and `reserved1` are the bits of word 0 and word 1 that must be 0, in units without DIT; the
// type fields are not among them.
#pragma once

#include "../../base/bits.h"

#include <cstdint>

namespace iommusim::vtd::spec {

/// "Descriptor Type".
namespace descriptor_type {
inline constexpr unsigned context_cache = 0x1;
inline constexpr unsigned iotlb = 0x2;
inline constexpr unsigned device_tlb = 0x3;
inline constexpr unsigned interrupt_entry_cache = 0x4;
inline constexpr unsigned wait = 0x5;
inline constexpr unsigned pasid_iotlb = 0x6; ///< 256 bits only, as those below
inline constexpr unsigned pasid_cache = 0x7;
inline constexpr unsigned pasid_device_tlb = 0x8;
inline constexpr unsigned page_group_response = 0x9;

constexpr bool needs_256_bits(unsigned type) { return type >= pasid_iotlb && type <= page_group_response; }
} // namespace descriptor_type

/// The name of a descriptor as in the Linux driver's and the specification's abbreviations; "reserved" for a
/// type that has none.
constexpr const char* descriptor_name(unsigned type) {
    constexpr const char* names[] = {"reserved",      "cc_inv",       "iotlb_inv",   "dev_tlb_inv",
                                     "iec_inv",       "inv_wait",     "p_iotlb_inv", "pc_inv",
                                     "p_dev_tlb_inv", "page_grp_resp"};
    return type <= descriptor_type::page_group_response ? names[type] : "reserved";
}

/// What all descriptors share.
namespace descriptor {
inline constexpr unsigned max_words = 4;
inline constexpr std::uint64_t bytes_128 = 16;
inline constexpr std::uint64_t bytes_256 = 32;
inline constexpr Field type_low = bits(3, 0);
inline constexpr Field type_high = bits(11, 9);

constexpr unsigned type(std::uint64_t word0) {
    return static_cast<unsigned>(type_low.get(word0) | type_high.get(word0) << 4);
}
} // namespace descriptor

/// "Context-cache Invalidate Descriptor".
namespace cc_inv {
inline constexpr Field g = bits(5, 4);
inline constexpr std::uint64_t g_reserved = 0;
inline constexpr std::uint64_t g_global = 1;
inline constexpr std::uint64_t g_domain = 2;
inline constexpr std::uint64_t g_device = 3;
inline constexpr Field did = bits(31, 16);
inline constexpr Field sid = bits(47, 32);
inline constexpr Field fm = bits(49, 48); ///< see function_mask()
inline constexpr std::uint64_t reserved0 = 0xFFFC'0000'0000'F1C0;
inline constexpr std::uint64_t reserved1 = ~0ull;
} // namespace cc_inv

/// "IOTLB Invalidate Descriptor".
namespace iotlb_inv {
inline constexpr Field g = bits(5, 4);
inline constexpr std::uint64_t g_reserved = 0;
inline constexpr std::uint64_t g_global = 1;
inline constexpr std::uint64_t g_domain = 2;
inline constexpr std::uint64_t g_page = 3; ///< page-selective within domain
inline constexpr Field dw = bit(6);
inline constexpr Field dr = bit(7);
inline constexpr Field did = bits(31, 16);
inline constexpr Field am = bits(69, 64);    ///< 2^AM pages of 4 KB, naturally aligned; at most CAP.MAMV
inline constexpr Field ih = bit(70);         ///< invalidation hint: non-leaf entries are unchanged
inline constexpr Field addr = bits(127, 76); ///< in place
inline constexpr std::uint64_t reserved0 = 0xFFFF'FFFF'0000'F100;
inline constexpr std::uint64_t reserved1 = 0xF80;
} // namespace iotlb_inv

/// "Device-TLB Invalidate Descriptor".
namespace dev_tlb_inv {
inline constexpr Field pfsid_low = bits(15, 12); ///< ECAP.DIT
inline constexpr Field mip = bits(20, 16);       ///< invalidations that may be pending; 0 means 32
inline constexpr Field sid = bits(47, 32);
inline constexpr Field pfsid_high = bits(63, 52); ///< ECAP.DIT
inline constexpr Field s = bit(64);
inline constexpr Field addr = bits(127, 76); ///< in place; see device_tlb_size
inline constexpr std::uint64_t reserved0 = 0xFFFF'0000'FFE0'F1F0;
inline constexpr std::uint64_t reserved1 = 0xFFE;
} // namespace dev_tlb_inv

/// "Interrupt Entry Cache Invalidate Descriptor".
namespace iec_inv {
inline constexpr Field g = bit(4);
inline constexpr std::uint64_t g_global = 0;
inline constexpr std::uint64_t g_index = 1;
inline constexpr Field im = bits(31, 27); ///< 2^IM entries, naturally aligned; at most ECAP.MHMV
inline constexpr Field iidx = bits(47, 32);
inline constexpr std::uint64_t reserved0 = 0xFFFF'0000'07FF'F1E0;
inline constexpr std::uint64_t reserved1 = ~0ull;
} // namespace iec_inv

/// "Invalidation Wait Descriptor".
namespace inv_wait {
inline constexpr Field interrupt_flag = bit(4); ///< IF
inline constexpr Field sw = bit(5);             ///< status write
inline constexpr Field fn = bit(6);             ///< fence
inline constexpr Field pd = bit(7);             ///< page request drain; ECAP.PDS, otherwise reserved
inline constexpr Field data = bits(63, 32);
inline constexpr Field addr = bits(127, 66); ///< in place
inline constexpr std::uint64_t reserved0 = 0xFFFF'F100;
inline constexpr std::uint64_t reserved1 = 0x3;
} // namespace inv_wait

/// "PASID-based-IOTLB Invalidate Descriptor".
namespace p_iotlb_inv {
inline constexpr Field g = bits(5, 4);
inline constexpr std::uint64_t g_pasid = 2; ///< PASID-selective; 0 and 1 are reserved
inline constexpr std::uint64_t g_page = 3;  ///< page-selective within PASID
inline constexpr Field did = bits(31, 16);
inline constexpr Field pasid = bits(51, 32);
inline constexpr Field am = bits(69, 64); ///< not limited by CAP.MAMV
inline constexpr Field ih = bit(70);
inline constexpr Field addr = bits(127, 76); ///< in place
inline constexpr std::uint64_t reserved0 = 0xFFF0'0000'0000'F1C0;
inline constexpr std::uint64_t reserved1 = 0xF80;
} // namespace p_iotlb_inv

/// "PASID-cache Invalidate Descriptor".
namespace pc_inv {
inline constexpr Field g = bits(5, 4);
inline constexpr std::uint64_t g_domain = 0; ///< all PASIDs of the domain
inline constexpr std::uint64_t g_pasid = 1;  ///< PASID-selective within domain
inline constexpr std::uint64_t g_reserved = 2;
inline constexpr std::uint64_t g_global = 3;
inline constexpr Field did = bits(31, 16);
inline constexpr Field pasid = bits(51, 32);
inline constexpr std::uint64_t reserved0 = 0xFFF0'0000'0000'F1C0;
inline constexpr std::uint64_t reserved1 = ~0ull;
} // namespace pc_inv

/// "PASID-based-Device-TLB Invalidate Descriptor".
namespace p_dev_tlb_inv {
inline constexpr Field mip = bits(8, 4);
inline constexpr Field pfsid_low = bits(15, 12); ///< ECAP.DIT
inline constexpr Field sid = bits(31, 16);
inline constexpr Field pasid = bits(51, 32);
inline constexpr Field pfsid_high = bits(63, 52); ///< ECAP.DIT
inline constexpr Field g = bit(64);               ///< all PASIDs of the function
inline constexpr Field s = bit(75);
inline constexpr Field addr = bits(127, 76); ///< in place; see device_tlb_size
inline constexpr std::uint64_t reserved0 = 0xFFF0'0000'0000'F000;
inline constexpr std::uint64_t reserved1 = 0x7FE;
} // namespace p_dev_tlb_inv

/// "Page Group Response Descriptor". The codes are in page_request.h.
namespace page_grp_resp {
inline constexpr Field pp = bit(4); ///< PASID present
inline constexpr Field rc = bits(15, 12);
inline constexpr Field rid = bits(31, 16);
inline constexpr Field pasid = bits(51, 32);
inline constexpr Field lpig =
    bit(66); ///< last page in group: earlier revisions, tolerated and without effect
inline constexpr Field prgi = bits(75, 67);
inline constexpr std::uint64_t reserved0 = 0xFFF0'0000'0000'01E0;
inline constexpr std::uint64_t reserved1 = 0xFFFF'FFFF'FFFF'F003;
} // namespace page_grp_resp

/// Ranges of both Device-TLB descriptors: S = 0 is one page of 4 KB; S = 1 is 8 KB times two for each 1 from
/// address bit 12 up to the lowest 0.
namespace device_tlb_size {
/// ADDR with S = 1 that covers every address.
inline constexpr std::uint64_t all_addresses = 0x7FFF'FFFF'FFFF'F000;

/// log2 of the bytes covered; 64 for everything.
constexpr unsigned log2_bytes(std::uint64_t addr, std::uint64_t s_value) {
    if (s_value == 0)
        return 12;
    unsigned position = 12;
    while (position < 63 && ((addr >> position) & 1) != 0)
        ++position;
    return position + 1;
}
/// ADDR for 2^log2_pages pages of 4 KB at the aligned address `base`; S is 1 unless log2_pages is 0.
constexpr std::uint64_t encode(std::uint64_t base, unsigned log2_pages) {
    if (log2_pages == 0)
        return base;
    const unsigned lowest_zero = 12 + log2_pages - 1;
    return (base & ~low_bits(lowest_zero + 1)) | (low_bits(lowest_zero) & ~low_bits(12));
}
} // namespace device_tlb_size

} // namespace iommusim::vtd::spec
