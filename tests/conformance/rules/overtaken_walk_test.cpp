// Rule 2: a walk that began before an invalidation that matches it leaves nothing in any cache.
#include "tests/conformance/rules/rule_bench.h"

#include <gtest/gtest.h>

namespace iommusim::rules {
namespace {

constexpr std::uint64_t page = 0x12'3456'7000;
constexpr std::uint64_t output = 0x4000'0000;

class OvertakenWalk : public testing::TestWithParam<std::tuple<unsigned, RuleBench::By>> {};

TEST_P(OvertakenWalk, HeldInMemoryLeavesNothingInAnyCache) {
    const auto [level, by] = GetParam();
    RuleBench bench;
    bench.map(page, output);
    const auto hold = bench.unit.faults().hold(soc::AccessKind::read, bench.descriptor(page, level), 8);
    const Dma& dma = bench.unit.begin_read(RuleBench::device(), page);
    bench.unit.settle();
    ASSERT_FALSE(dma.finished);

    bench.queue_invalidation(page, by, true);
    bench.ring();
    bench.unit.settle();
    ASSERT_TRUE(bench.all_consumed()) << "without a completion command nothing waits for the walk";
    bench.unit.faults().release(hold);
    bench.unit.settle();
    EXPECT_TRUE(dma.ok());

    const std::uint64_t before = bench.table_reads_so_far();
    EXPECT_EQ(bench.unit.served_by(RuleBench::device(), page), "walk");
    EXPECT_EQ(bench.table_reads_so_far() - before, RuleBench::table_reads);
}

TEST_P(OvertakenWalk, IsWaitedForByTheCompletion) {
    const auto [level, by] = GetParam();
    RuleBench bench;
    bench.map(page, output);
    const auto hold = bench.unit.faults().hold(soc::AccessKind::read, bench.descriptor(page, level), 8);
    const Dma& dma = bench.unit.begin_read(RuleBench::device(), page);
    bench.unit.settle();
    bench.queue_invalidation(page, by, true);
    bench.queue_completion();
    bench.ring();
    bench.unit.settle();
    EXPECT_EQ(bench.unconsumed(), 1u);
    bench.unit.faults().release(hold);
    bench.unit.settle();
    EXPECT_TRUE(dma.finished);
    EXPECT_TRUE(bench.all_consumed());
    EXPECT_GE(bench.unit.probe.commands.back().finished, dma.completed);
}

INSTANTIATE_TEST_SUITE_P(EveryLevelAndKind, OvertakenWalk,
                         testing::Combine(testing::Range(0u, 4u), testing::ValuesIn(RuleBench::all_ways)));

TEST(Overtaking, DoesNotLeaveAPageThatItFoundThroughATableThatIsGone) {
    // Software removes the level 2 descriptor while a walk behind it is held: the walk still finds the old
    // page.
    RuleBench bench;
    bench.map(page, output);
    const auto hold = bench.unit.faults().hold(soc::AccessKind::read, bench.descriptor(page, 3), 8);
    const Dma& dma = bench.unit.begin_read(RuleBench::device(), page);
    bench.unit.settle();
    bench.unit.poke(bench.descriptor(page, 2), 0);
    // The invalidation names the first address that the removed descriptor covers.
    bench.queue_invalidation(page & ~0x1f'ffffull, RuleBench::By::address, true);
    bench.queue_completion();
    bench.ring();
    bench.unit.settle();
    EXPECT_EQ(bench.unconsumed(), 1u) << "the walk uses the removed table";
    bench.unit.faults().release(hold);
    bench.unit.settle();
    EXPECT_TRUE(dma.ok());
    EXPECT_FALSE(bench.unit.read(RuleBench::device(), page).ok());
}

TEST(Overtaking, DoesNotLeaveABlockInvalidatedThroughAnotherOfItsAddresses) {
    constexpr std::uint64_t block = 0x40'0000'0000;
    for (const unsigned level : {2u, 1u}) {
        SCOPED_TRACE(level);
        smmuv3::test::start_new_simulation();
        RuleBench bench;
        bench.map(block, 0x4000'0000, level);
        const std::uint64_t inside = block + smmuv3::test::PageTable::size_of(level) - 0x3000;
        const auto hold = bench.unit.faults().hold(soc::AccessKind::read, bench.descriptor(block, level), 8);
        bench.unit.begin_read(RuleBench::device(), inside);
        bench.unit.settle();
        bench.queue_invalidation(block);
        bench.ring();
        bench.unit.settle();
        bench.unit.faults().release(hold);
        bench.unit.settle();
        EXPECT_EQ(bench.unit.served_by(RuleBench::device(), inside), "walk");
    }
}

TEST(Overtaking, DoesNotLeaveAGlobalPageInvalidatedInTheNameOfAnotherAddressSpace) {
    RuleBench bench;
    bench.table.map(page, output, 3, smmuv3::test::leaf_global);
    const auto hold = bench.unit.faults().hold(soc::AccessKind::read, bench.descriptor(page), 8);
    bench.unit.begin_read(RuleBench::device(), page);
    bench.unit.settle();
    bench.unit.queue(smmuv3::test::tlbi_va(RuleBench::other_asid, page));
    bench.ring();
    bench.unit.settle();
    bench.unit.faults().release(hold);
    bench.unit.settle();
    EXPECT_EQ(bench.unit.served_by(RuleBench::device(), page), "walk");
}

TEST(Overtaking, IsNotDisturbedByAnInvalidationThatDoesNotMatch) {
    RuleBench bench;
    bench.map(page, output);
    bench.map(page + 0x10'0000, output + 0x1000);
    const auto hold = bench.unit.faults().hold(soc::AccessKind::read, bench.descriptor(page), 8);
    bench.unit.begin_read(RuleBench::device(), page);
    bench.unit.settle();
    bench.queue_invalidation(page + 0x10'0000);
    bench.unit.queue(smmuv3::test::tlbi_asid(RuleBench::other_asid));
    bench.unit.queue(smmuv3::test::cfgi_ste(RuleBench::other_device_id));
    bench.queue_completion();
    bench.ring();
    bench.unit.settle();
    EXPECT_TRUE(bench.all_consumed());
    bench.unit.faults().release(hold);
    bench.unit.settle();
    EXPECT_EQ(bench.unit.served_by(RuleBench::device(), page), "micro-TLB");
}

TEST(Overtaking, AConfigurationFetchLeavesNothingInAnyCache) {
    for (unsigned read = 0; read < RuleBench::configuration_reads; ++read) {
        SCOPED_TRACE(read);
        smmuv3::test::start_new_simulation();
        RuleBench bench;
        bench.map(page, output);
        smmuv3::test::PageTable elsewhere(bench.unit);
        elsewhere.map(page, output + 0x5000);
        const auto hold =
            bench.unit.faults().hold(soc::AccessKind::read, bench.configuration_address(read), 64);
        const Dma& dma = bench.unit.begin_read(RuleBench::device(), page);
        bench.unit.settle();
        ASSERT_FALSE(dma.finished);
        bench.queue_device_invalidation();
        bench.ring();
        bench.unit.settle();
        ASSERT_TRUE(bench.all_consumed());
        bench.unit.faults().release(hold);
        bench.unit.settle();
        ASSERT_TRUE(dma.ok());

        // The second DMA must look at the configuration again: it finds the other table at once.
        bench.redirect_device(elsewhere.root());
        bench.unit.execute_and_sync(smmuv3::test::tlbi_all());
        bench.unit.read(RuleBench::device(), page);
        EXPECT_EQ(bench.unit.probe.translations.back().output_address, output + 0x5000);
    }
}

TEST(Overtaking, AtAnyMomentOfAnAccessTheNextOneSeesWhatSoftwareWroteBefore) {
    // Answers of memory are on their way for long, so that a value can be old when it arrives. Software moves
    // the page and invalidates at every moment of the access.
    unsigned old_page = 0;
    unsigned new_page = 0;
    unsigned overtaken = 0;
    for (Picoseconds moment = 0; moment < 6'000'000; moment += 25'000) {
        smmuv3::test::start_new_simulation();
        smmuv3::test::BenchOptions options;
        options.interconnect.response_latency = 500'000;
        RuleBench bench(options);
        bench.map(page, output);
        const Dma& dma = bench.unit.begin_read(RuleBench::device(), page);
        bench.unit.run_for(moment + 1);
        bench.map(page, output + 0x1000);
        bench.queue_invalidation(page);
        bench.queue_completion();
        bench.ring();
        bench.unit.settle();
        ASSERT_TRUE(dma.ok());
        ASSERT_TRUE(bench.all_consumed());
        const TranslationUse first = bench.unit.probe.translations.front();
        const bool is_old = first.output_address == output;
        ++(is_old ? old_page : new_page);
        overtaken += is_old && dma.completed > bench.unit.probe.invalidations.front().time;
        bench.unit.read(RuleBench::device(), page);
        ASSERT_EQ(bench.unit.probe.translations.back().output_address, output + 0x1000)
            << "moment " << moment;
    }
    EXPECT_GT(old_page, 10u);
    EXPECT_GT(new_page, 10u);
    EXPECT_GT(overtaken, 10u);
}

} // namespace
} // namespace iommusim::rules
