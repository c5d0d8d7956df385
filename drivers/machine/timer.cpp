#include "drivers/machine/timer.h"

#include <utility>

namespace iommusim::machine {

void Timer::arm(Cpu& cpu, Picoseconds delay) { arm_at(cpu, cpu.time() + delay); }

void Timer::arm(Cpu& cpu, Picoseconds delay, Callback callback) {
    callback_ = std::move(callback);
    arm(cpu, delay);
}

void Timer::arm_at(Cpu& cpu, Picoseconds when) {
    cancel();
    cpu_ = &cpu;
    expiry_ = when;
    cpu.add_timer(*this);
}

bool Timer::cancel() {
    if (cpu_ == nullptr)
        return false;
    cpu_->remove_timer(*this);
    cpu_ = nullptr;
    return true;
}

} // namespace iommusim::machine
