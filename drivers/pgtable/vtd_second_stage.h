// Intel VT-d second-stage tables (the architecture specification's "Second-Stage Paging Entries"): what
// legacy mode uses, and scalable mode for guest-physical addresses.
//
// Does: 3, 4 and 5 levels, 4 KiB, 2 MiB and 1 GiB leaves, read-only and write-only leaves, forced snooping,
// tables given back with the range that covered them, cache cleaning for units whose walks do not snoop, and
// what RadixTable does. Does not: accessed and dirty bits, memory types, execute permission;
// prot_no_execute, prot_mmio and prot_privileged have no counterpart here and change nothing.
#pragma once

#include "drivers/pgtable/radix_table.h"
#include "models/vtd/spec/paging.h"

namespace iommusim::pgtable {

struct VtdSecondStageConfig {
    unsigned levels = 4; ///< 3 to 5, one that CAP.SAGAW lists
    /// 30 to what the levels reach: 39, 48, 57; larger values become that. The least of what is wanted and
    /// CAP.MGAW.
    unsigned input_bits = 48;
    unsigned output_bits = 52; ///< 32 to 52: the host address width
    /// One bit per leaf size to use, out of 4 KiB, 2 MiB, 1 GiB (CAP.SSLPS); 4 KiB is always there.
    std::uint64_t page_sizes = 0x4020'1000;
    bool snoop_control = false; ///< ECAP.SC: coherent mappings set SNP, which is reserved without it
    bool coherent = true;       ///< ECAP.C in legacy mode, PWSNP in scalable mode
    PageTableParameters parameters = {};
};

/// A Format of RadixTable; levels are those of the architecture.
class VtdSecondStageFormat {
public:
    static constexpr unsigned granule_bits = 12;
    static constexpr unsigned stride = 9;
    static constexpr unsigned contiguous_entries = 1;
    static constexpr bool frees_covered_tables = true;

    explicit VtdSecondStageFormat(bool snoop_control) : snoop_control_(snoop_control) {}

    static bool is_valid(std::uint64_t entry) { return (entry & access) != 0; }
    static bool is_table(std::uint64_t entry, unsigned level) { return level > 1 && ps.get(entry) == 0; }
    static std::uint64_t output(std::uint64_t entry) { return address.in_place(entry); }
    /// Allows everything: the leaves decide.
    static std::uint64_t table(std::uint64_t below, unsigned) { return below | access; }
    std::uint64_t attributes(unsigned protection) const;
    static std::uint64_t attributes_of(std::uint64_t leaf) { return leaf & ~(address.mask() | ps.mask()); }
    static std::uint64_t leaf(std::uint64_t output, std::uint64_t attributes, unsigned level) {
        return output | attributes | ps.make(level > 1);
    }

private:
    static constexpr Field address = vtd::spec::paging::address;
    static constexpr Field ps = vtd::spec::second_stage::ps;
    static constexpr std::uint64_t access =
        vtd::spec::second_stage::r.mask() | vtd::spec::second_stage::w.mask();

    bool snoop_control_;
};

extern template class RadixTable<VtdSecondStageFormat>;

class VtdSecondStage final : public RadixTable<VtdSecondStageFormat> {
public:
    /// Allocates the root table on `cpu`. valid() is false if there was no memory for it.
    VtdSecondStage(machine::Cpu& cpu, TlbOps&, const VtdSecondStageConfig& = {});

    /// AW of a context or PASID entry: 1 for 3 levels, 2 for 4, 3 for 5. The root goes beside it.
    unsigned address_width() const { return levels() - 2; }
};

} // namespace iommusim::pgtable
