#include "drivers/dma/dma_api.h"

#include "tests/unit/drivers/dma/fake_domain.h"

#include <gtest/gtest.h>

using namespace iommusim;
using dma::Direction;
using dma::DmaDevice;
using dma::Policy;
using machine::Cpu;

namespace {

constexpr std::uint64_t k4 = 4096;

/// Writes what the stack announces into the domain's own log, so that the order between the two is visible.
class LoggingObserver : public dma::DmaObserver {
public:
    explicit LoggingObserver(test::FakeDomain& domain) : domain_(domain) {}
    void on_map(const dma::IommuDomain&, std::uint64_t iova, std::uint64_t size, std::uint64_t physical,
                Picoseconds time) override {
        domain_.log.push_back({"mapped", iova, size, 1});
        last_physical = physical;
        last_time = time;
    }
    void on_unmap(const dma::IommuDomain&, std::uint64_t iova, std::uint64_t size, Picoseconds) override {
        domain_.log.push_back({"unmapping", iova, size, 1});
    }
    void on_unmap_promised(const dma::IommuDomain&, std::uint64_t iova, std::uint64_t size,
                           Picoseconds time) override {
        domain_.log.push_back({"promised", iova, size, 1});
        last_time = time;
    }
    void on_unmap_deferred(const dma::IommuDomain&, std::uint64_t iova, std::uint64_t size,
                           Picoseconds) override {
        domain_.log.push_back({"deferred", iova, size, 1});
    }
    std::uint64_t last_physical = 0;
    Picoseconds last_time = 0;

private:
    test::FakeDomain& domain_;
};

struct Stack {
    explicit Stack(Policy policy, const dma::DmaLimits& limits = {}, const char* allocator = "magazine",
                   const dma::DmaParameters& parameters = {}, unsigned cpus = 1)
        : bench(cpus),
          iommu(bench),
          observer(iommu),
          domain(bench.machine, iommu, iova::make_allocator(allocator, bench.machine, dma::space_of(iommu)),
                 policy, parameters, &observer),
          device(domain, limits) {}

    std::vector<std::string> operations() const {
        std::vector<std::string> names;
        for (const auto& call : iommu.log)
            names.push_back(call.operation);
        return names;
    }

    test::DriverBench bench;
    test::FakeDomain iommu;
    LoggingObserver observer;
    dma::DmaDomain domain;
    DmaDevice device;
};

using Names = std::vector<std::string>;

} // namespace

TEST(DmaStrict, InvalidatesBeforeItPromisesAndPromisesBeforeTheAddressIsFree) {
    Stack s(Policy::strict);
    s.bench.run([&](Cpu& cpu) {
        const std::uint64_t iova = s.device.map_page(cpu, 0x5000, k4, Direction::bidirectional);
        EXPECT_EQ(s.operations(), (Names{"map", "sync_map", "mapped"}));
        EXPECT_EQ(s.observer.last_time, cpu.time());
        s.iommu.log.clear();
        EXPECT_TRUE(s.device.unmap_page(cpu, iova, k4, Direction::bidirectional));
        EXPECT_EQ(s.operations(), (Names{"walk", "unmapping", "unmap", "sync", "promised"}));
        EXPECT_EQ(s.domain.allocator().statistics().frees, 1u);
    });
    EXPECT_EQ(s.domain.flush_queue(), nullptr);
}

TEST(DmaStrict, NoAccessSucceedsAfterUnmap) {
    Stack s(Policy::strict);
    s.bench.run([&](Cpu& cpu) {
        const std::uint64_t iova = s.device.map_page(cpu, 0x5000, 3 * k4, Direction::bidirectional);
        EXPECT_EQ(s.iommu.device_access(iova + 2 * k4 + 5), 0x7005u);
        s.device.unmap_page(cpu, iova, 3 * k4, Direction::bidirectional);
        for (std::uint64_t at = 0; at < 3 * k4; at += k4)
            EXPECT_EQ(s.iommu.device_access(iova + at), ~0ull);
    });
}

TEST(DmaApi, KeepsTheOffsetInThePageAndMapsEveryPageTouched) {
    Stack s(Policy::strict);
    s.bench.run([&](Cpu& cpu) {
        const std::uint64_t iova = s.device.map_page(cpu, 0x5F80, 0x100, Direction::to_device);
        EXPECT_EQ(iova & 0xFFF, 0xF80u);
        EXPECT_EQ(s.observer.last_physical, 0x5000u);
        EXPECT_EQ(s.iommu.log.back().size, 2 * k4);
        EXPECT_EQ(s.iommu.device_access(iova + 0xFF), 0x607Fu);
        EXPECT_TRUE(s.device.unmap_page(cpu, iova, 0x100, Direction::to_device));
        EXPECT_EQ(s.iommu.device_access(iova), ~0ull);
        EXPECT_EQ(s.iommu.device_access(iova + 0xFF), ~0ull);
    });
}

TEST(DmaApi, GivesTheDeviceOnlyTheAccessThatTheDirectionNeeds) {
    Stack s(Policy::strict);
    constexpr std::uint64_t read_only = 1 << 7;
    s.bench.run([&](Cpu& cpu) {
        const auto descriptor = [&](Direction d) {
            return s.iommu.descriptor(s.device.map_page(cpu, 0x5000, k4, d));
        };
        EXPECT_NE(descriptor(Direction::to_device) & read_only, 0u);
        EXPECT_EQ(descriptor(Direction::from_device) & read_only, 0u);
        EXPECT_EQ(descriptor(Direction::bidirectional) & read_only, 0u);
    });
}

TEST(DmaApi, WithoutTranslationTheAddressIsThePhysicalOne) {
    test::DriverBench bench;
    DmaDevice device;
    EXPECT_EQ(device.policy(), Policy::none);
    bench.run([&](Cpu& cpu) {
        const Picoseconds start = cpu.time();
        EXPECT_EQ(device.map_page(cpu, 0x1234'5678, 100, Direction::to_device), 0x1234'5678u);
        EXPECT_TRUE(device.unmap_page(cpu, 0x1234'5678, 100, Direction::to_device));
        const dma::DmaParameters p;
        EXPECT_EQ(cpu.time() - start, p.map_call + p.unmap_call);
    });
}

TEST(DmaApi, NeverGoesAboveWhatTheDeviceCanAddress) {
    Stack s(Policy::strict, {.dma_bits = 30});
    s.bench.run([&](Cpu& cpu) {
        for (unsigned i = 0; i < 300; ++i) {
            const std::uint64_t iova = s.device.map_page(cpu, 0x5000, 2 * k4, Direction::to_device);
            EXPECT_LE(iova + 2 * k4, 1ull << 30);
        }
    });
}

TEST(DmaApi, PrefersAddressesBelow4GiBIfToldTo) {
    for (const bool prefer : {true, false}) {
        sc_core::sc_curr_simcontext = nullptr;
        Stack s(Policy::strict, {.prefer_32bit = prefer});
        s.bench.run([&](Cpu& cpu) {
            EXPECT_EQ(s.device.map_page(cpu, 0x5000, k4, Direction::to_device) < (1ull << 32), prefer);
        });
    }
}

TEST(DmaApi, UsesTheWholeRangeWhenThereIsNothingLeftBelow4GiB) {
    Stack s(Policy::strict, {.prefer_32bit = true}, "rbtree");
    s.domain.reserve(0, (1ull << 32) - 1);
    s.bench.run(
        [&](Cpu& cpu) { EXPECT_GE(s.device.map_page(cpu, 0x5000, k4, Direction::to_device), 1ull << 32); });
}

TEST(DmaApi, AFailedMapGivesTheAddressBack) {
    Stack s(Policy::strict);
    s.iommu.fail_beyond = 0;
    s.bench.run([&](Cpu& cpu) {
        EXPECT_EQ(s.device.map_page(cpu, 0x5000, k4, Direction::to_device), DmaDevice::mapping_error);
        EXPECT_EQ(s.device.map_page(cpu, 0x5000, 0, Direction::to_device), DmaDevice::mapping_error);
        EXPECT_EQ(s.device.map_page(cpu, 0x5000, ~0ull, Direction::to_device), DmaDevice::mapping_error);
    });
    const iova::Statistics statistics = s.domain.allocator().statistics();
    EXPECT_EQ(statistics.allocations, 1u);
    EXPECT_EQ(statistics.frees, 1u);
    EXPECT_EQ(s.device.statistics().failed_maps, 3u);
    EXPECT_EQ(s.iommu.count("mapped"), 0u);
}

TEST(DmaApi, RefusesToUnmapWhatIsNotMapped) {
    Stack s(Policy::strict);
    s.bench.run([&](Cpu& cpu) {
        EXPECT_FALSE(s.device.unmap_page(cpu, 0x1234'5000, k4, Direction::to_device));
        const std::uint64_t iova = s.device.map_page(cpu, 0x5000, k4, Direction::to_device);
        EXPECT_TRUE(s.device.unmap_page(cpu, iova, k4, Direction::to_device));
        EXPECT_FALSE(s.device.unmap_page(cpu, iova, k4, Direction::to_device)) << "twice";
    });
    EXPECT_EQ(s.device.statistics().bad_unmaps, 2u);
    EXPECT_EQ(s.domain.allocator().statistics().frees, 1u);
}

TEST(DmaApi, TheHistoricSplitCallsTheTableOncePerPage) {
    dma::DmaParameters p;
    p.page_split = 1;
    Stack s(Policy::strict, {}, "magazine", p);
    s.bench.run([&](Cpu& cpu) {
        const std::uint64_t iova = s.device.map_page(cpu, 0x5000, 16 * k4, Direction::to_device);
        s.device.unmap_page(cpu, iova, 16 * k4, Direction::to_device);
    });
    EXPECT_EQ(s.iommu.count("map"), 16u);
    EXPECT_EQ(s.iommu.count("unmap"), 16u);
    EXPECT_EQ(s.iommu.count("sync"), 1u) << "the gather is shared all the same";
}

TEST(DmaLazy, UnmapReturnsBeforeTheDeviceLosesItsAccess) {
    Stack s(Policy::lazy);
    s.bench.run([&](Cpu& cpu) {
        const std::uint64_t iova = s.device.map_page(cpu, 0x5000, k4, Direction::bidirectional);
        s.iommu.device_access(iova);
        s.iommu.log.clear();
        const Picoseconds start = cpu.time();
        EXPECT_TRUE(s.device.unmap_page(cpu, iova, k4, Direction::bidirectional));
        EXPECT_LT(cpu.time() - start, s.iommu.sync_time);
        EXPECT_EQ(s.operations(), (Names{"walk", "unmapping", "unmap", "deferred"}));
        EXPECT_EQ(s.iommu.device_access(iova), 0x5000u) << "the exposure that lazy mode is known for";
        EXPECT_NE(s.device.map_page(cpu, 0x9000, k4, Direction::bidirectional), iova)
            << "not reused before the flush";
        s.iommu.log.clear();
        cpu.delay(11_ms);
        EXPECT_EQ(s.operations(), (Names{"flush_all", "promised"}));
        EXPECT_EQ(s.iommu.device_access(iova), ~0ull);
        EXPECT_EQ(s.device.map_page(cpu, 0x9000, k4, Direction::bidirectional), iova) << "now it may be";
    });
}

TEST(DmaLazy, TheTimerEndsTheExposureAfterTenMilliseconds) {
    Stack s(Policy::lazy);
    Picoseconds unmapped = 0;
    s.bench.run([&](Cpu& cpu) {
        const std::uint64_t iova = s.device.map_page(cpu, 0x5000, k4, Direction::bidirectional);
        s.device.unmap_page(cpu, iova, k4, Direction::bidirectional);
        unmapped = cpu.time();
    });
    // The program has ended; the simulation ran on until nothing was left to do.
    EXPECT_EQ(s.iommu.count("promised"), 1u);
    EXPECT_GE(s.observer.last_time, unmapped + 10_ms);
    EXPECT_LE(s.observer.last_time, unmapped + 10_ms + 20_us);
}
