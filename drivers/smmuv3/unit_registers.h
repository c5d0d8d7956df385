// Register access of one unit, as software does it: offsets of the specification on top of the unit's base.
#pragma once

#include "drivers/machine/cpu.h"
#include "drivers/smmuv3/configuration.h"

#include <cstdint>

namespace iommusim::smmuv3_driver {

class UnitRegisters {
public:
    explicit UnitRegisters(const Configuration& configuration) : configuration_(configuration) {}

    std::uint64_t address(std::uint64_t offset) const { return configuration_.register_base + offset; }

    std::uint32_t read(machine::Cpu& cpu, std::uint64_t offset) const {
        return static_cast<std::uint32_t>(cpu.mmio_read(address(offset), 4));
    }
    void write(machine::Cpu& cpu, std::uint64_t offset, std::uint32_t value) const {
        cpu.mmio_write(address(offset), value, 4);
    }
    void write64(machine::Cpu& cpu, std::uint64_t offset, std::uint64_t value) const {
        cpu.mmio_write(address(offset), value, 8);
    }

    /// Polls a register until its bits in `mask` equal `value`. False at the timeout.
    bool poll(machine::Cpu& cpu, std::uint64_t offset, std::uint32_t mask, std::uint32_t value) const {
        const SoftwareParameters& s = configuration_.software;
        return cpu.poll_register(
            address(offset), 4, [mask, value](std::uint64_t v) { return (v & mask) == value; },
            s.acknowledge_timeout, s.acknowledge_poll, s.acknowledge_poll);
    }
    /// Writes a register and waits until its acknowledge register, mirrored by the unit, shows the value.
    bool write_acknowledged(machine::Cpu& cpu, std::uint64_t offset, std::uint64_t acknowledge,
                            std::uint32_t value) const {
        write(cpu, offset, value);
        return poll(cpu, acknowledge, ~0u, value);
    }

private:
    const Configuration& configuration_;
};

} // namespace iommusim::smmuv3_driver
