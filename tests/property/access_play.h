// Software and devices that carry out random operations, a plain record of what was mapped when, and the
// judgement of every access by that record.
#pragma once

#include "tests/property/access_operation.h"

#include <deque>
#include <string>
#include <vector>

namespace iommusim::rules {

/// What the software under test does wrong on purpose.
enum class Mistake { none, no_tlb_invalidation, no_completion, no_configuration_invalidation };

class Play {
public:
    /// Carries out everything and judges it.
    Play(RuleBench& bench, const std::vector<Operation>& operations, Mistake mistake);
    /// The bench that it wants.
    static RuleOptions options();

    /// Empty if every access did what it may; otherwise what the first did.
    const std::string& divergence() const { return divergence_; }
    unsigned judged() const { return judged_; }
    unsigned stale() const { return stale_; } ///< accesses that used what was no longer mapped

private:
    static constexpr Picoseconds never = ~0ull;

    /// Something that held from `from` to `replaced` and may have been used until `gone`.
    struct Mapping {
        std::uint64_t page;
        std::uint64_t pages;
        std::uint64_t target; ///< output page of the first page
        Picoseconds from;
        Picoseconds usable; ///< later than `from` where absence is cached
        Picoseconds replaced = never;
        Picoseconds gone = never;
        bool covered = false; ///< by an invalidation that the next completion completes
        bool holds(std::uint64_t p) const { return p >= page && p - page < pages; }
    };
    /// The same, of the space that a device was led to.
    struct Binding {
        unsigned space;
        Picoseconds from;
        Picoseconds replaced = never;
        Picoseconds gone = never;
        bool covered = false;
    };
    struct Access {
        const Dma* dma;
        Operation operation;
        Picoseconds begun;
        std::uint64_t token; ///< of a write: what it writes
    };

    // ---- software
    void carry_out(const Operation& o);
    void map(const Operation& o);
    void remove(unsigned space, Mapping& mapping);
    void break_before_make(unsigned space, std::uint64_t first);
    void access(const Operation& o);
    void invalidate(const Operation& o);
    void retarget(const Operation& o);
    void complete();
    Mapping* current(unsigned space, std::uint64_t page);

    // ---- commands, as far as the mistake lets them be issued
    void wait_for_room();
    void issue(const Invalidation& invalidation);
    template <class Queue> void issue_configuration(Queue queue);
    template <class Matches> void cover(unsigned space, Matches matches);
    void cover_binding(unsigned device);

    // ---- judgement
    void judge();
    void judge(const Access& a);
    void judge(const test::RecordingProbe::Observed& o);
    bool may_use(const Access& a, std::uint64_t target, bool mapped) const;
    bool may_be_refused(const Access& a) const;
    std::vector<std::uint64_t> places_of(std::uint64_t token) const;
    void diverge(const Access& a, const std::string& what);

    RuleBench& bench_;
    UnitBench& unit_;
    const Mistake mistake_;
    soc::FaultInjector::Id table_delay_;
    soc::FaultInjector::Id data_delay_;
    std::deque<Mapping> mappings_[2]; ///< by space
    std::deque<Binding> bindings_[2]; ///< by device
    std::vector<Access> accesses_;
    std::string divergence_;
    unsigned judged_ = 0;
    unsigned stale_ = 0;
};

} // namespace iommusim::rules
