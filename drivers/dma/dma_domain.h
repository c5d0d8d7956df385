// An IOMMU domain in the service of the DMA API: the domain, its address allocator, and when it invalidates.
// Shared by all devices that are attached to the domain.
#pragma once

#include "drivers/dma/dma_parameters.h"
#include "drivers/dma/flush_queue.h"
#include "drivers/dma/iommu_api.h"
#include "drivers/iova/allocator.h"

#include <memory>

namespace iommusim::dma {

class DmaDomain {
public:
    /// `policy` is strict or lazy (a device without translation has no domain). The observer may be null and
    /// must outlive the domain, as `domain` must.
    DmaDomain(machine::Machine&, IommuDomain& domain, std::unique_ptr<iova::Allocator>, Policy policy,
              const DmaParameters& = {}, DmaObserver* = nullptr);

    IommuDomain& iommu() const { return iommu_; }
    iova::Allocator& allocator() const { return *allocator_; }
    FlushQueue* flush_queue() const { return flush_queue_.get(); } ///< null unless lazy
    DmaObserver* observer() const { return observer_; }
    const DmaParameters& parameters() const { return parameters_; }
    Policy policy() const { return flush_queue_ != nullptr ? Policy::lazy : Policy::strict; }
    PageSplit page_split() const { return page_split_; }
    /// log2 of the smallest page size: the unit of the allocator.
    unsigned granule_bits() const { return granule_bits_; }

    /// Keeps the allocator away from [first, last], bytes; whole granules. Before the first mapping.
    void reserve(std::uint64_t first, std::uint64_t last);

private:
    IommuDomain& iommu_;
    std::unique_ptr<iova::Allocator> allocator_;
    const DmaParameters parameters_;
    DmaObserver* const observer_;
    const PageSplit page_split_;
    const unsigned granule_bits_;
    std::unique_ptr<FlushQueue> flush_queue_;
};

/// The space of addresses that an allocator may hand out in a domain.
iova::Space space_of(const IommuDomain&);

} // namespace iommusim::dma
