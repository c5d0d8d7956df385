// An IOMMU domain for tests: real page tables in simulated memory, a TLB that never forgets by itself, and a
// log of everything that was asked of it.
#pragma once

#include "drivers/dma/iommu_api.h"
#include "drivers/pgtable/arm_lpae_s1.h"

#include "tests/unit/drivers/driver_bench.h"
#include "tests/unit/drivers/pgtable/reference_walker.h"

#include <map>
#include <string>
#include <vector>

namespace iommusim::test {

class FakeDomain : public dma::IommuDomain, public pgtable::TlbOps {
public:
    struct Call {
        std::string operation; ///< map, unmap, sync, sync_map, flush_all, flush_walk, walk
        std::uint64_t iova = 0;
        std::uint64_t size = 0; ///< of a page; sync: of the range
        std::size_t count = 0;
        bool operator==(const Call&) const = default;
    };

    FakeDomain(DriverBench& bench, const pgtable::ArmLpaeS1Config& config = {}) : bench_(bench) {
        bench.run(
            [&](machine::Cpu& cpu) { table_ = std::make_unique<pgtable::ArmLpaeS1>(cpu, *this, config); });
    }

    std::vector<Call> log;
    std::size_t flushes_begun = 0;
    std::size_t flushes_done = 0;
    Picoseconds sync_time = 500_ns;
    Picoseconds flush_time = 1_us;
    std::uint64_t fail_beyond = ~0ull; ///< map calls that begin here or above fail with no_memory

    /// What a device access to `iova` gives: the physical address, ~0 for a fault.
    std::uint64_t device_access(std::uint64_t iova) {
        const std::uint64_t page = iova & ~0xFFFull;
        if (const auto hit = tlb_.find(page); hit != tlb_.end())
            return hit->second | (iova & 0xFFF);
        const Walked w = walk(bench_.ram, table_->registers().ttb, table_->registers().t0sz, page);
        if (!w.mapped)
            return ~0ull;
        tlb_[page] = w.physical;
        return w.physical | (iova & 0xFFF);
    }
    std::uint64_t descriptor(std::uint64_t iova) const {
        return walk(bench_.ram, table_->registers().ttb, table_->registers().t0sz, iova).descriptor;
    }
    std::size_t count(const std::string& operation) const {
        std::size_t n = 0;
        for (const Call& call : log)
            n += call.operation == operation;
        return n;
    }

    const char* name() const override { return "fake"; }
    std::uint64_t page_sizes() const override { return table_->page_sizes(); }
    std::uint64_t aperture_end() const override { return table_->input_end(); }
    dma::Status map_pages(machine::Cpu& cpu, std::uint64_t iova, std::uint64_t physical,
                          std::uint64_t page_size, std::size_t count, unsigned protection,
                          std::uint64_t& mapped) override {
        log.push_back({"map", iova, page_size, count});
        if (iova >= fail_beyond)
            return dma::Status::no_memory;
        return table_->map_pages(cpu, iova, physical, page_size, count, protection, mapped);
    }
    std::uint64_t unmap_pages(machine::Cpu& cpu, std::uint64_t iova, std::uint64_t page_size,
                              std::size_t count, dma::Gather& gather) override {
        log.push_back({"unmap", iova, page_size, count});
        return table_->unmap_pages(cpu, iova, page_size, count, gather);
    }
    void iotlb_sync(machine::Cpu& cpu, dma::Gather& gather) override {
        if (gather.empty())
            return;
        log.push_back({"sync", gather.start, gather.end - gather.start + 1, 1});
        cpu.delay(sync_time);
        tlb_.erase(tlb_.lower_bound(gather.start), tlb_.upper_bound(gather.end));
        gather.reset();
    }
    void iotlb_sync_map(machine::Cpu&, std::uint64_t iova, std::uint64_t size) override {
        log.push_back({"sync_map", iova, size, 1});
    }
    void flush_iotlb_all(machine::Cpu& cpu) override {
        log.push_back({"flush_all"});
        ++flushes_begun;
        tlb_.clear();
        cpu.delay(flush_time);
        ++flushes_done;
    }
    std::uint64_t iova_to_phys(machine::Cpu& cpu, std::uint64_t iova) override {
        log.push_back({"walk", iova, 0, 1});
        return table_->iova_to_phys(cpu, iova);
    }

    void add_page(machine::Cpu& cpu, std::uint64_t iova, std::uint64_t size, dma::Gather& gather) override {
        dma::gather_page(cpu, *this, gather, iova, size);
    }
    void flush_walk(machine::Cpu&, std::uint64_t iova, std::uint64_t size, std::uint64_t) override {
        log.push_back({"flush_walk", iova, size, 1});
        tlb_.erase(tlb_.lower_bound(iova), tlb_.lower_bound(iova + size));
    }

private:
    DriverBench& bench_;
    std::unique_ptr<pgtable::ArmLpaeS1> table_;
    std::map<std::uint64_t, std::uint64_t> tlb_; ///< by page
};

} // namespace iommusim::test
