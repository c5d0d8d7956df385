// What the SMMUv3 driver is told about one unit: where it is, how the platform wired it, what software costs,
// and which mistakes a test wants it to make.
#pragma once

#include "drivers/dma/iommu_driver.h"
#include "models/base/parameters.h"
#include "models/base/time.h"

#include <cstdint>
#include <vector>

namespace iommusim::smmuv3_driver {

/// How software learns that a CMD_SYNC has completed.
enum class CompletionMode : std::uint8_t {
    automatic, ///< msi if the unit is coherent and has MSIs, else event if it has SEV, else consumer
    msi,       ///< the unit writes 0 over the CMD_SYNC in the queue; the CPU spins on that word in its cache
    consumer,  ///< the CPU reads the CMDQ_CONS register until it has passed
    event,     ///< like consumer, but the CPU sleeps (WFE) between two reads
};

/// Costs of the driver's own work and its limits in time. Costs of memory, atomics and registers belong to
/// the CPU.
struct SoftwareParameters {
    SoftwareParameters() { set_defaults(*this); }
    static const std::vector<Parameter<SoftwareParameters>>& table();

    std::uint64_t build_command; ///< computing the two words of one command, ps
    std::uint64_t call_overhead; ///< entering and leaving one queue submission, ps
    std::uint64_t
        mark_valid; ///< ordering the commands before the valid bits (store barrier between CPUs), ps
    std::uint64_t batch_size;          ///< commands gathered on the stack before they are put into the queue
    std::uint64_t consumer_spins;      ///< register reads before the consumer wait starts to pause
    std::uint64_t consumer_pause;      ///< first pause of the consumer wait, doubling, ps
    std::uint64_t event_wake;          ///< from the wake-up event to the next register read, ps
    std::uint64_t sync_timeout;        ///< a CMD_SYNC that takes longer is reported, ps
    std::uint64_t error_check_period;  ///< a waiting CPU looks at GERROR this often, ps
    std::uint64_t acknowledge_poll;    ///< granularity of polling CR0ACK, IRQ_CTRLACK, GBPA, ps
    std::uint64_t acknowledge_timeout; ///< an acknowledge that takes longer is reported, ps
    std::uint64_t event_handling;      ///< decoding and logging one event record, ps
};

/// Deliberate driver bugs, for tests of whoever is to notice them. All false: a correct driver.
struct FaultInjection {
    bool skip_tlbi = false; ///< no TLB invalidation command is issued (a synchronisation still is)
    bool skip_sync = false; ///< invalidations are issued, but nobody waits for their completion
    bool skip_cfgi = false; ///< no configuration invalidation command is issued
};

/// Where a message-signalled interrupt goes; address 0: the interrupt is wired.
struct MsiTarget {
    std::uint64_t address = 0;
    std::uint32_t data = 0;
};

struct Configuration {
    std::uint64_t register_base = 0; ///< bus address of register page 0
    unsigned stream_id_bits = 16;    ///< stream ids in use; the unit's SIDSIZE also limits it
    unsigned substream_bits =
        0; ///< log2 of CDs per context table; 0: one CD, no substreams; SSIDSIZE limits it
    unsigned queue_size_log2 = 16;       ///< entries of the command queue; the unit limits it, at least 7
    unsigned event_queue_size_log2 = 10; ///< entries of the event queue; the unit limits it
    CompletionMode completion = CompletionMode::automatic;
    bool force_no_range_invalidation = false; ///< act as if IDR3.RIL were 0
    bool force_sync = false;                  ///< erratum: every submission of a batch ends with a CMD_SYNC
    bool skip_prefetch = false;               ///< erratum: CMD_PREFETCH_CONFIG must not be used
    bool bypass_unattached = false; ///< streams without a domain pass untranslated instead of aborting
    bool use_unit = true;           ///< false: leave SMMUEN clear, everything bypasses
    MsiTarget event_msi;            ///< of the event queue
    MsiTarget error_msi;            ///< of the global errors
    unsigned event_interrupt =
        0; ///< line of the interrupt controller at which the event queue's interrupt arrives
    unsigned error_interrupt = 1; ///< the same for the global errors
    unsigned interrupt_cpu = 0;   ///< CPU that takes both
    SoftwareParameters software;
    FaultInjection faults;
};

/// What can go wrong in the driver without being its caller's mistake.
enum class DriverError : std::uint8_t {
    acknowledge_timeout, ///< detail: register offset
    queue_full_timeout,  ///< detail: producer index
    sync_timeout,        ///< detail: queue position of the CMD_SYNC
    unusable_unit, ///< the identification registers lack something this driver needs; detail: register offset
    command_illegal,     ///< CERROR_ILL, the command was skipped; detail: its queue position
    command_fetch_abort, ///< CERROR_ABT; detail: queue position
    ats_timeout,         ///< CERROR_ATC_INV_SYNC; detail: queue position of the CMD_SYNC
    event_queue_abort,   ///< detail: GERROR
    msi_abort,           ///< detail: GERROR
    service_failure,     ///< SFM_ERR, the unit was switched off; detail: GERROR
    event_overflow,      ///< event records were lost; detail: EVENTQ_PROD
    no_memory,           ///< the page allocator is exhausted; detail: 0
};

/// The specification's or this driver's name of the error, for logs.
const char* name(DriverError error);

/// Tells the log, if there is one; `time` is the local time of the CPU that noticed it.
void note_error(dma::DriverErrorLog* log, DriverError error, Picoseconds time, std::uint64_t detail);

/// What the driver counted since it was created.
struct Statistics {
    std::uint64_t submissions = 0;       ///< calls that put commands into the queue
    std::uint64_t commands = 0;          ///< commands put into the queue, CMD_SYNC included
    std::uint64_t syncs = 0;             ///< CMD_SYNC among them
    std::uint64_t doorbells = 0;         ///< writes of CMDQ_PROD
    std::uint64_t exchange_attempts = 0; ///< compare-and-exchanges on the queue's state word
    std::uint64_t exchanges = 0;         ///< those that succeeded
    std::uint64_t full_waits = 0;        ///< times that a CPU found no room in the queue
    std::uint64_t timeouts = 0;          ///< waits given up
    std::uint64_t errors_recovered = 0;  ///< command errors acknowledged
    std::uint64_t events = 0;            ///< event records drained
};

} // namespace iommusim::smmuv3_driver
