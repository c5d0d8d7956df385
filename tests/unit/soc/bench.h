// The other side of a socket under test: an initiator and a target whose way through the protocol is chosen.
#pragma once

#include "models/base/time.h"
#include "models/core/timed_queue.h"

#include <cstring>
#include <deque>
#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <tlm>
#include <vector>

namespace iommusim::soc::test {

inline void elaborate() {
    sc_core::sc_report_handler::set_actions(sc_core::SC_ID_NO_SC_START_ACTIVITY_, sc_core::SC_DO_NOTHING);
    sc_core::sc_start(sc_core::SC_ZERO_TIME);
}
/// Everything up to and at the time `t` has happened afterwards; sc_start alone leaves out the end time
/// itself.
inline void run_until(Picoseconds t) {
    elaborate();
    if (t > now())
        sc_core::sc_start(to_sc_time(t - now()));
    while (sc_core::sc_pending_activity_at_current_time())
        sc_core::sc_start(sc_core::SC_ZERO_TIME);
}
inline void run_for(Picoseconds t) { run_until(now() + t); }

/// A payload with its data and a memory manager that only counts.
struct TestPayload : tlm::tlm_generic_payload, tlm::tlm_mm_interface {
    explicit TestPayload(tlm::tlm_command command, std::uint64_t address, std::size_t length) : data(length) {
        set_mm(this);
        acquire();
        set_command(command);
        set_address(address);
        set_data_ptr(data.data());
        set_data_length(static_cast<unsigned>(length));
        set_streaming_width(static_cast<unsigned>(length));
    }
    void free(tlm::tlm_generic_payload*) override { freed = true; }

    std::vector<std::uint8_t> data;
    bool freed = false;
};

enum class EndResponse { completed, updated, later };

/// An initiator that records what comes back.
struct TestInitiator : sc_core::sc_module, tlm::tlm_bw_transport_if<> {
    struct Record {
        Picoseconds time; ///< annotated delay included
        tlm::tlm_generic_payload* payload;
        tlm::tlm_phase phase;
    };
    tlm::tlm_initiator_socket<> socket{"socket"};
    EndResponse answer = EndResponse::completed;
    std::vector<Record> records;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> invalidations;
    std::deque<TestPayload> payloads;

    explicit TestInitiator(sc_core::sc_module_name name) : sc_module(name) { socket.bind(*this); }

    TestPayload& make(tlm::tlm_command command, std::uint64_t address, std::size_t length = 64) {
        return payloads.emplace_back(command, address, length);
    }
    TestPayload& read(std::uint64_t address, std::size_t length = 64) {
        return make(tlm::TLM_READ_COMMAND, address, length);
    }
    TestPayload& write(std::uint64_t address, std::uint8_t value, std::size_t length = 64) {
        TestPayload& p = make(tlm::TLM_WRITE_COMMAND, address, length);
        std::fill(p.data.begin(), p.data.end(), value);
        return p;
    }
    /// b_transport; returns the delay it annotated.
    Picoseconds blocking(tlm::tlm_generic_payload& payload, Picoseconds delay = 0) {
        sc_core::sc_time t = to_sc_time(delay);
        socket->b_transport(payload, t);
        return to_picoseconds(t);
    }
    struct Returned {
        tlm::tlm_sync_enum sync;
        tlm::tlm_phase phase;
        Picoseconds delay;
    };
    Returned request(tlm::tlm_generic_payload& payload, Picoseconds delay = 0) {
        return send(payload, tlm::BEGIN_REQ, delay);
    }
    Returned send(tlm::tlm_generic_payload& payload, tlm::tlm_phase phase, Picoseconds delay = 0) {
        sc_core::sc_time t = to_sc_time(delay);
        const tlm::tlm_sync_enum sync = socket->nb_transport_fw(payload, phase, t);
        return {sync, phase, to_picoseconds(t)};
    }
    /// When the payload's response arrived; 0 if it has not.
    Picoseconds response_time(const tlm::tlm_generic_payload& payload) const {
        for (const Record& r : records)
            if (r.payload == &payload && r.phase == tlm::BEGIN_RESP)
                return r.time;
        return 0;
    }

    tlm::tlm_sync_enum nb_transport_bw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                       sc_core::sc_time& delay) override {
        records.push_back({now() + to_picoseconds(delay), &payload, phase});
        if (phase != tlm::BEGIN_RESP || answer == EndResponse::later)
            return tlm::TLM_ACCEPTED;
        if (answer == EndResponse::completed)
            return tlm::TLM_COMPLETED;
        phase = tlm::END_RESP;
        return tlm::TLM_UPDATED;
    }
    void invalidate_direct_mem_ptr(sc_dt::uint64 first, sc_dt::uint64 last) override {
        invalidations.emplace_back(first, last);
    }
};

enum class RequestPath {
    completed,            ///< TLM_COMPLETED
    updated_end_request,  ///< TLM_UPDATED with END_REQ, BEGIN_RESP later
    updated_response,     ///< TLM_UPDATED with BEGIN_RESP
    accepted_end_request, ///< TLM_ACCEPTED, END_REQ later, BEGIN_RESP still later
    accepted_response,    ///< TLM_ACCEPTED, BEGIN_RESP later without END_REQ
    nested_response,      ///< BEGIN_RESP sent inside the call, which returns TLM_ACCEPTED
};

/// A target that answers on the chosen path: END_REQ after `accept_time`, the response after `response_time`,
/// both from the call (annotated where the path returns at once).
struct ScriptedTarget : sc_core::sc_module, tlm::tlm_fw_transport_if<> {
    tlm::tlm_target_socket<> socket{"socket"};
    RequestPath path = RequestPath::updated_end_request;
    Picoseconds accept_time = 0;
    Picoseconds response_time = 100_ns;
    tlm::tlm_response_status status = tlm::TLM_OK_RESPONSE;
    std::function<void(tlm::tlm_generic_payload&)> on_request;

    struct Seen {
        Picoseconds time; ///< annotated delay included
        std::uint64_t address;
        bool write;
    };
    std::vector<Seen> requests;
    std::vector<Picoseconds> end_responses;
    unsigned outstanding = 0;
    unsigned most_outstanding = 0;
    unsigned protocol_errors = 0; ///< a request before END_REQ of the one before
    std::uint64_t granted_first = 0, granted_last = 0xffff;
    std::vector<std::uint8_t> storage = std::vector<std::uint8_t>(0x10000);

    explicit ScriptedTarget(sc_core::sc_module_name name) : sc_module(name), queue("queue") {
        socket.bind(*this);
    }
    ~ScriptedTarget() override { queue.close(); }

    void b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override {
        see(payload, delay);
        payload.set_response_status(status);
        payload.set_dmi_allowed(true);
        delay += to_sc_time(response_time);
    }
    tlm::tlm_sync_enum nb_transport_fw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                       sc_core::sc_time& delay) override {
        if (phase == tlm::END_RESP) {
            end_responses.push_back(now());
            return tlm::TLM_COMPLETED;
        }
        if (request != nullptr)
            ++protocol_errors;
        see(payload, delay);
        payload.set_response_status(status);
        const Picoseconds arrival = now() + to_picoseconds(delay);
        switch (path) {
        case RequestPath::completed:
            delay += to_sc_time(response_time);
            return tlm::TLM_COMPLETED;
        case RequestPath::updated_response:
            delay += to_sc_time(response_time);
            phase = tlm::BEGIN_RESP;
            return tlm::TLM_UPDATED;
        case RequestPath::updated_end_request:
            later(payload, tlm::BEGIN_RESP, arrival + response_time);
            delay += to_sc_time(accept_time);
            phase = tlm::END_REQ;
            return tlm::TLM_UPDATED;
        case RequestPath::accepted_end_request:
            request = &payload;
            later(payload, tlm::END_REQ, arrival + accept_time);
            later(payload, tlm::BEGIN_RESP, arrival + response_time);
            return tlm::TLM_ACCEPTED;
        case RequestPath::accepted_response:
            request = &payload;
            later(payload, tlm::BEGIN_RESP, arrival + response_time);
            return tlm::TLM_ACCEPTED;
        case RequestPath::nested_response: {
            tlm::tlm_phase response = tlm::BEGIN_RESP;
            sc_core::sc_time none = sc_core::SC_ZERO_TIME;
            socket->nb_transport_bw(payload, response, none);
            return tlm::TLM_ACCEPTED;
        }
        }
        return tlm::TLM_ACCEPTED;
    }
    bool get_direct_mem_ptr(tlm::tlm_generic_payload&, tlm::tlm_dmi& dmi) override {
        dmi.init();
        dmi.set_start_address(granted_first);
        dmi.set_end_address(granted_last);
        dmi.set_dmi_ptr(storage.data() + granted_first);
        dmi.set_granted_access(tlm::tlm_dmi::DMI_ACCESS_READ_WRITE);
        dmi.set_read_latency(to_sc_time(response_time));
        dmi.set_write_latency(to_sc_time(response_time));
        return true;
    }
    unsigned transport_dbg(tlm::tlm_generic_payload& payload) override {
        requests.push_back({now(), payload.get_address(), payload.is_write()});
        return payload.get_data_length();
    }

private:
    struct Later {
        ScriptedTarget* target;
        tlm::tlm_generic_payload* payload;
        tlm::tlm_phase phase;
    };
    void see(tlm::tlm_generic_payload& payload, const sc_core::sc_time& delay) {
        requests.push_back({now() + to_picoseconds(delay), payload.get_address(), payload.is_write()});
        if (on_request)
            on_request(payload);
    }
    void later(tlm::tlm_generic_payload& payload, tlm::tlm_phase phase, Picoseconds when) {
        if (phase == tlm::BEGIN_RESP)
            most_outstanding = std::max(most_outstanding, ++outstanding);
        laters.push_back({this, &payload, phase});
        queue.schedule(
            when,
            [](void* argument) {
                auto& l = *static_cast<Later*>(argument);
                ScriptedTarget& t = *l.target;
                if (t.request == l.payload)
                    t.request = nullptr;
                if (l.phase == tlm::BEGIN_RESP)
                    --t.outstanding;
                sc_core::sc_time none = sc_core::SC_ZERO_TIME;
                t.socket->nb_transport_bw(*l.payload, l.phase, none);
            },
            &laters.back());
    }

    tlm::tlm_generic_payload* request = nullptr;
    std::deque<Later> laters;
    TimedQueue queue;
};

} // namespace iommusim::soc::test
