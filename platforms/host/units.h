// Quantities as users write and read them: "90ns", "4KiB", "3GHz", "25.6GB/s". Exact integer arithmetic
// between the text and the base units ps, B, Hz and B/s: a text that is not a whole number of base units is
// an error, never rounded.
#pragma once

#include "models/base/parameters.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace iommusim::host {

/// Result of reading a quantity: a value, or one clause saying what is wrong with the text.
struct ParsedQuantity {
    std::optional<std::uint64_t> value; ///< in the base unit
    Unit unit = Unit::count;
    std::string problem; ///< empty if `value` is set
};

/// Reads a decimal number with a unit suffix of `unit`'s kind (picoseconds, bytes, hertz or
/// bytes_per_second); blanks between number and suffix are allowed. Other kinds of unit have no suffixes and
/// are a problem.
ParsedQuantity parse_quantity(std::string_view text, Unit unit);

/// The same where the suffix alone decides what is measured.
ParsedQuantity parse_any_quantity(std::string_view text);

/// "2.5%" -> 2.5; none if the text is no such thing.
std::optional<double> parse_percentage(std::string_view text);

/// "ps", "B", "Hz", "B/s"; empty for units without a suffix.
const char* base_unit(Unit unit);

/// What a value of this unit looks like, for messages: `a duration such as "90ns"`.
const char* quantity_form(Unit unit);

/// Every legal suffix of the unit, smallest first, separated by ", ".
std::string legal_suffixes(Unit unit);

/// Shortest text that parse_quantity() reads back as exactly `value`: "90ns", "25.6GB/s", "4KiB". Flags and
/// choices are written as numbers here: their words belong to the key, not to the unit.
std::string exact_text(std::uint64_t value, Unit unit);

/// For people: three decimals in the largest unit that leaves a number of at least 1, e.g. "1.234 us". `unit`
/// is a unit name as results carry it; an unknown one is appended as it is ("count" and "ratio" are left
/// out).
std::string pretty(double value, std::string_view unit);

} // namespace iommusim::host
