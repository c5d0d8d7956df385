// Interrupt lines from hardware to handlers in software. Lines are edge-triggered: an assertion is latched
// until its handler starts, further assertions until then are merged into it (as in a GIC pending bit or a
// local APIC's IRR).
#pragma once

#include "drivers/machine/cpu.h"

#include <cstdint>
#include <functional>
#include <vector>

namespace iommusim::machine {

class InterruptController {
public:
    using Handler = std::function<void(Cpu&)>;

    /// Software: routes `line` to `cpu`. The handler runs there as software, with interrupts masked,
    /// interrupt_entry after the assertion or after the CPU becomes able to take it. What was asserted before
    /// is delivered.
    void connect(unsigned line, Cpu& cpu, Handler handler);
    /// Software: the line loses its handler; what is pending stays latched.
    void disconnect(unsigned line);
    /// Software: masks one line at the controller; assertions stay pending.
    void mask(unsigned line);
    void unmask(unsigned line);

    /// Hardware: asserts a line now. May be called from any SystemC process or callback.
    void raise(unsigned line);

    bool pending(unsigned line) const;          ///< latched, its handler has not started
    std::uint64_t raised(unsigned line) const;  ///< assertions, merged ones included
    std::uint64_t handled(unsigned line) const; ///< handler runs

private:
    friend class Cpu;

    struct Line {
        Handler handler;
        Cpu* cpu = nullptr;
        bool masked = false;
        bool latched = false;
        bool queued = false; ///< its CPU knows
        std::uint64_t raised = 0;
        std::uint64_t handled = 0;
    };
    Line& line(unsigned number);
    const Line* find(unsigned number) const { return number < lines_.size() ? &lines_[number] : nullptr; }
    void forward(unsigned number);
    /// From a CPU that takes `number`: the handler to run, or nothing if it was masked or disconnected
    /// meanwhile.
    Handler take(unsigned number);

    std::vector<Line> lines_;
};

} // namespace iommusim::machine
