// Simulated time as plain picoseconds: SystemC time is the only clock, this is only its cheap representation.
// C++17: included by foreign virtual platforms.
#pragma once

#include <cstdint>
#include <systemc>

namespace iommusim {

using Picoseconds = std::uint64_t;

inline constexpr Picoseconds operator""_ps(unsigned long long n) { return n; }
inline constexpr Picoseconds operator""_ns(unsigned long long n) { return n * 1000; }
inline constexpr Picoseconds operator""_us(unsigned long long n) { return n * 1'000'000; }
inline constexpr Picoseconds operator""_ms(unsigned long long n) { return n * 1'000'000'000; }

/// The current simulation time. Valid because the kernel's resolution is one picosecond, see
/// require_picosecond_resolution().
inline Picoseconds now() { return sc_core::sc_get_curr_simcontext()->time_stamp().value(); }

inline sc_core::sc_time to_sc_time(Picoseconds t) { return sc_core::sc_time::from_value(t); }
inline Picoseconds to_picoseconds(const sc_core::sc_time& t) { return t.value(); }

/// Reports a fatal error naming `who` unless one SystemC time unit is one picosecond (SystemC's default).
inline void require_picosecond_resolution(const char* who) {
    if (sc_core::sc_get_time_resolution() != sc_core::sc_time(1, sc_core::SC_PS))
        SC_REPORT_FATAL(
            who,
            "iommusim counts time in picoseconds: leave the SystemC time resolution at its default of 1 ps");
}

} // namespace iommusim
