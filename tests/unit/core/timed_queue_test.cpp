#include "tests/unit/core/core_bench.h"

#include <gtest/gtest.h>

namespace iommusim::test {
namespace {

struct Recorder {
    TimedQueue queue{"queue"};
    std::vector<std::pair<Picoseconds, int>> calls;
    struct Note {
        Recorder* recorder;
        int number;
        Picoseconds again_after;
    };
    std::vector<std::unique_ptr<Note>> notes;

    ~Recorder() { queue.close(); }
    void at(Picoseconds when, int number, Picoseconds again_after = 0) {
        notes.push_back(std::make_unique<Note>(Note{this, number, again_after}));
        queue.schedule(when, called, notes.back().get());
    }
    static void called(void* argument) {
        Note& note = *static_cast<Note*>(argument);
        note.recorder->calls.emplace_back(now(), note.number);
        if (note.again_after)
            note.recorder->queue.schedule(now() + std::exchange(note.again_after, 0), called, &note);
    }
};

using Calls = std::vector<std::pair<Picoseconds, int>>;

TEST(TimedQueue, CallsInOrderOfTimeWhateverTheOrderOfScheduling) {
    Recorder r;
    r.at(30, 3);
    r.at(10, 1);
    r.at(20, 2);
    sc_core::sc_start();
    EXPECT_EQ(r.calls, (Calls{{10, 1}, {20, 2}, {30, 3}}));
}

TEST(TimedQueue, CallsWhatIsDueAtTheSameTimeInTheOrderOfScheduling) {
    Recorder r;
    for (int i = 0; i < 100; ++i)
        r.at(1000 - i / 50, i);
    sc_core::sc_start();
    ASSERT_EQ(r.calls.size(), 100u);
    for (int i = 0; i < 100; ++i)
        EXPECT_EQ(r.calls[i].second, (i + 50) % 100);
}

TEST(TimedQueue, CallbacksMayScheduleForNowAndForLater) {
    Recorder r;
    r.at(10, 1, 5);
    r.at(12, 2);
    sc_core::sc_start();
    EXPECT_EQ(r.calls, (Calls{{10, 1}, {12, 2}, {15, 1}}));
}

TEST(TimedQueue, AnEarlierCallMovesTheAlarmForward) {
    Recorder r;
    r.at(100, 1);
    sc_core::sc_start(10, sc_core::SC_PS);
    r.at(20, 2);
    r.at(5, 3); // in the past: at once
    sc_core::sc_start();
    EXPECT_EQ(r.calls, (Calls{{10, 3}, {20, 2}, {100, 1}}));
}

TEST(TimedQueue, ServesSeveralThreadsAndMethodsAtOneInstant) {
    Recorder r;
    for (int i = 0; i < 3; ++i)
        sc_core::sc_spawn([&r, i] {
            sc_core::wait(10, sc_core::SC_PS);
            r.at(10, i);
            sc_core::wait(10, sc_core::SC_PS);
            r.at(25, 10 + i);
        });
    sc_core::sc_start();
    ASSERT_EQ(r.calls.size(), 6u);
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(r.calls[i].first, 10u);
        EXPECT_EQ(r.calls[3 + i].first, 25u);
    }
}

/// Two queues whose callbacks schedule in each other.
struct Conversation {
    Recorder first;
    Recorder second;
    std::uint64_t delta_began = 0;
    std::uint64_t delta_ended = 0;

    static void ask(void* argument) {
        auto& c = *static_cast<Conversation*>(argument);
        c.delta_began = sc_core::sc_delta_count();
        c.second.queue.schedule(now(), answer, argument);
        c.second.queue.schedule(now() + 5, note, &c.second);
        c.first.queue.schedule(now(), note, &c.first); // before whatever the other one does
    }
    static void answer(void* argument) {
        auto& c = *static_cast<Conversation*>(argument);
        EXPECT_EQ(c.first.calls, (Calls{{10, 1}}));
        c.first.queue.schedule(now(), end, argument);
    }
    static void end(void* argument) {
        static_cast<Conversation*>(argument)->delta_ended = sc_core::sc_delta_count();
    }
    static void note(void* recorder) { static_cast<Recorder*>(recorder)->calls.emplace_back(now(), 1); }
};

TEST(TimedQueue, RunsWhatAnotherQueueGivesItWithoutADeltaCycle) {
    Conversation c;
    c.second.at(12, 2);
    c.first.queue.schedule(10, Conversation::ask, &c);
    sc_core::sc_start();
    EXPECT_EQ(c.delta_ended, c.delta_began);
    EXPECT_EQ(c.second.calls, (Calls{{12, 2}, {15, 1}})) << "the alarm for later is kept";
}

TEST(TimedQueue, DropsEverythingOnceClosed) {
    Recorder r;
    r.at(10, 1);
    sc_core::sc_start(5, sc_core::SC_PS);
    r.queue.close();
    r.at(20, 2);
    EXPECT_TRUE(r.queue.idle());
    sc_core::sc_start();
    EXPECT_TRUE(r.calls.empty());
    EXPECT_TRUE(r.queue.closed());
}

} // namespace
} // namespace iommusim::test
