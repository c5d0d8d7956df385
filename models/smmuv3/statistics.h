// What one SMMUv3 counted. C++17: public.
#pragma once

#include "../core/statistics.h"

namespace iommusim::smmuv3 {

using iommusim::Statistics;

} // namespace iommusim::smmuv3
