#include "models/soc/page_requests.h"

namespace iommusim::soc {

PageRequests::PageRequests(TimedQueue& queue, UnitPort& unit, const DeviceTlbParameters& parameters,
                           DeviceTlbStatistics& statistics)
    : queue_(queue),
      unit_(unit),
      statistics_(statistics),
      enabled_(parameters.page_requests != 0),
      credits_(queue, "page request group", parameters.page_request_limit),
      answered_("page_answered"),
      responses_(queue, *this) {}

Task<AtsPageResponse::Code> PageRequests::ask(Pace& pace, Requester requester, std::uint64_t page,
                                              bool write) {
    AtsPageRequest request;
    request.requester = requester.id;
    request.has_pasid = requester.has_pasid;
    request.pasid = requester.has_pasid ? requester.pasid : 0;
    request.address = page;
    request.read = !write;
    request.write = write;
    request.execute = requester.instruction;
    request.privileged = requester.privileged;
    request.last = true;

    Resource::Slot credit;
    Group* group = find(request);
    if (group) {
        ++statistics_.merged_page_requests;
    } else {
        credit = co_await credits_.acquire(pace);
        if (!enabled_) // meanwhile
            co_return AtsPageResponse::response_failure;
        group = unit_.size() != 0 ? open(request) : nullptr;
        if (!group)
            co_return AtsPageResponse::invalid_request;
        ++statistics_.page_requests;
        unit_->page_requested(group->request, pace.offset());
    }
    ++group->users;
    if (pace.loose())
        wait_in_thread(pace, *group);
    while (!group->answered)
        co_await group->changed.wait();
    --group->users;
    co_return group->code;
}

PageRequests::Group* PageRequests::find(const AtsPageRequest& request) {
    for (Group& g : groups_) {
        const AtsPageRequest& r = g.request;
        if (g.users != 0 && !g.answered && r.address == request.address && r.requester == request.requester &&
            r.has_pasid == request.has_pasid && r.pasid == request.pasid &&
            r.privileged == request.privileged && r.read >= request.read && r.write >= request.write &&
            r.execute >= request.execute)
            return &g;
    }
    return nullptr;
}

PageRequests::Group* PageRequests::open(const AtsPageRequest& request) {
    std::size_t index = 0;
    while (index < groups_.size() && groups_[index].users != 0)
        ++index;
    if (index == index_limit)
        return nullptr;
    if (index == groups_.size())
        groups_.emplace_back(queue_);
    Group& group = groups_[index];
    group.request = request;
    group.request.group = static_cast<unsigned>(index);
    group.answered = false;
    return &group;
}

void PageRequests::wait_in_thread(Pace& pace, const Group& group) {
    const Picoseconds arrived_at = pace.time();
    while (!group.answered)
        sc_core::wait(answered_);
    pace.set_offset(arrived_at > now() ? arrived_at - now() : 0);
}

void PageRequests::arrived(const AtsPageResponse& response) {
    ++statistics_.page_responses;
    Group* const group = response.group < groups_.size() ? &groups_[response.group] : nullptr;
    if (!group || group->users == 0 || group->answered || group->request.requester != response.requester) {
        ++statistics_.unexpected_page_responses;
        return;
    }
    answer(*group, response.code);
    if (response.code != AtsPageResponse::response_failure)
        return;
    // The interface stops, and the function expects no further response.
    enabled_ = false;
    for (Group& g : groups_)
        if (g.users != 0 && !g.answered)
            answer(g, AtsPageResponse::response_failure);
}

void PageRequests::answer(Group& group, AtsPageResponse::Code code) {
    group.answered = true;
    group.code = code;
    group.changed.announce();
    answered_.notify(sc_core::SC_ZERO_TIME);
}

} // namespace iommusim::soc
