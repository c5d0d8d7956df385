// Deferred invalidation: unmapped ranges wait in per-CPU rings until a flush of the whole domain that began
// after they were queued has finished; only then their addresses go back to the allocator.
//
// Two counters prove it without naming flushes: `start` is incremented before a flush, `finish` after it. An
// entry remembers `start` at the time it was queued and is free once `finish` is greater: at least one flush
// has then both begun and finished since, however many ran at the same time. Flushes happen when a ring is
// full and from a timer.
#pragma once

#include "drivers/dma/dma_parameters.h"
#include "drivers/dma/iommu_domain.h"
#include "drivers/iova/allocator.h"
#include "drivers/machine/machine.h"
#include "drivers/machine/shared_word.h"
#include "drivers/machine/spinlock.h"

#include <deque>
#include <vector>

namespace iommusim::dma {

class FlushQueue {
public:
    struct Statistics {
        std::uint64_t queued = 0;
        std::uint64_t released = 0;      ///< covered by a flush, address given back
        std::uint64_t full_flushes = 0;  ///< because a ring was full
        std::uint64_t timer_flushes = 0; ///< because the timer expired
        std::uint64_t most_waiting = 0;  ///< entries of one ring
    };

    /// Deliberate defects, to show that checkers find them.
    enum class Defect {
        none,
        releases_too_early, ///< compares with <= instead of <: an unfinished flush counts
    };

    FlushQueue(machine::Machine&, IommuDomain&, iova::Allocator&, const DmaParameters&,
               DmaObserver* = nullptr);

    /// Queues an unmapped range whose page-table entries are already gone. `table_pages` are freed with it.
    void queue(machine::Cpu&, std::uint64_t iova, std::uint64_t size,
               std::vector<std::uint64_t>&& table_pages);
    /// Flushes and releases everything that was queued before, on all CPUs' rings. For the end of a domain.
    void drain(machine::Cpu&);

    /// Entries in one CPU's ring.
    std::size_t waiting(unsigned cpu) const;
    std::uint64_t flushes_started() const { return started_.peek(); }
    std::uint64_t flushes_finished() const { return finished_.peek(); }
    const Statistics& statistics() const { return statistics_; }
    const machine::Spinlock& ring_lock(unsigned cpu) const { return rings_[cpu].lock; }

    void inject(Defect defect) { defect_ = defect; }

private:
    struct Entry {
        std::uint64_t iova = 0;
        std::uint64_t size = 0;
        std::uint64_t counter = 0; ///< flushes started when it was queued
        std::vector<std::uint64_t> table_pages;
    };
    struct Ring {
        Ring(machine::Machine& machine, std::size_t slots)
            : lock(machine, "dma.flush_queue"), entries(slots) {}
        machine::Spinlock lock;
        std::vector<Entry> entries;
        std::size_t head = 0;
        std::size_t tail = 0;
    };

    std::size_t next(std::size_t index) const { return index + 1 == slots_ ? 0 : index + 1; }
    bool full(const Ring& ring) const { return next(ring.tail) == ring.head; }
    void flush(machine::Cpu&);
    void release(machine::Cpu&, Ring&);
    void release_all(machine::Cpu&);
    void on_timer(machine::Cpu&);

    IommuDomain& domain_;
    iova::Allocator& allocator_;
    DmaObserver* const observer_;
    const DmaParameters parameters_;
    const std::size_t slots_;
    const unsigned granule_bits_;
    std::deque<Ring> rings_;
    machine::SharedWord started_;
    machine::SharedWord finished_;
    machine::SharedWord timer_on_;
    machine::Timer timer_;
    Defect defect_ = Defect::none;
    Statistics statistics_;
};

} // namespace iommusim::dma
