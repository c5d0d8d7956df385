// Faults of devices: from the unit's records to the observer.
#include "tests/unit/drivers/vtd/vtd_driver_bench.h"

namespace iommusim::vtd_driver::test {
namespace {

using namespace spec;

constexpr std::uint32_t device = VtdDriverBench::device;
constexpr std::uint64_t iova = 0x4000'0000;

using Domain = VtdDriverBench::Domain;

/// One access of each of several requesters, all at once.
void access_at_once(VtdDriverBench& bench, const std::vector<Requester>& requesters, bool write = false) {
    for (const Requester& requester : requesters) {
        soc::DmaJob job;
        job.requester = requester;
        job.base = iova;
        job.direction = write ? soc::DmaDirection::write : soc::DmaDirection::read;
        bench.master.start(job);
    }
    sc_core::sc_start();
}

TEST(VtdFaults, ReadIsReportedAndItsRecordCleared) {
    VtdDriverBench bench(legacy());
    ASSERT_TRUE(bench.start());
    const Domain domain = bench.attached_domain();
    EXPECT_EQ(bench.read(iova + 0x123), std::nullopt);
    ASSERT_EQ(bench.reports.faults.size(), 1u);
    const FaultRecord& r = bench.reports.faults[0];
    EXPECT_EQ(r.reason, fault_reason::legacy_read_permission);
    EXPECT_STREQ(r.name, fault_name(fault_reason::legacy_read_permission));
    EXPECT_EQ(r.source, device);
    EXPECT_EQ(r.address, iova);
    EXPECT_TRUE(r.read);
    EXPECT_FALSE(r.has_pasid);
    EXPECT_GT(r.time, 0u);
    EXPECT_FALSE(bench.fault_status(fsts::ppf));
    EXPECT_EQ(bench.driver->statistics().fault_records, 1u);
}

TEST(VtdFaults, WriteWithAPasidIsReported) {
    VtdDriverBench bench;
    ASSERT_TRUE(bench.start());
    const Domain domain =
        bench.attached_domain(dma::Stage::first, {.id = device, .pasid = 0x54321, .has_pasid = true});
    access_at_once(bench, {VtdDriverBench::of(device, 0x54321)}, true);
    ASSERT_EQ(bench.reports.faults.size(), 1u);
    const FaultRecord& r = bench.reports.faults[0];
    EXPECT_EQ(r.reason, fault_reason::sm_first_stage_not_present);
    EXPECT_TRUE(r.has_pasid);
    EXPECT_EQ(r.pasid, 0x54321u);
    EXPECT_FALSE(r.read);
}

TEST(VtdFaults, EveryRecordIsTakenAroundTheEndOfTheRegisters) {
    BenchOptions options = legacy();
    options.unit.fault_records = 3;
    VtdDriverBench bench(options);
    ASSERT_TRUE(bench.start());
    for (unsigned round = 0; round < 4; ++round)
        access_at_once(bench, {VtdDriverBench::of(0x10), VtdDriverBench::of(0x20)});
    EXPECT_EQ(bench.reports.faults.size(), 8u);
    EXPECT_EQ(bench.reports.count(DriverError::fault_overflow), 0u);
    EXPECT_FALSE(bench.fault_status(fsts::ppf));
}

TEST(VtdFaults, OverflowIsReportedAndRecordingGoesOn) {
    BenchOptions options = legacy();
    options.unit.fault_records = 1;
    VtdDriverBench bench(options);
    ASSERT_TRUE(bench.start());
    access_at_once(bench, {VtdDriverBench::of(0x10), VtdDriverBench::of(0x20), VtdDriverBench::of(0x30)});
    EXPECT_EQ(bench.reports.faults.size(), 1u);
    EXPECT_EQ(bench.reports.count(DriverError::fault_overflow), 1u);
    EXPECT_FALSE(bench.fault_status(fsts::pfo));
    access_at_once(bench, {VtdDriverBench::of(0x40)});
    ASSERT_EQ(bench.reports.faults.size(), 2u);
    EXPECT_EQ(bench.reports.faults[1].source, 0x40u);
}

TEST(VtdFaults, OverflowWhileTheHandlerRunsDoesNotStopRecording) {
    BenchOptions options = legacy();
    options.unit.fault_records = 1;
    options.driver.software.fault_handling = 1'000'000;
    VtdDriverBench bench(options);
    ASSERT_TRUE(bench.start());
    // Other sources go on and on while the first record is being handled.
    for (std::uint32_t id = 0x10; id < 0x18; ++id) {
        soc::DmaJob job;
        job.requester = VtdDriverBench::of(id);
        job.base = iova;
        job.count = 100;
        job.stride = 4096;
        bench.master.start(job);
    }
    sc_core::sc_start();
    EXPECT_GE(bench.reports.count(DriverError::fault_overflow), 1u);
    EXPECT_FALSE(bench.fault_status(fsts::pfo));
    EXPECT_FALSE(bench.fault_status(fsts::ppf));
    const std::size_t before = bench.reports.faults.size();
    access_at_once(bench, {VtdDriverBench::of(0x40)});
    EXPECT_EQ(bench.reports.faults.size(), before + 1);
}

TEST(VtdFaults, WhatWasPendingBeforeTheStartIsTakenFirst) {
    VtdDriverBench bench(legacy());
    const auto target = bench.configuration.fault_message;
    bench.configuration.fault_message = {};
    bench.create();
    ASSERT_TRUE(bench.start());
    EXPECT_EQ(bench.read(iova), std::nullopt);
    EXPECT_TRUE(bench.reports.faults.empty());

    bench.configuration.fault_message = target;
    bench.create();
    ASSERT_TRUE(bench.start());
    EXPECT_EQ(bench.reports.faults.size(), 1u);
    EXPECT_EQ(bench.read(iova), std::nullopt);
    EXPECT_EQ(bench.reports.faults.size(), 2u);
}

TEST(VtdFaults, AreHandledOnTheChosenCpu) {
    BenchOptions options = legacy();
    options.cpus = 3;
    options.driver.interrupt_cpu = 2;
    VtdDriverBench bench(options);
    ASSERT_TRUE(bench.start());
    const Picoseconds before = bench.machine.cpu(0).time();
    EXPECT_EQ(bench.read(iova), std::nullopt);
    EXPECT_EQ(bench.machine.interrupts().handled(VtdDriverBench::fault_line), 1u);
    ASSERT_EQ(bench.reports.faults.size(), 1u);
    EXPECT_GT(bench.reports.faults[0].time, before);
}

} // namespace
} // namespace iommusim::vtd_driver::test
