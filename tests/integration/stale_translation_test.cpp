// Rule 6 with the real driver: the oracle is silent when the driver is correct, measures the window of lazy
// mode, and names what a faulty driver forgot.
#include "tests/integration/stack_bench.h"

#include <gtest/gtest.h>

namespace iommusim::test {
namespace {

TEST(StaleTranslation, OracleIsSilentOverAMillionDmasInStrictMode) {
    StackOptions options;
    options.cpus = 4;
    options.rounds = 2500;
    options.accesses = 100;
    options.memory_jitter = 150'000;
    StackBench bench(options);
    bench.run();
    EXPECT_EQ(bench.finished_threads, 4u);
    EXPECT_EQ(bench.completed, 1'000'000u);
    EXPECT_EQ(bench.refused, 0u);
    EXPECT_EQ(bench.wrong_data, 0u);
    EXPECT_GE(bench.measurements.oracle().checked(), 1'000'000u);
    EXPECT_EQ(bench.measurements.oracle().violations(), 0u);
    EXPECT_EQ(bench.measurements.oracle().late_completions(), 0u);
    EXPECT_EQ(bench.measurements.oracle().exposures(), 0u);
    EXPECT_GT(bench.attacks, 1000u);
}

TEST(StaleTranslation, LazyModeExposesUnmappedPagesButNeverPromisesWrongly) {
    StackOptions options;
    options.cpus = 2;
    options.policy = dma::Policy::lazy;
    options.rounds = 1000;
    StackBench bench(options);
    bench.run();
    EXPECT_EQ(bench.refused, 0u);
    EXPECT_EQ(bench.wrong_data, 0u);
    EXPECT_EQ(bench.measurements.oracle().violations(), 0u);
    EXPECT_GT(bench.measurements.oracle().exposures(), 100u);
    EXPECT_GT(bench.measurements.oracle().worst_age(), 1'000'000u);
}

TEST(StaleTranslation, ForgottenTlbiIsNamed) {
    StackOptions options;
    options.faults.skip_tlbi = true;
    options.rounds = 300;
    StackBench bench(options);
    bench.run();
    StaleTranslationOracle& oracle = bench.measurements.oracle();
    ASSERT_GT(oracle.violations(), 0u);
    const StaleUse& first = oracle.findings().front();
    EXPECT_TRUE(first.announced);
    EXPECT_EQ(first.command, nullptr);
    EXPECT_GT(first.age(), 0u);
    EXPECT_NE(first.describe().find("no invalidation that covers it was ever issued"), std::string::npos);
    EXPECT_NE(first.describe().find("TLB"), std::string::npos) << first.describe();
}

TEST(StaleTranslation, ForgottenSyncIsNamedWithTheCommandThatCameTooLate) {
    StackOptions options;
    options.faults.skip_sync = true;
    options.rounds = 1;
    options.attack = false;
    options.cpus = 1;
    StackBench bench(options);
    // Reads of the page go on without pause, as a device does that was not told to stop.
    bench.run();
    soc::DmaJob plan;
    plan.requester.id = StackBench::stream;
    plan.direction = soc::DmaDirection::read;
    plan.pattern = soc::DmaPattern::ring;
    plan.window = 64;
    plan.count = 400;
    plan.outstanding = 4;
    bench.platform.machine.cpu(0).run([&](machine::Cpu& cpu) {
        const std::uint64_t buffer = cpu.allocate_pages(1);
        plan.base = bench.device->map_page(cpu, buffer, 4096, dma::Direction::bidirectional);
        cpu.synchronize();
        bench.platform.devices[0]->start(plan);
        cpu.delay(5'000'000);
        bench.device->unmap_page(cpu, plan.base, 4096, dma::Direction::bidirectional);
        cpu.synchronize();
    });
    sc_core::sc_start();
    StaleTranslationOracle& oracle = bench.measurements.oracle();
    ASSERT_GT(oracle.violations() + oracle.late_completions(), 0u);
    const StaleUse& first = oracle.findings().front();
    ASSERT_NE(first.command, nullptr);
    EXPECT_STREQ(first.command, "CMD_TLBI_NH_VA");
    EXPECT_GT(first.command_time, first.promised_at);
}

/// The device reads one page on and on while the stream loses its domain, whose owner is then told that
/// nothing of it can be reached any more.
void detach_while_reading(StackBench& bench) {
    bench.run();
    soc::DmaJob plan;
    plan.requester.id = StackBench::stream;
    plan.direction = soc::DmaDirection::read;
    plan.pattern = soc::DmaPattern::ring;
    plan.window = 64;
    plan.count = 1000;
    StaleTranslationOracle& oracle = bench.measurements.oracle();
    const StaleTranslationOracle::DomainKey domain = bench.measurements.key(*bench.domain);
    bench.platform.machine.cpu(0).run([&](machine::Cpu& cpu) {
        const std::uint64_t buffer = cpu.allocate_pages(1);
        plan.base = bench.device->map_page(cpu, buffer, 4096, dma::Direction::bidirectional);
        cpu.synchronize();
        bench.platform.devices[0]->start(plan);
        cpu.delay(5'000'000);
        oracle.removed(domain, plan.base, 4096, cpu.time());
        bench.domain->detach(cpu, StackBench::stream);
        oracle.promised(domain, plan.base, 4096, cpu.time());
        cpu.synchronize();
    });
    sc_core::sc_start();
}

StackOptions one_round() {
    StackOptions options;
    options.rounds = 1;
    options.attack = false;
    return options;
}

TEST(StaleTranslation, ForgottenCfgiIsNamed) {
    StackOptions options = one_round();
    options.faults.skip_cfgi = true;
    StackBench bench(options);
    detach_while_reading(bench);
    const StaleTranslationOracle& oracle = bench.measurements.oracle();
    ASSERT_GT(oracle.violations(), 0u);
    EXPECT_EQ(oracle.findings().front().command, nullptr);
    EXPECT_EQ(oracle.findings().front().use.requester.id, StackBench::stream);
}

TEST(StaleTranslation, DetachWithCfgiEndsAllAccess) {
    StackBench bench(one_round());
    detach_while_reading(bench);
    EXPECT_EQ(bench.measurements.oracle().violations(), 0u);
    EXPECT_EQ(bench.measurements.oracle().late_completions(), 0u);
    EXPECT_GT(bench.platform.devices[0]->result(0).errors(), 0u);
}

} // namespace
} // namespace iommusim::test
