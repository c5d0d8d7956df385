#include "models/vtd/fault_log.h"

namespace iommusim::vtd {

using namespace spec;

void FaultLog::record(const Fault& fault) {
    ++counts_[fault.reason];
    if (fault.no_record && fault_is_qualified(fault.reason)) {
        ++suppressed_;
        return;
    }
    if (registers_.fault_status(fsts::pfo)) {
        ++lost_;
        return;
    }
    if (pending_for(fault.source)) {
        ++collapsed_;
        return;
    }
    if (registers_.fault_record_pending(next_)) {
        ++lost_;
        registers_.set_fault_overflow();
        return;
    }

    const unsigned type = fault.page_request ? fault_record::type_page_request
                          : fault.write      ? fault_record::type_write
                                             : fault_record::type_read;
    std::array<std::uint64_t, fault_record::words> record{};
    std::uint64_t* const words = record.data();
    words[0] = fault_record::fi.in_place(fault.information);
    fault_record::sid.set(words, fault.source);
    fault_record::t1.set(words, type & 1);
    fault_record::t2.set(words, type >> 1);
    fault_record::fr.set(words, fault.reason);
    fault_record::priv.set(words, fault.privileged);
    fault_record::exe.set(words, fault.execute);
    if (fault.has_pasid) {
        fault_record::pp.set(words, 1);
        fault_record::pv.set(words, fault.pasid);
    }
    if (registers_.features().device_tlb)
        fault_record::at.set(words, fault.address_type);

    ++recorded_;
    const unsigned index = next_;
    next_ = index + 1 == registers_.features().fault_records ? 0 : index + 1;
    if (registers_.store_fault_record(index, record))
        send();
}

bool FaultLog::pending_for(std::uint16_t source) const {
    if (!registers_.fault_status(fsts::ppf))
        return false;
    for (unsigned i = 0; i < registers_.features().fault_records; ++i)
        if (registers_.fault_record_pending(i) && registers_.fault_record_source(i) == source)
            return true;
    return false;
}

void FaultLog::queue_error(unsigned iqei) {
    if (registers_.set_queue_error(iqei))
        send();
}

void FaultLog::invalidation_timeout(std::uint16_t source) {
    if (registers_.set_invalidation_timeout(source))
        send();
}

void FaultLog::completion_error(std::uint16_t source) {
    if (registers_.set_invalidation_completion_error(source))
        send();
}

void FaultLog::send() {
    const EventMessage message = registers_.fault_message();
    messages_.send(message.address, message.data);
}

} // namespace iommusim::vtd
