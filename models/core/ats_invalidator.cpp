#include "models/core/ats_invalidator.h"

#include <algorithm>

namespace iommusim {

AtsInvalidator::AtsInvalidator(TimedQueue& queue, Devices* devices, Listener& listener)
    : queue_(queue), devices_(devices), listener_(listener), progress_(queue), completions_(queue, *this) {}

// ---- sending

bool AtsInvalidator::has_credit(const Flow& flow) const {
    if (outstanding_ == itag_count)
        return false;
    if (flow.max_pending == 0 || flow.max_pending >= itag_count)
        return true;
    unsigned pending = 0;
    for (const Slot& slot : slots_)
        pending += slot.used && slot.flow.queue == flow.queue;
    return pending < flow.max_pending;
}

void AtsInvalidator::send(const AtsInvalidation& request, const Flow& flow, unsigned group,
                          Picoseconds delay) {
    ++unfinished_[group];
    if (has_credit(flow)) { // then nobody waits for the same
        start(request, flow, group, now() + delay);
        return;
    }
    Waiting* waiting = unused_;
    if (waiting)
        unused_ = waiting->next;
    else
        waiting = &storage_.emplace_back();
    *waiting = Waiting{request, flow, group, now() + delay, now(), nullptr};
    (last_ ? last_->next : first_) = waiting;
    last_ = waiting;
    ++waiting_count_;
}

void AtsInvalidator::start(const AtsInvalidation& request, const Flow& flow, unsigned group,
                           Picoseconds earliest) {
    while (slots_[next_itag_].used)
        next_itag_ = (next_itag_ + 1) % itag_count;
    Slot& slot = slots_[next_itag_];
    slot = Slot{request, flow, group, std::max(earliest, now()), 0, true, false};
    slot.request.itag = next_itag_;
    next_itag_ = (next_itag_ + 1) % itag_count;
    ++outstanding_;
    ++statistics_.sent;
    if (timeout_ != 0) {
        slot.deadline = slot.sent + timeout_;
        arm_timer(slot.deadline);
    }
    if (devices_ && devices_->size() != 0)
        (*devices_)->invalidate(slot.request, slot.sent - now());
}

void AtsInvalidator::start_waiting() {
    Waiting* previous = nullptr;
    for (Waiting* waiting = first_; waiting && outstanding_ < itag_count;) {
        Waiting* const next = waiting->next;
        if (!has_credit(waiting->flow)) {
            previous = waiting;
        } else {
            (previous ? previous->next : first_) = next;
            if (!next)
                last_ = previous;
            statistics_.waits.add(now() - waiting->since);
            start(waiting->request, waiting->flow, waiting->group, waiting->earliest);
            recycle(*waiting);
        }
        waiting = next;
    }
}

void AtsInvalidator::recycle(Waiting& waiting) {
    waiting.next = unused_;
    unused_ = &waiting;
    --waiting_count_;
}

// ---- completions

void AtsInvalidator::completed(std::uint32_t requester, std::uint32_t itags, Picoseconds delay) {
    completions_.post(Completion{requester, itags}, delay);
}

void AtsInvalidator::arrived(const Completion& completion) {
    bool unexpected = completion.itags == 0;
    for (unsigned itag = 0; itag < itag_count; ++itag) {
        if ((completion.itags >> itag & 1) == 0)
            continue;
        Slot& slot = slots_[itag];
        if (!slot.used || slot.request.requester != completion.requester) {
            unexpected = true;
            continue;
        }
        const Picoseconds taken = now() > slot.sent ? now() - slot.sent : 0;
        ++statistics_.completed;
        statistics_.round_trips += taken;
        statistics_.longest_round_trip = std::max(statistics_.longest_round_trip, taken);
        finish(slot);
    }
    if (unexpected) {
        ++statistics_.unexpected;
        listener_.unexpected_completion(completion.requester);
    }
    start_waiting();
}

void AtsInvalidator::finish(Slot& slot) {
    slot.used = false;
    --outstanding_;
    if (slot.abandoned)
        return;
    --unfinished_[slot.group];
    progress_.announce();
}

// ---- time-outs

// One timer for all: the queue cannot take a callback back, and most requests are completed long before.
void AtsInvalidator::arm_timer(Picoseconds deadline) {
    if (timer_armed_ && timer_at_ <= deadline)
        return;
    timer_armed_ = true;
    timer_at_ = deadline;
    queue_.schedule(
        deadline, [](void* invalidator) { static_cast<AtsInvalidator*>(invalidator)->check_deadlines(); },
        this);
}

void AtsInvalidator::check_deadlines() {
    const Picoseconds current = now();
    if (!timer_armed_ || current < timer_at_)
        return; // an earlier deadline came in between and has armed the timer anew
    timer_armed_ = false;
    for (Slot& slot : slots_) {
        if (!slot.used || slot.deadline == 0 || slot.deadline > current)
            continue;
        const bool told = !slot.abandoned;
        finish(slot);
        ++statistics_.timed_out;
        if (told)
            listener_.timed_out(slot.request.requester, slot.group);
    }
    for (const Slot& slot : slots_)
        if (slot.used && slot.deadline != 0)
            arm_timer(slot.deadline);
    start_waiting();
}

// ---- giving up

void AtsInvalidator::abort(unsigned group) {
    Waiting* previous = nullptr;
    for (Waiting* waiting = first_; waiting;) {
        Waiting* const next = waiting->next;
        if (waiting->group == group) {
            (previous ? previous->next : first_) = next;
            if (!next)
                last_ = previous;
            recycle(*waiting);
        } else {
            previous = waiting;
        }
        waiting = next;
    }
    for (Slot& slot : slots_)
        if (slot.used && slot.group == group)
            slot.abandoned = true;
    unfinished_[group] = 0;
    progress_.announce();
}

void AtsInvalidator::abort_all() {
    for (unsigned group = 0; group < drain_groups; ++group)
        abort(group);
    for (Slot& slot : slots_)
        slot.used = false;
    outstanding_ = 0;
}

} // namespace iommusim
