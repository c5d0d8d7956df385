// Rule 3: a completion is visible only after every access that used what was removed is observable
// downstream; not earlier, and not for accesses that have nothing to do with it.
#include "tests/conformance/rules/rule_test.h"

namespace iommusim::rules {
namespace {

constexpr std::uint64_t page = 0x12'3456'7000;
constexpr std::uint64_t unrelated_page = 0x12'4000'0000;
constexpr std::uint64_t output = 0x4000'0000;
constexpr std::uint64_t unrelated_output = 0x5000'0000;

struct DrainCase : Case {
    bool write;
    bool cached;        ///< the access hits a TLB
    bool configuration; ///< what is removed is the device's configuration
    std::string name() const {
        return traits().name + (write ? "Write" : "Read") + (cached ? "Hit" : "Miss") +
               (configuration ? "Configuration" : "Page");
    }
};

std::vector<DrainCase> drain_cases() {
    std::vector<DrainCase> cases;
    for (const Architecture& a : architectures()) {
        cases.push_back({{a}, false, false, false});
        cases.push_back({{a}, true, false, false});
        cases.push_back({{a}, false, true, false});
        cases.push_back({{a}, true, true, false});
        cases.push_back({{a}, false, true, true});
        cases.push_back({{a}, true, false, true});
    }
    return cases;
}

class CompletionDrains : public RuleTest<DrainCase> {
protected:
    static Dma& begin(RuleBench& bench, const Requester& requester, std::uint64_t address) {
        // Somewhere inside the page, not at the address that an invalidation will name.
        return GetParam().write ? bench.unit().begin_write(requester, address + 0xa40, pattern(3))
                                : bench.unit().begin_read(requester, address + 0xa40);
    }
    static void queue_removal(RuleBench& bench) {
        if (GetParam().configuration)
            bench.queue_device_invalidation();
        else
            bench.queue_invalidation(page);
    }
};

TEST_P(CompletionDrains, WaitsForTheAccessThatUsedTheRemovedPageAndForNoOther) {
    RuleBench& bench = build();
    bench.map(page, output);
    bench.map(unrelated_page, unrelated_output, page_4k, 1);
    if (GetParam().cached) {
        bench.unit().read(RuleBench::device(), page);
        bench.unit().read(RuleBench::other_device(), unrelated_page);
    }
    const auto hold = bench.unit().faults().hold(soc::AccessKind::any, output, 4096);
    const auto unrelated_hold = bench.unit().faults().hold(soc::AccessKind::any, unrelated_output, 4096);
    const Dma& dma = begin(bench, RuleBench::device(), page);
    const Dma& unrelated = begin(bench, RuleBench::other_device(), unrelated_page);
    bench.unit().settle();

    bench.unmap(page);
    queue_removal(bench);
    bench.complete();
    EXPECT_TRUE(bench.only_completion_is_missing());
    EXPECT_FALSE(dma.finished);

    bench.unit().faults().release(hold);
    bench.unit().settle();
    EXPECT_TRUE(dma.ok());
    EXPECT_TRUE(bench.all_done());
    EXPECT_FALSE(unrelated.finished);
    const CommandEvent& completion = bench.unit().probe.commands.back();
    EXPECT_TRUE(completion.completion);
    EXPECT_GE(completion.drained, bench.unit().probe.observed.back().when);
    EXPECT_GT(completion.finished, completion.drained);

    bench.unit().faults().release(unrelated_hold);
    bench.unit().settle();
    EXPECT_TRUE(unrelated.ok());
}

TEST_P(CompletionDrains, DoesNotWaitForAnAccessThatBeganAfterTheInvalidation) {
    RuleBench& bench = build();
    bench.map(page, output);
    const auto hold = bench.unit().faults().hold(soc::AccessKind::any, output, 4096);
    queue_removal(bench);
    bench.ring();
    bench.unit().settle();
    const Dma& dma = begin(bench, RuleBench::device(), page);
    bench.unit().settle();
    bench.complete();
    EXPECT_TRUE(bench.all_done());
    EXPECT_FALSE(dma.finished);
    bench.unit().faults().release(hold);
    bench.unit().settle();
    EXPECT_TRUE(dma.ok());
}

TEST_P(CompletionDrains, WithoutAnInvalidationWaitsForNothing) {
    RuleBench& bench = build();
    bench.map(page, output);
    const auto hold = bench.unit().faults().hold(soc::AccessKind::any, output, 4096);
    const Dma& dma = begin(bench, RuleBench::device(), page);
    bench.unit().settle();
    bench.complete();
    EXPECT_TRUE(bench.all_done());
    EXPECT_FALSE(dma.finished);
    bench.unit().faults().release(hold);
    bench.unit().settle();
}

INSTANTIATE_TEST_SUITE_P(, CompletionDrains, testing::ValuesIn(drain_cases()), case_name<DrainCase>);

class Completion : public RuleTest<> {};

TEST_P(Completion, AnotherPageOfTheSameSpaceIsUnrelated) {
    RuleBench& bench = build();
    bench.map(page, output);
    bench.map(page + 0x1000, unrelated_output);
    const auto hold = bench.unit().faults().hold(soc::AccessKind::any, unrelated_output, 4096);
    const Dma& unrelated = bench.unit().begin_read(RuleBench::device(), page + 0x1000);
    bench.unit().settle();
    bench.unmap(page);
    bench.queue_invalidation(page);
    bench.complete();
    EXPECT_TRUE(bench.all_done());
    EXPECT_FALSE(unrelated.finished);
    bench.unit().faults().release(hold);
    bench.unit().settle();
}

TEST_P(Completion, WaitsForAnAccessToABlockThatIsInvalidatedThroughAnotherOfItsAddresses) {
    RuleBench& bench = build();
    constexpr std::uint64_t block = 0x12'4000'0000;
    bench.map(block, output, page_2m);
    const auto hold = bench.unit().faults().hold(soc::AccessKind::any, output + 0x12'3000, 4096);
    bench.unit().begin_read(RuleBench::device(), block + 0x12'3040);
    bench.unit().settle();
    bench.unmap(block, page_2m);
    bench.queue_invalidation(block + 0x1f'f000);
    bench.complete();
    EXPECT_TRUE(bench.only_completion_is_missing());
    bench.unit().faults().release(hold);
    bench.unit().settle();
    EXPECT_TRUE(bench.all_done());
}

TEST_P(Completion, WaitsForALooselyTimedAccessThatItsTargetHolds) {
    RuleBench& bench = build();
    bench.map(page, output);
    const auto hold = bench.unit().faults().hold(soc::AccessKind::write, output, 4096);
    bool returned = false;
    bench.unit().spawn([&] {
        EXPECT_TRUE(bench.unit().write_loosely(RuleBench::device(), page, pattern(1)).ok());
        returned = true;
    });
    bench.unit().settle();
    ASSERT_FALSE(returned);
    bench.unmap(page);
    bench.queue_invalidation(page);
    bench.complete();
    EXPECT_TRUE(bench.only_completion_is_missing());
    bench.unit().faults().release(hold);
    bench.unit().settle();
    EXPECT_TRUE(returned);
    EXPECT_TRUE(bench.all_done());
}

TEST_P(Completion, EndsASimulationWithEverythingStillUnderWay) {
    RuleBench& bench = build();
    bench.map(page, output);
    bench.unit().faults().hold(soc::AccessKind::any, output, 4096);
    bench.unit().faults().hold(soc::AccessKind::any,
                               bench.table_entry(page + 0x20'0000, traits().table_reads - 1), 8);
    const Dma& downstream = bench.unit().begin_read(RuleBench::device(), page);
    const Dma& walking = bench.unit().begin_read(RuleBench::device(), page + 0x20'0000);
    const Dma& merged = bench.unit().begin_read(RuleBench::device(), page + 0x20'0040);
    bench.unit().spawn([&] { bench.unit().write_loosely(RuleBench::device(), page, pattern(1)); });
    bench.unit().settle();
    bench.queue_invalidation(page);
    bench.complete();
    EXPECT_FALSE(downstream.finished || walking.finished || merged.finished);
    // The bench is taken down now, with processes suspended everywhere.
}

INSTANTIATE_TEST_SUITE_P(, Completion, testing::ValuesIn(every_architecture()), case_name<Case>);

} // namespace
} // namespace iommusim::rules
