// Invalidation through the CCMD and IOTLB registers, for units and modes without a queue: write, poll until
// the unit has done it, one at a time under the register lock.
#pragma once

#include "drivers/machine/machine.h"
#include "drivers/machine/spinlock.h"
#include "drivers/vtd/descriptors.h"
#include "drivers/vtd/features.h"
#include "drivers/vtd/unit_registers.h"

#include <cstdint>

namespace iommusim::vtd_driver {

class RegisterInvalidation {
public:
    /// `lock` is the one around every sequence of register accesses of the unit.
    RegisterInvalidation(const Configuration&, const Features&, machine::Spinlock& lock, dma::DriverErrorLog*,
                         Statistics&);

    /// Carries out what the descriptor says. False: the registers cannot say that, or the unit refused it,
    /// which is in the error log.
    bool carry_out(machine::Cpu&, const Descriptor& descriptor);

private:
    bool context(machine::Cpu&, const Descriptor& descriptor);
    bool iotlb(machine::Cpu&, const Descriptor& descriptor);

    const Configuration& configuration_;
    const Features& features_;
    UnitRegisters registers_;
    dma::DriverErrorLog* log_;
    Statistics& statistics_;
    machine::Spinlock& lock_;
};

} // namespace iommusim::vtd_driver
