#include "platforms/host/distribution.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <numeric>
#include <rapidcheck.h>
#include <vector>

namespace {

using namespace iommusim::host;

Distribution of(const std::vector<std::uint64_t>& samples) {
    Distribution d;
    for (std::uint64_t s : samples)
        d.record(s);
    return d;
}

bool equal(const Summary& a, const Summary& b) {
    return a.count == b.count && a.min == b.min && a.mean == b.mean && a.p50 == b.p50 && a.p90 == b.p90 &&
           a.p99 == b.p99 && a.p999 == b.p999 && a.max == b.max && a.stddev == b.stddev;
}

TEST(Distribution, IsAllZeroWithoutSamples) {
    const Summary s = Distribution().summarize("ps");
    EXPECT_TRUE(equal(s, Summary{}));
    EXPECT_EQ(s.unit, "ps");
}

TEST(Distribution, OfOneSampleIsThatSampleEverywhere) {
    const Summary s = of({123'456'789}).summarize("ps");
    EXPECT_EQ(s.min, 123'456'789u);
    EXPECT_EQ(s.p50, 123'456'789u);
    EXPECT_EQ(s.p999, 123'456'789u);
    EXPECT_EQ(s.max, 123'456'789u);
    EXPECT_EQ(s.mean, 123'456'789.0);
    EXPECT_EQ(s.stddev, 0.0);
}

TEST(Distribution, HasExactPercentilesForSmallValues) {
    std::vector<std::uint64_t> samples(1000);
    std::iota(samples.begin(), samples.end(), 1);
    const Distribution d = of(samples);
    EXPECT_EQ(d.percentile(500), 500u);
    EXPECT_EQ(d.percentile(900), 900u);
    EXPECT_EQ(d.percentile(990), 990u);
    EXPECT_EQ(d.percentile(999), 999u);
    EXPECT_EQ(d.percentile(1000), 1000u);
    EXPECT_EQ(d.percentile(0), 1u);
}

TEST(Distribution, KeepsMeanAndDeviationOfLargeCloseValues) {
    const std::uint64_t big = 1ull << 62; // squares are beyond 2^123, the deviation is 1
    const Distribution d = of({big - 1, big + 1, big - 1, big + 1});
    EXPECT_EQ(d.stddev(), 1.0);
    EXPECT_EQ(d.mean(), double(big));
}

TEST(Distribution, TakesTheWholeRangeOf64Bits) {
    const Distribution d = of({0, ~0ull, 1023, 1024, 2047, 2048});
    EXPECT_EQ(d.min(), 0u);
    EXPECT_EQ(d.max(), ~0ull);
    EXPECT_EQ(d.percentile(1000), ~0ull);
    EXPECT_EQ(d.count(), 6u);
}

TEST(Distribution, PercentilesAreWithinOnePartIn1024OfTheSortedSamples) {
    EXPECT_TRUE(rc::check([](const std::vector<std::uint64_t>& raw, std::uint8_t shift) {
        RC_PRE(!raw.empty());
        std::vector<std::uint64_t> samples = raw;
        for (std::uint64_t& s : samples)
            s >>= shift % 64;
        const Distribution d = of(samples);
        std::sort(samples.begin(), samples.end());
        for (unsigned p : {1u, 500u, 900u, 990u, 999u, 1000u}) {
            const std::size_t rank = std::max<std::size_t>(1, (samples.size() * p + 999) / 1000);
            const std::uint64_t exact = samples[rank - 1];
            const std::uint64_t found = d.percentile(p);
            RC_ASSERT(found >= exact);
            RC_ASSERT(found - exact <= exact / 1024);
        }
        RC_ASSERT(d.min() == samples.front());
        RC_ASSERT(d.max() == samples.back());
    }));
}

TEST(Distribution, MergedIsTheSameAsRecordedInOne) {
    EXPECT_TRUE(rc::check([](const std::vector<std::uint32_t>& a, const std::vector<std::uint32_t>& b) {
        Distribution first, second, whole;
        for (std::uint32_t v : a) {
            first.record(v);
            whole.record(v);
        }
        for (std::uint32_t v : b) {
            second.record(v);
            whole.record(v);
        }
        first.merge(second);
        RC_ASSERT(equal(first.summarize("ps"), whole.summarize("ps")));
    }));
}

TEST(Distribution, DoesNotDependOnTheOrderOfSamples) {
    std::vector<std::uint64_t> samples;
    for (std::uint64_t i = 0; i < 5000; ++i)
        samples.push_back(i * i * 7919 % 1'000'003);
    const Summary forward = of(samples).summarize("ps");
    std::reverse(samples.begin(), samples.end());
    EXPECT_TRUE(equal(of(samples).summarize("ps"), forward));
}

TEST(Distribution, CopiesAreIndependent) {
    Distribution original = of({1, 2, 3});
    Distribution copy = original;
    copy.record(100);
    EXPECT_EQ(original.count(), 3u);
    EXPECT_EQ(original.max(), 3u);
    original = copy;
    EXPECT_EQ(original.count(), 4u);
}

} // namespace
