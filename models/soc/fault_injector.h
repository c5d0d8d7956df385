// Faults that a test or a scenario puts into a memory: failing ranges, poisoned bytes, slow ranges, held
// accesses.
//
// Models: ranges of bytes with a rule each; rules may overlap, then delays add up and any failure fails the
// access. Does not model: error rates, correctable errors, faults in the interconnect. C++17: public to
// foreign virtual platforms.
#pragma once

#include "../base/time.h"

#include <cstdint>
#include <functional>
#include <vector>

namespace iommusim::soc {

/// Which accesses a rule concerns.
enum class AccessKind : std::uint8_t { read = 1, write = 2, any = 3 };

class FaultInjector {
public:
    using Id = std::uint32_t;

    /// Matching accesses answer TLM_GENERIC_ERROR_RESPONSE and move no byte. Ranges are [base, base + size);
    /// an empty one matches nothing.
    Id fail(AccessKind kind, std::uint64_t base, std::uint64_t size);
    /// Reads that touch a poisoned byte answer TLM_GENERIC_ERROR_RESPONSE. A byte is cured by overwriting it.
    Id poison(std::uint64_t base, std::uint64_t size);
    /// Matching accesses take `extra` longer; decided when the request arrives.
    Id delay(AccessKind kind, std::uint64_t base, std::uint64_t size, Picoseconds extra);
    /// Changes the delay of a rule made by delay(), for requests that arrive from now on.
    void set_delay(Id id, Picoseconds extra);
    /// Matching accesses that reach their completion time stay there, without effect, until release().
    Id hold(AccessKind kind, std::uint64_t base, std::uint64_t size);
    /// Ends a hold: what it held takes effect and completes now, in order of arrival.
    void release(Id id) { remove(id); }

    /// Ends a rule of any kind; an unknown id is ignored.
    void remove(Id id);
    /// Ends all rules.
    void clear();

    // ---- for the memory that obeys the rules
    bool any() const { return !rules_.empty(); }
    bool fails(AccessKind kind, std::uint64_t address, std::uint64_t length) const;
    bool held(AccessKind kind, std::uint64_t address, std::uint64_t length) const;
    Picoseconds extra_delay(AccessKind kind, std::uint64_t address, std::uint64_t length) const;
    /// These bytes were written: no longer poisoned.
    void overwritten(std::uint64_t address, std::uint64_t length);
    /// Narrows [first, last], which contains `address`, to a part without rules. When `address` has a rule,
    /// returns false and narrows to that rule's range.
    bool clip_to_faultless(std::uint64_t address, std::uint64_t& first, std::uint64_t& last) const;

    /// Called with each new range [first, last], and after a rule ended.
    std::function<void(std::uint64_t, std::uint64_t)> on_added;
    std::function<void()> on_removed;

private:
    enum class Effect : std::uint8_t { failure, poison, delay, hold };
    struct Rule {
        Id id;
        Effect effect;
        AccessKind kind;
        std::uint64_t first;
        std::uint64_t last;
        Picoseconds extra;

        bool matches(AccessKind k, std::uint64_t address, std::uint64_t length) const {
            return (static_cast<unsigned>(kind) & static_cast<unsigned>(k)) != 0 && length != 0 &&
                   address <= last && address + (length - 1) >= first;
        }
    };

    Id add(Effect effect, AccessKind kind, std::uint64_t base, std::uint64_t size, Picoseconds extra);

    std::vector<Rule> rules_;
    Id next_id_ = 1;
};

} // namespace iommusim::soc
