// AMD-Vi: interrupt messages, interrupt remapping table entries and the special address ranges, after the
// sections "Interrupt Remapping" and "Special Address Accesses" of AMD's I/O virtualization technology
// specification. Layouts only. C++17.
#pragma once

#include "../../base/bits.h"

#include <cstdint>

namespace iommusim::amdvi::spec {

/// Addresses that are not translated as memory, checked before the device's tables. The parts of the
/// HyperTransport range are not confirmed by a second source.
struct AddressRange {
    std::uint64_t first;
    std::uint64_t last;

    constexpr bool contains(std::uint64_t address) const { return address >= first && address <= last; }
};
namespace special_range {
inline constexpr AddressRange interrupt{0xFEE0'0000, 0xFEEF'FFFF};
inline constexpr AddressRange hypertransport{0xFD'0000'0000, 0xFF'FFFF'FFFF}; ///< unless EFR2.HtRangeIgnore
inline constexpr AddressRange ht_interrupt{0xFD'F800'0000, 0xFD'F8FF'FFFF};   ///< and end of interrupt
inline constexpr AddressRange ht_interrupt_acknowledge{0xFD'F900'0000, 0xFD'F90F'FFFF};
inline constexpr AddressRange ht_system_management{0xFD'F910'0000, 0xFD'F91F'FFFF}; ///< DTE.SysMgt
inline constexpr AddressRange ht_address_translation{0xFD'FB00'0000, 0xFD'FBFF'FFFF};
inline constexpr AddressRange ht_port_io{0xFD'FC00'0000, 0xFD'FDFF'FFFF}; ///< DTE.IoCtl
inline constexpr AddressRange ht_configuration{0xFD'FE00'0000, 0xFD'FFFF'FFFF};
inline constexpr AddressRange ht_extended_configuration{0xFE'0000'0000, 0xFE'1FFF'FFFF};
} // namespace special_range

/// Address of an interrupt message.
namespace msi_address {
inline constexpr Field destination_mode = bit(2); ///< 1: logical
inline constexpr Field redirection_hint = bit(3);
inline constexpr Field destination = bits(19, 12);       ///< APIC id bits 7:0
inline constexpr Field destination_upper = bits(63, 40); ///< APIC id bits 31:8; messages sent with XT enabled
inline constexpr std::uint64_t window_base = 0xFEE0'0000;
} // namespace msi_address

/// Data of an interrupt message. The index of a remapped message takes the place of vector and delivery mode.
namespace msi_data {
inline constexpr Field vector = bits(7, 0);
inline constexpr Field delivery_mode = bits(10, 8);
inline constexpr Field index = bits(10, 0);
inline constexpr Field level_assert = bit(14);
inline constexpr Field trigger_mode = bit(15); ///< 1: level
} // namespace msi_data

/// Delivery modes of messages, and IntType of remapping table entries.
namespace delivery {
inline constexpr unsigned fixed = 0;
inline constexpr unsigned arbitrated = 1; ///< lowest priority
inline constexpr unsigned smi = 2;        ///< the SMI filter decides
inline constexpr unsigned nmi = 4;        ///< DTE.NMIPass
inline constexpr unsigned init = 5;       ///< DTE.INITPass
inline constexpr unsigned ext_int = 7;    ///< DTE.EIntPass
/// IntType above this is reserved.
inline constexpr unsigned last_remappable = arbitrated;
} // namespace delivery

/// "Interrupt Remapping Table Entry" of 32 bits; Control.GAEn = 0.
namespace irte32 {
inline constexpr std::uint64_t bytes = 4;
inline constexpr Field remap_en = bit(0);
inline constexpr Field sup_iopf = bit(1); ///< I/O page faults of this entry are not logged
inline constexpr Field int_type = bits(4, 2);
inline constexpr Field rq_eoi = bit(5);
inline constexpr Field dm = bit(6);         ///< 1: logical
inline constexpr Field guest_mode = bit(7); ///< must be 0
inline constexpr Field destination = bits(15, 8);
inline constexpr Field vector = bits(23, 16);
inline constexpr std::uint32_t reserved = 0xFF00'0000;
} // namespace irte32

/// "Interrupt Remapping Table Entry" of 128 bits; Control.GAEn = 1.
namespace irte128 {
inline constexpr unsigned words = 2;
inline constexpr std::uint64_t bytes = 16;

// Both forms.
inline constexpr Field remap_en = bit(0);
inline constexpr Field sup_iopf = bit(1);
inline constexpr Field guest_mode = bit(7); ///< 1: virtual APIC
inline constexpr Field destination_23_0 = bits(31, 8);
inline constexpr Field vector = bits(71, 64);
inline constexpr Field destination_31_24 = bits(127, 120); ///< Control.XTEn

// GuestMode = 0.
inline constexpr Field int_type = bits(4, 2);
inline constexpr Field rq_eoi = bit(5);
inline constexpr Field dm = bit(6);
inline constexpr Field destination_xapic = bits(15, 8); ///< without XTEn

// GuestMode = 1.
inline constexpr Field ga_log_intr = bit(2); ///< log interrupts of a guest that does not run
inline constexpr Field gappi_dis = bit(5);
inline constexpr Field is_run = bit(6); ///< the guest runs on the destination
inline constexpr Field ga_tag = bits(63, 32);
inline constexpr Field ga_root_pointer = bits(115, 76); ///< in place: the virtual APIC's backing page

// Reserved bits of word 0 and word 1.
inline constexpr std::uint64_t remapped_reserved0 = 0xFFFF'FFFF'0000'0000;
inline constexpr std::uint64_t remapped_reserved1 = 0x00FF'FFFF'FFFF'FF00;
inline constexpr std::uint64_t guest_reserved0 = 0x18;
inline constexpr std::uint64_t guest_reserved1 = 0x00F0'0000'0000'0F00;

constexpr std::uint32_t destination(const std::uint64_t* entry) {
    return static_cast<std::uint32_t>(destination_23_0.get(entry) | destination_31_24.get(entry) << 24);
}
constexpr void set_destination(std::uint64_t* entry, std::uint32_t apic_id) {
    destination_23_0.set(entry, apic_id);
    destination_31_24.set(entry, apic_id >> 24);
}
} // namespace irte128

} // namespace iommusim::amdvi::spec
