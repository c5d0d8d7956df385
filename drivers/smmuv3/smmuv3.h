// The driver of one SMMUv3: probe, reset, interrupts, shutdown, and what its domains share.
//
// Does: stage-1 domains for streams and substreams, strict and range invalidation, two-level tables, error
// recovery, stall answers.
// Does not: stage 2 and nesting, PRI queue, ATS invalidation (CR0.ATSCHK is set, so translated traffic is
// checked and, as no stream enables ATS, refused), ATOS, Secure state, memory that the unit does not snoop.
//
// Nothing here throws: errors come back as false and through the dma::DriverErrorLog.
#pragma once

#include "drivers/dma/iommu_driver.h"
#include "drivers/machine/machine.h"
#include "drivers/smmuv3/command_queue.h"
#include "drivers/smmuv3/configuration.h"
#include "drivers/smmuv3/context_table.h"
#include "drivers/smmuv3/events.h"
#include "drivers/smmuv3/features.h"
#include "drivers/smmuv3/stream_table.h"

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace iommusim::smmuv3_driver {

class Smmuv3Domain;

/// What translates through a domain: the accesses of a stream that carry this SubstreamID, or with substream
/// 0 those that carry none.
struct Attachment {
    std::uint32_t stream;
    std::uint32_t substream;
    auto operator<=>(const Attachment&) const = default;
};

class Smmuv3Driver final : public dma::IommuDriver {
public:
    /// The observers may be null and must outlive the driver.
    Smmuv3Driver(machine::Machine&, const Configuration&, dma::DriverErrorLog* = nullptr,
                 FaultObserver* = nullptr, dma::InvalidationObserver* = nullptr);
    /// Disconnects the interrupts; the unit stays as it is, see shutdown().
    ~Smmuv3Driver() override;
    Smmuv3Driver(const Smmuv3Driver&) = delete;
    Smmuv3Driver& operator=(const Smmuv3Driver&) = delete;

    /// Reads the identification registers and allocates queues and stream table. Once.
    bool probe(machine::Cpu&);
    /// Brings the unit from any state into operation. After probe(); may be repeated while no other CPU uses
    /// the unit.
    bool reset(machine::Cpu&);

    // ---- dma::IommuDriver
    bool start(machine::Cpu& cpu) override { return probe(cpu) && reset(cpu); }
    /// Switches the unit off; traffic then obeys GBPA.
    void shutdown(machine::Cpu&) override;
    /// Stage 1 only: null for Stage::second and Stage::nested.
    std::unique_ptr<dma::IommuDomain> create_domain(machine::Cpu&, const dma::DomainRequest&) override;
    /// A PASID is the SubstreamID; 0 is none, as the unit refuses it.
    bool attach(machine::Cpu&, dma::IommuDomain&, const dma::DeviceAddress&) override;
    void detach(machine::Cpu&, dma::IommuDomain&, const dma::DeviceAddress&) override;
    void release(machine::Cpu&, dma::IommuDomain&) override;
    Counters counters() const override;

    const Features& features() const { return features_; }
    const Statistics& statistics() const { return statistics_; }
    const Configuration& configuration() const { return configuration_; }
    CommandQueue& commands() { return commands_; }
    StreamTable& streams() { return streams_; }
    EventQueue& events() { return events_; }
    ErrorHandler& errors() { return errors_; }
    dma::InvalidationObserver* invalidation_observer() const { return invalidations_; }

    /// The domain that a stream, or one substream of it, is attached to, or null.
    Smmuv3Domain* attached(std::uint32_t stream_id, std::uint32_t substream_id = 0) const;
    /// The context descriptors of a stream; null if nothing of it is attached.
    const ContextTable* contexts(std::uint32_t stream_id) const;

private:
    friend class Smmuv3Domain;

    /// A stream of which something is attached, with the context descriptors of all its substreams.
    struct Stream {
        ContextTable contexts;
        std::vector<std::uint32_t> users; ///< the stream itself, once its entry points to them
        std::map<std::uint32_t, Smmuv3Domain*> domains{}; ///< by substream
    };

    /// Writes the domain's context descriptor into the stream's table; false: out of range or no memory.
    bool install(machine::Cpu&, const Attachment&, Smmuv3Domain&);
    void remove(machine::Cpu&, const Attachment&);

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
    dma::DriverErrorLog* log_;
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
    std::map<std::uint32_t, Stream> attached_;
};

} // namespace iommusim::smmuv3_driver
