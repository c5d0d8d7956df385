// One SMMUv3: the translation path (TBUs and TCU), its caches and what commands do to them.
#pragma once

#include "models/core/translation_unit.h"
#include "models/smmuv3/command_queue.h"
#include "models/smmuv3/configuration_fetch.h"
#include "models/smmuv3/event_queue.h"
#include "models/smmuv3/interrupts.h"
#include "models/smmuv3/invalidation.h"
#include "models/smmuv3/page_walk.h"
#include "models/smmuv3/register_file.h"
#include "models/smmuv3/statistics.h"
#include "models/smmuv3/tbu.h"

#include <memory>
#include <vector>

namespace iommusim::smmuv3 {

class Unit final : public TranslationUnit, private RegisterEvents, private CommandExecutor {
public:
    using Wires = sc_core::sc_port<InterruptIf, 1, sc_core::SC_ZERO_OR_MORE_BOUND>;

    Unit(const Parameters& parameters, TimedQueue& queue, Wires& wires);
    ~Unit() override;

    Tbu& tbu(unsigned index) { return *tbus_[index]; }
    MemoryPort& walker() { return walker_; }
    RegisterFile& registers() { return registers_; }

    /// A register access that reaches the unit `delay` from now.
    bool read_register(std::uint64_t offset, unsigned bytes, std::uint64_t& value) {
        return registers_.read(offset, bytes, value);
    }
    bool write_register(std::uint64_t offset, unsigned bytes, std::uint64_t value, Picoseconds delay);

    Statistics statistics() const;

private:
    // ---- the translation path (unit.cpp)
    bool translate_at_once(ClientAccess& access, std::uint64_t address, Translation& answer) override;
    Task<Translation> translate(ClientAccess& access, std::uint64_t address) override;
    void translate_untimed(ClientAccess& access, std::uint64_t address, Translation& answer) override;
    MemoryPort& downstream(DevicePort& port) override { return tbus_[port.index()]->memory; }
    DevicePort& any_port() override { return tbus_[0]->port; }
    /// True: the configuration or the TCU's TLB answers; false: a walk has to.
    bool answered_by_tcu(Pace& pace, const Configuration& configuration, std::uint64_t address,
                         WalkResult& result);
    void walk_untimed(ClientAccess& access, std::uint64_t address, const Configuration& configuration,
                      Translation& answer);
    void bypass(const Pace& pace, std::uint64_t address, WalkResult& result) const;
    void finish(ClientAccess& access, std::uint64_t address, const Configuration& configuration,
                const WalkResult& result, bool walked, Translation& answer);
    void answer_hit(Translation& answer, const TlbEntry& entry, std::uint64_t address,
                    const char* served_by) const;
    Translation answer_disabled(std::uint64_t address) const;
    Translation answer_fault(const ClientAccess& access, std::uint64_t address, unsigned event,
                             std::uint64_t fetch_address, const Configuration& configuration);
    bool usable(const TlbEntry& entry, const ClientAccess& access, std::uint64_t address) const;
    const TlbEntry* look_in_tbu(Tbu& tbu, ClientAccess& access, std::uint64_t address,
                                const char*& served_by);
    void depend_on(InflightTable::Entry& inflight, std::uint64_t address, const TlbEntry& entry) const;
    void fill_tbu(Tbu& tbu, const TlbEntry& entry, std::uint64_t owner, std::uint64_t address);

    // ---- what commands do (invalidation.cpp)
    std::uint64_t invalidate(const TlbInvalidation& what, const CommandContext& context) override;
    void invalidate(const ConfigurationInvalidation& what, const CommandContext& context) override;
    void prefetch_configuration(std::uint32_t stream, bool has_substream, std::uint32_t substream) override;
    Process prefetch(Requester requester);

    // ---- register handshakes (control.cpp)
    void cr0_written(std::uint32_t old_requested, std::uint32_t requested) override;
    void irq_ctrl_written(std::uint32_t old_requested, std::uint32_t requested) override;
    void gbpa_update_requested() override;
    void command_producer_written(std::uint32_t producer) override;
    void event_consumer_written(std::uint32_t) override {}
    void gerror_acknowledged(std::uint32_t became_inactive) override;
    void diagnostic(const char* message) override { diagnose(message); }
    Process acknowledge_cr0();
    Process acknowledge_irq_ctrl();
    Process acknowledge_gbpa();

    Probe* probe() const override { return probe_; }
    InflightTable& inflight() override { return inflight_; }

    Parameters parameters_;
    Features features_;
    RegisterFile registers_;
    MemoryPort walker_; ///< the TCU's own accesses: tables, rings, records, messages
    std::vector<std::unique_ptr<Tbu>> tbus_;
    ConfigurationFetch configurations_;
    PageWalk walks_;
    TaggedCache<TlbEntry> tcu_tlb_;
    Resource tcu_slots_;
    Interrupts interrupts_;
    EventQueue events_;
    CommandQueue commands_;
    Picoseconds write_delay_ = 0; ///< of the register write being carried out
    bool acknowledging_cr0_ = false;
    std::uint64_t faults_[256] = {};
};

} // namespace iommusim::smmuv3
