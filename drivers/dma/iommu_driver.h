// A vendor driver as the layers above it see it: bring the unit up, make domains, attach devices to them.
// Errors come back as values and through the error log; nothing here throws.
#pragma once

#include "drivers/dma/iommu_domain.h"
#include "drivers/machine/cpu.h"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace iommusim::dma {

/// Who uses a domain: a device, or one address space of a device.
struct DeviceAddress {
    std::uint32_t id = 0;    ///< stream id / requester id / device id
    std::uint32_t pasid = 0; ///< valid if has_pasid
    bool has_pasid = false;
    bool device_tlb = false; ///< has a device TLB (ATS), to be enabled and invalidated too
};

/// What the architectures offer for a domain's tables. A driver takes the nearest that its unit has.
enum class Stage : std::uint8_t {
    automatic, ///< what Linux would choose on this unit
    first,     ///< tables of the stage that PASIDs use
    second,    ///< tables of the stage that guests' physical addresses use
    nested,    ///< first-stage tables whose addresses go through an identity-mapped second stage
};

struct DomainRequest {
    std::string name; ///< for reports
    Stage stage = Stage::automatic;
};

class IommuDriver {
public:
    virtual ~IommuDriver() = default;

    /// Probes the unit and brings it from any state into operation, on `cpu`. False: see the error log.
    virtual bool start(machine::Cpu& cpu) = 0;
    /// Switches the unit off.
    virtual void shutdown(machine::Cpu& cpu) = 0;

    /// An empty domain; null: no memory or no identifier left, or a stage that the unit does not have. The
    /// driver outlives it.
    virtual std::unique_ptr<IommuDomain> create_domain(machine::Cpu& cpu, const DomainRequest& request) = 0;
    /// From its return the device translates through the domain; another domain loses it first. False: the
    /// device is out of the unit's range, or no memory.
    virtual bool attach(machine::Cpu& cpu, IommuDomain& domain, const DeviceAddress& device) = 0;
    /// The device's accesses are refused from its return. No effect if it is not attached to this domain.
    virtual void detach(machine::Cpu& cpu, IommuDomain& domain, const DeviceAddress& device) = 0;
    /// Detaches everything and gives memory and identifiers back: the last call before destruction.
    virtual void release(machine::Cpu& cpu, IommuDomain& domain) = 0;

    /// Name ("driver.doorbells") and value, in a fixed order.
    using Counters = std::vector<std::pair<std::string, std::uint64_t>>;
    virtual Counters counters() const = 0;
};

/// Something went wrong in a driver without being its caller's mistake.
struct DriverErrorReport {
    const char* name;     ///< the specification's or the driver's name of the error
    Picoseconds time;     ///< local time of the CPU that noticed it
    std::uint64_t detail; ///< what it is depends on the error: a register offset, a queue position
};

class DriverErrorLog {
public:
    virtual ~DriverErrorLog() = default;
    virtual void on_driver_error(const DriverErrorReport&) = 0;
};

} // namespace iommusim::dma
