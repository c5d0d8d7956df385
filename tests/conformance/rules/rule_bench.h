// What the rules of invalidation are tested on: an IOMMU and its software in words that every architecture
// has. The tests know nothing else of an architecture; whatever differs is in its adapter.
//
// An adapter is a class A, derived from RuleBench, with
//   static RuleTraits describe();           what the tests may expect
//   explicit A(const RuleOptions& options); an enabled unit; devices 5 and 6 translate through spaces 0 and 1
// and one line in architectures.cpp. Every test then runs on it, once for each case its traits allow.
#pragma once

#include "tests/conformance/common/unit_bench.h"

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

namespace iommusim::rules {

using iommusim::test::Dma;
using iommusim::test::pattern;
using iommusim::test::UnitBench;

inline constexpr std::uint64_t page_4k = 1ull << 12;
inline constexpr std::uint64_t page_2m = 1ull << 21;
inline constexpr std::uint64_t page_1g = 1ull << 30;

/// What an invalidation of translations names.
enum class By : std::uint8_t {
    address,    ///< the page that holds an address, in one space
    any_space,  ///< the page that holds an address, in all spaces
    range,      ///< all pages that touch a range, in one space
    space,      ///< all pages of one space
    everything, ///< all pages
};
const char* name_of(By by);

struct Invalidation {
    By by = By::address;
    std::uint64_t address = 0;     ///< range: its first byte
    std::uint64_t bytes = page_4k; ///< range only: 2 to 32 pages, or 2 MiB aligned to its size
    unsigned space = 0;
    bool tables = false; ///< what leads to the pages goes too; space and everything always include it
};

/// What a test wants to be unusual; a model that has no such thing ignores it.
struct RuleOptions {
    soc::InterconnectParameters interconnect;
    Picoseconds link_latency = 0; ///< one way between a port's cache and the rest of the unit, 0: the model's
    unsigned tlb_entries = 0;     ///< of the cache that holds most translations, 0: the model's
    unsigned queue_entries = 16;  ///< at least so many; a power of two
    bool record_faults = true;    ///< false: refused accesses leave no record
};

/// What is particular about an architecture, and how its model is configured here.
struct RuleTraits {
    std::string name;     ///< part of test names: "Smmuv3"
    std::vector<By> ways; ///< the invalidations there are; address, space and everything always
    /// Pages that are one entry, ascending: 4 KiB, 2 MiB, and what there is besides.
    std::vector<std::uint64_t> page_sizes;
    /// Memory reads of a translation that finds nothing in any cache: structures that lead from the device to
    /// its tables, and table entries down to a 4 KiB page, each table resolving 9 bits.
    unsigned configuration_reads;
    unsigned table_reads;
    /// How software learns that a command is done. True: the consumer index passes a command only when it is
    /// done. False: the index tells only that the unit has taken it; a completion record tells for those
    /// before it.
    bool index_covers_effects;
    /// Rule 5: whether what was found not present stays in use until it is invalidated.
    bool caches_absent_pages;
    bool caches_absent_configuration;
    bool global_pages;         ///< there are pages that belong to all spaces
    const char* nearest_cache; ///< TranslationUse::served_by of an access that repeats another
    const char* page_command;  ///< InvalidationEffect::command of By::address
};

class RuleBench {
public:
    static constexpr std::uint32_t device_id = 5;
    static constexpr std::uint32_t other_device_id = 6;
    static constexpr std::uint32_t unconfigured_id = 9; ///< its configuration is not present
    static constexpr unsigned spaces = 2;

    explicit RuleBench(RuleTraits traits) : traits_(std::move(traits)) {}
    virtual ~RuleBench() = default;
    RuleBench(const RuleBench&) = delete;
    RuleBench& operator=(const RuleBench&) = delete;

    static Requester device() { return test::requester(device_id); }
    static Requester other_device() { return test::requester(other_device_id); }

    const RuleTraits& traits() const { return traits_; }
    /// Memory, devices and time.
    virtual UnitBench& unit() = 0;

    // ---- pages: bytes in memory only, nothing is invalidated
    /// Replaces what was there. `bytes` is one of the page sizes; both addresses are aligned to it.
    virtual void map(std::uint64_t address, std::uint64_t output, std::uint64_t bytes = page_4k,
                     unsigned space = 0) = 0;
    /// A 4 KiB page that belongs to all spaces, in the tables of space 0; only with global_pages.
    virtual void map_global(std::uint64_t address, std::uint64_t output);
    virtual void unmap(std::uint64_t address, std::uint64_t bytes = page_4k, unsigned space = 0) = 0;
    /// Where the `read`th table entry of a walk is, from 0; makes the tables above it. 0 in an entry says
    /// that nothing is there.
    virtual std::uint64_t table_entry(std::uint64_t address, unsigned read, unsigned space = 0) = 0;
    /// The read of a walk that finds the leaf of a page of this size.
    unsigned leaf_read(std::uint64_t bytes) const;

    // ---- configuration: bytes in memory only
    /// Makes present what leads a device to a space.
    virtual void attach(std::uint32_t id, unsigned space) = 0;
    /// Leads an attached device to another space, by changing the structure that is read as number `through`.
    virtual void redirect(std::uint32_t id, unsigned space, unsigned through) = 0;
    /// Address of the structure that is read as number `read` for device().
    virtual std::uint64_t configuration_address(unsigned read) = 0;

    // ---- commands: into the queue, without the doorbell; the caller minds that there is room
    void queue(const Invalidation& invalidation);
    void queue_invalidation(std::uint64_t address, By by = By::address, bool tables = false);
    /// Everything that software must invalidate when it has changed the configuration of a device.
    void queue_device_invalidation(std::uint32_t id = device_id);
    /// The same for all devices.
    void queue_configuration_invalidation();
    /// A part of what queue_device_invalidation() covers, on which nobody may rely; there may be none.
    void queue_narrow_device_invalidation(std::uint32_t id);
    /// CMD_SYNC, invalidation wait, COMPLETION_WAIT.
    void queue_completion();
    virtual void ring() = 0;
    /// queue_completion(), ring(), and runs until nothing moves any more.
    void complete();
    /// The same in a program of UnitBench::spawn(), which waits until everything is done.
    void complete_in_program();
    /// What software has to invalidate when it has mapped a page whose absence may be cached. False: nothing.
    bool queue_announcement(std::uint64_t address);

    // ---- what software sees of the commands
    /// Commands that still fit into the queue.
    virtual unsigned room() = 0;
    /// The unit has taken all commands out of the queue.
    virtual bool all_taken() = 0;
    /// How many of all commands, in their order, software must regard as done.
    virtual std::uint64_t done() = 0;
    std::uint64_t queued() const { return queued_; }
    std::uint64_t completions_queued() const { return completions_; }
    /// Commands that report an effect.
    std::uint64_t invalidations_queued() const { return queued_ - completions_; }
    bool all_done() { return done() == queued_; }
    /// All effects have happened, but the completion that was queued last is not there yet. Needs the bench's
    /// probe at the unit.
    bool only_completion_is_missing();

    // ---- what the unit counted
    std::uint64_t walks() { return unit().counter("iommu.walks"); }
    std::uint64_t table_reads() { return unit().counter("iommu.walk_reads"); }

protected:
    // Each puts its commands into the queue and returns how many these were; each command reports one effect.
    virtual unsigned put(const Invalidation& invalidation) = 0;
    virtual unsigned put_device_invalidation(std::uint32_t id) = 0;
    virtual unsigned put_configuration_invalidation() = 0;
    virtual unsigned put_narrow_device_invalidation(std::uint32_t /*id*/) { return 0; }
    /// One command.
    virtual void put_completion() = 0;

private:
    const RuleTraits traits_;
    std::uint64_t queued_ = 0;
    std::uint64_t completions_ = 0;
};

/// An architecture that the tests run on.
struct Architecture {
    RuleTraits traits;
    std::function<std::unique_ptr<RuleBench>(const RuleOptions&)> make;
};
template <class Adapter> Architecture architecture() {
    return {Adapter::describe(),
            [](const RuleOptions& options) { return std::make_unique<Adapter>(options); }};
}
/// All of them; the list is in architectures.cpp.
const std::vector<Architecture>& architectures();

std::ostream& operator<<(std::ostream& out, const Architecture& architecture);
std::string size_name(std::uint64_t bytes); ///< "4K", "2M"

} // namespace iommusim::rules
