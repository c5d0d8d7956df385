#include "models/soc/interrupt_sink.h"

#include "models/core/requester.h"

#include <cstring>

namespace iommusim::soc {

namespace {
constexpr Picoseconds signal_half_period = 1_ns;
} // namespace

struct InterruptSink::Offset : InterruptIf {
    Offset(InterruptSink& s, unsigned f) : sink(s), first(f) {}
    void pulse(unsigned line) override { sink.pulse(first + line); }
    InterruptSink& sink;
    const unsigned first;
};

InterruptSink::InterruptSink(sc_core::sc_module_name name, unsigned lines, std::size_t history)
    : sc_module(name), messages("messages"), edges_(lines), history_(history), queue_("queue") {
    messages.bind(*this);
}

InterruptSink::~InterruptSink() { queue_.close(); }

InterruptIf& InterruptSink::from(unsigned first) {
    offsets_.push_back(std::make_unique<Offset>(*this, first));
    return *offsets_.back();
}

void InterruptSink::pulse(unsigned line) {
    if (line >= edges_.size()) {
        ++stray_edges_;
        return;
    }
    ++edges_[line];
    ++total_edges_;
    const LineInterrupt interrupt{now(), line};
    if (line_history_.size() == history_ && history_ != 0)
        line_history_.pop_front();
    if (history_ != 0)
        line_history_.push_back(interrupt);
    if (on_line)
        on_line(interrupt);
}

void InterruptSink::deliver(const MessageInterrupt& message) {
    ++message_count_;
    if (message_history_.size() == history_ && history_ != 0)
        message_history_.pop_front();
    if (history_ != 0)
        message_history_.push_back(message);
    if (on_message)
        on_message(message);
}

void InterruptSink::write(tlm::tlm_generic_payload& payload, Picoseconds arrival) {
    if (!payload.is_write()) {
        payload.set_response_status(tlm::TLM_COMMAND_ERROR_RESPONSE);
        return;
    }
    if (payload.get_data_length() != 4 || payload.get_streaming_width() < 4 ||
        payload.get_address() % 4 != 0) {
        payload.set_response_status(tlm::TLM_BURST_ERROR_RESPONSE);
        return;
    }
    if (payload.get_byte_enable_ptr() != nullptr) {
        payload.set_response_status(tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE);
        return;
    }
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
    MessageInterrupt message{arrival, payload.get_address(), 0, 0};
    std::memcpy(&message.data, payload.get_data_ptr(), 4);
    if (const auto* extension = payload.get_extension<RequesterExtension>())
        message.requester = extension->requester.id;
    if (arrival <= now()) {
        deliver(message);
        return;
    }
    Arrival* later = unused_;
    if (later != nullptr) {
        unused_ = later->next_unused;
    } else {
        arrivals_.emplace_back();
        later = &arrivals_.back();
        later->sink = this;
    }
    later->message = message;
    queue_.schedule(
        arrival,
        [](void* argument) {
            auto& a = *static_cast<Arrival*>(argument);
            const MessageInterrupt arrived = a.message;
            a.next_unused = a.sink->unused_;
            a.sink->unused_ = &a;
            a.sink->deliver(arrived);
        },
        later);
}

void InterruptSink::b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
    write(payload, now() + to_picoseconds(delay));
}

tlm::tlm_sync_enum InterruptSink::nb_transport_fw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                                  sc_core::sc_time& delay) {
    if (phase != tlm::BEGIN_REQ)
        return tlm::TLM_ACCEPTED;
    write(payload, now() + to_picoseconds(delay));
    return tlm::TLM_COMPLETED;
}

bool InterruptSink::get_direct_mem_ptr(tlm::tlm_generic_payload&, tlm::tlm_dmi& dmi) {
    dmi.init();
    dmi.set_start_address(0);
    dmi.set_end_address(~0ull);
    dmi.set_granted_access(tlm::tlm_dmi::DMI_ACCESS_NONE);
    return false;
}

unsigned InterruptSink::transport_dbg(tlm::tlm_generic_payload&) { return 0; }

// ---- InterruptSignal

InterruptSignal::InterruptSignal(sc_core::sc_module_name name, unsigned line_count)
    : sc_module(name), lines("lines", line_count), state_(line_count), queue_("queue") {
    for (unsigned i = 0; i < line_count; ++i) {
        state_[i].owner = this;
        state_[i].index = i;
    }
}

InterruptSignal::~InterruptSignal() { queue_.close(); }

void InterruptSignal::pulse(unsigned line) {
    if (line >= state_.size())
        return;
    Line& l = state_[line];
    ++l.pending;
    if (l.busy)
        return;
    l.busy = true;
    queue_.schedule(now(), step, &l);
}

void InterruptSignal::step(void* line) {
    Line& l = *static_cast<Line*>(line);
    if (!l.high && l.pending == 0) {
        l.busy = false;
        return;
    }
    if (!l.high)
        --l.pending;
    l.high = !l.high;
    Out& out = l.owner->lines[l.index];
    if (out.size() != 0)
        out->write(l.high);
    l.owner->queue_.schedule(now() + signal_half_period, step, &l);
}

} // namespace iommusim::soc
