// The VT-d register set: architected state and access rules (VT-d specification, chapter "Register
// Descriptions"), without time and without processes. What a register write sets in motion is told to the
// model through RegisterEvents; the model answers through acknowledge_*, latch_*, complete_* and the setters.
// Functions that can raise an event return true when its message is to be sent now.
//
// Registers of absent features are reserved: they read 0 and ignore writes. Where the architecture leaves a
// choice, ours is:
//  * an access that is not 4 or 8 bytes, not aligned, or spans two registers, is RAZ/WI;
//  * write-only registers (GCMD, IVA) read 0;
//  * a write to a command register that is busy is ignored;
//  * a refused register-based invalidation ends at once with actual granularity 0;
//  * bases and limits of protected memory are ignored while PMEN.PRS is 1, their granularity is 2 MB;
//  * event data is 16 bits wide;
//  * a GCMD enable that is changed again before GSTS showed it takes the newer value.
// Sticky registers keep their value over a warm reset, which does not exist here: reset() is a power-on
// reset. Each breach of a rule by software gives a diagnostic; none stops the simulation. C++17: included by
// foreign virtual platforms.
#pragma once

#include "../core/register_bank.h"
#include "event_block.h"
#include "feature_set.h"
#include "spec/faults.h"
#include "spec/registers.h"

#include <array>
#include <cstdint>
#include <vector>

namespace iommusim::vtd {

/// What the model hears of register writes. Called inside RegisterFile::write(), after the register has its
/// new value.
class RegisterEvents {
public:
    virtual ~RegisterEvents() = default;
    /// GCMD was written: `changed` has the enables that changed and the one-shot commands, `enables` the
    /// enables as now requested. RTPS or IRTPS of a pointer command is 0 and WBFS of a flush is 1 already.
    /// The model answers with acknowledge_enables(), latch_root_table(), latch_interrupt_table(),
    /// complete_write_buffer_flush().
    virtual void global_command(std::uint32_t changed, std::uint32_t enables) = 0;
    /// CCMD.ICC was set by a command that is not refused. Answered with complete_context_command().
    virtual void context_command() = 0;
    /// IOTLB.IVT, likewise. Answered with complete_iotlb_command().
    virtual void iotlb_command() = 0;
    /// IQT was written, queue enabled or not. Whether the tail is legal is the queue's to check.
    virtual void invalidation_tail_written() = 0;
    /// IQA was written, whole or in part; IQH and IQT are 0 now.
    virtual void invalidation_queue_address_written() = 0;
    /// FSTS bits that software cleared (spec::fsts positions): the queue resumes after IQE and ITE.
    virtual void fault_status_cleared(std::uint32_t bits) = 0;
    /// FRCD[index].F was cleared; PPF is up to date.
    virtual void fault_record_cleared(unsigned index) = 0;
    /// An event that was pending has been unmasked: its message is to be sent now.
    virtual void fault_event_unmasked() = 0;
    virtual void completion_event_unmasked() = 0;
    virtual void page_event_unmasked() = 0;
    /// ICS.IWC was cleared.
    virtual void completion_status_cleared() = 0;
    virtual void page_request_head_written() = 0;
    /// PQT or PQA was written by software.
    virtual void page_request_queue_changed() = 0;
    /// PRS bits that software cleared (spec::prs positions).
    virtual void page_request_status_cleared(std::uint32_t bits) = 0;
    /// PMEN.EPM changed. Answered with acknowledge_protected_memory().
    virtual void protected_memory_written() = 0;
    /// Software broke a rule; one sentence, valid during the call.
    virtual void diagnostic(const char* message) = 0;
};

/// RTADDR as latched by GCMD.SRTP.
struct RootTable {
    std::uint64_t base;
    unsigned mode; ///< a spec::rtaddr::ttm_* code, also one that the unit does not support
};

/// IRTA as latched by GCMD.SIRTP.
struct InterruptTable {
    std::uint64_t base;
    std::uint32_t entries; ///< 0 before the first SIRTP
    bool x2apic;
};

/// CCMD as written.
struct ContextCommand {
    unsigned granularity; ///< a spec::ccmd::granularity_* code
    std::uint16_t domain;
    std::uint16_t source;
    unsigned function_mask; ///< FM code
};

/// IOTLB and IVA as written.
struct IotlbCommand {
    unsigned granularity; ///< a spec::iotlb::granularity_* code
    std::uint16_t domain;
    bool drain_reads;
    bool drain_writes;
    std::uint64_t address; ///< of a page
    unsigned address_mask; ///< log2 of the pages, at most CAP.MAMV
    bool leaf_only;        ///< IH
};

/// IQA or PQA.
struct QueueConfig {
    std::uint64_t base;
    std::uint64_t bytes;    ///< of the whole queue
    unsigned element_bytes; ///< of one descriptor: 16 or 32
};

/// A message signalled interrupt: `data` is written to `address`.
struct EventMessage {
    std::uint64_t address;
    std::uint32_t data;
};

/// Protected memory, first to last byte; nothing while last < first.
struct ProtectedRegion {
    std::uint64_t first;
    std::uint64_t last;
};

class RegisterFile {
public:
    /// `features` must be without violation (first_violation()); `events` outlives the register file.
    RegisterFile(const Features& features, RegisterEvents& events);
    RegisterFile(const RegisterFile&) = delete;
    RegisterFile& operator=(const RegisterFile&) = delete;

    /// All registers to their power-on values; tells the model nothing.
    void reset();

    /// A read of `bytes` at `offset`. False if the access is of a form that the register file does not
    /// support; `value` is 0 then.
    bool read(std::uint64_t offset, unsigned bytes, std::uint64_t& value) const {
        return bank_.read(offset, bytes, value);
    }
    /// A write, likewise; false means that it was ignored for its form (not for the rules of its register).
    bool write(std::uint64_t offset, unsigned bytes, std::uint64_t value) {
        return bank_.write(offset, bytes, value);
    }

    const Features& features() const { return features_; }
    std::uint64_t size() const { return bank_.size(); } ///< bytes of the register set

    // Global command and status.
    std::uint32_t enables() const { return low(gcmd_); } ///< enables as requested by software
    std::uint32_t gsts() const { return low(gsts_); }
    bool status(Field f) const { return f.get(gsts_.value) != 0; } ///< one of spec::gsts
    /// GSTS takes the requested enables in `mask`. IQH becomes 0 while QIES is 0.
    void acknowledge_enables(std::uint32_t mask);
    /// RTADDR takes effect and RTPS becomes 1.
    void latch_root_table();
    /// IRTA takes effect and IRTPS becomes 1.
    void latch_interrupt_table();
    /// WBFS becomes 0.
    void complete_write_buffer_flush();
    const RootTable& root_table() const { return root_table_; }
    const InterruptTable& interrupt_table() const { return interrupt_table_; }

    // Register-based invalidation.
    ContextCommand context_command() const;
    /// Clears ICC; `actual` is the granularity performed, 0 if none.
    void complete_context_command(unsigned actual);
    IotlbCommand iotlb_command() const;
    void complete_iotlb_command(unsigned actual);

    // Invalidation queue; head and tail are byte offsets as written.
    QueueConfig invalidation_queue() const;
    std::uint64_t invalidation_head() const { return iqh_.value; }
    std::uint64_t invalidation_tail() const { return iqt_.value; }
    void set_invalidation_head(std::uint64_t byte_offset);
    /// ICS.IWC becomes 1.
    [[nodiscard]] bool set_completion_status();
    bool completion_status() const { return spec::ics::iwc.get(ics_.value) != 0; }

    // Fault status. Records go round by an index of the model's.
    bool fault_status(Field f) const { return f.get(fsts_.value) != 0; } ///< one of spec::fsts
    /// IQE with its IQERCD code.
    [[nodiscard]] bool set_queue_error(unsigned iqei);
    /// ITE; the source-id is recorded unless an earlier time-out still is.
    [[nodiscard]] bool set_invalidation_timeout(std::uint16_t source);
    /// ICE; likewise.
    [[nodiscard]] bool set_invalidation_completion_error(std::uint16_t source);
    /// PFO; never raises an event.
    void set_fault_overflow();
    /// FRCD[index].F: a record that software has not cleared.
    bool fault_record_pending(unsigned index) const;
    std::uint16_t fault_record_source(unsigned index) const;
    /// Stores a record with F = 1; PPF and FRI follow. `record` is laid out as spec::fault_record.
    [[nodiscard]] bool store_fault_record(unsigned index,
                                          const std::array<std::uint64_t, spec::fault_record::words>& record);

    // Page requests; head and tail are byte offsets.
    QueueConfig page_request_queue() const;
    std::uint64_t page_request_head() const { return pqh_.value; }
    std::uint64_t page_request_tail() const { return pqt_.value; }
    void set_page_request_tail(std::uint64_t byte_offset);
    bool page_request_status(Field f) const { return f.get(prs_.value) != 0; } ///< one of spec::prs
    /// PPR or PRO becomes 1.
    [[nodiscard]] bool set_page_request_status(Field f);

    // Event messages.
    EventMessage fault_message() const { return message(fault_event_); }
    EventMessage completion_message() const { return message(completion_event_); }
    EventMessage page_message() const { return message(page_event_); }

    // Protected memory.
    /// PMEN.PRS takes EPM.
    void acknowledge_protected_memory();
    bool protection_enabled() const { return spec::pmen::prs.get(pmen_.value) != 0; } ///< PRS
    ProtectedRegion protected_low_memory() const;
    ProtectedRegion protected_high_memory() const;
    /// PRS is 1 and a byte of [first, last] is protected.
    bool is_protected(std::uint64_t first, std::uint64_t last) const;

private:
    using Register = BankRegister<RegisterFile>;
    using Write = RegisterWrite;
    friend class RegisterBank<RegisterFile>;

    /// Control, data, address and upper address of one event.
    struct EventRegisters {
        EventBlock block;
        Register control, data, address, upper_address;
        void (RegisterEvents::*unmasked)() = nullptr;
    };
    /// Protected memory is decoded in units of 2 MB.
    static constexpr unsigned protected_granule_bits = 21;
    using FaultRecord = std::array<Register, spec::fault_record::words>;

    static std::uint32_t low(const Register& r) { return static_cast<std::uint32_t>(r.value); }

    Register& bind(Register& r, const char* name, std::uint64_t offset, unsigned bytes = 4) {
        return bank_.bind(r, name, offset, bytes);
    }
    void bind_control();
    void bind_register_invalidation();
    void bind_faults();
    void bind_protected_memory();
    void bind_invalidation_queue();
    void bind_page_requests();
    void bind_event(EventRegisters& event, const std::array<const char*, 4>& names, std::uint64_t offset,
                    void (RegisterEvents::*unmasked)());
    std::uint64_t address_fields(unsigned lsb) const;

    void write_gcmd(Register& r, const Write& w);
    void write_ccmd(Register& r, const Write& w);
    void write_iotlb(Register& r, const Write& w);
    bool starts_command(Register& r, const Write& w, Field busy);
    const char* refusal(const ContextCommand& command) const;
    const char* refusal(const IotlbCommand& command) const;
    void write_fsts(Register& r, const Write& w);
    void write_frcd(Register& r, const Write& w);
    void write_event_control(Register& r, const Write& w);
    void write_iqt(Register& r, const Write& w);
    void write_iqa(Register& r, const Write& w);
    void write_ics(Register& r, const Write& w);
    void write_pmen(Register& r, const Write& w);
    void write_protected_region(Register& r, const Write& w);
    void write_pqh(Register& r, const Write& w);
    void write_page_request_queue(Register& r, const Write& w);
    void write_prs(Register& r, const Write& w);
    void check_global_command(std::uint32_t changed);
    void check_table_pointer(std::uint32_t one_shots);

    bool fault_condition_pending() const;
    bool set_fault_condition(Field f);
    void withdraw_fault_event_if_served();
    void show(EventRegisters& event) { event.control.value = event.block.control(); }
    bool raise(EventRegisters& event);
    void withdraw(EventRegisters& event);
    EventMessage message(const EventRegisters& event) const;
    void diagnostic(const char* text) const { events_.diagnostic(text); }
    static ProtectedRegion region(bool exists, const Register& base, const Register& limit);

    Features features_;
    RegisterEvents& events_;
    RegisterBank<RegisterFile> bank_;

    Register ver_, cap_, ecap_;
    Register gcmd_, gsts_; ///< gcmd_ holds the enables only
    Register rtaddr_, irta_;
    Register ccmd_, iva_, iotlb_;
    Register fsts_;
    std::vector<FaultRecord> frcd_;
    EventRegisters fault_event_, completion_event_, page_event_;
    Register pmen_, plmbase_, plmlimit_, phmbase_, phmlimit_;
    Register iqh_, iqt_, iqa_, ics_, iqercd_;
    Register pqh_, pqt_, pqa_, prs_;

    RootTable root_table_{};
    InterruptTable interrupt_table_{};
    std::uint32_t one_shots_pending_ = 0; ///< GCMD commands that GSTS does not show as done
};

} // namespace iommusim::vtd
