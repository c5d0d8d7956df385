// The unit that the invalidation rules are tested on, in neutral words: pages, invalidations, completions.
// Everything that belongs to one architecture stays in here.
#pragma once

#include "models/core/oracle.h"
#include "tests/conformance/smmuv3/smmu_bench.h"

namespace iommusim::rules {

using smmuv3::test::Dma;
using smmuv3::test::pattern;

class RuleBench {
public:
    static constexpr std::uint32_t device_id = 5;
    static constexpr std::uint32_t other_device_id = 6;
    static constexpr std::uint64_t asid = 1;
    static constexpr std::uint64_t other_asid = 2;
    static constexpr std::uint64_t page_bytes = 4096;
    static constexpr unsigned leaf_level = 3; ///< of pages; 2: 2 MiB blocks, 1: 1 GiB blocks

    explicit RuleBench(smmuv3::test::BenchOptions options = {})
        : unit(options), table(unit), other_table(unit) {
        context_ = unit.attach(device_id, table.root(), asid);
        unit.attach(other_device_id, other_table.root(), other_asid);
    }

    static Requester device() { return smmuv3::test::SmmuBench::stream(device_id); }
    static Requester other_device() { return smmuv3::test::SmmuBench::stream(other_device_id); }

    // ---- pages
    void map(std::uint64_t address, std::uint64_t output, unsigned level = leaf_level) {
        table.map(address, output, level);
    }
    void unmap(std::uint64_t address, unsigned level = leaf_level) { table.unmap(address, level); }
    std::uint64_t descriptor(std::uint64_t address, unsigned level = leaf_level) {
        return table.descriptor_address(address, level);
    }

    // ---- invalidations, in the queue only
    enum class By { address, any_space, range, space, everything };
    static constexpr By all_ways[] = {By::address, By::any_space, By::range, By::space, By::everything};
    /// With `tables` also what leads to the page.
    void queue_invalidation(std::uint64_t address, By by = By::address, bool tables = false) {
        using namespace smmuv3::test;
        switch (by) {
        case By::address:
            return unit.queue(tlbi_va(asid, address, !tables));
        case By::any_space:
            return unit.queue(tlbi_vaa(address, !tables));
        case By::range: // two pages
            return unit.queue(tlbi_range(asid, address, 1, 0, 0, !tables));
        case By::space:
            return unit.queue(tlbi_asid(asid));
        case By::everything:
            return unit.queue(tlbi_all());
        }
    }
    void queue_device_invalidation() { unit.queue(smmuv3::test::cfgi_ste(device_id)); }
    void queue_completion() { unit.queue(smmuv3::test::sync()); }
    void ring() { unit.doorbell(); }
    bool all_consumed() { return unit.consumer() == unit.producer(); }
    /// How many of the queued commands software must regard as still to be done.
    std::uint32_t unconsumed() {
        const std::uint32_t positions = 2u << unit.options.command_queue_log2;
        return (unit.producer() - unit.consumer()) & (positions - 1);
    }

    /// Memory reads of a translation that finds nothing in any cache.
    static constexpr unsigned configuration_reads = 2;
    static constexpr unsigned table_reads = 4;
    std::uint64_t table_reads_so_far() { return unit.counter("iommu.walk_reads"); }
    std::uint64_t configuration_address(unsigned read) const {
        return read == 0 ? unit.ste_address(device_id) : context_;
    }
    /// Leads the device to other tables.
    void redirect_device(std::uint64_t root) { unit.poke(context_, smmuv3::test::cd_for(root, asid)); }

    smmuv3::test::SmmuBench unit;
    smmuv3::test::PageTable table;
    smmuv3::test::PageTable other_table;

private:
    std::uint64_t context_ = 0;
};

} // namespace iommusim::rules
