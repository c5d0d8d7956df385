// A feature page against the identification registers as software reads them.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace iommusim::test {

/// Where a field of the feature page is in the register space; tests state it apart from the layout header.
struct FieldPlace {
    std::uint64_t offset;
    unsigned msb;
    unsigned lsb;
};
using FieldPlaces = std::map<std::string, FieldPlace>;

/// Every field of `places` is listed once, in order, with the value that `read` gives, and no register in
/// `offsets` has a bit that the page does not explain.
template <class Rows, class Read>
void expect_feature_page(const Rows& rows, const FieldPlaces& places,
                         const std::vector<std::uint64_t>& offsets, Read read) {
    std::map<std::uint64_t, std::uint64_t> accounted;
    std::set<std::string> names;
    std::pair<std::uint64_t, unsigned> previous{0, 0};
    for (const auto& row : rows) {
        SCOPED_TRACE(row.name);
        EXPECT_TRUE(names.insert(row.name).second) << "listed twice";
        EXPECT_FALSE(row.description.empty());
        const auto place = places.find(row.name);
        ASSERT_NE(place, places.end()) << "not a field of the specification";
        const auto [offset, msb, lsb] = place->second;
        EXPECT_TRUE((std::pair<std::uint64_t, unsigned>{offset, lsb} >= previous)) << "out of order";
        previous = {offset, lsb};
        const std::uint64_t mask = ((2ull << (msb - lsb)) - 1) << lsb;
        EXPECT_EQ((read(offset) & mask) >> lsb, row.value);
        accounted[offset] |= mask;
    }
    EXPECT_EQ(names.size(), places.size()) << "every field is listed";
    for (const std::uint64_t offset : offsets)
        EXPECT_EQ(read(offset) & ~accounted[offset], 0u) << std::hex << offset;
}

template <class Rows> std::set<std::string> not_advertised(const Rows& rows) {
    std::set<std::string> names;
    for (const auto& row : rows)
        if (!row.advertised)
            names.insert(row.name);
    return names;
}

} // namespace iommusim::test
