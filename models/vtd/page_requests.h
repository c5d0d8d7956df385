// Page requests of devices: the page request queue in memory, its status and event, automatic responses to
// what cannot be queued, and the response descriptors of software (VT-d specification, chapters 7.4 to 7.7).
#pragma once

#include "models/core/ats.h"
#include "models/core/inflight.h"
#include "models/core/mailbox.h"
#include "models/core/memory_port.h"
#include "models/vtd/configuration_fetch.h"
#include "models/vtd/fault_log.h"
#include "models/vtd/invalidation_queue.h"
#include "models/vtd/messages.h"
#include "models/vtd/register_file.h"

#include <array>
#include <cstdint>
#include <deque>

namespace iommusim::vtd {

class PageRequests final : public PageRequestDrain {
public:
    using Devices = sc_core::sc_port<AtsDevicesIf, 1, sc_core::SC_ZERO_OR_MORE_BOUND>;

    /// Told of every request that was accepted: what is cached for its page must not be used again.
    class Owner {
    public:
        virtual ~Owner() = default;
        virtual void forget_page(const Configuration& configuration, std::uint64_t address) = 0;
        virtual bool translating() const = 0; ///< GSTS.TES
    };

    PageRequests(RegisterFile& registers, ConfigurationFetch& configurations, FaultLog& faults,
                 MemoryPort& memory, Messages& messages, Devices& devices, InflightTable& inflight,
                 Owner& owner, TimedQueue& queue, ProcessList& processes);

    ProcessList& processes() { return processes_; }

    /// A request reaches the unit `delay` from now.
    void arrive(const AtsPageRequest& request, Picoseconds delay) { arriving_.post(request, delay); }
    /// A page group response descriptor.
    void respond(const AtsPageResponse& response) override;

    /// Requests that arrived so far; those up to handled() are in the queue or answered.
    std::uint64_t arrived() const override { return arrived_; }
    std::uint64_t handled() const override { return handled_; }
    /// Announced whenever handled() grows.
    Condition& progress() override { return progress_; }

    std::uint64_t queued() const { return queued_; }
    std::uint64_t dropped() const { return dropped_; } ///< overflow
    std::uint64_t refused() const { return refused_; } ///< faults
    std::uint64_t responses() const { return responses_; }

private:
    void take(const AtsPageRequest& request);
    Process handle();
    void answer(const AtsPageRequest& request, AtsPageResponse::Code code);
    void raise(Field status);

    RegisterFile& registers_;
    ConfigurationFetch& configurations_;
    FaultLog& faults_;
    MemoryPort& memory_;
    Messages& messages_;
    Devices& devices_;
    InflightTable& inflight_;
    Owner& owner_;
    TimedQueue& queue_;
    ProcessList& processes_;
    Mailbox<PageRequests, AtsPageRequest, &PageRequests::take> arriving_;
    std::deque<AtsPageRequest> pending_;
    bool handling_ = false;
    Condition progress_;
    std::uint64_t arrived_ = 0;
    std::uint64_t handled_ = 0;
    std::uint64_t queued_ = 0;
    std::uint64_t dropped_ = 0;
    std::uint64_t refused_ = 0;
    std::uint64_t responses_ = 0;
};

} // namespace iommusim::vtd
