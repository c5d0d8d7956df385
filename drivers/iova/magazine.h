// Per-CPU caches of freed addresses ("magazines") in front of the tree: the usual allocation and free touch
// only the CPU's own cache lines. Six size classes (1 to 32 pages, powers of two); larger requests go to the
// tree.
//
// For each class and CPU two magazines, `loaded` and `previous`; for each class a depot of full magazines
// that all CPUs share. Addresses in magazines stay allocated in the tree. When the tree has nothing left,
// every magazine is emptied into it once and the allocation is tried again.
#pragma once

#include "drivers/iova/rbtree.h"

#include <array>
#include <deque>

namespace iommusim::iova {

class MagazineAllocator final : public Allocator {
public:
    static constexpr unsigned size_classes = 6;

    MagazineAllocator(machine::Machine&, const Space&, const IovaParameters& = {});

    const char* name() const override { return "magazine"; }
    std::uint64_t allocate(machine::Cpu&, std::uint64_t pages, std::uint64_t limit_pfn,
                           bool natural_alignment = true, bool last_resort = true) override;
    void free(machine::Cpu&, std::uint64_t pfn, std::uint64_t pages) override;
    void reserve(std::uint64_t first_pfn, std::uint64_t last_pfn) override {
        tree_.reserve(first_pfn, last_pfn);
    }
    Statistics statistics() const override;
    /// CPU caches (class-major, then by CPU), then depots, then the tree.
    std::vector<const machine::Spinlock*> locks() const override;

    const machine::Spinlock& cpu_lock(unsigned size_class, unsigned cpu) const {
        return class_cpu(size_class, cpu).lock;
    }
    const machine::Spinlock& depot_lock(unsigned size_class) const { return depots_[size_class].lock; }
    const machine::Spinlock& tree_lock() const { return *tree_.locks().front(); }
    /// Addresses that lie in magazines of one class.
    std::size_t cached(unsigned size_class) const;

private:
    using Magazine = std::vector<std::uint64_t>; ///< never longer than its capacity: the magazine size

    struct CpuCache {
        explicit CpuCache(machine::Machine& machine) : lock(machine, "iova.magazine.cpu") {}
        machine::Spinlock lock;
        Magazine loaded;
        Magazine previous;
    };
    struct Depot {
        explicit Depot(machine::Machine& machine) : lock(machine, "iova.magazine.depot") {}
        machine::Spinlock lock;
        std::vector<Magazine> full;
    };

    CpuCache& class_cpu(unsigned size_class, unsigned cpu) { return caches_[size_class * cpus_ + cpu]; }
    const CpuCache& class_cpu(unsigned size_class, unsigned cpu) const {
        return caches_[size_class * cpus_ + cpu];
    }
    bool full(const Magazine& m) const { return m.size() == parameters_.magazine_size; }
    std::uint64_t take(machine::Cpu&, unsigned size_class, std::uint64_t highest_first_pfn);
    void put(machine::Cpu&, unsigned size_class, std::uint64_t pfn);
    void flush(machine::Cpu&);
    Magazine new_magazine();
    void recycle(Magazine&&);

    const IovaParameters parameters_;
    const unsigned cpus_;
    RbTreeAllocator tree_;
    std::deque<CpuCache> caches_; ///< by class, then by CPU
    std::deque<Depot> depots_;    ///< by class
    std::vector<Magazine> spare_; ///< host memory of magazines that were freed
    Statistics statistics_;       ///< of the caches alone
};

} // namespace iommusim::iova
