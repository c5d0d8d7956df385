// Interrupts and errors: MSIs as memory writes, wired edges, GERROR (Arm IHI 0070
// sections 3.18, 6.3.17-6.3.20, 7.5).
#pragma once

#include "models/core/interrupt.h"
#include "models/core/memory_port.h"
#include "models/smmuv3/register_file.h"

namespace iommusim::smmuv3 {

class Interrupts {
public:
    Interrupts(RegisterFile& registers, MemoryPort& memory, TimedQueue& queue, ProcessList& processes,
               sc_core::sc_port<InterruptIf, 1, sc_core::SC_ZERO_OR_MORE_BOUND>& wires)
        : registers_(registers), memory_(memory), queue_(queue), processes_(processes), wires_(wires) {}

    ProcessList& processes() { return processes_; }

    /// The event queue went from empty to non-empty.
    void event_queue();
    /// Makes a GERROR bit active unless it is, and raises the interrupt for that.
    void error(Field error);
    void wire(unsigned line) {
        if (wires_.size() > 0)
            wires_->pulse(line);
    }
    /// Interrupts under way as messages.
    unsigned messages_under_way() const { return under_way_; }

private:
    void raise(const InterruptConfig& config, unsigned line, Field abort_error);
    Process send(InterruptConfig config, unsigned line, Field abort_error);

    RegisterFile& registers_;
    MemoryPort& memory_;
    TimedQueue& queue_;
    ProcessList& processes_;
    sc_core::sc_port<InterruptIf, 1, sc_core::SC_ZERO_OR_MORE_BOUND>& wires_;
    unsigned under_way_ = 0;
};

} // namespace iommusim::smmuv3
