// The command queue: fetch, decode, legality, execution in order, CMD_SYNC, errors (Arm IHI 0070 chapter 4).
//
// Commands are fetched in bursts. Each invalidation goes to the TCU caches and to every TBU and comes back
// acknowledged before the next one starts (a TBU grants one invalidation token). A command is consumed after
// that: the consumer index never runs ahead of an effect. CMD_SYNC waits for what earlier commands of the
// queue marked in the in-flight table and for the events recorded before it.
#pragma once

#include "models/core/inflight.h"
#include "models/core/probe.h"
#include "models/core/ring.h"
#include "models/smmuv3/event_queue.h"
#include "models/smmuv3/interrupts.h"
#include "models/smmuv3/invalidation.h"
#include "models/smmuv3/parameters.h"

#include <deque>

namespace iommusim::smmuv3 {

/// The rest of the unit as commands see it.
class CommandExecutor {
public:
    virtual ~CommandExecutor() = default;
    /// Takes effect at once on every cache; returns the places looked at.
    virtual std::uint64_t invalidate(const TlbInvalidation& what, const CommandContext& context) = 0;
    virtual void invalidate(const ConfigurationInvalidation& what, const CommandContext& context) = 0;
    virtual void prefetch_configuration(std::uint32_t stream, bool has_substream,
                                        std::uint32_t substream) = 0;
    virtual InflightTable& inflight() = 0;
    virtual Probe* probe() const = 0;
};

class CommandQueue {
public:
    /// Marks of this queue in the in-flight table.
    static constexpr unsigned drain_group = 0;

    CommandQueue(const Parameters& parameters, RegisterFile& registers, MemoryPort& memory,
                 Interrupts& interrupts, EventQueue& events, CommandExecutor& executor, TimedQueue& queue,
                 ProcessList& processes);

    ProcessList& processes() { return processes_; }

    /// Takes over base, size and indices; called when the queue becomes enabled.
    void enable();
    /// No new fetch; entries fetched ahead are dropped. The command in progress still ends, see busy().
    void disable();
    bool busy() const { return busy_; }
    Condition& became_idle() { return became_idle_; }

    /// The producer index was written and arrives `delay` from now.
    void doorbell(std::uint32_t producer, Picoseconds delay);
    /// Consumption may go on `delay` from now: an error was acknowledged.
    void resume(Picoseconds delay);

    std::uint64_t consumed() const { return consumed_; }
    std::uint64_t syncs() const { return syncs_; }
    std::uint64_t fetches() const { return fetches_; }
    const StallCounter& drain_stalls() const { return drain_stalls_; }

private:
    Process run();
    bool enabled() const;
    bool runnable() const;
    bool legal(const std::uint64_t* command) const;
    TlbInvalidation decode_tlbi(const std::uint64_t* command) const;
    static ConfigurationInvalidation decode_cfgi(const std::uint64_t* command);
    Task<Done> invalidate(Pace& pace, const std::uint64_t* command, std::uint32_t index);
    /// Until everything before a CMD_SYNC is complete; the result is when the last access had drained.
    Task<Picoseconds> drain(Pace& pace);
    Task<Done> signal(Pace& pace, const std::uint64_t* command);
    void publish(std::uint32_t consumer);
    void fail(unsigned code);
    static void doorbell_arrived(void* self);
    static void resumed(void* self);

    const Parameters& parameters_;
    RegisterFile& registers_;
    MemoryPort& memory_;
    Interrupts& interrupts_;
    EventQueue& events_;
    CommandExecutor& executor_;
    TimedQueue& queue_;
    ProcessList& processes_;
    RingReader ring_;
    Condition work_;
    Condition became_idle_;
    std::deque<std::uint32_t> doorbells_; ///< on their way
    std::uint32_t producer_ = 0;          ///< as far as doorbells have arrived
    std::uint32_t consumer_ = 0;          ///< next command to take up
    std::uint32_t published_ = 0;         ///< the consumer index as software reads it
    bool busy_ = false;
    std::uint64_t consumed_ = 0;
    std::uint64_t syncs_ = 0;
    std::uint64_t fetches_ = 0;
    StallCounter drain_stalls_{"drain"};
};

} // namespace iommusim::smmuv3
