#include "models/core/timed_queue.h"

#include "models/base/activity.h"

#include <algorithm>
#include <utility>

namespace iommusim {

TimedQueue::TimedQueue(sc_core::sc_module_name name) : sc_module(name), wake_("wake") {
    require_picosecond_resolution(this->name());
    others_.reserve(64);
    SC_HAS_PROCESS(TimedQueue);
    SC_METHOD(run_chain);
    dont_initialize();
    sensitive << wake_;
}

void TimedQueue::schedule(Picoseconds when, Callback fn, void* argument) {
    if (closed_)
        return;
    if (!has_first_) {
        first_ = Item{when, sequence_++, fn, argument};
        has_first_ = true;
    } else if (when < first_.when) {
        insert_behind_first(std::exchange(first_, Item{when, sequence_++, fn, argument}));
    } else {
        insert_behind_first(Item{when, sequence_++, fn, argument});
    }
    if (!running_ && (!is_armed_ || when < armed_))
        arm(when);
}

// Not inlined: queues of one item go without.
[[gnu::noinline]] void TimedQueue::insert_behind_first(const Item& item) {
    others_.push_back(item);
    std::push_heap(others_.begin(), others_.end());
}

[[gnu::noinline]] void TimedQueue::take_first_of_others() {
    first_ = others_.front();
    std::pop_heap(others_.begin(), others_.end());
    others_.pop_back();
}

void TimedQueue::arm(Picoseconds when) {
    const Picoseconds current = now();
    armed_ = when;
    is_armed_ = true;
    ++kernel_activity;
    if (when > current)
        wake_.notify(to_sc_time(when - current));
    else if (last_due) {
        if (!is_due_)
            last_due = last_due->next_due_ = this;
        is_due_ = true;
    } else if (simcontext()->evaluation_phase())
        wake_.notify(); // in this evaluation phase: a delta cycle costs more than what it would run
    else
        wake_.notify(sc_core::SC_ZERO_TIME);
}

inline void TimedQueue::run(Picoseconds current) {
    is_due_ = false;
    is_armed_ = false;
    running_ = true;
    while (has_first_ && first_.when <= current) {
        const Callback fn = first_.fn;
        void* const argument = first_.argument;
        if (others_.empty())
            has_first_ = false;
        else
            take_first_of_others();
        fn(argument);
    }
    running_ = false;
    if (has_first_)
        arm(first_.when);
}

void TimedQueue::run_chain() {
    struct End {
        ~End() { last_due = nullptr; } // also if a callback reports an error that is thrown
    } const end;
    last_due = this;
    const Picoseconds current = now();
    for (TimedQueue* queue = this; queue; queue = std::exchange(queue->next_due_, nullptr))
        queue->run(current);
}

void TimedQueue::close() {
    closed_ = true;
    has_first_ = false;
    others_.clear();
}

} // namespace iommusim
