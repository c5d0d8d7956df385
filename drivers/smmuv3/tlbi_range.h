// Which TLB invalidation commands cover an address range: one per granule, or, where the unit has range
// invalidation (IDR3.RIL), few commands of (NUM + 1) * 2^SCALE pages each.
#pragma once

#include <bit>
#include <cstdint>

namespace iommusim::smmuv3_driver {

/// The address operands of one TLBI command, as encoded.
struct TlbiPiece {
    std::uint64_t address = 0;
    unsigned num = 0;   ///< NUM
    unsigned scale = 0; ///< SCALE
    unsigned ttl = 0;   ///< TTL: level of the leaves, 0 any
    unsigned tg = 0;    ///< TG: 0 no range, 1 4K, 2 16K, 3 64K
};

/// Splits [address, address + size) into the pieces that one command each invalidates, in address order.
class TlbiRange {
public:
    /// `granule`: bytes of one leaf (leaf invalidation) or of the smallest page (non-leaf), a divisor of
    /// `size`. `smallest_page`: the translation granule of the table. `ranges`: use range commands.
    TlbiRange(std::uint64_t address, std::uint64_t size, std::uint64_t granule, std::uint64_t smallest_page,
              bool leaf, bool ranges)
        : address_(address), end_(address + size), granule_(granule), ranges_(ranges) {
        if (!ranges)
            return;
        page_shift_ = static_cast<unsigned>(std::countr_zero(smallest_page));
        const unsigned bits_per_level = page_shift_ - 3;
        tg_ = (page_shift_ - 10) / 2;
        pages_ = size >> page_shift_;
        if (leaf) {
            ttl_ = 4 - (static_cast<unsigned>(std::bit_width(granule)) - 1 - 3) / bits_per_level;
        } else if ((pages_ & max_num) == 1) {
            ++pages_; // the first piece would have NUM = SCALE = TTL = 0, which is illegal: cover one page
                      // more
        }
    }

    /// Hands out the next piece; false when the range is covered.
    bool next(TlbiPiece& piece) {
        if (address_ >= end_)
            return false;
        piece.address = address_;
        if (!ranges_) {
            address_ += granule_;
            return true;
        }
        piece.scale = static_cast<unsigned>(std::countr_zero(pages_));
        const std::uint64_t count = (pages_ >> piece.scale) & max_num;
        piece.num = static_cast<unsigned>(count - 1);
        piece.ttl = ttl_;
        piece.tg = tg_;
        pages_ -= count << piece.scale;
        address_ += count << (piece.scale + page_shift_);
        return true;
    }

private:
    static constexpr std::uint64_t max_num = 31;

    std::uint64_t address_;
    std::uint64_t end_;
    std::uint64_t granule_;
    std::uint64_t pages_ = 0;
    unsigned page_shift_ = 0;
    unsigned tg_ = 0;
    unsigned ttl_ = 0;
    bool ranges_;
};

} // namespace iommusim::smmuv3_driver
