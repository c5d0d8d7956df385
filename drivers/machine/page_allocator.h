// The physical page allocator of the modelled machine: hands out page-aligned runs of a range of simulated
// RAM. Deterministic: the same sequence of calls gives the same addresses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace iommusim::machine {

class PageAllocator {
public:
    static constexpr std::uint64_t page_size = 4096;
    static constexpr std::uint64_t none = ~0ull; ///< no address: out of memory

    /// Pages of [base, base + size), rounded inwards to whole pages.
    PageAllocator(std::uint64_t base, std::uint64_t size);

    /// `count` adjacent pages at a multiple of `alignment` (a power of two); `none` if there is no such run.
    /// Neither zeroed nor charged: software uses Cpu::allocate_pages(), platforms use this before the
    /// simulation (RAM is zero).
    std::uint64_t allocate(std::size_t count, std::uint64_t alignment = page_size);
    /// False, and nothing happens, unless every page of the run is allocated.
    bool free(std::uint64_t address, std::size_t count);

    /// Never hands out what lies in [address, address + bytes): a hole in the RAM. Before the first
    /// allocation.
    void reserve(std::uint64_t address, std::uint64_t bytes);

    std::uint64_t base() const { return base_; }
    std::uint64_t end() const { return end_; }
    std::size_t pages_in_use() const { return in_use_; }
    std::size_t most_pages_in_use() const { return most_in_use_; }

private:
    std::uint64_t take_run(std::uint64_t bytes, std::uint64_t alignment);
    void add_run(std::uint64_t address, std::uint64_t bytes);
    void mark(std::uint64_t address, std::size_t count, bool allocated);

    std::uint64_t base_;
    std::uint64_t end_;
    std::map<std::uint64_t, std::uint64_t> runs_; ///< free runs: address, bytes; neighbours are merged
    std::vector<std::uint64_t> single_pages_;     ///< recently freed single pages, reused first
    std::vector<bool> allocated_;
    std::size_t in_use_ = 0;
    std::size_t most_in_use_ = 0;
};

} // namespace iommusim::machine
