#include "models/vtd/page_requests.h"

#include "models/vtd/spec/faults.h"
#include "models/vtd/spec/page_request.h"

namespace iommusim::vtd {

using namespace spec;

PageRequests::PageRequests(RegisterFile& registers, ConfigurationFetch& configurations, FaultLog& faults,
                           MemoryPort& memory, Messages& messages, Devices& devices, InflightTable& inflight,
                           Owner& owner, TimedQueue& queue, ProcessList& processes)
    : registers_(registers),
      configurations_(configurations),
      faults_(faults),
      memory_(memory),
      messages_(messages),
      devices_(devices),
      inflight_(inflight),
      owner_(owner),
      queue_(queue),
      processes_(processes),
      arriving_(queue, *this),
      progress_(queue) {}

void PageRequests::take(const AtsPageRequest& request) {
    ++arrived_;
    pending_.push_back(request);
    if (!handling_) {
        handling_ = true;
        handle().resume();
    }
}

void PageRequests::answer(const AtsPageRequest& request, AtsPageResponse::Code code) {
    const bool stop_marker = !request.read && !request.write;
    if (!request.last || stop_marker)
        return; // only the last request of a group is answered
    respond(AtsPageResponse{request.requester, request.has_pasid, request.pasid, request.group, code});
}

void PageRequests::respond(const AtsPageResponse& response) {
    ++responses_;
    if (devices_.size() > 0)
        devices_->respond(response, 0);
}

void PageRequests::raise(Field status) {
    if (registers_.set_page_request_status(status)) {
        const EventMessage message = registers_.page_message();
        messages_.send(message.address, message.data);
    }
}

Process PageRequests::handle() {
    Pace pace(Pacing::timed, queue_);
    while (!pending_.empty()) {
        const AtsPageRequest request = pending_.front();
        pending_.pop_front();
        Requester requester;
        requester.id = request.requester;
        requester.has_pasid = request.has_pasid;
        requester.pasid = request.pasid;
        requester.privileged = request.privileged;
        const bool scalable = registers_.root_table().mode != rtaddr::ttm_legacy;
        Configuration configuration;
        InflightTable::Entry inflight; // a fetch that an invalidation overtakes is not kept
        inflight_.enter(inflight);
        inflight.tag.owner = tag::owner(request.requester, request.has_pasid, request.pasid);
        if (owner_.translating() && scalable) {
            if (const Configuration* const known = configurations_.find(pace, requester))
                configuration = *known;
            else
                configuration = co_await configurations_.fetch(pace, requester, inflight.stale);
        }
        co_await pace.settle();
        inflight_.leave(inflight);   // nothing that a completion would have to wait for
        if (!owner_.translating()) { // nobody will read the queue
            ++refused_;
            answer(request, AtsPageResponse::invalid_request);
            ++handled_;
            progress_.announce();
            continue;
        }

        unsigned reason = fault_reason::none;
        if (!scalable)
            reason = fault_reason::sm_legacy_page_request;
        else if (configuration.kind == Configuration::Kind::fault)
            reason = configuration.reason;
        else if (!configuration.page_requests)
            reason = fault_reason::sm_page_request_disabled;

        const QueueConfig config = registers_.page_request_queue();
        const std::uint64_t tail = registers_.page_request_tail();
        const std::uint64_t next = (tail + page_request::bytes) & (config.bytes - 1);
        if (reason != fault_reason::none) {
            ++refused_;
            Fault fault;
            fault.reason = static_cast<std::uint8_t>(reason);
            fault.no_record = configuration.no_record;
            fault.source = static_cast<std::uint16_t>(request.requester);
            fault.has_pasid = request.has_pasid;
            fault.pasid = request.pasid;
            fault.privileged = request.privileged;
            fault.execute = request.execute;
            fault.page_request = true;
            fault.information = request.address;
            faults_.record(fault);
            answer(request, AtsPageResponse::invalid_request);
        } else if (registers_.page_request_status(prs::pro)) {
            ++dropped_; // until software clears the overflow; the device may try again
            answer(request, AtsPageResponse::success);
        } else if (next == registers_.page_request_head()) {
            ++dropped_;
            raise(prs::pro);
            answer(request, AtsPageResponse::success);
        } else {
            owner_.forget_page(configuration, request.address);
            std::array<std::uint64_t, page_request::words> record{};
            std::uint64_t* const words = record.data();
            page_request::type.set(words, page_request::type_page_request);
            page_request::pp.set(words, request.has_pasid);
            page_request::rid.set(words, request.requester);
            page_request::pasid.set(words, request.has_pasid ? request.pasid : 0);
            page_request::exr.set(words, request.execute);
            page_request::pmr.set(words, request.privileged);
            page_request::rd.set(words, request.read);
            page_request::wr.set(words, request.write);
            page_request::lpig.set(words, request.last);
            page_request::prgi.set(words, request.group);
            words[page_request::addr.word()] |= page_request::addr.in_place(request.address);
            const tlm::tlm_response_status status =
                co_await memory_.write(pace, config.base + tail, record.data(), page_request::bytes);
            co_await pace.settle();
            if (status == tlm::TLM_OK_RESPONSE) {
                ++queued_;
                registers_.set_page_request_tail(next);
                raise(prs::ppr);
            } else { // nowhere to put it: the device learns that nobody will ever answer
                ++dropped_;
                answer(request, AtsPageResponse::response_failure);
            }
        }
        ++handled_;
        progress_.announce();
    }
    handling_ = false;
}

} // namespace iommusim::vtd
