// The driver of one SMMUv3: probe, reset, interrupts, shutdown, and what its domains share.
//
// Does: stage-1 domains, strict and range invalidation, two-level tables, error recovery, stall answers.
// Does not: stage 2 and nesting, PRI queue, ATS invalidation (CR0.ATSCHK is set, so translated traffic is
// checked and, as no stream enables ATS, refused), ATOS, Secure state, memory that the unit does not snoop.
//
// Nothing here throws: errors come back as false and through the ErrorLog.
#pragma once

#include "drivers/dma/iommu_domain.h"
#include "drivers/machine/machine.h"
#include "drivers/smmuv3/command_queue.h"
#include "drivers/smmuv3/configuration.h"
#include "drivers/smmuv3/events.h"
#include "drivers/smmuv3/features.h"
#include "drivers/smmuv3/stream_table.h"

#include <cstdint>
#include <map>
#include <vector>

namespace iommusim::smmuv3_driver {

class Smmuv3Domain;

class Smmuv3Driver {
public:
    /// The observers may be null and must outlive the driver.
    Smmuv3Driver(machine::Machine&, const Configuration&, ErrorLog* = nullptr, FaultObserver* = nullptr,
                 dma::InvalidationObserver* = nullptr);
    /// Disconnects the interrupts; the unit stays as it is, see shutdown().
    ~Smmuv3Driver();
    Smmuv3Driver(const Smmuv3Driver&) = delete;
    Smmuv3Driver& operator=(const Smmuv3Driver&) = delete;

    /// Reads the identification registers and allocates queues and stream table. Once.
    bool probe(machine::Cpu&);
    /// Brings the unit from any state into operation. After probe(); may be repeated while no other CPU uses
    /// the unit.
    bool reset(machine::Cpu&);
    bool start(machine::Cpu& cpu) { return probe(cpu) && reset(cpu); }
    /// Switches the unit off; traffic then obeys GBPA.
    void shutdown(machine::Cpu&);

    const Features& features() const { return features_; }
    const Statistics& statistics() const { return statistics_; }
    const Configuration& configuration() const { return configuration_; }
    CommandQueue& commands() { return commands_; }
    StreamTable& streams() { return streams_; }
    EventQueue& events() { return events_; }
    ErrorHandler& errors() { return errors_; }
    dma::InvalidationObserver* invalidation_observer() const { return invalidations_; }

    /// The domain a stream is attached to, or null.
    Smmuv3Domain* attached(std::uint32_t stream_id) const;

private:
    friend class Smmuv3Domain;

    /// An address space identifier that no domain uses, 0: all are in use.
    unsigned allocate_asid();
    void free_asid(unsigned asid);

    bool write_cr0(machine::Cpu&, std::uint32_t value);
    bool update_gbpa(machine::Cpu&, bool abort);
    bool enable_command_queue(machine::Cpu&, std::uint32_t& cr0);
    bool invalidate_everything(machine::Cpu&);
    bool enable_event_queue(machine::Cpu&, std::uint32_t& cr0);
    bool set_up_interrupts(machine::Cpu&);
    void program_msi(machine::Cpu&, std::uint64_t cfg0, std::uint64_t cfg1, std::uint64_t cfg2,
                     const MsiTarget&);
    void disconnect_interrupts();
    bool timed_out(machine::Cpu&, std::uint64_t offset);

    machine::Machine& machine_;
    const Configuration configuration_;
    ErrorLog* log_;
    dma::InvalidationObserver* invalidations_;
    Statistics statistics_;
    Features features_;
    UnitRegisters registers_;
    CommandQueue commands_;
    StreamTable streams_;
    EventQueue events_;
    ErrorHandler errors_;
    bool interrupts_connected_ = false;
    std::vector<bool> asids_; ///< in use
    std::map<std::uint32_t, Smmuv3Domain*> attached_;
};

} // namespace iommusim::smmuv3_driver
