#include "models/smmuv3/smmuv3.h"

#include "models/smmuv3/unit.h"

#include <cstring>

namespace iommusim::smmuv3 {

class Smmuv3::Implementation : public tlm::tlm_fw_transport_if<> {
public:
    explicit Implementation(Smmuv3& module)
        : queue("queue"),
          unit(module.parameters_, queue, module.interrupts),
          parameters_(module.parameters_) {
        module.registers.bind(*this);
    }
    ~Implementation() override { queue.close(); }

    TimedQueue queue;
    Unit unit;

private:
    void b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override {
        const unsigned bytes = payload.get_data_length();
        std::uint64_t value = 0;
        if (payload.get_byte_enable_ptr() || (bytes != 4 && bytes != 8)) {
            // Unsupported forms of access are RAZ/WI; only 32- and 64-bit accesses exist.
            if (payload.is_read())
                std::memset(payload.get_data_ptr(), 0, bytes);
            static_cast<void>(unit.read_register(payload.get_address(), bytes > 8 ? 0 : bytes, value));
        } else if (payload.is_write()) {
            std::memcpy(&value, payload.get_data_ptr(), bytes);
            unit.write_register(payload.get_address(), bytes, value, to_picoseconds(delay));
        } else if (payload.is_read()) {
            unit.read_register(payload.get_address(), bytes, value);
            std::memcpy(payload.get_data_ptr(), &value, bytes);
        }
        delay += to_sc_time(parameters_.register_access);
        payload.set_response_status(tlm::TLM_OK_RESPONSE);
    }

    tlm::tlm_sync_enum nb_transport_fw(tlm::tlm_generic_payload& payload, tlm::tlm_phase&,
                                       sc_core::sc_time& delay) override {
        b_transport(payload, delay); // a register access completes at once, with its time annotated
        return tlm::TLM_COMPLETED;
    }

    bool get_direct_mem_ptr(tlm::tlm_generic_payload&, tlm::tlm_dmi& grant) override {
        grant.init();
        return false;
    }

    unsigned transport_dbg(tlm::tlm_generic_payload& payload) override {
        const unsigned bytes = payload.get_data_length();
        std::uint64_t value = 0;
        if (!payload.is_read() || (bytes != 4 && bytes != 8) ||
            !unit.read_register(payload.get_address(), bytes, value))
            return 0;
        std::memcpy(payload.get_data_ptr(), &value, bytes);
        return bytes;
    }

    const Parameters& parameters_;
};

Smmuv3::Smmuv3(sc_core::sc_module_name name, const Parameters& parameters)
    : sc_module(name), registers("registers"), interrupts("interrupts"), parameters_(parameters) {
    if (const std::string violation = iommusim::first_violation(parameters); !violation.empty())
        SC_REPORT_FATAL(this->name(), violation.c_str());
    implementation_ = std::make_unique<Implementation>(*this);
}

Smmuv3::~Smmuv3() = default;

tlm::tlm_target_socket<>& Smmuv3::device(unsigned index) {
    return implementation_->unit.tbu(index).port.socket;
}
tlm::tlm_initiator_socket<>& Smmuv3::memory(unsigned index) {
    return implementation_->unit.tbu(index).memory.socket;
}
tlm::tlm_initiator_socket<>& Smmuv3::walker() { return implementation_->unit.walker().socket; }

Statistics Smmuv3::statistics() const { return implementation_->unit.statistics(); }
void Smmuv3::attach(Probe* probe) { implementation_->unit.attach(probe); }
ReferenceTranslator& Smmuv3::reference() { return implementation_->unit; }

} // namespace iommusim::smmuv3
