// Spinning on memory and registers.
#include "drivers/machine/cpu.h"
#include "drivers/machine/machine.h"

#include <algorithm>

namespace iommusim::machine {

namespace {
Picoseconds round_up(Picoseconds t, Picoseconds period) { return (t + period - 1) / period * period; }
} // namespace

/// While it exists, `cpu` wakes up when somebody writes the line of `address`.
class Cpu::Watch {
public:
    Watch(Cpu& cpu, std::uint64_t address)
        : cpu_(cpu),
          address_(address),
          monitor_(cpu.machine_.line_monitor()),
          shared_(cpu.machine_.cpus() > 1) {
        if (shared_)
            cpu_.machine_.start_polling(address_, cpu_);
        if (monitor_ != nullptr)
            monitor_->watch(address_, cpu_.wake_);
    }
    ~Watch() {
        if (monitor_ != nullptr)
            monitor_->unwatch(address_, cpu_.wake_);
        if (shared_)
            cpu_.machine_.stop_polling(address_, cpu_);
    }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    /// After an interrupt handler that may have polled the same line and taken the watch away.
    void renew() {
        if (monitor_ != nullptr) {
            monitor_->unwatch(address_, cpu_.wake_);
            monitor_->watch(address_, cpu_.wake_);
        }
    }

private:
    Cpu& cpu_;
    std::uint64_t address_;
    LineMonitor* monitor_;
    bool shared_; ///< there are other CPUs, whose stores the machine tells of
};

bool Cpu::poll_memory(std::uint64_t address, unsigned bytes, const std::function<bool(std::uint64_t)>& done,
                      Picoseconds timeout) {
    bytes = std::clamp(bytes, 1u, 8u);
    const Picoseconds start = time();
    const Picoseconds deadline = timeout < never - start ? start + timeout : never;
    const Picoseconds period = parameters_.poll_period;
    // The watch is set before the first look, so no write falls between a look and the sleep that follows it.
    Watch watch(*this, address);
    Picoseconds visible = start + 1; // the first iteration's end sees what is there already
    for (;;) {
        if (done(peek(address, bytes))) {
            // Found ahead of local time: what is there at local time counts.
            if (local_ > kernel_time()) {
                synchronize();
                if (!done(peek(address, bytes))) {
                    watch.renew();
                    continue;
                }
            }
            advance_to(start + round_up(std::max(visible, local_) - start, period));
            return true;
        }
        if (kernel_time() >= deadline) {
            advance_to(deadline);
            return false;
        }
        if (attention_ <= local_) {
            deliver();
            watch.renew();
        } else {
            Picoseconds until = std::min(deadline, attention_);
            if (machine_.line_monitor() == nullptr) {
                // Nothing tells of writes: look at the first iteration after anything has happened.
                const Picoseconds next = std::max(next_activity(), local_ + 1);
                if (next < until)
                    until = start + round_up(next - start, period);
            }
            sleep(until);
        }
        visible = kernel_time() + parameters_.line_transfer;
    }
}

bool Cpu::poll_register(std::uint64_t address, unsigned bytes, const std::function<bool(std::uint64_t)>& done,
                        Picoseconds timeout, Picoseconds pause, Picoseconds longest_pause) {
    const Picoseconds start = time();
    const Picoseconds deadline = timeout < never - start ? start + timeout : never;
    for (;;) {
        if (done(mmio_read(address, bytes)))
            return true;
        if (local_ >= deadline)
            return false;
        spend(pause);
        pause = std::min(2 * pause, std::max(pause, longest_pause));
    }
}

} // namespace iommusim::machine
