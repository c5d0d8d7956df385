// Rule 5 with the real VT-d driver: where the unit keeps what was not present (CM = 1), a map that is not
// followed by an invalidation is noticed at the first access.
#include "drivers/dma/iommu_api.h"
#include "drivers/vtd/vtd.h"
#include "models/soc/dma_job.h"
#include "models/vtd/spec/faults.h"
#include "platforms/host/platform.h"

#include <gtest/gtest.h>
#include <ostream>

namespace iommusim::test {
namespace {

struct Mode {
    const char* name;
    bool scalable;
    dma::Stage stage;
    unsigned not_present; ///< reason of a read where nothing is mapped
};
std::ostream& operator<<(std::ostream& out, const Mode& mode) { return out << mode.name; }

struct Records : vtd_driver::FaultObserver {
    std::vector<vtd_driver::FaultRecord> seen;
    void on_fault_record(const vtd_driver::FaultRecord& record) override { seen.push_back(record); }
};

constexpr std::uint32_t device_id = 0x100;
constexpr std::uint64_t iova = 0x4000'0000;
constexpr std::uint64_t page = 4096;

class CachingModeBench {
public:
    CachingModeBench(const Mode& mode, bool caching_mode, const vtd_driver::FaultInjection& mistakes = {})
        : platform("platform", scenario(caching_mode)),
          driver(platform.machine, configuration(mode, mistakes), nullptr, &faults) {}

    void run(std::function<void(machine::Cpu&)> program) {
        platform.machine.cpu(0).run(std::move(program));
        sc_core::sc_start();
    }
    /// An empty domain, of which the device is a member.
    void attach() {
        run([this](machine::Cpu& cpu) {
            domain = driver.create_domain(cpu, {});
            ASSERT_TRUE(domain && driver.attach(cpu, *domain, {.id = device_id}));
        });
    }
    void start() {
        run([this](machine::Cpu& cpu) { ASSERT_TRUE(driver.start(cpu)); });
    }
    void map() {
        run([this](machine::Cpu& cpu) {
            const std::uint64_t buffer = cpu.allocate_pages(1);
            ASSERT_EQ(dma::iommu_map(cpu, *domain, iova, buffer, page, dma::prot_read | dma::prot_write),
                      dma::Status::ok);
        });
    }
    /// One read by the device.
    bool reads() {
        soc::DmaJob job;
        job.requester.id = device_id;
        job.base = iova;
        const soc::DmaJobId id = platform.devices[0]->start(job);
        sc_core::sc_start();
        return platform.devices[0]->result(id).errors() == 0;
    }

    Records faults;
    host::Platform platform;
    vtd_driver::VtdDriver driver;
    std::unique_ptr<dma::IommuDomain> domain;

private:
    static host::Scenario scenario(bool caching_mode) {
        host::Scenario s;
        s.platform.memory.given["size"] = 64ull << 20;
        s.iommu.model = host::Model::vtd;
        s.iommu.parameters.given["features.caching_mode"] = caching_mode;
        s.devices.push_back({"nic", host::DeviceKind::nic, device_id, 48, 0});
        return s;
    }
    vtd_driver::Configuration configuration(const Mode& mode, const vtd_driver::FaultInjection& mistakes) {
        vtd_driver::Configuration c;
        c.register_base = host::Platform::register_base;
        c.scalable = mode.scalable;
        c.stage = mode.stage;
        c.fault_message = {platform.iommu.message_window().base, host::Platform::iommu_line,
                           host::Platform::iommu_line};
        c.faults = mistakes;
        return c;
    }
};

vtd_driver::FaultInjection no_map_flush() {
    vtd_driver::FaultInjection mistakes;
    mistakes.skip_map_flush = true;
    return mistakes;
}

class CachingMode : public testing::TestWithParam<Mode> {};

TEST_P(CachingMode, MapsAreUsableAtOnceWithACorrectDriver) {
    CachingModeBench bench(GetParam(), true);
    bench.start();
    bench.attach();
    EXPECT_FALSE(bench.reads());
    bench.map();
    EXPECT_TRUE(bench.reads());
    ASSERT_EQ(bench.faults.seen.size(), 1u);
    EXPECT_EQ(bench.faults.seen[0].reason, GetParam().not_present);
    EXPECT_EQ(bench.driver.statistics().map_flushes, 1u);
}

TEST_P(CachingMode, ForgottenFlushAfterAMapIsSeenAsAFaultOfTheFirstAccess) {
    CachingModeBench bench(GetParam(), true, no_map_flush());
    bench.start();
    bench.attach();
    EXPECT_FALSE(bench.reads());
    bench.map();
    EXPECT_FALSE(bench.reads());
    ASSERT_EQ(bench.faults.seen.size(), 2u);
    EXPECT_EQ(bench.faults.seen[1].reason, GetParam().not_present);
    EXPECT_EQ(bench.faults.seen[1].source, device_id);
    EXPECT_EQ(bench.faults.seen[1].address, iova);
    EXPECT_TRUE(bench.faults.seen[1].read);
    // It was nothing but the absence that the unit had kept.
    bench.run([&](machine::Cpu& cpu) { bench.domain->flush_iotlb_all(cpu); });
    EXPECT_TRUE(bench.reads());
}

TEST_P(CachingMode, TheSameDriverWorksWhereAbsenceIsNotKept) {
    CachingModeBench bench(GetParam(), false, no_map_flush());
    bench.start();
    bench.attach();
    EXPECT_FALSE(bench.reads());
    bench.map();
    EXPECT_TRUE(bench.reads());
    EXPECT_EQ(bench.faults.seen.size(), 1u);
}

TEST_P(CachingMode, AbsentConfigurationIsFlushedWhenADeviceIsAttached) {
    CachingModeBench bench(GetParam(), true);
    bench.start();
    EXPECT_FALSE(bench.reads());
    bench.attach();
    bench.map();
    EXPECT_TRUE(bench.reads());
}

TEST_P(CachingMode, ForgottenFlushAfterAttachingIsSeenAsAFaultOfTheFirstAccess) {
    vtd_driver::FaultInjection mistakes;
    mistakes.skip_context = true;
    CachingModeBench bench(GetParam(), true, mistakes);
    bench.start();
    EXPECT_FALSE(bench.reads());
    bench.attach();
    bench.map();
    EXPECT_FALSE(bench.reads());
    ASSERT_EQ(bench.faults.seen.size(), 2u);
    EXPECT_EQ(bench.faults.seen[1].reason, bench.faults.seen[0].reason);
}

INSTANTIATE_TEST_SUITE_P(, CachingMode,
                         testing::Values(Mode{"LegacySecondStage", false, dma::Stage::second,
                                              vtd::spec::fault_reason::legacy_read_permission},
                                         Mode{"ScalableSecondStage", true, dma::Stage::second,
                                              vtd::spec::fault_reason::sm_second_stage_not_present}),
                         [](const testing::TestParamInfo<Mode>& mode) {
                             return std::string(mode.param.name);
                         });

TEST(CachingModeFirstStage, NeverKeepsAbsence) {
    CachingModeBench bench({"", true, dma::Stage::first, 0}, true, no_map_flush());
    bench.start();
    bench.attach();
    EXPECT_FALSE(bench.reads());
    bench.map();
    EXPECT_TRUE(bench.reads());
    EXPECT_EQ(bench.driver.statistics().map_flushes, 0u);
}

} // namespace
} // namespace iommusim::test
