// The IOMMU API between the DMA layer and a vendor driver: what an address space of a device can do. The
// contract is Linux's: when map returns, the device may use the mapping; when a synchronous unmap returns, no
// translation of the range exists anywhere any more.
#pragma once

#include "drivers/machine/cpu.h"

#include <cstdint>
#include <vector>

namespace iommusim::dma {

enum Protection : unsigned {
    prot_read = 1,     ///< the device may read
    prot_write = 2,    ///< the device may write
    prot_coherent = 4, ///< cacheable, snooped
    prot_no_execute = 8,
    prot_mmio = 16,
    prot_privileged = 32,
};

enum class Status { ok, invalid_argument, no_memory, already_mapped, not_mapped };

/// Unmapped but not yet invalidated: collected on the caller's stack, given to iotlb_sync() as one.
struct Gather {
    std::uint64_t start = ~0ull; ///< first byte
    std::uint64_t end = 0;       ///< last byte, inclusive
    std::uint64_t page_size = 0; ///< leaf size of everything gathered, 0: empty
    bool queued = false; ///< a later flush_iotlb_all() covers this unmap: nothing needs to be collected
    std::vector<std::uint64_t> free_pages; ///< page-table pages to free after the sync

    bool empty() const { return page_size == 0; }
    void add(std::uint64_t iova, std::uint64_t size);
    /// True if [iova, iova + size) neither overlaps nor touches what was gathered.
    bool disjoint(std::uint64_t iova, std::uint64_t size) const;
    void reset();
};

class IommuDomain {
public:
    virtual ~IommuDomain() = default;

    virtual const char* name() const = 0;
    /// One bit per supported page size.
    virtual std::uint64_t page_sizes() const = 0;
    /// First address beyond the domain's input range.
    virtual std::uint64_t aperture_end() const = 0;

    /// Maps `count` pages of one size. `mapped` grows by what was mapped even when an error is returned.
    virtual Status map_pages(machine::Cpu&, std::uint64_t iova, std::uint64_t physical,
                             std::uint64_t page_size, std::size_t count, unsigned protection,
                             std::uint64_t& mapped) = 0;
    /// Removes up to `count` pages; returns the bytes removed (0 at a hole). Leaves go into the gather unless
    /// it is `queued`; it may sync the gather when the range or page size breaks it.
    virtual std::uint64_t unmap_pages(machine::Cpu&, std::uint64_t iova, std::uint64_t page_size,
                                      std::size_t count, Gather&) = 0;

    /// Invalidates what was gathered and waits; empties the gather.
    virtual void iotlb_sync(machine::Cpu&, Gather&) = 0;
    /// Makes new mappings usable where hardware caches their absence or needs a write-buffer flush.
    virtual void iotlb_sync_map(machine::Cpu&, std::uint64_t iova, std::uint64_t size) = 0;
    /// Invalidates every translation of the domain and waits.
    virtual void flush_iotlb_all(machine::Cpu&) = 0;

    /// Software walk; ~0 if not mapped.
    virtual std::uint64_t iova_to_phys(machine::Cpu&, std::uint64_t iova) = 0;
};

/// Watches what the software stack does and promises; times are the calling CPU's local times.
class DmaObserver {
public:
    virtual ~DmaObserver() = default;
    virtual void on_map(const IommuDomain&, std::uint64_t /*iova*/, std::uint64_t /*size*/,
                        std::uint64_t /*physical*/, Picoseconds) {}
    /// Page-table entries of the range are about to be removed.
    virtual void on_unmap(const IommuDomain&, std::uint64_t /*iova*/, std::uint64_t /*size*/, Picoseconds) {}
    /// The API has told its caller that the device cannot reach the range any more (strict: unmap returns).
    virtual void on_unmap_promised(const IommuDomain&, std::uint64_t /*iova*/, std::uint64_t /*size*/,
                                   Picoseconds) {}
    /// Lazy mode: unmap returned, but the range stays reachable until on_unmap_promised() for it.
    virtual void on_unmap_deferred(const IommuDomain&, std::uint64_t /*iova*/, std::uint64_t /*size*/,
                                   Picoseconds) {}
};

/// One synchronous invalidation as the driver saw it: from the decision to invalidate to the observed
/// completion.
struct InvalidationRecord {
    /// Instead of queue positions: the invalidation went through registers.
    static constexpr std::uint32_t no_queue = ~0u;

    unsigned cpu;
    std::uint32_t first_index;      ///< queue position of its first command, wrap bit included
    std::uint32_t completion_index; ///< queue position of its completion command, wrap bit included
    unsigned commands;              ///< commands before the completion command
    Picoseconds began;
    Picoseconds observed;
};

class InvalidationObserver {
public:
    virtual ~InvalidationObserver() = default;
    virtual void on_invalidation_complete(const InvalidationRecord&) = 0;
};

} // namespace iommusim::dma
