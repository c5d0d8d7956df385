// Calls of a page table that may end early, at the end of a table page, repeated until the range is done.
#pragma once

#include "drivers/pgtable/io_pgtable.h"

namespace iommusim::pgtable {

/// Contract of dma::IommuDomain::map_pages().
dma::Status map_range(IoPageTable&, machine::Cpu&, std::uint64_t iova, std::uint64_t physical,
                      std::uint64_t page_size, std::size_t count, unsigned protection, std::uint64_t& mapped);

/// Contract of dma::IommuDomain::unmap_pages().
std::uint64_t unmap_range(IoPageTable&, machine::Cpu&, std::uint64_t iova, std::uint64_t page_size,
                          std::size_t count, dma::Gather&);

} // namespace iommusim::pgtable
