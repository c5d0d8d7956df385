// Intel VT-d interrupt requests, remapping table entries and posted-interrupt descriptors, after the chapter
// "Interrupt Remapping and Interrupt Posting" of the VT-d architecture specification. Layouts only. Positions
// count over a whole structure, which is an array of 64-bit little-endian words. C++17.
#pragma once

#include "../../base/bits.h"

#include <cstdint>

namespace iommusim::vtd::spec {

/// Addresses whose DMA writes are interrupt requests.
inline constexpr std::uint64_t interrupt_window_first = 0xFEE0'0000;
inline constexpr std::uint64_t interrupt_window_last = 0xFEEF'FFFF;
constexpr bool in_interrupt_window(std::uint64_t address) {
    return address >= interrupt_window_first && address <= interrupt_window_last;
}

/// "Interrupt Requests in Remappable Format": the address. The upper 32 address bits must be 0.
namespace msi_address {
inline constexpr Field handle_bit_15 = bit(2);
inline constexpr Field shv = bit(3); ///< subhandle valid
inline constexpr Field format = bit(4);
inline constexpr std::uint64_t format_compatibility = 0;
inline constexpr std::uint64_t format_remappable = 1;
inline constexpr Field handle_low = bits(19, 5); ///< bits 14:0
inline constexpr Field window = bits(31, 20);
inline constexpr std::uint64_t window_value = 0xFEE;

constexpr unsigned handle(std::uint64_t address) {
    return static_cast<unsigned>(handle_low.get(address) | handle_bit_15.get(address) << 15);
}
/// The address that requests interrupt `handle_value`.
constexpr std::uint64_t remappable(unsigned handle_value, bool subhandle_valid) {
    return window.make(window_value) | handle_low.make(handle_value) | format.make(format_remappable) |
           shv.make(subhandle_valid ? 1 : 0) | handle_bit_15.make(handle_value >> 15);
}
} // namespace msi_address

/// The data of a remappable request; all of it is ignored with SHV = 0.
namespace msi_data {
inline constexpr Field subhandle = bits(15, 0);
inline constexpr Field reserved = bits(31, 16); ///< must be 0 with SHV = 1
} // namespace msi_data

/// Messages in compatibility format, which remapped interrupts and the unit's own events leave in.
namespace compatibility_message {
// Address.
inline constexpr Field destination_mode = bit(2);
inline constexpr Field redirection_hint = bit(3);
inline constexpr Field destination = bits(19, 12);       ///< APIC id bits 7:0
inline constexpr Field destination_upper = bits(63, 40); ///< APIC id bits 31:8, x2APIC mode
// Data.
inline constexpr Field vector = bits(7, 0);
inline constexpr Field delivery_mode = bits(10, 8);
inline constexpr Field level_assert = bit(14);
inline constexpr Field trigger_mode = bit(15);
} // namespace compatibility_message

/// "Interrupt Remapping Table Entry", 128 bits.
namespace irte {
inline constexpr unsigned words = 2;
inline constexpr std::uint64_t bytes = 16;

// Both forms.
inline constexpr Field p = bit(0);
inline constexpr Field fpd = bit(1); ///< fault processing disable: counts even while P = 0
inline constexpr Field avail = bits(11, 8);
inline constexpr Field im = bit(15); ///< 0 remapped, 1 posted (CAP.PI)
inline constexpr Field vector = bits(23, 16);
inline constexpr Field sid = bits(79, 64);
inline constexpr Field sq = bits(81, 80); ///< source-id bits left out: see function_mask()
inline constexpr Field svt = bits(83, 82);
inline constexpr std::uint64_t svt_none = 0;
inline constexpr std::uint64_t svt_sid = 1;
inline constexpr std::uint64_t svt_bus_range = 2; ///< first bus in SID 15:8, last bus in SID 7:0
inline constexpr std::uint64_t svt_reserved = 3;
inline constexpr Field first_bus = bits(79, 72);
inline constexpr Field last_bus = bits(71, 64);

// Remapped.
inline constexpr Field dm = bit(2); ///< destination mode: 0 physical, 1 logical
inline constexpr Field rh = bit(3); ///< redirection hint
inline constexpr Field tm = bit(4); ///< trigger mode: 0 edge, 1 level
inline constexpr Field dlm = bits(7, 5);
inline constexpr std::uint64_t dlm_fixed = 0;
inline constexpr std::uint64_t dlm_lowest_priority = 1;
inline constexpr std::uint64_t dlm_smi = 2;
inline constexpr std::uint64_t dlm_nmi = 4;
inline constexpr std::uint64_t dlm_init = 5;
inline constexpr std::uint64_t dlm_extint = 7;
inline constexpr Field dst = bits(63, 32);       ///< x2APIC mode
inline constexpr Field dst_xapic = bits(47, 40); ///< xAPIC mode; the rest of DST is reserved
inline constexpr std::uint64_t remapped_reserved0 = 0xFF00'7000;
inline constexpr std::uint64_t remapped_xapic_reserved0 = 0xFFFF'00FF'FF00'7000;
inline constexpr std::uint64_t remapped_reserved1 = 0xFFFF'FFFF'FFF0'0000;

// Posted.
inline constexpr Field urg = bit(14);
inline constexpr Field pda_low = bits(63, 38);   ///< descriptor address bits 31:6
inline constexpr Field pda_high = bits(127, 96); ///< descriptor address bits 63:32
inline constexpr std::uint64_t posted_reserved0 = 0x0000'003F'FF00'30FC;
inline constexpr std::uint64_t posted_reserved1 = 0x0000'0000'FFF0'0000;

/// Address of the posted-interrupt descriptor of a posted entry.
constexpr std::uint64_t descriptor_address(const std::uint64_t* entry) {
    return pda_high.get(entry) << 32 | pda_low.get(entry) << 6;
}
} // namespace irte

/// "Posted-Interrupt Descriptor", 512 bits, aligned to 64 bytes.
namespace posted_descriptor {
inline constexpr unsigned words = 8;
inline constexpr std::uint64_t bytes = 64;
/// Word and bit of a vector's request bit (PIR, words 0 to 3).
constexpr Field pir(unsigned vector) { return bit(vector); }
inline constexpr Field on = bit(256); ///< outstanding notification
inline constexpr Field sn = bit(257); ///< suppress notification
inline constexpr Field nv = bits(279, 272);
inline constexpr Field ndst = bits(319, 288);       ///< x2APIC mode
inline constexpr Field ndst_xapic = bits(303, 296); ///< xAPIC mode
/// Of word 4; words 5 to 7 are left to software.
inline constexpr std::uint64_t reserved4 = 0x0000'0000'FF00'FFFC;
} // namespace posted_descriptor

} // namespace iommusim::vtd::spec
