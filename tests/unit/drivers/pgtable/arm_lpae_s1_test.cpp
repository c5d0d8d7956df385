// What is Arm's own in the stage-1 format.
#include "tests/unit/drivers/pgtable/page_table_bench.h"

using namespace iommusim;
using dma::Status;
using machine::Cpu;
using namespace test::page_sizes;

namespace {

class ArmLpaeS1 : public test::PageTableBench {
protected:
    void make(const pgtable::ArmLpaeS1Config& config = {}) {
        PageTableBench::make(test::arm_lpae_s1, [&](Cpu& cpu, pgtable::TlbOps& ops) {
            auto made = std::make_unique<pgtable::ArmLpaeS1>(cpu, ops, config);
            arm = made.get();
            return made;
        });
    }

    pgtable::ArmLpaeS1* arm = nullptr;
};

} // namespace

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
    EXPECT_EQ(arm->registers().mair, 0xF404'FF44u);
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
        EXPECT_EQ(arm->registers().t0sz, 64 - bits);
        const test::Walked w = walk(last_page + 5);
        EXPECT_TRUE(w.mapped) << bits;
        EXPECT_EQ(w.physical, 0x7005u) << bits;
        EXPECT_EQ(w.reads, bits > 39 ? 4u : bits > 30 ? 3u : 2u) << bits;
    }
}

TEST_F(ArmLpaeS1, UnmappingMoreThanATableCoversFreesTheTable) {
    make();
    run([&](Cpu& cpu) {
        for (unsigned i = 0; i < 4; ++i)
            map(cpu, i * m2, 0x1000'0000 + i * m2, k4, 512);
        const std::size_t before = arm->tables();
        EXPECT_EQ(unmap(cpu, 0, m2, 3), 3 * m2);
        EXPECT_EQ(arm->tables(), before - 3);
        EXPECT_EQ(unmap(cpu, 0, g1, 1), g1) << "what is left below a gigabyte entry";
        EXPECT_EQ(arm->tables(), 2u) << "the start table and one below it";
    });
    EXPECT_EQ(tlb->walks.size(), 4u);
    EXPECT_EQ(tlb->walks[3].size, g1);
    EXPECT_FALSE(walk(3 * m2).mapped);
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
