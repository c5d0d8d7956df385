// A register file with a recorder in the place of the model.
#pragma once

#include "models/vtd/register_file.h"
#include "tests/conformance/common/register_bench.h"

#include <utility>

namespace iommusim::vtd {

/// Remembers what the register file told it; answers nothing by itself.
struct Recorder final : RegisterEvents {
    std::vector<std::pair<std::uint32_t, std::uint32_t>> global_commands;
    unsigned context_commands = 0;
    unsigned iotlb_commands = 0;
    unsigned tails = 0;
    unsigned queue_addresses = 0;
    std::vector<std::uint32_t> cleared_fault_status;
    std::vector<unsigned> cleared_fault_records;
    unsigned fault_messages = 0;
    unsigned completion_messages = 0;
    unsigned page_messages = 0;
    unsigned cleared_completions = 0;
    unsigned page_request_heads = 0;
    unsigned page_request_queues = 0;
    std::vector<std::uint32_t> cleared_page_request_status;
    unsigned protected_memory_changes = 0;
    std::vector<std::string> diagnostics;

    void global_command(std::uint32_t changed, std::uint32_t enables) override {
        global_commands.emplace_back(changed, enables);
    }
    void context_command() override { ++context_commands; }
    void iotlb_command() override { ++iotlb_commands; }
    void invalidation_tail_written() override { ++tails; }
    void invalidation_queue_address_written() override { ++queue_addresses; }
    void fault_status_cleared(std::uint32_t status) override { cleared_fault_status.push_back(status); }
    void fault_record_cleared(unsigned index) override { cleared_fault_records.push_back(index); }
    void fault_event_unmasked() override { ++fault_messages; }
    void completion_event_unmasked() override { ++completion_messages; }
    void page_event_unmasked() override { ++page_messages; }
    void completion_status_cleared() override { ++cleared_completions; }
    void page_request_head_written() override { ++page_request_heads; }
    void page_request_queue_changed() override { ++page_request_queues; }
    void page_request_status_cleared(std::uint32_t status) override {
        cleared_page_request_status.push_back(status);
    }
    void protected_memory_written() override { ++protected_memory_changes; }
    void diagnostic(const char* message) override { diagnostics.emplace_back(message); }
};

class RegisterBench : public test::RegisterBenchOf<RegisterFile, Features, Recorder> {
public:
    explicit RegisterBench(const Features& features = {}) : RegisterBenchOf(features) {}

    /// Changes GCMD as software does, from GSTS, and lets it take effect.
    void command(std::uint32_t set, std::uint32_t clear = 0) {
        write(0x18, ((read(0x1C) & 0x96FF'FFFF) & ~clear) | set);
        registers.acknowledge_enables(~0u);
        if ((set & 0x4000'0000) != 0)
            registers.latch_root_table();
        if ((set & 0x0100'0000) != 0)
            registers.latch_interrupt_table();
    }
};

} // namespace iommusim::vtd
