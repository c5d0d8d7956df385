#include "platforms/host/distribution.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace iommusim::host {

Distribution& Distribution::operator=(const Distribution& other) {
    if (this != &other) {
        Distribution copy(other);
        *this = std::move(copy);
    }
    return *this;
}

void Distribution::record_first(std::uint64_t value, unsigned octave) {
    octaves_[octave] = std::make_unique<Octave>();
    record(value);
}

void Distribution::merge(const Distribution& other) {
    for (std::size_t i = 0; i < octaves_.size(); ++i) {
        if (!other.octaves_[i])
            continue;
        if (!octaves_[i])
            octaves_[i] = std::make_unique<Octave>();
        for (unsigned k = 0; k < steps; ++k)
            (*octaves_[i])[k] += (*other.octaves_[i])[k];
    }
    count_ += other.count_;
    min_ = std::min(min_, other.min_);
    max_ = std::max(max_, other.max_);
    sum_ += other.sum_;
    squares_ += other.squares_;
}

double Distribution::mean() const { return count_ ? double(sum_) / double(count_) : 0; }

double Distribution::stddev() const {
    if (count_ == 0)
        return 0;
    // count * squares - sum^2 would be exact but overflows early, so the samples are moved by the mean's
    // integer part first: sum((x - m)^2) = squares - 2 m sum + count m^2, all modulo 2^128 and small in the
    // end.
    const Wide m = sum_ / count_;
    const Wide moved_squares = squares_ - 2 * m * sum_ + Wide(count_) * m * m;
    const double moved_mean = double(sum_ - m * count_) / double(count_);
    const double variance = double(moved_squares) / double(count_) - moved_mean * moved_mean;
    return variance > 0 ? std::sqrt(variance) : 0;
}

std::uint64_t Distribution::percentile(unsigned per_mille) const {
    if (count_ == 0)
        return 0;
    const Wide wanted = (Wide(count_) * per_mille + 999) / 1000;
    const std::uint64_t rank = std::max<std::uint64_t>(1, std::uint64_t(wanted));
    std::uint64_t seen = 0;
    for (unsigned octave = 0; octave < octaves_.size(); ++octave) {
        if (!octaves_[octave])
            continue;
        for (unsigned k = 0; k < steps; ++k) {
            seen += (*octaves_[octave])[k];
            if (seen >= rank)
                return std::clamp(highest_value(octave, k), min_, max_);
        }
    }
    return max_;
}

Summary Distribution::summarize(std::string unit) const {
    return {std::move(unit), count(),         min(),           mean(), percentile(500),
            percentile(900), percentile(990), percentile(999), max(),  stddev()};
}

} // namespace iommusim::host
