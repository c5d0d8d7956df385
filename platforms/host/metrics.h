// Names of everything that a run can measure: what `describe` prints and what an expectation may refer to.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace iommusim::host {

struct MetricInfo {
    const char* name; ///< dotted; a part "*" stands for any name
    const char* unit; ///< "ps", "B", "B/s", "bit/s", "count", "ratio", "1/s"
    bool distribution;
    const char* description;
};

const std::vector<MetricInfo>& metric_table();

/// Fields of a distribution: "count", "min", "mean", "p50", "p90", "p99", "p999", "max", "stddev".
const std::vector<std::string>& distribution_fields();

/// A metric name taken apart. `info` is null if nothing of this name is measured.
struct MetricReference {
    const MetricInfo* info = nullptr;
    std::string base;           ///< the name without the field
    std::string field;          ///< of a distribution; empty if it is missing
    const char* unit = "count"; ///< of the value that is referred to
};

MetricReference find_metric(std::string_view name);

/// Every name that an expectation can use, wildcards as they are.
std::vector<std::string> metric_names();

} // namespace iommusim::host
