#include "drivers/dma/dma_domain.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace iommusim::dma {

iova::Space space_of(const IommuDomain& domain) {
    const unsigned granule_bits = std::countr_zero(domain.page_sizes());
    const std::uint64_t last = domain.aperture_end() - 1; // an end of 0 is the end of 64 bits
    return {.start_pfn = 1,
            .end_pfn = (last >> granule_bits) + 1,
            .pfn_4gib = (1ull << 32) >> std::min(granule_bits, 32u)};
}

DmaDomain::DmaDomain(machine::Machine& machine, IommuDomain& domain,
                     std::unique_ptr<iova::Allocator> allocator, Policy policy,
                     const DmaParameters& parameters, DmaObserver* observer)
    : iommu_(domain),
      allocator_(std::move(allocator)),
      parameters_(parameters),
      observer_(observer),
      page_split_(parameters.page_split == 1 ? PageSplit::single_pages : PageSplit::runs),
      granule_bits_(std::countr_zero(domain.page_sizes())) {
    if (policy == Policy::lazy)
        flush_queue_ = std::make_unique<FlushQueue>(machine, iommu_, *allocator_, parameters_, observer_);
}

void DmaDomain::reserve(std::uint64_t first, std::uint64_t last) {
    allocator_->reserve(first >> granule_bits_, last >> granule_bits_);
}

} // namespace iommusim::dma
