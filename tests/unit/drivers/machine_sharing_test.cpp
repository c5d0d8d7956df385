// Locks and shared words: several CPUs in order of time, and what it costs them.
#include "machine_bench.h"

#include <string>

namespace iommusim::machine {
namespace {

// ---- shared words

TEST(SharedWord, OperationsTakeEffectInTheOrderOfLocalTime) {
    MachineBench b(2);
    SharedWord word;
    std::vector<std::pair<unsigned, std::uint64_t>> seen;
    // cpu0 runs first in the simulation, but its operations come later in time.
    b.machine.cpu(0).run([&](Cpu& c) {
        c.spend(1_us);
        seen.emplace_back(0, word.fetch_add(c, 1));
        c.spend(1_us);
        seen.emplace_back(0, word.fetch_add(c, 1));
    });
    b.machine.cpu(1).run([&](Cpu& c) {
        c.spend(500_ns);
        seen.emplace_back(1, word.fetch_add(c, 1));
        c.spend(1_us);
        seen.emplace_back(1, word.fetch_add(c, 1));
    });
    sc_core::sc_start();
    EXPECT_EQ(seen, (std::vector<std::pair<unsigned, std::uint64_t>>{{1, 0}, {0, 1}, {1, 2}, {0, 3}}));
}

TEST(SharedWord, HasTheUsualOperations) {
    MachineBench b(1);
    SharedWord word(5);
    b.machine.cpu(0).run([&](Cpu& c) {
        EXPECT_EQ(word.load(c), 5u);
        word.store(c, 8);
        EXPECT_EQ(word.exchange(c, 9), 8u);
        EXPECT_EQ(word.compare_exchange(c, 8, 1), 9u);
        EXPECT_EQ(word.peek(), 9u);
        EXPECT_EQ(word.compare_exchange(c, 9, 1), 9u);
        EXPECT_EQ(word.fetch_or(c, 6), 1u);
        EXPECT_EQ(word.fetch_and(c, 3), 7u);
        EXPECT_EQ(word.fetch_xor(c, 1), 3u);
        EXPECT_EQ(word.fetch_sub(c, 3), 2u);
        EXPECT_EQ(word.load(c), ~0ull);
    });
    sc_core::sc_start();
    EXPECT_EQ(word.operations(), 10u);
    EXPECT_EQ(word.transfers(), 1u);
}

TEST(SharedWord, CostsATransferOnlyWhenTheLineIsElsewhere) {
    MachineBench b(2);
    SharedWord word;
    b.machine.cpu(0).run([&](Cpu& c) {
        word.fetch_add(c, 1);
        EXPECT_EQ(c.time(), 66_ns);
        word.fetch_add(c, 1);
        EXPECT_EQ(c.time(), 72_ns);
        c.delay(928_ns); // cpu1 has it at 1 us
        word.load(c);
        EXPECT_EQ(c.time(), 1060_ns);
        word.load(c); // shared by both
        EXPECT_EQ(c.time(), 1061_ns);
        word.store(c, 7); // through the store buffer
        EXPECT_EQ(c.time(), 1062_ns);
        word.fetch_add(c, 1); // but the line arrives at 1121 ns
        EXPECT_EQ(c.time(), 1127_ns);
    });
    b.machine.cpu(1).run([&](Cpu& c) {
        c.delay(500_ns);
        word.fetch_add(c, 1);
        EXPECT_EQ(c.time(), 566_ns);
        word.load(c);
        EXPECT_EQ(c.time(), 567_ns);
    });
    sc_core::sc_start();
    EXPECT_EQ(word.peek(), 8u);
    EXPECT_EQ(word.transfers(), 4u);
}

TEST(SharedWord, ReadModifyWritesOfManyCpusQueueForTheLine) {
    constexpr unsigned cpus = 8;
    MachineBench b(cpus);
    SharedWord word;
    std::vector<Picoseconds> ended;
    for (unsigned i = 0; i < cpus; ++i)
        b.machine.cpu(i).run([&](Cpu& c) {
            word.fetch_add(c, 1);
            ended.push_back(c.time());
        });
    sc_core::sc_start();
    std::vector<Picoseconds> expected;
    for (unsigned i = 1; i <= cpus; ++i)
        expected.push_back(i * 66_ns);
    EXPECT_EQ(ended, expected);
}

TEST(SharedWord, CompareExchangeLoopsCollapseUnderContention) {
    const auto attempts_per_success = [](unsigned cpus) {
        sc_core::sc_curr_simcontext = nullptr;
        MachineBench b(cpus);
        SharedWord word;
        std::uint64_t attempts = 0;
        constexpr unsigned successes = 50;
        for (unsigned i = 0; i < cpus; ++i)
            b.machine.cpu(i).run([&](Cpu& c) {
                for (unsigned n = 0; n < successes; ++n) {
                    std::uint64_t old = word.load(c);
                    for (;;) {
                        ++attempts;
                        c.spend(5_ns);
                        const std::uint64_t found = word.compare_exchange(c, old, old + 1);
                        if (found == old)
                            break;
                        old = found;
                    }
                    c.spend(300_ns);
                }
            });
        sc_core::sc_start();
        EXPECT_EQ(word.peek(), cpus * successes);
        return static_cast<double>(attempts) / (cpus * successes);
    };
    EXPECT_LT(attempts_per_success(1), 1.01);
    const double with_4 = attempts_per_success(4);
    const double with_32 = attempts_per_success(32);
    EXPECT_GT(with_32, 2 * with_4);
}

TEST(SharedWord, WaitersSeeTheChangeOneTransferLaterInTheOrderOfWaiting) {
    MachineBench b(4);
    SharedWord word;
    std::vector<std::pair<unsigned, Picoseconds>> seen;
    for (const unsigned i : {3u, 1u, 2u})
        b.machine.cpu(i).run([&, i](Cpu& c) {
            c.spend(i == 3 ? 1_ns : i == 1 ? 2_ns : 3_ns);
            EXPECT_EQ(word.wait_until(c, [](std::uint64_t v) { return v != 0; }), 5u);
            seen.emplace_back(i, c.time());
        });
    b.machine.cpu(0).run([&](Cpu& c) {
        c.spend(1_us);
        word.store(c, 5); // the line comes here first: 1060 ns
    });
    sc_core::sc_start();
    EXPECT_EQ(seen,
              (std::vector<std::pair<unsigned, Picoseconds>>{{3, 1120_ns}, {1, 1121_ns}, {2, 1122_ns}}));
}

TEST(SharedWord, AWaiterSleepsThroughChangesThatDoNotConcernIt) {
    MachineBench b(2);
    SharedWord word;
    sc_dt::uint64 deltas = 0;
    b.machine.cpu(0).run([&](Cpu& c) { word.wait_until(c, [](std::uint64_t v) { return v == 51; }); });
    b.machine.cpu(1).run([&](Cpu& c) {
        c.delay(1_us);
        const auto before = sc_core::sc_delta_count();
        for (int i = 0; i < 50; ++i)
            word.fetch_add(c, 1);
        deltas = sc_core::sc_delta_count() - before;
        word.fetch_add(c, 1);
    });
    sc_core::sc_start();
    EXPECT_EQ(deltas, 0u);
    EXPECT_TRUE(b.machine.idle());
}

TEST(SharedWord, AWaiterDoesNotMissAValueThatLastsForAnInstant) {
    MachineBench b(2);
    SharedWord word;
    std::uint64_t got = 0;
    b.machine.cpu(0).run([&](Cpu& c) { got = word.wait_until(c, [](std::uint64_t v) { return v == 1; }); });
    b.machine.cpu(1).run([&](Cpu& c) {
        c.delay(1_us);
        word.store(c, 1);
        word.store(c, 2);
    });
    sc_core::sc_start();
    EXPECT_EQ(got, 1u);
    EXPECT_EQ(word.peek(), 2u);
    EXPECT_TRUE(b.machine.idle());
}

TEST(SharedWord, AnInterruptIsTakenWhileSpinning) {
    MachineBench b(2);
    SharedWord word;
    Picoseconds handled = 0;
    b.machine.interrupts().connect(0, b.machine.cpu(0), [&](Cpu& c) {
        handled = c.time();
        c.spend(5_us);
    });
    b.hardware.at(1_us, [&] { b.machine.interrupts().raise(0); });
    Picoseconds went_on = 0;
    b.machine.cpu(0).run([&](Cpu& c) {
        word.wait_until(c, [](std::uint64_t v) { return v == 1; });
        went_on = c.time();
    });
    b.machine.cpu(1).run([&](Cpu& c) {
        c.delay(2_us);
        word.store(c, 1);
    });
    sc_core::sc_start();
    EXPECT_EQ(handled, 1500_ns);
    EXPECT_EQ(went_on, 6500_ns);
}

// ---- spinlocks

TEST(Spinlock, CostsOneAtomicWhenThisCpuHadItLast) {
    MachineBench b(2);
    Spinlock lock(b.machine, "lock");
    sc_dt::uint64 deltas = 1;
    b.machine.cpu(0).run([&](Cpu& c) {
        lock.lock(c);
        EXPECT_TRUE(lock.held_by(c));
        EXPECT_EQ(c.time(), 66_ns);
        lock.unlock(c);
        EXPECT_EQ(c.time(), 67_ns);
        c.synchronize();
        const auto before = sc_core::sc_delta_count();
        lock.lock(c);
        EXPECT_EQ(c.time(), 73_ns);
        lock.unlock(c);
        deltas = sc_core::sc_delta_count() - before;
    });
    b.machine.cpu(1).run([&](Cpu& c) {
        c.delay(1_us);
        SpinlockGuard guard(lock, c);
        EXPECT_EQ(c.time(), 1066_ns);
    });
    sc_core::sc_start();
    EXPECT_EQ(deltas, 0u);
    EXPECT_FALSE(lock.locked());
    EXPECT_EQ(lock.statistics().acquisitions, 3u);
    EXPECT_EQ(lock.statistics().contended, 0u);
}

TEST(Spinlock, IsFairAndMeasuresTheWaiting) {
    MachineBench b(4);
    Spinlock lock(b.machine, "hot");
    std::vector<std::pair<unsigned, Picoseconds>> order;
    const Picoseconds asks[] = {0, 30_ns, 10_ns, 20_ns};
    for (unsigned i = 0; i < 4; ++i)
        b.machine.cpu(i).run([&, i](Cpu& c) {
            c.spend(asks[i]);
            SpinlockGuard guard(lock, c);
            order.emplace_back(i, c.time());
            c.spend(1_us);
        });
    sc_core::sc_start();
    // 66 ns to lock, 1 us inside, 1 ns to unlock, then 120 ns for each handover.
    EXPECT_EQ(order, (std::vector<std::pair<unsigned, Picoseconds>>{
                         {0, 66_ns}, {2, 1187_ns}, {3, 2308_ns}, {1, 3429_ns}}));
    const LockStatistics& s = lock.statistics();
    EXPECT_EQ(s.acquisitions, 4u);
    EXPECT_EQ(s.contended, 3u);
    EXPECT_EQ(s.total_wait, 1177_ns + 2288_ns + 3399_ns);
    EXPECT_EQ(s.maximum_wait, 3399_ns);
    EXPECT_EQ(s.total_hold, 4 * 1001_ns);
    EXPECT_EQ(s.maximum_hold, 1001_ns);
}

TEST(Spinlock, IsNotTakenBeforeAnUnlockThatLiesAheadInTime) {
    MachineBench b(2);
    Spinlock lock(b.machine, "lock");
    Picoseconds got = 0;
    bool tried = true;
    // cpu0 locks and unlocks in one go, up to 10 us ahead of kernel time, before cpu1 asks at 1 us.
    b.machine.cpu(0).run([&](Cpu& c) {
        c.delay(500_ns);
        lock.lock(c);
        c.spend(5_us);
        lock.unlock(c);
    });
    b.machine.cpu(1).run([&](Cpu& c) {
        c.delay(1_us);
        tried = lock.try_lock(c);
        lock.lock(c);
        got = c.time();
        lock.unlock(c);
    });
    sc_core::sc_start();
    EXPECT_FALSE(tried);
    EXPECT_EQ(got, 500_ns + 66_ns + 5_us + 1_ns + 120_ns);
    EXPECT_EQ(lock.statistics().contended, 1u);
}

TEST(Spinlock, ExcludesWhileTheOwnerWaitsForHardware) {
    MachineBench b(2);
    Spinlock lock(b.machine, "lock");
    int inside = 0;
    int most = 0;
    for (unsigned i = 0; i < 2; ++i)
        b.machine.cpu(i).run([&](Cpu& c) {
            for (int n = 0; n < 20; ++n) {
                SpinlockIrqGuard guard(lock, c);
                most = std::max(most, ++inside);
                c.mmio_read(TinyHardware::registers);
                --inside;
            }
        });
    sc_core::sc_start();
    EXPECT_EQ(most, 1);
    EXPECT_EQ(lock.statistics().acquisitions, 40u);
    EXPECT_GE(lock.statistics().contended, 38u);
}

TEST(Spinlock, IrqsaveDefersInterruptsUntilItIsReleased) {
    MachineBench b(1);
    Spinlock lock(b.machine, "lock");
    Picoseconds handled = 0;
    b.machine.interrupts().connect(0, b.machine.cpu(0), [&](Cpu& c) {
        SpinlockGuard guard(lock, c); // would deadlock inside the section
        handled = c.time();
    });
    b.hardware.at(200_ns, [&] { b.machine.interrupts().raise(0); });
    b.machine.cpu(0).run([&](Cpu& c) {
        SpinlockIrqGuard guard(lock, c);
        c.delay(1_us);
        EXPECT_EQ(handled, 0u);
    });
    sc_core::sc_start();
    EXPECT_EQ(handled, 66_ns + 1_us + 1_ns + 500_ns + 6_ns);
}

TEST(Spinlock, TryLockTakesAFreeLockOnly) {
    MachineBench b(2);
    Spinlock lock(b.machine, "lock");
    std::vector<bool> got;
    b.machine.cpu(0).run([&](Cpu& c) {
        got.push_back(lock.try_lock(c));
        c.delay(1_us);
        lock.unlock(c);
    });
    b.machine.cpu(1).run([&](Cpu& c) {
        c.delay(500_ns);
        got.push_back(lock.try_lock(c));
        c.delay(1_us);
        got.push_back(lock.try_lock(c));
    });
    sc_core::sc_start();
    EXPECT_EQ(got, (std::vector<bool>{true, false, true}));
}

TEST(Machine, ListsItsHottestLocksFirstAndJoinsEqualNames) {
    MachineBench b(2);
    Spinlock cold(b.machine, "cold");
    Spinlock hot(b.machine, "hot");
    {
        Spinlock gone(b.machine, "cold");
        EXPECT_EQ(b.machine.lock_statistics().size(), 2u);
    }
    for (unsigned i = 0; i < 2; ++i)
        b.machine.cpu(i).run([&, i](Cpu& c) {
            c.spend(i * 10_us);
            { SpinlockGuard guard(cold, c); }
            c.synchronize();
            SpinlockGuard guard(hot, c);
            c.delay(20_us);
        });
    sc_core::sc_start();
    const auto list = b.machine.lock_statistics();
    ASSERT_EQ(list.size(), 2u);
    EXPECT_EQ(list[0].name, "hot");
    EXPECT_EQ(list[0].contended, 1u);
    EXPECT_EQ(list[1].name, "cold");
    EXPECT_EQ(list[1].acquisitions, 2u);
}

TEST(Machine, RunsTheSameProgramsTheSameWay) {
    const auto run = [] {
        sc_core::sc_curr_simcontext = nullptr;
        MachineBench b(8);
        Spinlock lock(b.machine, "lock");
        SharedWord word;
        std::vector<std::pair<unsigned, Picoseconds>> trace;
        for (unsigned i = 0; i < 8; ++i)
            b.machine.cpu(i).run([&, i](Cpu& c) {
                for (unsigned n = 0; n < 20; ++n) {
                    word.fetch_add(c, i);
                    SpinlockGuard guard(lock, c);
                    trace.emplace_back(i, c.time());
                    c.mmio_write(TinyHardware::registers, n);
                    c.spend(10_ns * (1 + (i * 7 + n) % 5));
                }
            });
        sc_core::sc_start();
        return trace;
    };
    const auto first = run();
    EXPECT_EQ(first.size(), 160u);
    EXPECT_EQ(first, run());
    EXPECT_TRUE(
        std::is_sorted(first.begin(), first.end(), [](auto& a, auto& b) { return a.second < b.second; }));
}

} // namespace
} // namespace iommusim::machine
