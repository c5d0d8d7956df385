#include "tests/benchmark/loads.h"

namespace iommusim::benchmark {

const std::vector<LoadKind>& load_kinds() {
    static const std::vector<LoadKind> kinds = {
        {"timed-hit", "64-byte read that hits the only TLB, four-phase, 16 outstanding", 4'500,
         make_timed_hit},
        {"timed-miss", "the same with three table reads, each a timed transaction", 14'000, make_timed_miss},
        {"invalidation", "command of a batch: 31 CMD_TLBI_NH_VA, 1 CMD_SYNC", 3'600, make_invalidation},
        {"driver", "map, unmap and strict invalidation by a driver thread", 12'000, make_driver_map_unmap},
        {"loose-hit", "64-byte read that hits the only TLB, b_transport", 700, make_loose_hit},
        {"loose-miss", "the same with three table reads, by direct pointer if the memory grants one", 1'500,
         make_loose_miss},
    };
    return kinds;
}

const LoadKind* find_load(std::string_view name) {
    for (const LoadKind& kind : load_kinds())
        if (name == kind.name)
            return &kind;
    return nullptr;
}

} // namespace iommusim::benchmark
