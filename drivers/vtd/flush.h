// Invalidations gathered on the stack of one CPU and carried out together: through the queue with one wait
// descriptor for each batch, or one by one through the registers.
#pragma once

#include "drivers/vtd/vtd.h"

namespace iommusim::vtd_driver {

class Flush {
public:
    Flush(VtdDriver& driver, machine::Cpu& cpu);

    void add(const Descriptor& descriptor);
    /// Carries out the rest. From its return nothing of what was named is in use any more.
    void finish();

private:
    static constexpr unsigned maximum = 64;

    void submit();

    VtdDriver& driver_;
    machine::Cpu& cpu_;
    Picoseconds began_;
    unsigned capacity_;
    unsigned count_ = 0;
    unsigned total_ = 0;
    bool started_ = false;
    bool completed_ = true;
    std::uint32_t first_ = 0;
    std::uint32_t completion_ = 0;
    Descriptor descriptors_[maximum]; ///< the first count_ are valid
};

} // namespace iommusim::vtd_driver
