// The AMD-Vi register set and capability block: architected state and access rules (publication 48882,
// chapter "Registers"), without time and without processes. What a register write sets in motion is told to
// the model through RegisterEvents; the model answers through acknowledge_ring() and the setters. Functions
// that can raise an interrupt return true when its message is to be sent now.
//
// Registers of absent features are reserved: they read 0 and ignore writes. Where the architecture or our
// sources leave a choice, ours is:
//  * an access that is not 4 or 8 bytes, not aligned, or spans two registers, is RAZ/WI;
//  * a ring's base register, and the pointer that hardware moves, are ignored while the ring runs; a base
//    write while it does not run makes both pointers 0;
//  * a pointer behind the end of its ring is taken modulo the ring;
//  * a ring with a reserved length does not run;
//  * an overflow bit is cleared by writing 1 and by enabling the log again; only the latter restarts the log;
//  * an interrupt enable that is set while its status bit is 1 sends no message;
//  * device table registers take effect at once, also while the IOMMU is enabled;
//  * more device table segments than are supported leave the field unchanged.
// Each breach of a rule by software gives a diagnostic; none stops the simulation. C++17: included by foreign
// virtual platforms.
#pragma once

#include "../core/register_bank.h"
#include "feature_set.h"
#include "spec/registers.h"

#include <array>
#include <cstdint>

namespace iommusim::amdvi {

/// The rings in memory. Software writes the first and the IOMMU the others.
enum class Ring : std::uint8_t { commands, events, page_requests, guest_apic };
inline constexpr unsigned ring_count = 4;

/// What the model hears of register writes. Called inside RegisterFile::write(), after the register has its
/// new value.
class RegisterEvents {
public:
    virtual ~RegisterEvents() = default;
    /// Control fields that changed (spec::control positions). Rings that start or stop by it are told after
    /// this.
    virtual void control_written(std::uint64_t changed) = 0;
    /// The ring is to start (from its present head) or to stop. The model answers with acknowledge_ring(), at
    /// once if the ring has nothing under way.
    virtual void ring_requested(Ring ring, bool run) = 0;
    /// A base register was written while the ring does not run; head and tail are 0 now.
    virtual void ring_base_written(Ring ring) = 0;
    /// The pointer that software moves: the commands' tail (also while they do not run), a log's head.
    virtual void ring_pointer_written(Ring ring) = 0;
    /// Status bits that software cleared (spec::status positions).
    virtual void status_cleared(std::uint64_t bits) = 0;
    /// A device table base register or the number of segments changed.
    virtual void device_table_written() = 0;
    virtual void exclusion_range_written() = 0;
    /// Software broke a rule; one sentence, valid during the call.
    virtual void diagnostic(const char* message) = 0;
};

/// A part of the device table; the whole of it without segmentation.
struct DeviceTableSegment {
    std::uint64_t base;
    std::uint64_t bytes;
};

/// Where a ring lies.
struct RingConfig {
    std::uint64_t base;
    std::uint64_t bytes; ///< of the whole ring
    unsigned entry_bytes;
};

/// Exclusion range, first to last byte.
struct ExclusionRange {
    bool enabled;
    bool all_devices; ///< not only those with DTE.EX
    std::uint64_t first;
    std::uint64_t last;
};

/// A message signalled interrupt: `data` is written to `address`.
struct InterruptMessage {
    bool deliverable; ///< MSIs are enabled
    std::uint64_t address;
    std::uint32_t data;
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
    /// The PCI capability block, at offsets from its own start; likewise.
    bool read_capability(std::uint64_t offset, unsigned bytes, std::uint64_t& value) const {
        return capability_bank_.read(offset, bytes, value);
    }
    bool write_capability(std::uint64_t offset, unsigned bytes, std::uint64_t value) {
        return capability_bank_.write(offset, bytes, value);
    }

    const Features& features() const { return features_; }
    std::uint64_t size() const { return bank_.size(); } ///< bytes of the register set

    /// Where firmware placed the registers in the address space, and whether it enabled that window.
    std::uint64_t window_base() const;
    bool window_enabled() const { return spec::cap_base::enable.get(base_low_.value) != 0; }

    // Control and status.
    std::uint64_t control() const { return control_.value; }
    bool control(Field f) const { return f.get(control_.value) != 0; } ///< one of spec::control
    bool status(Field f) const { return f.get(status_.value) != 0; }   ///< one of spec::status
    /// Sets one of EventLogInt, ComWaitInt, PprInt and GAInt.
    [[nodiscard]] bool set_status(Field f);

    // Rings.
    /// Whether software wants the ring to run and nothing stopped it: IOMMU and ring are enabled, no error or
    /// overflow happened since, and the length is legal.
    bool ring_wanted(Ring ring) const;
    /// The Run bit.
    bool ring_running(Ring ring) const { return status(spec_of(ring).run); }
    /// The Run bit takes what is wanted.
    void acknowledge_ring(Ring ring);
    /// After a command error: CmdBufRun becomes 0 until software enables the command buffer again.
    void halt_commands();
    /// A log had no room: its overflow bit becomes 1 and its Run bit 0 until software enables it again.
    [[nodiscard]] bool overflow(Ring log);
    RingConfig ring(Ring ring) const;
    std::uint64_t ring_head(Ring ring) const { return at(ring).head.value; } ///< byte offset
    std::uint64_t ring_tail(Ring ring) const { return at(ring).tail.value; } ///< byte offset
    /// The pointers that hardware moves.
    void set_command_head(std::uint64_t byte_offset);
    void set_log_tail(Ring log, std::uint64_t byte_offset);
    /// Where a copy of the guest virtual APIC log's tail belongs.
    std::uint64_t ga_tail_address() const { return ga_tail_address_.value; }

    // Tables and ranges.
    unsigned log2_device_table_segments() const;
    DeviceTableSegment device_table_segment(unsigned segment) const;
    /// The place of a device table entry; false if the table does not reach so far.
    bool device_table_entry(std::uint16_t device_id, std::uint64_t& address) const;
    ExclusionRange exclusion_range() const;
    /// log2 of the largest legal interrupt table.
    unsigned log2_interrupt_entries_max() const;

    /// The message of a ring's interrupt; commands and events share one.
    InterruptMessage message(Ring ring) const;

    /// Keeps an event that could not be logged; with EFR.HESup.
    void store_hardware_event(std::uint64_t word0, std::uint64_t word1);

private:
    using Register = BankRegister<RegisterFile>;
    friend class RegisterBank<RegisterFile>;

    struct RingRegisters {
        Register base, head, tail;
        bool stopped = false; ///< by an error or overflow, until enabled again
    };
    /// What is different from ring to ring.
    struct RingSpec {
        Field enable;   ///< of Control
        Field run;      ///< of Status
        Field overflow; ///< of Status; not for commands
        unsigned entry_bytes;
    };

    static const RingSpec& spec_of(Ring ring);
    RingRegisters& at(Ring ring) { return rings_[static_cast<unsigned>(ring)]; }
    const RingRegisters& at(Ring ring) const { return rings_[static_cast<unsigned>(ring)]; }
    bool exists(Ring ring) const;
    Ring ring_of(const Register& r) const;
    Register& software_pointer(Ring ring);
    Register& hardware_pointer(Ring ring);
    bool enabled(Ring ring, std::uint64_t control_value) const;

    void bind_control();
    void bind_rings();
    void bind_ring(Ring ring, const std::array<const char*, 3>& names,
                   const std::array<std::uint64_t, 3>& offsets);
    void bind_device_table();
    void bind_interrupts();
    void bind_capability();

    void write_control(Register& r, const RegisterWrite& w);
    void check_control(std::uint64_t changed, std::uint64_t value);
    void write_status(Register& r, const RegisterWrite& w);
    void write_ring_base(Register& r, const RegisterWrite& w);
    void write_software_pointer(Register& r, const RegisterWrite& w);
    void write_hardware_pointer(Register& r, const RegisterWrite& w);
    void write_device_table(Register& r, const RegisterWrite& w);
    void write_exclusion(Register& r, const RegisterWrite& w);
    void write_hw_event_status(Register& r, const RegisterWrite& w);
    bool runs(const Register& r) const { return ring_running(ring_of(r)); }
    bool window_locked(const Register&) const { return window_enabled(); }
    std::uint64_t in_ring(Ring ring, std::uint64_t pointer);

    bool interrupt_enabled(Field f) const;
    void diagnostic(const char* message) const { events_.diagnostic(message); }

    Features features_;
    RegisterEvents& events_;
    RegisterBank<RegisterFile> bank_, capability_bank_;

    Register cap_header_, base_low_, base_high_, cap_range_, cap_misc0_, cap_misc1_;
    Register efr_, efr2_, misc0_, misc1_;
    Register control_, status_;
    std::array<RingRegisters, ring_count> rings_;
    Register ga_tail_address_;
    std::array<Register, 8> device_table_; ///< by segment
    Register exclusion_base_, exclusion_limit_;
    Register msi_header_, msi_address_low_, msi_address_high_, msi_data_;
    Register xt_general_, xt_ppr_, xt_ga_;
    std::array<Register, 2> hw_event_;
    Register hw_event_status_;
};

} // namespace iommusim::amdvi
