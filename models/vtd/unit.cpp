#include "models/vtd/unit.h"

#include "models/core/count.h"
#include "models/vtd/spec/faults.h"
#include "models/vtd/spec/interrupts.h"

#include <cstring>
#include <string>

namespace iommusim::vtd {

using namespace spec;

namespace {

/// With a PASID the request says so itself; without, the context entry decides (RID_PRIV).
bool privileged(const Requester& requester, const Configuration& c) {
    return requester.has_pasid ? requester.privileged : c.privileged;
}

/// What an entry lets the access do, whatever its privilege: user_read and user_write.
unsigned rights_of(const IotlbEntry& entry, bool supervisor) {
    static_assert(supervisor_read == user_read << 2 && supervisor_write == user_write << 2);
    return supervisor ? entry.permissions >> 2 : entry.permissions;
}

/// Accesses without PASID to the window are never DMA.
bool is_interrupt_request(const Requester& requester, std::uint64_t address) {
    return in_interrupt_window(address) && !requester.has_pasid &&
           requester.address_type == AddressType::untranslated;
}

/// A translation request asks for both rights: what it gets, the device may use without asking again.
WalkRequest walk_request(const ClientAccess& access, std::uint64_t address, const Configuration& c) {
    const bool translation_request = access.requester.address_type == AddressType::translation_request;
    WalkRequest request;
    request.address = address;
    request.write = access.write || translation_request;
    request.privileged = privileged(access.requester, c);
    request.updates = !access.pace.debug();
    request.either = translation_request;
    return request;
}

} // namespace

Unit::Port::Port(unsigned index, const Parameters& p, TimedQueue& queue, DmaTarget& target)
    : device(("device" + std::to_string(index)).c_str(), queue, target, index, p.port_outstanding,
             p.input_latency),
      memory(("memory" + std::to_string(index)).c_str(), queue) {}

Unit::Unit(const Parameters& parameters, TimedQueue& queue, Devices& devices)
    : TranslationUnit(queue),
      parameters_(parameters),
      features_(features_of(parameters)),
      registers_(features_, *this),
      walker_("walker", queue),
      messages_(walker_, queue, processes()),
      faults_(registers_, messages_),
      configurations_(parameters_, features_, registers_, walker_, queue),
      walks_(parameters_, features_, walker_, queue),
      iotlb_(parameters.iotlb_entries, parameters.iotlb_ways,
             static_cast<Replacement>(parameters.replacement),
             {tag::of_domain, tag::of_domain_kind, tag::of_pasid}),
      misses_(queue),
      miss_slots_(queue, "miss slot", parameters.miss_slots),
      interrupts_(parameters_, features_, registers_, walker_, messages_, queue),
      ats_(*this),
      page_requests_(registers_, configurations_, faults_, walker_, messages_, devices, inflight_, *this,
                     queue, processes()),
      invalidations_(parameters_, registers_, walker_, messages_, faults_, *this, inflight_, &devices,
                     &page_requests_, queue, processes()),
      register_invalidation_(parameters_, registers_, *this, inflight_, queue, processes()) {
    for (unsigned i = 0; i < parameters.device_ports; ++i)
        ports_.push_back(std::make_unique<Port>(i, parameters_, queue, *this));
    if (parameters.read_window != 0 || parameters.write_window != 0)
        for (unsigned i = 0; i < parameters.device_ports; ++i) {
            PortOrder& port = orders_.emplace_back();
            if (parameters.read_window != 0)
                port.reads = std::make_unique<TranslationOrder>(queue, "read window", parameters.read_window);
            if (parameters.write_window != 0)
                port.writes =
                    std::make_unique<TranslationOrder>(queue, "write window", parameters.write_window);
        }
    // A revocation downstream does not say which input addresses it concerns: all grants go.
    const MemoryPort::DmiRevoked revoked = [](void* self, std::uint64_t, std::uint64_t) {
        static_cast<Unit*>(self)->revoke_all_dmi();
    };
    for (const std::unique_ptr<Port>& port : ports_)
        port->memory.on_dmi_revoked(revoked, this);
}

Unit::~Unit() {
    // No process may outlive what it refers to; the module has closed the queue before.
    processes().destroy_all();
}

// ---- answers

[[gnu::always_inline]] inline void Unit::answer_hit(Translation& t, bool supervisor, const IotlbEntry& entry,
                                                    std::uint64_t address, const char* served_by) const {
    const std::uint64_t within = address & (entry.size() - 1);
    t.outcome = Translation::Outcome::pass;
    t.permission_fault = false;
    const unsigned rights = rights_of(entry, supervisor);
    t.may_read = rights & user_read;
    // Direct and translated writes do not come by again to leave their mark in the tables.
    t.may_write = entry.dirty & ((rights & user_write) != 0);
    t.output = entry.output + within;
    t.first = address - within;
    t.last = t.first + (entry.size() - 1);
    t.served_by = served_by;
    t.cached_at = entry.filled_at;
    t.fault = "";
}

/// Output equals input: translation disabled, pass-through, translated requests. Never the interrupt window,
/// which is no memory.
void Unit::answer_identity(Translation& t, std::uint64_t address, const char* served_by) const {
    t = Translation{};
    t.served_by = served_by;
    const std::uint64_t limit = low_bits(features_.host_address_bits);
    if (address > limit || in_interrupt_window(address))
        return;
    t.outcome = Translation::Outcome::pass;
    t.may_read = t.may_write = true;
    t.output = address;
    t.first = address > interrupt_window_last ? interrupt_window_last + 1 : 0;
    t.last = address < interrupt_window_first ? interrupt_window_first - 1 : limit;
    t.cached_at = now();
}

[[gnu::always_inline]] inline void Unit::depend_on(InflightTable::Entry& inflight, std::uint64_t address,
                                                   const IotlbEntry& entry) const {
    inflight.tag.context = entry.context;
    inflight.insists = Tag{~0ull, ~0ull};
    inflight.address = align_down(address, entry.size());
    inflight.last = inflight.address + (entry.size() - 1);
    inflight.table_address = 1; // the walk is over
    inflight.table_last = 0;
    inflight.has_translation = true;
}

// ---- the way of a request (chapter 3.14, "request processing")

bool Unit::answered_without_tables(ClientAccess& access, std::uint64_t address, Translation& answer) {
    const Requester& requester = access.requester;
    if (translation_enabled_ && requester.address_type == AddressType::translation_request &&
        in_interrupt_window(address) && !requester.has_pasid) {
        answer_identity(answer, interrupt_window_last + 1, "interrupt window");
        answer.first = interrupt_window_first; // writes only, and never by the device's own translation
        answer.last = interrupt_window_last;
        answer.output = address;
        answer.may_read = false;
        answer.untranslated_only = true;
        return true;
    }
    if (translation_enabled_ || is_interrupt_request(requester, address))
        return false;
    if (requester.address_type == AddressType::translation_request) {
        answer = Translation{};
        answer.unsupported = true;
    } else {
        answer_identity(answer, address, "translation disabled");
    }
    return true;
}

[[gnu::always_inline]] inline bool Unit::answered_without_walk(ClientAccess& access, std::uint64_t address,
                                                               const Configuration& c, bool debug,
                                                               Translation& answer) {
    Pace& pace = access.pace;
    const Requester& requester = access.requester;
    InflightTable::Entry& inflight = access.inflight;
    if (!c.translates() || requester.address_type == AddressType::translated) {
        if (c.kind == Configuration::Kind::fault) {
            answer_fault(access, address, c.reason, c, answer);
        } else if (c.kind == Configuration::Kind::abort) {
            answer = Translation{};
        } else if (in_interrupt_window(address)) { // with a PASID, or translated
            answer_fault(access, address,
                         c.scalable ? fault_reason::sm_output_in_interrupt_range
                                    : fault_reason::legacy_output_in_interrupt_range,
                         c, answer);
        } else {
            inflight.tag.context = c.context_tag();
            inflight.insists = Tag{~0ull, ~0ull};
            inflight.address = 0;
            inflight.last = ~0ull;
            inflight.has_translation = c.kind == Configuration::Kind::pass_through;
            answer_identity(answer, address,
                            requester.address_type == AddressType::translated ? "device TLB"
                                                                              : "pass-through");
            if (answer.outcome != Translation::Outcome::pass)
                answer_fault(access, address,
                             c.scalable ? fault_reason::sm_address_beyond_hardware
                                        : fault_reason::legacy_address_beyond_width,
                             c, answer);
        }
        return true;
    }
    if (debug)
        return false;
    const bool supervisor = privileged(requester, c);
    pace.spend(parameters_.iotlb_latency);
    const IotlbEntry* const hit = iotlb_.find(address, Tag{c.context_tag(), 0});
    if (!hit)
        return false;
    if (hit->reason != 0) {
        depend_on(inflight, address, *hit);
        answer_fault(access, address, cached_fault(*hit, access.write), c, answer);
        return true;
    }
    // A right that the entry does not give may have been granted meanwhile, and a first write has to leave
    // its mark in the tables: the walk decides.
    const unsigned rights = rights_of(*hit, supervisor);
    if (requester.address_type == AddressType::translation_request) {
        if (!hit->dirty && (rights & user_write))
            return false;
        if (!(rights & (user_read | user_write)))
            return false;
    } else if (access.write ? !(rights & user_write) || !hit->dirty : !(rights & user_read)) {
        return false;
    }
    depend_on(inflight, address, *hit);
    answer_hit(answer, supervisor, *hit, address, "IOTLB");
    return true;
}

bool Unit::translate_at_once(ClientAccess& access, std::uint64_t address, Translation& answer) {
    const Requester& requester = access.requester;
    access.inflight.tag.owner = tag::owner(requester.id, requester.has_pasid, requester.pasid);
    if (requester.address_type == AddressType::translated) [[unlikely]]
        access.inflight.tag.owner |= tag::translated;
    access.inflight.has_translation = false; // what came before a page end is observable by now
    bool answered = false;
    if (!translation_enabled_ || in_interrupt_window(address)) { // the rest needs tables
        answered = answered_without_tables(access, address, answer);
        if (!answered && is_interrupt_request(requester, address))
            return false;
    }
    if (!answered) {
        const Configuration* const c = configurations_.find(access.pace, requester);
        if (!c)
            return false; // always so for debug accesses
        access.inflight.tag.owner |= std::uint64_t{c->domain} << tag::owner_domain_shift;
        answered = answered_without_walk(access, address, *c, false, answer);
    }
    if (answered && protected_)
        protect(answer, address, access.length);
    return answered;
}

/// The walk is over.
[[gnu::always_inline]] inline void Unit::finish(ClientAccess& access, std::uint64_t address,
                                                const Configuration& c, const WalkResult& result,
                                                Translation& answer) {
    const IotlbEntry& entry = result.entry;
    InflightTable::Entry& inflight = access.inflight;
    const bool keep = !access.pace.debug() && !inflight.stale && (result.reason == 0 || result.cacheable);
    if (keep)
        iotlb_.insert(address, entry.size_log2, Tag{entry.context, 0}, Tag{~tag::global, 0}, entry);
    if (result.reason != 0) {
        answer_fault(access, address, result.reason, c, answer);
    } else {
        depend_on(inflight, address, entry);
        answer_hit(answer, privileged(access.requester, c), entry, address, "walk");
    }
}

Task<Translation> Unit::translate(ClientAccess& access, std::uint64_t address) {
    Pace& pace = access.pace;
    const Requester& requester = access.requester;
    InflightTable::Entry& inflight = access.inflight;
    Translation answer;
    if (is_interrupt_request(requester, address)) {
        std::uint32_t data = 0;
        if (!access.write || access.length != 4 || (address & 3) != 0) {
            InterruptOutcome blocked;
            blocked.reason = fault_reason::ir_invalid_request;
            answer_interrupt(access, address, blocked, answer);
            co_return answer;
        }
        std::memcpy(&data, access.payload->get_data_ptr(), 4);
        inflight.tag.context = tag::interrupt_request;
        const InterruptOutcome outcome = co_await interrupts_.remap(
            pace, static_cast<std::uint16_t>(requester.id), address, data, inflight);
        answer_interrupt(access, address, outcome, answer);
        co_return answer;
    }

    // Equal misses are merged: the others wait for the first and look again. If it left nothing, they walk.
    const std::uint64_t owner = tag::owner(requester.id, requester.has_pasid, requester.pasid);
    while (MissTable::Miss* const same = misses_.find(address >> 12, owner)) {
        ++misses_.merged;
        pace.take(); // the wait is longer than the lookup before it
        const std::uint64_t before = iotlb_.statistics().fills;
        co_await same->done().wait();
        const bool answered = translate_at_once(access, address, answer);
        if (answered)
            co_return answer;
        if (iotlb_.statistics().fills == before)
            break;
    }
    const MissTable::Miss miss(misses_, address >> 12, owner);
    const Resource::Slot slot = co_await miss_slots_.acquire(pace);
    Configuration configuration;
    if (const Configuration* const known = configurations_.find(pace, requester))
        configuration = *known;
    else
        configuration = co_await configurations_.fetch(pace, requester, inflight.stale);
    inflight.tag.owner |= std::uint64_t{configuration.domain} << tag::owner_domain_shift;
    const bool answered = answered_without_walk(access, address, configuration, false, answer);
    if (!answered) {
        const WalkRequest request = walk_request(access, address, configuration);
        WalkResult result;
        co_await walks_.walk(pace, configuration, request, inflight, result);
        finish(access, address, configuration, result, answer);
    }
    if (protected_)
        protect(answer, address, access.length);
    co_return answer;
}

[[gnu::always_inline]] inline void Unit::walk_untimed(ClientAccess& access, std::uint64_t address,
                                                      const Configuration& c, Translation& answer) {
    access.inflight.tag.owner |= std::uint64_t{c.domain} << tag::owner_domain_shift;
    if (!answered_without_walk(access, address, c, access.pace.debug(), answer)) {
        const WalkRequest request = walk_request(access, address, c);
        WalkResult result;
        walks_.walk_at_once(access.pace, c, request, access.inflight, result);
        finish(access, address, c, result, answer);
    }
    if (protected_)
        protect(answer, address, access.length);
}

void Unit::translate_untimed(ClientAccess& access, std::uint64_t address, Translation& answer) {
    const Requester& requester = access.requester;
    if (is_interrupt_request(requester, address)) {
        if (access.pace.debug()) { // interrupts are no memory to look at
            answer = Translation{};
            return;
        }
        answer = translate(access, address).run_now();
        return;
    }
    if (!access.pace.debug()) {
        if (const Configuration* const known = configurations_.find(access.pace, requester)) {
            // A copy: a foreign memory may wait in the walk, and others may replace the cached one meanwhile.
            const Configuration configuration = *known;
            walk_untimed(access, address, configuration, answer);
            return;
        }
    }
    const Configuration fetched =
        configurations_.fetch(access.pace, requester, access.inflight.stale).run_now();
    walk_untimed(access, address, fetched, answer);
}

Statistics Unit::statistics() const {
    Statistics s;
    add_cache(s, "iommu.context_cache", configurations_.context_statistics());
    add_cache(s, "iommu.pasid_cache", configurations_.pasid_statistics());
    add_cache(s, "iommu.iotlb", iotlb_.statistics());
    for (unsigned level = 2; level <= PageWalk::levels; ++level) {
        add_cache(s, "iommu.second_stage_cache.l" + std::to_string(level),
                  walks_.second_stage_statistics(level));
        add_cache(s, "iommu.first_stage_cache.l" + std::to_string(level),
                  walks_.first_stage_statistics(level));
    }
    add_cache(s, "iommu.interrupt_cache", interrupts_.cache_statistics());
    add_count(s, "iommu.merged_misses", misses_.merged);
    add_count(s, "iommu.walks", walks_.walks());
    add_count(s, "iommu.walk_reads", walks_.entry_reads());
    add_count(s, "iommu.walk_updates", walks_.updates());
    add_count(s, "iommu.commands", invalidations_.consumed());
    add_count(s, "iommu.syncs", invalidations_.waits());
    add_count(s, "iommu.command_fetches", invalidations_.fetches());
    add_count(s, "iommu.register_invalidations", register_invalidation_.performed());
    add_count(s, "iommu.events_recorded", faults_.recorded());
    add_count(s, "iommu.events_dropped", faults_.lost() + faults_.collapsed());
    add_count(s, "iommu.interrupts_remapped", interrupts_.remapped());
    add_count(s, "iommu.interrupts_posted", interrupts_.posted());
    for (unsigned reason = 0; reason < 256; ++reason)
        if (faults_.count(reason) != 0)
            s.faults.emplace_back(fault_name(reason), faults_.count(reason));
    for (const PortOrder& port : orders_) {
        if (port.reads)
            add_stall(s, port.reads->stalls());
        if (port.writes)
            add_stall(s, port.writes->stalls());
    }
    add_stall(s, miss_slots_.stalls());
    add_stall(s, configurations_.stalls());
    add_stall(s, walks_.stalls());
    add_stall(s, invalidations_.drain_stalls());
    add_stall(s, invalidations_.device_tlb_stalls());
    add_stall(s, invalidations_.page_request_stalls());
    add_stall(s, invalidations_.pending_wait_stalls());
    add_stall(s, invalidations_.outstanding_stalls());
    add_stall(s, register_invalidation_.drain_stalls());
    return s;
}

} // namespace iommusim::vtd
