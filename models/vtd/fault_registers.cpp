// The part of the register file that reports: fault status and records, event messages, protected memory.
#include "register_file.h"

namespace iommusim::vtd {
namespace {

using namespace spec;

/// What can make a fault event; while any of it is pending there is no new one. PFO is not among it.
constexpr std::uint64_t fault_conditions =
    fsts::ppf.mask() | fsts::iqe.mask() | fsts::ice.mask() | fsts::ite.mask();

} // namespace

// --- Fault status and records (FSTS_REG, IQERCD_REG, FRCD_REG)
// --------------------------------------------------------------

bool RegisterFile::fault_condition_pending() const { return (fsts_.value & fault_conditions) != 0; }

bool RegisterFile::set_fault_condition(Field f) {
    const bool pending = fault_condition_pending();
    fsts_.value |= f.mask();
    return !pending && raise(fault_event_);
}

bool RegisterFile::set_queue_error(unsigned iqei) {
    iqercd_.value = iqercd::iqei.put(iqercd_.value, iqei);
    return set_fault_condition(fsts::iqe);
}

bool RegisterFile::set_invalidation_timeout(std::uint16_t source) {
    if (!fault_status(fsts::ite))
        iqercd_.value = iqercd::itesid.put(iqercd_.value, source);
    return set_fault_condition(fsts::ite);
}

bool RegisterFile::set_invalidation_completion_error(std::uint16_t source) {
    if (!fault_status(fsts::ice))
        iqercd_.value = iqercd::icesid.put(iqercd_.value, source);
    return set_fault_condition(fsts::ice);
}

void RegisterFile::set_fault_overflow() { fsts_.value |= fsts::pfo.mask(); }

bool RegisterFile::fault_record_pending(unsigned index) const {
    return bit(fault_record::f.shift()).get(frcd_[index][1].value) != 0;
}

std::uint16_t RegisterFile::fault_record_source(unsigned index) const {
    return static_cast<std::uint16_t>(fault_record::sid.get(frcd_[index][1].value));
}

bool RegisterFile::store_fault_record(unsigned index,
                                      const std::array<std::uint64_t, fault_record::words>& record) {
    frcd_[index][0].value = record[0];
    frcd_[index][1].value = record[1] | fault_record::f.mask();
    if (fault_status(fsts::ppf))
        return false;
    fsts_.value = fsts::fri.put(fsts_.value, index);
    return set_fault_condition(fsts::ppf);
}

void RegisterFile::write_frcd(Register& r, const Write& w) {
    if ((r.value & w.ones & fault_record::f.mask()) == 0)
        return;
    r.value &= ~fault_record::f.mask();
    bool pending = false;
    for (unsigned i = 0; i < frcd_.size(); ++i)
        pending = pending || fault_record_pending(i);
    fsts_.value = fsts::ppf.put(fsts_.value, pending ? 1 : 0);
    withdraw_fault_event_if_served();
    events_.fault_record_cleared(
        static_cast<unsigned>((r.offset - features_.fault_record_offset) / fault_record::bytes));
}

void RegisterFile::write_fsts(Register& r, const Write& w) {
    const std::uint64_t clearable = fsts::pfo.mask() | fsts::iqe.mask() | fsts::ice.mask() | fsts::ite.mask();
    const std::uint64_t cleared = r.value & w.ones & clearable;
    if (cleared == 0)
        return;
    r.value &= ~cleared;
    withdraw_fault_event_if_served();
    events_.fault_status_cleared(static_cast<std::uint32_t>(cleared));
}

void RegisterFile::withdraw_fault_event_if_served() {
    if (!fault_condition_pending() && !fault_status(fsts::pfo))
        withdraw(fault_event_);
}

// --- Events (FECTL_REG, IECTL_REG, PECTL_REG and their message registers)
// --------------------------------------------

bool RegisterFile::raise(EventRegisters& event) {
    const bool send_now = event.block.raise();
    show(event);
    return send_now;
}

void RegisterFile::withdraw(EventRegisters& event) {
    event.block.withdraw();
    show(event);
}

void RegisterFile::write_event_control(Register& r, const Write& w) {
    for (EventRegisters* event : {&fault_event_, &completion_event_, &page_event_}) {
        if (&event->control != &r)
            continue;
        const bool send_now = event->block.write_mask(event_control::im.get(w.value) != 0);
        show(*event);
        if (send_now)
            (events_.*event->unmasked)();
    }
}

EventMessage RegisterFile::message(const EventRegisters& event) const {
    return {event.upper_address.value << 32 | event.address.value, low(event.data)};
}

// --- Protected memory (PMEN_REG, PLM*_REG, PHM*_REG)
// -----------------------------------------------------------------

void RegisterFile::write_pmen(Register& r, const Write& w) {
    const bool changes = r.value != w.value;
    r.value = w.value;
    if (changes)
        events_.protected_memory_written();
}

void RegisterFile::acknowledge_protected_memory() {
    pmen_.value = pmen::prs.put(pmen_.value, pmen::epm.get(pmen_.value));
}

void RegisterFile::write_protected_region(Register& r, const Write& w) {
    if (!protection_enabled()) {
        r.value = w.value;
        return;
    }
    if (r.value != w.value)
        events_.diagnostic("A base or limit of protected memory written while PMEN_REG.PRS is 1: ignored");
}

ProtectedRegion RegisterFile::region(bool exists, const Register& base, const Register& limit) {
    if (!exists)
        return {1, 0};
    // The bits of the limit that are not decoded count as 1; a limit below the base stays below it.
    return {base.value, limit.value | low_bits(protected_granule_bits)};
}

ProtectedRegion RegisterFile::protected_low_memory() const {
    return region(features_.protected_low_memory, plmbase_, plmlimit_);
}

ProtectedRegion RegisterFile::protected_high_memory() const {
    return region(features_.protected_high_memory, phmbase_, phmlimit_);
}

bool RegisterFile::is_protected(std::uint64_t first, std::uint64_t last) const {
    if (!protection_enabled())
        return false;
    const ProtectedRegion low_memory = protected_low_memory();
    const ProtectedRegion high_memory = protected_high_memory();
    const auto overlaps = [&](const ProtectedRegion& r) {
        return r.first <= r.last && first <= r.last && last >= r.first;
    };
    return overlaps(low_memory) || overlaps(high_memory);
}

} // namespace iommusim::vtd
