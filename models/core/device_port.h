// The way into a model: one upstream socket through which devices issue DMAs.
//
// Both TLM-2.0 interfaces end in the same pipeline: the port makes a ClientAccess of each payload and hands
// it to its DmaTarget. b_transport runs it to the end in the caller's thread; nb_transport follows the
// four-phase base protocol with many outstanding transactions and holds END_REQ back when its limit is
// reached.
#pragma once

#include "models/core/inflight.h"
#include "models/core/requester.h"
#include "models/core/task.h"
#include "models/core/translation.h"

#include <cstdint>
#include <deque>
#include <memory>
#include <tlm>
#include <vector>

namespace iommusim {

class DevicePort;

/// One DMA on its way through a model.
struct ClientAccess {
    ClientAccess(DevicePort& p, Pacing mode, TimedQueue& queue, Picoseconds offset = 0)
        : port(p), pace(mode, queue, offset) {}
    ClientAccess(const ClientAccess&) = delete;

    DevicePort& port;
    Pace pace;
    tlm::tlm_generic_payload* payload = nullptr;
    Requester requester;
    std::uint64_t address = 0; ///< as the device gave it
    unsigned length = 0;
    bool write = false;
    InflightTable::Entry inflight;

    /// How far the translation of the current piece is.
    enum class Lookup : std::uint8_t { not_begun, missed, answered } lookup = Lookup::not_begun;
    Translation answer; ///< valid if answered
};

/// What a device port needs from its model.
class DmaTarget {
public:
    virtual ~DmaTarget() = default;
    /// A suspended process that carries out the access and ends with DevicePort::respond() if it is timed.
    /// The port starts it when the access arrives.
    virtual Process serve(ClientAccess& access) = 0;
    /// Carries out a loose access that needs no process: a hit inside one page. False: serve() has to go on
    /// with it.
    virtual bool serve_at_once(ClientAccess& access) = 0;
    /// transport_dbg: translated, without time, side effects or cache fills. Returns the bytes moved.
    virtual unsigned debug(DevicePort& port, tlm::tlm_generic_payload& payload) = 0;
    /// Grants direct access to part of one page, or refuses.
    virtual bool grant_dmi(DevicePort& port, tlm::tlm_generic_payload& payload, tlm::tlm_dmi& grant) = 0;
};

Requester requester_of(tlm::tlm_generic_payload& payload);

class DevicePort : public tlm::tlm_fw_transport_if<> {
public:
    /// `index` tells the ports of one model apart; `limit` is the number of accesses accepted before END_REQ
    /// is withheld; `input_latency` passes between arrival and the start of the process.
    DevicePort(const char* name, TimedQueue& queue, DmaTarget& target, unsigned index, std::uint64_t limit,
               Picoseconds input_latency);
    DevicePort(const DevicePort&) = delete;

    tlm::tlm_target_socket<> socket;
    unsigned index() const { return index_; }

    /// Completes a timed access: sends BEGIN_RESP with what the access's pace has not waited out yet as its
    /// delay.
    void respond(ClientAccess& access);

    void revoke_dmi(std::uint64_t first, std::uint64_t last) {
        socket->invalidate_direct_mem_ptr(first, last);
    }

    std::uint64_t outstanding() const { return outstanding_; }

private:
    void b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;
    tlm::tlm_sync_enum nb_transport_fw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                       sc_core::sc_time& delay) override;
    unsigned transport_dbg(tlm::tlm_generic_payload& payload) override;
    bool get_direct_mem_ptr(tlm::tlm_generic_payload& payload, tlm::tlm_dmi& grant) override;

    void accept(tlm::tlm_generic_payload& payload, Picoseconds delay);
    ClientAccess& take_access(Pacing mode, Picoseconds offset);
    void prepare(ClientAccess& access, tlm::tlm_generic_payload& payload);
    struct Response {
        tlm::tlm_generic_payload* payload;
        Picoseconds due;
    };
    void send_response(const Response& response);
    void completed(tlm::tlm_generic_payload& payload);

    TimedQueue& queue_;
    DmaTarget& target_;
    unsigned index_;
    std::uint64_t limit_;
    Picoseconds input_latency_;
    std::uint64_t outstanding_ = 0;
    tlm::tlm_generic_payload* held_request_ = nullptr; ///< accepted by nobody yet: END_REQ outstanding
    Picoseconds held_since_ = 0;
    tlm::tlm_generic_payload* response_ = nullptr; ///< whose END_RESP is outstanding
    std::deque<Response> responses_;               ///< wait for END_RESP of the one before
    std::vector<std::unique_ptr<ClientAccess>> storage_;
    std::vector<ClientAccess*> pool_;
};

} // namespace iommusim
