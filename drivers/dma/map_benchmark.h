// The workload of the Linux kernel's dma_map_benchmark: threads that map and unmap one buffer each, as fast
// as they can, all through one device, and so through one domain. The device itself does nothing.
//
// Differences: a fixed number of operations instead of seconds, so that results do not depend on a deadline;
// latencies in picoseconds go to a listener besides the kernel's own summary in steps of 100 ns.
#pragma once

#include "drivers/dma/dma_api.h"
#include "drivers/machine/machine.h"
#include "drivers/machine/shared_word.h"

#include <cstdint>
#include <vector>

namespace iommusim::dma {

struct MapBenchmarkConfig {
    unsigned threads = 1;       ///< at most one per CPU: more are cut to the number of CPUs
    std::uint64_t granules = 1; ///< pages of the buffer, 1 to 1024
    Direction direction = Direction::bidirectional;
    Picoseconds dwell = 0;        ///< between map and unmap ("dma_trans_ns")
    std::uint64_t operations = 1; ///< pairs of map and unmap per thread
    unsigned first_cpu = 0;       ///< thread i runs on CPU first_cpu + i, modulo the number of CPUs
};

class MapBenchmarkListener {
public:
    virtual ~MapBenchmarkListener() = default;
    virtual void on_map(Picoseconds latency) = 0;
    virtual void on_unmap(Picoseconds latency) = 0;
};

class MapBenchmark {
public:
    /// What the kernel prints: microseconds times ten, with the kernel's integer arithmetic.
    struct Summary {
        std::uint64_t average;
        std::uint64_t standard_deviation;
    };

    /// The listener may be null. Device and listener outlive the benchmark, and it outlives the simulation of
    /// its threads.
    MapBenchmark(machine::Machine&, DmaDevice&, const MapBenchmarkConfig&, MapBenchmarkListener* = nullptr);

    /// Gives the threads to their CPUs.
    void start();
    bool finished() const { return finished_ == config_.threads; }
    /// Local time at which the last thread ended, valid when finished.
    Picoseconds end_time() const { return end_; }
    std::uint64_t operations() const { return loops_; }
    std::uint64_t errors() const { return errors_; } ///< failed maps and buffers; each ends its thread

    Summary map_summary() const { return summary(map_); }
    Summary unmap_summary() const { return summary(unmap_); }

private:
    struct Sums {
        std::uint64_t sum = 0; ///< of 100 ns steps
        std::uint64_t sum_squares = 0;
    };

    void thread(machine::Cpu&);
    void add(machine::Cpu&, Picoseconds map, Picoseconds unmap);
    Summary summary(const Sums&) const;

    machine::Machine& machine_;
    DmaDevice& device_;
    MapBenchmarkConfig config_;
    MapBenchmarkListener* const listener_;
    machine::SharedWord counters_; ///< the line of the kernel's five counters
    Sums map_;
    Sums unmap_;
    std::uint64_t loops_ = 0;
    std::uint64_t errors_ = 0;
    unsigned finished_ = 0;
    Picoseconds end_ = 0;
};

} // namespace iommusim::dma
