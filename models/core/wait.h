// What processes wait for: a named resource with a number of slots, or a condition that somebody announces.
// Waiters are served first come, first served; they live in the waiting coroutine's frame and unlink
// themselves.
#pragma once

#include "models/core/task.h"

#include <cstdint>

namespace iommusim {

/// A FIFO of suspended processes, intrusive.
class WaitList {
public:
    struct Node {
        std::coroutine_handle<> handle;
        Node* next = nullptr;
        Node* previous = nullptr;
        WaitList* list = nullptr;

        Node() = default;
        Node(const Node&) = delete;
        ~Node() {
            if (list)
                list->remove(*this);
        }
    };

    WaitList() = default;
    WaitList(const WaitList&) = delete;
    ~WaitList() { // at tear-down the frames of waiters may outlive what they wait for
        for (Node* node = first_; node; node = node->next)
            node->list = nullptr;
    }

    bool empty() const { return first_ == nullptr; }

    void append(Node& node, std::coroutine_handle<> handle) {
        node.handle = handle;
        node.list = this;
        node.next = nullptr;
        node.previous = last_;
        (last_ ? last_->next : first_) = &node;
        last_ = &node;
    }

    /// Takes the first waiter off the list and lets it continue now, through the queue.
    void wake_first(TimedQueue& queue) {
        Node& node = *first_;
        const std::coroutine_handle<> handle = node.handle;
        remove(node);
        queue.schedule(now(), resume_coroutine, handle.address());
    }

    void wake_all(TimedQueue& queue) {
        while (first_)
            wake_first(queue);
    }

    void remove(Node& node) {
        (node.previous ? node.previous->next : first_) = node.next;
        (node.next ? node.next->previous : last_) = node.previous;
        node.list = nullptr;
    }

private:
    Node* first_ = nullptr;
    Node* last_ = nullptr;
};

/// How often and how long somebody had to wait for one named reason.
struct StallCounter {
    const char* reason;
    std::uint64_t count = 0;
    Picoseconds total = 0;
    Picoseconds longest = 0;

    void add(Picoseconds waited) {
        ++count;
        total += waited;
        if (waited > longest)
            longest = waited;
    }
};

/// A named resource with a fixed number of slots. Loose processes pass without taking one: they never wait.
class Resource {
public:
    Resource(TimedQueue& queue, const char* reason, std::uint64_t slots)
        : queue_(queue), free_(slots), stalls_{reason} {}
    Resource(const Resource&) = delete;

    /// Gives the slot back at the end of the scope.
    class Slot {
    public:
        Slot() = default;
        explicit Slot(Resource* resource) : resource_(resource) {}
        Slot(Slot&& other) noexcept : resource_(std::exchange(other.resource_, nullptr)) {}
        Slot& operator=(Slot&& other) noexcept {
            release();
            resource_ = std::exchange(other.resource_, nullptr);
            return *this;
        }
        ~Slot() { release(); }
        void release() {
            if (Resource* r = std::exchange(resource_, nullptr))
                r->put_back();
        }

    private:
        Resource* resource_ = nullptr;
    };

    class Acquire {
    public:
        Acquire(Resource& r, bool is_timed) : resource_(r), timed_(is_timed) {}
        bool await_ready() {
            if (!timed_)
                return true;
            if (resource_.free_ > 0 && resource_.waiters_.empty()) {
                --resource_.free_;
                taken_ = true;
                return true;
            }
            return false;
        }
        void await_suspend(std::coroutine_handle<> h) {
            began_ = now();
            resource_.waiters_.append(node_, h);
        }
        Slot await_resume() {
            if (!timed_)
                return Slot{};
            if (!taken_) // handed over by put_back()
                resource_.stalls_.add(now() - began_);
            return Slot{&resource_};
        }

    private:
        Resource& resource_;
        bool timed_;
        bool taken_ = false;
        Picoseconds began_ = 0;
        WaitList::Node node_;
    };
    Acquire acquire(const Pace& pace) { return Acquire(*this, pace.timed()); }

    std::uint64_t free() const { return free_; }
    const StallCounter& stalls() const { return stalls_; }

private:
    void put_back() {
        if (waiters_.empty())
            ++free_;
        else
            waiters_.wake_first(queue_); // the slot passes on without becoming free
    }

    TimedQueue& queue_;
    std::uint64_t free_;
    WaitList waiters_;
    StallCounter stalls_;
};

/// Something that is announced to everybody who waits for it. Waiters re-check what they wait for.
class Condition {
public:
    explicit Condition(TimedQueue& queue) : queue_(queue) {}

    class Wait {
    public:
        explicit Wait(Condition& c) : condition_(c) {}
        bool await_ready() const noexcept { return false; }
        void await_suspend(std::coroutine_handle<> h) { condition_.waiters_.append(node_, h); }
        void await_resume() const noexcept {}

    private:
        Condition& condition_;
        WaitList::Node node_;
    };
    Wait wait() { return Wait(*this); }

    void announce() { waiters_.wake_all(queue_); }
    bool awaited() const { return !waiters_.empty(); }

private:
    TimedQueue& queue_;
    WaitList waiters_;
};

} // namespace iommusim
