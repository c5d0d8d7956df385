// Tests of the rules: each runs on every architecture, or on every case that an architecture has.
#pragma once

#include "tests/conformance/rules/rule_bench.h"

#include <concepts>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

namespace iommusim::rules {

/// What a test runs on. Cases with more to them derive from this and have a name() that says it.
struct Case {
    Architecture architecture;
    const RuleTraits& traits() const { return architecture.traits; }
    std::string name() const { return traits().name; }
};

inline std::vector<Case> every_architecture() {
    std::vector<Case> cases;
    for (const Architecture& a : architectures())
        cases.push_back({a});
    return cases;
}

template <class C> std::string case_name(const testing::TestParamInfo<C>& tested) {
    return tested.param.name();
}
template <std::derived_from<Case> C> void PrintTo(const C& tested, std::ostream* out) {
    *out << tested.name();
}

template <std::derived_from<Case> C = Case> class RuleTest : public testing::TestWithParam<C> {
protected:
    static const RuleTraits& traits() { return RuleTest::GetParam().traits(); }
    /// A new simulation, in place of the last one.
    RuleBench& build(const RuleOptions& options = {}) {
        bench_.reset();
        test::start_new_simulation();
        bench_ = RuleTest::GetParam().architecture.make(options);
        return *bench_;
    }

private:
    std::unique_ptr<RuleBench> bench_;
};

} // namespace iommusim::rules
