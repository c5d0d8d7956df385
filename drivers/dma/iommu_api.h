// Mapping and unmapping of byte ranges in an IOMMU domain: what VFIO-like users and the DMA API call. Ranges
// are split here into runs of pages that the vendor driver handles in one call each.
#pragma once

#include "drivers/dma/iommu_domain.h"

namespace iommusim::dma {

/// How ranges are split.
enum class PageSplit {
    runs,         ///< as many pages of one size as make sense per call (Linux 5.14 and later)
    single_pages, ///< one page per call (Linux 3.3 to 5.13)
};

struct PageRun {
    std::uint64_t page_size; ///< 0: no supported size fits
    std::size_t count;
};

/// The largest supported size that divides both addresses and fits, and how many pages of it to do before a
/// larger size becomes usable. `size` > 0.
PageRun choose_pages(std::uint64_t page_sizes, std::uint64_t iova, std::uint64_t physical, std::uint64_t size,
                     PageSplit = PageSplit::runs);

/// Maps [iova, iova + size) and makes it usable by the device. All three numbers are multiples of the
/// smallest page size, size > 0, and the range lies inside the aperture: otherwise invalid_argument. On an
/// error of the driver everything that was mapped is unmapped again, synchronously.
Status iommu_map(machine::Cpu&, IommuDomain&, std::uint64_t iova, std::uint64_t physical, std::uint64_t size,
                 unsigned protection, PageSplit = PageSplit::runs);

/// Unmaps and invalidates; when it returns, no translation of the range is in use anywhere. Returns the bytes
/// unmapped: fewer than asked at a hole, more if a driver had to remove a larger page, 0 if unaligned.
std::uint64_t iommu_unmap(machine::Cpu&, IommuDomain&, std::uint64_t iova, std::uint64_t size,
                          PageSplit = PageSplit::runs);

/// Unmaps without the final invalidation: the caller owns the gather and syncs (or has queued a full flush)
/// before the addresses or the memory are used again.
std::uint64_t iommu_unmap_fast(machine::Cpu&, IommuDomain&, std::uint64_t iova, std::uint64_t size, Gather&,
                               PageSplit = PageSplit::runs);

/// For drivers: adds a removed page to the gather, after syncing what cannot be invalidated together with it
/// (another page size, or a range that does not touch).
void gather_page(machine::Cpu&, IommuDomain&, Gather&, std::uint64_t iova, std::uint64_t page_size);

} // namespace iommusim::dma
