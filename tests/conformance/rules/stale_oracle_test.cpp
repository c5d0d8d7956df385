// Rule 6: the stale-translation oracle names every use of a translation that is gone, and is silent
// otherwise.
#include "models/core/oracle.h"
#include "tests/conformance/rules/rule_test.h"

namespace iommusim::rules {
namespace {

constexpr std::uint64_t page = 0x12'3456'7000;
constexpr std::uint64_t output = 0x4000'0000;
constexpr StaleTranslationOracle::DomainKey domain = 1;

/// The oracle in the place of the bench's probe.
struct Watched {
    explicit Watched(RuleBench& rule_bench) : bench(rule_bench), oracle(bench.unit().reference()) {
        bench.unit().attach(&oracle);
        oracle.bind(RuleBench::device(), domain);
    }
    ~Watched() { bench.unit().attach(nullptr); }
    Watched(const Watched&) = delete;

    RuleBench& bench;
    StaleTranslationOracle oracle;
};

class StaleOracle : public RuleTest<> {};

TEST_P(StaleOracle, IsSilentWhenSoftwareInvalidatesAndWaits) {
    RuleBench& bench = build();
    Watched watched(bench);
    StaleTranslationOracle& oracle = watched.oracle;
    for (unsigned i = 0; i < 50; ++i) {
        bench.map(page, output + i * 0x1000);
        if (bench.queue_announcement(page))
            bench.complete();
        EXPECT_TRUE(bench.unit().read(RuleBench::device(), page).ok());
        bench.unmap(page);
        oracle.removed(domain, page, 4096, now());
        bench.queue_invalidation(page);
        bench.complete();
        oracle.promised(domain, page, 4096, now());
        EXPECT_FALSE(bench.unit().read(RuleBench::device(), page).ok());
    }
    EXPECT_EQ(oracle.checked(), 50u);
    EXPECT_EQ(oracle.violations(), 0u);
    EXPECT_EQ(oracle.late_completions(), 0u);
    EXPECT_EQ(oracle.exposures(), 0u);
    EXPECT_TRUE(oracle.findings().empty());
}

TEST_P(StaleOracle, NamesPageAgeAndCacheWhenTheInvalidationWasForgotten) {
    RuleBench& bench = build();
    Watched watched(bench);
    StaleTranslationOracle& oracle = watched.oracle;
    bench.map(page, output);
    bench.unit().read(RuleBench::device(), page);
    bench.unmap(page);
    const Picoseconds removed = now();
    oracle.removed(domain, page, 4096, removed);
    bench.complete(); // completes nothing that matters
    oracle.promised(domain, page, 4096, now());
    bench.unit().run_for(5_us);
    bench.unit().read(RuleBench::device(), page + 0x40);

    ASSERT_EQ(oracle.violations(), 1u);
    const StaleUse& finding = oracle.findings().front();
    EXPECT_EQ(finding.kind, StaleUse::Kind::violation);
    EXPECT_EQ(finding.use.input_address, page + 0x40);
    EXPECT_EQ(finding.use.output_address, output + 0x40);
    EXPECT_STREQ(finding.use.served_by, traits().nearest_cache);
    EXPECT_EQ(finding.removed_at, removed);
    EXPECT_GT(finding.age(), 5_us);
    EXPECT_EQ(finding.command, nullptr);
    const std::string text = finding.describe();
    EXPECT_NE(text.find("read of 0x1234567040"), std::string::npos) << text;
    EXPECT_NE(text.find(traits().nearest_cache), std::string::npos) << text;
    EXPECT_NE(text.find("no invalidation that covers it was ever issued"), std::string::npos) << text;
}

TEST_P(StaleOracle, FindsAStaleUseThatNobodyAnnounced) {
    RuleBench& bench = build();
    Watched watched(bench);
    StaleTranslationOracle& oracle = watched.oracle;
    bench.map(page, output);
    bench.unit().read(RuleBench::device(), page);
    bench.map(page, output + 0x1000);
    bench.unit().read(RuleBench::device(), page);
    ASSERT_EQ(oracle.violations(), 1u);
    EXPECT_FALSE(oracle.findings().front().announced);
    EXPECT_NE(oracle.findings().front().describe().find("never announced"), std::string::npos);
}

TEST_P(StaleOracle, NamesTheCommandThatCameTooLateWhenTheCompletionWasForgotten) {
    RuleBench& bench = build();
    Watched watched(bench);
    StaleTranslationOracle& oracle = watched.oracle;
    bench.map(page, output);
    bench.unit().read(RuleBench::device(), page);
    bench.unmap(page);
    oracle.removed(domain, page, 4096, now());
    const std::uint64_t index = bench.queued();
    bench.queue_invalidation(page);
    bench.ring();
    oracle.promised(domain, page, 4096, now()); // wrong: nobody waited
    const Dma& dma = bench.unit().begin_read(RuleBench::device(), page);
    bench.unit().settle();
    ASSERT_TRUE(dma.ok());

    ASSERT_EQ(oracle.violations(), 1u);
    const StaleUse& finding = oracle.findings().front();
    ASSERT_NE(finding.command, nullptr);
    EXPECT_STREQ(finding.command, traits().page_command);
    EXPECT_EQ(finding.command_index, index);
    EXPECT_GT(finding.command_time, finding.use.time);
    EXPECT_NE(finding.describe().find(std::string(traits().page_command) + " at index"), std::string::npos);
}

TEST_P(StaleOracle, NamesTheUseOfAConfigurationThatWasReplacedWithoutInvalidation) {
    RuleBench& bench = build();
    Watched watched(bench);
    StaleTranslationOracle& oracle = watched.oracle;
    bench.map(page, output);
    bench.unit().read(RuleBench::device(), page);
    bench.map(page, output + 0x5000, page_4k, 1);
    bench.redirect(RuleBench::device_id, 1, traits().configuration_reads - 1);
    oracle.removed(domain, page, 4096, now());
    bench.queue_invalidation(page); // the translations go, the cached configuration stays
    bench.complete();
    oracle.promised(domain, page, 4096, now());
    bench.unit().read(RuleBench::device(), page);
    ASSERT_EQ(oracle.violations(), 1u);
    EXPECT_STREQ(oracle.findings().front().use.served_by, "walk");
    EXPECT_EQ(oracle.findings().front().use.output_address, output);

    bench.queue_device_invalidation();
    bench.queue_invalidation(page, By::space); // what leads to the page, too
    bench.complete();
    EXPECT_TRUE(bench.unit().read(RuleBench::device(), page).ok());
    EXPECT_EQ(oracle.violations(), 1u);
}

TEST_P(StaleOracle, CountsExposuresOfDeferredInvalidationsApart) {
    RuleBench& bench = build();
    Watched watched(bench);
    StaleTranslationOracle& oracle = watched.oracle;
    bench.map(page, output);
    bench.unit().read(RuleBench::device(), page);
    bench.unmap(page);
    oracle.removed(domain, page, 4096, now());
    bench.unit().read(RuleBench::device(), page);
    EXPECT_EQ(oracle.transitions(), 1u);
    oracle.deferred(domain, page, 4096, now());
    bench.unit().run_for(1_us);
    bench.unit().read(RuleBench::device(), page);
    EXPECT_EQ(oracle.exposures(), 1u);
    EXPECT_GT(oracle.worst_age(), 1_us);
    EXPECT_EQ(oracle.violations(), 0u);
    bench.queue_invalidation(page);
    bench.complete();
    oracle.promised(domain, page, 4096, now());
    EXPECT_FALSE(bench.unit().read(RuleBench::device(), page).ok());
    EXPECT_EQ(oracle.violations(), 0u);
}

TEST_P(StaleOracle, ReportsAnAccessThatBecomesObservableAfterThePromise) {
    RuleBench& bench = build();
    Watched watched(bench);
    StaleTranslationOracle& oracle = watched.oracle;
    bench.map(page, output);
    const auto hold = bench.unit().faults().hold(soc::AccessKind::write, output, 4096);
    bench.unit().begin_write(RuleBench::device(), page, pattern(1));
    bench.unit().settle();
    bench.unmap(page);
    oracle.removed(domain, page, 4096, now());
    bench.queue_invalidation(page);
    bench.complete();
    ASSERT_FALSE(bench.all_done());
    oracle.promised(domain, page, 4096, now()); // wrong: the completion is not there yet
    bench.unit().run_for(1_us);
    bench.unit().faults().release(hold);
    bench.unit().settle();
    EXPECT_EQ(oracle.late_completions(), 1u);
    ASSERT_EQ(oracle.findings().size(), 1u);
    EXPECT_EQ(oracle.findings()[0].kind, StaleUse::Kind::late_completion);
    EXPECT_STREQ(oracle.findings()[0].command, traits().page_command);
}

/// A device that uses a few pages at random while software moves them all the time.
struct Churn {
    static constexpr unsigned pages = 64;
    RuleBench& bench;
    Watched watched{bench};
    StaleTranslationOracle& oracle = watched.oracle;
    std::uint64_t rounds = 0;

    static RuleOptions options() {
        RuleOptions o;
        o.tlb_entries = 32; // evictions too
        o.record_faults = false;
        return o;
    }
    Churn(RuleBench& rule_bench, std::uint64_t accesses, bool invalidate, bool wait) : bench(rule_bench) {
        for (unsigned i = 0; i < pages; ++i)
            bench.map(page + i * page_4k, output + i * page_4k);
        soc::DmaJob plan;
        plan.requester = RuleBench::device();
        plan.direction = soc::DmaDirection::alternating;
        plan.pattern = soc::DmaPattern::random;
        plan.base = page;
        plan.window = pages * page_4k;
        plan.count = accesses;
        plan.outstanding = 16;
        soc::DmaMaster& master = bench.unit().masters[0];
        master.start(plan);
        bench.unit().spawn([this, &master, invalidate, wait] {
            while (master.running_jobs() != 0)
                move(invalidate, wait);
        });
        bench.unit().settle();
    }
    void move(bool invalidate, bool wait) {
        const std::uint64_t at = page + (rounds * 7 % pages) * page_4k;
        bench.unmap(at);
        oracle.removed(domain, at, page_4k, now());
        if (invalidate)
            bench.queue_invalidation(at);
        bench.queue_completion();
        bench.ring();
        while (wait ? !bench.all_done() : bench.room() < 4)
            sc_core::wait(100, sc_core::SC_NS);
        oracle.promised(domain, at, page_4k, now());
        sc_core::wait(300, sc_core::SC_NS);
        bench.map(at, output + (rounds * 7919 % 4096) * page_4k);
        if (invalidate && wait && bench.queue_announcement(at))
            bench.complete_in_program();
        ++rounds;
    }
};

TEST_P(StaleOracle, IsSilentForAMillionAccessesUnderContinuousRemapping) {
    const Churn churn(build(Churn::options()), 1'000'000, true, true);
    EXPECT_GT(churn.rounds, 10'000u);
    EXPECT_GT(churn.oracle.checked(), 900'000u);
    EXPECT_GT(churn.oracle.transitions(), 100u) << "the device is expected to use pages until they are gone";
    EXPECT_EQ(churn.oracle.violations(), 0u);
    EXPECT_EQ(churn.oracle.late_completions(), 0u);
    for (const StaleUse& finding : churn.oracle.findings())
        ADD_FAILURE() << finding.describe();
}

TEST_P(StaleOracle, SpeaksUpInTheSameChurnWhenSoftwareDoesNotWait) {
    EXPECT_GT(Churn(build(Churn::options()), 20'000, true, false).oracle.violations(), 0u);
}

TEST_P(StaleOracle, SpeaksUpInTheSameChurnWhenSoftwareDoesNotInvalidate) {
    EXPECT_GT(Churn(build(Churn::options()), 20'000, false, true).oracle.violations(), 50u);
}

INSTANTIATE_TEST_SUITE_P(, StaleOracle, testing::ValuesIn(every_architecture()), case_name<Case>);

} // namespace
} // namespace iommusim::rules
