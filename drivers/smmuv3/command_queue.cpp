#include "drivers/smmuv3/command_queue.h"

#include "drivers/machine/machine.h"
#include "drivers/machine/spinlock.h"

#include <algorithm>

namespace iommusim::smmuv3_driver {

namespace spec = smmuv3::spec;

namespace {
constexpr unsigned slots_per_word = 64;
}

CommandQueue::CommandQueue(const Configuration& configuration, dma::DriverErrorLog* log,
                           Statistics& statistics)
    : configuration_(configuration), registers_(configuration), log_(log), statistics_(statistics) {}

bool CommandQueue::allocate(machine::Cpu& cpu, const Features& features) {
    features_ = features;
    size_log2_ = features.command_queue_log2;
    index_mask_ = (1u << size_log2_) - 1;
    position_mask_ = (2u << size_log2_) - 1;
    const std::uint64_t bytes = spec::command::bytes << size_log2_;
    const std::uint64_t pages =
        (bytes + machine::PageAllocator::page_size - 1) / machine::PageAllocator::page_size;
    base_ = cpu.allocate_pages(pages, std::max(bytes, machine::PageAllocator::page_size));
    if (base_ == machine::PageAllocator::none)
        return false;
    valid_ = std::make_unique<machine::SharedWord[]>((size() + slots_per_word - 1) / slots_per_word);
    return true;
}

void CommandQueue::reset() {
    std::destroy_at(&state_);
    std::construct_at(&state_);
    std::destroy_at(&owner_done_);
    std::construct_at(&owner_done_);
    std::destroy_at(&lock_);
    std::construct_at(&lock_);
    valid_ = std::make_unique<machine::SharedWord[]>((size() + slots_per_word - 1) / slots_per_word);
}

Submission CommandQueue::submit(machine::Cpu& cpu, const Command* commands, unsigned count, bool sync) {
    sync = sync && !configuration_.faults.skip_sync;
    const std::uint32_t entries = count + (sync ? 1 : 0);
    Submission result;
    if (entries == 0) {
        result.completed = true;
        return result;
    }
    cpu.spend(software().call_overhead);
    const machine::InterruptsDisabled masked(cpu);

    std::uint64_t before = 0;
    if (!reserve(cpu, entries, before))
        return result;
    const bool owner = !(before & owned);
    const std::uint32_t first = producer(before);
    const std::uint32_t end = advance(first, entries);
    const std::uint32_t last = advance(first, entries - 1);
    result.first = first;
    result.completion = last;
    ++statistics_.submissions;
    statistics_.commands += entries;

    write_entries(cpu, first, commands, count);
    if (sync) {
        cpu.spend(software().build_command);
        const Command completion = sync_command(last);
        write_entries(cpu, last, &completion, 1);
        ++statistics_.syncs;
        // Before the CMD_SYNC can be consumed: from here on nobody moves the consumer index past us.
        lock_shared(cpu);
    }

    cpu.spend(software().mark_valid);
    mark_valid(cpu, first, end);
    if (owner)
        ring_doorbell(cpu, first);

    if (!sync) {
        result.completed = true;
        return result;
    }
    result.completed = wait_for_sync(cpu, last);
    unlock_shared(cpu, last, result.completed);
    return result;
}

bool CommandQueue::reserve(machine::Cpu& cpu, std::uint32_t entries, std::uint64_t& before) {
    std::uint64_t seen = state_.load(cpu);
    while (true) {
        if (!has_room(seen, entries)) {
            cpu.enable_interrupts();
            const bool room = wait_for_room(cpu, entries);
            cpu.disable_interrupts();
            if (!room)
                return false;
            seen = state_.load(cpu);
            continue;
        }
        const std::uint32_t end = advance(producer(seen), entries);
        ++statistics_.exchange_attempts;
        const std::uint64_t found =
            state_.compare_exchange(cpu, seen, pack(end | static_cast<std::uint32_t>(owned), consumer(seen)));
        if (found == seen) {
            ++statistics_.exchanges;
            before = seen;
            return true;
        }
        seen = found;
    }
}

void CommandQueue::write_entries(machine::Cpu& cpu, std::uint32_t position, const Command* commands,
                                 unsigned count) {
    const unsigned until_wrap = size() - (position & index_mask_);
    const unsigned now = std::min(count, until_wrap);
    if (now > 0)
        cpu.write(slot_address(position), commands, now * spec::command::bytes);
    if (count > now)
        cpu.write(base_, commands + now, (count - now) * spec::command::bytes);
}

/// Calls visit(word, mask, value) for each 64-slot word of [first, end): `mask` selects the range's slots,
/// `value` is what they read when valid. A slot is valid while its bit is the inverse of the wrap bit of its
/// position.
template <class Visit>
void CommandQueue::for_each_valid_word(std::uint32_t first, std::uint32_t end, const Visit& visit) {
    for (std::uint32_t at = first; at != end;) {
        const std::uint32_t bit = at & (slots_per_word - 1);
        const std::uint32_t left = (end - at) & position_mask_;
        const std::uint32_t here = std::min(left, slots_per_word - bit);
        const std::uint64_t mask = (here == 64 ? ~0ull : (1ull << here) - 1) << bit;
        const bool wrapped = (at & size()) != 0;
        visit(valid_[(at & index_mask_) / slots_per_word], mask, wrapped ? 0 : mask);
        at = advance(at, here);
    }
}

void CommandQueue::mark_valid(machine::Cpu& cpu, std::uint32_t first, std::uint32_t end) {
    for_each_valid_word(first, end, [&cpu](machine::SharedWord& word, std::uint64_t mask, std::uint64_t) {
        word.fetch_xor(cpu, mask);
    });
}

void CommandQueue::wait_valid(machine::Cpu& cpu, std::uint32_t first, std::uint32_t end) {
    for_each_valid_word(
        first, end, [&cpu](machine::SharedWord& word, std::uint64_t mask, std::uint64_t value) {
            word.wait_until(cpu, [mask, value](std::uint64_t v) { return (v & mask) == value; });
        });
}

void CommandQueue::ring_doorbell(machine::Cpu& cpu, std::uint32_t first) {
    owner_done_.wait_until(cpu, [first](std::uint64_t v) { return v == first; });
    const std::uint32_t end = producer(state_.fetch_and(cpu, ~owned));
    wait_valid(cpu, first, end);
    registers_.write(cpu, spec::reg::cmdq_prod, end);
    ++statistics_.doorbells;
    owner_done_.store(cpu, end);
}

Command CommandQueue::sync_command(std::uint32_t position) const {
    switch (features_.completion) {
    case CompletionMode::msi:
        return make::sync(spec::sync::cs_irq, slot_address(position));
    case CompletionMode::event:
        return make::sync(spec::sync::cs_sev, 0);
    default:
        return make::sync(spec::sync::cs_none, 0);
    }
}

void CommandQueue::overwrite_with_sync(machine::Cpu& cpu, std::uint32_t position) {
    const Command nothing = make::sync(spec::sync::cs_none, 0);
    cpu.synchronize();
    write_entries(cpu, position, &nothing, 1);
    cpu.barrier();
}

} // namespace iommusim::smmuv3_driver
