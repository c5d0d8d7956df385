#include "models/core/device_port.h"

namespace iommusim {

Requester requester_of(tlm::tlm_generic_payload& payload) {
    const RequesterExtension* extension = payload.get_extension<RequesterExtension>();
    return extension ? extension->requester : Requester{};
}

DevicePort::DevicePort(const char* name, TimedQueue& queue, DmaTarget& target, unsigned index,
                       std::uint64_t limit, Picoseconds input_latency)
    : socket(name),
      queue_(queue),
      target_(target),
      index_(index),
      limit_(limit),
      input_latency_(input_latency) {
    socket.bind(*this);
}

void DevicePort::prepare(ClientAccess& access, tlm::tlm_generic_payload& payload) {
    access.payload = &payload;
    access.requester = requester_of(payload);
    access.address = payload.get_address();
    access.length = payload.get_data_length();
    access.write = access.inflight.write = payload.is_write();
    access.lookup = ClientAccess::Lookup::not_begun;
    payload.set_dmi_allowed(false);
}

void DevicePort::b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
    ClientAccess& access = take_access(Pacing::loose, to_picoseconds(delay) + input_latency_);
    prepare(access, payload);
    if (!target_.serve_at_once(access))
        target_.serve(access).run_to_end();
    delay = to_sc_time(access.pace.offset());
    pool_.push_back(&access);
}

ClientAccess& DevicePort::take_access(Pacing mode, Picoseconds offset) {
    if (pool_.empty()) {
        storage_.push_back(std::make_unique<ClientAccess>(*this, mode, queue_));
        pool_.push_back(storage_.back().get());
    }
    ClientAccess& access = *pool_.back();
    pool_.pop_back();
    access.pace = Pace(mode, queue_, offset);
    return access;
}

void DevicePort::accept(tlm::tlm_generic_payload& payload, Picoseconds delay) {
    ClientAccess& access = take_access(Pacing::timed, 0);
    prepare(access, payload);
    ++outstanding_;
    target_.serve(access).start(queue_, now() + delay + input_latency_);
}

tlm::tlm_sync_enum DevicePort::nb_transport_fw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                               sc_core::sc_time& delay) {
    if (phase == tlm::BEGIN_REQ) {
        if (payload.has_mm())
            payload.acquire();
        if (outstanding_ < limit_ && !held_request_) {
            accept(payload, to_picoseconds(delay));
            phase = tlm::END_REQ;
            return tlm::TLM_UPDATED;
        }
        held_request_ = &payload;
        held_since_ = now() + to_picoseconds(delay);
        return tlm::TLM_ACCEPTED;
    }
    if (phase == tlm::END_RESP && response_ == &payload) {
        response_ = nullptr;
        completed(payload);
        while (!response_ && !responses_.empty()) {
            const Response next = responses_.front();
            responses_.pop_front();
            send_response(next);
        }
        return tlm::TLM_COMPLETED;
    }
    return tlm::TLM_ACCEPTED; // an ignorable phase
}

void DevicePort::respond(ClientAccess& access) {
    const Response response{access.payload, now() + access.pace.take()};
    access.payload = nullptr;
    pool_.push_back(&access);
    if (response_)
        responses_.push_back(response);
    else
        send_response(response);
}

void DevicePort::send_response(const Response& response) {
    tlm::tlm_generic_payload& payload = *response.payload;
    tlm::tlm_phase phase = tlm::BEGIN_RESP;
    const Picoseconds current = now();
    sc_core::sc_time t = to_sc_time(response.due > current ? response.due - current : 0);
    response_ = &payload;
    const tlm::tlm_sync_enum status = socket->nb_transport_bw(payload, phase, t);
    const bool ended = status == tlm::TLM_COMPLETED || (status == tlm::TLM_UPDATED && phase == tlm::END_RESP);
    if (ended && response_ == &payload) {
        response_ = nullptr;
        completed(payload);
    }
}

void DevicePort::completed(tlm::tlm_generic_payload& payload) {
    --outstanding_;
    if (payload.has_mm())
        payload.release();
    if (held_request_ && outstanding_ < limit_) {
        tlm::tlm_generic_payload& held = *held_request_;
        held_request_ = nullptr;
        const Picoseconds current = now();
        accept(held, held_since_ > current ? held_since_ - current : 0);
        tlm::tlm_phase phase = tlm::END_REQ;
        sc_core::sc_time t = sc_core::SC_ZERO_TIME;
        socket->nb_transport_bw(held, phase, t);
    }
}

unsigned DevicePort::transport_dbg(tlm::tlm_generic_payload& payload) {
    return target_.debug(*this, payload);
}

bool DevicePort::get_direct_mem_ptr(tlm::tlm_generic_payload& payload, tlm::tlm_dmi& grant) {
    return target_.grant_dmi(*this, payload, grant);
}

} // namespace iommusim
