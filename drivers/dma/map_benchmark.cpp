#include "drivers/dma/map_benchmark.h"

#include <algorithm>
#include <bit>

namespace iommusim::dma {
namespace {

constexpr std::uint8_t buffer_pattern = 0x66;
constexpr unsigned shared_counters = 5; ///< sums and sums of squares of both latencies, and the loop count

std::uint64_t integer_square_root(std::uint64_t v) {
    std::uint64_t root = 0;
    for (std::uint64_t bit = 1ull << 31; bit != 0; bit >>= 1)
        if ((root | bit) * (root | bit) <= v)
            root |= bit;
    return root;
}

} // namespace

MapBenchmark::MapBenchmark(machine::Machine& machine, DmaDevice& device, const MapBenchmarkConfig& config,
                           MapBenchmarkListener* listener)
    : machine_(machine), device_(device), config_(config), listener_(listener) {
    config_.threads = std::clamp(config_.threads, 1u, machine.cpus());
    config_.granules = std::clamp<std::uint64_t>(config_.granules, 1, 1024);
}

void MapBenchmark::start() {
    for (unsigned i = 0; i < config_.threads; ++i)
        machine_.cpu((config_.first_cpu + i) % machine_.cpus()).run([this](machine::Cpu& cpu) {
            thread(cpu);
        });
}

void MapBenchmark::thread(machine::Cpu& cpu) {
    const std::uint64_t bytes = config_.granules * machine::PageAllocator::page_size;
    const std::uint64_t buffer =
        cpu.allocate_pages(config_.granules, std::bit_ceil(bytes)); // buddy blocks are aligned
    if (buffer == machine::PageAllocator::none) {
        ++errors_;
    } else {
        for (std::uint64_t i = 0; i < config_.operations; ++i) {
            // The CPU produces what the device will read: its lines are dirty.
            if (config_.direction != Direction::from_device)
                cpu.fill(buffer, buffer_pattern, bytes);

            const Picoseconds before_map = cpu.time();
            const std::uint64_t iova = device_.map_page(cpu, buffer, bytes, config_.direction);
            const Picoseconds after_map = cpu.time();
            if (iova == DmaDevice::mapping_error) {
                ++errors_;
                break;
            }
            if (config_.dwell != 0)
                cpu.delay(config_.dwell);
            const Picoseconds before_unmap = cpu.time();
            device_.unmap_page(cpu, iova, bytes, config_.direction);
            const Picoseconds after_unmap = cpu.time();
            add(cpu, after_map - before_map, after_unmap - before_unmap);
        }
        cpu.free_pages(buffer, config_.granules);
    }
    ++finished_;
    end_ = std::max(end_, cpu.time());
}

void MapBenchmark::add(machine::Cpu& cpu, Picoseconds map, Picoseconds unmap) {
    if (listener_ != nullptr) {
        listener_->on_map(map);
        listener_->on_unmap(unmap);
    }
    const std::uint64_t map_steps = map / 100_ns;
    const std::uint64_t unmap_steps = unmap / 100_ns;
    map_.sum += map_steps;
    map_.sum_squares += map_steps * map_steps;
    unmap_.sum += unmap_steps;
    unmap_.sum_squares += unmap_steps * unmap_steps;
    ++loops_;
    // Outside of the measured windows, but a contended line all the same.
    for (unsigned i = 0; i < shared_counters; ++i)
        counters_.fetch_add(cpu, 1);
}

MapBenchmark::Summary MapBenchmark::summary(const Sums& sums) const {
    if (loops_ == 0)
        return {0, 0};
    const std::uint64_t average = sums.sum / loops_;
    return {average, integer_square_root(sums.sum_squares / loops_ - average * average)};
}

} // namespace iommusim::dma
