// AMD-Vi: the entries of the guest virtual APIC log, after the section "Guest Virtual APIC Log" of AMD's I/O
// virtualization technology specification. Layouts only: one 64-bit little-endian word. C++17.
#pragma once

#include "../../base/bits.h"

#include <cstdint>

namespace iommusim::amdvi::spec {

namespace ga_log {
inline constexpr unsigned words = 1;
inline constexpr std::uint64_t bytes = 8;
inline constexpr Field ga_tag = bits(31, 0);
inline constexpr Field device_id = bits(47, 32);
inline constexpr Field code = bits(63, 60);
inline constexpr std::uint64_t code_guest_not_running = 1;
} // namespace ga_log

} // namespace iommusim::amdvi::spec
