// Rule 6 with the real driver: the oracle is silent when the driver is correct, measures the window of lazy
// mode, and names what a faulty driver forgot.
#include "tests/integration/stack_test.h"

namespace iommusim::test {
namespace {

class StaleTranslation : public StackTest {};

TEST_P(StaleTranslation, OracleIsSilentOverAMillionDmasInStrictMode) {
    StackOptions options;
    options.cpus = 4;
    options.rounds = 2500;
    options.accesses = 100;
    options.memory_jitter = 150'000;
    StackBench bench(GetParam(), options);
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

TEST_P(StaleTranslation, LazyModeExposesUnmappedPagesButNeverPromisesWrongly) {
    StackOptions options;
    options.cpus = 2;
    options.policy = dma::Policy::lazy;
    options.rounds = 1000;
    StackBench bench(GetParam(), options);
    bench.run();
    EXPECT_EQ(bench.refused, 0u);
    EXPECT_EQ(bench.wrong_data, 0u);
    EXPECT_EQ(bench.measurements.oracle().violations(), 0u);
    EXPECT_GT(bench.measurements.oracle().exposures(), 100u);
    EXPECT_GT(bench.measurements.oracle().worst_age(), 1'000'000u);
}

TEST_P(StaleTranslation, ForgottenInvalidationIsNamed) {
    StackOptions options;
    options.mistake = DriverMistake::no_invalidation;
    options.rounds = 300;
    StackBench bench(GetParam(), options);
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

TEST_P(StaleTranslation, ForgottenWaitIsNamedWithTheCommandThatCameTooLate) {
    StackOptions options;
    options.mistake = DriverMistake::no_wait;
    options.rounds = 1;
    options.attack = false;
    options.cpus = 1;
    StackBench bench(GetParam(), options);
    // Reads of the page go on without pause, as a device does that was not told to stop.
    bench.run();
    soc::DmaJob plan;
    plan.requester.id = StackBench::device_id;
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
    EXPECT_STREQ(first.command, GetParam().page_command);
    EXPECT_GT(first.command_time, first.promised_at);
}

/// The device reads one page on and on while it loses its domain, whose owner is then told that
/// nothing of it can be reached any more.
void detach_while_reading(StackBench& bench) {
    bench.run();
    soc::DmaJob plan;
    plan.requester.id = StackBench::device_id;
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
        bench.driver->detach(cpu, *bench.domain, {.id = StackBench::device_id});
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

TEST_P(StaleTranslation, ForgottenConfigurationInvalidationIsNamed) {
    StackOptions options = one_round();
    options.mistake = DriverMistake::no_configuration_invalidation;
    StackBench bench(GetParam(), options);
    detach_while_reading(bench);
    const StaleTranslationOracle& oracle = bench.measurements.oracle();
    ASSERT_GT(oracle.violations(), 0u);
    EXPECT_EQ(oracle.findings().front().command, nullptr);
    EXPECT_EQ(oracle.findings().front().use.requester.id, StackBench::device_id);
}

TEST_P(StaleTranslation, DetachEndsAllAccess) {
    StackBench bench(GetParam(), one_round());
    detach_while_reading(bench);
    EXPECT_EQ(bench.measurements.oracle().violations(), 0u);
    EXPECT_EQ(bench.measurements.oracle().late_completions(), 0u);
    EXPECT_GT(bench.platform.devices[0]->result(0).errors(), 0u);
}

INSTANTIATE_TEST_SUITE_P(, StaleTranslation, testing::ValuesIn(stack_architectures()), architecture_name);

} // namespace
} // namespace iommusim::test
