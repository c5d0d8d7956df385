// The command queue of one unit, shared by all CPUs without a lock.
//
// CPUs reserve room by compare-and-exchange on a word that holds producer and consumer index, write their
// commands, and mark them valid. The CPU that found the OWNED flag clear is the owner: it waits for the
// previous owner, closes the gathering by clearing the flag, waits until everything gathered so far is valid,
// and rings the doorbell once for all of it. A CPU that needs completion puts a CMD_SYNC behind its own
// commands and waits for that one alone. While it waits it holds the consumer lock shared, so that the queue
// cannot wrap past it; the software's copy of the consumer index moves only under the exclusive lock or when
// the last waiter leaves.
//
// Guarantees: the commands of one submit() are contiguous and in order; no slot is reused before it was
// consumed.
#pragma once

#include "drivers/machine/shared_word.h"
#include "drivers/smmuv3/commands.h"
#include "drivers/smmuv3/configuration.h"
#include "drivers/smmuv3/features.h"
#include "drivers/smmuv3/unit_registers.h"

#include <cstdint>
#include <memory>

namespace iommusim::smmuv3_driver {

/// Called by CPUs that have waited for the queue for a long time, possibly with interrupts masked: the chance
/// to see a command error.
class WaitMonitor {
public:
    virtual ~WaitMonitor() = default;
    virtual void check_errors(machine::Cpu&) = 0;
};

/// Where a submission ended up. Positions include the wrap bit.
struct Submission {
    std::uint32_t first = 0;      ///< position of the first command
    std::uint32_t completion = 0; ///< position of the CMD_SYNC; without one, of the last command
    bool completed = false;       ///< everything is in the queue, and the CMD_SYNC (if any) was seen complete
};

class CommandQueue {
public:
    CommandQueue(const Configuration&, dma::DriverErrorLog*, Statistics&);

    /// Allocates the ring. False: no memory.
    bool allocate(machine::Cpu&, const Features&);
    void set_monitor(WaitMonitor* monitor) { monitor_ = monitor; }
    /// Forgets everything in the queue and all indexes. The hardware's are to be written to 0.
    void reset();

    /// Puts `count` commands, and a CMD_SYNC behind them if `sync`, into the queue; with `sync` returns when
    /// that CMD_SYNC has completed. Not more entries at once than half the queue. After a timeout, which is
    /// logged, the result says not completed.
    Submission submit(machine::Cpu&, const Command* commands, unsigned count, bool sync);
    Submission submit_and_wait(machine::Cpu& cpu, const Command& command) {
        return submit(cpu, &command, 1, true);
    }

    /// Replaces the entry at a position by a CMD_SYNC without completion signal. The hardware must have
    /// stopped at it.
    void overwrite_with_sync(machine::Cpu&, std::uint32_t position);

    std::uint64_t base() const { return base_; }
    unsigned size_log2() const { return size_log2_; }
    std::uint32_t size() const { return index_mask_ + 1; }
    std::uint32_t position_mask() const { return position_mask_; } ///< index and wrap bit
    std::uint64_t slot_address(std::uint32_t position) const {
        return base_ + (position & index_mask_) * smmuv3::spec::command::bytes;
    }

    const SoftwareParameters& software() const { return configuration_.software; }
    const FaultInjection& faults() const { return configuration_.faults; }
    const Features& features() const { return features_; }

private:
    static constexpr std::uint64_t owned = 1u << 31; ///< flag in the producer half of the state word
    static constexpr std::uint64_t exclusive = 1ull << 63;

    static std::uint64_t pack(std::uint32_t producer, std::uint32_t consumer) {
        return producer | static_cast<std::uint64_t>(consumer) << 32;
    }
    std::uint32_t producer(std::uint64_t state) const {
        return static_cast<std::uint32_t>(state) & position_mask_;
    }
    static std::uint32_t consumer(std::uint64_t state) { return static_cast<std::uint32_t>(state >> 32); }
    std::uint32_t advance(std::uint32_t position, std::uint32_t by) const {
        return (position + by) & position_mask_;
    }
    bool has_room(std::uint64_t state, std::uint32_t entries) const {
        return size() - ((producer(state) - consumer(state)) & position_mask_) >= entries;
    }

    // command_queue.cpp: the way in.
    bool reserve(machine::Cpu&, std::uint32_t entries, std::uint64_t& before);
    void write_entries(machine::Cpu&, std::uint32_t position, const Command* commands, unsigned count);
    template <class Visit>
    void for_each_valid_word(std::uint32_t first, std::uint32_t end, const Visit& visit);
    void mark_valid(machine::Cpu&, std::uint32_t first, std::uint32_t end);
    void wait_valid(machine::Cpu&, std::uint32_t first, std::uint32_t end);
    void ring_doorbell(machine::Cpu&, std::uint32_t first);
    Command sync_command(std::uint32_t position) const;

    // command_queue_wait.cpp: waiting for the hardware.
    bool wait_for_room(machine::Cpu&, std::uint32_t entries);
    bool wait_for_sync(machine::Cpu&, std::uint32_t position);
    bool poll_message(machine::Cpu&, std::uint64_t slot, Picoseconds limit) const;
    bool poll_consumer(machine::Cpu&, std::uint32_t position, Picoseconds limit) const;
    bool passed(std::uint32_t consumer_index, std::uint32_t position) const;
    std::uint32_t read_consumer(machine::Cpu&) const;
    void lock_shared(machine::Cpu&);
    void unlock_shared(machine::Cpu&, std::uint32_t position, bool completed);
    void publish_consumer(machine::Cpu&, std::uint32_t consumer_index);
    void report_timeout(machine::Cpu&, DriverError, std::uint32_t position);

    const Configuration& configuration_;
    UnitRegisters registers_;
    dma::DriverErrorLog* log_;
    Statistics& statistics_;
    WaitMonitor* monitor_ = nullptr;
    Features features_;

    std::uint64_t base_ = 0;
    unsigned size_log2_ = 0;
    std::uint32_t index_mask_ = 0;
    std::uint32_t position_mask_ = 0;

    machine::SharedWord state_;      ///< bits 63:32 consumer, 31 `owned`, below producer
    machine::SharedWord owner_done_; ///< producer position up to which the doorbell was rung
    machine::SharedWord lock_;       ///< consumer lock: number of shared holders; `exclusive`: somebody alone
    std::unique_ptr<machine::SharedWord[]> valid_; ///< one bit per slot; its meaning flips with every wrap
};

} // namespace iommusim::smmuv3_driver
