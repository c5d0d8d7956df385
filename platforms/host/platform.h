// The SystemC hierarchy of a scenario: CPUs, memory, interconnect, one IOMMU, DMA masters, interrupts.
//
//   CPUs ─┐                          ┌─► memory
//         ├─► interconnect ──────────┤
//   IOMMU ┘   (RAM from 0,           └─► IOMMU registers
//     ▲        registers at register_base)
//   devices
#pragma once

#include "drivers/machine/machine.h"
#include "models/smmuv3/smmuv3.h"
#include "models/soc/dma_master.h"
#include "models/soc/interconnect.h"
#include "models/soc/interrupt_sink.h"
#include "models/soc/memory.h"
#include "platforms/host/scenario.h"

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

    soc::Memory memory;
    smmuv3::Smmuv3 iommu;
    machine::Machine machine;
    soc::InterruptSink interrupts;
    std::vector<std::unique_ptr<soc::DmaMaster>> devices; ///< in the scenario's order

private:
    std::vector<std::unique_ptr<soc::Interconnect>>
        device_links_; ///< several devices share one port of the IOMMU
    soc::Interconnect interconnect_;
};

} // namespace iommusim::host
