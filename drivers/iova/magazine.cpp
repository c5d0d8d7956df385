#include "drivers/iova/magazine.h"

#include "drivers/machine/machine.h"

#include <bit>
#include <utility>

namespace iommusim::iova {
namespace {

constexpr std::uint64_t largest_cached = 1ull << (MagazineAllocator::size_classes - 1); // pages

unsigned class_of(std::uint64_t pages) { return static_cast<unsigned>(std::bit_width(pages - 1)); }

} // namespace

MagazineAllocator::MagazineAllocator(machine::Machine& machine, const Space& space,
                                     const IovaParameters& parameters)
    : parameters_(parameters), cpus_(machine.cpus()), tree_(machine, space, parameters) {
    for (unsigned c = 0; c < size_classes; ++c)
        depots_.emplace_back(machine);
    for (unsigned i = 0; i < size_classes * cpus_; ++i) {
        CpuCache& cache = caches_.emplace_back(machine);
        cache.loaded.reserve(parameters_.magazine_size);
        cache.previous.reserve(parameters_.magazine_size);
    }
}

MagazineAllocator::Magazine MagazineAllocator::new_magazine() {
    Magazine m;
    if (!spare_.empty()) {
        m = std::move(spare_.back());
        spare_.pop_back();
    } else {
        m.reserve(parameters_.magazine_size);
    }
    return m;
}

void MagazineAllocator::recycle(Magazine&& m) {
    m.clear();
    spare_.push_back(std::move(m));
}

/// Takes an address whose range begins at or below `highest_first_pfn` out of the own CPU's magazines.
std::uint64_t MagazineAllocator::take(machine::Cpu& cpu, unsigned size_class,
                                      std::uint64_t highest_first_pfn) {
    CpuCache& cache = class_cpu(size_class, cpu.index());
    machine::SpinlockIrqGuard guard(cache.lock, cpu);
    cpu.spend(parameters_.magazine_allocate);
    if (cache.loaded.empty()) {
        if (!cache.previous.empty()) {
            std::swap(cache.loaded, cache.previous);
        } else {
            Depot& depot = depots_[size_class];
            machine::SpinlockGuard depot_guard(depot.lock, cpu);
            if (depot.full.empty())
                return failed;
            recycle(std::exchange(cache.loaded, std::move(depot.full.back())));
            depot.full.pop_back();
            cpu.spend(parameters_.depot_exchange);
            ++statistics_.depot_loads;
        }
    }
    // From the top down the first that fits below the limit; the top one takes its place.
    Magazine& m = cache.loaded;
    for (std::size_t i = m.size(); i-- > 0;) {
        if (m[i] > highest_first_pfn) {
            cpu.spend(cpu.parameters().cached_access);
            continue;
        }
        const std::uint64_t pfn = m[i];
        m[i] = m.back();
        m.pop_back();
        return pfn;
    }
    return failed;
}

/// Puts an address into the own CPU's magazines; a full one goes to the depot, or back to the tree if the
/// depot is full.
void MagazineAllocator::put(machine::Cpu& cpu, unsigned size_class, std::uint64_t pfn) {
    CpuCache& cache = class_cpu(size_class, cpu.index());
    Magazine overflow;
    {
        machine::SpinlockIrqGuard guard(cache.lock, cpu);
        cpu.spend(parameters_.magazine_free);
        if (full(cache.loaded)) {
            if (!full(cache.previous)) {
                std::swap(cache.loaded, cache.previous);
            } else {
                cpu.spend(parameters_.magazine_allocation);
                Magazine empty = new_magazine();
                Depot& depot = depots_[size_class];
                machine::SpinlockGuard depot_guard(depot.lock, cpu);
                if (depot.full.size() < parameters_.depot_size) {
                    depot.full.push_back(std::exchange(cache.loaded, std::move(empty)));
                    ++statistics_.depot_stores;
                } else {
                    overflow = std::exchange(cache.loaded, std::move(empty));
                    ++statistics_.depot_overflows;
                }
                cpu.spend(parameters_.depot_exchange);
            }
        }
        cache.loaded.push_back(pfn);
    }
    if (!overflow.empty()) {
        tree_.free_many(cpu, overflow.data(), overflow.size());
        recycle(std::move(overflow));
    }
}

void MagazineAllocator::flush(machine::Cpu& cpu) {
    ++statistics_.cache_flushes;
    for (unsigned c = 0; c < size_classes; ++c) {
        for (unsigned i = 0; i < cpus_; ++i) {
            CpuCache& cache = class_cpu(c, i);
            machine::SpinlockIrqGuard guard(cache.lock, cpu);
            for (Magazine* m : {&cache.loaded, &cache.previous}) {
                if (m->empty())
                    continue;
                tree_.free_many(cpu, m->data(), m->size());
                m->clear();
            }
        }
        Depot& depot = depots_[c];
        machine::SpinlockIrqGuard guard(depot.lock, cpu);
        while (!depot.full.empty()) {
            tree_.free_many(cpu, depot.full.back().data(), depot.full.back().size());
            recycle(std::move(depot.full.back()));
            depot.full.pop_back();
        }
    }
}

std::uint64_t MagazineAllocator::allocate(machine::Cpu& cpu, std::uint64_t pages, std::uint64_t limit_pfn,
                                          bool natural_alignment, bool last_resort) {
    // Whatever may later be cached is allocated as a full member of its size class, so that it fits the next
    // user.
    if (pages != 0 && pages < largest_cached)
        pages = std::bit_ceil(pages);
    if (pages != 0 && pages <= largest_cached && pages <= limit_pfn) {
        if (const std::uint64_t pfn = take(cpu, class_of(pages), limit_pfn - pages + 1); pfn != failed) {
            ++statistics_.allocations;
            ++statistics_.cache_hits;
            return pfn;
        }
    }
    // Cached addresses are always handed out again as naturally aligned ones.
    natural_alignment = natural_alignment || pages <= largest_cached;
    std::uint64_t pfn = tree_.allocate(cpu, pages, limit_pfn, natural_alignment);
    if (pfn == failed && last_resort) {
        flush(cpu);
        pfn = tree_.allocate(cpu, pages, limit_pfn, natural_alignment);
    }
    ++(pfn == failed ? statistics_.failures : statistics_.allocations);
    return pfn;
}

void MagazineAllocator::free(machine::Cpu& cpu, std::uint64_t pfn, std::uint64_t pages) {
    if (pages == 0 || pages > largest_cached) {
        tree_.free(cpu, pfn, pages);
        return;
    }
    ++statistics_.frees;
    put(cpu, class_of(pages), pfn);
}

Statistics MagazineAllocator::statistics() const {
    const Statistics tree = tree_.statistics();
    Statistics total = statistics_;
    total.frees += tree.frees;
    total.bad_frees = tree.bad_frees;
    total.tree_allocations = tree.tree_allocations;
    total.tree_frees = tree.tree_frees;
    total.nodes_visited = tree.nodes_visited;
    total.longest_search = tree.longest_search;
    return total;
}

std::vector<const machine::Spinlock*> MagazineAllocator::locks() const {
    std::vector<const machine::Spinlock*> all;
    for (const CpuCache& cache : caches_)
        all.push_back(&cache.lock);
    for (const Depot& depot : depots_)
        all.push_back(&depot.lock);
    all.push_back(&tree_lock());
    return all;
}

std::size_t MagazineAllocator::cached(unsigned size_class) const {
    std::size_t sum = 0;
    for (unsigned i = 0; i < cpus_; ++i)
        sum += class_cpu(size_class, i).loaded.size() + class_cpu(size_class, i).previous.size();
    for (const Magazine& m : depots_[size_class].full)
        sum += m.size();
    return sum;
}

} // namespace iommusim::iova
