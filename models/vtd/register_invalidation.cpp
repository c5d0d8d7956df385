#include "models/vtd/register_invalidation.h"

#include "models/vtd/invalidation_descriptors.h"

namespace iommusim::vtd {

using namespace spec;

namespace {

constexpr std::uint32_t no_index = ~0u;

} // namespace

void RegisterInvalidation::context_command(Picoseconds delay) {
    carry_out_context_command().start(queue_, now() + delay + parameters_.invalidation_lookup);
}

void RegisterInvalidation::iotlb_command(Picoseconds delay) {
    carry_out_iotlb_command().start(queue_, now() + delay + parameters_.invalidation_lookup);
}

Process RegisterInvalidation::carry_out_context_command() {
    using Kind = ContextInvalidation::Kind;
    const ContextCommand command = registers_.context_command();
    ContextInvalidation what;
    what.kind = command.granularity == ccmd::granularity_device   ? Kind::device
                : command.granularity == ccmd::granularity_domain ? Kind::domain
                                                                  : Kind::global;
    what.domain = command.domain;
    what.source = command.source;
    what.function_mask = command.function_mask;
    target_.invalidate(what, CommandContext{"CCMD", no_index, drain_group});
    co_await drain();
    ++performed_;
    registers_.complete_context_command(command.granularity);
}

Process RegisterInvalidation::carry_out_iotlb_command() {
    using Kind = IotlbInvalidation::Kind;
    Pace pace(Pacing::timed, queue_);
    const Features& features = registers_.features();
    const IotlbCommand command = registers_.iotlb_command();
    IotlbInvalidation what;
    unsigned actual = command.granularity;
    if (command.granularity != iotlb::granularity_global) {
        what.kind = Kind::domain;
        what.domain = command.domain;
    }
    if (command.granularity == iotlb::granularity_page && !features.page_selective_invalidation) {
        actual = iotlb::granularity_domain; // coarser than asked for, which software finds in IAIG
    } else if (command.granularity == iotlb::granularity_page) {
        const std::uint64_t address = command.address & low_bits(features.guest_address_bits);
        const PageRange range = page_range(address, command.address_mask);
        what.kind = Kind::pages;
        what.first = range.first;
        what.last = range.last;
        what.leaf_only = command.leaf_only;
    }
    const bool always_drains = features.version_major >= 2;
    const CommandContext context{"IOTLB", no_index, drain_group, always_drains || command.drain_reads,
                                 always_drains || command.drain_writes};
    pace.spend(target_.invalidate(what, context) * parameters_.invalidation_probe);
    co_await pace.settle();
    co_await drain();
    ++performed_;
    registers_.complete_iotlb_command(actual);
}

Task<Done> RegisterInvalidation::drain() {
    const Picoseconds began = now();
    while (!inflight_.drained(drain_group))
        co_await inflight_.progress().wait();
    if (now() != began) {
        drain_stalls_.add(now() - began);
        if (Probe* probe = target_.probe())
            probe->on_stall(StallEvent{drain_stalls_.reason, began, now()});
    }
    co_return Done{};
}

} // namespace iommusim::vtd
