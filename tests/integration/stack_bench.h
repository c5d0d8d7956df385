// The bench of the integration tests: a platform, its driver, one domain, and threads that map a buffer, let
// the device access it, and unmap it, while an attacker with the same identity replays addresses that were
// unmapped before.
#pragma once

#include "drivers/dma/dma_api.h"
#include "drivers/iova/allocator.h"
#include "platforms/host/measurements.h"
#include "platforms/host/platform.h"
#include "tests/integration/stack_architecture.h"

#include <array>
#include <memory>
#include <vector>

namespace iommusim::test {

struct StackOptions {
    unsigned cpus = 1;
    dma::Policy policy = dma::Policy::strict;
    DriverMistake mistake = DriverMistake::none;
    unsigned rounds = 100;  ///< of map, DMA, unmap on each CPU
    unsigned accesses = 50; ///< DMAs of each round
    unsigned outstanding = 8;
    bool attack = true;
    Picoseconds memory_jitter = 0; ///< extra latency of some pages
    host::ParameterValues iommu;   ///< overrides of the unit's parameters
};

class StackBench {
public:
    static constexpr std::uint32_t device_id = 0x100; ///< of the device and of the attacker

    StackBench(const StackArchitecture& architecture, const StackOptions& options);
    ~StackBench();

    /// Boots, runs every thread to its end.
    void run();

    const host::Scenario& scenario() const { return scenario_; }

    StackOptions options;

private:
    static host::Scenario make_scenario(const StackArchitecture& architecture, const StackOptions& options);
    host::Scenario scenario_;

public:
    host::Platform platform;
    host::Measurements measurements;
    std::unique_ptr<dma::IommuDriver> driver;
    std::unique_ptr<dma::IommuDomain> domain;
    std::unique_ptr<dma::DmaDomain> dma_domain;
    std::unique_ptr<dma::DmaDevice> device;
    std::uint64_t completed = 0; ///< DMAs of the threads
    std::uint64_t refused = 0;   ///< of these, answered with an error
    std::uint64_t wrong_data = 0;
    std::uint64_t attacks = 0; ///< DMAs of the attacker
    std::uint64_t successful_attacks = 0;
    unsigned finished_threads = 0;

private:
    struct Job;
    void thread(machine::Cpu& cpu);
    void attack_next(std::uint64_t iova);

    std::array<std::uint64_t, 64> old_addresses_{};
    std::size_t old_count_ = 0;
    std::unique_ptr<Job> attacker_;
};

} // namespace iommusim::test
