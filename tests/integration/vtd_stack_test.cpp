// Rule 6 in the modes of VT-d that the tests of all architectures do not run.
#include "tests/integration/stack_test.h"
#include "tests/integration/stack_vtd.h"

#include <numeric>

namespace iommusim::test {
namespace {

class VtdStack : public StackTest {
protected:
    static StackOptions four_cpus() {
        StackOptions options;
        options.cpus = 4;
        options.rounds = 250;
        options.accesses = 100;
        options.memory_jitter = 150'000;
        return options;
    }
    static void expect_silence(StackBench& bench) {
        bench.run();
        EXPECT_EQ(bench.finished_threads, 4u);
        EXPECT_EQ(bench.completed, 100'000u);
        EXPECT_EQ(bench.refused, 0u);
        EXPECT_EQ(bench.wrong_data, 0u);
        EXPECT_GE(bench.measurements.oracle().checked(), 100'000u);
        EXPECT_EQ(bench.measurements.oracle().violations(), 0u);
        EXPECT_EQ(bench.measurements.oracle().late_completions(), 0u);
        EXPECT_GT(bench.attacks, 100u);
    }
};

TEST_P(VtdStack, OracleIsSilentInStrictMode) {
    StackBench bench(GetParam(), four_cpus());
    expect_silence(bench);
}

TEST_P(VtdStack, OracleIsSilentWhenInvalidationsOverlap) {
    StackOptions options = four_cpus();
    options.iommu.given["queue.execution"] = 1;
    StackBench bench(GetParam(), options);
    expect_silence(bench);
}

TEST_P(VtdStack, OracleIsSilentInCachingMode) {
    StackOptions options = four_cpus();
    options.iommu.given["features.caching_mode"] = 1;
    StackBench bench(GetParam(), options);
    expect_silence(bench);
}

TEST_P(VtdStack, OracleIsSilentWithTinyCaches) {
    StackOptions options = four_cpus();
    options.iommu.given["iotlb.entries"] = 2;
    options.iommu.given["structure_cache.entries"] = 1;
    options.iommu.given["context_cache.entries"] = 0;
    options.iommu.given["pasid_cache.entries"] = 0;
    StackBench bench(GetParam(), options);
    expect_silence(bench);
}

TEST_P(VtdStack, ForgottenInvalidationIsNamed) {
    StackOptions options;
    options.mistake = DriverMistake::no_invalidation;
    options.rounds = 300;
    StackBench bench(GetParam(), options);
    bench.run();
    ASSERT_GT(bench.measurements.oracle().violations(), 0u);
    EXPECT_EQ(bench.measurements.oracle().findings().front().command, nullptr);
}

INSTANTIATE_TEST_SUITE_P(, VtdStack,
                         testing::Values(vtd_legacy_stack(), vtd_scalable_stack(),
                                         vtd_scalable_second_stage_stack(), vtd_nested_stack(),
                                         vtd_register_stack()),
                         architecture_name);

void check_sum(void* context, const host::InvalidationBreakdown::Operation& operation) {
    const Picoseconds sum = std::accumulate(operation.stage.begin(), operation.stage.end(), Picoseconds{0});
    EXPECT_EQ(sum, operation.record.observed - operation.record.began);
    EXPECT_EQ(sum, operation.stage[host::InvalidationBreakdown::execute]);
    ++*static_cast<std::uint64_t*>(context);
}

TEST(VtdRegisterStack, AllOfAnInvalidationIsItsExecution) {
    StackOptions options;
    options.cpus = 4;
    StackBench bench(vtd_register_stack(), options);
    std::uint64_t operations = 0;
    bench.measurements.breakdown().listener = check_sum;
    bench.measurements.breakdown().listener_context = &operations;
    bench.run();
    EXPECT_EQ(operations, 4 * options.rounds);
    EXPECT_EQ(bench.measurements.breakdown().unmatched(), 0u);
}

} // namespace
} // namespace iommusim::test
