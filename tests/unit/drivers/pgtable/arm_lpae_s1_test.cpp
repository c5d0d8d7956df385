#include "drivers/pgtable/arm_lpae_s1.h"

#include "tests/unit/drivers/pgtable/reference_walker.h"

#include <gtest/gtest.h>
#include <memory>
#include <optional>

using namespace iommusim;
using dma::Status;
using machine::Cpu;

namespace {

constexpr std::uint64_t k4 = 1ull << 12;
constexpr std::uint64_t m2 = 1ull << 21;
constexpr std::uint64_t g1 = 1ull << 30;
constexpr unsigned rw = dma::prot_read | dma::prot_write | dma::prot_coherent;

class RecordingTlb : public pgtable::TlbOps {
public:
    struct Range {
        std::uint64_t iova;
        std::uint64_t size;
        std::size_t pages_in_use; ///< of the machine, at the time of the call
    };
    explicit RecordingTlb(machine::Machine& m) : machine_(m) {}
    void add_page(Cpu&, std::uint64_t iova, std::uint64_t size, dma::Gather&) override {
        leaves.push_back({iova, size, machine_.pages().pages_in_use()});
    }
    void flush_walk(Cpu&, std::uint64_t iova, std::uint64_t size, std::uint64_t) override {
        walks.push_back({iova, size, machine_.pages().pages_in_use()});
    }
    std::vector<Range> leaves;
    std::vector<Range> walks;

private:
    machine::Machine& machine_;
};

class ArmLpaeS1 : public testing::Test {
protected:
    void make(const pgtable::ArmLpaeS1Config& config = {}, unsigned cpus = 1, std::uint64_t ram = 16u << 20) {
        bench = std::make_unique<test::DriverBench>(cpus, ram);
        tlb = std::make_unique<RecordingTlb>(bench->machine);
        bench->run([&](Cpu& cpu) { table = std::make_unique<pgtable::ArmLpaeS1>(cpu, *tlb, config); });
    }
    void run(const std::function<void(Cpu&)>& program) { bench->run(program); }
    test::Walked walk(std::uint64_t iova) const {
        return test::walk(bench->ram, table->registers().ttb, table->registers().t0sz, iova);
    }
    Status map(Cpu& cpu, std::uint64_t iova, std::uint64_t physical, std::uint64_t size,
               std::size_t count = 1, unsigned protection = rw) {
        mapped = 0;
        return table->map_pages(cpu, iova, physical, size, count, protection, mapped);
    }
    std::uint64_t unmap(Cpu& cpu, std::uint64_t iova, std::uint64_t size, std::size_t count = 1) {
        dma::Gather gather;
        return table->unmap_pages(cpu, iova, size, count, gather);
    }

    std::unique_ptr<test::DriverBench> bench;
    std::unique_ptr<RecordingTlb> tlb;
    std::unique_ptr<pgtable::ArmLpaeS1> table;
    std::uint64_t mapped = 0;
};

} // namespace

TEST_F(ArmLpaeS1, MapsPagesWhereTheReferenceWalkerFindsThem) {
    make();
    run([&](Cpu& cpu) {
        EXPECT_EQ(map(cpu, 0x1234'5678'9000, 0xABCD'E000, k4), Status::ok);
        EXPECT_EQ(mapped, k4);
    });
    const test::Walked w = walk(0x1234'5678'9ABC);
    EXPECT_TRUE(w.mapped);
    EXPECT_EQ(w.physical, 0xABCD'EABCu);
    EXPECT_EQ(w.bytes, k4);
    EXPECT_EQ(w.reads, 4u);
    EXPECT_FALSE(walk(0x1234'5678'A000).mapped);
    EXPECT_FALSE(walk(0x1234'5678'8FFF).mapped);
}

TEST_F(ArmLpaeS1, WritesAttributesAsTheArchitectureDefinesThem) {
    make();
    run([&](Cpu& cpu) {
        map(cpu, 0x1000, 0x1000, k4, 1, dma::prot_read | dma::prot_write | dma::prot_coherent);
        map(cpu, 0x2000, 0x1000, k4, 1, dma::prot_read);
        map(cpu, 0x3000, 0x1000, k4, 1, dma::prot_write | dma::prot_privileged);
        map(cpu, 0x4000, 0x1000, k4, 1,
            dma::prot_read | dma::prot_write | dma::prot_mmio | dma::prot_no_execute);
    });
    constexpr std::uint64_t address = 0x1000;
    constexpr std::uint64_t page = 3, unprivileged = 1 << 6, read_only = 1 << 7, access = 1 << 10,
                            not_global = 1 << 11;
    constexpr std::uint64_t inner = 3 << 8, outer = 2 << 8;
    EXPECT_EQ(walk(0x1000).descriptor, address | page | 1 << 2 | unprivileged | inner | access | not_global);
    EXPECT_EQ(walk(0x2000).descriptor,
              address | page | unprivileged | read_only | outer | access | not_global);
    EXPECT_EQ(walk(0x3000).descriptor, address | page | outer | access | not_global);
    EXPECT_EQ(walk(0x4000).descriptor,
              address | page | 2 << 2 | unprivileged | outer | access | not_global | 3ull << 53);
    EXPECT_EQ(table->registers().mair, 0xF404'FF44u);
}

TEST_F(ArmLpaeS1, StartsAtTheLevelThatTheInputSizeAsksFor) {
    for (unsigned bits = 25; bits <= 48; ++bits) {
        sc_core::sc_curr_simcontext = nullptr;
        make({.input_bits = bits});
        const std::uint64_t last_page = (1ull << bits) - k4;
        run([&](Cpu& cpu) {
            EXPECT_EQ(map(cpu, last_page, 0x7000, k4), Status::ok);
            EXPECT_EQ(map(cpu, 1ull << bits, 0x7000, k4), Status::invalid_argument);
        });
        EXPECT_EQ(table->registers().t0sz, 64 - bits);
        const test::Walked w = walk(last_page + 5);
        EXPECT_TRUE(w.mapped) << bits;
        EXPECT_EQ(w.physical, 0x7005u) << bits;
        EXPECT_EQ(w.reads, bits > 39 ? 4u : bits > 30 ? 3u : 2u) << bits;
    }
}

TEST_F(ArmLpaeS1, StopsAtTheEndOfATablePage) {
    make();
    run([&](Cpu& cpu) {
        EXPECT_EQ(map(cpu, m2 - 2 * k4, 0x1000'0000, k4, 10), Status::ok);
        EXPECT_EQ(mapped, 2 * k4);
        EXPECT_EQ(unmap(cpu, m2 - 2 * k4, k4, 10), 2 * k4);
    });
    EXPECT_FALSE(walk(m2).mapped);
    EXPECT_FALSE(walk(m2 - k4).mapped);
}

TEST_F(ArmLpaeS1, MapsTwoMegabyteAndOneGigabyteBlocks) {
    make();
    run([&](Cpu& cpu) {
        EXPECT_EQ(map(cpu, 4 * m2, 8 * m2, m2, 3), Status::ok);
        EXPECT_EQ(mapped, 3 * m2);
        EXPECT_EQ(map(cpu, 5 * g1, 2 * g1, g1), Status::ok);
    });
    EXPECT_EQ(walk(6 * m2 + 0x12345).physical, 10 * m2 + 0x12345);
    EXPECT_EQ(walk(6 * m2).bytes, m2);
    EXPECT_EQ(walk(6 * m2).reads, 3u);
    EXPECT_EQ(walk(5 * g1 + 0x2345'6789).physical, 2 * g1 + 0x2345'6789);
    EXPECT_EQ(walk(5 * g1).bytes, g1);
    EXPECT_FALSE(walk(7 * m2).mapped);
}

TEST_F(ArmLpaeS1, RefusesToMapOverALeafAndLeavesItAsItIs) {
    make();
    run([&](Cpu& cpu) {
        map(cpu, 0x3000, 0x8000, k4);
        EXPECT_EQ(map(cpu, 0x2000, 0x9000, k4, 4), Status::already_mapped);
        EXPECT_EQ(mapped, 0u);
        map(cpu, m2, 2 * m2, m2);
        EXPECT_EQ(map(cpu, m2 + k4, 0x9000, k4), Status::already_mapped);
    });
    EXPECT_FALSE(walk(0x2000).mapped);
    EXPECT_EQ(walk(0x3000).physical, 0x8000u);
    EXPECT_EQ(walk(m2 + k4).physical, 2 * m2 + k4);
}

TEST_F(ArmLpaeS1, RefusesArgumentsThatNoTableCanHold) {
    make({.output_bits = 40, .page_sizes = k4 | m2});
    run([&](Cpu& cpu) {
        EXPECT_EQ(map(cpu, 0x1000, 0x1000, g1), Status::invalid_argument) << "size not in the bitmap";
        EXPECT_EQ(map(cpu, 0x1000, 0x1000, 0x3000), Status::invalid_argument);
        EXPECT_EQ(map(cpu, 0x1800, 0x1000, k4), Status::invalid_argument);
        EXPECT_EQ(map(cpu, 0x1000, 0x1800, k4), Status::invalid_argument);
        EXPECT_EQ(map(cpu, m2, k4, m2), Status::invalid_argument);
        EXPECT_EQ(map(cpu, 0x1000, 1ull << 40, k4), Status::invalid_argument);
        EXPECT_EQ(map(cpu, 0x1000, 0x1000, k4, 1, dma::prot_coherent), Status::invalid_argument)
            << "no access at all";
        EXPECT_EQ(map(cpu, 0x1000, (1ull << 40) - k4, k4, 2), Status::ok);
        EXPECT_EQ(mapped, k4) << "the second page lies beyond the output size";
        EXPECT_EQ(unmap(cpu, 0x1800, k4), 0u);
        EXPECT_EQ(unmap(cpu, 1ull << 50, k4), 0u);
        EXPECT_EQ(table->iova_to_phys(cpu, 1ull << 50), ~0ull);
    });
}

TEST_F(ArmLpaeS1, UnmapStopsAtAHole) {
    make();
    run([&](Cpu& cpu) {
        map(cpu, 0x1000, 0x1000, k4, 2);
        map(cpu, 0x4000, 0x4000, k4, 1);
        EXPECT_EQ(unmap(cpu, 0x1000, k4, 4), 2 * k4);
        EXPECT_EQ(unmap(cpu, 0x3000, k4, 2), 0u);
        EXPECT_EQ(unmap(cpu, 0x7000'0000, k4, 2), 0u) << "no table at all";
    });
    EXPECT_TRUE(walk(0x4000).mapped);
    ASSERT_EQ(tlb->leaves.size(), 2u);
    EXPECT_EQ(tlb->leaves[1].iova, 0x2000u);
    EXPECT_EQ(tlb->leaves[1].size, k4);
}

TEST_F(ArmLpaeS1, ABlockReplacesALeftOverTableAfterItsWalkCacheIsFlushed) {
    make();
    std::size_t before = 0;
    run([&](Cpu& cpu) {
        map(cpu, m2 + k4, 0x5000, k4);
        unmap(cpu, m2 + k4, k4);
        tlb->leaves.clear();
        before = table->tables();
        EXPECT_EQ(map(cpu, m2, 4 * m2, m2), Status::ok);
    });
    EXPECT_EQ(table->tables(), before - 1);
    ASSERT_EQ(tlb->walks.size(), 1u);
    EXPECT_EQ(tlb->walks[0].iova, m2);
    EXPECT_EQ(tlb->walks[0].size, m2);
    EXPECT_EQ(tlb->walks[0].pages_in_use, bench->machine.pages().pages_in_use() + 1)
        << "freed before the flush";
    EXPECT_TRUE(tlb->leaves.empty());
    EXPECT_EQ(walk(m2 + k4).physical, 4 * m2 + k4);
}

TEST_F(ArmLpaeS1, UnmappingMoreThanATableCoversFreesTheTable) {
    make();
    run([&](Cpu& cpu) {
        for (unsigned i = 0; i < 4; ++i)
            map(cpu, i * m2, 0x1000'0000 + i * m2, k4, 512);
        const std::size_t before = table->tables();
        EXPECT_EQ(unmap(cpu, 0, m2, 3), 3 * m2);
        EXPECT_EQ(table->tables(), before - 3);
        EXPECT_EQ(unmap(cpu, 0, g1, 1), g1) << "what is left below a gigabyte entry";
        EXPECT_EQ(table->tables(), 2u) << "the start table and one below it";
    });
    EXPECT_EQ(tlb->walks.size(), 4u);
    EXPECT_EQ(tlb->walks[3].size, g1);
    EXPECT_FALSE(walk(3 * m2).mapped);
}

TEST_F(ArmLpaeS1, UnmappingPartOfABlockSplitsIt) {
    make();
    run([&](Cpu& cpu) {
        map(cpu, g1, 2 * g1, g1, 1, dma::prot_read | dma::prot_coherent);
        EXPECT_EQ(unmap(cpu, g1 + 3 * m2 + 5 * k4, k4, 2), 2 * k4);
    });
    const std::uint64_t hole = g1 + 3 * m2 + 5 * k4;
    EXPECT_FALSE(walk(hole).mapped);
    EXPECT_FALSE(walk(hole + k4).mapped);
    for (const std::uint64_t iova : {hole - 1, hole + 2 * k4, g1 + 3 * m2, g1, g1 + 4 * m2, 2 * g1 - 1}) {
        EXPECT_EQ(walk(iova).physical, iova + g1) << std::hex << iova;
        EXPECT_EQ(walk(iova).descriptor & 0xFFC, walk(g1).descriptor & 0xFFC) << "attributes survive";
    }
    EXPECT_EQ(walk(hole - 1).bytes, k4);
    EXPECT_EQ(walk(g1).bytes, m2);
    ASSERT_EQ(tlb->leaves.size(), 2u);
    EXPECT_EQ(tlb->leaves[0].iova, hole);
}

TEST_F(ArmLpaeS1, AQueuedGatherNeedsNoPages) {
    make();
    run([&](Cpu& cpu) {
        map(cpu, 0x1000, 0x1000, k4, 3);
        map(cpu, m2, m2, m2);
        dma::Gather gather;
        gather.queued = true;
        EXPECT_EQ(table->unmap_pages(cpu, 0x1000, k4, 3, gather), 3 * k4);
        EXPECT_EQ(table->unmap_pages(cpu, m2, k4, 1, gather), k4);
    });
    EXPECT_TRUE(tlb->leaves.empty());
}

TEST_F(ArmLpaeS1, TwoCpusThatNeedTheSameNewTableShareOne) {
    make({}, 2);
    auto program = [&](std::uint64_t iova) {
        return [this, iova](Cpu& cpu) {
            std::uint64_t done = 0;
            EXPECT_EQ(table->map_pages(cpu, iova, iova, k4, 1, rw, done), Status::ok);
        };
    };
    bench->machine.cpu(0).run(program(0x1000));
    bench->machine.cpu(1).run(program(0x2000));
    sc_core::sc_start();
    EXPECT_EQ(walk(0x1000).physical, 0x1000u);
    EXPECT_EQ(walk(0x2000).physical, 0x2000u);
    EXPECT_EQ(table->tables(), 4u);
    EXPECT_EQ(bench->machine.pages().pages_in_use(), 4u) << "the loser's page was given back";
    EXPECT_GT(bench->machine.pages().most_pages_in_use(), 4u) << "there was a race at all";
}

TEST_F(ArmLpaeS1, TwoCpusThatSplitTheSameBlockShareOneTable) {
    make({}, 2);
    run([&](Cpu& cpu) { map(cpu, m2, m2, m2); });
    auto program = [&](std::uint64_t iova) {
        return [this, iova](Cpu& cpu) { EXPECT_EQ(unmap(cpu, iova, k4, 1), k4); };
    };
    bench->machine.cpu(0).run(program(m2));
    bench->machine.cpu(1).run(program(m2 + 7 * k4));
    sc_core::sc_start();
    EXPECT_FALSE(walk(m2).mapped);
    EXPECT_FALSE(walk(m2 + 7 * k4).mapped);
    EXPECT_EQ(walk(m2 + 6 * k4).physical, m2 + 6 * k4);
    EXPECT_EQ(bench->machine.pages().pages_in_use(), table->tables());
}

TEST_F(ArmLpaeS1, SetsTheContiguousHintOnlyOnWholeAlignedRuns) {
    make({.contiguous_hint = true});
    run([&](Cpu& cpu) {
        map(cpu, 0x8000, 0x4000'8000, k4, 40);    // runs at 0x10000 and 0x20000
        map(cpu, 0x10'0000, 0x4000'1000, k4, 16); // output not aligned
        map(cpu, 16 * m2, 32 * m2, m2, 16);
    });
    const auto hint = [&](std::uint64_t iova) { return (walk(iova).descriptor >> 52 & 1) != 0; };
    EXPECT_FALSE(hint(0xF000));
    EXPECT_TRUE(hint(0x10000));
    EXPECT_TRUE(hint(0x2F000));
    EXPECT_FALSE(hint(0x10'0000));
    EXPECT_TRUE(hint(16 * m2) && hint(31 * m2));
    run([&](Cpu& cpu) {
        EXPECT_EQ(unmap(cpu, 0x13000, k4, 1), k4);
        EXPECT_EQ(unmap(cpu, 16 * m2 + k4, k4, 1), k4);
    });
    EXPECT_FALSE(hint(0x10000) || hint(0x1F000)) << "what is left of the run stands alone";
    EXPECT_TRUE(hint(0x20000));
    EXPECT_FALSE(hint(17 * m2) || hint(16 * m2));
    EXPECT_EQ(walk(0x12000).physical, 0x4001'2000u);
    EXPECT_EQ(walk(17 * m2).physical, 33 * m2);
    EXPECT_FALSE(walk(0x13000).mapped);
}

TEST_F(ArmLpaeS1, NeverSetsTheContiguousHintUnasked) {
    make();
    run([&](Cpu& cpu) { map(cpu, 0x10000, 0x10000, k4, 16); });
    EXPECT_EQ(walk(0x10000).descriptor >> 52 & 1, 0u);
}

TEST_F(ArmLpaeS1, SoftwareWalkAgreesWithTheReferenceWalker) {
    make();
    run([&](Cpu& cpu) {
        map(cpu, 0x1000, 0x9000, k4);
        map(cpu, m2, 3 * m2, m2);
        map(cpu, g1, 7 * g1, g1);
        for (const std::uint64_t iova : {std::uint64_t{0x1234}, m2 + 0x54321, g1 + 0x0765'4321})
            EXPECT_EQ(table->iova_to_phys(cpu, iova), walk(iova).physical);
        EXPECT_EQ(table->iova_to_phys(cpu, 0x2000), ~0ull);
        EXPECT_EQ(table->iova_to_phys(cpu, 9 * g1), ~0ull);
    });
}

TEST_F(ArmLpaeS1, CostsWhatItsMemoryAccessesCost) {
    make();
    run([&](Cpu& cpu) {
        map(cpu, 0x1000, 0x1000, k4);
        const pgtable::PageTableParameters own;
        const machine::CpuParameters& p = cpu.parameters();
        const auto cost_of = [&](const auto& action) {
            const Picoseconds before = cpu.time();
            action();
            return cpu.time() - before;
        };
        EXPECT_EQ(cost_of([&] { map(cpu, 0x2000, 0x2000, k4); }),
                  own.map_call + 5 * p.cached_access + p.barrier)
            << "three tables, one look at the entry, one store";
        EXPECT_EQ(cost_of([&] { map(cpu, 0x3000, 0x3000, k4, 100); }),
                  own.map_call + (3 + 200) * p.cached_access + p.barrier)
            << "one barrier whatever the count";
        EXPECT_EQ(cost_of([&] { unmap(cpu, 0x2000, k4); }), own.unmap_call + 5 * p.cached_access);
        EXPECT_EQ(cost_of([&] { table->iova_to_phys(cpu, 0x3000); }), own.walk_call + 4 * p.cached_access);
        EXPECT_GE(cost_of([&] { map(cpu, m2, m2, k4); }),
                  own.map_call + p.page_allocation + p.atomic + p.barrier)
            << "a new table is a page allocation and an atomic";
    });
}

TEST_F(ArmLpaeS1, ReportsWhenTheMachineHasNoPageLeft) {
    make({}, 1, 4 * k4); // the start table and one chain of three
    run([&](Cpu& cpu) {
        EXPECT_EQ(map(cpu, 0x1000, 0x1000, k4), Status::ok);
        EXPECT_EQ(map(cpu, m2, m2, k4), Status::no_memory);
        EXPECT_EQ(mapped, 0u);
        EXPECT_EQ(map(cpu, m2, m2, m2), Status::ok);
        EXPECT_EQ(unmap(cpu, m2, k4), 0u) << "no page to split the block";
        EXPECT_EQ(walk(m2 + k4).physical, m2 + k4);
        EXPECT_EQ(unmap(cpu, m2, m2), m2) << "whole blocks go without memory";
    });
}

TEST_F(ArmLpaeS1, ReleaseGivesEveryPageBack) {
    make();
    run([&](Cpu& cpu) {
        for (unsigned i = 0; i < 20; ++i)
            map(cpu, i * (g1 + m2), i * m2, k4, 3);
        EXPECT_GT(bench->machine.pages().pages_in_use(), 40u);
        table->release(cpu);
        EXPECT_EQ(map(cpu, 0x1000, 0x1000, k4), Status::no_memory);
        EXPECT_EQ(unmap(cpu, 0, k4), 0u);
    });
    EXPECT_EQ(bench->machine.pages().pages_in_use(), 0u);
    EXPECT_FALSE(table->valid());
}
