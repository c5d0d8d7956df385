#include "models/smmuv3/page_walk.h"

#include "models/smmuv3/spec/events.h"
#include "models/smmuv3/spec/translation_table.h"

namespace iommusim::smmuv3 {

using namespace spec;

namespace {

constexpr std::uint8_t any_write = unprivileged_write | privileged_write;
constexpr std::uint8_t any_unprivileged = unprivileged_read | unprivileged_write | unprivileged_execute;

/// Permissions that a table descriptor takes away from everything below it (APTable, UXNTable, PXNTable).
std::uint8_t removed_by_table(std::uint64_t descriptor) {
    std::uint8_t removed = 0;
    if (stage1_table::ap_table_no_unprivileged.get(descriptor))
        removed |= unprivileged_read | unprivileged_write;
    if (stage1_table::ap_table_read_only.get(descriptor))
        removed |= any_write;
    if (stage1_table::uxn_table.get(descriptor))
        removed |= unprivileged_execute;
    if (stage1_table::pxn_table.get(descriptor))
        removed |= privileged_execute;
    return removed;
}

/// DDI 0487, stage 1 access permissions, for a leaf descriptor under tables that removed some.
std::uint8_t leaf_permissions(std::uint64_t descriptor, std::uint8_t removed, const Configuration& c) {
    std::uint8_t p = privileged_read | privileged_write;
    if (stage1_leaf::ap_unprivileged.get(descriptor))
        p |= unprivileged_read | unprivileged_write;
    if (stage1_leaf::ap_read_only.get(descriptor))
        p &= static_cast<std::uint8_t>(~any_write);
    p &= static_cast<std::uint8_t>(~removed);
    if (!stage1_leaf::uxn.get(descriptor) && !(removed & unprivileged_execute))
        p |= unprivileged_execute;
    // What unprivileged code can write, privileged code must not execute.
    if (!stage1_leaf::pxn.get(descriptor) && !(removed & privileged_execute) && !(p & unprivileged_write))
        p |= privileged_execute;
    if (c.write_implies_no_execute) {
        if (p & unprivileged_write)
            p &= static_cast<std::uint8_t>(~unprivileged_execute);
        if (p & privileged_write)
            p &= static_cast<std::uint8_t>(~privileged_execute);
    }
    if (c.privileged_access_never && (p & (unprivileged_read | unprivileged_write)))
        p &= static_cast<std::uint8_t>(~(privileged_read | privileged_write));
    return p;
}

/// Section 3.4.1: all bits above the input size agree with the half; with TBI the top byte does not count.
bool in_range(std::uint64_t address, bool upper, const TranslationHalf& half) {
    const std::uint64_t a = half.ignore_top_byte ? canonical(address) : address;
    const std::uint64_t above = a >> half.input_bits;
    return above == (upper ? low_bits(64 - half.input_bits) : 0);
}

/// What a walk that is about to read the descriptor of `level` for `key` may end up using: as far as the
/// largest leaf that can be found from there.
[[gnu::always_inline]] inline void narrow(InflightTable::Entry& inflight, std::uint64_t key, unsigned level) {
    const std::uint64_t within = low_bits(granule_4k.level_shift(level) + granule_4k.contiguous_bits(level));
    inflight.address = key & ~within;
    inflight.last = key | within;
}

} // namespace

PageWalk::PageWalk(const Parameters& p, MemoryPort& memory, TimedQueue& queue)
    : parameters_(p),
      memory_(memory),
      caches_{{{p.walk_cache_l0_entries, p.walk_cache_ways, Replacement::round_robin, {tag::of_asid}},
               {p.walk_cache_l1_entries, p.walk_cache_ways, Replacement::round_robin, {tag::of_asid}},
               {p.walk_cache_l2_entries, p.walk_cache_ways, Replacement::round_robin, {tag::of_asid}}}},
      slots_(queue, "page table walker", p.walk_slots) {}

[[gnu::always_inline]] inline std::uint64_t PageWalk::Progress::descriptor_address() const {
    const std::uint64_t index = (key >> granule_4k.level_shift(level)) & low_bits(index_bits);
    return table + index * descriptor::bytes;
}

inline PageWalk::Progress PageWalk::progress_of(const Configuration& c, std::uint64_t address) {
    return Progress{c, c.half[(address >> 55) & 1], canonical(address)};
}

[[gnu::always_inline]] inline bool PageWalk::begin(Pace& pace, Progress& w, std::uint64_t address,
                                                   InflightTable::Entry& inflight, WalkResult& result) {
    if (!w.half.enabled || !in_range(address, (address >> 55) & 1, w.half)) {
        result.event = event_id::f_translation;
        return false;
    }
    const Tag tag{w.configuration.context_tag(), 0};
    const unsigned start_level = granule_4k.start_level(w.half.input_bits);
    unsigned top_level = start_level; // of the descriptors that this walk uses
    w.level = start_level;
    w.index_bits = granule_4k.start_index_bits(w.half.input_bits);
    w.table = align_down(w.half.table, std::uint64_t{8} << w.index_bits);
    if (!pace.debug()) {
        ++walks_;
        for (unsigned cached = cached_levels; cached-- > start_level;) {
            if (caches_[cached].capacity() == 0)
                continue;
            pace.spend(parameters_.walk_cache_latency);
            if (const TableEntry* hit = caches_[cached].find(w.key, tag)) {
                w.level = cached + 1;
                w.table = hit->table;
                w.index_bits = granule_4k.stride();
                w.removed = hit->removed;
                top_level = cached;
                break;
            }
        }
    }
    const std::uint64_t reach = low_bits(granule_4k.level_shift(top_level));
    inflight.tag.context = tag.context;
    inflight.insists = Tag{}; // a global page matches any ASID, and this may become one
    inflight.table_address = w.key & ~reach;
    inflight.table_last = w.key | reach;
    inflight.has_translation = true;
    narrow(inflight, w.key, w.level);
    return true;
}

[[gnu::always_inline]] inline bool PageWalk::step(Pace& pace, Progress& w, std::uint64_t d,
                                                  tlm::tlm_response_status status,
                                                  InflightTable::Entry& inflight, WalkResult& result) {
    const Configuration& c = w.configuration;
    if (!pace.debug())
        ++descriptor_reads_;
    if (status != tlm::TLM_OK_RESPONSE) {
        result.event = event_id::f_walk_eabt;
        result.fetch_address = w.descriptor_address();
        return false;
    }
    const std::uint64_t type = descriptor::type.get(d);
    const bool is_table = w.level < 3 && type == descriptor::type_table;
    const bool is_leaf = w.level == 3 ? type == descriptor::type_page
                                      : type == descriptor::type_block && granule_4k.block_level(w.level);
    if (!is_table && !is_leaf) {
        result.event = event_id::f_translation;
        return false;
    }
    const std::uint64_t output = descriptor::address_4k.in_place(d);
    if ((output >> c.output_bits) != 0) {
        result.event = event_id::f_addr_size;
        return false;
    }

    if (is_table) {
        if (descriptor::hierarchical.get(d) != 0 && !w.half.ignore_hierarchy)
            w.removed |= removed_by_table(d);
        if (caches_[w.level].capacity() != 0 && !pace.debug() && !inflight.stale)
            caches_[w.level].insert(w.key, static_cast<std::uint8_t>(granule_4k.level_shift(w.level)),
                                    Tag{c.context_tag(), 0}, Tag{tag::asid_mask, 0},
                                    TableEntry{output, w.removed});
        w.table = output;
        w.index_bits = granule_4k.stride();
        ++w.level;
        narrow(inflight, w.key, w.level);
        return true;
    }

    if (stage1_leaf::af.get(d) == 0 && !c.ignore_access_flag) {
        result.event = event_id::f_access;
        return false;
    }
    TlbEntry& entry = result.entry;
    entry.level = static_cast<std::uint8_t>(w.level);
    entry.size_log2 = static_cast<std::uint8_t>(granule_4k.level_shift(w.level));
    // A contiguous group is one entry, if its output is aligned as the architecture demands.
    if (stage1_leaf::contiguous.get(d)) {
        const unsigned grouped = entry.size_log2 + granule_4k.contiguous_bits(w.level);
        const std::uint64_t within = low_bits(grouped) & ~low_bits(entry.size_log2);
        if ((output & within) == (w.key & within))
            entry.size_log2 = static_cast<std::uint8_t>(grouped);
    }
    entry.output = align_down(output, entry.size());
    entry.permissions = leaf_permissions(d, w.removed, c);
    entry.ignore_top_byte = w.half.ignore_top_byte;
    entry.context = c.context_tag() | (stage1_leaf::ng.get(d) ? 0 : tag::global);
    entry.filled_at = pace.time();
    return false;
}

Task<Done> PageWalk::walk(Pace& pace, const Configuration& configuration, std::uint64_t address,
                          InflightTable::Entry& inflight, WalkResult& result) {
    const Resource::Slot slot = co_await slots_.acquire(pace);
    Progress progress = progress_of(configuration, address);
    bool going_on = begin(pace, progress, address, inflight, result);
    while (going_on) {
        std::uint64_t d = 0;
        const tlm::tlm_response_status status =
            co_await memory_.read(pace, progress.descriptor_address(), &d, descriptor::bytes);
        going_on = step(pace, progress, d, status, inflight, result);
    }
    co_return Done{};
}

void PageWalk::walk_at_once(Pace& pace, const Configuration& configuration, std::uint64_t address,
                            InflightTable::Entry& inflight, WalkResult& result) {
    Progress progress = progress_of(configuration, address);
    bool going_on = begin(pace, progress, address, inflight, result);
    while (going_on) {
        std::uint64_t d = 0;
        const tlm::tlm_response_status status =
            memory_.read_at_once(pace, progress.descriptor_address(), &d, descriptor::bytes);
        going_on = step(pace, progress, d, status, inflight, result);
    }
}

void PageWalk::invalidate_scope(const TagScope& scope) {
    for (TaggedCache<TableEntry>& cache : caches_)
        cache.remove_scope(scope);
}

std::uint64_t PageWalk::invalidate_range(std::uint64_t first, std::uint64_t last, const TagScope& scope,
                                         unsigned below_level) {
    std::uint64_t looked_at = 0;
    for (unsigned level = 0; level < cached_levels && level < below_level; ++level)
        looked_at += caches_[level].remove_range(first, last, scope);
    return looked_at;
}

} // namespace iommusim::smmuv3
