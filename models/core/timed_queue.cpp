#include "models/core/timed_queue.h"

#include "models/base/activity.h"

#include <algorithm>

namespace iommusim {

TimedQueue::TimedQueue(sc_core::sc_module_name name) : sc_module(name), wake_("wake") {
    require_picosecond_resolution(this->name());
    heap_.reserve(64);
    SC_HAS_PROCESS(TimedQueue);
    SC_METHOD(run);
    dont_initialize();
    sensitive << wake_;
}

void TimedQueue::schedule(Picoseconds when, Callback fn, void* argument) {
    if (closed_)
        return;
    heap_.push_back(Item{when, sequence_++, fn, argument});
    std::push_heap(heap_.begin(), heap_.end());
    if (!running_ && (!is_armed_ || when < armed_))
        arm(when);
}

void TimedQueue::arm(Picoseconds when) {
    const Picoseconds current = now();
    armed_ = when;
    is_armed_ = true;
    ++kernel_activity;
    if (when > current)
        wake_.notify(to_sc_time(when - current));
    else if (simcontext()->evaluation_phase())
        wake_.notify(); // in this evaluation phase: a delta cycle costs more than what it would run
    else
        wake_.notify(sc_core::SC_ZERO_TIME);
}

void TimedQueue::run() {
    const Picoseconds current = now();
    is_armed_ = false;
    running_ = true;
    while (!heap_.empty() && heap_.front().when <= current) {
        std::pop_heap(heap_.begin(), heap_.end());
        const Item item = heap_.back();
        heap_.pop_back();
        item.fn(item.argument);
    }
    running_ = false;
    if (!heap_.empty())
        arm(heap_.front().when);
}

void TimedQueue::close() {
    closed_ = true;
    heap_.clear();
}

} // namespace iommusim
