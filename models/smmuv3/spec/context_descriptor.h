// SMMUv3 context descriptors: level 1 descriptor and Context Descriptor, after Arm IHI 0070 G.b sections 5.3
// and 5.4. Layouts only. Bit positions count over the whole structure (a CD is eight 64-bit words). Fields of
// features that no model of ours advertises are listed too. C++17.
#pragma once

#include "../../base/bits.h"

#include <cstdint>

namespace iommusim::smmuv3::spec {

/// 5.3, Level 1 Context Descriptor. Bits 11:1 and 63:56 are RES0.
namespace l1cd {
inline constexpr unsigned words = 1;
inline constexpr std::uint64_t bytes = 8;
inline constexpr Field v = bit(0);
inline constexpr Field l2ptr = bits(55, 12);  ///< in place; bits 15:12 count as 0 for leaf tables of 64 KB
inline constexpr unsigned leaf_bits_4k = 6;   ///< SubstreamID bits of a leaf table, STE.S1Fmt = 1
inline constexpr unsigned leaf_bits_64k = 10; ///< the same, STE.S1Fmt = 2
} // namespace l1cd

/// 5.4, Context Descriptor.
namespace cd {
inline constexpr unsigned words = 8;
inline constexpr std::uint64_t bytes = 64;

// Word 0.
inline constexpr Field t0sz = bits(5, 0);
inline constexpr Field tg0 = bits(7, 6);
inline constexpr std::uint64_t tg0_4k = 0;
inline constexpr std::uint64_t tg0_64k = 1;
inline constexpr std::uint64_t tg0_16k = 2;
inline constexpr Field ir0 = bits(9, 8);   ///< walk, inner: 0 NC, 1 WB-RAWA, 2 WT-RA, 3 WB-RAnWA
inline constexpr Field or0 = bits(11, 10); ///< the same, outer
inline constexpr std::uint64_t walk_non_cacheable = 0;
inline constexpr std::uint64_t walk_write_back = 1;
inline constexpr std::uint64_t walk_write_through = 2;
inline constexpr Field sh0 = bits(13, 12);
inline constexpr Field epd0 = bit(14);
inline constexpr Field endi = bit(15);
inline constexpr Field t1sz = bits(21, 16);
inline constexpr Field tg1 = bits(23, 22); ///< other codes than TG0
inline constexpr std::uint64_t tg1_16k = 1;
inline constexpr std::uint64_t tg1_4k = 2;
inline constexpr std::uint64_t tg1_64k = 3;
inline constexpr Field ir1 = bits(25, 24);
inline constexpr Field or1 = bits(27, 26);
inline constexpr Field sh1 = bits(29, 28);
inline constexpr Field epd1 = bit(30);
inline constexpr Field v = bit(31);
inline constexpr Field ips = bits(34, 32); ///< a size code, see address_bits()
inline constexpr Field affd = bit(35);
inline constexpr Field wxn = bit(36);
inline constexpr Field uwxn = bit(37);
inline constexpr Field tbi0 = bit(38);
inline constexpr Field tbi1 = bit(39);
inline constexpr Field pan = bit(40);
inline constexpr Field aa64 = bit(41);
inline constexpr Field hd = bit(42);
inline constexpr Field ha = bit(43);
inline constexpr Field s = bit(44); ///< stall on fault (5.5)
inline constexpr Field r = bit(45); ///< record faults
inline constexpr Field a = bit(46); ///< abort, otherwise RAZ/WI
inline constexpr Field aset = bit(47);
inline constexpr Field asid = bits(63, 48);

// Word 1.
inline constexpr Field nscfg0 = bit(64);
inline constexpr Field had0 = bit(65);
inline constexpr Field e0pd0 = bit(66);
inline constexpr Field haft = bit(67);
inline constexpr Field ttb0 = bits(119, 68); ///< in place: address bits 55:4
inline constexpr Field pnch = bit(122);
inline constexpr Field epan = bit(123);
inline constexpr Field hwu059 = bit(124);
inline constexpr Field hwu060 = bit(125);
inline constexpr Field hwu061 = bit(126);
inline constexpr Field hwu062 = bit(127);
inline constexpr Field skl0 = bits(127, 126); ///< with 128-bit descriptors, in place of HWU061 and HWU062

// Word 2.
inline constexpr Field nscfg1 = bit(128);
inline constexpr Field had1 = bit(129);
inline constexpr Field e0pd1 = bit(130);
inline constexpr Field aie = bit(131);
inline constexpr Field ttb1 = bits(183, 132); ///< in place: address bits 55:4
inline constexpr Field ds = bit(186);
inline constexpr Field pie = bit(187);
inline constexpr Field hwu159 = bit(188);
inline constexpr Field hwu160 = bit(189);
inline constexpr Field hwu161 = bit(190);
inline constexpr Field hwu162 = bit(191);
inline constexpr Field skl1 = bits(191, 190); ///< with 128-bit descriptors, in place of HWU161 and HWU162

// Words 3 to 7.
inline constexpr Field mair0 = bits(223, 192); ///< attributes 0 to 3, one byte each, attribute 0 lowest
inline constexpr Field mair1 = bits(255, 224); ///< attributes 4 to 7
inline constexpr Field mair = bits(255, 192);  ///< both halves: byte n is attribute n
inline constexpr Field amair0 = bits(287, 256);
inline constexpr Field amair1 = bits(319, 288);
inline constexpr Field implementation_defined = bits(351, 320);
inline constexpr Field partid = bits(367, 352);
inline constexpr Field pmg = bits(375, 368);
inline constexpr Field piiu = bits(431, 384); ///< 16 entries of 3 bits
inline constexpr Field piip = bits(495, 448);
} // namespace cd

/// Attribute bytes of MAIR (Arm DDI 0487, MAIR_ELx; only the values without transient hints are listed).
namespace mair {
inline constexpr std::uint8_t device_ngnrne = 0x00;
inline constexpr std::uint8_t device_ngnre = 0x04;
inline constexpr std::uint8_t device_ngre = 0x08;
inline constexpr std::uint8_t device_gre = 0x0C;
inline constexpr std::uint8_t normal_non_cacheable = 0x44;
inline constexpr std::uint8_t normal_write_through = 0xBB;
inline constexpr std::uint8_t normal_write_back = 0xFF;
inline constexpr std::uint8_t normal_inner_nc_outer_wb = 0xF4;
} // namespace mair

} // namespace iommusim::smmuv3::spec
