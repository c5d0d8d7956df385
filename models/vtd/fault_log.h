// Primary fault logging: the fault recording registers, FSTS and the fault event (VT-d specification,
// chapter 7.2). Faults of one source are collapsed into its pending record, which the architecture permits.
#pragma once

#include "models/vtd/messages.h"
#include "models/vtd/register_file.h"

#include <array>
#include <cstdint>

namespace iommusim::vtd {

/// One request that could not be carried out.
struct Fault {
    std::uint8_t reason = 0;
    bool no_record = false; ///< FPD of the entry used; suppresses qualified faults only
    std::uint16_t source = 0;
    bool has_pasid = false; ///< the request itself carried one
    std::uint32_t pasid = 0;
    bool write = false;
    bool privileged = false;
    bool execute = false;
    bool page_request = false; ///< a page request message; `write` does not count
    unsigned address_type = 0; ///< a spec::address_type code
    /// Page address of a DMA; for interrupt requests the index in bits 63:48.
    std::uint64_t information = 0;
};

class FaultLog {
public:
    FaultLog(RegisterFile& registers, Messages& messages) : registers_(registers), messages_(messages) {}

    /// Records the fault, collapses it into a pending one of the same source, or loses it to an overflow;
    /// raises the fault event where the rules of chapter 7.3 say so.
    void record(const Fault& fault);

    // Errors of the invalidation queue: set in FSTS and IQERCD, with the fault event that may be due.
    /// IQE with a spec::iqercd::iqei_* code.
    void queue_error(unsigned iqei);
    /// ITE.
    void invalidation_timeout(std::uint16_t source);
    /// ICE.
    void completion_error(std::uint16_t source);

    /// A fault event that was pending has been unmasked.
    void unmasked() { send(); }
    /// TE 1 -> 0: recording starts at the first register again.
    void restart() { next_ = 0; }

    std::uint64_t recorded() const { return recorded_; }
    std::uint64_t collapsed() const { return collapsed_; }
    std::uint64_t lost() const { return lost_; }
    std::uint64_t suppressed() const { return suppressed_; } ///< by FPD
    /// Faults of one reason, whatever became of them.
    std::uint64_t count(unsigned reason) const { return counts_[reason & 0xff]; }

private:
    bool pending_for(std::uint16_t source) const;
    void send();

    RegisterFile& registers_;
    Messages& messages_;
    unsigned next_ = 0;
    std::uint64_t recorded_ = 0;
    std::uint64_t collapsed_ = 0;
    std::uint64_t lost_ = 0;
    std::uint64_t suppressed_ = 0;
    std::array<std::uint64_t, 256> counts_{};
};

} // namespace iommusim::vtd
