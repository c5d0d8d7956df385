// Filling in a Statistics, the same way for every unit.
#pragma once

#include "models/core/statistics.h"
#include "models/core/tagged_cache.h"
#include "models/core/wait.h"

namespace iommusim {

inline void add_count(Statistics& s, const std::string& name, std::uint64_t value) {
    s.counters.emplace_back(name, value);
}

inline void add_cache(Statistics& s, const std::string& name, const CacheStatistics& c) {
    add_count(s, name + ".hits", c.hits);
    add_count(s, name + ".misses", c.misses);
    add_count(s, name + ".evictions", c.evictions);
    add_count(s, name + ".invalidated", c.invalidated);
}

inline void add_stall(Statistics& s, const StallCounter& c) {
    s.stalls.push_back({c.reason, c.count, c.total, c.longest});
}

} // namespace iommusim
