// A 64-bit word that several CPUs operate on atomically, alone in its cache line. The value lives on the
// host, its costs are modelled: which CPU's cache holds the line, who has to fetch it, and who queues while
// it is on its way.
//
// Every operation synchronizes first, so operations of different CPUs take effect in the order of their local
// times. A CPU that holds the line exclusively pays `atomic` (read-modify-write) or `cached_access` (load,
// store). Otherwise the line is fetched: that costs `line_transfer` and queues behind fetches that are under
// way. This is what makes compare-and-exchange loops collapse when many CPUs run them. A store leaves through
// the store buffer: its CPU pays `cached_access`, the line is busy for the transfer.
#pragma once

#include "drivers/machine/machine.h"

#include <bitset>
#include <cstdint>
#include <vector>

namespace iommusim::machine {

class SharedWord {
public:
    explicit SharedWord(std::uint64_t value = 0) : value_(value) {}
    SharedWord(const SharedWord&) = delete;
    SharedWord& operator=(const SharedWord&) = delete;

    std::uint64_t load(Cpu& cpu);
    void store(Cpu& cpu, std::uint64_t value);

    /// All read-modify-write operations return the value before.
    std::uint64_t exchange(Cpu& cpu, std::uint64_t value);
    /// Writes `desired` if the value is `expected`: success if the returned value equals `expected`. A
    /// failure fetches the line all the same.
    std::uint64_t compare_exchange(Cpu& cpu, std::uint64_t expected, std::uint64_t desired);
    std::uint64_t fetch_add(Cpu& cpu, std::uint64_t value);
    std::uint64_t fetch_sub(Cpu& cpu, std::uint64_t value) { return fetch_add(cpu, 0 - value); }
    std::uint64_t fetch_or(Cpu& cpu, std::uint64_t value);
    std::uint64_t fetch_and(Cpu& cpu, std::uint64_t value);
    std::uint64_t fetch_xor(Cpu& cpu, std::uint64_t value);

    /// Spins until `done(value)` and returns that value. No simulation work per iteration: `done` is a pure
    /// function of the value (it is called by whoever changes the word). CPUs that wait for the same change
    /// see it in the order in which they began to wait. No value that satisfies `done` is missed, however
    /// short it lasts.
    template <class Predicate> std::uint64_t wait_until(Cpu& cpu, const Predicate& done) {
        const std::uint64_t value = load(cpu);
        if (done(value))
            return value;
        return wait_for(cpu, &done, [](const void* predicate, std::uint64_t v) {
            return static_cast<bool>((*static_cast<const Predicate*>(predicate))(v));
        });
    }

    std::uint64_t peek() const { return value_; } ///< for observers: no time, no effect
    std::uint64_t operations() const { return operations_; }
    std::uint64_t transfers() const { return transfers_; } ///< times the line had to be fetched by a CPU

private:
    using Test = bool (*)(const void* predicate, std::uint64_t value);
    struct Waiter {
        Cpu* cpu;
        const void* predicate;
        Test test;
        bool satisfied = false;
        std::uint64_t value = 0; ///< the one that satisfied it
        Picoseconds seen = 0;    ///< when it reached the waiter's cache
    };

    void own(Cpu& cpu); ///< the line becomes exclusive to `cpu`, which waits for it
    void changed(Picoseconds at) {
        if (!waiters_.empty())
            tell_waiters(at);
    }
    void tell_waiters(Picoseconds at);
    std::uint64_t wait_for(Cpu& cpu, const void* predicate, Test test);

    std::uint64_t value_;
    const Cpu* owner_ = nullptr;                 ///< holds the line exclusively
    std::bitset<Machine::maximum_cpus> sharers_; ///< hold a copy to read, valid without an owner
    Picoseconds busy_until_ = 0;                 ///< the line is on its way to somebody
    std::vector<Waiter*> waiters_;               ///< in the order in which they began to wait
    std::uint64_t operations_ = 0;
    std::uint64_t transfers_ = 0;
};

} // namespace iommusim::machine
