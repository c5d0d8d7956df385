#include "platforms/host/invalidation_breakdown.h"

#include <algorithm>

namespace iommusim::host {

void InvalidationBreakdown::on_doorbell(const DoorbellEvent& event) {
    for (; producer_ != event.producer; producer_ = static_cast<std::uint32_t>(slot(producer_ + 1)))
        commands_[slot(producer_)].arrived = event.time;
}

void InvalidationBreakdown::on_command(const CommandEvent& event) {
    Command& command = commands_[slot(event.index)];
    command.started = event.started;
    command.drained = event.drained;
    command.finished = event.finished;
    if (!event.completion || waiting_.empty())
        return;
    for (std::size_t i = 0; i < waiting_.size(); ++i)
        if (slot(waiting_[i].completion_index) == slot(event.index)) {
            const dma::InvalidationRecord record = waiting_[i];
            waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
            finish(record);
            return;
        }
}

void InvalidationBreakdown::on_invalidation_complete(const dma::InvalidationRecord& record) {
    if (record.completion_index == dma::InvalidationRecord::no_queue) {
        Operation operation{record, {}};
        operation.stage[execute] = record.observed - record.began;
        note(operation);
        return;
    }
    // A completion record is visible in memory before its writer hears that the write is done: the CPU may be
    // earlier.
    if (commands_[slot(record.completion_index)].finished >= record.began)
        finish(record);
    else
        waiting_.push_back(record);
}

void InvalidationBreakdown::finish(const dma::InvalidationRecord& record) {
    const Command& first = commands_[slot(record.first_index)];
    const Command& last = commands_[slot(record.completion_index)];
    const Picoseconds ends[stages] = {last.arrived, first.started, last.started,
                                      last.drained, last.finished, record.observed};
    Operation operation{record, {}};
    Picoseconds at = record.began;
    for (std::size_t s = 0; s < stages; ++s) {
        // A stage that was over before the previous one ended took no time of its own.
        const Picoseconds end =
            s + 1 == stages ? record.observed : std::clamp(ends[s], at, std::max(at, record.observed));
        operation.stage[s] = end - at;
        at = end;
    }
    note(operation);
}

void InvalidationBreakdown::note(const Operation& operation) {
    const dma::InvalidationRecord& record = operation.record;
    for (std::size_t s = 0; s < stages; ++s)
        stage_[s].record(operation.stage[s]);
    total_.record(record.observed - record.began);
    command_count_.record(record.commands);
    if (listener)
        listener(listener_context, operation);
}

} // namespace iommusim::host
