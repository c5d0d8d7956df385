// Second-stage walks: geometry, permissions, and every fault, for timed, loose and debug accesses alike.
#include "tests/conformance/vtd/walk_bench.h"

#include <array>
#include <vector>

namespace iommusim::vtd::test {
namespace {

using namespace spec;

constexpr std::uint64_t output = 0x1'4000'0000;
constexpr std::uint64_t address = 0x55'1234'5000; ///< different indices at every level; 39 bits

struct SecondStage : testing::Test {
    WalkBench bench;
    WalkBench::Table table{bench, 4, second_rw};

    SecondStage() {
        bench.use_legacy(table);
        table.map(address, output, second_rw);
    }
    unsigned fault(const WalkRequest& request) { return bench.fault(request); }
    unsigned read_fault(std::uint64_t a = address) { return bench.fault(WalkBench::reading(a)); }
    unsigned write_fault(std::uint64_t a = address) { return bench.fault(WalkBench::writing(a)); }
    /// The fault of a read in legacy and in scalable mode.
    std::array<unsigned, 2> both() {
        bench.use_legacy(table);
        const unsigned legacy = read_fault();
        bench.use_second_stage(table);
        return {legacy, read_fault()};
    }
};
using Codes = std::array<unsigned, 2>;

class SecondStageLevels : public testing::TestWithParam<unsigned> {};

TEST_P(SecondStageLevels, ReadsOneEntryPerLevel) {
    WalkBench bench;
    WalkBench::Table table(bench, GetParam(), second_rw);
    bench.use_legacy(table);
    bench.expect_geometry(table, address, second_rw);
}

TEST_P(SecondStageLevels, EndsAtTheWidthOfTheTable) {
    WalkBench bench;
    WalkBench::Table table(bench, GetParam(), second_rw);
    const unsigned bits = paging::input_bits(GetParam());
    table.map(low_bits(bits) & ~0xfffull, output, second_rw);
    bench.use_legacy(table);
    EXPECT_EQ(bench.translate(WalkBench::reading(low_bits(bits))), output + 0xfff);
    EXPECT_EQ(bench.fault(WalkBench::reading(1ull << bits)), 0x4u);
    EXPECT_EQ(bench.fault(WalkBench::writing(1ull << 63)), 0x4u);
    bench.use_second_stage(table);
    EXPECT_EQ(bench.fault(WalkBench::reading(1ull << bits)), 0x84u);
}

INSTANTIATE_TEST_SUITE_P(Levels, SecondStageLevels, testing::Values(3u, 4u, 5u));

TEST_F(SecondStage, EndsAtTheGuestAddressWidthToo) {
    bench.features.guest_address_bits = 40;
    EXPECT_EQ(bench.translate(WalkBench::reading(address)), output);
    EXPECT_EQ(read_fault(1ull << 40), 0x4u);
}

TEST_F(SecondStage, HasPagesOfThreeSizes) {
    table.map(0x4000'0000, 0x1'8000'0000, second_rw, 3);
    table.map(0x8020'0000, 0x1'c020'0000, second_rw, 2);
    EXPECT_EQ(bench.translate(WalkBench::writing(0x7fff'fff8)), 0x1'bfff'fff8u);
    EXPECT_EQ(bench.translate(WalkBench::writing(0x803f'fff8)), 0x1'c03f'fff8u);
    const IotlbEntry gigabyte = bench.walk(WalkBench::reading(0x4000'0000)).entry;
    EXPECT_EQ(gigabyte.size_log2, 30);
    EXPECT_EQ(gigabyte.level, 3);
    EXPECT_EQ(gigabyte.output, 0x1'8000'0000u);
    EXPECT_EQ(bench.walk(WalkBench::reading(0x8020'0000)).entry.level, 2);
    EXPECT_EQ(bench.walk(WalkBench::reading(address)).entry.level, 1);
}

TEST_F(SecondStage, AThreeLevelTableMayBeginWithAGigabyte) {
    WalkBench::Table small(bench, 3, second_rw);
    small.map(0x4000'0000, 0x1'8000'0000, second_rw, 3);
    bench.use_legacy(small);
    EXPECT_EQ(bench.translate(WalkBench::reading(0x4000'1234)), 0x1'8000'1234u);
}

TEST_F(SecondStage, EntriesThatCannotBeReadAreToldApartByTheirLevel) {
    // Debug accesses do not meet injected faults: addresses without memory are used for those.
    bench.faults().fail(soc::AccessKind::read, table.entry(address, 4), 8);
    EXPECT_EQ(bench.walk(WalkBench::reading(address)).reason, 0x3);
    EXPECT_EQ(bench.walk_loosely(WalkBench::reading(address)).reason, 0x3);
    bench.faults().clear();
    for (unsigned level = 3; level >= 1; --level) {
        bench.renew();
        bench.faults().fail(soc::AccessKind::read, table.entry(address, level), 8);
        EXPECT_EQ(bench.walk(WalkBench::reading(address)).reason, 0x7) << level;
        bench.faults().clear();
    }
    const std::uint64_t nowhere = (1ull << 46) - 0x1000;
    table.set(address, nowhere | second_rw, 2);
    EXPECT_EQ(both(), (Codes{0x7, 0x78}));
    bench.use_legacy(table);
    bench.configuration.second_root = nowhere;
    EXPECT_EQ(read_fault(), 0x3u);
    bench.configuration.scalable = true;
    EXPECT_EQ(read_fault(), 0x7bu);
}

TEST_F(SecondStage, WhatIsNotPresentHasTheCodeOfTheRequestInLegacyMode) {
    for (unsigned level = 4; level >= 1; --level) {
        const std::uint64_t before = table.get(address, level);
        table.set(address, ~second_rw, level); // other bits do not count
        EXPECT_EQ(both(), (Codes{0x6, 0x79})) << level;
        EXPECT_EQ(write_fault(), 0x79u);
        bench.use_legacy(table);
        EXPECT_EQ(write_fault(), 0x5u);
        table.set(address, before, level);
    }
}

TEST_F(SecondStage, EveryLevelHasToPermit) {
    for (unsigned level = 4; level >= 1; --level) {
        const std::uint64_t before = table.get(address, level);
        table.remove(address, second_wo, level);
        bench.renew();
        bench.use_legacy(table);
        EXPECT_EQ(bench.translate(WalkBench::reading(address)), output);
        EXPECT_EQ(bench.walk(WalkBench::reading(address)).entry.permissions, user_read | supervisor_read);
        EXPECT_EQ(write_fault(), 0x5u) << level;
        bench.use_second_stage(table);
        EXPECT_EQ(write_fault(), 0x85u) << level;
        table.set(address, (before & ~second_rw) | second_wo, level);
        bench.renew();
        EXPECT_EQ(bench.translate(WalkBench::writing(address)), output);
        EXPECT_EQ(both(), (Codes{0x6, 0x86})) << level;
        table.set(address, before, level);
    }
}

TEST_F(SecondStage, ATranslationRequestIsContentWithEitherPermission) {
    WalkRequest request = WalkBench::writing(address);
    request.either = true;
    table.map(address, output, second_ro);
    EXPECT_EQ(bench.walk(request).entry.permissions, user_read | supervisor_read);
    table.map(address, output, second_wo);
    EXPECT_EQ(bench.walk(request).entry.permissions, user_write | supervisor_write);
    table.set(address, 0);
    EXPECT_NE(fault(request), 0u);
}

TEST_F(SecondStage, ReservedBitsAreFaults) {
    struct Case {
        unsigned level;
        std::uint64_t bit;
    };
    const std::vector<Case> cases = {
        {4, 1ull << 46}, {4, 1ull << 51}, {4, 1ull << 11}, {4, 1ull << 7},  {3, 1ull << 46}, {3, 1ull << 11},
        {2, 1ull << 50}, {2, 1ull << 11}, {1, 1ull << 46}, {1, 1ull << 51}, {1, 1ull << 62},
    };
    for (const Case& c : cases) {
        const std::uint64_t before = table.get(address, c.level);
        table.add(address, c.bit, c.level);
        bench.renew();
        EXPECT_EQ(both(), (Codes{0xc, 0x7a})) << "level " << c.level << " bit " << std::hex << c.bit;
        table.set(address, before, c.level);
    }
    for (const std::uint64_t ignored : {1ull << 10, 1ull << 52, 1ull << 61, 1ull << 63, 1ull << 8, 1ull << 9})
        for (unsigned level = 4; level >= 1; --level)
            table.add(address, ignored, level);
    table.add(address, second_stage::ps.mask() | second_stage::snp.mask(), 1);
    bench.renew();
    EXPECT_EQ(bench.translate(WalkBench::reading(address)), output);
}

TEST_F(SecondStage, LargePagesReserveTheirLowAddressBits) {
    for (const unsigned level : {2u, 3u}) {
        for (unsigned bit = 12; bit < paging::level_shift(level); ++bit) {
            table.map(0x4000'0000, 0x1'8000'0000 | (1ull << bit), second_rw, level);
            EXPECT_EQ(read_fault(0x4000'0000), 0xcu) << bit;
        }
    }
}

TEST_F(SecondStage, SnoopControlAndLargePagesAreReservedWhereTheyAreAbsent) {
    table.map(0x4000'0000, 0x1'8000'0000, second_rw, 3);
    table.map(0x8020'0000, 0x1'c020'0000, second_rw, 2);
    table.add(address, second_stage::snp.mask(), 1);
    bench.features.snoop_control = false;
    bench.features.second_stage_1g = false;
    EXPECT_EQ(read_fault(), 0xcu);
    EXPECT_EQ(read_fault(0x4000'0000), 0xcu);
    EXPECT_EQ(bench.translate(WalkBench::reading(0x8020'0000)), 0x1'c020'0000u);
    bench.renew();
    bench.features.second_stage_2m = false;
    EXPECT_EQ(read_fault(0x8020'0000), 0xcu);
}

TEST_F(SecondStage, OutputNeverGoesToTheInterruptRange) {
    for (const std::uint64_t page : {0xfee0'0000ull, 0xfeef'f000ull}) {
        table.map(address, page, second_rw);
        EXPECT_EQ(both(), (Codes{0xe, 0x87}));
    }
    for (const std::uint64_t page : {0xfedf'f000ull, 0xfef0'0000ull}) {
        table.map(address, page, second_rw);
        EXPECT_EQ(bench.translate(WalkBench::reading(address)), page);
    }
    table.map(0x4000'0000, 0xfee0'0000, second_rw, 2);
    EXPECT_EQ(read_fault(0x4010'0000), 0x87u) << "outside, but the page is not";
}

TEST_F(SecondStage, PermissionComesBeforeReservedBitsAndThoseBeforeTheInterruptRange) {
    table.set(address, 0xfee0'0000 | second_ro | (1ull << 51));
    EXPECT_EQ(write_fault(), 0x5u);
    EXPECT_EQ(read_fault(), 0xcu);
}

TEST_F(SecondStage, OnlyCachingModeLetsErroneousEntriesBeCached) {
    table.set(address, 0, 2);
    EXPECT_FALSE(bench.walk(WalkBench::reading(address)).cacheable);
    bench.renew();
    bench.features.caching_mode = true;
    WalkResult result = bench.walk(WalkBench::reading(address));
    EXPECT_TRUE(result.cacheable);
    EXPECT_EQ(result.entry.size_log2, 21);
    EXPECT_EQ(result.entry.context, bench.configuration.context_tag());
    EXPECT_EQ(cached_fault(result.entry, false), 0x6);
    EXPECT_EQ(cached_fault(result.entry, true), 0x5);
    bench.configuration.scalable = true;
    result = bench.walk(WalkBench::reading(address));
    EXPECT_EQ(cached_fault(result.entry, true), 0x79);
    table.set(address, 1ull << 51 | second_rw, 2);
    result = bench.walk(WalkBench::reading(address));
    EXPECT_TRUE(result.cacheable);
    EXPECT_EQ(cached_fault(result.entry, true), 0x7a);
    table.set(address, second_ro, 2);
    EXPECT_FALSE(bench.walk(WalkBench::writing(address)).cacheable) << "a valid entry";
}

} // namespace
} // namespace iommusim::vtd::test
