#include "drivers/machine/interrupt_controller.h"

#include <utility>

namespace iommusim::machine {

InterruptController::Line& InterruptController::line(unsigned number) {
    if (number >= lines_.size())
        lines_.resize(number + 1);
    return lines_[number];
}

void InterruptController::connect(unsigned number, Cpu& cpu, Handler handler) {
    Line& l = line(number);
    l.cpu = &cpu;
    l.handler = std::move(handler);
    forward(number);
}

void InterruptController::disconnect(unsigned number) { line(number).handler = nullptr; }

void InterruptController::mask(unsigned number) { line(number).masked = true; }

void InterruptController::unmask(unsigned number) {
    line(number).masked = false;
    forward(number);
}

void InterruptController::raise(unsigned number) {
    Line& l = line(number);
    ++l.raised;
    l.latched = true;
    forward(number);
}

void InterruptController::forward(unsigned number) {
    Line& l = lines_[number];
    if (!l.latched || l.queued || l.masked || !l.handler)
        return;
    l.queued = true;
    l.cpu->interrupt(number);
}

InterruptController::Handler InterruptController::take(unsigned number) {
    Line& l = lines_[number];
    l.queued = false;
    if (!l.latched || l.masked || !l.handler)
        return nullptr;
    l.latched = false;
    ++l.handled;
    return l.handler;
}

bool InterruptController::pending(unsigned number) const {
    const Line* l = find(number);
    return l != nullptr && l->latched;
}

std::uint64_t InterruptController::raised(unsigned number) const {
    const Line* l = find(number);
    return l == nullptr ? 0 : l->raised;
}

std::uint64_t InterruptController::handled(unsigned number) const {
    const Line* l = find(number);
    return l == nullptr ? 0 : l->handled;
}

} // namespace iommusim::machine
