// The sending side of ATS invalidation inside an IOMMU: ITags, the limit of every device's invalidation
// queue, completions, time-outs, and what a completion command waits for (PCI Express Base Specification,
// chapter 10.3).
//
// A request that finds no ITag, or whose device has as many outstanding as it can queue, waits; requests to
// other devices pass it. Nothing is allocated per request once the longest wait list has been seen.
#pragma once

#include "models/core/ats.h"
#include "models/core/inflight.h"
#include "models/core/mailbox.h"
#include "models/core/wait.h"

#include <array>
#include <cstdint>
#include <deque>

namespace iommusim {

struct AtsInvalidatorStatistics {
    std::uint64_t sent = 0;
    std::uint64_t completed = 0;
    std::uint64_t timed_out = 0;
    std::uint64_t unexpected = 0; ///< completion messages that name a request which is not outstanding
    Picoseconds round_trips = 0;  ///< sum over the completed ones, from sending to the completion's arrival
    Picoseconds longest_round_trip = 0;
    StallCounter waits{"ATS invalidation credit"};
};

class AtsInvalidator {
public:
    static constexpr unsigned itag_count = 32;

    class Listener {
    public:
        virtual ~Listener() = default;
        /// No completion came in time. The request no longer counts for its group.
        virtual void timed_out(std::uint32_t requester, unsigned group) = 0;
        /// A completion names a request that is not outstanding at this requester.
        virtual void unexpected_completion(std::uint32_t requester) = 0;
    };

    /// Requests with the same `queue` share a limit: at most `max_pending` of them are outstanding. 0 or more
    /// than 32 stands for 32.
    struct Flow {
        std::uint32_t queue;
        unsigned max_pending;
    };

    using Devices = sc_core::sc_port<AtsDevicesIf, 1, sc_core::SC_ZERO_OR_MORE_BOUND>;

    /// `devices` may be nullptr or unbound: then no request is ever completed.
    AtsInvalidator(TimedQueue& queue, Devices* devices, Listener& listener);
    AtsInvalidator(const AtsInvalidator&) = delete;

    /// From sending to giving up, for requests sent from now on; 0: never.
    void set_timeout(Picoseconds timeout) { timeout_ = timeout; }

    /// Sends the request not before `delay` from now; its ITag is chosen here. `group` is below drain_groups.
    void send(const AtsInvalidation& request, const Flow& flow, unsigned group, Picoseconds delay = 0);
    /// A completion message arrives `delay` from now: what AtsUnitIf::invalidation_completed() is told.
    void completed(std::uint32_t requester, std::uint32_t itags, Picoseconds delay);

    /// Every request of the group has been completed, has timed out or was aborted.
    bool drained(unsigned group) const { return unfinished_[group] == 0; }
    /// Announced whenever a request has finished: re-check drained().
    Condition& progress() { return progress_; }

    /// Forgets the group's requests. Those that have been sent keep their ITags until their completion or
    /// time-out, of which nobody is told.
    void abort(unsigned group);
    /// Forgets everything, ITags included: a completion that still comes is unexpected.
    void abort_all();

    std::size_t outstanding() const { return outstanding_; }
    std::size_t waiting() const { return waiting_count_; }
    const AtsInvalidatorStatistics& statistics() const { return statistics_; }

private:
    struct Slot {
        AtsInvalidation request;
        Flow flow{};
        unsigned group = 0;
        Picoseconds sent = 0;
        Picoseconds deadline = 0;
        bool used = false;
        bool abandoned = false;
    };
    struct Waiting {
        AtsInvalidation request;
        Flow flow{};
        unsigned group = 0;
        Picoseconds earliest = 0; ///< not sent before
        Picoseconds since = 0;
        Waiting* next = nullptr; ///< in the wait list, or unused
    };
    struct Completion {
        std::uint32_t requester;
        std::uint32_t itags;
    };

    bool has_credit(const Flow& flow) const;
    void start(const AtsInvalidation& request, const Flow& flow, unsigned group, Picoseconds earliest);
    void start_waiting();
    void recycle(Waiting& waiting);
    void arrived(const Completion& completion);
    void finish(Slot& slot);
    void arm_timer(Picoseconds deadline);
    void check_deadlines();

    TimedQueue& queue_;
    Devices* devices_;
    Listener& listener_;
    Picoseconds timeout_ = 0;

    std::array<Slot, itag_count> slots_; ///< by ITag
    unsigned next_itag_ = 0;             ///< in turn, so that a late completion rarely meets a reused one
    std::size_t outstanding_ = 0;

    std::deque<Waiting> storage_;
    Waiting* unused_ = nullptr;
    Waiting* first_ = nullptr;
    Waiting* last_ = nullptr;
    std::size_t waiting_count_ = 0;

    bool timer_armed_ = false;
    Picoseconds timer_at_ = 0;

    std::size_t unfinished_[drain_groups] = {};
    Condition progress_;
    Mailbox<AtsInvalidator, Completion, &AtsInvalidator::arrived> completions_;
    AtsInvalidatorStatistics statistics_;
};

} // namespace iommusim
