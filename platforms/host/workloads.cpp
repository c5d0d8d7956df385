#include "platforms/host/workloads.h"

#include "drivers/dma/flush_queue.h"
#include "drivers/iova/allocator.h"

#include <algorithm>
#include <spdlog/fmt/fmt.h>

namespace iommusim::host {

namespace {

smmuv3_driver::Configuration driver_configuration(const Scenario& scenario) {
    smmuv3_driver::Configuration c;
    c.register_base = Platform::register_base;
    c.completion = static_cast<smmuv3_driver::CompletionMode>(scenario.driver.completion);
    c.force_no_range_invalidation = !scenario.driver.range_invalidation;
    c.event_interrupt = Platform::iommu_line + smmuv3::line_event_queue;
    c.error_interrupt = Platform::iommu_line + smmuv3::line_gerror;
    c.use_unit = scenario.driver.invalidation != InvalidationPolicy::none;
    std::uint64_t highest = 0;
    for (const DeviceOptions& device : scenario.devices) {
        highest = std::max(highest, device.id);
    }
    c.stream_id_bits = std::max(8u, static_cast<unsigned>(std::bit_width(highest)));
    return c;
}

dma::Direction to_dma(Direction direction) {
    switch (direction) {
    case Direction::to_device:
        return dma::Direction::to_device;
    case Direction::from_device:
        return dma::Direction::from_device;
    case Direction::bidirectional:
        break;
    }
    return dma::Direction::bidirectional;
}

} // namespace

/// The device accesses one buffer that stays mapped while it does; every read is checked.
class Software::DmaTraffic : public soc::DmaListener {
public:
    DmaTraffic(Software& software, const WorkloadOptions& options, soc::DmaMaster& master,
               dma::DmaDevice& device, const DeviceOptions& device_options, std::uint64_t seed)
        : software_(software),
          options_(options),
          master_(master),
          device_(device),
          device_options_(device_options),
          seed_(seed) {}

    void run(machine::Cpu& cpu) {
        size_ = options_.pages * 4096;
        buffer_ = cpu.allocate_pages(options_.pages);
        if (buffer_ == machine::PageAllocator::none) {
            software_.errors_.push_back(
                fmt::format("{}: no memory for a buffer of {} pages", device_options_.name, options_.pages));
            return end(cpu);
        }
        iova_ = device_.map_page(cpu, buffer_, size_, to_dma(options_.direction));
        if (iova_ == dma::DmaDevice::mapping_error) {
            software_.errors_.push_back(fmt::format("{}: the buffer of {} pages could not be mapped",
                                                    device_options_.name, options_.pages));
            return end(cpu);
        }
        // What a previous owner of the buffer left in it is what the device must find.
        std::vector<std::uint8_t> contents(size_);
        soc::fill_dma_pattern(seed_, iova_, contents.data(), contents.size());
        std::copy(contents.begin(), contents.end(), software_.platform_.memory.bytes() + buffer_);
        cpu.synchronize();

        soc::DmaJob job;
        job.requester.id = static_cast<std::uint32_t>(device_options_.id);
        job.requester.has_pasid = device_options_.pasid != 0;
        job.requester.pasid = static_cast<std::uint32_t>(device_options_.pasid);
        job.direction = options_.direction == Direction::to_device     ? soc::DmaDirection::read
                        : options_.direction == Direction::from_device ? soc::DmaDirection::write
                                                                       : soc::DmaDirection::alternating;
        const bool random = options_.pattern == Pattern::random;
        job.pattern = random ? soc::DmaPattern::random : soc::DmaPattern::ring;
        job.check = soc::DmaCheck::pattern;
        job.base = iova_;
        job.length = static_cast<std::uint32_t>(std::min(options_.access, size_));
        job.stride = options_.pattern == Pattern::sequential ? job.length : options_.stride;
        job.window = size_;
        job.count = options_.operations;
        job.outstanding = static_cast<std::uint32_t>(options_.outstanding);
        job.interval = options_.interval;
        job.address_seed = seed_;
        job.data_seed = seed_;
        job.listener = this;
        if (const char* violation = job.violation()) {
            software_.errors_.push_back(fmt::format("{}: {}", device_options_.name, violation));
            return end(cpu);
        }
        master_.start(job);
    }

    bool finished() const { return finished_; }
    Picoseconds end_time() const { return end_; }

private:
    void on_dma_access(const soc::DmaAccess& access) override {
        software_.measurements_.on_dma_access(access);
    }

    void on_dma_job_end(soc::DmaJobId, const soc::DmaResult&) override {
        // The device's interrupt: its driver ends the mapping.
        software_.platform_.machine.cpu(0).run([this](machine::Cpu& cpu) {
            if (!device_.unmap_page(cpu, iova_, size_, to_dma(options_.direction)))
                software_.errors_.push_back(
                    fmt::format("{}: the buffer could not be unmapped", device_options_.name));
            end(cpu);
        });
    }

    void end(machine::Cpu& cpu) {
        finished_ = true;
        end_ = cpu.time();
    }

    Software& software_;
    const WorkloadOptions& options_;
    soc::DmaMaster& master_;
    dma::DmaDevice& device_;
    const DeviceOptions& device_options_;
    std::uint64_t seed_;
    std::uint64_t buffer_ = 0;
    std::uint64_t size_ = 0;
    std::uint64_t iova_ = 0;
    bool finished_ = false;
    Picoseconds end_ = 0;
};

Software::Software(Platform& platform, const Scenario& scenario, Measurements& measurements)
    : platform_(platform),
      scenario_(scenario),
      measurements_(measurements),
      driver_(platform.machine, driver_configuration(scenario), this, nullptr, &measurements.breakdown()),
      devices_(scenario.devices.size()) {}

Software::~Software() = default;

void Software::start() {
    platform_.machine.cpu(0).run([this](machine::Cpu& cpu) { boot(cpu); });
}

void Software::boot(machine::Cpu& cpu) {
    if (!driver_.start(cpu)) {
        errors_.push_back("the driver could not bring the IOMMU up");
        return;
    }
    for (std::size_t i = 0; i < devices_.size(); ++i)
        if (!attach(cpu, scenario_.devices[i], devices_[i])) {
            errors_.push_back(
                fmt::format("{}: could not be attached to a domain", scenario_.devices[i].name));
            return;
        }
    start_workloads(cpu);
}

bool Software::attach(machine::Cpu& cpu, const DeviceOptions& options, DeviceSoftware& software) {
    dma::DmaParameters parameters;
    parameters.flush_queue_size = scenario_.driver.flush_queue_entries;
    parameters.flush_queue_timeout = scenario_.driver.flush_queue_timeout;
    if (scenario_.driver.invalidation == InvalidationPolicy::none) {
        software.device = std::make_unique<dma::DmaDevice>(parameters);
        return true;
    }
    smmuv3_driver::DomainConfiguration domain;
    domain.name = options.name;
    software.iommu_domain = smmuv3_driver::Smmuv3Domain::create(driver_, cpu, domain);
    if (!software.iommu_domain || !software.iommu_domain->attach(cpu, static_cast<std::uint32_t>(options.id)))
        return false;
    const char* const allocator =
        scenario_.driver.iova_allocator == IovaAllocator::rbtree ? "rbtree" : "magazine";
    software.domain = std::make_unique<dma::DmaDomain>(
        platform_.machine, *software.iommu_domain,
        iova::make_allocator(allocator, platform_.machine, dma::space_of(*software.iommu_domain)),
        scenario_.driver.invalidation == InvalidationPolicy::lazy ? dma::Policy::lazy : dma::Policy::strict,
        parameters, &measurements_);
    dma::DmaLimits limits;
    limits.dma_bits = static_cast<unsigned>(options.dma_bits);
    software.device = std::make_unique<dma::DmaDevice>(*software.domain, limits);
    Requester requester;
    requester.id = static_cast<std::uint32_t>(options.id);
    requester.has_pasid = options.pasid != 0;
    requester.pasid = static_cast<std::uint32_t>(options.pasid);
    measurements_.bind(requester, *software.iommu_domain);
    return true;
}

void Software::start_workloads(machine::Cpu& cpu) {
    cpu.synchronize();
    begin_ = cpu.time();
    started_ = true;
    unsigned next_cpu = 0;
    std::uint64_t seed = scenario_.seed;
    for (const WorkloadOptions& w : scenario_.workloads) {
        std::size_t index = 0;
        while (scenario_.devices[index].name != w.device)
            ++index;
        dma::DmaDevice& device = *devices_[index].device;
        if (w.kind == WorkloadKind::map_benchmark) {
            dma::MapBenchmarkConfig config;
            config.threads = static_cast<unsigned>(w.threads);
            config.granules = w.granules;
            config.direction = to_dma(w.direction);
            config.dwell = w.dwell;
            config.operations = w.operations;
            config.first_cpu = next_cpu;
            next_cpu += config.threads;
            benchmarks_.push_back(
                std::make_unique<dma::MapBenchmark>(platform_.machine, device, config, &measurements_));
            benchmarks_.back()->start();
        } else {
            traffic_.push_back(std::make_unique<DmaTraffic>(*this, w, *platform_.devices[index], device,
                                                            scenario_.devices[index], seed));
            traffic_.back()->run(cpu);
        }
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    }
}

bool Software::finished() const {
    return started_ &&
           std::all_of(benchmarks_.begin(), benchmarks_.end(), [](const auto& b) { return b->finished(); }) &&
           std::all_of(traffic_.begin(), traffic_.end(), [](const auto& t) { return t->finished(); });
}

Picoseconds Software::end_time() const {
    Picoseconds end = begin_;
    for (const auto& b : benchmarks_)
        end = std::max(end, b->end_time());
    for (const auto& t : traffic_)
        end = std::max(end, t->end_time());
    return end;
}

void Software::on_driver_error(smmuv3_driver::DriverError error, Picoseconds time, std::uint64_t detail) {
    errors_.push_back(
        fmt::format("driver: {} (0x{:x}) at {} ns", smmuv3_driver::name(error), detail, time / 1000));
}

void Software::report(Result& result) const {
    iova::Statistics addresses;
    dma::FlushQueue::Statistics queue;
    bool lazy = false;
    for (const DeviceSoftware& d : devices_) {
        if (!d.domain)
            continue;
        const iova::Statistics s = d.domain->allocator().statistics();
        addresses.allocations += s.allocations;
        addresses.cache_hits += s.cache_hits;
        addresses.nodes_visited += s.nodes_visited;
        if (const dma::FlushQueue* fq = d.domain->flush_queue()) {
            lazy = true;
            queue.queued += fq->statistics().queued;
            queue.full_flushes += fq->statistics().full_flushes;
            queue.timer_flushes += fq->statistics().timer_flushes;
        }
    }
    result.add_count("iova.allocations", addresses.allocations);
    result.add_count("iova.cache_hits", addresses.cache_hits);
    result.add_count("iova.nodes_visited", addresses.nodes_visited);
    if (lazy) {
        result.add_count("flush_queue.queued", queue.queued);
        result.add_count("flush_queue.full_flushes", queue.full_flushes);
        result.add_count("flush_queue.timer_flushes", queue.timer_flushes);
    }
    const smmuv3_driver::Statistics& s = driver_.statistics();
    result.add_count("driver.doorbells", s.doorbells);
    result.add_count("driver.commands", s.commands);
    result.add_count("driver.syncs", s.syncs);
    result.add_count("driver.exchange_attempts", s.exchange_attempts);
    result.add_count("driver.exchanges", s.exchanges);
    result.add_count("driver.queue_full_waits", s.full_waits);

    for (const machine::LockStatistics& lock : platform_.machine.lock_statistics()) {
        // Locks of one kind, one per CPU, are one line of the report.
        auto line = std::find_if(result.locks.begin(), result.locks.end(),
                                 [&](const LockReport& l) { return l.name == lock.name; });
        if (line == result.locks.end()) {
            result.locks.push_back(LockReport{lock.name, 0, 0, 0, 0, 0, 0});
            line = result.locks.end() - 1;
        }
        line->acquisitions += lock.acquisitions;
        line->contended += lock.contended;
        line->wait_ps += lock.total_wait;
        line->longest_wait_ps = std::max(line->longest_wait_ps, lock.maximum_wait);
        line->hold_ps += lock.total_hold;
        line->longest_hold_ps = std::max(line->longest_hold_ps, lock.maximum_hold);
    }
}

} // namespace iommusim::host
