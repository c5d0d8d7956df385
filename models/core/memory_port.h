// The way out of a model: reads and writes of its own (tables, rings, records) and client accesses passed on.
// One call works in all three paces: nb_transport with the base protocol's ordering and exclusion rules
// (timed), b_transport in the caller's thread (loose), transport_dbg (debug).
#pragma once

#include "models/core/task.h"

#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <tlm>
#include <utility>
#include <vector>

namespace iommusim {

class MemoryPort : public tlm::tlm_bw_transport_if<> {
    /// What this port remembers about a payload under way; lives in the frame of the process that waits for
    /// it.
    struct Hop {
        MemoryPort* port = nullptr;
        tlm::tlm_generic_payload* payload = nullptr;
        Hop* outer = nullptr;     ///< of another port that the payload came through
        Picoseconds earliest = 0; ///< the request is not sent before
        std::coroutine_handle<> waiter;
        Picoseconds way_back = 0; ///< annotated with the response
    };

    /// Leads from a payload to the innermost port that it is on its way through. Stays with the payload,
    /// which frees it; so neither side looks into the other when a simulation is torn down with accesses
    /// under way.
    struct Hops : tlm::tlm_extension<Hops> {
        static Hops& of(tlm::tlm_generic_payload& payload);
        tlm::tlm_extension_base* clone() const override { return new Hops; } // a copy has made no hop yet
        void copy_from(const tlm::tlm_extension_base&) override {}
        Hop* innermost = nullptr;
    };
    struct OwnHops final : Hops {
        void free() override {} // it goes with the payload that it is a member of
    };

    /// A payload of the port's own, pooled.
    struct OwnPayload final : tlm::tlm_generic_payload, tlm::tlm_mm_interface {
        explicit OwnPayload(MemoryPort& p) : port(p) {
            set_mm(this);
            set_extension<Hops>(&hops);
        }
        ~OwnPayload() override { clear_extension<Hops>(); }
        void free(tlm::tlm_generic_payload*) override { next_unused = std::exchange(port.unused_, this); }
        MemoryPort& port;
        OwnPayload* next_unused = nullptr;
        OwnHops hops;
    };

public:
    using DmiRevoked = void (*)(void* context, std::uint64_t first, std::uint64_t last);

    MemoryPort(const char* name, TimedQueue& queue);
    MemoryPort(const MemoryPort&) = delete;

    tlm::tlm_initiator_socket<> socket;

    /// Called when the target revokes direct access.
    void on_dmi_revoked(DmiRevoked callback, void* context) {
        dmi_revoked_ = callback;
        dmi_context_ = context;
    }

    /// Awaitable access; the result is the response status. Data must stay valid until then.
    class Access {
    public:
        Access(MemoryPort& port, Pace& pace, tlm::tlm_command command, std::uint64_t address, void* data,
               unsigned length)
            : port_(port), pace_(pace), data_(data), address_(address), length_(length), command_(command) {}
        Access(MemoryPort& port, Pace& pace, tlm::tlm_generic_payload& client)
            : port_(port), pace_(pace), payload_(&client), own_(false) {}
        Access(const Access&) = delete;
        ~Access();

        bool await_ready();
        void await_suspend(std::coroutine_handle<> h);
        tlm::tlm_response_status await_resume();

    private:
        MemoryPort& port_;
        Pace& pace_;
        void* data_ = nullptr;
        std::uint64_t address_ = 0;
        tlm::tlm_generic_payload* payload_ = nullptr;
        Hops* hops_ = nullptr; ///< of the payload
        unsigned length_ = 0;
        tlm::tlm_command command_ = tlm::TLM_IGNORE_COMMAND;
        bool own_ = true;
        tlm::tlm_response_status status_ = tlm::TLM_INCOMPLETE_RESPONSE;
        Hop hop_;
    };

    Access read(Pace& pace, std::uint64_t address, void* data, unsigned length) {
        return Access(*this, pace, tlm::TLM_READ_COMMAND, address, data, length);
    }
    Access write(Pace& pace, std::uint64_t address, const void* data, unsigned length) {
        return Access(*this, pace, tlm::TLM_WRITE_COMMAND, address, const_cast<void*>(data), length);
    }
    /// A read by a process that never suspends (loose or debug), without the cost of awaiting. Goes through a
    /// direct memory pointer where the target grants one; loosely-timed reads then do not compete for
    /// bandwidth.
    tlm::tlm_response_status read_at_once(Pace& pace, std::uint64_t address, void* data, unsigned length) {
        if (address >= direct_.first && address + (length - 1) <= direct_.last) {
            std::memcpy(data, direct_.pointer + (address - direct_.first), length);
            if (pace.loose())
                pace.spend(direct_.latency);
            return tlm::TLM_OK_RESPONSE;
        }
        return read_indirect(pace, address, data, length);
    }
    /// Passes a client's payload of a loose process on.
    tlm::tlm_response_status forward_at_once(Pace& pace, tlm::tlm_generic_payload& client) {
        sc_core::sc_time delay = to_sc_time(pace.take());
        socket->b_transport(client, delay);
        // A target that waited has used up part of the time; what is left is relative to the kernel's new
        // time.
        pace.set_offset(to_picoseconds(delay));
        return client.get_response_status();
    }
    /// Passes a client's payload on, whose address has been replaced by the translated one.
    Access forward(Pace& pace, tlm::tlm_generic_payload& client) { return Access(*this, pace, client); }

private:
    tlm::tlm_sync_enum nb_transport_bw(tlm::tlm_generic_payload&, tlm::tlm_phase&,
                                       sc_core::sc_time&) override;
    void invalidate_direct_mem_ptr(sc_dt::uint64 first, sc_dt::uint64 last) override;

    /// What the target lets this port read directly; empty at first.
    struct DirectRegion {
        std::uint64_t first = 1;
        std::uint64_t last = 0;
        const unsigned char* pointer = nullptr;
        Picoseconds latency = 0;

        bool covers(std::uint64_t address) const { return address >= first && address <= last; }
    };
    tlm::tlm_response_status read_indirect(Pace& pace, std::uint64_t address, void* data, unsigned length);
    void request_direct(tlm::tlm_generic_payload& payload);

    OwnPayload& acquire_payload();
    void issue(Hop& hop);
    void request_ended();
    void finish(Hop& hop, Picoseconds delay);
    static void finish_with_end_response(void* hop);

    TimedQueue& queue_;
    std::vector<std::unique_ptr<OwnPayload>> payloads_;
    OwnPayload* unused_ = nullptr;      ///< first of a list
    Hop* request_ = nullptr;            ///< the one whose END_REQ is outstanding
    std::deque<Hop*> waiting_requests_; ///< only used with targets that withhold END_REQ
    DirectRegion direct_;
    DirectRegion refused_; ///< where asking again is useless
    DmiRevoked dmi_revoked_ = nullptr;
    void* dmi_context_ = nullptr;
};

} // namespace iommusim
