#include "tests/conformance/rules/rule_bench.h"

#include <bit>
#include <ostream>

namespace iommusim::rules {

const char* name_of(By by) {
    switch (by) {
    case By::address:
        return "Address";
    case By::any_space:
        return "AnySpace";
    case By::range:
        return "Range";
    case By::space:
        return "Space";
    case By::everything:
        return "Everything";
    }
    return "";
}

void RuleBench::map_global(std::uint64_t, std::uint64_t) {
    SC_REPORT_FATAL("RuleBench", ("no page is global in " + traits_.name).c_str());
}

unsigned RuleBench::leaf_read(std::uint64_t bytes) const {
    const auto bits = static_cast<unsigned>(std::countr_zero(bytes / page_4k));
    return traits_.table_reads - 1 - bits / 9;
}

void RuleBench::queue(const Invalidation& invalidation) { queued_ += put(invalidation); }

void RuleBench::queue_invalidation(std::uint64_t address, By by, bool tables) {
    Invalidation invalidation;
    invalidation.by = by;
    invalidation.address = address;
    invalidation.bytes = 2 * page_4k;
    invalidation.tables = tables;
    queue(invalidation);
}

void RuleBench::queue_device_invalidation(std::uint32_t id) { queued_ += put_device_invalidation(id); }
void RuleBench::queue_configuration_invalidation() { queued_ += put_configuration_invalidation(); }
void RuleBench::queue_narrow_device_invalidation(std::uint32_t id) {
    queued_ += put_narrow_device_invalidation(id);
}

void RuleBench::queue_completion() {
    put_completion();
    ++queued_;
    ++completions_;
}

void RuleBench::complete() {
    queue_completion();
    ring();
    unit().settle();
}

void RuleBench::complete_in_program() {
    queue_completion();
    ring();
    while (!all_done())
        sc_core::wait(10, sc_core::SC_NS);
}

bool RuleBench::queue_announcement(std::uint64_t address) {
    if (traits_.caches_absent_pages)
        queue_invalidation(address, By::address, true);
    return traits_.caches_absent_pages;
}

bool RuleBench::only_completion_is_missing() {
    const std::uint64_t missing = queued_ - done();
    return missing != 0 && (missing == 1 || !traits_.index_covers_effects) &&
           unit().probe.invalidations.size() == invalidations_queued();
}

std::ostream& operator<<(std::ostream& out, const Architecture& architecture) {
    return out << architecture.traits.name;
}

std::string size_name(std::uint64_t bytes) {
    for (const auto& [unit, letter] : {std::pair{page_1g, "G"}, {1ull << 20, "M"}})
        if (bytes >= unit)
            return std::to_string(bytes / unit) + letter;
    return std::to_string(bytes >> 10) + "K";
}

} // namespace iommusim::rules
