#include "register_file.h"

#include <algorithm>
#include <cstdio>

namespace iommusim::smmuv3 {
namespace {

using namespace spec;

/// Keeps a queue index and its wrap flag.
constexpr std::uint32_t index_mask(unsigned log2size) {
    return static_cast<std::uint32_t>(low_bits(log2size + 1));
}

/// Entries between consumer and producer as the indices say; more than 2^log2size means that they are
/// inconsistent.
constexpr std::uint32_t fill(std::uint32_t prod, std::uint32_t cons, unsigned log2size) {
    return (prod - cons) & index_mask(log2size);
}

} // namespace

void RegisterFile::reset() {
    for (Register* r : words_)
        if (r != nullptr)
            r->value = r->reset_value;
}

// --- Access
// ---------------------------------------------------------------------------------------------------------

/// The slot of the 32-bit word at `offset`; null outside the registers' part of the two pages.
RegisterFile::Register** RegisterFile::word_at(std::uint64_t offset) {
    const std::uint64_t page = offset / register_page_bytes;
    const std::uint64_t word = offset % register_page_bytes / 4;
    return page < 2 && word < words_per_page ? &words_[page * words_per_page + word] : nullptr;
}

RegisterFile::Register* RegisterFile::find(std::uint64_t offset) {
    Register** word = word_at(offset);
    return word != nullptr ? *word : nullptr;
}

/// The register that an access reaches; null if it reaches none (RES0) or is not supported.
RegisterFile::Register* RegisterFile::checked(std::uint64_t offset, unsigned bytes, bool is_write,
                                              bool& supported) {
    supported = (bytes == 4 || bytes == 8) && offset % bytes == 0;
    Register* r = supported ? find(offset) : nullptr;
    if (bytes == 8 && supported) {
        Register* const upper = find(offset + 4);
        supported = r == upper;
        if (!supported)
            r = nullptr;
    }
    if (!supported) {
        char message[160];
        std::snprintf(
            message, sizeof message,
            "%u-byte %s at offset 0x%llx: registers take aligned accesses of 4 bytes, or of 8 bytes to one "
            "64-bit register; RAZ/WI (6.2)",
            bytes, is_write ? "write" : "read", static_cast<unsigned long long>(offset));
        events_.diagnostic(message);
    } else if (offset == reg::page0_alias_eventq_prod || offset == reg::page0_alias_eventq_cons) {
        events_.diagnostic(
            "EVENTQ_PROD and EVENTQ_CONS are in page 1; their offsets in page 0 are RAZ/WI (6.1)");
    }
    return r;
}

bool RegisterFile::read(std::uint64_t offset, unsigned bytes, std::uint64_t& value) {
    bool supported = false;
    const Register* const r = checked(offset, bytes, false, supported);
    value = r == nullptr ? 0 : (r->value >> (8 * (offset - r->offset))) & low_bits(8 * bytes);
    return supported;
}

bool RegisterFile::write(std::uint64_t offset, unsigned bytes, std::uint64_t value) {
    bool supported = false;
    Register* const r = checked(offset, bytes, true, supported);
    if (r == nullptr)
        return supported;

    const unsigned shift = static_cast<unsigned>(8 * (offset - r->offset));
    std::uint64_t fields = (low_bits(8 * bytes) << shift) & r->writable;
    const std::uint64_t written = value << shift;

    const std::uint64_t guarded = guarded_fields(*r) & fields;
    if (((written ^ r->value) & guarded) != 0) {
        char message[160];
        std::snprintf(
            message, sizeof message,
            "%s written while the enable that guards it is set in the control register or its ACK: ignored "
            "(6.3)",
            r->name);
        events_.diagnostic(message);
    }
    fields &= ~guarded;

    const std::uint64_t result = (r->value & ~fields) | (written & fields);
    if (r->handler != nullptr)
        (this->*r->handler)(static_cast<std::uint32_t>(result));
    else
        r->value = result;
    return true;
}

/// The fields of `r` that cannot be written now.
std::uint64_t RegisterFile::guarded_fields(const Register& r) const {
    const std::uint64_t cr0_now = cr0_.value | cr0ack_.value;
    const std::uint64_t irq_now = irq_ctrl_.value | irq_ctrlack_.value;
    std::uint64_t fields = 0;
    for (const Guard& g : r.guards)
        if ((cr0_now & g.cr0_enables) != 0 || (irq_now & g.irq_enables) != 0)
            fields |= g.fields;
    return fields;
}

// --- Registers that set something in motion
// -------------------------------------------------------------------------

/// A field must not be changed while its previous change is not acknowledged (6.3, SMMU_CR0 and
/// SMMU_IRQ_CTRL).
void RegisterFile::check_handshake(const char* name, std::uint32_t changed, std::uint32_t unacknowledged) {
    if ((changed & unacknowledged) == 0)
        return;
    char message[160];
    std::snprintf(
        message, sizeof message,
        "%s changes fields 0x%x whose previous change is not acknowledged yet: the newer value counts (6.3)",
        name, static_cast<unsigned>(changed & unacknowledged));
    events_.diagnostic(message);
}

void RegisterFile::write_cr0(std::uint32_t value) {
    const std::uint32_t old = cr0();
    if (value == old)
        return;
    check_handshake("SMMU_CR0", value ^ old, old ^ cr0ack());
    cr0_.value = value;
    events_.cr0_written(old, value);
}

void RegisterFile::acknowledge_cr0(std::uint32_t mask) {
    cr0ack_.value = (cr0ack_.value & ~std::uint64_t{mask}) | (cr0_.value & mask);
}

void RegisterFile::write_irq_ctrl(std::uint32_t value) {
    const std::uint32_t old = irq_ctrl();
    if (value == old)
        return;
    check_handshake("SMMU_IRQ_CTRL", value ^ old, old ^ irq_ctrlack());
    irq_ctrl_.value = value;
    events_.irq_ctrl_written(old, value);
}

void RegisterFile::acknowledge_irq_ctrl(std::uint32_t mask) {
    irq_ctrlack_.value = (irq_ctrlack_.value & ~std::uint64_t{mask}) | (irq_ctrl_.value & mask);
}

void RegisterFile::write_gbpa(std::uint32_t value) {
    if (gbpa::update.get(gbpa_.value) != 0) {
        events_.diagnostic("SMMU_GBPA written while GBPA.Update is 1: ignored (6.3, SMMU_GBPA)");
        return;
    }
    if (gbpa::update.get(value) == 0) {
        events_.diagnostic("SMMU_GBPA written with Update = 0: ignored (6.3, SMMU_GBPA)");
        return;
    }
    gbpa_.value = value;
    events_.gbpa_update_requested();
}

void RegisterFile::complete_gbpa_update() { gbpa_.value = gbpa::update.put(gbpa_.value, 0); }

void RegisterFile::write_gerrorn(std::uint32_t value) {
    const std::uint32_t was_active = low(gerror_) ^ low(gerrorn_);
    const std::uint32_t would_be_active = low(gerror_) ^ value;
    const std::uint32_t wrong = would_be_active & ~was_active;
    if (wrong != 0)
        events_.diagnostic(
            "SMMU_GERRORN written so that an inactive error would become active: that bit is ignored "
            "(7.5)");
    gerrorn_.value = value ^ wrong;
    const std::uint32_t became_inactive = was_active & ~would_be_active;
    if (became_inactive != 0)
        events_.gerror_acknowledged(became_inactive);
}

bool RegisterFile::set_error(Field error) {
    if ((error.mask() & gerrorn_.writable) == 0 || error_active(error))
        return false;
    gerror_.value ^= error.mask();
    return true;
}

// --- Stream table, interrupts
// ---------------------------------------------------------------------------------------

StreamTableConfig RegisterFile::stream_table() const {
    namespace cfg = strtab_base_cfg;
    const unsigned log2size = static_cast<unsigned>(cfg::log2size.get(strtab_base_cfg_.value));
    unsigned split = static_cast<unsigned>(cfg::split.get(strtab_base_cfg_.value));
    if (split != 8 && split != 10)
        split = 6; // other values behave as 6
    const bool two_level = cfg::fmt.get(strtab_base_cfg_.value) == cfg::fmt_two_level;

    // The base is aligned to the table's size, by LOG2SIZE as written; a level 1 table has at least 64 bytes.
    unsigned align_bits = log2size + 6;
    if (two_level)
        align_bits = log2size > split + 3 ? log2size - split + 3 : 6;
    return {strtab_base::addr.in_place(strtab_base_.value) & ~low_bits(align_bits),
            std::min(log2size, features_.sid_bits), two_level, split,
            strtab_base::ra.get(strtab_base_.value) != 0};
}

InterruptConfig RegisterFile::interrupt(const InterruptRegisters& cfg) const {
    return {cfg[0].value, low(cfg[1]), static_cast<unsigned>(irq_cfg2::memattr.get(cfg[2].value)),
            static_cast<unsigned>(irq_cfg2::sh.get(cfg[2].value))};
}

// --- Queues
// ---------------------------------------------------------------------------------------------------------

QueueConfig RegisterFile::queue(const Register& base, unsigned log2_max, std::uint64_t entry_bytes) const {
    const unsigned log2 = log2size(base, log2_max);
    // The address field itself ends at 32 bytes, which is the least alignment.
    return {align_down(queue_base::addr.in_place(base.value), entry_bytes << log2), log2,
            queue_base::ra.get(base.value) != 0};
}

void RegisterFile::set_command_consumer(std::uint32_t index) {
    cmdq_cons_.value = cmdq_cons::rd.put(cmdq_cons_.value, index);
}
void RegisterFile::set_event_producer(std::uint32_t index) {
    eventq_prod_.value = eventq_prod::wr.put(eventq_prod_.value, index);
}

unsigned RegisterFile::command_error() const {
    return static_cast<unsigned>(cmdq_cons::err.get(cmdq_cons_.value));
}
void RegisterFile::set_command_error(unsigned code) {
    cmdq_cons_.value = cmdq_cons::err.put(cmdq_cons_.value, code);
}

void RegisterFile::write_cmdq_prod(std::uint32_t value) {
    const unsigned log2 = command_log2size();
    if (cr0::cmdqen.get(cr0()) != 0) {
        const std::uint32_t filled = fill(value, command_consumer(), log2);
        if (filled > (1u << log2))
            events_.diagnostic(
                "SMMU_CMDQ_PROD written more than the queue's size ahead of CMDQ_CONS (3.5.1)");
        // Moving back to CONS is allowed while a command error is active.
        else if (filled < fill(command_producer(), command_consumer(), log2) &&
                 !error_active(gerror::cmdq_err))
            events_.diagnostic("SMMU_CMDQ_PROD moved backwards while the queue is enabled (3.5.1)");
    }
    cmdq_prod_.value = value;
    events_.command_producer_written(command_producer());
}

void RegisterFile::write_eventq_cons(std::uint32_t value) {
    const unsigned log2 = event_log2size();
    if (cr0::eventqen.get(cr0()) != 0 &&
        fill(event_producer(), static_cast<std::uint32_t>(eventq_cons::rd.get(value)), log2) >
            fill(event_producer(), event_consumer(), log2))
        events_.diagnostic(
            "SMMU_EVENTQ_CONS moved past EVENTQ_PROD or backwards while the queue is enabled (3.5.1)");
    eventq_cons_.value = value;
    events_.event_consumer_written(event_consumer());
}

bool RegisterFile::event_overflow_active() const {
    return eventq_prod::ovflg.get(eventq_prod_.value) != eventq_cons::ovackflg.get(eventq_cons_.value);
}

bool RegisterFile::signal_event_overflow() {
    if (event_overflow_active())
        return false;
    eventq_prod_.value ^= eventq_prod::ovflg.mask();
    return true;
}

} // namespace iommusim::smmuv3
