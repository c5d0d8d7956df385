// The page request interface of a device: groups of one page request each, merged by page, limited in number,
// and what becomes of them (PCI Express Base Specification, chapter 10.4).
#pragma once

#include "models/core/ats.h"
#include "models/core/mailbox.h"
#include "models/core/requester.h"
#include "models/core/wait.h"
#include "models/soc/device_tlb.h"

#include <deque>

namespace iommusim::soc {

class PageRequests {
public:
    using UnitPort = sc_core::sc_port<AtsUnitIf, 1, sc_core::SC_ZERO_OR_MORE_BOUND>;

    PageRequests(TimedQueue& queue, UnitPort& unit, const DeviceTlbParameters& parameters,
                 DeviceTlbStatistics& statistics);
    PageRequests(const PageRequests&) = delete;

    bool enabled() const { return enabled_; }
    void enable(bool on) { enabled_ = on; }

    /// Asks for the page and waits for the response, in the caller's thread if the pace is loose. Without an
    /// IOMMU to ask the page is an invalid request.
    Task<AtsPageResponse::Code> ask(Pace& pace, Requester requester, std::uint64_t page, bool write);

    /// A response arrives `delay` from now.
    void respond(const AtsPageResponse& response, Picoseconds delay) { responses_.post(response, delay); }

private:
    /// Page request group indices have 9 bits.
    static constexpr std::size_t index_limit = 512;

    /// The group whose index is its place in groups_.
    struct Group {
        explicit Group(TimedQueue& queue) : changed(queue) {}
        AtsPageRequest request;
        unsigned users = 0; ///< 0: free
        bool answered = false;
        AtsPageResponse::Code code = AtsPageResponse::success;
        Condition changed;
    };

    Group* find(const AtsPageRequest& request);
    Group* open(const AtsPageRequest& request);
    void wait_in_thread(Pace& pace, const Group& group);
    void arrived(const AtsPageResponse& response);
    void answer(Group& group, AtsPageResponse::Code code);

    TimedQueue& queue_;
    UnitPort& unit_;
    DeviceTlbStatistics& statistics_;
    bool enabled_;
    Resource credits_;
    std::deque<Group> groups_;
    sc_core::sc_event answered_; ///< for threads
    Mailbox<PageRequests, AtsPageResponse, &PageRequests::arrived> responses_;
};

} // namespace iommusim::soc
