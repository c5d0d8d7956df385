// The load of software: one CPU maps a page, unmaps it and waits for the invalidation, through the whole
// driver stack, on the host platform.
#include "drivers/dma/dma_api.h"
#include "drivers/iova/allocator.h"
#include "platforms/host/platform.h"
#include "tests/benchmark/hardware.h"
#include "tests/benchmark/loads.h"

#include <memory>

namespace iommusim::benchmark {

namespace {

class MapUnmap final : public Load {
public:
    explicit MapUnmap(const Architecture& architecture)
        : scenario_(architecture.scenario(architecture.under_driver)),
          platform_("platform", scenario_),
          driver_(platform_.make_driver(scenario_, {})) {
        run_program([this](machine::Cpu& cpu) { boot(cpu); });
    }

    std::uint64_t run(std::uint64_t operations) override {
        const std::uint64_t before = completions();
        run_program([this, operations](machine::Cpu& cpu) { map_and_unmap(cpu, operations); });
        require(completions() - before == operations,
                "not every unmap call waited for an invalidation of its own");
        return operations;
    }

private:
    void run_program(std::function<void(machine::Cpu&)> program) {
        platform_.machine.cpu(0).run(std::move(program));
        sc_core::sc_start();
        require(platform_.machine.idle(), "the program did not come to an end");
    }

    void boot(machine::Cpu& cpu) {
        require(driver_->start(cpu), "the driver did not start the unit");
        translation_ = driver_->create_domain(cpu, {"benchmark", dma::Stage::automatic});
        require(translation_ != nullptr, "there is no domain");
        dma::DeviceAddress device;
        device.id = Hardware::device;
        require(driver_->attach(cpu, *translation_, device), "the device was not attached");
        domain_ = std::make_unique<dma::DmaDomain>(
            platform_.machine, *translation_,
            iova::make_allocator("magazine", platform_.machine, dma::space_of(*translation_)),
            dma::Policy::strict);
        device_ = std::make_unique<dma::DmaDevice>(*domain_);
        buffer_ = cpu.allocate_pages();
    }

    void map_and_unmap(machine::Cpu& cpu, std::uint64_t operations) {
        for (std::uint64_t i = 0; i < operations; ++i) {
            const std::uint64_t iova = device_->map_page(cpu, buffer_, 4096, dma::Direction::bidirectional);
            require(iova != dma::DmaDevice::mapping_error, "a map call failed");
            require(device_->unmap_page(cpu, iova, 4096, dma::Direction::bidirectional),
                    "an unmap call failed");
        }
    }

    std::uint64_t completions() const { return counter(platform_.iommu, "iommu.syncs"); }

    const host::Scenario scenario_;
    host::Platform platform_;
    std::unique_ptr<dma::IommuDriver> driver_;
    std::unique_ptr<dma::IommuDomain> translation_;
    std::unique_ptr<dma::DmaDomain> domain_;
    std::unique_ptr<dma::DmaDevice> device_;
    std::uint64_t buffer_ = 0;
};

} // namespace

std::unique_ptr<Load> make_driver_map_unmap(const Architecture& architecture) {
    return std::make_unique<MapUnmap>(architecture);
}

} // namespace iommusim::benchmark
