// Commands gathered on the stack of one CPU, so that the shared queue is reserved once for many of them.
#pragma once

#include "drivers/smmuv3/command_queue.h"

namespace iommusim::smmuv3_driver {

class CommandBatch {
public:
    CommandBatch(CommandQueue& queue, machine::Cpu& cpu)
        : queue_(queue), cpu_(cpu), capacity_(static_cast<unsigned>(queue.software().batch_size)) {
        if (capacity_ > maximum)
            capacity_ = maximum;
    }

    /// Adds a command; submits what was gathered before if the batch is full (with a CMD_SYNC where an
    /// erratum asks for one behind every batch).
    void add(const Command& command) {
        cpu_.spend(queue_.software().build_command);
        const bool force_sync = queue_.features().force_sync;
        if (count_ > 0 && count_ + (force_sync ? 1 : 0) >= capacity_)
            flush(force_sync);
        commands_[count_++] = command;
    }

    /// Submits the rest and waits until everything has completed.
    Submission finish() {
        flush(true);
        return result_;
    }

    unsigned commands() const { return total_; } ///< submitted so far, CMD_SYNC not counted

private:
    static constexpr unsigned maximum = 64;

    void flush(bool sync) {
        const Submission s = queue_.submit(cpu_, commands_, count_, sync);
        if (!started_)
            result_.first = s.first;
        result_.completion = s.completion;
        result_.completed = s.completed && (!started_ || result_.completed);
        started_ = true;
        total_ += count_;
        count_ = 0;
    }

    CommandQueue& queue_;
    machine::Cpu& cpu_;
    unsigned capacity_;
    unsigned count_ = 0;
    unsigned total_ = 0;
    bool started_ = false;
    Submission result_;
    Command commands_[maximum]; ///< the first count_ are valid
};

} // namespace iommusim::smmuv3_driver
