// The interrupt mask and interrupt pending scheme that the fault, invalidation completion and page request
// events share (VT-d specification, chapter "Register Descriptions": the IM and IP fields of FECTL_REG,
// IECTL_REG and PECTL_REG). Whether a condition is a new one - nothing of its status was pending before - is
// the caller's decision. C++17.
#pragma once

#include "spec/registers.h"

#include <cstdint>

namespace iommusim::vtd {

class EventBlock {
public:
    void reset() { *this = EventBlock{}; }

    /// An interrupt condition arose. True: the message is to be sent now. False: it is masked and stays
    /// pending.
    bool raise() {
        pending_ = masked_;
        return !masked_;
    }

    /// Software wrote IM. True: a pending message is to be sent now.
    bool write_mask(bool mask) {
        masked_ = mask;
        if (masked_ || !pending_)
            return false;
        pending_ = false;
        return true;
    }

    /// Software cleared all status behind the event: nothing is pending any more.
    void withdraw() { pending_ = false; }

    bool masked() const { return masked_; }
    bool pending() const { return pending_; }

    /// The control register as software reads it.
    std::uint32_t control() const {
        return static_cast<std::uint32_t>(spec::event_control::im.make(masked_ ? 1 : 0) |
                                          spec::event_control::ip.make(pending_ ? 1 : 0));
    }

private:
    bool masked_ = true; ///< reset value of IM
    bool pending_ = false;
};

} // namespace iommusim::vtd
