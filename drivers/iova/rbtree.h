// One red-black tree of allocated address ranges under one spinlock. Two searches for a hole:
//
// 6.1   from a cached node downwards, below 4 GiB and above it each with a cache of its own; a failed 32-bit
// request is
//       remembered so that equally large ones fail at once; one retry from the limit.
// 2011  from the cached node only when the limit is exactly 4 GiB, otherwise from the top of the tree.
// Long-lived ranges
//       near the top make every allocation scan linearly (the pathology that EiovaR describes). A free takes
//       the lock twice: once to find the range, once to remove it.
//
// The tree is a std::map here; what the searches cost is counted in nodes as the real tree's walk visits
// them.
#pragma once

#include "drivers/iova/allocator.h"

#include <map>
#include <memory_resource>

namespace iommusim::iova {

class RbTreeAllocator final : public Allocator {
public:
    RbTreeAllocator(machine::Machine&, const Space&, const IovaParameters& = {});

    const char* name() const override { return "rbtree"; }
    std::uint64_t allocate(machine::Cpu&, std::uint64_t pages, std::uint64_t limit_pfn,
                           bool natural_alignment = true, bool last_resort = true) override;
    void free(machine::Cpu&, std::uint64_t pfn, std::uint64_t pages) override;
    void reserve(std::uint64_t first_pfn, std::uint64_t last_pfn) override;
    Statistics statistics() const override { return statistics_; }
    std::vector<const machine::Spinlock*> locks() const override { return {&lock_}; }

    /// Gives many ranges back under a single lock hold.
    void free_many(machine::Cpu&, const std::uint64_t* first_pfns, std::size_t count);
    /// Allocated ranges.
    std::size_t ranges() const { return tree_.size() - 1; }

private:
    using Tree = std::pmr::map<std::uint64_t, std::uint64_t>; ///< first pfn to last pfn
    using Node = Tree::iterator;

    Node search(std::uint64_t pages, std::uint64_t end, std::uint64_t mask, std::uint64_t& first,
                std::uint64_t& visited);
    Node search_2011(std::uint64_t pages, std::uint64_t end, std::uint64_t alignment, std::uint64_t& first,
                     std::uint64_t& visited);
    void inserted(Node, std::uint64_t end);
    void erase(Node);
    std::uint64_t depth() const;

    const Space space_;
    const IovaParameters parameters_;
    std::pmr::unsynchronized_pool_resource pool_;
    Tree tree_;                  ///< its last node is an anchor above every address
    Node cached_;                ///< where searches above 4 GiB begin
    Node cached_32_;             ///< where searches below 4 GiB begin; 2011: the anchor stands for none
    std::uint64_t max_32_pages_; ///< below 4 GiB, this many pages are known not to be free
    machine::Spinlock lock_;
    Statistics statistics_;
};

} // namespace iommusim::iova
