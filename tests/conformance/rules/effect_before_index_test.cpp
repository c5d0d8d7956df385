// Rule 1: a command takes effect before the consumer index that covers it is visible to software.
#include "tests/conformance/rules/rule_bench.h"

#include <gtest/gtest.h>

namespace iommusim::rules {
namespace {

smmuv3::test::BenchOptions slow_links() {
    smmuv3::test::BenchOptions options;
    options.parameters.link_latency = 300'000;
    options.command_queue_log2 = 6;
    return options;
}

TEST(EffectBeforeIndex, TheIndexHasNotPassedACommandWhenItTakesEffect) {
    RuleBench bench(slow_links());
    unsigned effects = 0;
    bench.unit.probe.at_invalidation = [&](const InvalidationEffect& effect) {
        ++effects;
        EXPECT_LE(bench.unit.consumer(), effect.index);
    };
    for (unsigned i = 0; i < 20; ++i)
        bench.queue_invalidation(i * 0x1000, RuleBench::all_ways[i % 5]);
    bench.queue_device_invalidation();
    bench.ring();
    bench.unit.settle();
    EXPECT_EQ(effects, 21u);
    EXPECT_TRUE(bench.all_consumed());
}

TEST(EffectBeforeIndex, SoftwareThatPollsTheIndexFindsEveryCoveredCommandDone) {
    RuleBench bench(slow_links());
    for (unsigned i = 0; i < 30; ++i) {
        if (i % 7 == 6)
            bench.queue_completion();
        else
            bench.queue_invalidation(i * 0x1000, RuleBench::all_ways[i % 5]);
    }
    unsigned seen = 0;
    unsigned steps = 0;
    bench.unit.spawn([&] {
        bench.ring();
        while (seen < 30) {
            sc_core::wait(1, sc_core::SC_NS);
            const std::uint32_t consumed = bench.unit.consumer();
            steps += consumed != seen;
            seen = consumed;
            const unsigned completions = seen / 7; // not reported as effects
            EXPECT_GE(bench.unit.probe.invalidations.size(), seen - completions);
        }
    });
    bench.unit.settle();
    EXPECT_EQ(seen, 30u);
    EXPECT_GT(steps, 5u) << "the index is expected to move while commands are carried out";
}

TEST(EffectBeforeIndex, AnAccessIssuedAfterTheCompletionWasSeenNeverUsesTheOldPage) {
    // The device hammers one page; software moves the page, invalidates, completes, and notes the time.
    RuleBench bench;
    constexpr std::uint64_t page = 0x7000'0000;
    constexpr std::uint64_t first = 0x4000'0000;
    bench.map(page, first);
    Picoseconds promised = 0;
    std::uint64_t current = first;
    soc::DmaJob job;
    job.requester = RuleBench::device();
    job.pattern = soc::DmaPattern::ring;
    job.base = page;
    job.window = 4096;
    job.count = 4000;
    job.outstanding = 16;
    bench.unit.masters[0].start(job);
    unsigned moves = 0;
    bench.unit.spawn([&] {
        while (bench.unit.masters[0].running_jobs() != 0) {
            const std::uint64_t next = current + 0x1000;
            bench.unmap(page);
            bench.queue_invalidation(page);
            bench.queue_completion();
            bench.ring();
            while (!bench.all_consumed())
                sc_core::wait(10, sc_core::SC_NS);
            promised = now();
            for (const TranslationUse& use : bench.unit.probe.translations)
                ASSERT_TRUE(use.output_address - current < 4096 || use.time < promised);
            bench.unit.probe.translations.clear();
            bench.map(page, next);
            current = next;
            ++moves;
            sc_core::wait(500, sc_core::SC_NS);
            for (const TranslationUse& use : bench.unit.probe.translations)
                ASSERT_LT(use.output_address - current, 4096u);
        }
    });
    bench.unit.settle();
    EXPECT_GT(moves, 10u);
}

} // namespace
} // namespace iommusim::rules
