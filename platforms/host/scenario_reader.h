// From a TOML tree to a checked Scenario, by the key table. Reports everything that is wrong and elaborates
// nothing.
#pragma once

#include "platforms/host/document.h"
#include "platforms/host/keys.h"
#include "platforms/host/metrics.h"

#include <map>
#include <string>
#include <vector>

namespace iommusim::host {

/// A value from outside of the file's own keys: a `--set` option or a point of a sweep. `path` may name an
/// element of a list ("workload[1].threads"); without a number it means every element that has the key.
struct Setting {
    std::string path;
    Node value;
    Position position;
};

/// "workload[1].threads" -> "workload.threads" and "1"; false if the brackets are not of this form.
bool split_number(const std::string& written, std::string& path, std::string& number);

class ScenarioReader {
public:
    ScenarioReader(const std::vector<ParameterGroup>& groups, Diagnostics& diagnostics)
        : groups_(groups), diagnostics_(diagnostics) {}

    /// Settings win over the file, later ones over earlier ones. The scenario is usable if no finding was
    /// added.
    Scenario read(const Node& root, const std::vector<Setting>& settings);

private:
    struct Element {
        std::string list; ///< empty: not in a list
        std::size_t index = 0;
        Position position;
    };

    // reading, scenario_reader.cpp
    void choose_model(const Node& root, const std::vector<Setting>& settings);
    void set_defaults(const std::string& list, std::size_t index);
    void read_table(const Node& table, const std::string& prefix, const Element& element);
    void read_list(const std::string& list, const Node& node);
    void read_key(const Key& key, const Node& node, const Position& position, const Element& element);
    bool convert(const Key& key, const Node& node, const Position& position, Value& value);
    void read_point(const Node& node, const std::string& prefix, std::size_t index);
    void apply(const Setting& setting);
    void apply_to_list(const Setting& setting, const std::string& list, const std::string& path,
                       const std::string& number);
    void unknown_key(const std::string& path, const Position& position);
    std::vector<std::string> siblings(const std::string& path) const;

    // checks across keys, scenario_checks.cpp
    void check_all(const Node& root);
    void check_required();
    void check_workload_kinds();
    void check_devices();
    void check_workloads();
    void check_memory_fits();
    void check_groups();
    void check_features();
    void check_profile();
    void check_expectation(Expectation& expectation, std::size_t index);
    void check_offers();
    void check_published();
    /// The metric that `path` of this element names, if it can be compared with a number.
    MetricReference check_metric(const std::string& name, const char* path, std::size_t index);
    /// Brings a bound, as it was given, into the metric's unit.
    void check_unit(const char* path, std::size_t index, const MetricReference& metric, double& bound);
    bool belongs_here(std::size_t published);

    /// Where a key of an element was given, the element itself, or the file's beginning.
    Position place_of(const std::string& path, std::size_t index = 0) const;
    bool given(const std::string& path, std::size_t index = 0) const;
    void error(const Position& position, const std::string& path, const std::string& message);

    const std::vector<ParameterGroup>& groups_;
    Diagnostics& diagnostics_;
    std::vector<Key> keys_;
    bool model_known_ = true;
    std::string workload_kind_; ///< of the element that is being read; empty: none, or not known
    Scenario scenario_;
    Position beginning_;
    std::map<std::pair<std::string, std::size_t>, Position> given_;     ///< by key path and element
    std::map<std::pair<std::string, std::size_t>, Position> positions_; ///< of list elements
    std::map<std::pair<std::string, std::size_t>, std::string>
        bound_units_;                                            ///< of expectations' bounds, empty: none
    std::map<std::pair<std::string, std::size_t>, bool> broken_; ///< given, but without a legal value
    std::map<std::size_t, std::vector<Setting>> points_;         ///< of published values
};

} // namespace iommusim::host
