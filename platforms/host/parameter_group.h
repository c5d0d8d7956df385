// Parameter tables of models and of modelled CPUs as the scenario sees them: rows below a dotted prefix,
// filled by name. A scenario keeps only what differs from the defaults and hands the finished structure to
// the platform.
#pragma once

#include "models/base/parameters.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace iommusim::host {

struct ParameterValues;

struct NamedProfile {
    std::string name;
    std::string description;
    std::string source;
    std::map<std::string, std::uint64_t> values; ///< row name -> value
};

/// One parameter table, for example the rows of `[iommu]` when `model` is "smmuv3".
struct ParameterGroup {
    std::string prefix; ///< "iommu", "platform.cpu", "platform.memory"
    std::string model;  ///< the IOMMU model that it describes; empty: always there
    std::vector<ParameterInfo> rows;
    std::vector<NamedProfile> profiles;
    /// Rules that ranges cannot express: the name of the first row that breaks one and a clause that says
    /// what is legal; an empty name if all is well. Null: no such rules.
    struct Violation {
        std::string row;
        std::string legal;
    };
    Violation (*rules)(const ParameterValues&) = nullptr;

    const ParameterInfo* row(std::string_view name) const;
    const NamedProfile* profile(std::string_view name) const;
};

template <class P>
ParameterGroup make_group(std::string prefix, std::string model = {},
                          const std::vector<Profile<P>>& profiles = {}) {
    ParameterGroup group{std::move(prefix), std::move(model), {}, {}, nullptr};
    for (const Parameter<P>& p : P::table())
        group.rows.push_back(p.info);
    for (const Profile<P>& profile : profiles) {
        NamedProfile named{profile.name, profile.description, profile.source, {}};
        for (const auto& change : profile.overrides)
            for (const Parameter<P>& p : P::table())
                if (p.field == change.field)
                    named.values[p.info.name] = change.value;
        group.profiles.push_back(std::move(named));
    }
    return group;
}

/// Values of one group that differ from its defaults: a profile's first, then the scenario's own.
struct ParameterValues {
    std::map<std::string, std::uint64_t> profile;
    std::map<std::string, std::uint64_t> given;

    /// The value of a row of the group.
    std::uint64_t value(const ParameterInfo& row) const;

    /// Defaults, then the profile, then what the scenario gives.
    template <class P> P as() const {
        P result;
        for (const Parameter<P>& p : P::table())
            result.*(p.field) = value(p.info);
        return result;
    }
};

/// The words of a Unit::choice row in index order.
std::vector<std::string> choices_of(const ParameterInfo& row);

/// Every parameter table that a scenario can set.
const std::vector<ParameterGroup>& parameter_groups();

} // namespace iommusim::host
