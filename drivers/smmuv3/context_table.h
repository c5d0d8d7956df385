// The context descriptors of a stream, or of several that share them: a single descriptor, a linear table by
// substream, or two levels with 1024 descriptors per second-level table.
#pragma once

#include "drivers/smmuv3/command_queue.h"
#include "drivers/smmuv3/stream_table.h"
#include "models/smmuv3/spec/context_descriptor.h"

#include <array>
#include <cstdint>
#include <vector>

namespace iommusim::smmuv3_driver {

/// The eight words of a context descriptor.
using ContextEntry = std::array<std::uint64_t, smmuv3::spec::cd::words>;

class ContextTable {
public:
    ContextTable(const Configuration& configuration, CommandQueue& queue)
        : configuration_(configuration), queue_(queue) {}

    /// Allocates a table for 2^substream_bits descriptors. False: no memory.
    bool allocate(machine::Cpu&, const Features&);
    /// Gives the memory back. No stream may point here any more.
    void release(machine::Cpu&);

    ContextPointer pointer() const;

    /// Writes a valid descriptor: words behind word 0, invalidation, word 0, invalidation, each for all
    /// `streams` that point here. False: substream id out of range or no memory.
    bool write(machine::Cpu&, std::uint32_t substream_id, const ContextEntry&,
               const std::vector<std::uint32_t>& streams);
    /// Makes a descriptor invalid and waits until no stream uses it.
    void remove(machine::Cpu&, std::uint32_t substream_id, const std::vector<std::uint32_t>& streams);

    /// Physical address of a descriptor; 0 if there is none.
    std::uint64_t entry_address(std::uint32_t substream_id) const;

private:
    static constexpr unsigned leaf_bits = smmuv3::spec::l1cd::leaf_bits_64k;
    static constexpr std::uint64_t leaf_pages = (smmuv3::spec::cd::bytes << leaf_bits) / 4096;

    bool prepare(machine::Cpu&, std::uint32_t substream_id, const std::vector<std::uint32_t>& streams);
    void invalidate(machine::Cpu&, std::uint32_t substream_id, bool leaf,
                    const std::vector<std::uint32_t>& streams);
    std::uint64_t top_pages() const;

    const Configuration& configuration_;
    CommandQueue& queue_;
    unsigned substream_bits_ = 0;
    bool two_level_ = false;
    std::uint64_t base_ = 0;
    std::vector<std::uint64_t> second_level_;
};

} // namespace iommusim::smmuv3_driver
