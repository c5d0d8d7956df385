// Where a platform's interrupts end: counts and remembers edges of wired lines and message-signalled
// interrupts, and hands both to the platform's interrupt controller.
//
// Models: edge-triggered lines; a window of the address map in which an aligned 32-bit write is a
// message-signalled interrupt, effective at the annotated time of its arrival. Does not model: masking,
// priorities, routing, translation of messages; reads of the message window are refused. C++17: public to
// foreign virtual platforms.
#pragma once

#include "../base/time.h"
#include "../core/interrupt.h"
#include "../core/timed_queue.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <tlm>
#include <vector>

namespace iommusim::soc {

struct LineInterrupt {
    Picoseconds time;
    unsigned line;
};

struct MessageInterrupt {
    Picoseconds time;
    std::uint64_t address; ///< as the window sees it: relative if the interconnect made it so
    std::uint32_t data;
    std::uint32_t requester; ///< Requester::id of the writer
};

class InterruptSink : public sc_core::sc_module, public InterruptIf, public tlm::tlm_fw_transport_if<> {
public:
    /// May stay unbound.
    tlm::tlm_target_socket<32, tlm::tlm_base_protocol_types, 1, sc_core::SC_ZERO_OR_MORE_BOUND> messages;

    /// Remembers the last `history` interrupts of each kind.
    InterruptSink(sc_core::sc_module_name name, unsigned lines, std::size_t history = 1024);
    ~InterruptSink() override;

    /// Receives the edges of a model whose line 0 is line `first` here. Lives as long as this sink.
    InterruptIf& from(unsigned first);
    void pulse(unsigned line) override;

    std::function<void(const LineInterrupt&)> on_line;
    std::function<void(const MessageInterrupt&)> on_message;

    std::uint64_t edges(unsigned line) const { return line < edges_.size() ? edges_[line] : 0; }
    std::uint64_t edges() const { return total_edges_; }
    std::uint64_t stray_edges() const { return stray_edges_; } ///< on lines that do not exist
    std::uint64_t message_count() const { return message_count_; }
    /// Oldest first.
    const std::deque<LineInterrupt>& line_history() const { return line_history_; }
    const std::deque<MessageInterrupt>& message_history() const { return message_history_; }

    void b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;
    tlm::tlm_sync_enum nb_transport_fw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                       sc_core::sc_time& delay) override;
    bool get_direct_mem_ptr(tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) override;
    unsigned transport_dbg(tlm::tlm_generic_payload& payload) override;

private:
    struct Offset;
    /// A message on its way; reused.
    struct Arrival {
        InterruptSink* sink;
        MessageInterrupt message;
        Arrival* next_unused;
    };

    void write(tlm::tlm_generic_payload& payload, Picoseconds arrival);
    void deliver(const MessageInterrupt& message);

    std::vector<std::uint64_t> edges_;
    std::uint64_t total_edges_ = 0;
    std::uint64_t stray_edges_ = 0;
    std::uint64_t message_count_ = 0;
    const std::size_t history_;
    std::deque<LineInterrupt> line_history_;
    std::deque<MessageInterrupt> message_history_;
    std::vector<std::unique_ptr<Offset>> offsets_;
    TimedQueue queue_;
    std::deque<Arrival> arrivals_;
    Arrival* unused_ = nullptr;
};

/// Turns edges into signals for a foreign platform: each edge is a pulse of 1 ns, edges that come faster
/// follow each other with 1 ns between them.
class InterruptSignal : public sc_core::sc_module, public InterruptIf {
public:
    using Out = sc_core::sc_port<sc_core::sc_signal_inout_if<bool>, 1, sc_core::SC_ZERO_OR_MORE_BOUND>;
    sc_core::sc_vector<Out> lines; ///< may stay unbound

    InterruptSignal(sc_core::sc_module_name name, unsigned line_count);
    ~InterruptSignal() override;
    void pulse(unsigned line) override;

private:
    struct Line {
        InterruptSignal* owner = nullptr;
        unsigned index = 0;
        unsigned pending = 0; ///< edges not yet shown
        bool high = false;
        bool busy = false; ///< a step is scheduled
    };
    static void step(void* line);

    std::vector<Line> state_;
    TimedQueue queue_;
};

} // namespace iommusim::soc
