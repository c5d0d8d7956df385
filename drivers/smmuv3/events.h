// What the unit reports: the event queue, drained when its interrupt arrives, and the global errors.
#pragma once

#include "drivers/machine/machine.h"
#include "drivers/machine/spinlock.h"
#include "drivers/smmuv3/command_queue.h"
#include "models/smmuv3/spec/events.h"

#include <cstdint>

namespace iommusim::smmuv3_driver {

/// A decoded event record. Fields that an event does not have are 0.
struct FaultRecord {
    Picoseconds time = 0; ///< local time of the CPU that drained it
    unsigned id = 0;
    const char* name = ""; ///< e.g. "F_TRANSLATION"
    std::uint32_t stream_id = 0;
    std::uint32_t substream_id = 0; ///< valid if has_substream
    bool has_substream = false;
    bool stalled = false; ///< the transaction waits for CMD_RESUME
    unsigned stag = 0;
    bool read = false;
    bool instruction = false;
    bool privileged = false;
    bool stage2 = false;
    unsigned event_class = 0; ///< CLASS: 0 CD fetch, 1 table walk, 2 input address
    std::uint64_t input_address = 0;
    std::uint64_t word3 = 0; ///< IPA or fetch address, as the event has it
};

FaultRecord decode_event(const std::uint64_t* words);

class FaultObserver {
public:
    virtual ~FaultObserver() = default;
    virtual void on_fault_record(const FaultRecord&) {}
    /// A stalled transaction waits for an answer: true retries it, false aborts it.
    virtual bool resolve_stall(machine::Cpu&, const FaultRecord&) { return false; }
};

class EventQueue {
public:
    EventQueue(const Configuration&, CommandQueue&, dma::DriverErrorLog*, FaultObserver*, Statistics&);

    /// Allocates the ring. False: no memory.
    bool allocate(machine::Cpu&, const Features&);
    void reset() { consumer_ = 0; }
    std::uint64_t base() const { return base_; }
    unsigned size_log2() const { return size_log2_; }

    /// Reads records until the queue is empty, answers stalls, acknowledges an overflow.
    void drain(machine::Cpu&);

private:
    void handle(machine::Cpu&, const std::uint64_t* words);

    const Configuration& configuration_;
    UnitRegisters registers_;
    CommandQueue& commands_;
    dma::DriverErrorLog* log_;
    FaultObserver* observer_;
    Statistics& statistics_;
    std::uint64_t base_ = 0;
    unsigned size_log2_ = 0;
    std::uint32_t consumer_ = 0; ///< EVENTQ_CONS as last written
};

/// The global errors of one unit: logs them, gets a stopped command queue going again, acknowledges.
class ErrorHandler : public WaitMonitor {
public:
    ErrorHandler(machine::Machine&, const Configuration&, CommandQueue&, dma::DriverErrorLog*, Statistics&);

    /// From the interrupt, and from CPUs that have waited for the command queue for long. One CPU at a time;
    /// does nothing if no error is active.
    void check_errors(machine::Cpu&) override;

private:
    void handle(machine::Cpu&);
    void recover_commands(machine::Cpu&);
    void report(machine::Cpu&, DriverError, std::uint64_t detail);

    UnitRegisters registers_;
    CommandQueue& commands_;
    dma::DriverErrorLog* log_;
    Statistics& statistics_;
    machine::Spinlock lock_;
};

} // namespace iommusim::smmuv3_driver
