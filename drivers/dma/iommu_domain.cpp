#include "drivers/dma/iommu_domain.h"

#include <algorithm>

namespace iommusim::dma {

void Gather::add(std::uint64_t iova, std::uint64_t size) {
    start = std::min(start, iova);
    end = std::max(end, iova + size - 1);
    page_size = size;
}

bool Gather::disjoint(std::uint64_t iova, std::uint64_t size) const {
    if (empty())
        return false;
    const std::uint64_t last = iova + size - 1;
    // Touching is not disjoint; the comparisons are written so that the ends of the address space do not
    // wrap.
    return (last < start && start - last > 1) || (iova > end && iova - end > 1);
}

void Gather::reset() {
    start = ~0ull;
    end = 0;
    page_size = 0;
    free_pages.clear();
}

} // namespace iommusim::dma
