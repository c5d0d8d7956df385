#include "platforms/host/report.h"
#include "platforms/host/units.h"

#include <nlohmann/json.hpp>

namespace iommusim::host {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const Summary& s) {
    return {{"unit", s.unit}, {"count", s.count}, {"min", s.min},   {"mean", s.mean}, {"p50", s.p50},
            {"p90", s.p90},   {"p99", s.p99},     {"p999", s.p999}, {"max", s.max},   {"stddev", s.stddev}};
}

Json json_of(const Scalar& s) {
    Json json{{"unit", s.unit}};
    std::visit([&](auto v) { json["value"] = v; }, s.value);
    return json;
}

Json json_of(const ResolvedParameter& p) {
    Json json = Json::object();
    if (p.kind == KeyKind::text || p.unit == Unit::choice)
        json["value"] = p.text;
    else if (p.unit == Unit::flag)
        json["value"] = p.value.number != 0;
    else
        json["value"] = p.value.number;
    if (const std::string unit = base_unit(p.unit); !unit.empty())
        json["unit"] = unit;
    return json;
}

Json json_of(const OracleReport& oracle) {
    Json findings = Json::array();
    for (const StaleUse& f : oracle.findings)
        findings.push_back({{"time_ps", f.time_ps},
                            {"requester", f.requester},
                            {"address", f.address},
                            {"age_ps", f.age_ps},
                            {"write", f.write},
                            {"served_by", f.served_by},
                            {"explanation", f.explanation}});
    return {{"checked", oracle.checked},
            {"stale_uses", oracle.stale_uses},
            {"exposed_uses", oracle.exposed_uses},
            {"worst_age_ps", oracle.worst_age_ps},
            {"findings", findings}};
}

Json json_of(const Result& r) {
    Json json;
    json["schema"] = report_schema_version;
    json["generator"] = "iommusim " + r.version;
    json["scenario"] = r.scenario;
    json["description"] = r.description;
    json["sweep"] = Json::object();
    for (const SweepValue& v : r.sweep_point)
        json["sweep"][v.key] = v.text;
    json["parameters"] = Json::object();
    for (const ResolvedParameter& p : r.parameters)
        json["parameters"][p.path] = json_of(p);
    json["seed"] = r.seed;
    json["simulated_time_ps"] = r.simulated_time_ps;
    json["metrics"] = Json::object();
    for (const Metric& m : r.metrics)
        json["metrics"][m.name] = std::visit([](const auto& v) { return json_of(v); }, m.value);
    json["invalidation"]["breakdown"] = Json::object();
    for (const Stage& s : r.breakdown)
        json["invalidation"]["breakdown"][s.name] = json_of(s.latency);
    json["oracle"] = json_of(r.oracle);
    json["faults"] = Json::object();
    for (const auto& [name, count] : r.faults)
        json["faults"][name] = count;
    json["locks"] = Json::object();
    for (const LockReport& lock : r.locks)
        json["locks"][lock.name] = {
            {"acquisitions", lock.acquisitions}, {"contended", lock.contended},
            {"wait_ps", lock.wait_ps},           {"longest_wait_ps", lock.longest_wait_ps},
            {"hold_ps", lock.hold_ps},           {"longest_hold_ps", lock.longest_hold_ps}};
    json["diagnostics"] = r.diagnostics;
    json["expectations"] = Json::array();
    for (const Outcome& o : r.expectations)
        json["expectations"].push_back({{"metric", o.metric},
                                        {"bound", o.bound},
                                        {"unit", o.unit},
                                        {"measured", o.measured ? Json(*o.measured) : Json(nullptr)},
                                        {"held", o.held}});
    json["published"] = Json::array();
    for (const PublishedComparison& c : r.published)
        json["published"].push_back({{"metric", c.metric},
                                     {"unit", c.unit},
                                     {"published", c.published},
                                     {"measured", c.measured ? Json(*c.measured) : Json(nullptr)},
                                     {"tolerance", c.tolerance},
                                     {"role", c.predicted ? "predicted" : "calibrated"},
                                     {"within", c.within},
                                     {"source", c.source}});
    return json;
}

} // namespace

std::string report_json(const std::vector<Result>& results) {
    Json json;
    if (results.size() == 1) {
        json = json_of(results.front());
    } else {
        json["schema"] = report_schema_version;
        json["runs"] = Json::array();
        for (const Result& r : results)
            json["runs"].push_back(json_of(r));
    }
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace iommusim::host
