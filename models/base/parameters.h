// Parameter tables: every latency and capacity of a model or of a modelled CPU is a named number with unit,
// default, legal range, one line of documentation and its provenance. The command line prints these tables,
// the scenario reader fills structures through them, and the models check themselves against them. C++17:
// included by foreign virtual platforms.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace iommusim {

enum class Unit : std::uint8_t {
    count,            ///< a plain number
    picoseconds,      ///< scenario text: "90ns"
    bytes,            ///< scenario text: "4KiB"
    hertz,            ///< scenario text: "3GHz"
    bytes_per_second, ///< scenario text: "25.6GB/s"
    flag,             ///< 0 or 1; scenario text: true, false
    choice,           ///< index into `choices`; scenario text: the chosen word
};

enum class Provenance : std::uint8_t {
    architected, ///< fixed or bounded by the architecture specification
    published,   ///< a published figure of a product or of another model, named in `source`
    measured,    ///< calibrated so that a published measurement comes out, named in `source`
    chosen,      ///< our choice, reason in `source`
};

struct ParameterInfo {
    const char* name; ///< dotted key below the model's table, e.g. "tlb.entries"
    Unit unit;
    std::uint64_t default_value;
    std::uint64_t minimum;
    std::uint64_t maximum;
    Provenance provenance;
    const char* source;       ///< where the default comes from
    const char* description;  ///< one sentence
    const char* choices = ""; ///< Unit::choice only: the words, separated by '|', in index order
};

/// One row of the table of the parameter structure P; every field of P is a std::uint64_t.
template <class P> struct Parameter {
    ParameterInfo info;
    std::uint64_t P::*field;
};

/// A parameter structure P derives nothing and declares `static const std::vector<Parameter<P>>& table();`.
template <class P> void set_defaults(P& values) {
    for (const Parameter<P>& p : P::table())
        values.*(p.field) = p.info.default_value;
}

template <class P> const Parameter<P>* find_parameter(std::string_view name) {
    for (const Parameter<P>& p : P::table())
        if (name == p.info.name)
            return &p;
    return nullptr;
}

/// Empty when every value is inside its range, otherwise one sentence about the first that is not.
template <class P> std::string first_violation(const P& values) {
    for (const Parameter<P>& p : P::table()) {
        const std::uint64_t v = values.*(p.field);
        if (v < p.info.minimum || v > p.info.maximum)
            return std::string(p.info.name) + " is " + std::to_string(v) + ", legal is " +
                   std::to_string(p.info.minimum) + " to " + std::to_string(p.info.maximum);
    }
    return {};
}

/// A named set of overrides of a parameter structure.
template <class P> struct Profile {
    const char* name;
    const char* description;
    const char* source;
    struct Override {
        std::uint64_t P::*field;
        std::uint64_t value;
    };
    std::vector<Override> overrides;
};

} // namespace iommusim
