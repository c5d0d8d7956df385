#include "drivers/vtd/configuration.h"

namespace iommusim::vtd_driver {

const std::vector<Parameter<SoftwareParameters>>& SoftwareParameters::table() {
    using P = SoftwareParameters;
    constexpr auto ps = Unit::picoseconds;
    constexpr auto chosen = Provenance::chosen;
    constexpr auto published = Provenance::published;
    static const char* const linux_driver = "Linux 6.1 intel-iommu driver";
    static const std::vector<Parameter<SoftwareParameters>> rows = {
        {{"build_descriptor", ps, 5_ns, 0, 1_us, chosen, "about 15 instructions at 3 GHz",
          "computing one invalidation descriptor"},
         &P::build_descriptor},
        {{"call_overhead", ps, 10_ns, 0, 1_us, chosen, "two function calls and masking interrupts",
          "entering and leaving one queue submission"},
         &P::call_overhead},
        {{"batch_size", Unit::count, 16, 1, 64, published, "Linux 6.12: QI_MAX_BATCHED_DESC_COUNT",
          "descriptors gathered before they are put into the queue"},
         &P::batch_size},
        {{"relax", ps, 10_ns, 1_ns, 1_us, chosen, "a PAUSE instruction is 10 to 140 cycles",
          "one pause of a spinning CPU"},
         &P::relax},
        {{"status_poll", ps, 10_ns, 1_ns, 1_ms, published, "Linux 6.1 IOMMU_WAIT_OP: one pause instruction",
          "pause between two reads of a status register"},
         &P::status_poll},
        {{"operation_timeout", ps, 10'000_ms, 1_us, 100'000_ms, published, linux_driver,
          "a register that does not follow for longer is reported and given up"},
         &P::operation_timeout},
        {{"queue_timeout", ps, 200'000_ms, 1_us, 1'000'000_ms, chosen,
          "twice what a device TLB may take to answer; Linux waits for ever",
          "a submission that takes longer is reported and given up"},
         &P::queue_timeout},
        {{"fault_handling", ps, 500_ns, 0, 1_ms, chosen, "decoding and rate-limited logging",
          "handling one fault record"},
         &P::fault_handling},
    };
    return rows;
}

const char* name(DriverError error) {
    switch (error) {
    case DriverError::status_timeout:
        return "global status timeout";
    case DriverError::queue_error:
        return "invalidation queue error";
    case DriverError::device_timeout:
        return "invalidation time-out error";
    case DriverError::completion_error:
        return "invalidation completion error";
    case DriverError::invalidation_timeout:
        return "invalidation never ended";
    case DriverError::register_refused:
        return "register-based invalidation refused";
    case DriverError::unusable_unit:
        return "unusable unit";
    case DriverError::fault_overflow:
        return "fault record overflow";
    case DriverError::no_memory:
        return "out of memory";
    }
    return "unknown";
}

void note_error(dma::DriverErrorLog* log, DriverError error, Picoseconds time, std::uint64_t detail) {
    if (log != nullptr)
        log->on_driver_error({name(error), time, detail});
}

} // namespace iommusim::vtd_driver
