// Stage 1 translation table walks, VMSAv8-64 with the 4 KB granule, and the caches of table descriptors
// (Arm IHI 0070 section 3.4, DDI 0487 chapter D8).
#pragma once

#include "models/core/inflight.h"
#include "models/core/memory_port.h"
#include "models/core/tagged_cache.h"
#include "models/core/wait.h"
#include "models/smmuv3/configuration.h"
#include "models/smmuv3/parameters.h"

#include <array>

namespace iommusim::smmuv3 {

/// What a page lets whom do.
enum Permission : std::uint8_t {
    unprivileged_read = 1,
    unprivileged_write = 2,
    unprivileged_execute = 4,
    privileged_read = 8,
    privileged_write = 16,
    privileged_execute = 32,
};

/// One page, block or contiguous group as TLBs keep it.
struct TlbEntry {
    std::uint64_t output = 0; ///< of the first byte
    Picoseconds filled_at = 0;
    std::uint64_t context = 0; ///< address-space tag: ASID, ASET, global
    std::uint8_t size_log2 = 12;
    std::uint8_t level = 3; ///< of the leaf descriptor
    std::uint8_t permissions = 0;
    bool ignore_top_byte = false;
    bool bypass = false; ///< a stream in bypass: output equals input

    std::uint64_t size() const { return 1ull << size_log2; }
};

/// Input addresses as TLBs key them: sign-extended from bit 55, so that the tags of TBI aliases agree.
inline std::uint64_t canonical(std::uint64_t address) {
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(address << 8) >> 8);
}

struct WalkResult {
    std::uint8_t event = 0; ///< 0: `entry` is valid
    std::uint64_t fetch_address = 0;
    TlbEntry entry;
};

class PageWalk {
public:
    PageWalk(const Parameters& parameters, MemoryPort& memory, TimedQueue& queue);

    /// Walks for `address`. The entry of the access says all the time what the walk may depend on; if an
    /// invalidation overtakes the walk, its results are used, but not kept.
    Task<Done> walk(Pace& pace, const Configuration& configuration, std::uint64_t address,
                    InflightTable::Entry& inflight, WalkResult& result);
    /// The same for processes that never suspend (loose, debug).
    void walk_at_once(Pace& pace, const Configuration& configuration, std::uint64_t address,
                      InflightTable::Entry& inflight, WalkResult& result);

    void invalidate_scope(const TagScope& scope);
    /// Drops table descriptors used for [first, last] at levels below `below_level`. Returns the places
    /// looked at.
    std::uint64_t invalidate_range(std::uint64_t first, std::uint64_t last, const TagScope& scope,
                                   unsigned below_level);

    const CacheStatistics& cache_statistics(unsigned level) const { return caches_[level].statistics(); }
    const StallCounter& stalls() const { return slots_.stalls(); }
    std::uint64_t walks() const { return walks_; }
    std::uint64_t descriptor_reads() const { return descriptor_reads_; }

private:
    static constexpr unsigned cached_levels = 3; ///< 0 to 2: descriptors that point to tables

    struct TableEntry {
        std::uint64_t table = 0;
        std::uint8_t removed = 0; ///< permissions that the hierarchy has taken away so far
    };

    /// Where a walk is.
    struct Progress {
        const Configuration& configuration;
        const TranslationHalf& half;
        std::uint64_t key; ///< the canonical address
        std::uint64_t table = 0;
        unsigned level = 0;
        unsigned index_bits = 0;
        std::uint8_t removed = 0; ///< permissions that the hierarchy has taken away so far

        std::uint64_t descriptor_address() const;
    };

    static Progress progress_of(const Configuration& configuration, std::uint64_t address);
    /// False: the walk is over before it has begun, with a fault.
    bool begin(Pace& pace, Progress& progress, std::uint64_t address, InflightTable::Entry& inflight,
               WalkResult& result);
    /// Takes in one descriptor as read. False: the walk is over.
    bool step(Pace& pace, Progress& progress, std::uint64_t d, tlm::tlm_response_status status,
              InflightTable::Entry& inflight, WalkResult& result);

    const Parameters& parameters_;
    MemoryPort& memory_;
    std::array<TaggedCache<TableEntry>, cached_levels> caches_;
    Resource slots_;
    std::uint64_t walks_ = 0;
    std::uint64_t descriptor_reads_ = 0;
};

} // namespace iommusim::smmuv3
