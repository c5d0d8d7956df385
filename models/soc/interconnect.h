// The network between bus masters and their targets.
//
// Models: an address map, a fixed latency each way, both TLM-2.0 interfaces, direct and debug access.
// Requests and responses keep the one-at-a-time rules of the base protocol on every socket: what must wait,
// waits here, in order of arrival. Does not model: bandwidth (memory and devices have their own), arbitration
// policy, virtual channels, address interleaving. A hop only annotates delay, it never takes a simulation
// event of its own.
//
// Targets see addresses relative to the base of the map entry that routed the access (unless the entry says
// otherwise); the initiator's address is put back before the response travels up. Routes are kept in the
// payload (a private, ignorable extension that stays with a pooled payload) and nest: the same payload may
// pass several interconnects, or one interconnect several times by different targets. C++17: public to
// foreign virtual platforms.
#pragma once

#include "../base/parameters.h"
#include "../base/time.h"
#include "fifo.h"

#include <cstdint>
#include <tlm>
#include <vector>

namespace iommusim::soc {

struct InterconnectParameters {
    InterconnectParameters() { set_defaults(*this); }
    static const std::vector<Parameter<InterconnectParameters>>& table();

    std::uint64_t request_latency;  ///< ps, initiator to target
    std::uint64_t response_latency; ///< ps, target to initiator
};

class Interconnect : public sc_core::sc_module {
public:
    sc_core::sc_vector<tlm::tlm_target_socket<>> upstream;      ///< one per initiator
    sc_core::sc_vector<tlm::tlm_initiator_socket<>> downstream; ///< one per target

    Interconnect(sc_core::sc_module_name name, unsigned initiators, unsigned targets,
                 const InterconnectParameters& parameters = InterconnectParameters());

    /// Accesses inside [base, base + size) go to downstream[target], which sees `base` as its address
    /// `target_base`. A target may have several entries.
    /// Entries that overlap, are empty or name an unknown target are fatal errors. An access that is in no
    /// entry, or leaves the entry it begins in, is answered with TLM_ADDRESS_ERROR_RESPONSE.
    void map(std::uint64_t base, std::uint64_t size, unsigned target, std::uint64_t target_base = 0);

    const InterconnectParameters& parameters() const { return parameters_; }

private:
    using Payload = tlm::tlm_generic_payload;
    static constexpr unsigned nobody = ~0u;

    struct MapEntry {
        std::uint64_t base;
        std::uint64_t size;
        unsigned target;
        std::uint64_t target_base; ///< what the target calls `base`
        std::uint64_t to_target(std::uint64_t address) const { return address - base + target_base; }
    };
    struct WaitingRequest {
        Payload* payload;
        unsigned initiator;
        Picoseconds arrival; ///< at the target
    };
    struct WaitingResponse {
        Payload* payload;
        unsigned target;     ///< that is owed END_RESP, or nobody
        Picoseconds arrival; ///< at the initiator
    };

    struct Upstream : tlm::tlm_fw_transport_if<> {
        Interconnect* owner = nullptr;
        unsigned index = 0;
        MapEntry recent{0, 0, 0, 0}; ///< the map entry that routed the last access
        Payload* response = nullptr; ///< sent to the initiator, END_RESP not yet seen
        unsigned response_target = nobody;
        Fifo<WaitingResponse> waiting;

        void b_transport(Payload& payload, sc_core::sc_time& delay) override;
        tlm::tlm_sync_enum nb_transport_fw(Payload& payload, tlm::tlm_phase& phase,
                                           sc_core::sc_time& delay) override;
        bool get_direct_mem_ptr(Payload& payload, tlm::tlm_dmi& dmi) override;
        unsigned transport_dbg(Payload& payload) override;
    };
    struct Downstream : tlm::tlm_bw_transport_if<> {
        Interconnect* owner = nullptr;
        unsigned index = 0;
        Payload* request = nullptr; ///< sent to the target, END_REQ not yet seen
        Fifo<WaitingRequest> waiting;

        tlm::tlm_sync_enum nb_transport_bw(Payload& payload, tlm::tlm_phase& phase,
                                           sc_core::sc_time& delay) override;
        void invalidate_direct_mem_ptr(sc_dt::uint64 first, sc_dt::uint64 last) override;
    };

    /// The map entry of an access, valid until the next access from the same initiator; nullptr if unmapped.
    const MapEntry* route(Upstream& from, std::uint64_t address, std::uint64_t length) const {
        if (address - from.recent.base >= from.recent.size && !find_route(from, address))
            return nullptr;
        return length <= from.recent.size - (address - from.recent.base) ? &from.recent : nullptr;
    }
    bool find_route(Upstream& from, std::uint64_t address) const;
    tlm::tlm_sync_enum begin_request(Upstream& from, Payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay);
    void end_response(Upstream& from, Payload& payload, sc_core::sc_time& delay);
    void send_waiting_requests(Downstream& to);
    bool respond(Upstream& to, unsigned target, Payload& payload, sc_core::sc_time& delay);
    void send_waiting_responses(Upstream& to);
    void send_end_response(unsigned target, Payload& payload);

    const InterconnectParameters parameters_;
    const sc_core::sc_time request_latency_;
    const sc_core::sc_time response_latency_;
    std::vector<MapEntry> map_;
    std::vector<Upstream> upstream_;
    std::vector<Downstream> downstream_;
};

} // namespace iommusim::soc
