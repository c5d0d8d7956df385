// Rule 4: a page is one entry whatever its size; a hit and an invalidation find it through any address
// inside. Rule 5: invalid entries are cached only where the architecture says so.
#include "tests/conformance/rules/rule_test.h"

#include <algorithm>

namespace iommusim::rules {
namespace {

struct SizeCase : Case {
    std::uint64_t bytes;
    std::string name() const { return traits().name + "Page" + size_name(bytes); }
};

std::vector<SizeCase> every_size() {
    std::vector<SizeCase> cases;
    for (const Architecture& a : architectures())
        for (const std::uint64_t bytes : a.traits.page_sizes)
            cases.push_back({{a}, bytes});
    return cases;
}

class PageOfAnySize : public RuleTest<SizeCase> {
protected:
    static constexpr std::uint64_t address = 0x100'0000'0000;
    static std::uint64_t bytes() { return GetParam().bytes; }
    static std::uint64_t output() { return std::max(page_1g, bytes()); }
    /// Addresses in the first, the last, and pages between.
    static std::vector<std::uint64_t> inside() {
        return {address, address + align_down(bytes() / 3, page_4k),
                address + align_down(bytes() / 2, page_4k), address + bytes() - page_4k};
    }
};

TEST_P(PageOfAnySize, IsOneEntryThatServesAllOfItsAddresses) {
    RuleBench& bench = build();
    bench.map(address, output(), bytes());
    bench.unit().read(RuleBench::device(), address + bytes() / 2);
    EXPECT_EQ(bench.walks(), 1u);
    for (const std::uint64_t at : inside()) {
        EXPECT_EQ(bench.unit().served_by(RuleBench::device(), at), traits().nearest_cache);
        EXPECT_EQ(bench.unit().probe.translations.back().output_address, output() + (at - address));
    }
    EXPECT_EQ(bench.walks(), 1u);
    EXPECT_NE(bench.unit().served_by(RuleBench::device(), address + bytes()), traits().nearest_cache);
}

TEST_P(PageOfAnySize, IsRemovedThroughAnyOfItsAddresses) {
    for (const std::uint64_t named : inside()) {
        SCOPED_TRACE(named);
        RuleBench& bench = build();
        bench.map(address, output(), bytes());
        ASSERT_EQ(bench.unit().served_by(RuleBench::device(), address), "walk");
        bench.queue_invalidation(named);
        bench.complete();
        EXPECT_EQ(bench.unit().served_by(RuleBench::device(), address), "walk");
    }
}

INSTANTIATE_TEST_SUITE_P(, PageOfAnySize, testing::ValuesIn(every_size()), case_name<SizeCase>);

class NegativeCaching : public RuleTest<> {};

TEST_P(NegativeCaching, APageThatBecomesValidNeedsAnInvalidationOnlyWhereAbsenceIsCached) {
    RuleBench& bench = build();
    bench.map(0x7000'0000, 0x4000'0000); // the tables exist
    bench.unit().read(RuleBench::device(), 0x7000'0000);
    std::uint64_t region = 0;
    for (const std::uint64_t bytes : {page_1g, page_2m, page_4k}) {
        SCOPED_TRACE(size_name(bytes));
        region += 0x80'0000'0000;
        const std::uint64_t address = region + 0x7000'1000;
        EXPECT_FALSE(bench.unit().read(RuleBench::device(), address).ok());
        bench.map(align_down(address, bytes), 0x4000'0000, bytes);
        if (traits().caches_absent_pages) {
            EXPECT_FALSE(bench.unit().read(RuleBench::device(), address).ok()) << "absence is cached";
            bench.queue_invalidation(address, By::address, true);
            bench.complete();
        }
        EXPECT_TRUE(bench.unit().read(RuleBench::device(), address).ok());
    }
}

TEST_P(NegativeCaching, AConfigurationThatBecomesValidNeedsAnInvalidationOnlyWhereAbsenceIsCached) {
    RuleBench& bench = build();
    bench.map(0x7000'0000, 0x4000'0000, page_4k, 1);
    const Requester late = test::requester(RuleBench::unconfigured_id);
    EXPECT_FALSE(bench.unit().read(late, 0x7000'0000).ok());
    bench.attach(RuleBench::unconfigured_id, 1);
    if (traits().caches_absent_configuration) {
        EXPECT_FALSE(bench.unit().read(late, 0x7000'0000).ok()) << "absence is cached";
        bench.queue_device_invalidation(RuleBench::unconfigured_id);
        bench.complete();
    }
    EXPECT_TRUE(bench.unit().read(late, 0x7000'0000).ok());
}

INSTANTIATE_TEST_SUITE_P(, NegativeCaching, testing::ValuesIn(every_architecture()), case_name<Case>);

} // namespace
} // namespace iommusim::rules
