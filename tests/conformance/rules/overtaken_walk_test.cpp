// Rule 2: a walk that began before an invalidation that matches it leaves nothing in any cache.
#include "tests/conformance/rules/rule_test.h"

namespace iommusim::rules {
namespace {

constexpr std::uint64_t page = 0x12'3456'7000;
constexpr std::uint64_t output = 0x4000'0000;

struct WalkCase : Case {
    unsigned read; ///< the one that is held, of those of the walk
    By by;
    std::string name() const { return traits().name + "Read" + std::to_string(read) + name_of(by); }
};

std::vector<WalkCase> every_read_and_way() {
    std::vector<WalkCase> cases;
    for (const Architecture& a : architectures())
        for (unsigned read = 0; read < a.traits.table_reads; ++read)
            for (const By by : a.traits.ways)
                cases.push_back({{a}, read, by});
    return cases;
}

class OvertakenWalk : public RuleTest<WalkCase> {
protected:
    struct Held {
        const Dma& dma;
        soc::FaultInjector::Id hold;
    };
    /// An access whose walk waits for the answer of memory.
    static Held begin_held_walk(RuleBench& bench) {
        bench.map(page, output);
        const std::uint64_t entry = bench.table_entry(page, GetParam().read);
        const auto hold = bench.unit().faults().hold(soc::AccessKind::read, entry, 8);
        const Dma& dma = bench.unit().begin_read(RuleBench::device(), page);
        bench.unit().settle();
        return {dma, hold};
    }
};

TEST_P(OvertakenWalk, HeldInMemoryLeavesNothingInAnyCache) {
    RuleBench& bench = build();
    const auto [dma, hold] = begin_held_walk(bench);
    ASSERT_FALSE(dma.finished);

    bench.queue_invalidation(page, GetParam().by, true);
    bench.ring();
    bench.unit().settle();
    ASSERT_TRUE(bench.all_taken()) << "without a completion command nothing waits for the walk";
    ASSERT_EQ(bench.unit().probe.invalidations.size(), 1u);
    bench.unit().faults().release(hold);
    bench.unit().settle();
    EXPECT_TRUE(dma.ok());

    const std::uint64_t before = bench.table_reads();
    EXPECT_EQ(bench.unit().served_by(RuleBench::device(), page), "walk");
    EXPECT_EQ(bench.table_reads() - before, traits().table_reads);
}

TEST_P(OvertakenWalk, IsWaitedForByTheCompletion) {
    RuleBench& bench = build();
    const auto [dma, hold] = begin_held_walk(bench);
    bench.queue_invalidation(page, GetParam().by, true);
    bench.complete();
    EXPECT_TRUE(bench.only_completion_is_missing());
    bench.unit().faults().release(hold);
    bench.unit().settle();
    EXPECT_TRUE(dma.finished);
    EXPECT_TRUE(bench.all_done());
    EXPECT_GE(bench.unit().probe.commands.back().finished, dma.completed);
}

INSTANTIATE_TEST_SUITE_P(, OvertakenWalk, testing::ValuesIn(every_read_and_way()), case_name<WalkCase>);

class Overtaking : public RuleTest<> {
protected:
    static unsigned last_read() { return traits().table_reads - 1; }
};

TEST_P(Overtaking, DoesNotLeaveAPageThatItFoundThroughATableThatIsGone) {
    // Software removes the table of the last level while a walk behind it is held: the walk still finds the
    // old page.
    RuleBench& bench = build();
    bench.map(page, output);
    const auto hold =
        bench.unit().faults().hold(soc::AccessKind::read, bench.table_entry(page, last_read()), 8);
    const Dma& dma = bench.unit().begin_read(RuleBench::device(), page);
    bench.unit().settle();
    bench.unit().poke(bench.table_entry(page, last_read() - 1), 0);
    // The invalidation names the first address that the removed descriptor covers.
    bench.queue_invalidation(align_down(page, page_2m), By::address, true);
    bench.complete();
    EXPECT_TRUE(bench.only_completion_is_missing()) << "the walk uses the removed table";
    bench.unit().faults().release(hold);
    bench.unit().settle();
    EXPECT_TRUE(dma.ok());
    EXPECT_FALSE(bench.unit().read(RuleBench::device(), page).ok());
}

TEST_P(Overtaking, DoesNotLeaveABlockInvalidatedThroughAnotherOfItsAddresses) {
    constexpr std::uint64_t block = 0x40'0000'0000;
    for (const std::uint64_t bytes : {page_2m, page_1g}) {
        SCOPED_TRACE(size_name(bytes));
        RuleBench& bench = build();
        bench.map(block, 0x4000'0000, bytes);
        const std::uint64_t inside = block + bytes - 0x3000;
        const std::uint64_t entry = bench.table_entry(block, bench.leaf_read(bytes));
        const auto hold = bench.unit().faults().hold(soc::AccessKind::read, entry, 8);
        bench.unit().begin_read(RuleBench::device(), inside);
        bench.unit().settle();
        bench.queue_invalidation(block);
        bench.ring();
        bench.unit().settle();
        bench.unit().faults().release(hold);
        bench.unit().settle();
        EXPECT_EQ(bench.unit().served_by(RuleBench::device(), inside), "walk");
    }
}

TEST_P(Overtaking, IsNotDisturbedByAnInvalidationThatDoesNotMatch) {
    RuleBench& bench = build();
    bench.map(page, output);
    bench.map(page + 0x10'0000, output + 0x1000);
    const auto hold =
        bench.unit().faults().hold(soc::AccessKind::read, bench.table_entry(page, last_read()), 8);
    bench.unit().begin_read(RuleBench::device(), page);
    bench.unit().settle();
    bench.queue_invalidation(page + 0x10'0000);
    bench.queue({.by = By::space, .space = 1});
    bench.queue_device_invalidation(RuleBench::other_device_id);
    bench.complete();
    EXPECT_TRUE(bench.all_done());
    bench.unit().faults().release(hold);
    bench.unit().settle();
    EXPECT_EQ(bench.unit().served_by(RuleBench::device(), page), traits().nearest_cache);
}

TEST_P(Overtaking, AConfigurationFetchLeavesNothingInAnyCache) {
    for (unsigned held = 0; held < traits().configuration_reads; ++held)
        for (unsigned changed = 0; changed < traits().configuration_reads; ++changed) {
            SCOPED_TRACE("read " + std::to_string(held) + " is held, " + std::to_string(changed) +
                         " is changed");
            RuleBench& bench = build();
            bench.map(page, output);
            bench.map(page, output + 0x5000, page_4k, 1);
            const auto hold =
                bench.unit().faults().hold(soc::AccessKind::read, bench.configuration_address(held), 8);
            const Dma& dma = bench.unit().begin_read(RuleBench::device(), page);
            bench.unit().settle();
            ASSERT_FALSE(dma.finished);
            bench.queue_device_invalidation();
            bench.ring();
            bench.unit().settle();
            ASSERT_TRUE(bench.all_taken());
            bench.unit().faults().release(hold);
            bench.unit().settle();
            ASSERT_TRUE(dma.ok());

            // The second DMA must look at the configuration again: it finds the other tables at once.
            bench.redirect(RuleBench::device_id, 1, changed);
            bench.queue({.by = By::everything});
            bench.complete();
            bench.unit().read(RuleBench::device(), page);
            EXPECT_EQ(bench.unit().probe.translations.back().output_address, output + 0x5000);
        }
}

TEST_P(Overtaking, AtAnyMomentOfAnAccessTheNextOneSeesWhatSoftwareWroteBefore) {
    // Answers of memory are on their way for long, so that a value can be old when it arrives. Software moves
    // the page and invalidates at every moment of the access.
    unsigned old_page = 0;
    unsigned new_page = 0;
    unsigned overtaken = 0;
    for (Picoseconds moment = 0; moment < 6'000'000; moment += 25'000) {
        RuleOptions options;
        options.interconnect.response_latency = 500'000;
        RuleBench& bench = build(options);
        bench.map(page, output);
        const Dma& dma = bench.unit().begin_read(RuleBench::device(), page);
        bench.unit().run_for(moment + 1);
        bench.map(page, output + 0x1000);
        bench.queue_invalidation(page);
        bench.complete();
        ASSERT_TRUE(dma.ok());
        ASSERT_TRUE(bench.all_done());
        const TranslationUse first = bench.unit().probe.translations.front();
        const bool is_old = first.output_address == output;
        ++(is_old ? old_page : new_page);
        overtaken += is_old && dma.completed > bench.unit().probe.invalidations.front().time;
        bench.unit().read(RuleBench::device(), page);
        ASSERT_EQ(bench.unit().probe.translations.back().output_address, output + 0x1000)
            << "moment " << moment;
    }
    EXPECT_GT(old_page, 10u);
    EXPECT_GT(new_page, 10u);
    EXPECT_GT(overtaken, 10u);
}

INSTANTIATE_TEST_SUITE_P(, Overtaking, testing::ValuesIn(every_architecture()), case_name<Case>);

class OvertakenGlobalPage : public RuleTest<> {};

TEST_P(OvertakenGlobalPage, IsNotLeftWhenInvalidatedInTheNameOfAnotherAddressSpace) {
    RuleBench& bench = build();
    bench.map_global(page, output);
    const std::uint64_t entry = bench.table_entry(page, traits().table_reads - 1);
    const auto hold = bench.unit().faults().hold(soc::AccessKind::read, entry, 8);
    bench.unit().begin_read(RuleBench::device(), page);
    bench.unit().settle();
    bench.queue({.address = page, .space = 1});
    bench.ring();
    bench.unit().settle();
    bench.unit().faults().release(hold);
    bench.unit().settle();
    EXPECT_EQ(bench.unit().served_by(RuleBench::device(), page), "walk");
}

std::vector<Case> with_global_pages() {
    std::vector<Case> cases = every_architecture();
    std::erase_if(cases, [](const Case& c) { return !c.traits().global_pages; });
    return cases;
}

INSTANTIATE_TEST_SUITE_P(, OvertakenGlobalPage, testing::ValuesIn(with_global_pages()), case_name<Case>);

} // namespace
} // namespace iommusim::rules
