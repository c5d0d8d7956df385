// VT-d structures as software would write them: root, context and PASID tables, paging structures. Plain
// words, independent of the drivers.
//
// `Memory` is whatever has allocate(bytes, alignment), poke(address, word), poke(address, structure) and
// peek(address): a bench, or the guest-physical memory of one (GuestMemory).
#pragma once

#include "models/base/bits.h"
#include "models/vtd/spec/paging.h"
#include "models/vtd/spec/structures.h"
#include "tests/conformance/common/words.h"

#include <cstdint>

namespace iommusim::vtd::test {

using iommusim::test::Words;

using ContextEntry = Words<spec::context::words>;
using ScalableContextEntry = Words<spec::scalable_context::words>;
using PasidEntry = Words<spec::pasid_entry::words>;

// ---- legacy mode

inline ContextEntry legacy_context(std::uint64_t table, std::uint64_t domain, unsigned levels = 4) {
    return ContextEntry()
        .with(spec::context::p, 1)
        .with(spec::context::aw, spec::address_width::code_of_levels(levels))
        .with(spec::context::did, domain)
        .at(spec::context::slptptr, table);
}
inline ContextEntry legacy_pass_through(std::uint64_t domain, unsigned levels = 4) {
    return legacy_context(0, domain, levels).with(spec::context::tt, spec::context::tt_pass_through);
}

/// A legacy-mode root table; context tables come with the first entry of their bus.
template <class Memory> class LegacyRootTable {
public:
    explicit LegacyRootTable(Memory& memory)
        : memory_(memory), base_(memory.allocate(spec::table_bytes, spec::table_bytes)) {}

    std::uint64_t base() const { return base_; }
    std::uint64_t root_entry(std::uint16_t source) const { return base_ + spec::root::offset(source); }
    std::uint64_t context_entry(std::uint16_t source) {
        std::uint64_t entry = memory_.peek(root_entry(source));
        if (!spec::root::p.get(entry)) {
            entry = memory_.allocate(spec::table_bytes, spec::table_bytes) | spec::root::p.make(1);
            memory_.poke(root_entry(source), entry);
        }
        return spec::root::ctp.in_place(entry) + spec::context::offset(source);
    }
    void set(std::uint16_t source, const ContextEntry& entry) { memory_.poke(context_entry(source), entry); }

private:
    Memory& memory_;
    std::uint64_t base_;
};

// ---- scalable mode

/// Devices with PASIDs and device TLBs; RID_PASID 0.
inline ScalableContextEntry scalable_context(std::uint64_t directory, unsigned directory_size = 0) {
    return ScalableContextEntry()
        .with(spec::scalable_context::p, 1)
        .with(spec::scalable_context::dte, 1)
        .with(spec::scalable_context::paside, 1)
        .with(spec::scalable_context::pdts, directory_size)
        .at(spec::scalable_context::pasiddirptr, directory);
}

inline PasidEntry pasid_entry(std::uint64_t type, std::uint64_t domain) {
    return PasidEntry()
        .with(spec::pasid_entry::p, 1)
        .with(spec::pasid_entry::pgtt, type)
        .with(spec::pasid_entry::did, domain)
        .with(spec::pasid_entry::pwsnp, 1);
}
inline PasidEntry second_stage_pasid(std::uint64_t table, std::uint64_t domain, unsigned levels = 4) {
    return pasid_entry(spec::pasid_entry::pgtt_second_stage, domain)
        .with(spec::pasid_entry::aw, spec::address_width::code_of_levels(levels))
        .at(spec::pasid_entry::slptptr, table);
}
inline PasidEntry first_stage_pasid(std::uint64_t table, std::uint64_t domain, unsigned levels = 4) {
    return pasid_entry(spec::pasid_entry::pgtt_first_stage, domain)
        .with(spec::pasid_entry::flpm, levels - 4)
        .at(spec::pasid_entry::flptptr, table);
}
inline PasidEntry nested_pasid(std::uint64_t first, std::uint64_t second, std::uint64_t domain) {
    return second_stage_pasid(second, domain)
        .with(spec::pasid_entry::pgtt, spec::pasid_entry::pgtt_nested)
        .at(spec::pasid_entry::flptptr, first);
}
inline PasidEntry pass_through_pasid(std::uint64_t domain) {
    return pasid_entry(spec::pasid_entry::pgtt_pass_through, domain)
        .with(spec::pasid_entry::aw, spec::address_width::aw_48_bits);
}

template <class Memory> class ScalableRootTable {
public:
    explicit ScalableRootTable(Memory& memory)
        : memory_(memory), base_(memory.allocate(spec::table_bytes, spec::table_bytes)) {}

    std::uint64_t base() const { return base_; }
    /// The half of the root entry that counts for `source`.
    std::uint64_t root_entry(std::uint16_t source) const {
        return base_ + spec::root::offset(source) + (spec::scalable_root::upper_half(source) ? 8 : 0);
    }
    std::uint64_t context_entry(std::uint16_t source) {
        std::uint64_t entry = memory_.peek(root_entry(source));
        if (!spec::scalable_root::lp.get(entry)) {
            entry = memory_.allocate(spec::table_bytes, spec::table_bytes) | spec::scalable_root::lp.make(1);
            memory_.poke(root_entry(source), entry);
        }
        return spec::scalable_root::lctp.in_place(entry) + spec::scalable_context::offset(source);
    }
    void set(std::uint16_t source, const ScalableContextEntry& entry) {
        memory_.poke(context_entry(source), entry);
    }

private:
    Memory& memory_;
    std::uint64_t base_;
};

/// A PASID directory of one page and its leaf tables; covers the first 2^15 PASIDs.
template <class Memory> class PasidTable {
public:
    static constexpr unsigned directory_size = 2; ///< PDTS: 512 entries

    explicit PasidTable(Memory& memory)
        : memory_(memory), directory_(memory.allocate(spec::table_bytes, spec::table_bytes)) {}

    std::uint64_t directory() const { return directory_; }
    std::uint64_t directory_entry(std::uint32_t pasid) const {
        return directory_ + spec::pasid_directory::offset(pasid);
    }
    std::uint64_t entry(std::uint32_t pasid) {
        std::uint64_t pointer = memory_.peek(directory_entry(pasid));
        if (!spec::pasid_directory::p.get(pointer)) {
            pointer =
                memory_.allocate(spec::table_bytes, spec::table_bytes) | spec::pasid_directory::p.make(1);
            memory_.poke(directory_entry(pasid), pointer);
        }
        return spec::pasid_directory::smptblptr.in_place(pointer) + spec::pasid_entry::offset(pasid);
    }
    void set(std::uint32_t pasid, const PasidEntry& value) { memory_.poke(entry(pasid), value); }

private:
    Memory& memory_;
    std::uint64_t directory_;
};

// ---- paging structures

inline constexpr std::uint64_t second_ro = spec::second_stage::r.make(1);
inline constexpr std::uint64_t second_wo = spec::second_stage::w.make(1);
inline constexpr std::uint64_t second_rw = second_ro | second_wo;
inline constexpr std::uint64_t first_supervisor_ro = spec::first_stage::p.make(1);
inline constexpr std::uint64_t first_supervisor_rw = first_supervisor_ro | spec::first_stage::rw.make(1);
inline constexpr std::uint64_t first_ro = first_supervisor_ro | spec::first_stage::us.make(1);
inline constexpr std::uint64_t first_rw = first_supervisor_rw | spec::first_stage::us.make(1);
/// As drivers write them that do not want to see updates.
inline constexpr std::uint64_t first_used =
    first_rw | spec::first_stage::a.make(1) | spec::first_stage::d.make(1);
/// The same bit in both stages.
inline constexpr std::uint64_t large_page = spec::second_stage::ps.make(1);

/// Tables of one stage, written entry by entry.
template <class Memory> class PageTable {
public:
    /// `table_bits`: what entries have that point to tables.
    PageTable(Memory& memory, unsigned levels, std::uint64_t table_bits)
        : memory_(memory),
          levels_(levels),
          table_bits_(table_bits),
          root_(memory.allocate(spec::table_bytes, spec::table_bytes)) {}

    std::uint64_t root() const { return root_; }
    unsigned levels() const { return levels_; }
    /// Where the entry of `level` for `address` is; tables on the way come into being.
    std::uint64_t entry(std::uint64_t address, unsigned level = 1) {
        std::uint64_t table = root_;
        for (unsigned l = levels_; l > level; --l) {
            const std::uint64_t place = slot(table, address, l);
            std::uint64_t e = memory_.peek(place);
            if (e == 0) {
                e = memory_.allocate(spec::table_bytes, spec::table_bytes) | table_bits_;
                memory_.poke(place, e);
            }
            table = spec::paging::address.in_place(e);
        }
        return slot(table, address, level);
    }
    std::uint64_t get(std::uint64_t address, unsigned level = 1) {
        return memory_.peek(entry(address, level));
    }
    void set(std::uint64_t address, std::uint64_t value, unsigned level = 1) {
        memory_.poke(entry(address, level), value);
    }
    /// Sets `more` in the entry of `level`.
    void add(std::uint64_t address, std::uint64_t more, unsigned level) {
        set(address, get(address, level) | more, level);
    }
    void remove(std::uint64_t address, std::uint64_t bits, unsigned level) {
        set(address, get(address, level) & ~bits, level);
    }
    /// Maps the page of `level` that contains `address`. `bits`: permissions and the like.
    void map(std::uint64_t address, std::uint64_t output, std::uint64_t bits, unsigned level = 1) {
        set(address, output | bits | (level > 1 ? large_page : 0), level);
    }

private:
    static std::uint64_t slot(std::uint64_t table, std::uint64_t address, unsigned level) {
        return table + spec::paging::index(address, level) * spec::paging::entry_bytes;
    }

    Memory& memory_;
    unsigned levels_;
    std::uint64_t table_bits_;
    std::uint64_t root_;
};

/// Guest-physical memory: what is allocated is mapped in a second-stage table, `distance` above where it
/// really is.
template <class Memory> class GuestMemory {
public:
    static constexpr std::uint64_t distance = 0x40'0000'0000;

    GuestMemory(Memory& memory, PageTable<Memory>& second) : memory_(memory), second_(second) {}

    std::uint64_t allocate(std::uint64_t bytes, std::uint64_t alignment) {
        const std::uint64_t host = memory_.allocate(bytes, alignment);
        for (std::uint64_t page = host; page < host + bytes; page += spec::table_bytes)
            second_.map(page + distance, page, second_rw);
        return host + distance;
    }
    void poke(std::uint64_t address, std::uint64_t word) { memory_.poke(host(address), word); }
    std::uint64_t peek(std::uint64_t address) const { return memory_.peek(host(address)); }
    static std::uint64_t host(std::uint64_t address) { return address - distance; }

private:
    Memory& memory_;
    PageTable<Memory>& second_;
};

} // namespace iommusim::vtd::test
