// What one IOMMU counted. Plain data. C++17: public.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace iommusim {

/// Named counters in a fixed order; the names are the metric names of reports ("iommu.tlb.hits", ...).
struct Statistics {
    std::vector<std::pair<std::string, std::uint64_t>> counters;
    /// Faults by the architecture's name, in the order of their codes.
    std::vector<std::pair<std::string, std::uint64_t>> faults;
    struct Stall {
        std::string reason;
        std::uint64_t count;
        std::uint64_t total_ps;
        std::uint64_t longest_ps;
    };
    std::vector<Stall> stalls;
};

} // namespace iommusim
