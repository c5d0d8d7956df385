// Published measurements beside what the simulation gives: how near it comes to real machines.
#pragma once

#include "platforms/host/result.h"
#include "platforms/host/scenario.h"

#include <vector>

namespace iommusim::host {

/// One comparison for every published value of this run, in the scenario's order. A metric that the run did
/// not produce is out of tolerance.
std::vector<PublishedComparison> compare_published(const Scenario& scenario, const Result& result);

} // namespace iommusim::host
