// Walks through second-stage, first-stage and nested tables, updates of accessed and dirty bits, and the
// paging-structure caches (VT-d specification, chapters 3 "DMA remapping" and 6 "Caching").
//
// The order of checks at each level is: access error, present or permission, reserved bits, update of A and
// D. Our choices where the architecture leaves one or is silent:
//  * a fault always comes from memory: a cached table entry that does not permit the access is passed over;
//  * a large page of which a part lies in the interrupt address range faults as a whole;
//  * in nested walks the second stage is not asked for more than read permission on first-stage tables, but
//    sets D on them (where it permits writing) as if they were written.
#pragma once

#include "models/core/atomic_update.h"
#include "models/core/inflight.h"
#include "models/core/memory_port.h"
#include "models/core/tagged_cache.h"
#include "models/core/wait.h"
#include "models/vtd/configuration.h"
#include "models/vtd/feature_set.h"
#include "models/vtd/iotlb.h"
#include "models/vtd/parameters.h"
#include "models/vtd/spec/interrupts.h"
#include "models/vtd/spec/paging.h"

#include <array>

namespace iommusim::vtd {

/// What the access asks of the walk.
struct WalkRequest {
    std::uint64_t address = 0;
    bool write = false;
    bool privileged = false; ///< effective: SRE has been checked
    /// Sets accessed (and, for writes, dirty) bits. Debug walks never do.
    bool updates = true;
    /// A translation request: permission for only one of reading and writing is no fault. `write`: it asks
    /// for write permission (NW = 0), and sets D where it gets it.
    bool either = false;
};

class PageWalk {
public:
    static constexpr unsigned levels = spec::paging::max_levels;

    PageWalk(const Parameters& parameters, const Features& features, MemoryPort& memory, TimedQueue& queue);

    /// Walks for `request`. `configuration` translates (first stage, second stage or nested). The in-flight
    /// entry says all the time what the walk may depend on; if an invalidation overtakes the walk, its
    /// results are used, but not kept. A page that does not permit the access is a fault here, not in the
    /// caller; the permissions in the entry are those of the page for every kind of access.
    ///
    /// For a nested walk the in-flight entry is first-stage: an invalidation of second-stage pages has to
    /// mark first-stage users of the domain by scope.
    Task<Done> walk(Pace& pace, const Configuration& configuration, const WalkRequest& request,
                    InflightTable::Entry& inflight, WalkResult& result);
    /// The same for processes that never suspend (loose, debug).
    void walk_at_once(Pace& pace, const Configuration& configuration, const WalkRequest& request,
                      InflightTable::Entry& inflight, WalkResult& result);

    /// Drops the paging-structure entries of the scope (one of the kinds of tag::).
    void invalidate_scope(const TagScope& scope);
    /// Drops the second-stage entries of a domain that were used for [first, last]. Returns the places looked
    /// at.
    std::uint64_t invalidate_second_stage(std::uint16_t domain, std::uint64_t first, std::uint64_t last);
    /// The same for first-stage and nested entries of a domain and PASID.
    std::uint64_t invalidate_first_stage(std::uint16_t domain, std::uint32_t pasid, std::uint64_t first,
                                         std::uint64_t last);

    /// `level` 2 to 5: entries that point to tables.
    const CacheStatistics& second_stage_statistics(unsigned level) const {
        return second_caches_[level - lowest_cached].statistics();
    }
    const CacheStatistics& first_stage_statistics(unsigned level) const {
        return first_caches_[level - lowest_cached].statistics();
    }
    const StallCounter& stalls() const { return slots_.stalls(); }
    std::uint64_t walks() const { return walks_; }
    std::uint64_t entry_reads() const { return entry_reads_; }
    std::uint64_t updates() const { return updates_; } ///< of accessed and dirty bits

private:
    static constexpr unsigned lowest_cached = 2;

    /// An entry that points to a table, as the paging-structure caches keep it.
    struct TableEntry {
        std::uint64_t table = 0;      ///< host-physical, in nested walks too
        std::uint8_t permissions = 0; ///< of the hierarchy so far
        bool accessed = false;        ///< its A bit is known to be set
        bool writable = false;        ///< nested: the second stage lets the table be written
    };
    using Caches = std::array<TaggedCache<TableEntry>, levels - lowest_cached + 1>;

    /// What a walk needs before it can go on.
    enum class Next : std::uint8_t { done, read, update };

    /// What the second stage is walked for.
    enum class Purpose : std::uint8_t {
        page,  ///< the page that the request goes to
        table, ///< the place of a first-stage table
    };

    /// A place in the tables of one stage.
    struct Position {
        std::uint64_t input = 0;
        std::uint64_t table = 0;
        unsigned level = 0;
        std::uint8_t permissions = 0; ///< of the hierarchy so far

        std::uint64_t entry_address() const {
            return table + spec::paging::index(input, level) * spec::paging::entry_bytes;
        }
    };

    /// Where a walk is.
    struct Progress {
        Progress(Pace& p, const Configuration& c, const WalkRequest& q, InflightTable::Entry& i,
                 WalkResult& r);
        Progress(const Progress&) = delete;

        bool nested() const { return configuration.kind == Configuration::Kind::nested; }

        Pace& pace;
        const Configuration& configuration;
        const WalkRequest& request;
        InflightTable::Entry& inflight;
        WalkResult& result;
        bool updates;
        std::uint8_t need; ///< permissions; any of them suffices

        Position first;
        Position second;
        Position* here = &first;
        Purpose purpose = Purpose::page;
        std::uint64_t entry = 0;   ///< as read
        std::uint64_t desired = 0; ///< what an update is to make of it
        // Nested: what the first stage has found so far.
        bool table_writable = false; ///< second-stage permission on the first-stage table
        bool table_accessed = false; ///< the first-stage entry that points to it has A set
        bool first_dirty = false;
        bool global = false;
        unsigned first_size_log2 = 0;
    };

    Next begin(Progress& w);
    Next begin_first(Progress& w);
    Next begin_second(Progress& w, std::uint64_t input, Purpose purpose);
    /// Whether this walk uses the paging-structure caches: neither look_up() nor keep() is for others.
    bool uses_caches(const Progress& w) const {
        return parameters_.structure_cache_entries != 0 && !w.pace.debug();
    }
    /// The cached entry furthest down that may be used for `p`, which then stands below it; or nullptr.
    const TableEntry* look_up(Caches& caches, Progress& w, Position& p, const Tag& tag, std::uint8_t need,
                              bool insist_on_accessed);
    /// Takes in one entry as read.
    Next step(Progress& w, tlm::tlm_response_status status);
    Next take_first_stage(Progress& w);
    Next take_second_stage(Progress& w);
    Next updated(Progress& w, AtomicUpdate::Outcome outcome);
    /// Whether output to a page of this size would meet the interrupt address range.
    static bool meets_interrupt_range(std::uint64_t frame, unsigned size_log2) {
        return frame <= spec::interrupt_window_last &&
               frame + low_bits(size_log2) >= spec::interrupt_window_first;
    }
    /// What a walk that is about to read the entry of `p` may end up using.
    static void narrow(Progress& w, const Position& p) {
        const std::uint64_t within = low_bits(spec::paging::level_shift(p.level));
        w.inflight.address = p.input & ~within;
        w.inflight.last = p.input | within;
    }
    /// `top_level`: of the topmost entry that the walk uses, cached or not.
    static void depend_on(Progress& w, const Position& p, unsigned top_level) {
        InflightTable::Entry& inflight = w.inflight;
        const std::uint64_t reach = low_bits(spec::paging::level_shift(top_level));
        inflight.tag.context = w.configuration.context_tag();
        inflight.insists = Tag{tag::domain_mask | tag::pasid_mask | tag::kind_mask, ~0ull};
        inflight.table_address = p.input & ~reach;
        inflight.table_last = p.input | reach;
        inflight.has_translation = true;
        narrow(w, p);
    }
    void keep(Caches& caches, const Progress& w, const Position& p, unsigned level, const Tag& tag,
              const Tag& insists, bool accessed);
    void keep_first_stage(const Progress& w, unsigned level);
    /// The page is found: `frame` of `size_log2` bytes in the stage walked last.
    static Next finish(Progress& w, std::uint64_t frame, unsigned size_log2, bool dirty);

    static Next fault(Progress& w, unsigned reason);
    static Next fault(Progress& w, unsigned legacy_reason, unsigned scalable_reason);
    /// A fault that lies in the second-stage entry just read.
    Next erroneous(Progress& w, unsigned legacy_reason, unsigned scalable_reason) const;
    Next refused_by_second_stage(Progress& w) const;

    const Parameters& parameters_;
    const Features& features_;
    MemoryPort& memory_;
    AtomicUpdate atomic_;
    Caches second_caches_;
    Caches first_caches_;
    Resource slots_;

    // Reserved bits of paging entries, from the features.
    std::uint64_t second_table_reserved_ = 0;
    std::array<std::uint64_t, 4> second_leaf_reserved_{}; ///< by level
    std::uint64_t above_width_ = 0;
    unsigned second_large_levels_ = 0; ///< bit n: level n may have leaves
    unsigned first_large_levels_ = 0;

    std::uint64_t walks_ = 0;
    std::uint64_t entry_reads_ = 0;
    std::uint64_t updates_ = 0;
};

/// The permission that an access needs.
inline Permission needed(bool write, bool privileged) {
    if (privileged)
        return write ? supervisor_write : supervisor_read;
    return write ? user_write : user_read;
}

/// The fault that a cached erroneous or not-present entry (CM = 1) gives an access.
std::uint8_t cached_fault(const IotlbEntry& entry, bool write);

} // namespace iommusim::vtd
