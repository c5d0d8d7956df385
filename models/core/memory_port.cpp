#include "models/core/memory_port.h"

namespace iommusim {

MemoryPort::MemoryPort(const char* name, TimedQueue& queue) : socket(name), queue_(queue) {
    socket.bind(*this);
}

MemoryPort::Hops& MemoryPort::Hops::of(tlm::tlm_generic_payload& payload) {
    Hops* hops = payload.get_extension<Hops>();
    if (!hops) {
        hops = new Hops;
        payload.set_extension(hops);
    }
    return *hops;
}

MemoryPort::OwnPayload& MemoryPort::acquire_payload() {
    if (!unused_) {
        payloads_.push_back(std::make_unique<OwnPayload>(*this));
        unused_ = payloads_.back().get();
    }
    OwnPayload& payload = *unused_;
    unused_ = payload.next_unused;
    payload.acquire();
    payload.set_byte_enable_ptr(nullptr);
    payload.set_dmi_allowed(false);
    payload.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
    return payload;
}

bool MemoryPort::Access::await_ready() {
    if (own_) {
        OwnPayload& payload = port_.acquire_payload();
        payload.set_command(command_);
        payload.set_address(address_);
        payload.set_data_ptr(static_cast<unsigned char*>(data_));
        payload.set_data_length(length_);
        payload.set_streaming_width(length_);
        payload_ = &payload;
        hops_ = &payload.hops;
    }
    if (pace_.timed())
        return false;

    if (pace_.loose()) {
        status_ = port_.forward_at_once(pace_, *payload_);
    } else {
        const unsigned done = port_.socket->transport_dbg(*payload_);
        status_ =
            done == payload_->get_data_length() ? tlm::TLM_OK_RESPONSE : tlm::TLM_ADDRESS_ERROR_RESPONSE;
    }
    return true;
}

void MemoryPort::Access::await_suspend(std::coroutine_handle<> h) {
    if (!own_)
        hops_ = &Hops::of(*payload_);
    hop_ = Hop{&port_, payload_, hops_->innermost, now() + pace_.take(), h, 0};
    hops_->innermost = &hop_;
    if (port_.request_) // request exclusion rule: wait for END_REQ of the one before
        port_.waiting_requests_.push_back(&hop_);
    else
        port_.issue(hop_);
}

tlm::tlm_response_status MemoryPort::Access::await_resume() {
    if (!pace_.timed())
        return status_;
    status_ = payload_->get_response_status();
    hops_->innermost = hop_.outer;
    pace_.spend(hop_.way_back);
    return status_;
}

MemoryPort::Access::~Access() {
    // Not when the simulation is torn down with this access under way: the target may hold the payload then.
    if (own_ && payload_ && status_ != tlm::TLM_INCOMPLETE_RESPONSE)
        payload_->release();
}

void MemoryPort::issue(Hop& hop) {
    tlm::tlm_phase phase = tlm::BEGIN_REQ;
    const Picoseconds current = now();
    sc_core::sc_time t = to_sc_time(hop.earliest > current ? hop.earliest - current : 0);
    request_ = &hop;
    switch (socket->nb_transport_fw(*hop.payload, phase, t)) {
    case tlm::TLM_COMPLETED:
        request_ended();
        finish(hop, to_picoseconds(t));
        break;
    case tlm::TLM_UPDATED:
        request_ended();
        if (phase == tlm::BEGIN_RESP)
            queue_.schedule(now() + to_picoseconds(t), finish_with_end_response, &hop);
        break;
    case tlm::TLM_ACCEPTED:
        break;
    }
}

void MemoryPort::request_ended() {
    request_ = nullptr;
    while (!request_ && !waiting_requests_.empty()) {
        Hop* next = waiting_requests_.front();
        waiting_requests_.pop_front();
        issue(*next);
    }
}

void MemoryPort::finish(Hop& hop, Picoseconds delay) {
    queue_.schedule(now() + delay, resume_coroutine, hop.waiter.address());
}

void MemoryPort::finish_with_end_response(void* argument) {
    Hop& hop = *static_cast<Hop*>(argument);
    tlm::tlm_phase phase = tlm::END_RESP;
    sc_core::sc_time t = sc_core::SC_ZERO_TIME;
    hop.port->socket->nb_transport_fw(*hop.payload, phase, t);
    hop.waiter.resume();
}

tlm::tlm_sync_enum MemoryPort::nb_transport_bw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                               sc_core::sc_time& delay) {
    Hop* const hop = Hops::of(payload).innermost;
    if (phase == tlm::END_REQ) {
        if (request_ == hop)
            request_ended();
        return tlm::TLM_ACCEPTED;
    }
    if (phase == tlm::BEGIN_RESP) {
        if (request_ == hop) // BEGIN_RESP implies END_REQ
            request_ended();
        // The access has taken effect at the target; what is annotated is the way back. The process goes on
        // at once and carries that time along instead of waking up for it.
        hop->way_back = to_picoseconds(delay);
        finish(*hop, 0);
        return tlm::TLM_COMPLETED;
    }
    return tlm::TLM_ACCEPTED; // an ignorable phase
}

tlm::tlm_response_status MemoryPort::read_indirect(Pace& pace, std::uint64_t address, void* data,
                                                   unsigned length) {
    OwnPayload& payload = acquire_payload();
    payload.set_command(tlm::TLM_READ_COMMAND);
    payload.set_address(address);
    payload.set_data_ptr(static_cast<unsigned char*>(data));
    payload.set_data_length(length);
    payload.set_streaming_width(length);
    if (!refused_.covers(address))
        request_direct(payload);
    tlm::tlm_response_status status = tlm::TLM_ADDRESS_ERROR_RESPONSE;
    if (pace.loose())
        status = forward_at_once(pace, payload);
    else if (socket->transport_dbg(payload) == length)
        status = tlm::TLM_OK_RESPONSE;
    payload.release();
    return status;
}

void MemoryPort::request_direct(tlm::tlm_generic_payload& payload) {
    tlm::tlm_dmi grant;
    const bool granted = socket->get_direct_mem_ptr(payload, grant) && grant.is_read_allowed();
    DirectRegion& region = granted ? direct_ : refused_;
    region = DirectRegion{grant.get_start_address(), grant.get_end_address(), grant.get_dmi_ptr(),
                          to_picoseconds(grant.get_read_latency())};
}

void MemoryPort::invalidate_direct_mem_ptr(sc_dt::uint64 first, sc_dt::uint64 last) {
    if (first <= direct_.last && last >= direct_.first)
        direct_ = DirectRegion{};
    refused_ = DirectRegion{}; // what was refused may be granted now
    if (dmi_revoked_)
        dmi_revoked_(dmi_context_, first, last);
}

} // namespace iommusim
