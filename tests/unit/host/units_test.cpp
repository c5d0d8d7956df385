#include "platforms/host/units.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace {

using namespace iommusim;
using namespace iommusim::host;

std::uint64_t value(const char* text, Unit unit) {
    const ParsedQuantity q = parse_quantity(text, unit);
    EXPECT_TRUE(q.value) << text << ": " << q.problem;
    return q.value.value_or(~0ull);
}

std::string problem(const char* text, Unit unit) {
    const ParsedQuantity q = parse_quantity(text, unit);
    EXPECT_FALSE(q.value) << text;
    return q.problem;
}

TEST(Units, ReadDurationsInPicoseconds) {
    EXPECT_EQ(value("90ns", Unit::picoseconds), 90'000u);
    EXPECT_EQ(value("1.5us", Unit::picoseconds), 1'500'000u);
    EXPECT_EQ(value("0.001ns", Unit::picoseconds), 1u);
    EXPECT_EQ(value("10 ms", Unit::picoseconds), 10'000'000'000u);
    EXPECT_EQ(value("2s", Unit::picoseconds), 2'000'000'000'000u);
    EXPECT_EQ(value("0ps", Unit::picoseconds), 0u);
}

TEST(Units, ReadSizesInPowersOf1024AndOf1000) {
    EXPECT_EQ(value("4KiB", Unit::bytes), 4096u);
    EXPECT_EQ(value("4kB", Unit::bytes), 4000u);
    EXPECT_EQ(value("4GiB", Unit::bytes), 4ull << 30);
    EXPECT_EQ(value("0.5KiB", Unit::bytes), 512u);
    EXPECT_EQ(value("64B", Unit::bytes), 64u);
}

TEST(Units, ReadFrequenciesAndBandwidths) {
    EXPECT_EQ(value("3GHz", Unit::hertz), 3'000'000'000u);
    EXPECT_EQ(value("2.25GHz", Unit::hertz), 2'250'000'000u);
    EXPECT_EQ(value("25.6GB/s", Unit::bytes_per_second), 25'600'000'000u);
    EXPECT_EQ(value("100Gbit/s", Unit::bytes_per_second), 12'500'000'000u);
}

TEST(Units, AreExactWhereFloatingPointIsNot) {
    EXPECT_EQ(value("9007.199254740993s", Unit::picoseconds), 9'007'199'254'740'993u);
    EXPECT_EQ(value("18446744073709551615ps", Unit::picoseconds), ~0ull);
    EXPECT_EQ(value("1.10000000000000000000000000000000000000000us", Unit::picoseconds), 1'100'000u);
}

TEST(Units, ReadPercentages) {
    EXPECT_EQ(parse_percentage("2.5%"), 2.5);
    EXPECT_EQ(parse_percentage("10 %"), 10.0);
    for (const char* wrong : {"2.5", "%", "-1%", "1%%", "5ns", ""})
        EXPECT_FALSE(parse_percentage(wrong)) << wrong;
}

TEST(Units, RefuseWhatIsNotAWholeNumberOfBaseUnits) {
    EXPECT_EQ(problem("0.5ps", Unit::picoseconds), "not a whole number of ps");
    EXPECT_EQ(problem("1.0001ns", Unit::picoseconds), "not a whole number of ps");
    EXPECT_EQ(problem("0.3B", Unit::bytes), "not a whole number of B");
}

TEST(Units, RefuseWhatDoesNotFitInto64Bits) {
    EXPECT_EQ(problem("18446744073709551616ps", Unit::picoseconds), "too large");
    EXPECT_EQ(problem("18446745s", Unit::picoseconds), "too large");
    EXPECT_EQ(problem("99999999999999999999999999999999999999999999999999s", Unit::picoseconds), "too large");
    EXPECT_EQ(problem("0.00000000000000000000000000000000000000000000000001s", Unit::picoseconds),
              "too large");
}

TEST(Units, SayWhatIsWrongWithAText) {
    EXPECT_EQ(problem("90", Unit::picoseconds), "no unit");
    EXPECT_EQ(problem("ns", Unit::picoseconds), "not a number with a unit");
    EXPECT_EQ(problem("", Unit::picoseconds), "not a number with a unit");
    EXPECT_EQ(problem("1.ns", Unit::picoseconds), "not a number with a unit");
    EXPECT_EQ(problem(".5ns", Unit::picoseconds), "not a number with a unit");
    EXPECT_EQ(problem("-1ns", Unit::picoseconds), "negative");
    EXPECT_EQ(problem("1NS", Unit::picoseconds), "unknown unit 'NS'");
    EXPECT_EQ(problem("1KiB", Unit::picoseconds), "unknown unit 'KiB'");
    EXPECT_EQ(problem("1ns ", Unit::picoseconds), "unknown unit 'ns '");
    EXPECT_EQ(problem("1e3ns", Unit::picoseconds), "unknown unit 'e3ns'");
}

TEST(Units, TellFromTheSuffixWhatIsMeasured) {
    EXPECT_EQ(parse_any_quantity("5us").unit, Unit::picoseconds);
    EXPECT_EQ(parse_any_quantity("5MiB").unit, Unit::bytes);
    EXPECT_EQ(parse_any_quantity("5MHz").unit, Unit::hertz);
    EXPECT_EQ(parse_any_quantity("5MB/s").unit, Unit::bytes_per_second);
    EXPECT_EQ(parse_any_quantity("5 apples").problem, "unknown unit 'apples'");
}

TEST(Units, WriteTheShortestExactText) {
    EXPECT_EQ(exact_text(90'000, Unit::picoseconds), "90ns");
    EXPECT_EQ(exact_text(1'500, Unit::picoseconds), "1.5ns");
    EXPECT_EQ(exact_text(1'234'500, Unit::picoseconds), "1.2345us");
    EXPECT_EQ(exact_text(0, Unit::picoseconds), "0ps");
    EXPECT_EQ(exact_text(4096, Unit::bytes), "4KiB");
    EXPECT_EQ(exact_text(4097, Unit::bytes), "4097B");
    EXPECT_EQ(exact_text(25'600'000'000, Unit::bytes_per_second), "25.6GB/s");
    EXPECT_EQ(exact_text(3'000'000'000, Unit::hertz), "3GHz");
    EXPECT_EQ(exact_text(17, Unit::count), "17");
}

TEST(Units, ReadBackWhateverTheyWrite) {
    EXPECT_TRUE(rc::check([](std::uint64_t number, std::uint8_t shift) {
        const std::uint64_t v = number >> (shift % 64);
        for (Unit unit : {Unit::picoseconds, Unit::bytes, Unit::hertz, Unit::bytes_per_second}) {
            const ParsedQuantity q = parse_quantity(exact_text(v, unit), unit);
            RC_ASSERT(q.value == v);
        }
    }));
}

TEST(Units, ArePrintedForPeopleWithThreeDecimals) {
    EXPECT_EQ(pretty(1'234'000, "ps"), "1.234 us");
    EXPECT_EQ(pretty(999, "ps"), "999 ps");
    EXPECT_EQ(pretty(999.5, "ps"), "999.500 ps");
    EXPECT_EQ(pretty(0, "ps"), "0 ps");
    EXPECT_EQ(pretty(5e13, "ps"), "50.000 s");
    EXPECT_EQ(pretty(2048, "B"), "2.000 KiB");
    EXPECT_EQ(pretty(12.5e9, "B/s"), "12.500 GB/s");
    EXPECT_EQ(pretty(42, "count"), "42");
    EXPECT_EQ(pretty(0.25, "ratio"), "0.250");
    EXPECT_EQ(pretty(999, "1/s"), "999.000 /s");
    EXPECT_EQ(pretty(1'234'567, "1/s"), "1.235 M/s");
}

} // namespace
