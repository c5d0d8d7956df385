#include "platforms/host/parameter_group.h"

namespace iommusim::host {

const ParameterInfo* ParameterGroup::row(std::string_view name) const {
    for (const ParameterInfo& r : rows)
        if (name == r.name)
            return &r;
    return nullptr;
}

const NamedProfile* ParameterGroup::profile(std::string_view name) const {
    for (const NamedProfile& p : profiles)
        if (name == p.name)
            return &p;
    return nullptr;
}

std::uint64_t ParameterValues::value(const ParameterInfo& row) const {
    if (const auto own = given.find(row.name); own != given.end())
        return own->second;
    if (const auto named = profile.find(row.name); named != profile.end())
        return named->second;
    return row.default_value;
}

std::vector<std::string> choices_of(const ParameterInfo& row) {
    std::vector<std::string> words;
    std::string_view rest = row.choices;
    while (!rest.empty()) {
        const std::size_t bar = rest.find('|');
        words.emplace_back(rest.substr(0, bar));
        rest = bar == std::string_view::npos ? std::string_view{} : rest.substr(bar + 1);
    }
    return words;
}

} // namespace iommusim::host
