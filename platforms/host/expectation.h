// Expectations turn a scenario into a regression test: bounds on metrics, judged after the run.
#pragma once

#include "platforms/host/result.h"
#include "platforms/host/scenario.h"

#include <vector>

namespace iommusim::host {

/// One outcome for every bound of every expectation, in order. A metric that the run did not produce holds no
/// bound.
std::vector<Outcome> evaluate(const Scenario& scenario, const Result& result);

} // namespace iommusim::host
