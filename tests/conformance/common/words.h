// Structures in memory as tests write them: plain words whose fields are set one after the other. Independent
// of the drivers.
#pragma once

#include "models/base/bits.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace iommusim::test {

/// A structure of N 64-bit words.
template <std::size_t N> struct Words {
    std::array<std::uint64_t, N> words{};

    std::uint64_t get(Field field) const { return field.get(words.data()); }
    Words& with(Field field, std::uint64_t value) {
        field.set(words.data(), value);
        return *this;
    }
    /// An address field, which holds its bits in place.
    Words& at(Field field, std::uint64_t address) {
        std::uint64_t& word = words[field.word()];
        word = (word & ~field.mask()) | field.in_place(address);
        return *this;
    }
};

} // namespace iommusim::test
