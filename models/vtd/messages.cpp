#include "models/vtd/messages.h"

namespace iommusim::vtd {

void Messages::send(std::uint64_t address, std::uint32_t data) {
    ++sent_;
    write(address, data).start(queue_, now());
}

Process Messages::write(std::uint64_t address, std::uint32_t data) {
    Pace pace(Pacing::timed, queue_);
    co_await memory_.write(pace, address, &data, 4);
}

} // namespace iommusim::vtd
