// What random software and devices do in the property test of accesses, one operation at a time.
#pragma once

#include "tests/conformance/rules/rule_bench.h"
#include "tests/property/reproducible.h"

#include <iosfwd>
#include <vector>

namespace iommusim::rules {

/// Pages are counted in 4 KiB: of the input addresses from `first_input`, of the output from `first_output`.
inline constexpr std::uint64_t page_bytes = page_4k;
inline constexpr std::uint64_t first_input = 0x40'0000'0000;
inline constexpr std::uint64_t input_bytes = 4ull << 20; ///< two 2 MiB blocks
inline constexpr std::uint64_t first_output = 0x4000'0000;
inline constexpr std::uint64_t output_bytes = 4ull << 20;

struct Operation {
    enum Kind {
        map,
        unmap,
        read,
        write,
        invalidate, ///< translations, by `by`
        invalidate_device,
        invalidate_device_narrowly,
        invalidate_configuration,
        retarget, ///< leads the second device to the other address space
        complete, ///< a completion command, and waits for it
        wait,
        slow_down, ///< from now on, table and queue accesses take longer
        slow_data  ///< from now on, what the devices access takes longer
    } kind = read;
    By by = By::address;
    unsigned space = 0;       ///< 0 or 1; accesses: the device
    std::uint64_t page = 0;   ///< of the input addresses
    std::uint64_t target = 0; ///< page of the output
    unsigned amount = 0; ///< map, range: pages; wait, slow_down, slow_data: units of 50 ns; retarget: way

    bool operator==(const Operation&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Operation& operation);

/// The operations that an architecture has, as random as they should be.
rc::Gen<Operation> operations(const RuleTraits& traits);

} // namespace iommusim::rules
