#include "drivers/dma/flush_queue.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace iommusim::dma {

FlushQueue::FlushQueue(machine::Machine& machine, IommuDomain& domain, iova::Allocator& allocator,
                       const DmaParameters& parameters, DmaObserver* observer)
    : domain_(domain),
      allocator_(allocator),
      observer_(observer),
      parameters_(parameters),
      slots_(parameters.flush_queue_size),
      granule_bits_(std::countr_zero(domain.page_sizes())),
      timer_([this](machine::Cpu& cpu) { on_timer(cpu); }) {
    for (unsigned i = 0; i < machine.cpus(); ++i)
        rings_.emplace_back(machine, slots_);
}

void FlushQueue::flush(machine::Cpu& cpu) {
    started_.fetch_add(cpu, 1);
    domain_.flush_iotlb_all(cpu);
    finished_.fetch_add(cpu, 1);
}

/// Gives back everything at the head of the ring that a finished flush covers. The ring's lock is held.
void FlushQueue::release(machine::Cpu& cpu, Ring& ring) {
    const std::uint64_t finished = finished_.load(cpu) + (defect_ == Defect::releases_too_early ? 1 : 0);
    while (ring.head != ring.tail) {
        Entry& entry = ring.entries[ring.head];
        if (entry.counter >= finished)
            break;
        cpu.spend(parameters_.flush_queue_entry);
        for (const std::uint64_t page : entry.table_pages)
            cpu.free_pages(page);
        entry.table_pages.clear();
        if (observer_ != nullptr)
            observer_->on_unmap_promised(domain_, entry.iova, entry.size, cpu.time());
        allocator_.free(cpu, entry.iova >> granule_bits_, entry.size >> granule_bits_);
        ring.head = next(ring.head);
        ++statistics_.released;
    }
}

void FlushQueue::queue(machine::Cpu& cpu, std::uint64_t iova, std::uint64_t size,
                       std::vector<std::uint64_t>&& table_pages) {
    // A full barrier between CPUs: the page-table entries are gone before any flush can see the ring entry.
    cpu.spend(cpu.parameters().atomic);
    Ring& ring = rings_[cpu.index()];
    {
        machine::SpinlockIrqGuard guard(ring.lock, cpu);
        // What other CPUs' flushes have covered meanwhile makes room.
        release(cpu, ring);
        if (full(ring)) {
            flush(cpu);
            ++statistics_.full_flushes;
            release(cpu, ring);
        }
        Entry& entry = ring.entries[ring.tail];
        entry.iova = iova;
        entry.size = size;
        entry.table_pages = std::move(table_pages);
        entry.counter = started_.load(cpu);
        ring.tail = next(ring.tail);
        cpu.spend(parameters_.flush_queue_entry);
        ++statistics_.queued;
        statistics_.most_waiting = std::max<std::uint64_t>(statistics_.most_waiting, waiting(cpu.index()));
    }
    // Reading first leaves the line shared between all CPUs while the timer runs.
    if (timer_on_.load(cpu) == 0 && timer_on_.exchange(cpu, 1) == 0)
        timer_.arm(cpu, parameters_.flush_queue_timeout);
}

void FlushQueue::release_all(machine::Cpu& cpu) {
    for (Ring& ring : rings_) {
        machine::SpinlockIrqGuard guard(ring.lock, cpu);
        release(cpu, ring);
    }
}

void FlushQueue::on_timer(machine::Cpu& cpu) {
    // Off before the flush: what is queued from here on may have missed it and needs the timer again.
    timer_on_.store(cpu, 0);
    flush(cpu);
    ++statistics_.timer_flushes;
    release_all(cpu);
}

void FlushQueue::drain(machine::Cpu& cpu) {
    cpu.synchronize();
    timer_.cancel();
    timer_on_.store(cpu, 0);
    flush(cpu);
    release_all(cpu);
}

std::size_t FlushQueue::waiting(unsigned cpu) const {
    const Ring& ring = rings_[cpu];
    return ring.tail >= ring.head ? ring.tail - ring.head : ring.tail + slots_ - ring.head;
}

} // namespace iommusim::dma
