#include "models/soc/dma_engine_registers.h"

#include <cstring>

namespace iommusim::soc {

namespace reg = dma_engine::reg;
namespace control = dma_engine::control;
namespace status = dma_engine::status;

DmaEngineRegisters::DmaEngineRegisters(sc_core::sc_module_name name, DmaMaster& master, std::uint32_t id,
                                       Picoseconds latency)
    : sc_module(name),
      socket("socket"),
      interrupt("interrupt"),
      master_(master),
      requester_id_(id),
      latency_(to_sc_time(latency)) {
    socket.bind(*this);
    at(reg::id) = dma_engine::id_value;
}

std::uint64_t DmaEngineRegisters::read(std::uint64_t offset) const {
    if (offset > reg::last)
        return 0;
    const DmaResult& result = has_job_ ? master_.result(job_) : last_result_;
    switch (offset) {
    case reg::completed:
        return result.completed;
    case reg::errors:
        return result.errors();
    case reg::mismatches:
        return result.mismatches;
    case reg::first_mismatch:
        return result.first_mismatch;
    default:
        return at(offset);
    }
}

void DmaEngineRegisters::write(std::uint64_t offset, std::uint64_t value, std::uint64_t written_bits,
                               Picoseconds delay) {
    if (offset > reg::last || offset == reg::id || offset >= reg::completed)
        return;
    if (offset == reg::status) {
        at(reg::status) &= ~(value & written_bits & (status::done.mask() | status::error.mask()));
        return;
    }
    at(offset) = (at(offset) & ~written_bits) | (value & written_bits);
    if (offset != reg::control)
        return;
    const std::uint64_t written = at(reg::control);
    at(reg::control) &= ~(control::go.mask() | control::stop.mask());
    const bool busy = status::busy.get(at(reg::status)) != 0;
    if (control::stop.get(written) != 0 && busy)
        master_.stop(job_);
    else if (control::go.get(written) != 0 && !busy)
        go(delay);
}

void DmaEngineRegisters::go(Picoseconds delay) {
    const std::uint64_t c = at(reg::control);
    DmaJob job;
    job.requester.id = requester_id_;
    job.requester.has_pasid = control::has_pasid.get(c) != 0;
    job.requester.pasid = job.requester.has_pasid ? static_cast<std::uint32_t>(at(reg::pasid)) : 0;
    job.requester.privileged = control::privileged.get(c) != 0;
    job.direction = static_cast<DmaDirection>(control::direction.get(c));
    job.pattern = static_cast<DmaPattern>(control::pattern.get(c));
    job.check = control::check.get(c) != 0 ? DmaCheck::pattern : DmaCheck::none;
    job.base = at(reg::base);
    job.window = at(reg::window);
    job.stride = at(reg::stride);
    job.count = at(reg::count);
    job.interval = at(reg::interval);
    job.address_seed = at(reg::address_seed);
    job.data_seed = at(reg::data_seed);
    job.start_delay = delay;
    job.listener = this;
    const std::uint64_t outstanding = at(reg::outstanding) != 0 ? at(reg::outstanding) : 1;
    const bool fits = at(reg::length) <= DmaJob::max_length && outstanding <= DmaJob::max_outstanding;
    if (fits) {
        job.length = static_cast<std::uint32_t>(at(reg::length));
        job.outstanding = static_cast<std::uint32_t>(outstanding);
    }
    has_job_ = false;
    last_result_ = DmaResult();
    if (!fits || job.violation() != nullptr) {
        end(true);
        return;
    }
    at(reg::status) = status::busy.mask();
    job_ = master_.start(job);
    has_job_ = true;
}

void DmaEngineRegisters::end(bool failed) {
    at(reg::status) = status::done.mask() | (failed ? status::error.mask() : 0);
    if (control::interrupt_enable.get(at(reg::control)) != 0 && interrupt.size() != 0)
        interrupt->pulse(0);
}

void DmaEngineRegisters::on_dma_access(const DmaAccess& access) {
    if (listener_ != nullptr)
        listener_->on_dma_access(access);
}

void DmaEngineRegisters::on_dma_job_end(DmaJobId job, const DmaResult& result) {
    last_result_ = result;
    has_job_ = false; // the master may give the index to another job
    if (listener_ != nullptr)
        listener_->on_dma_job_end(job, result);
    end(last_result_.errors() != 0 || last_result_.mismatches != 0);
}

// ---- bus side

void DmaEngineRegisters::access(tlm::tlm_generic_payload& payload, Picoseconds delay) {
    const std::uint64_t address = payload.get_address();
    const unsigned length = payload.get_data_length();
    if (address >= dma_engine::register_space) {
        payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
        return;
    }
    if ((length != 4 && length != 8) || address % length != 0 || payload.get_streaming_width() < length) {
        payload.set_response_status(tlm::TLM_BURST_ERROR_RESPONSE);
        return;
    }
    if (payload.get_byte_enable_ptr() != nullptr) {
        payload.set_response_status(tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE);
        return;
    }
    const std::uint64_t offset = address & ~7ull;
    const unsigned shift = static_cast<unsigned>(address & 7) * 8;
    if (payload.is_read()) {
        const std::uint64_t value = read(offset) >> shift;
        std::memcpy(payload.get_data_ptr(), &value, length);
    } else if (payload.is_write()) {
        std::uint64_t value = 0;
        std::memcpy(&value, payload.get_data_ptr(), length);
        write(offset, value << shift, low_bits(length * 8) << shift, delay);
    }
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
}

void DmaEngineRegisters::b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
    delay += latency_;
    access(payload, to_picoseconds(delay));
}

tlm::tlm_sync_enum DmaEngineRegisters::nb_transport_fw(tlm::tlm_generic_payload& payload,
                                                       tlm::tlm_phase& phase, sc_core::sc_time& delay) {
    if (phase != tlm::BEGIN_REQ)
        return tlm::TLM_ACCEPTED;
    delay += latency_;
    access(payload, to_picoseconds(delay));
    return tlm::TLM_COMPLETED;
}

bool DmaEngineRegisters::get_direct_mem_ptr(tlm::tlm_generic_payload&, tlm::tlm_dmi& dmi) {
    dmi.init();
    dmi.set_start_address(0);
    dmi.set_end_address(~0ull);
    dmi.set_granted_access(tlm::tlm_dmi::DMI_ACCESS_NONE);
    return false;
}

/// Reads registers without side effects; debug writes change nothing.
unsigned DmaEngineRegisters::transport_dbg(tlm::tlm_generic_payload& payload) {
    const std::uint64_t address = payload.get_address();
    if (!payload.is_read() || address >= dma_engine::register_space)
        return 0;
    unsigned done = 0;
    for (; done < payload.get_data_length() && address + done < dma_engine::register_space; ++done) {
        const std::uint64_t at_byte = address + done;
        payload.get_data_ptr()[done] =
            static_cast<unsigned char>(read(at_byte & ~7ull) >> (static_cast<unsigned>(at_byte & 7) * 8));
    }
    return done;
}

} // namespace iommusim::soc
