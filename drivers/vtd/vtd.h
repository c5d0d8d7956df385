// The driver of one VT-d remapping unit: Linux's enable sequence, domains, devices and PASIDs.
//
// Does: legacy and scalable mode, first-stage, second-stage and nested domains, queued and register-based
// invalidation, device TLBs, caching mode, write-buffer flushing, fault handling, recovery from queue errors
// and device time-outs. A device's first attachment decides whether its device TLB is used. After shutdown()
// the driver can be started again: tables, domains and attachments stay. Does not: interrupt remapping of
// devices, page requests, shared virtual addressing, the ACPI tables (the platform tells what they would).
//
// Nothing here throws: errors come back as values and through the error log.
#pragma once

#include "drivers/dma/iommu_driver.h"
#include "drivers/machine/machine.h"
#include "drivers/vtd/configuration.h"
#include "drivers/vtd/device_tables.h"
#include "drivers/vtd/domain.h"
#include "drivers/vtd/fault_handler.h"
#include "drivers/vtd/features.h"
#include "drivers/vtd/invalidation_queue.h"
#include "drivers/vtd/register_invalidation.h"

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

namespace iommusim::vtd_driver {

class VtdDriver final : public dma::IommuDriver {
public:
    /// The observers may be null and must outlive the driver.
    VtdDriver(machine::Machine&, const Configuration&, dma::DriverErrorLog* = nullptr,
              FaultObserver* = nullptr, dma::InvalidationObserver* = nullptr);
    ~VtdDriver() override;

    bool start(machine::Cpu&) override;
    void shutdown(machine::Cpu&) override;
    std::unique_ptr<dma::IommuDomain> create_domain(machine::Cpu&, const dma::DomainRequest&) override;
    bool attach(machine::Cpu&, dma::IommuDomain&, const dma::DeviceAddress&) override;
    void detach(machine::Cpu&, dma::IommuDomain&, const dma::DeviceAddress&) override;
    void release(machine::Cpu&, dma::IommuDomain&) override;
    Counters counters() const override;

    const Features& features() const { return features_; }
    const Configuration& configuration() const { return configuration_; }
    const Statistics& statistics() const { return statistics_; }
    InvalidationQueue& queue() { return queue_; }
    dma::InvalidationObserver* invalidation_observer() const { return observer_; }

    // ---- for domains
    machine::Machine& machine() { return machine_; }
    Statistics& counts() { return statistics_; }
    /// Carries out invalidations and waits. Nothing while the queue is off: starting again invalidates all.
    Submission invalidate(machine::Cpu&, const Descriptor* descriptors, unsigned count);
    /// Root of second-stage tables that map every host address to itself; 0 before a nested domain exists.
    std::uint64_t identity_root() const { return identity_root_; }
    /// GCMD.WBF: changes of tables become visible to a unit that has write buffers.
    void flush_write_buffers(machine::Cpu&);

private:
    using Key = std::pair<std::uint16_t, std::uint32_t>; ///< source id, PASID

    bool probe(machine::Cpu&);
    bool stop_predecessor(machine::Cpu&);
    void set_up_interrupts(machine::Cpu&);
    void disconnect_interrupts();
    bool command(machine::Cpu&, std::uint32_t bit, bool set, std::uint32_t status_mask,
                 std::uint32_t expected);
    bool enable(machine::Cpu&, std::uint32_t bit);
    bool disable(machine::Cpu&, std::uint32_t bit);
    bool set_root_table(machine::Cpu&);
    void submit(machine::Cpu&, const Descriptor& descriptor);
    bool make_identity_tables(machine::Cpu&);
    std::uint16_t allocate_id();

    bool attach_legacy(machine::Cpu&, VtdDomain&, const Attachment&);
    bool attach_pasid(machine::Cpu&, VtdDomain&, const Attachment&);
    void detach_legacy(machine::Cpu&, VtdDomain&, const Attachment&);
    void detach_pasid(machine::Cpu&, VtdDomain&, const Attachment&);
    bool has_context(std::uint16_t source) const;

    machine::Machine& machine_;
    const Configuration configuration_;
    dma::DriverErrorLog* log_;
    dma::InvalidationObserver* observer_;
    Statistics statistics_;
    Features features_;
    UnitRegisters registers_;
    machine::Spinlock register_lock_;
    FaultHandler faults_;
    InvalidationQueue queue_;
    RegisterInvalidation register_invalidation_;
    DeviceTables tables_;
    std::uint32_t enables_ = 0; ///< GCMD level bits as last written
    std::vector<bool> ids_;     ///< in use
    std::map<Key, VtdDomain*> attached_;
    std::unique_ptr<VtdDomain> identity_;
    std::uint64_t identity_root_ = 0;
    bool interrupts_connected_ = false;
};

} // namespace iommusim::vtd_driver
