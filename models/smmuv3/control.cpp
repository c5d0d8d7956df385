// Register writes that set something in motion: enables and their acknowledgements, doorbells, error recovery
// (Arm IHI 0070 sections 6.3.9, 6.3.15 to 6.3.20).
#include "models/smmuv3/unit.h"

namespace iommusim::smmuv3 {

using namespace spec;

bool Unit::write_register(std::uint64_t offset, unsigned bytes, std::uint64_t value, Picoseconds delay) {
    write_delay_ = delay;
    return registers_.write(offset, bytes, value);
}

void Unit::cr0_written(std::uint32_t, std::uint32_t) {
    if (acknowledging_cr0_)
        return; // the process under way finds the newer value
    acknowledging_cr0_ = true;
    acknowledge_cr0().start(queue_, now() + write_delay_);
}

Process Unit::acknowledge_cr0() {
    Pace pace(Pacing::timed, queue_);
    while (registers_.cr0() != registers_.cr0ack()) {
        pace.spend(parameters_.register_acknowledge);
        co_await pace.settle();
        const std::uint32_t requested = registers_.cr0();
        const std::uint32_t changed = requested ^ registers_.cr0ack();
        const std::uint32_t rising = changed & requested;
        const std::uint32_t falling = changed & ~requested;
        if (cr0::cmdqen.get(falling)) {
            commands_.disable();
            while (commands_.busy())
                co_await commands_.became_idle().wait();
        }
        if (cr0::eventqen.get(falling)) {
            events_.disable();
            while (events_.writing())
                co_await events_.progress().wait();
        }
        registers_.acknowledge_cr0(changed);
        if (cr0::smmuen.get(rising | falling))
            revoke_all_dmi();
        if (cr0::eventqen.get(rising))
            events_.enable();
        if (cr0::cmdqen.get(rising))
            commands_.enable();
    }
    acknowledging_cr0_ = false;
}

void Unit::irq_ctrl_written(std::uint32_t, std::uint32_t) {
    acknowledge_irq_ctrl().start(queue_, now() + write_delay_ + parameters_.register_acknowledge);
}

Process Unit::acknowledge_irq_ctrl() {
    // Disabling waits for messages under way; they are short.
    Pace pace(Pacing::timed, queue_);
    while (interrupts_.messages_under_way() != 0) {
        pace.spend(parameters_.register_acknowledge);
        co_await pace.settle();
    }
    registers_.acknowledge_irq_ctrl(~0u);
}

void Unit::gbpa_update_requested() {
    acknowledge_gbpa().start(queue_, now() + write_delay_ + parameters_.register_acknowledge);
}

Process Unit::acknowledge_gbpa() {
    registers_.complete_gbpa_update();
    revoke_all_dmi();
    co_return;
}

void Unit::command_producer_written(std::uint32_t producer) { commands_.doorbell(producer, write_delay_); }

void Unit::gerror_acknowledged(std::uint32_t became_inactive) {
    if (gerror::cmdq_err.get(became_inactive))
        commands_.resume(write_delay_);
}

} // namespace iommusim::smmuv3
