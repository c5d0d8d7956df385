#include "platforms/host/metrics.h"

#include <algorithm>
#include <span>

namespace iommusim::host {
namespace {

std::vector<std::string_view> parts_of(std::string_view name) {
    std::vector<std::string_view> parts;
    for (;;) {
        const std::size_t dot = name.find('.');
        parts.push_back(name.substr(0, dot));
        if (dot == std::string_view::npos)
            return parts;
        name.remove_prefix(dot + 1);
    }
}

using Parts = std::span<const std::string_view>;

/// A "*" stands for one part or several: locks have dotted names.
bool matches(Parts name, Parts pattern) {
    if (pattern.empty() || name.empty())
        return pattern.empty() && name.empty();
    if (name.front().empty() || (pattern.front() != "*" && pattern.front() != name.front()))
        return false;
    if (matches(name.subspan(1), pattern.subspan(1)))
        return true;
    return pattern.front() == "*" && matches(name.subspan(1), pattern);
}

bool is_field(std::string_view part) {
    const auto& fields = distribution_fields();
    return std::find(fields.begin(), fields.end(), part) != fields.end();
}

} // namespace

const std::vector<MetricInfo>& metric_table() {
    constexpr const char* cache = "Activity of one cache of the IOMMU: hits, misses, evictions, invalidated.";
    static const std::vector<MetricInfo> table{
        {"simulated_time", "ps", false, "Simulated time from the first operation to the end of the run."},
        {"map.latency", "ps", true, "Time that one map call takes on its CPU."},
        {"unmap.latency", "ps", true, "Time that one unmap call takes on its CPU, invalidation included."},
        {"map.rate", "1/s", false, "Map/unmap pairs completed by all threads per simulated second."},
        {"invalidation.latency", "ps", true,
         "From the decision to invalidate to the completion seen by the driver."},
        {"invalidation.commands", "count", true, "Invalidation commands covered by one completion."},
        {"invalidation.breakdown.*", "ps", true,
         "One stage of the invalidation latency; the stages add up to it."},
        {"dma.latency", "ps", true,
         "From the issue of a DMA by the device to its response, warm-up left out."},
        {"dma.bandwidth", "B/s", false, "Bytes moved by the devices per simulated second."},
        {"dma.throughput", "bit/s", false,
         "Bits moved per second from the issue of the first DMA behind the warm-up to the last completion; "
         "of "
         "runs with a warm-up."},
        {"dma.operations", "count", false, "DMAs completed, warm-up included."},
        {"dma.errors", "count", false, "DMAs that were answered with an error."},
        {"dma.mismatches", "count", false, "Checked reads that returned other data than was written."},
        {"served_by.*", "count", false, "Translations by the structure that supplied them."},
        {"iommu.micro_tlb.*", "count", false, cache},
        {"iommu.tlb.*", "count", false, cache},
        {"iommu.tcu_tlb.*", "count", false, cache},
        {"iommu.configuration.*", "count", false, cache},
        {"iommu.walk_cache.*.*", "count", false, cache},
        {"iommu.iotlb.*", "count", false, cache},
        {"iommu.context_cache.*", "count", false, cache},
        {"iommu.pasid_cache.*", "count", false, cache},
        {"iommu.first_stage_cache.*.*", "count", false, cache},
        {"iommu.second_stage_cache.*.*", "count", false, cache},
        {"iommu.interrupt_cache.*", "count", false, cache},
        {"iommu.merged_misses", "count", false,
         "Misses that joined a walk of the same page already under way."},
        {"iommu.walks", "count", false, "Translation table walks."},
        {"iommu.walk_reads", "count", false, "Descriptors that walks read from memory."},
        {"iommu.walk_updates", "count", false, "Accessed and dirty bits that walks wrote to memory."},
        {"iommu.register_invalidations", "count", false, "Invalidations through registers."},
        {"iommu.interrupts_remapped", "count", false, "Interrupts of devices that were remapped."},
        {"iommu.interrupts_posted", "count", false, "Interrupts of devices that were posted."},
        {"iommu.commands", "count", false, "Commands consumed."},
        {"iommu.syncs", "count", false, "Completion commands consumed."},
        {"iommu.command_fetches", "count", false, "Reads of the command queue."},
        {"iommu.events_recorded", "count", false,
         "Faults reported: entries of the event queue, or fault records."},
        {"iommu.events_dropped", "count", false, "Faults left out: no room, or one like it was pending."},
        {"commands.*", "count", false, "Commands consumed, by name."},
        {"stalls.*.count", "count", false, "Waits inside the IOMMU, by reason."},
        {"stalls.*.time", "ps", false, "Time of these waits, all together."},
        {"iova.allocations", "count", false, "IOVA ranges allocated."},
        {"iova.cache_hits", "count", false, "IOVA ranges that came from a per-CPU cache."},
        {"iova.nodes_visited", "count", false, "Tree nodes that allocations and frees looked at."},
        {"flush_queue.queued", "count", false, "Unmaps that were put into the lazy mode's queues."},
        {"flush_queue.full_flushes", "count", false, "Flushes because a queue was full."},
        {"flush_queue.timer_flushes", "count", false,
         "Flushes because the oldest unmap had waited long enough."},
        {"driver.doorbells", "count", false, "Writes of a producer index by the driver."},
        {"driver.commands", "count", false, "Commands that the driver issued."},
        {"driver.syncs", "count", false, "Completion commands that the driver issued."},
        {"driver.exchange_attempts", "count", false,
         "Atomic exchanges on the shared queue state, failed ones included."},
        {"driver.exchanges", "count", false, "Atomic exchanges that succeeded."},
        {"driver.queue_full_waits", "count", false,
         "Times that the driver waited for room in the command queue."},
        {"driver.status_reads", "count", false, "Reads of the fault status while the driver waited."},
        {"driver.retries", "count", false, "Submissions repeated after a device had not answered in time."},
        {"driver.map_flushes", "count", false,
         "Invalidations after a map, for units that cache what is absent."},
        {"driver.domain_flushes", "count", false,
         "Invalidations of a whole domain because its pages were too many to name."},
        {"driver.fault_records", "count", false, "Fault records that the driver read."},
        {"oracle.checked", "count", false, "DMAs that were compared with the page tables."},
        {"oracle.stale_uses", "count", false, "DMAs that used a translation after its removal was promised."},
        {"oracle.exposed_uses", "count", false,
         "DMAs that used a removed translation before its flush was promised."},
        {"oracle.exposure_age", "ps", true, "Age of each exposed use since the removal of its mapping."},
        {"oracle.worst_age", "ps", false, "Longest time between the removal of a mapping and a use of it."},
        {"faults.*", "count", false, "Faults that the IOMMU recorded, by the architecture's name."},
        {"locks.*.acquisitions", "count", false, "Times that a lock was taken."},
        {"locks.*.contended", "count", false, "Times that its taker had to wait."},
        {"locks.*.wait", "ps", false, "Time that its takers waited, all together."},
        {"locks.*.longest_wait", "ps", false, "Longest time that one of them waited."},
        {"locks.*.hold", "ps", false, "Time that it was held, all together."},
        {"locks.*.longest_hold", "ps", false, "Longest time that it was held at a stretch."},
        {"diagnostics", "count", false,
         "Things that software did and that the architecture calls unpredictable."},
    };
    return table;
}

const std::vector<std::string>& distribution_fields() {
    static const std::vector<std::string> fields{"count", "min",  "mean", "p50",   "p90",
                                                 "p99",   "p999", "max",  "stddev"};
    return fields;
}

MetricReference find_metric(std::string_view name) {
    const std::vector<std::string_view> parts = parts_of(name);
    for (const MetricInfo& info : metric_table()) {
        const std::vector<std::string_view> pattern = parts_of(info.name);
        if (info.distribution && is_field(parts.back()) &&
            matches(Parts(parts).first(parts.size() - 1), pattern)) {
            const std::string field(parts.back());
            const bool counts = field == "count";
            return {&info, std::string(name.substr(0, name.size() - field.size() - 1)), field,
                    counts ? "count" : info.unit};
        }
        if (matches(parts, pattern))
            return {&info, std::string(name), "", info.unit};
    }
    return {};
}

std::vector<std::string> metric_names() {
    std::vector<std::string> names;
    for (const MetricInfo& info : metric_table()) {
        if (!info.distribution)
            names.push_back(info.name);
        else
            for (const std::string& field : distribution_fields())
                names.push_back(std::string(info.name) + "." + field);
    }
    return names;
}

} // namespace iommusim::host
