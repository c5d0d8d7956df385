#include "models/soc/dmi_cache.h"

namespace iommusim::soc {

void DmiCache::insert(const Requester& requester, std::uint64_t address, const tlm::tlm_dmi& dmi) {
    const std::uint64_t page = address >> page_shift;
    const std::uint64_t first = page << page_shift;
    const std::uint64_t last = first + (1ull << page_shift) - 1;
    if (dmi.get_start_address() > first || dmi.get_end_address() < last)
        return;
    if (entries_.empty())
        entries_.resize(entry_count);
    Entry& e = entries_[page % entry_count];
    e.page = page;
    e.requester = requester.id;
    e.pasid = requester.pasid;
    e.attributes = attributes(requester);
    e.readable = dmi.is_read_allowed();
    e.writable = dmi.is_write_allowed();
    e.bytes = dmi.get_dmi_ptr() + (first - dmi.get_start_address());
    e.read_latency = to_picoseconds(dmi.get_read_latency());
    e.write_latency = to_picoseconds(dmi.get_write_latency());
}

void DmiCache::invalidate(std::uint64_t first, std::uint64_t last) {
    if (entries_.empty())
        return;
    const std::uint64_t first_page = first >> page_shift;
    const std::uint64_t last_page = last >> page_shift;
    if (last_page - first_page < entry_count) {
        for (std::uint64_t page = first_page; page <= last_page; ++page)
            if (Entry& e = entries_[page % entry_count]; e.page == page)
                e.page = ~0ull;
        return;
    }
    for (Entry& e : entries_)
        if (e.page >= first_page && e.page <= last_page)
            e.page = ~0ull;
}

} // namespace iommusim::soc
