// Interrupt requests: the interrupt remapping table, its entry cache, remapped and posted interrupts
// (VT-d specification, chapter 5).
//
// Only entries that are present and without reserved bits are cached. Where sources differ: SVT = 3 counts as
// a reserved field (24h); a posted entry in a unit without CAP.PI is refused after the source-id check (24h).
#pragma once

#include "models/core/inflight.h"
#include "models/core/memory_port.h"
#include "models/core/tagged_cache.h"
#include "models/core/wait.h"
#include "models/vtd/feature_set.h"
#include "models/vtd/invalidation.h"
#include "models/vtd/messages.h"
#include "models/vtd/parameters.h"
#include "models/vtd/register_file.h"
#include "models/vtd/spec/interrupts.h"

namespace iommusim::vtd {

/// What becomes of one interrupt request.
struct InterruptOutcome {
    enum class Kind : std::uint8_t {
        blocked, ///< `reason` is recorded
        message, ///< a write of `data` to `address` goes on instead
        posted,  ///< the posted-interrupt descriptor has been updated; the notification, if one was due, sent
    } kind = Kind::blocked;
    std::uint8_t reason = 0;
    bool no_record = false;  ///< IRTE.FPD
    std::uint64_t index = 0; ///< of the entry; 0 if the request does not come to naming one
    std::uint64_t address = 0;
    std::uint32_t data = 0;
};

class InterruptRemapping {
public:
    InterruptRemapping(const Parameters& parameters, const Features& features, const RegisterFile& registers,
                       MemoryPort& memory, Messages& messages, TimedQueue& queue);

    /// Remaps the DWORD write of `data` to `address` (0xFEEx_xxxx) by `source`. Whether remapping is enabled
    /// is decided here, from GSTS. `inflight` is marked stale when an entry-cache invalidation overtakes the
    /// request: it then leaves nothing in the cache. A debug request has no effect at all.
    Task<InterruptOutcome> remap(Pace& pace, std::uint16_t source, std::uint64_t address, std::uint32_t data,
                                 const InflightTable::Entry& inflight);

    void invalidate(const InterruptEntryInvalidation& what);

    const CacheStatistics& cache_statistics() const { return cache_.statistics(); }
    std::uint64_t remapped() const { return remapped_; }
    std::uint64_t posted() const { return posted_; }
    std::uint64_t notifications() const { return notifications_; }

private:
    struct Entry {
        std::uint64_t words[spec::irte::words] = {};
    };

    /// 0, or the reason to refuse an entry as it is in the table.
    unsigned entry_error(const Entry& entry) const;
    /// 0, or the reason to refuse this source's use of the entry.
    unsigned use_error(const Entry& entry, std::uint16_t source) const;
    void remap_with(const Entry& entry, InterruptOutcome& outcome) const;
    Task<unsigned> post(Pace& pace, const Entry& entry);
    void notify(const std::uint64_t* descriptor);

    const Parameters& parameters_;
    const Features& features_;
    const RegisterFile& registers_;
    MemoryPort& memory_;
    Messages& messages_;
    TimedQueue& queue_;
    TaggedCache<Entry> cache_; ///< by index
    std::uint64_t remapped_ = 0;
    std::uint64_t posted_ = 0;
    std::uint64_t notifications_ = 0;
};

} // namespace iommusim::vtd
