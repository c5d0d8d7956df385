// Prints the JSON report of made-up results that use every part of its form: "one", "sweep" or "empty".
#include "platforms/host/report.h"

#include <cstdio>
#include <string_view>
#include <systemc>

namespace {

using namespace iommusim::host;

Result empty_result() {
    Scenario scenario;
    scenario.name = "sample";
    scenario.devices.push_back({"nic0", DeviceKind::nic, 0x100, 48, 0});
    scenario.workloads.emplace_back();
    Result result;
    identify(result, scenario);
    return result;
}

Result full_result(const char* policy) {
    Result r = empty_result();
    r.description = "a \"quoted\" description, in UTF-8: \xc2\xb5";
    if (policy)
        r.sweep_point.push_back({"driver.invalidation", policy});
    Distribution latency;
    for (std::uint64_t i = 1; i <= 1000; ++i)
        latency.record(i * 1000);
    r.simulated_time_ps = 5'000'000;
    r.add("map.latency", latency);
    r.add("invalidation.latency", latency);
    r.add("unmap.latency", Distribution());
    r.add_count("iommu.walks", 12);
    r.add_gauge("map.rate", 0.9375, "1/s");
    r.breakdown.push_back({"command fetch", latency.summarize("ps")});
    r.oracle = {100,
                1,
                2,
                7000,
                {{1000, 0x100, 0xffff'ffff'ffff'f000, 5000, true, "main TLB", "no command was issued"}}};
    r.faults["F_TRANSLATION"] = 3;
    r.locks.push_back({"command queue", 10, 3, 4000, 2000, 1000, 100});
    r.diagnostics.push_back("STRTAB_BASE written while SMMUEN = 1");
    r.expectations.push_back({"map.latency.p99", "below 1.000 us", "ps", 990'000.0, true});
    r.expectations.push_back({"dma.latency.p99", "below 1.000 us", "ps", std::nullopt, false});
    r.published.push_back({"dma.throughput", "bit/s", 1e9, 1.5e9, 1e8, true, false, "somebody"});
    r.published.push_back({"map.rate", "1/s", 1.0, std::nullopt, 0.5, false, false, "somebody"});
    return r;
}

} // namespace

int sc_main(int argc, char** argv) {
    const std::string_view kind = argc == 2 ? argv[1] : "";
    std::string json;
    if (kind == "one")
        json = report_json({full_result(nullptr)});
    else if (kind == "sweep")
        json = report_json({full_result("strict"), full_result("lazy")});
    else if (kind == "empty")
        json = report_json({empty_result()});
    else
        return 2;
    std::fputs(json.c_str(), stdout);
    return 0;
}
