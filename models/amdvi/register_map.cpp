// The data sheet of the register file: which registers exist and which of their fields can be written
// (publication 48882, chapter "Registers"). A register that is not bound here reads 0 and ignores writes.
#include "register_file.h"

#include "spec/events.h"
#include "spec/ga_log.h"

namespace iommusim::amdvi {
namespace {

using namespace spec;

template <class... Fields> constexpr std::uint64_t masks(Fields... fields) {
    return (fields.mask() | ... | 0ull);
}

constexpr const char* chapter = "Registers";

/// Coherent is 1 at reset, in parts whose reset values are known; all else is 0.
constexpr std::uint64_t control_reset = masks(control::coherent);

std::uint64_t control_fields(const Features& f) {
    namespace c = control;
    // Attributes of bus accesses (PassPW, ResPassPW, Isoc) can be written and are without effect.
    std::uint64_t fields =
        masks(c::iommu_en, c::event_log_en, c::event_int_en, c::com_wait_int_en, c::inv_timeout, c::pass_pw,
              c::res_pass_pw, c::coherent, c::isoc, c::cmd_buf_en);
    const auto with = [&fields](bool feature, std::uint64_t its_fields) {
        fields |= feature ? its_fields : 0;
    };
    with(f.page_requests, masks(c::ppr_log_en, c::ppr_int_en, c::ppr_en));
    with(f.guest_translation, masks(c::gt_en));
    with(f.guest_translation && f.guest_accessed_disable, masks(c::ga_update_dis));
    with(f.guest_translation && f.guest_dirty_disable, masks(c::gd_update_dis));
    with(f.guest_apic, masks(c::ga_en));
    with(f.guest_virtual_apic, masks(bit(c::gam_en.lsb), c::ga_log_en, c::ga_int_en));
    with(f.log2_device_table_segments != 0, masks(c::dev_tbl_seg_en));
    with(f.interrupt_table_2048, masks(bit(c::num_int_remap_mode.lsb)));
    with(f.x2apic, masks(c::xt_en, c::int_cap_xt_en));
    with(f.interrupt_cache_disable, masks(c::irt_cache_dis));
    return fields;
}

} // namespace

RegisterFile::RegisterFile(const Features& features, RegisterEvents& events)
    : features_(features),
      events_(events),
      bank_(*this, Features::register_space_bytes(), chapter),
      capability_bank_(*this, cap_reg::block_bytes, chapter) {
    const IdRegisters ids = make_id_registers(features);
    bank_.bind(efr_, "Extended Feature", reg::efr, 8).read_only(ids.efr);
    bank_.bind(efr2_, "Extended Feature 2", reg::efr2, 8).read_only(ids.efr2);
    bank_.bind(misc0_, "MISC0", reg::misc0).read_only(ids.cap_misc0);
    bank_.bind(misc1_, "MISC1", reg::misc1).read_only(ids.cap_misc1);
    capability_bank_.bind(cap_header_, "Capability Header", cap_reg::header).read_only(ids.cap_header);
    capability_bank_.bind(cap_misc0_, "Capability Misc 0", cap_reg::misc0).read_only(ids.cap_misc0);
    capability_bank_.bind(cap_misc1_, "Capability Misc 1", cap_reg::misc1).read_only(ids.cap_misc1);

    bind_capability();
    bind_control();
    bind_rings();
    bind_device_table();
    bind_interrupts();
    reset();
}

/// Base address and range of the capability block: firmware sets them up and locks them.
void RegisterFile::bind_capability() {
    const std::uint64_t base_low_fields = low_bits(32) & (cap_base::address.mask() | cap_base::enable.mask());
    capability_bank_.bind(base_low_, "Capability Base Low", cap_reg::base_low)
        .read_write(base_low_fields)
        .while_not(&RegisterFile::window_locked);
    capability_bank_.bind(base_high_, "Capability Base High", cap_reg::base_high)
        .read_write(low_bits(32))
        .while_not(&RegisterFile::window_locked);
    capability_bank_.bind(cap_range_, "Capability Range", cap_reg::range).read_only();
}

void RegisterFile::bind_control() {
    bank_.bind(control_, "Control", reg::control, 8)
        .read_write(control_fields(features_), control_reset)
        .on_write(&RegisterFile::write_control);
    bank_.bind(status_, "Status", reg::status, 8).on_write(&RegisterFile::write_status);
    bank_.bind(exclusion_base_, "Exclusion Base", reg::exclusion_base, 8)
        .read_write(masks(exclusion::ex_en, exclusion::allow, exclusion::base))
        .on_write(&RegisterFile::write_exclusion);
    bank_.bind(exclusion_limit_, "Exclusion Range Limit", reg::exclusion_limit, 8)
        .read_write(masks(exclusion::base))
        .on_write(&RegisterFile::write_exclusion);
    if (features_.hardware_events) {
        bank_.bind(hw_event_[0], "Hardware Event Upper", reg::hw_event_upper, 8);
        bank_.bind(hw_event_[1], "Hardware Event Lower", reg::hw_event_lower, 8);
        bank_.bind(hw_event_status_, "Hardware Event Status", reg::hw_event_status, 8)
            .on_write(&RegisterFile::write_hw_event_status);
    }
}

void RegisterFile::bind_rings() {
    bind_ring(Ring::commands, {"Command Buffer Base", "Command Buffer Head", "Command Buffer Tail"},
              {reg::cmd_base, reg::cmd_head, reg::cmd_tail});
    bind_ring(Ring::events, {"Event Log Base", "Event Log Head", "Event Log Tail"},
              {reg::event_base, reg::event_head, reg::event_tail});
    if (exists(Ring::page_requests))
        bind_ring(Ring::page_requests, {"PPR Log Base", "PPR Log Head", "PPR Log Tail"},
                  {reg::ppr_base, reg::ppr_head, reg::ppr_tail});
    if (exists(Ring::guest_apic)) {
        bind_ring(
            Ring::guest_apic,
            {"Guest Virtual APIC Log Base", "Guest Virtual APIC Log Head", "Guest Virtual APIC Log Tail"},
            {reg::ga_base, reg::ga_head, reg::ga_tail});
        bank_.bind(ga_tail_address_, "Guest Virtual APIC Log Tail Address", reg::ga_tail_address, 8)
            .read_write(masks(ga_tail_address::address));
    }
}

void RegisterFile::bind_ring(Ring ring, const std::array<const char*, 3>& names,
                             const std::array<std::uint64_t, 3>& offsets) {
    RingRegisters& r = at(ring);
    const std::uint64_t pointer =
        masks(ring == Ring::guest_apic ? ring_pointer::ga_offset : ring_pointer::offset);
    bank_.bind(r.base, names[0], offsets[0], 8)
        .read_write(masks(ring_base::base, ring_base::length),
                    ring_base::length.make(ring_base::reset_length))
        .while_not(&RegisterFile::runs)
        .on_write(&RegisterFile::write_ring_base);
    bank_.bind(r.head, names[1], offsets[1], 8).read_write(pointer);
    bank_.bind(r.tail, names[2], offsets[2], 8).read_write(pointer);
    software_pointer(ring).on_write(&RegisterFile::write_software_pointer);
    hardware_pointer(ring).while_not(&RegisterFile::runs).on_write(&RegisterFile::write_hardware_pointer);
}

void RegisterFile::bind_device_table() {
    static constexpr const char* names[8] = {"Device Table Base",           "Device Table Segment 1 Base",
                                             "Device Table Segment 2 Base", "Device Table Segment 3 Base",
                                             "Device Table Segment 4 Base", "Device Table Segment 5 Base",
                                             "Device Table Segment 6 Base", "Device Table Segment 7 Base"};
    // A segment's table is smaller the more segments it takes to have it: 1 from 2 on, 2 and 3 from 4 on.
    static constexpr unsigned least_log2_segments[8] = {0, 1, 2, 2, 3, 3, 3, 3};
    for (unsigned s = 0; s < 1u << features_.log2_device_table_segments; ++s) {
        const std::uint64_t size =
            dev_table_base::size.make(dev_table_base::max_size(least_log2_segments[s]));
        bank_.bind(device_table_[s], names[s], s == 0 ? reg::dev_table_base : reg::dev_table_segment(s), 8)
            .read_write(masks(dev_table_base::base) | size)
            .on_write(&RegisterFile::write_device_table);
    }
}

void RegisterFile::bind_interrupts() {
    bank_.bind(msi_header_, "MSI Capability Header", reg::msi_cap_header)
        .read_write(masks(msi_cap_header::msi_en), msi_cap_header::cap_id.make(msi_cap_header::cap_id_msi) |
                                                       msi_cap_header::address_64_bit.make(1));
    bank_.bind(msi_address_low_, "MSI Address Low", reg::msi_address_low).read_write(masks(msi::address_low));
    bank_.bind(msi_address_high_, "MSI Address High", reg::msi_address_high)
        .read_write(masks(msi::address_high));
    bank_.bind(msi_data_, "MSI Data", reg::msi_data).read_write(masks(msi::data));

    if (!features_.x2apic)
        return;
    const std::uint64_t fields =
        masks(xt_interrupt::destination_mode, xt_interrupt::destination_low, xt_interrupt::vector,
              xt_interrupt::delivery_mode, xt_interrupt::destination_high);
    bank_.bind(xt_general_, "XT General Interrupt Control", reg::xt_general_interrupt, 8).read_write(fields);
    if (exists(Ring::page_requests))
        bank_.bind(xt_ppr_, "XT PPR Interrupt Control", reg::xt_ppr_interrupt, 8).read_write(fields);
    if (exists(Ring::guest_apic))
        bank_.bind(xt_ga_, "XT GA Log Interrupt Control", reg::xt_ga_interrupt, 8).read_write(fields);
}

const RegisterFile::RingSpec& RegisterFile::spec_of(Ring ring) {
    static constexpr unsigned event_bytes = static_cast<unsigned>(event::bytes);
    static constexpr RingSpec specs[ring_count] = {
        {control::cmd_buf_en, status::cmd_buf_run, {}, event_bytes},
        {control::event_log_en, status::event_log_run, status::event_overflow, event_bytes},
        {control::ppr_log_en, status::ppr_log_run, status::ppr_overflow, event_bytes},
        {control::ga_log_en, status::ga_log_run, status::ga_overflow, static_cast<unsigned>(ga_log::bytes)},
    };
    return specs[static_cast<unsigned>(ring)];
}

bool RegisterFile::exists(Ring ring) const {
    switch (ring) {
    case Ring::page_requests:
        return features_.page_requests;
    case Ring::guest_apic:
        return features_.guest_virtual_apic;
    default:
        return true;
    }
}

} // namespace iommusim::amdvi
