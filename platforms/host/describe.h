// What the command line prints about models, workloads, metrics and keys: made from the tables that the
// program runs by.
#pragma once

#include "platforms/host/parameter_group.h"

#include <optional>
#include <string>
#include <vector>

namespace iommusim::host {

/// `topic`: empty for the list of topics; a model, its feature page ("vtd.features", or with a profile
/// "vtd.features:broadwell"), a workload kind, "metrics" or a metric, "keys", a key, or the beginning of keys
/// such as "driver". None if there is nothing of that name.
std::optional<std::string> describe_topic(const std::string& topic,
                                          const std::vector<ParameterGroup>& groups = parameter_groups());

/// Names that describe_topic() knows, for suggestions.
std::vector<std::string> describe_topics(const std::vector<ParameterGroup>& groups = parameter_groups());

} // namespace iommusim::host
