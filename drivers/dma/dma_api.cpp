#include "drivers/dma/dma_api.h"

#include "models/base/bits.h"

#include <algorithm>
#include <utility>

namespace iommusim::dma {
namespace {

unsigned protection_of(Direction direction, bool coherent) {
    const unsigned p = coherent ? prot_coherent : 0u;
    switch (direction) {
    case Direction::to_device:
        return p | prot_read;
    case Direction::from_device:
        return p | prot_write;
    case Direction::bidirectional:
        break;
    }
    return p | prot_read | prot_write;
}

} // namespace

DmaDevice::DmaDevice(const DmaParameters& parameters)
    : map_call_(parameters.map_call), unmap_call_(parameters.unmap_call) {}

DmaDevice::DmaDevice(DmaDomain& domain, const DmaLimits& limits)
    : domain_(&domain),
      coherent_(limits.coherent),
      prefer_32bit_(limits.prefer_32bit),
      limit_pfn_(std::min(low_bits(limits.dma_bits), domain.iommu().aperture_end() - 1) >>
                 domain.granule_bits()),
      limit_pfn_32_(low_bits(32) >> domain.granule_bits()),
      map_call_(domain.parameters().map_call),
      unmap_call_(domain.parameters().unmap_call) {}

std::uint64_t DmaDevice::allocate(machine::Cpu& cpu, std::uint64_t pages) {
    iova::Allocator& allocator = domain_->allocator();
    if (prefer_32bit_ && limit_pfn_ > limit_pfn_32_) {
        // Not worth emptying everybody's caches: there is room above.
        const std::uint64_t pfn = allocator.allocate(cpu, pages, limit_pfn_32_, true, false);
        if (pfn != iova::Allocator::failed)
            return pfn;
    }
    return allocator.allocate(cpu, pages, limit_pfn_);
}

std::uint64_t DmaDevice::map_page(machine::Cpu& cpu, std::uint64_t physical, std::uint64_t size,
                                  Direction direction) {
    cpu.synchronize();
    cpu.spend(map_call_);
    if (domain_ == nullptr) {
        ++statistics_.maps;
        return physical;
    }
    const std::uint64_t granule = 1ull << domain_->granule_bits();
    const std::uint64_t offset = physical & (granule - 1);
    const std::uint64_t bytes = align_up(size + offset, granule);
    const std::uint64_t pfn =
        size == 0 || bytes < size ? iova::Allocator::failed : allocate(cpu, bytes >> domain_->granule_bits());
    if (pfn == iova::Allocator::failed) {
        ++statistics_.failed_maps;
        return mapping_error;
    }
    const std::uint64_t iova = pfn << domain_->granule_bits();
    const Status status = iommu_map(cpu, domain_->iommu(), iova, physical - offset, bytes,
                                    protection_of(direction, coherent_), domain_->page_split());
    if (status != Status::ok) {
        domain_->allocator().free(cpu, pfn, bytes >> domain_->granule_bits());
        ++statistics_.failed_maps;
        return mapping_error;
    }
    ++statistics_.maps;
    if (DmaObserver* observer = domain_->observer())
        observer->on_map(domain_->iommu(), iova, bytes, physical - offset, cpu.time());
    return iova + offset;
}

bool DmaDevice::unmap_page(machine::Cpu& cpu, std::uint64_t iova, std::uint64_t size, Direction) {
    cpu.synchronize();
    cpu.spend(unmap_call_);
    ++statistics_.unmaps;
    if (domain_ == nullptr)
        return true;
    IommuDomain& iommu = domain_->iommu();
    const std::uint64_t granule = 1ull << domain_->granule_bits();
    const std::uint64_t offset = iova & (granule - 1);
    const std::uint64_t start = iova - offset;
    const std::uint64_t bytes = align_up(size + offset, granule);
    // Linux needs the physical address for cache maintenance and bounce buffers, and pays for the walk in any
    // case.
    if (iommu.iova_to_phys(cpu, start) == ~0ull) {
        ++statistics_.bad_unmaps;
        return false;
    }
    DmaObserver* const observer = domain_->observer();
    if (observer != nullptr)
        observer->on_unmap(iommu, start, bytes, cpu.time());

    Gather gather;
    FlushQueue* const queue = domain_->flush_queue();
    gather.queued = queue != nullptr;
    const bool whole = iommu_unmap_fast(cpu, iommu, start, bytes, gather, domain_->page_split()) == bytes;
    if (!whole)
        ++statistics_.bad_unmaps;

    if (queue != nullptr) {
        if (observer != nullptr)
            observer->on_unmap_deferred(iommu, start, bytes, cpu.time());
        queue->queue(cpu, start, bytes, std::move(gather.free_pages));
        return whole;
    }
    iommu.iotlb_sync(cpu, gather);
    if (observer != nullptr)
        observer->on_unmap_promised(iommu, start, bytes, cpu.time());
    domain_->allocator().free(cpu, start >> domain_->granule_bits(), bytes >> domain_->granule_bits());
    return whole;
}

} // namespace iommusim::dma
