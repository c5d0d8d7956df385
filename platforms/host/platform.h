// The SystemC hierarchy of a scenario: CPUs, memory, interconnect, one IOMMU, DMA masters, interrupts.
//
//   CPUs ─┐                          ┌─► memory
//         ├─► interconnect ──────────┼─► IOMMU registers
//   IOMMU ┘   (RAM from 0,           └─► interrupt messages
//     ▲        registers at register_base)
//   devices
#pragma once

#include "models/soc/dma_master.h"
#include "models/soc/interconnect.h"
#include "models/soc/interrupt_sink.h"
#include "models/soc/memory.h"
#include "platforms/host/iommu_model.h"

#include <memory>
#include <string>
#include <vector>

namespace iommusim::host {

class Platform : public sc_core::sc_module {
public:
    /// Beyond any RAM; inside the 48 bits that every part of the platform can address.
    static constexpr std::uint64_t register_base = 1ull << 46;
    /// Pages that software allocates start here; what lies below belongs to firmware.
    static constexpr std::uint64_t first_free_page = 1ull << 20;
    /// Interrupt lines of the IOMMU start at this line of the interrupt controller.
    static constexpr unsigned iommu_line = 32;

    Platform(sc_core::sc_module_name name, const Scenario& scenario);

    /// The vendor driver for this platform's unit.
    std::unique_ptr<dma::IommuDriver> make_driver(const Scenario& scenario, const DriverObservers& observers);

    soc::Memory memory;

private:
    std::unique_ptr<IommuModel> unit_;

public:
    IommuModel& iommu;
    machine::Machine machine;
    soc::InterruptSink interrupts;
    std::vector<std::unique_ptr<soc::DmaMaster>> devices; ///< in the scenario's order

private:
    void map_addresses();
    void connect_devices(const Scenario& scenario);

    std::vector<std::unique_ptr<soc::Interconnect>> links_; ///< between devices and ports of the IOMMU
    soc::Interconnect interconnect_;
};

} // namespace iommusim::host
