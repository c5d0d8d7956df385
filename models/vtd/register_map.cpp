// The data sheet of the register file: which registers exist and which of their fields can be written (VT-d
// specification, chapter "Register Descriptions"). A register that is not bound here reads 0 and ignores
// writes.
#include "register_file.h"

namespace iommusim::vtd {
namespace {

using namespace spec;

template <class... Fields> constexpr std::uint64_t masks(Fields... fields) {
    return (fields.mask() | ... | 0ull);
}

} // namespace

RegisterFile::RegisterFile(const Features& features, RegisterEvents& events)
    : features_(features),
      events_(events),
      bank_(*this, features.register_space_bytes(), "Register Descriptions"),
      frcd_(features.fault_records) {
    const IdRegisters ids = make_id_registers(features);
    bind(ver_, "VER_REG", reg::ver).read_only(ids.ver);
    bind(cap_, "CAP_REG", reg::cap, 8).read_only(ids.cap);
    bind(ecap_, "ECAP_REG", reg::ecap, 8).read_only(ids.ecap);

    bind_control();
    if (features.register_invalidation())
        bind_register_invalidation();
    bind_faults();
    if (features.protected_low_memory || features.protected_high_memory)
        bind_protected_memory();
    if (features.queued_invalidation)
        bind_invalidation_queue();
    if (features.page_requests)
        bind_page_requests();

    reset();
}

void RegisterFile::bind_control() {
    std::uint64_t commands = masks(gcmd::te, gcmd::srtp);
    if (features_.write_buffers)
        commands |= masks(gcmd::wbf);
    if (features_.queued_invalidation)
        commands |= masks(gcmd::qie);
    if (features_.interrupt_remapping)
        commands |= masks(gcmd::ire, gcmd::sirtp, gcmd::cfi);
    bind(gcmd_, "GCMD_REG", reg::gcmd).write_only(commands).on_write(&RegisterFile::write_gcmd);
    bind(gsts_, "GSTS_REG", reg::gsts).read_only();

    // Every TTM code can be written; an unsupported one makes DMA fault once it is latched.
    bind(rtaddr_, "RTADDR_REG", reg::rtaddr, 8).read_write(address_fields(12) | masks(rtaddr::ttm));
    if (features_.interrupt_remapping) {
        const std::uint64_t eime = features_.x2apic ? irta::eime.mask() : 0;
        bind(irta_, "IRTA_REG", reg::irta, 8).read_write(address_fields(12) | masks(irta::s) | eime);
    }
}

void RegisterFile::bind_register_invalidation() {
    bind(ccmd_, "CCMD_REG", reg::ccmd, 8)
        .read_write(masks(ccmd::icc, ccmd::cirg, ccmd::fm, ccmd::sid, ccmd::did))
        .on_write(&RegisterFile::write_ccmd);
    bind(iva_, "IVA_REG", features_.iotlb_offset, 8).write_only(masks(iva::addr, iva::ih, iva::am));
    bind(iotlb_, "IOTLB_REG", features_.iotlb_offset + 8, 8)
        .read_write(masks(iotlb::ivt, iotlb::iirg, iotlb::dr, iotlb::dw, iotlb::did))
        .on_write(&RegisterFile::write_iotlb);
}

void RegisterFile::bind_faults() {
    bind(fsts_, "FSTS_REG", reg::fsts).read_only().on_write(&RegisterFile::write_fsts);
    bind_event(fault_event_, {"FECTL_REG", "FEDATA_REG", "FEADDR_REG", "FEUADDR_REG"}, reg::fectl,
               &RegisterEvents::fault_event_unmasked);
    std::uint64_t offset = features_.fault_record_offset;
    for (FaultRecord& record : frcd_) {
        bind(record[0], "FRCD_REG", offset, 8).read_only();
        bind(record[1], "FRCD_REG", offset + 8, 8).read_only().on_write(&RegisterFile::write_frcd);
        offset += fault_record::bytes;
    }
}

void RegisterFile::bind_protected_memory() {
    bind(pmen_, "PMEN_REG", reg::pmen).read_write(masks(pmen::epm)).on_write(&RegisterFile::write_pmen);
    if (features_.protected_low_memory) {
        const std::uint64_t fields = masks(bits(31, protected_granule_bits));
        bind(plmbase_, "PLMBASE_REG", reg::plmbase).read_write(fields);
        bind(plmlimit_, "PLMLIMIT_REG", reg::plmlimit).read_write(fields);
        plmbase_.on_write(&RegisterFile::write_protected_region);
        plmlimit_.on_write(&RegisterFile::write_protected_region);
    }
    if (features_.protected_high_memory) {
        const std::uint64_t fields = address_fields(protected_granule_bits);
        bind(phmbase_, "PHMBASE_REG", reg::phmbase, 8).read_write(fields);
        bind(phmlimit_, "PHMLIMIT_REG", reg::phmlimit, 8).read_write(fields);
        phmbase_.on_write(&RegisterFile::write_protected_region);
        phmlimit_.on_write(&RegisterFile::write_protected_region);
    }
}

void RegisterFile::bind_invalidation_queue() {
    bind(iqh_, "IQH_REG", reg::iqh, 8).read_only();
    bind(iqt_, "IQT_REG", reg::iqt, 8)
        .read_write(masks(queue_index::offset))
        .on_write(&RegisterFile::write_iqt);
    bind(iqa_, "IQA_REG", reg::iqa, 8)
        .read_write(address_fields(12) | masks(iqa::dw, iqa::qs))
        .on_write(&RegisterFile::write_iqa);
    bind(ics_, "ICS_REG", reg::ics).read_only().on_write(&RegisterFile::write_ics);
    bind(iqercd_, "IQERCD_REG", reg::iqercd, 8).read_only();
    bind_event(completion_event_, {"IECTL_REG", "IEDATA_REG", "IEADDR_REG", "IEUADDR_REG"}, reg::iectl,
               &RegisterEvents::completion_event_unmasked);
}

void RegisterFile::bind_page_requests() {
    const std::uint64_t index = masks(page_queue_index::offset);
    bind(pqh_, "PQH_REG", reg::pqh, 8).read_write(index).on_write(&RegisterFile::write_pqh);
    bind(pqt_, "PQT_REG", reg::pqt, 8).read_write(index).on_write(&RegisterFile::write_page_request_queue);
    bind(pqa_, "PQA_REG", reg::pqa, 8)
        .read_write(address_fields(12) | masks(pqa::pqs))
        .on_write(&RegisterFile::write_page_request_queue);
    bind(prs_, "PRS_REG", reg::prs).read_only().on_write(&RegisterFile::write_prs);
    bind_event(page_event_, {"PECTL_REG", "PEDATA_REG", "PEADDR_REG", "PEUADDR_REG"}, reg::pectl,
               &RegisterEvents::page_event_unmasked);
}

/// The four registers of an event lie one behind the other, control first.
void RegisterFile::bind_event(EventRegisters& event, const std::array<const char*, 4>& names,
                              std::uint64_t offset, void (RegisterEvents::*unmasked)()) {
    event.unmasked = unmasked;
    bind(event.control, names[0], offset)
        .read_write(masks(event_control::im), event_control::reset)
        .on_write(&RegisterFile::write_event_control);
    bind(event.data, names[1], offset + 4).read_write(masks(event_message::data));
    bind(event.address, names[2], offset + 8).read_write(masks(event_message::address));
    if (features_.x2apic)
        bind(event.upper_address, names[3], offset + 12).read_write(masks(event_message::upper_address));
}

/// An address field from bit `lsb` up to the host address width.
std::uint64_t RegisterFile::address_fields(unsigned lsb) const {
    return low_bits(features_.host_address_bits) & ~low_bits(lsb);
}

} // namespace iommusim::vtd
