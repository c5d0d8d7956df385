#include "platforms/host/report.h"
#include "platforms/host/text_table.h"
#include "platforms/host/units.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <functional>
#include <span>

namespace iommusim::host {
namespace {

using Runs = std::span<const Result>;

std::string percent(double part, double whole) {
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, "%.1f %%", whole > 0 ? 100 * part / whole : 0.0);
    return buffer;
}

std::string signed_percent(double part, double whole) {
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, "%+.1f %%", whole != 0 ? 100 * part / whole : 0.0);
    return buffer;
}

std::string hexadecimal(std::uint64_t value) {
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, "0x%" PRIx64, value);
    return buffer;
}

/// Values of `name_of` over all runs, each once, in order of first appearance.
template <class List>
std::vector<std::string> names(Runs runs, List Result::*list,
                               bool (*wanted)(const typename List::value_type&)) {
    std::vector<std::string> found;
    for (const Result& r : runs)
        for (const auto& item : r.*list)
            if (wanted(item) && std::find(found.begin(), found.end(), item.name) == found.end())
                found.push_back(item.name);
    return found;
}

bool is_distribution(const Metric& m) { return std::holds_alternative<Summary>(m.value); }
bool is_scalar(const Metric& m) { return !is_distribution(m); }
bool is_stage(const Stage&) { return true; }
bool is_nonzero(const Metric& m) { return is_scalar(m) && std::get<Scalar>(m.value).as_double() != 0; }
bool was_contended(const LockReport& lock) { return lock.contended != 0; }
bool was_used(const LockReport& lock) { return lock.acquisitions != 0; }

const Summary* summary_of(const Result& r, const std::string& name) {
    const Metric* m = r.find(name);
    return m ? std::get_if<Summary>(&m->value) : nullptr;
}

const Summary* stage_of(const Result& r, const std::string& name) {
    for (const Stage& s : r.breakdown)
        if (s.name == name)
            return &s.latency;
    return nullptr;
}

std::string mean_text(const Summary& s) { return s.count ? pretty(s.mean, s.unit) : "-"; }
std::string value_text(const Summary& s, std::uint64_t value) {
    return s.count ? pretty(double(value), s.unit) : "-";
}

/// One line of values, one cell for each run; "-" where a run has none.
void values(TextTable& table, std::vector<std::string> leading, Runs runs,
            const std::function<std::string(const Result&)>& cell) {
    for (const Result& r : runs)
        leading.push_back(cell(r));
    table.row(std::move(leading));
}

void points(TextTable& table, Runs runs, std::size_t leading) {
    const std::size_t axes = runs.front().sweep_point.size();
    for (std::size_t axis = 0; axis < axes; ++axis) {
        std::vector<std::string> cells{runs.front().sweep_point[axis].key};
        cells.resize(leading);
        for (const Result& r : runs)
            cells.push_back(r.sweep_point[axis].text);
        if (axis + 1 == axes)
            table.heading(std::move(cells));
        else
            table.row(std::move(cells));
    }
}

std::string latencies(Runs runs) {
    const auto found = names(runs, &Result::metrics, is_distribution);
    if (found.empty())
        return {};
    TextTable table;
    if (runs.size() == 1) {
        table.heading({"", "count", "mean", "p50", "p90", "p99", "max"});
        for (const std::string& name : found) {
            const Summary& s = *summary_of(runs.front(), name);
            table.row({name, std::to_string(s.count), mean_text(s), value_text(s, s.p50),
                       value_text(s, s.p90), value_text(s, s.p99), value_text(s, s.max)});
        }
        return table.text();
    }
    table.left_columns(2);
    points(table, runs, 2);
    for (const std::string& name : found) {
        const auto line = [&](const char* first, const char* field, auto text) {
            values(table, {first, field}, runs, [&](const Result& r) {
                const Summary* s = summary_of(r, name);
                return s ? text(*s) : std::string("-");
            });
        };
        line(name.c_str(), "count", [](const Summary& s) { return std::to_string(s.count); });
        line("", "mean", mean_text);
        line("", "p50", [](const Summary& s) { return value_text(s, s.p50); });
        line("", "p99", [](const Summary& s) { return value_text(s, s.p99); });
        line("", "max", [](const Summary& s) { return value_text(s, s.max); });
    }
    return table.text();
}

std::string breakdown(Runs runs) {
    const auto stages = names(runs, &Result::breakdown, is_stage);
    if (stages.empty())
        return {};
    const auto total = [](const Result& r) {
        double sum = 0;
        for (const Stage& s : r.breakdown)
            sum += s.latency.mean;
        return sum;
    };
    std::string out = "Where the time of an invalidation goes\n";
    TextTable table;
    if (runs.size() == 1) {
        const Result& r = runs.front();
        table.heading({"stage", "mean", "share", "p50", "p99", "max"});
        for (const Stage& stage : r.breakdown) {
            const Summary& s = stage.latency;
            table.row({stage.name, mean_text(s), percent(s.mean, total(r)), value_text(s, s.p50),
                       value_text(s, s.p99), value_text(s, s.max)});
        }
        const Summary* whole = summary_of(r, "invalidation.latency");
        std::vector<std::string> sum{"total", pretty(total(r), "ps"), percent(1, 1)};
        if (whole)
            for (std::uint64_t v : {whole->p50, whole->p99, whole->max})
                sum.push_back(value_text(*whole, v));
        table.row(std::move(sum));
        return out + table.text();
    }
    points(table, runs, 1);
    for (const std::string& name : stages)
        values(table, {name}, runs, [&](const Result& r) {
            const Summary* s = stage_of(r, name);
            return s && s->count ? pretty(s->mean, s->unit) + "  " + percent(s->mean, total(r))
                                 : std::string("-");
        });
    values(table, {"total"}, runs, [&](const Result& r) {
        return r.breakdown.empty() ? std::string("-") : pretty(total(r), "ps") + "  100.0 %";
    });
    return out + table.text();
}

std::string counters(Runs runs, bool all) {
    TextTable table;
    if (runs.size() > 1)
        points(table, runs, 1);
    values(table, {"simulated time"}, runs,
           [](const Result& r) { return pretty(double(r.simulated_time_ps), "ps"); });
    for (const std::string& name : names(runs, &Result::metrics, all ? is_scalar : is_nonzero))
        values(table, {name}, runs, [&](const Result& r) {
            const Metric* m = r.find(name);
            const Scalar* s = m ? std::get_if<Scalar>(&m->value) : nullptr;
            return s ? pretty(s->as_double(), s->unit) : std::string("-");
        });
    std::map<std::string, bool> faults;
    for (const Result& r : runs)
        for (const auto& [name, count] : r.faults)
            faults[name] = true;
    for (const auto& [name, seen] : faults)
        values(table, {"faults." + name}, runs, [&, key = name](const Result& r) {
            const auto fault = r.faults.find(key);
            return std::to_string(fault == r.faults.end() ? 0 : fault->second);
        });
    return table.text();
}

std::string locks(Runs runs, bool all) {
    const auto found = names(runs, &Result::locks, all ? was_used : was_contended);
    if (found.empty())
        return {};
    TextTable table;
    table.left_columns(2);
    if (runs.size() > 1)
        points(table, runs, 2);
    for (const std::string& name : found) {
        const auto line = [&](const std::string& first, const char* field, auto text) {
            values(table, {first, field}, runs, [&](const Result& r) {
                for (const LockReport& lock : r.locks)
                    if (lock.name == name)
                        return text(lock);
                return std::string("-");
            });
        };
        line("lock " + name, "acquisitions",
             [](const LockReport& l) { return std::to_string(l.acquisitions); });
        line("", "contended",
             [](const LockReport& l) { return percent(double(l.contended), double(l.acquisitions)); });
        line("", "wait", [](const LockReport& l) { return pretty(double(l.wait_ps), "ps"); });
        line("", "longest wait", [](const LockReport& l) { return pretty(double(l.longest_wait_ps), "ps"); });
    }
    return table.text();
}

std::string oracle(Runs runs) {
    TextTable table;
    if (runs.size() > 1)
        points(table, runs, 1);
    const auto count = [&](const char* name, std::uint64_t OracleReport::*member) {
        values(table, {name}, runs, [&](const Result& r) { return std::to_string(r.oracle.*member); });
    };
    count("DMAs checked", &OracleReport::checked);
    count("stale uses", &OracleReport::stale_uses);
    count("exposed uses", &OracleReport::exposed_uses);
    values(table, {"worst age"}, runs,
           [](const Result& r) { return pretty(double(r.oracle.worst_age_ps), "ps"); });
    values(table, {"verdict"}, runs, [](const Result& r) {
        return r.oracle.stale_uses     ? "STALE"
               : r.oracle.exposed_uses ? "exposed"
               : r.oracle.checked      ? "clean"
                                       : "no DMA";
    });
    return "Stale-translation oracle\n" + table.text();
}

/// Findings in words, for the runs that have any.
std::string findings(Runs runs) {
    constexpr std::size_t most = 10;
    std::string out;
    for (const Result& r : runs) {
        if (r.oracle.findings.empty() && r.diagnostics.empty())
            continue;
        const std::string label = sweep_label(r);
        out += label.empty() ? "" : label + ":\n";
        std::size_t shown = 0;
        for (const StaleUse& f : r.oracle.findings) {
            if (shown++ == most)
                break;
            out += "  stale: " + pretty(double(f.time_ps), "ps") + ": " +
                   (f.write ? "write to " : "read of ") + hexadecimal(f.address) + " by requester " +
                   hexadecimal(f.requester) + ", " + pretty(double(f.age_ps), "ps") +
                   " after the promise, from the " + f.served_by + "; " + f.explanation + "\n";
        }
        if (r.oracle.stale_uses > std::min(r.oracle.findings.size(), most))
            out += "  ... " + std::to_string(r.oracle.stale_uses) + " stale uses in all\n";
        for (const std::string& d : r.diagnostics)
            out += "  unpredictable: " + d + "\n";
    }
    return out;
}

std::string expectations(Runs runs) {
    TextTable table;
    table.left_columns(5);
    for (const Result& r : runs)
        for (const Outcome& o : r.expectations)
            table.row({o.held ? "ok" : "FAILED", o.metric, o.bound,
                       o.measured ? "measured " + pretty(*o.measured, o.unit) : "not measured by this run",
                       sweep_label(r)});
    return table.empty() ? "" : "Expectations\n" + table.text();
}

/// One table for each source, one line for each value.
std::string published(Runs runs) {
    std::vector<std::string> sources;
    for (const Result& r : runs)
        for (const PublishedComparison& c : r.published)
            if (std::find(sources.begin(), sources.end(), c.source) == sources.end())
                sources.push_back(c.source);
    std::string out;
    for (const std::string& source : sources) {
        TextTable table;
        table.left_columns(2);
        table.heading({"metric", "run", "published", "measured", "error", "tolerated", ""});
        for (const Result& r : runs)
            for (const PublishedComparison& c : r.published) {
                if (c.source != source)
                    continue;
                table.row({c.metric, sweep_label(r), pretty(c.published, c.unit),
                           c.measured ? pretty(*c.measured, c.unit) : "-",
                           c.measured ? signed_percent(*c.measured - c.published, c.published) : "-",
                           percent(c.tolerance, c.published),
                           !c.predicted ? "calibrated"
                           : c.within   ? "ok"
                                        : "OUT"});
            }
        out += (out.empty() ? "" : "\n") + ("Published: " + source) + "\n" + table.text();
    }
    return out;
}

std::string parameters(Runs runs) {
    TextTable table;
    if (runs.size() > 1)
        points(table, runs, 1);
    std::vector<std::string> paths;
    for (const Result& r : runs)
        for (const ResolvedParameter& p : r.parameters)
            if (std::find(paths.begin(), paths.end(), p.path) == paths.end())
                paths.push_back(p.path);
    for (const std::string& path : paths)
        values(table, {path}, runs, [&](const Result& r) {
            for (const ResolvedParameter& p : r.parameters)
                if (p.path == path)
                    return p.text;
            return std::string("-");
        });
    return "Parameters\n" + table.text();
}

} // namespace

std::string sweep_label(const Result& result) {
    std::string label;
    for (const SweepValue& v : result.sweep_point)
        label += (label.empty() ? "" : ", ") + v.key + "=" + v.text;
    return label;
}

std::string report_text(const std::vector<Result>& results, const TextOptions& options) {
    constexpr std::size_t columns = 6; // what fits beside each other on a wide terminal
    if (results.empty())
        return {};
    const Result& first = results.front();
    std::string out =
        first.scenario + "  (seed " + std::to_string(first.seed) + ", iommusim " + first.version + ")\n";
    if (!first.description.empty())
        out += first.description + "\n";
    const auto section = [&](const std::string& text) {
        if (!text.empty())
            out += "\n" + text;
    };
    for (std::size_t begin = 0; begin < results.size(); begin += columns) {
        const Runs runs = Runs(results).subspan(begin, std::min(columns, results.size() - begin));
        if (options.verbose)
            section(parameters(runs));
        section(latencies(runs));
        section(breakdown(runs));
        section(counters(runs, options.verbose));
        section(locks(runs, options.verbose));
        section(oracle(runs));
    }
    section(findings(results));
    section(expectations(results));
    section(published(results));
    return out;
}

} // namespace iommusim::host
