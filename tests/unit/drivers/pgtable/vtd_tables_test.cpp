// What is VT-d's own in the formats of its two stages, and what they do with tables that an unmapped range
// covers.
#include "tests/unit/drivers/pgtable/page_table_bench.h"

using namespace iommusim;
using dma::Status;
using machine::Cpu;
using namespace test::page_sizes;

namespace {

class VtdSecondStage : public test::PageTableBench {
protected:
    void make(const pgtable::VtdSecondStageConfig& config = {}) {
        PageTableBench::make(test::vtd_second_stage, [&](Cpu& cpu, pgtable::TlbOps& ops) {
            auto made = std::make_unique<pgtable::VtdSecondStage>(cpu, ops, config);
            stage = made.get();
            return made;
        });
    }
    std::uint64_t root_entry(std::uint64_t index) const { return bench->ram.word(stage->root() + 8 * index); }

    pgtable::VtdSecondStage* stage = nullptr;
};

class VtdFirstStage : public test::PageTableBench {
protected:
    void make(const pgtable::VtdFirstStageConfig& config = {}) {
        PageTableBench::make(test::vtd_first_stage, [&](Cpu& cpu, pgtable::TlbOps& ops) {
            auto made = std::make_unique<pgtable::VtdFirstStage>(cpu, ops, config);
            stage = made.get();
            return made;
        });
    }
    std::uint64_t root_entry(std::uint64_t index) const { return bench->ram.word(stage->root() + 8 * index); }

    pgtable::VtdFirstStage* stage = nullptr;
};

/// Rules of both stages.
class VtdTables : public test::PageTableBench, public testing::WithParamInterface<test::Format> {
protected:
    void make(const test::TableOptions& options = {}) { PageTableBench::make(GetParam(), options); }
};

INSTANTIATE_TEST_SUITE_P(Stages, VtdTables, testing::Values(test::vtd_second_stage, test::vtd_first_stage),
                         [](const auto& instance) { return std::string(instance.param.name); });

constexpr std::uint64_t large = 1 << 7;

} // namespace

TEST_F(VtdSecondStage, WritesPermissionsAsTheArchitectureDefinesThem) {
    make();
    run([&](Cpu& cpu) {
        map(cpu, 0x1000, 0x5000, k4, 1, dma::prot_read);
        map(cpu, 0x2000, 0x5000, k4, 1, dma::prot_write);
        map(cpu, 0x3000, 0x5000, k4, 1, dma::prot_read | dma::prot_write | dma::prot_coherent);
        map(cpu, m2, 2 * m2, m2, 1, dma::prot_read);
    });
    EXPECT_EQ(walk(0x1000).descriptor, 0x5001u);
    EXPECT_EQ(walk(0x2000).descriptor, 0x5002u);
    EXPECT_EQ(walk(0x3000).descriptor, 0x5003u) << "SNP is reserved in units without snoop control";
    EXPECT_EQ(walk(m2).descriptor, 2 * m2 | large | 1);
    EXPECT_EQ(root_entry(0) & 0xFFF, 3u) << "tables allow everything";
}

TEST_F(VtdSecondStage, CoherentMappingsForceSnoopingWhereTheUnitCan) {
    make({.snoop_control = true});
    run([&](Cpu& cpu) {
        map(cpu, 0x1000, 0x5000, k4, 1, dma::prot_read | dma::prot_coherent);
        map(cpu, 0x2000, 0x5000, k4, 1, dma::prot_read);
        map(cpu, m2, 2 * m2, m2, 1, dma::prot_read | dma::prot_coherent);
        EXPECT_EQ(unmap(cpu, m2, k4), k4);
    });
    EXPECT_EQ(walk(0x1000).descriptor, 0x5001u | 1 << 11);
    EXPECT_EQ(walk(0x2000).descriptor, 0x5001u);
    EXPECT_EQ(walk(m2 + k4).descriptor, (2 * m2 + k4) | 1 << 11 | 1) << "a page of a split block";
    EXPECT_EQ(root_entry(0) & 0xFFF, 3u) << "SNP is reserved in tables";
}

TEST_F(VtdSecondStage, HasThreeToFiveLevels) {
    for (unsigned levels = 3; levels <= 5; ++levels) {
        make({.levels = levels, .input_bits = 64});
        const std::uint64_t end = 1ull << (12 + 9 * levels);
        run([&](Cpu& cpu) {
            EXPECT_EQ(map(cpu, end - k4, 0x7000, k4), Status::ok);
            EXPECT_EQ(map(cpu, end, 0x7000, k4), Status::invalid_argument);
        });
        EXPECT_EQ(table->input_end(), end);
        EXPECT_EQ(stage->address_width(), levels - 2);
        EXPECT_EQ(walk(end - k4 + 5).physical, 0x7005u);
        EXPECT_EQ(walk(end - k4).reads, levels);
    }
}

TEST_F(VtdSecondStage, AnInputSizeBelowWhatTheLevelsReachIsKept) {
    make({.levels = 4, .input_bits = 39});
    run([&](Cpu& cpu) {
        EXPECT_EQ(map(cpu, (1ull << 39) - k4, 0x7000, k4), Status::ok);
        EXPECT_EQ(map(cpu, 1ull << 39, 0x7000, k4), Status::invalid_argument);
    });
    EXPECT_EQ(walk((1ull << 39) - k4).reads, 4u);
}

TEST_F(VtdFirstStage, WritesEntriesAsTheArchitectureDefinesThem) {
    make();
    run([&](Cpu& cpu) {
        map(cpu, 0x1000, 0x5000, k4, 1, dma::prot_read);
        map(cpu, 0x2000, 0x5000, k4, 1, dma::prot_write);
        map(cpu, 0x3000, 0x5000, k4, 1, dma::prot_read | dma::prot_privileged);
        map(cpu, m2, 2 * m2, m2, 1, rw);
    });
    constexpr std::uint64_t present = 1, writable = 2, user = 4, accessed = 1 << 5, dirty = 1 << 6;
    EXPECT_EQ(walk(0x1000).descriptor, 0x5000 | present | user | accessed);
    EXPECT_EQ(walk(0x2000).descriptor, 0x5000 | present | writable | user | accessed | dirty);
    EXPECT_EQ(walk(0x3000).descriptor, 0x5000 | present | accessed);
    EXPECT_FALSE(walk(0x3000).mapped) << "for a user";
    EXPECT_EQ(walk(m2).descriptor, 2 * m2 | large | present | writable | user | accessed | dirty);
    EXPECT_EQ(root_entry(0) & 0xFFF, present | writable | user | accessed) << "tables allow everything";
}

TEST_F(VtdFirstStage, TranslatesTheLowerHalfOfFourOrFiveLevels) {
    for (unsigned levels = 4; levels <= 5; ++levels) {
        make({.levels = levels, .input_bits = 64});
        const std::uint64_t end = 1ull << (11 + 9 * levels);
        run([&](Cpu& cpu) {
            EXPECT_EQ(map(cpu, end - k4, 0x7000, k4), Status::ok);
            EXPECT_EQ(map(cpu, end, 0x7000, k4), Status::invalid_argument) << "not canonical";
        });
        EXPECT_EQ(table->input_end(), end);
        EXPECT_EQ(stage->paging_mode(), levels - 4);
        EXPECT_EQ(walk(end - k4 + 5).physical, 0x7005u);
        EXPECT_EQ(walk(end - k4).reads, levels);
    }
}

TEST_P(VtdTables, ATableUnderAnUnmappedRangeGoesIntoTheGather) {
    make();
    dma::Gather gather;
    run([&](Cpu& cpu) {
        for (unsigned i = 1; i < 4; ++i)
            map(cpu, i * m2, 0x1000'0000 + i * m2, k4, 512);
        EXPECT_EQ(pages_in_use(), 6u);
        EXPECT_EQ(table->unmap_pages(cpu, m2, k4, 1024, gather), 2 * m2);
        EXPECT_EQ(walk(m2).reads, 3u) << "unhooked";
        EXPECT_EQ(pages_in_use(), 6u) << "the device may still walk the tables";
    });
    EXPECT_EQ(gather.free_pages.size(), 2u);
    EXPECT_FALSE(walk(2 * m2).mapped);
    EXPECT_EQ(walk(3 * m2).physical, 0x1000'0000 + 3 * m2) << "the neighbour stays";
    EXPECT_TRUE(tlb->walks.empty()) << "nothing waits for the unit";
    ASSERT_EQ(tlb->leaves.size(), 2u);
    EXPECT_EQ(tlb->leaves[0].iova, m2);
    EXPECT_EQ(tlb->leaves[0].size, m2);
}

TEST_P(VtdTables, ARangeIsGatheredBeforeItsTablesAre) {
    // To make room, add_page() may synchronize what was gathered before, and free the tables of that.
    make();
    run([&](Cpu& cpu) {
        for (unsigned i = 0; i < 3; ++i)
            map(cpu, i * m2, 0x1000'0000, k4, 1);
        dma::Gather gather;
        EXPECT_EQ(table->unmap_pages(cpu, 0, m2, 3, gather), 3 * m2);
    });
    ASSERT_EQ(tlb->leaves.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i)
        EXPECT_EQ(tlb->leaves[i].freed_tables, i);
}

TEST_P(VtdTables, ARangeThatCoversTablesOfTablesFreesThemAll) {
    make();
    dma::Gather gather;
    run([&](Cpu& cpu) {
        map(cpu, g1 - m2, 0x1000, k4);
        map(cpu, g1, 0x1000, k4);
        map(cpu, 2 * g1 - k4, 0x1000, k4);
        const std::size_t before = pages_in_use();
        std::size_t count =
            512 + 512 * 512; // from the last table below a gigabyte to the end of the next one
        std::uint64_t iova = g1 - m2;
        EXPECT_EQ(table->unmap_pages(cpu, iova, k4, count, gather), m2);
        EXPECT_EQ(gather.free_pages.size(), 1u);
        EXPECT_EQ(table->unmap_pages(cpu, iova + m2, k4, count - 512, gather), g1);
        EXPECT_EQ(gather.free_pages.size(), 4u) << "the second gigabyte's table and two below it";
        for (const std::uint64_t page : gather.free_pages)
            cpu.free_pages(page);
        EXPECT_EQ(pages_in_use(), before - 4);
        table->release(cpu);
    });
    EXPECT_EQ(pages_in_use(), 0u) << "what was given away is not freed again";
}

TEST_P(VtdTables, ATableThatIsOnlyPartlyCoveredStays) {
    make();
    dma::Gather gather;
    run([&](Cpu& cpu) {
        map(cpu, m2, m2, k4, 512);
        EXPECT_EQ(table->unmap_pages(cpu, m2 + k4, k4, 600, gather), 511 * k4);
        EXPECT_EQ(table->unmap_pages(cpu, m2, k4, 1, gather), k4);
    });
    EXPECT_TRUE(gather.free_pages.empty()) << "nor is it freed when it has become empty";
    EXPECT_EQ(walk(m2).reads, 4u);
}

TEST_P(VtdTables, AQueuedGatherTakesTablesButNoRanges) {
    make();
    dma::Gather gather;
    gather.queued = true;
    run([&](Cpu& cpu) {
        map(cpu, m2, m2, k4, 512);
        EXPECT_EQ(table->unmap_pages(cpu, m2, k4, 512, gather), m2);
    });
    EXPECT_EQ(gather.free_pages.size(), 1u);
    EXPECT_TRUE(tlb->leaves.empty());
}

TEST_P(VtdTables, ABlockUnderAnUnmappedRangeIsNotSplit) {
    make();
    dma::Gather gather;
    run([&](Cpu& cpu) {
        map(cpu, m2, m2, m2);
        const std::size_t before = pages_in_use();
        EXPECT_EQ(table->unmap_pages(cpu, m2, k4, 512, gather), m2);
        EXPECT_EQ(pages_in_use(), before);
    });
    EXPECT_FALSE(walk(m2).mapped);
    EXPECT_TRUE(gather.free_pages.empty());
}

TEST_P(VtdTables, AnUnhookedTableIsNotUsedForNewPages) {
    make();
    run([&](Cpu& cpu) {
        map(cpu, m2, m2, k4, 512);
        EXPECT_EQ(unmap(cpu, m2, k4, 512), m2);
        EXPECT_EQ(map(cpu, m2 + k4, 0x9000, k4), Status::ok);
        EXPECT_EQ(table->iova_to_phys(cpu, m2 + k4), 0x9000u);
    });
    EXPECT_EQ(walk(m2 + k4).physical, 0x9000u);
    EXPECT_FALSE(walk(m2).mapped);
}

TEST_P(VtdTables, WhereWalksDoNotSnoopEveryWrittenLineIsCleanedOnce) {
    const auto costs = [&](bool coherent) {
        std::vector<Picoseconds> all;
        make({.coherent = coherent});
        run([&](Cpu& cpu) {
            map(cpu, 0, 0, k4);
            all = {cost_of(cpu, [&] { map(cpu, 0x1000, 0x1000, k4); }),
                   cost_of(cpu, [&] { map(cpu, 0x2000, 0x2000, k4, 7); }),
                   cost_of(cpu, [&] { unmap(cpu, 0x1000, k4); }),
                   cost_of(cpu, [&] { unmap(cpu, 0x2000, k4, 7); }),
                   cost_of(cpu, [&] { map(cpu, m2, 0x2000, k4); }),
                   cost_of(cpu, [&] { unmap(cpu, m2, k4, 512); }),
                   cost_of(cpu, [&] { table->iova_to_phys(cpu, 0); })};
        });
        return all;
    };
    const std::vector<Picoseconds> snooping = costs(true);
    const std::vector<Picoseconds> other = costs(false);
    const Picoseconds clflush = machine::CpuParameters().clflush;
    const std::uint64_t lines[] = {1, 2, 1, 2, 64 + 1 + 1, 1, 0};
    for (std::size_t i = 0; i < other.size(); ++i)
        EXPECT_EQ(other[i] - snooping[i], lines[i] * clflush) << i;
}
