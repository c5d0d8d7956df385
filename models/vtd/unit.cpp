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

Features features_of(const Parameters& p) {
    Features f;
    const auto flag = [](std::uint64_t value) { return value != 0; };
    f.version_major = static_cast<unsigned>(p.major_version);
    f.host_address_bits = static_cast<unsigned>(p.host_address_bits);
    f.second_stage_4_level = p.second_stage_levels >= 1;
    f.second_stage_5_level = p.second_stage_levels >= 2;
    f.guest_address_bits = 39 + 9 * static_cast<unsigned>(p.second_stage_levels);
    f.second_stage_2m = p.largest_page >= 1;
    f.second_stage_1g = p.largest_page >= 2;
    f.first_stage_1g = p.largest_page >= 2;
    f.domain_id_bits = 4 + 2 * static_cast<unsigned>(p.domain_id_bits);
    f.page_selective_invalidation = flag(p.page_selective);
    f.max_address_mask = f.page_selective_invalidation ? static_cast<unsigned>(p.max_address_mask) : 0;
    f.second_stage_accessed_dirty = flag(p.accessed_dirty) && flag(p.scalable_mode);
    f.scalable_mode = flag(p.scalable_mode);
    f.first_stage = f.second_stage = f.nested = f.scalable_mode;
    f.first_stage_1g = f.first_stage_1g && f.scalable_mode;
    f.first_stage_5_level = p.first_stage_levels >= 1 && f.scalable_mode;
    f.extended_accessed_flag = f.supervisor_requests = f.page_walk_snoop = f.scalable_mode;
    f.pasid = p.pasid_bits != 0 && f.scalable_mode;
    f.pasid_bits = p.pasid_bits != 0 ? static_cast<unsigned>(p.pasid_bits) : 1;
    f.rid_pasid = f.rid_priv = f.scalable_mode;
    f.pass_through = flag(p.pass_through);
    f.coherent_walks = flag(p.coherent_walks);
    f.caching_mode = flag(p.caching_mode);
    f.write_buffers = flag(p.write_buffer_flush);
    f.write_draining = f.read_draining = flag(p.draining);
    f.srtp_invalidates = f.sirtp_invalidates = flag(p.implicit_invalidation);
    f.protected_low_memory = f.protected_high_memory = flag(p.protected_memory);
    f.device_tlb = flag(p.device_tlbs);
    f.no_write_flag = false; // requests here cannot carry it
    f.page_requests = flag(p.page_requests) && f.device_tlb && f.scalable_mode;
    f.page_request_drain = f.page_requests;
    f.interrupt_remapping = f.x2apic = flag(p.interrupt_remapping);
    f.posted_interrupts = flag(p.posted_interrupts) && f.interrupt_remapping;
    f.max_interrupt_mask = f.interrupt_remapping ? 15 : 0;
    f.sirtp_invalidates = f.sirtp_invalidates && f.interrupt_remapping;
    f.fault_records = static_cast<unsigned>(p.fault_records);
    return f;
}

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

[[gnu::always_inline]] inline void Unit::answer_hit(Translation& t, const ClientAccess& access,
                                                    const Configuration& c, const IotlbEntry& entry,
                                                    std::uint64_t address, const char* served_by) const {
    const std::uint64_t within = address & (entry.size() - 1);
    const bool supervisor = privileged(access.requester, c);
    t.outcome = Translation::Outcome::pass;
    t.permission_fault = false;
    t.may_read = entry.permissions & needed(false, supervisor);
    // Direct and translated writes do not come by again to leave their mark in the tables.
    t.may_write = entry.dirty && (entry.permissions & needed(true, supervisor));
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

[[gnu::always_inline]] inline bool Unit::answered_without_tables(ClientAccess& access, std::uint64_t address,
                                                                 Translation& answer) {
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
                                                               const Configuration& c, Translation& answer) {
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
    if (pace.debug())
        return false;
    const bool user = !privileged(requester, c);
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
    if (requester.address_type == AddressType::translation_request) {
        if (!hit->dirty && (hit->permissions & needed(true, !user)))
            return false;
        if (!(hit->permissions & (needed(false, !user) | needed(true, !user))))
            return false;
    } else if (!(hit->permissions & needed(access.write, !user)) || (access.write && !hit->dirty)) {
        return false;
    }
    depend_on(inflight, address, *hit);
    answer_hit(answer, access, c, *hit, address, "IOTLB");
    return true;
}

bool Unit::translate_at_once(ClientAccess& access, std::uint64_t address, Translation& answer) {
    const Requester& requester = access.requester;
    access.inflight.tag.owner = tag::owner(requester.id, requester.has_pasid, requester.pasid) |
                                (requester.address_type == AddressType::translated ? tag::translated : 0);
    access.inflight.has_translation = false; // what came before a page end is observable by now
    bool answered = answered_without_tables(access, address, answer);
    if (!answered) {
        if (access.pace.debug() || is_interrupt_request(requester, address))
            return false;
        const Configuration* const c = configurations_.find(access.pace, requester);
        if (!c)
            return false;
        access.inflight.tag.owner |= std::uint64_t{c->domain} << tag::owner_domain_shift;
        answered = answered_without_walk(access, address, *c, answer);
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
        answer_hit(answer, access, c, entry, address, "walk");
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
    const bool answered = answered_without_walk(access, address, configuration, answer);
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
    if (!answered_without_walk(access, address, c, answer)) {
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
