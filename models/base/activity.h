// Tells a modelled CPU that runs ahead of the kernel whether what it knows about the kernel's queues may be
// out of date.
#pragma once

#include <cstdint>

namespace iommusim {

/// Counts the occasions on which code of ours put something into the kernel's event queues. Only compared for
/// equality; no result depends on its value.
inline std::uint64_t kernel_activity = 0;

} // namespace iommusim
