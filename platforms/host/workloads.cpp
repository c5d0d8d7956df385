#include "platforms/host/workloads.h"

#include "drivers/dma/flush_queue.h"
#include "drivers/iova/allocator.h"

#include <algorithm>
#include <spdlog/fmt/fmt.h>

namespace iommusim::host {

namespace {

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

struct Software::Share {
    std::uint64_t operations;
    std::uint64_t warmup;
    std::uint64_t outstanding;
    Picoseconds start_delay;
    Picoseconds interval;
    std::uint64_t seed;

    /// The share of address space `index` of `count`; what does not divide evenly goes to the first ones.
    static Share of(const WorkloadOptions& w, std::uint64_t seed, std::uint64_t index, std::uint64_t count) {
        const auto part = [=](std::uint64_t whole) {
            return whole / count + (index < whole % count ? 1 : 0);
        };
        return {part(w.operations), part(w.warmup),     std::max<std::uint64_t>(1, part(w.outstanding)),
                index * w.interval, count * w.interval, seed + index};
    }
};

/// The device accesses one buffer that stays mapped while it does; every read is checked.
class Software::DmaTraffic : public soc::DmaListener {
public:
    DmaTraffic(Software& software, const WorkloadOptions& options, soc::DmaMaster& master,
               AddressSpace& space, const Share& share)
        : software_(software), options_(options), master_(master), space_(space), share_(share) {}

    void run(machine::Cpu& cpu) {
        size_ = options_.pages * 4096;
        buffer_ = allocate_buffer(cpu);
        if (buffer_ == machine::PageAllocator::none) {
            software_.errors_.push_back(
                fmt::format("{}: no memory for a buffer of {} pages", space_.name, options_.pages));
            return end(cpu);
        }
        iova_ = space_.device->map_page(cpu, buffer_, size_, to_dma(options_.direction));
        if (iova_ == dma::DmaDevice::mapping_error) {
            software_.errors_.push_back(
                fmt::format("{}: the buffer of {} pages could not be mapped", space_.name, options_.pages));
            return end(cpu);
        }
        // What a previous owner of the buffer left in it is what the device must find.
        std::vector<std::uint8_t> contents(size_);
        soc::fill_dma_pattern(share_.seed, iova_, contents.data(), contents.size());
        std::copy(contents.begin(), contents.end(), software_.platform_.memory.bytes() + buffer_);
        cpu.synchronize();

        soc::DmaJob job;
        job.requester = space_.requester;
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
        job.count = share_.warmup + share_.operations;
        job.outstanding = static_cast<std::uint32_t>(share_.outstanding);
        job.interval = share_.interval;
        job.start_delay = share_.start_delay;
        job.address_seed = share_.seed;
        job.data_seed = share_.seed;
        job.listener = this;
        if (const char* violation = job.violation()) {
            software_.errors_.push_back(fmt::format("{}: {}", space_.name, violation));
            return end(cpu);
        }
        master_.start(job);
    }

    bool finished() const { return finished_; }
    Picoseconds end_time() const { return end_; }

private:
    void on_dma_access(const soc::DmaAccess& access) override {
        if (access.index < share_.warmup)
            software_.measurements_.on_warmup_access(access);
        else
            software_.measurements_.on_dma_access(access);
    }

    void on_dma_job_end(soc::DmaJobId, const soc::DmaResult&) override {
        // The device's interrupt: its driver ends the mapping.
        software_.platform_.machine.cpu(0).run([this](machine::Cpu& cpu) {
            if (!space_.device->unmap_page(cpu, iova_, size_, to_dma(options_.direction)))
                software_.errors_.push_back(fmt::format("{}: the buffer could not be unmapped", space_.name));
            end(cpu);
        });
    }

    /// A buffer whose mapping uses no larger pages than it may: addresses of the device are aligned to the
    /// buffer's size, so it is the physical address that decides.
    std::uint64_t allocate_buffer(machine::Cpu& cpu) const {
        constexpr unsigned page_bits[] = {0, 12, 21, 30};
        if (options_.largest_page == LargestPage::any)
            return cpu.allocate_pages(options_.pages);
        const std::uint64_t page = 1ull << page_bits[static_cast<std::size_t>(options_.largest_page)];
        const std::uint64_t base = cpu.allocate_pages(options_.pages + page / 4096, 2 * page);
        return base == machine::PageAllocator::none ? base : base + page;
    }

    void end(machine::Cpu& cpu) {
        finished_ = true;
        end_ = cpu.time();
    }

    Software& software_;
    const WorkloadOptions& options_;
    soc::DmaMaster& master_;
    AddressSpace& space_;
    const Share share_;
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
      driver_(platform.make_driver(scenario, {this, &measurements.breakdown()})),
      devices_(scenario.devices.size()) {
    for (std::size_t i = 0; i < devices_.size(); ++i) {
        const DeviceOptions& options = scenario.devices[i];
        devices_[i].resize(options.address_spaces());
        for (std::size_t s = 0; s < devices_[i].size(); ++s) {
            AddressSpace& space = devices_[i][s];
            space.name = options.name;
            space.requester.id = static_cast<std::uint32_t>(options.id);
            space.requester.pasid = static_cast<std::uint32_t>(options.pasid_of(s));
            space.requester.has_pasid = space.requester.pasid != 0;
            if (options.pasids != 0)
                space.name += fmt::format(".pasid{}", space.requester.pasid);
        }
    }
}

Software::~Software() = default;

void Software::start() {
    platform_.machine.cpu(0).run([this](machine::Cpu& cpu) { boot(cpu); });
}

void Software::boot(machine::Cpu& cpu) {
    if (!driver_->start(cpu)) {
        errors_.push_back("the driver could not bring the IOMMU up");
        return;
    }
    for (std::size_t i = 0; i < devices_.size(); ++i)
        for (AddressSpace& space : devices_[i])
            if (!attach(cpu, scenario_.devices[i], space)) {
                errors_.push_back(fmt::format("{}: could not be attached to a domain", space.name));
                return;
            }
    start_workloads(cpu);
}

bool Software::attach(machine::Cpu& cpu, const DeviceOptions& options, AddressSpace& space) {
    dma::DmaParameters parameters;
    parameters.flush_queue_size = scenario_.driver.flush_queue_entries;
    parameters.flush_queue_timeout = scenario_.driver.flush_queue_timeout;
    if (scenario_.driver.invalidation == InvalidationPolicy::none) {
        space.device = std::make_unique<dma::DmaDevice>(parameters);
        return true;
    }
    space.iommu_domain =
        driver_->create_domain(cpu, {space.name, static_cast<dma::Stage>(scenario_.driver.stage)});
    const dma::DeviceAddress address{space.requester.id, space.requester.pasid, space.requester.has_pasid};
    if (!space.iommu_domain || !driver_->attach(cpu, *space.iommu_domain, address))
        return false;
    const char* const allocator =
        scenario_.driver.iova_allocator == IovaAllocator::rbtree ? "rbtree" : "magazine";
    space.domain = std::make_unique<dma::DmaDomain>(
        platform_.machine, *space.iommu_domain,
        iova::make_allocator(allocator, platform_.machine, dma::space_of(*space.iommu_domain)),
        scenario_.driver.invalidation == InvalidationPolicy::lazy ? dma::Policy::lazy : dma::Policy::strict,
        parameters, &measurements_);
    if (const AddressRange window = platform_.iommu.message_window(); window.size != 0)
        space.domain->reserve(window.base, window.base + (window.size - 1));
    dma::DmaLimits limits;
    limits.dma_bits = static_cast<unsigned>(options.dma_bits);
    space.device = std::make_unique<dma::DmaDevice>(*space.domain, limits);
    measurements_.bind(space.requester, *space.iommu_domain);
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
        if (w.kind == WorkloadKind::map_benchmark) {
            start_benchmark(w, devices_[index], next_cpu);
            next_cpu += static_cast<unsigned>(w.threads);
        } else {
            start_traffic(cpu, w, *platform_.devices[index], devices_[index], seed);
        }
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    }
}

/// Each address space that gets a thread at all is a benchmark of its own.
void Software::start_benchmark(const WorkloadOptions& w, std::vector<AddressSpace>& spaces,
                               unsigned first_cpu) {
    const auto count = std::min<std::size_t>(spaces.size(), w.threads);
    for (std::size_t s = 0; s < count; ++s) {
        dma::MapBenchmarkConfig config;
        config.threads = static_cast<unsigned>(w.threads / count + (s < w.threads % count ? 1 : 0));
        config.granules = w.granules;
        config.direction = to_dma(w.direction);
        config.dwell = w.dwell;
        config.operations = w.operations;
        config.first_cpu = first_cpu;
        first_cpu += config.threads;
        benchmarks_.push_back(std::make_unique<dma::MapBenchmark>(platform_.machine, *spaces[s].device,
                                                                  config, &measurements_));
        benchmarks_.back()->start();
    }
}

void Software::start_traffic(machine::Cpu& cpu, const WorkloadOptions& w, soc::DmaMaster& master,
                             std::vector<AddressSpace>& spaces, std::uint64_t seed) {
    const auto count = std::min<std::size_t>(spaces.size(), w.operations);
    for (std::size_t s = 0; s < count; ++s) {
        traffic_.push_back(
            std::make_unique<DmaTraffic>(*this, w, master, spaces[s], Share::of(w, seed, s, count)));
        traffic_.back()->run(cpu);
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

void Software::on_driver_error(const dma::DriverErrorReport& error) {
    errors_.push_back(
        fmt::format("driver: {} (0x{:x}) at {} ns", error.name, error.detail, error.time / 1000));
}

void Software::report(Result& result) const {
    iova::Statistics addresses;
    dma::FlushQueue::Statistics queue;
    bool lazy = false;
    for (const std::vector<AddressSpace>& spaces : devices_)
        for (const AddressSpace& space : spaces) {
            if (!space.domain)
                continue;
            const iova::Statistics s = space.domain->allocator().statistics();
            addresses.allocations += s.allocations;
            addresses.cache_hits += s.cache_hits;
            addresses.nodes_visited += s.nodes_visited;
            if (const dma::FlushQueue* fq = space.domain->flush_queue()) {
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
    for (const auto& [name, value] : driver_->counters())
        result.add_count(name, value);

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
