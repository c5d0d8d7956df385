// Paging-structure caches, what invalidations do to them, and what a walk under way depends on.
#include "tests/conformance/vtd/walk_bench.h"

namespace iommusim::vtd::test {
namespace {

using namespace spec;

constexpr std::uint64_t output = 0x1'4000'0000;
constexpr std::uint64_t address = 0x55'1234'5000;
constexpr std::uint64_t kib2m = 1ull << 21;
constexpr std::uint64_t gib = 1ull << 30;
constexpr std::uint64_t gib512 = 1ull << 39;

TagScope of_domain(std::uint16_t domain) { return TagScope{Tag{domain, 0}, tag::of_domain}; }

/// Counts the reads of a walk.
template <class Bench> std::uint64_t reads_of(Bench& bench, const WalkRequest& request) {
    const std::uint64_t before = bench.reads();
    bench.walk(request);
    return bench.reads() - before;
}

struct SecondStageCache : testing::Test {
    WalkBench bench;
    WalkBench::Table table{bench, 4, second_rw};

    SecondStageCache() { bench.use_legacy(table); }
    std::uint64_t reads(std::uint64_t a) { return reads_of(bench, WalkBench::reading(a)); }
};

TEST_F(SecondStageCache, AWalkBeginsAtTheEntryFurthestDown) {
    for (const std::uint64_t a :
         {address, address + 0x1000, address + kib2m, address + gib, address + gib512})
        table.map(a & low_bits(48), output, second_rw);
    EXPECT_EQ(reads(address), 4u);
    EXPECT_EQ(reads(address + 0x1000), 1u);
    EXPECT_EQ(reads(address + kib2m), 2u);
    EXPECT_EQ(reads(address + gib), 3u);
    EXPECT_EQ(reads(address + gib512), 4u);
    EXPECT_EQ(bench.walks().second_stage_statistics(2).hits, 1u);
    EXPECT_EQ(bench.walks().second_stage_statistics(2).misses, 4u);
    EXPECT_EQ(bench.walks().second_stage_statistics(3).hits, 1u);
    EXPECT_EQ(bench.walks().second_stage_statistics(4).hits, 1u);
    EXPECT_EQ(bench.walks().second_stage_statistics(5).misses, 0u) << "a table of four levels";
    EXPECT_EQ(bench.walks().first_stage_statistics(2).misses, 0u);
}

TEST_F(SecondStageCache, LooseWalksUseTheSameEntries) {
    table.map(address, output, second_rw);
    bench.walk_loosely(WalkBench::reading(address));
    EXPECT_EQ(reads(address), 1u);
    const std::uint64_t before = bench.walks().entry_reads();
    bench.walk_loosely(WalkBench::reading(address));
    EXPECT_EQ(bench.walks().entry_reads() - before, 1u);
}

TEST_F(SecondStageCache, AFifthLevelIsCached) {
    WalkBench::Table five(bench, 5, second_rw);
    five.map(address, output, second_rw);
    five.map(address + gib512, output, second_rw);
    bench.use_legacy(five);
    EXPECT_EQ(reads(address), 5u);
    EXPECT_EQ(reads(address + gib512), 4u);
    EXPECT_EQ(bench.walks().second_stage_statistics(5).hits, 1u);
}

TEST_F(SecondStageCache, DomainsAreApart) {
    table.map(address, output, second_rw);
    EXPECT_EQ(reads(address), 4u);
    bench.use_legacy(table, 8);
    EXPECT_EQ(reads(address), 4u);
    bench.walks().invalidate_scope(of_domain(8));
    EXPECT_EQ(reads(address), 4u);
    bench.use_legacy(table, 7);
    EXPECT_EQ(reads(address), 1u);
}

TEST_F(SecondStageCache, AnInvalidationByAddressDropsWhatWasUsedForIt) {
    for (const std::uint64_t a : {address, address + kib2m, address + gib})
        table.map(a, output, second_rw);
    reads(address);
    reads(address + kib2m);
    reads(address + gib);
    EXPECT_GE(bench.walks().invalidate_second_stage(7, address, address + 0xfff), 3u);
    EXPECT_EQ(reads(address + kib2m), 1u) << "its lowest entry is another";
    EXPECT_EQ(reads(address), 4u);
    bench.walks().invalidate_second_stage(8, 0, ~0ull);
    EXPECT_EQ(reads(address), 1u) << "another domain";
    bench.walks().invalidate_scope(TagScope::everything());
    EXPECT_EQ(reads(address), 4u);
}

TEST_F(SecondStageCache, FaultsComeFromMemory) {
    table.map(address, output, second_rw);
    table.remove(address, second_wo, 2);
    EXPECT_EQ(reads(address), 4u);
    EXPECT_EQ(bench.walk(WalkBench::writing(address)).reason, 0x5);
    table.add(address, second_wo, 2);
    EXPECT_EQ(bench.walk(WalkBench::writing(address)).reason, 0) << "the cached entry did not permit it";
}

TEST_F(SecondStageCache, NothingErroneousIsCached) {
    table.map(address, output, second_rw);
    table.add(address, 1ull << 50, 2);
    EXPECT_EQ(reads(address), 3u);
    table.remove(address, 1ull << 50, 2);
    EXPECT_EQ(reads(address), 2u);
}

TEST_F(SecondStageCache, EachLookupTakesItsTime) {
    table.map(address, output, second_rw);
    bench.walk(WalkBench::reading(address));
    const Picoseconds read = bench.taken - 3 * bench.parameters.structure_cache_latency;
    bench.walk(WalkBench::reading(address));
    EXPECT_EQ(bench.taken, read / 4 + bench.parameters.structure_cache_latency);
    bench.walk_loosely(WalkBench::reading(address));
    EXPECT_GE(bench.taken, bench.memory.parameters().latency + bench.parameters.structure_cache_latency);
}

// ---- the first stage

struct FirstStageCache : testing::Test {
    WalkBench bench;
    WalkBench::Table table{bench, 4, first_used};

    FirstStageCache() {
        bench.use_first_stage(table, 3, 9);
        table.map(address, output, first_used);
        table.map(address + kib2m, output, first_used);
    }
    std::uint64_t reads(std::uint64_t a) { return reads_of(bench, WalkBench::reading(a)); }
};

TEST_F(FirstStageCache, PasidsAreApart) {
    EXPECT_EQ(reads(address), 4u);
    EXPECT_EQ(reads(address), 1u);
    bench.use_first_stage(table, 4, 9);
    EXPECT_EQ(reads(address), 4u);
    const TagScope pasid_4{Tag{9 | (4ull << tag::pasid_shift), 0}, tag::of_pasid};
    bench.walks().invalidate_scope(pasid_4);
    EXPECT_EQ(reads(address), 4u);
    bench.use_first_stage(table, 3, 9);
    EXPECT_EQ(reads(address), 1u);
}

TEST_F(FirstStageCache, AnInvalidationByAddressNamesDomainAndPasid) {
    reads(address);
    bench.walks().invalidate_first_stage(9, 4, address, address);
    bench.walks().invalidate_first_stage(8, 3, address, address);
    bench.walks().invalidate_second_stage(9, address, address);
    EXPECT_EQ(reads(address), 1u);
    bench.walks().invalidate_first_stage(9, 3, address, address);
    EXPECT_EQ(reads(address), 4u);
}

TEST_F(FirstStageCache, DomainScopesReachBothStages) {
    reads(address);
    bench.walks().invalidate_scope(TagScope{Tag{9 | tag::second_stage, 0}, tag::of_domain_kind});
    EXPECT_EQ(reads(address), 1u);
    bench.walks().invalidate_scope(TagScope{Tag{9 | tag::first_stage, 0}, tag::of_domain_kind});
    EXPECT_EQ(reads(address), 4u);
    bench.walks().invalidate_scope(of_domain(9));
    EXPECT_EQ(reads(address), 4u);
}

TEST(NestedCache, KeepsTheHostAddressOfFirstStageTables) {
    WalkBench bench;
    WalkBench::Table host_table(bench, 4, second_rw);
    GuestMemory<TableBench> guest(bench, host_table);
    PageTable<GuestMemory<TableBench>> table(guest, 4, first_used);
    constexpr std::uint64_t page = 0x2'0000'0000;
    table.map(address, page, first_used);
    table.map(address + 0x1000, page + 0x1000, first_used);
    host_table.map(page, output, second_rw);
    host_table.map(page + 0x1000, output + 0x1000, second_rw);
    bench.use_nested(table, host_table);

    // Cold: 4 for the root's place and 1 for each lower table, all near each other; 4 first-stage entries;
    // and 3 for the page, which shares the top entry.
    EXPECT_EQ(reads_of(bench, WalkBench::reading(address)), 4u + 3 + 4 + 3);
    EXPECT_EQ(reads_of(bench, WalkBench::reading(address + 0x1000)), 2u) << "one per stage";
    EXPECT_EQ(bench.walks().first_stage_statistics(2).hits, 1u);
    EXPECT_EQ(bench.walk_loosely(WalkBench::reading(address + 0x1234)).entry.output, output + 0x1000);
}

// ---- walks under way

struct WalkUnderWay : testing::Test {
    WalkBench bench;
    WalkBench::Table table{bench, 4, second_rw};
    WalkResult result;
    bool stale = false;

    WalkUnderWay() {
        bench.use_legacy(table);
        table.map(address, output, second_rw);
    }
    /// Starts a walk; `when` its `reads`-th read is on the way, marks what an invalidation of [first, last]
    /// reaches.
    void walk_and_invalidate(unsigned reads, std::uint16_t domain, std::uint64_t first, std::uint64_t last,
                             bool tables) {
        const Picoseconds latency = bench.memory.parameters().latency;
        bench.timed(WalkBench::reading(address), result, stale).start(bench.queue, now());
        bench.later(reads * latency - latency / 2, [=, this] {
            const TagScope scope{Tag{domain | tag::second_stage, 0}, tag::of_domain_kind};
            bench.inflight.mark_range(0, scope, first, last, tables);
        });
        bench.run();
        EXPECT_EQ(result.entry.output, output) << "used all the same";
    }
    bool nothing_kept_below(unsigned level) {
        for (unsigned l = 2; l < level; ++l)
            if (bench.walks().second_stage_statistics(l).fills != 0)
                return false;
        return true;
    }
};

TEST_F(WalkUnderWay, OvertakenByAnInvalidationOfItsPageKeepsNothingMore) {
    walk_and_invalidate(2, 7, address, address + 0xfff, true);
    EXPECT_TRUE(stale);
    EXPECT_TRUE(nothing_kept_below(4));
    EXPECT_EQ(bench.walks().second_stage_statistics(4).fills, 1u) << "that was before";
}

TEST_F(WalkUnderWay, ItsExtentNarrowsWithItsLevel) {
    walk_and_invalidate(4, 7, address + 0x1000, address + 0x1fff, false);
    EXPECT_FALSE(stale) << "the last entry is for one page";
    bench.walks().invalidate_scope(TagScope::everything());
    walk_and_invalidate(3, 7, address + 0x1000, address + 0x1fff, false);
    EXPECT_TRUE(stale) << "that entry may be a large page";
}

TEST_F(WalkUnderWay, TheTablesItHasReadCountUntilItsEnd) {
    walk_and_invalidate(4, 7, address + gib, address + gib, true);
    EXPECT_TRUE(stale);
    stale = false;
    // Everything but the leaf is cached now: only the lowest table entry counts.
    bench.walks().invalidate_scope(TagScope::everything());
    bench.walk(WalkBench::reading(address));
    walk_and_invalidate(1, 7, address + gib, address + gib, true);
    EXPECT_FALSE(stale);
    walk_and_invalidate(1, 7, address + 0x1000, address + 0x1000, true);
    EXPECT_TRUE(stale);
}

TEST_F(WalkUnderWay, AnotherDomainIsNotItsBusiness) {
    walk_and_invalidate(2, 8, 0, ~0ull, true);
    EXPECT_FALSE(stale);
}

TEST_F(WalkUnderWay, AFirstStageWalkIsKnownByDomainAndPasid) {
    WalkBench::Table first(bench, 4, first_used);
    first.map(address, output, first_used);
    bench.use_first_stage(first, 3, 9);
    const auto marked_by = [this](std::uint64_t context) {
        WalkResult ignored;
        bool marked = false;
        bench.timed(WalkBench::reading(address), ignored, marked).start(bench.queue, now());
        bench.later(1000, [this, context] {
            const TagScope scope{Tag{context, 0},
                                 Tag{tag::domain_mask | tag::pasid_mask | tag::kind_mask, 0}};
            bench.inflight.mark_range(0, scope, address, address, true);
        });
        bench.run();
        return marked;
    };
    EXPECT_TRUE(marked_by(9 | (3ull << tag::pasid_shift) | tag::first_stage));
    EXPECT_FALSE(marked_by(9 | (4ull << tag::pasid_shift) | tag::first_stage));
    EXPECT_FALSE(marked_by(9 | (3ull << tag::pasid_shift) | tag::second_stage));
}

TEST_F(WalkUnderWay, SlotsAreLimitedAndTheWaitIsCounted) {
    bench.parameters.walk_slots = 1;
    WalkResult other;
    bool ignored = false;
    bench.timed(WalkBench::reading(address), result, stale).start(bench.queue, 0);
    bench.timed(WalkBench::reading(address), other, ignored).start(bench.queue, 0);
    bench.run();
    EXPECT_EQ(other.entry.output, output);
    EXPECT_EQ(bench.walks().stalls().count, 1u);
    EXPECT_GE(bench.walks().stalls().longest, 4 * bench.memory.parameters().latency);
}

} // namespace
} // namespace iommusim::vtd::test
