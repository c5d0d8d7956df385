// Distribution of unsigned samples (latencies in ps, sizes, counts): a log-linear histogram with exact
// extremes, sum and sum of squares. Recording costs a few dozen instructions and allocates only when a sample
// is the first of its octave.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <memory>
#include <string>

namespace iommusim::host {

/// What is left of a distribution in a result: plain data, in the unit named. All zero if count is 0.
struct Summary {
    std::string unit;
    std::uint64_t count = 0;
    std::uint64_t min = 0;
    double mean = 0;
    std::uint64_t p50 = 0;
    std::uint64_t p90 = 0;
    std::uint64_t p99 = 0;
    std::uint64_t p999 = 0;
    std::uint64_t max = 0;
    double stddev = 0; ///< of the whole population, not an estimate from a sample of it
};

class Distribution {
public:
    Distribution() = default;
    Distribution(Distribution&&) = default;
    Distribution& operator=(Distribution&&) = default;
    Distribution(const Distribution& other) { merge(other); }
    Distribution& operator=(const Distribution& other);

    void record(std::uint64_t value) {
        const unsigned octave = octave_of(value);
        Octave* const counts = octaves_[octave].get();
        if (!counts) [[unlikely]]
            return record_first(value, octave);
        ++(*counts)[offset_of(value, octave)];
        ++count_;
        min_ = value < min_ ? value : min_;
        max_ = value > max_ ? value : max_;
        sum_ += value;
        squares_ += Wide(value) * value;
    }

    /// As if every sample of `other` had been recorded here.
    void merge(const Distribution& other);

    std::uint64_t count() const { return count_; }
    std::uint64_t min() const { return count_ ? min_ : 0; } ///< exact
    std::uint64_t max() const { return max_; }              ///< exact
    double mean() const;                                    ///< from the exact sum
    double stddev() const;                                  ///< exact while the sum of squares is below 2^128

    /// The smallest recorded value that at least `per_mille`/1000 of the samples do not exceed, to a relative
    /// precision of 1/1024 (exact below 2048); 0 without samples.
    std::uint64_t percentile(unsigned per_mille) const;

    Summary summarize(std::string unit) const;

private:
    __extension__ typedef unsigned __int128 Wide;

    // Octave 0 holds 0..1023 one by one; octave k holds [2^(k+9), 2^(k+10)) in 1024 steps of 2^(k-1).
    static constexpr unsigned step_bits = 10;
    static constexpr unsigned steps = 1u << step_bits;
    using Octave = std::array<std::uint64_t, steps>;

    /// The same for a sample whose octave has no counters yet.
    void record_first(std::uint64_t value, unsigned octave);

    static unsigned octave_of(std::uint64_t value) {
        const unsigned width = unsigned(std::bit_width(value | (steps - 1)));
        return width - step_bits;
    }
    static unsigned offset_of(std::uint64_t value, unsigned octave) {
        return octave == 0 ? unsigned(value) : unsigned(value >> (octave - 1)) - steps;
    }
    static std::uint64_t highest_value(unsigned octave, unsigned offset) {
        return octave == 0 ? offset : ((std::uint64_t{steps} + offset + 1) << (octave - 1)) - 1;
    }

    std::array<std::unique_ptr<Octave>, 64 - step_bits + 1> octaves_;
    std::uint64_t count_ = 0;
    std::uint64_t min_ = ~std::uint64_t{0};
    std::uint64_t max_ = 0;
    Wide sum_ = 0;
    Wide squares_ = 0;
};

} // namespace iommusim::host
