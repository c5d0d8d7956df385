// SMMUv3 stream table: level 1 descriptor and Stream Table Entry, after Arm IHI 0070 G.b sections 5.1
// and 5.2. Layouts only. Bit positions count over the whole structure (an STE is eight 64-bit words). Fields
// of features that no model of ours advertises are listed too. C++17.
#pragma once

#include "../../base/bits.h"

#include <cstdint>

namespace iommusim::smmuv3::spec {

/// 5.1, Level 1 Stream Table Descriptor.
namespace l1std {
inline constexpr unsigned words = 1;
inline constexpr std::uint64_t bytes = 8;
inline constexpr Field span = bits(4, 0); ///< 0 invalid; n: 2^(n-1) entries
inline constexpr std::uint64_t span_max = 11;
inline constexpr Field l2ptr = bits(55, 6); ///< in place, aligned to 2^(5+Span) bytes
} // namespace l1std

/// 5.2, Stream Table Entry.
namespace ste {
inline constexpr unsigned words = 8;
inline constexpr std::uint64_t bytes = 64;

// Word 0.
inline constexpr Field v = bit(0);
inline constexpr Field config = bits(3, 1);
inline constexpr std::uint64_t config_abort = 0b000; ///< 0b001 to 0b011 are reserved and act as abort
inline constexpr std::uint64_t config_bypass = 0b100;
inline constexpr std::uint64_t config_stage_1 = 0b101;
inline constexpr std::uint64_t config_stage_2 = 0b110;
inline constexpr std::uint64_t config_stage_1_and_2 = 0b111;
inline constexpr Field s1fmt = bits(5, 4);
inline constexpr std::uint64_t s1fmt_linear = 0;
inline constexpr std::uint64_t s1fmt_two_level_4k = 1;  ///< leaf tables of 64 CDs
inline constexpr std::uint64_t s1fmt_two_level_64k = 2; ///< leaf tables of 1024 CDs
inline constexpr Field s1_context_ptr = bits(55, 6);    ///< in place
inline constexpr Field s1cdmax = bits(63, 59); ///< log2 of the number of CDs; 0: one CD, no substreams

// Word 1.
inline constexpr Field s1dss = bits(65, 64); ///< what a transaction without SubstreamID does when S1CDMax > 0
inline constexpr std::uint64_t s1dss_terminate = 0;
inline constexpr std::uint64_t s1dss_bypass = 1;
inline constexpr std::uint64_t s1dss_substream_0 = 2;
inline constexpr Field s1cir = bits(67, 66); ///< CD fetch, inner: 0 NC, 1 WB-RA, 2 WT-RA, 3 WB-nRA
inline constexpr Field s1cor = bits(69, 68); ///< the same, outer
inline constexpr Field s1csh = bits(71, 70);
inline constexpr Field s2hwu59 = bit(72);
inline constexpr Field s2hwu60 = bit(73);
inline constexpr Field s2hwu61 = bit(74);
inline constexpr Field s2hwu62 = bit(75);
inline constexpr Field dre = bit(76);
inline constexpr Field cont = bits(80, 77); ///< 2^CONT neighbouring entries are the same
inline constexpr Field dcp = bit(81);
inline constexpr Field ppar = bit(82);
inline constexpr Field mev = bit(83); ///< events may be merged
inline constexpr Field sw_reserved = bits(87, 84);
inline constexpr Field s1pie = bit(88);
inline constexpr Field s2fwb = bit(89);
inline constexpr Field s1mpam = bit(90);
inline constexpr Field s1stalld = bit(91);
inline constexpr Field eats = bits(93, 92);
inline constexpr std::uint64_t eats_disabled = 0;
inline constexpr std::uint64_t eats_full = 1;
inline constexpr std::uint64_t eats_split_stage = 2;
inline constexpr std::uint64_t eats_full_with_dpt = 3;
inline constexpr Field strw = bits(95, 94);
inline constexpr std::uint64_t strw_el1 = 0;
inline constexpr std::uint64_t strw_el2 = 2;
inline constexpr Field memattr = bits(99, 96);
inline constexpr Field mtcfg = bit(100);
inline constexpr Field alloccfg = bits(104, 101);
inline constexpr Field shcfg = bits(109, 108);
inline constexpr std::uint64_t shcfg_non_shareable = 0;
inline constexpr std::uint64_t shcfg_use_incoming = 1;
inline constexpr std::uint64_t shcfg_outer_shareable = 2;
inline constexpr std::uint64_t shcfg_inner_shareable = 3;
inline constexpr Field nscfg = bits(111, 110);
inline constexpr Field privcfg = bits(113, 112);
inline constexpr std::uint64_t privcfg_use_incoming = 0;
inline constexpr std::uint64_t privcfg_unprivileged = 2;
inline constexpr std::uint64_t privcfg_privileged = 3;
inline constexpr Field instcfg = bits(115, 114);
inline constexpr std::uint64_t instcfg_use_incoming = 0;
inline constexpr std::uint64_t instcfg_data = 2;
inline constexpr std::uint64_t instcfg_instruction = 3;
inline constexpr Field implementation_defined_1 = bits(127, 116);

// Word 2.
inline constexpr Field s2vmid = bits(143, 128);
inline constexpr Field implementation_defined_2 = bits(159, 144);
inline constexpr Field s2t0sz = bits(165, 160);
inline constexpr Field s2sl0 = bits(167, 166);
inline constexpr Field s2ir0 = bits(169, 168);
inline constexpr Field s2or0 = bits(171, 170);
inline constexpr Field s2sh0 = bits(173, 172);
inline constexpr Field s2tg = bits(175, 174);
inline constexpr std::uint64_t s2tg_4k = 0;
inline constexpr std::uint64_t s2tg_64k = 1;
inline constexpr std::uint64_t s2tg_16k = 2;
inline constexpr Field s2ps = bits(178, 176); ///< a size code, see address_bits()
inline constexpr Field s2aa64 = bit(179);
inline constexpr Field s2endi = bit(180);
inline constexpr Field s2affd = bit(181);
inline constexpr Field s2ptw = bit(182);
inline constexpr Field s2hd = bit(183);
inline constexpr Field s2ha = bit(184);
inline constexpr Field s2s = bit(185);
inline constexpr Field s2r = bit(186);
inline constexpr Field s2haft = bit(187);
inline constexpr Field s2pie = bit(188);
inline constexpr Field s2poe = bit(189);
inline constexpr Field dpt_vmatch = bits(191, 190);

// Word 3.
inline constexpr Field s2nsw = bit(192);
inline constexpr Field s2nsa = bit(193);
inline constexpr Field s2sl0_2 = bit(194);
inline constexpr Field s2ds = bit(195);
inline constexpr Field s2ttb = bits(247, 196); ///< in place: address bits 55:4
inline constexpr Field s2skl = bits(254, 253);

// Words 4 and 5.
inline constexpr Field implementation_defined_4 = bits(271, 256);
inline constexpr Field partid = bits(287, 272);
inline constexpr Field s_s2t0sz = bits(293, 288);
inline constexpr Field s_s2sl0 = bits(295, 294);
inline constexpr Field s_s2tg = bits(303, 302);
inline constexpr Field mecid = bits(319, 304);
inline constexpr Field pmg = bits(327, 320);
inline constexpr Field mpam_ns = bit(328);
inline constexpr Field assured_only = bit(329);
inline constexpr Field tl0 = bit(330);
inline constexpr Field tl1 = bit(331);
inline constexpr Field vms_ptr = bits(375, 332); ///< in place: address bits 55:12

// Words 6 and 7.
inline constexpr Field s2sw = bit(384);
inline constexpr Field s2sa = bit(385);
inline constexpr Field s_s2sl0_2 = bit(386);
inline constexpr Field s_s2ttb = bits(439, 388); ///< in place: address bits 55:4
inline constexpr Field s_s2skl = bits(446, 445);
inline constexpr Field s2poi = bits(511, 448);
} // namespace ste

} // namespace iommusim::smmuv3::spec
