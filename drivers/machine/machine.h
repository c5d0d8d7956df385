// The modelled computer as its software sees it: CPUs, physical pages, interrupts, and what is known about
// its locks.
#pragma once

#include "drivers/machine/cpu.h"
#include "drivers/machine/interrupt_controller.h"
#include "drivers/machine/lock_statistics.h"
#include "drivers/machine/page_allocator.h"
#include "drivers/machine/timer.h"

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace iommusim::machine {

class Machine : public sc_core::sc_module {
public:
    static constexpr unsigned maximum_cpus = 256;

    /// `cpus` CPUs (1 to 256) named cpu0, cpu1, ...; each one's `bus` socket is to be bound. Pages are handed
    /// out from [ram_base, ram_base + ram_size). `monitor` tells spinning CPUs about writes; without one they
    /// really poll.
    Machine(sc_core::sc_module_name name, unsigned cpus, const CpuParameters& parameters,
            std::uint64_t ram_base, std::uint64_t ram_size, LineMonitor* monitor = nullptr);

    unsigned cpus() const { return static_cast<unsigned>(cpus_.size()); }
    Cpu& cpu(unsigned index) { return *cpus_[index]; }
    const Cpu& cpu(unsigned index) const { return *cpus_[index]; }
    bool idle() const; ///< no CPU has a program

    PageAllocator& pages() { return pages_; }
    InterruptController& interrupts() { return interrupts_; }
    LineMonitor* line_monitor() const { return monitor_; }
    void set_line_monitor(LineMonitor* monitor) { monitor_ = monitor; } ///< before the simulation starts

    /// Every lock of this machine that still exists or was ever used, hottest (longest total wait) first.
    std::vector<LockStatistics> lock_statistics() const;

private:
    friend class Cpu;
    friend class Spinlock;

    /// Spinning CPUs hear about another CPU's store directly: it does not pass the bus that the monitor
    /// watches.
    void start_polling(std::uint64_t address, Cpu& cpu);
    void stop_polling(std::uint64_t address, Cpu& cpu);
    void stored(std::uint64_t address, std::size_t bytes, Cpu& by) {
        if (!polls_.empty())
            notify_pollers(address, bytes, by);
    }
    void add_lock(const LockStatistics& lock);
    void remove_lock(const LockStatistics& lock);
    void notify_pollers(std::uint64_t address, std::size_t bytes, Cpu& by);

    struct Poll {
        std::uint64_t line;
        Cpu* cpu;
    };

    std::vector<std::unique_ptr<Cpu>> cpus_;
    PageAllocator pages_;
    InterruptController interrupts_;
    LineMonitor* monitor_;
    std::vector<Poll> polls_;
    std::array<std::uint16_t, 64> polled_lines_{}; ///< polls by low bits of the line number: a filter
    std::vector<const LockStatistics*> locks_;
    std::vector<LockStatistics> retired_locks_;
};

} // namespace iommusim::machine
