#include "models/smmuv3/interrupts.h"

#include "models/smmuv3/interrupt_lines.h"

namespace iommusim::smmuv3 {

using namespace spec;

void Interrupts::event_queue() {
    if (irq_ctrl::eventq_irqen.get(registers_.irq_ctrlack()))
        raise(registers_.eventq_interrupt(), line_event_queue, gerror::msi_eventq_abt_err);
}

void Interrupts::error(Field error) {
    if (!registers_.set_error(error))
        return;
    // An aborted GERROR message must not raise another one.
    if (error.lsb != gerror::msi_gerror_abt_err.lsb && irq_ctrl::gerror_irqen.get(registers_.irq_ctrlack()))
        raise(registers_.gerror_interrupt(), line_gerror, gerror::msi_gerror_abt_err);
}

void Interrupts::raise(const InterruptConfig& config, unsigned line, Field abort_error) {
    if (config.address == 0 || !registers_.features().msi) {
        wire(line);
        return;
    }
    ++under_way_;
    send(config, line, abort_error).start(queue_, now());
}

Process Interrupts::send(InterruptConfig config, unsigned, Field abort_error) {
    Pace pace(Pacing::timed, queue_);
    const tlm::tlm_response_status status = co_await memory_.write(pace, config.address, &config.data, 4);
    --under_way_;
    if (status != tlm::TLM_OK_RESPONSE)
        error(abort_error);
}

} // namespace iommusim::smmuv3
