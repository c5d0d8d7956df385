#include "drivers/iova/magazine.h"

#include "tests/unit/drivers/driver_bench.h"

#include <gtest/gtest.h>
#include <set>

using namespace iommusim;
using iova::Allocator;
using iova::MagazineAllocator;
using machine::Cpu;

namespace {

constexpr std::uint64_t limit_48 = (1ull << 36) - 1;

std::uint64_t acquisitions(const machine::Spinlock& lock) { return lock.statistics().acquisitions; }

} // namespace

TEST(Magazine, AHitTakesOnlyTheOwnCpusLock) {
    test::DriverBench bench(2);
    MagazineAllocator allocator(bench.machine, {});
    bench.run([&](Cpu& cpu) { allocator.free(cpu, allocator.allocate(cpu, 1, limit_48), 1); });
    std::vector<std::uint64_t> before;
    for (const machine::Spinlock* lock : allocator.locks())
        before.push_back(acquisitions(*lock));
    bench.run([&](Cpu& cpu) {
        for (unsigned i = 0; i < 100; ++i)
            allocator.free(cpu, allocator.allocate(cpu, 1, limit_48), 1);
    });
    std::uint64_t changed = 0;
    for (std::size_t i = 0; i < before.size(); ++i)
        changed += acquisitions(*allocator.locks()[i]) != before[i];
    EXPECT_EQ(changed, 1u);
    EXPECT_EQ(acquisitions(allocator.cpu_lock(0, 0)), 2u + 200);
    EXPECT_EQ(allocator.statistics().cache_hits, 100u);
    EXPECT_EQ(allocator.statistics().tree_allocations, 1u);
}

TEST(Magazine, AHitCostsALockAndTheMagazinesOwnCode) {
    test::DriverBench bench;
    MagazineAllocator allocator(bench.machine, {});
    bench.run([&](Cpu& cpu) {
        allocator.free(cpu, allocator.allocate(cpu, 1, limit_48), 1);
        const iova::IovaParameters p;
        const Picoseconds lock = cpu.parameters().atomic + cpu.parameters().cached_access;
        const Picoseconds start = cpu.time();
        const std::uint64_t pfn = allocator.allocate(cpu, 1, limit_48);
        EXPECT_EQ(cpu.time() - start, lock + p.magazine_allocate);
        const Picoseconds middle = cpu.time();
        allocator.free(cpu, pfn, 1);
        EXPECT_EQ(cpu.time() - middle, lock + p.magazine_free);
    });
}

TEST(Magazine, EachSizeClassServesItsPowerOfTwo) {
    test::DriverBench bench;
    MagazineAllocator allocator(bench.machine, {});
    bench.run([&](Cpu& cpu) {
        for (const auto& [pages, size_class] :
             {std::pair(1u, 0u), {2u, 1u}, {3u, 2u}, {4u, 2u}, {5u, 3u}, {17u, 5u}, {31u, 5u}, {32u, 5u}}) {
            const std::size_t before = allocator.cached(size_class);
            const std::uint64_t pfn = allocator.allocate(cpu, pages, limit_48);
            EXPECT_EQ(pfn % std::bit_ceil(pages), 0u);
            const std::size_t left = allocator.cached(size_class);
            allocator.free(cpu, pfn, pages);
            EXPECT_EQ(allocator.cached(size_class), left + 1) << pages;
            EXPECT_LE(left, before);
        }
        const std::uint64_t large = allocator.allocate(cpu, 33, limit_48);
        allocator.free(cpu, large, 33);
        EXPECT_EQ(allocator.statistics().tree_frees, 1u) << "larger ranges are not cached";
        // 3 pages were allocated as 4: the next user of the class may have all of them.
        const std::uint64_t a = allocator.allocate(cpu, 3, limit_48);
        allocator.free(cpu, a, 3);
        EXPECT_EQ(allocator.allocate(cpu, 4, limit_48), a);
    });
}

TEST(Magazine, NeverHandsOutACachedAddressAboveTheLimit) {
    test::DriverBench bench;
    MagazineAllocator allocator(bench.machine, {});
    bench.run([&](Cpu& cpu) {
        const std::uint64_t high = allocator.allocate(cpu, 2, limit_48);
        const std::uint64_t low = allocator.allocate(cpu, 2, 1000);
        allocator.free(cpu, low, 2);
        allocator.free(cpu, high, 2);
        EXPECT_EQ(allocator.allocate(cpu, 2, low + 1), low) << "found below the top of the magazine";
        EXPECT_LE(allocator.allocate(cpu, 2, 1000) + 1, 1000u) << "the tree serves what no magazine can";
        EXPECT_EQ(allocator.allocate(cpu, 2, limit_48), high);
    });
}

TEST(Magazine, AddressesFreedOnAnotherCpuComeBackThroughTheDepot) {
    test::DriverBench bench(2);
    MagazineAllocator allocator(bench.machine, {});
    constexpr std::size_t count = 127 * 4;
    std::vector<std::uint64_t> live;
    bench.run([&](Cpu& cpu) {
        for (std::size_t i = 0; i < count; ++i)
            live.push_back(allocator.allocate(cpu, 1, limit_48));
    });
    bench.run(
        [&](Cpu& cpu) {
            for (const std::uint64_t pfn : live)
                allocator.free(cpu, pfn, 1);
        },
        1);
    EXPECT_EQ(allocator.statistics().depot_stores, 2u) << "two magazines stay on the CPU that freed";
    EXPECT_EQ(acquisitions(allocator.cpu_lock(0, 0)), count) << "freeing did not touch the other CPU";
    const std::uint64_t tree = acquisitions(allocator.tree_lock());
    std::set<std::uint64_t> again;
    bench.run([&](Cpu& cpu) {
        for (std::size_t i = 0; i < 127 * 2; ++i)
            again.insert(allocator.allocate(cpu, 1, limit_48));
    });
    EXPECT_EQ(again.size(), 127u * 2);
    EXPECT_EQ(allocator.statistics().depot_loads, 2u);
    EXPECT_EQ(acquisitions(allocator.tree_lock()), tree) << "the tree is not asked while the depot has some";
    for (const std::uint64_t pfn : again)
        EXPECT_TRUE(std::find(live.begin(), live.end(), pfn) != live.end());
}

TEST(Magazine, SwapsItsTwoMagazinesInsteadOfGoingToTheDepotAtOnce) {
    test::DriverBench bench;
    MagazineAllocator allocator(bench.machine, {});
    bench.run([&](Cpu& cpu) {
        std::vector<std::uint64_t> live;
        for (unsigned i = 0; i < 254; ++i)
            live.push_back(allocator.allocate(cpu, 1, limit_48));
        const std::uint64_t misses = acquisitions(allocator.depot_lock(0));
        // Around a magazine's end in both directions, many times.
        for (unsigned round = 0; round < 10; ++round) {
            for (const std::uint64_t pfn : live)
                allocator.free(cpu, pfn, 1);
            for (std::uint64_t& pfn : live)
                pfn = allocator.allocate(cpu, 1, limit_48);
        }
        EXPECT_EQ(acquisitions(allocator.depot_lock(0)), misses);
    });
    EXPECT_EQ(allocator.statistics().cache_hits, 2540u);
}

TEST(Magazine, AFullDepotSendsAMagazineBackToTheTreeUnderOneLockHold) {
    test::DriverBench bench;
    iova::IovaParameters p;
    p.depot_size = 2;
    MagazineAllocator allocator(bench.machine, {}, p);
    bench.run([&](Cpu& cpu) {
        std::vector<std::uint64_t> live;
        for (unsigned i = 0; i < 127 * 5; ++i)
            live.push_back(allocator.allocate(cpu, 1, limit_48));
        const std::uint64_t tree = acquisitions(allocator.tree_lock());
        for (const std::uint64_t pfn : live)
            allocator.free(cpu, pfn, 1);
        EXPECT_EQ(allocator.statistics().depot_overflows, 1u);
        EXPECT_EQ(allocator.statistics().depot_stores, 2u);
        EXPECT_EQ(acquisitions(allocator.tree_lock()), tree + 1);
    });
    EXPECT_EQ(allocator.statistics().tree_frees, 127u);
    EXPECT_EQ(allocator.cached(0), 4u * 127);
    EXPECT_GE(allocator.tree_lock().statistics().maximum_hold, 127 * p.tree_update);
}

TEST(Magazine, EmptiesAllMagazinesOnceBeforeItGivesUp) {
    test::DriverBench bench(2);
    MagazineAllocator allocator(bench.machine, {.start_pfn = 1, .end_pfn = 65});
    std::vector<std::uint64_t> live;
    bench.run([&](Cpu& cpu) {
        while (const std::uint64_t pfn = allocator.allocate(cpu, 1, limit_48))
            live.push_back(pfn);
        EXPECT_EQ(live.size(), 64u);
    });
    const std::uint64_t flushes = allocator.statistics().cache_flushes;
    EXPECT_EQ(flushes, 1u) << "the one that found nothing";
    bench.run(
        [&](Cpu& cpu) {
            for (const std::uint64_t pfn : live)
                allocator.free(cpu, pfn, 1);
        },
        1);
    bench.run([&](Cpu& cpu) {
        EXPECT_EQ(allocator.allocate(cpu, 8, limit_48, true, false), Allocator::failed)
            << "others' caches hold it all";
        EXPECT_EQ(allocator.statistics().cache_flushes, flushes);
        EXPECT_NE(allocator.allocate(cpu, 8, limit_48), Allocator::failed);
        EXPECT_EQ(allocator.statistics().cache_flushes, flushes + 1);
        EXPECT_EQ(allocator.cached(0), 0u);
    });
}

TEST(Allocators, AreMadeByName) {
    test::DriverBench bench;
    for (const std::string_view name : iova::allocator_names()) {
        const auto allocator = iova::make_allocator(name, bench.machine, {});
        ASSERT_NE(allocator, nullptr);
        EXPECT_EQ(allocator->name(), name);
        EXPECT_FALSE(allocator->locks().empty());
    }
    EXPECT_EQ(iova::make_allocator("bitmap of 1999", bench.machine, {}), nullptr);
}

TEST(Allocators, ParametersHaveLegalDefaultsAndAProvenance) {
    const iova::IovaParameters p;
    EXPECT_EQ(first_violation(p), "");
    for (const auto& row : iova::IovaParameters::table())
        EXPECT_STRNE(row.info.source, "") << row.info.name;
    EXPECT_EQ(p.magazine_size, 127u);
    EXPECT_EQ(p.depot_size, 32u);
    EXPECT_EQ(p.search_step, 15'000u);
}
