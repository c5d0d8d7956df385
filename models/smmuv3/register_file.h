// The SMMUv3 Non-secure register file: architected state and access rules of page 0 and page 1 (IHI 0070
// chapter 6), without time and without processes. What a register write sets in motion is told to the model
// through RegisterEvents; the model answers through acknowledge_*, complete_* and the setters.
//
// Not modelled: Secure, Realm and Root registers, PRI, ATOS, ECMDQ and MPAM registers (RES0, as their
// features are absent). Where the architecture leaves a choice, ours is:
//  * registers that are UNKNOWN at reset read 0;
//  * an access that is not 4 or 8 bytes, not aligned, or spans two registers, is RAZ/WI;
//  * a write to a guarded field is ignored (SMMUv3.2 rule), the rest of the register is written;
//  * the page 0 offsets of EVENTQ_PROD and EVENTQ_CONS are RAZ/WI: software uses page 1;
//  * index bits above the queue size read back as written and count as 0;
//  * a CR0 or IRQ_CTRL field that is changed again before it was acknowledged takes the newer value.
// Each breach of a rule by software gives a diagnostic; none stops the simulation.
// C++17: included by foreign virtual platforms.
#pragma once

#include "feature_set.h"
#include "spec/registers.h"

#include <array>
#include <cstdint>

namespace iommusim::smmuv3 {

/// What the model hears of register writes. Called inside RegisterFile::write(), after the register has its
/// new value.
class RegisterEvents {
public:
    virtual ~RegisterEvents() = default;
    /// CR0 changed. The model does what each transition requires and then calls acknowledge_cr0().
    virtual void cr0_written(std::uint32_t old_requested, std::uint32_t requested) = 0;
    /// IRQ_CTRL changed. The model answers with acknowledge_irq_ctrl().
    virtual void irq_ctrl_written(std::uint32_t old_requested, std::uint32_t requested) = 0;
    /// GBPA has a new value and Update = 1. The model answers with complete_gbpa_update().
    virtual void gbpa_update_requested() = 0;
    /// CMDQ_PROD was written, queue enabled or not; `prod` is the index with its wrap flag.
    virtual void command_producer_written(std::uint32_t prod) = 0;
    /// EVENTQ_CONS was written, queue enabled or not; `cons` is the index with its wrap flag.
    virtual void event_consumer_written(std::uint32_t cons) = 0;
    /// GERROR bits whose error software acknowledged.
    virtual void gerror_acknowledged(std::uint32_t became_inactive) = 0;
    /// Software broke a rule; one sentence, valid during the call.
    virtual void diagnostic(const char* message) = 0;
};

/// STRTAB_BASE and STRTAB_BASE_CFG as lookups use them.
struct StreamTableConfig {
    std::uint64_t base; ///< aligned by the size as written
    unsigned log2size;  ///< at most IDR1.SIDSIZE
    bool two_level;
    unsigned split; ///< 6, 8 or 10
    bool read_allocate;
};

/// A queue's BASE register as the queue uses it.
struct QueueConfig {
    std::uint64_t base; ///< aligned to the queue's size, at least 32 bytes
    unsigned log2size;  ///< at most the limit in IDR1
    bool allocate;      ///< RA or WA hint
};

/// *_IRQ_CFG0 to 2.
struct InterruptConfig {
    std::uint64_t address; ///< 0: no MSI
    std::uint32_t data;
    unsigned memattr;
    unsigned shareability;
};

class RegisterFile {
public:
    /// `features` must be without violation (first_violation()); `events` outlives the register file.
    RegisterFile(const Features& features, RegisterEvents& events);
    RegisterFile(const RegisterFile&) = delete;
    RegisterFile& operator=(const RegisterFile&) = delete;

    /// All registers to their reset values; tells the model nothing.
    void reset();

    /// A read of `bytes` at `offset` from the base of page 0. False if the access is of a form that the
    /// register file does not support; `value` is 0 then.
    bool read(std::uint64_t offset, unsigned bytes, std::uint64_t& value);
    /// A write, likewise; false means that it was ignored for its form (not for the rules of its register).
    bool write(std::uint64_t offset, unsigned bytes, std::uint64_t value);

    const Features& features() const { return features_; }

    // Control and handshakes.
    std::uint32_t cr0() const { return low(cr0_); }       ///< as requested by software
    std::uint32_t cr0ack() const { return low(cr0ack_); } ///< as acknowledged
    /// CR0ACK takes CR0's fields in `mask`.
    void acknowledge_cr0(std::uint32_t mask);
    std::uint32_t irq_ctrl() const { return low(irq_ctrl_); }
    std::uint32_t irq_ctrlack() const { return low(irq_ctrlack_); }
    /// IRQ_CTRLACK takes IRQ_CTRL's fields in `mask`.
    void acknowledge_irq_ctrl(std::uint32_t mask);
    std::uint32_t gbpa() const { return low(gbpa_); } ///< the newest value, in effect once Update is 0
    /// Clears GBPA.Update.
    void complete_gbpa_update();
    std::uint32_t cr1() const { return low(cr1_); }
    std::uint32_t cr2() const { return low(cr2_); }

    // Errors; `error` is one of spec::gerror.
    bool error_active(Field error) const { return error.get(gerror_.value ^ gerrorn_.value) != 0; }
    /// Toggles the error's GERROR bit if the error is inactive and exists; true if it became active by that.
    bool set_error(Field error);

    // Stream table, queues, interrupts.
    StreamTableConfig stream_table() const;
    QueueConfig command_queue() const {
        return queue(cmdq_base_, features_.cmdq_log2_max, spec::command_bytes);
    }
    QueueConfig event_queue() const {
        return queue(eventq_base_, features_.eventq_log2_max, spec::event_bytes);
    }
    InterruptConfig gerror_interrupt() const { return interrupt(gerror_irq_cfg_); }
    InterruptConfig eventq_interrupt() const { return interrupt(eventq_irq_cfg_); }

    /// Indices with their wrap flag, bits above it 0.
    std::uint32_t command_producer() const { return index(cmdq_prod_, command_log2size()); }
    std::uint32_t command_consumer() const { return index(cmdq_cons_, command_log2size()); }
    std::uint32_t event_producer() const { return index(eventq_prod_, event_log2size()); }
    std::uint32_t event_consumer() const { return index(eventq_cons_, event_log2size()); }
    void set_command_consumer(std::uint32_t index); ///< leaves ERR
    void set_event_producer(std::uint32_t index);   ///< leaves OVFLG

    unsigned command_error() const;
    /// CMDQ_CONS.ERR, a spec::cerror code; set it before set_error(gerror::cmdq_err).
    void set_command_error(unsigned code);

    /// An event queue overflow is signalled and not yet acknowledged: OVFLG differs from OVACKFLG.
    bool event_overflow_active() const;
    /// Toggles EVENTQ_PROD.OVFLG if no overflow is active; true if it became active by that.
    bool signal_event_overflow();

private:
    /// The enables that must be 0, requested and acknowledged, for `fields` to be writable.
    struct Guard {
        std::uint64_t fields = 0;
        std::uint32_t cr0_enables = 0;
        std::uint32_t irq_enables = 0;
    };

    /// One register with its access policy; the policy is bound once, in the constructor.
    struct Register {
        const char* name = "";
        std::uint64_t offset = 0;
        unsigned bytes = 4;
        std::uint64_t value = 0;
        std::uint64_t reset_value = 0;
        std::uint64_t writable = 0; ///< the rest is read-only or RES0
        std::array<Guard, 2> guards{};
        /// Takes the value to be stored, after RES0 and guards, and stores it; without one, it is just
        /// stored.
        void (RegisterFile::*handler)(std::uint32_t) = nullptr;

        Register& read_only(std::uint64_t at_reset = 0);
        Register& read_write(std::uint64_t fields, std::uint64_t at_reset = 0);
        Register& while_disabled(std::uint32_t cr0_enables);
        Register& while_irq_disabled(std::uint32_t irq_enables);
        Register& while_disabled(std::uint64_t fields, std::uint32_t cr0_enables);
        Register& on_write(void (RegisterFile::*h)(std::uint32_t));
    };
    using InterruptRegisters = std::array<Register, 3>;

    static constexpr std::size_t words_per_page = 1024; // every register lies in the first 4 KB of its page

    static std::uint32_t low(const Register& r) { return static_cast<std::uint32_t>(r.value); }

    Register& bind(Register& r, const char* name, std::uint64_t offset, unsigned bytes = 4);
    void bind_identification();
    void bind_interrupt(InterruptRegisters& cfg, const std::array<const char*, 3>& names,
                        std::uint64_t offset, std::uint32_t irq_enable);
    Register** word_at(std::uint64_t offset);
    Register* find(std::uint64_t offset);
    Register* checked(std::uint64_t offset, unsigned bytes, bool is_write, bool& supported);
    std::uint64_t guarded_fields(const Register& r) const;

    void write_cr0(std::uint32_t value);
    void write_irq_ctrl(std::uint32_t value);
    void write_gbpa(std::uint32_t value);
    void write_gerrorn(std::uint32_t value);
    void write_cmdq_prod(std::uint32_t value);
    void write_eventq_cons(std::uint32_t value);
    void check_handshake(const char* name, std::uint32_t changed, std::uint32_t unacknowledged);

    static unsigned log2size(const Register& base, unsigned log2_max) {
        const auto written = static_cast<unsigned>(spec::queue_base::log2size.get(base.value));
        return written < log2_max ? written : log2_max;
    }
    /// An index of a queue and its wrap flag.
    std::uint32_t index(const Register& r, unsigned log2) const {
        return low(r) & static_cast<std::uint32_t>(low_bits(log2 + 1));
    }
    unsigned command_log2size() const { return log2size(cmdq_base_, features_.cmdq_log2_max); }
    unsigned event_log2size() const { return log2size(eventq_base_, features_.eventq_log2_max); }
    QueueConfig queue(const Register& base, unsigned log2_max, std::uint64_t entry_bytes) const;
    InterruptConfig interrupt(const InterruptRegisters& cfg) const;

    Features features_;
    RegisterEvents& events_;

    std::array<Register, 10> identification_;
    std::array<Register, 9> component_identification_;
    Register cr0_, cr0ack_, cr1_, cr2_;
    Register gbpa_;
    Register irq_ctrl_, irq_ctrlack_;
    Register gerror_, gerrorn_;
    InterruptRegisters gerror_irq_cfg_, eventq_irq_cfg_;
    Register strtab_base_, strtab_base_cfg_;
    Register cmdq_base_, cmdq_prod_, cmdq_cons_;
    Register eventq_base_, eventq_prod_, eventq_cons_;

    std::array<Register*, 2 * words_per_page> words_{}; ///< by 32-bit word of page 0, then page 1
};

} // namespace iommusim::smmuv3
