// A scenario as plain data, checked and with every default filled in: what the platform builder works from.
// How it is written is the table in keys.cpp; how it is read, scenario_reader.h. Durations are ps, sizes
// bytes.
#pragma once

#include "platforms/host/parameter_group.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace iommusim::host {

enum class Model : std::uint8_t { smmuv3, vtd };
enum class DeviceKind : std::uint8_t { nic, dma_engine };
enum class InvalidationPolicy : std::uint8_t { strict, lazy, none };
enum class IovaAllocator : std::uint8_t { rbtree, magazine };
/// How the driver learns that its invalidations are done.
enum class CompletionMethod : std::uint8_t { automatic, msi, cons, event };
/// Tables that the driver gives a domain; the words of dma::Stage.
enum class TranslationStage : std::uint8_t { automatic, first, second, nested };
/// How the driver hands invalidations to the unit.
enum class InvalidationInterface : std::uint8_t { queued, registers };
enum class WorkloadKind : std::uint8_t { map_benchmark, dma_traffic };
enum class Direction : std::uint8_t { to_device, from_device, bidirectional };
enum class Pattern : std::uint8_t { sequential, strided, random };
/// Largest page that the mapping of a buffer may use.
enum class LargestPage : std::uint8_t { any, four_kib, two_mib, one_gib };

struct PlatformOptions {
    std::uint64_t cpus = 1;
    ParameterValues cpu;    ///< .as<machine::CpuParameters>()
    ParameterValues memory; ///< .as<soc::MemoryParameters>()
};

struct IommuOptions {
    Model model = Model::smmuv3;
    std::string profile;        ///< empty: the table's defaults
    ParameterValues parameters; ///< of the model, profile included
};

struct DeviceOptions {
    std::string name;
    DeviceKind kind = DeviceKind::nic;
    std::uint64_t id = 0;           ///< stream id / requester id / device id
    std::uint64_t dma_bits = 0;     ///< address bits that the device can drive
    std::uint64_t pasid = 0;        ///< the only one that its DMAs carry; 0: see pasids
    std::uint64_t pasids = 0;       ///< 1 to this, each an address space of its own; 0: its DMAs carry none
    std::uint64_t link_latency = 0; ///< to the IOMMU and back, ps

    std::uint64_t address_spaces() const { return pasids == 0 ? 1 : pasids; }
    /// PASID of an address space, counted from 0; 0: none.
    std::uint64_t pasid_of(std::uint64_t space) const { return pasids == 0 ? pasid : space + 1; }
};

struct DriverOptions {
    InvalidationPolicy invalidation = InvalidationPolicy::strict;
    IovaAllocator iova_allocator = IovaAllocator::magazine;
    CompletionMethod completion = CompletionMethod::automatic;
    TranslationStage stage = TranslationStage::automatic;
    InvalidationInterface invalidation_interface = InvalidationInterface::queued;
    bool range_invalidation = true;
    std::uint64_t flush_queue_entries = 0; ///< lazy: unmaps that one CPU collects before it flushes
    std::uint64_t flush_queue_timeout = 0; ///< lazy: the longest time an unmap stays without a flush, ps
};

/// Members that do not apply to `kind` keep their defaults and mean nothing.
struct WorkloadOptions {
    WorkloadKind kind = WorkloadKind::map_benchmark;
    std::string device; ///< names a member of Scenario::devices
    std::uint64_t operations = 0;
    Direction direction = Direction::bidirectional;
    // map_benchmark: each thread maps, waits, unmaps
    std::uint64_t threads = 0;
    std::uint64_t granules = 0; ///< pages per mapping
    std::uint64_t dwell = 0;    ///< ps between map and unmap
    // dma_traffic: the device accesses a buffer that stays mapped; bidirectional: reads and writes alternate
    Pattern pattern = Pattern::sequential;
    std::uint64_t access = 0;      ///< bytes per DMA
    std::uint64_t stride = 0;      ///< strided and random: bytes from one possible place to the next
    std::uint64_t outstanding = 0; ///< DMAs under way at once
    std::uint64_t pages = 0;       ///< 4 KiB pages in the buffer
    LargestPage largest_page = LargestPage::any;
    std::uint64_t warmup = 0;   ///< DMAs before the measured ones
    std::uint64_t interval = 0; ///< ps between the issue of two DMAs, 0: as fast as `outstanding` allows
};

/// Bounds are in the metric's base unit.
struct Expectation {
    std::string metric;
    std::optional<double> below;  ///< value < below
    std::optional<double> above;  ///< value > above
    std::optional<double> equals; ///< value == equals
};

/// One coordinate of a sweep: key and value as text.
struct SweepValue {
    std::string key;
    std::string text;
};

/// Part of a bound that is given relative to it or in a metric's base unit.
struct Tolerance {
    double amount = 0;
    bool relative = false; ///< `amount` is a fraction
};

enum class PublishedRole : std::uint8_t { predicted, calibrated };

/// A measurement that somebody published about a real machine, for the run that is like it. In the metric's
/// base unit.
struct PublishedValue {
    std::string metric;
    double value = 0;
    Tolerance tolerance;
    PublishedRole role = PublishedRole::predicted;
    std::string source;
};

struct Scenario {
    std::string name;
    std::string description;
    std::string source;  ///< of the published values that name none themselves
    std::string variant; ///< of the sweep, empty if it has none
    std::vector<SweepValue>
        sweep_point; ///< what tells this run from the others of its sweep, empty without a sweep
    std::uint64_t seed = 1;
    PlatformOptions platform;
    IommuOptions iommu;
    std::vector<DeviceOptions> devices; ///< at least one, names and ids unique
    DriverOptions driver;
    std::vector<WorkloadOptions> workloads; ///< at least one
    std::vector<Expectation> expectations;
    std::vector<PublishedValue> published; ///< those that belong to this run

    const DeviceOptions* device(const std::string& device_name) const {
        for (const DeviceOptions& d : devices)
            if (d.name == device_name)
                return &d;
        return nullptr;
    }
};

} // namespace iommusim::host
