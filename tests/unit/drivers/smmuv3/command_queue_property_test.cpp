// Random calls from several CPUs: whatever the interleaving, the unit sees every call exactly once,
// contiguous and in order, and no queue slot is written again before it was consumed.
#include "tests/unit/drivers/driver_bench.h"
#include "tests/unit/drivers/smmuv3/smmuv3_bench.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace iommusim::smmuv3_driver::test {
namespace {

struct Call {
    unsigned commands;
    bool sync;
    std::uint64_t pause_ns; ///< before the call
};

rc::Gen<std::vector<Call>> calls_of_one_cpu() {
    return rc::gen::container<std::vector<Call>>(
        rc::gen::build<Call>(rc::gen::set(&Call::commands, rc::gen::inRange(1u, 20u)),
                             rc::gen::set(&Call::sync, rc::gen::arbitrary<bool>()),
                             rc::gen::set(&Call::pause_ns, rc::gen::inRange<std::uint64_t>(0, 400))));
}

/// The command's place: CPU, call and index within the call, in the fields of an invalidation by address.
Command labelled(unsigned cpu, std::size_t call, unsigned index) {
    TlbiPiece piece;
    piece.address = static_cast<std::uint64_t>(call) << 20 | index << 12;
    return make::tlbi_va(cpu, true, piece);
}

TEST(CommandQueueProperty, EveryCallArrivesOnceContiguousAndInOrder) {
    EXPECT_TRUE(rc::check([] {
        const auto cpus = *rc::gen::inRange(1u, 7u);
        const auto calls = *rc::gen::container<std::vector<std::vector<Call>>>(cpus, calls_of_one_cpu());
        const auto mode =
            *rc::gen::element(CompletionMode::msi, CompletionMode::consumer, CompletionMode::event);
        const auto command_time = *rc::gen::element<Picoseconds>(5_ns, 100_ns, 2_us);

        // Stores that take longer than a doorbell: CPUs are caught between reserving and marking valid.
        machine::CpuParameters parameters;
        if (*rc::gen::arbitrary<bool>()) {
            parameters.cached_access = 300_ns;
            parameters.mmio_write_arrival = 1_ns;
            parameters.maximum_lead = 1_ns;
        }

        sc_core::sc_curr_simcontext = nullptr;
        Smmuv3Bench bench(cpus, parameters);
        bench.configuration.queue_size_log2 = 7; // small: full and wrapped all the time
        bench.configuration.completion = mode;
        bench.unit.direct_access = false;
        bench.start();
        RC_ASSERT(bench.started);
        bench.clear();
        bench.unit.command_time = command_time;
        std::size_t incomplete = 0;
        std::size_t early = 0;
        bench.run_on_all([&](machine::Cpu& cpu) {
            const std::vector<Call>& mine = calls[cpu.index()];
            for (std::size_t i = 0; i < mine.size(); ++i) {
                cpu.spend(mine[i].pause_ns * 1_ns);
                Command commands[20];
                for (unsigned k = 0; k < mine[i].commands; ++k)
                    commands[k] = labelled(cpu.index(), i, k);
                const Submission s =
                    bench.driver->commands().submit(cpu, commands, mine[i].commands, mine[i].sync);
                incomplete += s.completed ? 0 : 1;
                if (mine[i].sync) {
                    // The call's own CMD_SYNC has been consumed by now.
                    cpu.synchronize();
                    const auto done =
                        std::find_if(bench.unit.commands.rbegin(), bench.unit.commands.rend(),
                                     [&](const ConsumedCommand& c) { return c.position == s.completion; });
                    early +=
                        done != bench.unit.commands.rend() && done->opcode() == spec::opcode::sync ? 0 : 1;
                }
            }
        });

        RC_ASSERT(incomplete == 0u);
        RC_ASSERT(early == 0u);
        RC_ASSERT(bench.unit.reused_slots == 0u);
        RC_ASSERT(bench.reports.errors.empty());
        std::vector<std::size_t> next(cpus, 0);
        std::size_t at = 0;
        while (at < bench.unit.commands.size()) {
            const ConsumedCommand& first = bench.unit.commands[at];
            RC_ASSERT(first.opcode() == spec::opcode::tlbi_nh_va);
            const auto cpu = static_cast<unsigned>(first.get(spec::tlbi::asid));
            RC_ASSERT(cpu < cpus);
            const std::size_t call = next[cpu]++;
            RC_ASSERT(call < calls[cpu].size());
            for (unsigned k = 0; k < calls[cpu][call].commands; ++k, ++at) {
                RC_ASSERT(at < bench.unit.commands.size());
                const Command expected = labelled(cpu, call, k);
                RC_ASSERT(bench.unit.commands[at].command.words[0] == expected.words[0]);
                RC_ASSERT(bench.unit.commands[at].command.words[1] == expected.words[1]);
            }
            if (calls[cpu][call].sync) {
                RC_ASSERT(at < bench.unit.commands.size());
                RC_ASSERT(bench.unit.commands[at++].opcode() == spec::opcode::sync);
            }
        }
        for (unsigned cpu = 0; cpu < cpus; ++cpu)
            RC_ASSERT(next[cpu] == calls[cpu].size());
    }));
}

} // namespace
} // namespace iommusim::smmuv3_driver::test
