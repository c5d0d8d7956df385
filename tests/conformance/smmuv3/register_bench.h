// A register file with a recorder in the place of the model.
#pragma once

#include "models/smmuv3/register_file.h"
#include "tests/conformance/common/register_bench.h"

#include <utility>

namespace iommusim::smmuv3 {

/// Remembers what the register file told it; acknowledges nothing by itself.
struct Recorder final : RegisterEvents {
    std::vector<std::pair<std::uint32_t, std::uint32_t>> cr0;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> irq_ctrl;
    unsigned gbpa_updates = 0;
    std::vector<std::uint32_t> command_producers;
    std::vector<std::uint32_t> event_consumers;
    std::vector<std::uint32_t> acknowledged_errors;
    std::vector<std::string> diagnostics;

    void cr0_written(std::uint32_t old, std::uint32_t now) override { cr0.emplace_back(old, now); }
    void irq_ctrl_written(std::uint32_t old, std::uint32_t now) override { irq_ctrl.emplace_back(old, now); }
    void gbpa_update_requested() override { ++gbpa_updates; }
    void command_producer_written(std::uint32_t prod) override { command_producers.push_back(prod); }
    void event_consumer_written(std::uint32_t cons) override { event_consumers.push_back(cons); }
    void gerror_acknowledged(std::uint32_t bits) override { acknowledged_errors.push_back(bits); }
    void diagnostic(const char* message) override { diagnostics.emplace_back(message); }
};

class RegisterBench : public test::RegisterBenchOf<RegisterFile, Features, Recorder> {
public:
    explicit RegisterBench(const Features& features = {}) : RegisterBenchOf(features) {}

    /// Writes CR0 and lets all of it take effect.
    void enable(std::uint32_t cr0) {
        write(0x20, cr0);
        registers.acknowledge_cr0(~0u);
    }
};

} // namespace iommusim::smmuv3
