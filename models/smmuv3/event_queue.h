// The event queue: fault and configuration records on their way to memory (Arm IHI 0070 sections 7.2 to 7.4).
// Records are never merged. Stalls are not modelled (STALL_MODEL: terminate only).
#pragma once

#include "models/core/requester.h"
#include "models/core/ring.h"
#include "models/core/wait.h"
#include "models/smmuv3/interrupts.h"
#include "models/smmuv3/spec/events.h"

#include <array>
#include <deque>

namespace iommusim::smmuv3 {

struct EventRecord {
    std::array<std::uint64_t, spec::event::words> words{};
};

class EventQueue {
public:
    EventQueue(RegisterFile& registers, MemoryPort& memory, Interrupts& interrupts, TimedQueue& queue,
               ProcessList& processes);

    ProcessList& processes() { return processes_; }

    /// Takes over base and size; called when the queue becomes enabled.
    void enable();
    /// Drops what has not been committed; the write under way, if any, still ends.
    void disable();
    bool writing() const { return writing_; }

    /// Hands over one record; it reaches memory later, or is dropped as the architecture says.
    void record(const EventRecord& record);

    /// Records handed over so far, and how many of them are visible in memory or definitively dropped.
    std::uint64_t recorded() const { return recorded_; }
    std::uint64_t settled() const { return settled_; }
    Condition& progress() { return progress_; }

    std::uint64_t dropped() const { return dropped_; }

private:
    Process write_records();
    bool enabled() const;

    RegisterFile& registers_;
    Interrupts& interrupts_;
    TimedQueue& queue_;
    ProcessList& processes_;
    RingWriter ring_;
    std::deque<EventRecord> pending_;
    Condition progress_;
    bool writing_ = false;
    std::uint64_t recorded_ = 0;
    std::uint64_t settled_ = 0;
    std::uint64_t dropped_ = 0;
};

} // namespace iommusim::smmuv3
