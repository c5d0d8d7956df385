#include "platforms/host/report.h"
#include "platforms/host/text_table.h"
#include "platforms/host/units.h"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

namespace iommusim::host {
namespace {

using Json = nlohmann::ordered_json;

std::vector<Json> runs_of(std::string_view text, const std::string& name) {
    const Json json = Json::parse(text, nullptr, false);
    if (json.is_discarded())
        throw std::runtime_error(name + ": not JSON");
    if (!json.is_object() || !json.contains("schema"))
        throw std::runtime_error(name + ": not a report of iommusim");
    if (json["schema"] != report_schema_version)
        throw std::runtime_error(name + ": schema " + json["schema"].dump() +
                                 "; legal: " + std::to_string(report_schema_version));
    std::vector<Json> runs;
    if (json.contains("runs"))
        runs = json.at("runs").get<std::vector<Json>>();
    else
        runs.push_back(json);
    return runs;
}

std::string point_of(const Json& run) {
    std::string text;
    for (const auto& [key, value] : run.at("sweep").items())
        text += (text.empty() ? "" : ", ") + key + "=" + value.get<std::string>();
    return text;
}

std::string ratio(double a, double b) {
    char buffer[32];
    if (a == 0)
        return b == 0 ? "1.000" : "-";
    std::snprintf(buffer, sizeof buffer, "%.3f", b / a);
    return buffer;
}

class RunComparison {
public:
    RunComparison(const std::string& name_a, const std::string& name_b) {
        table_.heading({"", name_a, name_b, "ratio"});
    }

    void number(const std::string& name, const std::string& unit, const Json* a, const Json* b) {
        const auto text = [&](const Json* v) {
            return v ? pretty(v->get<double>(), unit) : std::string("-");
        };
        table_.row(
            {name, text(a), text(b), a && b ? ratio(a->get<double>(), b->get<double>()) : std::string("-")});
    }

    /// Members of both objects, those of `a` first.
    void each(const Json& a, const Json& b, const std::string& prefix) {
        std::vector<std::string> keys;
        std::set<std::string> seen;
        for (const Json* side : {&a, &b})
            for (const auto& [key, value] : side->items())
                if (seen.insert(key).second)
                    keys.push_back(key);
        for (const std::string& key : keys)
            metric(prefix + key, find(a, key), find(b, key));
    }

    std::string text() const { return table_.text(); }

private:
    static const Json* find(const Json& object, const std::string& key) {
        const auto it = object.find(key);
        return it == object.end() ? nullptr : &*it;
    }

    void metric(const std::string& name, const Json* a, const Json* b) {
        const Json& any = a ? *a : *b;
        if (any.is_number()) {
            number(name, "count", a, b);
            return;
        }
        const std::string unit = any.at("unit").get<std::string>();
        const auto field = [&](const char* f, const std::string& suffix) {
            number(name + suffix, unit, a ? find(*a, f) : nullptr, b ? find(*b, f) : nullptr);
        };
        if (any.contains("value")) {
            field("value", "");
            return;
        }
        for (const char* f : {"mean", "p50", "p99", "max"})
            field(f, std::string(" ") + f);
    }

    TextTable table_;
};

/// Parameters that differ: the first thing to look at when two results do.
std::string parameter_differences(const Json& a, const Json& b) {
    TextTable table;
    const auto text = [](const Json& run, const std::string& key) {
        const Json& parameters = run.at("parameters");
        const auto it = parameters.find(key);
        return it == parameters.end() ? std::string("-") : it->at("value").dump();
    };
    std::set<std::string> seen;
    for (const Json* run : {&a, &b})
        for (const auto& [key, value] : run->at("parameters").items())
            if (seen.insert(key).second && text(a, key) != text(b, key))
                table.row({key, text(a, key), text(b, key)});
    if (a.at("seed") != b.at("seed"))
        table.row({"seed", a.at("seed").dump(), b.at("seed").dump()});
    return table.empty() ? "" : "Parameters that differ\n" + table.text() + "\n";
}

const Json* partner(const Json& run, std::size_t position, const std::vector<Json>& others) {
    for (const Json& other : others)
        if (point_of(other) == point_of(run))
            return &other;
    const bool unlabelled = point_of(run).empty() || others.size() == 1;
    return unlabelled && position < others.size() ? &others[position] : nullptr;
}

} // namespace

Comparison compare_reports(std::string_view a, const std::string& name_a, std::string_view b,
                           const std::string& name_b) {
    Comparison comparison;
    try {
        const std::vector<Json> left = runs_of(a, name_a);
        const std::vector<Json> right = runs_of(b, name_b);
        for (std::size_t i = 0; i < left.size(); ++i) {
            const Json* other = partner(left[i], i, right);
            const std::string point = point_of(left[i]);
            if (i != 0)
                comparison.text += "\n";
            comparison.text +=
                left[i].at("scenario").get<std::string>() + (point.empty() ? "" : " (" + point + ")") + "\n";
            if (!other) {
                comparison.text += "  no such run in " + name_b + "\n";
                continue;
            }
            comparison.text += parameter_differences(left[i], *other);
            RunComparison table(name_a, name_b);
            table.number("simulated_time", "ps", &left[i].at("simulated_time_ps"),
                         &other->at("simulated_time_ps"));
            table.each(left[i].at("metrics"), other->at("metrics"), "");
            table.each(left[i].at("invalidation").at("breakdown"), other->at("invalidation").at("breakdown"),
                       "invalidation.breakdown.");
            for (const char* name : {"checked", "stale_uses", "exposed_uses"})
                table.number("oracle." + std::string(name), "count", &left[i].at("oracle").at(name),
                             &other->at("oracle").at(name));
            table.each(left[i].at("faults"), other->at("faults"), "faults.");
            comparison.text += table.text();
        }
    } catch (const nlohmann::json::exception& e) {
        comparison.problem = "not a complete report of iommusim: " + std::string(e.what());
    } catch (const std::runtime_error& e) {
        comparison.problem = e.what();
    }
    if (!comparison.problem.empty())
        comparison.text.clear();
    return comparison;
}

} // namespace iommusim::host
