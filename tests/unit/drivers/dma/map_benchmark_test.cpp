#include "drivers/dma/map_benchmark.h"

#include "tests/unit/drivers/dma/fake_domain.h"

#include <gtest/gtest.h>
#include <numeric>

using namespace iommusim;
using dma::Direction;
using dma::Policy;

namespace {

class Latencies : public dma::MapBenchmarkListener {
public:
    void on_map(Picoseconds latency) override { map.push_back(latency); }
    void on_unmap(Picoseconds latency) override { unmap.push_back(latency); }
    std::vector<Picoseconds> map;
    std::vector<Picoseconds> unmap;
};

struct Bench {
    explicit Bench(unsigned cpus, Policy policy = Policy::strict)
        : machine(cpus),
          iommu(machine),
          domain(machine.machine, iommu,
                 iova::make_allocator("magazine", machine.machine, dma::space_of(iommu)), policy),
          device(domain) {}

    dma::MapBenchmark& run(const dma::MapBenchmarkConfig& config) {
        benchmark = std::make_unique<dma::MapBenchmark>(machine.machine, device, config, &latencies);
        benchmark->start();
        sc_core::sc_start();
        return *benchmark;
    }

    test::DriverBench machine;
    test::FakeDomain iommu;
    dma::DmaDomain domain;
    dma::DmaDevice device;
    Latencies latencies;
    std::unique_ptr<dma::MapBenchmark> benchmark;
};

} // namespace

TEST(MapBenchmark, EveryThreadDoesItsOperations) {
    Bench b(4);
    const dma::MapBenchmark& result = b.run({.threads = 4, .operations = 25});
    EXPECT_TRUE(result.finished());
    EXPECT_EQ(result.operations(), 100u);
    EXPECT_EQ(result.errors(), 0u);
    EXPECT_EQ(b.latencies.map.size(), 100u);
    EXPECT_EQ(b.latencies.unmap.size(), 100u);
    EXPECT_EQ(b.device.statistics().maps, 100u);
    EXPECT_EQ(b.device.statistics().unmaps, 100u);
    EXPECT_EQ(b.iommu.count("sync"), 100u);
}

TEST(MapBenchmark, TheStrictUnmapCarriesTheInvalidation) {
    Bench b(1);
    b.run({.operations = 50});
    for (std::size_t i = 1; i < 50; ++i) { // the first one builds tables
        EXPECT_LT(b.latencies.map[i], 200_ns);
        EXPECT_GT(b.latencies.map[i], 50_ns);
        EXPECT_GT(b.latencies.unmap[i], b.iommu.sync_time);
        EXPECT_LT(b.latencies.unmap[i], b.iommu.sync_time + 200_ns);
    }
}

TEST(MapBenchmark, DwellTimeAndBufferFillingAreNotMeasured) {
    Bench plain(1);
    plain.run({.granules = 8, .direction = Direction::from_device, .operations = 20});
    const Picoseconds plain_end = plain.benchmark->end_time();
    sc_core::sc_curr_simcontext = nullptr;
    Bench slow(1);
    slow.run({.granules = 8, .direction = Direction::to_device, .dwell = 3_us, .operations = 20});
    EXPECT_EQ(slow.latencies.map, plain.latencies.map);
    EXPECT_EQ(slow.latencies.unmap, plain.latencies.unmap);
    EXPECT_GE(slow.benchmark->end_time(), plain_end + 20 * 3_us);
}

TEST(MapBenchmark, TheBufferIsFilledUnlessTheDeviceWritesIt) {
    for (const Direction direction :
         {Direction::to_device, Direction::bidirectional, Direction::from_device}) {
        sc_core::sc_curr_simcontext = nullptr;
        Bench b(1);
        b.run({.direction = direction, .operations = 1});
        std::size_t filled = 0;
        for (std::uint64_t at = test::DriverBench::ram_base; at < test::DriverBench::ram_base + 64 * 4096;
             at += 4096)
            filled += b.machine.ram.word(at) == 0x6666'6666'6666'6666;
        EXPECT_EQ(filled, direction == Direction::from_device ? 0u : 1u);
    }
}

TEST(MapBenchmark, BuffersOfTwoMegabytesAreMappedAsOneBlock) {
    Bench b(1);
    b.run({.granules = 512, .operations = 3});
    EXPECT_EQ(b.iommu.count("map"), 3u);
    EXPECT_EQ(b.iommu.log[0].size, 2u << 20);
}

TEST(MapBenchmark, SummaryUsesTheKernelsIntegerArithmetic) {
    Bench b(1);
    const dma::MapBenchmark& result = b.run({.operations = 40});
    std::uint64_t sum = 0;
    std::uint64_t squares = 0;
    for (const Picoseconds latency : b.latencies.unmap) {
        sum += latency / 100'000;
        squares += (latency / 100'000) * (latency / 100'000);
    }
    const std::uint64_t average = sum / 40;
    EXPECT_EQ(result.unmap_summary().average, average);
    const std::uint64_t variance = squares / 40 - average * average;
    const std::uint64_t root = result.unmap_summary().standard_deviation;
    EXPECT_LE(root * root, variance);
    EXPECT_GT((root + 1) * (root + 1), variance);
}

TEST(MapBenchmark, AThreadWithoutABufferReportsAnError) {
    Bench b(1);
    const dma::MapBenchmark& result = b.run({.granules = 1024, .operations = 3});
    EXPECT_EQ(result.errors(), 0u);
    while (b.machine.machine.pages().allocate(1) != machine::PageAllocator::none) {
    }
    const dma::MapBenchmark& starved = b.run({.granules = 1, .operations = 3});
    EXPECT_TRUE(starved.finished());
    EXPECT_EQ(starved.errors(), 1u);
    EXPECT_EQ(starved.operations(), 0u);
}

TEST(MapBenchmark, RunsAreReproducible) {
    std::vector<Picoseconds> first;
    for (unsigned round = 0; round < 2; ++round) {
        sc_core::sc_curr_simcontext = nullptr;
        Bench b(3, Policy::lazy);
        b.run({.threads = 3, .operations = 300});
        if (round == 0)
            first = b.latencies.unmap;
        else
            EXPECT_EQ(b.latencies.unmap, first);
    }
    EXPECT_EQ(first.size(), 900u);
}
