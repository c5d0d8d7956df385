// A one-shot software timer: a callback that runs on a CPU as software, with its costs, some time from now.
#pragma once

#include "drivers/machine/cpu.h"

#include <functional>

namespace iommusim::machine {

/// Behaves like a timer of an operating system kernel: the callback runs with interrupts enabled, not nested
/// in another timer, as soon as its CPU reaches the expiry and does not mask interrupts: when idle, blocked,
/// or at the next synchronize(). Neither copied nor moved; disarm before destroying it while its CPU can
/// still run.
class Timer {
public:
    using Callback = std::function<void(Cpu&)>;

    Timer() = default;
    explicit Timer(Callback callback) : callback_(std::move(callback)) {}
    ~Timer() { cancel(); }
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    /// Expires on `cpu` at its time() + `delay`. An armed timer is moved. The callback may arm the timer
    /// again.
    void arm(Cpu& cpu, Picoseconds delay);
    void arm(Cpu& cpu, Picoseconds delay, Callback callback);
    /// Expires on `cpu` at the absolute time `when`; for software that arms a timer of another CPU.
    void arm_at(Cpu& cpu, Picoseconds when);
    /// True if it was armed; then the callback does not run.
    bool cancel();

    bool armed() const { return cpu_ != nullptr; }
    Picoseconds expiry() const { return expiry_; } ///< valid while armed

private:
    friend class Cpu;

    Callback callback_;
    Cpu* cpu_ = nullptr;
    Picoseconds expiry_ = 0;
};

} // namespace iommusim::machine
