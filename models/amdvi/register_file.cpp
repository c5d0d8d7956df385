#include "register_file.h"

#include "spec/device_table.h"
#include "spec/interrupts.h"

namespace iommusim::amdvi {
namespace {

using namespace spec;

constexpr Ring all_rings[] = {Ring::commands, Ring::events, Ring::page_requests, Ring::guest_apic};

} // namespace

void RegisterFile::reset() {
    bank_.reset();
    capability_bank_.reset();
    for (RingRegisters& r : rings_)
        r.stopped = false;
}

std::uint64_t RegisterFile::window_base() const {
    return cap_base::address.in_place(base_high_.value << 32 | base_low_.value);
}

// --- Control (0018h)
// ---------------------------------------------------------------------------------------------------------

void RegisterFile::write_control(Register& r, const RegisterWrite& w) {
    const std::uint64_t old = r.value;
    std::uint64_t value = w.value;
    if (control::dev_tbl_seg_en.get(value) > features_.log2_device_table_segments) {
        diagnostic("Control.DevTblSegEn is above EFR.DevTblSegSup: the field keeps its value");
        value = control::dev_tbl_seg_en.put(value, control::dev_tbl_seg_en.get(old));
    }
    const std::uint64_t changed = old ^ value;
    if (changed == 0)
        return;
    check_control(changed, value);

    r.value = value;
    events_.control_written(changed);
    if ((changed & control::dev_tbl_seg_en.mask()) != 0)
        events_.device_table_written();
    for (const Ring ring : all_rings) {
        if (spec_of(ring).enable.get(changed & value) != 0) {
            // Enabling again is what ends an error or overflow.
            at(ring).stopped = false;
            if (ring != Ring::commands)
                status_.value &= ~spec_of(ring).overflow.mask();
        }
        if (enabled(ring, old) != enabled(ring, value))
            events_.ring_requested(ring, ring_wanted(ring));
    }
}

/// The rules between fields.
void RegisterFile::check_control(std::uint64_t changed, std::uint64_t value) {
    const auto becomes_set = [=](Field f) { return f.get(changed & value) != 0; };
    if (becomes_set(control::xt_en) && control::ga_en.get(value) == 0)
        diagnostic("Control.XTEn set without GAEn: 32-bit destinations need 128-bit interrupt table entries");
    if (becomes_set(control::gam_en) && control::ga_en.get(value) == 0)
        diagnostic("Control.GAMEn set without GAEn: the virtual APIC needs 128-bit interrupt table entries");
    if ((changed & control::ga_en.mask()) != 0 && control::iommu_en.get(control_.value & value) != 0)
        diagnostic("Control.GAEn changed while the IOMMU is enabled: it changes the size of interrupt table "
                   "entries");
    for (const Ring ring : all_rings)
        if (becomes_set(spec_of(ring).enable) &&
            ring_base::length.get(at(ring).base.value) < ring_base::min_length)
            diagnostic("a ring is enabled whose length code is reserved (less than 8): it does not run");
}

bool RegisterFile::enabled(Ring ring, std::uint64_t control_value) const {
    return exists(ring) && control::iommu_en.get(control_value) != 0 &&
           spec_of(ring).enable.get(control_value) != 0;
}

// --- Status (2020h)
// ---------------------------------------------------------------------------------------------------------

void RegisterFile::write_status(Register& r, const RegisterWrite& w) {
    const std::uint64_t cleared = r.value & w.ones & status::write_1_to_clear;
    if (cleared == 0)
        return;
    r.value &= ~cleared;
    events_.status_cleared(cleared);
}

bool RegisterFile::interrupt_enabled(Field f) const {
    const std::uint64_t mask = f.mask();
    if ((mask & (status::event_overflow.mask() | status::event_log_int.mask())) != 0)
        return control(control::event_int_en);
    if ((mask & status::com_wait_int.mask()) != 0)
        return control(control::com_wait_int_en);
    if ((mask & (status::ppr_overflow.mask() | status::ppr_int.mask())) != 0)
        return control(control::ppr_int_en);
    return control(control::ga_int_en);
}

bool RegisterFile::set_status(Field f) {
    // Interrupts are edges: while the bit stays 1 there is no other message.
    if (status(f))
        return false;
    status_.value |= f.mask();
    return interrupt_enabled(f);
}

void RegisterFile::write_hw_event_status(Register& r, const RegisterWrite& w) { r.value &= ~w.ones; }

void RegisterFile::store_hardware_event(std::uint64_t word0, std::uint64_t word1) {
    if (!features_.hardware_events)
        return;
    if (hw_event_status::hev.get(hw_event_status_.value) != 0) {
        hw_event_status_.value |= hw_event_status::heo.mask();
        return;
    }
    hw_event_[0].value = word0;
    hw_event_[1].value = word1;
    hw_event_status_.value |= hw_event_status::hev.mask();
}

// --- Rings
// ---------------------------------------------------------------------------------------------------------

Ring RegisterFile::ring_of(const Register& r) const {
    for (const Ring ring : all_rings)
        if (&r == &at(ring).base || &r == &at(ring).head || &r == &at(ring).tail)
            return ring;
    return Ring::commands;
}

RegisterFile::Register& RegisterFile::software_pointer(Ring ring) {
    return ring == Ring::commands ? at(ring).tail : at(ring).head;
}
RegisterFile::Register& RegisterFile::hardware_pointer(Ring ring) {
    return ring == Ring::commands ? at(ring).head : at(ring).tail;
}

bool RegisterFile::ring_wanted(Ring ring) const {
    return enabled(ring, control_.value) && !at(ring).stopped &&
           ring_base::length.get(at(ring).base.value) >= ring_base::min_length;
}

void RegisterFile::acknowledge_ring(Ring ring) {
    status_.value = spec_of(ring).run.put(status_.value, ring_wanted(ring) ? 1 : 0);
}

void RegisterFile::halt_commands() {
    at(Ring::commands).stopped = true;
    acknowledge_ring(Ring::commands);
}

bool RegisterFile::overflow(Ring log) {
    at(log).stopped = true;
    acknowledge_ring(log);
    return set_status(spec_of(log).overflow);
}

RingConfig RegisterFile::ring(Ring ring) const {
    const std::uint64_t base = at(ring).base.value;
    return {ring_base::base.in_place(base), ring_base::ring_bytes(ring_base::length.get(base)),
            spec_of(ring).entry_bytes};
}

void RegisterFile::write_ring_base(Register& r, const RegisterWrite& w) {
    const Ring ring = ring_of(r);
    const bool wanted = ring_wanted(ring);
    r.value = w.value;
    at(ring).head.value = 0;
    at(ring).tail.value = 0;
    events_.ring_base_written(ring);
    if (wanted != ring_wanted(ring)) // its length became legal, or is not any more
        events_.ring_requested(ring, !wanted);
}

std::uint64_t RegisterFile::in_ring(Ring ring, std::uint64_t pointer) {
    const std::uint64_t bytes = this->ring(ring).bytes;
    if (pointer >= bytes)
        diagnostic("a ring pointer is written behind the end of its ring: taken modulo its length");
    return pointer & (bytes - 1);
}

void RegisterFile::write_software_pointer(Register& r, const RegisterWrite& w) {
    const Ring ring = ring_of(r);
    r.value = in_ring(ring, w.value);
    events_.ring_pointer_written(ring);
}

void RegisterFile::write_hardware_pointer(Register& r, const RegisterWrite& w) {
    r.value = in_ring(ring_of(r), w.value);
}

void RegisterFile::set_command_head(std::uint64_t byte_offset) {
    at(Ring::commands).head.value = byte_offset & (ring(Ring::commands).bytes - 1);
}

void RegisterFile::set_log_tail(Ring log, std::uint64_t byte_offset) {
    at(log).tail.value = byte_offset & (ring(log).bytes - 1);
}

// --- Device table (0000h, 0100h), exclusion range (0020h)
// ------------------------------------------------------------------------------------------------------------

void RegisterFile::write_device_table(Register& r, const RegisterWrite& w) {
    r.value = w.value;
    events_.device_table_written();
}

unsigned RegisterFile::log2_device_table_segments() const {
    return static_cast<unsigned>(control::dev_tbl_seg_en.get(control_.value));
}

DeviceTableSegment RegisterFile::device_table_segment(unsigned segment) const {
    const std::uint64_t value = device_table_[segment].value;
    return {dev_table_base::base.in_place(value),
            dev_table_base::table_bytes(dev_table_base::size.get(value))};
}

bool RegisterFile::device_table_entry(std::uint16_t device_id, std::uint64_t& address) const {
    const unsigned log2_segments = log2_device_table_segments();
    const DeviceTableSegment table = device_table_segment(dev_table_base::segment(device_id, log2_segments));
    const std::uint64_t offset = dte::offset(device_id, log2_segments);
    if (offset >= table.bytes)
        return false;
    address = table.base + offset;
    return true;
}

void RegisterFile::write_exclusion(Register& r, const RegisterWrite& w) {
    r.value = w.value;
    events_.exclusion_range_written();
}

ExclusionRange RegisterFile::exclusion_range() const {
    return {exclusion::ex_en.get(exclusion_base_.value) != 0,
            exclusion::allow.get(exclusion_base_.value) != 0, exclusion::base.in_place(exclusion_base_.value),
            exclusion::base.in_place(exclusion_limit_.value) | low_bits(exclusion::base.lsb)};
}

// --- Interrupts
// ---------------------------------------------------------------------------------------------------------

unsigned RegisterFile::log2_interrupt_entries_max() const {
    return control::num_int_remap_mode.get(control_.value) == efr2::num_int_remap_2048 ? 11 : 9;
}

InterruptMessage RegisterFile::message(Ring ring) const {
    if (control(control::int_cap_xt_en)) {
        const Register& source = ring == Ring::page_requests ? xt_ppr_
                                 : ring == Ring::guest_apic  ? xt_ga_
                                                             : xt_general_;
        const std::uint32_t destination = xt_interrupt::destination(source.value);
        const std::uint64_t address =
            msi_address::window_base | msi_address::destination.make(destination) |
            msi_address::destination_upper.make(destination >> 8) |
            msi_address::destination_mode.make(xt_interrupt::destination_mode.get(source.value));
        const std::uint64_t data =
            msi_data::vector.make(xt_interrupt::vector.get(source.value)) |
            msi_data::delivery_mode.make(xt_interrupt::delivery_mode.get(source.value));
        return {true, address, static_cast<std::uint32_t>(data)};
    }
    // One message for all: the MsiNum fields are 0.
    return {msi_cap_header::msi_en.get(msi_header_.value) != 0,
            msi_address_high_.value << 32 | msi_address_low_.value,
            static_cast<std::uint32_t>(msi_data_.value)};
}

} // namespace iommusim::amdvi
