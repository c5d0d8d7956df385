// Register writes that set something in motion: enables and table pointers with their status, doorbells,
// error recovery, protected memory (VT-d specification, chapter 11: GCMD_REG, GSTS_REG, PMEN_REG, IQT_REG,
// FSTS_REG).
#include "models/vtd/unit.h"

#include <utility>

namespace iommusim::vtd {

using namespace spec;

bool Unit::write_register(std::uint64_t offset, unsigned bytes, std::uint64_t value, Picoseconds delay) {
    write_delay_ = delay;
    return registers_.write(offset, bytes, value);
}

void Unit::global_command(std::uint32_t changed, std::uint32_t) {
    pending_commands_ |= changed;
    if (carrying_out_)
        return; // the process under way finds it
    carrying_out_ = true;
    carry_out_commands().start(queue_, now() + write_delay_);
}

/// Several commands of one write are carried out in this order; software should give one at a time.
Process Unit::carry_out_commands() {
    constexpr unsigned group = RegisterInvalidation::drain_group;
    Pace pace(Pacing::timed, queue_);
    while (pending_commands_ != 0) {
        pace.spend(parameters_.register_acknowledge);
        co_await pace.settle();
        const std::uint32_t commands = std::exchange(pending_commands_, 0);
        if (gcmd::wbf.get(commands)) {
            pace.spend(parameters_.write_buffer_flush_time);
            co_await pace.settle();
            registers_.complete_write_buffer_flush();
        }
        if (gcmd::te.get(commands)) {
            const bool enable = gcmd::te.get(registers_.enables()) != 0;
            // At a transaction boundary: what is under way ends first.
            translation_enabled_ = enable;
            revoke_all_dmi();
            inflight_.mark_all(DrainMark(group));
            while (!inflight_.drained(group))
                co_await inflight_.progress().wait();
            if (!enable) {
                faults_.restart();
                if (features_.scalable_mode)
                    invalidate_everything();
            }
            registers_.acknowledge_enables(static_cast<std::uint32_t>(gcmd::te.mask()));
        }
        if (gcmd::srtp.get(commands)) {
            registers_.latch_root_table();
            if (features_.srtp_invalidates)
                invalidate_everything();
        }
        if (gcmd::qie.get(commands)) {
            if (gcmd::qie.get(registers_.enables())) {
                registers_.acknowledge_enables(static_cast<std::uint32_t>(gcmd::qie.mask()));
                invalidations_.enable();
            } else {
                invalidations_.disable();
                while (invalidations_.busy())
                    co_await invalidations_.became_idle().wait();
                registers_.acknowledge_enables(static_cast<std::uint32_t>(gcmd::qie.mask()));
            }
        }
        if (gcmd::sirtp.get(commands)) {
            registers_.latch_interrupt_table();
            if (features_.sirtp_invalidates)
                interrupts_.invalidate(InterruptEntryInvalidation{});
        }
        if (gcmd::ire.get(commands) || gcmd::cfi.get(commands)) {
            inflight_.mark_configuration(DrainMark(group), interrupt_requests);
            while (!inflight_.drained(group))
                co_await inflight_.progress().wait();
            registers_.acknowledge_enables(static_cast<std::uint32_t>(gcmd::ire.mask() | gcmd::cfi.mask()));
        }
    }
    carrying_out_ = false;
}

void Unit::invalidation_tail_written() {
    invalidations_.tail_written(registers_.invalidation_tail(), write_delay_);
}

void Unit::invalidation_queue_address_written() { invalidations_.address_written(); }

void Unit::fault_status_cleared(std::uint32_t bits) {
    if (fsts::iqe.get(bits) || fsts::ite.get(bits))
        invalidations_.resume(write_delay_);
}

void Unit::protected_memory_written() {
    acknowledge_protected_memory().start(queue_, now() + write_delay_ + parameters_.register_acknowledge);
}

Process Unit::acknowledge_protected_memory() {
    registers_.acknowledge_protected_memory();
    protected_ = registers_.protection_enabled();
    revoke_all_dmi();
    co_return;
}

void Unit::Ats::invalidation_completed(std::uint32_t requester, std::uint32_t itags, Picoseconds delay) {
    unit_.invalidations_.device_tlbs().completed(requester, itags, delay);
}

void Unit::Ats::page_requested(const AtsPageRequest& request, Picoseconds delay) {
    unit_.page_requests_.arrive(request, delay);
}

} // namespace iommusim::vtd
