// AMD-Vi: the way in which page table entries and commands carry a size in the low bits of an address: the
// lowest 0 from bit 12 on is at bit n, the size is 2^(n+1), and the address is aligned to it. C++17.
#pragma once

#include "../../base/bits.h"

#include <cstdint>

namespace iommusim::amdvi::spec::size_code {

/// Position of the lowest 0 at or above bit 12; 64 if there is none.
constexpr unsigned lowest_zero(std::uint64_t address) {
    for (unsigned position = 12; position < 64; ++position)
        if (((address >> position) & 1) == 0)
            return position;
    return 64;
}

/// The address whose low bits say 2^log2_bytes, 13 or more, around `address`.
constexpr std::uint64_t encode(std::uint64_t address, unsigned log2_bytes) {
    return (address & ~low_bits(log2_bytes)) | (low_bits(log2_bytes - 1) & ~low_bits(12));
}

} // namespace iommusim::amdvi::spec::size_code
