#include "drivers/machine/shared_word.h"

#include <algorithm>

namespace iommusim::machine {

// The line becomes exclusive to `cpu` for a read-modify-write. The order of the calls is the order in which
// the line travels, so the value may change at once although the operation ends later.
void SharedWord::own(Cpu& cpu) {
    cpu.synchronize();
    ++operations_;
    cpu.advance_to(busy_until_);
    if (owner_ != &cpu) [[unlikely]] {
        ++transfers_;
        cpu.spend(cpu.parameters().line_transfer);
        owner_ = &cpu;
    }
    cpu.spend(cpu.parameters().atomic);
    busy_until_ = cpu.time();
}

std::uint64_t SharedWord::load(Cpu& cpu) {
    cpu.synchronize();
    ++operations_;
    if (owner_ == &cpu || (owner_ == nullptr && sharers_[cpu.index()])) {
        cpu.spend(cpu.parameters().cached_access);
        return value_;
    }
    ++transfers_;
    cpu.advance_to(busy_until_);
    cpu.spend(cpu.parameters().line_transfer);
    if (owner_ != nullptr) { // its copy becomes a shared one; others queue behind the transfer
        sharers_.reset();
        sharers_.set(owner_->index());
        owner_ = nullptr;
        busy_until_ = cpu.time();
    }
    if (sharers_.none())
        owner_ = &cpu; // nobody has it: a sole copy is exclusive
    sharers_.set(cpu.index());
    return value_;
}

void SharedWord::store(Cpu& cpu, std::uint64_t value) {
    cpu.synchronize();
    ++operations_;
    value_ = value;
    if (owner_ != &cpu) {
        ++transfers_;
        busy_until_ = std::max(busy_until_, cpu.time()) + cpu.parameters().line_transfer;
        owner_ = &cpu;
    }
    cpu.spend(cpu.parameters().cached_access);
    changed(std::max(busy_until_, cpu.time()));
}

std::uint64_t SharedWord::exchange(Cpu& cpu, std::uint64_t value) {
    own(cpu);
    const std::uint64_t before = value_;
    value_ = value;
    changed(busy_until_);
    return before;
}

std::uint64_t SharedWord::compare_exchange(Cpu& cpu, std::uint64_t expected, std::uint64_t desired) {
    own(cpu);
    const std::uint64_t before = value_;
    if (before == expected) {
        value_ = desired;
        changed(busy_until_);
    }
    return before;
}

std::uint64_t SharedWord::fetch_add(Cpu& cpu, std::uint64_t value) {
    own(cpu);
    const std::uint64_t before = value_;
    value_ += value;
    changed(busy_until_);
    return before;
}

std::uint64_t SharedWord::fetch_or(Cpu& cpu, std::uint64_t value) {
    own(cpu);
    const std::uint64_t before = value_;
    value_ |= value;
    changed(busy_until_);
    return before;
}

std::uint64_t SharedWord::fetch_and(Cpu& cpu, std::uint64_t value) {
    own(cpu);
    const std::uint64_t before = value_;
    value_ &= value;
    changed(busy_until_);
    return before;
}

std::uint64_t SharedWord::fetch_xor(Cpu& cpu, std::uint64_t value) {
    own(cpu);
    const std::uint64_t before = value_;
    value_ ^= value;
    changed(busy_until_);
    return before;
}

// Every waiter fetches the line again after a change at `at`, in the order of waiting; the writer's copy
// becomes a shared one. Only those whose condition holds wake up in the simulation.
void SharedWord::tell_waiters(Picoseconds at) {
    sharers_.reset();
    if (owner_ != nullptr)
        sharers_.set(owner_->index());
    owner_ = nullptr;
    Picoseconds seen = at;
    std::size_t remaining = 0;
    for (Waiter* waiter : waiters_) {
        const CpuParameters& costs = waiter->cpu->parameters();
        seen += seen == at ? costs.line_transfer : costs.cached_access;
        ++transfers_;
        sharers_.set(waiter->cpu->index());
        if (waiter->test(waiter->predicate, value_)) {
            waiter->satisfied = true;
            waiter->value = value_;
            waiter->seen = seen;
            waiter->cpu->wake_at(seen);
        } else {
            waiters_[remaining++] = waiter;
        }
    }
    waiters_.resize(remaining);
    busy_until_ = std::max(busy_until_, seen);
}

std::uint64_t SharedWord::wait_for(Cpu& cpu, const void* predicate, Test test) {
    Waiter waiter{&cpu, predicate, test};
    waiters_.push_back(&waiter);
    while (!waiter.satisfied)
        cpu.block();
    cpu.advance_to(waiter.seen);
    return waiter.value;
}

} // namespace iommusim::machine
