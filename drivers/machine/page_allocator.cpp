#include "drivers/machine/page_allocator.h"

#include "models/base/bits.h"

#include <algorithm>
#include <iterator>

namespace iommusim::machine {

PageAllocator::PageAllocator(std::uint64_t base, std::uint64_t size)
    : base_(align_up(base, page_size)),
      end_(std::max(base_, align_down(base + size, page_size))),
      allocated_((end_ - base_) / page_size, false) {
    if (end_ > base_)
        runs_.emplace(base_, end_ - base_);
}

std::uint64_t PageAllocator::allocate(std::size_t count, std::uint64_t alignment) {
    if (count == 0 || count > allocated_.size() || (alignment & (alignment - 1)) != 0)
        return none;
    std::uint64_t address;
    if (count == 1 && alignment <= page_size && !single_pages_.empty()) {
        address = single_pages_.back();
        single_pages_.pop_back();
    } else {
        address = take_run(count * page_size, std::max(alignment, page_size));
        if (address == none && !single_pages_.empty()) {
            for (const std::uint64_t page : single_pages_)
                add_run(page, page_size);
            single_pages_.clear();
            address = take_run(count * page_size, std::max(alignment, page_size));
        }
        if (address == none)
            return none;
    }
    mark(address, count, true);
    in_use_ += count;
    most_in_use_ = std::max(most_in_use_, in_use_);
    return address;
}

bool PageAllocator::free(std::uint64_t address, std::size_t count) {
    if (address < base_ || address >= end_ || address % page_size != 0 || count == 0 ||
        count > (end_ - address) / page_size)
        return false;
    const std::size_t first = (address - base_) / page_size;
    for (std::size_t i = 0; i < count; ++i)
        if (!allocated_[first + i])
            return false;
    mark(address, count, false);
    in_use_ -= count;
    if (count == 1)
        single_pages_.push_back(address);
    else
        add_run(address, count * page_size);
    return true;
}

void PageAllocator::reserve(std::uint64_t address, std::uint64_t bytes) {
    const std::uint64_t first = align_down(address, page_size);
    const std::uint64_t last = align_up(address + bytes, page_size);
    std::map<std::uint64_t, std::uint64_t> rest;
    for (const auto& [begin, size] : runs_) {
        const std::uint64_t end = begin + size;
        if (begin < std::min(first, end))
            rest.emplace(begin, std::min(first, end) - begin);
        if (std::max(last, begin) < end)
            rest.emplace(std::max(last, begin), end - std::max(last, begin));
    }
    runs_ = std::move(rest);
}

// First fit: the lowest address that holds an aligned run.
std::uint64_t PageAllocator::take_run(std::uint64_t bytes, std::uint64_t alignment) {
    for (auto run = runs_.begin(); run != runs_.end(); ++run) {
        const std::uint64_t run_end = run->first + run->second;
        const std::uint64_t address = align_up(run->first, alignment);
        if (address < run->first || address > run_end || run_end - address < bytes)
            continue;
        const std::uint64_t before = address - run->first;
        const std::uint64_t after = run_end - address - bytes;
        if (before == 0)
            runs_.erase(run);
        else
            run->second = before;
        if (after != 0)
            runs_.emplace(address + bytes, after);
        return address;
    }
    return none;
}

void PageAllocator::add_run(std::uint64_t address, std::uint64_t bytes) {
    auto next = runs_.lower_bound(address);
    if (next != runs_.end() && address + bytes == next->first) {
        bytes += next->second;
        next = runs_.erase(next);
    }
    if (next != runs_.begin()) {
        const auto previous = std::prev(next);
        if (previous->first + previous->second == address) {
            previous->second += bytes;
            return;
        }
    }
    runs_.emplace(address, bytes);
}

void PageAllocator::mark(std::uint64_t address, std::size_t count, bool allocated) {
    const auto first = allocated_.begin() + static_cast<std::ptrdiff_t>((address - base_) / page_size);
    std::fill_n(first, count, allocated);
}

} // namespace iommusim::machine
