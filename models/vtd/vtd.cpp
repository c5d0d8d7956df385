#include "models/vtd/vtd.h"

#include "models/core/register_target.h"
#include "models/vtd/unit.h"

namespace iommusim::vtd {

class Vtd::Implementation {
public:
    explicit Implementation(Vtd& module)
        : queue("queue"),
          unit(module.parameters_, queue, module.devices),
          registers(unit, module.parameters_.register_access) {
        module.registers.bind(registers);
        module.ats.bind(unit.ats());
    }
    ~Implementation() { queue.close(); }

    TimedQueue queue;
    Unit unit;
    RegisterTarget<Unit> registers;
};

Vtd::Vtd(sc_core::sc_module_name name, const Parameters& parameters)
    : sc_module(name), registers("registers"), devices("devices"), ats("ats"), parameters_(parameters) {
    std::string violation = iommusim::first_violation(parameters);
    if (violation.empty())
        violation = first_violation(features_of(parameters));
    if (!violation.empty())
        SC_REPORT_FATAL(this->name(), violation.c_str());
    implementation_ = std::make_unique<Implementation>(*this);
}

Vtd::~Vtd() = default;

tlm::tlm_target_socket<>& Vtd::device(unsigned index) {
    return implementation_->unit.port(index).device.socket;
}
tlm::tlm_initiator_socket<>& Vtd::memory(unsigned index) {
    return implementation_->unit.port(index).memory.socket;
}
tlm::tlm_initiator_socket<>& Vtd::walker() { return implementation_->unit.walker().socket; }

const Features& Vtd::features() const { return implementation_->unit.features(); }
Statistics Vtd::statistics() const { return implementation_->unit.statistics(); }
void Vtd::attach(Probe* probe) { implementation_->unit.attach(probe); }
ReferenceTranslator& Vtd::reference() { return implementation_->unit; }

} // namespace iommusim::vtd
