// From a scenario file and the command line's settings to the runs that they ask for: one, or one for every
// combination of the sweep's values.
#pragma once

#include "platforms/host/diagnostics.h"
#include "platforms/host/parameter_group.h"
#include "platforms/host/scenario.h"

#include <string>
#include <string_view>
#include <vector>

namespace iommusim::host {

struct LoadedScenarios {
    std::vector<Scenario>
        runs;                ///< in the order of the sweep, the last key fastest; empty if anything is wrong
    Diagnostics diagnostics; ///< everything that is wrong with the file and the settings
};

/// `settings` are KEY=VALUE texts, later ones win. A setting of a swept key replaces its axis;
/// "sweep.KEY=[...]" adds or replaces one.
LoadedScenarios load_scenario(const std::string& path, const std::vector<std::string>& settings,
                              const std::vector<ParameterGroup>& groups = parameter_groups());

/// The same for a text; `name` stands in positions.
LoadedScenarios load_scenario_text(std::string_view text, const std::string& name,
                                   const std::vector<std::string>& settings = {},
                                   const std::vector<ParameterGroup>& groups = parameter_groups());

/// Upper limit of the number of runs of one sweep.
inline constexpr std::size_t maximum_runs = 1000;

} // namespace iommusim::host
