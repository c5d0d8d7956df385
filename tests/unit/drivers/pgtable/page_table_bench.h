// What tests of page tables stand on: a machine, one table of some format, a log of what it asked its TLB to
// do, and a walker that judges it.
#pragma once

#include "drivers/pgtable/arm_lpae_s1.h"
#include "drivers/pgtable/vtd_first_stage.h"
#include "drivers/pgtable/vtd_second_stage.h"

#include "tests/unit/drivers/pgtable/reference_walker.h"

#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

namespace iommusim::test {

namespace page_sizes {
inline constexpr std::uint64_t k4 = 1ull << 12;
inline constexpr std::uint64_t m2 = 1ull << 21;
inline constexpr std::uint64_t g1 = 1ull << 30;
inline constexpr unsigned rw = dma::prot_read | dma::prot_write | dma::prot_coherent;
} // namespace page_sizes

/// What a test may choose whatever the format.
struct TableOptions {
    unsigned output_bits = 48;
    std::uint64_t page_sizes = page_sizes::k4 | page_sizes::m2 | page_sizes::g1;
    bool hints = false;   ///< where the format has them
    bool coherent = true; ///< where the format lets one choose
};

struct Format {
    const char* name;
    std::unique_ptr<pgtable::IoPageTable> (*make)(machine::Cpu&, pgtable::TlbOps&, const TableOptions&);
    Walked (*walk)(const PlainRam&, const pgtable::IoPageTable&, std::uint64_t iova);
};

inline std::ostream& operator<<(std::ostream& out, const Format& format) { return out << format.name; }

inline constexpr Format arm_lpae_s1 = {
    "ArmLpaeS1",
    [](machine::Cpu& cpu, pgtable::TlbOps& tlb,
       const TableOptions& o) -> std::unique_ptr<pgtable::IoPageTable> {
        pgtable::ArmLpaeS1Config config;
        config.output_bits = o.output_bits;
        config.page_sizes = o.page_sizes;
        config.contiguous_hint = o.hints;
        return std::make_unique<pgtable::ArmLpaeS1>(cpu, tlb, config);
    },
    [](const PlainRam& ram, const pgtable::IoPageTable& table, std::uint64_t iova) {
        const auto registers = static_cast<const pgtable::ArmLpaeS1&>(table).registers();
        return walk(ram, registers.ttb, registers.t0sz, iova);
    }};

/// Both stages of VT-d take the same options.
template <class Table, class Config>
std::unique_ptr<pgtable::IoPageTable> make_vtd(machine::Cpu& cpu, pgtable::TlbOps& tlb,
                                               const TableOptions& o) {
    Config config;
    config.output_bits = o.output_bits;
    config.page_sizes = o.page_sizes;
    config.coherent = o.coherent;
    return std::make_unique<Table>(cpu, tlb, config);
}

inline constexpr Format vtd_second_stage = {
    "VtdSecondStage", make_vtd<pgtable::VtdSecondStage, pgtable::VtdSecondStageConfig>,
    [](const PlainRam& ram, const pgtable::IoPageTable& table, std::uint64_t iova) {
        const auto& t = static_cast<const pgtable::VtdSecondStage&>(table);
        return walk_vtd_second_stage(ram, t.root(), t.levels(), iova);
    }};

inline constexpr Format vtd_first_stage = {
    "VtdFirstStage", make_vtd<pgtable::VtdFirstStage, pgtable::VtdFirstStageConfig>,
    [](const PlainRam& ram, const pgtable::IoPageTable& table, std::uint64_t iova) {
        const auto& t = static_cast<const pgtable::VtdFirstStage&>(table);
        return walk_vtd_first_stage(ram, t.root(), t.levels(), iova);
    }};

inline constexpr Format formats[] = {arm_lpae_s1, vtd_second_stage, vtd_first_stage};

class RecordingTlb : public pgtable::TlbOps {
public:
    struct Range {
        std::uint64_t iova;
        std::uint64_t size;
        std::size_t pages_in_use;   ///< of the machine, at the time of the call
        std::size_t freed_tables{}; ///< in the gather, at the time of the call
    };
    explicit RecordingTlb(machine::Machine& m) : machine_(m) {}
    void add_page(machine::Cpu&, std::uint64_t iova, std::uint64_t size, dma::Gather& gather) override {
        leaves.push_back({iova, size, machine_.pages().pages_in_use(), gather.free_pages.size()});
    }
    void flush_walk(machine::Cpu&, std::uint64_t iova, std::uint64_t size, std::uint64_t) override {
        walks.push_back({iova, size, machine_.pages().pages_in_use()});
    }
    std::vector<Range> leaves;
    std::vector<Range> walks;

private:
    machine::Machine& machine_;
};

class PageTableBench : public testing::Test {
protected:
    using Factory = std::function<std::unique_ptr<pgtable::IoPageTable>(machine::Cpu&, pgtable::TlbOps&)>;

    /// A fresh machine with nothing but one table on it.
    void make(const Format& f, const Factory& factory, unsigned cpus = 1, std::uint64_t ram = 16u << 20) {
        sc_core::sc_curr_simcontext = nullptr;
        format = &f;
        bench = std::make_unique<DriverBench>(cpus, ram);
        tlb = std::make_unique<RecordingTlb>(bench->machine);
        bench->run([&](machine::Cpu& cpu) { table = factory(cpu, *tlb); });
    }
    void make(const Format& f, const TableOptions& options = {}, unsigned cpus = 1,
              std::uint64_t ram = 16u << 20) {
        make(
            f, [&](machine::Cpu& cpu, pgtable::TlbOps& ops) { return f.make(cpu, ops, options); }, cpus, ram);
    }
    void run(const std::function<void(machine::Cpu&)>& program) { bench->run(program); }
    Walked walk(std::uint64_t iova) const { return format->walk(bench->ram, *table, iova); }
    dma::Status map(machine::Cpu& cpu, std::uint64_t iova, std::uint64_t physical, std::uint64_t size,
                    std::size_t count = 1, unsigned protection = page_sizes::rw) {
        mapped = 0;
        return table->map_pages(cpu, iova, physical, size, count, protection, mapped);
    }
    std::uint64_t unmap(machine::Cpu& cpu, std::uint64_t iova, std::uint64_t size, std::size_t count = 1) {
        dma::Gather gather;
        return table->unmap_pages(cpu, iova, size, count, gather);
    }
    /// The machine's allocator serves nobody but the table.
    std::size_t pages_in_use() const { return bench->machine.pages().pages_in_use(); }
    template <class Action> static Picoseconds cost_of(machine::Cpu& cpu, const Action& action) {
        const Picoseconds before = cpu.time();
        action();
        return cpu.time() - before;
    }

    const Format* format = nullptr;
    std::unique_ptr<DriverBench> bench;
    std::unique_ptr<RecordingTlb> tlb;
    std::unique_ptr<pgtable::IoPageTable> table;
    std::uint64_t mapped = 0;
};

} // namespace iommusim::test
