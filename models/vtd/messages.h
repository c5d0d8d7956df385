// The unit's own interrupts: fault, invalidation completion and page request events are message writes that
// are not remapped (VT-d specification, chapters 5.1 and 7.3).
#pragma once

#include "models/core/memory_port.h"
#include "models/core/task.h"

#include <cstdint>

namespace iommusim::vtd {

class Messages {
public:
    Messages(MemoryPort& memory, TimedQueue& queue, ProcessList& processes)
        : memory_(memory), queue_(queue), processes_(processes) {}

    ProcessList& processes() { return processes_; }

    /// Writes `data` to `address`. Nobody waits for it; a failing write is lost.
    void send(std::uint64_t address, std::uint32_t data);
    std::uint64_t sent() const { return sent_; }

private:
    Process write(std::uint64_t address, std::uint32_t data);

    MemoryPort& memory_;
    TimedQueue& queue_;
    ProcessList& processes_;
    std::uint64_t sent_ = 0;
};

} // namespace iommusim::vtd
