// Rule 6: the stale-translation oracle names every use of a translation that is gone, and is silent
// otherwise.
#include "tests/conformance/rules/rule_bench.h"

#include <gtest/gtest.h>

namespace iommusim::rules {
namespace {

constexpr std::uint64_t page = 0x12'3456'7000;
constexpr std::uint64_t output = 0x4000'0000;
constexpr StaleTranslationOracle::DomainKey domain = 1;

struct OracleBench : RuleBench {
    explicit OracleBench(smmuv3::test::BenchOptions options = {})
        : RuleBench(options), oracle(unit.smmu.reference()) {
        unit.smmu.attach(&oracle);
        oracle.bind(device(), domain);
    }
    void complete() {
        queue_completion();
        ring();
        unit.settle();
    }
    StaleTranslationOracle oracle;
};

TEST(StaleOracle, IsSilentWhenSoftwareInvalidatesAndWaits) {
    OracleBench bench;
    for (unsigned i = 0; i < 50; ++i) {
        bench.map(page, output + i * 0x1000);
        EXPECT_TRUE(bench.unit.read(RuleBench::device(), page).ok());
        bench.unmap(page);
        bench.oracle.removed(domain, page, 4096, now());
        bench.queue_invalidation(page);
        bench.complete();
        bench.oracle.promised(domain, page, 4096, now());
        EXPECT_FALSE(bench.unit.read(RuleBench::device(), page).ok());
    }
    EXPECT_EQ(bench.oracle.checked(), 50u);
    EXPECT_EQ(bench.oracle.violations(), 0u);
    EXPECT_EQ(bench.oracle.late_completions(), 0u);
    EXPECT_EQ(bench.oracle.exposures(), 0u);
    EXPECT_TRUE(bench.oracle.findings().empty());
}

TEST(StaleOracle, NamesPageAgeAndCacheWhenTheInvalidationWasForgotten) {
    OracleBench bench;
    bench.map(page, output);
    bench.unit.read(RuleBench::device(), page);
    bench.unmap(page);
    const Picoseconds removed = now();
    bench.oracle.removed(domain, page, 4096, removed);
    bench.complete(); // completes nothing that matters
    bench.oracle.promised(domain, page, 4096, now());
    bench.unit.run_for(5_us);
    bench.unit.read(RuleBench::device(), page + 0x40);

    ASSERT_EQ(bench.oracle.violations(), 1u);
    const StaleUse& finding = bench.oracle.findings().front();
    EXPECT_EQ(finding.kind, StaleUse::Kind::violation);
    EXPECT_EQ(finding.use.input_address, page + 0x40);
    EXPECT_EQ(finding.use.output_address, output + 0x40);
    EXPECT_STREQ(finding.use.served_by, "micro-TLB");
    EXPECT_EQ(finding.removed_at, removed);
    EXPECT_GT(finding.age(), 5_us);
    EXPECT_EQ(finding.command, nullptr);
    const std::string text = finding.describe();
    EXPECT_NE(text.find("read of 0x1234567040"), std::string::npos) << text;
    EXPECT_NE(text.find("micro-TLB"), std::string::npos) << text;
    EXPECT_NE(text.find("no invalidation that covers it was ever issued"), std::string::npos) << text;
}

TEST(StaleOracle, FindsAStaleUseThatNobodyAnnounced) {
    OracleBench bench;
    bench.map(page, output);
    bench.unit.read(RuleBench::device(), page);
    bench.map(page, output + 0x1000);
    bench.unit.read(RuleBench::device(), page);
    ASSERT_EQ(bench.oracle.violations(), 1u);
    EXPECT_FALSE(bench.oracle.findings().front().announced);
    EXPECT_NE(bench.oracle.findings().front().describe().find("never announced"), std::string::npos);
}

TEST(StaleOracle, NamesTheCommandThatCameTooLateWhenTheCompletionWasForgotten) {
    OracleBench bench;
    bench.map(page, output);
    bench.unit.read(RuleBench::device(), page);
    bench.unmap(page);
    bench.oracle.removed(domain, page, 4096, now());
    const std::uint32_t index = bench.unit.producer();
    bench.queue_invalidation(page);
    bench.ring();
    bench.oracle.promised(domain, page, 4096, now()); // wrong: nobody waited
    const Dma& dma = bench.unit.begin_read(RuleBench::device(), page);
    bench.unit.settle();
    ASSERT_TRUE(dma.ok());

    ASSERT_EQ(bench.oracle.violations(), 1u);
    const StaleUse& finding = bench.oracle.findings().front();
    ASSERT_NE(finding.command, nullptr);
    EXPECT_STREQ(finding.command, "CMD_TLBI_NH_VA");
    EXPECT_EQ(finding.command_index, index);
    EXPECT_GT(finding.command_time, finding.use.time);
    EXPECT_NE(finding.describe().find("CMD_TLBI_NH_VA at index"), std::string::npos);
}

TEST(StaleOracle, NamesTheUseOfAConfigurationThatWasReplacedWithoutInvalidation) {
    OracleBench bench;
    bench.map(page, output);
    bench.unit.read(RuleBench::device(), page);
    smmuv3::test::PageTable elsewhere(bench.unit);
    elsewhere.map(page, output + 0x5000);
    bench.redirect_device(elsewhere.root());
    bench.oracle.removed(domain, page, 4096, now());
    bench.queue_invalidation(page); // the translations go, the cached configuration stays
    bench.complete();
    bench.oracle.promised(domain, page, 4096, now());
    bench.unit.read(RuleBench::device(), page);
    ASSERT_EQ(bench.oracle.violations(), 1u);
    EXPECT_STREQ(bench.oracle.findings().front().use.served_by, "walk");
    EXPECT_EQ(bench.oracle.findings().front().use.output_address, output);

    bench.queue_device_invalidation();
    bench.queue_invalidation(page, RuleBench::By::space); // what leads to the page, too
    bench.complete();
    EXPECT_TRUE(bench.unit.read(RuleBench::device(), page).ok());
    EXPECT_EQ(bench.oracle.violations(), 1u);
}

TEST(StaleOracle, CountsExposuresOfDeferredInvalidationsApart) {
    OracleBench bench;
    bench.map(page, output);
    bench.unit.read(RuleBench::device(), page);
    bench.unmap(page);
    bench.oracle.removed(domain, page, 4096, now());
    bench.unit.read(RuleBench::device(), page);
    EXPECT_EQ(bench.oracle.transitions(), 1u);
    bench.oracle.deferred(domain, page, 4096, now());
    bench.unit.run_for(1_us);
    bench.unit.read(RuleBench::device(), page);
    EXPECT_EQ(bench.oracle.exposures(), 1u);
    EXPECT_GT(bench.oracle.worst_age(), 1_us);
    EXPECT_EQ(bench.oracle.violations(), 0u);
    bench.queue_invalidation(page);
    bench.complete();
    bench.oracle.promised(domain, page, 4096, now());
    EXPECT_FALSE(bench.unit.read(RuleBench::device(), page).ok());
    EXPECT_EQ(bench.oracle.violations(), 0u);
}

TEST(StaleOracle, ReportsAnAccessThatBecomesObservableAfterThePromise) {
    OracleBench bench;
    bench.map(page, output);
    const auto hold = bench.unit.faults().hold(soc::AccessKind::write, output, 4096);
    bench.unit.begin_write(RuleBench::device(), page, pattern(1));
    bench.unit.settle();
    bench.unmap(page);
    bench.oracle.removed(domain, page, 4096, now());
    bench.queue_invalidation(page);
    bench.queue_completion();
    bench.ring();
    bench.unit.settle();
    ASSERT_FALSE(bench.all_consumed());
    bench.oracle.promised(domain, page, 4096, now()); // wrong: the completion is not there yet
    bench.unit.run_for(1_us);
    bench.unit.faults().release(hold);
    bench.unit.settle();
    EXPECT_EQ(bench.oracle.late_completions(), 1u);
    ASSERT_EQ(bench.oracle.findings().size(), 1u);
    EXPECT_EQ(bench.oracle.findings()[0].kind, StaleUse::Kind::late_completion);
    EXPECT_STREQ(bench.oracle.findings()[0].command, "CMD_TLBI_NH_VA");
}

/// A device that uses a few pages at random while software moves them all the time.
struct Churn {
    static constexpr unsigned pages = 64;
    OracleBench bench;
    std::uint64_t rounds = 0;
    soc::DmaJobId job = 0;

    static smmuv3::test::BenchOptions options() {
        smmuv3::test::BenchOptions o;
        o.parameters.tlb_entries = 32; // evictions too
        return o;
    }
    Churn(std::uint64_t accesses, bool invalidate, bool wait) : bench(options()) {
        bench.unit.poke(
            bench.configuration_address(1),
            smmuv3::test::cd_for(bench.table.root(), RuleBench::asid).with(smmuv3::spec::cd::r, 0));
        for (unsigned i = 0; i < pages; ++i)
            bench.map(page + i * 0x1000, output + i * 0x1000);
        soc::DmaJob plan;
        plan.requester = RuleBench::device();
        plan.direction = soc::DmaDirection::alternating;
        plan.pattern = soc::DmaPattern::random;
        plan.base = page;
        plan.window = pages * 0x1000;
        plan.count = accesses;
        plan.outstanding = 16;
        job = bench.unit.masters[0].start(plan);
        bench.unit.spawn([this, invalidate, wait] {
            while (bench.unit.masters[0].running_jobs() != 0)
                move(invalidate, wait);
        });
        bench.unit.settle();
    }
    void move(bool invalidate, bool wait) {
        const std::uint64_t at = page + (rounds * 7 % pages) * 0x1000;
        bench.unmap(at);
        bench.oracle.removed(domain, at, 4096, now());
        if (invalidate)
            bench.queue_invalidation(at);
        bench.queue_completion();
        bench.ring();
        while (wait ? !bench.all_consumed() : bench.unconsumed() > 12)
            sc_core::wait(100, sc_core::SC_NS);
        bench.oracle.promised(domain, at, 4096, now());
        sc_core::wait(300, sc_core::SC_NS);
        bench.map(at, output + (rounds * 7919 % 4096) * 0x1000);
        ++rounds;
    }
};

TEST(StaleOracle, IsSilentForAMillionAccessesUnderContinuousRemapping) {
    const Churn churn(1'000'000, true, true);
    EXPECT_GT(churn.rounds, 10'000u);
    EXPECT_GT(churn.bench.oracle.checked(), 900'000u);
    EXPECT_GT(churn.bench.oracle.transitions(), 100u)
        << "the device is expected to use pages until they are gone";
    EXPECT_EQ(churn.bench.oracle.violations(), 0u);
    EXPECT_EQ(churn.bench.oracle.late_completions(), 0u);
    for (const StaleUse& finding : churn.bench.oracle.findings())
        ADD_FAILURE() << finding.describe();
}

TEST(StaleOracle, SpeaksUpInTheSameChurnWhenSoftwareDoesNotWait) {
    EXPECT_GT(Churn(20'000, true, false).bench.oracle.violations(), 0u);
}

TEST(StaleOracle, SpeaksUpInTheSameChurnWhenSoftwareDoesNotInvalidate) {
    EXPECT_GT(Churn(20'000, false, true).bench.oracle.violations(), 100u);
}

} // namespace
} // namespace iommusim::rules
