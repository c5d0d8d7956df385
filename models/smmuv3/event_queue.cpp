#include "models/smmuv3/event_queue.h"

namespace iommusim::smmuv3 {

using namespace spec;

EventQueue::EventQueue(RegisterFile& registers, MemoryPort& memory, Interrupts& interrupts, TimedQueue& queue,
                       ProcessList& processes)
    : registers_(registers),
      interrupts_(interrupts),
      queue_(queue),
      processes_(processes),
      ring_(memory),
      progress_(queue) {}

bool EventQueue::enabled() const {
    return cr0::eventqen.get(registers_.cr0ack()) != 0 && cr0::eventqen.get(registers_.cr0()) != 0;
}

void EventQueue::enable() {
    const QueueConfig config = registers_.event_queue();
    ring_.configure(RingGeometry{config.base, config.log2size, static_cast<unsigned>(event::bytes), true});
}

void EventQueue::disable() {
    dropped_ += pending_.size();
    settled_ += pending_.size();
    pending_.clear();
    progress_.announce();
}

void EventQueue::record(const EventRecord& record) {
    if (!enabled())
        return;
    ++recorded_;
    pending_.push_back(record);
    if (!writing_) {
        writing_ = true;
        write_records().start(queue_, now());
    }
}

Process EventQueue::write_records() {
    Pace pace(Pacing::timed, queue_);
    while (!pending_.empty()) {
        const EventRecord record = pending_.front();
        pending_.pop_front();
        const RingGeometry& ring = ring_.geometry();
        const std::uint32_t producer = registers_.event_producer();
        const std::uint32_t consumer = registers_.event_consumer();
        // A pair of indices that no correct software produces counts as full (section 7.2, our choice).
        const bool full = !ring.consistent(producer, consumer) || ring.full(producer, consumer);
        if (registers_.error_active(gerror::eventq_abt_err)) {
            ++dropped_;
        } else if (full) {
            ++dropped_;
            registers_.signal_event_overflow();
        } else {
            const tlm::tlm_response_status status = co_await ring_.write(pace, producer, record.words.data());
            if (status != tlm::TLM_OK_RESPONSE) {
                ++dropped_;
                interrupts_.error(gerror::eventq_abt_err);
            } else {
                // Software may have drained the queue during the write: judge emptiness by what it sees now.
                const bool was_empty = registers_.event_consumer() == producer;
                registers_.set_event_producer(ring.advance(producer));
                if (was_empty)
                    interrupts_.event_queue();
            }
        }
        ++settled_;
        progress_.announce();
    }
    writing_ = false;
    progress_.announce();
}

} // namespace iommusim::smmuv3
