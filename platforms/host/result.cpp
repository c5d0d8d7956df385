#include "platforms/host/result.h"

#include "platforms/host/metrics.h"

#include <algorithm>

namespace iommusim::host {
namespace {

std::optional<double> field_of(const Summary& s, std::string_view field) {
    if (field == "count")
        return double(s.count);
    if (s.count == 0 || field.empty())
        return std::nullopt; // nothing was sampled: no bound can hold
    if (field == "min")
        return double(s.min);
    if (field == "mean")
        return s.mean;
    if (field == "p50")
        return double(s.p50);
    if (field == "p90")
        return double(s.p90);
    if (field == "p99")
        return double(s.p99);
    if (field == "p999")
        return double(s.p999);
    if (field == "max")
        return double(s.max);
    if (field == "stddev")
        return s.stddev;
    return std::nullopt;
}

/// What lies between two ends of a name: the lock of "locks.cmdq.wait".
std::string_view between(std::string_view name, std::string_view before, std::string_view after) {
    if (!name.starts_with(before) || !name.ends_with(after) || name.size() < before.size() + after.size())
        return {};
    return name.substr(before.size(), name.size() - before.size() - after.size());
}

std::optional<double> lock_value(const Result& result, const MetricReference& reference) {
    struct Column {
        const char* suffix;
        std::uint64_t LockReport::*member;
    };
    static constexpr Column columns[] = {
        {".acquisitions", &LockReport::acquisitions},
        {".contended", &LockReport::contended},
        {".wait", &LockReport::wait_ps},
        {".longest_wait", &LockReport::longest_wait_ps},
        {".hold", &LockReport::hold_ps},
        {".longest_hold", &LockReport::longest_hold_ps},
    };
    for (const LockReport& lock : result.locks)
        for (const Column& column : columns)
            if (between(reference.base, "locks.", column.suffix) == lock.name)
                return double(lock.*column.member);
    return std::nullopt;
}

std::optional<double> oracle_value(const Result& result, std::string_view name) {
    if (name == "oracle.checked")
        return double(result.oracle.checked);
    if (name == "oracle.stale_uses")
        return double(result.oracle.stale_uses);
    if (name == "oracle.exposed_uses")
        return double(result.oracle.exposed_uses);
    if (name == "oracle.worst_age")
        return double(result.oracle.worst_age_ps);
    return std::nullopt;
}

} // namespace

void Result::add(std::string name, const Distribution& distribution, std::string unit) {
    metrics.push_back({std::move(name), distribution.summarize(std::move(unit))});
}
void Result::add_count(std::string name, std::uint64_t value, std::string unit) {
    metrics.push_back({std::move(name), Scalar{std::move(unit), value}});
}
void Result::add_gauge(std::string name, double value, std::string unit) {
    metrics.push_back({std::move(name), Scalar{std::move(unit), value}});
}

const Metric* Result::find(std::string_view name) const {
    for (const Metric& m : metrics)
        if (m.name == name)
            return &m;
    return nullptr;
}

std::optional<double> measured_value(const Result& result, std::string_view metric) {
    const MetricReference reference = find_metric(metric);
    if (!reference.info)
        return std::nullopt;
    if (const Metric* m = result.find(reference.base)) {
        if (const auto* summary = std::get_if<Summary>(&m->value))
            return field_of(*summary, reference.field);
        return std::get<Scalar>(m->value).as_double();
    }
    const std::string_view name = reference.base;
    if (name == "simulated_time")
        return double(result.simulated_time_ps);
    if (name == "diagnostics")
        return double(result.diagnostics.size());
    if (name.starts_with("oracle."))
        return oracle_value(result, name);
    if (name.starts_with("locks."))
        return lock_value(result, reference);
    if (name.starts_with("faults.")) {
        const auto fault = result.faults.find(std::string(name.substr(7)));
        return fault == result.faults.end() ? 0.0 : double(fault->second);
    }
    if (name.starts_with("invalidation.breakdown."))
        for (const Stage& stage : result.breakdown)
            if (name.substr(23) == stage.name)
                return field_of(stage.latency, reference.field);
    if (name.starts_with("commands.") || name.starts_with("served_by.") || name.starts_with("stalls."))
        return 0.0; // counted by name: absent means that it did not happen
    return std::nullopt;
}

void identify(Result& result, const Scenario& scenario) {
    result.scenario = scenario.name;
    result.description = scenario.description;
    result.sweep_point = scenario.sweep_point;
    result.version = version();
    result.parameters =
        resolved_parameters(scenario, scenario_keys(parameter_groups(), scenario.iommu.model));
    result.seed = scenario.seed;
}

bool expectations_held(const Result& result) {
    return std::all_of(result.expectations.begin(), result.expectations.end(),
                       [](const Outcome& o) { return o.held; }) &&
           std::all_of(result.published.begin(), result.published.end(),
                       [](const PublishedComparison& c) { return c.within || !c.predicted; });
}

const char* version() { return IOMMUSIM_VERSION; }

} // namespace iommusim::host
