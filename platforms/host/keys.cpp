#include "platforms/host/keys.h"

#include "platforms/host/diagnostics.h"
#include "platforms/host/iommu_model.h"
#include "platforms/host/units.h"

#include <type_traits>
#include <utility>

namespace iommusim::host {
namespace {

constexpr std::uint64_t any_number = ~std::uint64_t{0} >> 1; // TOML integers are signed

/// Reads and writes a member of any type that scenarios have.
template <class T> void assign(T& member, const Value& value) {
    if constexpr (std::is_same_v<T, std::string>)
        member = value.text;
    else if constexpr (std::is_same_v<T, std::optional<double>>)
        member = value.bound;
    else if constexpr (std::is_same_v<T, double>)
        member = value.bound.value_or(0);
    else if constexpr (std::is_same_v<T, Tolerance>)
        member = {value.bound.value_or(0) / (value.text == "%" ? 100 : 1), value.text == "%"};
    else if constexpr (std::is_same_v<T, bool>)
        member = value.number != 0;
    else
        member = static_cast<T>(value.number);
}

template <class T> Value value_of(const T& member) {
    Value value;
    if constexpr (std::is_same_v<T, std::string>)
        value.text = member;
    else if constexpr (std::is_same_v<T, std::optional<double>> || std::is_same_v<T, double>)
        value.bound = member;
    else if constexpr (std::is_same_v<T, Tolerance>)
        value.bound = member.amount;
    else
        value.number = static_cast<std::uint64_t>(member);
    return value;
}

/// Binds a key to `select(scenario, element)`, a callable that returns a reference to the member.
template <class Select> void bind(Key& key, Select select) {
    key.store = [select](Scenario& s, std::size_t element, const Value& v) { assign(select(s, element), v); };
    key.load = [select](const Scenario& s, std::size_t element) {
        return value_of(select(const_cast<Scenario&>(s), element)); // only read
    };
}

template <class T> auto top(T Scenario::*member) {
    return [member](Scenario& s, std::size_t) -> T& { return s.*member; };
}
template <class S, class T> auto in(S Scenario::*section, T S::*member) {
    return [section, member](Scenario& s, std::size_t) -> T& { return s.*section.*member; };
}
template <class S, class T> auto each(std::vector<S> Scenario::*list, T S::*member) {
    return [list, member](Scenario& s, std::size_t element) -> T& { return (s.*list)[element].*member; };
}

class Table {
public:
    template <class Select>
    Key& text(std::string path, Select select, std::string without, std::string description) {
        Key& key = add(std::move(path), KeyKind::text, Unit::count, std::move(description));
        key.default_text = std::move(without);
        bind(key, select);
        return key;
    }

    template <class Select>
    Key& bound(std::string path, Select select, std::string description, KeyKind kind = KeyKind::bound) {
        Key& key = add(std::move(path), kind, Unit::count, std::move(description));
        key.default_text = "no such bound";
        bind(key, select);
        return key;
    }

    template <class Select>
    Key& number(std::string path, Unit unit, Select select, std::uint64_t value, std::uint64_t minimum,
                std::uint64_t maximum, std::string description) {
        Key& key = add(std::move(path), KeyKind::number, unit, std::move(description));
        key.default_value = value;
        key.minimum = minimum;
        key.maximum = maximum;
        bind(key, select);
        return key;
    }

    template <class Select>
    Key& choice(std::string path, Select select, std::vector<std::string> words, std::uint64_t value,
                std::string description) {
        const std::uint64_t last = words.size() - 1;
        Key& key = number(std::move(path), Unit::choice, select, value, 0, last, std::move(description));
        key.choices = std::move(words);
        return key;
    }

    Key& point(std::string path, std::string without, std::string description) {
        Key& key = add(std::move(path), KeyKind::point, Unit::count, std::move(description));
        key.default_text = std::move(without);
        key.store = [](Scenario&, std::size_t, const Value&) {}; // the reader decides what it picks
        key.load = [](const Scenario&, std::size_t) { return Value{}; };
        return key;
    }

    void group(const ParameterGroup& group, ParameterValues& (*values)(Scenario&)) {
        for (const ParameterInfo& row : group.rows) {
            Key& key = add(group.prefix + "." + row.name, KeyKind::number, row.unit, row.description);
            key.default_value = row.default_value;
            key.minimum = row.minimum;
            key.maximum = row.maximum;
            key.choices = choices_of(row);
            key.source = row.source;
            key.of_group = true;
            key.store = [row, values](Scenario& s, std::size_t, const Value& v) {
                values(s).given[row.name] = v.number;
            };
            key.load = [row, values](const Scenario& s, std::size_t) {
                return Value{values(const_cast<Scenario&>(s)).value(row), {}, {}}; // only read
            };
        }
    }

    std::vector<Key> take() { return std::move(keys_); }

private:
    Key& add(std::string path, KeyKind kind, Unit unit, std::string description) {
        Key& key = keys_.emplace_back();
        key.path = std::move(path);
        key.kind = kind;
        key.unit = unit;
        key.description = std::move(description);
        return key;
    }

    std::vector<Key> keys_;
};

void add_platform_and_iommu(Table& t, const std::vector<ParameterGroup>& groups, Model model) {
    t.text("name", top(&Scenario::name), "the file's name", "Short name of the scenario in every report.");
    t.text("description", top(&Scenario::description), "empty", "A sentence for the reader of a report.");
    t.text("source", top(&Scenario::source), "empty",
           "Where published values come from that do not say so themselves.");
    t.text(
        "variant", top(&Scenario::variant), "empty",
        "Name of the element of [[sweep.variant]] that the run is: a name and any keys that it sets. Given "
        "on the command line it picks that one.");
    t.number("seed", Unit::count, top(&Scenario::seed), 1, 0, any_number,
             "Seed of every random choice; the same seed gives the same result to the last byte.");
    t.number("platform.cpus", Unit::count, in(&Scenario::platform, &PlatformOptions::cpus), 1, 1, 256,
             "Number of modelled CPUs.");
    for (const ParameterGroup& g : groups) {
        if (g.prefix == "platform.cpu")
            t.group(g, [](Scenario& s) -> ParameterValues& { return s.platform.cpu; });
        if (g.prefix == "platform.memory")
            t.group(g, [](Scenario& s) -> ParameterValues& { return s.platform.memory; });
    }
    t.choice("iommu.model", in(&Scenario::iommu, &IommuOptions::model), model_names(), 0,
             "Which IOMMU is built.");
    t.text("iommu.profile", in(&Scenario::iommu, &IommuOptions::profile), "the parameters' own defaults",
           "A named set of parameters of the model; single parameters given beside it win over it.");
    for (const ParameterGroup& g : groups)
        if (g.prefix == "iommu" && g.model == model_names()[std::size_t(model)])
            t.group(g, [](Scenario& s) -> ParameterValues& { return s.iommu.parameters; });
}

void add_devices_and_driver(Table& t) {
    const auto device = [](auto member) { return each(&Scenario::devices, member); };
    t.text("device.name", device(&DeviceOptions::name), "", "Unique name that workloads refer to.").required =
        true;
    t.choice("device.kind", device(&DeviceOptions::kind), {"nic", "dma-engine"}, 0,
             "What the device stands for in reports; each kind is a DMA master driven by the workloads.");
    t.number("device.id", Unit::count, device(&DeviceOptions::id), 0, 0, 0xffff'ffff,
             "Stream id (SMMUv3) or requester id (VT-d), unique; 0x100 and up in the order of the devices.")
        .default_text = "0x100 plus the device's position";
    t.number("device.dma_bits", Unit::count, device(&DeviceOptions::dma_bits), 48, 24, 64,
             "Address bits that the device can drive.");
    t.number("device.pasid", Unit::count, device(&DeviceOptions::pasid), 0, 0, 0xf'ffff,
             "Process address space id (substream id) that its DMAs carry; 0 for none.");
    t.number("device.pasids", Unit::count, device(&DeviceOptions::pasids), 0, 0, 4096,
             "Process address spaces of the device, PASIDs 1 to this, each with a domain of its own; the "
             "device's workloads are shared out among them. 0 for none.");
    t.number("device.link_latency", Unit::picoseconds, device(&DeviceOptions::link_latency), 0, 0,
             100'000'000, "Time that the way from the device to the IOMMU and back adds to each DMA.");

    const auto driver = [](auto member) { return in(&Scenario::driver, member); };
    t.choice("driver.invalidation", driver(&DriverOptions::invalidation), {"strict", "lazy", "none"}, 0,
             "strict: unmap returns after the invalidation; lazy: unmaps are collected and flushed together; "
             "none: the device is not translated, nothing has to be invalidated.");
    t.choice("driver.iova_allocator", driver(&DriverOptions::iova_allocator), {"rbtree", "magazine"}, 1,
             "rbtree: one tree under one lock; magazine: per-CPU caches in front of it.");
    t.choice(
        "driver.completion", driver(&DriverOptions::completion), {"auto", "msi", "cons", "event"}, 0,
        "How the driver learns that invalidations are done: auto: the cheapest that the IOMMU offers; msi: a "
        "completion write to memory; cons: polling the consumer index; event: waiting for an event.");
    t.choice(
        "driver.stage", driver(&DriverOptions::stage), {"auto", "first", "second", "nested"}, 0,
        "Tables that the driver gives a domain: auto: what Linux would choose on this IOMMU; first: those "
        "of processes; second: those of guests; nested: first-stage tables on top of second-stage ones.");
    t.choice("driver.invalidation_interface", driver(&DriverOptions::invalidation_interface),
             {"queued", "registers"}, 0,
             "How the driver hands invalidations to the IOMMU: through the queue in memory, or through "
             "registers where it has them.");
    t.number("driver.range_invalidation", Unit::flag, driver(&DriverOptions::range_invalidation), 1, 0, 1,
             "Use range invalidation commands where the IOMMU has them.");
    t.number("driver.flush_queue_entries", Unit::count, driver(&DriverOptions::flush_queue_entries), 256, 2,
             65536, "Lazy invalidation: unmaps that one CPU collects before it flushes.");
    t.number("driver.flush_queue_timeout", Unit::picoseconds, driver(&DriverOptions::flush_queue_timeout),
             10'000'000'000, 1'000'000, 10'000'000'000'000,
             "Lazy invalidation: the longest time an unmap waits for its flush.");
}

void add_workloads(Table& t) {
    const auto workload = [](auto member) { return each(&Scenario::workloads, member); };
    t.choice("workload.kind", workload(&WorkloadOptions::kind), workload_names(), 0,
             "map-benchmark: CPU threads map and unmap buffers; dma-traffic: the device accesses a mapped "
             "buffer.")
        .required = true;
    t.text("workload.device", workload(&WorkloadOptions::device), "the device, if there is only one",
           "Name of the device that it runs on.");
    t.number("workload.operations", Unit::count, workload(&WorkloadOptions::operations), 1000, 1,
             1'000'000'000, "map-benchmark: map/unmap pairs of each thread; dma-traffic: DMAs in all.");
    t.choice("workload.direction", workload(&WorkloadOptions::direction),
             {"to-device", "from-device", "bidirectional"}, 2,
             "What the device may do with the buffer: read, write, or both in turn.");

    t.number("workload.threads", Unit::count, workload(&WorkloadOptions::threads), 1, 1, 256,
             "Threads, one for each CPU in turn.")
        .only_for = "map-benchmark";
    t.number("workload.granules", Unit::count, workload(&WorkloadOptions::granules), 1, 1, 1024,
             "4 KiB pages in each mapping.")
        .only_for = "map-benchmark";
    t.number("workload.dwell", Unit::picoseconds, workload(&WorkloadOptions::dwell), 0, 0, 1'000'000'000'000,
             "Time between map and unmap, as a DMA would take it.")
        .only_for = "map-benchmark";

    t.choice("workload.pattern", workload(&WorkloadOptions::pattern), {"sequential", "strided", "random"}, 0,
             "sequential: one access after the other; strided: one at every stride; random: at random "
             "strides. Each "
             "starts over at the buffer's end.")
        .only_for = "dma-traffic";
    t.number("workload.access", Unit::bytes, workload(&WorkloadOptions::access), 64, 1, 4096,
             "Size of each DMA.")
        .only_for = "dma-traffic";
    t.number("workload.stride", Unit::bytes, workload(&WorkloadOptions::stride), 4096, 1, 1'073'741'824,
             "Distance between the places that strided and random patterns access.")
        .only_for = "dma-traffic";
    t.number("workload.outstanding", Unit::count, workload(&WorkloadOptions::outstanding), 16, 1, 1024,
             "DMAs under way at once.")
        .only_for = "dma-traffic";
    t.number("workload.pages", Unit::count, workload(&WorkloadOptions::pages), 256, 1, 1'048'576,
             "4 KiB pages in the buffer.")
        .only_for = "dma-traffic";
    t.choice("workload.largest_page", workload(&WorkloadOptions::largest_page),
             {"any", "4KiB", "2MiB", "1GiB"}, 0,
             "The largest page that the buffer's mapping may use; any: what its place in memory allows.")
        .only_for = "dma-traffic";
    t.number("workload.warmup", Unit::count, workload(&WorkloadOptions::warmup), 0, 0, 1'000'000'000,
             "DMAs before the measured ones, that fill the caches.")
        .only_for = "dma-traffic";
    t.number("workload.interval", Unit::picoseconds, workload(&WorkloadOptions::interval), 0, 0,
             1'000'000'000'000,
             "Time between the issue of two DMAs; 0: as fast as the outstanding ones allow.")
        .only_for = "dma-traffic";
}

void add_expectations(Table& t) {
    const auto expect = [](auto member) { return each(&Scenario::expectations, member); };
    t.text("expect.metric", expect(&Expectation::metric), "",
           "Name of a metric, with the field of a distribution.")
        .required = true;
    t.bound("expect.below", expect(&Expectation::below), "The value must be less than this.");
    t.bound("expect.above", expect(&Expectation::above), "The value must be greater than this.");
    t.bound("expect.equals", expect(&Expectation::equals), "The value must be exactly this.");
}

void add_published(Table& t) {
    const auto published = [](auto member) { return each(&Scenario::published, member); };
    t.text("published.metric", published(&PublishedValue::metric), "",
           "Name of a metric, with the field of a distribution.")
        .required = true;
    t.point("published.point", "every run",
            "Keys and values of the run that the value belongs to, such as { workload.pages = 64 }.");
    t.bound("published.value", published(&PublishedValue::value), "What was measured on the real machine.")
        .required = true;
    t.bound("published.tolerance", published(&PublishedValue::tolerance),
            "How far the simulation may be off: a percentage of the value, or a number or quantity.",
            KeyKind::tolerance)
        .default_text = "none: the simulation has to give the value itself";
    t.choice(
        "published.role", published(&PublishedValue::role), {"predicted", "calibrated"}, 0,
        "calibrated: parameters were chosen to meet the value; predicted: they were not, so it is a test "
        "of the simulation, and a miss is exit status 3.");
    t.text("published.source", published(&PublishedValue::source), "the scenario's source",
           "Where the value was published.");
}

} // namespace

std::vector<Key> scenario_keys(const std::vector<ParameterGroup>& groups, Model model) {
    Table table;
    add_platform_and_iommu(table, groups, model);
    add_devices_and_driver(table);
    add_workloads(table);
    add_expectations(table);
    add_published(table);
    return table.take();
}

const Key* find_key(const std::vector<Key>& keys, std::string_view path) {
    for (const Key& k : keys)
        if (k.path == path)
            return &k;
    return nullptr;
}

std::vector<std::string> key_paths(const std::vector<Key>& keys) {
    std::vector<std::string> paths;
    for (const Key& k : keys)
        paths.push_back(k.path);
    return paths;
}

const std::vector<std::string>& model_names() {
    static const std::vector<std::string> names = [] {
        std::vector<std::string> list;
        for (const IommuArchitecture& architecture : iommu_architectures())
            list.emplace_back(architecture.name);
        return list;
    }();
    return names;
}

const std::vector<std::string>& workload_names() {
    static const std::vector<std::string> names{"map-benchmark", "dma-traffic"};
    return names;
}

const std::vector<std::string>& list_names() {
    static const std::vector<std::string> names{"device", "workload", "expect", "published"};
    return names;
}

std::string_view list_of(std::string_view path) {
    const std::string_view first = path.substr(0, path.find('.'));
    for (const std::string& name : list_names())
        if (first == name)
            return name;
    return {};
}

std::size_t list_size(const Scenario& s, std::string_view list) {
    if (list == "device")
        return s.devices.size();
    if (list == "workload")
        return s.workloads.size();
    if (list == "expect")
        return s.expectations.size();
    if (list == "published")
        return s.published.size();
    return 1;
}

std::string value_text(const Key& key, const Value& value) {
    if (key.kind == KeyKind::text)
        return value.text;
    if (key.kind == KeyKind::point)
        return {};
    if (key.kind == KeyKind::bound || key.kind == KeyKind::tolerance)
        return value.bound ? pretty(*value.bound, "") : "none";
    if (key.unit == Unit::choice)
        return value.number < key.choices.size() ? key.choices[value.number] : std::to_string(value.number);
    if (key.unit == Unit::flag)
        return value.number ? "true" : "false";
    return exact_text(value.number, key.unit);
}

std::string legal_text(const Key& key) {
    if (key.kind == KeyKind::text)
        return "a string";
    if (key.kind == KeyKind::bound)
        return "a number or a quantity such as \"5us\"";
    if (key.kind == KeyKind::tolerance)
        return "a percentage such as \"5%\", a number, or a quantity such as \"5us\"";
    if (key.kind == KeyKind::point)
        return "a table of keys and their values";
    switch (key.unit) {
    case Unit::choice:
        return join(key.choices);
    case Unit::flag:
        return "true, false";
    case Unit::count:
        return "an integer from " + std::to_string(key.minimum) + " to " + std::to_string(key.maximum);
    default:
        return std::string(quantity_form(key.unit)) + ", or an integer in " + base_unit(key.unit) +
               ", from " + exact_text(key.minimum, key.unit) + " to " + exact_text(key.maximum, key.unit);
    }
}

std::vector<ResolvedParameter> resolved_parameters(const Scenario& scenario, const std::vector<Key>& keys) {
    std::vector<ResolvedParameter> resolved;
    for (const std::string& list : {std::string(), std::string("device"), std::string("workload")}) {
        const std::size_t count = list_size(scenario, list);
        for (std::size_t i = 0; i < count; ++i)
            for (const Key& key : keys) {
                if (list_of(key.path) != list || key.path.find('.') == std::string::npos)
                    continue;
                if (!key.only_for.empty() &&
                    key.only_for != workload_names()[std::size_t(scenario.workloads[i].kind)])
                    continue;
                std::string path = key.path;
                if (!list.empty())
                    path.insert(list.size(), std::string("[").append(std::to_string(i)).append("]"));
                Value value = key.load(scenario, i);
                std::string text = value_text(key, value);
                resolved.push_back({std::move(path), key.unit, key.kind, std::move(value), std::move(text)});
            }
    }
    return resolved;
}

} // namespace iommusim::host
