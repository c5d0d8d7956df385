// Processes, tasks and what they wait for; and probes for what compilers are known to get wrong about
// coroutines, so that a new compiler is judged by them.
#include "tests/unit/core/core_bench.h"

#include <array>
#include <functional>
#include <gtest/gtest.h>
#include <memory>

namespace iommusim::test {
namespace {

/// Counts how many of its kind live.
struct Counted {
    static inline int alive = 0;
    Counted() { ++alive; }
    Counted(const Counted&) { ++alive; }
    Counted(Counted&&) noexcept { ++alive; }
    ~Counted() { --alive; }
};

struct Bench : ProcessOwner {
    explicit Bench(const sc_core::sc_module_name& name = "bench") : ProcessOwner(name) {}

    // ---- pace
    Process worker(const char* name, Picoseconds first, Picoseconds second) {
        const Counted held;
        Pace pace(Pacing::timed, queue);
        pace.spend(first);
        co_await pace.settle();
        note(name);
        pace.spend(second);
        pace.spend(second);
        co_await pace.settle();
        note(name);
    }
    Process that_ends_at_once() {
        note("only");
        co_return;
    }

    // ---- tasks
    Task<int> at_once(int value) { co_return value; }
    Task<int> later(Pace& pace, Picoseconds delay, int value) {
        const Counted held;
        pace.spend(delay);
        co_await pace.settle();
        co_return value;
    }
    Task<int> nested(Pace& pace, unsigned depth) {
        if (depth == 0)
            co_return 1;
        const int below = co_await nested(pace, depth - 1);
        const int delayed = co_await later(pace, 1000, 1);
        co_return below + delayed;
    }
    Process call_nested(int& result) {
        Pace pace(Pacing::timed, queue);
        const int value = co_await nested(pace, 5);
        result = value;
    }
    Process many_synchronous(std::uint64_t count, std::uint64_t& sum) {
        for (std::uint64_t i = 0; i < count; ++i) {
            const int one = co_await at_once(1);
            sum += static_cast<std::uint64_t>(one);
        }
    }

    // ---- resources and conditions
    Process use(Resource& resource, const char* name, Picoseconds arrival, Picoseconds hold) {
        Pace pace(Pacing::timed, queue);
        pace.spend(arrival);
        co_await pace.settle();
        const Resource::Slot slot = co_await resource.acquire(pace);
        note(name);
        pace.spend(hold);
        co_await pace.settle();
    }
    Process wait_for(Condition& condition, const char* name, const bool& ready) {
        while (!ready)
            co_await condition.wait();
        note(name);
    }

    // ---- traps
    Process without_locals(Condition& condition, int& out) {
        co_await condition.wait();
        out = 1;
        co_await condition.wait();
        out = 2;
    }
    Process loop_with_await(Condition& condition, unsigned count, int& out) {
        while (out < static_cast<int>(count))
            co_await count_up(condition, out);
    }
    Task<Done> count_up(Condition& condition, int& out) {
        co_await condition.wait();
        ++out;
        co_return Done{};
    }
    struct Big {
        std::array<std::uint64_t, 16> words{};
        std::shared_ptr<int> owner;
    };
    Task<Big> big(Pace& pace, const std::shared_ptr<int>& owner) {
        pace.spend(10);
        co_await pace.settle();
        Big b;
        b.words[15] = 42;
        b.owner = owner;
        co_return b;
    }
    Process keep_big(const std::shared_ptr<int>& owner, std::uint64_t& out) {
        Pace pace(Pacing::timed, queue);
        const Big first = co_await big(pace, owner);
        const Big second = co_await big(pace, owner);
        out = first.words[15] + second.words[15];
    }
};

TEST(Process, SpendsItsTimeInSteps) {
    Bench b;
    b.worker("a", 1000, 2000).start(b.queue, 0);
    b.worker("b", 2000, 1500).start(b.queue, 500);
    b.run();
    EXPECT_EQ(b.log, (Log{"a@1", "b@2", "a@5", "b@5"}));
    EXPECT_TRUE(b.list.empty());
    EXPECT_EQ(Counted::alive, 0);
}

TEST(Process, MayEndWithoutEverWaiting) {
    Bench b;
    b.that_ends_at_once().resume();
    b.that_ends_at_once().run_to_end();
    EXPECT_EQ(b.log, (Log{"only@0", "only@0"}));
    EXPECT_TRUE(b.list.empty());
}

TEST(Process, IsDestroyedWhileSuspendedOrNeverStarted) {
    Bench b;
    b.worker("a", 1000, 1000).start(b.queue, 0);
    b.worker("b", 1000, 1000).start(b.queue, 0);
    b.worker("never", 1000, 1000);
    sc_core::sc_start(1500, sc_core::SC_PS);
    EXPECT_EQ(Counted::alive, 2);
    b.close();
    EXPECT_EQ(Counted::alive, 0);
    EXPECT_TRUE(b.list.empty());
    EXPECT_EQ(b.log.size(), 2u);
}

TEST(Task, ReturnsItsValueThroughAnyDepth) {
    Bench b;
    int result = 0;
    b.call_nested(result).start(b.queue, 0);
    b.run();
    EXPECT_EQ(result, 6);
    EXPECT_EQ(now(), 5000u);
}

TEST(Task, AMillionSynchronousCompletionsDoNotGrowTheStack) {
    Bench b;
    std::uint64_t sum = 0;
    b.many_synchronous(1'000'000, sum).start(b.queue, 0);
    b.run();
    EXPECT_EQ(sum, 1'000'000u);
}

TEST(Task, IsDestroyedTogetherWithTheProcessThatWaitsForIt) {
    Bench b;
    int result = 0;
    b.call_nested(result).start(b.queue, 0);
    sc_core::sc_start(2500, sc_core::SC_PS);
    EXPECT_EQ(Counted::alive, 1);
    b.close();
    EXPECT_EQ(Counted::alive, 0);
    EXPECT_EQ(result, 0);
}

TEST(Task, RunsOutsideOfAnyProcessIfItsPaceNeverWaits) {
    Bench b;
    Pace loose(Pacing::loose, b.queue);
    EXPECT_EQ(b.later(loose, 700, 9).run_now(), 9);
    EXPECT_EQ(loose.offset(), 700u);
    Pace debug(Pacing::debug, b.queue);
    EXPECT_EQ(b.nested(debug, 8).run_now(), 9);
    EXPECT_TRUE(b.queue.idle());
}

TEST(Pace, CountsWhatIsNotYetWaitedOut) {
    Bench b;
    Pace pace(Pacing::loose, b.queue, 100);
    pace.spend(50);
    EXPECT_EQ(pace.time(), 150u);
    EXPECT_EQ(pace.take(), 150u);
    EXPECT_EQ(pace.offset(), 0u);
    pace.set_offset(7);
    EXPECT_EQ(pace.time(), 7u);
}

// ---- waiting

TEST(Resource, ServesFirstComeFirstServedAndCountsWaits) {
    Bench b;
    Resource resource(b.queue, "slot", 2);
    b.use(resource, "a", 0, 10'000).start(b.queue, 0);
    b.use(resource, "b", 1000, 10'000).start(b.queue, 0);
    b.use(resource, "c", 2000, 10'000).start(b.queue, 0);
    b.use(resource, "d", 3000, 1000).start(b.queue, 0);
    b.use(resource, "e", 4000, 1000).start(b.queue, 0);
    b.run();
    EXPECT_EQ(b.log, (Log{"a@0", "b@1", "c@10", "d@11", "e@12"}));
    EXPECT_EQ(resource.free(), 2u);
    EXPECT_STREQ(resource.stalls().reason, "slot");
    EXPECT_EQ(resource.stalls().count, 3u);
    EXPECT_EQ(resource.stalls().total, 8000u + 8000u + 8000u);
    EXPECT_EQ(resource.stalls().longest, 8000u);
}

TEST(Resource, NobodyOvertakesAWaiterWhenASlotBecomesFree) {
    Bench b;
    Resource resource(b.queue, "slot", 1);
    b.use(resource, "a", 0, 5000).start(b.queue, 0);
    b.use(resource, "b", 1000, 5000).start(b.queue, 0);
    b.use(resource, "c", 5000, 1000).start(b.queue, 0); // arrives at the very moment
    b.run();
    EXPECT_EQ(b.log, (Log{"a@0", "b@5", "c@10"}));
}

TEST(Resource, LooseProcessesPassWithoutASlot) {
    Bench b;
    Resource resource(b.queue, "slot", 0);
    struct Loose {
        static Task<int> pass(Resource& r, Pace& pace) {
            const Resource::Slot slot = co_await r.acquire(pace);
            co_return 1;
        }
    };
    Pace loose(Pacing::loose, b.queue);
    EXPECT_EQ(Loose::pass(resource, loose).run_now(), 1);
    EXPECT_EQ(resource.free(), 0u);
}

TEST(Resource, ForgetsWaitersThatAreDestroyed) {
    Bench b;
    Resource resource(b.queue, "slot", 1);
    b.use(resource, "a", 0, 5000).start(b.queue, 0);
    b.use(resource, "b", 1000, 5000).start(b.queue, 0);
    sc_core::sc_start(2000, sc_core::SC_PS);
    b.close();
    EXPECT_EQ(resource.free(), 1u);
}

TEST(Resource, MayBeDestroyedBeforeItsWaiters) {
    Bench b;
    auto resource = std::make_unique<Resource>(b.queue, "slot", 0);
    b.use(*resource, "a", 0, 5000).start(b.queue, 0);
    sc_core::sc_start(2000, sc_core::SC_PS);
    b.queue.close();
    resource.reset();
    b.close();
    EXPECT_TRUE(b.list.empty());
}

TEST(Slot, IsReleasedOnceWhoeverHoldsItLast) {
    Bench b;
    Resource resource(b.queue, "slot", 0);
    Resource::Slot a(&resource);
    Resource::Slot other = std::move(a);
    a.release();
    EXPECT_EQ(resource.free(), 0u);
    Resource::Slot third;
    third = std::move(other);
    third.release();
    third.release();
    EXPECT_EQ(resource.free(), 1u);
}

TEST(Condition, WakesEverybodyOnceInOrder) {
    Bench b;
    Condition condition(b.queue);
    bool ready = false;
    for (const char* name : {"a", "b", "c"})
        b.wait_for(condition, name, ready).start(b.queue, 0);
    b.run();
    EXPECT_TRUE(condition.awaited());
    condition.announce(); // a false alarm: everybody looks again and waits on
    b.run();
    EXPECT_TRUE(b.log.empty());
    ready = true;
    condition.announce();
    b.run();
    EXPECT_EQ(b.log, (Log{"a@0", "b@0", "c@0"}));
    EXPECT_FALSE(condition.awaited());
    condition.announce();
}

// ---- frames

TEST(FramePool, UsesAFrameAgain) {
    void* const frame = FramePool::allocate(300);
    FramePool::release(frame, 300);
#if !defined(__SANITIZE_ADDRESS__)
    EXPECT_EQ(FramePool::allocate(310), frame) << "the same size class";
    FramePool::release(frame, 310);
#endif
    void* const huge = FramePool::allocate(1 << 16);
    FramePool::release(huge, 1 << 16);
}

// ---- compiler traps

TEST(CoroutineTraps, AwaitInACoroutineWithoutLocalsResumesInTheRightPlace) {
    Bench b;
    Condition condition(b.queue);
    int out = 0;
    b.without_locals(condition, out).resume();
    condition.announce();
    b.run();
    EXPECT_EQ(out, 1);
    condition.announce();
    b.run();
    EXPECT_EQ(out, 2);
}

TEST(CoroutineTraps, AwaitAsTheOnlyStatementOfALoopWorks) {
    Bench b;
    Condition condition(b.queue);
    int out = 0;
    b.loop_with_await(condition, 5, out).resume();
    for (int i = 1; i <= 5; ++i) {
        condition.announce();
        b.run();
        EXPECT_EQ(out, i);
    }
    EXPECT_TRUE(b.list.empty());
}

TEST(CoroutineTraps, ValuesWithDestructorsAreDestroyedExactlyOnce) {
    const auto owner = std::make_shared<int>(1);
    {
        Bench b;
        std::uint64_t out = 0;
        b.keep_big(owner, out).start(b.queue, 0);
        b.run();
        EXPECT_EQ(out, 84u);
        EXPECT_EQ(owner.use_count(), 1);
        b.keep_big(owner, out).start(b.queue, now());
        sc_core::sc_start(15, sc_core::SC_PS);
        EXPECT_GT(owner.use_count(), 1);
    }
    EXPECT_EQ(owner.use_count(), 1) << "torn down in the middle";
}

} // namespace
} // namespace iommusim::test
