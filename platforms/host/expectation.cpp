#include "platforms/host/expectation.h"

#include "platforms/host/metrics.h"
#include "platforms/host/units.h"

namespace iommusim::host {

std::vector<Outcome> evaluate(const Scenario& scenario, const Result& result) {
    std::vector<Outcome> outcomes;
    for (const Expectation& e : scenario.expectations) {
        const std::string unit = find_metric(e.metric).unit;
        const std::optional<double> measured = measured_value(result, e.metric);
        const auto judge = [&](const char* word, const std::optional<double>& bound, auto holds) {
            if (bound)
                outcomes.push_back({e.metric, word + pretty(*bound, unit), unit, measured,
                                    measured.has_value() && holds(*measured, *bound)});
        };
        judge("below ", e.below, [](double value, double bound) { return value < bound; });
        judge("above ", e.above, [](double value, double bound) { return value > bound; });
        judge("equals ", e.equals, [](double value, double bound) { return value == bound; });
    }
    return outcomes;
}

} // namespace iommusim::host
