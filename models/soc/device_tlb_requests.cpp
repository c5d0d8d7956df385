// Translation requests and what invalidation requests do to them.
#include "models/base/bits.h"
#include "models/soc/device_tlb_pipeline.h"
#include "models/soc/device_tlb_tag.h"

#include <algorithm>
#include <bit>

namespace iommusim::soc {

using device_tlb_tag::scope_of;
using device_tlb_tag::tag_of;

// ---- translation requests

Task<DeviceTlbPipeline::Answer> DeviceTlbPipeline::request_translation(Pace& pace, Requester requester,
                                                                       std::uint64_t page) {
    Miss* const other = pace.timed() ? find_miss(requester, page) : nullptr;
    if (other) {
        ++statistics_.merged_misses;
        ++other->users;
        while (!other->done)
            co_await other->finished.wait();
        --other->users;
        Answer answer = other->answer;
        answer.shared = true;
        co_return answer;
    }
    Miss& miss = open_miss(requester, page);
    const Resource::Slot slot = co_await translation_slots_.acquire(pace);
    miss.overtaken = miss.clipped = false; // nothing was asked before
    ++statistics_.translation_requests;
    OwnPayload& request =
        take_payload(requester, tlm::TLM_READ_COMMAND, page, nullptr,
                     static_cast<unsigned>(((miss.last - page) / page_bytes + 1) * sizeof(std::uint64_t)));
    request.requester.requester.address_type = AddressType::translation_request;
    const tlm::tlm_response_status status = co_await downstream.forward(pace, request);
    co_await pace.settle();
    miss.answer = evaluate(miss, status, request.completion);
    request.release();
    miss.done = true;
    --miss.users;
    miss.finished.announce();
    co_return miss.answer;
}

DeviceTlbPipeline::Miss* DeviceTlbPipeline::find_miss(const Requester& requester, std::uint64_t page) {
    const Tag tag = tag_of(requester);
    for (Miss& miss : misses_)
        if (miss.users != 0 && !miss.done && miss.page == page && miss.tag == tag &&
            miss.instruction == requester.instruction)
            return &miss;
    return nullptr;
}

DeviceTlbPipeline::Miss& DeviceTlbPipeline::open_miss(const Requester& requester, std::uint64_t page) {
    const auto free =
        std::find_if(misses_.begin(), misses_.end(), [](const Miss& miss) { return miss.users == 0; });
    Miss& miss = free != misses_.end() ? *free : misses_.emplace_back(queue_);
    const std::uint64_t room = (~0ull - page) / page_bytes;
    miss.page = page;
    miss.last = page + std::min(parameters_.translation_pages - 1, room) * page_bytes + (page_bytes - 1);
    miss.tag = tag_of(requester);
    miss.instruction = requester.instruction;
    miss.done = false;
    miss.users = 1;
    return miss;
}

DeviceTlbPipeline::Answer DeviceTlbPipeline::evaluate(const Miss& miss, tlm::tlm_response_status status,
                                                      const std::vector<std::uint64_t>& completion) {
    Answer answer;
    answer.status = status;
    if (miss.overtaken) {
        ++statistics_.translations_overtaken;
        return answer;
    }
    if (status != tlm::TLM_OK_RESPONSE) {
        answer.kind =
            status == ats_completion::unsupported_request ? Answer::Kind::unsupported : Answer::Kind::aborted;
        return answer;
    }
    answer.kind = Answer::Kind::entry;
    // The pages behind the one that is needed first: it has to be there afterwards.
    for (std::uint64_t i = (miss.last - miss.page) / page_bytes; i > 0; --i)
        fill(miss, miss.page + i * page_bytes, completion[i]);
    answer.entry = fill(miss, miss.page, completion[0]);
    return answer;
}

/// Decodes one entry of the completion and caches it unless it allows nothing.
DeviceTlbPipeline::Entry DeviceTlbPipeline::fill(const Miss& miss, std::uint64_t page,
                                                 std::uint64_t completion) {
    Entry entry;
    entry.read = (completion & ats_completion::read) != 0;
    entry.write = (completion & ats_completion::write) != 0;
    entry.execute = (completion & ats_completion::execute) != 0;
    entry.untranslated_only = (completion & ats_completion::untranslated_only) != 0;
    entry.cached_at = now();
    const unsigned size_log2 = ats_completion::size_log2(completion);
    entry.size_log2 = miss.clipped ? 12 : static_cast<std::uint8_t>(size_log2);
    entry.first = align_down(page, 1ull << entry.size_log2);
    entry.last = entry.first + low_bits(entry.size_log2);
    entry.output = ats_completion::address(completion) + (entry.first & low_bits(size_log2));
    if (entry.empty())
        return entry;
    // A smaller entry that allows less would be found in place of this one.
    cache_.remove_range(entry.first, entry.last, TagScope{miss.tag, Tag{~0ull, ~0ull}},
                        [&](const Entry& old) { return old.size_log2 < entry.size_log2; });
    cache_.insert(entry.first, entry.size_log2, miss.tag, Tag{~0ull, ~0ull}, entry);
    return entry;
}

DeviceTlbPipeline::OwnPayload& DeviceTlbPipeline::take_payload(const Requester& requester,
                                                               tlm::tlm_command command,
                                                               std::uint64_t address, void* data,
                                                               unsigned length) {
    if (free_payloads_.empty()) {
        payloads_.emplace_back(*this);
        free_payloads_.push_back(&payloads_.back());
    }
    OwnPayload& payload = *free_payloads_.back();
    free_payloads_.pop_back();
    payload.acquire();
    if (!data) {
        payload.completion.assign(length / sizeof(std::uint64_t), 0);
        data = payload.completion.data();
    }
    payload.requester.requester = requester;
    payload.set_command(command);
    payload.set_address(address);
    payload.set_data_ptr(static_cast<unsigned char*>(data));
    payload.set_data_length(length);
    payload.set_streaming_width(length);
    payload.set_byte_enable_ptr(nullptr);
    payload.set_dmi_allowed(false);
    payload.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
    return payload;
}

// ---- invalidations

void DeviceTlbPipeline::invalidation_arrived(const AtsInvalidation& request) {
    ++statistics_.invalidations;
    if (dead_) {
        ++statistics_.invalidations_ignored;
        return;
    }
    if (waiting_.size() + working_ >= parameters_.invalidation_queue_depth)
        ++statistics_.invalidation_overflows;
    waiting_.push(request);
    start_invalidations();
}

void DeviceTlbPipeline::start_invalidations() {
    while (!waiting_.empty() && free_groups_ != 0) {
        const auto group = static_cast<unsigned>(std::countr_zero(free_groups_));
        free_groups_ &= ~(1u << group);
        ++working_;
        carry_out(waiting_.pop(), group).resume();
    }
}

Process DeviceTlbPipeline::carry_out(AtsInvalidation request, unsigned group) {
    Pace pace(Pacing::timed, queue_);
    const TagScope scope = scope_of(request);
    cache_.remove_range(request.first, request.last, scope);
    overtake(scope, request.first, request.last);
    uses_.mark_range(group, scope, request.first, request.last, false);
    pace.spend(parameters_.invalidation_latency);
    co_await pace.settle();
    if (!uses_.drained(group))
        ++statistics_.invalidations_drained;
    while (!uses_.drained(group))
        co_await uses_.progress().wait();
    if (dead_)
        ++statistics_.invalidations_ignored;
    else if (unit_.size() != 0)
        unit_->invalidation_completed(request.requester, 1u << request.itag, 0);
    free_groups_ |= 1u << group;
    --working_;
    start_invalidations();
}

/// Translation requests under way must not cache what the invalidation names. Those for other pages may, but
/// not as part of a larger page: how large the answer would be is not known yet.
void DeviceTlbPipeline::overtake(const TagScope& scope, std::uint64_t first, std::uint64_t last) {
    for (Miss& miss : misses_) {
        if (miss.users == 0 || miss.done || !scope.covers(miss.tag))
            continue;
        miss.clipped = true;
        miss.overtaken = miss.overtaken || (miss.page <= last && miss.last >= first);
    }
}

} // namespace iommusim::soc
