// Rule 1: a command takes effect before software can see that it is done.
#include "tests/conformance/rules/rule_test.h"

namespace iommusim::rules {
namespace {

class EffectBeforeIndex : public RuleTest<> {
protected:
    /// A bench whose effects take long.
    RuleBench& build_slow() {
        RuleOptions options;
        options.link_latency = 300'000;
        options.queue_entries = 64;
        return build(options);
    }
    /// Invalidations of all kinds; every seventh command is a completion.
    static void queue_commands(RuleBench& bench, unsigned count) {
        const std::vector<By>& ways = traits().ways;
        for (unsigned i = 0; i < count; ++i) {
            if (i % 7 == 6)
                bench.queue_completion();
            else
                bench.queue_invalidation(i * 2 * page_4k, ways[i % ways.size()]);
        }
    }
};

TEST_P(EffectBeforeIndex, ACommandIsNotYetDoneWhenItTakesEffect) {
    RuleBench& bench = build_slow();
    std::uint64_t effects = 0;
    bench.unit().probe.at_invalidation = [&](const InvalidationEffect& effect) {
        ++effects;
        EXPECT_LE(bench.done(), effect.index);
    };
    queue_commands(bench, 26);
    bench.queue_device_invalidation();
    bench.complete();
    EXPECT_EQ(effects, bench.invalidations_queued());
    EXPECT_TRUE(bench.all_done());
}

TEST_P(EffectBeforeIndex, SoftwareThatPollsFindsTheEffectOfEveryCommandThatIsDone) {
    RuleBench& bench = build_slow();
    queue_commands(bench, 56);
    std::uint64_t seen = 0;
    unsigned steps = 0;
    bench.unit().spawn([&] {
        bench.ring();
        while (seen < bench.queued()) {
            sc_core::wait(1, sc_core::SC_NS);
            const std::uint64_t done = bench.done();
            steps += done != seen;
            seen = done;
            const std::uint64_t completions = seen / 7; // not reported as effects
            EXPECT_GE(bench.unit().probe.invalidations.size(), seen - completions);
        }
    });
    bench.unit().settle();
    EXPECT_EQ(seen, bench.queued());
    EXPECT_GT(steps, 5u) << "progress is expected to be visible while commands are carried out";
}

TEST_P(EffectBeforeIndex, AnAccessIssuedAfterTheCompletionWasSeenNeverUsesTheOldPage) {
    // The device hammers one page; software moves the page, invalidates, completes, and notes the time.
    RuleBench& bench = build();
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
    job.count = 20'000;
    job.outstanding = 16;
    bench.unit().masters[0].start(job);
    unsigned moves = 0;
    bench.unit().spawn([&] {
        while (bench.unit().masters[0].running_jobs() != 0) {
            const std::uint64_t next = current + 0x1000;
            bench.unmap(page);
            bench.queue_invalidation(page);
            bench.complete_in_program();
            promised = now();
            for (const TranslationUse& use : bench.unit().probe.translations)
                ASSERT_TRUE(use.output_address - current < page_4k || use.time < promised);
            bench.unit().probe.translations.clear();
            bench.map(page, next);
            if (bench.queue_announcement(page))
                bench.complete_in_program();
            current = next;
            ++moves;
            sc_core::wait(500, sc_core::SC_NS);
            for (const TranslationUse& use : bench.unit().probe.translations)
                ASSERT_LT(use.output_address - current, page_4k);
        }
    });
    bench.unit().settle();
    EXPECT_GT(moves, 10u);
}

INSTANTIATE_TEST_SUITE_P(, EffectBeforeIndex, testing::ValuesIn(every_architecture()), case_name<Case>);

} // namespace
} // namespace iommusim::rules
