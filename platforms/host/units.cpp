#include "platforms/host/units.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <span>

namespace iommusim::host {
namespace {

__extension__ typedef unsigned __int128 Wide;

struct Suffix {
    const char* text;
    std::uint64_t factor; ///< base units in one of these
    bool printed;         ///< used when writing; the others are only read
};

constexpr std::uint64_t kibi = 1024;
constexpr std::uint64_t kilo = 1000;

constexpr std::array durations{
    Suffix{"ps", 1, true},
    Suffix{"ns", kilo, true},
    Suffix{"us", kilo* kilo, true},
    Suffix{"ms", kilo* kilo* kilo, true},
    Suffix{"s", kilo* kilo* kilo* kilo, true},
};
constexpr std::array sizes{
    Suffix{"B", 1, true},
    Suffix{"kB", kilo, false},
    Suffix{"KiB", kibi, true},
    Suffix{"MB", kilo* kilo, false},
    Suffix{"MiB", kibi* kibi, true},
    Suffix{"GB", kilo* kilo* kilo, false},
    Suffix{"GiB", kibi* kibi* kibi, true},
    Suffix{"TB", kilo* kilo* kilo* kilo, false},
    Suffix{"TiB", kibi* kibi* kibi* kibi, true},
};
constexpr std::array frequencies{
    Suffix{"Hz", 1, true},
    Suffix{"kHz", kilo, true},
    Suffix{"MHz", kilo* kilo, true},
    Suffix{"GHz", kilo* kilo* kilo, true},
};
constexpr std::array bandwidths{
    Suffix{"B/s", 1, true},
    Suffix{"kbit/s", kilo / 8, false},
    Suffix{"kB/s", kilo, true},
    Suffix{"KiB/s", kibi, false},
    Suffix{"Mbit/s", kilo* kilo / 8, false},
    Suffix{"MB/s", kilo* kilo, true},
    Suffix{"MiB/s", kibi* kibi, false},
    Suffix{"Gbit/s", kilo* kilo* kilo / 8, false},
    Suffix{"GB/s", kilo* kilo* kilo, true},
    Suffix{"GiB/s", kibi* kibi* kibi, false},
    Suffix{"TB/s", kilo* kilo* kilo* kilo, true},
};

constexpr std::array quantity_units{Unit::picoseconds, Unit::bytes, Unit::hertz, Unit::bytes_per_second};

std::span<const Suffix> suffixes(Unit unit) {
    switch (unit) {
    case Unit::picoseconds:
        return durations;
    case Unit::bytes:
        return sizes;
    case Unit::hertz:
        return frequencies;
    case Unit::bytes_per_second:
        return bandwidths;
    case Unit::count:
    case Unit::flag:
    case Unit::choice:
        break;
    }
    return {};
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// A decimal number taken apart: digits / 10^decimals.
struct Decimal {
    Wide digits = 0;
    Wide scale = 1;
    bool valid = false;
    bool too_long = false;
    std::string_view rest;
};

Decimal read_decimal(std::string_view text) {
    constexpr Wide longest = Wide(1) << 84; // leaves room for the largest factor, 2^40
    Decimal d;
    bool digits_before = false, digits_after = false;
    std::size_t i = 0;
    for (; i < text.size() && is_digit(text[i]); ++i) {
        d.digits = d.digits * 10 + unsigned(text[i] - '0');
        digits_before = true;
        if (d.digits >= longest) {
            d.too_long = true;
            d.digits = 0;
        }
    }
    bool point = i < text.size() && text[i] == '.';
    if (point) {
        std::size_t end = i + 1;
        while (end < text.size() && is_digit(text[end]))
            ++end;
        digits_after = end > i + 1;
        std::size_t last = end;
        while (last > i + 1 && text[last - 1] == '0') // trailing zeros carry nothing and would only overflow
            --last;
        for (std::size_t k = i + 1; k < last; ++k) {
            d.digits = d.digits * 10 + unsigned(text[k] - '0');
            d.scale *= 10;
            if (d.digits >= longest || d.scale >= longest) {
                d.too_long = true;
                d.digits = 0;
                d.scale = 1;
            }
        }
        i = end;
    }
    d.valid = digits_before && (!point || digits_after);
    while (i < text.size() && text[i] == ' ')
        ++i;
    d.rest = text.substr(i);
    return d;
}

ParsedQuantity scaled(const Decimal& number, const Suffix& suffix, Unit unit) {
    ParsedQuantity result;
    result.unit = unit;
    const Wide value = number.digits * suffix.factor;
    if (number.too_long || value / number.scale > ~std::uint64_t{0})
        result.problem = "too large";
    else if (value % number.scale != 0)
        result.problem = std::string("not a whole number of ") + base_unit(unit);
    else
        result.value = std::uint64_t(value / number.scale);
    return result;
}

const Suffix* find_suffix(std::string_view text, Unit unit) {
    for (const Suffix& s : suffixes(unit))
        if (text == s.text)
            return &s;
    return nullptr;
}

} // namespace

ParsedQuantity parse_quantity(std::string_view text, Unit unit) {
    ParsedQuantity result;
    result.unit = unit;
    const Decimal number = read_decimal(text);
    if (!number.valid)
        result.problem = text.starts_with('-') ? "negative" : "not a number with a unit";
    else if (number.rest.empty())
        result.problem = "no unit";
    else if (const Suffix* s = find_suffix(number.rest, unit))
        return scaled(number, *s, unit);
    else
        result.problem = "unknown unit '" + std::string(number.rest) + "'";
    return result;
}

ParsedQuantity parse_any_quantity(std::string_view text) {
    const Decimal number = read_decimal(text);
    if (number.valid)
        for (Unit unit : quantity_units)
            if (find_suffix(number.rest, unit))
                return parse_quantity(text, unit);
    return parse_quantity(text, Unit::count);
}

std::optional<double> parse_percentage(std::string_view text) {
    const Decimal number = read_decimal(text);
    if (!number.valid || number.too_long || number.rest != "%")
        return std::nullopt;
    return double(number.digits) / double(number.scale);
}

const char* base_unit(Unit unit) {
    const auto list = suffixes(unit);
    return list.empty() ? "" : list.front().text;
}

const char* quantity_form(Unit unit) {
    switch (unit) {
    case Unit::picoseconds:
        return "a duration such as \"90ns\"";
    case Unit::bytes:
        return "a size such as \"4KiB\"";
    case Unit::hertz:
        return "a frequency such as \"3GHz\"";
    case Unit::bytes_per_second:
        return "a bandwidth such as \"25.6GB/s\"";
    case Unit::count:
        return "an integer";
    case Unit::flag:
        return "true or false";
    case Unit::choice:
        return "one of the words";
    }
    return "";
}

std::string legal_suffixes(Unit unit) {
    std::string text;
    for (const Suffix& s : suffixes(unit))
        text += (text.empty() ? "" : ", ") + std::string(s.text);
    return text;
}

std::string exact_text(std::uint64_t value, Unit unit) {
    const auto list = suffixes(unit);
    std::string best = std::to_string(value) + base_unit(unit);
    if (value == 0)
        return best;
    for (const Suffix& s : list) {
        if (!s.printed || s.factor > value)
            continue;
        const std::uint64_t whole = value / s.factor;
        std::string text = std::to_string(whole);
        std::uint64_t rest = value % s.factor;
        if (rest != 0) {
            text += '.';
            // Each digit is exact; units of 1024 need up to ten digits per step and lose on length below.
            for (Wide r = rest; r != 0;) {
                r *= 10;
                text += char('0' + unsigned(r / s.factor));
                r %= s.factor;
            }
        }
        text += s.text;
        if (text.size() <= best.size())
            best = text;
    }
    return best;
}

std::string pretty(double value, std::string_view unit) {
    char buffer[64];
    for (Unit u : quantity_units) {
        if (unit != base_unit(u))
            continue;
        const Suffix* chosen = nullptr;
        for (const Suffix& s : suffixes(u))
            if (s.printed && (!chosen || std::fabs(value) >= double(s.factor)))
                chosen = &s;
        const double scaled_value = value / double(chosen->factor);
        const bool whole = chosen->factor == 1 && scaled_value == std::floor(scaled_value);
        std::snprintf(buffer, sizeof buffer, whole ? "%.0f %s" : "%.3f %s", scaled_value, chosen->text);
        return buffer;
    }
    if (unit == "1/s" || unit == "bit/s") {
        const char* prefix = "";
        for (const char* larger : {"k", "M", "G"})
            if (std::fabs(value) >= 1000) {
                value /= 1000;
                prefix = larger;
            }
        std::snprintf(buffer, sizeof buffer, "%.3f %s%s", value, prefix, unit == "1/s" ? "/s" : "bit/s");
        return buffer;
    }
    if (value == std::floor(value) && std::fabs(value) < 1e15)
        std::snprintf(buffer, sizeof buffer, "%.0f", value);
    else
        std::snprintf(buffer, sizeof buffer, "%.3f", value);
    std::string text = buffer;
    if (!unit.empty() && unit != "count" && unit != "ratio")
        text.append(" ").append(unit);
    return text;
}

} // namespace iommusim::host
