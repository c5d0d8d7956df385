// Output formats: each is a function of the results and of nothing else, so equal results give equal bytes.
#pragma once

#include "platforms/host/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace iommusim::host {

/// Version of the JSON report's form, see report.schema.json. It changes when a reader of the old form would
/// fail.
inline constexpr int report_schema_version = 1;

struct TextOptions {
    bool verbose =
        false; ///< also every parameter as resolved, counters that stayed 0, locks that nobody waited for
};

/// For people: one column for each run of a sweep.
std::string report_text(const std::vector<Result>& results, const TextOptions& options = {});

/// One object for one result, {"schema", "runs"} for a sweep. Validates against report.schema.json.
std::string report_json(const std::vector<Result>& results);

/// One line for every metric of every run, RFC 4180.
std::string report_csv(const std::vector<Result>& results);

/// "driver.invalidation=lazy, platform.cpus=4"; empty without a sweep.
std::string sweep_label(const Result& result);

/// Two JSON reports side by side, with ratios; runs of sweeps are matched by their point, otherwise by
/// position.
struct Comparison {
    std::string text;
    std::string problem; ///< why they cannot be compared; empty if they can
};
Comparison compare_reports(std::string_view a, const std::string& name_a, std::string_view b,
                           const std::string& name_b);

} // namespace iommusim::host
