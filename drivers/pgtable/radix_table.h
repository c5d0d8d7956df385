// The engine of every page-table format: a radix tree of 64-bit entries in simulated memory, written the way
// Linux's io-pgtable does: leaves are plain stores, a new table is hooked in by compare-and-exchange so that
// two CPUs may race, the loser gives its page back.
//
// Does: leaves at any level, a block over an existing table (table unhooked, walk caches flushed, subtree
// freed), part of a block unmapped (block split), several adjacent root tables, hints on runs of contiguous
// leaves, tables given back with the range that covered them, walks that do not snoop the CPUs' caches. Does
// not: a root that grows, entries that skip a level, leaves that need several equal entries.
//
// Levels count from 1, the tables of the smallest leaves, to `levels`, the root: whatever a specification
// counts like, its format translates.
//
// What a Format is: a copyable class, stateless or with a few flags, that knows entries and nothing else.
//     static constexpr unsigned granule_bits, stride;   log2 of the bytes of the smallest leaf and table; of
//                                                       the entries of a table
//     static constexpr unsigned contiguous_entries;     leaves of a hinted run, 1: there are no hints
//     static constexpr bool frees_covered_tables;       see IoPageTable::unmap_pages(); wants 4 KiB tables
//     bool is_valid(entry), is_table(entry, level)      is_table() is only asked for valid entries
//     uint64 output(entry)                              of a table its address, of a leaf what it maps
//     uint64 table(address, level)                      the entry of `level` that names the table below it
//     uint64 attributes(protection)                     of a leaf, whatever its level
//     uint64 attributes_of(leaf)                        the same, read back; without a hint
//     uint64 leaf(output, attributes, level)
// and with contiguous_entries > 1
//     bool uses_hints(), has_hint(leaf), uint64 with_hint(leaf), without_hint(leaf)
// Calls are resolved, and inlined, where the format's source file includes radix_table_code.h and
// instantiates RadixTable.
#pragma once

#include "drivers/pgtable/io_pgtable.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace iommusim::pgtable {

/// One tree. The formats check what they fill in here.
struct RadixTableConfig {
    unsigned levels;
    /// Width of an input address. More than `levels` tables resolve makes the root several adjacent tables.
    unsigned input_bits;
    unsigned output_bits;     ///< width of an output address
    std::uint64_t page_sizes; ///< one bit per leaf size; the granule is added, what the tree lacks is dropped
    /// Walks see what is in the CPUs' caches. Otherwise every line with a written entry is cleaned, and a new
    /// table before it is hooked in.
    bool coherent = true;
    PageTableParameters parameters = {};
};

template <class Format> class RadixTable : public IoPageTable {
public:
    /// False if there was no memory for the root, and after release().
    bool valid() const { return root_ != no_table; }
    std::uint64_t root() const { return root_; } ///< physical address of the root table
    unsigned levels() const { return config_.levels; }

    std::uint64_t page_sizes() const final { return config_.page_sizes; }
    std::uint64_t input_end() const final { return input_last_ + 1; }
    dma::Status map_pages(machine::Cpu&, std::uint64_t iova, std::uint64_t physical, std::uint64_t page_size,
                          std::size_t count, unsigned protection, std::uint64_t& mapped) final;
    std::uint64_t unmap_pages(machine::Cpu&, std::uint64_t iova, std::uint64_t page_size, std::size_t count,
                              dma::Gather&) final;
    std::uint64_t iova_to_phys(machine::Cpu&, std::uint64_t iova) final;
    void release(machine::Cpu&) final;

    /// Tables that are hooked in, those of the root included.
    std::size_t tables() const { return tables_; }

protected:
    /// Allocates the root on `cpu`.
    RadixTable(machine::Cpu& cpu, TlbOps&, const Format&, const RadixTableConfig&);
    ~RadixTable() override = default;

    const RadixTableConfig& config() const { return config_; }

private:
    static constexpr std::uint64_t no_table = ~0ull;
    static constexpr std::uint64_t entry_bytes = 8;
    static constexpr std::uint64_t granule = 1ull << Format::granule_bits;
    static constexpr unsigned entries_per_table = 1u << Format::stride;

    struct Position {
        std::uint64_t table; ///< physical address of the table
        unsigned level;
    };

    /// A table of level 1 that was reached lately, so that the host need not read the tables above it again.
    /// The walk costs simulated time all the same.
    struct ReachedTable {
        std::uint64_t region = no_table; ///< input address divided by what the table covers
        std::uint64_t table = no_table;
    };

    /// Also log2 of the bytes that one entry of `level` stands for.
    static constexpr unsigned level_shift(unsigned level) {
        return Format::granule_bits + Format::stride * (level - 1);
    }
    static constexpr std::uint64_t level_size(unsigned level) { return 1ull << level_shift(level); }
    static constexpr std::uint64_t entry_address(std::uint64_t table, std::uint64_t index) {
        return table + entry_bytes * index;
    }
    unsigned level_of(std::uint64_t page_size) const;
    unsigned entries(unsigned level) const {
        return level == config_.levels ? root_entries_ : entries_per_table;
    }
    unsigned index(std::uint64_t iova, unsigned level) const {
        return static_cast<unsigned>(iova >> level_shift(level)) & (entries(level) - 1);
    }
    bool is_leaf(std::uint64_t entry, unsigned level) const {
        return format_.is_valid(entry) && !format_.is_table(entry, level);
    }
    bool uses_hints() const {
        if constexpr (Format::contiguous_entries > 1)
            return format_.uses_hints();
        else
            return false;
    }
    bool supported(std::uint64_t page_size) const;

    bool reached_before(machine::Cpu&, std::uint64_t iova, Position&) const;
    void remember(std::uint64_t iova, std::uint64_t table);
    void write_entry(machine::Cpu&, std::uint64_t entry, std::uint64_t value);
    void clean(machine::Cpu&, std::uint64_t address, std::uint64_t bytes);

    std::uint64_t allocate_table(machine::Cpu&);
    void free_table(machine::Cpu&, std::uint64_t table);
    template <class Give>
    void give_subtree(machine::Cpu&, std::uint64_t table, unsigned level, const Give& give);
    std::uint64_t install_table(machine::Cpu&, Position, std::uint64_t iova, std::uint64_t expected,
                                std::uint64_t table);
    void remove_table(machine::Cpu&, std::uint64_t entry, std::uint64_t value, unsigned level,
                      std::uint64_t iova);
    void defer_table(machine::Cpu&, std::uint64_t value, unsigned level, dma::Gather&);

    dma::Status write_leaves(machine::Cpu&, Position, std::uint64_t iova, std::uint64_t physical,
                             std::size_t count, std::uint64_t attributes);
    bool completes_a_run(unsigned first, std::size_t count, unsigned index, std::uint64_t output,
                         unsigned level) const;
    std::uint64_t clear_entries(machine::Cpu&, Position, std::uint64_t iova, std::size_t count, dma::Gather&);
    std::uint64_t split_block(machine::Cpu&, Position, std::uint64_t block, std::uint64_t iova,
                              std::uint64_t page_size, std::size_t& count);
    void drop_hint(machine::Cpu&, Position, unsigned run);

    TlbOps& tlb_;
    Format format_;
    RadixTableConfig config_;
    std::uint64_t input_last_;
    unsigned root_entries_;
    std::uint64_t root_ = no_table;
    std::size_t tables_ = 0;
    std::array<ReachedTable, 64> reached_; ///< by region; emptied whenever a table is unhooked
};

} // namespace iommusim::pgtable
