// The DMA API of one device: what device drivers call around every transfer.
#pragma once

#include "drivers/dma/dma_domain.h"

namespace iommusim::dma {

struct DmaLimits {
    unsigned dma_bits = 48; ///< address bits that the device can drive, 12 to 64
    /// First try below 4 GiB, as Linux 6.1 does for PCI devices, because some cannot do more although they
    /// say so.
    bool prefer_32bit = false;
    bool coherent = true; ///< the device's accesses are snooped
};

class DmaDevice {
public:
    /// What map_page() returns when there is no address space or memory left, or the arguments are wrong.
    static constexpr std::uint64_t mapping_error = ~0ull;

    struct Statistics {
        std::uint64_t maps = 0;
        std::uint64_t unmaps = 0;
        std::uint64_t failed_maps = 0;
        std::uint64_t bad_unmaps = 0; ///< of what was not, or not wholly, mapped
    };

    /// A device without translation.
    explicit DmaDevice(const DmaParameters& = {});
    /// A device attached to a domain, which must outlive it.
    explicit DmaDevice(DmaDomain&, const DmaLimits& = {});

    Policy policy() const { return domain_ != nullptr ? domain_->policy() : Policy::none; }
    DmaDomain* domain() const { return domain_; }

    /// Makes [physical, physical + size) accessible to the device. Returns the address for the device to use.
    std::uint64_t map_page(machine::Cpu&, std::uint64_t physical, std::uint64_t size, Direction);
    /// Ends what map_page() began; same size and direction. False, and little else, if it was not mapped.
    bool unmap_page(machine::Cpu&, std::uint64_t iova, std::uint64_t size, Direction);

    const Statistics& statistics() const { return statistics_; }

private:
    std::uint64_t allocate(machine::Cpu&, std::uint64_t pages);

    DmaDomain* const domain_ = nullptr;
    const bool coherent_ = true;
    const bool prefer_32bit_ = false;
    const std::uint64_t limit_pfn_ = 0;    ///< last one that the device can address
    const std::uint64_t limit_pfn_32_ = 0; ///< last one below 4 GiB
    const Picoseconds map_call_;
    const Picoseconds unmap_call_;
    Statistics statistics_;
};

} // namespace iommusim::dma
