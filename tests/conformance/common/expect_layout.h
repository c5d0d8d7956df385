// Layout headers against an independent statement of the same positions: word and mask as literals, so that a
// wrong bit number in a header and a wrong mask in the test would have to agree to go unseen.
#pragma once

#include "models/base/bits.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace iommusim::test {

struct ExpectedField {
    Field field;
    unsigned word;
    std::uint64_t mask;
};

/// Every field is where it is expected, none overlaps another, and what they leave is exactly `reserved`, by
/// word.
inline void expect_layout(const std::vector<ExpectedField>& fields,
                          const std::vector<std::uint64_t>& reserved) {
    std::vector<std::uint64_t> seen = reserved;
    for (const ExpectedField& e : fields) {
        EXPECT_EQ(e.field.msb / 64, e.field.lsb / 64) << "crosses a word: " << std::hex << e.mask;
        EXPECT_EQ(e.field.word(), e.word) << std::hex << e.mask;
        EXPECT_EQ(e.field.mask(), e.mask) << std::hex << e.mask;
        ASSERT_LT(e.word, seen.size());
        EXPECT_EQ(seen[e.word] & e.mask, 0u) << "overlaps: " << std::hex << e.mask;
        seen[e.word] |= e.mask;
    }
    for (std::size_t w = 0; w < seen.size(); ++w)
        EXPECT_EQ(seen[w], ~0ull) << "word " << w;
}

} // namespace iommusim::test
