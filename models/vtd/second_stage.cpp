// The second stage of a walk: pages of guest-physical addresses, and the places of first-stage tables.
#include "models/vtd/page_walk.h"

#include "models/vtd/spec/faults.h"

#include <algorithm>

namespace iommusim::vtd {

using namespace spec;

namespace {
constexpr std::uint8_t reading = user_read | supervisor_read; // the second stage does not tell them apart
constexpr std::uint8_t writing = user_write | supervisor_write;
constexpr std::uint64_t rights = second_stage::r.mask() | second_stage::w.mask();
constexpr std::uint8_t granted[rights + 1] = {0, reading, writing, reading | writing}; ///< by R and W
constexpr Tag insists{tag::domain_mask | tag::kind_mask, 0};
} // namespace

PageWalk::Next PageWalk::begin_second(Progress& w, std::uint64_t input, Purpose purpose) {
    const Configuration& c = w.configuration;
    const unsigned width = std::min(features_.guest_address_bits, paging::input_bits(c.second_levels));
    w.purpose = purpose;
    if ((input >> width) != 0) {
        if (purpose == Purpose::table)
            return fault(w, fault_reason::sm_nested_entry_beyond_width);
        return fault(w, fault_reason::legacy_address_beyond_width, fault_reason::sm_address_beyond_width);
    }
    Position& p = w.second;
    p = Position{input, c.second_root, c.second_levels, reading | writing};
    w.here = &p;
    const bool found = uses_caches(w) && look_up(second_caches_, w, p, Tag{c.domain | tag::second_stage, 0},
                                                 purpose == Purpose::table ? reading : w.need,
                                                 c.second_accessed_dirty) != nullptr;
    if (!w.nested())
        depend_on(w, p, found ? p.level + 1 : p.level);
    return Next::read;
}

/// The entry just read is not present or erroneous. With CM = 1 this may be cached, except in nested walks:
/// entries of theirs count as first-stage.
PageWalk::Next PageWalk::erroneous(Progress& w, unsigned legacy_reason, unsigned scalable_reason) const {
    if (features_.caching_mode && !w.nested() && !w.pace.debug()) {
        w.result.cacheable = true;
        IotlbEntry& entry = w.result.entry;
        entry.size_log2 = static_cast<std::uint8_t>(paging::level_shift(w.second.level));
        entry.level = static_cast<std::uint8_t>(w.second.level);
        entry.context = w.configuration.context_tag();
        entry.reason = static_cast<std::uint8_t>(w.configuration.scalable ? scalable_reason : legacy_reason);
        entry.filled_at = w.pace.time();
    }
    return fault(w, legacy_reason, scalable_reason);
}

/// The hierarchy down to the entry just read does not permit the access.
PageWalk::Next PageWalk::refused_by_second_stage(Progress& w) const {
    const bool write = w.request.write && w.purpose == Purpose::page;
    const unsigned legacy_reason =
        write ? fault_reason::legacy_write_permission : fault_reason::legacy_read_permission;
    if (!second_stage::r.get(w.entry) && !second_stage::w.get(w.entry))
        return erroneous(w, legacy_reason, fault_reason::sm_second_stage_not_present);
    if (w.purpose == Purpose::table)
        return fault(w, w.first.level == w.configuration.first_levels
                            ? fault_reason::sm_nested_top_read_permission
                            : fault_reason::sm_nested_read_permission);
    return fault(w, legacy_reason,
                 write ? fault_reason::sm_write_permission : fault_reason::sm_read_permission);
}

PageWalk::Next PageWalk::take_second_stage(Progress& w) {
    const Configuration& c = w.configuration;
    Position& p = w.second;
    const std::uint64_t e = w.entry;
    const bool for_table = w.purpose == Purpose::table;

    const std::uint8_t permissions = p.permissions & granted[e & rights];
    if (!(permissions & (for_table ? reading : w.need)))
        return refused_by_second_stage(w);
    const bool leaf = p.level == 1 || (second_stage::ps.get(e) && ((second_large_levels_ >> p.level) & 1));
    if (e & (leaf ? second_leaf_reserved_[p.level] : second_table_reserved_))
        return erroneous(w, fault_reason::legacy_paging_entry_reserved,
                         fault_reason::sm_second_stage_reserved);

    const unsigned shift = paging::level_shift(p.level);
    const std::uint64_t frame = paging::address.in_place(e);
    if (leaf && !w.nested() && meets_interrupt_range(frame, shift))
        return fault(w, fault_reason::legacy_output_in_interrupt_range,
                     fault_reason::sm_output_in_interrupt_range);
    bool accessed = false;
    bool dirty = true;
    if (c.second_accessed_dirty) {
        const bool writes = leaf && (for_table || w.request.write) && (permissions & writing);
        w.desired = e | second_stage::a.mask() | (writes ? second_stage::d.mask() : 0);
        if (w.desired != e && w.updates)
            return c.snoop_walk ? Next::update : fault(w, fault_reason::sm_second_stage_no_snoop_update);
        accessed = second_stage::a.get(e) != 0;
        dirty = second_stage::d.get(e) != 0;
    }
    p.permissions = permissions;

    if (!leaf) {
        p.table = frame;
        if (uses_caches(w) && (accessed || !c.second_accessed_dirty))
            keep(second_caches_, w, p, p.level, Tag{c.domain | tag::second_stage, 0}, insists, accessed);
        --p.level;
        if (!w.nested())
            narrow(w, p);
        return Next::read;
    }
    if (!for_table)
        return finish(w, frame, shift, dirty);

    // The place of a first-stage table is known: on with the first stage.
    w.first.table = frame | (p.input & low_bits(shift));
    w.table_writable = (permissions & writing) != 0;
    if (w.first.level < c.first_levels && w.table_accessed)
        keep_first_stage(w, w.first.level + 1);
    w.here = &w.first;
    return Next::read;
}

} // namespace iommusim::vtd
