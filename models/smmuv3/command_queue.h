// The command queue: fetch, decode, legality, execution in order, CMD_SYNC, errors (Arm IHI 0070 chapter 4).
//
// Commands are fetched in bursts. Each invalidation goes to the TCU caches and to every TBU and comes back
// acknowledged before the next one starts (a TBU grants one invalidation token). A command is consumed after
// that: the consumer index never runs ahead of an effect. CMD_SYNC waits for what earlier commands of the
// queue marked in the in-flight table and for the events recorded before it.
#pragma once

#include "models/core/command_processor.h"
#include "models/core/inflight.h"
#include "models/core/probe.h"
#include "models/smmuv3/event_queue.h"
#include "models/smmuv3/interrupts.h"
#include "models/smmuv3/invalidation.h"
#include "models/smmuv3/parameters.h"
#include "models/smmuv3/spec/commands.h"

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

class CommandQueue : public CommandProcessor<CommandQueue> {
public:
    /// Marks of this queue in the in-flight table.
    static constexpr unsigned drain_group = 0;

    CommandQueue(const Parameters& parameters, RegisterFile& registers, MemoryPort& memory,
                 Interrupts& interrupts, EventQueue& events, CommandExecutor& executor, TimedQueue& queue,
                 ProcessList& processes);

    /// Takes over base, size and indices; called when the queue becomes enabled.
    void enable();
    /// No new fetch; entries fetched ahead are dropped. The command in progress still ends, see busy().
    void disable() { abandon(); }

    std::uint64_t syncs() const { return syncs_; }
    const StallCounter& drain_stalls() const { return drain_stalls_; }

private:
    friend CommandProcessor<CommandQueue>;
    bool enabled() const;
    bool runnable() const;
    unsigned fetch_burst() const { return static_cast<unsigned>(parameters_.command_fetch_burst); }
    Picoseconds doorbell_latency() const { return parameters_.doorbell_latency; }
    bool accept(std::uint32_t producer);
    void show(std::uint32_t consumer);
    void fetch_failed() { fail(spec::cerror::abt); }
    Task<Done> execute(Pace& pace, const FetchedCommand& command);

    bool legal(const std::uint64_t* command) const;
    TlbInvalidation decode_tlbi(const std::uint64_t* command) const;
    static ConfigurationInvalidation decode_cfgi(const std::uint64_t* command);
    void prefetch(const std::uint64_t* command);
    /// Until everything before a CMD_SYNC is complete; the result is when the last access had drained.
    Task<Picoseconds> drain(Pace& pace);
    Task<Done> signal(Pace& pace, const std::uint64_t* command);
    void fail(unsigned code);

    const Parameters& parameters_;
    RegisterFile& registers_;
    MemoryPort& memory_;
    Interrupts& interrupts_;
    EventQueue& events_;
    CommandExecutor& executor_;
    std::uint64_t syncs_ = 0;
    StallCounter drain_stalls_{"drain"};
};

} // namespace iommusim::smmuv3
