// What a run yields: one plain value. Every output format is a function of it and of nothing else.
#pragma once

#include "platforms/host/distribution.h"
#include "platforms/host/keys.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace iommusim::host {

/// A counter (integer) or a gauge (real).
struct Scalar {
    std::string unit; ///< as in metric_table()
    std::variant<std::uint64_t, double> value;

    double as_double() const {
        return std::visit([](auto v) { return double(v); }, value);
    }
};

struct Metric {
    std::string name; ///< of metric_table(), wildcards replaced
    std::variant<Summary, Scalar> value;
};

struct Stage {
    std::string name; ///< "command fetch", "drain", ...
    Summary latency;
};

/// One use of a translation that should have been gone.
struct StaleUse {
    std::uint64_t time_ps = 0;
    std::uint32_t requester = 0;
    std::uint64_t address = 0; ///< input address of the DMA
    std::uint64_t age_ps = 0;  ///< since the removal was promised
    bool write = false;
    std::string served_by;   ///< the structure that supplied the translation
    std::string explanation; ///< the command that should have removed it, or that none was issued
};

struct OracleReport {
    std::uint64_t checked = 0;      ///< DMAs compared with the page tables
    std::uint64_t stale_uses = 0;   ///< after the driver had promised that the mapping was gone
    std::uint64_t exposed_uses = 0; ///< after the unmap, before the promise: lazy mode's window
    std::uint64_t worst_age_ps = 0; ///< since the removal, over both
    std::vector<StaleUse> findings; ///< the first ones; stale_uses counts all
};

struct LockReport {
    std::string name;
    std::uint64_t acquisitions = 0;
    std::uint64_t contended = 0;
    std::uint64_t wait_ps = 0; ///< of all that had to wait
    std::uint64_t longest_wait_ps = 0;
    std::uint64_t hold_ps = 0; ///< from owning to releasing, of all
    std::uint64_t longest_hold_ps = 0;
};

struct Outcome {
    std::string metric;
    std::string bound; ///< "below 5.000 us"
    std::string unit;
    std::optional<double> measured; ///< none: the run did not produce the metric
    bool held = false;
};

/// A published measurement of a real machine beside the simulation's.
struct PublishedComparison {
    std::string metric;
    std::string unit;
    double published = 0;
    std::optional<double> measured; ///< none: the run did not produce the metric
    double tolerance = 0;           ///< how far the two may be apart
    bool predicted = true;          ///< false: parameters were chosen to meet it, so that it proves nothing
    bool within = false;
    std::string source;
};

struct Result {
    // identification
    std::string scenario;
    std::string description;
    std::vector<SweepValue> sweep_point; ///< empty without a sweep
    std::string version;
    std::vector<ResolvedParameter> parameters;
    std::uint64_t seed = 0;

    std::uint64_t simulated_time_ps = 0;
    std::vector<Metric> metrics; ///< in the order of reports; names are unique
    std::vector<Stage>
        breakdown; ///< stages of invalidation.latency in order of time; their means add up to its mean
    OracleReport oracle;
    std::map<std::string, std::uint64_t> faults; ///< by the architecture's name
    std::vector<LockReport> locks;
    std::vector<std::string> diagnostics; ///< what software did that the architecture calls unpredictable
    std::vector<Outcome> expectations;
    std::vector<PublishedComparison> published;

    void add(std::string name, const Distribution& distribution, std::string unit = "ps");
    void add_count(std::string name, std::uint64_t value, std::string unit = "count");
    void add_gauge(std::string name, double value, std::string unit);
    const Metric* find(std::string_view name) const;
};

/// The value that a metric name refers to, wherever the result keeps it: a field of a distribution, a
/// counter, a stage, a lock, a fault (0 if it did not occur). None if this run did not measure it.
std::optional<double> measured_value(const Result& result, std::string_view metric);

/// Fills in what identifies the run: scenario, parameters as resolved, seed, version.
void identify(Result& result, const Scenario& scenario);

/// True if every expectation held and everything predicted is within the tolerance of what was published.
bool expectations_held(const Result& result);

/// Version of this program, "0.1.0".
const char* version();

} // namespace iommusim::host
