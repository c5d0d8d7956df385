// The stream table in memory: linear, or two levels with 256 streams per second-level table, which are
// allocated when the first stream in them is touched. Streams nobody attached abort (or bypass, by
// configuration).
#pragma once

#include "drivers/smmuv3/command_queue.h"
#include "models/smmuv3/spec/stream_table.h"

#include <array>
#include <cstdint>
#include <vector>

namespace iommusim::smmuv3_driver {

/// The eight words of a stream table entry.
using StreamEntry = std::array<std::uint64_t, smmuv3::spec::ste::words>;

/// Where a stream finds its context descriptors.
struct ContextPointer {
    std::uint64_t address = 0;
    std::uint64_t format = 0;    ///< STE.S1Fmt
    unsigned substream_bits = 0; ///< STE.S1CDMax
};

class StreamTable {
public:
    StreamTable(const Configuration&, CommandQueue&, dma::DriverErrorLog*);

    /// Allocates the table; every stream gets its entry for unattached streams. False: no memory.
    bool allocate(machine::Cpu&, const Features&);

    std::uint64_t base_register() const;
    std::uint32_t configuration_register() const;

    /// Makes a stream use stage 1. The entry passes through no state that translates wrongly: first
    /// everything but word 0, then word 0, a configuration invalidation after each. False: stream id out of
    /// range or no memory.
    bool write_stage1(machine::Cpu&, std::uint32_t stream_id, const ContextPointer&);
    /// Makes a stream abort (or bypass).
    bool write_unattached(machine::Cpu&, std::uint32_t stream_id);

    /// Physical address of a stream's entry; 0 if there is none.
    std::uint64_t entry_address(std::uint32_t stream_id) const;

private:
    static constexpr unsigned split = 8;

    StreamEntry unattached_entry() const;
    bool prepare(machine::Cpu&, std::uint32_t stream_id);
    std::uint64_t allocate_entries(machine::Cpu&, std::uint64_t count);
    void invalidate(machine::Cpu&, std::uint32_t stream_id, bool leaf);

    const Configuration& configuration_;
    CommandQueue& queue_;
    dma::DriverErrorLog* log_;
    Features features_;
    bool two_level_ = false;
    unsigned stream_bits_ = 0;
    std::uint64_t base_ = 0;
    std::vector<std::uint64_t>
        second_level_; ///< two-level: address of each second-level table, 0 if not there yet
};

} // namespace iommusim::smmuv3_driver
