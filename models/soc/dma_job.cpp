#include "models/soc/dma_job.h"

#include <algorithm>
#include <cstring>

namespace iommusim::soc {

namespace {

constexpr std::uint64_t golden_gamma = 0x9e3779b97f4a7c15ull;

/// Finaliser of SplitMix64 (Steele, Lea, Flood 2014): the same numbers on every host and standard library.
constexpr std::uint64_t mix(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

/// The pattern's bytes at the aligned eight bytes that hold `address`, lowest address in the lowest byte.
constexpr std::uint64_t pattern_word(std::uint64_t seed, std::uint64_t address) {
    return mix((address >> 3) * golden_gamma + seed);
}

/// Calls step(address, word, offset in data, bytes) for each piece inside one aligned word; stops when it
/// says false.
template <class Step>
bool for_each_word(std::uint64_t seed, std::uint64_t address, std::size_t length, Step step) {
    std::size_t done = 0;
    while (done < length) {
        const std::uint64_t at = address + done;
        const unsigned skipped = static_cast<unsigned>(at & 7);
        const std::size_t bytes = std::min<std::size_t>(8 - skipped, length - done);
        if (!step(pattern_word(seed, at) >> (8 * skipped), done, bytes))
            return false;
        done += bytes;
    }
    return true;
}

} // namespace

void fill_dma_pattern(std::uint64_t seed, std::uint64_t address, std::uint8_t* data, std::size_t length) {
    for_each_word(seed, address, length, [&](std::uint64_t word, std::size_t offset, std::size_t bytes) {
        if (bytes == 8) {
            std::memcpy(data + offset, &word, 8);
        } else {
            for (std::size_t i = 0; i < bytes; ++i)
                data[offset + i] = static_cast<std::uint8_t>(word >> (8 * i));
        }
        return true;
    });
}

bool matches_dma_pattern(std::uint64_t seed, std::uint64_t address, const std::uint8_t* data,
                         std::size_t length) {
    return for_each_word(seed, address, length,
                         [&](std::uint64_t word, std::size_t offset, std::size_t bytes) {
                             if (bytes == 8)
                                 return std::memcmp(data + offset, &word, 8) == 0;
                             for (std::size_t i = 0; i < bytes; ++i)
                                 if (data[offset + i] != static_cast<std::uint8_t>(word >> (8 * i)))
                                     return false;
                             return true;
                         });
}

const char* DmaJob::violation() const {
    if (length == 0 || length > max_length)
        return "length must be 1 byte to 1 MiB";
    if (outstanding == 0 || outstanding > max_outstanding)
        return "outstanding must be 1 to 65536";
    if (pattern > DmaPattern::list)
        return "unknown pattern";
    if (direction > DmaDirection::alternating)
        return "unknown direction";
    if ((pattern == DmaPattern::ring || pattern == DmaPattern::random) && window < length)
        return "the window of a ring or random job must hold at least one access";
    if (pattern == DmaPattern::random && (window - length) / (stride != 0 ? stride : length) >= (1ull << 32))
        return "the window of a random job must have at most 2^32 slots";
    if (pattern == DmaPattern::list && (addresses == nullptr || address_count == 0))
        return "a list job needs addresses";
    if (check == DmaCheck::buffer && contents == nullptr)
        return "a job checked against a buffer needs its contents";
    return nullptr;
}

DmaAddressSequence::DmaAddressSequence(const DmaJob& job)
    : pattern_(job.pattern),
      base_(job.base),
      step_(job.stride == 0 || job.pattern == DmaPattern::sequential ? job.length : job.stride),
      random_(job.address_seed),
      addresses_(job.addresses) {
    if (pattern_ == DmaPattern::ring || pattern_ == DmaPattern::random)
        slots_ = (job.window - job.length) / step_ + 1;
    else if (pattern_ == DmaPattern::list)
        slots_ = job.address_count;
}

std::uint64_t DmaAddressSequence::next() {
    if (pattern_ == DmaPattern::random) {
        random_ += golden_gamma;
        return base_ + (((mix(random_) >> 32) * slots_) >> 32) * step_;
    }
    const std::uint64_t slot = slot_++;
    if (slot_ == slots_)
        slot_ = 0;
    return pattern_ == DmaPattern::list ? addresses_[slot] : base_ + slot * step_;
}

} // namespace iommusim::soc
