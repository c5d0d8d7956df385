#include "models/smmuv3/unit.h"

#include "models/core/count.h"

namespace iommusim::smmuv3 {

using namespace spec;

namespace {

constexpr std::uint8_t bypass_size_log2 = 30; ///< a stream in bypass is kept in pieces of 1 GiB

Permission needed(const Requester& requester, bool write) {
    if (write) // writes are always data
        return requester.privileged ? privileged_write : unprivileged_write;
    if (requester.instruction)
        return requester.privileged ? privileged_execute : unprivileged_execute;
    return requester.privileged ? privileged_read : unprivileged_read;
}

} // namespace

Unit::Unit(const Parameters& parameters, TimedQueue& queue, Wires& wires)
    : TranslationUnit(queue),
      parameters_(parameters),
      features_(features_of(parameters)),
      registers_(features_, *this),
      walker_("walker", queue),
      configurations_(parameters_, features_, registers_, walker_, queue),
      walks_(parameters_, walker_, queue),
      tcu_tlb_(parameters.tcu_tlb_entries, parameters.tcu_tlb_ways, Replacement::round_robin, {tag::of_asid}),
      tcu_slots_(queue, "TCU slot", parameters.tcu_slots),
      interrupts_(registers_, walker_, queue, processes(), wires),
      events_(registers_, walker_, interrupts_, queue, processes()),
      commands_(parameters_, registers_, walker_, interrupts_, events_, *this, queue, processes()) {
    for (unsigned i = 0; i < parameters.device_ports; ++i)
        tbus_.push_back(std::make_unique<Tbu>(i, parameters_, queue, *this));
    // A revocation downstream does not say which input addresses it concerns: all grants go.
    const MemoryPort::DmiRevoked revoked = [](void* self, std::uint64_t, std::uint64_t) {
        static_cast<Unit*>(self)->revoke_all_dmi();
    };
    for (const std::unique_ptr<Tbu>& tbu : tbus_)
        tbu->memory.on_dmi_revoked(revoked, this);
}

Unit::~Unit() {
    // No process may outlive what it refers to; the module has closed the queue before.
    processes().destroy_all();
}

// ---- answers

[[gnu::always_inline]] inline void Unit::answer_hit(Translation& t, const TlbEntry& entry,
                                                    std::uint64_t address, const char* served_by) const {
    const std::uint64_t within = address & (entry.size() - 1);
    t.outcome = Translation::Outcome::pass;
    t.permission_fault = false;
    t.may_read = entry.permissions & (unprivileged_read | privileged_read);
    t.may_write = entry.permissions & (unprivileged_write | privileged_write);
    t.output = entry.output + within;
    t.first = address - within;
    t.last = t.first + (entry.size() - 1);
    t.served_by = served_by;
    t.cached_at = entry.filled_at;
    t.fault = "";
}

/// SMMUEN = 0: GBPA decides (section 6.3.14). The output address size is checked without an event.
Translation Unit::answer_disabled(std::uint64_t address) const {
    Translation t;
    t.served_by = "global bypass";
    const std::uint64_t limit = low_bits(features_.address_bits());
    if (gbpa::abort.get(registers_.gbpa()) || address > limit)
        return t;
    t.outcome = Translation::Outcome::pass;
    t.may_read = t.may_write = true;
    t.output = address;
    t.last = limit;
    t.cached_at = now();
    return t;
}

/// Section 7.3: the event of a fault, and what the access gets (CD.A and CD.R for translation faults).
Translation Unit::answer_fault(const ClientAccess& access, std::uint64_t address, unsigned event,
                               std::uint64_t fetch_address, const Configuration& configuration) {
    Translation t;
    t.fault = event_name(event);
    t.permission_fault = event == event_id::f_permission;
    t.first = align_down(address, 4096);
    t.last = address | 4095;
    t.unsupported = event == event_id::f_bad_ats_treq;
    const bool by_address = event == event_id::f_walk_eabt || event >= event_id::f_translation;
    const bool policy = event >= event_id::f_translation && event <= event_id::f_permission &&
                        configuration.kind == Configuration::Kind::stage_1;
    if (policy && !configuration.abort_on_fault)
        t.outcome = Translation::Outcome::discard;
    if (access.pace.debug())
        return t;

    ++faults_[event];
    if (policy && !configuration.record_faults)
        return t;
    if (event == event_id::c_bad_streamid && !cr2::recinvsid.get(registers_.cr2()))
        return t;
    const Requester& requester = access.requester;
    EventRecord record;
    std::uint64_t* const words = record.words.data();
    event::id.set(words, event);
    event::stream_id.set(words, requester.id);
    if (event == event_id::c_bad_substreamid) {
        event::substream_id.set(words, requester.pasid); // always valid, without SSV
    } else if (requester.has_pasid && event != event_id::f_stream_disabled &&
               event != event_id::f_transl_forbidden) {
        event::ssv.set(words, 1);
        event::substream_id.set(words, requester.pasid);
    }
    if (by_address) {
        event::pnu.set(words, requester.privileged);
        event::ind.set(words, requester.instruction && !access.write);
        event::rnw.set(words, !access.write);
        event::event_class.set(words, event == event_id::f_walk_eabt ? event::class_tt : event::class_in);
        event::input_addr.set(words, address);
    }
    if (event == event_id::f_transl_forbidden) {
        event::rnw.set(words, !access.write);
        event::input_addr.set(words, address);
    }
    if (event == event_id::f_ste_fetch || event == event_id::f_cd_fetch || event == event_id::f_walk_eabt)
        words[event::fetch_addr.word()] |= event::fetch_addr.in_place(fetch_address);
    events_.record(record);
    return t;
}

// ---- the way through TBU and TCU

[[gnu::always_inline]] inline bool Unit::usable(const TlbEntry& entry, const ClientAccess& access,
                                                std::uint64_t address) const {
    return (entry.permissions & needed(access.requester, access.write)) &&
           (entry.ignore_top_byte || address == canonical(address));
}

[[gnu::always_inline]] inline void Unit::depend_on(InflightTable::Entry& inflight, std::uint64_t address,
                                                   const TlbEntry& entry) const {
    inflight.tag.context = entry.context;
    inflight.insists = Tag{tag::global | (entry.context & tag::global ? 0 : tag::asid_mask), ~0ull};
    inflight.address =
        align_down(canonical(address), entry.size()); // an invalidation may name any of its addresses
    inflight.last = inflight.address + (entry.size() - 1);
    inflight.table_address = 1; // the walk is over
    inflight.table_last = 0;
    inflight.has_translation = !entry.bypass;
}

[[gnu::always_inline]] inline const TlbEntry*
Unit::look_in_tbu(Tbu& tbu, ClientAccess& access, std::uint64_t address, const char*& served_by) {
    const Tag lookup{0, access.inflight.tag.owner};
    constexpr Tag requester_known{0, ~0ull}; // the address space is not: that would take the configuration
    const std::uint64_t key = canonical(address);
    const TlbEntry* entry = nullptr;
    if (tbu.micro_tlb.capacity() != 0) {
        entry = tbu.micro_tlb.find(key, lookup, requester_known);
        if (entry && usable(*entry, access, address)) {
            served_by = "micro-TLB";
            return entry;
        }
    }
    access.pace.spend(parameters_.tlb_latency);
    entry = tbu.tlb.find(key, lookup, requester_known);
    if (!entry || !usable(*entry, access, address))
        return nullptr;
    served_by = "main TLB";
    if (tbu.micro_tlb.capacity() != 0)
        tbu.micro_tlb.insert(key, entry->size_log2, Tag{entry->context, lookup.owner},
                             Tag{entry->context & tag::global ? 0 : tag::asid_mask, ~0ull}, *entry);
    return entry;
}

inline void Unit::fill_tbu(Tbu& tbu, const TlbEntry& entry, std::uint64_t owner, std::uint64_t address) {
    const Tag tag{entry.context, owner};
    const Tag insists{entry.context & tag::global ? 0 : tag::asid_mask, ~0ull};
    tbu.tlb.insert(canonical(address), entry.size_log2, tag, insists, entry);
    if (tbu.micro_tlb.capacity() != 0)
        tbu.micro_tlb.insert(canonical(address), entry.size_log2, tag, insists, entry);
}

bool Unit::translate_at_once(ClientAccess& access, std::uint64_t address, Translation& answer) {
    const Requester& requester = access.requester;
    // Without ATS nothing may claim to be translated already (section 3.9).
    if (requester.address_type != AddressType::untranslated) {
        const bool translated = requester.address_type == AddressType::translated;
        answer = answer_fault(access, address,
                              translated ? event_id::f_transl_forbidden : event_id::f_bad_ats_treq, 0,
                              Configuration{});
        return true;
    }
    if (!cr0::smmuen.get(registers_.cr0ack())) {
        answer = answer_disabled(address);
        return true;
    }
    access.inflight.tag.owner = tag::owner(requester.id, requester.has_pasid, requester.pasid);
    access.inflight.has_translation = false; // what came before a page end is observable by now
    if (access.pace.debug())
        return false;
    const char* served_by = "";
    const TlbEntry* hit = look_in_tbu(*tbus_[access.port.index()], access, address, served_by);
    if (!hit)
        return false;
    depend_on(access.inflight, address, *hit);
    answer_hit(answer, *hit, address, served_by);
    return true;
}

/// A stream in bypass: output equals input, up to the output address size.
void Unit::bypass(const Pace& pace, std::uint64_t address, WalkResult& result) const {
    if ((address >> features_.address_bits()) != 0) {
        result.event = event_id::f_addr_size;
        return;
    }
    TlbEntry& entry = result.entry;
    entry.size_log2 = bypass_size_log2;
    entry.output = align_down(address, 1ull << bypass_size_log2);
    entry.permissions = 0xff;
    entry.bypass = true;
    entry.filled_at = pace.time();
}

[[gnu::always_inline]] inline bool Unit::answered_by_tcu(Pace& pace, const Configuration& configuration,
                                                         std::uint64_t address, WalkResult& result) {
    if (configuration.kind == Configuration::Kind::bypass)
        bypass(pace, address, result);
    if (configuration.kind != Configuration::Kind::stage_1)
        return true;
    if (pace.debug() || tcu_tlb_.capacity() == 0)
        return false;
    pace.spend(parameters_.tcu_tlb_latency);
    const TlbEntry* hit = tcu_tlb_.find(canonical(address), Tag{configuration.context_tag(), 0});
    if (!hit || (!hit->ignore_top_byte && address != canonical(address)))
        return false;
    result.entry = *hit;
    return true;
}

/// The answer of the TCU, back at the TBU.
[[gnu::always_inline]] inline void Unit::finish(ClientAccess& access, std::uint64_t address,
                                                const Configuration& configuration, const WalkResult& result,
                                                bool walked, Translation& answer) {
    Pace& pace = access.pace;
    InflightTable::Entry& inflight = access.inflight;
    const TlbEntry& entry = result.entry;
    if (tcu_tlb_.capacity() != 0 && walked && result.event == 0 && !pace.debug() && !inflight.stale)
        tcu_tlb_.insert(canonical(address), entry.size_log2, Tag{entry.context, 0},
                        Tag{entry.context & tag::global ? tag::aset : tag::asid_mask, 0}, entry);
    pace.spend(parameters_.link_latency);
    if (configuration.kind == Configuration::Kind::abort) {
        answer = Translation{}; // silently
    } else if (configuration.kind == Configuration::Kind::fault) {
        answer =
            answer_fault(access, address, configuration.event, configuration.fetch_address, configuration);
    } else if (result.event != 0) {
        answer = answer_fault(access, address, result.event, result.fetch_address, configuration);
    } else if (!(entry.permissions & needed(access.requester, access.write))) {
        answer = answer_fault(access, address, event_id::f_permission, 0, configuration);
    } else {
        depend_on(inflight, address, entry);
        if (!pace.debug() && !inflight.stale)
            fill_tbu(*tbus_[access.port.index()], entry, inflight.tag.owner, address);
        answer_hit(answer, entry, address, entry.bypass ? "bypass" : "walk");
    }
}

Task<Translation> Unit::translate(ClientAccess& access, std::uint64_t address) {
    Pace& pace = access.pace;
    Tbu& tbu = *tbus_[access.port.index()];
    InflightTable::Entry& inflight = access.inflight;
    const std::uint64_t owner = inflight.tag.owner;
    const std::uint64_t key = canonical(address);

    // Equal misses are merged: the others wait for the first and look again. If it left nothing, they walk.
    while (MissTable::Miss* const same = tbu.misses.find(key >> 12, owner)) {
        ++tbu.misses.merged;
        pace.take(); // the wait is longer than the lookup before it
        const std::uint64_t before = tbu.tlb.statistics().fills;
        co_await same->done().wait();
        const char* served_by = "";
        if (const TlbEntry* hit = look_in_tbu(tbu, access, address, served_by)) {
            depend_on(inflight, address, *hit);
            Translation answer;
            answer_hit(answer, *hit, address, served_by);
            co_return answer;
        }
        if (tbu.tlb.statistics().fills == before)
            break;
    }
    const MissTable::Miss miss(tbu.misses, key >> 12, owner);
    const Resource::Slot tbu_slot = co_await tbu.slots.acquire(pace);
    pace.spend(parameters_.link_latency);
    co_await pace.settle();

    // In the TCU.
    const Requester& requester = access.requester;
    const Resource::Slot tcu_slot = co_await tcu_slots_.acquire(pace);
    Configuration configuration;
    if (const Configuration* known =
            configurations_.find(pace, requester.id, requester.has_pasid, requester.pasid))
        configuration = *known;
    else
        configuration = co_await configurations_.fetch(pace, requester.id, requester.has_pasid,
                                                       requester.pasid, inflight.stale);
    WalkResult result;
    const bool walk = !answered_by_tcu(pace, configuration, address, result);
    if (walk)
        co_await walks_.walk(pace, configuration, address, inflight, result);
    Translation answer;
    finish(access, address, configuration, result, walk, answer);
    co_return answer;
}

[[gnu::always_inline]] inline void Unit::walk_untimed(ClientAccess& access, std::uint64_t address,
                                                      const Configuration& configuration,
                                                      Translation& answer) {
    WalkResult result;
    const bool walk = !answered_by_tcu(access.pace, configuration, address, result);
    if (walk)
        walks_.walk_at_once(access.pace, configuration, address, access.inflight, result);
    finish(access, address, configuration, result, walk, answer);
}

void Unit::translate_untimed(ClientAccess& access, std::uint64_t address, Translation& answer) {
    Pace& pace = access.pace;
    const Requester& requester = access.requester;
    pace.spend(parameters_.link_latency);
    if (const Configuration* known =
            configurations_.find(pace, requester.id, requester.has_pasid, requester.pasid)) {
        // A copy: a foreign memory may wait in the walk, and others may replace the cached one meanwhile.
        const Configuration configuration = *known;
        walk_untimed(access, address, configuration, answer);
        return;
    }
    const Configuration fetched =
        configurations_.fetch(pace, requester.id, requester.has_pasid, requester.pasid, access.inflight.stale)
            .run_now();
    walk_untimed(access, address, fetched, answer);
}

Statistics Unit::statistics() const {
    Statistics s;
    const auto add = [&s](const char* name, std::uint64_t value) { add_count(s, name, value); };
    const auto cache = [&s](const std::string& name, const CacheStatistics& c) { add_cache(s, name, c); };
    const auto sum = [this](auto member) {
        CacheStatistics total;
        for (const std::unique_ptr<Tbu>& tbu : tbus_) {
            const CacheStatistics& c = ((*tbu).*member).statistics();
            total.hits += c.hits;
            total.misses += c.misses;
            total.fills += c.fills;
            total.evictions += c.evictions;
            total.invalidated += c.invalidated;
        }
        return total;
    };
    cache("iommu.micro_tlb", sum(&Tbu::micro_tlb));
    cache("iommu.tlb", sum(&Tbu::tlb));
    cache("iommu.tcu_tlb", tcu_tlb_.statistics());
    cache("iommu.configuration", configurations_.cache_statistics());
    for (unsigned level = 0; level < 3; ++level)
        cache("iommu.walk_cache.l" + std::to_string(level), walks_.cache_statistics(level));
    std::uint64_t merged = 0;
    for (const std::unique_ptr<Tbu>& tbu : tbus_)
        merged += tbu->misses.merged;
    add("iommu.merged_misses", merged);
    add("iommu.walks", walks_.walks());
    add("iommu.walk_reads", walks_.descriptor_reads());
    add("iommu.commands", commands_.consumed());
    add("iommu.syncs", commands_.syncs());
    add("iommu.command_fetches", commands_.fetches());
    add("iommu.events_recorded", events_.recorded());
    add("iommu.events_dropped", events_.dropped());
    for (unsigned event = 0; event < 256; ++event)
        if (faults_[event])
            s.faults.emplace_back(event_name(event), faults_[event]);
    const auto stall = [&s](const StallCounter& c) { add_stall(s, c); };
    for (const std::unique_ptr<Tbu>& tbu : tbus_)
        stall(tbu->slots.stalls());
    stall(tcu_slots_.stalls());
    stall(configurations_.stalls());
    stall(walks_.stalls());
    stall(commands_.drain_stalls());
    return s;
}

} // namespace iommusim::smmuv3
