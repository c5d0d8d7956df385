// One translation as the IOTLB keeps it, and what a walk brings.
#pragma once

#include "models/base/time.h"

#include <cstdint>

namespace iommusim::vtd {

/// What a page lets whom do. Second-stage tables do not tell the two privileges apart.
enum Permission : std::uint8_t { user_read = 1, user_write = 2, supervisor_read = 4, supervisor_write = 8 };

struct IotlbEntry {
    std::uint64_t output = 0; ///< of the first byte
    Picoseconds filled_at = 0;
    std::uint64_t context = 0; ///< tag: domain, PASID, kind, global
    std::uint8_t size_log2 = 12;
    std::uint8_t level = 1; ///< of the leaf: 1, 2 (2 MiB), 3 (1 GiB)
    std::uint8_t permissions = 0;
    std::uint8_t reason = 0; ///< CM = 1: an erroneous or not-present entry, with the fault it gives
    bool dirty = false;      ///< a write needs no update of the tables (no D bit in use, or D already set)

    std::uint64_t size() const { return 1ull << size_log2; }
};

struct WalkResult {
    std::uint8_t reason = 0; ///< fault reason code; 0: `entry` is valid
    /// The fault may be cached (CM = 1, second stage): `entry` then tells for which addresses.
    bool cacheable = false;
    IotlbEntry entry;
};

} // namespace iommusim::vtd
