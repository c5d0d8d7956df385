#include "tests/benchmark/loads.h"

#include "tests/benchmark/hardware.h"

namespace iommusim::benchmark {

namespace {

/// Those that are measured.
const std::vector<Architecture>& architectures() {
    static const std::vector<Architecture> table{
        smmuv3_architecture(),
        vtd_architecture(),
    };
    return table;
}

/// The six loads on one architecture. The hardware of one may not cost more than that of another; what a
/// driver costs depends on how it waits.
void add_loads(std::vector<LoadKind>& kinds, const Architecture& a) {
    const auto add = [&](const char* name, unsigned instructions,
                         std::unique_ptr<Load> (*make)(const Architecture&), std::string description) {
        kinds.push_back({std::string(a.name()) + '-' + name, std::move(description), instructions,
                         [make, &a] { return make(a); }});
    };
    add("timed-hit", 4'500, make_timed_hit,
        "64-byte read that hits the only TLB, four-phase, 16 outstanding");
    add("timed-miss", 14'000, make_timed_miss, "the same with three table reads, each a timed transaction");
    add("invalidation", 3'600, make_invalidation, std::string("command of a batch: ") + a.batch);
    add("driver", a.driver_instructions, make_driver_map_unmap,
        "map, unmap and strict invalidation by a driver thread");
    add("loose-hit", 700, make_loose_hit, "64-byte read that hits the only TLB, b_transport");
    add("loose-miss", 1'500, make_loose_miss,
        "the same with three table reads, by direct pointer if the memory grants one");
}

} // namespace

const std::vector<LoadKind>& load_kinds() {
    static const std::vector<LoadKind> kinds = [] {
        std::vector<LoadKind> all;
        for (const Architecture& architecture : architectures())
            add_loads(all, architecture);
        return all;
    }();
    return kinds;
}

const LoadKind* find_load(std::string_view name) {
    for (const LoadKind& kind : load_kinds())
        if (name == kind.name)
            return &kind;
    return nullptr;
}

} // namespace iommusim::benchmark
