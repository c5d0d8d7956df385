// Table walks, written from the architectures' descriptions alone: the tests' judges of what page-table
// software wrote. They share nothing with the code under test, not even names of bits.
#pragma once

#include "tests/unit/drivers/driver_bench.h"

#include <cstdint>

namespace iommusim::test {

struct Walked {
    bool mapped = false;
    std::uint64_t physical = 0;
    std::uint64_t bytes = 0; ///< of the block or page
    std::uint64_t descriptor = 0;
    unsigned reads = 0;
};

/// Arm stage 1, 4 KiB granule.
inline Walked walk(const PlainRam& ram, std::uint64_t ttb, unsigned t0sz, std::uint64_t address) {
    Walked result;
    const unsigned input_bits = 64 - t0sz;
    if (address >> input_bits)
        return result;
    std::uint64_t table = ttb;
    for (unsigned low : {39u, 30u, 21u, 12u}) {
        if (low >= input_bits)
            continue; // this level does not exist for so few bits
        const std::uint64_t d = ram.word(table + 8 * ((address >> low) % 512));
        ++result.reads;
        result.descriptor = d;
        const unsigned type = d & 3;
        const std::uint64_t target = d & 0x0000'FFFF'FFFF'F000ull;
        const bool page = low == 12 && type == 3;
        const bool block = (low == 21 || low == 30) && type == 1;
        if (page || block) {
            result.mapped = true;
            result.bytes = 1ull << low;
            result.physical = target + address % result.bytes;
            return result;
        }
        if (type != 3)
            return result;
        table = target;
    }
    return result;
}

/// The two stages of VT-d differ in what makes an entry usable and in what is reserved.
struct VtdStage {
    std::uint64_t any;      ///< one of these bits must be set in every entry
    std::uint64_t all;      ///< all of these too
    std::uint64_t reserved; ///< none of these in entries that name a table
};

inline Walked walk_vtd(const PlainRam& ram, std::uint64_t root, unsigned levels, std::uint64_t address,
                       const VtdStage& stage) {
    Walked result;
    std::uint64_t table = root;
    for (unsigned low = 3 + 9 * levels;; low -= 9) {
        const std::uint64_t entry = ram.word(table + 8 * ((address >> low) % 512));
        ++result.reads;
        result.descriptor = entry;
        if ((entry & stage.any) == 0 || (entry & stage.all) != stage.all)
            return result;
        const std::uint64_t target = entry & 0x000F'FFFF'FFFF'F000ull;
        const bool large = low > 12 && (entry & 1 << 7) != 0;
        if (low == 12 || large) {
            result.bytes = 1ull << low;
            // Large leaves exist up to 1 GiB, their lower address bits are reserved.
            result.mapped = low <= 30 && target % result.bytes == 0;
            result.physical = target + address % result.bytes;
            return result;
        }
        if ((entry & stage.reserved) != 0)
            return result;
        table = target;
    }
}

/// Present is what may be read or written.
inline Walked walk_vtd_second_stage(const PlainRam& ram, std::uint64_t root, unsigned levels,
                                    std::uint64_t address) {
    if (address >> (12 + 9 * levels))
        return {};
    return walk_vtd(ram, root, levels, address, {3, 0, 1 << 11});
}

/// For an access without privilege, in the lower half of the address space.
inline Walked walk_vtd_first_stage(const PlainRam& ram, std::uint64_t root, unsigned levels,
                                   std::uint64_t address) {
    if (address >> (11 + 9 * levels))
        return {};
    return walk_vtd(ram, root, levels, address, {1, 1 | 4, 0});
}

} // namespace iommusim::test
