// One scene for each fault reason that the unit reports: what is in memory and in the registers, and the
// request that is refused for it.
#pragma once

#include "tests/conformance/vtd/vtd_bench.h"

#include <optional>
#include <string>
#include <vector>

namespace iommusim::vtd::test {

/// What a scene finds before it changes something. Page requests go out where `page_request` is set,
/// otherwise a DMA.
class FaultStage {
public:
    static constexpr std::uint64_t page = 0x12'3456'7000;
    static constexpr std::uint64_t output = 0x4000'0000;
    static constexpr std::uint64_t guest_page = 0x5000'0000;
    static constexpr std::uint64_t posted = 0x80'0000; ///< posted-interrupt descriptor
    static constexpr std::uint32_t pasid = 0x23;

    enum class Setting {
        nothing,      ///< an empty root table
        second_stage, ///< `page` leads to `output`; in legacy mode too
        first_stage,  ///< without PASID and with PASID 0x23
        nested,       ///< `page` to `guest_page` to `output`
        pass_through,
        interrupts, ///< entry 3 is remapped, entry 4 is posted
    };
    /// `silent`: context entries and interrupt remapping table entries have FPD set.
    FaultStage(VtdBench& b, Setting setting, bool silent);

    /// FPD added.
    void set(ContextEntry entry) { bench.roots.set(5, entry.with(spec::context::fpd, silent)); }
    void set(ScalableContextEntry entry) {
        bench.scalable_roots.set(5, entry.with(spec::scalable_context::fpd, silent));
    }
    void set_interrupt(std::uint64_t index, Words<2> entry) {
        bench.poke(bench.interrupt_entry(index), entry.with(spec::irte::fpd, silent));
    }
    ScalableContextEntry context() { return bench.peek_words<4>(bench.scalable_roots.context_entry(5)); }
    PasidEntry entry() { return bench.peek_words<8>(bench.pasids(5).entry(0)); }
    void fail(soc::AccessKind kind, std::uint64_t at) { bench.faults().fail(kind, at, 8); }
    void request_interrupt(std::uint64_t index) {
        write = true;
        length = 4;
        address = spec::msi_address::remappable(static_cast<unsigned>(index), false);
    }
    void write_data(std::vector<std::uint8_t> bytes) {
        write = true;
        data = std::move(bytes);
    }

    VtdBench& bench;
    const bool silent;
    std::optional<VtdBench::Table> second;
    std::optional<VtdBench::Table> first; ///< not nested
    std::optional<GuestMemory<VtdBench>> guest;
    std::optional<PageTable<GuestMemory<VtdBench>>> guest_first;

    // The request.
    Requester device = requester(5);
    std::uint64_t address = page;
    bool write = false;
    bool page_request = false;
    unsigned length = 8;
    std::vector<std::uint8_t> data; ///< of a write; empty: `length` zeros
};

struct FaultScene {
    unsigned reason;
    std::uint64_t mode; ///< TTM
    FaultStage::Setting setting;
    void (*change)(FaultStage& stage);
    void (*options)(BenchOptions& options) = nullptr;

    std::string name() const; ///< "Reason05"
};

const std::vector<FaultScene>& fault_scenes();
void PrintTo(const FaultScene& scene, std::ostream* out);

} // namespace iommusim::vtd::test
