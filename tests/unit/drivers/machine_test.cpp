// Programs, local time, memory and registers of a modelled CPU.
#include "machine_bench.h"

namespace iommusim::machine {
namespace {

constexpr std::uint64_t doorbell = TinyHardware::registers + 8;

TEST(CpuParameters, DefaultsLieInTheirRanges) {
    EXPECT_EQ(first_violation(CpuParameters{}), "");
    for (const auto& row : CpuParameters::table()) {
        EXPECT_STRNE(row.info.source, "") << row.info.name;
        EXPECT_STRNE(row.info.description, "") << row.info.name;
    }
    CpuParameters p;
    p.poll_period = 0;
    EXPECT_NE(first_violation(p).find("poll_period"), std::string::npos);
}

TEST(Cpu, RunsProgramsOneAfterTheOther) {
    MachineBench b(1);
    Cpu& cpu = b.machine.cpu(0);
    std::vector<Picoseconds> began;
    cpu.run([&](Cpu& c) {
        began.push_back(c.time());
        c.spend(10_ns);
    });
    cpu.run([&](Cpu& c) {
        began.push_back(c.time());
        c.spend_cycles(5);
    });
    cpu.run([&](Cpu& c) { began.push_back(c.time()); }, 40_ns);
    EXPECT_FALSE(cpu.idle());
    sc_core::sc_start();
    EXPECT_EQ(began, (std::vector<Picoseconds>{0, 10_ns, 40_ns}));
    EXPECT_TRUE(cpu.idle());
    EXPECT_TRUE(b.machine.idle());
    EXPECT_EQ(cpu.idle_time(), 25_ns);
}

TEST(Cpu, KernelTimeIsTheProgramsEndWhenItHasEnded) {
    MachineBench b(1);
    b.machine.cpu(0).run([](Cpu& c) { c.spend(123_ns); });
    sc_core::sc_start();
    EXPECT_EQ(now(), 123_ns);
}

TEST(Cpu, TellsWhenItBecomesIdle) {
    MachineBench b(1);
    Picoseconds seen = 0;
    sc_core::sc_spawn([&] {
        sc_core::wait(b.machine.cpu(0).became_idle());
        seen = now();
    });
    b.machine.cpu(0).run([](Cpu& c) { c.spend(10_ns); });
    b.machine.cpu(0).run([](Cpu& c) { c.spend(20_ns); });
    sc_core::sc_start();
    EXPECT_EQ(seen, 30_ns);
}

TEST(Cpu, StartsAProgramThatArrivesDuringTheSimulationAtThatTime) {
    MachineBench b(1);
    Picoseconds began = 0;
    b.hardware.at(70_ns, [&] { b.machine.cpu(0).run([&](Cpu& c) { began = c.time(); }); });
    sc_core::sc_start();
    EXPECT_EQ(began, 70_ns);
}

TEST(Cpu, CountsCyclesWithoutRoundingEachOne) {
    CpuParameters p = round_costs();
    p.frequency = 3'000'000'000;
    MachineBench b(1, p);
    Picoseconds three = 0;
    b.machine.cpu(0).run([&](Cpu& c) {
        c.spend_cycles(3'000'000);
        three = c.time();
    });
    sc_core::sc_start();
    EXPECT_EQ(three, 999'999'000u);
}

TEST(Cpu, SynchronizeDoesNotYieldWhenNothingElseIsScheduled) {
    MachineBench b(1);
    sc_dt::uint64 deltas = 1;
    b.machine.cpu(0).run([&](Cpu& c) {
        const auto before = sc_core::sc_delta_count();
        for (int i = 0; i < 9; ++i) {
            c.spend(1_us);
            c.synchronize();
        }
        deltas = sc_core::sc_delta_count() - before;
        EXPECT_EQ(now(), 0u);
        EXPECT_EQ(c.time(), 9_us);
    });
    sc_core::sc_start();
    EXPECT_EQ(deltas, 0u);
}

TEST(Cpu, SynchronizeLetsEarlierActivityHappenFirst) {
    MachineBench b(1);
    int happened = 0;
    b.hardware.at(50_ns, [&] { ++happened; });
    b.hardware.at(150_ns, [&] { ++happened; });
    b.machine.cpu(0).run([&](Cpu& c) {
        c.spend(40_ns);
        c.synchronize();
        EXPECT_EQ(happened, 0);
        c.spend(60_ns);
        EXPECT_EQ(happened, 0);
        c.synchronize();
        EXPECT_EQ(happened, 1);
        EXPECT_EQ(now(), 100_ns);
        c.spend(100_ns);
        c.synchronize();
        EXPECT_EQ(happened, 2);
    });
    sc_core::sc_start();
    EXPECT_EQ(happened, 2);
}

TEST(Cpu, SynchronizeLetsDeltaActivityOfThePresentHappenFirst) {
    MachineBench b(1);
    bool happened = false;
    sc_core::sc_event event;
    sc_core::sc_spawn([&] {
        sc_core::wait(event);
        happened = true;
    });
    b.machine.cpu(0).run([&](Cpu& c) {
        c.delay(10_ns);
        event.notify(sc_core::SC_ZERO_TIME);
        c.spend(1_ns);
        c.synchronize();
        EXPECT_TRUE(happened);
    });
    sc_core::sc_start();
    EXPECT_TRUE(happened);
}

TEST(Cpu, AnEndlessProgramDoesNotKeepTheSimulationFromEnding) {
    MachineBench b(1);
    std::uint64_t steps = 0;
    b.machine.cpu(0).run([&](Cpu& c) {
        for (;;) {
            c.spend(100_ns);
            c.synchronize();
            ++steps;
        }
    });
    sc_core::sc_start(sc_core::sc_time(1, sc_core::SC_MS));
    EXPECT_EQ(now(), 1_ms);
    EXPECT_NEAR(static_cast<double>(steps), 10'000.0, 200.0);
}

TEST(Cpu, DelayGivesTheCpuAwayForItsDuration) {
    MachineBench b(1);
    bool happened = false;
    b.hardware.at(900_ns, [&] { happened = true; });
    b.machine.cpu(0).run([&](Cpu& c) {
        c.spend(5_ns);
        c.delay(1_us);
        EXPECT_EQ(c.time(), 1005_ns);
        EXPECT_TRUE(happened);
        EXPECT_EQ(c.idle_time(), 1_us);
    });
    sc_core::sc_start();
    EXPECT_TRUE(happened);
}

TEST(CpuMemory, ReadsBackWhatWasWrittenWithAndWithoutDirectAccess) {
    for (const bool direct : {true, false}) {
        sc_core::sc_curr_simcontext = nullptr;
        MachineBench b(1);
        b.hardware.grants_direct_access = direct;
        bool ran = false;
        b.machine.cpu(0).run([&](Cpu& c) {
            c.store(0x100, 0x1122334455667788);
            EXPECT_EQ(c.load(0x100), 0x1122334455667788u);
            EXPECT_EQ(c.load(0x104, 2), 0x3344u);
            c.store(0x107, 0xaa, 1);
            EXPECT_EQ(c.load(0x100), 0xaa22334455667788u);
            unsigned char text[100];
            c.fill(0x200, 0x5a, sizeof text);
            c.read(0x200, text, sizeof text);
            EXPECT_TRUE(
                std::all_of(std::begin(text), std::end(text), [](unsigned char x) { return x == 0x5a; }));
            c.write(0x300, text, sizeof text);
            EXPECT_EQ(c.load(0x35c), 0x5a5a5a5a5a5a5a5aull);
            EXPECT_EQ(c.load(0x364), 0u);
            ran = true;
        });
        sc_core::sc_start();
        EXPECT_TRUE(ran);
        EXPECT_EQ(b.hardware.transactions == 0, direct);
    }
}

TEST(CpuMemory, CostsOneCachedAccessPerLine) {
    MachineBench b(1);
    b.machine.cpu(0).run([&](Cpu& c) {
        c.store(0x100, 1);
        EXPECT_EQ(c.time(), 1_ns);
        c.load(0x100);
        EXPECT_EQ(c.time(), 2_ns);
        unsigned char data[128] = {};
        c.write(0x1000, data, 128);
        EXPECT_EQ(c.time(), 4_ns);
        c.read(0x1020, data, 128);
        EXPECT_EQ(c.time(), 7_ns);
        c.read(0x1000, data, 0);
        EXPECT_EQ(c.time(), 7_ns);
        c.barrier();
        EXPECT_EQ(c.time(), 27_ns);
    });
    sc_core::sc_start();
    EXPECT_EQ(now(), 27_ns);
}

TEST(CpuMemory, CleaningCostsOneFlushPerLine) {
    MachineBench b(1);
    b.machine.cpu(0).run([&](Cpu& c) {
        c.clean_line(0x100);
        EXPECT_EQ(c.time(), 80_ns);
        c.clean_lines(0x1038, 16);
        EXPECT_EQ(c.time(), 240_ns) << "across a line's end";
        c.clean_lines(0x1000, 0);
        EXPECT_EQ(c.time(), 240_ns);
    });
    sc_core::sc_start();
}

TEST(CpuMemory, WithoutDirectAccessTheTargetsDelayIsAdded) {
    MachineBench b(1);
    b.hardware.grants_direct_access = false;
    Picoseconds took = 0;
    b.machine.cpu(0).run([&](Cpu& c) {
        c.spend(10_ns);
        c.load(0x100);
        took = c.time();
    });
    sc_core::sc_start();
    EXPECT_EQ(took, 101_ns);
}

TEST(CpuMemory, GivesUpDirectAccessThatIsRevoked) {
    MachineBench b(1);
    std::size_t before = 1;
    b.machine.cpu(0).run([&](Cpu& c) {
        c.store(0x100, 1);
        before = b.hardware.transactions;
        b.hardware.revoke_direct_access();
        c.store(0x100, 2);
    });
    sc_core::sc_start();
    EXPECT_EQ(before, 0u);
    EXPECT_EQ(b.hardware.transactions, 1u);
    EXPECT_EQ(b.hardware.read(0x100), 2u);
}

TEST(CpuMemory, AStoreIsNeverVisibleEarlierThanTheDocumentedBound) {
    MachineBench b(1);
    std::uint64_t early = 1;
    std::uint64_t late = 0;
    // 40 stores, one every 20 ns without synchronization: at 300 ns the one of 401 ns must not be there.
    b.hardware.at(300_ns, [&] {
        early = b.hardware.read(0x1000 + 8 * 21);
        late = b.hardware.read(0x1000 + 8 * 14);
    });
    b.machine.cpu(0).run([&](Cpu& c) {
        for (unsigned i = 0; i < 40; ++i) {
            c.store(0x1000 + 8 * i, 1);
            c.spend(19_ns);
        }
    });
    sc_core::sc_start();
    EXPECT_EQ(early, 0u);
    EXPECT_EQ(late, 1u);
}

TEST(CpuRegisters, AWriteArrivesLaterThanTheCpuGoesOn) {
    MachineBench b(1);
    b.machine.cpu(0).run([&](Cpu& c) {
        c.spend(50_ns);
        c.mmio_write(doorbell, 7);
        EXPECT_EQ(c.time(), 65_ns);
        c.mmio_write(doorbell, 8, 8);
        EXPECT_EQ(c.time(), 80_ns);
    });
    sc_core::sc_start();
    ASSERT_EQ(b.hardware.register_writes.size(), 2u);
    EXPECT_EQ(b.hardware.register_writes[0].time, 150_ns);
    EXPECT_EQ(b.hardware.register_writes[0].value, 7u);
    EXPECT_EQ(b.hardware.register_writes[1].time, 165_ns);
}

TEST(CpuRegisters, AReadSamplesHalfWayAndReturnsAfterARoundTrip) {
    MachineBench b(1);
    b.hardware.register_value = [](Picoseconds t) { return t / 1_ns; };
    b.machine.cpu(0).run([&](Cpu& c) {
        c.spend(50_ns);
        EXPECT_EQ(c.mmio_read(doorbell), 150u);
        EXPECT_EQ(c.time(), 250_ns);
    });
    sc_core::sc_start();
    EXPECT_EQ(b.hardware.register_reads.size(), 1u);
}

TEST(CpuRegisters, AReadDoesNotPassAnEarlierWrite) {
    CpuParameters p = round_costs();
    p.mmio_write_arrival = 500_ns;
    MachineBench b(1, p);
    b.machine.cpu(0).run([&](Cpu& c) {
        c.mmio_write(doorbell, 1);
        c.mmio_read(doorbell);
    });
    sc_core::sc_start();
    ASSERT_EQ(b.hardware.register_writes.size(), 1u);
    ASSERT_EQ(b.hardware.register_reads.size(), 1u);
    EXPECT_GT(b.hardware.register_reads[0].time, b.hardware.register_writes[0].time);
}

TEST(CpuRegisters, ReadsOfNothingGiveAllOnes) {
    sc_core::sc_report_handler::set_actions(sc_core::SC_WARNING, sc_core::SC_DO_NOTHING);
    MachineBench b(1);
    std::uint64_t value = 0;
    b.machine.cpu(0).run([&](Cpu& c) {
        value = c.mmio_read(0x5000'0000, 4);
        c.mmio_write(0x5000'0000, 1);
    });
    sc_core::sc_start();
    EXPECT_EQ(value, 0xffff'ffffu);
    EXPECT_EQ(b.machine.cpu(0).bus_errors(), 2u);
    sc_core::sc_report_handler::set_actions(sc_core::SC_WARNING, sc_core::SC_DEFAULT_WARNING_ACTIONS);
}

TEST(PageAllocator, ReusesWhatWasFreed) {
    PageAllocator pages(0x1000, 8 * 4096);
    const auto a = pages.allocate(1);
    const auto b = pages.allocate(1);
    EXPECT_EQ(a, 0x1000u);
    EXPECT_EQ(b, 0x2000u);
    EXPECT_TRUE(pages.free(a, 1));
    EXPECT_EQ(pages.allocate(1), a);
    EXPECT_EQ(pages.pages_in_use(), 2u);
}

TEST(PageAllocator, NeverHandsOutAHole) {
    PageAllocator pages(0x1000, 8 * 4096); // pages 1 to 8
    pages.reserve(0x3800, 0x1000);         // touches pages 3 and 4
    pages.reserve(0, 0x1800);              // page 1, and what is not there anyway
    EXPECT_EQ(pages.allocate(2), 0x5000u);
    EXPECT_EQ(pages.allocate(1), 0x2000u);
    EXPECT_EQ(pages.allocate(2), 0x7000u);
    EXPECT_EQ(pages.allocate(1), PageAllocator::none);
}

TEST(PageAllocator, AlignsAndRunsOut) {
    PageAllocator pages(0x1000, 8 * 4096);
    EXPECT_EQ(pages.allocate(2, 0x4000), 0x4000u);
    EXPECT_EQ(pages.allocate(4, 0x1000), PageAllocator::none);
    EXPECT_EQ(pages.allocate(3), 0x1000u);
    EXPECT_EQ(pages.allocate(3), 0x6000u);
    EXPECT_EQ(pages.allocate(1), PageAllocator::none);
    EXPECT_EQ(pages.allocate(0), PageAllocator::none);
    EXPECT_EQ(pages.allocate(1, 3), PageAllocator::none);
    EXPECT_EQ(pages.most_pages_in_use(), 8u);
}

TEST(PageAllocator, JoinsSinglePagesWhenALongerRunIsNeeded) {
    PageAllocator pages(0, 4 * 4096);
    for (int i = 0; i < 4; ++i)
        ASSERT_NE(pages.allocate(1), PageAllocator::none);
    for (const std::uint64_t page : {2, 0, 3, 1})
        ASSERT_TRUE(pages.free(page * 4096, 1));
    EXPECT_EQ(pages.allocate(4), 0u);
}

TEST(PageAllocator, RefusesToFreeWhatIsNotAllocated) {
    PageAllocator pages(0, 4 * 4096);
    const auto a = pages.allocate(2);
    EXPECT_FALSE(pages.free(a, 3));
    EXPECT_FALSE(pages.free(a + 8, 1));
    EXPECT_FALSE(pages.free(0x100000, 1));
    EXPECT_TRUE(pages.free(a, 2));
    EXPECT_FALSE(pages.free(a, 2));
    EXPECT_EQ(pages.pages_in_use(), 0u);
}

TEST(PageAllocator, GivesTheCpuClearedPagesForTheirPrice) {
    MachineBench b(1);
    b.machine.cpu(0).run([&](Cpu& c) {
        const auto page = c.allocate_pages();
        EXPECT_EQ(c.time(), 300_ns);
        c.store(page + 8, 99);
        c.free_pages(page);
        EXPECT_EQ(c.allocate_pages(), page);
        EXPECT_EQ(c.load(page + 8), 0u);
        const Picoseconds before = c.time();
        EXPECT_NE(c.allocate_pages(2), PageAllocator::none);
        EXPECT_EQ(c.time() - before, 600_ns);
        EXPECT_EQ(c.allocate_pages(1000), PageAllocator::none);
    });
    sc_core::sc_start();
    EXPECT_EQ(b.machine.pages().pages_in_use(), 3u);
}

} // namespace
} // namespace iommusim::machine
