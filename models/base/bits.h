// Bit fields of registers and memory structures, named once and used by name everywhere.
// C++17: layout headers are usable by foreign software too.
#pragma once

#include <cstdint>

namespace iommusim {

/// A field of a structure that is an array of 64-bit little-endian words. Positions are those of the
/// specification, counted over the whole structure; a field never crosses a 64-bit word.
struct Field {
    unsigned msb;
    unsigned lsb;

    constexpr unsigned word() const { return lsb / 64; }
    constexpr unsigned shift() const { return lsb % 64; }
    constexpr unsigned width() const { return msb - lsb + 1; }
    constexpr std::uint64_t max() const { return width() == 64 ? ~0ull : (1ull << width()) - 1; }
    /// The field's bits inside its 64-bit word.
    constexpr std::uint64_t mask() const { return max() << shift(); }

    constexpr std::uint64_t get(std::uint64_t value) const { return (value >> shift()) & max(); }
    constexpr std::uint64_t get(const std::uint64_t* words) const { return get(words[word()]); }

    /// `value` placed in position, all other bits 0; excess bits are dropped.
    constexpr std::uint64_t make(std::uint64_t value) const { return (value & max()) << shift(); }
    constexpr std::uint64_t put(std::uint64_t old, std::uint64_t value) const {
        return (old & ~mask()) | make(value);
    }
    constexpr void set(std::uint64_t* words, std::uint64_t value) const {
        words[word()] = put(words[word()], value);
    }

    /// The bits of an address field, left where they are (for fields that hold addr[msb:lsb] in place).
    constexpr std::uint64_t in_place(std::uint64_t value) const { return value & mask(); }
    constexpr std::uint64_t in_place(const std::uint64_t* words) const { return in_place(words[word()]); }
};

constexpr Field bit(unsigned position) { return Field{position, position}; }
constexpr Field bits(unsigned msb, unsigned lsb) { return Field{msb, lsb}; }

constexpr std::uint64_t low_bits(unsigned count) { return count >= 64 ? ~0ull : (1ull << count) - 1; }
constexpr std::uint64_t align_down(std::uint64_t value, std::uint64_t power_of_two) {
    return value & ~(power_of_two - 1);
}
constexpr std::uint64_t align_up(std::uint64_t value, std::uint64_t power_of_two) {
    return (value + power_of_two - 1) & ~(power_of_two - 1);
}

} // namespace iommusim
