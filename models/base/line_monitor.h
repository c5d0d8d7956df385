// How a CPU that spins on a memory word learns that somebody else wrote it: the coherence message that a real
// core gets for a line it holds. Implemented by the platform's memory, used by the modelled CPUs, so that a
// spinning CPU costs no simulation work per poll. C++17.
#pragma once

#include <cstdint>
#include <systemc>

namespace iommusim {

class LineMonitor {
public:
    virtual ~LineMonitor() = default;
    /// `changed` is notified (delta) whenever a bus write touches the 64-byte line of `address`.
    virtual void watch(std::uint64_t address, sc_core::sc_event& changed) = 0;
    virtual void unwatch(std::uint64_t address, sc_core::sc_event& changed) = 0;
};

} // namespace iommusim
