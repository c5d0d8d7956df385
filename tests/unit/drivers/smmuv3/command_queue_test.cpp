#include "drivers/smmuv3/command_batch.h"
#include "tests/unit/drivers/smmuv3/smmuv3_bench.h"

#include <gtest/gtest.h>

namespace iommusim::smmuv3_driver::test {
namespace {

using spec::opcode::sync;

/// A command that can be told apart: an ASID invalidation whose ASID is `number`.
Command numbered(unsigned number) { return make::tlbi_asid(number); }

TEST(CommandQueue, ReturnsAfterItsSyncHasCompleted) {
    Smmuv3Bench bench;
    bench.start();
    bench.clear();
    Submission s;
    Picoseconds end = 0;
    bench.run([&](machine::Cpu& cpu) {
        s = bench.driver->commands().submit_and_wait(cpu, numbered(9));
        end = cpu.time();
    });
    ASSERT_EQ(bench.unit.commands.size(), 2u);
    EXPECT_TRUE(s.completed);
    EXPECT_EQ(s.first, bench.unit.commands[0].position);
    EXPECT_EQ(s.completion, bench.unit.commands[1].position);
    EXPECT_GE(end, bench.unit.commands[1].time + bench.unit.sync_time);
}

TEST(CommandQueue, AsksForAnMsiIntoTheSyncsOwnSlot) {
    Smmuv3Bench bench;
    bench.start();
    bench.clear();
    bench.run([&](machine::Cpu& cpu) { bench.driver->commands().submit_and_wait(cpu, numbered(9)); });
    const ConsumedCommand& c = bench.unit.commands.at(1);
    EXPECT_EQ(c.get(spec::sync::cs), spec::sync::cs_irq);
    EXPECT_EQ(spec::sync::msi_addr.in_place(c.command.words),
              bench.driver->commands().slot_address(c.position));
    EXPECT_EQ(c.get(spec::sync::msi_data), 0u);
    EXPECT_EQ(bench.unit.read(bench.driver->commands().slot_address(c.position)) & 0xFFFF'FFFF, 0u);
}

TEST(CommandQueue, CompletesByConsumerIndexAndByEvent) {
    for (const CompletionMode mode : {CompletionMode::consumer, CompletionMode::event}) {
        sc_core::sc_curr_simcontext = nullptr;
        Smmuv3Bench bench;
        bench.configuration.completion = mode;
        bench.start();
        ASSERT_TRUE(bench.started);
        bench.clear();
        bool completed = false;
        Picoseconds end = 0;
        bench.run([&](machine::Cpu& cpu) {
            completed = bench.driver->commands().submit_and_wait(cpu, numbered(9)).completed;
            end = cpu.time();
        });
        EXPECT_TRUE(completed);
        const ConsumedCommand& c = bench.unit.commands.at(1);
        EXPECT_EQ(c.get(spec::sync::cs),
                  mode == CompletionMode::event ? spec::sync::cs_sev : spec::sync::cs_none);
        EXPECT_GE(end, c.time + bench.unit.sync_time);
    }
}

TEST(CommandQueue, SpinningInTheCacheEndsSoonerThanReadingTheRegister) {
    Picoseconds needed[2] = {};
    for (const CompletionMode mode : {CompletionMode::msi, CompletionMode::consumer}) {
        sc_core::sc_curr_simcontext = nullptr;
        Smmuv3Bench bench;
        bench.configuration.completion = mode;
        bench.start();
        bench.run([&](machine::Cpu& cpu) {
            const Picoseconds start = cpu.time();
            bench.driver->commands().submit_and_wait(cpu, numbered(9));
            needed[mode == CompletionMode::msi ? 0 : 1] = cpu.time() - start;
        });
    }
    EXPECT_LT(needed[0], needed[1]);
}

TEST(CommandQueue, WrapsManyTimes) {
    Smmuv3Bench bench;
    bench.configuration.queue_size_log2 = 7;
    bench.unit.direct_access = false;
    bench.start();
    bench.clear();
    bench.run([&](machine::Cpu& cpu) {
        Command commands[5];
        for (unsigned i = 0; i < 200; ++i) {
            for (unsigned k = 0; k < 5; ++k)
                commands[k] = numbered(5 * i + k);
            EXPECT_TRUE(bench.driver->commands().submit(cpu, commands, 5, i % 3 == 0).completed);
        }
        bench.driver->commands().submit(cpu, nullptr, 0, true);
    });
    unsigned next = 0;
    for (const ConsumedCommand& c : bench.unit.commands) {
        if (c.opcode() != sync) {
            EXPECT_EQ(c.get(spec::tlbi::asid), next++);
        }
    }
    EXPECT_EQ(next, 1000u);
    EXPECT_EQ(bench.unit.reused_slots, 0u);
}

TEST(CommandQueue, WaitsWhileTheQueueIsFull) {
    Smmuv3Bench bench;
    bench.configuration.queue_size_log2 = 7;
    bench.unit.direct_access = false;
    bench.start();
    bench.clear();
    bench.unit.command_time = 5_us;
    bench.run([&](machine::Cpu& cpu) {
        for (unsigned i = 0; i < 300; ++i) {
            const Command c = numbered(i);
            EXPECT_TRUE(bench.driver->commands().submit(cpu, &c, 1, false).completed);
        }
    });
    EXPECT_EQ(bench.unit.commands.size(), 300u);
    EXPECT_GT(bench.driver->statistics().full_waits, 0u);
    EXPECT_EQ(bench.unit.reused_slots, 0u);
}

TEST(CommandQueue, SubmitsALargeBatchInPiecesOfSixtyFour) {
    Smmuv3Bench bench;
    bench.start();
    bench.clear();
    Submission s;
    unsigned count = 0;
    bench.run([&](machine::Cpu& cpu) {
        CommandBatch batch(bench.driver->commands(), cpu);
        for (unsigned i = 0; i < 150; ++i)
            batch.add(numbered(i));
        s = batch.finish();
        count = batch.commands();
    });
    EXPECT_EQ(count, 150u);
    EXPECT_EQ(bench.unit.doorbells, 3u);
    ASSERT_EQ(bench.unit.commands.size(), 151u);
    EXPECT_EQ(bench.unit.commands.front().position, s.first);
    EXPECT_EQ(bench.unit.commands.back().opcode(), sync);
    EXPECT_EQ(bench.unit.commands.back().position, s.completion);
    EXPECT_EQ(std::count_if(bench.unit.commands.begin(), bench.unit.commands.end(),
                            [](const ConsumedCommand& c) { return c.opcode() == sync; }),
              1);
}

TEST(CommandQueue, PutsASyncBehindEveryBatchWhereAnErratumDemandsIt) {
    Smmuv3Bench bench;
    bench.configuration.force_sync = true;
    bench.start();
    bench.clear();
    bench.run([&](machine::Cpu& cpu) {
        CommandBatch batch(bench.driver->commands(), cpu);
        for (unsigned i = 0; i < 150; ++i)
            batch.add(numbered(i));
        batch.finish();
    });
    const std::vector<unsigned> opcodes = bench.opcodes();
    ASSERT_EQ(opcodes.size(), 153u);
    EXPECT_EQ(opcodes[63], sync);
    EXPECT_EQ(opcodes[127], sync);
    EXPECT_EQ(opcodes[152], sync);
}

TEST(CommandQueue, RingsOneDoorbellForManyCpus) {
    constexpr unsigned cpus = 8;
    constexpr unsigned calls = 40;
    Smmuv3Bench bench(cpus);
    bench.unit.direct_access = false;
    bench.start();
    bench.clear();
    const Statistics before = bench.driver->statistics();
    bench.run_on_all([&](machine::Cpu& cpu) {
        for (unsigned i = 0; i < calls; ++i) {
            Command commands[3];
            for (unsigned k = 0; k < 3; ++k)
                commands[k] = numbered(cpu.index() << 12 | i << 2 | k);
            EXPECT_TRUE(bench.driver->commands().submit(cpu, commands, 3, true).completed);
        }
    });
    // Every call's commands arrive exactly once, in order and next to each other.
    std::vector<unsigned> next_call(cpus, 0);
    ASSERT_EQ(bench.unit.commands.size(), cpus * calls * 4u);
    for (std::size_t at = 0; at < bench.unit.commands.size(); at += 4) {
        const auto first = static_cast<unsigned>(bench.unit.commands[at].get(spec::tlbi::asid));
        EXPECT_EQ(first >> 2 & 0x3FF, next_call.at(first >> 12)++);
        for (unsigned k = 0; k < 3; ++k)
            EXPECT_EQ(bench.unit.commands[at + k].get(spec::tlbi::asid), first + k);
        EXPECT_EQ(bench.unit.commands[at + 3].opcode(), sync);
    }
    EXPECT_EQ(bench.unit.reused_slots, 0u);
    const Statistics& s = bench.driver->statistics();
    EXPECT_EQ(s.submissions - before.submissions, cpus * calls);
    EXPECT_EQ(s.doorbells - before.doorbells, bench.unit.doorbells);
    EXPECT_LT(bench.unit.doorbells, cpus * calls);
    EXPECT_GT(s.exchange_attempts - before.exchange_attempts, s.exchanges - before.exchanges);
    EXPECT_EQ(s.exchanges - before.exchanges, cpus * calls);
}

TEST(CommandQueue, SkipsAnIllegalCommandAndGoesOn) {
    Smmuv3Bench bench(2); // the error interrupt goes to CPU 0, which waits with interrupts masked
    bench.start();
    bench.clear();
    bench.unit.illegal_opcode = spec::opcode::pri_resp;
    bool completed = false;
    std::uint32_t bad = 0;
    bench.run([&](machine::Cpu& cpu) {
        const Command commands[3] = {numbered(1), make::of(spec::opcode::pri_resp), numbered(2)};
        const Submission s = bench.driver->commands().submit(cpu, commands, 3, true);
        completed = s.completed;
        bad = s.first + 1;
    });
    EXPECT_TRUE(completed);
    EXPECT_EQ(bench.opcodes(),
              (std::vector<unsigned>{spec::opcode::tlbi_nh_asid, sync, spec::opcode::tlbi_nh_asid, sync}));
    EXPECT_EQ(bench.unit.commands[1].get(spec::sync::cs), spec::sync::cs_none);
    ASSERT_EQ(bench.reports.errors.size(), 1u);
    EXPECT_STREQ(bench.reports.errors[0].name, name(DriverError::command_illegal));
    EXPECT_EQ(bench.reports.errors[0].detail, bad);
    EXPECT_EQ(bench.driver->statistics().errors_recovered, 1u);
    EXPECT_EQ(bench.unit.values[spec::reg::gerror], bench.unit.values[spec::reg::gerrorn]);
}

TEST(CommandQueue, RecoversThroughTheInterruptOfAnotherCpu) {
    Smmuv3Bench bench(2);
    bench.start();
    bench.clear();
    bench.unit.illegal_opcode = spec::opcode::pri_resp;
    Picoseconds needed = 0;
    bench.run(
        [&](machine::Cpu& cpu) {
            const Picoseconds start = cpu.time();
            const Command bad = make::of(spec::opcode::pri_resp);
            EXPECT_TRUE(bench.driver->commands().submit(cpu, &bad, 1, true).completed);
            needed = cpu.time() - start;
        },
        1);
    EXPECT_LT(needed, bench.configuration.software.error_check_period);
    EXPECT_EQ(bench.reports.errors.size(), 1u);
}

TEST(CommandQueue, ReportsASyncThatNeverCompletes) {
    Smmuv3Bench bench;
    bench.start();
    bench.clear();
    bench.unit.mute = true;
    Submission s;
    bench.run([&](machine::Cpu& cpu) { s = bench.driver->commands().submit_and_wait(cpu, numbered(1)); });
    EXPECT_FALSE(s.completed);
    ASSERT_EQ(bench.reports.errors.size(), 1u);
    EXPECT_STREQ(bench.reports.errors[0].name, name(DriverError::sync_timeout));
    EXPECT_EQ(bench.reports.errors[0].detail, s.completion);
    EXPECT_EQ(bench.driver->statistics().timeouts, 1u);
}

TEST(CommandQueue, ReportsAQueueThatStaysFullAndOverwritesNothing) {
    Smmuv3Bench bench;
    bench.configuration.queue_size_log2 = 7;
    bench.configuration.software.sync_timeout = 1000_us;
    bench.unit.direct_access = false;
    bench.start();
    bench.clear();
    bench.unit.stuck = true;
    unsigned accepted = 0;
    bench.run([&](machine::Cpu& cpu) {
        // A wait that is given up does not free the slots behind it.
        EXPECT_FALSE(bench.driver->commands().submit_and_wait(cpu, numbered(0)).completed);
        for (unsigned i = 0; i < 128; ++i) {
            const Command c = numbered(i);
            accepted += bench.driver->commands().submit(cpu, &c, 1, false).completed ? 1 : 0;
        }
    });
    EXPECT_EQ(accepted, 126u);
    ASSERT_EQ(bench.reports.errors.size(), 3u);
    EXPECT_STREQ(bench.reports.errors[0].name, name(DriverError::sync_timeout));
    EXPECT_STREQ(bench.reports.errors[1].name, name(DriverError::queue_full_timeout));
    EXPECT_EQ(bench.unit.reused_slots, 0u);
}

TEST(CommandQueue, StaysUsableAfterATimeout) {
    Smmuv3Bench bench;
    bench.configuration.software.sync_timeout = 1000_us;
    bench.unit.direct_access = false;
    bench.start();
    bench.clear();
    bench.unit.sync_time = 1500_us; // too slow, but not dead
    bench.run([&](machine::Cpu& cpu) {
        EXPECT_FALSE(bench.driver->commands().submit_and_wait(cpu, numbered(1)).completed);
        cpu.delay(5000_us);
        bench.unit.sync_time = 200_ns;
        for (unsigned i = 0; i < 1000; ++i)
            EXPECT_TRUE(bench.driver->commands().submit_and_wait(cpu, numbered(2)).completed);
    });
    EXPECT_EQ(bench.unit.commands.size(), 2002u);
    EXPECT_EQ(bench.unit.reused_slots, 0u);
}

TEST(CommandQueue, DoesNotWaitWhenToldToSkipSyncs) {
    Smmuv3Bench bench;
    bench.configuration.faults.skip_sync = true;
    bench.start();
    bench.clear();
    bench.run([&](machine::Cpu& cpu) { bench.driver->commands().submit_and_wait(cpu, numbered(1)); });
    EXPECT_EQ(bench.opcodes(), std::vector<unsigned>{spec::opcode::tlbi_nh_asid});
}

} // namespace
} // namespace iommusim::smmuv3_driver::test
