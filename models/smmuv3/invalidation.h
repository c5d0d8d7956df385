// What an invalidation command names, decoded (Arm IHI 0070 sections 4.3 and 4.4).
#pragma once

#include "models/core/tag.h"

#include <cstdint>

namespace iommusim::smmuv3 {

/// Which command an effect belongs to.
struct CommandContext {
    const char* name;
    std::uint32_t index; ///< queue position, wrap bit included
};

struct TlbInvalidation {
    TagScope scope;             ///< address-space bits
    bool by_address = false;    ///< false: the whole scope
    std::uint64_t first = 0;    ///< canonical
    std::uint64_t last = ~0ull; ///< inclusive
    bool leaf_only = false;     ///< Leaf = 1: table descriptors may stay
    unsigned level = 0;         ///< TTL: only leaves of this level, 0: any
};

struct ConfigurationInvalidation {
    enum class Kind : std::uint8_t { all, streams, substream } kind = Kind::all;
    std::uint32_t stream = 0; ///< the first, aligned to 2^log2_streams
    unsigned log2_streams = 0;
    std::uint32_t substream = 0;
};

} // namespace iommusim::smmuv3
