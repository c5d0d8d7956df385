// VMSAv8-64 stage-1 tables with the 4 KiB granule (Arm SMMUv3, chapter 3 and Arm ARM D8), written the way
// Linux's io-pgtable does: entries are plain stores, a new table is hooked in by compare-and-exchange so that
// two CPUs may race, the loser gives its page back.
//
// Does: 4 KiB, 2 MiB and 1 GiB leaves, a block over an existing table (table unhooked, walk caches flushed,
// subtree freed), part of a block unmapped (block split), optional contiguous hints. Walks are coherent: no
// cache cleaning. Does not: 16 and 64 KiB granules, 52-bit addresses, TTB1, freeing of tables that became
// empty (Linux neither).
#pragma once

#include "drivers/pgtable/io_pgtable.h"

#include <array>

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

class ArmLpaeS1 final : public IoPageTable {
public:
    /// Allocates the start-level table on `cpu`. valid() is false if there was no memory for it.
    ArmLpaeS1(machine::Cpu& cpu, TlbOps&, const ArmLpaeS1Config& = {});

    bool valid() const { return root_ != no_table; }
    ArmLpaeS1Registers registers() const;

    std::uint64_t page_sizes() const override { return config_.page_sizes; }
    std::uint64_t input_end() const override { return 1ull << config_.input_bits; }
    dma::Status map_pages(machine::Cpu&, std::uint64_t iova, std::uint64_t physical, std::uint64_t page_size,
                          std::size_t count, unsigned protection, std::uint64_t& mapped) override;
    std::uint64_t unmap_pages(machine::Cpu&, std::uint64_t iova, std::uint64_t page_size, std::size_t count,
                              dma::Gather&) override;
    std::uint64_t iova_to_phys(machine::Cpu&, std::uint64_t iova) override;
    void release(machine::Cpu&) override;

    /// Table pages in use, the start-level table included.
    std::size_t tables() const { return tables_; }

private:
    static constexpr std::uint64_t no_table = ~0ull;

    struct Position {
        std::uint64_t table; ///< physical address of the table page
        unsigned level;
    };

    /// A page table that was reached lately, so that the host need not read the tables above it again. The
    /// walk costs simulated time all the same.
    struct ReachedTable {
        std::uint64_t region = no_table; ///< input address divided by what the table covers
        std::uint64_t table = no_table;
    };

    bool supported(std::uint64_t page_size) const;
    bool reached_before(machine::Cpu&, std::uint64_t iova, Position&) const;
    void remember(std::uint64_t iova, std::uint64_t table);
    std::uint64_t allocate_table(machine::Cpu&);
    void free_table(machine::Cpu&, std::uint64_t table);
    void free_subtree(machine::Cpu&, std::uint64_t table, unsigned level);
    std::uint64_t install_table(machine::Cpu&, std::uint64_t entry, std::uint64_t expected,
                                std::uint64_t table);
    dma::Status write_leaves(machine::Cpu&, Position, std::uint64_t iova, std::uint64_t physical,
                             std::size_t count, std::uint64_t attributes);
    void remove_table(machine::Cpu&, std::uint64_t entry, std::uint64_t descriptor, unsigned level,
                      std::uint64_t iova);
    std::uint64_t clear_entries(machine::Cpu&, Position, std::uint64_t iova, std::size_t count, dma::Gather&);
    std::uint64_t split_block(machine::Cpu&, Position, std::uint64_t descriptor, std::uint64_t iova,
                              std::uint64_t page_size, std::size_t& count);
    void drop_hint(machine::Cpu&, Position, unsigned index);

    TlbOps& tlb_;
    ArmLpaeS1Config config_;
    unsigned start_level_;
    std::uint64_t root_ = no_table;
    std::size_t tables_ = 0;
    std::array<ReachedTable, 64> reached_; ///< by region; emptied whenever a table is unhooked
};

} // namespace iommusim::pgtable
