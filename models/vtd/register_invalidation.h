// Register-based invalidation: CCMD, and IVA with IOTLB (VT-d specification, chapter 6.5.1). ICC and IVT stay
// 1 until the invalidation has taken effect and what it overtook has left. Commands that the unit refuses do
// not come here: the register file ends them.
#pragma once

#include "models/core/inflight.h"
#include "models/core/task.h"
#include "models/core/wait.h"
#include "models/vtd/invalidation.h"
#include "models/vtd/parameters.h"
#include "models/vtd/register_file.h"

namespace iommusim::vtd {

class RegisterInvalidation {
public:
    static constexpr unsigned drain_group = register_drain_group;

    RegisterInvalidation(const Parameters& parameters, RegisterFile& registers, InvalidationTarget& target,
                         InflightTable& inflight, TimedQueue& queue, ProcessList& processes)
        : parameters_(parameters),
          registers_(registers),
          target_(target),
          inflight_(inflight),
          queue_(queue),
          processes_(processes) {}

    ProcessList& processes() { return processes_; }

    /// ICC or IVT was set by a write that arrives `delay` from now.
    void context_command(Picoseconds delay);
    void iotlb_command(Picoseconds delay);

    std::uint64_t performed() const { return performed_; }
    const StallCounter& drain_stalls() const { return drain_stalls_; }

private:
    Process carry_out_context_command();
    Process carry_out_iotlb_command();
    Task<Done> drain();

    const Parameters& parameters_;
    RegisterFile& registers_;
    InvalidationTarget& target_;
    InflightTable& inflight_;
    TimedQueue& queue_;
    ProcessList& processes_;
    std::uint64_t performed_ = 0;
    StallCounter drain_stalls_{"register invalidation drain"};
};

} // namespace iommusim::vtd
