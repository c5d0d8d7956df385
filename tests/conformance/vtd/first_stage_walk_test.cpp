// First-stage walks: geometry, permissions, and every fault, for timed, loose and debug accesses alike.
#include "tests/conformance/vtd/walk_bench.h"

namespace iommusim::vtd::test {
namespace {

using namespace spec;

constexpr std::uint64_t output = 0x1'4000'0000;
constexpr std::uint64_t address = 0x55'1234'5000; ///< different indices at every level; 39 bits

struct FirstStage : testing::Test {
    WalkBench bench;
    WalkBench::Table table{bench, 4, first_used};

    FirstStage() {
        bench.use_first_stage(table);
        table.map(address, output, first_used);
    }
    unsigned read_fault(std::uint64_t a = address) { return bench.fault(WalkBench::reading(a)); }
    unsigned write_fault(std::uint64_t a = address) { return bench.fault(WalkBench::writing(a)); }
    std::uint8_t permissions() { return bench.walk(WalkBench::privileged(address, false)).entry.permissions; }
};

class FirstStageLevels : public testing::TestWithParam<unsigned> {};

TEST_P(FirstStageLevels, ReadsOneEntryPerLevel) {
    WalkBench bench;
    WalkBench::Table table(bench, GetParam(), first_used);
    bench.use_first_stage(table);
    bench.expect_geometry(table, address, first_used);
}

TEST_P(FirstStageLevels, AddressesAreCanonical) {
    WalkBench bench;
    WalkBench::Table table(bench, GetParam(), first_used);
    bench.use_first_stage(table);
    const unsigned bits = paging::input_bits(GetParam());
    const std::uint64_t lower_end = low_bits(bits - 1);
    const std::uint64_t upper_begin = ~low_bits(bits - 1);
    table.map(lower_end & ~0xfffull, output, first_used);
    table.map(upper_begin, output + 0x1000, first_used);
    EXPECT_EQ(bench.translate(WalkBench::reading(lower_end)), output + 0xfff);
    EXPECT_EQ(bench.translate(WalkBench::reading(upper_begin)), output + 0x1000);
    EXPECT_EQ(bench.fault(WalkBench::reading(lower_end + 1)), 0x80u);
    EXPECT_EQ(bench.fault(WalkBench::reading(upper_begin - 1)), 0x80u);
}

INSTANTIATE_TEST_SUITE_P(Levels, FirstStageLevels, testing::Values(4u, 5u));

TEST_F(FirstStage, HasPagesOfThreeSizes) {
    table.map(0x4000'0000, 0x1'8000'0000 | first_stage::pat_large.mask(), first_used, 3);
    table.map(0x8020'0000, 0x1'c020'0000, first_used, 2);
    table.map(0x9000, 0x3000 | first_stage::pat_4k.mask(), first_used);
    EXPECT_EQ(bench.translate(WalkBench::writing(0x7fff'fff8)), 0x1'bfff'fff8u);
    EXPECT_EQ(bench.translate(WalkBench::writing(0x803f'fff8)), 0x1'c03f'fff8u);
    EXPECT_EQ(bench.translate(WalkBench::writing(0x9008)), 0x3008u);
    EXPECT_EQ(bench.walk(WalkBench::reading(0x4000'0000)).entry.size_log2, 30);
    EXPECT_EQ(bench.walk(WalkBench::reading(0x8020'0000)).entry.size_log2, 21);
}

TEST_F(FirstStage, EntriesThatCannotBeReadAreToldApartByTheirLevel) {
    const std::uint64_t nowhere = (1ull << 46) - 0x1000;
    table.set(address, nowhere | first_used, 2);
    EXPECT_EQ(read_fault(), 0x70u);
    bench.configuration.first_root = nowhere;
    bench.renew();
    EXPECT_EQ(read_fault(), 0x73u);
}

TEST_F(FirstStage, EveryEntryHasToBePresent) {
    for (unsigned level = 4; level >= 1; --level) {
        const std::uint64_t before = table.get(address, level);
        table.remove(address, first_stage::p.mask(), level);
        bench.renew();
        EXPECT_EQ(read_fault(), 0x71u) << level;
        table.set(address, before, level);
    }
}

TEST_F(FirstStage, UserRequestsNeedUserEntriesAndForWritesWritableOnesAtEveryLevel) {
    for (unsigned level = 4; level >= 1; --level) {
        const std::uint64_t before = table.get(address, level);
        table.remove(address, first_stage::us.mask(), level);
        bench.renew();
        EXPECT_EQ(read_fault(), 0x81u) << level;
        EXPECT_EQ(write_fault(), 0x81u) << level;
        EXPECT_EQ(permissions(), supervisor_read | supervisor_write);
        table.set(address, before & ~first_stage::rw.mask(), level);
        bench.renew();
        EXPECT_EQ(bench.translate(WalkBench::reading(address)), output);
        EXPECT_EQ(write_fault(), 0x85u) << level;
        table.set(address, before, level);
    }
}

TEST_F(FirstStage, WriteProtectDecidesWhetherSupervisorsMayWriteReadOnlyPages) {
    table.map(address, output, first_used & ~first_stage::rw.mask() & ~first_stage::us.mask());
    EXPECT_EQ(bench.translate(WalkBench::privileged(address, true)), output);
    bench.configuration.write_protect = true;
    EXPECT_EQ(bench.fault(WalkBench::privileged(address, true)), 0x85u);
    EXPECT_EQ(bench.translate(WalkBench::privileged(address, false)), output);
    EXPECT_EQ(permissions(), supervisor_read);
}

TEST_F(FirstStage, ReservedBitsAreFaults) {
    struct Case {
        unsigned level;
        std::uint64_t bit;
    };
    for (const Case& c : {Case{4, 1ull << 46}, Case{4, 1ull << 7}, Case{3, 1ull << 51}, Case{2, 1ull << 46},
                          Case{1, 1ull << 46}, Case{1, 1ull << 51}}) {
        const std::uint64_t before = table.get(address, c.level);
        table.add(address, c.bit, c.level);
        bench.renew();
        EXPECT_EQ(read_fault(), 0x72u) << "level " << c.level << " bit " << std::hex << c.bit;
        table.set(address, before, c.level);
    }
    for (const unsigned level : {2u, 3u})
        for (unsigned bit = 13; bit < paging::level_shift(level); ++bit) {
            table.map(0x4000'0000, 0x1'8000'0000 | (1ull << bit), first_used, level);
            EXPECT_EQ(read_fault(0x4000'0000), 0x72u) << bit;
        }
    for (unsigned level = 4; level >= 1; --level)
        table.add(address, (1ull << 63) | (1ull << 52) | (1ull << 9) | (1ull << 11), level);
    bench.renew();
    EXPECT_EQ(bench.translate(WalkBench::reading(address)), output);
}

TEST_F(FirstStage, AFiveLevelTableHasNoPagesOnTop) {
    WalkBench::Table five(bench, 5, first_used);
    five.map(address, output, first_used);
    five.add(address, large_page, 5);
    bench.use_first_stage(five);
    EXPECT_EQ(read_fault(), 0x72u);
}

TEST_F(FirstStage, GigabytePagesAreReservedWhereTheyAreAbsent) {
    table.map(0x4000'0000, 0x1'8000'0000, first_used, 3);
    bench.features.first_stage_1g = false;
    EXPECT_EQ(read_fault(0x4000'0000), 0x72u);
}

TEST_F(FirstStage, OutputNeverGoesToTheInterruptRange) {
    table.map(address, 0xfee1'2000, first_used);
    EXPECT_EQ(read_fault(), 0x87u);
}

TEST_F(FirstStage, ChecksComeInTheirOrder) {
    const std::uint64_t wrong = 1ull << 51;
    table.set(address, wrong);
    EXPECT_EQ(write_fault(), 0x71u);
    table.set(address, wrong | first_supervisor_ro);
    EXPECT_EQ(write_fault(), 0x81u);
    table.set(address, wrong | first_ro);
    EXPECT_EQ(write_fault(), 0x85u);
    EXPECT_EQ(read_fault(), 0x72u);
}

TEST_F(FirstStage, GlobalPagesCarryIt) {
    EXPECT_EQ(bench.walk(WalkBench::reading(address)).entry.context, bench.configuration.context_tag());
    table.add(address, first_stage::g.mask(), 1);
    EXPECT_EQ(bench.walk(WalkBench::reading(address)).entry.context,
              bench.configuration.context_tag() | tag::global);
}

TEST_F(FirstStage, ErroneousEntriesAreNeverCached) {
    bench.features.caching_mode = true;
    table.set(address, 0);
    EXPECT_FALSE(bench.walk(WalkBench::reading(address)).cacheable);
}

} // namespace
} // namespace iommusim::vtd::test
