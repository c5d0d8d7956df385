// What a scenario must fulfil beyond the form of its single values: required keys, references, rules between
// keys.
#include "platforms/host/metrics.h"
#include "platforms/host/scenario_reader.h"
#include "platforms/host/units.h"

#include <algorithm>

namespace iommusim::host {

void ScenarioReader::check_all(const Node& root) {
    if (root.members.empty()) {
        diagnostics_.error(beginning_,
                           "the scenario is empty; legal: at least one [[device]] and one [[workload]]");
        return;
    }
    check_required();
    check_workload_kinds();
    check_devices();
    check_workloads();
    check_profile();
    check_groups();
    check_features();
    check_memory_fits();
    for (std::size_t i = 0; i < scenario_.expectations.size(); ++i)
        check_expectation(scenario_.expectations[i], i);
}

void ScenarioReader::check_required() {
    for (const char* list : {"device", "workload"})
        if (list_size(scenario_, list) == 0 && !broken_.contains({list, 0}))
            error(beginning_, list, "not given; legal: at least one [[" + std::string(list) + "]]");
    for (const Key& key : keys_)
        for (std::size_t i = 0; key.required && i < list_size(scenario_, list_of(key.path)); ++i)
            if (!given(key.path, i))
                error(place_of(key.path, i), key.path, "not given; legal: " + legal_text(key));
}

void ScenarioReader::check_workload_kinds() {
    for (const Key& key : keys_) {
        if (key.only_for.empty())
            continue;
        for (std::size_t i = 0; i < scenario_.workloads.size(); ++i) {
            const auto kind = given_.find({"workload.kind", i});
            if (kind == given_.end() || broken_[{"workload.kind", i}] || !given(key.path, i))
                continue;
            const std::string& name = workload_names()[std::size_t(scenario_.workloads[i].kind)];
            if (name == key.only_for)
                continue;
            std::vector<std::string> legal;
            for (const Key& k : keys_)
                if (list_of(k.path) == "workload" && (k.only_for.empty() || k.only_for == name))
                    legal.push_back(k.path.substr(9));
            error(place_of(key.path, i), key.path,
                  "belongs to workloads of kind " + key.only_for + ", this is a " + name +
                      "; legal: " + join(legal));
        }
    }
}

void ScenarioReader::check_devices() {
    auto& devices = scenario_.devices;
    for (std::size_t i = 0; i < devices.size(); ++i)
        if (!given("device.id", i))
            devices[i].id = 0x100 + i;
    for (std::size_t i = 0; i < devices.size(); ++i)
        for (std::size_t k = 0; k < i; ++k) {
            if (!devices[i].name.empty() && devices[i].name == devices[k].name)
                error(place_of("device.name", i), "device.name",
                      "found \"" + devices[i].name + "\" again; legal: a name that no other device has");
            if (devices[i].id == devices[k].id && !broken_[{"device.id", i}] && !broken_[{"device.id", k}])
                error(place_of("device.id", i), "device.id",
                      "found " + std::to_string(devices[i].id) + ", the id of device '" + devices[k].name +
                          "'; legal: an id that no other device has");
        }
}

void ScenarioReader::check_features() {
    const auto number = [&](const std::string& path) -> std::optional<std::uint64_t> {
        const Key* key = find_key(keys_, "iommu.features." + path);
        return key ? std::optional(key->load(scenario_, 0).number) : std::nullopt;
    };
    const auto fits = [&](const char* path, std::size_t i, std::uint64_t value, const char* feature,
                          std::uint64_t bits) {
        if (value >> bits != 0 && !broken_[{path, i}])
            error(place_of(path, i), path,
                  "found " + std::to_string(value) + ", which iommu.features." + feature + " = " +
                      std::to_string(bits) + " does not hold; legal: 0 to " +
                      std::to_string((std::uint64_t{1} << bits) - 1) + ", or more bits there");
    };
    const auto stream_bits = number("stream_id_bits");
    const auto substream_bits = number("substream_id_bits");
    for (std::size_t i = 0; i < scenario_.devices.size(); ++i) {
        if (stream_bits)
            fits("device.id", i, scenario_.devices[i].id, "stream_id_bits", *stream_bits);
        if (substream_bits)
            fits("device.pasid", i, scenario_.devices[i].pasid, "substream_id_bits", *substream_bits);
    }
    const auto offers = [&](CompletionMethod method, const char* word, const char* feature) {
        if (scenario_.driver.completion == method && number(feature) == 0)
            error(place_of("driver.completion"), "driver.completion",
                  "found \"" + std::string(word) + "\", which iommu.features." + feature +
                      " = false does not offer; legal: auto, cons");
    };
    offers(CompletionMethod::msi, "msi", "message_interrupts");
    offers(CompletionMethod::event, "event", "wake_events");
}

void ScenarioReader::check_workloads() {
    std::vector<std::string> names;
    for (const DeviceOptions& d : scenario_.devices)
        names.push_back(d.name);
    for (std::size_t i = 0; i < scenario_.workloads.size(); ++i) {
        std::string& device = scenario_.workloads[i].device;
        const Position where = place_of("workload.device", i);
        if (!given("workload.device", i)) {
            if (names.size() == 1)
                device = names.front();
            else if (!names.empty())
                error(where, "workload.device",
                      "not given, and there is more than one device; legal: " + join(names));
        } else if (!broken_[{"workload.device", i}] && !scenario_.device(device)) {
            error(where, "workload.device",
                  "found \"" + device + "\", which is no device; legal: " +
                      (names.empty() ? "the name of a [[device]]" : join(names)) + suggestion(device, names));
        }
    }
}

void ScenarioReader::check_profile() {
    IommuOptions& iommu = scenario_.iommu;
    if (iommu.profile.empty() || !model_known_)
        return;
    std::vector<std::string> names;
    for (const ParameterGroup& group : groups_) {
        if (group.prefix != "iommu" || group.model != model_names()[std::size_t(iommu.model)])
            continue;
        for (const NamedProfile& profile : group.profiles)
            names.push_back(profile.name);
        if (const NamedProfile* chosen = group.profile(iommu.profile)) {
            iommu.parameters.profile = chosen->values;
            return;
        }
    }
    error(place_of("iommu.profile"), "iommu.profile",
          "found \"" + iommu.profile + "\", which is no profile of this model; legal: " +
              (names.empty() ? "nothing, it has no profiles" : join(names)) +
              suggestion(iommu.profile, names));
}

void ScenarioReader::check_groups() {
    for (const ParameterGroup& group : groups_) {
        if (!group.rules ||
            (!group.model.empty() && group.model != model_names()[std::size_t(scenario_.iommu.model)]))
            continue;
        const ParameterValues& values = group.prefix == "platform.cpu"      ? scenario_.platform.cpu
                                        : group.prefix == "platform.memory" ? scenario_.platform.memory
                                                                            : scenario_.iommu.parameters;
        const ParameterGroup::Violation violation = group.rules(values);
        if (violation.row.empty())
            continue;
        const std::string path = group.prefix + "." + violation.row;
        const Key* key = find_key(keys_, path);
        error(place_of(path), path,
              "found " + value_text(*key, key->load(scenario_, 0)) + "; legal: " + violation.legal);
    }
}

void ScenarioReader::check_memory_fits() {
    const Key* key = find_key(keys_, "platform.memory.size");
    if (!key)
        return;
    constexpr std::uint64_t page = 4096;
    const std::uint64_t size = key->load(scenario_, 0).number;
    std::uint64_t needed = 0;
    for (std::size_t i = 0; i < scenario_.workloads.size(); ++i) {
        const WorkloadOptions& w = scenario_.workloads[i];
        const bool benchmark = w.kind == WorkloadKind::map_benchmark;
        needed += page * (benchmark ? w.threads * w.granules : w.pages);
        // The other half is for page tables, queues and whatever else software allocates.
        if (needed <= size / 2)
            continue;
        const std::string path = benchmark ? "workload.granules" : "workload.pages";
        error(place_of(path, i), path,
              "the workloads' buffers need " + exact_text(needed, Unit::bytes) +
                  "; legal: at most half of the memory, " + exact_text(size / 2, Unit::bytes));
        return;
    }
}

void ScenarioReader::check_expectation(const Expectation& e, std::size_t index) {
    constexpr const char* bounds[] = {"expect.below", "expect.above", "expect.equals"};
    if (std::none_of(std::begin(bounds), std::end(bounds), [&](const char* b) { return given(b, index); }))
        error(place_of("expect.below", index), "expect",
              "no bound; legal: at least one of below, above, equals");
    if (e.metric.empty())
        return;
    const Position where = place_of("expect.metric", index);
    const MetricReference metric = find_metric(e.metric);
    if (!metric.info) {
        error(where, "expect.metric",
              "found \"" + e.metric +
                  "\", which is not measured; legal: the names that 'iommusim describe metrics' prints" +
                  suggestion(e.metric, metric_names()));
        return;
    }
    if (metric.info->distribution && metric.field.empty()) {
        error(where, "expect.metric",
              "found \"" + e.metric + "\", a distribution; legal: one of its fields, " + e.metric + "." +
                  join(distribution_fields(), ", " + e.metric + "."));
        return;
    }
    for (const char* bound : bounds) {
        const auto unit = bound_units_.find({bound, index});
        if (unit == bound_units_.end() || unit->second.empty() || unit->second == metric.unit)
            continue;
        error(place_of(bound, index), bound,
              "found a quantity in " + unit->second + ", but " + e.metric + " is measured in " + metric.unit +
                  "; legal: a quantity in " + metric.unit);
    }
    if (e.below && e.above && *e.below <= *e.above)
        error(place_of("expect.below", index), "expect.below",
              "found a bound that is not greater than 'above': nothing can hold both; legal: more than " +
                  pretty(*e.above, metric.unit));
}

} // namespace iommusim::host
