#include "drivers/smmuv3/configuration.h"

namespace iommusim::smmuv3_driver {

const std::vector<Parameter<SoftwareParameters>>& SoftwareParameters::table() {
    using P = SoftwareParameters;
    constexpr auto ps = Unit::picoseconds;
    constexpr auto chosen = Provenance::chosen;
    constexpr auto published = Provenance::published;
    static const char* const linux_driver = "Linux 6.1 arm-smmu-v3 driver";
    static const std::vector<Parameter<SoftwareParameters>> rows = {
        {{"build_command", ps, 5_ns, 0, 1_us, chosen, "about 15 instructions at 3 GHz",
          "computing the two words of one command"},
         &P::build_command},
        {{"call_overhead", ps, 10_ns, 0, 1_us, chosen, "two function calls and masking interrupts",
          "entering and leaving one queue submission"},
         &P::call_overhead},
        {{"mark_valid", ps, 5_ns, 0, 1_us, chosen, "store barrier between CPUs (DMB OSHST) is 0 to 20 ns",
          "ordering a submission's commands before its valid bits"},
         &P::mark_valid},
        {{"batch_size", Unit::count, 64, 1, 64, published, linux_driver,
          "commands gathered before they are put into the queue"},
         &P::batch_size},
        {{"consumer_spins", Unit::count, 10, 0, 1000, published, linux_driver,
          "reads of CMDQ_CONS before a waiting CPU starts to pause between them"},
         &P::consumer_spins},
        {{"consumer_pause", ps, 1_us, 1_ns, 1_ms, published, linux_driver,
          "first pause between two reads of CMDQ_CONS, doubling"},
         &P::consumer_pause},
        {{"event_wake", ps, 100_ns, 1_ns, 10_us, chosen, "wake-up from WFE takes 50 to 200 ns",
          "from a wake-up event to the next read of CMDQ_CONS"},
         &P::event_wake},
        {{"sync_timeout", ps, 1000_ms, 1_us, 100'000_ms, published, linux_driver,
          "a queue wait that takes longer is reported and given up"},
         &P::sync_timeout},
        {{"error_check_period", ps, 100_us, 1_us, 100'000_ms, chosen,
          "seldom enough to cost nothing, often enough that a CPU waiting with masked interrupts recovers",
          "a waiting CPU looks at GERROR this often"},
         &P::error_check_period},
        {{"acknowledge_poll", ps, 1_us, 1_ns, 1_ms, published, linux_driver,
          "granularity of polling CR0ACK, IRQ_CTRLACK and GBPA"},
         &P::acknowledge_poll},
        {{"acknowledge_timeout", ps, 1000_ms, 1_us, 100'000_ms, published, linux_driver,
          "an acknowledge that takes longer is reported"},
         &P::acknowledge_timeout},
        {{"event_handling", ps, 500_ns, 0, 1_ms, chosen, "decoding and rate-limited logging",
          "handling one event record"},
         &P::event_handling},
    };
    return rows;
}

const char* name(DriverError error) {
    switch (error) {
    case DriverError::acknowledge_timeout:
        return "register acknowledge timeout";
    case DriverError::queue_full_timeout:
        return "command queue full timeout";
    case DriverError::sync_timeout:
        return "CMD_SYNC timeout";
    case DriverError::unusable_unit:
        return "unusable unit";
    case DriverError::command_illegal:
        return "CERROR_ILL";
    case DriverError::command_fetch_abort:
        return "CERROR_ABT";
    case DriverError::ats_timeout:
        return "CERROR_ATC_INV_SYNC";
    case DriverError::event_queue_abort:
        return "EVENTQ_ABT_ERR";
    case DriverError::msi_abort:
        return "MSI abort";
    case DriverError::service_failure:
        return "SFM_ERR";
    case DriverError::event_overflow:
        return "event queue overflow";
    case DriverError::no_memory:
        return "out of memory";
    }
    return "unknown";
}

void note_error(dma::DriverErrorLog* log, DriverError error, Picoseconds time, std::uint64_t detail) {
    if (log != nullptr)
        log->on_driver_error({name(error), time, detail});
}

} // namespace iommusim::smmuv3_driver
