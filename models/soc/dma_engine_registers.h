// The register interface of a DMA engine (spec/dma_engine.h) in front of a DmaMaster.
//
// Models: description, start, stop, progress and end of one job at a time; a wired interrupt at its end. A
// write takes effect at its annotated time of arrival. Does not model: descriptor rings, message-signalled
// interrupts, reset. C++17: public to foreign virtual platforms.
#pragma once

#include "../base/time.h"
#include "../core/interrupt.h"
#include "dma_master.h"
#include "spec/dma_engine.h"

#include <array>
#include <cstdint>
#include <tlm>

namespace iommusim::soc {

class DmaEngineRegisters : public sc_core::sc_module, public tlm::tlm_fw_transport_if<>, private DmaListener {
public:
    tlm::tlm_target_socket<> socket; ///< addresses 0 to register_space - 1
    InterruptPort interrupt;         ///< line 0: end of job

    /// Jobs run on `master` and carry requester `id`. Accesses to registers take `latency`.
    DmaEngineRegisters(sc_core::sc_module_name name, DmaMaster& master, std::uint32_t id,
                       Picoseconds latency = 0);

    /// Also told about every access and job end; may be nullptr.
    void set_listener(DmaListener* listener) { listener_ = listener; }

    void b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;
    tlm::tlm_sync_enum nb_transport_fw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                       sc_core::sc_time& delay) override;
    bool get_direct_mem_ptr(tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) override;
    unsigned transport_dbg(tlm::tlm_generic_payload& payload) override;

private:
    static constexpr std::size_t register_count = dma_engine::reg::last / 8 + 1;

    void on_dma_access(const DmaAccess& access) override;
    void on_dma_job_end(DmaJobId job, const DmaResult& result) override;

    void access(tlm::tlm_generic_payload& payload, Picoseconds delay);
    std::uint64_t read(std::uint64_t offset) const;
    void write(std::uint64_t offset, std::uint64_t value, std::uint64_t written_bits, Picoseconds delay);
    void go(Picoseconds delay);
    void end(bool failed);
    std::uint64_t& at(std::uint64_t offset) { return registers_[offset / 8]; }
    std::uint64_t at(std::uint64_t offset) const { return registers_[offset / 8]; }

    DmaMaster& master_;
    const std::uint32_t requester_id_;
    const sc_core::sc_time latency_;
    DmaListener* listener_ = nullptr;
    std::array<std::uint64_t, register_count> registers_{};
    DmaJobId job_ = 0;
    bool has_job_ = false; ///< job_ names the current or last job
    DmaResult last_result_;
};

} // namespace iommusim::soc
