#include "drivers/machine/spinlock.h"

#include <algorithm>
#include <utility>

namespace iommusim::machine {

Spinlock::Spinlock(Machine& machine, std::string name) : machine_(machine) {
    statistics_.name = std::move(name);
    machine_.add_lock(statistics_);
}

Spinlock::~Spinlock() { machine_.remove_lock(statistics_); }

void Spinlock::acquired(Cpu& cpu) {
    holder_ = &cpu;
    line_owner_ = &cpu;
    acquired_at_ = cpu.time();
    ++statistics_.acquisitions;
}

void Spinlock::lock(Cpu& cpu) {
    cpu.synchronize();
    // An unlock happens at the owner's local time, which may be ahead of ours.
    if (holder_ != nullptr || cpu.time() < free_from_) {
        wait_for_turn(cpu);
        return;
    }
    cpu.spend(cpu.parameters().atomic + (line_owner_ == &cpu ? 0 : cpu.parameters().line_transfer));
    acquired(cpu);
}

bool Spinlock::try_lock(Cpu& cpu) {
    cpu.synchronize();
    if (holder_ != nullptr || cpu.time() < free_from_) {
        cpu.spend(cpu.parameters().line_transfer);
        return false;
    }
    cpu.spend(cpu.parameters().atomic + (line_owner_ == &cpu ? 0 : cpu.parameters().line_transfer));
    acquired(cpu);
    return true;
}

void Spinlock::wait_for_turn(Cpu& cpu) {
    const Picoseconds asked = cpu.time();
    if (holder_ == &cpu) {
        SC_REPORT_ERROR("iommusim::machine::Spinlock",
                        (statistics_.name + ": " + cpu.name() + " locks what it already owns").c_str());
        return;
    }
    if (holder_ == nullptr) {
        cpu.advance_to(free_from_ + 2 * cpu.parameters().line_transfer);
        acquired(cpu);
    } else {
        Waiter waiter{&cpu};
        waiters_.push_back(&waiter);
        while (!waiter.granted)
            cpu.block();
        cpu.advance_to(waiter.from);
    }
    const Picoseconds waited = cpu.time() - asked;
    ++statistics_.contended;
    statistics_.total_wait += waited;
    statistics_.maximum_wait = std::max(statistics_.maximum_wait, waited);
}

void Spinlock::unlock(Cpu& cpu) {
    if (holder_ != &cpu) {
        SC_REPORT_ERROR("iommusim::machine::Spinlock",
                        (statistics_.name + ": " + cpu.name() + " unlocks what it does not own").c_str());
        return;
    }
    cpu.spend(cpu.parameters().cached_access);
    free_from_ = cpu.time();
    const Picoseconds held = free_from_ - acquired_at_;
    statistics_.total_hold += held;
    statistics_.maximum_hold = std::max(statistics_.maximum_hold, held);
    holder_ = nullptr;
    if (waiters_.empty())
        return;
    Waiter& next = *waiters_.front();
    waiters_.erase(waiters_.begin());
    next.granted = true;
    next.from = std::max(free_from_, next.cpu->time()) + 2 * cpu.parameters().line_transfer;
    acquired(*next.cpu);
    acquired_at_ = next.from;
    next.cpu->wake_at(next.from);
}

} // namespace iommusim::machine
