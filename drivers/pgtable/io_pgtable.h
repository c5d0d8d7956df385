// Page tables of a device's address space, as software writes them: what every format offers to a vendor
// driver, and what the vendor driver must offer back.
//
// Rules of use are those of an IOMMU driver without a lock around its tables: calls for disjoint ranges may
// run on several CPUs at once; map and unmap of the same range at the same time is a bug of the caller.
#pragma once

#include "drivers/dma/iommu_domain.h"
#include "drivers/machine/cpu.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace iommusim::pgtable {

/// CPU time of the table code itself; loads, stores, barriers, cleaned lines and page allocations come on
/// top, from CpuParameters.
struct PageTableParameters {
    PageTableParameters() { set_defaults(*this); }
    static const std::vector<Parameter<PageTableParameters>>& table();

    std::uint64_t map_call;   ///< fixed part of one map_pages(), ps
    std::uint64_t unmap_call; ///< fixed part of one unmap_pages(), ps
    std::uint64_t walk_call;  ///< fixed part of one iova_to_phys(), ps
};

/// What the tables need from the vendor driver when live entries go away.
class TlbOps {
public:
    virtual ~TlbOps() = default;
    /// A leaf of `size` bytes at `iova` was removed, or a table that served so many: collect the range in the
    /// gather, invalidate at the next sync. Tables to free after it may be in gather.free_pages already, but
    /// not yet those of this range: a sync that makes room must free only what was gathered before.
    virtual void add_page(machine::Cpu&, std::uint64_t iova, std::uint64_t size, dma::Gather&) = 0;
    /// A table that served [iova, iova + size) was unhooked and its pages are not in a gather, because a
    /// block takes its place or the format frees tables at once: invalidate leaves and walk caches of the
    /// range and wait; the table's pages are reused when this returns. `granule` is the smallest leaf that
    /// may have been below it.
    virtual void flush_walk(machine::Cpu&, std::uint64_t iova, std::uint64_t size, std::uint64_t granule) = 0;
};

class IoPageTable {
public:
    virtual ~IoPageTable() = default;

    /// One bit per leaf size.
    virtual std::uint64_t page_sizes() const = 0;
    /// First address beyond the input range.
    virtual std::uint64_t input_end() const = 0;

    /// Maps up to `count` leaves of one size, at most to the end of the table page that holds the first of
    /// them: the caller loops. `mapped` grows by the bytes mapped. Errors: invalid_argument (size not
    /// supported, address unaligned or out of range, neither read nor write), already_mapped (a leaf is in
    /// the way; nothing of this call was written), no_memory.
    virtual dma::Status map_pages(machine::Cpu&, std::uint64_t iova, std::uint64_t physical,
                                  std::uint64_t page_size, std::size_t count, unsigned protection,
                                  std::uint64_t& mapped) = 0;

    /// Removes up to `count` entries of `page_size`, at most to the end of their table page. Returns the
    /// bytes removed; less than asked means the end of the table page or a hole, 0 a hole at `iova` (or no
    /// memory to split a block). A table where a leaf of `page_size` could be is removed with all that is
    /// below it, holes or not; a block of which only a part shall go is split.
    ///
    /// Formats that free covered tables (VT-d) also remove every table whose whole input range lies in
    /// [iova, iova + count * page_size), and put the pages of removed tables into gather.free_pages: whoever
    /// invalidates the gather's range, or flushes everything later if it is `queued`, frees them then, and
    /// must invalidate walk caches if there are any. Other formats (Arm) keep tables that become empty, and
    /// free removed ones at once after TlbOps::flush_walk().
    virtual std::uint64_t unmap_pages(machine::Cpu&, std::uint64_t iova, std::uint64_t page_size,
                                      std::size_t count, dma::Gather&) = 0;

    /// Software walk; ~0 if not mapped.
    virtual std::uint64_t iova_to_phys(machine::Cpu&, std::uint64_t iova) = 0;

    /// Gives all table pages back. The hardware must have stopped using them; nothing else may be called
    /// afterwards.
    virtual void release(machine::Cpu&) = 0;
};

} // namespace iommusim::pgtable
