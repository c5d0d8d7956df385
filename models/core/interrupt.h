// A wired interrupt: how a model tells the platform that something happened.
//
// Models: edges, one per call, on numbered lines. A model that can interrupt owns an InterruptPort; leaving
// it unbound is legal and means that nobody listens. Does not model: levels, acknowledgement,
// message-signalled interrupts (those are writes on the bus). C++17: public to foreign virtual platforms.
#pragma once

#include <systemc>

namespace iommusim {

struct InterruptIf : virtual sc_core::sc_interface {
    /// One rising edge on `line`, counted from 0 in the numbering of the model that owns the port. The
    /// receiver only takes note: it does not call back into the model.
    virtual void pulse(unsigned line) = 0;
};

using InterruptPort = sc_core::sc_port<InterruptIf, 1, sc_core::SC_ZERO_OR_MORE_BOUND>;

} // namespace iommusim
