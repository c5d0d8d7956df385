#include "tests/property/access_operation.h"

#include <ostream>

namespace iommusim::rules {

std::ostream& operator<<(std::ostream& out, const Operation& o) {
    switch (o.kind) {
    case Operation::map:
        return out << "map " << o.amount << " pages at " << o.page << " of space " << o.space << " to "
                   << o.target;
    case Operation::unmap:
        return out << "unmap " << o.page << " of space " << o.space;
    case Operation::read:
    case Operation::write:
        return out << (o.kind == Operation::read ? "read" : "write") << " page " << o.page << " by device "
                   << o.space;
    case Operation::invalidate:
        out << "invalidate by " << name_of(o.by);
        if (o.by == By::range)
            out << " of " << o.amount << " pages";
        if (o.by == By::address || o.by == By::any_space || o.by == By::range)
            out << " at " << o.page;
        return o.by == By::any_space || o.by == By::everything ? out : out << " of space " << o.space;
    case Operation::invalidate_device:
        return out << "invalidate device " << o.space;
    case Operation::invalidate_device_narrowly:
        return out << "invalidate a part of device " << o.space;
    case Operation::invalidate_configuration:
        return out << "invalidate all configuration";
    case Operation::retarget:
        return out << "retarget device 1 through structure " << o.amount;
    case Operation::complete:
        return out << "complete";
    case Operation::wait:
        return out << "wait " << o.amount * 50 << " ns";
    case Operation::slow_down:
        return out << "slow down by " << o.amount * 50 << " ns";
    case Operation::slow_data:
        return out << "slow data by " << o.amount * 50 << " ns";
    }
    return out;
}

namespace {

/// Every operation without its operands, as often as its weight.
std::vector<Operation> weighted_operations(const RuleTraits& traits) {
    std::vector<Operation> all;
    const auto add = [&](unsigned weight, const Operation& o) { all.insert(all.end(), weight, o); };
    add(6, {.kind = Operation::map, .amount = 1});
    for (const std::uint64_t bytes : traits.page_sizes)
        if (bytes > page_bytes && bytes <= input_bytes / 2)
            add(2, {.kind = Operation::map, .amount = static_cast<unsigned>(bytes / page_bytes)});
    add(6, {.kind = Operation::unmap});
    add(16, {.kind = Operation::read});
    add(8, {.kind = Operation::write});
    for (const By by : traits.ways)
        add(by == By::address ? 5 : by == By::range ? 2 : 1, {.kind = Operation::invalidate, .by = by});
    add(1, {.kind = Operation::invalidate_device});
    add(1, {.kind = Operation::invalidate_device_narrowly});
    add(1, {.kind = Operation::invalidate_configuration});
    add(1, {.kind = Operation::retarget});
    add(8, {.kind = Operation::complete});
    add(6, {.kind = Operation::wait});
    add(1, {.kind = Operation::slow_down});
    add(1, {.kind = Operation::slow_data});
    return all;
}

} // namespace

rc::Gen<Operation> operations(const RuleTraits& traits) {
    const unsigned structures = traits.configuration_reads;
    return rc::gen::mapcat(rc::gen::elementOf(weighted_operations(traits)), [structures](const Operation& o) {
        const bool range = o.kind == Operation::invalidate && o.by == By::range;
        const unsigned least = range ? 2 : 0;
        const unsigned limit = o.kind == Operation::retarget ? structures : range ? 33 : 40;
        return rc::gen::build(
            rc::gen::just(o), rc::gen::set(&Operation::space, rc::gen::element(0u, 0u, 1u)),
            // Few pages, so that operations meet: some at the ends of groups and blocks.
            rc::gen::set(&Operation::page,
                         rc::gen::element<std::uint64_t>(0, 1, 2, 15, 16, 17, 511, 512, 513, 600)),
            rc::gen::set(&Operation::target, rc::gen::inRange<std::uint64_t>(0, output_bytes / page_bytes)),
            rc::gen::set(&Operation::amount, o.kind == Operation::map ? rc::gen::just(o.amount)
                                                                      : rc::gen::inRange(least, limit)));
    });
}

} // namespace iommusim::rules
