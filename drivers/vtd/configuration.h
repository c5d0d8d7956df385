// What the VT-d driver is told about one remapping unit: where it is, how the platform wired it, what
// software costs, and which mistakes a test wants it to make.
#pragma once

#include "drivers/dma/iommu_driver.h"
#include "models/base/parameters.h"
#include "models/base/time.h"

#include <cstdint>
#include <vector>

namespace iommusim::vtd_driver {

/// Through what translations are invalidated.
enum class InvalidationInterface : std::uint8_t {
    queued,    ///< the invalidation queue
    registers, ///< CCMD and IOTLB registers; legacy mode only
};

/// Costs of the driver's own work and its limits in time. Costs of memory, locks and registers belong to the
/// CPU.
struct SoftwareParameters {
    SoftwareParameters() { set_defaults(*this); }
    static const std::vector<Parameter<SoftwareParameters>>& table();

    std::uint64_t build_descriptor;  ///< computing one descriptor, ps
    std::uint64_t call_overhead;     ///< entering and leaving one submission, ps
    std::uint64_t batch_size;        ///< descriptors gathered before they are put into the queue
    std::uint64_t relax;             ///< one pause instruction of a spinning CPU, ps
    std::uint64_t status_poll;       ///< pause between two reads of a status register, ps
    std::uint64_t operation_timeout; ///< a register that does not follow for longer is reported, ps
    std::uint64_t queue_timeout;     ///< a submission that takes longer is reported and given up, ps
    std::uint64_t fault_handling;    ///< decoding and logging one fault record, ps
};

/// Deliberate driver bugs, for tests of whoever is to notice them. All false: a correct driver.
struct FaultInjection {
    bool skip_iotlb = false;     ///< no translation is invalidated (a wait descriptor still is submitted)
    bool skip_wait = false;      ///< invalidations are submitted, but nobody waits for them
    bool skip_context = false;   ///< attaching and detaching invalidate nothing
    bool skip_map_flush = false; ///< the flush after a map that caching mode asks for is forgotten
};

/// Where one of the unit's own interrupts goes.
struct MsiTarget {
    std::uint64_t address = 0; ///< 0: the event stays masked
    std::uint32_t data = 0;
    unsigned line = 0; ///< of the interrupt controller, at which that message arrives
};

struct Configuration {
    std::uint64_t register_base = 0; ///< bus address of the register set
    unsigned host_address_bits = 46; ///< from the DMAR table
    bool scalable = true;            ///< use scalable mode where the unit has it
    InvalidationInterface interface = InvalidationInterface::queued;
    dma::Stage stage = dma::Stage::automatic; ///< of domains that do not ask for one
    unsigned queue_entries = 256;             ///< of the invalidation queue; rounded up to what fills pages
    unsigned max_pasid_bits = 20;             ///< size of the PASID directories, the unit limits it
    unsigned device_queue_depth = 32;         ///< invalidations that a device TLB can queue (MIP)
    std::uint64_t memory_end = 0;             ///< first address beyond memory; for nested domains
    bool use_unit = true;                     ///< false: leave translation disabled
    MsiTarget fault_message;
    unsigned interrupt_cpu = 0; ///< CPU that takes it
    SoftwareParameters software;
    FaultInjection faults;
};

/// What can go wrong in the driver without being its caller's mistake.
enum class DriverError : std::uint8_t {
    status_timeout,       ///< GSTS does not follow GCMD; detail: GCMD bits
    queue_error,          ///< IQE, a bad descriptor was replaced; detail: IQERCD
    device_timeout,       ///< ITE, the submission was repeated; detail: source id
    completion_error,     ///< ICE; detail: source id
    invalidation_timeout, ///< a submission that never ended; detail: queue index
    register_refused,     ///< a register-based invalidation was refused; detail: the register as read
    unusable_unit,        ///< the capability registers lack something this driver needs; detail: CAP or ECAP
    fault_overflow,       ///< fault records were lost; detail: FSTS
    no_memory,            ///< the page allocator is exhausted; detail: 0
};

const char* name(DriverError error);
void note_error(dma::DriverErrorLog* log, DriverError error, Picoseconds time, std::uint64_t detail);

/// What one driver counted.
struct Statistics {
    std::uint64_t doorbells = 0;   ///< writes of IQT, or command register writes
    std::uint64_t descriptors = 0; ///< wait descriptors not counted
    std::uint64_t waits = 0;
    std::uint64_t full_waits = 0;     ///< submissions that found too little room
    std::uint64_t status_reads = 0;   ///< of FSTS while polling
    std::uint64_t retries = 0;        ///< submissions repeated after a time-out of a device
    std::uint64_t map_flushes = 0;    ///< invalidations after a map (caching mode)
    std::uint64_t domain_flushes = 0; ///< domain-selective instead of page-selective, for size
    std::uint64_t fault_records = 0;
};

} // namespace iommusim::vtd_driver
