#include "platforms/host/published.h"

#include "platforms/host/metrics.h"

#include <cmath>

namespace iommusim::host {

std::vector<PublishedComparison> compare_published(const Scenario& scenario, const Result& result) {
    std::vector<PublishedComparison> comparisons;
    for (const PublishedValue& p : scenario.published) {
        PublishedComparison c;
        c.metric = p.metric;
        c.unit = find_metric(p.metric).unit;
        c.published = p.value;
        c.tolerance = p.tolerance.relative ? p.tolerance.amount * std::fabs(p.value) : p.tolerance.amount;
        c.predicted = p.role == PublishedRole::predicted;
        c.source = p.source;
        c.measured = measured_value(result, p.metric);
        c.within = c.measured.has_value() && std::fabs(*c.measured - c.published) <= c.tolerance;
        comparisons.push_back(std::move(c));
    }
    return comparisons;
}

} // namespace iommusim::host
