#include "models/core/inflight.h"
#include "tests/unit/core/core_bench.h"

#include <gtest/gtest.h>

namespace iommusim::test {
namespace {

constexpr unsigned group = 2;

struct Inflight : testing::Test {
    TimedQueue queue{"queue"};
    InflightTable table{queue};
    InflightTable::Entry entry;

    static constexpr TagScope space(std::uint64_t context) { return {Tag{context, 0}, Tag{0xff, 0}}; }
    void translated(InflightTable::Entry& e, std::uint64_t context, std::uint64_t first, std::uint64_t last) {
        table.enter(e);
        e.tag = Tag{context, 7};
        e.insists = Tag{~0ull, ~0ull};
        e.address = first;
        e.last = last;
        e.has_translation = true;
    }
};

TEST_F(Inflight, IsDrainedWhenNothingIsMarked) {
    EXPECT_TRUE(table.drained(group));
    table.enter(entry);
    EXPECT_TRUE(table.drained(group));
    EXPECT_EQ(table.count(), 1u);
    table.leave(entry);
    EXPECT_EQ(table.count(), 0u);
}

TEST_F(Inflight, MarksByAddressExactlyWhatOverlaps) {
    const struct {
        std::uint64_t first, last;
        bool marks;
    } cases[] = {{0x0000, 0x0fff, false}, {0x0000, 0x1000, true}, {0x1fff, 0x1fff, true},
                 {0x2000, 0x2fff, false}, {0x1800, 0x1800, true}, {0, ~0ull, true}};
    for (const auto& c : cases) {
        translated(entry, 1, 0x1000, 0x1fff);
        table.mark_range(group, space(1), c.first, c.last, true);
        EXPECT_EQ(entry.stale, c.marks);
        EXPECT_EQ(table.drained(group), !c.marks);
        EXPECT_TRUE(table.drained(group + 1));
        table.leave(entry);
        EXPECT_TRUE(table.drained(group));
    }
}

TEST_F(Inflight, MarksByAddressOnlyItsOwnSpaceUnlessTheEntryDoesNotInsist) {
    translated(entry, 1, 0x1000, 0x1fff);
    table.mark_range(group, space(2), 0x1000, 0x1fff, false);
    EXPECT_FALSE(entry.stale);
    entry.insists = Tag{};
    table.mark_range(group, space(2), 0x1000, 0x1fff, false);
    EXPECT_TRUE(entry.stale);
    table.leave(entry);
}

TEST_F(Inflight, MarksWalksByTheTablesTheyReadIfTheInvalidationMeansTables) {
    translated(entry, 1, 0x1000, 0x1fff);
    entry.table_address = 0;
    entry.table_last = 0x1f'ffff;
    table.mark_range(group, space(1), 0x8000, 0x8000, false);
    EXPECT_FALSE(entry.stale);
    table.mark_range(group, space(1), 0x8000, 0x8000, true);
    EXPECT_TRUE(entry.stale);
    table.leave(entry);
}

TEST_F(Inflight, MarksByScopeWhateverTheAddress) {
    translated(entry, 1, 0x1000, 0x1fff);
    table.mark_scope(group, space(2));
    EXPECT_FALSE(entry.stale);
    table.mark_scope(group, space(1));
    EXPECT_TRUE(entry.stale);
    table.leave(entry);
}

TEST_F(Inflight, DoesNotMarkTranslationsOfAccessesThatHaveNone) {
    table.enter(entry);
    table.mark_scope(group, TagScope::everything());
    table.mark_range(group, TagScope::everything(), 0, ~0ull, true);
    EXPECT_FALSE(entry.stale);
    entry.tag.owner = 7;
    table.mark_configuration(group, TagScope{Tag{0, 7}, Tag{0, ~0ull}});
    EXPECT_TRUE(entry.stale);
    table.leave(entry);
}

TEST_F(Inflight, AMarkCountsOnceAndLeavesWithItsAccess) {
    InflightTable::Entry other;
    translated(entry, 1, 0x1000, 0x1fff);
    translated(other, 1, 0x2000, 0x2fff);
    table.mark_range(group, space(1), 0x1000, 0x1fff, false);
    table.mark_range(group, space(1), 0, 0x5000, false);
    table.mark_all(group + 1);
    table.leave(other);
    EXPECT_FALSE(table.drained(group));
    EXPECT_FALSE(table.drained(group + 1));
    table.leave(entry);
    EXPECT_TRUE(table.drained(group));
    EXPECT_TRUE(table.drained(group + 1));
}

TEST_F(Inflight, AnEntryUsedAgainRemembersNothing) {
    translated(entry, 1, 0x1000, 0x1fff);
    table.mark_all(group);
    table.leave(entry);
    table.enter(entry);
    EXPECT_FALSE(entry.stale);
    EXPECT_FALSE(entry.has_translation);
    EXPECT_EQ(entry.tag, Tag{});
    table.mark_configuration(group, TagScope{Tag{0, 7}, Tag{0, ~0ull}});
    EXPECT_TRUE(table.drained(group));
    table.leave(entry);
}

TEST_F(Inflight, AnEntryLeavesAtTheEndOfItsLife) {
    {
        InflightTable::Entry shortlived;
        translated(shortlived, 1, 0, 10);
        table.mark_all(group);
        EXPECT_FALSE(table.drained(group));
    }
    EXPECT_TRUE(table.drained(group));
    EXPECT_EQ(table.count(), 0u);
}

struct Drainer : ProcessOwner {
    InflightTable table{queue};
    explicit Drainer(const sc_core::sc_module_name& name = "bench") : ProcessOwner(name) {}
    Process drain() {
        while (!table.drained(group))
            co_await table.progress().wait();
        note("drained");
    }
};

TEST(InflightProgress, WakesWhoeverWaitsForTheLastMarkedAccess) {
    Drainer d;
    InflightTable::Entry first;
    InflightTable::Entry second;
    InflightTable::Entry unrelated;
    for (InflightTable::Entry* e : {&first, &second})
        d.table.enter(*e);
    d.table.mark_all(group);
    d.table.enter(unrelated);
    d.drain().start(d.queue, 0);
    d.run();
    d.table.leave(first);
    d.run();
    EXPECT_TRUE(d.log.empty());
    d.table.leave(second);
    d.run();
    EXPECT_EQ(d.log.size(), 1u);
    d.table.leave(unrelated);
}

} // namespace
} // namespace iommusim::test
