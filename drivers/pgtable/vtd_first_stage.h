// Intel VT-d first-stage tables, which are those of an x86-64 processor (the architecture specification's
// "First-Stage Paging Entries"), as Linux fills them: accessed bits are set beforehand, dirty bits where the
// leaf may be written, so that the unit has none to update.
//
// Does: 4 and 5 levels, the lower canonical half of the address space, 4 KiB, 2 MiB and 1 GiB leaves, user
// and supervisor leaves, tables given back with the range that covered them, cache cleaning for units whose
// walks do not snoop, and what RadixTable does. Does not: global leaves, memory types, execute-disable (gone
// from later revisions); prot_coherent, prot_no_execute and prot_mmio change nothing. What may be written may
// be read: the format cannot say otherwise.
#pragma once

#include "drivers/pgtable/radix_table.h"
#include "models/vtd/spec/paging.h"

namespace iommusim::pgtable {

struct VtdFirstStageConfig {
    unsigned levels = 4; ///< 4, or 5 with CAP.FL5LP
    /// 39 to 47 with 4 levels, to 56 with 5; larger values become that. The upper half would be the addresses
    /// whose upper bits are ones.
    unsigned input_bits = 47;
    unsigned output_bits = 52; ///< 32 to 52: the host address width
    /// One bit per leaf size to use, out of 4 KiB, 2 MiB, 1 GiB (CAP.FL1GP); 4 KiB is always there.
    std::uint64_t page_sizes = 0x4020'1000;
    bool coherent = true; ///< the PASID entry's PWSNP
    PageTableParameters parameters = {};
};

/// A Format of RadixTable; levels are those of the architecture.
class VtdFirstStageFormat {
public:
    static constexpr unsigned granule_bits = 12;
    static constexpr unsigned stride = 9;
    static constexpr unsigned contiguous_entries = 1;
    static constexpr bool frees_covered_tables = true;

    static bool is_valid(std::uint64_t entry) { return p.get(entry) != 0; }
    static bool is_table(std::uint64_t entry, unsigned level) { return level > 1 && ps.get(entry) == 0; }
    static std::uint64_t output(std::uint64_t entry) { return address.in_place(entry); }
    /// Allows everything: the leaves decide.
    static std::uint64_t table(std::uint64_t below, unsigned) { return below | table_bits; }
    static std::uint64_t attributes(unsigned protection);
    static std::uint64_t attributes_of(std::uint64_t leaf) { return leaf & ~(address.mask() | ps.mask()); }
    static std::uint64_t leaf(std::uint64_t output, std::uint64_t attributes, unsigned level) {
        return output | attributes | ps.make(level > 1);
    }

private:
    static constexpr Field address = vtd::spec::paging::address;
    static constexpr Field ps = vtd::spec::first_stage::ps;
    static constexpr Field p = vtd::spec::first_stage::p;
    static constexpr std::uint64_t table_bits = p.mask() | vtd::spec::first_stage::rw.mask() |
                                                vtd::spec::first_stage::us.mask() |
                                                vtd::spec::first_stage::a.mask();
};

extern template class RadixTable<VtdFirstStageFormat>;

class VtdFirstStage final : public RadixTable<VtdFirstStageFormat> {
public:
    /// Allocates the root table on `cpu`. valid() is false if there was no memory for it.
    VtdFirstStage(machine::Cpu& cpu, TlbOps&, const VtdFirstStageConfig& = {});

    /// First-stage paging mode of a PASID entry: 0 for 4 levels, 1 for 5. The root goes beside it.
    unsigned paging_mode() const { return levels() - 4; }
};

} // namespace iommusim::pgtable
