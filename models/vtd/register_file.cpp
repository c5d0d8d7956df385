#include "register_file.h"

#include "spec/page_request.h"

#include <cstdio>

namespace iommusim::vtd {
namespace {

using namespace spec;

constexpr std::uint32_t mask32(Field f) { return static_cast<std::uint32_t>(f.mask()); }

} // namespace

void RegisterFile::reset() {
    bank_.reset();
    iqt_.readable = ~0ull;
    for (EventRegisters* event : {&fault_event_, &completion_event_, &page_event_})
        event->block.reset();
    root_table_ = {};
    interrupt_table_ = {};
    one_shots_pending_ = 0;
}

// --- Global command and status (GCMD_REG, GSTS_REG)
// -----------------------------------------------------------------

void RegisterFile::write_gcmd(Register& r, const Write& w) {
    const std::uint32_t one_shots = static_cast<std::uint32_t>(w.value) & gcmd::one_shot_mask;
    const std::uint32_t requested = static_cast<std::uint32_t>(w.value) & ~gcmd::one_shot_mask;
    const std::uint32_t changed = (requested ^ enables()) | one_shots;
    if (changed == 0)
        return;
    check_global_command(changed);
    check_table_pointer(one_shots);

    r.value = requested;
    one_shots_pending_ |= one_shots;
    // Pointer status goes away with the command and comes back when it is done; WBFS is 1 in between.
    gsts_.value &= ~std::uint64_t{one_shots & (mask32(gcmd::srtp) | mask32(gcmd::sirtp))};
    gsts_.value |= one_shots & mask32(gcmd::wbf);
    events_.global_command(changed, requested);
}

void RegisterFile::check_global_command(std::uint32_t changed) {
    if ((changed & (changed - 1)) != 0)
        events_.diagnostic("GCMD_REG changes several fields in one write: software changes one at a time");
    const std::uint32_t unacknowledged = (enables() ^ gsts()) & ~gcmd::one_shot_mask;
    if ((changed & (unacknowledged | one_shots_pending_)) != 0)
        events_.diagnostic("GCMD_REG changes a field whose previous change GSTS_REG does not show yet");
    const bool becomes_set = (enables() & changed) == 0;
    if ((changed & mask32(gcmd::te)) != 0 && becomes_set && !status(gsts::rtps))
        events_.diagnostic("GCMD_REG.TE set before a root table pointer was set (SRTP)");
    if ((changed & mask32(gcmd::qie)) != 0 && status(gsts::qies) && iqh_.value != iqt_.value)
        events_.diagnostic("GCMD_REG.QIE cleared while the invalidation queue is not empty");
}

void RegisterFile::check_table_pointer(std::uint32_t one_shots) {
    if ((one_shots & mask32(gcmd::srtp)) != 0 && status(gsts::tes) && !features_.srtp_invalidates &&
        rtaddr::ttm.get(rtaddr_.value) != root_table_.mode)
        events_.diagnostic(
            "SRTP changes the translation table mode while GSTS_REG.TES is 1 (CAP.ESRTPS = 0)");
    if ((one_shots & mask32(gcmd::sirtp)) != 0 && status(gsts::ires) &&
        (irta::eime.get(irta_.value) != 0) != interrupt_table_.x2apic)
        events_.diagnostic("SIRTP changes IRTA_REG.EIME while GSTS_REG.IRES is 1");
}

void RegisterFile::acknowledge_enables(std::uint32_t mask) {
    mask &= ~gcmd::one_shot_mask;
    gsts_.value = (gsts_.value & ~std::uint64_t{mask}) | (gcmd_.value & mask);
    if (!status(gsts::qies))
        iqh_.value = 0;
}

void RegisterFile::latch_root_table() {
    root_table_ = {rtaddr::rta.in_place(rtaddr_.value),
                   static_cast<unsigned>(rtaddr::ttm.get(rtaddr_.value))};
    one_shots_pending_ &= ~mask32(gcmd::srtp);
    gsts_.value |= gsts::rtps.mask();
}

void RegisterFile::latch_interrupt_table() {
    interrupt_table_ = {irta::irta.in_place(irta_.value), irta::entries(irta::s.get(irta_.value)),
                        irta::eime.get(irta_.value) != 0};
    one_shots_pending_ &= ~mask32(gcmd::sirtp);
    gsts_.value |= gsts::irtps.mask();
}

void RegisterFile::complete_write_buffer_flush() {
    one_shots_pending_ &= ~mask32(gcmd::wbf);
    gsts_.value &= ~gsts::wbfs.mask();
}

// --- Register-based invalidation (CCMD_REG, IVA_REG, IOTLB_REG)
// -----------------------------------------------------

/// Stores the write unless a command is under way; true if it starts a command: the write has the top byte,
/// where the start bit is.
bool RegisterFile::starts_command(Register& r, const Write& w, Field busy) {
    if (busy.get(r.value) != 0) {
        char message[96];
        std::snprintf(message, sizeof message, "%s written while its command is not complete: ignored",
                      r.name);
        events_.diagnostic(message);
        return false;
    }
    r.value = w.value;
    return busy.get(w.ones) != 0;
}

const char* RegisterFile::refusal(const ContextCommand& command) const {
    if (status(gsts::qies))
        return "CCMD_REG used while queued invalidation is enabled: refused";
    if (root_table_.mode != rtaddr::ttm_legacy)
        return "CCMD_REG used while the translation table mode is not legacy: refused";
    if (command.granularity == ccmd::granularity_none)
        return "CCMD_REG used with a reserved granularity: refused";
    return nullptr;
}

const char* RegisterFile::refusal(const IotlbCommand& command) const {
    if (status(gsts::qies))
        return "IOTLB_REG used while queued invalidation is enabled: refused";
    if (command.granularity == iotlb::granularity_none)
        return "IOTLB_REG used with a reserved granularity: refused";
    if (command.granularity == iotlb::granularity_page && features_.page_selective_invalidation &&
        command.address_mask > features_.max_address_mask)
        return "IVA_REG.AM is above CAP.MAMV: refused";
    return nullptr;
}

void RegisterFile::write_ccmd(Register& r, const Write& w) {
    if (!starts_command(r, w, ccmd::icc))
        return;
    if (const char* const reason = refusal(context_command())) {
        events_.diagnostic(reason);
        complete_context_command(ccmd::granularity_none);
        return;
    }
    events_.context_command();
}

void RegisterFile::write_iotlb(Register& r, const Write& w) {
    if (!starts_command(r, w, iotlb::ivt))
        return;
    if (const char* const reason = refusal(iotlb_command())) {
        events_.diagnostic(reason);
        complete_iotlb_command(iotlb::granularity_none);
        return;
    }
    events_.iotlb_command();
}

ContextCommand RegisterFile::context_command() const {
    const std::uint64_t v = ccmd_.value;
    return {static_cast<unsigned>(ccmd::cirg.get(v)), static_cast<std::uint16_t>(ccmd::did.get(v)),
            static_cast<std::uint16_t>(ccmd::sid.get(v)), static_cast<unsigned>(ccmd::fm.get(v))};
}

void RegisterFile::complete_context_command(unsigned actual) {
    ccmd_.value = ccmd::caig.put(ccmd::icc.put(ccmd_.value, 0), actual);
}

IotlbCommand RegisterFile::iotlb_command() const {
    const std::uint64_t v = iotlb_.value;
    return {static_cast<unsigned>(iotlb::iirg.get(v)),
            static_cast<std::uint16_t>(iotlb::did.get(v)),
            iotlb::dr.get(v) != 0 && features_.read_draining,
            iotlb::dw.get(v) != 0 && features_.write_draining,
            iva::addr.in_place(iva_.value),
            static_cast<unsigned>(iva::am.get(iva_.value)),
            iva::ih.get(iva_.value) != 0};
}

void RegisterFile::complete_iotlb_command(unsigned actual) {
    iotlb_.value = iotlb::iaig.put(iotlb::ivt.put(iotlb_.value, 0), actual);
}

// --- Invalidation queue (IQH_REG, IQT_REG, IQA_REG, ICS_REG)
// --------------------------------------------------------

QueueConfig RegisterFile::invalidation_queue() const {
    return {iqa::addr.in_place(iqa_.value), iqa::queue_bytes(iqa::qs.get(iqa_.value)),
            iqa::descriptor_bytes(iqa::dw.get(iqa_.value))};
}

void RegisterFile::set_invalidation_head(std::uint64_t byte_offset) {
    iqh_.value = queue_index::offset.in_place(byte_offset);
}

void RegisterFile::write_iqt(Register& r, const Write& w) {
    r.value = w.value;
    events_.invalidation_tail_written();
}

void RegisterFile::write_iqa(Register& r, const Write& w) {
    if (status(gsts::qies))
        events_.diagnostic("IQA_REG written while queued invalidation is enabled");
    r.value = w.value;
    iqh_.value = 0;
    iqt_.value = 0;
    // Half a slot is reserved with 256-bit descriptors. The queue sees the bit and reports it as an error.
    iqt_.readable = iqa::dw.get(w.value) != 0 ? ~queue_index::half_slot.mask() : ~0ull;
    events_.invalidation_queue_address_written();
}

bool RegisterFile::set_completion_status() {
    if (completion_status())
        return false;
    ics_.value |= ics::iwc.mask();
    return raise(completion_event_);
}

void RegisterFile::write_ics(Register& r, const Write& w) {
    if ((r.value & w.ones & ics::iwc.mask()) == 0)
        return;
    r.value &= ~ics::iwc.mask();
    withdraw(completion_event_);
    events_.completion_status_cleared();
}

// --- Page requests (PQH_REG, PQT_REG, PQA_REG, PRS_REG)
// -------------------------------------------------------------

QueueConfig RegisterFile::page_request_queue() const {
    return {pqa::addr.in_place(pqa_.value), pqa::queue_bytes(pqa::pqs.get(pqa_.value)),
            static_cast<unsigned>(page_request::bytes)};
}

void RegisterFile::set_page_request_tail(std::uint64_t byte_offset) {
    pqt_.value = page_queue_index::offset.in_place(byte_offset);
}

void RegisterFile::write_pqh(Register& r, const Write& w) {
    r.value = w.value;
    events_.page_request_head_written();
}

void RegisterFile::write_page_request_queue(Register& r, const Write& w) {
    r.value = w.value;
    events_.page_request_queue_changed();
}

bool RegisterFile::set_page_request_status(Field f) {
    const bool pending = prs_.value != 0;
    prs_.value |= f.mask();
    return !pending && raise(page_event_);
}

void RegisterFile::write_prs(Register& r, const Write& w) {
    const std::uint64_t cleared = r.value & w.ones & (prs::ppr.mask() | prs::pro.mask());
    if (cleared == 0)
        return;
    r.value &= ~cleared;
    if (r.value == 0)
        withdraw(page_event_);
    events_.page_request_status_cleared(static_cast<std::uint32_t>(cleared));
}

} // namespace iommusim::vtd
