#include "platforms/host/describe.h"

#include "platforms/host/diagnostics.h"
#include "platforms/host/iommu_model.h"
#include "platforms/host/keys.h"
#include "platforms/host/metrics.h"
#include "platforms/host/text_table.h"
#include "platforms/host/units.h"

#include <algorithm>

namespace iommusim::host {
namespace {

/// Keys of every model, each path once.
std::vector<Key> all_keys(const std::vector<ParameterGroup>& groups) {
    std::vector<Key> all;
    for (std::size_t model = 0; model < model_names().size(); ++model)
        for (Key& key : scenario_keys(groups, Model(model)))
            if (!find_key(all, key.path))
                all.push_back(std::move(key));
    return all;
}

std::string default_of(const Key& key) {
    if (key.required)
        return "required";
    if (!key.default_text.empty() || key.kind != KeyKind::number)
        return key.default_text;
    return value_text(key, Value{key.default_value, {}, {}});
}

/// The rows of a parameter table with everything that is known about each number.
const char* provenance_text(Provenance provenance) {
    switch (provenance) {
    case Provenance::architected:
        return "architected";
    case Provenance::published:
        return "published";
    case Provenance::measured:
        return "measured";
    case Provenance::chosen:
        return "chosen";
    }
    return "";
}

std::string describe_key(const Key& key) {
    std::string out = key.path + "\n  " + key.description;
    out.append("\n  default: ")
        .append(default_of(key))
        .append("\n  legal:   ")
        .append(legal_text(key))
        .append("\n");
    if (!key.only_for.empty())
        out.append("  only for workloads of kind ").append(key.only_for).append("\n");
    if (!key.source.empty())
        out.append("  source:  ").append(key.source).append("\n");
    return out;
}

std::string describe_keys(const std::vector<Key>& keys) {
    std::string out;
    for (const Key& key : keys)
        out.append(out.empty() ? "" : "\n").append(describe_key(key));
    return out;
}

std::string describe_group(const ParameterGroup& group) {
    std::string out;
    for (const ParameterInfo& row : group.rows) {
        Key key;
        key.unit = row.unit;
        key.minimum = row.minimum;
        key.maximum = row.maximum;
        key.choices = choices_of(row);
        out += "\n" + group.prefix + "." + row.name + "\n  " + row.description +
               "\n  default: " + value_text(key, Value{row.default_value, {}, {}}) + "  (" +
               provenance_text(row.provenance) + ": " + row.source + ")\n  legal:   " + legal_text(key) +
               "\n";
    }
    return out;
}

std::string describe_model(const std::string& model, const std::vector<ParameterGroup>& groups) {
    std::string out = model + ": parameters of [iommu] with model = \"" + model + "\"\n";
    for (const ParameterGroup& group : groups) {
        if (group.prefix != "iommu" || group.model != model)
            continue;
        if (!group.profiles.empty())
            out += "\nProfiles (iommu.profile)\n";
        for (const NamedProfile& profile : group.profiles)
            out += "  " + profile.name + ": " + profile.description + " (" + profile.source + ")\n";
        out += describe_group(group);
    }
    return out;
}

constexpr const char* features_suffix = ".features";

/// Topics of feature pages: "vtd.features" for the parameters' own defaults, "vtd.features:broadwell" for a
/// profile.
std::vector<std::string> feature_topics() {
    std::vector<std::string> topics;
    for (const IommuArchitecture& architecture : iommu_architectures()) {
        const std::string page = std::string(architecture.name) + features_suffix;
        topics.push_back(page);
        for (const NamedProfile& profile : architecture.parameters().profiles)
            topics.push_back(page + ":" + profile.name);
    }
    return topics;
}

std::string describe_page(const IommuArchitecture& architecture, const ParameterValues& values,
                          const std::string& of) {
    TextTable table;
    table.left_columns(4);
    table.heading({"field", "advertised", "value", "what it is"});
    for (const FeatureRow& row : architecture.features(values))
        table.row({row.name, row.advertised ? "yes" : "no", std::to_string(row.value), row.description});
    return std::string(architecture.name) + ": what the identification registers of a unit with " + of +
           " say\n\n" + table.text();
}

std::optional<std::string> describe_features(const std::string& topic) {
    for (const IommuArchitecture& architecture : iommu_architectures()) {
        const std::string page = std::string(architecture.name) + features_suffix;
        if (topic == page)
            return describe_page(architecture, {}, "the default parameters");
        for (const NamedProfile& profile : architecture.parameters().profiles)
            if (topic == page + ":" + profile.name)
                return describe_page(architecture, {profile.values, {}}, "profile " + profile.name);
    }
    return std::nullopt;
}

std::string describe_workload(const std::string& kind, const std::vector<Key>& keys) {
    std::string out = kind + ": keys of a [[workload]] with kind = \"" + kind + "\"\n";
    for (const Key& key : keys)
        if (list_of(key.path) == "workload" && (key.only_for.empty() || key.only_for == kind))
            out.append("\n").append(describe_key(key));
    return out;
}

std::string describe_metric(const MetricInfo& m) {
    std::string out = std::string(m.name).append("\n  ").append(m.description);
    out.append(m.distribution ? "\n  distribution in " : "\n  in ").append(m.unit);
    if (m.distribution)
        out.append(", fields: ").append(join(distribution_fields()));
    return out.append("\n");
}

std::string describe_metrics() {
    TextTable table;
    table.left_columns(3);
    table.heading({"metric", "unit", "what it is"});
    for (const MetricInfo& m : metric_table())
        table.row({m.name, m.unit, std::string(m.distribution ? "(distribution) " : "") + m.description});
    return table.text() + "\nA * stands for any name. Expectations name a field of a distribution: " +
           join(distribution_fields()) + ".\n";
}

std::string list_topics(const std::vector<Key>& keys) {
    std::vector<std::string> tables;
    for (const Key& key : keys) {
        const std::string first = key.path.substr(0, key.path.find('.'));
        if (first != key.path && std::find(tables.begin(), tables.end(), first) == tables.end())
            tables.push_back(first);
    }
    return "Models:     " + join(model_names()) + "\nFeatures:   " + join(feature_topics()) +
           "\nWorkloads:  " + join(workload_names()) + "\nTables:     " + join(tables) +
           "\nMetrics:    metrics, or the name of one, e.g. invalidation.latency"
           "\nKeys:       keys, or the name of one, e.g. driver.invalidation\n";
}

} // namespace

std::optional<std::string> describe_topic(const std::string& topic,
                                          const std::vector<ParameterGroup>& groups) {
    const std::vector<Key> keys = all_keys(groups);
    const auto is_one_of = [&](const std::vector<std::string>& names) {
        return std::find(names.begin(), names.end(), topic) != names.end();
    };
    if (topic.empty())
        return list_topics(keys);
    if (is_one_of(model_names()))
        return describe_model(topic, groups);
    if (auto page = describe_features(topic))
        return page;
    if (is_one_of(workload_names()))
        return describe_workload(topic, keys);
    if (topic == "metrics")
        return describe_metrics();
    if (topic == "keys")
        return describe_keys(keys);
    if (const MetricReference metric = find_metric(topic); metric.info)
        return describe_metric(*metric.info);
    for (const ParameterGroup& group : groups)
        if (group.prefix == topic && group.model.empty())
            return topic + ": parameters\n" + describe_group(group);
    std::vector<Key> some;
    for (const Key& key : keys)
        if (key.path == topic || key.path.starts_with(topic + "."))
            some.push_back(key);
    const std::string suffix = std::string(".").append(topic);
    if (some.empty()) // a row as the model's own table calls it, such as tlb.entries
        for (const Key& key : keys)
            if (key.path.ends_with(suffix))
                some.push_back(key);
    if (some.empty())
        return std::nullopt;
    return describe_keys(some);
}

std::vector<std::string> describe_topics(const std::vector<ParameterGroup>& groups) {
    std::vector<std::string> topics = model_names();
    topics.insert(topics.end(), workload_names().begin(), workload_names().end());
    for (std::string& topic : feature_topics())
        topics.push_back(std::move(topic));
    topics.insert(topics.end(), {"metrics", "keys", "platform", "iommu", "device", "driver", "workload",
                                 "expect", "published"});
    for (const MetricInfo& m : metric_table())
        topics.push_back(m.name);
    for (const Key& key : all_keys(groups))
        topics.push_back(key.path);
    return topics;
}

} // namespace iommusim::host
