// A first-in-first-out queue that stops allocating once it has seen its greatest length.
// C++17: public to foreign virtual platforms.
#pragma once

#include <cstddef>
#include <vector>

namespace iommusim::soc {

template <class T> class Fifo {
public:
    bool empty() const { return size_ == 0; }
    std::size_t size() const { return size_; }

    void push(const T& value) {
        if (size_ == ring_.size())
            grow();
        ring_[(head_ + size_++) & (ring_.size() - 1)] = value;
    }
    /// The oldest element, removed. Not empty.
    T pop() {
        T value = ring_[head_];
        head_ = (head_ + 1) & (ring_.size() - 1);
        --size_;
        return value;
    }

private:
    void grow() {
        std::vector<T> larger(ring_.empty() ? 16 : 2 * ring_.size());
        for (std::size_t i = 0; i < size_; ++i)
            larger[i] = ring_[(head_ + i) & (ring_.size() - 1)];
        ring_.swap(larger);
        head_ = 0;
    }

    std::vector<T> ring_; ///< length is 0 or a power of two
    std::size_t head_ = 0;
    std::size_t size_ = 0;
};

} // namespace iommusim::soc
