#include "models/soc/fault_injector.h"

#include <algorithm>

namespace iommusim::soc {

FaultInjector::Id FaultInjector::add(Effect effect, AccessKind kind, std::uint64_t base, std::uint64_t size,
                                     Picoseconds extra) {
    const Id id = next_id_++;
    if (size == 0)
        return id;
    const std::uint64_t last = base + std::min(size - 1, ~base);
    rules_.push_back(Rule{id, effect, kind, base, last, extra});
    if (on_added)
        on_added(base, last);
    return id;
}

FaultInjector::Id FaultInjector::fail(AccessKind kind, std::uint64_t base, std::uint64_t size) {
    return add(Effect::failure, kind, base, size, 0);
}

FaultInjector::Id FaultInjector::poison(std::uint64_t base, std::uint64_t size) {
    return add(Effect::poison, AccessKind::read, base, size, 0);
}

FaultInjector::Id FaultInjector::delay(AccessKind kind, std::uint64_t base, std::uint64_t size,
                                       Picoseconds extra) {
    return add(Effect::delay, kind, base, size, extra);
}

void FaultInjector::set_delay(Id id, Picoseconds extra) {
    for (Rule& r : rules_)
        if (r.id == id && r.effect == Effect::delay)
            r.extra = extra;
}

FaultInjector::Id FaultInjector::hold(AccessKind kind, std::uint64_t base, std::uint64_t size) {
    return add(Effect::hold, kind, base, size, 0);
}

void FaultInjector::remove(Id id) {
    rules_.erase(std::remove_if(rules_.begin(), rules_.end(), [id](const Rule& r) { return r.id == id; }),
                 rules_.end());
    if (on_removed)
        on_removed();
}

void FaultInjector::clear() {
    rules_.clear();
    if (on_removed)
        on_removed();
}

bool FaultInjector::fails(AccessKind kind, std::uint64_t address, std::uint64_t length) const {
    return std::any_of(rules_.begin(), rules_.end(), [&](const Rule& r) {
        return (r.effect == Effect::failure || r.effect == Effect::poison) &&
               r.matches(kind, address, length);
    });
}

bool FaultInjector::held(AccessKind kind, std::uint64_t address, std::uint64_t length) const {
    return std::any_of(rules_.begin(), rules_.end(), [&](const Rule& r) {
        return r.effect == Effect::hold && r.matches(kind, address, length);
    });
}

Picoseconds FaultInjector::extra_delay(AccessKind kind, std::uint64_t address, std::uint64_t length) const {
    Picoseconds sum = 0;
    for (const Rule& r : rules_)
        if (r.effect == Effect::delay && r.matches(kind, address, length))
            sum += r.extra;
    return sum;
}

void FaultInjector::overwritten(std::uint64_t address, std::uint64_t length) {
    if (length == 0)
        return;
    const std::uint64_t last = address + (length - 1);
    const auto cured = [&](const Rule& r) {
        return r.effect == Effect::poison && r.last >= address && r.first <= last;
    };
    if (std::none_of(rules_.begin(), rules_.end(), cured))
        return;
    std::vector<Rule> remaining;
    for (const Rule& r : rules_) {
        if (!cured(r)) {
            remaining.push_back(r);
            continue;
        }
        if (r.first < address) {
            remaining.push_back(r);
            remaining.back().last = address - 1;
        }
        if (r.last > last) {
            remaining.push_back(r);
            remaining.back().first = last + 1;
        }
    }
    rules_.swap(remaining);
}

bool FaultInjector::clip_to_faultless(std::uint64_t address, std::uint64_t& first,
                                      std::uint64_t& last) const {
    for (const Rule& r : rules_) {
        if (r.first <= address && address <= r.last) {
            first = std::max(first, r.first);
            last = std::min(last, r.last);
            return false;
        }
        if (r.last < address)
            first = std::max(first, r.last + 1);
        else
            last = std::min(last, r.first - 1);
    }
    return true;
}

} // namespace iommusim::soc
