// Rule 4: a page is one entry whatever its size; a hit and an invalidation find it through any address
// inside. Rule 5: invalid entries are cached only where the architecture says so.
#include "tests/conformance/rules/rule_bench.h"

#include <gtest/gtest.h>

namespace iommusim::rules {
namespace {

struct Size {
    const char* name;
    unsigned level;
    bool contiguous;
    std::uint64_t bytes() const { return smmuv3::test::PageTable::size_of(level) * (contiguous ? 16 : 1); }
};

class PageOfAnySize : public testing::TestWithParam<Size> {
protected:
    static constexpr std::uint64_t address = 0x100'0000'0000;
    static constexpr std::uint64_t output = 0x4'0000'0000;
    static void map(RuleBench& bench) {
        if (GetParam().contiguous)
            bench.table.map_contiguous(address, output, GetParam().level);
        else
            bench.map(address, output, GetParam().level);
    }
    /// Addresses in the first, the last, and pages between.
    static std::vector<std::uint64_t> inside() {
        const std::uint64_t bytes = GetParam().bytes();
        return {address, address + (bytes / 3 & ~0xfffull), address + (bytes / 2 & ~0xfffull),
                address + bytes - RuleBench::page_bytes};
    }
};

TEST_P(PageOfAnySize, IsOneEntryThatServesAllOfItsAddresses) {
    RuleBench bench;
    map(bench);
    bench.unit.read(RuleBench::device(), address + GetParam().bytes() / 2);
    EXPECT_EQ(bench.unit.counter("iommu.walks"), 1u);
    for (const std::uint64_t at : inside()) {
        EXPECT_EQ(bench.unit.served_by(RuleBench::device(), at), "micro-TLB");
        EXPECT_EQ(bench.unit.probe.translations.back().output_address, output + (at - address));
    }
    EXPECT_EQ(bench.unit.counter("iommu.walks"), 1u);
    EXPECT_NE(bench.unit.served_by(RuleBench::device(), address + GetParam().bytes()), "micro-TLB");
}

TEST_P(PageOfAnySize, IsRemovedThroughAnyOfItsAddresses) {
    for (const std::uint64_t named : inside()) {
        smmuv3::test::start_new_simulation();
        RuleBench bench;
        map(bench);
        ASSERT_EQ(bench.unit.served_by(RuleBench::device(), address), "walk");
        bench.queue_invalidation(named);
        bench.queue_completion();
        bench.ring();
        bench.unit.settle();
        EXPECT_EQ(bench.unit.served_by(RuleBench::device(), address), "walk");
    }
}

INSTANTIATE_TEST_SUITE_P(Sizes, PageOfAnySize,
                         testing::Values(Size{"Page", 3, false}, Size{"PageGroup", 3, true},
                                         Size{"Block2M", 2, false}, Size{"Block2MGroup", 2, true},
                                         Size{"Block1G", 1, false}, Size{"Block1GGroup", 1, true}),
                         [](const testing::TestParamInfo<Size>& tested) { return tested.param.name; });

TEST(NegativeCaching, APageThatBecomesValidNeedsNoInvalidation) {
    RuleBench bench;
    bench.map(0x7000'0000, 0x4000'0000); // the tables exist
    bench.unit.read(RuleBench::device(), 0x7000'0000);
    for (unsigned level = 1; level <= 3; ++level) {
        const std::uint64_t address = 0x7000'1000 + level * 0x80'0000'0000;
        EXPECT_FALSE(bench.unit.read(RuleBench::device(), address).ok());
        bench.map(address & ~(smmuv3::test::PageTable::size_of(level) - 1), 0x4000'0000, level);
        EXPECT_TRUE(bench.unit.read(RuleBench::device(), address).ok());
    }
}

TEST(NegativeCaching, AnInvalidStreamTableEntryMayStayInUseUntilItIsInvalidated) {
    RuleBench bench;
    smmuv3::test::PageTable table(bench.unit);
    table.map(0x7000'0000, 0x4000'0000);
    const Requester late = smmuv3::test::SmmuBench::stream(9);
    EXPECT_FALSE(bench.unit.read(late, 0x7000'0000).ok());
    bench.unit.attach(9, table.root(), 7);
    EXPECT_FALSE(bench.unit.read(late, 0x7000'0000).ok()) << "the invalid entry is cached";
    bench.unit.execute_and_sync(smmuv3::test::cfgi_ste(9));
    EXPECT_TRUE(bench.unit.read(late, 0x7000'0000).ok());
}

} // namespace
} // namespace iommusim::rules
