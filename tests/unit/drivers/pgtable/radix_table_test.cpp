// The engine with a format of the test's own, as unlike the others as possible: tables of 16 KiB, a root of
// four of them.
#include "drivers/pgtable/radix_table_code.h"

#include "tests/unit/drivers/pgtable/page_table_bench.h"

using namespace iommusim;
using dma::Status;
using machine::Cpu;

namespace {

/// Bit 63 is present, bit 62 a table; bits 3:0 are the level, as a check.
struct WideFormat {
    static constexpr unsigned granule_bits = 14;
    static constexpr unsigned stride = 11;
    static constexpr unsigned contiguous_entries = 1;
    static constexpr bool frees_covered_tables = false;

    static bool is_valid(std::uint64_t entry) { return entry >> 63 != 0; }
    static bool is_table(std::uint64_t entry, unsigned level) {
        EXPECT_EQ(entry & 15, level);
        return (entry >> 62 & 1) != 0;
    }
    static std::uint64_t output(std::uint64_t entry) { return entry & low_bits(48) & ~low_bits(14); }
    static std::uint64_t table(std::uint64_t below, unsigned level) { return below | 3ull << 62 | level; }
    static std::uint64_t attributes(unsigned protection) { return std::uint64_t{protection} << 50; }
    static std::uint64_t attributes_of(std::uint64_t leaf) { return leaf & low_bits(6) << 50; }
    static std::uint64_t leaf(std::uint64_t output, std::uint64_t attributes, unsigned level) {
        return output | attributes | 1ull << 63 | level;
    }
};

constexpr std::uint64_t k16 = 1ull << 14;
constexpr std::uint64_t m32 = 1ull << 25;
constexpr unsigned input_bits = 38; // two levels resolve 36

class WideTable final : public pgtable::RadixTable<WideFormat> {
public:
    WideTable(Cpu& cpu, pgtable::TlbOps& tlb)
        : RadixTable(
              cpu, tlb, WideFormat(),
              {.levels = 2, .input_bits = input_bits, .output_bits = 48, .page_sizes = m32 | 1ull << 12}) {}
};

} // namespace

TEST(RadixTable, ARootOfSeveralTablesIsOneTable) {
    test::DriverBench bench;
    test::RecordingTlb tlb(bench.machine);
    bench.run([&](Cpu& cpu) {
        WideTable table(cpu, tlb);
        EXPECT_EQ(table.page_sizes(), k16 | m32) << "of what was asked for, what the tree has";
        EXPECT_EQ(table.root() % (4 * k16), 0u);
        EXPECT_EQ(table.tables(), 4u);

        std::uint64_t mapped = 0;
        const std::uint64_t last = (1ull << input_bits) - m32;
        EXPECT_EQ(table.map_pages(cpu, last, m32, m32, 2, dma::prot_read, mapped), Status::ok);
        EXPECT_EQ(mapped, m32) << "not beyond the input range";
        EXPECT_EQ(bench.ram.word(table.root() + 4 * k16 - 8), m32 | 1ull << 63 | 1ull << 50 | 2);

        // Across the end of the first root table.
        const std::uint64_t seam = 1ull << 36;
        EXPECT_EQ(table.map_pages(cpu, seam - m32, 4 * m32, m32, 2, dma::prot_read, mapped), Status::ok);
        EXPECT_EQ(table.iova_to_phys(cpu, seam + 5), 5 * m32 + 5);
        dma::Gather gather;
        EXPECT_EQ(table.unmap_pages(cpu, seam, k16, 1, gather), k16) << "splits the block";
        EXPECT_EQ(table.iova_to_phys(cpu, seam), ~0ull);
        EXPECT_EQ(table.iova_to_phys(cpu, seam + k16), 5 * m32 + k16);
        EXPECT_EQ(table.tables(), 5u);
        EXPECT_EQ(bench.machine.pages().pages_in_use(), 20u);

        table.release(cpu);
        EXPECT_EQ(bench.machine.pages().pages_in_use(), 0u);
    });
}

TEST(RadixTable, ASmallerRootDoesNotReachBeyondTheInputRange) {
    test::DriverBench bench;
    test::RecordingTlb tlb(bench.machine);
    bench.run([&](Cpu& cpu) {
        pgtable::ArmLpaeS1 table(cpu, tlb, {.input_bits = 32});
        constexpr std::uint64_t g1 = 1ull << 30;
        std::uint64_t mapped = 0;
        EXPECT_EQ(table.map_pages(cpu, 3 * g1, 0, g1, 2, dma::prot_read, mapped), Status::ok);
        EXPECT_EQ(mapped, g1);
        EXPECT_EQ(bench.ram.word(table.root() + 4 * 8), 0u) << "the entry after the last";
    });
}
