// A stage-1 table walk for the 4 KiB granule, written from the architecture's description alone: the tests'
// judge of what page-table software wrote. It shares nothing with the code under test, not even names of
// bits.
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

} // namespace iommusim::test
