// Where the time of an invalidation goes: the stages of every single operation add up to its total.
#include "platforms/host/run.h"
#include "tests/integration/stack_test.h"

#include <numeric>

namespace iommusim::test {
namespace {

struct Seen {
    std::uint64_t operations = 0;
    std::uint64_t unequal = 0;
    std::uint64_t with_drain = 0;
};

void check(void* context, const host::InvalidationBreakdown::Operation& operation) {
    auto& seen = *static_cast<Seen*>(context);
    const Picoseconds sum = std::accumulate(operation.stage.begin(), operation.stage.end(), Picoseconds{0});
    ++seen.operations;
    seen.unequal += sum != operation.record.observed - operation.record.began;
    seen.with_drain += operation.stage[3] > 50'000;
}

class InvalidationBreakdown : public StackTest {
protected:
    static Seen run(const StackOptions& options) {
        StackBench bench(GetParam(), options);
        Seen seen;
        bench.measurements.breakdown().listener = check;
        bench.measurements.breakdown().listener_context = &seen;
        bench.run();
        EXPECT_EQ(bench.finished_threads, options.cpus);
        EXPECT_EQ(bench.measurements.breakdown().unmatched(), 0u);
        return seen;
    }
};

TEST_P(InvalidationBreakdown, StagesAddUpForEveryOperationOfOneCpu) {
    StackOptions options;
    options.rounds = 500;
    const Seen seen = run(options);
    EXPECT_EQ(seen.operations, 500u);
    EXPECT_EQ(seen.unequal, 0u);
}

TEST_P(InvalidationBreakdown, StagesAddUpWhenEightCpusShareTheQueue) {
    StackOptions options;
    options.cpus = 8;
    options.rounds = 200;
    const Seen seen = run(options);
    EXPECT_EQ(seen.operations, 1600u);
    EXPECT_EQ(seen.unequal, 0u);
}

TEST_P(InvalidationBreakdown, StagesAddUpForLazyFlushesAndSlowMemory) {
    StackOptions options;
    options.cpus = 2;
    options.policy = dma::Policy::lazy;
    options.rounds = 600;
    options.memory_jitter = 400'000;
    const Seen seen = run(options);
    EXPECT_GT(seen.operations, 1u);
    EXPECT_EQ(seen.unequal, 0u);
}

TEST_P(InvalidationBreakdown, EveryMethodOfCompletionIsCovered) {
    for (const host::CompletionMethod method : GetParam().completions) {
        SCOPED_TRACE(static_cast<int>(method));
        host::Scenario scenario;
        scenario.iommu.model = GetParam().model;
        scenario.platform.memory.given["size"] = 256ull << 20;
        scenario.devices.push_back({"nic", host::DeviceKind::nic, 0x100, 48, 0});
        scenario.driver.completion = method;
        scenario.driver.flush_queue_entries = 256;
        scenario.driver.flush_queue_timeout = 10'000'000'000;
        host::WorkloadOptions workload;
        workload.device = "nic";
        workload.operations = 200;
        workload.threads = 1;
        workload.granules = 1;
        scenario.workloads.push_back(workload);
        const host::Result result = host::run(scenario);
        double stages = 0;
        for (const host::Stage& stage : result.breakdown)
            stages += stage.latency.mean;
        const host::Metric* total = result.find("invalidation.latency");
        ASSERT_NE(total, nullptr);
        const auto& summary = std::get<host::Summary>(total->value);
        EXPECT_EQ(summary.count, 200u);
        EXPECT_DOUBLE_EQ(stages, summary.mean);
    }
}

INSTANTIATE_TEST_SUITE_P(, InvalidationBreakdown, testing::ValuesIn(stack_architectures()),
                         architecture_name);

} // namespace
} // namespace iommusim::test
