#include "drivers/dma/iommu_api.h"

#include "models/base/bits.h"

#include <bit>

namespace iommusim::dma {
namespace {

unsigned highest_bit(std::uint64_t v) { return 63 - std::countl_zero(v); }

std::uint64_t smallest(std::uint64_t page_sizes) { return page_sizes & (0 - page_sizes); }

/// choose_pages() for a range that is known to consist of whole granules; the usual single one needs no
/// choice.
PageRun next_run(std::uint64_t page_sizes, std::uint64_t granule, std::uint64_t iova, std::uint64_t physical,
                 std::uint64_t size, PageSplit split) {
    if (size == granule)
        return {granule, 1};
    return choose_pages(page_sizes, iova, physical, size, split);
}

} // namespace

PageRun choose_pages(std::uint64_t page_sizes, std::uint64_t iova, std::uint64_t physical, std::uint64_t size,
                     PageSplit split) {
    const std::uint64_t alignment = iova | physical;
    std::uint64_t usable = page_sizes & low_bits(highest_bit(size) + 1);
    if (alignment != 0)
        usable &= low_bits(std::countr_zero(alignment) + 1);
    if (usable == 0)
        return {0, 0};
    const unsigned order = highest_bit(usable);
    const std::uint64_t page_size = 1ull << order;
    if (split == PageSplit::single_pages)
        return {page_size, 1};

    const std::uint64_t larger = page_sizes & ~low_bits(order + 1);
    if (larger != 0) {
        const std::uint64_t next = larger & (0 - larger);
        const std::uint64_t until_next = next - (alignment & (next - 1));
        // The larger size is reachable only if both addresses reach its alignment together, and worth
        // stopping for only if a whole larger page follows.
        const bool same_offset = ((iova ^ physical) & (next - 1)) == 0;
        if (same_offset && size >= until_next && size - until_next >= next)
            size = until_next;
    }
    return {page_size, static_cast<std::size_t>(size >> order)};
}

Status iommu_map(machine::Cpu& cpu, IommuDomain& domain, std::uint64_t iova, std::uint64_t physical,
                 std::uint64_t size, unsigned protection, PageSplit split) {
    const std::uint64_t page_sizes = domain.page_sizes();
    const std::uint64_t granule = smallest(page_sizes);
    if (granule == 0 || size == 0 || ((iova | physical | size) & (granule - 1)) != 0)
        return Status::invalid_argument;
    const std::uint64_t end = domain.aperture_end();
    if (end != 0 && (iova >= end || size > end - iova))
        return Status::invalid_argument;

    std::uint64_t done = 0;
    Status status = Status::ok;
    while (done < size) {
        const PageRun run = next_run(page_sizes, granule, iova + done, physical + done, size - done, split);
        std::uint64_t mapped = 0;
        status =
            domain.map_pages(cpu, iova + done, physical + done, run.page_size, run.count, protection, mapped);
        done += mapped;
        if (status != Status::ok || mapped == 0)
            break;
    }
    if (done == size && status == Status::ok) {
        domain.iotlb_sync_map(cpu, iova, size);
        return Status::ok;
    }
    if (done != 0)
        iommu_unmap(cpu, domain, iova, done, split);
    return status == Status::ok ? Status::invalid_argument : status;
}

std::uint64_t iommu_unmap_fast(machine::Cpu& cpu, IommuDomain& domain, std::uint64_t iova, std::uint64_t size,
                               Gather& gather, PageSplit split) {
    const std::uint64_t page_sizes = domain.page_sizes();
    const std::uint64_t granule = smallest(page_sizes);
    if (granule == 0 || ((iova | size) & (granule - 1)) != 0)
        return 0;
    std::uint64_t done = 0;
    while (done < size) {
        const PageRun run = next_run(page_sizes, granule, iova + done, iova + done, size - done, split);
        const std::uint64_t removed = domain.unmap_pages(cpu, iova + done, run.page_size, run.count, gather);
        if (removed == 0)
            break;
        done += removed;
    }
    return done;
}

std::uint64_t iommu_unmap(machine::Cpu& cpu, IommuDomain& domain, std::uint64_t iova, std::uint64_t size,
                          PageSplit split) {
    Gather gather;
    const std::uint64_t done = iommu_unmap_fast(cpu, domain, iova, size, gather, split);
    domain.iotlb_sync(cpu, gather);
    return done;
}

void gather_page(machine::Cpu& cpu, IommuDomain& domain, Gather& gather, std::uint64_t iova,
                 std::uint64_t page_size) {
    if (!gather.empty() && (gather.page_size != page_size || gather.disjoint(iova, page_size)))
        domain.iotlb_sync(cpu, gather);
    gather.add(iova, page_size);
}

} // namespace iommusim::dma
