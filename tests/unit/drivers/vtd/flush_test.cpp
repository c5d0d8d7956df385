// What a flush asks the unit to do, and how CPUs share the queue.
#include "tests/unit/drivers/vtd/vtd_driver_bench.h"

namespace iommusim::vtd_driver::test {
namespace {

using namespace spec;

constexpr std::uint32_t device = VtdDriverBench::device;
constexpr std::uint64_t iova = 0x4000'0000;
constexpr std::uint64_t page = 4096;

dma::DeviceAddress process(std::uint32_t pasid) { return {.id = device, .pasid = pasid, .has_pasid = true}; }

using Domain = VtdDriverBench::Domain;

TEST(VtdFlush, UnmapOfTheSecondStageNamesTheCoveringBlock) {
    VtdDriverBench bench(legacy());
    ASSERT_TRUE(bench.start());
    const Domain domain = bench.attached_domain();
    const std::uint16_t id = VtdDriverBench::id_of(*domain);
    bench.map(*domain, iova + page, 1, 2);
    bench.take_descriptors();
    bench.unmap(*domain, iova + page, 2);
    const std::vector<Descriptor> queued = bench.take_descriptors();
    ASSERT_EQ(queued.size(), 2u);
    EXPECT_EQ(queued[0], make::iotlb_pages(id, {iova, 2}, false, true, true));
    EXPECT_EQ(queued[1][0], 0x0000'0002'0000'0025u);
    ASSERT_EQ(bench.reports.invalidations.size(), 1u);
    const dma::InvalidationRecord& record = bench.reports.invalidations[0];
    EXPECT_EQ(record.commands, 1u);
    EXPECT_EQ(record.completion_index, record.first_index + 1);
    EXPECT_GT(record.observed, record.began);
}

TEST(VtdFlush, UnmapOfTheFirstStageKeepsTablesThatStay) {
    VtdDriverBench bench;
    ASSERT_TRUE(bench.start());
    const Domain domain = bench.attached_domain();
    const std::uint16_t id = VtdDriverBench::id_of(*domain);
    bench.map(*domain, iova, 1, 512);
    bench.take_descriptors();
    bench.unmap(*domain, iova);
    EXPECT_EQ(bench.take_invalidations(),
              (std::vector<Descriptor>{make::pasid_iotlb_pages(id, 0, {iova, 0}, true)}));
    bench.unmap(*domain, iova + page, 511);
    EXPECT_EQ(bench.take_invalidations().size(), 1u);
    bench.map(*domain, iova, 1, 512);
    bench.take_descriptors();
    bench.unmap(*domain, iova, 512); // and the table that they filled
    EXPECT_EQ(bench.take_invalidations(),
              (std::vector<Descriptor>{make::pasid_iotlb_pages(id, 0, {iova, 9}, false)}));
}

TEST(VtdFlush, WholeDomainIsNamedByItsIdOrItsPasids) {
    VtdDriverBench bench;
    ASSERT_TRUE(bench.start());
    const Domain second = bench.attached_domain(dma::Stage::second);
    const Domain first = bench.attached_domain(dma::Stage::first, process(3));
    bench.take_descriptors();
    bench.run([&](machine::Cpu& cpu) {
        second->flush_iotlb_all(cpu);
        first->flush_iotlb_all(cpu);
    });
    EXPECT_EQ(bench.take_invalidations(),
              (std::vector<Descriptor>{make::iotlb_domain(VtdDriverBench::id_of(*second), true, true),
                                       make::pasid_iotlb_all(VtdDriverBench::id_of(*first), 3)}));
}

TEST(VtdFlush, BlocksAboveTheLargestMaskFlushTheDomain) {
    BenchOptions options = legacy();
    options.unit.max_address_mask = 4;
    VtdDriverBench bench(options);
    ASSERT_TRUE(bench.start());
    const Domain domain = bench.attached_domain();
    const std::uint16_t id = VtdDriverBench::id_of(*domain);
    bench.map(*domain, iova, 1, 64);
    bench.take_descriptors();
    bench.unmap(*domain, iova, 16);
    bench.unmap(*domain, iova + 16 * page, 32);
    EXPECT_EQ(bench.take_invalidations(),
              (std::vector<Descriptor>{make::iotlb_pages(id, {iova, 4}, false, true, true),
                                       make::iotlb_domain(id, true, true)}));
    EXPECT_EQ(bench.driver->statistics().domain_flushes, 1u);
    EXPECT_TRUE(bench.reports.errors.empty());
}

TEST(VtdFlush, UnitWithoutPageSelectionFlushesTheDomain) {
    BenchOptions options = legacy();
    options.unit.page_selective = 0;
    VtdDriverBench bench(options);
    ASSERT_TRUE(bench.start());
    const Domain domain = bench.attached_domain();
    bench.map(*domain, iova, 1);
    bench.take_descriptors();
    bench.unmap(*domain, iova);
    EXPECT_EQ(bench.take_invalidations(),
              (std::vector<Descriptor>{make::iotlb_domain(VtdDriverBench::id_of(*domain), true, true)}));
}

TEST(VtdFlush, UnitWithoutDrainingIsNotAskedForIt) {
    BenchOptions options = legacy();
    options.unit.draining = 0;
    VtdDriverBench bench(options);
    ASSERT_TRUE(bench.start());
    const Domain domain = bench.attached_domain();
    bench.map(*domain, iova, 1);
    bench.take_descriptors();
    bench.unmap(*domain, iova);
    EXPECT_EQ(bench.take_invalidations(),
              (std::vector<Descriptor>{
                  make::iotlb_pages(VtdDriverBench::id_of(*domain), {iova, 0}, false, false, false)}));
}

TEST(VtdFlush, CachingModeFlushesAfterAMapButNoDeviceTlb) {
    BenchOptions options = legacy();
    options.unit.caching_mode = 1;
    options.device_tlb = true;
    VtdDriverBench bench(options);
    ASSERT_TRUE(bench.start());
    const Domain domain = bench.attached_domain(dma::Stage::automatic, {.id = device, .device_tlb = true});
    const std::uint16_t id = VtdDriverBench::id_of(*domain);
    bench.take_descriptors();
    bench.map(*domain, iova, 1);
    EXPECT_EQ(bench.take_invalidations(),
              (std::vector<Descriptor>{make::iotlb_pages(id, {iova, 0}, false, true, true)}));
    bench.unmap(*domain, iova);
    EXPECT_EQ(bench.take_invalidations(),
              (std::vector<Descriptor>{make::iotlb_pages(id, {iova, 0}, false, true, true),
                                       make::device_tlb(device, {iova, 0}, 32)}));
}

TEST(VtdFlush, MapNeedsNothingOtherwise) {
    VtdDriverBench bench;
    ASSERT_TRUE(bench.start());
    const Domain domain = bench.attached_domain();
    bench.tap.writes.clear();
    bench.map(*domain, iova, 1);
    EXPECT_TRUE(bench.tap.writes.empty());
}

TEST(VtdFlush, DeviceTlbsAreFlushedWithThePasidThatUsesThem) {
    BenchOptions options;
    options.device_tlb = true;
    VtdDriverBench bench(options);
    ASSERT_TRUE(bench.start());
    const Domain domain = bench.attached_domain(dma::Stage::first, {.id = device, .device_tlb = true});
    dma::DeviceAddress with_pasid = process(5);
    with_pasid.device_tlb = true;
    ASSERT_TRUE(bench.attach(*domain, with_pasid));
    bench.map(*domain, iova, 7);
    EXPECT_EQ(bench.read(iova), 7u);
    EXPECT_EQ(bench.read(iova, VtdDriverBench::of(device, 5)), 7u);
    EXPECT_EQ(bench.device_tlb->statistics().translation_requests, 2u);
    const std::uint16_t id = VtdDriverBench::id_of(*domain);
    bench.take_descriptors();
    bench.unmap(*domain, iova);
    EXPECT_EQ(bench.take_invalidations(),
              (std::vector<Descriptor>{make::pasid_iotlb_pages(id, 0, {iova, 0}, true),
                                       make::pasid_iotlb_pages(id, 5, {iova, 0}, true),
                                       make::device_tlb(device, {iova, 0}, 32),
                                       make::pasid_device_tlb(device, 5, {iova, 0}, 32)}));
    EXPECT_EQ(bench.read(iova), std::nullopt);
    EXPECT_EQ(bench.read(iova, VtdDriverBench::of(device, 5)), std::nullopt);
}

TEST(VtdFlush, DetachedDeviceTlbKeepsNothing) {
    BenchOptions options = legacy();
    options.device_tlb = true;
    VtdDriverBench bench(options);
    ASSERT_TRUE(bench.start());
    const Domain domain = bench.attached_domain(dma::Stage::automatic, {.id = device, .device_tlb = true});
    bench.map(*domain, iova, 7);
    EXPECT_EQ(bench.read(iova), 7u);
    bench.take_descriptors();
    bench.detach(*domain);
    ASSERT_EQ(bench.device_tlb->statistics().invalidations, 1u);
    EXPECT_EQ(bench.take_invalidations().back(), make::device_tlb(device, everything, 32));
    EXPECT_EQ(bench.read(iova), std::nullopt);
}

TEST(VtdFlush, ManyDescriptorsGoInBatchesOfSixteen) {
    VtdDriverBench bench;
    ASSERT_TRUE(bench.start());
    const Domain domain = bench.create_domain();
    for (std::uint32_t pasid = 1; pasid <= 20; ++pasid)
        ASSERT_TRUE(bench.attach(*domain, process(pasid)));
    bench.map(*domain, iova, 7);
    bench.take_descriptors();
    bench.reports.invalidations.clear();
    bench.unmap(*domain, iova);
    std::vector<unsigned> types;
    for (const Descriptor& d : bench.take_descriptors())
        types.push_back(descriptor::type(d[0]));
    std::vector<unsigned> expected(16, descriptor_type::pasid_iotlb);
    expected.push_back(descriptor_type::wait);
    expected.insert(expected.end(), 4, descriptor_type::pasid_iotlb);
    expected.push_back(descriptor_type::wait);
    EXPECT_EQ(types, expected);
    ASSERT_EQ(bench.reports.invalidations.size(), 1u);
    const dma::InvalidationRecord& record = bench.reports.invalidations[0];
    EXPECT_EQ(record.commands, 20u);
    EXPECT_EQ((record.completion_index - record.first_index) & 255, 21u);
}

// ---- many CPUs

TEST(VtdQueue, CpusShareItWhenItIsFull) {
    constexpr unsigned cpus = 8;
    constexpr unsigned submissions = 5;
    constexpr unsigned descriptors = 30; // 8 submissions of 31 do not fit into 128
    BenchOptions options;
    options.cpus = cpus;
    options.driver.queue_entries = 128;
    VtdDriverBench bench(options);
    ASSERT_TRUE(bench.start());
    const Statistics before = bench.driver->statistics();
    bench.probe.commands.clear();
    unsigned completed = 0;
    bench.run_on_all([&](machine::Cpu& cpu) {
        const std::vector<Descriptor> batch(descriptors, make::iotlb_global(true, true));
        for (unsigned i = 0; i < submissions; ++i)
            completed += bench.driver->queue().submit(cpu, batch.data(), descriptors).completed;
    });
    EXPECT_EQ(completed, cpus * submissions);
    EXPECT_EQ(bench.probe.commands.size(), cpus * submissions * (descriptors + 1));
    EXPECT_GT(bench.driver->statistics().full_waits, 0u);
    EXPECT_EQ(bench.driver->statistics().doorbells - before.doorbells, cpus * submissions);
    EXPECT_TRUE(bench.reports.errors.empty());
}

TEST(VtdQueue, EveryCpuSeesItsOwnCompletion) {
    constexpr unsigned cpus = 16;
    BenchOptions options = legacy();
    options.cpus = cpus;
    VtdDriverBench bench(options);
    ASSERT_TRUE(bench.start());
    const Domain domain = bench.attached_domain();
    bench.run_on_all([&](machine::Cpu& cpu) {
        const std::uint64_t at = iova + cpu.index() * (1ull << 30);
        const std::uint64_t physical = cpu.allocate_pages(1);
        for (unsigned i = 0; i < 40; ++i) {
            dma::iommu_map(cpu, *domain, at + i * page, physical, page, dma::prot_read);
            EXPECT_EQ(dma::iommu_unmap(cpu, *domain, at + i * page, page), page);
        }
    });
    ASSERT_EQ(bench.reports.invalidations.size(), cpus * 40u);
    EXPECT_TRUE(bench.reports.errors.empty());
    // Each effect has come before the record that announces it.
    std::map<std::uint32_t, std::vector<Picoseconds>> completions;
    for (const CommandEvent& c : bench.probe.commands)
        if (c.completion)
            completions[c.index].push_back(c.finished);
    for (const dma::InvalidationRecord& record : bench.reports.invalidations) {
        const auto& times = completions[record.completion_index];
        EXPECT_TRUE(std::any_of(times.begin(), times.end(), [&](Picoseconds t) {
            return t >= record.began && t <= record.observed;
        })) << record.completion_index;
    }
}

TEST(VtdQueue, DriverThatForgetsToWaitDoesNotOverrunIt) {
    BenchOptions options = legacy();
    options.driver.faults.skip_wait = true;
    VtdDriverBench bench(options);
    ASSERT_TRUE(bench.start());
    const Domain domain = bench.attached_domain();
    bench.probe.commands.clear();
    bench.run([&](machine::Cpu& cpu) {
        for (unsigned i = 0; i < 1000; ++i)
            domain->flush_iotlb_all(cpu);
    });
    EXPECT_EQ(bench.probe.commands.size(), 2000u);
    EXPECT_TRUE(bench.reports.invalidations.empty());
    EXPECT_TRUE(bench.reports.errors.empty());
}

// ---- registers instead of the queue

BenchOptions with_registers() {
    BenchOptions options = legacy();
    options.driver.interface = InvalidationInterface::registers;
    return options;
}

TEST(VtdRegisterInterface, UnmapInvalidatesPagesThroughRegisters) {
    VtdDriverBench bench(with_registers());
    ASSERT_TRUE(bench.start());
    const Domain domain = bench.attached_domain();
    bench.map(*domain, iova + page, 7, 2);
    EXPECT_EQ(bench.read(iova + page), 7u);
    bench.tap.writes.clear();
    bench.unmap(*domain, iova + page, 2);
    EXPECT_EQ(bench.read(iova + page), std::nullopt);
    const std::uint64_t offset = bench.driver->features().iotlb_offset;
    ASSERT_GE(bench.tap.writes.size(), 2u);
    EXPECT_EQ(bench.tap.writes[0], (RegisterWrite{offset, iova | 2}));
    const std::uint64_t command = bench.tap.writes[1].value;
    EXPECT_EQ(bench.tap.writes[1].offset, offset + 8);
    EXPECT_EQ(iotlb::iirg.get(command), iotlb::granularity_page);
    EXPECT_EQ(iotlb::did.get(command), VtdDriverBench::id_of(*domain));
    EXPECT_EQ(iotlb::dr.get(command) & iotlb::dw.get(command), 1u);
    ASSERT_EQ(bench.reports.invalidations.size(), 1u);
    EXPECT_EQ(bench.reports.invalidations[0].completion_index, dma::InvalidationRecord::no_queue);
    EXPECT_EQ(bench.reports.invalidations[0].first_index, dma::InvalidationRecord::no_queue);
}

TEST(VtdRegisterInterface, DetachedDeviceIsRefused) {
    VtdDriverBench bench(with_registers());
    ASSERT_TRUE(bench.start());
    const Domain domain = bench.attached_domain();
    bench.map(*domain, iova, 7);
    EXPECT_EQ(bench.read(iova), 7u);
    bench.detach(*domain);
    EXPECT_EQ(bench.read(iova), std::nullopt);
    ASSERT_EQ(bench.reports.faults.size(), 1u);
    EXPECT_EQ(bench.reports.faults[0].reason, fault_reason::legacy_context_not_present);
}

TEST(VtdRegisterInterface, CpusTakeTurns) {
    BenchOptions options = with_registers();
    options.cpus = 6;
    VtdDriverBench bench(options);
    ASSERT_TRUE(bench.start());
    const Domain domain = bench.attached_domain();
    bench.run_on_all([&](machine::Cpu& cpu) {
        for (unsigned i = 0; i < 20; ++i)
            domain->flush_iotlb_all(cpu);
    });
    EXPECT_EQ(bench.reports.invalidations.size(), 120u);
    EXPECT_TRUE(bench.reports.errors.empty());
    EXPECT_TRUE(bench.probe.diagnostics.empty());
}

TEST(VtdRegisterInterface, RefusedCommandIsReported) {
    VtdDriverBench bench(with_registers());
    ASSERT_TRUE(bench.start());
    const Domain domain = bench.attached_domain();
    // Somebody else turns the queue on: the registers are dead then.
    bench.run([&](machine::Cpu& cpu) {
        cpu.mmio_write(VtdDriverBench::registers + reg::gcmd, gcmd::te.mask() | gcmd::qie.mask(), 4);
        cpu.delay(1'000'000);
        domain->flush_iotlb_all(cpu);
    });
    EXPECT_EQ(bench.reports.count(DriverError::register_refused), 1u);
    EXPECT_TRUE(bench.reports.invalidations.empty());
}

} // namespace
} // namespace iommusim::vtd_driver::test
