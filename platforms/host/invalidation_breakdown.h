// Where each nanosecond of an invalidation goes: joins what the driver saw of one synchronous invalidation
// with what the command queue did with its commands, by queue position.
//
//   submit      the decision to invalidate, until the producer index that covers the completion command
//   arrives fetch       until the unit takes up the first command (waiting behind earlier commands included)
//   execute     until it takes up the completion command: all invalidations are done and acknowledged
//   drain       until every access that used something removed is observable
//   completion  until the completion record or index is visible
//   observe     until the software has noticed
//
// An invalidation through registers is all "execute": it has no command to follow. Each stage begins where
// the one before ends, so the stages of an operation add up to its total exactly.
#pragma once

#include "drivers/dma/iommu_domain.h"
#include "models/core/probe.h"
#include "platforms/host/distribution.h"

#include <array>
#include <cstdint>
#include <vector>

namespace iommusim::host {

class InvalidationBreakdown : public dma::InvalidationObserver {
public:
    static constexpr std::size_t stages = 6;
    static constexpr std::size_t execute = 2;
    static constexpr std::array<const char*, stages> stage_names = {"submit", "fetch",      "execute",
                                                                    "drain",  "completion", "observe"};

    /// One finished operation: its stages in order, ps.
    struct Operation {
        dma::InvalidationRecord record;
        std::array<Picoseconds, stages> stage;
    };

    /// `positions`: number of queue positions, wrap bit included; a power of two.
    explicit InvalidationBreakdown(std::uint32_t positions) : commands_(positions) {}

    // ---- from the unit
    void on_doorbell(const DoorbellEvent& event);
    void on_command(const CommandEvent& event);
    // ---- from the driver
    void on_invalidation_complete(const dma::InvalidationRecord& record) override;

    /// Called with every operation, for tests; may stay null.
    void (*listener)(void* context, const Operation& operation) = nullptr;
    void* listener_context = nullptr;

    const Distribution& total() const { return total_; }
    const Distribution& commands_per_completion() const { return command_count_; }
    const Distribution& stage(std::size_t index) const { return stage_[index]; }
    /// Invalidations that never found their completion command; 0 in a healthy run.
    std::size_t unmatched() const { return waiting_.size(); }

private:
    struct Command {
        Picoseconds arrived = 0; ///< of the producer index that covers it
        Picoseconds started = 0;
        Picoseconds drained = 0;
        Picoseconds finished = 0;
    };

    std::size_t slot(std::uint32_t position) const { return position & (commands_.size() - 1); }
    void finish(const dma::InvalidationRecord& record);
    void note(const Operation& operation);

    std::vector<Command> commands_; ///< by queue position
    std::uint32_t producer_ = 0;
    std::vector<dma::InvalidationRecord> waiting_; ///< observed before the unit had reported the completion
    Distribution total_;
    Distribution command_count_;
    std::array<Distribution, stages> stage_;
};

} // namespace iommusim::host
