// Register access of one unit, as software does it: offsets of the specification on top of the unit's base.
#pragma once

#include "drivers/machine/cpu.h"
#include "drivers/vtd/configuration.h"

#include <cstdint>

namespace iommusim::vtd_driver {

class UnitRegisters {
public:
    explicit UnitRegisters(const Configuration& configuration) : configuration_(configuration) {}

    std::uint64_t address(std::uint64_t offset) const { return configuration_.register_base + offset; }

    std::uint32_t read(machine::Cpu& cpu, std::uint64_t offset) const {
        return static_cast<std::uint32_t>(cpu.mmio_read(address(offset), 4));
    }
    std::uint64_t read64(machine::Cpu& cpu, std::uint64_t offset) const {
        return cpu.mmio_read(address(offset), 8);
    }
    void write(machine::Cpu& cpu, std::uint64_t offset, std::uint32_t value) const {
        cpu.mmio_write(address(offset), value, 4);
    }
    void write64(machine::Cpu& cpu, std::uint64_t offset, std::uint64_t value) const {
        cpu.mmio_write(address(offset), value, 8);
    }
    /// Polls a register until its bits in `mask` equal `value`. False at the timeout.
    bool poll(machine::Cpu& cpu, std::uint64_t offset, unsigned bytes, std::uint64_t mask,
              std::uint64_t value) const {
        const SoftwareParameters& s = configuration_.software;
        return cpu.poll_register(
            address(offset), bytes, [mask, value](std::uint64_t v) { return (v & mask) == value; },
            s.operation_timeout, s.status_poll, s.status_poll);
    }

private:
    const Configuration& configuration_;
};

} // namespace iommusim::vtd_driver
