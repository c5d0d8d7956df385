// The same loads on Google Benchmark: host time per simulated operation. For people; times depend on the
// machine, so nothing is judged by them (scripts/benchmark judges instruction counts).
#include "tests/benchmark/loads.h"

#include <benchmark/benchmark.h>
#include <systemc>

namespace {

void run_load(benchmark::State& state, const iommusim::benchmark::LoadKind& kind) {
    sc_core::sc_curr_simcontext =
        nullptr; // SystemC elaborates once per context: each repetition gets its own
    const std::unique_ptr<iommusim::benchmark::Load> load = kind.make();
    constexpr std::uint64_t operations = 20'000;
    std::uint64_t done = 0;
    for ([[maybe_unused]] auto iteration : state)
        done += load->run(operations);
    state.SetItemsProcessed(static_cast<std::int64_t>(done));
    state.counters["time_per_operation"] = benchmark::Counter(
        static_cast<double>(done), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

} // namespace

int sc_main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return 2;
    for (const iommusim::benchmark::LoadKind& kind : iommusim::benchmark::load_kinds())
        benchmark::RegisterBenchmark(kind.name.c_str(), [&kind](benchmark::State& state) {
            run_load(state, kind);
        })->Unit(benchmark::kMillisecond);
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
