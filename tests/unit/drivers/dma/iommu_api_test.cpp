#include "drivers/dma/iommu_api.h"

#include "tests/unit/drivers/dma/fake_domain.h"

#include <bit>
#include <gtest/gtest.h>
#include <rapidcheck.h>

using namespace iommusim;
using dma::Gather;
using dma::PageSplit;
using dma::Status;
using machine::Cpu;
using Call = test::FakeDomain::Call;

namespace {

constexpr std::uint64_t k4 = 1ull << 12;
constexpr std::uint64_t m2 = 1ull << 21;
constexpr unsigned rw = dma::prot_read | dma::prot_write;

std::vector<Call> calls(const test::FakeDomain& domain, const std::string& operation) {
    std::vector<Call> result;
    for (const Call& call : domain.log)
        if (call.operation == operation)
            result.push_back(call);
    return result;
}

} // namespace

TEST(Gather, IsEmptyUntilAPageIsAdded) {
    Gather g;
    EXPECT_TRUE(g.empty());
    EXPECT_FALSE(g.disjoint(0x1000, k4)) << "nothing is disjoint from nothing";
    g.add(0x3000, k4);
    EXPECT_FALSE(g.empty());
    EXPECT_EQ(g.start, 0x3000u);
    EXPECT_EQ(g.end, 0x3FFFu);
    g.free_pages.push_back(1);
    g.reset();
    EXPECT_TRUE(g.empty());
    EXPECT_TRUE(g.free_pages.empty());
    EXPECT_EQ(g.start, ~0ull);
    EXPECT_EQ(g.end, 0u);
}

TEST(Gather, TouchingRangesAreNotDisjoint) {
    Gather g;
    g.add(0x3000, k4);
    EXPECT_FALSE(g.disjoint(0x4000, k4));
    EXPECT_FALSE(g.disjoint(0x2000, k4));
    EXPECT_FALSE(g.disjoint(0x3000, k4));
    EXPECT_FALSE(g.disjoint(0x1000, 8 * k4));
    EXPECT_TRUE(g.disjoint(0x5000, k4));
    EXPECT_TRUE(g.disjoint(0x1000, k4));
}

TEST(Gather, DoesNotWrapAtTheEndsOfTheAddressSpace) {
    Gather top;
    top.add(0 - k4, k4);
    EXPECT_TRUE(top.disjoint(0, k4));
    EXPECT_FALSE(top.disjoint(0 - 2 * k4, k4));
    Gather bottom;
    bottom.add(0, k4);
    EXPECT_TRUE(bottom.disjoint(0 - k4, k4));
    EXPECT_FALSE(bottom.disjoint(k4, k4));
}

TEST(Gather, SyncsWhenThePageSizeChangesOrTheRangeBreaks) {
    test::DriverBench bench;
    test::FakeDomain domain(bench);
    bench.run([&](Cpu& cpu) {
        Gather g;
        dma::gather_page(cpu, domain, g, 0x1000, k4);
        dma::gather_page(cpu, domain, g, 0x2000, k4);
        EXPECT_EQ(domain.count("sync"), 0u);
        dma::gather_page(cpu, domain, g, 0x8000, k4);
        EXPECT_EQ(domain.count("sync"), 1u) << "not adjacent";
        dma::gather_page(cpu, domain, g, m2, m2);
        EXPECT_EQ(domain.count("sync"), 2u) << "another page size";
        domain.iotlb_sync(cpu, g);
    });
    EXPECT_EQ(
        calls(domain, "sync"),
        (std::vector<Call>{{"sync", 0x1000, 0x2000, 1}, {"sync", 0x8000, 0x1000, 1}, {"sync", m2, m2, 1}}));
}

TEST(PageChoice, ThreeCallsWhereTheFormOf2011NeededFive) {
    test::DriverBench bench;
    for (const PageSplit split : {PageSplit::runs, PageSplit::single_pages}) {
        test::FakeDomain domain(bench);
        bench.run([&](Cpu& cpu) {
            EXPECT_EQ(dma::iommu_map(cpu, domain, 0x1FF000, 0x401F'F000, 0x40'3000, rw, split), Status::ok);
        });
        if (split == PageSplit::runs)
            EXPECT_EQ(calls(domain, "map"),
                      (std::vector<Call>{
                          {"map", 0x1F'F000, k4, 1}, {"map", 0x20'0000, m2, 2}, {"map", 0x60'0000, k4, 2}}));
        else
            EXPECT_EQ(domain.count("map"), 5u);
        EXPECT_EQ(calls(domain, "sync_map"), (std::vector<Call>{{"sync_map", 0x1F'F000, 0x40'3000, 1}}));
    }
}

TEST(PageChoice, AddressesThatDifferBelowABlockAreMappedInPagesTableByTable) {
    test::DriverBench bench;
    test::FakeDomain domain(bench);
    bench.run([&](Cpu& cpu) {
        EXPECT_EQ(dma::iommu_map(cpu, domain, 0x1FF000, 0x4000'0000, 0x40'3000, rw), Status::ok);
        for (std::uint64_t at = 0; at < 0x40'3000; at += k4)
            EXPECT_EQ(domain.device_access(0x1FF000 + at), 0x4000'0000 + at);
    });
    // The core asks for all that is left; the table does 1 + 512 + 512 + 2.
    EXPECT_EQ(calls(domain, "map"), (std::vector<Call>{{"map", 0x1F'F000, k4, 1027},
                                                       {"map", 0x20'0000, k4, 1026},
                                                       {"map", 0x40'0000, k4, 514},
                                                       {"map", 0x60'0000, k4, 2}}));
}

TEST(PageChoice, TilesAnyRangeWithSupportedAlignedPages) {
    EXPECT_TRUE(rc::check("random bitmaps and ranges", [] {
        const std::uint64_t sizes = (*rc::gen::arbitrary<std::uint64_t>() & 0x7FF'F000) | k4;
        const auto page = [](std::uint64_t limit) {
            return rc::gen::map(rc::gen::inRange<std::uint64_t>(0, limit),
                                [](std::uint64_t n) { return n * 4096; });
        };
        const std::uint64_t iova = *page(1 << 16);
        // Often with a common offset, or large pages would never appear.
        const std::uint64_t physical =
            *rc::gen::element(std::uint64_t{iova}, std::uint64_t{iova + (1ull << 24)}, *page(1 << 16));
        const std::uint64_t size = *page(1 << 14) + k4;
        std::size_t runs = 0;
        std::size_t singles = 0;
        std::vector<std::uint64_t> by_runs;
        std::vector<std::uint64_t> by_singles;
        for (std::uint64_t done = 0; done < size; ++runs) {
            const dma::PageRun run = dma::choose_pages(sizes, iova + done, physical + done, size - done);
            RC_ASSERT(std::has_single_bit(run.page_size));
            RC_ASSERT((run.page_size & sizes) == run.page_size);
            RC_ASSERT(((iova + done) | (physical + done)) % run.page_size == 0u);
            RC_ASSERT(run.count > 0u);
            RC_ASSERT(run.count * run.page_size <= size - done);
            by_runs.insert(by_runs.end(), run.count, run.page_size);
            done += run.count * run.page_size;
        }
        for (std::uint64_t done = 0; done < size; ++singles) {
            const dma::PageRun run =
                dma::choose_pages(sizes, iova + done, physical + done, size - done, PageSplit::single_pages);
            by_singles.push_back(run.page_size);
            done += run.page_size;
        }
        RC_ASSERT(runs <= singles);
        RC_ASSERT(by_runs == by_singles);
    }));
}

TEST(IommuMap, RefusesWhatIsNotAlignedOrLeavesTheAperture) {
    test::DriverBench bench;
    test::FakeDomain domain(bench, {.input_bits = 39});
    bench.run([&](Cpu& cpu) {
        EXPECT_EQ(dma::iommu_map(cpu, domain, 0x800, 0x1000, k4, rw), Status::invalid_argument);
        EXPECT_EQ(dma::iommu_map(cpu, domain, 0x1000, 0x1800, k4, rw), Status::invalid_argument);
        EXPECT_EQ(dma::iommu_map(cpu, domain, 0x1000, 0x1000, 0x800, rw), Status::invalid_argument);
        EXPECT_EQ(dma::iommu_map(cpu, domain, 0x1000, 0x1000, 0, rw), Status::invalid_argument);
        EXPECT_EQ(dma::iommu_map(cpu, domain, (1ull << 39) - k4, 0x1000, 2 * k4, rw),
                  Status::invalid_argument);
        EXPECT_EQ(dma::iommu_map(cpu, domain, 0 - k4, 0x1000, 2 * k4, rw), Status::invalid_argument);
        EXPECT_EQ(domain.count("map"), 0u);
        EXPECT_EQ(dma::iommu_map(cpu, domain, (1ull << 39) - k4, 0x1000, k4, rw), Status::ok);
        EXPECT_EQ(dma::iommu_unmap(cpu, domain, 0x800, k4), 0u);
    });
}

TEST(IommuMap, AFailureHalfwayLeavesNothingMapped) {
    test::DriverBench bench;
    test::FakeDomain domain(bench);
    domain.fail_beyond = 3 * m2;
    bench.run([&](Cpu& cpu) {
        // A page, three blocks, and a page too many.
        EXPECT_EQ(dma::iommu_map(cpu, domain, m2 - k4, 0x1000'0000 - k4, 3 * m2, rw), Status::no_memory);
        EXPECT_EQ(domain.count("map"), 3u);
        EXPECT_EQ(domain.count("sync"), 2u)
            << "what had been mapped may have been used: one page, then blocks";
        // Tables full of pages; they go as a whole.
        EXPECT_EQ(dma::iommu_map(cpu, domain, m2, 0x1000'1000, 3 * m2, rw), Status::no_memory);
        EXPECT_EQ(domain.count("flush_walk"), 2u);
        for (std::uint64_t iova = 0; iova < 6 * m2; iova += k4)
            EXPECT_EQ(domain.device_access(iova), ~0ull);
    });
    EXPECT_EQ(domain.count("sync_map"), 0u);
}

TEST(IommuMap, AMappingInTheWaySurvives) {
    test::DriverBench bench;
    test::FakeDomain domain(bench);
    bench.run([&](Cpu& cpu) {
        EXPECT_EQ(dma::iommu_map(cpu, domain, m2, 0x9000, k4, rw), Status::ok);
        EXPECT_EQ(dma::iommu_map(cpu, domain, m2 - k4, 0x10'0000, 2 * k4, rw), Status::already_mapped);
        EXPECT_EQ(domain.device_access(m2), 0x9000u);
        EXPECT_EQ(domain.device_access(m2 - k4), ~0ull);
    });
}

TEST(IommuUnmap, LeavesNoTranslationBehind) {
    test::DriverBench bench;
    test::FakeDomain domain(bench);
    bench.run([&](Cpu& cpu) {
        dma::iommu_map(cpu, domain, 0x1FF000, 0x401F'F000, 0x40'3000, rw);
        for (std::uint64_t at = 0; at < 0x40'3000; at += k4)
            EXPECT_NE(domain.device_access(0x1FF000 + at), ~0ull);
        EXPECT_EQ(dma::iommu_unmap(cpu, domain, 0x1FF000, 0x40'3000), 0x40'3000u);
        for (std::uint64_t at = 0; at < 0x40'3000; at += k4)
            EXPECT_EQ(domain.device_access(0x1FF000 + at), ~0ull);
    });
    EXPECT_EQ(domain.count("sync"), 3u) << "page size changes break the gather twice; one sync ends it";
}

TEST(IommuUnmap, StopsAtAHole) {
    test::DriverBench bench;
    test::FakeDomain domain(bench);
    bench.run([&](Cpu& cpu) {
        dma::iommu_map(cpu, domain, 0x1000, 0x1000, 2 * k4, rw);
        dma::iommu_map(cpu, domain, 0x4000, 0x4000, k4, rw);
        EXPECT_EQ(dma::iommu_unmap(cpu, domain, 0x1000, 4 * k4), 2 * k4);
        EXPECT_NE(domain.device_access(0x4000), ~0ull);
        EXPECT_EQ(dma::iommu_unmap(cpu, domain, 0x10'0000, k4), 0u);
    });
}

TEST(IommuUnmap, TheFastFormLeavesTheSyncToItsCaller) {
    test::DriverBench bench;
    test::FakeDomain domain(bench);
    bench.run([&](Cpu& cpu) {
        dma::iommu_map(cpu, domain, 0x1000, 0x7000, 2 * k4, rw);
        domain.device_access(0x1000);
        Gather gather;
        EXPECT_EQ(dma::iommu_unmap_fast(cpu, domain, 0x1000, 2 * k4, gather), 2 * k4);
        EXPECT_EQ(domain.count("sync"), 0u);
        EXPECT_EQ(domain.device_access(0x1000), 0x7000u) << "still in the TLB";
        EXPECT_EQ(gather.start, 0x1000u);
        EXPECT_EQ(gather.end, 0x2FFFu);
        domain.iotlb_sync(cpu, gather);
        EXPECT_EQ(domain.device_access(0x1000), ~0ull);
    });
}
