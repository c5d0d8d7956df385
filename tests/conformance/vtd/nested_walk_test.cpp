// Nested walks: what each stage is asked, and every fault, for timed, loose and debug accesses alike.
#include "tests/conformance/vtd/walk_bench.h"

namespace iommusim::vtd::test {
namespace {

using namespace spec;

constexpr std::uint64_t output = 0x1'4000'0000;
constexpr std::uint64_t address = 0x55'1234'5000; ///< different indices at every level; 39 bits

struct Nested : testing::Test {
    using Guest = GuestMemory<WalkBench>;
    WalkBench bench;
    PageTable<TableBench> host_table{bench, 4, second_rw};
    GuestMemory<TableBench> guest{bench, host_table};
    PageTable<GuestMemory<TableBench>> table{guest, 4, first_used};
    static constexpr std::uint64_t page = 0x2'0000'0000; ///< guest-physical, of the page at `address`

    Nested() {
        table.map(address, page, first_used);
        host_table.map(page, output, second_rw);
        bench.use_nested(table, host_table);
    }
    unsigned read_fault() { return bench.fault(WalkBench::reading(address)); }
    unsigned write_fault() { return bench.fault(WalkBench::writing(address)); }
    /// Guest-physical address of the table that holds the entry of `level`.
    std::uint64_t table_of(unsigned level) { return align_down(table.entry(address, level), table_bytes); }
};

TEST_F(Nested, ReadsTwentyFourEntriesWithoutCaches) {
    bench.parameters.structure_cache_entries = 0;
    EXPECT_EQ(bench.walk(WalkBench::reading(address + 0x123)).entry.output, output);
    EXPECT_EQ(bench.walks().entry_reads(), 24u);
    EXPECT_EQ(bench.reads(), 24u);
    EXPECT_EQ(bench.translate(WalkBench::writing(address + 0x123)), output + 0x123);
}

TEST_F(Nested, ThePageIsTheSmallerOfBothStages) {
    table.map(0x4000'0000, 0x8000'0000, first_used, 3);
    host_table.map(0x8000'0000, 0x1'0020'0000, second_rw, 2);
    host_table.map(0x8020'3000, 0x1'0040'5000, second_rw);
    WalkResult result = bench.walk(WalkBench::reading(0x4001'2345));
    EXPECT_EQ(result.entry.size_log2, 21);
    EXPECT_EQ(result.entry.level, 2);
    EXPECT_EQ(result.entry.output, 0x1'0020'0000u);
    result = bench.walk(WalkBench::reading(0x4020'3456));
    EXPECT_EQ(result.entry.size_log2, 12);
    EXPECT_EQ(result.entry.output, 0x1'0040'5000u);
    host_table.map(0xc000'0000, 0x1'8000'0000, second_rw, 3);
    table.map(0x6000, 0xd234'5000, first_used);
    result = bench.walk(WalkBench::reading(0x6789));
    EXPECT_EQ(result.entry.size_log2, 12);
    EXPECT_EQ(result.entry.output, 0x1'9234'5000u);
}

TEST_F(Nested, BothStagesHaveToPermit) {
    host_table.map(page, output, second_ro);
    EXPECT_EQ(bench.translate(WalkBench::reading(address)), output);
    EXPECT_EQ(write_fault(), 0x85u);
    EXPECT_EQ(bench.walk(WalkBench::reading(address)).entry.permissions, user_read | supervisor_read);
    host_table.map(page, output, second_wo);
    EXPECT_EQ(read_fault(), 0x86u);
    host_table.map(page, output, second_rw);
    table.map(address, page, first_used & ~first_stage::rw.mask());
    EXPECT_EQ(write_fault(), 0x85u);
}

TEST_F(Nested, TranslationRequestsNeedOneKindOfAccessThatBothStagesPermit) {
    table.map(address, page, first_used & ~first_stage::rw.mask());
    host_table.map(page, output, second_wo);
    WalkRequest request = WalkBench::writing(address);
    request.either = true;
    EXPECT_EQ(bench.fault(request), 0x86u);
}

TEST_F(Nested, FirstStageTablesHaveToBeReadable) {
    host_table.map(table_of(4), Nested::guest.host(table_of(4)), second_wo);
    EXPECT_EQ(read_fault(), 0x75u);
    host_table.map(table_of(4), Nested::guest.host(table_of(4)), second_ro);
    for (unsigned level = 3; level >= 1; --level) {
        host_table.map(table_of(level), guest.host(table_of(level)), second_wo);
        bench.renew();
        EXPECT_EQ(read_fault(), 0x76u) << level;
        host_table.map(table_of(level), guest.host(table_of(level)), second_ro);
    }
    bench.renew();
    EXPECT_EQ(bench.translate(WalkBench::writing(address)), output) << "nothing to update";
}

TEST_F(Nested, UpdatesOfFirstStageEntriesNeedWritableTables) {
    table.remove(address, first_stage::a.mask(), 1);
    host_table.map(table_of(1), guest.host(table_of(1)), second_ro);
    EXPECT_EQ(read_fault(), 0x77u);
    host_table.map(table_of(1), guest.host(table_of(1)), second_rw);
    bench.renew();
    EXPECT_EQ(bench.translate(WalkBench::reading(address)), output);
    EXPECT_TRUE(first_stage::a.get(table.get(address)));
}

TEST_F(Nested, WhatTheSecondStageDoesNotMapIsNotPresent) {
    host_table.set(page, 0);
    EXPECT_EQ(read_fault(), 0x79u);
    host_table.map(page, output, second_rw);
    host_table.set(table_of(1), 0);
    EXPECT_EQ(read_fault(), 0x79u);
}

TEST_F(Nested, AddressesBeyondTheSecondStageAreToldApart) {
    table.map(address, 1ull << 48, first_used);
    EXPECT_EQ(read_fault(), 0x84u);
    table.set(address, (1ull << 48) | first_used, 2);
    bench.renew();
    EXPECT_EQ(read_fault(), 0x74u);
    bench.configuration.first_root = 1ull << 50;
    bench.renew();
    EXPECT_EQ(read_fault(), 0x74u);
}

TEST_F(Nested, FaultsOfTheSecondStageOnTheWayHaveItsCodes) {
    host_table.add(page, 1ull << 51, 1);
    EXPECT_EQ(read_fault(), 0x7au);
    host_table.set(page, ((1ull << 46) - 0x1000) | second_rw, 2);
    EXPECT_EQ(read_fault(), 0x78u);
    bench.configuration.second_root = (1ull << 46) - 0x1000;
    bench.renew();
    EXPECT_EQ(read_fault(), 0x7bu);
}

TEST_F(Nested, OnlyTheHostAddressMustNotBeInTheInterruptRange) {
    table.map(address, 0xfee0'0000, first_used);
    host_table.map(0xfee0'0000, output, second_rw);
    EXPECT_EQ(bench.translate(WalkBench::reading(address)), output);
    host_table.map(0xfee0'0000, 0xfee0'1000, second_rw);
    EXPECT_EQ(read_fault(), 0x87u);
}

TEST_F(Nested, NothingErroneousIsCachedEvenInCachingMode) {
    bench.features.caching_mode = true;
    host_table.set(page, 0);
    EXPECT_FALSE(bench.walk(WalkBench::reading(address)).cacheable);
}

} // namespace
} // namespace iommusim::vtd::test
