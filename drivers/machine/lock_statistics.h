// What a lock remembers about its use, so that results can name the hottest ones.
#pragma once

#include "models/base/time.h"

#include <cstdint>
#include <string>

namespace iommusim::machine {

struct LockStatistics {
    std::string name;
    std::uint64_t acquisitions = 0;
    std::uint64_t contended = 0; ///< acquisitions that had to wait for another CPU
    Picoseconds total_wait = 0;  ///< from asking to owning, contended acquisitions only
    Picoseconds maximum_wait = 0;
    Picoseconds total_hold = 0; ///< from owning to unlocking
    Picoseconds maximum_hold = 0;
};

} // namespace iommusim::machine
