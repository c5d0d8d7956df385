// Property tests draw the same cases on every run unless the environment (RC_PARAMS) asks for others.
#pragma once

#include <cstdlib>
#include <rapidcheck.h>

namespace iommusim::test {

inline const bool properties_are_reproducible = [] {
    ::setenv("RC_PARAMS", "seed=20240611 max_success=200", 0);
    return true;
}();

} // namespace iommusim::test
