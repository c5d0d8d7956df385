#include "models/soc/dma_job.h"

#include <gtest/gtest.h>
#include <set>
#include <string>

using namespace iommusim;
using namespace iommusim::soc;

namespace {

std::vector<std::uint64_t> addresses(const DmaJob& job, unsigned count) {
    DmaAddressSequence sequence(job);
    std::vector<std::uint64_t> result;
    for (unsigned i = 0; i < count; ++i)
        result.push_back(sequence.next());
    return result;
}
using Addresses = std::vector<std::uint64_t>;

TEST(DmaJob, SequentialAccessesFollowEachOther) {
    DmaJob job;
    job.base = 0x1000;
    job.length = 128;
    job.stride = 4096; // not used by this pattern
    EXPECT_EQ(addresses(job, 3), (Addresses{0x1000, 0x1080, 0x1100}));
}

TEST(DmaJob, StridedAccessesAreAStrideApart) {
    DmaJob job;
    job.pattern = DmaPattern::strided;
    job.base = 0x1000;
    job.stride = 4096;
    EXPECT_EQ(addresses(job, 3), (Addresses{0x1000, 0x2000, 0x3000}));
}

TEST(DmaJob, ARingStartsAgainAtTheEndOfItsWindow) {
    DmaJob job;
    job.pattern = DmaPattern::ring;
    job.base = 0x100;
    job.length = 16;
    job.stride = 32;
    job.window = 80; // slots at 0, 32 and 64: the last one just fits
    EXPECT_EQ(addresses(job, 5), (Addresses{0x100, 0x120, 0x140, 0x100, 0x120}));
}

TEST(DmaJob, ARingOfOneSlotStaysThere) {
    DmaJob job;
    job.pattern = DmaPattern::ring;
    job.window = 64;
    EXPECT_EQ(addresses(job, 3), (Addresses{0, 0, 0}));
}

TEST(DmaJob, AListIsReplayedFromItsStart) {
    const std::uint64_t list[] = {5, 0x9000, 7};
    DmaJob job;
    job.pattern = DmaPattern::list;
    job.addresses = list;
    job.address_count = 3;
    EXPECT_EQ(addresses(job, 4), (Addresses{5, 0x9000, 7, 5}));
}

TEST(DmaJob, RandomAccessesDependOnTheSeedOnly) {
    DmaJob job;
    job.pattern = DmaPattern::random;
    job.base = 0x10000;
    job.window = 1 << 20;
    job.address_seed = 42;
    const Addresses first = addresses(job, 1000);
    EXPECT_EQ(first, addresses(job, 1000));
    job.address_seed = 43;
    EXPECT_NE(first, addresses(job, 1000));
}

TEST(DmaJob, RandomNumbersAreThoseOfSplitMix64) {
    // First outputs of SplitMix64 for seed 1234567, as published with the reference implementation.
    const std::uint64_t expected[] = {6457827717110365317ull, 3203168211198807973ull, 9817491932198370423ull};
    DmaJob job;
    job.pattern = DmaPattern::random;
    job.length = 1;
    job.window = 1ull << 32;
    job.address_seed = 1234567;
    DmaAddressSequence sequence(job);
    for (std::uint64_t e : expected)
        EXPECT_EQ(sequence.next(), e >> 32);
}

TEST(DmaJob, RandomAccessesStayInTheWindowAndReachAllOfIt) {
    DmaJob job;
    job.pattern = DmaPattern::random;
    job.base = 0x1000;
    job.window = 16 * 64 + 63;
    std::set<std::uint64_t> seen;
    for (std::uint64_t a : addresses(job, 1000)) {
        EXPECT_EQ(a % 64, 0u);
        seen.insert(a);
    }
    EXPECT_EQ(seen.size(), 16u);
    EXPECT_EQ(*seen.begin(), 0x1000u);
    EXPECT_EQ(*seen.rbegin(), 0x1000u + 15 * 64);
}

TEST(DmaJob, NamesWhatIsWrongWithIt) {
    const auto violation = [](auto change) {
        DmaJob job;
        change(job);
        const char* v = job.violation();
        return std::string(v != nullptr ? v : "");
    };
    EXPECT_EQ(violation([](DmaJob&) {}), "");
    EXPECT_NE(violation([](DmaJob& j) { j.length = 0; }), "");
    EXPECT_NE(violation([](DmaJob& j) { j.length = DmaJob::max_length + 1; }), "");
    EXPECT_NE(violation([](DmaJob& j) { j.outstanding = 0; }), "");
    EXPECT_NE(violation([](DmaJob& j) { j.pattern = DmaPattern::ring; }), "");
    EXPECT_NE(violation([](DmaJob& j) { j.pattern = DmaPattern::list; }), "");
    EXPECT_NE(violation([](DmaJob& j) { j.pattern = static_cast<DmaPattern>(9); }), "");
    EXPECT_NE(violation([](DmaJob& j) { j.direction = static_cast<DmaDirection>(3); }), "");
    EXPECT_NE(violation([](DmaJob& j) { j.check = DmaCheck::buffer; }), "");
    EXPECT_NE(violation([](DmaJob& j) {
                  j.pattern = DmaPattern::random;
                  j.length = 1;
                  j.window = ~0ull;
              }),
              "");
}

TEST(DmaPatternData, DoesNotDependOnHowAnAddressRangeIsCutIntoPieces) {
    std::vector<std::uint8_t> whole(100), pieces(100);
    fill_dma_pattern(7, 0x1003, whole.data(), whole.size());
    for (std::size_t i = 0; i < 100; i += 5)
        fill_dma_pattern(7, 0x1003 + i, pieces.data() + i, 5);
    EXPECT_EQ(whole, pieces);
    EXPECT_TRUE(matches_dma_pattern(7, 0x1003, whole.data(), whole.size()));
}

TEST(DmaPatternData, DiffersBetweenPagesAndSeeds) {
    std::vector<std::uint8_t> data(64);
    fill_dma_pattern(7, 0x1000, data.data(), data.size());
    EXPECT_FALSE(matches_dma_pattern(7, 0x2000, data.data(), data.size()));
    EXPECT_FALSE(matches_dma_pattern(8, 0x1000, data.data(), data.size()));
}

TEST(DmaPatternData, ASingleWrongByteIsFoundAnywhere) {
    for (std::size_t wrong = 0; wrong < 21; ++wrong) {
        std::vector<std::uint8_t> data(21);
        fill_dma_pattern(7, 0x1005, data.data(), data.size());
        data[wrong] ^= 0x10;
        EXPECT_FALSE(matches_dma_pattern(7, 0x1005, data.data(), data.size())) << wrong;
    }
}

} // namespace
