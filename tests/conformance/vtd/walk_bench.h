// Page walks with nothing but a memory around them.
#pragma once

#include "models/soc/memory.h"
#include "models/vtd/page_walk.h"
#include "models/vtd/spec/faults.h"
#include "tests/conformance/vtd/structures.h"
#include "tests/unit/core/core_bench.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <utility>

namespace iommusim::vtd::test {

/// A memory with room to allocate from, and the port of a unit that reads it.
struct TableBench : iommusim::test::ProcessOwner {
    soc::Memory memory{"memory"};
    MemoryPort port{"port", queue};
    Parameters parameters;
    Features features;

    explicit TableBench(const sc_core::sc_module_name& name = "bench") : ProcessOwner(name) {
        port.socket.bind(memory.socket);
    }

    std::uint64_t allocate(std::uint64_t bytes, std::uint64_t alignment) {
        next_free_ = align_up(next_free_, alignment);
        const std::uint64_t result = next_free_;
        next_free_ += bytes;
        return result;
    }
    void poke(std::uint64_t address, std::uint64_t word) {
        std::memcpy(memory.bytes() + address, &word, sizeof word);
    }
    template <std::size_t N> void poke(std::uint64_t address, const Words<N>& structure) {
        std::memcpy(memory.bytes() + address, structure.words.data(), sizeof structure.words);
    }
    std::uint64_t peek(std::uint64_t address) const {
        std::uint64_t word = 0;
        std::memcpy(&word, memory.bytes() + address, sizeof word);
        return word;
    }
    std::uint64_t reads() const { return memory.statistics().reads; }
    soc::FaultInjector& faults() { return memory.fault_injector(); }
    /// Does something `delay` from now.
    void later(Picoseconds delay, std::function<void()> action) {
        actions_.push_back(std::move(action));
        queue.schedule(
            now() + delay, [](void* f) { (*static_cast<std::function<void()>*>(f))(); }, &actions_.back());
    }

private:
    std::uint64_t next_free_ = 0x10'0000;
    std::deque<std::function<void()>> actions_;
};

struct WalkBench : TableBench {
    using Table = PageTable<TableBench>;

    Configuration configuration;
    InflightTable inflight{queue};
    std::unique_ptr<PageWalk> walker;
    Picoseconds taken = 0; ///< by the last walk

    PageWalk& walks() {
        if (!walker)
            walker = std::make_unique<PageWalk>(parameters, features, port, queue);
        return *walker;
    }
    /// Features and parameters have changed, or caches are to be empty.
    void renew() { walker.reset(); }

    // ---- configurations
    void use_legacy(const Table& table, std::uint16_t domain = 7) {
        configuration = Configuration{};
        configuration.kind = Configuration::Kind::second_stage;
        configuration.domain = domain;
        configuration.second_levels = static_cast<std::uint8_t>(table.levels());
        configuration.second_root = table.root();
    }
    void use_second_stage(const Table& table, std::uint16_t domain = 7) {
        use_legacy(table, domain);
        configuration.scalable = true;
    }
    template <class AnyTable>
    void use_first_stage(const AnyTable& table, std::uint32_t pasid = 3, std::uint16_t domain = 9) {
        configuration = Configuration{};
        configuration.kind = Configuration::Kind::first_stage;
        configuration.scalable = true;
        configuration.domain = domain;
        configuration.pasid = pasid;
        configuration.first_levels = static_cast<std::uint8_t>(table.levels());
        configuration.first_root = table.root();
    }
    template <class AnyTable> void use_nested(const AnyTable& first, const Table& second) {
        use_first_stage(first);
        configuration.kind = Configuration::Kind::nested;
        configuration.second_levels = static_cast<std::uint8_t>(second.levels());
        configuration.second_root = second.root();
    }

    // ---- walks
    static WalkRequest reading(std::uint64_t address) { return WalkRequest{address, false, false}; }
    static WalkRequest writing(std::uint64_t address) { return WalkRequest{address, true, false}; }
    static WalkRequest privileged(std::uint64_t address, bool write) {
        return WalkRequest{address, write, true};
    }

    Process timed(WalkRequest request, WalkResult& result, bool& stale) {
        InflightTable::Entry entry;
        inflight.enter(entry);
        Pace pace(Pacing::timed, queue);
        const Picoseconds began = now();
        co_await walks().walk(pace, configuration, request, entry, result);
        co_await pace.settle();
        taken = now() - began;
        stale = entry.stale;
    }
    WalkResult walk(const WalkRequest& request) {
        WalkResult result;
        bool stale = false;
        timed(request, result, stale).start(queue, now());
        run();
        return result;
    }
    WalkResult walk_untimed(Pacing pacing, const WalkRequest& request) {
        InflightTable::Entry entry;
        inflight.enter(entry);
        Pace pace(pacing, queue);
        WalkResult result;
        walks().walk_at_once(pace, configuration, request, entry, result);
        taken = pace.offset();
        return result;
    }
    WalkResult walk_loosely(const WalkRequest& request) { return walk_untimed(Pacing::loose, request); }

    /// The fault of a walk that begins with empty caches, which is the same whatever its pace.
    unsigned fault(const WalkRequest& request) {
        walks().invalidate_scope(TagScope::everything());
        const unsigned debug = walk_untimed(Pacing::debug, request).reason;
        const unsigned loose = walk_loosely(request).reason;
        const unsigned timed_reason = walk(request).reason;
        EXPECT_EQ(loose, timed_reason);
        // Only walks that change nothing can get by without the right to update.
        const bool update = timed_reason == spec::fault_reason::sm_first_stage_no_snoop_update ||
                            timed_reason == spec::fault_reason::sm_second_stage_no_snoop_update ||
                            timed_reason == spec::fault_reason::sm_first_stage_update ||
                            timed_reason == spec::fault_reason::sm_second_stage_update ||
                            timed_reason == spec::fault_reason::sm_nested_write_permission;
        EXPECT_EQ(debug, update ? spec::fault_reason::none : timed_reason);
        return timed_reason;
    }
    static constexpr std::uint64_t refused = ~0ull;
    /// Where the address leads, or `refused`; the same whatever the pace.
    std::uint64_t translate(const WalkRequest& request) {
        const std::uint64_t debug = output(request, walk_untimed(Pacing::debug, request));
        const std::uint64_t loose = output(request, walk_loosely(request));
        const std::uint64_t timed_output = output(request, walk(request));
        EXPECT_EQ(loose, timed_output);
        EXPECT_EQ(debug, timed_output);
        return timed_output;
    }
    /// A walk for `address` reads one entry of every level of `table`, and every bit of it counts.
    void expect_geometry(Table& table, std::uint64_t address, std::uint64_t leaf) {
        constexpr std::uint64_t page = 0x1'4000'0000;
        parameters.structure_cache_entries = 0;
        table.map(address, page, leaf);
        const std::uint64_t before = walks().entry_reads();
        EXPECT_EQ(translate(reading(address | 0xabc)), page | 0xabc);
        EXPECT_EQ(walks().entry_reads() - before, 2 * table.levels()) << "loose and timed";
        for (unsigned bit = 12; bit < std::min(spec::paging::input_bits(table.levels()), 47u); ++bit)
            EXPECT_EQ(translate(reading(address ^ (1ull << bit))), refused) << "bit " << bit;
    }
    static std::uint64_t output(const WalkRequest& request, const WalkResult& result) {
        return result.reason != 0 ? refused
                                  : result.entry.output + (request.address & (result.entry.size() - 1));
    }
};

} // namespace iommusim::vtd::test
