// Errors of the invalidation queue and of the devices behind it, and how the driver goes on.
#include "tests/unit/drivers/vtd/vtd_driver_bench.h"

namespace iommusim::vtd_driver::test {
namespace {

using namespace spec;

constexpr std::uint32_t device = VtdDriverBench::device;
constexpr std::uint64_t iova = 0x4000'0000;
constexpr Descriptor illegal{0xF, 0};

using Domain = VtdDriverBench::Domain;

// ---- queue errors (IQE)

/// Address of the descriptor that is queued next.
std::uint64_t next_slot(VtdDriverBench& bench) {
    return iqa::addr.in_place(bench.tap.peek(reg::iqa, 8)) + bench.tap.peek(reg::iqt, 8);
}
/// Something happens to the queue's memory after the driver has written and before the unit reads.
void before_the_next_fetch(VtdDriverBench& bench, std::function<void()> change) {
    soc::FaultInjector& faults = bench.memory.fault_injector();
    const std::uint64_t ring = iqa::addr.in_place(bench.tap.peek(reg::iqa, 8));
    const soc::FaultInjector::Id hold = faults.hold(soc::AccessKind::read, ring, 8192);
    VtdDriverBench::after(3'000'000, [&faults, hold, change] {
        change();
        faults.release(hold);
    });
}

unsigned error_code(const dma::DriverErrorReport& error) {
    return static_cast<unsigned>(iqercd::iqei.get(error.detail));
}

TEST(VtdQueueError, BadDescriptorIsReplacedAndTheOthersAreCarriedOut) {
    VtdDriverBench bench;
    ASSERT_TRUE(bench.start());
    bench.probe.invalidations.clear();
    Submission bad;
    Submission good;
    bench.run([&](machine::Cpu& cpu) {
        const Descriptor batch[] = {make::context_global(), illegal, make::iotlb_global(true, true)};
        bad = bench.driver->queue().submit(cpu, batch, 3);
        good = bench.driver->queue().submit(cpu, batch, 1);
    });
    EXPECT_FALSE(bad.completed);
    EXPECT_TRUE(good.completed);
    ASSERT_EQ(bench.reports.count(DriverError::queue_error), 1u);
    EXPECT_EQ(error_code(bench.reports.errors[0]), iqercd::iqei_invalid_type);
    ASSERT_EQ(bench.probe.invalidations.size(), 3u);
    EXPECT_STREQ(bench.probe.invalidations[1].command, "iotlb_inv");
    EXPECT_FALSE(bench.fault_status(fsts::iqe));
}

TEST(VtdQueueError, ReservedFieldIsNamed) {
    VtdDriverBench bench;
    ASSERT_TRUE(bench.start());
    bench.run([&](machine::Cpu& cpu) {
        const Descriptor reserved{make::iotlb_global(true, true)[0] | 1ull << 63, 0};
        EXPECT_FALSE(bench.driver->queue().submit(cpu, &reserved, 1).completed);
    });
    ASSERT_EQ(bench.reports.count(DriverError::queue_error), 1u);
    EXPECT_EQ(error_code(bench.reports.errors[0]), iqercd::iqei_reserved_field);
}

TEST(VtdQueueError, FlushThatWasReplacedIsNotAnnounced) {
    VtdDriverBench bench(legacy());
    ASSERT_TRUE(bench.start());
    const Domain domain = bench.attached_domain();
    const std::uint64_t first = next_slot(bench);
    before_the_next_fetch(bench, [&] { std::memcpy(bench.memory.bytes() + first, illegal.data(), 8); });
    bench.run([&](machine::Cpu& cpu) { domain->flush_iotlb_all(cpu); });
    EXPECT_EQ(bench.reports.count(DriverError::queue_error), 1u);
    EXPECT_TRUE(bench.reports.invalidations.empty());
    bench.run([&](machine::Cpu& cpu) { domain->flush_iotlb_all(cpu); });
    EXPECT_EQ(bench.reports.invalidations.size(), 1u);
}

TEST(VtdQueueError, OverwrittenWaitIsReplacedByItself) {
    VtdDriverBench bench;
    ASSERT_TRUE(bench.start());
    const std::uint64_t wait = next_slot(bench) + descriptor::bytes_256;
    before_the_next_fetch(bench, [&] { std::memcpy(bench.memory.bytes() + wait, illegal.data(), 8); });
    bench.run([&](machine::Cpu& cpu) {
        const Descriptor global = make::context_global();
        EXPECT_FALSE(bench.driver->queue().submit(cpu, &global, 1).completed);
        EXPECT_TRUE(bench.driver->queue().submit(cpu, &global, 1).completed);
    });
    EXPECT_EQ(bench.reports.count(DriverError::queue_error), 1u);
    EXPECT_EQ(bench.reports.errors.size(), 1u);
}

TEST(VtdQueueError, DescriptorThatCannotBeReadIsWrittenAgain) {
    VtdDriverBench bench;
    ASSERT_TRUE(bench.start());
    const std::uint64_t first = next_slot(bench);
    before_the_next_fetch(bench, [&] { bench.memory.fault_injector().poison(first, 32); });
    bench.run([&](machine::Cpu& cpu) {
        const Descriptor global = make::context_global();
        EXPECT_FALSE(bench.driver->queue().submit(cpu, &global, 1).completed);
        EXPECT_TRUE(bench.driver->queue().submit(cpu, &global, 1).completed);
    });
    ASSERT_EQ(bench.reports.count(DriverError::queue_error), 1u);
    EXPECT_EQ(error_code(bench.reports.errors[0]), iqercd::iqei_fetch_error);
}

TEST(VtdQueueError, IsLeftToTheCpuWhoseDescriptorItIs) {
    BenchOptions options;
    options.cpus = 4;
    VtdDriverBench bench(options);
    ASSERT_TRUE(bench.start());
    std::vector<bool> completed(4);
    bench.run_on_all([&](machine::Cpu& cpu) {
        const Descriptor mine = cpu.index() == 2 ? illegal : make::iotlb_global(true, true);
        completed[cpu.index()] = bench.driver->queue().submit(cpu, &mine, 1).completed;
    });
    EXPECT_EQ(completed, (std::vector<bool>{true, true, false, true}));
    EXPECT_EQ(bench.reports.count(DriverError::queue_error), 1u);
}

TEST(VtdQueueError, TailThatSomebodyElseWroteWronglyCostsNoDescriptor) {
    VtdDriverBench bench;
    ASSERT_TRUE(bench.start());
    bench.probe.invalidations.clear();
    bench.run([&](machine::Cpu& cpu) {
        cpu.mmio_write(VtdDriverBench::registers + reg::iqt, 0x7'0000, 8);
        cpu.delay(1'000'000);
        const Descriptor global = make::context_global();
        EXPECT_TRUE(bench.driver->queue().submit(cpu, &global, 1).completed);
    });
    ASSERT_EQ(bench.reports.count(DriverError::queue_error), 1u);
    EXPECT_EQ(error_code(bench.reports.errors[0]), iqercd::iqei_invalid_tail);
    EXPECT_EQ(bench.probe.invalidations.size(), 1u);
}

TEST(VtdQueueError, FaultsThatItKeptFromTheirEventAreReportedAfterwards) {
    VtdDriverBench bench;
    ASSERT_TRUE(bench.start());
    const Domain domain = bench.attached_domain();
    bench.run([&](machine::Cpu& cpu) { // a queue error that nobody looks for
        cpu.mmio_write(VtdDriverBench::registers + reg::iqt, 0x7'0000, 8);
    });
    EXPECT_EQ(bench.read(iova), std::nullopt);
    EXPECT_TRUE(bench.fault_status(fsts::ppf));
    EXPECT_TRUE(bench.reports.faults.empty());
    bench.run([&](machine::Cpu& cpu) { domain->flush_iotlb_all(cpu); });
    EXPECT_EQ(bench.reports.faults.size(), 1u);
    EXPECT_EQ(bench.read(iova), std::nullopt);
    EXPECT_EQ(bench.reports.faults.size(), 2u);
}

TEST(VtdQueueError, UnitThatNeverEndsIsGivenUp) {
    BenchOptions options;
    options.driver.software.queue_timeout = 100'000'000;
    VtdDriverBench bench(options);
    ASSERT_TRUE(bench.start());
    const std::uint64_t ring = iqa::addr.in_place(bench.tap.peek(reg::iqa, 8));
    bench.memory.fault_injector().hold(soc::AccessKind::read, ring, 8192);
    bench.run([&](machine::Cpu& cpu) {
        const Descriptor global = make::context_global();
        for (unsigned i = 0; i < 140; ++i) // more than there is room for
            EXPECT_FALSE(bench.driver->queue().submit(cpu, &global, 1).completed);
    });
    EXPECT_EQ(bench.reports.count(DriverError::invalidation_timeout), 140u);
}

// ---- device TLBs that do not answer (ITE)

BenchOptions with_device_tlb(unsigned cpus = 1) {
    BenchOptions options;
    options.cpus = cpus;
    options.device_tlb = true;
    options.unit.device_tlb_timeout = 10'000'000;
    return options;
}

TEST(VtdDeviceTimeout, SubmissionIsRepeatedUntilTheDeviceAnswers) {
    VtdDriverBench bench(with_device_tlb());
    ASSERT_TRUE(bench.start());
    const Domain domain = bench.attached_domain(dma::Stage::automatic, {.id = device, .device_tlb = true});
    bench.map(*domain, iova, 7);
    EXPECT_EQ(bench.read(iova), 7u);
    bench.device_tlb->set_dead(true);
    VtdDriverBench::after(35'000'000, [&] { bench.device_tlb->set_dead(false); });
    bench.unmap(*domain, iova);
    EXPECT_EQ(bench.driver->statistics().retries, 4u);
    EXPECT_EQ(bench.reports.count(DriverError::device_timeout), 4u);
    EXPECT_EQ(bench.reports.errors[0].detail, device);
    ASSERT_EQ(bench.reports.invalidations.size(), 1u);
    EXPECT_GT(bench.reports.invalidations[0].observed - bench.reports.invalidations[0].began, 35'000'000u);
    EXPECT_EQ(bench.read(iova), std::nullopt);
    EXPECT_FALSE(bench.fault_status(fsts::ite));
}

TEST(VtdDeviceTimeout, EveryWaitThatWasAbortedIsRepeated) {
    constexpr unsigned cpus = 6;
    BenchOptions options = with_device_tlb(cpus);
    options.unit.queue_execution = 1; // overlapped: several waits are pending at a time
    VtdDriverBench bench(options);
    ASSERT_TRUE(bench.start());
    const Domain dead = bench.attached_domain(dma::Stage::automatic, {.id = device, .device_tlb = true});
    const Domain other = bench.attached_domain(dma::Stage::automatic, {.id = 0x101});
    bench.map(*dead, iova, 7);
    bench.map(*other, iova, 8);
    EXPECT_EQ(bench.read(iova, VtdDriverBench::of(0x101)), 8u);
    bench.device_tlb->set_dead(true);
    VtdDriverBench::after(25'000'000, [&] { bench.device_tlb->set_dead(false); });
    const std::size_t before = bench.reports.invalidations.size();
    bench.run_on_all([&](machine::Cpu& cpu) {
        for (unsigned i = 0; i < 10; ++i)
            (cpu.index() % 2 ? *dead : *other).flush_iotlb_all(cpu);
    });
    EXPECT_EQ(bench.reports.invalidations.size() - before, cpus * 10u);
    // More than one for each time-out: nobody else has logged anything.
    EXPECT_GT(bench.driver->statistics().retries, bench.reports.count(DriverError::device_timeout));
    EXPECT_EQ(bench.reports.errors.size(), bench.reports.count(DriverError::device_timeout));
    EXPECT_EQ(bench.read(iova, VtdDriverBench::of(0x101)), 8u);
}

TEST(VtdDeviceTimeout, CompletionThatNobodyAskedForIsReported) {
    VtdDriverBench bench(with_device_tlb());
    ASSERT_TRUE(bench.start());
    const Domain domain = bench.attached_domain(dma::Stage::automatic, {.id = device, .device_tlb = true});
    bench.device_tlb->inject_completion(device, 1u << 7);
    sc_core::sc_start();
    EXPECT_TRUE(bench.fault_status(fsts::ice));
    bench.run([&](machine::Cpu& cpu) { domain->flush_iotlb_all(cpu); });
    ASSERT_EQ(bench.reports.count(DriverError::completion_error), 1u);
    EXPECT_EQ(bench.reports.errors[0].detail, device);
    EXPECT_FALSE(bench.fault_status(fsts::ice));
    EXPECT_EQ(bench.reports.invalidations.size(), 1u);
    EXPECT_EQ(bench.driver->statistics().retries, 0u);
}

} // namespace
} // namespace iommusim::vtd_driver::test
