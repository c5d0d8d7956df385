#include "drivers/pgtable/map_range.h"

#include <algorithm>

namespace iommusim::pgtable {

dma::Status map_range(IoPageTable& tables, machine::Cpu& cpu, std::uint64_t iova, std::uint64_t physical,
                      std::uint64_t page_size, std::size_t count, unsigned protection,
                      std::uint64_t& mapped) {
    while (count > 0) {
        std::uint64_t done = 0;
        const dma::Status status = tables.map_pages(cpu, iova, physical, page_size, count, protection, done);
        mapped += done;
        if (status != dma::Status::ok || done == 0)
            return status;
        iova += done;
        physical += done;
        count -= std::min<std::size_t>(count, done / page_size);
    }
    return dma::Status::ok;
}

std::uint64_t unmap_range(IoPageTable& tables, machine::Cpu& cpu, std::uint64_t iova, std::uint64_t page_size,
                          std::size_t count, dma::Gather& gather) {
    std::uint64_t total = 0;
    while (count > 0) {
        const std::uint64_t done = tables.unmap_pages(cpu, iova, page_size, count, gather);
        if (done == 0)
            break;
        total += done;
        iova += done;
        count -= std::min<std::size_t>(count, done / page_size);
        if (done % page_size != 0)
            break;
    }
    return total;
}

} // namespace iommusim::pgtable
