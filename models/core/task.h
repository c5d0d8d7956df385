// Timed hardware processes as straight text: C++20 coroutines resumed from the module's TimedQueue.
//
//   Process  a root: runs by itself, is on its module's live list, frees itself at the end
//   Task<T>  a child: awaited by exactly one parent, started when awaited
//   Pace     how a process experiences time: timed (nb_transport), loose (b_transport, never suspends) or
//   debug
//            (transport_dbg: no time, no side effects)
//
// Rules for coroutine text (scripts/lint checks the first): one co_await per statement, as an expression
// statement or as the initialiser of a named local; awaitable arguments are scalars, references or trivial
// structs; everything held across an await is a scope guard; what was read before an await is validated after
// it.
#pragma once

#include "models/core/timed_queue.h"

#include <coroutine>
#include <cstddef>
#include <exception>
#include <utility>

namespace iommusim {

/// Storage for coroutine frames: free lists by size. A frame on the data path costs no trip to the allocator.
class FramePool {
public:
    static void* allocate(std::size_t bytes);
    static void release(void* frame, std::size_t bytes) noexcept;
};

struct PooledFrame {
    static void* operator new(std::size_t bytes) { return FramePool::allocate(bytes); }
    static void operator delete(void* frame, std::size_t bytes) noexcept { FramePool::release(frame, bytes); }
};

inline void resume_coroutine(void* address) { std::coroutine_handle<>::from_address(address).resume(); }

class ProcessList;

/// A root process. Its first parameter (the object, for member functions) must have `ProcessList&
/// processes()`. It is created suspended: start it with TimedQueue::schedule(when, resume_coroutine,
/// process.address) or resume().
class Process {
public:
    struct promise_type : PooledFrame {
        template <class Owner, class... Arguments> explicit promise_type(Owner& owner, Arguments&&...) {
            link(owner.processes());
        }
        promise_type(const promise_type&) = delete;
        ~promise_type() { unlink(); }

        Process get_return_object() {
            return Process{std::coroutine_handle<promise_type>::from_promise(*this).address()};
        }
        std::suspend_always initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { std::terminate(); }

    private:
        friend class Process;
        friend class ProcessList;
        void link(ProcessList& list);
        void unlink() noexcept;
        promise_type* next_ = nullptr;
        promise_type** previous_ = nullptr;
    };

    void* address;

    void start(TimedQueue& queue, Picoseconds when) const { queue.schedule(when, resume_coroutine, address); }
    /// Runs until the first suspension; the frame may be gone afterwards.
    void resume() const { resume_coroutine(address); }
    /// Runs a process that never suspends (loose) in the caller's thread. It is off the live list: if the
    /// simulation ends while a target makes the thread wait, the frame stays with the thread.
    void run_to_end() const {
        std::coroutine_handle<promise_type>::from_address(address).promise().unlink();
        resume();
    }
};

/// The live root processes of one module. The module's destructor calls destroy_all() after closing its queue
/// and before anything that the processes refer to goes away.
class ProcessList {
public:
    ProcessList() = default;
    ProcessList(const ProcessList&) = delete;
    ~ProcessList() { destroy_all(); }
    void destroy_all();
    bool empty() const { return first_ == nullptr; }

private:
    friend struct Process::promise_type;
    Process::promise_type* first_ = nullptr;
};

inline void Process::promise_type::link(ProcessList& list) {
    next_ = list.first_;
    previous_ = &list.first_;
    if (next_)
        next_->previous_ = &next_;
    list.first_ = this;
}

inline void Process::promise_type::unlink() noexcept {
    if (!previous_)
        return;
    *previous_ = next_;
    if (next_)
        next_->previous_ = previous_;
    previous_ = nullptr;
}

template <class T> class [[nodiscard]] Task {
public:
    struct promise_type : PooledFrame {
        Task get_return_object() { return Task{std::coroutine_handle<promise_type>::from_promise(*this)}; }
        std::suspend_always initial_suspend() noexcept { return {}; }
        auto final_suspend() noexcept {
            struct Return {
                bool await_ready() noexcept { return false; }
                std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> self) noexcept {
                    const std::coroutine_handle<> parent = self.promise().parent;
                    return parent ? parent : std::noop_coroutine();
                }
                void await_resume() noexcept {}
            };
            return Return{};
        }
        void return_value(T v) { value = v; }
        void unhandled_exception() { std::terminate(); }

        std::coroutine_handle<> parent;
        T value{};
    };

    Task(const Task&) = delete;
    Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    ~Task() {
        if (handle_)
            handle_.destroy();
    }

    // The child starts here and not in await_suspend: a child that completes at once must not grow the stack.
    bool await_ready() {
        handle_.resume();
        return handle_.done();
    }
    void await_suspend(std::coroutine_handle<> parent) { handle_.promise().parent = parent; }
    T await_resume() { return handle_.promise().value; }

    /// Runs a task whose pace never suspends (loose, debug) outside of any coroutine.
    T run_now() {
        handle_.resume();
        return handle_.promise().value;
    }

private:
    explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
    std::coroutine_handle<promise_type> handle_;
};

/// For tasks without a result.
struct Done {};

enum class Pacing : std::uint8_t { timed, loose, debug };

/// How one process experiences time. Fixed delays are only added up (`spend`) and waited out together where
/// the process next observes shared state (`settle`) or handed to the next transport call as its annotated
/// delay (`take`).
class Pace {
public:
    Pace(Pacing mode, TimedQueue& queue, Picoseconds offset = 0)
        : queue_(&queue), offset_(offset), mode_(mode) {}

    bool timed() const { return mode_ == Pacing::timed; }
    bool loose() const { return mode_ == Pacing::loose; }
    bool debug() const { return mode_ == Pacing::debug; }
    TimedQueue& queue() const { return *queue_; }

    /// The time this process is at, delays not yet waited out included.
    Picoseconds time() const { return now() + offset_; }
    Picoseconds offset() const { return offset_; }
    void set_offset(Picoseconds offset) { offset_ = offset; }
    Picoseconds take() { return std::exchange(offset_, 0); }

    void spend(Picoseconds t) { offset_ += t; }

    struct Settle {
        Pace& pace;
        bool await_ready() const noexcept { return !pace.timed() || pace.offset_ == 0; }
        void await_suspend(std::coroutine_handle<> h) {
            pace.queue_->schedule(now() + pace.take(), resume_coroutine, h.address());
        }
        void await_resume() const noexcept {}
    };
    /// Waits out what was spent. Loose and debug processes only keep adding up.
    Settle settle() { return Settle{*this}; }

private:
    TimedQueue* queue_;
    Picoseconds offset_;
    Pacing mode_;
};

} // namespace iommusim
