#include "platforms/host/sweep.h"

#include "platforms/host/keys.h"
#include "platforms/host/scenario_reader.h"

#include <algorithm>

namespace iommusim::host {
namespace {

constexpr std::string_view sweep_prefix = "sweep.";
/// The axis whose values set several keys at once.
constexpr std::string_view variant_key = "variant";

struct Axis {
    std::string key;
    Position position;
    std::vector<Node> values;
    bool unknown = false; ///< no model has this key: the finding belongs to the key, not to its values
};

/// A value as short text for labels; of a variant its name.
std::string text_of(const Node& node) {
    switch (node.kind) {
    case Node::Kind::table:
        return node.find("name") ? node.find("name")->text : describe(node);
    case Node::Kind::string:
        return node.text;
    case Node::Kind::integer:
        return std::to_string(node.integer);
    case Node::Kind::boolean:
        return node.boolean ? "true" : "false";
    default:
        return describe(node);
    }
}

class Loader {
public:
    Loader(const std::vector<ParameterGroup>& groups, LoadedScenarios& loaded)
        : groups_(groups), loaded_(loaded), diagnostics_(loaded.diagnostics) {}

    void read_settings(const std::vector<std::string>& texts) {
        for (const std::string& text : texts) {
            const std::string option = "--set " + text;
            const std::size_t equals = text.find('=');
            const Position position{option, 0, 0};
            std::string path = text.substr(0, equals);
            if (equals == std::string::npos || path.empty()) {
                diagnostics_.error(position, "not a setting; legal: KEY=VALUE");
                continue;
            }
            while (path.ends_with(' '))
                path.pop_back();
            std::string_view value = std::string_view(text).substr(equals + 1);
            while (value.starts_with(' '))
                value.remove_prefix(1);
            settings_.push_back({path, parse_value(value, option), position});
        }
    }

    void load(const Node& root) {
        if (const Node* sweep = root.find("sweep")) {
            if (sweep->kind == Node::Kind::table)
                read_axes(*sweep, "");
            else
                error(sweep->position, "sweep",
                      "found " + describe(*sweep) + "; legal: a table of key = [values]");
        }
        move_settings_into_axes();
        if (!axes_sound_ || axes_.empty()) {
            read_point(root, {});
            return;
        }
        std::size_t runs = 1;
        for (const Axis& axis : axes_)
            if ((runs *= axis.values.size()) > maximum_runs) {
                error(axis.position, "sweep",
                      "more than " + std::to_string(maximum_runs) +
                          " runs; legal: fewer combinations of values");
                read_point(root, {});
                return;
            }
        std::vector<std::size_t> point(axes_.size(), 0);
        for (std::size_t run = 0; run < runs; ++run) {
            read_point(root, point);
            for (std::size_t k = axes_.size(); k-- > 0 && ++point[k] == axes_[k].values.size();)
                point[k] = 0;
        }
    }

private:
    void error(const Position& position, const std::string& path, const std::string& message) {
        diagnostics_.error(position, "key '" + path + "': " + message);
        axes_sound_ = false;
    }

    void read_axes(const Node& table, const std::string& prefix) {
        for (const Member& member : table.members) {
            const std::string path = prefix.empty() ? member.key : prefix + "." + member.key;
            if (member.value.kind == Node::Kind::table)
                read_axes(member.value, path);
            else
                read_axis({path, member.position, {}, false}, member.value);
        }
    }

    void read_axis(Axis axis, const Node& node) {
        const std::string name = std::string(sweep_prefix) + axis.key;
        if (node.kind != Node::Kind::array || node.items.empty()) {
            error(node.position, name,
                  "found " + std::string(node.kind == Node::Kind::array ? "an empty array" : describe(node)) +
                      "; legal: an array of at least one value");
            return;
        }
        if (axis.key == "name" || axis.key == "description" || axis.key.starts_with("expect") ||
            axis.key.starts_with("published")) {
            error(axis.position, name, "cannot be swept; legal: keys that change what is simulated");
            return;
        }
        const auto same =
            std::find_if(axes_.begin(), axes_.end(), [&](const Axis& a) { return a.key == axis.key; });
        if (same != axes_.end() && node.position.line != 0) {
            error(axis.position, name, "given twice; legal: each key once");
            return;
        }
        for (const Node& item : node.items)
            if (axis.key == variant_key && (!item.find("name") || item.find("name")->text.empty())) {
                error(item.position, name,
                      "found " + describe(item) + "; legal: tables of a name and the keys that are set");
                return;
            }
        axis.values = node.items;
        axis.unknown = unknown(axis.key);
        if (same != axes_.end())
            *same = std::move(axis);
        else
            axes_.push_back(std::move(axis));
    }

    void move_settings_into_axes() {
        std::vector<Setting> plain;
        for (const Setting& s : settings_) {
            if (s.path.starts_with(sweep_prefix)) {
                read_axis({s.path.substr(sweep_prefix.size()), s.position, {}, false}, s.value);
                continue;
            }
            const auto axis =
                std::find_if(axes_.begin(), axes_.end(), [&](const Axis& a) { return a.key == s.path; });
            if (axis != axes_.end() && s.path == variant_key) {
                pick_variant(*axis, s);
                continue;
            }
            if (axis != axes_.end())
                axes_.erase(axis);
            plain.push_back(s);
        }
        settings_ = std::move(plain);
    }

    void pick_variant(Axis& axis, const Setting& setting) {
        std::vector<std::string> names;
        for (const Node& value : axis.values)
            names.push_back(text_of(value));
        const std::string& wanted = setting.value.text;
        if (std::find(names.begin(), names.end(), wanted) == names.end())
            return error(setting.position, setting.path,
                         "found " + describe(setting.value) + "; legal: " + join(names) +
                             suggestion(wanted, names));
        std::erase_if(axis.values, [&](const Node& value) { return text_of(value) != wanted; });
    }

    void read_point(const Node& root, const std::vector<std::size_t>& point) {
        std::vector<Setting> settings = settings_;
        std::vector<SweepValue> labels;
        for (std::size_t k = 0; k < point.size(); ++k) {
            const Node& value = axes_[k].values[point[k]];
            if (axes_[k].key == variant_key)
                for (const Member& member : value.members)
                    settings.push_back({member.key == "name" ? std::string(variant_key) : member.key,
                                        member.value, member.position});
            else
                settings.push_back(
                    {axes_[k].key, value, axes_[k].unknown ? axes_[k].position : value.position});
            labels.push_back({axes_[k].key, text_of(value)});
        }
        Scenario scenario = ScenarioReader(groups_, diagnostics_).read(root, settings);
        scenario.sweep_point = std::move(labels);
        loaded_.runs.push_back(std::move(scenario));
    }

    bool unknown(const std::string& key) const {
        for (std::size_t model = 0; model < model_names().size(); ++model)
            if (find_key(scenario_keys(groups_, Model(model)), key))
                return false;
        return key.find('[') == std::string::npos;
    }

    const std::vector<ParameterGroup>& groups_;
    LoadedScenarios& loaded_;
    Diagnostics& diagnostics_;
    std::vector<Setting> settings_;
    std::vector<Axis> axes_;
    bool axes_sound_ = true;
};

void load_into(LoadedScenarios& loaded, std::string_view text, const std::string& name,
               const std::vector<std::string>& settings, const std::vector<ParameterGroup>& groups) {
    Loader loader(groups, loaded);
    loader.read_settings(settings);
    const std::size_t before = loaded.diagnostics.list().size();
    const Node root = parse_document(text, name, loaded.diagnostics);
    if (loaded.diagnostics.list().size() == before) // otherwise there is nothing to read
        loader.load(root);
    if (!loaded.diagnostics.empty())
        loaded.runs.clear();
}

} // namespace

LoadedScenarios load_scenario(const std::string& path, const std::vector<std::string>& settings,
                              const std::vector<ParameterGroup>& groups) {
    LoadedScenarios loaded;
    std::string text;
    if (read_file(path, text, loaded.diagnostics))
        load_into(loaded, text, path, settings, groups);
    return loaded;
}

LoadedScenarios load_scenario_text(std::string_view text, const std::string& name,
                                   const std::vector<std::string>& settings,
                                   const std::vector<ParameterGroup>& groups) {
    LoadedScenarios loaded;
    load_into(loaded, text, name, settings, groups);
    return loaded;
}

} // namespace iommusim::host
