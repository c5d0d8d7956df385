#include "models/soc/interconnect.h"

#include <algorithm>
#include <array>

namespace iommusim::soc {

namespace {

/// The interconnect hops that a payload has made and that have not yet seen its response, outermost first.
class Route : public tlm::tlm_extension<Route> {
public:
    struct Hop {
        const Interconnect* at;
        unsigned initiator;
        unsigned target;
        std::uint64_t address; ///< as the initiator gave it
    };

    static Route& of(tlm::tlm_generic_payload& payload) {
        Route* route = payload.get_extension<Route>();
        if (route == nullptr) {
            route = new Route; // stays with the payload and is freed by its destructor
            payload.set_extension(route);
        }
        return *route;
    }

    // A copy of a payload has made no hop yet.
    tlm::tlm_extension_base* clone() const override { return new Route; }
    void copy_from(const tlm::tlm_extension_base&) override {}

    void push(const Hop& hop) {
        if (depth_ == hops_.size())
            SC_REPORT_FATAL("iommusim::soc::Interconnect", "a transaction passes more than 16 interconnects");
        hops_[depth_++] = hop;
    }
    /// The innermost hop that leads to this target, or nullptr.
    const Hop* find(const Interconnect& at, unsigned target) const {
        for (std::size_t i = depth_; i-- > 0;)
            if (hops_[i].at == &at && hops_[i].target == target)
                return &hops_[i];
        return nullptr;
    }
    void remove(const Hop* hop) {
        const auto position = hop - hops_.data();
        if (static_cast<std::size_t>(position) + 1 < depth_)
            std::copy(hops_.begin() + position + 1, hops_.begin() + static_cast<std::ptrdiff_t>(depth_),
                      hops_.begin() + position);
        --depth_;
    }

private:
    std::array<Hop, 16> hops_;
    std::size_t depth_ = 0;
};

bool ends_response(tlm::tlm_sync_enum result, const tlm::tlm_phase& phase) {
    return result == tlm::TLM_COMPLETED || (result == tlm::TLM_UPDATED && phase == tlm::END_RESP);
}

sc_core::sc_time time_until(Picoseconds when) {
    const Picoseconds current = now();
    return to_sc_time(when > current ? when - current : 0);
}

/// Translates [first, last] of a target into initiators' addresses, clipped to the map entry. False if
/// nothing is left.
template <class Entry> bool to_initiator_range(const Entry& e, std::uint64_t& first, std::uint64_t& last) {
    const std::uint64_t lowest = e.target_base;
    const std::uint64_t highest = e.target_base + (e.size - 1);
    if (first > highest || last < lowest)
        return false;
    first = std::max(first, lowest) - e.target_base + e.base;
    last = std::min(last, highest) - e.target_base + e.base;
    return true;
}

} // namespace

const std::vector<Parameter<InterconnectParameters>>& InterconnectParameters::table() {
    using P = InterconnectParameters;
    static const std::vector<Parameter<P>> rows = {
        {{"request_latency", Unit::picoseconds, 10'000, 0, 1'000'000'000, Provenance::chosen,
          "some twenty cycles of a 2 GHz mesh", "from an initiator to a target"},
         &P::request_latency},
        {{"response_latency", Unit::picoseconds, 10'000, 0, 1'000'000'000, Provenance::chosen,
          "some twenty cycles of a 2 GHz mesh", "from a target back to the initiator"},
         &P::response_latency},
    };
    return rows;
}

Interconnect::Interconnect(sc_core::sc_module_name name, unsigned initiators, unsigned targets,
                           const InterconnectParameters& parameters)
    : sc_module(name),
      upstream("upstream", initiators),
      downstream("downstream", targets),
      parameters_(parameters),
      request_latency_(to_sc_time(parameters.request_latency)),
      response_latency_(to_sc_time(parameters.response_latency)),
      upstream_(initiators),
      downstream_(targets) {
    require_picosecond_resolution(this->name());
    const std::string violation = first_violation(parameters_);
    if (!violation.empty())
        SC_REPORT_FATAL(this->name(), violation.c_str());
    for (unsigned i = 0; i < initiators; ++i) {
        upstream_[i].owner = this;
        upstream_[i].index = i;
        upstream[i].bind(upstream_[i]);
    }
    for (unsigned t = 0; t < targets; ++t) {
        downstream_[t].owner = this;
        downstream_[t].index = t;
        downstream[t].bind(downstream_[t]);
    }
}

void Interconnect::map(std::uint64_t base, std::uint64_t size, unsigned target, std::uint64_t target_base) {
    if (size == 0 || size - 1 > ~base || size - 1 > ~target_base || target >= downstream_.size()) {
        SC_REPORT_FATAL(this->name(), "map entry is empty, wraps around, or names an unknown target");
        return;
    }
    for (const MapEntry& e : map_)
        if (base <= e.base + (e.size - 1) && e.base <= base + (size - 1))
            SC_REPORT_FATAL(this->name(), "map entries overlap");
    map_.push_back(MapEntry{base, size, target, target_base});
}

bool Interconnect::find_route(Upstream& from, std::uint64_t address) const {
    for (const MapEntry& e : map_)
        if (address - e.base < e.size) {
            from.recent = e;
            return true;
        }
    return false;
}

// ---- loosely-timed, direct and debug access

void Interconnect::Upstream::b_transport(Payload& payload, sc_core::sc_time& delay) {
    const std::uint64_t address = payload.get_address();
    const MapEntry* e = owner->route(*this, address, payload.get_data_length());
    delay += owner->request_latency_;
    if (e == nullptr) {
        payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    } else {
        payload.set_address(e->to_target(address));
        owner->downstream[e->target]->b_transport(payload, delay);
        payload.set_address(address);
    }
    delay += owner->response_latency_;
}

bool Interconnect::Upstream::get_direct_mem_ptr(Payload& payload, tlm::tlm_dmi& dmi) {
    const std::uint64_t address = payload.get_address();
    const MapEntry* found = owner->route(*this, address, 1);
    if (found == nullptr) {
        dmi.init();
        dmi.set_start_address(address);
        dmi.set_end_address(address);
        dmi.set_granted_access(tlm::tlm_dmi::DMI_ACCESS_NONE);
        return false;
    }
    const MapEntry e = *found;
    payload.set_address(e.to_target(address));
    const bool granted = owner->downstream[e.target]->get_direct_mem_ptr(payload, dmi);
    payload.set_address(address);
    const std::uint64_t granted_first = dmi.get_start_address();
    std::uint64_t first = granted_first;
    std::uint64_t last = dmi.get_end_address();
    if (!to_initiator_range(e, first, last))
        first = last = address;
    else if (dmi.get_dmi_ptr() != nullptr) // points to the first byte of what is granted
        dmi.set_dmi_ptr(dmi.get_dmi_ptr() + (e.to_target(first) - granted_first));
    dmi.set_start_address(first);
    dmi.set_end_address(last);
    const sc_core::sc_time both_ways = owner->request_latency_ + owner->response_latency_;
    dmi.set_read_latency(dmi.get_read_latency() + both_ways);
    dmi.set_write_latency(dmi.get_write_latency() + both_ways);
    return granted;
}

unsigned Interconnect::Upstream::transport_dbg(Payload& payload) {
    const std::uint64_t address = payload.get_address();
    const unsigned length = payload.get_data_length();
    const MapEntry* found = owner->route(*this, address, 1);
    if (found == nullptr)
        return 0;
    const MapEntry e = *found;
    payload.set_address(e.to_target(address));
    payload.set_data_length(
        static_cast<unsigned>(std::min<std::uint64_t>(length, e.size - (address - e.base))));
    const unsigned moved = owner->downstream[e.target]->transport_dbg(payload);
    payload.set_address(address);
    payload.set_data_length(length);
    return moved;
}

void Interconnect::Downstream::invalidate_direct_mem_ptr(sc_dt::uint64 first, sc_dt::uint64 last) {
    for (std::size_t i = 0; i < owner->map_.size(); ++i) {
        const MapEntry e = owner->map_[i];
        std::uint64_t from = first;
        std::uint64_t to = last;
        if (e.target != index || !to_initiator_range(e, from, to))
            continue;
        for (auto& socket : owner->upstream)
            socket->invalidate_direct_mem_ptr(from, to);
    }
}

// ---- approximately-timed: requests

tlm::tlm_sync_enum Interconnect::Upstream::nb_transport_fw(Payload& payload, tlm::tlm_phase& phase,
                                                           sc_core::sc_time& delay) {
    if (phase == tlm::BEGIN_REQ)
        return owner->begin_request(*this, payload, phase, delay);
    if (phase == tlm::END_RESP) {
        owner->end_response(*this, payload, delay);
        return tlm::TLM_COMPLETED;
    }
    return tlm::TLM_ACCEPTED; // phases of other protocols are ignorable
}

tlm::tlm_sync_enum Interconnect::begin_request(Upstream& from, Payload& payload, tlm::tlm_phase& phase,
                                               sc_core::sc_time& delay) {
    const std::uint64_t address = payload.get_address();
    const MapEntry* e = route(from, address, payload.get_data_length());
    if (e == nullptr) {
        payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
        delay += request_latency_ + response_latency_;
        return tlm::TLM_COMPLETED;
    }
    Downstream& to = downstream_[e->target];
    Route& taken = Route::of(payload);
    taken.push(Route::Hop{this, from.index, to.index, address});
    payload.set_address(e->to_target(address));
    sc_core::sc_time onward = delay + request_latency_;
    if (to.request != nullptr || !to.waiting.empty()) {
        to.waiting.push(WaitingRequest{&payload, from.index, now() + to_picoseconds(onward)});
        return tlm::TLM_ACCEPTED;
    }
    to.request = &payload;
    const tlm::tlm_sync_enum result = downstream[to.index]->nb_transport_fw(payload, phase, onward);
    if (result == tlm::TLM_ACCEPTED)
        return tlm::TLM_ACCEPTED;
    to.request = nullptr;
    if (result == tlm::TLM_UPDATED && phase == tlm::END_REQ) {
        // The request has left the initiator when it arrived here; the way to the target is a pipeline.
        if (!to.waiting.empty())
            send_waiting_requests(to);
        return tlm::TLM_UPDATED;
    }
    taken.remove(taken.find(*this, to.index));
    payload.set_address(address);
    onward += response_latency_;
    tlm::tlm_sync_enum answer = result;
    if (result == tlm::TLM_UPDATED && from.response != nullptr) {
        from.waiting.push(WaitingResponse{&payload, to.index, now() + to_picoseconds(onward)});
        phase = tlm::END_REQ;
    } else {
        delay = onward;
        if (result == tlm::TLM_UPDATED) {
            from.response = &payload;
            from.response_target = to.index;
        }
    }
    if (!to.waiting.empty())
        send_waiting_requests(to);
    return answer;
}

void Interconnect::send_waiting_requests(Downstream& to) {
    while (to.request == nullptr && !to.waiting.empty()) {
        const WaitingRequest w = to.waiting.pop();
        Payload& payload = *w.payload;
        Upstream& from = upstream_[w.initiator];
        tlm::tlm_phase phase = tlm::BEGIN_REQ;
        sc_core::sc_time delay = time_until(w.arrival);
        to.request = &payload;
        const tlm::tlm_sync_enum result = downstream[to.index]->nb_transport_fw(payload, phase, delay);
        if (result == tlm::TLM_ACCEPTED)
            continue;
        to.request = nullptr;
        if (result == tlm::TLM_UPDATED && phase == tlm::END_REQ) {
            delay = sc_core::SC_ZERO_TIME;
            upstream[from.index]->nb_transport_bw(payload, phase, delay);
            continue;
        }
        Route& taken = Route::of(payload);
        const Route::Hop* hop = taken.find(*this, to.index);
        payload.set_address(hop->address);
        taken.remove(hop);
        delay += response_latency_;
        const unsigned owed = result == tlm::TLM_UPDATED ? to.index : nobody;
        if (respond(from, owed, payload, delay))
            send_end_response(owed, payload);
    }
}

// ---- approximately-timed: responses

tlm::tlm_sync_enum Interconnect::Downstream::nb_transport_bw(Payload& payload, tlm::tlm_phase& phase,
                                                             sc_core::sc_time& delay) {
    const bool ends_request = request == &payload;
    if (ends_request)
        request = nullptr;
    tlm::tlm_sync_enum answer = tlm::TLM_ACCEPTED;
    if (phase == tlm::END_REQ || phase == tlm::BEGIN_RESP) {
        Route& taken = Route::of(payload);
        const Route::Hop* hop = taken.find(*owner, index);
        if (hop == nullptr)
            return tlm::TLM_ACCEPTED; // not a transaction of ours
        const unsigned initiator = hop->initiator;
        if (phase == tlm::END_REQ) {
            owner->upstream[initiator]->nb_transport_bw(payload, phase, delay);
        } else {
            payload.set_address(hop->address);
            taken.remove(hop);
            delay += owner->response_latency_;
            if (owner->respond(owner->upstream_[initiator], index, payload, delay))
                answer = tlm::TLM_COMPLETED;
        }
    }
    if (ends_request && !waiting.empty())
        owner->send_waiting_requests(*this);
    return answer;
}

/// Sends a response up, or keeps it until the initiator has ended the one before. True when it has ended;
/// otherwise `target` gets END_RESP later.
bool Interconnect::respond(Upstream& to, unsigned target, Payload& payload, sc_core::sc_time& delay) {
    if (to.response != nullptr || !to.waiting.empty()) {
        to.waiting.push(WaitingResponse{&payload, target, now() + to_picoseconds(delay)});
        return false;
    }
    to.response = &payload;
    to.response_target = target;
    tlm::tlm_phase phase = tlm::BEGIN_RESP;
    if (!ends_response(upstream[to.index]->nb_transport_bw(payload, phase, delay), phase))
        return false;
    to.response = nullptr;
    if (!to.waiting.empty())
        send_waiting_responses(to);
    return true;
}

void Interconnect::send_waiting_responses(Upstream& to) {
    while (to.response == nullptr && !to.waiting.empty()) {
        const WaitingResponse w = to.waiting.pop();
        to.response = w.payload;
        to.response_target = w.target;
        tlm::tlm_phase phase = tlm::BEGIN_RESP;
        sc_core::sc_time delay = time_until(w.arrival);
        if (!ends_response(upstream[to.index]->nb_transport_bw(*w.payload, phase, delay), phase))
            continue;
        to.response = nullptr;
        send_end_response(w.target, *w.payload);
    }
}

void Interconnect::end_response(Upstream& from, Payload& payload, sc_core::sc_time& delay) {
    if (from.response != &payload)
        return;
    const unsigned target = from.response_target;
    from.response = nullptr;
    if (target != nobody) {
        tlm::tlm_phase phase = tlm::END_RESP;
        downstream[target]->nb_transport_fw(payload, phase, delay);
    }
    if (!from.waiting.empty())
        send_waiting_responses(from);
}

void Interconnect::send_end_response(unsigned target, Payload& payload) {
    if (target == nobody)
        return;
    tlm::tlm_phase phase = tlm::END_RESP;
    sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
    downstream[target]->nb_transport_fw(payload, phase, delay);
}

} // namespace iommusim::soc
