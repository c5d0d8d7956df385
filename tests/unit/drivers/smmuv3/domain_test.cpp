#include "drivers/dma/iommu_api.h"
#include "tests/unit/drivers/smmuv3/smmuv3_bench.h"

#include <gtest/gtest.h>

namespace iommusim::smmuv3_driver::test {
namespace {

using namespace spec::opcode;

constexpr std::uint64_t page = 4096;
constexpr std::uint64_t block = 0x20'0000;
constexpr unsigned read_write = dma::prot_read | dma::prot_write | dma::prot_coherent;

class Smmuv3DomainTest : public testing::Test {
protected:
    /// Runs a test body with a fresh domain on CPU 0; commands of the set-up are forgotten.
    void with_domain(const std::function<void(machine::Cpu&, Smmuv3Domain&)>& body,
                     const DomainConfiguration& configuration = {}) {
        bench.start();
        ASSERT_TRUE(bench.started);
        bench.run([&](machine::Cpu& cpu) {
            domain = Smmuv3Domain::create(*bench.driver, cpu, configuration);
            ASSERT_NE(domain, nullptr);
            ASSERT_TRUE(domain->attach(cpu, 7));
            cpu.delay(10_us); // until the attach's last commands are consumed
            bench.clear();
            body(cpu, *domain);
        });
    }
    void map(machine::Cpu& cpu, std::uint64_t iova, std::uint64_t size) {
        EXPECT_EQ(dma::iommu_map(cpu, *domain, iova, 0x1'0000'0000 + iova, size, read_write),
                  dma::Status::ok);
    }

    Smmuv3Bench bench;
    std::unique_ptr<Smmuv3Domain> domain;
};

TEST_F(Smmuv3DomainTest, MapNeedsNoCommand) {
    with_domain([&](machine::Cpu& cpu, Smmuv3Domain& d) {
        map(cpu, 0x1000, 1000 * page);
        EXPECT_EQ(d.iova_to_phys(cpu, 0x3010), 0x1'0000'3010u);
    });
    EXPECT_TRUE(bench.unit.commands.empty());
}

TEST_F(Smmuv3DomainTest, UnmapInvalidatesOnePageByAddressAndWaits) {
    with_domain([&](machine::Cpu& cpu, Smmuv3Domain& d) {
        map(cpu, 0x5000, page);
        EXPECT_EQ(dma::iommu_unmap(cpu, d, 0x5000, page), page);
        EXPECT_EQ(d.iova_to_phys(cpu, 0x5000), ~0ull);
    });
    EXPECT_EQ(bench.opcodes(), (std::vector<unsigned>{tlbi_nh_va, sync}));
    const ConsumedCommand& c = bench.unit.commands[0];
    EXPECT_EQ(c.get(spec::tlbi::asid), domain->asid());
    EXPECT_EQ(spec::tlbi::address.in_place(c.command.words), 0x5000u);
    EXPECT_EQ(c.get(spec::tlbi::leaf), 1u);
    EXPECT_EQ(c.get(spec::tlbi::num), 0u);
    EXPECT_EQ(c.get(spec::tlbi::scale), 0u);
    EXPECT_EQ(c.get(spec::tlbi::ttl), 3u);
    EXPECT_EQ(c.get(spec::tlbi::tg), spec::tlbi::tg_4k);
}

TEST_F(Smmuv3DomainTest, UnmapOfManyPagesUsesRangeCommands) {
    with_domain([&](machine::Cpu& cpu, Smmuv3Domain& d) {
        map(cpu, 0x1'0000'1000, 517 * page);
        EXPECT_EQ(dma::iommu_unmap(cpu, d, 0x1'0000'1000, 517 * page), 517 * page);
    });
    ASSERT_EQ(bench.opcodes(), (std::vector<unsigned>{tlbi_nh_va, tlbi_nh_va, sync}));
    EXPECT_EQ(bench.unit.commands[0].get(spec::tlbi::num), 4u);
    EXPECT_EQ(bench.unit.commands[1].get(spec::tlbi::scale), 9u);
}

TEST_F(Smmuv3DomainTest, WithoutRangesUnmapUsesOneCommandPerPageInBatches) {
    bench.configuration.force_no_range_invalidation = true;
    with_domain([&](machine::Cpu& cpu, Smmuv3Domain& d) {
        map(cpu, 0x1000, 130 * page);
        dma::iommu_unmap(cpu, d, 0x1000, 130 * page);
    });
    ASSERT_EQ(bench.unit.commands.size(), 131u);
    EXPECT_EQ(bench.unit.commands[129].get(spec::tlbi::tg), spec::tlbi::tg_none);
    EXPECT_EQ(bench.unit.commands[130].opcode(), sync);
    EXPECT_EQ(bench.unit.doorbells, 3u);
    ASSERT_EQ(bench.reports.invalidations.size(), 1u);
    EXPECT_EQ(bench.reports.invalidations[0].commands, 130u);
}

TEST_F(Smmuv3DomainTest, GatherSyncsWhatDoesNotTouch) {
    with_domain([&](machine::Cpu& cpu, Smmuv3Domain& d) {
        map(cpu, 0x1000, page);
        map(cpu, 0x2000, page);
        map(cpu, 0x9000, page);
        dma::Gather gather;
        dma::iommu_unmap_fast(cpu, d, 0x1000, page, gather);
        dma::iommu_unmap_fast(cpu, d, 0x2000, page, gather);
        EXPECT_TRUE(bench.unit.commands.empty());
        dma::iommu_unmap_fast(cpu, d, 0x9000, page, gather);
        EXPECT_EQ(bench.reports.invalidations.size(), 1u);
        d.iotlb_sync(cpu, gather);
        EXPECT_TRUE(gather.empty());
        d.iotlb_sync(cpu, gather); // nothing left: no command
    });
    ASSERT_EQ(bench.opcodes(), (std::vector<unsigned>{tlbi_nh_va, sync, tlbi_nh_va, sync}));
    EXPECT_EQ(bench.unit.commands[0].get(spec::tlbi::num), 0u);
    EXPECT_EQ(bench.unit.commands[0].get(spec::tlbi::scale), 1u); // two pages
    EXPECT_EQ(spec::tlbi::address.in_place(bench.unit.commands[2].command.words), 0x9000u);
}

TEST_F(Smmuv3DomainTest, AQueuedUnmapCollectsNothingUntilTheFullFlush) {
    with_domain([&](machine::Cpu& cpu, Smmuv3Domain& d) {
        map(cpu, 0x1000, 4 * page);
        dma::Gather gather;
        gather.queued = true;
        EXPECT_EQ(dma::iommu_unmap_fast(cpu, d, 0x1000, 4 * page, gather), 4 * page);
        EXPECT_TRUE(bench.unit.commands.empty());
        d.flush_iotlb_all(cpu);
    });
    ASSERT_EQ(bench.opcodes(), (std::vector<unsigned>{tlbi_nh_asid, sync}));
    EXPECT_EQ(bench.unit.commands[0].get(spec::tlbi::asid), domain->asid());
}

TEST_F(Smmuv3DomainTest, RemovingATableInvalidatesTheWalkCachesAtOnce) {
    with_domain([&](machine::Cpu& cpu, Smmuv3Domain& d) {
        map(cpu, block, page); // a table of pages where a block is unmapped
        for (std::uint64_t i = 1; i < 512; ++i)
            map(cpu, block + i * page, page);
        dma::Gather gather;
        EXPECT_EQ(d.unmap_pages(cpu, block, block, 1, gather), block);
    });
    ASSERT_EQ(bench.opcodes(), (std::vector<unsigned>{tlbi_nh_va, sync}));
    EXPECT_EQ(bench.unit.commands[0].get(spec::tlbi::leaf), 0u);
    EXPECT_EQ(bench.unit.commands[0].get(spec::tlbi::ttl), 0u);
    EXPECT_EQ(bench.unit.commands[0].get(spec::tlbi::scale), 9u);
}

TEST_F(Smmuv3DomainTest, RecordsWhereAndWhenAnInvalidationCompleted) {
    Picoseconds before = 0;
    Picoseconds after = 0;
    with_domain([&](machine::Cpu& cpu, Smmuv3Domain& d) {
        map(cpu, 0x1000, 3 * page);
        dma::Gather gather;
        dma::iommu_unmap_fast(cpu, d, 0x1000, 3 * page, gather);
        before = cpu.time();
        d.iotlb_sync(cpu, gather);
        after = cpu.time();
    });
    ASSERT_EQ(bench.reports.invalidations.size(), 1u);
    const dma::InvalidationRecord& r = bench.reports.invalidations[0];
    EXPECT_EQ(r.cpu, 0u);
    EXPECT_EQ(r.commands, 1u);
    EXPECT_EQ(r.first_index, bench.unit.commands[0].position);
    EXPECT_EQ(r.completion_index, bench.unit.commands[1].position);
    EXPECT_EQ(r.began, before);
    EXPECT_EQ(r.observed, after);
    EXPECT_GE(r.observed, bench.unit.commands[1].time + bench.unit.sync_time);
}

TEST_F(Smmuv3DomainTest, ReleaseGivesEverythingBack) {
    std::size_t pages = 0;
    with_domain([&](machine::Cpu& cpu, Smmuv3Domain& d) {
        const unsigned asid = d.asid();
        map(cpu, 0x1000, 600 * page);
        d.release(cpu);
        pages = bench.machine.pages().pages_in_use();
        EXPECT_EQ(bench.driver->attached(7), nullptr);
        auto next = Smmuv3Domain::create(*bench.driver, cpu);
        EXPECT_EQ(next->asid(), asid);
        next->release(cpu);
        EXPECT_EQ(bench.machine.pages().pages_in_use(), pages);
    });
    const std::vector<unsigned> opcodes = bench.opcodes();
    // The stream leaves before the ASID's translations are dropped.
    const auto detach = std::find(opcodes.begin(), opcodes.end(), cfgi_ste);
    const auto flush = std::find(opcodes.begin(), opcodes.end(), tlbi_nh_asid);
    ASSERT_NE(flush, opcodes.end());
    EXPECT_LT(detach, flush);
}

TEST_F(Smmuv3DomainTest, HandsOutEveryAsidOnce) {
    bench.unit.idr[0] &= ~static_cast<std::uint32_t>(spec::idr0::asid16.mask());
    with_domain([&](machine::Cpu& cpu, Smmuv3Domain&) {
        std::vector<std::unique_ptr<Smmuv3Domain>> domains;
        for (unsigned i = 2; i < 256; ++i) {
            domains.push_back(Smmuv3Domain::create(*bench.driver, cpu));
            ASSERT_NE(domains.back(), nullptr);
            EXPECT_EQ(domains.back()->asid(), i);
        }
        EXPECT_EQ(Smmuv3Domain::create(*bench.driver, cpu), nullptr);
    });
}

TEST_F(Smmuv3DomainTest, ABrokenDriverSkipsTheInvalidationButStillWaits) {
    bench.configuration.faults.skip_tlbi = true;
    with_domain([&](machine::Cpu& cpu, Smmuv3Domain& d) {
        map(cpu, 0x1000, page);
        dma::iommu_unmap(cpu, d, 0x1000, page);
        d.flush_iotlb_all(cpu);
    });
    EXPECT_EQ(bench.opcodes(), (std::vector<unsigned>{sync, sync}));
    EXPECT_EQ(bench.reports.invalidations.size(), 2u);
}

TEST_F(Smmuv3DomainTest, ABrokenDriverThatDoesNotWaitPromisesTooEarly) {
    bench.configuration.faults.skip_sync = true;
    with_domain([&](machine::Cpu& cpu, Smmuv3Domain& d) {
        map(cpu, 0x1000, page);
        dma::iommu_unmap(cpu, d, 0x1000, page);
    });
    EXPECT_EQ(bench.opcodes(), std::vector<unsigned>{tlbi_nh_va});
    ASSERT_EQ(bench.reports.invalidations.size(), 1u);
    EXPECT_LT(bench.reports.invalidations[0].observed, bench.unit.commands[0].time + bench.unit.command_time);
}

TEST_F(Smmuv3DomainTest, ABrokenDriverSkipsConfigurationInvalidation) {
    bench.configuration.faults.skip_cfgi = true;
    with_domain([&](machine::Cpu& cpu, Smmuv3Domain& d) { d.detach(cpu, 7); });
    EXPECT_TRUE(bench.unit.commands.empty());
    EXPECT_EQ(bench.unit.read(bench.driver->streams().entry_address(7)), spec::ste::v.mask());
}

} // namespace
} // namespace iommusim::smmuv3_driver::test
