// What a scenario must fulfil beyond the form of its single values: required keys, references, rules between
// keys.
#include "platforms/host/iommu_model.h"
#include "platforms/host/scenario_reader.h"
#include "platforms/host/units.h"

#include <algorithm>
#include <utility>

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
    check_offers();
    check_memory_fits();
    for (std::size_t i = 0; i < scenario_.expectations.size(); ++i)
        check_expectation(scenario_.expectations[i], i);
    check_published();
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
    const IommuArchitecture& architecture = architecture_of(scenario_.iommu.model);
    const auto key_of = [&](const char* row) {
        return row ? find_key(keys_, std::string("iommu.") + row) : nullptr;
    };
    const auto fits = [&](const char* path, std::size_t i, std::uint64_t value, const Key* key) {
        const std::uint64_t bits = key ? key->load(scenario_, 0).number : 16;
        if (value >> bits == 0 || broken_[{path, i}])
            return;
        const std::string limit =
            key ? key->path + " = " + std::to_string(bits) + " does not hold" : "takes more than 16 bits";
        error(place_of(path, i), path,
              "found " + std::to_string(value) + ", which " + limit + "; legal: 0 to " +
                  std::to_string((std::uint64_t{1} << bits) - 1) + (key ? ", or more bits there" : ""));
    };
    const Key* const pasid_bits = key_of(architecture.pasid_bits);
    for (const DeviceOptions& device : scenario_.devices)
        if (pasid_bits && device.pasid_of(0) != 0 && !given(pasid_bits->path) &&
            !scenario_.iommu.parameters.profile.contains(architecture.pasid_bits))
            pasid_bits->store(scenario_, 0, Value{architecture.default_pasid_bits, {}, {}});
    for (std::size_t i = 0; i < scenario_.devices.size(); ++i) {
        const DeviceOptions& device = scenario_.devices[i];
        const Key* const id_bits = key_of(architecture.device_id_bits);
        if (id_bits || !architecture.device_id_bits)
            fits("device.id", i, device.id, id_bits);
        if (pasid_bits) {
            fits("device.pasid", i, device.pasid, pasid_bits);
            fits("device.pasids", i, device.pasids, pasid_bits);
        }
        if (device.pasid != 0 && device.pasids != 0)
            error(place_of("device.pasids", i), "device.pasids",
                  "found beside 'pasid'; legal: one PASID by its number, or PASIDs 1 to a number");
    }
}

void ScenarioReader::check_offers() {
    if (!model_known_)
        return;
    const IommuArchitecture& architecture = architecture_of(scenario_.iommu.model);
    const auto check = [&](const char* path, const std::vector<IommuArchitecture::Offer>& offers) {
        const Key& key = *find_key(keys_, path);
        const std::string chosen = value_text(key, key.load(scenario_, 0));
        std::string why = std::string("which ") + architecture.name + " does not have";
        std::vector<std::string> legal;
        for (const auto& [word, row] : offers) {
            const Key* feature = row ? find_key(keys_, std::string("iommu.") + row) : nullptr;
            if (!feature || feature->load(scenario_, 0).number != 0)
                legal.emplace_back(word);
            else if (chosen == word)
                why = "which " + feature->path + " = " + value_text(*feature, feature->load(scenario_, 0)) +
                      " does not offer";
        }
        if (std::find(legal.begin(), legal.end(), chosen) == legal.end())
            error(place_of(path), path, "found \"" + chosen + "\", " + why + "; legal: " + join(legal));
    };
    check("driver.completion", architecture.completions);
    check("driver.stage", architecture.stages);
    check("driver.invalidation_interface", architecture.interfaces);
    check("driver.range_invalidation", architecture.ranges);
    if (architecture.violations && diagnostics_.empty())
        for (const IommuArchitecture::Violation& v : architecture.violations(scenario_))
            error(place_of(v.key, v.element), v.key, v.text);
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
        const DeviceOptions* const device = scenario_.device(w.device);
        needed +=
            page * (benchmark ? w.threads * w.granules : w.pages * (device ? device->address_spaces() : 1));
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

MetricReference ScenarioReader::check_metric(const std::string& name, const char* path, std::size_t index) {
    if (name.empty())
        return {};
    const Position where = place_of(path, index);
    const MetricReference metric = find_metric(name);
    if (!metric.info) {
        error(where, path,
              "found \"" + name +
                  "\", which is not measured; legal: the names that 'iommusim describe metrics' prints" +
                  suggestion(name, metric_names()));
        return {};
    }
    if (metric.info->distribution && metric.field.empty()) {
        error(where, path,
              "found \"" + name + "\", a distribution; legal: one of its fields, " + name + "." +
                  join(distribution_fields(), ", " + name + "."));
        return {};
    }
    return metric;
}

void ScenarioReader::check_unit(const char* path, std::size_t index, const MetricReference& metric,
                                double& bound) {
    const auto found = bound_units_.find({path, index});
    if (found == bound_units_.end() || found->second.empty() || found->second == metric.unit)
        return;
    if (found->second == "B/s" && metric.unit == std::string("bit/s")) {
        bound *= 8;
        return;
    }
    error(place_of(path, index), path,
          "found a quantity in " + found->second + ", but " + metric.base +
              (metric.field.empty() ? "" : ".") + metric.field + " is measured in " + metric.unit +
              "; legal: a quantity in " + metric.unit);
}

void ScenarioReader::check_expectation(Expectation& e, std::size_t index) {
    constexpr std::pair<const char*, std::optional<double> Expectation::*> bounds[] = {
        {"expect.below", &Expectation::below},
        {"expect.above", &Expectation::above},
        {"expect.equals", &Expectation::equals}};
    if (std::none_of(std::begin(bounds), std::end(bounds), [&](auto& b) { return given(b.first, index); }))
        error(place_of("expect.below", index), "expect",
              "no bound; legal: at least one of below, above, equals");
    const MetricReference metric = check_metric(e.metric, "expect.metric", index);
    if (!metric.info)
        return;
    for (const auto& [path, member] : bounds)
        if (e.*member)
            check_unit(path, index, metric, *(e.*member));
    if (e.below && e.above && *e.below <= *e.above)
        error(place_of("expect.below", index), "expect.below",
              "found a bound that is not greater than 'above': nothing can hold both; legal: more than " +
                  pretty(*e.above, metric.unit));
}

/// Keeps those that belong to this run, in the units of their metrics.
void ScenarioReader::check_published() {
    std::vector<PublishedValue> kept;
    for (std::size_t i = 0; i < scenario_.published.size(); ++i) {
        PublishedValue& p = scenario_.published[i];
        const MetricReference metric = check_metric(p.metric, "published.metric", i);
        if (metric.info) {
            check_unit("published.value", i, metric, p.value);
            if (!p.tolerance.relative)
                check_unit("published.tolerance", i, metric, p.tolerance.amount);
        }
        if (p.source.empty())
            p.source = scenario_.source;
        if (p.source.empty())
            error(place_of("published.source", i), "published.source",
                  "not given; legal: a string, here or as the scenario's source");
        if (belongs_here(i))
            kept.push_back(p);
    }
    scenario_.published = std::move(kept);
}

bool ScenarioReader::belongs_here(std::size_t published) {
    bool here = true;
    for (const Setting& coordinate : points_[published]) {
        std::string path;
        std::string number;
        const Key* key = split_number(coordinate.path, path, number) ? find_key(keys_, path) : nullptr;
        if (!key) {
            unknown_key(path, coordinate.position);
            return false;
        }
        Value wanted;
        if (!convert(*key, coordinate.value, coordinate.value.position, wanted))
            return false;
        const std::string list(list_of(path));
        for (std::size_t i = 0; i < list_size(scenario_, list); ++i) {
            const bool means_other_kind =
                !key->only_for.empty() &&
                key->only_for != workload_names()[std::size_t(scenario_.workloads[i].kind)];
            if (means_other_kind || (!number.empty() && std::stoul(number) != i))
                continue;
            here = here && value_text(*key, key->load(scenario_, i)) == value_text(*key, wanted);
        }
    }
    return here;
}

} // namespace iommusim::host
