// AMD-Vi: the entries of the event log, after the section "Event Logging" of AMD's I/O virtualization
// technology specification. Layouts only. An entry is two 64-bit little-endian words; positions count over
// both. The fields of the events that only hardware virtual IOMMUs log are not known to us. C++17.
#pragma once

#include "../../base/bits.h"

#include <cstdint>

namespace iommusim::amdvi::spec {

/// "EventCode".
namespace event_code {
inline constexpr unsigned none = 0x0; ///< how software marks an entry that it has taken
inline constexpr unsigned illegal_dev_table_entry = 0x1;
inline constexpr unsigned io_page_fault = 0x2;
inline constexpr unsigned dev_tab_hardware_error = 0x3;
inline constexpr unsigned page_tab_hardware_error = 0x4;
inline constexpr unsigned illegal_command_error = 0x5;
inline constexpr unsigned command_hardware_error = 0x6;
inline constexpr unsigned iotlb_inv_timeout = 0x7;
inline constexpr unsigned invalid_device_request = 0x8;
inline constexpr unsigned invalid_ppr_request = 0x9;
inline constexpr unsigned event_counter_zero = 0xA;
inline constexpr unsigned guest_event_fault = 0xB;
inline constexpr unsigned viommu_hardware_error = 0xC;
inline constexpr unsigned rmp_page_fault = 0xD;
inline constexpr unsigned rmp_hardware_error = 0xE;
inline constexpr unsigned last = rmp_hardware_error;
} // namespace event_code

/// The specification's name of an event; "reserved" for a code that has none.
constexpr const char* event_name(unsigned code) {
    constexpr const char* names[] = {"reserved",
                                     "ILLEGAL_DEV_TABLE_ENTRY",
                                     "IO_PAGE_FAULT",
                                     "DEV_TAB_HARDWARE_ERROR",
                                     "PAGE_TAB_HARDWARE_ERROR",
                                     "ILLEGAL_COMMAND_ERROR",
                                     "COMMAND_HARDWARE_ERROR",
                                     "IOTLB_INV_TIMEOUT",
                                     "INVALID_DEVICE_REQUEST",
                                     "INVALID_PPR_REQUEST",
                                     "EVENT_COUNTER_ZERO",
                                     "GUEST_EVENT_FAULT",
                                     "VIOMMU_HARDWARE_ERROR",
                                     "RMP_PAGE_FAULT",
                                     "RMP_HARDWARE_ERROR"};
    return code <= event_code::last ? names[code] : "reserved";
}

/// What events share. Which flags count depends on the code; the others are 0.
namespace event {
inline constexpr unsigned words = 2;
inline constexpr std::uint64_t bytes = 16;

// Word 0.
inline constexpr Field device_id = bits(15, 0);
inline constexpr Field pasid_19_16 = bits(19, 16); ///< with GN
inline constexpr Field vnr = bit(27);              ///< virtual IOMMUs, as the three below
inline constexpr Field v_event = bit(29);
inline constexpr Field v_ptr = bit(30);
inline constexpr Field v_cmd = bit(31);
inline constexpr Field domain_id = bits(47, 32);  ///< without GN
inline constexpr Field pasid_15_0 = bits(47, 32); ///< with GN
inline constexpr Field gn = bit(48);              ///< guest virtual address, PASID valid
inline constexpr Field nx = bit(49);              ///< execute request, or no execute permission
inline constexpr Field us = bit(50);              ///< user
inline constexpr Field i = bit(51);               ///< interrupt request
inline constexpr Field pr = bit(52);              ///< page present, or interrupt mapped
inline constexpr Field rw = bit(53);              ///< write
inline constexpr Field pe = bit(54);              ///< permission missing; with PR
inline constexpr Field rz = bit(55);              ///< reserved bit set or level illegal; with PR
inline constexpr Field tr = bit(56);              ///< translation request (ATS)
inline constexpr Field code = bits(63, 60);

// Word 1.
/// Bits below the alignment of what it names read 0: commands and DTEs 51:4, table entries 51:3.
inline constexpr Field address = bits(127, 64);

/// Type of the hardware errors (codes 3, 4, 6).
inline constexpr Field type = bits(58, 57);
inline constexpr std::uint64_t type_master_abort = 1;
inline constexpr std::uint64_t type_target_abort = 2;
inline constexpr std::uint64_t type_data_error = 3;

constexpr void set_pasid(std::uint64_t* record, std::uint32_t pasid) {
    pasid_15_0.set(record, pasid);
    pasid_19_16.set(record, pasid >> 16);
}
constexpr std::uint32_t pasid(const std::uint64_t* record) {
    return static_cast<std::uint32_t>(pasid_15_0.get(record) | pasid_19_16.get(record) << 16);
}
} // namespace event

/// "INVALID_DEVICE_REQUEST": the type, apart for ordinary (TR = 0) and translation requests (TR = 1).
namespace invalid_request {
inline constexpr Field type = bits(59, 57);
// TR = 0.
inline constexpr std::uint64_t interrupt_range_access = 0;  ///< read or non-posted write
inline constexpr std::uint64_t pretranslated = 1;           ///< DTE.I = 0 or V = 0
inline constexpr std::uint64_t port_io = 2;                 ///< DTE.IoCtl aborts
inline constexpr std::uint64_t system_management_write = 3; ///< DTE.SysMgt aborts; or HT ATS range
inline constexpr std::uint64_t system_management_read = 4;
inline constexpr std::uint64_t interrupt = 5; ///< DTE.IntCtl aborts
inline constexpr std::uint64_t reserved_interrupt_range = 6;
inline constexpr std::uint64_t translated_range_without_table = 7; ///< SysMgt or IoCtl translate, TV = 0
// TR = 1.
inline constexpr std::uint64_t translation_disabled = 0; ///< DTE.I = 0, V = 0 or TV = 0
inline constexpr std::uint64_t translation_of_special_range = 1;
} // namespace invalid_request

/// "INVALID_PPR_REQUEST": the low parts are those of the PPR log.
namespace invalid_ppr {
inline constexpr Field pasid_15_0 = bits(31, 16);
inline constexpr Field tag = bits(41, 32);
inline constexpr Field pasid_19_16 = bits(45, 42);
} // namespace invalid_ppr

/// "EVENT_COUNTER_ZERO"; the place of the note is not confirmed.
namespace event_counter_zero {
inline constexpr Field event_note = bits(115, 64);
} // namespace event_counter_zero

/// "RMP_PAGE_FAULT" and "RMP_HARDWARE_ERROR".
namespace rmp_event {
inline constexpr Field rmp_flags = bits(23, 16);
inline constexpr Field vmg_tag = bits(47, 32);
} // namespace rmp_event

} // namespace iommusim::amdvi::spec
