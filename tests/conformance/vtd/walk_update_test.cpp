// Accessed and dirty bits: who sets them, when, and what happens if software changes the entry meanwhile.
#include "tests/conformance/vtd/walk_bench.h"

namespace iommusim::vtd::test {
namespace {

using namespace spec;

constexpr std::uint64_t output = 0x1'4000'0000;
constexpr std::uint64_t address = 0x55'1234'5000;
constexpr std::uint64_t first_a = first_stage::a.mask();
constexpr std::uint64_t first_d = first_stage::d.mask();
constexpr std::uint64_t first_ea = first_stage::ea.mask();
constexpr std::uint64_t second_a = second_stage::a.mask();
constexpr std::uint64_t second_d = second_stage::d.mask();

struct FirstStageUpdates : testing::Test {
    WalkBench bench;
    WalkBench::Table table{bench, 4, first_rw};

    FirstStageUpdates() {
        bench.use_first_stage(table);
        table.map(address, output, first_rw);
    }
    bool all_levels_have(std::uint64_t bits, unsigned down_to = 1) {
        for (unsigned level = 4; level >= down_to; --level)
            if ((table.get(address, level) & bits) != bits)
                return false;
        return true;
    }
};

TEST_F(FirstStageUpdates, AReadSetsAccessedInEveryEntryUsed) {
    EXPECT_FALSE(bench.walk(WalkBench::reading(address)).entry.dirty);
    EXPECT_TRUE(all_levels_have(first_a));
    EXPECT_EQ(bench.walks().updates(), 4u);
    for (unsigned level = 4; level >= 1; --level)
        EXPECT_EQ(table.get(address, level) & (first_d | first_ea), 0u) << level;
}

TEST_F(FirstStageUpdates, AWriteSetsDirtyInTheLeafTogetherWithAccessed) {
    EXPECT_TRUE(bench.walk(WalkBench::writing(address)).entry.dirty);
    EXPECT_TRUE(all_levels_have(first_a));
    EXPECT_EQ(table.get(address), output | first_rw | first_a | first_d);
    EXPECT_EQ(table.get(address, 2) & first_d, 0u);
    EXPECT_EQ(bench.walks().updates(), 4u);
}

TEST_F(FirstStageUpdates, HappenOnce) {
    bench.walk(WalkBench::reading(address));
    bench.walk(WalkBench::reading(address));
    EXPECT_EQ(bench.walks().updates(), 4u);
    EXPECT_TRUE(bench.walk(WalkBench::writing(address)).entry.dirty);
    EXPECT_EQ(bench.walks().updates(), 5u);
    EXPECT_TRUE(bench.walk(WalkBench::reading(address)).entry.dirty) << "set before";
}

TEST_F(FirstStageUpdates, LooseWalksMakeThemToo) {
    EXPECT_TRUE(bench.walk_loosely(WalkBench::writing(address)).entry.dirty);
    EXPECT_EQ(table.get(address), output | first_rw | first_a | first_d);
    EXPECT_TRUE(all_levels_have(first_a));
}

TEST_F(FirstStageUpdates, DebugWalksChangeNothing) {
    const std::uint64_t before = bench.memory.statistics().writes;
    EXPECT_EQ(bench.walk_untimed(Pacing::debug, WalkBench::writing(address)).entry.output, output);
    EXPECT_EQ(table.get(address), output | first_rw);
    EXPECT_EQ(bench.memory.statistics().writes, before);
    EXPECT_EQ(bench.walks().walks(), 0u);
    EXPECT_EQ(bench.walks().entry_reads(), 0u);
}

TEST_F(FirstStageUpdates, WalksThatMustNotMakeThemCacheNothing) {
    WalkRequest request = WalkBench::writing(address);
    request.updates = false;
    EXPECT_FALSE(bench.walk(request).entry.dirty);
    EXPECT_EQ(table.get(address), output | first_rw);
    EXPECT_EQ(bench.walks().first_stage_statistics(2).fills, 0u);
}

TEST_F(FirstStageUpdates, ExtendedAccessedIsSetWhereItIsEnabled) {
    bench.configuration.extended_accessed = true;
    bench.walk(WalkBench::reading(address));
    EXPECT_TRUE(all_levels_have(first_a | first_ea));
    table.set(address, output | first_rw | first_a);
    bench.walk(WalkBench::reading(address));
    EXPECT_EQ(table.get(address), output | first_rw | first_a | first_ea);
}

TEST_F(FirstStageUpdates, NeedAWalkThatSnoops) {
    bench.configuration.snoop_walk = false;
    EXPECT_EQ(bench.fault(WalkBench::reading(address)), 0x90u);
    table.add(address, first_a, 4);
    table.add(address, first_a, 3);
    table.add(address, first_a, 2);
    table.add(address, first_a, 1);
    EXPECT_EQ(bench.translate(WalkBench::reading(address)), output);
    EXPECT_EQ(bench.fault(WalkBench::writing(address)), 0x90u);
}

TEST_F(FirstStageUpdates, AnEntryThatCannotBeWrittenIsAFault) {
    bench.faults().fail(soc::AccessKind::write, table.entry(address), 8);
    EXPECT_EQ(bench.fault(WalkBench::reading(address)), 0x91u);
    EXPECT_EQ(table.get(address), output | first_rw);
    bench.faults().clear();
    EXPECT_EQ(bench.translate(WalkBench::reading(address)), output);
}

TEST_F(FirstStageUpdates, RefusedAccessesLeaveTheLeafAlone) {
    table.map(address, output, first_ro);
    EXPECT_EQ(bench.fault(WalkBench::writing(address)), 0x85u);
    EXPECT_EQ(table.get(address), output | first_ro);
    table.map(address, 0xfee0'0000, first_rw);
    EXPECT_EQ(bench.fault(WalkBench::writing(address)), 0x87u);
    EXPECT_EQ(table.get(address), 0xfee0'0000 | first_rw);
}

TEST_F(FirstStageUpdates, ATranslationRequestMarksOnlyPagesThatItMayWrite) {
    WalkRequest request = WalkBench::writing(address);
    request.either = true;
    table.map(address, output, first_ro);
    EXPECT_FALSE(bench.walk(request).entry.dirty);
    EXPECT_EQ(table.get(address), output | first_ro | first_a);
    table.map(address, output, first_rw);
    EXPECT_TRUE(bench.walk(request).entry.dirty);
}

TEST_F(FirstStageUpdates, TakeTheTimeOfAnAccess) {
    bench.walk(WalkBench::reading(address));
    bench.renew();
    bench.walk(WalkBench::reading(address));
    const Picoseconds without = bench.taken;
    bench.renew();
    bench.walk(WalkBench::writing(address));
    EXPECT_GE(bench.taken, without + bench.memory.parameters().latency);
    EXPECT_LT(bench.taken, without + 2 * bench.memory.parameters().latency);
}

/// Software changes the leaf while the update is on its way to the memory.
struct RacingSoftware : FirstStageUpdates {
    WalkResult race(std::uint64_t value) {
        for (unsigned level = 4; level >= 2; --level)
            table.add(address, first_a, level);
        const Picoseconds latency = bench.memory.parameters().latency;
        bench.later(4 * latency + latency / 2, [this, value] { table.set(address, value); });
        return bench.walk(WalkBench::writing(address));
    }
};

TEST_F(RacingSoftware, AnEntryThatIsTakenAwayStaysAway) {
    EXPECT_EQ(race(0).reason, 0x71);
    EXPECT_EQ(table.get(address), 0u);
    EXPECT_EQ(bench.walks().updates(), 0u);
}

TEST_F(RacingSoftware, AnEntryThatChangesIsReadAgain) {
    const std::uint64_t other = 0x1'5000'0000;
    EXPECT_EQ(race(other | first_rw).entry.output, other);
    EXPECT_EQ(table.get(address), other | first_rw | first_a | first_d);
    EXPECT_EQ(bench.walks().updates(), 1u);
}

TEST_F(RacingSoftware, NothingIsLostOfWhatSoftwareAdds) {
    const std::uint64_t software_bit = 1ull << 55;
    EXPECT_EQ(race(output | first_rw | software_bit).entry.output, output);
    EXPECT_EQ(table.get(address), output | first_rw | software_bit | first_a | first_d);
}

TEST_F(RacingSoftware, WritePermissionTakenAwayMeansNoDirtyBit) {
    EXPECT_EQ(race(output | first_ro).reason, 0x85);
    EXPECT_EQ(table.get(address), output | first_ro);
}

TEST_F(RacingSoftware, TwoWalksOfTheSamePageBothSucceed) {
    WalkResult results[2];
    bool stale[2] = {};
    bench.timed(WalkBench::writing(address), results[0], stale[0]).start(bench.queue, 0);
    bench.timed(WalkBench::writing(address), results[1], stale[1]).start(bench.queue, 0);
    bench.run();
    EXPECT_EQ(results[0].entry.output, output);
    EXPECT_EQ(results[1].entry.output, output);
    EXPECT_EQ(table.get(address), output | first_rw | first_a | first_d);
    EXPECT_EQ(bench.walks().updates(), 4u) << "whoever comes second finds it done";
}

// ---- the second stage

struct SecondStageUpdates : testing::Test {
    WalkBench bench;
    WalkBench::Table table{bench, 4, second_rw};

    SecondStageUpdates() {
        bench.use_second_stage(table);
        bench.configuration.second_accessed_dirty = true;
        table.map(address, output, second_rw);
    }
};

TEST_F(SecondStageUpdates, AreMadeOnlyWhereThePasidEntrySaysSo) {
    bench.configuration.second_accessed_dirty = false;
    const WalkResult result = bench.walk(WalkBench::reading(address));
    EXPECT_TRUE(result.entry.dirty) << "a write has nothing to do";
    EXPECT_EQ(bench.walks().updates(), 0u);
    EXPECT_EQ(table.get(address), output | second_rw);
}

TEST_F(SecondStageUpdates, AccessedInEveryEntryAndDirtyInTheLeaf) {
    EXPECT_FALSE(bench.walk(WalkBench::reading(address)).entry.dirty);
    for (unsigned level = 4; level >= 1; --level)
        EXPECT_EQ(table.get(address, level) & (second_a | second_d), second_a) << level;
    EXPECT_TRUE(bench.walk(WalkBench::writing(address)).entry.dirty);
    EXPECT_EQ(table.get(address), output | second_rw | second_a | second_d);
    EXPECT_EQ(bench.walks().updates(), 5u);
}

TEST_F(SecondStageUpdates, NeedAWalkThatSnoops) {
    bench.configuration.snoop_walk = false;
    EXPECT_EQ(bench.fault(WalkBench::reading(address)), 0x7cu);
}

TEST_F(SecondStageUpdates, AnEntryThatCannotBeWrittenIsAFault) {
    bench.faults().fail(soc::AccessKind::write, table.entry(address), 8);
    EXPECT_EQ(bench.fault(WalkBench::writing(address)), 0x7du);
}

TEST_F(SecondStageUpdates, AnEntryCachedWithoutAccessedIsNotUsedWhereItCounts) {
    bench.configuration.second_accessed_dirty = false;
    bench.walk(WalkBench::reading(address));
    bench.configuration.second_accessed_dirty = true;
    bench.walk(WalkBench::reading(address));
    EXPECT_EQ(bench.walks().updates(), 4u);
}

TEST(NestedUpdates, MarkBothStagesAndFirstStageTablesAsDirty) {
    WalkBench bench;
    WalkBench::Table host_table(bench, 4, second_rw);
    GuestMemory<TableBench> guest(bench, host_table);
    PageTable<GuestMemory<TableBench>> table(guest, 4, first_rw);
    constexpr std::uint64_t page = 0x2'0000'0000;
    table.map(address, page, first_rw);
    host_table.map(page, output, second_rw);
    bench.use_nested(table, host_table);
    bench.configuration.second_accessed_dirty = true;

    EXPECT_FALSE(bench.walk(WalkBench::reading(address)).entry.dirty);
    EXPECT_EQ(table.get(address), page | first_rw | first_a);
    EXPECT_EQ(host_table.get(page) & (second_a | second_d), second_a);
    const std::uint64_t leaf_table = align_down(table.entry(address), table_bytes);
    EXPECT_EQ(host_table.get(leaf_table) & (second_a | second_d), second_a | second_d);

    EXPECT_TRUE(bench.walk(WalkBench::writing(address)).entry.dirty);
    EXPECT_EQ(table.get(address), page | first_rw | first_a | first_d);
    EXPECT_EQ(host_table.get(page) & (second_a | second_d), second_a | second_d);
    table.remove(address, first_d, 1);
    EXPECT_FALSE(bench.walk(WalkBench::reading(address)).entry.dirty) << "both stages have to be dirty";
}

} // namespace
} // namespace iommusim::vtd::test
