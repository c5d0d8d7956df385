// What is measured: the six loads, each as an object that can do any number of its operations. Used by
// load.cpp (under callgrind, see scripts/benchmark) and by benchmark.cpp (host time).
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace iommusim::benchmark {

class Load {
public:
    virtual ~Load() = default;
    /// Simulates at least `operations` more operations, rounded up to whole batches; returns how many it did.
    /// A result that is not what the load is meant to measure (a hit that missed, a fault) is a fatal report.
    virtual std::uint64_t run(std::uint64_t operations) = 0;
};

struct LoadKind {
    const char* name;
    const char* description; ///< of one operation
    unsigned instructions;   ///< host instructions that one operation may cost
    std::unique_ptr<Load> (*make)();
};

/// In the order of the table that scripts/benchmark prints.
const std::vector<LoadKind>& load_kinds();
/// nullptr if there is none of that name.
const LoadKind* find_load(std::string_view name);

std::unique_ptr<Load> make_timed_hit();
std::unique_ptr<Load> make_timed_miss();
std::unique_ptr<Load> make_invalidation();
std::unique_ptr<Load> make_driver_map_unmap();
std::unique_ptr<Load> make_loose_hit();
std::unique_ptr<Load> make_loose_miss();

} // namespace iommusim::benchmark
