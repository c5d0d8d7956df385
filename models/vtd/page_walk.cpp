#include "models/vtd/page_walk.h"

#include "models/vtd/spec/faults.h"

#include <algorithm>

namespace iommusim::vtd {

using namespace spec;

namespace {

using CacheKinds = std::vector<ScopeKind>;

const CacheKinds second_stage_kinds{tag::of_domain, tag::of_domain_kind};
const CacheKinds first_stage_kinds{tag::of_domain, tag::of_domain_kind, tag::of_pasid};

} // namespace

PageWalk::PageWalk(const Parameters& p, const Features& f, MemoryPort& memory, TimedQueue& queue)
    : parameters_(p),
      features_(f),
      memory_(memory),
      atomic_(memory),
      second_caches_{
          {{p.structure_cache_entries, p.structure_cache_ways, Replacement::round_robin, second_stage_kinds},
           {p.structure_cache_entries, p.structure_cache_ways, Replacement::round_robin, second_stage_kinds},
           {p.structure_cache_entries, p.structure_cache_ways, Replacement::round_robin, second_stage_kinds},
           {p.structure_cache_entries, p.structure_cache_ways, Replacement::round_robin,
            second_stage_kinds}}},
      first_caches_{
          {{p.structure_cache_entries, p.structure_cache_ways, Replacement::round_robin, first_stage_kinds},
           {p.structure_cache_entries, p.structure_cache_ways, Replacement::round_robin, first_stage_kinds},
           {p.structure_cache_entries, p.structure_cache_ways, Replacement::round_robin, first_stage_kinds},
           {p.structure_cache_entries, p.structure_cache_ways, Replacement::round_robin, first_stage_kinds}}},
      slots_(queue, "page walker", p.walk_slots) {
    const std::uint64_t above_width = paging::address.mask() & ~low_bits(f.host_address_bits);
    // What is no leaf must not have PS set, at whatever level.
    second_table_reserved_ = above_width | second_stage::snp.mask() | second_stage::ps.mask();
    for (unsigned level = 1; level < second_leaf_reserved_.size(); ++level) {
        const std::uint64_t below_frame = paging::address.mask() & ~paging::page_frame(level).mask();
        second_leaf_reserved_[level] = above_width | below_frame | second_stage::tm.mask() |
                                       (f.snoop_control ? 0 : second_stage::snp.mask());
    }
    above_width_ = above_width;
    second_large_levels_ = (f.second_stage_2m ? 1u << 2 : 0) | (f.second_stage_1g ? 1u << 3 : 0);
    first_large_levels_ = (1u << 2) | (f.first_stage_1g ? 1u << 3 : 0);
}

[[gnu::always_inline]] inline PageWalk::Progress::Progress(Pace& p, const Configuration& c,
                                                           const WalkRequest& q, InflightTable::Entry& i,
                                                           WalkResult& r)
    : pace(p),
      configuration(c),
      request(q),
      inflight(i),
      result(r),
      updates(q.updates && !p.debug()),
      need(needed(q.write, q.privileged)) {
    if (q.either)
        need |= needed(!q.write, q.privileged);
}

std::uint8_t cached_fault(const IotlbEntry& entry, bool write) {
    const bool not_present = entry.reason == fault_reason::legacy_read_permission ||
                             entry.reason == fault_reason::legacy_write_permission;
    if (not_present)
        return write ? fault_reason::legacy_write_permission : fault_reason::legacy_read_permission;
    return entry.reason;
}

// ---- faults

PageWalk::Next PageWalk::fault(Progress& w, unsigned reason) {
    w.result.reason = static_cast<std::uint8_t>(reason);
    return Next::done;
}

PageWalk::Next PageWalk::fault(Progress& w, unsigned legacy_reason, unsigned scalable_reason) {
    return fault(w, w.configuration.scalable ? scalable_reason : legacy_reason);
}

// ---- paging-structure caches

const PageWalk::TableEntry* PageWalk::look_up(Caches& caches, Progress& w, Position& p, const Tag& tag,
                                              std::uint8_t need, bool insist_on_accessed) {
    const unsigned top_level = p.level;
    for (unsigned level = lowest_cached; level <= top_level; ++level) {
        w.pace.spend(parameters_.structure_cache_latency);
        const TableEntry* const hit = caches[level - lowest_cached].find(p.input, tag);
        if (!hit || !(hit->permissions & need) || (insist_on_accessed && !hit->accessed))
            continue;
        p.table = hit->table;
        p.permissions = hit->permissions;
        p.level = level - 1;
        return hit;
    }
    return nullptr;
}

void PageWalk::keep(Caches& caches, const Progress& w, const Position& p, unsigned level, const Tag& tag,
                    const Tag& insists, bool accessed) {
    if (w.inflight.stale)
        return;
    caches[level - lowest_cached].insert(p.input, static_cast<std::uint8_t>(paging::level_shift(level)), tag,
                                         insists,
                                         TableEntry{p.table, p.permissions, accessed, w.table_writable});
}

void PageWalk::invalidate_scope(const TagScope& scope) {
    const auto may_hold = [&scope](std::uint64_t kind) {
        return (scope.value.context & kind) == (scope.mask.context & kind);
    };
    if (may_hold(tag::second_stage))
        for (TaggedCache<TableEntry>& cache : second_caches_)
            cache.remove_scope(scope);
    if (may_hold(tag::first_stage))
        for (TaggedCache<TableEntry>& cache : first_caches_)
            cache.remove_scope(scope);
}

std::uint64_t PageWalk::invalidate_second_stage(std::uint16_t domain, std::uint64_t first,
                                                std::uint64_t last) {
    const TagScope scope{Tag{domain | tag::second_stage, 0}, tag::of_domain_kind};
    std::uint64_t looked_at = 0;
    for (TaggedCache<TableEntry>& cache : second_caches_)
        looked_at += cache.remove_range(first, last, scope);
    return looked_at;
}

std::uint64_t PageWalk::invalidate_first_stage(std::uint16_t domain, std::uint32_t pasid, std::uint64_t first,
                                               std::uint64_t last) {
    const TagScope scope{Tag{domain | (std::uint64_t{pasid} << tag::pasid_shift) | tag::first_stage, 0},
                         Tag{tag::domain_mask | tag::pasid_mask | tag::kind_mask, 0}};
    std::uint64_t looked_at = 0;
    for (TaggedCache<TableEntry>& cache : first_caches_)
        looked_at += cache.remove_range(first, last, scope);
    return looked_at;
}

// ---- the walk

PageWalk::Next PageWalk::begin(Progress& w) {
    if (!w.pace.debug())
        ++walks_;
    if (w.configuration.kind == Configuration::Kind::second_stage)
        return begin_second(w, w.request.address, Purpose::page);
    return begin_first(w);
}

[[gnu::always_inline]] inline PageWalk::Next PageWalk::step(Progress& w, tlm::tlm_response_status status) {
    const Configuration& c = w.configuration;
    if (!w.pace.debug())
        ++entry_reads_;
    const bool in_second = w.here == &w.second;
    if (status != tlm::TLM_OK_RESPONSE) {
        if (in_second && w.second.level == c.second_levels)
            return fault(w, fault_reason::legacy_invalid_context, fault_reason::sm_second_stage_top_access);
        if (in_second)
            return fault(w, fault_reason::legacy_paging_entry_access, fault_reason::sm_second_stage_access);
        return fault(w, w.first.level == c.first_levels ? fault_reason::sm_first_stage_top_access
                                                        : fault_reason::sm_first_stage_access);
    }
    return in_second ? take_second_stage(w) : take_first_stage(w);
}

/// Takes in how an update of accessed and dirty bits went.
PageWalk::Next PageWalk::updated(Progress& w, AtomicUpdate::Outcome outcome) {
    const bool in_second = w.here == &w.second;
    if (outcome == AtomicUpdate::Outcome::changed)
        return Next::read; // what the entry says now decides
    if (outcome == AtomicUpdate::Outcome::failed)
        return fault(w,
                     in_second ? fault_reason::sm_second_stage_update : fault_reason::sm_first_stage_update);
    ++updates_;
    w.entry = w.desired;
    return in_second ? take_second_stage(w) : take_first_stage(w);
}

PageWalk::Next PageWalk::finish(Progress& w, std::uint64_t frame, unsigned size_log2, bool dirty) {
    const Position& p = *w.here;
    std::uint8_t permissions = p.permissions;
    std::uint64_t output = frame;
    if (w.nested()) {
        // One entry stands for the page as both stages have it.
        output |= p.input & low_bits(size_log2);
        size_log2 = std::min(size_log2, w.first_size_log2);
        output = align_down(output, 1ull << size_log2);
        permissions &= w.first.permissions;
        dirty = dirty && w.first_dirty;
        if (!(permissions & w.need)) // each stage permits one kind of access, but not the same
            return fault(w, fault_reason::sm_read_permission);
        if (meets_interrupt_range(output, size_log2))
            return fault(w, fault_reason::sm_output_in_interrupt_range);
    }
    IotlbEntry& entry = w.result.entry;
    entry.output = output;
    entry.size_log2 = static_cast<std::uint8_t>(size_log2);
    entry.level = static_cast<std::uint8_t>((size_log2 - paging::page_bits) / paging::level_bits + 1);
    entry.permissions = permissions;
    entry.dirty = dirty;
    entry.context = w.configuration.context_tag() | (w.global ? tag::global : 0);
    entry.filled_at = w.pace.time();
    return Next::done;
}

Task<Done> PageWalk::walk(Pace& pace, const Configuration& configuration, const WalkRequest& request,
                          InflightTable::Entry& inflight, WalkResult& result) {
    const Resource::Slot slot = co_await slots_.acquire(pace);
    Progress w(pace, configuration, request, inflight, result);
    Next next = begin(w);
    while (next != Next::done) {
        const std::uint64_t address = w.here->entry_address();
        if (next == Next::read) {
            const tlm::tlm_response_status status =
                co_await memory_.read(pace, address, &w.entry, paging::entry_bytes);
            next = step(w, status);
        } else {
            const AtomicUpdate::Outcome outcome =
                co_await atomic_.compare_exchange(pace, address, w.entry, w.desired);
            next = updated(w, outcome);
        }
    }
    co_return Done{};
}

void PageWalk::walk_at_once(Pace& pace, const Configuration& configuration, const WalkRequest& request,
                            InflightTable::Entry& inflight, WalkResult& result) {
    Progress w(pace, configuration, request, inflight, result);
    Next next = begin(w);
    while (next != Next::done) {
        const std::uint64_t address = w.here->entry_address();
        if (next == Next::read)
            next = step(w, memory_.read_at_once(pace, address, &w.entry, paging::entry_bytes));
        else
            next = updated(w, atomic_.compare_exchange(pace, address, w.entry, w.desired).run_now());
    }
}

} // namespace iommusim::vtd
