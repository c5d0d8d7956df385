// A private time-ordered queue of callbacks that arms one sc_event: how everything inside a module happens
// later. Equal times run in the order in which they were scheduled, so nothing depends on the kernel's order.
// A queue that another one's callback gives something to do at once runs right after that one, without the
// kernel.
// C++17: part of the public modules.
#pragma once

#include "../base/time.h"

#include <cstdint>
#include <vector>

namespace iommusim {

class TimedQueue : public sc_core::sc_module {
public:
    using Callback = void (*)(void*);

    explicit TimedQueue(sc_core::sc_module_name name);

    /// Calls `fn(argument)` from this queue's method at `when` (not before the current time).
    void schedule(Picoseconds when, Callback fn, void* argument);

    /// The time as seen by callbacks; outside of them the kernel's time.
    Picoseconds time() const { return now(); }

    /// Drops everything scheduled and everything scheduled from now on. For destructors of the owner.
    void close();
    bool closed() const { return closed_; }
    bool idle() const { return !has_first_; }

private:
    struct Item {
        Picoseconds when;
        std::uint64_t sequence;
        Callback fn;
        void* argument;
        bool operator<(const Item& other) const { // std heaps keep the largest at the root
            return when != other.when ? when > other.when : sequence > other.sequence;
        }
    };

    /// The end of the chain of queues that run in the current activation; null outside of one.
    static inline TimedQueue* last_due = nullptr;

    void run_chain();
    void run(Picoseconds current);
    void arm(Picoseconds when);
    void insert_behind_first(const Item& item);
    void take_first_of_others();

    Item first_{};             ///< the next one, valid if has_first_: most queues hold one item or none
    std::vector<Item> others_; ///< a heap
    bool has_first_ = false;
    std::uint64_t sequence_ = 0;
    Picoseconds armed_ = 0; ///< time of the pending notification, valid if is_armed_
    bool is_armed_ = false;
    bool running_ = false;
    bool is_due_ = false;            ///< in the chain, not yet run
    TimedQueue* next_due_ = nullptr; ///< in the chain
    bool closed_ = false;
    sc_core::sc_event wake_;
};

} // namespace iommusim
