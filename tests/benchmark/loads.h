// What is measured: six loads on every architecture, each as an object that can do any number of its
// operations. Used by load.cpp (under callgrind, see scripts/benchmark) and by benchmark.cpp (host time).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace iommusim::benchmark {

struct Architecture; // hardware.h

class Load {
public:
    virtual ~Load() = default;
    /// Simulates at least `operations` more operations, rounded up to whole batches; returns how many it did.
    /// A result that is not what the load is meant to measure (a hit that missed, a fault) is a fatal report.
    virtual std::uint64_t run(std::uint64_t operations) = 0;
};

struct LoadKind {
    std::string name;        ///< the architecture's, a hyphen, the load's
    std::string description; ///< of one operation
    unsigned instructions;   ///< host instructions that one operation may cost
    std::function<std::unique_ptr<Load>()> make;
};

/// In the order of the table that scripts/benchmark prints.
const std::vector<LoadKind>& load_kinds();
/// nullptr if there is none of that name.
const LoadKind* find_load(std::string_view name);

std::unique_ptr<Load> make_timed_hit(const Architecture& architecture);
std::unique_ptr<Load> make_timed_miss(const Architecture& architecture);
std::unique_ptr<Load> make_invalidation(const Architecture& architecture);
std::unique_ptr<Load> make_driver_map_unmap(const Architecture& architecture);
std::unique_ptr<Load> make_loose_hit(const Architecture& architecture);
std::unique_ptr<Load> make_loose_miss(const Architecture& architecture);

} // namespace iommusim::benchmark
