#include "tests/property/access_play.h"

#include <algorithm>
#include <sstream>

namespace iommusim::rules {

namespace {

Requester device(unsigned number) { return number == 0 ? RuleBench::device() : RuleBench::other_device(); }
std::uint64_t address_of(std::uint64_t page) { return first_input + page * page_bytes; }

} // namespace

RuleOptions Play::options() {
    RuleOptions o;
    o.interconnect.response_latency = 150'000; // answers can be old when they arrive
    o.record_faults = false;
    return o;
}

Play::Play(RuleBench& bench, const std::vector<Operation>& operations, Mistake mistake)
    : bench_(bench),
      unit_(bench.unit()),
      mistake_(mistake),
      table_delay_(unit_.faults().delay(soc::AccessKind::any, UnitBench::first_allocated, 0x1000'0000, 0)),
      data_delay_(unit_.faults().delay(soc::AccessKind::any, first_output, output_bytes, 0)) {
    for (std::uint64_t at = 0; at < output_bytes; at += page_bytes)
        unit_.poke(first_output + at, first_output + at); // every output page says which one it is
    bindings_[0].push_back({0, 0});
    bindings_[1].push_back({1, 0});
    unit_.spawn([this, &operations] {
        for (const Operation& o : operations)
            carry_out(o);
    });
    unit_.settle();
    judge();
}

// ---- software

void Play::carry_out(const Operation& o) {
    switch (o.kind) {
    case Operation::map:
        return map(o);
    case Operation::unmap:
        if (Mapping* m = current(o.space, o.page))
            remove(o.space, *m);
        return;
    case Operation::read:
    case Operation::write:
        return access(o);
    case Operation::invalidate:
        return invalidate(o);
    case Operation::invalidate_device:
        issue_configuration([&] { bench_.queue_device_invalidation(device(o.space).id); });
        return cover_binding(o.space);
    case Operation::invalidate_device_narrowly: // need not suffice
        return issue_configuration([&] { bench_.queue_narrow_device_invalidation(device(o.space).id); });
    case Operation::invalidate_configuration:
        issue_configuration([&] { bench_.queue_configuration_invalidation(); });
        cover_binding(0);
        return cover_binding(1);
    case Operation::retarget:
        return retarget(o);
    case Operation::complete:
        return complete();
    case Operation::wait:
        if (o.amount != 0)
            sc_core::wait(o.amount * 50, sc_core::SC_NS);
        return;
    case Operation::slow_down:
        return unit_.faults().set_delay(table_delay_, o.amount * 50'000);
    case Operation::slow_data:
        return unit_.faults().set_delay(data_delay_, o.amount * 50'000);
    }
}

Play::Mapping* Play::current(unsigned space, std::uint64_t page) {
    for (Mapping& m : mappings_[space])
        if (m.replaced == never && m.holds(page))
            return &m;
    return nullptr;
}

void Play::remove(unsigned space, Mapping& mapping) {
    bench_.unmap(address_of(mapping.page), mapping.pages * page_bytes, space);
    mapping.replaced = now();
}

void Play::map(const Operation& o) {
    const std::uint64_t pages = o.amount;
    const std::uint64_t bytes = pages * page_bytes;
    const std::uint64_t first = o.page / pages * pages;
    const std::uint64_t target = o.target / pages * pages;
    const unsigned read = bench_.leaf_read(bytes);
    bool other_level = false;
    for (std::uint64_t page = first; page < first + pages; ++page)
        if (Mapping* old = current(o.space, page)) {
            other_level = other_level || bench_.leaf_read(old->pages * page_bytes) != read;
            remove(o.space, *old);
        }
    if (other_level || unit_.peek(bench_.table_entry(address_of(first), read, o.space)) != 0)
        break_before_make(o.space, first / 512 * 512);
    bench_.map(address_of(first), first_output + target * page_bytes, bytes, o.space);
    Mapping& mapping = mappings_[o.space].emplace_back(Mapping{first, pages, target, now(), now()});
    if (bench_.traits().caches_absent_pages) {
        issue({By::space, 0, 0, o.space, true});
        complete();
        mapping.usable = now();
    }
}

/// A table and a block must not meet: the 2 MiB from a page become empty first.
void Play::break_before_make(unsigned space, std::uint64_t first) {
    unit_.poke(bench_.table_entry(address_of(first), bench_.leaf_read(page_2m), space), 0);
    const std::vector<By>& ways = bench_.traits().ways;
    const bool ranges = std::find(ways.begin(), ways.end(), By::range) != ways.end();
    issue({ranges ? By::range : By::space, address_of(first), page_2m, space, true});
    cover(space, [&](const Mapping& m) { return m.page / 512 == first / 512; });
    complete();
}

void Play::access(const Operation& o) {
    if (o.kind == Operation::read) {
        accesses_.push_back({&unit_.begin_read(device(o.space), address_of(o.page), 8), o, now(), 0});
        return;
    }
    const std::uint64_t token = 0xfeed'0000'0000'0000 + accesses_.size();
    const std::uint64_t offset = 8 + accesses_.size() % 500 * 8;
    std::vector<std::uint8_t> bytes(8);
    std::memcpy(bytes.data(), &token, 8);
    const Dma& dma = unit_.begin_write(device(o.space), address_of(o.page) + offset, bytes);
    accesses_.push_back({&dma, o, now(), token});
}

void Play::invalidate(const Operation& o) {
    issue({o.by, address_of(o.page), o.amount * page_bytes, o.space, false});
    const std::uint64_t last = o.by == By::range ? o.page + o.amount - 1 : o.page;
    const bool all = o.by == By::space || o.by == By::everything;
    for (unsigned space = 0; space < RuleBench::spaces; ++space)
        if (space == o.space || o.by == By::any_space || o.by == By::everything)
            cover(space,
                  [&](const Mapping& m) { return all || (m.page <= last && m.page + m.pages > o.page); });
}

void Play::retarget(const Operation& o) {
    Binding& old = bindings_[1].back();
    const unsigned space = 1 - old.space;
    old.replaced = now();
    bindings_[1].push_back({space, now()});
    bench_.redirect(RuleBench::other_device_id, space, o.amount);
}

void Play::complete() {
    wait_for_room();
    bench_.queue_completion();
    bench_.ring();
    while (mistake_ != Mistake::no_completion && !bench_.all_done())
        sc_core::wait(20, sc_core::SC_NS);
    for (auto& space : mappings_)
        for (Mapping& m : space)
            if (m.covered && m.gone == never)
                m.gone = now();
    for (auto& device_bindings : bindings_)
        for (Binding& b : device_bindings)
            if (b.covered && b.gone == never)
                b.gone = now();
}

// ---- commands

/// For as many commands as one step of the software takes.
void Play::wait_for_room() {
    while (bench_.room() < 2)
        sc_core::wait(50, sc_core::SC_NS);
}

void Play::issue(const Invalidation& invalidation) {
    wait_for_room();
    if (mistake_ == Mistake::no_tlb_invalidation)
        return;
    bench_.queue(invalidation);
    bench_.ring();
}

template <class Queue> void Play::issue_configuration(Queue queue) {
    wait_for_room();
    if (mistake_ == Mistake::no_configuration_invalidation)
        return;
    queue();
    bench_.ring();
}

template <class Matches> void Play::cover(unsigned space, Matches matches) {
    for (Mapping& m : mappings_[space])
        m.covered = m.covered || (m.replaced != never && matches(m));
}

void Play::cover_binding(unsigned number) {
    for (Binding& b : bindings_[number])
        b.covered = b.covered || b.replaced != never;
}

// ---- judgement

namespace {

bool overlap(Picoseconds from, Picoseconds to, Picoseconds begun, Picoseconds completed) {
    return from <= completed && to > begun;
}

} // namespace

/// Whether the access may have gone to an output page; `mapped`: to one that was really mapped.
bool Play::may_use(const Access& a, std::uint64_t target, bool mapped) const {
    const auto overlaps = [&](const auto& held) {
        return overlap(held.from, mapped ? held.replaced : held.gone, a.begun, a.dma->completed);
    };
    for (const Binding& b : bindings_[a.operation.space])
        if (overlaps(b))
            for (const Mapping& m : mappings_[b.space])
                if (m.holds(a.operation.page) && m.target + (a.operation.page - m.page) == target &&
                    overlaps(m))
                    return true;
    return false;
}

/// Whether there was a moment without a mapping.
bool Play::may_be_refused(const Access& a) const {
    for (const Binding& b : bindings_[a.operation.space]) {
        if (!overlap(b.from, b.gone, a.begun, a.dma->completed))
            continue;
        Picoseconds mapped_until = a.begun; // without a gap, as far as known
        bool grown = true;
        while (grown) {
            grown = false;
            for (const Mapping& m : mappings_[b.space])
                if (m.holds(a.operation.page) && m.usable <= mapped_until && m.replaced > mapped_until) {
                    mapped_until = m.replaced;
                    grown = true;
                }
        }
        if (mapped_until <= a.dma->completed)
            return true;
    }
    return false;
}

void Play::diverge(const Access& a, const std::string& what) {
    if (!divergence_.empty())
        return;
    std::ostringstream text;
    text << a.operation << ", from " << a.begun / 1000 << " to " << a.dma->completed / 1000 << " ns, "
         << what;
    divergence_ = text.str();
}

/// The output pages that hold the token of a write.
std::vector<std::uint64_t> Play::places_of(std::uint64_t token) const {
    std::vector<std::uint64_t> found;
    for (std::uint64_t at = 0; at < output_bytes; at += 8)
        if (unit_.peek(first_output + at) == token)
            found.push_back(at / page_bytes);
    return found;
}

void Play::judge(const Access& a) {
    if (!a.dma->finished)
        return diverge(a, "never ended");
    if (!a.dma->ok()) {
        if (!may_be_refused(a))
            diverge(a, "was refused although it was mapped all the time");
        return;
    }
    std::uint64_t went_to = 0;
    if (a.operation.kind == Operation::read) {
        std::memcpy(&went_to, a.dma->data.data(), 8);
        went_to = (went_to - first_output) / page_bytes;
    } else {
        const std::vector<std::uint64_t> places = places_of(a.token);
        if (places.size() != 1)
            return; // overwritten by a later one
        went_to = places[0];
    }
    if (!may_use(a, went_to, false))
        diverge(a, "went to page " + std::to_string(went_to));
    stale_ += !may_use(a, went_to, true);
}

/// No use is observable after its mapping was promised to be gone.
void Play::judge(const test::RecordingProbe::Observed& o) {
    const std::uint64_t page = (o.use.input_address - first_input) / page_bytes;
    const std::uint64_t target = (o.use.output_address - first_output) / page_bytes;
    Picoseconds last_gone = 0;
    for (const auto& space : mappings_)
        for (const Mapping& m : space)
            if (m.holds(page) && m.target + (page - m.page) == target)
                last_gone = std::max(last_gone, m.gone);
    if (last_gone < o.when && divergence_.empty())
        divergence_ = "page " + std::to_string(page) + " was used at " + std::to_string(o.use.time / 1000) +
                      " ns, observable at " + std::to_string(o.when / 1000) + " ns, promised to be gone at " +
                      std::to_string(last_gone / 1000) + " ns";
}

void Play::judge() {
    for (const Access& a : accesses_)
        judge(a);
    judged_ = static_cast<unsigned>(accesses_.size());
    for (const test::RecordingProbe::Observed& o : unit_.probe.observed)
        judge(o);
}

} // namespace iommusim::rules
