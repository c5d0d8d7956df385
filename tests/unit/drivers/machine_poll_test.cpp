// Spinning, interrupts and timers of a modelled CPU.
#include "machine_bench.h"

namespace iommusim::machine {
namespace {

constexpr std::uint64_t flag = 0x1000;
constexpr auto is_one = [](std::uint64_t v) { return v == 1; };
constexpr Picoseconds second = 1000_ms;

class PollMemory : public testing::TestWithParam<MachineBench::Monitor> {};
INSTANTIATE_TEST_SUITE_P(Monitor, PollMemory,
                         testing::Values(MachineBench::with_monitor, MachineBench::without_monitor),
                         [](const auto& instance) {
                             return instance.param == MachineBench::with_monitor ? "WithMonitor"
                                                                                 : "WithoutMonitor";
                         });

TEST_P(PollMemory, SeesAHardwareWriteOnThePollGridOneTransferLater) {
    MachineBench b(1, round_costs(), GetParam());
    b.hardware.at(501_ns, [&] { b.hardware.write(flag, 1); });
    b.machine.cpu(0).run([&](Cpu& c) {
        c.spend(10_ns);
        EXPECT_TRUE(c.poll_memory(flag, 8, is_one, second));
        // 501 ns write + 60 ns transfer = 561 ns; the grid is 10 ns + n * 4 ns.
        EXPECT_GE(c.time(), 562_ns);
        EXPECT_LE(c.time(), GetParam() == MachineBench::with_monitor ? 562_ns : 566_ns);
        EXPECT_EQ((c.time() - 10_ns) % 4_ns, 0u);
    });
    sc_core::sc_start();
    EXPECT_EQ(b.hardware.watchers(), 0u);
}

TEST_P(PollMemory, TakesOnePeriodWhenTheValueIsThereAlready) {
    MachineBench b(1, round_costs(), GetParam());
    b.hardware.write(flag, 1);
    b.machine.cpu(0).run([&](Cpu& c) {
        EXPECT_TRUE(c.poll_memory(flag, 8, is_one, second));
        EXPECT_EQ(c.time(), 4_ns);
    });
    sc_core::sc_start();
    EXPECT_EQ(now(), 4_ns);
}

TEST_P(PollMemory, GivesUpAtTheTimeout) {
    MachineBench b(1, round_costs(), GetParam());
    b.hardware.at(500_ns, [&] { b.hardware.write(flag, 2); });
    b.machine.cpu(0).run([&](Cpu& c) {
        EXPECT_FALSE(c.poll_memory(flag, 8, is_one, 1_us));
        EXPECT_EQ(c.time(), 1_us);
        EXPECT_FALSE(c.poll_memory(flag, 8, is_one, 1_ms));
        EXPECT_EQ(c.time(), 1001_us);
    });
    sc_core::sc_start();
    EXPECT_EQ(now(), 1001_us);
}

TEST_P(PollMemory, KeepsEveryTimeoutAfterAWaitThatEndedEarly) {
    MachineBench b(1, round_costs(), GetParam());
    b.hardware.at(500_ns, [&] { b.hardware.write(flag, 1); });
    b.hardware.at(600_ns, [&] { b.hardware.write(flag, 0); });
    Picoseconds end = 0;
    b.machine.cpu(0).run([&](Cpu& c) {
        EXPECT_TRUE(c.poll_memory(flag, 8, is_one, second));
        c.delay(100_ns);
        end = c.time();
        for (const Picoseconds timeout : {1_us, 120_us, 10_us}) {
            EXPECT_FALSE(c.poll_memory(flag, 8, is_one, timeout));
            EXPECT_EQ(c.time(), end + timeout);
            end = c.time();
        }
        b.hardware.at(1_us, [&] { b.hardware.write(flag, 1); });
        EXPECT_TRUE(c.poll_memory(flag, 8, is_one, second));
        EXPECT_LE(c.time(), end + 1100_ns);
        end = c.time();
    });
    sc_core::sc_start();
    EXPECT_EQ(now(), end) << "no timeout is left behind that would prolong the simulation";
}

TEST_P(PollMemory, LooksOnlyAtItsOwnBytes) {
    MachineBench b(1, round_costs(), GetParam());
    b.hardware.at(100_ns, [&] { b.hardware.write(flag + 8, 1); });
    b.hardware.at(200_ns, [&] { b.hardware.write(flag, 0xffff'ffff'0000'0001); });
    b.machine.cpu(0).run([&](Cpu& c) {
        EXPECT_TRUE(c.poll_memory(flag, 4, is_one, second));
        EXPECT_GE(c.time(), 260_ns);
        EXPECT_LE(c.time(), 268_ns);
    });
    sc_core::sc_start();
    EXPECT_EQ(b.hardware.watchers(), 0u);
}

TEST_P(PollMemory, LosesNoWriteHoweverItFallsBetweenLookAndSleep) {
    // A write at every instant around the beginning of the poll, in picosecond steps around the critical
    // times.
    for (Picoseconds written = 97; written <= 103; ++written) {
        sc_core::sc_curr_simcontext = nullptr;
        MachineBench b(1, round_costs(), GetParam());
        b.hardware.at(written, [&] { b.hardware.write(flag, 1); });
        bool seen = false;
        b.machine.cpu(0).run([&](Cpu& c) {
            c.spend(100);
            seen = c.poll_memory(flag, 8, is_one, 1_us);
            EXPECT_LE(c.time(), written + 60_ns + 8_ns);
        });
        sc_core::sc_start();
        EXPECT_TRUE(seen) << written;
    }
}

TEST_P(PollMemory, DoesNotSeeAValueThatWasGoneBeforeItBegan) {
    MachineBench b(1, round_costs(), GetParam());
    b.hardware.at(20_ns, [&] { b.hardware.write(flag, 1); });
    b.hardware.at(40_ns, [&] { b.hardware.write(flag, 0); });
    bool seen = true;
    b.machine.cpu(0).run([&](Cpu& c) {
        c.spend(90_ns);
        seen = c.poll_memory(flag, 8, is_one, 1_us);
        EXPECT_EQ(c.time(), 1090_ns);
    });
    sc_core::sc_start();
    EXPECT_FALSE(seen);
}

TEST_P(PollMemory, SeesAStoreOfAnotherCpu) {
    MachineBench b(2, round_costs(), GetParam());
    Picoseconds seen = 0;
    b.machine.cpu(0).run([&](Cpu& c) {
        EXPECT_TRUE(c.poll_memory(flag, 8, is_one, second));
        seen = c.time();
    });
    b.machine.cpu(1).run([&](Cpu& c) {
        c.spend(300_ns);
        c.synchronize();
        c.store(flag, 1);
    });
    sc_core::sc_start();
    EXPECT_GE(seen, 360_ns);
    EXPECT_LE(seen, 368_ns);
}

TEST(PollMemoryCost, ACompletedPollNeedsOneContextSwitch) {
    MachineBench b(1);
    b.hardware.at(500_ns, [&] { b.hardware.write(flag, 1); });
    sc_dt::uint64 deltas = 0;
    b.machine.cpu(0).run([&](Cpu& c) {
        const auto before = sc_core::sc_delta_count();
        EXPECT_TRUE(c.poll_memory(flag, 8, is_one, second));
        deltas = sc_core::sc_delta_count() - before;
    });
    sc_core::sc_start();
    EXPECT_LE(deltas, 3u); // start of the hardware process, its write, the notification
    EXPECT_EQ(b.hardware.watches, 1u);
}

TEST(PollRegister, DoublesItsPauseUpToTheLongest) {
    MachineBench b(1);
    b.hardware.register_value = [](Picoseconds t) { return t > 2_us ? 1 : 0; };
    b.machine.cpu(0).run([&](Cpu& c) {
        EXPECT_TRUE(c.poll_register(TinyHardware::registers, 4, is_one, 100_us, 100_ns, 400_ns));
    });
    sc_core::sc_start();
    std::vector<Picoseconds> times;
    for (const auto& read : b.hardware.register_reads)
        times.push_back(read.time);
    EXPECT_EQ(times, (std::vector<Picoseconds>{100_ns, 400_ns, 800_ns, 1400_ns, 2000_ns, 2600_ns}));
}

TEST(PollRegister, GivesUpAfterTheTimeout) {
    MachineBench b(1);
    b.machine.cpu(0).run([&](Cpu& c) {
        EXPECT_FALSE(c.poll_register(TinyHardware::registers, 4, is_one, 1_us, 0, 0));
        EXPECT_EQ(c.time(), 1_us);
    });
    sc_core::sc_start();
    EXPECT_EQ(b.hardware.register_reads.size(), 5u);
}

// ---- interrupts

TEST(Interrupts, ReachAnIdleCpuAfterTheEntryLatency) {
    MachineBench b(1);
    Picoseconds began = 0;
    b.machine.interrupts().connect(3, b.machine.cpu(0), [&](Cpu& c) {
        began = c.time();
        EXPECT_FALSE(c.interrupts_enabled());
    });
    b.hardware.at(1_us, [&] { b.machine.interrupts().raise(3); });
    sc_core::sc_start();
    EXPECT_EQ(began, 1500_ns);
    EXPECT_EQ(b.machine.interrupts().handled(3), 1u);
    EXPECT_FALSE(b.machine.interrupts().pending(3));
}

TEST(Interrupts, StayPendingWhileTheCpuMasksThem) {
    MachineBench b(1);
    Picoseconds began = 0;
    b.machine.interrupts().connect(0, b.machine.cpu(0), [&](Cpu& c) { began = c.time(); });
    b.hardware.at(100_ns, [&] { b.machine.interrupts().raise(0); });
    b.machine.cpu(0).run([&](Cpu& c) {
        c.disable_interrupts();
        c.disable_interrupts();
        c.delay(300_ns);
        EXPECT_TRUE(b.machine.interrupts().pending(0));
        c.enable_interrupts();
        EXPECT_TRUE(b.machine.interrupts().pending(0));
        EXPECT_EQ(began, 0u);
        c.enable_interrupts();
        EXPECT_EQ(began, 800_ns);
    });
    sc_core::sc_start();
    EXPECT_EQ(b.machine.interrupts().handled(0), 1u);
}

TEST(Interrupts, StayPendingWhileTheirLineIsMaskedOrHasNoHandler) {
    MachineBench b(1);
    std::vector<Picoseconds> began;
    InterruptController& interrupts = b.machine.interrupts();
    const auto handler = [&](Cpu& c) { began.push_back(c.time()); };
    interrupts.raise(1);
    interrupts.connect(0, b.machine.cpu(0), handler);
    interrupts.mask(0);
    b.hardware.at(100_ns, [&] { interrupts.raise(0); });
    b.hardware.at(2_us, [&] { interrupts.unmask(0); });
    b.hardware.at(4_us, [&] { interrupts.connect(1, b.machine.cpu(0), handler); });
    sc_core::sc_start();
    EXPECT_EQ(began, (std::vector<Picoseconds>{2500_ns, 4500_ns}));
}

TEST(Interrupts, AreMergedUntilTheirHandlerStarts) {
    MachineBench b(1);
    InterruptController& interrupts = b.machine.interrupts();
    interrupts.connect(0, b.machine.cpu(0), [](Cpu&) {});
    b.machine.cpu(0).run([&](Cpu& c) {
        c.disable_interrupts();
        c.delay(1_us);
        c.enable_interrupts();
    });
    b.hardware.at(100_ns, [&] { interrupts.raise(0); });
    b.hardware.at(200_ns, [&] { interrupts.raise(0); });
    b.hardware.at(5_us, [&] { interrupts.raise(0); });
    sc_core::sc_start();
    EXPECT_EQ(interrupts.raised(0), 3u);
    EXPECT_EQ(interrupts.handled(0), 2u);
}

TEST(Interrupts, AreHandledInTheOrderOfAssertionAndDoNotNest) {
    MachineBench b(1);
    InterruptController& interrupts = b.machine.interrupts();
    std::vector<int> order;
    interrupts.connect(5, b.machine.cpu(0), [&](Cpu& c) {
        order.push_back(5);
        c.delay(1_us);
        order.push_back(-5);
    });
    interrupts.connect(1, b.machine.cpu(0), [&](Cpu&) { order.push_back(1); });
    b.hardware.at(100_ns, [&] { interrupts.raise(5); });
    b.hardware.at(700_ns, [&] { interrupts.raise(1); });
    sc_core::sc_start();
    EXPECT_EQ(order, (std::vector<int>{5, -5, 1}));
}

TEST(Interrupts, InterruptADelayAndItEndsOnTimeAllTheSame) {
    MachineBench b(1);
    Picoseconds began = 0;
    b.machine.interrupts().connect(0, b.machine.cpu(0), [&](Cpu& c) {
        began = c.time();
        c.spend(200_ns);
    });
    b.hardware.at(1_us, [&] { b.machine.interrupts().raise(0); });
    b.machine.cpu(0).run([&](Cpu& c) {
        c.delay(5_us);
        EXPECT_EQ(began, 1500_ns);
        EXPECT_EQ(c.time(), 5_us);
    });
    sc_core::sc_start();
    EXPECT_EQ(began, 1500_ns);
}

TEST(Interrupts, InterruptAPollWhichThenStillSeesItsValue) {
    MachineBench b(1);
    b.machine.interrupts().connect(0, b.machine.cpu(0), [&](Cpu& c) {
        EXPECT_FALSE(c.poll_memory(
            flag, 8, [](std::uint64_t v) { return v == 7; }, 2_us)); // the very same line
    });
    b.hardware.at(100_ns, [&] { b.machine.interrupts().raise(0); });
    b.hardware.at(1_us, [&] { b.hardware.write(flag, 1); }); // while the handler runs
    Picoseconds seen = 0;
    b.machine.cpu(0).run([&](Cpu& c) {
        EXPECT_TRUE(c.poll_memory(flag, 8, is_one, second));
        seen = c.time();
    });
    sc_core::sc_start();
    EXPECT_GE(seen, 2600_ns);
    EXPECT_LE(seen, 2664_ns);
    EXPECT_EQ(b.hardware.watchers(), 0u);
}

// ---- timers

TEST(Timer, RunsOnAnIdleCpuAtItsExpiry) {
    MachineBench b(1);
    std::vector<Picoseconds> fired;
    Timer timer([&](Cpu& c) { fired.push_back(c.time()); });
    b.machine.cpu(0).run([&](Cpu& c) {
        timer.arm(c, 10_ms);
        EXPECT_TRUE(timer.armed());
        EXPECT_EQ(timer.expiry(), 10_ms);
    });
    sc_core::sc_start();
    EXPECT_EQ(fired, (std::vector<Picoseconds>{10_ms + 500_ns}));
    EXPECT_FALSE(timer.armed());
}

TEST(Timer, FiresDuringADelayAndDuringAPoll) {
    MachineBench b(1);
    std::vector<Picoseconds> fired;
    Timer timer([&](Cpu& c) { fired.push_back(c.time()); });
    b.machine.cpu(0).run([&](Cpu& c) {
        timer.arm(c, 1_us);
        c.delay(4_us);
        EXPECT_EQ(c.time(), 4_us);
        timer.arm(c, 1_us);
        EXPECT_FALSE(c.poll_memory(flag, 8, is_one, 4_us));
        EXPECT_EQ(c.time(), 8_us);
    });
    sc_core::sc_start();
    EXPECT_EQ(fired, (std::vector<Picoseconds>{1500_ns, 5500_ns}));
}

TEST(Timer, FiresAtTheNextSynchronizationOfARunningProgram) {
    MachineBench b(1);
    Picoseconds fired = 0;
    Timer timer([&](Cpu& c) { fired = c.time(); });
    b.machine.cpu(0).run([&](Cpu& c) {
        timer.arm(c, 1_us);
        c.spend(3_us);
        EXPECT_EQ(fired, 0u);
        c.synchronize();
        EXPECT_EQ(fired, 3500_ns);
    });
    sc_core::sc_start();
    EXPECT_EQ(fired, 3500_ns);
}

TEST(Timer, WaitsWhileInterruptsAreMasked) {
    MachineBench b(1);
    Picoseconds fired = 0;
    Timer timer([&](Cpu& c) { fired = c.time(); });
    b.machine.cpu(0).run([&](Cpu& c) {
        c.disable_interrupts();
        timer.arm(c, 1_us);
        c.delay(2_us);
        EXPECT_EQ(fired, 0u);
        c.enable_interrupts();
        EXPECT_EQ(fired, 2500_ns);
    });
    sc_core::sc_start();
    EXPECT_EQ(fired, 2500_ns);
}

TEST(Timer, DoesNotRunWhenCancelledOrMovedAway) {
    MachineBench b(2);
    std::vector<Picoseconds> fired;
    Timer cancelled([&](Cpu&) { fired.push_back(0); });
    Timer moved([&](Cpu& c) { fired.push_back(c.time() + c.index()); });
    b.machine.cpu(0).run([&](Cpu& c) {
        cancelled.arm(c, 1_us);
        EXPECT_TRUE(cancelled.cancel());
        EXPECT_FALSE(cancelled.cancel());
        moved.arm(c, 1_us);
        moved.arm_at(b.machine.cpu(1), 3_us);
    });
    sc_core::sc_start();
    EXPECT_EQ(fired, (std::vector<Picoseconds>{3_us + 500_ns + 1}));
}

TEST(Timer, MayArmItselfAgainAndTakesInterruptsMeanwhile) {
    MachineBench b(1);
    std::vector<Picoseconds> fired;
    std::vector<Picoseconds> handled;
    Timer timer;
    std::function<void(Cpu&)> tick = [&](Cpu& c) {
        fired.push_back(c.time());
        if (fired.size() < 3)
            timer.arm(c, 1_us, tick);
        c.delay(2_us);
    };
    b.machine.interrupts().connect(0, b.machine.cpu(0), [&](Cpu& c) { handled.push_back(c.time()); });
    b.machine.cpu(0).run([&](Cpu& c) { timer.arm(c, 1_us, tick); });
    b.hardware.at(2_us, [&] { b.machine.interrupts().raise(0); });
    sc_core::sc_start();
    EXPECT_EQ(fired, (std::vector<Picoseconds>{1500_ns, 4_us, 6500_ns}));
    EXPECT_EQ(handled, (std::vector<Picoseconds>{2500_ns}));
}

TEST(Timer, OfEqualExpiryRunInTheOrderOfArming) {
    MachineBench b(1);
    std::vector<int> order;
    Timer first([&](Cpu&) { order.push_back(1); });
    Timer second_timer([&](Cpu&) { order.push_back(2); });
    b.machine.cpu(0).run([&](Cpu& c) {
        first.arm(c, 1_us);
        second_timer.arm(c, 1_us);
    });
    sc_core::sc_start();
    EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

} // namespace
} // namespace iommusim::machine
