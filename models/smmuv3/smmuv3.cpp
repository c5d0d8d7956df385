#include "models/smmuv3/smmuv3.h"

#include "models/core/register_target.h"
#include "models/smmuv3/unit.h"

namespace iommusim::smmuv3 {

class Smmuv3::Implementation {
public:
    explicit Implementation(Smmuv3& module)
        : queue("queue"),
          unit(module.parameters_, queue, module.interrupts),
          registers(unit, module.parameters_.register_access) {
        module.registers.bind(registers);
    }
    ~Implementation() { queue.close(); }

    TimedQueue queue;
    Unit unit;
    RegisterTarget<Unit> registers;
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
