// The one table of everything that a scenario can say. It drives reading, checking, `--set`, `describe`,
// suggestions for misspelt keys and the resolved parameters of a report.
#pragma once

#include "platforms/host/scenario.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace iommusim::host {

/// A value as a key holds it.
struct Value {
    std::uint64_t number = 0;    ///< quantities in base units, flags 0 or 1, choices by index
    std::string text;            ///< KeyKind::text
    std::optional<double> bound; ///< KeyKind::bound and KeyKind::tolerance
};

enum class KeyKind : std::uint8_t {
    number, ///< anything that ParameterInfo's units describe
    text,
    bound,     ///< a number or quantity in the unit of another key's metric
    tolerance, ///< as bound, or a percentage of it
    point,     ///< a table of keys and values that picks runs of a sweep
};

/// `path` below is dotted; the parts "device", "workload", "expect" and "published" stand for any element of
/// these lists.
struct Key {
    std::string path;
    KeyKind kind = KeyKind::number;
    Unit unit = Unit::count;
    std::uint64_t default_value = 0;
    std::uint64_t minimum = 0;
    std::uint64_t maximum = 0;
    std::vector<std::string> choices;
    std::string default_text; ///< what happens without it where default_value does not say it
    std::string description;
    std::string source; ///< provenance of the default; empty for the scenario's own keys
    bool required = false;
    bool of_group = false; ///< a row of a parameter table, which knows its default itself
    std::string only_for;  ///< workload kind that it belongs to; empty: no restriction
    std::function<void(Scenario&, std::size_t element, const Value&)> store;
    std::function<Value(const Scenario&, std::size_t element)> load;
};

/// What a scenario can say when it asks for this IOMMU model.
std::vector<Key> scenario_keys(const std::vector<ParameterGroup>& groups, Model model);

const Key* find_key(const std::vector<Key>& keys, std::string_view path);
std::vector<std::string> key_paths(const std::vector<Key>& keys);

/// Words of `iommu.model` and `workload.kind`, by enumeration value.
const std::vector<std::string>& model_names();
const std::vector<std::string>& workload_names();

/// The name of a list element's table, such as "device"; empty for a path outside of the lists.
std::string_view list_of(std::string_view path);
const std::vector<std::string>& list_names();
std::size_t list_size(const Scenario& scenario, std::string_view list);

/// The value as a scenario would write it, without quotes: "90ns", "strict", "true".
std::string value_text(const Key& key, const Value& value);

/// What may be written, for messages and for people: `an integer from 1 to 64`, `strict, lazy, none`.
std::string legal_text(const Key& key);

/// One line of the resolved parameters.
struct ResolvedParameter {
    std::string path; ///< with element numbers: "device[0].id"
    Unit unit = Unit::count;
    KeyKind kind = KeyKind::number;
    Value value;
    std::string text; ///< value_text()
};

/// Everything that determines a run, defaults included, except for the name, the description, the seed and
/// expectations.
std::vector<ResolvedParameter> resolved_parameters(const Scenario& scenario, const std::vector<Key>& keys);

} // namespace iommusim::host
