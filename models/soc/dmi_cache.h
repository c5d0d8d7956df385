// The host pointers that a bus master got through TLM-2.0 direct memory access, one entry per 4 KiB page.
//
// Models: nothing of the hardware; it makes loosely-timed accesses cheap without changing which ones are
// allowed. Does not model: a device TLB. A grant is dropped when the target revokes it, as TLM-2.0 demands.
// C++17: public to foreign virtual platforms.
#pragma once

#include "../base/time.h"
#include "../core/requester.h"

#include <cstdint>
#include <tlm>
#include <vector>

namespace iommusim::soc {

class DmiCache {
public:
    static constexpr unsigned page_shift = 12;
    static constexpr std::size_t entry_count = 1024;

    struct Entry {
        std::uint64_t page = ~0ull; ///< never a page number: addresses have 64 bits
        std::uint32_t requester = 0;
        std::uint32_t pasid = 0;
        std::uint32_t attributes = 0;
        bool readable = false;
        bool writable = false;
        std::uint8_t* bytes = nullptr; ///< of the page's first byte
        Picoseconds read_latency = 0;
        Picoseconds write_latency = 0;
    };

    /// The entry that allows the access, or nullptr. The access must not cross a page.
    const Entry* find(const Requester& requester, bool write, std::uint64_t address) const {
        if (entries_.empty())
            return nullptr;
        const std::uint64_t page = address >> page_shift;
        const Entry& e = entries_[page % entry_count];
        if (e.page != page || e.requester != requester.id || e.pasid != requester.pasid ||
            e.attributes != attributes(requester) || !(write ? e.writable : e.readable))
            return nullptr;
        return &e;
    }

    /// Remembers the page of `address` from a grant, if the grant covers the whole page.
    void insert(const Requester& requester, std::uint64_t address, const tlm::tlm_dmi& dmi);
    /// Forgets every page that overlaps [first, last].
    void invalidate(std::uint64_t first, std::uint64_t last);
    void clear() { entries_.clear(); }

private:
    static std::uint32_t attributes(const Requester& r) {
        return static_cast<std::uint32_t>(r.has_pasid) | static_cast<std::uint32_t>(r.privileged) << 1 |
               static_cast<std::uint32_t>(r.instruction) << 2 |
               static_cast<std::uint32_t>(r.address_type) << 3;
    }

    std::vector<Entry> entries_; ///< direct mapped by page number; empty until the first grant
};

} // namespace iommusim::soc
