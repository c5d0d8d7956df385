#include "models/vtd/invalidation_queue.h"

#include "models/vtd/invalidation_descriptors.h"

#include <algorithm>
#include <bit>

namespace iommusim::vtd {

using namespace spec;

namespace {

// What is wrong with a tail travels with it: beside it, above every index.
constexpr std::uint32_t tail_beyond_queue = 1u << 31;
constexpr std::uint32_t tail_unaligned = 1u << 30;

constexpr std::uint64_t execution_overlapped = 1; // Parameters::queue_execution

template <class Drained> bool all_groups(std::uint32_t groups, Drained drained) {
    for (; groups != 0; groups &= groups - 1)
        if (!drained(static_cast<unsigned>(std::countr_zero(groups))))
            return false;
    return true;
}

} // namespace

InvalidationQueue::InvalidationQueue(const Parameters& parameters, RegisterFile& registers,
                                     MemoryPort& memory, Messages& messages, FaultLog& faults,
                                     InvalidationTarget& target, InflightTable& inflight,
                                     AtsInvalidator::Devices* devices, PageRequestDrain* page_requests,
                                     TimedQueue& queue, ProcessList& processes)
    : CommandProcessor(memory, queue, processes),
      parameters_(parameters),
      registers_(registers),
      memory_(memory),
      messages_(messages),
      faults_(faults),
      target_(target),
      inflight_(inflight),
      page_requests_(page_requests),
      device_tlbs_(queue, devices, *this),
      overlapped_(parameters.queue_execution == execution_overlapped),
      executions_(queue, *this),
      executed_(queue),
      waits_changed_(queue) {
    device_tlbs_.set_timeout(parameters.device_tlb_timeout);
    finishing_.reserve(parameters.queue_outstanding);
    start();
    complete_waits().resume(); // up to its first wait
}

// ---- fetching

bool InvalidationQueue::enabled() const {
    return registers_.status(gsts::qies) && gcmd::qie.get(registers_.enables()) != 0;
}

bool InvalidationQueue::stopped() const {
    return registers_.fault_status(fsts::iqe) || registers_.fault_status(fsts::ite);
}

void InvalidationQueue::enable() {
    const QueueConfig config = registers_.invalidation_queue();
    const std::uint64_t entries = config.bytes / config.element_bytes;
    configure(RingGeometry{config.base, static_cast<unsigned>(std::countr_zero(entries)),
                           config.element_bytes, false},
              0, 0);
    tail_error_ = iqercd::iqei_none;
    if (!width_supported())
        fail(iqercd::iqei_invalid_width);
    if (registers_.invalidation_tail() != 0) // some software writes the tail first
        tail_written(registers_.invalidation_tail(), 0);
}

/// 256-bit descriptors came with scalable mode and abort mode.
bool InvalidationQueue::width_supported() const {
    const Features& features = registers_.features();
    return registers_.invalidation_queue().element_bytes == descriptor::bytes_128 || features.scalable_mode ||
           features.abort_mode;
}

void InvalidationQueue::address_written() {
    if (!width_supported())
        fail(iqercd::iqei_invalid_width);
}

std::uint32_t InvalidationQueue::classify(std::uint64_t tail) const {
    const QueueConfig config = registers_.invalidation_queue();
    if (tail >= config.bytes)
        return tail_beyond_queue;
    if (tail % config.element_bytes != 0)
        return tail_unaligned;
    return static_cast<std::uint32_t>(tail / config.element_bytes);
}

void InvalidationQueue::tail_written(std::uint64_t tail, Picoseconds delay) {
    doorbell(classify(tail), delay);
}

bool InvalidationQueue::accept(std::uint32_t tail) {
    if (!enabled())
        return false; // read again by enable()
    if (tail & (tail_beyond_queue | tail_unaligned)) {
        tail_error_ = tail & tail_beyond_queue ? iqercd::iqei_invalid_tail : iqercd::iqei_unaligned_tail;
        if (!stopped())
            fail(tail_error_);
        return false;
    }
    tail_error_ = iqercd::iqei_none;
    if (Probe* probe = target_.probe())
        probe->on_doorbell(DoorbellEvent{now(), tail});
    return true;
}

void InvalidationQueue::fail(unsigned iqei) {
    drop();
    faults_.queue_error(iqei);
}

void InvalidationQueue::fetch_failed() { fail(iqercd::iqei_fetch_error); }

void InvalidationQueue::resume(Picoseconds delay) {
    // The tail is still wrong if software has not written a better one.
    if (tail_error_ != iqercd::iqei_none && !stopped())
        fail(tail_error_);
    CommandProcessor::resume(delay);
}

// ---- executing

Task<Done> InvalidationQueue::execute(Pace& pace, const FetchedCommand& descriptor) {
    const unsigned error =
        descriptor_error(registers_.features(), registers_.root_table().mode,
                         geometry().entry_bytes == descriptor::bytes_256, descriptor.words);
    const bool is_wait = descriptor::type(descriptor.words[0]) == descriptor_type::wait;
    pace.spend(parameters_.queue_decode);
    if (!overlapped_ && !is_wait && error == iqercd::iqei_none)
        pace.spend(parameters_.invalidation_lookup); // IQH need not move on before the effect
    co_await pace.settle();
    if (stopped()) { // meanwhile: it will be fetched again
        drop();
        co_return Done{};
    }
    if (error != iqercd::iqei_none) {
        fail(error);
        co_return Done{};
    }
    consume(descriptor.index);
    publish(consumer());

    if (is_wait) {
        co_await take_up_wait(descriptor);
        co_return Done{};
    }
    if (open_ == no_group)
        co_await open_group();
    const unsigned group = open_;
    if (overlapped_) {
        if (executing_ + finishing_.size() >= parameters_.queue_outstanding)
            co_await find_room(pace);
        ++executing_;
        ++executing_in_[group];
        // All lookups take the same time: effects come in the order of the queue.
        executions_.post(Execution{descriptor, group}, parameters_.invalidation_lookup);
        co_return Done{};
    }
    pace.spend(apply(descriptor, group) * parameters_.invalidation_probe);
    ended(descriptor, pace.time());
    co_return Done{};
}

/// Until fewer than queue_outstanding invalidations are under way.
Task<Done> InvalidationQueue::find_room(Pace& pace) {
    const Picoseconds began = now();
    while (executing_ + finishing_.size() >= parameters_.queue_outstanding) {
        finishing_.erase(std::remove_if(finishing_.begin(), finishing_.end(),
                                        [](Picoseconds end) { return end <= now(); }),
                         finishing_.end());
        if (executing_ + finishing_.size() < parameters_.queue_outstanding)
            break;
        if (finishing_.empty()) {
            co_await executed_.wait();
        } else {
            pace.spend(*std::min_element(finishing_.begin(), finishing_.end()) - now());
            co_await pace.settle();
        }
    }
    stalled(outstanding_stalls_, began);
    co_return Done{};
}

/// The lookup of an overlapped invalidation is over. When it ends is known then; nobody has to wake up for
/// that.
void InvalidationQueue::take_effect(const Execution& execution) {
    const FetchedCommand& descriptor = execution.descriptor;
    const unsigned group = execution.group;
    const Picoseconds end = now() + apply(descriptor, group) * parameters_.invalidation_probe;
    --executing_;
    --executing_in_[group];
    if (end > now()) {
        finishing_.push_back(end);
        ends_[group] = std::max(ends_[group], end);
    }
    ended(descriptor, end);
    executed_.announce();
    if (!busy())
        became_idle().announce();
}

void InvalidationQueue::ended(const FetchedCommand& descriptor, Picoseconds finished) {
    if (Probe* probe = target_.probe()) {
        const unsigned type = descriptor::type(descriptor.words[0]);
        probe->on_command(CommandEvent{descriptor.index, descriptor_name(type), false, descriptor.fetched,
                                       descriptor.started, descriptor.started, finished});
    }
}

std::uint64_t InvalidationQueue::apply(const FetchedCommand& descriptor, unsigned group) {
    const Features& features = registers_.features();
    const std::uint64_t* const words = descriptor.words;
    const CommandContext context = descriptor_context(features, words, descriptor.index, group);
    switch (descriptor::type(words[0])) {
    case descriptor_type::context_cache:
        target_.invalidate(decode_cc_inv(words), context);
        break;
    case descriptor_type::iotlb:
        return target_.invalidate(decode_iotlb_inv(features, words), context);
    case descriptor_type::interrupt_entry_cache:
        target_.invalidate(decode_iec_inv(words), context);
        break;
    case descriptor_type::pasid_iotlb:
        return target_.invalidate(decode_p_iotlb_inv(words), context);
    case descriptor_type::pasid_cache:
        target_.invalidate(decode_pc_inv(words), context);
        break;
    case descriptor_type::device_tlb:
    case descriptor_type::pasid_device_tlb: {
        // Sent, or waiting for its turn: the queue goes on. Only a wait descriptor waits for the completion.
        const DeviceTlbInvalidation what = decode_device_tlb(words);
        const auto source = static_cast<std::uint16_t>(what.request.requester);
        std::vector<std::uint16_t>& sources = sources_[group];
        if (std::find(sources.begin(), sources.end(), source) == sources.end())
            sources.push_back(source);
        device_tlbs_.send(what.request, what.flow, group);
        break;
    }
    default: // page group response
        if (page_requests_)
            page_requests_->respond(decode_page_grp_resp(words));
        break;
    }
    return 0;
}

Task<Done> InvalidationQueue::open_group() {
    constexpr GroupMask all = (1u << register_drain_group) - 1;
    const Picoseconds began = now();
    while (open_ == no_group && used_ == all)
        co_await waits_changed_.wait();
    stalled(pending_wait_stalls_, began);
    if (open_ == no_group) { // an abort may have left one meanwhile
        open_ = static_cast<unsigned>(std::countr_one(used_));
        used_ |= 1u << open_;
    }
    co_return Done{};
}

// ---- wait descriptors

Task<Done> InvalidationQueue::take_up_wait(const FetchedCommand& descriptor) {
    const Picoseconds began = now();
    const std::uint64_t aborts = aborts_;
    while (pending_ == max_pending_waits)
        co_await waits_changed_.wait();
    stalled(pending_wait_stalls_, began);
    if (aborts_ != aborts) { // it had been fetched: aborted with the others
        ++aborted_waits_;
        co_return Done{};
    }

    Wait& wait = waits_[(oldest_ + pending_) % max_pending_waits];
    wait = Wait{};
    wait.descriptor = descriptor;
    wait.groups = inherited_ | (open_ != no_group ? 1u << open_ : 0);
    wait.page_requests = page_requests_ ? page_requests_->arrived() : 0;
    inherited_ = 0;
    open_ = no_group;
    ++pending_;
    const std::uint64_t number = ++taken_waits_;
    waits_changed_.announce();
    if (!overlapped_ || inv_wait::fn.get(descriptor.words) != 0)
        while (ended_waits_ < number)
            co_await waits_changed_.wait();
    co_return Done{};
}

Process InvalidationQueue::complete_waits() {
    for (;;) {
        while (pending_ == 0)
            co_await waits_changed_.wait();
        Wait& wait = waits_[oldest_];
        co_await drain(wait);
        if (!wait.aborted) {
            wait.completing = true;
            const Picoseconds drained = now();
            Pace pace(Pacing::timed, queue());
            co_await signal(pace, wait.descriptor);
            for (GroupMask left = wait.groups; left != 0; left &= left - 1)
                sources_[static_cast<unsigned>(std::countr_zero(left))].clear();
            used_ &= ~wait.groups;
            ++completed_waits_;
            if (Probe* probe = target_.probe())
                probe->on_command(CommandEvent{wait.descriptor.index, descriptor_name(descriptor_type::wait),
                                               true, wait.descriptor.fetched, wait.descriptor.started,
                                               drained, now()});
        }
        oldest_ = (oldest_ + 1) % max_pending_waits;
        --pending_;
        ++ended_waits_;
        waits_changed_.announce();
        if (!busy())
            became_idle().announce();
    }
}

/// Until everything before the wait is complete, or it is aborted. Nothing new can belong to its groups.
Task<Done> InvalidationQueue::drain(const Wait& wait) {
    while (!executed(wait.groups))
        co_await executed_.wait();
    Pace pace(Pacing::timed, queue());
    pace.spend(left_of(wait.groups));
    co_await pace.settle();
    Picoseconds began = now();
    while (!wait.aborted && !device_tlbs_drained(wait.groups))
        co_await device_tlbs_.progress().wait();
    stalled(device_tlb_stalls_, began);
    mark_translated(wait.groups);
    began = now();
    while (!wait.aborted && !accesses_drained(wait.groups))
        co_await inflight_.progress().wait();
    stalled(drain_stalls_, began);
    if (!page_requests_ || inv_wait::pd.get(wait.descriptor.words) == 0)
        co_return Done{};
    began = now();
    while (!wait.aborted && page_requests_->handled() < wait.page_requests)
        co_await page_requests_->progress().wait();
    stalled(page_request_stalls_, began);
    co_return Done{};
}

/// The status is visible before the completion event.
Task<Done> InvalidationQueue::signal(Pace& pace, const FetchedCommand& descriptor) {
    pace.spend(parameters_.wait_overhead);
    if (inv_wait::sw.get(descriptor.words) == 0) {
        co_await pace.settle();
    } else {
        const auto data = static_cast<std::uint32_t>(inv_wait::data.get(descriptor.words));
        const tlm::tlm_response_status status =
            co_await memory_.write(pace, inv_wait::addr.in_place(descriptor.words), &data, 4);
        Probe* const probe = target_.probe();
        if (status != tlm::TLM_OK_RESPONSE && probe)
            probe->on_diagnostic(now(), "inv_wait: the status address cannot be written");
    }
    if (inv_wait::interrupt_flag.get(descriptor.words) != 0 && registers_.set_completion_status()) {
        const EventMessage message = registers_.completion_message();
        messages_.send(message.address, message.data);
    }
    co_return Done{};
}

bool InvalidationQueue::executed(GroupMask groups) const {
    return all_groups(groups, [this](unsigned group) { return executing_in_[group] == 0; });
}

/// How long invalidations that have taken effect still last.
Picoseconds InvalidationQueue::left_of(GroupMask groups) const {
    Picoseconds end = now();
    for (; groups != 0; groups &= groups - 1)
        end = std::max(end, ends_[static_cast<unsigned>(std::countr_zero(groups))]);
    return end - now();
}

bool InvalidationQueue::device_tlbs_drained(GroupMask groups) const {
    return all_groups(groups, [this](unsigned group) { return device_tlbs_.drained(group); });
}

bool InvalidationQueue::accesses_drained(GroupMask groups) const {
    return all_groups(groups, [this](unsigned group) { return inflight_.drained(group); });
}

/// A device completes an invalidation behind the writes that used it; they may still be under way in here.
void InvalidationQueue::mark_translated(GroupMask groups) {
    for (; groups != 0; groups &= groups - 1) {
        const auto group = static_cast<unsigned>(std::countr_zero(groups));
        for (const std::uint16_t source : sources_[group])
            target_.device_tlb_invalidated(source, DrainMark(group, false, true));
    }
}

void InvalidationQueue::stalled(StallCounter& counter, Picoseconds began) {
    if (now() == began)
        return;
    counter.add(now() - began);
    if (Probe* probe = target_.probe())
        probe->on_stall(StallEvent{counter.reason, began, now()});
}

// ---- time-outs of Device-TLB invalidations

void InvalidationQueue::timed_out(std::uint32_t requester, unsigned) {
    faults_.invalidation_timeout(static_cast<std::uint16_t>(requester));
    drop();
    abort_waits();
}

void InvalidationQueue::unexpected_completion(std::uint32_t requester) {
    faults_.completion_error(static_cast<std::uint16_t>(requester));
}

/// What aborted waits stood for is left to the next wait.
void InvalidationQueue::abort_waits() {
    ++aborts_;
    for (unsigned i = 0; i < pending_; ++i) {
        Wait& wait = waits_[(oldest_ + i) % max_pending_waits];
        if (wait.completing || wait.aborted)
            continue;
        wait.aborted = true;
        ++aborted_waits_;
        inherited_ |= wait.groups;
        wait.groups = 0;
    }
    if (open_ == no_group && inherited_ != 0) { // so that a group is always to be had
        open_ = static_cast<unsigned>(std::countr_zero(inherited_));
        inherited_ &= inherited_ - 1;
    }
    waits_changed_.announce();
}

} // namespace iommusim::vtd
