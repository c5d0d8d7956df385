// Running a scenario: elaborates the hierarchy that it describes, simulates it to its end and collects the
// measurements.
#pragma once

#include "platforms/host/result.h"
#include "platforms/host/scenario.h"

namespace iommusim::host {

/// Runs in a SystemC context of its own, so that runs of one process can follow one another. Fills in
/// everything but the identification (see identify()) and the expectations (see evaluate()). Throws
/// std::exception if the simulation itself fails; whatever the simulated software does wrong is part of the
/// result.
Result run(const Scenario& scenario);

} // namespace iommusim::host
