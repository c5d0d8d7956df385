// VMSAv8-64 stage-1 tables with the 4 KiB granule (Arm SMMUv3, chapter 3 and Arm ARM D8).
//
// Does: 4 KiB, 2 MiB and 1 GiB leaves, optional contiguous hints, and what RadixTable does. Walks are
// coherent: no cache cleaning. Does not: 16 and 64 KiB granules, 52-bit addresses, TTB1, freeing of tables
// that became empty (Linux neither).
#pragma once

#include "drivers/pgtable/radix_table.h"
#include "models/smmuv3/spec/translation_table.h"

namespace iommusim::pgtable {

struct ArmLpaeS1Config {
    unsigned input_bits = 48;  ///< 25 to 48; decides the start level
    unsigned output_bits = 48; ///< 32 to 48
    /// One bit per leaf size to use, out of 4 KiB, 2 MiB, 1 GiB; 4 KiB is always there.
    std::uint64_t page_sizes = 0x4020'1000;
    /// Set the Contiguous bit where 16 aligned entries map an aligned run. Unmapping part of such a run
    /// rewrites its other entries in place, which needs an SMMU with BBML >= 1.
    bool contiguous_hint = false;
    PageTableParameters parameters = {};
};

/// What the vendor driver puts into the context descriptor. Field encodings are those of the CD.
struct ArmLpaeS1Registers {
    std::uint64_t ttb;  ///< physical address of the start-level table
    unsigned t0sz;      ///< 64 - input bits
    unsigned tg0;       ///< 0: 4 KiB
    unsigned ir0;       ///< 1: write-back, write-allocate
    unsigned or0;       ///< 1: write-back, write-allocate
    unsigned sh0;       ///< 3: inner shareable
    unsigned ips;       ///< output address size: 0 32, 1 36, 2 40, 3 42, 4 44, 5 48 bits
    std::uint64_t mair; ///< bytes 0 non-cacheable, 1 write-back, 2 device nGnRE, 3 system cache
};

/// A Format of RadixTable. Its level 1 is level 3 of the architecture.
class ArmLpaeS1Format {
public:
    static constexpr unsigned granule_bits = 12;
    static constexpr unsigned stride = 9;
    static constexpr unsigned contiguous_entries = 16; // the same at every level
    static constexpr bool frees_covered_tables = false;

    explicit ArmLpaeS1Format(bool contiguous_hint) : contiguous_hint_(contiguous_hint) {}

    static bool is_valid(std::uint64_t entry) { return valid.get(entry) != 0; }
    static bool is_table(std::uint64_t entry, unsigned level) {
        return level > 1 && type.get(entry) == type_table;
    }
    static std::uint64_t output(std::uint64_t entry) { return address.in_place(entry); }
    static std::uint64_t table(std::uint64_t below, unsigned) { return below | type_table; }
    static std::uint64_t attributes(unsigned protection);
    static std::uint64_t attributes_of(std::uint64_t leaf) {
        return without_hint(leaf) & ~(address.mask() | type.mask());
    }
    static std::uint64_t leaf(std::uint64_t output, std::uint64_t attributes, unsigned level) {
        return output | attributes | (level == 1 ? type_page : type_block);
    }

    bool uses_hints() const { return contiguous_hint_; }
    static bool has_hint(std::uint64_t leaf) { return contiguous.get(leaf) != 0; }
    static std::uint64_t with_hint(std::uint64_t leaf) { return contiguous.put(leaf, 1); }
    static std::uint64_t without_hint(std::uint64_t leaf) { return contiguous.put(leaf, 0); }

private:
    static constexpr Field valid = smmuv3::spec::descriptor::valid;
    static constexpr Field type = smmuv3::spec::descriptor::type;
    static constexpr std::uint64_t type_table = smmuv3::spec::descriptor::type_table;
    static constexpr std::uint64_t type_block = smmuv3::spec::descriptor::type_block;
    static constexpr std::uint64_t type_page = smmuv3::spec::descriptor::type_page;
    static constexpr Field address = smmuv3::spec::descriptor::address_4k;
    static constexpr Field contiguous = smmuv3::spec::stage1_leaf::contiguous;

    bool contiguous_hint_;
};

extern template class RadixTable<ArmLpaeS1Format>;

class ArmLpaeS1 final : public RadixTable<ArmLpaeS1Format> {
public:
    /// Allocates the start-level table on `cpu`. valid() is false if there was no memory for it.
    ArmLpaeS1(machine::Cpu& cpu, TlbOps&, const ArmLpaeS1Config& = {});

    ArmLpaeS1Registers registers() const;
};

} // namespace iommusim::pgtable
