// The architectures whose models must obey the rules: one line for each.
#include "tests/conformance/rules/rule_bench.h"
#include "tests/conformance/rules/smmuv3_rules.h"
#include "tests/conformance/rules/vtd_rules.h"

namespace iommusim::rules {

const std::vector<Architecture>& architectures() {
    static const std::vector<Architecture> all{
        architecture<Smmuv3Rules>(),
        architecture<VtdLegacyRules>(),
        architecture<VtdCachingModeRules>(),
        architecture<VtdScalableRules>(),
    };
    return all;
}

} // namespace iommusim::rules
