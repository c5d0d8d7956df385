#include "platforms/host/diagnostics.h"

#include <gtest/gtest.h>

namespace {

using namespace iommusim::host;

TEST(Diagnostics, CountEditsWithSwapsAsOne) {
    EXPECT_EQ(edit_distance("", ""), 0u);
    EXPECT_EQ(edit_distance("strict", "strict"), 0u);
    EXPECT_EQ(edit_distance("strict", "strct"), 1u);
    EXPECT_EQ(edit_distance("strict", "stritc"), 1u);
    EXPECT_EQ(edit_distance("lasy", "lazy"), 1u);
    EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
    EXPECT_EQ(edit_distance("", "abc"), 3u);
}

TEST(Diagnostics, SuggestTheNearestWordOnlyIfItIsNear) {
    const std::vector<std::string> words{"strict", "lazy", "none"};
    EXPECT_EQ(nearest("strickt", words), "strict");
    EXPECT_EQ(nearest("nonne", words), "none");
    EXPECT_EQ(nearest("quantum", words), "");
    EXPECT_EQ(suggestion("lasy", words), "; did you mean 'lazy'?");
    EXPECT_EQ(suggestion("quantum", words), "");
}

TEST(Diagnostics, FindTheRightWordInTheWrongTable) {
    const std::vector<std::string> keys{"platform.cpus", "driver.invalidation", "platform.memory.latency"};
    EXPECT_EQ(nearest("platform.invalidation", keys), "driver.invalidation");
    EXPECT_EQ(nearest("latency", keys), "platform.memory.latency");
}

TEST(Diagnostics, AreInOrderOfPlaceAndEachOnce) {
    Diagnostics diagnostics;
    diagnostics.error({"f", 9, 1}, "later");
    diagnostics.error({"f", 2, 5}, "earlier");
    diagnostics.error({"f", 9, 1}, "later");
    diagnostics.error({"f", 10, 1}, "last");
    ASSERT_EQ(diagnostics.list().size(), 3u);
    EXPECT_EQ(to_string(diagnostics.list()[0]), "f:2:5: error: earlier");
    EXPECT_EQ(diagnostics.list()[2].message, "last");
}

TEST(Diagnostics, OfAnOptionHaveNoLine) {
    EXPECT_EQ(to_string({{"--set x=1", 0, 0}, "wrong"}), "--set x=1: error: wrong");
}

} // namespace
