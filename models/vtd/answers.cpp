// What becomes of requests that are not simply passed on: faults and their records, interrupts, protected
// memory (VT-d specification, chapters 5 and 7; PMEN_REG).
#include "models/vtd/unit.h"

#include "models/vtd/spec/faults.h"

namespace iommusim::vtd {

using namespace spec;

namespace {

/// A translation request that fails for one of these is answered with R = W = 0 and not recorded: the device
/// may ask for the page (chapter 7.2.1, recoverable faults).
bool recoverable(unsigned reason) {
    switch (reason) {
    case fault_reason::legacy_address_beyond_width:
    case fault_reason::legacy_read_permission:
    case fault_reason::legacy_write_permission:
    case fault_reason::sm_first_stage_not_present:
    case fault_reason::sm_second_stage_not_present:
    case fault_reason::sm_not_canonical:
    case fault_reason::sm_user_privilege:
    case fault_reason::sm_supervisor_disabled:
    case fault_reason::sm_address_beyond_width:
    case fault_reason::sm_read_permission:
    case fault_reason::sm_write_permission:
        return true;
    default:
        return false;
    }
}

/// A translation request that fails for one of these is an Unsupported Request: the device is not, or not
/// yet, set up for ATS. Every other error is a Completer Abort.
bool unsupported(unsigned reason) {
    switch (reason) {
    case fault_reason::legacy_root_not_present:
    case fault_reason::legacy_context_not_present:
    case fault_reason::legacy_request_blocked:
    case fault_reason::sm_legacy_request_with_pasid:
    case fault_reason::sm_root_not_present:
    case fault_reason::sm_context_not_present:
    case fault_reason::sm_device_tlb_disabled:
    case fault_reason::sm_pasid_disabled:
    case fault_reason::sm_pasid_directory_not_present:
    case fault_reason::sm_pasid_entry_not_present:
        return true;
    default:
        return false;
    }
}

} // namespace

/// Chapter 7.2: the record of a fault, and what the request gets.
void Unit::answer_fault(const ClientAccess& access, std::uint64_t address, unsigned reason,
                        const Configuration& c, Translation& t) {
    t = Translation{};
    t.fault = fault_name(reason);
    switch (reason) {
    case fault_reason::legacy_write_permission:
    case fault_reason::legacy_read_permission:
    case fault_reason::sm_write_permission:
    case fault_reason::sm_read_permission:
    case fault_reason::sm_user_privilege:
        t.permission_fault = true;
        break;
    default:
        break;
    }
    t.first = align_down(address, 4096);
    t.last = address | 4095;
    const Requester& requester = access.requester;
    const bool translation_request = requester.address_type == AddressType::translation_request;
    t.empty = translation_request && recoverable(reason);
    t.unsupported = translation_request && unsupported(reason);
    if (access.pace.debug() || t.empty)
        return;
    Fault fault;
    fault.reason = static_cast<std::uint8_t>(reason);
    fault.no_record = c.no_record;
    fault.source = static_cast<std::uint16_t>(requester.id);
    fault.has_pasid = requester.has_pasid;
    fault.pasid = requester.pasid;
    fault.write = access.write;
    fault.privileged = requester.has_pasid && requester.privileged;
    fault.execute = requester.has_pasid && requester.instruction && !access.write;
    fault.address_type = static_cast<unsigned>(requester.address_type);
    fault.information = align_down(address, 4096);
    faults_.record(fault);
}

void Unit::answer_interrupt(const ClientAccess& access, std::uint64_t, const InterruptOutcome& outcome,
                            Translation& t) {
    t = Translation{};
    switch (outcome.kind) {
    case InterruptOutcome::Kind::message:
        t.outcome = Translation::Outcome::message;
        t.output = outcome.address;
        t.message = outcome.data;
        return;
    case InterruptOutcome::Kind::posted:
        t.outcome = Translation::Outcome::done;
        return;
    case InterruptOutcome::Kind::blocked:
        break;
    }
    t.fault = fault_name(outcome.reason);
    if (access.pace.debug())
        return;
    Fault fault;
    fault.reason = outcome.reason;
    fault.no_record = outcome.no_record;
    fault.source = static_cast<std::uint16_t>(access.requester.id);
    fault.write = true;
    fault.information = outcome.index << 48;
    faults_.record(fault);
}

/// Refuses what would reach protected memory, and lets the answer hold only for what does not.
void Unit::protect(Translation& t, std::uint64_t address, unsigned length) const {
    if (t.outcome != Translation::Outcome::pass)
        return;
    const std::uint64_t room = t.last - address;
    const std::uint64_t bytes = length == 0 ? 1 : length;
    const std::uint64_t last = t.output + (room < bytes - 1 ? room : bytes - 1);
    if (registers_.is_protected(t.output, last)) {
        t = Translation{};
        return;
    }
    const std::uint64_t to_input = address - t.output;
    for (const ProtectedRegion& region :
         {registers_.protected_low_memory(), registers_.protected_high_memory()}) {
        if (region.last < region.first)
            continue;
        if (region.first > t.output && region.first - t.output <= t.last - address)
            t.last = region.first - 1 + to_input;
        if (region.last < t.output && t.output - region.last <= address - t.first)
            t.first = region.last + 1 + to_input;
    }
}

} // namespace iommusim::vtd
