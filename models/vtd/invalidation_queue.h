// Queued invalidation: fetch, legality, execution, wait descriptors, errors (VT-d specification, chapter
// 6.5.2).
//
// IQH moves on when a descriptor has been fetched and found legal; only a wait descriptor tells that what
// came before it is done. Descriptors execute one after the other or overlapped (queue.execution); their
// effects come in the order of the queue in both cases. A wait descriptor completes when the descriptors
// before it have ended, the accesses that they overtook have left, and the Device-TLB invalidations among
// them are complete. Waits end in order.
//
// What descriptors between two waits overtake is marked in a drain group of its own, so that no wait waits
// for what a later descriptor has marked. The groups are finite: with all of them in use the queue stalls.
#pragma once

#include "models/core/ats_invalidator.h"
#include "models/core/command_processor.h"
#include "models/core/mailbox.h"
#include "models/core/probe.h"
#include "models/vtd/fault_log.h"
#include "models/vtd/invalidation.h"
#include "models/vtd/messages.h"
#include "models/vtd/parameters.h"
#include "models/vtd/register_file.h"

#include <array>
#include <vector>

namespace iommusim::vtd {

/// The page request side, as wait descriptors that drain it (PD) and response descriptors see it.
class PageRequestDrain {
public:
    virtual ~PageRequestDrain() = default;
    /// Requests that have arrived so far, and how many of them are in memory or have been answered.
    virtual std::uint64_t arrived() const = 0;
    virtual std::uint64_t handled() const = 0;
    /// Announced when handled() has grown.
    virtual Condition& progress() = 0;
    /// A page group response descriptor.
    virtual void respond(const AtsPageResponse& response) = 0;
};

class InvalidationQueue : public CommandProcessor<InvalidationQueue>, private AtsInvalidator::Listener {
public:
    /// Wait descriptors that can be pending at the same time, each with a drain group.
    static constexpr unsigned max_pending_waits = register_drain_group;

    /// `devices` may be unbound or nullptr, `page_requests` nullptr.
    InvalidationQueue(const Parameters& parameters, RegisterFile& registers, MemoryPort& memory,
                      Messages& messages, FaultLog& faults, InvalidationTarget& target,
                      InflightTable& inflight, AtsInvalidator::Devices* devices,
                      PageRequestDrain* page_requests, TimedQueue& queue, ProcessList& processes);

    /// Takes over IQA and IQT; called when QIES becomes 1.
    void enable();
    /// No new fetch; descriptors fetched ahead are dropped. What has been taken up still ends, see busy().
    /// GSTS.QIES may become 0 after that.
    void disable() { abandon(); }
    /// A descriptor is being fetched or executed, or a wait is pending. became_idle() tells when to ask
    /// again.
    bool busy() const { return CommandProcessor::busy() || pending_ != 0 || executing_ != 0; }

    /// IQT was written; it arrives `delay` from now.
    void tail_written(std::uint64_t tail, Picoseconds delay);
    /// IQA was written.
    void address_written();
    /// Software cleared FSTS.IQE or FSTS.ITE; that arrives `delay` from now. Goes on at IQH.
    void resume(Picoseconds delay);

    /// Device-TLB invalidations: completions of devices go there.
    AtsInvalidator& device_tlbs() { return device_tlbs_; }
    const AtsInvalidator& device_tlbs() const { return device_tlbs_; }

    std::uint64_t waits() const { return completed_waits_; }
    std::uint64_t aborted_waits() const { return aborted_waits_; }
    const StallCounter& drain_stalls() const { return drain_stalls_; }
    const StallCounter& device_tlb_stalls() const { return device_tlb_stalls_; }
    const StallCounter& page_request_stalls() const { return page_request_stalls_; }
    /// Too many waits pending to take up another descriptor.
    const StallCounter& pending_wait_stalls() const { return pending_wait_stalls_; }
    /// Too many invalidations executing to start another one.
    const StallCounter& outstanding_stalls() const { return outstanding_stalls_; }

private:
    friend CommandProcessor<InvalidationQueue>;
    using GroupMask = std::uint32_t;
    static constexpr unsigned no_group = ~0u;

    /// A wait descriptor between its fetch and its end.
    struct Wait {
        FetchedCommand descriptor{};
        GroupMask groups = 0;            ///< whose marks it waits for
        std::uint64_t page_requests = 0; ///< received before it
        bool completing = false;         ///< too late for an abort
        bool aborted = false;
    };

    /// An overlapped invalidation whose lookup is under way.
    struct Execution {
        FetchedCommand descriptor;
        unsigned group;
    };

    bool enabled() const;
    bool stopped() const;
    bool runnable() const { return enabled() && !stopped() && producer() != consumer(); }
    unsigned fetch_burst() const { return static_cast<unsigned>(parameters_.queue_fetch_burst); }
    Picoseconds doorbell_latency() const { return parameters_.queue_doorbell; }
    bool accept(std::uint32_t tail);
    void show(std::uint32_t consumer) {
        registers_.set_invalidation_head(std::uint64_t{consumer} * geometry().entry_bytes);
    }
    void fetch_failed();
    Task<Done> execute(Pace& pace, const FetchedCommand& descriptor);

    void fail(unsigned iqei);
    bool width_supported() const;
    std::uint32_t classify(std::uint64_t tail) const;

    /// Makes it pending; with a fence, or in serial execution, until it ends.
    Task<Done> take_up_wait(const FetchedCommand& descriptor);
    /// Until a drain group is open for what comes now.
    Task<Done> open_group();
    Task<Done> find_room(Pace& pace);
    void take_effect(const Execution& execution);
    void ended(const FetchedCommand& descriptor, Picoseconds finished);
    /// Takes effect now; returns the places looked at.
    std::uint64_t apply(const FetchedCommand& descriptor, unsigned group);

    Process complete_waits();
    Task<Done> drain(const Wait& wait);
    Task<Done> signal(Pace& pace, const FetchedCommand& descriptor);
    void abort_waits();
    bool executed(GroupMask groups) const;
    Picoseconds left_of(GroupMask groups) const;
    bool device_tlbs_drained(GroupMask groups) const;
    bool accesses_drained(GroupMask groups) const;
    void mark_translated(GroupMask groups);
    void stalled(StallCounter& counter, Picoseconds began);

    // AtsInvalidator::Listener
    void timed_out(std::uint32_t requester, unsigned group) override;
    void unexpected_completion(std::uint32_t requester) override;

    const Parameters& parameters_;
    RegisterFile& registers_;
    MemoryPort& memory_;
    Messages& messages_;
    FaultLog& faults_;
    InvalidationTarget& target_;
    InflightTable& inflight_;
    PageRequestDrain* page_requests_;
    AtsInvalidator device_tlbs_;
    const bool overlapped_;
    unsigned tail_error_ = 0; ///< of the last tail, until there is a better one

    // Overlapped execution
    Mailbox<InvalidationQueue, Execution, &InvalidationQueue::take_effect> executions_;
    std::uint64_t executing_ = 0;                                    ///< have not taken effect
    std::array<std::uint64_t, register_drain_group> executing_in_{}; ///< the same by group
    std::vector<Picoseconds> finishing_; ///< when those that have taken effect end; some have ended
    std::array<Picoseconds, register_drain_group> ends_{}; ///< of the last one in a group
    Condition executed_;                                   ///< announced with each effect

    std::array<std::vector<std::uint16_t>, register_drain_group> sources_; ///< of Device-TLB invalidations

    std::array<Wait, max_pending_waits> waits_; ///< a ring
    unsigned oldest_ = 0;
    unsigned pending_ = 0;
    std::uint64_t taken_waits_ = 0;
    std::uint64_t ended_waits_ = 0;
    std::uint64_t aborts_ = 0;
    Condition waits_changed_;
    unsigned open_ = no_group; ///< where descriptors mark now
    GroupMask inherited_ = 0;  ///< of aborted waits: the next wait covers them too
    GroupMask used_ = 0;       ///< open, inherited, or of a pending wait

    std::uint64_t completed_waits_ = 0;
    std::uint64_t aborted_waits_ = 0;
    StallCounter drain_stalls_{"drain"};
    StallCounter device_tlb_stalls_{"Device-TLB invalidation"};
    StallCounter page_request_stalls_{"page request drain"};
    StallCounter pending_wait_stalls_{"pending waits"};
    StallCounter outstanding_stalls_{"outstanding invalidations"};
};

} // namespace iommusim::vtd
