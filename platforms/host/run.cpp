#include "platforms/host/run.h"

#include "platforms/host/measurements.h"
#include "platforms/host/platform.h"
#include "platforms/host/workloads.h"

#include <spdlog/spdlog.h>
#include <stdexcept>

namespace iommusim::host {

namespace {

void report_unit(Result& result, const Statistics& statistics) {
    for (const auto& [name, value] : statistics.counters)
        result.add_count(name, value);
    for (const Statistics::Stall& stall : statistics.stalls) {
        std::string name = stall.reason;
        for (char& c : name)
            c = c == ' ' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        result.add_count("stalls." + name + ".count", stall.count);
        result.add_count("stalls." + name + ".time", stall.total_ps, "ps");
    }
    for (const auto& [name, value] : statistics.faults)
        result.faults[name] = value;
}

} // namespace

Result run(const Scenario& scenario) {
    sc_core::sc_curr_simcontext = nullptr; // SystemC elaborates once per context: each run gets its own
    Platform platform("platform", scenario);
    Measurements measurements(platform.iommu.reference(), platform.iommu.queue_positions(), true);
    platform.iommu.attach(&measurements);
    Software software(platform, scenario, measurements);
    software.start();
    sc_core::sc_start();

    for (const std::string& error : software.errors())
        spdlog::error("{}", error);
    if (!software.finished())
        throw std::runtime_error("the workloads did not come to an end; " +
                                 (software.errors().empty() ? "nothing is left that could continue them"
                                                            : "first error: " + software.errors().front()));
    Result result;
    measurements.report(result, software.begin_time(), software.end_time());
    software.report(result);
    report_unit(result, platform.iommu.statistics());
    return result;
}

} // namespace iommusim::host
