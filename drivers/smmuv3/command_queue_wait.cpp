// How software waits for the command queue: for room, and for its own CMD_SYNC.
#include "drivers/smmuv3/command_queue.h"

#include "models/smmuv3/spec/registers.h"

#include <algorithm>

namespace iommusim::smmuv3_driver {

namespace spec = smmuv3::spec;

std::uint32_t CommandQueue::read_consumer(machine::Cpu& cpu) const {
    return registers_.read(cpu, spec::reg::cmdq_cons) & position_mask_;
}

bool CommandQueue::passed(std::uint32_t consumer_index, std::uint32_t position) const {
    const std::uint32_t ahead = (consumer_index - position) & position_mask_;
    return ahead != 0 && ahead <= size();
}

void CommandQueue::report_timeout(machine::Cpu& cpu, DriverError error, std::uint32_t position) {
    ++statistics_.timeouts;
    note_error(log_, error, cpu.time(), position);
}

bool CommandQueue::wait_for_room(machine::Cpu& cpu, std::uint32_t entries) {
    ++statistics_.full_waits;
    const Picoseconds deadline = cpu.time() + software().sync_timeout;
    Picoseconds next_check = cpu.time() + software().error_check_period;
    Picoseconds pause = software().consumer_pause;
    for (std::uint64_t turn = 0;; ++turn) {
        if (lock_.compare_exchange(cpu, 0, exclusive) == 0) {
            publish_consumer(cpu, read_consumer(cpu));
            lock_.store(cpu, 0);
        }
        const std::uint64_t state = state_.load(cpu);
        if (has_room(state, entries))
            return true;
        if (cpu.time() >= deadline) {
            report_timeout(cpu, DriverError::queue_full_timeout, producer(state));
            return false;
        }
        if (cpu.time() >= next_check) {
            if (monitor_)
                monitor_->check_errors(cpu);
            next_check = cpu.time() + software().error_check_period;
        }
        if (turn < software().consumer_spins) {
            cpu.spend(cpu.parameters().poll_period);
        } else {
            cpu.spend(pause);
            pause = std::min(2 * pause, software().error_check_period);
        }
    }
}

bool CommandQueue::wait_for_sync(machine::Cpu& cpu, std::uint32_t position) {
    const Picoseconds deadline = cpu.time() + software().sync_timeout;
    const std::uint64_t slot = slot_address(position);
    while (true) {
        const Picoseconds left = deadline - std::min(deadline, cpu.time());
        const Picoseconds limit = std::min(left, software().error_check_period);
        const bool done = features_.completion == CompletionMode::msi ? poll_message(cpu, slot, limit)
                                                                      : poll_consumer(cpu, position, limit);
        if (done)
            return true;
        if (cpu.time() >= deadline)
            break;
        if (monitor_)
            monitor_->check_errors(cpu);
    }
    report_timeout(cpu, DriverError::sync_timeout, position);
    return false;
}

/// The unit writes 0 over the first word of the CMD_SYNC.
bool CommandQueue::poll_message(machine::Cpu& cpu, std::uint64_t slot, Picoseconds limit) const {
    return cpu.poll_memory(
        slot, 4, [](std::uint64_t word) { return word == 0; }, limit);
}

bool CommandQueue::poll_consumer(machine::Cpu& cpu, std::uint32_t position, Picoseconds limit) const {
    const Picoseconds deadline = cpu.time() + limit;
    Picoseconds pause = software().event_wake;
    Picoseconds longest = pause;
    if (features_.completion != CompletionMode::event) {
        for (std::uint64_t turn = 0; turn < software().consumer_spins; ++turn)
            if (passed(read_consumer(cpu), position))
                return true;
        pause = software().consumer_pause;
        longest = software().error_check_period;
    }
    const Picoseconds left = deadline - std::min(deadline, cpu.time());
    struct {
        const CommandQueue* queue;
        std::uint32_t position;
        bool operator()(std::uint64_t value) const {
            return queue->passed(static_cast<std::uint32_t>(value) & queue->position_mask_, position);
        }
    } const has_passed{this, position};
    return cpu.poll_register(registers_.address(spec::reg::cmdq_cons), 4, has_passed, left, pause, longest);
}

void CommandQueue::lock_shared(machine::Cpu& cpu) {
    if (!(lock_.fetch_add(cpu, 1) & exclusive))
        return;
    // The exclusive holder's unlock writes 0 and forgets our increment.
    std::uint64_t holders = 0;
    do {
        holders = lock_.wait_until(cpu, [](std::uint64_t v) { return !(v & exclusive); });
    } while (lock_.compare_exchange(cpu, holders, holders + 1) != holders);
}

void CommandQueue::unlock_shared(machine::Cpu& cpu, std::uint32_t position, bool completed) {
    if (lock_.load(cpu) == 1)
        // Last waiter: nobody else can move the index now. After a timeout only the hardware knows where it
        // is.
        publish_consumer(cpu, completed ? advance(position, 1) : read_consumer(cpu));
    lock_.fetch_sub(cpu, 1);
}

/// Only with the exclusive lock or as the last shared holder: nobody else changes the consumer half then, so
/// it may be looked at for free, and exchanging its bits is the plain half-word store of real software.
void CommandQueue::publish_consumer(machine::Cpu& cpu, std::uint32_t consumer_index) {
    const std::uint32_t before = consumer(state_.peek());
    if (before != consumer_index)
        state_.fetch_xor(cpu, static_cast<std::uint64_t>(before ^ consumer_index) << 32);
}

} // namespace iommusim::smmuv3_driver
