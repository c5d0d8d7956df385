#include "drivers/iova/rbtree.h"

#include "tests/unit/drivers/driver_bench.h"

#include <gtest/gtest.h>

using namespace iommusim;
using iova::Allocator;
using machine::Cpu;

namespace {

constexpr std::uint64_t limit_32 = (1ull << 20) - 1;
constexpr std::uint64_t limit_48 = (1ull << 36) - 1;

iova::IovaParameters historic() {
    iova::IovaParameters p;
    p.rbtree_form = 1;
    return p;
}

} // namespace

TEST(RbTree, AllocatesTopDownBelowTheLimit) {
    test::DriverBench bench;
    iova::RbTreeAllocator tree(bench.machine, {});
    bench.run([&](Cpu& cpu) {
        EXPECT_EQ(tree.allocate(cpu, 1, limit_48), limit_48);
        EXPECT_EQ(tree.allocate(cpu, 1, limit_48), limit_48 - 1);
        EXPECT_EQ(tree.allocate(cpu, 3, limit_48), limit_48 - 7) << "naturally aligned to four";
        EXPECT_EQ(tree.allocate(cpu, 3, limit_48, false), limit_48 - 10);
        EXPECT_EQ(tree.allocate(cpu, 1, limit_32), limit_32);
        EXPECT_EQ(tree.allocate(cpu, 1, limit_48), limit_48 - 11)
            << "a 32-bit allocation does not move the search above";
    });
    EXPECT_EQ(tree.ranges(), 6u);
}

TEST(RbTree, FindsWhatWasFreedAboveItsCachedNode) {
    test::DriverBench bench;
    for (const std::uint64_t form : {0u, 1u}) {
        iova::IovaParameters p;
        p.rbtree_form = form;
        iova::RbTreeAllocator tree(bench.machine, {.start_pfn = 1, .end_pfn = 17}, p);
        bench.run([&](Cpu& cpu) {
            for (unsigned i = 0; i < 16; ++i)
                EXPECT_NE(tree.allocate(cpu, 1, limit_48), Allocator::failed);
            EXPECT_EQ(tree.allocate(cpu, 1, limit_48), Allocator::failed);
            tree.free(cpu, 12, 1);
            tree.free(cpu, 3, 1);
            EXPECT_NE(tree.allocate(cpu, 1, limit_48), Allocator::failed);
            EXPECT_NE(tree.allocate(cpu, 1, limit_48), Allocator::failed);
            EXPECT_EQ(tree.allocate(cpu, 1, limit_48), Allocator::failed);
        });
        EXPECT_EQ(tree.statistics().failures, 2u);
        EXPECT_EQ(tree.statistics().allocations, 18u);
    }
}

TEST(RbTree, LooksOnceMoreFromTheLimitWhenNothingIsLeftBelowItsCachedNode) {
    test::DriverBench bench;
    iova::RbTreeAllocator tree(bench.machine, {.start_pfn = 1, .end_pfn = 65});
    bench.run([&](Cpu& cpu) {
        for (unsigned i = 0; i < 31; ++i)
            EXPECT_EQ(tree.allocate(cpu, 1, 31), 31u - i);
        EXPECT_EQ(tree.allocate(cpu, 1, limit_48), 64u) << "the cached node is the lowest of all";
    });
}

TEST(RbTree, RemembersThatAnEquallyLargeRequestBelow4GiBFailed) {
    test::DriverBench bench;
    iova::RbTreeAllocator tree(bench.machine, {});
    bench.run([&](Cpu& cpu) {
        std::vector<std::uint64_t> all;
        // Every other 1024-page block, so that no 2048 pages are free in one piece.
        for (unsigned i = 0; i < 1024; ++i)
            if (const std::uint64_t pfn = tree.allocate(cpu, 1024, limit_32); pfn != Allocator::failed)
                all.push_back(pfn);
        for (std::size_t i = 0; i < all.size(); i += 2)
            tree.free(cpu, all[i], 1024);
        EXPECT_EQ(tree.allocate(cpu, 2048, limit_32), Allocator::failed);
        const std::uint64_t visited = tree.statistics().nodes_visited;
        EXPECT_EQ(tree.allocate(cpu, 4096, limit_32), Allocator::failed);
        EXPECT_EQ(tree.statistics().nodes_visited, visited) << "no search at all";
        EXPECT_NE(tree.allocate(cpu, 4096, limit_48), Allocator::failed)
            << "only 32-bit requests are refused";
        tree.free(cpu, all[1], 1024);
        EXPECT_NE(tree.allocate(cpu, 2048, limit_32), Allocator::failed) << "a free may have made room";
    });
}

TEST(RbTree, LongLivedRangesAtTheTopMakeTheHistoricSearchLinear) {
    test::DriverBench bench;
    iova::RbTreeAllocator now(bench.machine, {});
    iova::RbTreeAllocator then(bench.machine, {}, historic());
    Picoseconds time_now = 0;
    Picoseconds time_then = 0;
    bench.run([&](Cpu& cpu) {
        const auto churn = [&cpu](iova::RbTreeAllocator& tree) {
            for (unsigned i = 0; i < 500; ++i) // a receive ring
                tree.allocate(cpu, 1, limit_48);
            const std::uint64_t before = tree.statistics().nodes_visited;
            const Picoseconds start = cpu.time();
            for (unsigned i = 0; i < 100; ++i)
                tree.free(cpu, tree.allocate(cpu, 1, limit_48), 1);
            EXPECT_EQ(tree.statistics().bad_frees, 0u);
            return std::pair(tree.statistics().nodes_visited - before, cpu.time() - start);
        };
        const auto [visited_now, duration_now] = churn(now);
        const auto [visited_then, duration_then] = churn(then);
        EXPECT_EQ(visited_now, 100u);
        EXPECT_EQ(visited_then, 100u * 501);
        time_now = duration_now;
        time_then = duration_then;
        EXPECT_EQ(then.statistics().longest_search, 501u);
    });
    EXPECT_GE(time_then - time_now, 100u * 500 * iova::IovaParameters().search_step);
}

TEST(RbTree, TheHistoricFreeTakesTheLockTwice) {
    test::DriverBench bench;
    for (const std::uint64_t form : {0u, 1u}) {
        iova::IovaParameters p;
        p.rbtree_form = form;
        iova::RbTreeAllocator tree(bench.machine, {}, p);
        bench.run([&](Cpu& cpu) {
            const std::uint64_t pfn = tree.allocate(cpu, 1, limit_48);
            tree.free(cpu, pfn, 1);
        });
        ASSERT_EQ(tree.locks().size(), 1u);
        EXPECT_EQ(tree.locks()[0]->statistics().acquisitions, 2 + form);
        EXPECT_EQ(tree.locks()[0]->statistics().name, "iova.rbtree");
    }
}

TEST(RbTree, TheHistoricCacheServesOnlyTheFourGigabyteLimit) {
    test::DriverBench bench;
    iova::RbTreeAllocator tree(bench.machine, {}, historic());
    bench.run([&](Cpu& cpu) {
        for (unsigned i = 0; i < 50; ++i)
            tree.allocate(cpu, 1, limit_32);
        EXPECT_EQ(tree.statistics().nodes_visited, 50u);
        tree.allocate(cpu, 1, limit_32 / 2);
        EXPECT_EQ(tree.statistics().nodes_visited, 50u + 51) << "any other limit starts from the top";
    });
}

TEST(RbTree, IgnoresFreesOfWhatIsNotAllocated) {
    test::DriverBench bench;
    iova::RbTreeAllocator tree(bench.machine, {});
    bench.run([&](Cpu& cpu) {
        const std::uint64_t pfn = tree.allocate(cpu, 4, limit_48);
        tree.free(cpu, pfn + 1, 1);
        tree.free(cpu, pfn, 2);
        tree.free(cpu, ~0ull, 1);
        EXPECT_EQ(tree.statistics().bad_frees, 3u);
        EXPECT_EQ(tree.ranges(), 1u);
        tree.free(cpu, pfn, 4);
        tree.free(cpu, pfn, 4);
        EXPECT_EQ(tree.statistics().bad_frees, 4u);
        EXPECT_EQ(tree.ranges(), 0u);
        EXPECT_EQ(tree.allocate(cpu, 0, limit_48), Allocator::failed);
        EXPECT_EQ(tree.allocate(cpu, ~0ull, limit_48), Allocator::failed);
    });
}

TEST(RbTree, NeverHandsOutReservedPages) {
    test::DriverBench bench;
    for (const std::uint64_t form : {0u, 1u}) {
        iova::IovaParameters p;
        p.rbtree_form = form;
        iova::RbTreeAllocator tree(bench.machine, {.start_pfn = 1, .end_pfn = 101}, p);
        tree.reserve(90, 95);
        tree.reserve(94, 97);
        tree.reserve(20, 30);
        EXPECT_EQ(tree.ranges(), 2u) << "overlapping reservations become one";
        bench.run([&](Cpu& cpu) {
            std::uint64_t got = 0;
            while (const std::uint64_t pfn = tree.allocate(cpu, 1, limit_48)) {
                EXPECT_FALSE((pfn >= 90 && pfn <= 97) || (pfn >= 20 && pfn <= 30) || pfn > 100) << pfn;
                ++got;
            }
            EXPECT_EQ(got, 100u - 8 - 11);
        });
    }
}

TEST(RbTree, SeveralCpusQueueForTheOneLock) {
    test::DriverBench bench(4);
    iova::RbTreeAllocator tree(bench.machine, {});
    for (unsigned c = 0; c < 4; ++c)
        bench.machine.cpu(c).run([&](Cpu& cpu) {
            for (unsigned i = 0; i < 50; ++i)
                tree.free(cpu, tree.allocate(cpu, 1, limit_48), 1);
        });
    sc_core::sc_start();
    const machine::LockStatistics& lock = tree.locks()[0]->statistics();
    EXPECT_EQ(lock.acquisitions, 400u);
    EXPECT_GT(lock.contended, 200u);
    EXPECT_EQ(tree.ranges(), 0u);
    EXPECT_EQ(tree.statistics().bad_frees, 0u);
}
