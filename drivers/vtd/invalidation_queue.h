// Linux's use of the invalidation queue (qi_submit_sync): one lock around the ring, a wait descriptor behind
// every submission, and a CPU that polls its status word - and the fault status register - with the lock held
// again in every round.
#pragma once

#include "drivers/machine/machine.h"
#include "drivers/machine/spinlock.h"
#include "drivers/vtd/descriptors.h"
#include "drivers/vtd/fault_handler.h"
#include "drivers/vtd/features.h"
#include "drivers/vtd/unit_registers.h"

#include <cstdint>

namespace iommusim::vtd_driver {

/// Where a submission lay in the queue.
struct Submission {
    std::uint32_t first = 0;      ///< index of its first descriptor
    std::uint32_t completion = 0; ///< index of its wait descriptor
    bool completed = false;       ///< false: an error, which is in the error log
};

class InvalidationQueue {
public:
    /// `faults` looks after what happened while a queue error kept the unit from telling.
    InvalidationQueue(machine::Machine&, const Configuration&, const Features&, FaultHandler& faults,
                      dma::DriverErrorLog*, Statistics&);

    /// Allocates the ring and the status words. False: no memory.
    bool allocate(machine::Cpu&);
    /// Programs base and size of an empty queue; GCMD.QIE is the caller's.
    void program(machine::Cpu&);
    void set_enabled(bool on) { enabled_ = on; }
    bool enabled() const { return enabled_; }
    /// Until a queue that somebody else left on is empty. False: it stays stuck.
    bool drain(machine::Cpu&);

    /// Puts `count` descriptors and a wait descriptor into the queue and polls until the wait is done.
    /// `count` is at most entries() - 2.
    Submission submit(machine::Cpu&, const Descriptor* descriptors, unsigned count);

    const SoftwareParameters& software() const { return configuration_.software; }
    unsigned entries() const { return entries_; }

private:
    /// Linux's states of a slot; done is what the unit writes.
    enum Slot : std::uint32_t { free_slot = 0, in_use = 1, done = 2, aborted = 3 };
    enum class Check { nothing, replaced, repeat };

    std::uint64_t slot_address(std::uint32_t index) const { return base_ + std::uint64_t{index} * bytes_; }
    std::uint64_t status_address(std::uint32_t index) const { return status_ + std::uint64_t{index} * 4; }
    std::uint32_t next(std::uint32_t index, std::uint32_t by = 1) const {
        return (index + by) & (entries() - 1);
    }
    void write(machine::Cpu&, std::uint32_t index, const Descriptor&);
    bool find_room(machine::Cpu&, std::uint32_t slots);
    Submission attempt(machine::Cpu&, const Descriptor* descriptors, unsigned count, bool& repeat);
    Check check_faults(machine::Cpu&, std::uint32_t first, std::uint32_t wait);
    std::uint32_t head(machine::Cpu&) const;
    bool replace_bad(machine::Cpu&, std::uint32_t first, std::uint32_t wait);
    void abort_waits(machine::Cpu&);
    void free(std::uint32_t first, std::uint32_t wait);

    const Configuration& configuration_;
    const Features& features_;
    UnitRegisters registers_;
    FaultHandler& faults_;
    dma::DriverErrorLog* log_;
    Statistics& statistics_;
    machine::Spinlock lock_;
    std::uint64_t base_ = 0;   ///< of the ring
    std::uint64_t status_ = 0; ///< of the status words
    unsigned bytes_ = 16;      ///< of one descriptor
    unsigned entries_ = 0;     ///< a power of two that fills pages
    bool enabled_ = false;
    std::uint32_t free_head_ = 0;
    std::uint32_t free_tail_ = 0;
    std::uint32_t free_count_ = 0;
    std::vector<Slot> slots_;
};

} // namespace iommusim::vtd_driver
