#include "tests/integration/stack_bench.h"

#include <cstring>

namespace iommusim::test {

/// Waits for a DMA job from software: the flag that an interrupt handler would set.
struct StackBench::Job : soc::DmaListener {
    bool done = false;
    std::uint64_t accesses = 0;
    std::uint64_t errors = 0;
    std::uint64_t mismatches = 0;

    void on_dma_job_end(soc::DmaJobId, const soc::DmaResult& result) override {
        accesses += result.completed;
        errors += result.errors();
        mismatches += result.mismatches;
        done = true;
    }
};

host::Scenario StackBench::make_scenario(const StackArchitecture& architecture, const StackOptions& options) {
    host::Scenario s;
    s.platform.cpus = options.cpus;
    s.platform.memory.given["size"] = 256ull << 20;
    s.iommu.model = architecture.model;
    s.iommu.parameters = options.iommu;
    s.devices.push_back({"nic", host::DeviceKind::nic, device_id, 48, 0});
    s.devices.push_back({"attacker", host::DeviceKind::nic, device_id, 48, 0});
    return s;
}

StackBench::StackBench(const StackArchitecture& architecture, const StackOptions& o)
    : options(o),
      scenario_(make_scenario(architecture, o)),
      platform("platform", scenario_),
      measurements(platform.iommu.reference(), platform.iommu.queue_positions(), true),
      driver(architecture.make_driver(platform, o.mistake, &measurements.breakdown())),
      attacker_(std::make_unique<Job>()) {
    platform.iommu.attach(&measurements);
    if (o.memory_jitter != 0) // every fourth MiB is slow
        for (std::uint64_t base = 0; base < platform.memory.parameters().size; base += 4ull << 20)
            platform.memory.fault_injector().delay(soc::AccessKind::any, base, 1ull << 20, o.memory_jitter);
}

StackBench::~StackBench() = default;

void StackBench::run() {
    platform.machine.cpu(0).run([this](machine::Cpu& cpu) {
        if (!driver->start(cpu))
            return;
        domain = driver->create_domain(cpu, {});
        if (!domain || !driver->attach(cpu, *domain, {.id = device_id}))
            return;
        dma_domain = std::make_unique<dma::DmaDomain>(
            platform.machine, *domain,
            iova::make_allocator("magazine", platform.machine, dma::space_of(*domain)), options.policy,
            dma::DmaParameters{}, &measurements);
        device = std::make_unique<dma::DmaDevice>(*dma_domain);
        Requester requester;
        requester.id = device_id;
        measurements.bind(requester, *domain);
        for (unsigned i = 0; i < platform.machine.cpus(); ++i)
            platform.machine.cpu(i).run([this](machine::Cpu& c) { thread(c); }, cpu.time());
    });
    sc_core::sc_start();
}

void StackBench::thread(machine::Cpu& cpu) {
    // Like a ring of receive buffers that is cleaned in batches: there are always some addresses that were
    // unmapped and not yet given out again.
    constexpr unsigned depth = 8;
    constexpr unsigned batch = 4;
    const std::uint64_t buffers = cpu.allocate_pages(depth);
    std::array<std::uint64_t, depth> ring{};
    Job job;
    for (unsigned round = 0; round < options.rounds; ++round) {
        std::uint64_t& slot = ring[round % depth];
        const std::uint64_t buffer = buffers + (round % depth) * 4096;
        for (unsigned i = 0; round >= depth && round % batch == 0 && i < batch; ++i)
            device->unmap_page(cpu, ring[(round + i) % depth], 4096, dma::Direction::bidirectional);
        cpu.synchronize();
        const std::uint64_t iova = device->map_page(cpu, buffer, 4096, dma::Direction::bidirectional);
        std::vector<std::uint8_t> contents(4096);
        soc::fill_dma_pattern(1, iova, contents.data(), contents.size());
        std::memcpy(platform.memory.bytes() + buffer, contents.data(), contents.size());
        cpu.synchronize();
        slot = iova;

        soc::DmaJob plan;
        plan.requester.id = device_id;
        plan.direction = soc::DmaDirection::alternating;
        plan.pattern = soc::DmaPattern::random;
        plan.check = soc::DmaCheck::pattern;
        plan.base = iova;
        plan.window = 4096;
        plan.count = options.accesses;
        plan.outstanding = options.outstanding;
        plan.address_seed = round * 64 + cpu.index() + 1;
        plan.data_seed = 1;
        plan.listener = &job;
        job.done = false;
        platform.devices[0]->start(plan);
        if (options.attack)
            attack_next(iova);
        while (!job.done)
            cpu.delay(200'000);
    }
    for (unsigned i = 0; i < depth; ++i) // the last batch may have been unmapped without being mapped again
        if (domain->iova_to_phys(cpu, ring[i]) != ~0ull && ring[i] != 0)
            device->unmap_page(cpu, ring[i], 4096, dma::Direction::bidirectional);
    cpu.synchronize();
    completed += job.accesses;
    refused += job.errors;
    wrong_data += job.mismatches;
    if (++finished_threads == options.cpus) {
        attacks = attacker_->accesses;
        successful_attacks = attacker_->accesses - attacker_->errors;
    }
}

/// The attacker reads what earlier rounds have unmapped; this round's address joins the list for later.
void StackBench::attack_next(std::uint64_t iova) {
    old_addresses_[old_count_++ % old_addresses_.size()] = iova;
    if (old_count_ < old_addresses_.size() || (old_count_ % 8) != 0)
        return;
    soc::DmaJob plan;
    plan.requester.id = device_id;
    plan.pattern = soc::DmaPattern::list;
    plan.addresses = old_addresses_.data();
    plan.address_count = old_addresses_.size();
    plan.count = 16;
    plan.outstanding = 4;
    plan.listener = attacker_.get();
    platform.devices[1]->start(plan);
}

} // namespace iommusim::test
