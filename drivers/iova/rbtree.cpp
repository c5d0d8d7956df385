#include "drivers/iova/rbtree.h"

#include <algorithm>
#include <bit>

namespace iommusim::iova {
namespace {
constexpr std::uint64_t anchor_pfn = ~0ull;
enum Form : std::uint64_t { linux_6_1 = 0, linux_2011 = 1 };
} // namespace

RbTreeAllocator::RbTreeAllocator(machine::Machine& machine, const Space& space,
                                 const IovaParameters& parameters)
    : space_(space),
      parameters_(parameters),
      tree_(&pool_),
      max_32_pages_(space.pfn_4gib),
      lock_(machine, "iova.rbtree") {
    cached_ = cached_32_ = tree_.emplace(anchor_pfn, anchor_pfn).first;
}

/// Levels that a descent to a node passes: what a balanced tree of this size has.
std::uint64_t RbTreeAllocator::depth() const { return std::bit_width(tree_.size()); }

std::uint64_t RbTreeAllocator::allocate(machine::Cpu& cpu, std::uint64_t pages, std::uint64_t limit_pfn,
                                        bool natural_alignment, bool) {
    const std::uint64_t end = std::min(limit_pfn, space_.end_pfn - 1) + 1; // first pfn beyond
    if (pages == 0 || pages >= end) {
        ++statistics_.failures;
        return failed;
    }
    const std::uint64_t alignment = natural_alignment ? std::bit_ceil(pages) : 1;
    std::uint64_t first = failed;
    cpu.spend(parameters_.node_allocation);
    {
        machine::SpinlockIrqGuard guard(lock_, cpu);
        std::uint64_t visited = 0;
        const Node above = parameters_.rbtree_form == linux_2011
                               ? search_2011(pages, end, alignment, first, visited)
                               : search(pages, end, ~(alignment - 1), first, visited);
        statistics_.nodes_visited += visited;
        statistics_.longest_search = std::max(statistics_.longest_search, visited);
        cpu.spend(visited * parameters_.search_step);
        if (first != failed) {
            // The hole was found from the node above it, so linking needs no descent.
            inserted(tree_.emplace_hint(above, first, first + pages - 1), end);
            cpu.spend(parameters_.tree_update);
        }
    }
    if (first == failed) {
        cpu.spend(parameters_.node_free);
        ++statistics_.failures;
        return failed;
    }
    ++statistics_.allocations;
    ++statistics_.tree_allocations;
    return first;
}

/// Finds the highest aligned hole below the node at which searches for this limit begin. Returns the node
/// above the hole; `first` stays `failed` if there is none.
RbTreeAllocator::Node RbTreeAllocator::search(std::uint64_t pages, std::uint64_t end, std::uint64_t mask,
                                              std::uint64_t& first, std::uint64_t& visited) {
    const bool below_4gib = end <= space_.pfn_4gib;
    if (below_4gib && pages >= max_32_pages_)
        return tree_.end();

    Node current = below_4gib ? cached_32_ : cached_;
    // Nothing above the cached node was looked at; that is what a second try is for.
    const std::uint64_t unseen_from = current->second;
    std::uint64_t low = space_.start_pfn;
    std::uint64_t high = end;
    for (bool retried = false;; retried = true) {
        Node above = current;
        std::uint64_t candidate = 0;
        for (;;) {
            ++visited;
            high = std::min(high, current->first);
            candidate = high < pages ? 0 : (high - pages) & mask;
            above = current;
            if (current == tree_.begin() || candidate < low)
                break;
            --current;
            if (candidate > current->second)
                break;
        }
        // At the lowest node there is no neighbour left to check against, only the lower bound.
        if (candidate >= low && candidate != 0) {
            first = candidate;
            return above;
        }
        if (retried || unseen_from >= end)
            break;
        high = end;
        low = unseen_from + 1;
        current = tree_.lower_bound(end);
        visited += depth();
    }
    if (below_4gib)
        max_32_pages_ = pages;
    return tree_.end();
}

/// As search(), in the form of 2011: top-down over ranges that are described by their last free page.
RbTreeAllocator::Node RbTreeAllocator::search_2011(std::uint64_t pages, std::uint64_t end,
                                                   std::uint64_t alignment, std::uint64_t& first,
                                                   std::uint64_t& visited) {
    Node above = std::prev(tree_.end()); // the anchor
    std::uint64_t high = end;            // first page that is not free
    if (end == space_.pfn_4gib && cached_32_ != above) {
        above = cached_32_;
        high = std::min(high, above->first);
    }
    for (;;) {
        ++visited;
        const std::uint64_t candidate = high < pages ? 0 : (high - pages) & ~(alignment - 1);
        if (candidate < space_.start_pfn)
            return tree_.end();
        if (above == tree_.begin() || candidate > std::prev(above)->second) {
            first = candidate;
            return above;
        }
        --above;
        high = std::min(high, above->first);
    }
}

void RbTreeAllocator::inserted(Node node, std::uint64_t end) {
    if (parameters_.rbtree_form == linux_2011) {
        if (end == space_.pfn_4gib)
            cached_32_ = node;
        return;
    }
    (node->second < space_.pfn_4gib ? cached_32_ : cached_) = node;
}

void RbTreeAllocator::erase(Node node) {
    const Node next = std::next(node); // at least the anchor
    const Node anchor = std::prev(tree_.end());
    if (parameters_.rbtree_form == linux_2011) {
        if (cached_32_ != anchor && node->first >= cached_32_->first)
            cached_32_ = next->first < space_.pfn_4gib ? next : anchor;
    } else {
        if (node == cached_32_ || (node->second < space_.pfn_4gib && node->first >= cached_32_->first))
            cached_32_ = next;
        if (node->first < space_.pfn_4gib)
            max_32_pages_ = space_.pfn_4gib;
        if (node->first >= cached_->first)
            cached_ = next;
    }
    tree_.erase(node);
}

void RbTreeAllocator::free(machine::Cpu& cpu, std::uint64_t pfn, std::uint64_t pages) {
    bool found = false;
    {
        machine::SpinlockIrqGuard guard(lock_, cpu);
        cpu.spend(depth() * parameters_.find_step);
        const Node node = tree_.find(pfn);
        found = node != tree_.end() && pfn != anchor_pfn && node->second - node->first + 1 == pages;
        if (found && parameters_.rbtree_form != linux_2011) {
            erase(node);
            cpu.spend(parameters_.tree_update);
        }
    }
    if (found && parameters_.rbtree_form == linux_2011) {
        // The range belongs to the caller: nobody can have removed it between the two lock holds.
        machine::SpinlockIrqGuard guard(lock_, cpu);
        erase(tree_.find(pfn));
        cpu.spend(parameters_.tree_update);
    }
    if (!found) {
        ++statistics_.bad_frees;
        return;
    }
    cpu.spend(parameters_.node_free);
    ++statistics_.frees;
    ++statistics_.tree_frees;
}

void RbTreeAllocator::free_many(machine::Cpu& cpu, const std::uint64_t* first_pfns, std::size_t count) {
    machine::SpinlockIrqGuard guard(lock_, cpu);
    for (std::size_t i = 0; i < count; ++i) {
        cpu.spend(depth() * parameters_.find_step);
        const Node node = tree_.find(first_pfns[i]);
        if (node == tree_.end() || first_pfns[i] == anchor_pfn) {
            ++statistics_.bad_frees;
            continue;
        }
        erase(node);
        cpu.spend(parameters_.tree_update + parameters_.node_free);
        ++statistics_.tree_frees;
    }
}

void RbTreeAllocator::reserve(std::uint64_t first_pfn, std::uint64_t last_pfn) {
    if (first_pfn > last_pfn || first_pfn == anchor_pfn)
        return;
    last_pfn = std::min(last_pfn, anchor_pfn - 1);
    // Merge with everything that overlaps.
    Node node = tree_.upper_bound(first_pfn);
    if (node != tree_.begin() && std::prev(node)->second >= first_pfn)
        --node;
    while (node->first <= last_pfn) {
        first_pfn = std::min(first_pfn, node->first);
        last_pfn = std::max(last_pfn, node->second);
        if (node == cached_ || node == cached_32_)
            cached_ = cached_32_ = std::prev(tree_.end());
        node = tree_.erase(node);
    }
    tree_.emplace(first_pfn, last_pfn);
}

} // namespace iommusim::iova
