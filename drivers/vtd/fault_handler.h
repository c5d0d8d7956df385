// The unit's fault event: fault recording registers are read, reported and cleared.
#pragma once

#include "drivers/machine/spinlock.h"
#include "drivers/vtd/features.h"
#include "drivers/vtd/unit_registers.h"

#include <cstdint>

namespace iommusim::vtd_driver {

/// A decoded fault record.
struct FaultRecord {
    Picoseconds time = 0; ///< local time of the CPU that read it
    unsigned reason = 0;
    const char* name = "";
    std::uint16_t source = 0;
    bool has_pasid = false;
    std::uint32_t pasid = 0;
    bool read = false;
    std::uint64_t address = 0; ///< of the page; of an interrupt request the index in bits 63:48
};

class FaultObserver {
public:
    virtual ~FaultObserver() = default;
    virtual void on_fault_record(const FaultRecord&) = 0;
};

class FaultHandler {
public:
    /// `lock` is the one around every sequence of register accesses of the unit.
    FaultHandler(const Configuration&, const Features&, machine::Spinlock& lock, dma::DriverErrorLog*,
                 FaultObserver*, Statistics&);

    /// Programs the event's message, takes what is pending from before, and unmasks the event.
    void enable(machine::Cpu&);
    void disable(machine::Cpu&);
    /// Reads and clears every pending record, as Linux's dmar_fault().
    void handle(machine::Cpu&);

private:
    bool take(machine::Cpu&, unsigned index);

    const Configuration& configuration_;
    const Features& features_;
    UnitRegisters registers_;
    machine::Spinlock& lock_;
    dma::DriverErrorLog* log_;
    FaultObserver* observer_;
    Statistics& statistics_;
};

} // namespace iommusim::vtd_driver
