// A queued spinlock as in Linux (qspinlock): fair in the order of arrival, every waiter spins on its own
// line. The host's data that it protects may be touched freely between lock() and unlock().
//
// Costs. Free lock: one atomic, plus a line transfer if another CPU owned it last. Waiting: until the owner's
// unlock plus two line transfers (the owner's store reaches the waiter; the waiter takes the word and tells
// the next in the queue). Unlocking: one cached store.
#pragma once

#include "drivers/machine/lock_statistics.h"
#include "drivers/machine/machine.h"

#include <string>
#include <vector>

namespace iommusim::machine {

class Spinlock {
public:
    /// `name` appears in the machine's lock statistics; locks of equal name are listed as one.
    Spinlock(Machine& machine, std::string name);
    ~Spinlock();
    Spinlock(const Spinlock&) = delete;
    Spinlock& operator=(const Spinlock&) = delete;

    void lock(Cpu& cpu);
    bool try_lock(Cpu& cpu); ///< one attempt: false if somebody owns it or waits for it
    void unlock(Cpu& cpu);

    void lock_irqsave(Cpu& cpu) {
        cpu.disable_interrupts();
        lock(cpu);
    }
    void unlock_irqrestore(Cpu& cpu) {
        unlock(cpu);
        cpu.enable_interrupts();
    }

    bool locked() const { return holder_ != nullptr; }
    bool held_by(const Cpu& cpu) const { return holder_ == &cpu; }
    const LockStatistics& statistics() const { return statistics_; }

private:
    struct Waiter {
        Cpu* cpu;
        bool granted = false;
        Picoseconds from = 0; ///< owns the lock from here on, valid if granted
    };
    void wait_for_turn(Cpu& cpu);
    void acquired(Cpu& cpu);

    Machine& machine_;
    Cpu* holder_ = nullptr;
    const Cpu* line_owner_ = nullptr; ///< whose cache the lock word is in
    Picoseconds free_from_ = 0;       ///< local time of the last unlock
    Picoseconds acquired_at_ = 0;
    std::vector<Waiter*> waiters_; ///< in the order of arrival
    LockStatistics statistics_;
};

/// Holds a lock for a scope.
class SpinlockGuard {
public:
    SpinlockGuard(Spinlock& lock, Cpu& cpu) : lock_(lock), cpu_(cpu) { lock_.lock(cpu_); }
    ~SpinlockGuard() { lock_.unlock(cpu_); }
    SpinlockGuard(const SpinlockGuard&) = delete;
    SpinlockGuard& operator=(const SpinlockGuard&) = delete;

private:
    Spinlock& lock_;
    Cpu& cpu_;
};

/// Holds a lock for a scope, with interrupts masked.
class SpinlockIrqGuard {
public:
    SpinlockIrqGuard(Spinlock& lock, Cpu& cpu) : lock_(lock), cpu_(cpu) { lock_.lock_irqsave(cpu_); }
    ~SpinlockIrqGuard() { lock_.unlock_irqrestore(cpu_); }
    SpinlockIrqGuard(const SpinlockIrqGuard&) = delete;
    SpinlockIrqGuard& operator=(const SpinlockIrqGuard&) = delete;

private:
    Spinlock& lock_;
    Cpu& cpu_;
};

/// Masks interrupts for a scope.
class InterruptsDisabled {
public:
    explicit InterruptsDisabled(Cpu& cpu) : cpu_(cpu) { cpu_.disable_interrupts(); }
    ~InterruptsDisabled() { cpu_.enable_interrupts(); }
    InterruptsDisabled(const InterruptsDisabled&) = delete;
    InterruptsDisabled& operator=(const InterruptsDisabled&) = delete;

private:
    Cpu& cpu_;
};

} // namespace iommusim::machine
