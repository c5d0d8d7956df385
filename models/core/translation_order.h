// A port that passes requests on in the order of their arrival and has room for so many: writes until they
// are passed on, reads until their data is back. A miss holds back what came behind it (head-of-line
// blocking).
#pragma once

#include "models/core/wait.h"

#include <cstdint>
#include <vector>

namespace iommusim {

class TranslationOrder {
public:
    TranslationOrder(TimedQueue& queue, const char* reason, std::uint64_t window)
        : queue_(queue), slots_(queue, reason, window), waiting_(window) {}
    TranslationOrder(const TranslationOrder&) = delete;

    /// A place in the window; awaited in the order of arrival.
    Resource::Acquire enter(const Pace& pace) { return slots_.acquire(pace); }
    /// The number of a request that has entered just now.
    std::uint64_t number() { return next_++; }

    /// Until every request with a smaller number has passed.
    class Turn {
    public:
        Turn(TranslationOrder& order, std::uint64_t number) : order_(order), number_(number) {}
        bool await_ready() const noexcept { return order_.head_ == number_; }
        void await_suspend(std::coroutine_handle<> h) { order_.place(number_) = h; }
        void await_resume() const noexcept {}

    private:
        TranslationOrder& order_;
        std::uint64_t number_;
    };
    Turn turn(std::uint64_t number) { return Turn(*this, number); }

    /// The request whose turn it is goes on; its successor may follow.
    void pass() {
        const std::coroutine_handle<> successor = std::exchange(place(++head_), nullptr);
        if (successor)
            queue_.schedule(now(), resume_coroutine, successor.address());
    }

    const StallCounter& stalls() const { return slots_.stalls(); }

private:
    std::coroutine_handle<>& place(std::uint64_t number) { return waiting_[number % waiting_.size()]; }

    TimedQueue& queue_;
    Resource slots_;
    std::vector<std::coroutine_handle<>> waiting_; ///< by number
    std::uint64_t next_ = 0;
    std::uint64_t head_ = 0; ///< whose turn it is
};

} // namespace iommusim
