// The load of software: one CPU maps a page, unmaps it and waits for the invalidation, through the whole
// driver stack.
#include "drivers/dma/dma_api.h"
#include "drivers/iova/allocator.h"
#include "drivers/machine/machine.h"
#include "drivers/smmuv3/domain.h"
#include "drivers/smmuv3/smmuv3.h"
#include "models/smmuv3/smmuv3.h"
#include "models/soc/dma_master.h"
#include "models/soc/interconnect.h"
#include "models/soc/memory.h"
#include "tests/benchmark/loads.h"

#include <memory>

namespace iommusim::benchmark {

namespace {

constexpr std::uint64_t register_base = 1ull << 46;
constexpr std::uint64_t first_free_page = 1ull << 20;
constexpr std::uint32_t stream = 0x100;

/// CPU, memory, IOMMU and a device that stays silent.
class Computer : public sc_core::sc_module {
public:
    explicit Computer(sc_core::sc_module_name name)
        : sc_module(name),
          memory("memory"),
          iommu("iommu"),
          device("device"),
          machine("machine", 1, machine::CpuParameters(), first_free_page,
                  memory.parameters().size - first_free_page, &memory),
          interconnect("interconnect", 3, 2) {
        interconnect.map(0, memory.parameters().size, 0);
        interconnect.map(register_base, smmuv3::spec::register_space_bytes, 1);
        interconnect.downstream[0].bind(memory.socket);
        interconnect.downstream[1].bind(iommu.registers);
        machine.cpu(0).bus.bind(interconnect.upstream[0]);
        iommu.walker().bind(interconnect.upstream[1]);
        iommu.memory().bind(interconnect.upstream[2]);
        device.socket.bind(iommu.device());
    }

    soc::Memory memory;
    smmuv3::Smmuv3 iommu;
    soc::DmaMaster device;
    machine::Machine machine;
    soc::Interconnect interconnect;
};

smmuv3_driver::Configuration driver_configuration() {
    smmuv3_driver::Configuration configuration;
    configuration.register_base = register_base;
    return configuration;
}

class MapUnmap final : public Load {
public:
    MapUnmap() : computer_("computer"), driver_(computer_.machine, driver_configuration()) {
        run_program([this](machine::Cpu& cpu) { boot(cpu); });
    }

    std::uint64_t run(std::uint64_t operations) override {
        run_program([this, operations](machine::Cpu& cpu) { map_and_unmap(cpu, operations); });
        return operations;
    }

private:
    void run_program(std::function<void(machine::Cpu&)> program) {
        computer_.machine.cpu(0).run(std::move(program));
        sc_core::sc_start();
        require(computer_.machine.idle(), "the program did not come to an end");
    }

    void boot(machine::Cpu& cpu) {
        require(driver_.start(cpu), "the driver did not start the IOMMU");
        translation_ = smmuv3_driver::Smmuv3Domain::create(driver_, cpu);
        require(translation_ && translation_->attach(cpu, stream), "the device was not attached");
        domain_ = std::make_unique<dma::DmaDomain>(
            computer_.machine, *translation_,
            iova::make_allocator("magazine", computer_.machine, dma::space_of(*translation_)),
            dma::Policy::strict);
        device_ = std::make_unique<dma::DmaDevice>(*domain_);
        buffer_ = cpu.allocate_pages();
    }

    void map_and_unmap(machine::Cpu& cpu, std::uint64_t operations) {
        const std::uint64_t syncs = driver_.statistics().syncs;
        for (std::uint64_t i = 0; i < operations; ++i) {
            const std::uint64_t iova = device_->map_page(cpu, buffer_, 4096, dma::Direction::bidirectional);
            require(iova != dma::DmaDevice::mapping_error, "a map call failed");
            require(device_->unmap_page(cpu, iova, 4096, dma::Direction::bidirectional),
                    "an unmap call failed");
        }
        require(driver_.statistics().syncs - syncs == operations,
                "not every unmap call waited for its invalidation");
    }

    static void require(bool condition, const char* what) {
        if (!condition)
            SC_REPORT_FATAL("benchmark", what);
    }

    Computer computer_;
    smmuv3_driver::Smmuv3Driver driver_;
    std::unique_ptr<smmuv3_driver::Smmuv3Domain> translation_;
    std::unique_ptr<dma::DmaDomain> domain_;
    std::unique_ptr<dma::DmaDevice> device_;
    std::uint64_t buffer_ = 0;
};

} // namespace

std::unique_ptr<Load> make_driver_map_unmap() { return std::make_unique<MapUnmap>(); }

} // namespace iommusim::benchmark
