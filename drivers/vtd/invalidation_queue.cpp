#include "drivers/vtd/invalidation_queue.h"

#include "models/vtd/spec/registers.h"

#include <algorithm>
#include <bit>

namespace iommusim::vtd_driver {

namespace spec = vtd::spec;

InvalidationQueue::InvalidationQueue(machine::Machine& machine, const Configuration& configuration,
                                     const Features& features, FaultHandler& faults, dma::DriverErrorLog* log,
                                     Statistics& statistics)
    : configuration_(configuration),
      features_(features),
      registers_(configuration),
      faults_(faults),
      log_(log),
      statistics_(statistics),
      lock_(machine, "vtd invalidation queue") {}

bool InvalidationQueue::allocate(machine::Cpu& cpu) {
    bytes_ = features_.wide_descriptors ? spec::descriptor::bytes_256 : spec::descriptor::bytes_128;
    const unsigned per_page = 4096 / bytes_;
    const unsigned wanted = std::bit_ceil(configuration_.queue_entries);
    entries_ = std::clamp(wanted, per_page, per_page << spec::iqa::qs.max());
    const std::size_t pages = entries_ / per_page;
    const std::size_t status_pages = (std::size_t{entries_} * 4 + 4095) / 4096;
    if (base_ == 0) {
        base_ = cpu.allocate_pages(pages);
        status_ = cpu.allocate_pages(status_pages);
    }
    return base_ != machine::PageAllocator::none && status_ != machine::PageAllocator::none;
}

void InvalidationQueue::program(machine::Cpu& cpu) {
    free_head_ = free_tail_ = 0;
    free_count_ = entries();
    slots_.assign(entries(), free_slot);
    const unsigned pages = entries() * bytes_ / 4096;
    registers_.write64(cpu, spec::reg::iqt, 0);
    std::uint64_t iqa = base_;
    iqa |= spec::iqa::qs.make(static_cast<unsigned>(std::countr_zero(pages)));
    iqa |= spec::iqa::dw.make(bytes_ == spec::descriptor::bytes_256);
    registers_.write64(cpu, spec::reg::iqa, iqa);
}

bool InvalidationQueue::drain(machine::Cpu& cpu) {
    const std::uint64_t tail = registers_.read64(cpu, spec::reg::iqt);
    return registers_.poll(cpu, spec::reg::iqh, 8, spec::queue_index::offset.mask(),
                           spec::queue_index::offset.in_place(tail));
}

void InvalidationQueue::write(machine::Cpu& cpu, std::uint32_t index, const Descriptor& descriptor) {
    const std::uint64_t address = slot_address(index);
    cpu.store(address, descriptor[0]);
    cpu.store(address + 8, descriptor[1]);
    if (bytes_ == spec::descriptor::bytes_256) {
        cpu.store(address + 16, 0);
        cpu.store(address + 24, 0);
    }
}

Submission InvalidationQueue::submit(machine::Cpu& cpu, const Descriptor* descriptors, unsigned count) {
    cpu.spend(software().call_overhead);
    for (;;) {
        bool repeat = false;
        const Submission s = attempt(cpu, descriptors, count, repeat);
        if (!repeat)
            return s;
        ++statistics_.retries;
    }
}

/// With the lock held, before and after. False: the unit does not take what is there.
bool InvalidationQueue::find_room(machine::Cpu& cpu, std::uint32_t slots) {
    if (free_count_ >= slots)
        return true;
    ++statistics_.full_waits;
    const Picoseconds deadline = cpu.time() + software().queue_timeout;
    while (free_count_ < slots) {
        lock_.unlock_irqrestore(cpu);
        cpu.spend(software().relax);
        lock_.lock_irqsave(cpu);
        if (configuration_.faults.skip_wait) // nobody else gives slots back
            free(free_tail_, next(head(cpu), entries() - 1));
        if (cpu.time() > deadline)
            return false;
    }
    return true;
}

Submission InvalidationQueue::attempt(machine::Cpu& cpu, const Descriptor* descriptors, unsigned count,
                                      bool& repeat) {
    Submission s;
    lock_.lock_irqsave(cpu);
    if (!find_room(cpu, count + 2)) { // the wait descriptor, and one slot that stays empty
        note_error(log_, DriverError::invalidation_timeout, cpu.time(), free_head_);
        lock_.unlock_irqrestore(cpu);
        return s;
    }

    const std::uint32_t first = free_head_;
    for (unsigned i = 0; i < count; ++i) {
        write(cpu, next(first, i), descriptors[i]);
        slots_[next(first, i)] = in_use;
    }
    const std::uint32_t wait = next(first, count);
    cpu.store(status_address(wait), in_use, 4);
    slots_[wait] = in_use;
    write(cpu, wait, make::wait(status_address(wait), done));
    free_head_ = next(wait);
    free_count_ -= count + 1;
    registers_.write(cpu, spec::reg::iqt, static_cast<std::uint32_t>(free_head_ * bytes_));
    ++statistics_.doorbells;
    statistics_.descriptors += count;
    ++statistics_.waits;
    s.first = first;
    s.completion = wait;

    bool replaced = false;
    const Picoseconds deadline = cpu.time() + software().queue_timeout;
    while (!configuration_.faults.skip_wait) {
        cpu.synchronize();
        if (slots_[wait] == aborted) { // by whoever saw the time-out first
            repeat = true;
            break;
        }
        if (cpu.load(status_address(wait), 4) == done) {
            cpu.spend(cpu.parameters().line_transfer); // the unit has written the line
            s.completed = !replaced;
            break;
        }
        const Check check = check_faults(cpu, first, wait);
        replaced = replaced || check == Check::replaced;
        if (check == Check::repeat) {
            repeat = true;
            break;
        }
        if (cpu.time() > deadline) { // its slots stay in use: the unit may still come to them
            note_error(log_, DriverError::invalidation_timeout, cpu.time(), wait);
            lock_.unlock_irqrestore(cpu);
            return s;
        }
        lock_.unlock(cpu);
        cpu.spend(software().relax);
        lock_.lock(cpu);
    }
    if (!configuration_.faults.skip_wait)
        free(first, wait);
    lock_.unlock_irqrestore(cpu);
    return s;
}

/// The slots from `first` to `last` are not used any more. The oldest of the ring become free again in its
/// order.
void InvalidationQueue::free(std::uint32_t first, std::uint32_t last) {
    for (std::uint32_t i = first; i != next(last); i = next(i))
        slots_[i] = free_slot;
    while (free_count_ < entries() && slots_[free_tail_] == free_slot) {
        free_tail_ = next(free_tail_);
        ++free_count_;
    }
}

std::uint32_t InvalidationQueue::head(machine::Cpu& cpu) const {
    return static_cast<std::uint32_t>(registers_.read64(cpu, spec::reg::iqh) / bytes_);
}

InvalidationQueue::Check InvalidationQueue::check_faults(machine::Cpu& cpu, std::uint32_t first,
                                                         std::uint32_t wait) {
    constexpr std::uint64_t errors = spec::fsts::iqe.mask() | spec::fsts::ite.mask() | spec::fsts::ice.mask();
    ++statistics_.status_reads;
    std::uint32_t status = registers_.read(cpu, spec::reg::fsts);
    if ((status & errors) == 0)
        return Check::nothing;

    Check result = Check::nothing;
    std::uint64_t served = 0;
    const std::uint64_t record = registers_.read64(cpu, spec::reg::iqercd);
    if (spec::fsts::iqe.get(status)) {
        // A tail that somebody else has written wrongly is right again: no descriptor is to blame.
        const std::uint64_t reason = spec::iqercd::iqei.get(record);
        const bool tail =
            reason == spec::iqercd::iqei_invalid_tail || reason == spec::iqercd::iqei_unaligned_tail;
        if (!tail && replace_bad(cpu, first, wait))
            result = Check::replaced;
        if (tail || result == Check::replaced) {
            note_error(log_, DriverError::queue_error, cpu.time(), record);
            served |= spec::fsts::iqe.mask();
        }
    }
    if (spec::fsts::ite.get(status)) {
        note_error(log_, DriverError::device_timeout, cpu.time(), spec::iqercd::itesid.get(record));
        abort_waits(cpu);
        served |= spec::fsts::ite.mask();
        if (slots_[wait] == aborted)
            result = Check::repeat;
    }
    if (spec::fsts::ice.get(status)) {
        note_error(log_, DriverError::completion_error, cpu.time(), spec::iqercd::icesid.get(record));
        served |= spec::fsts::ice.mask();
    }
    if (served == 0)
        return result; // of a submission whose owner will see it
    registers_.write(cpu, spec::reg::fsts, static_cast<std::uint32_t>(served));
    // Read back, so that the next one to look does not find these errors again. Faults that came while they
    // were pending have made no event.
    status = registers_.read(cpu, spec::reg::fsts);
    if (spec::fsts::ppf.get(status))
        faults_.handle(cpu);
    return result;
}

/// What the unit could not make sense of becomes something harmless, and the unit will go on. False: it lies
/// in somebody else's submission.
bool InvalidationQueue::replace_bad(machine::Cpu& cpu, std::uint32_t first, std::uint32_t wait) {
    const std::uint32_t bad = head(cpu);
    if (((bad - first) & (entries() - 1)) > ((wait - first) & (entries() - 1)))
        return false;
    write(cpu, bad, bad == wait ? make::wait(status_address(wait), done) : make::fence());
    return true;
}

/// Every wait that was pending at a time-out has been aborted: their owners submit again.
void InvalidationQueue::abort_waits(machine::Cpu& cpu) {
    const std::uint32_t end = head(cpu);
    for (std::uint32_t i = free_tail_; i != end; i = next(i))
        if (slots_[i] == in_use && cpu.load(status_address(i), 4) != done)
            slots_[i] = aborted;
}

} // namespace iommusim::vtd_driver
