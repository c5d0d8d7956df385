// The wired interrupt outputs of the model, as line numbers of InterruptIf. C++17: public.
#pragma once

namespace iommusim::smmuv3 {

enum InterruptLine : unsigned {
    line_event_queue = 0,  ///< event queue no longer empty
    line_gerror = 1,       ///< a GERROR bit became active
    line_command_sync = 2, ///< CMD_SYNC with CS = SIG_IRQ completed
    line_wake_event = 3,   ///< not an interrupt: the WFE wake-up event of IDR0.SEV
};

} // namespace iommusim::smmuv3
