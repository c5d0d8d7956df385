#include "platforms/host/scenario_reader.h"

#include "platforms/host/units.h"

#include <algorithm>
#include <cctype>
#include <filesystem>

namespace iommusim::host {
namespace {

bool is_table_of(const std::vector<Key>& keys, const std::string& path) {
    return std::any_of(keys.begin(), keys.end(),
                       [&](const Key& k) { return k.path.starts_with(path + "."); });
}

bool is_list(const std::string& path) {
    const auto& lists = list_names();
    return std::find(lists.begin(), lists.end(), path) != lists.end();
}

} // namespace

bool split_number(const std::string& written, std::string& path, std::string& number) {
    path = written;
    number.clear();
    const std::size_t open = written.find('[');
    if (open == std::string::npos)
        return written.find(']') == std::string::npos;
    const std::size_t close = written.find(']', open);
    if (close == std::string::npos || close == open + 1 || close - open > 9)
        return false;
    number = written.substr(open + 1, close - open - 1);
    path = written.substr(0, open) + written.substr(close + 1);
    return std::all_of(number.begin(), number.end(), [](unsigned char c) { return std::isdigit(c) != 0; }) &&
           is_list(written.substr(0, open));
}

Scenario ScenarioReader::read(const Node& root, const std::vector<Setting>& settings) {
    beginning_ = root.position;
    choose_model(root, settings);
    scenario_.name = std::filesystem::path(root.position.file).stem().string();
    set_defaults("", 0);
    read_table(root, "", {});
    for (const Setting& setting : settings)
        apply(setting);
    check_all(root);
    return std::move(scenario_);
}

void ScenarioReader::choose_model(const Node& root, const std::vector<Setting>& settings) {
    const Node* chosen = nullptr;
    if (const Node* iommu = root.find("iommu"))
        chosen = iommu->find("model");
    for (const Setting& setting : settings)
        if (setting.path == "iommu.model")
            chosen = &setting.value;
    std::size_t index = 0;
    if (chosen) {
        const auto& names = model_names();
        index = std::size_t(std::find(names.begin(), names.end(), chosen->text) - names.begin());
        model_known_ = index < names.size();
    }
    keys_ = scenario_keys(groups_, Model(model_known_ ? index : 0));
}

void ScenarioReader::set_defaults(const std::string& list, std::size_t index) {
    for (const Key& key : keys_)
        if (key.kind == KeyKind::number && !key.of_group && list_of(key.path) == list)
            key.store(scenario_, index, Value{key.default_value, {}, {}});
}

void ScenarioReader::read_table(const Node& table, const std::string& prefix, const Element& element) {
    for (const Member& member : table.members) {
        const std::string path = prefix.empty() ? member.key : prefix + "." + member.key;
        if (path == "sweep" && prefix.empty())
            continue; // sweep.cpp
        if (prefix.empty() && is_list(path))
            read_list(path, member.value);
        else if (const Key* key = find_key(keys_, path))
            read_key(*key, member.value, member.value.position, element);
        else if (!is_table_of(keys_, path))
            unknown_key(path, member.position);
        else if (member.value.kind != Node::Kind::table)
            error(member.value.position, path,
                  "found " + describe(member.value) + "; legal: a table with the keys " +
                      join(siblings(path + ".")));
        else
            read_table(member.value, path, element);
    }
}

void ScenarioReader::read_list(const std::string& list, const Node& node) {
    const std::string legal = "; legal: an array of tables, one [[" + list + "]] for each";
    if (node.kind != Node::Kind::array) {
        error(node.position, list, "found " + describe(node) + legal);
        broken_[{list, 0}] = true;
        return;
    }
    for (const Node& item : node.items) {
        if (item.kind != Node::Kind::table) {
            error(item.position, list, "found " + describe(item) + legal);
            broken_[{list, 0}] = true;
            continue;
        }
        const std::size_t index = list_size(scenario_, list);
        if (list == "device")
            scenario_.devices.emplace_back();
        else if (list == "workload")
            scenario_.workloads.emplace_back();
        else if (list == "expect")
            scenario_.expectations.emplace_back();
        else
            scenario_.published.emplace_back();
        positions_[{list, index}] = item.position;
        set_defaults(list, index);
        const Node* kind = list == "workload" ? item.find("kind") : nullptr;
        const auto& kinds = workload_names();
        if (kind && std::find(kinds.begin(), kinds.end(), kind->text) != kinds.end())
            workload_kind_ = kind->text;
        read_table(item, list, {list, index, item.position});
        workload_kind_.clear();
    }
}

void ScenarioReader::read_key(const Key& key, const Node& node, const Position& position,
                              const Element& element) {
    Value value;
    given_[{key.path, element.index}] = position;
    const bool legal = convert(key, node, position, value);
    broken_[{key.path, element.index}] = !legal;
    if (!legal)
        return;
    key.store(scenario_, element.index, value);
    if (key.kind == KeyKind::bound || key.kind == KeyKind::tolerance)
        bound_units_[{key.path, element.index}] = value.text;
    if (key.kind == KeyKind::point)
        read_point(node, "", element.index);
}

void ScenarioReader::read_point(const Node& node, const std::string& prefix, std::size_t index) {
    for (const Member& member : node.members) {
        const std::string path = prefix.empty() ? member.key : prefix + "." + member.key;
        if (member.value.kind == Node::Kind::table)
            read_point(member.value, path, index);
        else
            points_[index].push_back({path, member.value, member.position});
    }
}

bool ScenarioReader::convert(const Key& key, const Node& node, const Position& position, Value& value) {
    std::string why = "found " + describe(node);
    std::string hint;
    const bool is_string = node.kind == Node::Kind::string;
    const bool is_integer = node.kind == Node::Kind::integer;
    bool found = false;
    if (key.kind == KeyKind::text) {
        value.text = node.text;
        found = is_string && !node.text.empty();
    } else if (key.kind == KeyKind::point) {
        found = node.kind == Node::Kind::table;
    } else if (key.kind == KeyKind::bound || key.kind == KeyKind::tolerance) {
        found = is_integer || node.kind == Node::Kind::real || is_string;
        value.bound = is_integer ? double(node.integer) : node.real;
        const std::optional<double> percentage =
            key.kind == KeyKind::tolerance && is_string ? parse_percentage(node.text) : std::nullopt;
        if (percentage) {
            value.bound = percentage;
            value.text = "%";
        } else if (is_string) {
            const ParsedQuantity quantity = parse_any_quantity(node.text);
            value.bound = double(quantity.value.value_or(0));
            value.text = quantity.unit == Unit::count ? "" : base_unit(quantity.unit);
            found = quantity.value.has_value();
            if (!found)
                why += ": " + quantity.problem;
        }
    } else if (key.unit == Unit::flag) {
        value.number = node.boolean;
        found = node.kind == Node::Kind::boolean;
    } else if (key.unit == Unit::choice) {
        const auto word = std::find(key.choices.begin(), key.choices.end(), node.text);
        value.number = std::uint64_t(word - key.choices.begin());
        found = is_string && word != key.choices.end();
        if (is_string && !found)
            hint = suggestion(node.text, key.choices);
    } else {
        if (is_string && key.unit != Unit::count) {
            const ParsedQuantity quantity = parse_quantity(node.text, key.unit);
            value.number = quantity.value.value_or(0);
            found = quantity.value.has_value();
            if (!found)
                why += ": " + quantity.problem;
            if (quantity.problem.starts_with("unknown unit"))
                hint = "; units: " + legal_suffixes(key.unit);
        } else if (is_integer && node.integer >= 0) {
            value.number = std::uint64_t(node.integer);
            found = true;
        }
        found = found && value.number >= key.minimum && value.number <= key.maximum;
    }
    if (found)
        return true;
    const std::string legal =
        key.kind == KeyKind::text && is_string ? "a string that is not empty" : legal_text(key);
    error(position, key.path, why + "; legal: " + legal + hint);
    return false;
}

void ScenarioReader::apply(const Setting& setting) {
    std::string path, number;
    if (!split_number(setting.path, path, number)) {
        error(setting.position, setting.path,
              "not the name of a key; legal: names such as driver.invalidation, workload.threads, "
              "workload[0].threads");
        return;
    }
    if (setting.value.kind == Node::Kind::table && !find_key(keys_, path)) {
        for (const Member& member : setting.value.members)
            apply({setting.path + "." + member.key, member.value, setting.position});
        return;
    }
    const std::string list(list_of(path));
    const Key* key = find_key(keys_, path);
    if (!key && is_table_of(keys_, path))
        error(setting.position, path,
              "found " + describe(setting.value) + "; legal: one of its keys, " + join(siblings(path + ".")));
    else if (!key)
        unknown_key(path, setting.position);
    else if (!list.empty())
        apply_to_list(setting, list, path, number);
    else
        read_key(*key, setting.value, setting.position, {});
}

void ScenarioReader::apply_to_list(const Setting& setting, const std::string& list, const std::string& path,
                                   const std::string& number) {
    const Key& key = *find_key(keys_, path);
    const std::size_t size = list_size(scenario_, list);
    bool applied = false;
    for (std::size_t i = 0; i < size; ++i) {
        if (!number.empty() && std::stoul(number) != i)
            continue;
        if (number.empty() && !key.only_for.empty() &&
            key.only_for != workload_names()[std::size_t(scenario_.workloads[i].kind)])
            continue; // means the elements that have this key
        read_key(key, setting.value, setting.position, {list, i, positions_[{list, i}]});
        applied = true;
    }
    if (applied)
        return;
    std::string legal = size == 0 ? "there is no [[" + list + "]]"
                                  : list + "[0] to " + list + "[" + std::to_string(size - 1) + "]";
    if (number.empty() && size != 0)
        legal = "a [[workload]] of kind " + key.only_for;
    error(setting.position, setting.path, "found nothing to set; legal: " + legal);
}

std::vector<std::string> ScenarioReader::siblings(const std::string& path) const {
    const std::size_t dot = path.rfind('.');
    const std::string prefix = dot == std::string::npos ? "" : path.substr(0, dot + 1);
    std::vector<std::string> names;
    for (const Key& key : keys_) {
        const bool of_other_kind =
            !workload_kind_.empty() && !key.only_for.empty() && key.only_for != workload_kind_;
        if (!key.path.starts_with(prefix) || of_other_kind)
            continue;
        const std::string rest = key.path.substr(prefix.size());
        const std::string name = rest.substr(0, rest.find('.'));
        if (std::find(names.begin(), names.end(), name) == names.end())
            names.push_back(name);
    }
    if (prefix.empty())
        names.push_back("sweep");
    return names;
}

void ScenarioReader::unknown_key(const std::string& path, const Position& position) {
    if (!model_known_ && path.starts_with("iommu."))
        return; // the model's name is wrong, so nobody knows what it has
    std::vector<std::string> candidates = key_paths(keys_);
    for (const std::string& table : siblings(""))
        candidates.push_back(table);
    constexpr std::size_t most = 16;
    std::vector<std::string> legal = siblings(path);
    const std::size_t dot = path.rfind('.');
    std::string list = join(legal);
    if (legal.size() > most)
        list = "the keys that 'iommusim describe " + path.substr(0, dot) + "' prints";
    error(position, path, "unknown key; legal: " + list + suggestion(path, candidates));
}

Position ScenarioReader::place_of(const std::string& path, std::size_t index) const {
    if (const auto own = given_.find({path, index}); own != given_.end())
        return own->second;
    if (const auto element = positions_.find({std::string(list_of(path)), index});
        element != positions_.end())
        return element->second;
    return beginning_;
}

bool ScenarioReader::given(const std::string& path, std::size_t index) const {
    return given_.contains({path, index});
}

void ScenarioReader::error(const Position& position, const std::string& path, const std::string& message) {
    diagnostics_.error(position, "key '" + path + "': " + message);
}

} // namespace iommusim::host
