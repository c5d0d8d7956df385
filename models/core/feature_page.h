// What a unit advertises, from one table: the values of its identification registers and the feature page
// that the command line prints, so that neither can claim what the other does not. C++17.
#pragma once

#include "../base/bits.h"

#include <cstdint>
#include <iterator>
#include <string>
#include <type_traits>
#include <vector>

namespace iommusim {

/// One row of the feature page: one field of an identification register.
struct FeatureRow {
    std::string name;        ///< "ECAP.SMTS"
    bool advertised;         ///< the field's value says that the feature is there
    std::uint64_t value;     ///< the field's value as software reads it
    std::string description; ///< one line
};

namespace feature_page {

/// One field of an identification register: where it is, what it means, and what a unit with `Features` puts
/// there. `Ids` has a member of type `Word` for each register.
template <class Features, class Ids, class Word = std::uint64_t> struct IdField {
    const char* name;
    Word Ids::*id_register;
    Field field;
    std::uint64_t absent; ///< the value that says "not there"; `always` where no value does
    std::uint64_t (*value)(const Features&);
    const char* description;
};

inline constexpr std::uint64_t always = ~0ull;

// Sources of values.
template <std::uint64_t n, class Features> std::uint64_t fixed(const Features&) { return n; }
template <class Features> std::uint64_t not_built(const Features&) { return 0; }
template <auto member, class Features> std::uint64_t flag(const Features& f) { return f.*member ? 1 : 0; }
template <auto member, class Features> std::uint64_t number(const Features& f) { return f.*member; }
/// Fields that hold a count or a width minus one.
template <auto member, class Features> std::uint64_t minus_one(const Features& f) { return f.*member - 1; }

/// The registers that `table`, an array of IdField, describes.
template <class Ids, class Table, class Features>
Ids make_id_registers(const Table& table, const Features& features) {
    Ids ids;
    for (const auto& f : table) {
        auto& word = ids.*(f.id_register);
        word = static_cast<std::decay_t<decltype(word)>>(f.field.put(word, f.value(features)));
    }
    return ids;
}

/// The rows of `table`, in its order.
template <class Table, class Features>
std::vector<FeatureRow> describe(const Table& table, const Features& features) {
    std::vector<FeatureRow> rows;
    rows.reserve(std::size(table));
    for (const auto& f : table) {
        const std::uint64_t value = f.value(features);
        rows.push_back({f.name, f.absent == always || value != f.absent, value, f.description});
    }
    return rows;
}

/// A feature that is not possible without another one.
template <class Features> struct Dependency {
    bool Features::*feature;
    const char* name;
    bool Features::*needs;
    const char* needs_name;
};

/// Empty, or a sentence about the first feature of `table` that lacks what it needs.
template <class Table, class Features>
std::string dependency_violation(const Table& table, const Features& features) {
    for (const auto& d : table)
        if (features.*d.feature && !(features.*d.needs))
            return std::string(d.name) + " is 1, but it needs " + d.needs_name;
    return {};
}

inline std::string outside(const char* name, std::uint64_t value, std::uint64_t minimum,
                           std::uint64_t maximum) {
    return std::string(name) + " is " + std::to_string(value) + ", " + std::to_string(minimum) + " to " +
           std::to_string(maximum) + " is legal";
}

} // namespace feature_page
} // namespace iommusim
