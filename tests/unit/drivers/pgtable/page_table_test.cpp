// What every page-table format does the same.
#include "tests/unit/drivers/pgtable/page_table_bench.h"

using namespace iommusim;
using dma::Status;
using machine::Cpu;
using namespace test::page_sizes;

namespace {

class PageTable : public test::PageTableBench, public testing::WithParamInterface<test::Format> {
protected:
    void make(const test::TableOptions& options = {}, unsigned cpus = 1, std::uint64_t ram = 16u << 20) {
        PageTableBench::make(GetParam(), options, cpus, ram);
    }
};

INSTANTIATE_TEST_SUITE_P(Formats, PageTable, testing::ValuesIn(test::formats),
                         [](const auto& instance) { return std::string(instance.param.name); });

} // namespace

TEST_P(PageTable, MapsPagesWhereTheReferenceWalkerFindsThem) {
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

TEST_P(PageTable, StopsAtTheEndOfATablePage) {
    make();
    run([&](Cpu& cpu) {
        EXPECT_EQ(map(cpu, m2 - 2 * k4, 0x1000'0000, k4, 10), Status::ok);
        EXPECT_EQ(mapped, 2 * k4);
        EXPECT_EQ(unmap(cpu, m2 - 2 * k4, k4, 10), 2 * k4);
    });
    EXPECT_FALSE(walk(m2).mapped);
    EXPECT_FALSE(walk(m2 - k4).mapped);
}

TEST_P(PageTable, MapsTwoMegabyteAndOneGigabyteBlocks) {
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

TEST_P(PageTable, RefusesToMapOverALeafAndLeavesItAsItIs) {
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

TEST_P(PageTable, RefusesArgumentsThatNoTableCanHold) {
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

TEST_P(PageTable, UnmapStopsAtAHole) {
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

TEST_P(PageTable, ABlockReplacesALeftOverTableAfterItsWalkCacheIsFlushed) {
    make();
    std::size_t before = 0;
    run([&](Cpu& cpu) {
        map(cpu, m2 + k4, 0x5000, k4);
        unmap(cpu, m2 + k4, k4);
        tlb->leaves.clear();
        before = pages_in_use();
        EXPECT_EQ(map(cpu, m2, 4 * m2, m2), Status::ok);
    });
    EXPECT_EQ(pages_in_use(), before - 1);
    ASSERT_EQ(tlb->walks.size(), 1u);
    EXPECT_EQ(tlb->walks[0].iova, m2);
    EXPECT_EQ(tlb->walks[0].size, m2);
    EXPECT_EQ(tlb->walks[0].pages_in_use, before) << "freed before the flush";
    EXPECT_TRUE(tlb->leaves.empty());
    EXPECT_EQ(walk(m2 + k4).physical, 4 * m2 + k4);
}

TEST_P(PageTable, UnmappingPartOfABlockSplitsIt) {
    make();
    run([&](Cpu& cpu) {
        map(cpu, g1, 2 * g1, g1, 1, dma::prot_read | dma::prot_coherent);
        map(cpu, 8 * g1, 0, m2, 1, dma::prot_read | dma::prot_coherent); // to compare with
        map(cpu, 8 * g1 + m2, 0, k4, 1, dma::prot_read | dma::prot_coherent);
        EXPECT_EQ(unmap(cpu, g1 + 3 * m2 + 5 * k4, k4, 2), 2 * k4);
    });
    const std::uint64_t hole = g1 + 3 * m2 + 5 * k4;
    EXPECT_FALSE(walk(hole).mapped);
    EXPECT_FALSE(walk(hole + k4).mapped);
    for (const std::uint64_t iova : {hole - 1, hole + 2 * k4, g1 + 3 * m2, g1, g1 + 4 * m2, 2 * g1 - 1}) {
        EXPECT_EQ(walk(iova).physical, iova + g1) << std::hex << iova;
        const std::uint64_t fresh = walk(walk(iova).bytes == m2 ? 8 * g1 : 8 * g1 + m2).descriptor;
        EXPECT_EQ(walk(iova).descriptor, fresh | (iova + g1) / walk(iova).bytes * walk(iova).bytes)
            << "attributes survive";
    }
    EXPECT_EQ(walk(hole - 1).bytes, k4);
    EXPECT_EQ(walk(g1).bytes, m2);
    ASSERT_EQ(tlb->leaves.size(), 2u);
    EXPECT_EQ(tlb->leaves[0].iova, hole);
}

TEST_P(PageTable, AQueuedGatherNeedsNoPages) {
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

TEST_P(PageTable, TwoCpusThatNeedTheSameNewTableShareOne) {
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
    EXPECT_EQ(pages_in_use(), 4u) << "the loser's page was given back";
    EXPECT_GT(bench->machine.pages().most_pages_in_use(), 4u) << "there was a race at all";
}

TEST_P(PageTable, TwoCpusThatSplitTheSameBlockShareOneTable) {
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
    EXPECT_EQ(pages_in_use(), 4u) << "the loser's page was given back";
}

TEST_P(PageTable, SoftwareWalkAgreesWithTheReferenceWalker) {
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

TEST_P(PageTable, CostsWhatItsMemoryAccessesCost) {
    make();
    run([&](Cpu& cpu) {
        map(cpu, 0x1000, 0x1000, k4);
        const pgtable::PageTableParameters own;
        const machine::CpuParameters& p = cpu.parameters();
        EXPECT_EQ(cost_of(cpu, [&] { map(cpu, 0x2000, 0x2000, k4); }),
                  own.map_call + 5 * p.cached_access + p.barrier)
            << "three tables, one look at the entry, one store";
        EXPECT_EQ(cost_of(cpu, [&] { map(cpu, 0x3000, 0x3000, k4, 100); }),
                  own.map_call + (3 + 200) * p.cached_access + p.barrier)
            << "one barrier whatever the count";
        EXPECT_EQ(cost_of(cpu, [&] { unmap(cpu, 0x2000, k4); }), own.unmap_call + 5 * p.cached_access);
        EXPECT_EQ(cost_of(cpu, [&] { table->iova_to_phys(cpu, 0x3000); }),
                  own.walk_call + 4 * p.cached_access);
        EXPECT_GE(cost_of(cpu, [&] { map(cpu, m2, m2, k4); }),
                  own.map_call + p.page_allocation + p.atomic + p.barrier)
            << "a new table is a page allocation and an atomic";
    });
}

TEST_P(PageTable, ReportsWhenTheMachineHasNoPageLeft) {
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

TEST_P(PageTable, ReleaseGivesEveryPageBack) {
    make();
    run([&](Cpu& cpu) {
        for (unsigned i = 0; i < 20; ++i)
            map(cpu, i * (g1 + m2), i * m2, k4, 3);
        EXPECT_GT(pages_in_use(), 40u);
        table->release(cpu);
        EXPECT_EQ(map(cpu, 0x1000, 0x1000, k4), Status::no_memory);
        EXPECT_EQ(unmap(cpu, 0, k4), 0u);
    });
    EXPECT_EQ(pages_in_use(), 0u);
}
