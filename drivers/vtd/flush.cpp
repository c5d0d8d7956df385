#include "drivers/vtd/flush.h"

#include <algorithm>

namespace iommusim::vtd_driver {

Flush::Flush(VtdDriver& driver, machine::Cpu& cpu)
    : driver_(driver),
      cpu_(cpu),
      began_(cpu.time()),
      capacity_(static_cast<unsigned>(
          std::min<std::uint64_t>(driver.configuration().software.batch_size, maximum))) {}

void Flush::add(const Descriptor& descriptor) {
    cpu_.spend(driver_.configuration().software.build_descriptor);
    if (count_ == capacity_)
        submit();
    descriptors_[count_++] = descriptor;
}

void Flush::submit() {
    const Submission s = driver_.invalidate(cpu_, descriptors_, count_);
    if (!started_)
        first_ = s.first;
    completion_ = s.completion;
    completed_ = completed_ && s.completed;
    started_ = true;
    total_ += count_;
    count_ = 0;
}

/// What did not complete is no completion, and in the error log already.
void Flush::finish() {
    submit();
    dma::InvalidationObserver* const observer = driver_.invalidation_observer();
    if (observer == nullptr || !completed_)
        return;
    dma::InvalidationRecord record;
    record.cpu = cpu_.index();
    record.first_index = first_;
    record.completion_index = completion_;
    record.commands = total_;
    record.began = began_;
    record.observed = cpu_.time();
    observer->on_invalidation_complete(record);
}

} // namespace iommusim::vtd_driver
