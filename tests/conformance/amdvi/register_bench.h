// A register file with a recorder in the place of the model.
#pragma once

#include "models/amdvi/register_file.h"
#include "tests/conformance/common/register_bench.h"

#include <utility>

namespace iommusim::amdvi {

/// Remembers what the register file told it; acknowledges nothing by itself.
struct Recorder final : RegisterEvents {
    std::vector<std::uint64_t> control_changes;
    std::vector<std::pair<Ring, bool>> requests;
    std::vector<Ring> bases;
    std::vector<Ring> pointers;
    std::vector<std::uint64_t> cleared_status;
    unsigned device_tables = 0;
    unsigned exclusion_ranges = 0;
    std::vector<std::string> diagnostics;

    void control_written(std::uint64_t changed) override { control_changes.push_back(changed); }
    void ring_requested(Ring ring, bool run) override { requests.emplace_back(ring, run); }
    void ring_base_written(Ring ring) override { bases.push_back(ring); }
    void ring_pointer_written(Ring ring) override { pointers.push_back(ring); }
    void status_cleared(std::uint64_t bits) override { cleared_status.push_back(bits); }
    void device_table_written() override { ++device_tables; }
    void exclusion_range_written() override { ++exclusion_ranges; }
    void diagnostic(const char* message) override { diagnostics.emplace_back(message); }
};

class RegisterBench : public test::RegisterBenchOf<RegisterFile, Features, Recorder> {
public:
    explicit RegisterBench(const Features& features = {}) : RegisterBenchOf(features) {}

    std::uint64_t read_capability(std::uint64_t offset) {
        std::uint64_t value = ~0ull;
        EXPECT_TRUE(registers.read_capability(offset, 4, value));
        return value;
    }
    void write_capability(std::uint64_t offset, std::uint64_t value) {
        EXPECT_TRUE(registers.write_capability(offset, 4, value));
    }
    /// Changes Control as software does and lets it take effect.
    void change_control(std::uint64_t set, std::uint64_t clear = 0) {
        write(0x18, (read(0x18, 8) & ~clear) | set, 8);
        for (const Ring ring : {Ring::commands, Ring::events, Ring::page_requests, Ring::guest_apic})
            registers.acknowledge_ring(ring);
    }
};

} // namespace iommusim::amdvi
