// The first stage of a walk, nested in the second or not.
#include "models/vtd/page_walk.h"

#include "models/vtd/spec/faults.h"
#include "models/vtd/spec/structures.h"

namespace iommusim::vtd {

using namespace spec;

namespace {

constexpr std::uint8_t every_permission = user_read | user_write | supervisor_read | supervisor_write;
constexpr Tag insists{tag::domain_mask | tag::pasid_mask | tag::kind_mask, 0};

bool canonical(std::uint64_t address, unsigned bits) {
    const unsigned above = 64 - bits;
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(address << above) >> above) == address;
}

/// What one entry lets whom do (the rules of x86-64 with CR0.WP = WPE).
std::uint8_t granted(std::uint64_t entry, bool write_protect) {
    const bool user = first_stage::us.get(entry) != 0;
    const bool writable = first_stage::rw.get(entry) != 0;
    std::uint8_t permissions = supervisor_read;
    if (user)
        permissions |= user_read;
    if (user && writable)
        permissions |= user_write;
    if (writable || !write_protect)
        permissions |= supervisor_write;
    return permissions;
}

} // namespace

PageWalk::Next PageWalk::begin_first(Progress& w) {
    const Configuration& c = w.configuration;
    const std::uint64_t address = w.request.address;
    if (!canonical(address, paging::input_bits(c.first_levels)))
        return fault(w, fault_reason::sm_not_canonical);
    Position& p = w.first;
    p = Position{address, c.first_root, c.first_levels, every_permission};
    w.here = &p;
    const TableEntry* const hit =
        uses_caches(w) ? look_up(first_caches_, w, p, Tag{c.context_tag(), 0}, w.need, false) : nullptr;
    if (hit)
        w.table_writable = hit->writable;
    depend_on(w, p, hit ? p.level + 1 : p.level);
    if (hit || !w.nested())
        return Next::read;
    return begin_second(w, p.table, Purpose::table);
}

/// The entry of `level` has been read, and the table that it points to has been found.
void PageWalk::keep_first_stage(const Progress& w, unsigned level) {
    if (uses_caches(w))
        keep(first_caches_, w, w.first, level, Tag{w.configuration.context_tag(), 0}, insists, true);
}

PageWalk::Next PageWalk::take_first_stage(Progress& w) {
    const Configuration& c = w.configuration;
    Position& p = w.first;
    const std::uint64_t e = w.entry;
    if (!first_stage::p.get(e))
        return fault(w, fault_reason::sm_first_stage_not_present);
    const std::uint8_t permissions = p.permissions & granted(e, c.write_protect);
    if (!(permissions & w.need)) {
        const bool user_refused = !w.request.privileged && !first_stage::us.get(e);
        return fault(w, user_refused ? fault_reason::sm_user_privilege : fault_reason::sm_write_permission);
    }
    const bool large = p.level > 1 && first_stage::ps.get(e) && ((first_large_levels_ >> p.level) & 1);
    const bool leaf = p.level == 1 || large;
    const unsigned shift = paging::level_shift(p.level);
    // In nested walks addresses are guest-physical: the second stage checks them.
    std::uint64_t reserved = w.nested() ? 0 : above_width_;
    if (large)
        reserved |= low_bits(shift) & ~low_bits(first_stage::pat_large.msb + 1);
    else if (!leaf)
        reserved |= first_stage::ps.mask();
    if (e & reserved)
        return fault(w, fault_reason::sm_first_stage_reserved);

    const std::uint64_t frame = leaf ? paging::page_frame(p.level).in_place(e) : paging::address.in_place(e);
    if (leaf && !w.nested() && meets_interrupt_range(frame, shift))
        return fault(w, fault_reason::sm_output_in_interrupt_range);
    const std::uint64_t used = first_stage::a.mask() | (c.extended_accessed ? first_stage::ea.mask() : 0);
    const bool writes = leaf && w.request.write && (permissions & needed(true, w.request.privileged));
    w.desired = e | used | (writes ? first_stage::d.mask() : 0);
    if (w.desired != e && w.updates) {
        if (!c.snoop_walk)
            return fault(w, fault_reason::sm_first_stage_no_snoop_update);
        if (w.nested() && !w.table_writable)
            return fault(w, fault_reason::sm_nested_write_permission);
        return Next::update;
    }
    p.permissions = permissions;

    if (leaf) {
        const bool dirty = first_stage::d.get(e) != 0;
        w.global = first_stage::g.get(e) != 0;
        if (!w.nested())
            return finish(w, frame, shift, dirty);
        w.first_dirty = dirty;
        w.first_size_log2 = shift;
        return begin_second(w, frame | (p.input & low_bits(shift)), Purpose::page);
    }
    // Only entries whose accessed bits are set may be cached.
    const bool accessed = (e & used) == used;
    p.table = frame;
    if (accessed && !w.nested())
        keep_first_stage(w, p.level);
    --p.level;
    narrow(w, p);
    if (!w.nested())
        return Next::read;
    w.table_accessed = accessed;
    return begin_second(w, frame, Purpose::table);
}

} // namespace iommusim::vtd
