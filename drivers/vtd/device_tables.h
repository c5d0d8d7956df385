// Root, context and PASID tables of one unit as the driver keeps them in memory. Words only: what has to be
// invalidated after a change is the caller's.
#pragma once

#include "drivers/machine/machine.h"
#include "drivers/vtd/features.h"

#include <array>
#include <cstdint>
#include <map>

namespace iommusim::vtd_driver {

class DeviceTables {
public:
    using ContextEntry = std::array<std::uint64_t, 4>; ///< legacy entries have the first two words
    using PasidEntry = std::array<std::uint64_t, 8>;

    DeviceTables(const Configuration& configuration, const Features& features)
        : configuration_(configuration), features_(features) {}

    /// The root table. False: no memory.
    bool allocate(machine::Cpu&);
    std::uint64_t root() const { return root_; }

    /// Writes a context entry, the word with the present bit last. False: no memory for its table.
    bool write_context(machine::Cpu&, std::uint16_t source, const ContextEntry& entry);
    /// Clears the present bit only; finish_context() clears the rest once nothing is cached any more.
    void revoke_context(machine::Cpu&, std::uint16_t source);
    void finish_context(machine::Cpu&, std::uint16_t source);

    /// The PASID directory of a device, made on first use; 0: no memory.
    std::uint64_t directory(machine::Cpu&, std::uint16_t source);
    /// PDTS code of every directory.
    unsigned directory_size_code() const;
    bool write_pasid(machine::Cpu&, std::uint16_t source, std::uint32_t pasid, const PasidEntry& entry);
    void revoke_pasid(machine::Cpu&, std::uint16_t source, std::uint32_t pasid);
    void finish_pasid(machine::Cpu&, std::uint16_t source, std::uint32_t pasid);

private:
    std::uint64_t allocate_table(machine::Cpu&, std::size_t pages = 1);
    std::uint64_t context_address(machine::Cpu&, std::uint16_t source, bool make);
    std::uint64_t pasid_address(machine::Cpu&, std::uint16_t source, std::uint32_t pasid, bool make);
    void store(machine::Cpu&, std::uint64_t address, const std::uint64_t* words, unsigned count);
    void clean(machine::Cpu&, std::uint64_t address, std::size_t bytes) const;

    const Configuration& configuration_;
    const Features& features_;
    std::uint64_t root_ = 0;
    std::map<std::uint16_t, std::uint64_t> directories_; ///< by source id
};

} // namespace iommusim::vtd_driver
