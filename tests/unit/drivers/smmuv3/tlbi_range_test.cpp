#include "drivers/smmuv3/tlbi_range.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <vector>

namespace iommusim::smmuv3_driver::test {
namespace {

constexpr std::uint64_t page = 4096;

std::vector<TlbiPiece> pieces(std::uint64_t address, std::uint64_t size, std::uint64_t granule, bool leaf,
                              bool ranges) {
    std::vector<TlbiPiece> result;
    TlbiRange range(address, size, granule, page, leaf, ranges);
    for (TlbiPiece piece; range.next(piece);)
        result.push_back(piece);
    return result;
}

TEST(TlbiRange, CoversFiveHundredSeventeenPagesWithTwoCommands) {
    const auto p = pieces(0x1000'0000, 517 * page, page, true, true);
    ASSERT_EQ(p.size(), 2u);
    EXPECT_EQ(p[0].num, 4u);
    EXPECT_EQ(p[0].scale, 0u);
    EXPECT_EQ(p[0].address, 0x1000'0000u);
    EXPECT_EQ(p[1].num, 0u);
    EXPECT_EQ(p[1].scale, 9u);
    EXPECT_EQ(p[1].address, 0x1000'0000u + 5 * page);
    EXPECT_EQ(p[0].ttl, 3u);
    EXPECT_EQ(p[0].tg, 1u);
}

TEST(TlbiRange, CoversAThousandPagesWithTwoCommands) {
    const auto p = pieces(0, 1000 * page, page, true, true);
    ASSERT_EQ(p.size(), 2u);
    EXPECT_EQ(p[0].num, 28u);
    EXPECT_EQ(p[0].scale, 3u);
    EXPECT_EQ(p[1].num, 2u);
    EXPECT_EQ(p[1].scale, 8u);
}

TEST(TlbiRange, NamesTheLevelOfBlocks) {
    const auto blocks = pieces(0x20'0000, 3 * 0x20'0000, 0x20'0000, true, true);
    ASSERT_EQ(blocks.size(), 1u);
    EXPECT_EQ(blocks[0].ttl, 2u);
    EXPECT_EQ(blocks[0].num, 2u);
    EXPECT_EQ(blocks[0].scale, 9u);
    EXPECT_EQ(pieces(1u << 30, 1u << 30, 1u << 30, true, true)[0].ttl, 1u);
}

TEST(TlbiRange, NeverBuildsTheIllegalRangeOfOnePageAtAnyLevel) {
    const auto p = pieces(0x5000, page, page, false, true);
    ASSERT_EQ(p.size(), 1u);
    EXPECT_EQ(p[0].num, 0u);
    EXPECT_EQ(p[0].scale, 1u); // two pages: one too many instead of an illegal command
    EXPECT_EQ(p[0].ttl, 0u);
}

TEST(TlbiRange, UsesOneCommandPerGranuleWithoutRangeInvalidation) {
    const auto p = pieces(0x20'0000, 0x20'0000, page, true, false);
    ASSERT_EQ(p.size(), 512u);
    EXPECT_EQ(p[511].address, 0x20'0000u + 511 * page);
    EXPECT_EQ(p[511].tg, 0u);
    EXPECT_EQ(p[511].num, 0u);
}

TEST(TlbiRange, AlwaysCoversTheRangeExactlyAndWithoutGaps) {
    EXPECT_TRUE(rc::check([] {
        const std::uint64_t first = *rc::gen::inRange<std::uint64_t>(0, 1u << 20);
        const std::uint64_t count = *rc::gen::inRange<std::uint64_t>(1, 1u << 18);
        const bool leaf = *rc::gen::arbitrary<bool>();
        std::uint64_t at = first * page;
        const std::uint64_t spare = !leaf && (count & 31) == 1 ? 1 : 0;
        for (const TlbiPiece& p : pieces(at, count * page, page, leaf, true)) {
            RC_ASSERT(p.address == at);
            RC_ASSERT(p.num <= 31u);
            RC_ASSERT(p.num != 0 || p.scale != 0 || p.ttl != 0);
            at += (p.num + 1ull) << (p.scale + 12);
        }
        RC_ASSERT(at == (first + count + spare) * page);
    }));
}

} // namespace
} // namespace iommusim::smmuv3_driver::test
