// One VT-d remapping unit: the translation path, its caches and what commands do to them.
#pragma once

#include "models/core/ats.h"
#include "models/core/miss_table.h"
#include "models/core/statistics.h"
#include "models/core/translation_unit.h"
#include "models/vtd/configuration_fetch.h"
#include "models/vtd/fault_log.h"
#include "models/vtd/interrupt_remapping.h"
#include "models/vtd/invalidation_queue.h"
#include "models/vtd/messages.h"
#include "models/vtd/page_requests.h"
#include "models/vtd/page_walk.h"
#include "models/vtd/register_file.h"
#include "models/vtd/register_invalidation.h"

#include <memory>
#include <vector>

namespace iommusim::vtd {

class Unit final : public TranslationUnit,
                   private RegisterEvents,
                   private InvalidationTarget,
                   private PageRequests::Owner {
public:
    using Devices = sc_core::sc_port<AtsDevicesIf, 1, sc_core::SC_ZERO_OR_MORE_BOUND>;

    Unit(const Parameters& parameters, TimedQueue& queue, Devices& devices);
    ~Unit() override;

    struct Port {
        Port(unsigned index, const Parameters& parameters, TimedQueue& queue, DmaTarget& target);
        DevicePort device;
        MemoryPort memory;
    };
    Port& port(unsigned index) { return *ports_[index]; }
    MemoryPort& walker() { return walker_; }
    const Features& features() const { return features_; }
    AtsUnitIf& ats() { return ats_; }

    bool read_register(std::uint64_t offset, unsigned bytes, std::uint64_t& value) {
        return registers_.read(offset, bytes, value);
    }
    /// The write reaches the unit `delay` from now.
    bool write_register(std::uint64_t offset, unsigned bytes, std::uint64_t value, Picoseconds delay);

    Statistics statistics() const;

private:
    // ---- the translation path (unit.cpp)
    bool translate_at_once(ClientAccess& access, std::uint64_t address, Translation& answer) override;
    Task<Translation> translate(ClientAccess& access, std::uint64_t address) override;
    void translate_untimed(ClientAccess& access, std::uint64_t address, Translation& answer) override;
    MemoryPort& downstream(DevicePort& port) override { return ports_[port.index()]->memory; }
    DevicePort& any_port() override { return ports_[0]->device; }
    /// Answers that need no tables. False: the configuration decides.
    bool answered_without_tables(ClientAccess& access, std::uint64_t address, Translation& answer);
    /// Answers that the configuration gives alone or, unless `debug`, with the IOTLB. False: a walk has to.
    bool answered_without_walk(ClientAccess& access, std::uint64_t address, const Configuration& c,
                               bool debug, Translation& answer);
    void finish(ClientAccess& access, std::uint64_t address, const Configuration& c, const WalkResult& result,
                Translation& answer);
    void walk_untimed(ClientAccess& access, std::uint64_t address, const Configuration& c,
                      Translation& answer);
    void answer_hit(Translation& answer, bool supervisor, const IotlbEntry& entry, std::uint64_t address,
                    const char* served_by) const;
    void answer_identity(Translation& answer, std::uint64_t address, const char* served_by) const;
    void answer_fault(const ClientAccess& access, std::uint64_t address, unsigned reason,
                      const Configuration& c, Translation& answer);
    void answer_interrupt(const ClientAccess& access, std::uint64_t address, const InterruptOutcome& outcome,
                          Translation& answer);
    /// Protected memory refuses what would reach it.
    void protect(Translation& answer, std::uint64_t address, unsigned length) const;
    void depend_on(InflightTable::Entry& inflight, std::uint64_t address, const IotlbEntry& entry) const;

    // ---- what commands do (invalidation.cpp)
    std::uint64_t invalidate(const IotlbInvalidation& what, const CommandContext& context) override;
    void invalidate(const ContextInvalidation& what, const CommandContext& context) override;
    void invalidate(const PasidInvalidation& what, const CommandContext& context) override;
    void invalidate(const InterruptEntryInvalidation& what, const CommandContext& context) override;
    void device_tlb_invalidated(std::uint16_t source, const DrainMark& mark) override;
    Probe* probe() const override { return probe_; }
    void mark_domain(const DrainMark& how, std::uint16_t domain);
    void report(const CommandContext& context, bool by_address, std::uint64_t first, std::uint64_t last,
                bool configuration) const;
    void invalidate_everything();
    void forget_page(const Configuration& configuration, std::uint64_t address) override;
    bool translating() const override { return translation_enabled_; }

    // ---- register handshakes (control.cpp)
    void global_command(std::uint32_t changed, std::uint32_t enables) override;
    void context_command() override { register_invalidation_.context_command(write_delay_); }
    void iotlb_command() override { register_invalidation_.iotlb_command(write_delay_); }
    void invalidation_tail_written() override;
    void invalidation_queue_address_written() override;
    void fault_status_cleared(std::uint32_t bits) override;
    void fault_record_cleared(unsigned) override {}
    void fault_event_unmasked() override { faults_.unmasked(); }
    void completion_event_unmasked() override { send(registers_.completion_message()); }
    void page_event_unmasked() override { send(registers_.page_message()); }
    void completion_status_cleared() override {}
    void page_request_head_written() override {}
    void page_request_queue_changed() override {}
    void page_request_status_cleared(std::uint32_t) override {}
    void protected_memory_written() override;
    void diagnostic(const char* message) override { diagnose(message); }
    void send(const EventMessage& message) { messages_.send(message.address, message.data); }
    Process carry_out_commands();
    Process acknowledge_protected_memory();

    /// What devices send, passed on to those who handle it.
    class Ats final : public AtsUnitIf {
    public:
        explicit Ats(Unit& unit) : unit_(unit) {}
        void invalidation_completed(std::uint32_t requester, std::uint32_t itags, Picoseconds delay) override;
        void page_requested(const AtsPageRequest& request, Picoseconds delay) override;

    private:
        Unit& unit_;
    };

    Parameters parameters_;
    Features features_;
    RegisterFile registers_;
    MemoryPort walker_; ///< the unit's own accesses: tables, queues, status writes, messages
    std::vector<std::unique_ptr<Port>> ports_;
    Messages messages_;
    FaultLog faults_;
    ConfigurationFetch configurations_;
    PageWalk walks_;
    TaggedCache<IotlbEntry> iotlb_;
    MissTable misses_;
    Resource miss_slots_;
    InterruptRemapping interrupts_;
    Ats ats_;
    PageRequests page_requests_;
    InvalidationQueue invalidations_;
    RegisterInvalidation register_invalidation_;
    Picoseconds write_delay_ = 0;        ///< of the register write being carried out
    std::uint32_t pending_commands_ = 0; ///< GCMD bits to carry out
    bool carrying_out_ = false;
    bool translation_enabled_ = false; ///< GSTS.TES
    bool protected_ = false;           ///< PMEN.PRS
};

} // namespace iommusim::vtd
