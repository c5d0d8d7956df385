// Allocators of IO virtual addresses: which pages of a domain's input range a mapping gets. Unit of
// everything here is the IOVA granule (pfn = IOVA / granule).
#pragma once

#include "drivers/machine/cpu.h"
#include "drivers/machine/spinlock.h"

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace iommusim::machine {
class Machine;
}

namespace iommusim::iova {

/// CPU time of the allocators' own code. Locks cost what locks cost and come on top.
struct IovaParameters {
    IovaParameters() { set_defaults(*this); }
    static const std::vector<Parameter<IovaParameters>>& table();

    std::uint64_t search_step;         ///< one node of the linear search for a hole, ps
    std::uint64_t find_step;           ///< one node of the descent to a known address, ps
    std::uint64_t node_allocation;     ///< a tree node from the slab allocator, ps
    std::uint64_t node_free;           ///< back to it, ps
    std::uint64_t tree_update;         ///< linking or unlinking a node, rebalancing included, ps
    std::uint64_t magazine_allocate;   ///< taking an address from a per-CPU magazine, ps
    std::uint64_t magazine_free;       ///< putting one into it, ps
    std::uint64_t magazine_allocation; ///< a new empty magazine, ps
    std::uint64_t depot_exchange;      ///< moving a magazine to or from the depot under its lock, ps
    std::uint64_t rbtree_form;         ///< choice: 6.1 | 2011
    std::uint64_t magazine_size;       ///< addresses in a magazine
    std::uint64_t depot_size;          ///< full magazines that the depot of one size class keeps
};

/// The addresses to hand out.
struct Space {
    std::uint64_t start_pfn = 1;         ///< lowest; page 0 is never handed out
    std::uint64_t end_pfn = 1ull << 36;  ///< first page beyond
    std::uint64_t pfn_4gib = 1ull << 20; ///< first page at or above 4 GiB: below it 32-bit devices compete
};

struct Statistics {
    std::uint64_t allocations = 0; ///< successful
    std::uint64_t failures = 0;
    std::uint64_t frees = 0;
    std::uint64_t bad_frees = 0;        ///< of addresses that were not allocated: ignored
    std::uint64_t tree_allocations = 0; ///< served by the tree
    std::uint64_t tree_frees = 0;
    std::uint64_t nodes_visited = 0; ///< by linear searches
    std::uint64_t longest_search = 0;
    std::uint64_t cache_hits = 0;   ///< allocations served by the own CPU's magazines
    std::uint64_t depot_loads = 0;  ///< full magazines taken from a depot
    std::uint64_t depot_stores = 0; ///< full magazines given to a depot
    std::uint64_t depot_overflows =
        0;                           ///< full magazines that went back to the tree because the depot was full
    std::uint64_t cache_flushes = 0; ///< all magazines emptied because the tree had nothing left
};

class Allocator {
public:
    static constexpr std::uint64_t failed = 0;

    virtual ~Allocator() = default;
    virtual const char* name() const = 0;

    /// `pages` (> 0) consecutive pages, none above `limit_pfn` (inclusive); with `natural_alignment` the
    /// first one is a multiple of `pages` rounded up to a power of two. With `last_resort` false an allocator
    /// that caches may fail although cached addresses are free. Returns the first pfn or `failed`.
    virtual std::uint64_t allocate(machine::Cpu&, std::uint64_t pages, std::uint64_t limit_pfn,
                                   bool natural_alignment = true, bool last_resort = true) = 0;
    /// Gives back what allocate() returned for this number of pages; on any CPU.
    virtual void free(machine::Cpu&, std::uint64_t pfn, std::uint64_t pages) = 0;
    /// Takes [first_pfn, last_pfn] out of the space for good. Before the first allocation.
    virtual void reserve(std::uint64_t first_pfn, std::uint64_t last_pfn) = 0;

    virtual Statistics statistics() const = 0;
    /// Every lock, hottest kind first; their names say what they protect.
    virtual std::vector<const machine::Spinlock*> locks() const = 0;
};

/// "rbtree" or "magazine"; null for any other name.
std::unique_ptr<Allocator> make_allocator(std::string_view name, machine::Machine&, const Space&,
                                          const IovaParameters& = {});
/// The names that make_allocator() knows.
const std::vector<std::string_view>& allocator_names();

} // namespace iommusim::iova
