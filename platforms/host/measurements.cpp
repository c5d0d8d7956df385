#include "platforms/host/measurements.h"

#include <algorithm>

namespace iommusim::host {

namespace {

void count(std::vector<std::pair<const char*, std::uint64_t>>& counters, const char* name) {
    for (auto& [known, value] : counters)
        if (known == name) {
            ++value;
            return;
        }
    counters.emplace_back(name, 1);
}

/// "CMD_TLBI_NH_VA" -> "tlbi_nh_va", "main TLB" -> "main_tlb": names as metrics spell them.
std::string metric_part(const char* name) {
    std::string part = name;
    if (part.starts_with("CMD_"))
        part.erase(0, 4);
    for (char& c : part)
        c = c == ' ' || c == '-' || c == '.' ? '_'
                                             : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return part;
}

} // namespace

Measurements::Measurements(ReferenceTranslator& reference, std::uint32_t queue_positions, bool with_oracle)
    : oracle_(reference), with_oracle_(with_oracle), breakdown_(queue_positions) {
    oracle_.on_exposure(
        [](void* self, Picoseconds age) { static_cast<Measurements*>(self)->exposure_.record(age); }, this);
}

StaleTranslationOracle::DomainKey Measurements::key(const dma::IommuDomain& domain) {
    const auto it = std::find(domains_.begin(), domains_.end(), &domain);
    if (it != domains_.end())
        return static_cast<std::uint64_t>(it - domains_.begin());
    domains_.push_back(&domain);
    return domains_.size() - 1;
}

void Measurements::on_translation(const TranslationUse& use) {
    count(served_by_, use.served_by);
    if (with_oracle_)
        oracle_.on_translation(use);
}

void Measurements::on_observable(const TranslationUse& use, Picoseconds when) {
    if (with_oracle_)
        oracle_.on_observable(use, when);
}

void Measurements::on_command(const CommandEvent& event) {
    count(commands_, event.name);
    breakdown_.on_command(event);
}

void Measurements::on_diagnostic(Picoseconds, const char* what) { ++diagnostics_[what]; }

void Measurements::on_dma_access(const soc::DmaAccess& access) {
    dma_latency_.record(access.completed - access.issued);
    first_measured_issue_ = std::min(first_measured_issue_, access.issued);
    last_measured_completion_ = std::max(last_measured_completion_, access.completed);
    if (access.status == tlm::TLM_OK_RESPONSE)
        measured_bytes_ += access.length;
    count_access(access);
}

void Measurements::on_warmup_access(const soc::DmaAccess& access) {
    ++warmup_operations_;
    count_access(access);
}

void Measurements::count_access(const soc::DmaAccess& access) {
    if (access.status == tlm::TLM_OK_RESPONSE)
        dma_bytes_ += access.length;
    else
        ++dma_errors_;
    if (!access.data_matched)
        ++dma_mismatches_;
}

void Measurements::report(Result& result, Picoseconds begin, Picoseconds end) const {
    const Picoseconds duration = end - begin;
    const double seconds = static_cast<double>(duration) * 1e-12;
    result.simulated_time_ps = duration;
    if (map_latency_.count() != 0) {
        result.add("map.latency", map_latency_);
        result.add("unmap.latency", unmap_latency_);
        if (last_unmap_ > begin)
            result.add_gauge("map.rate",
                             static_cast<double>(unmap_latency_.count()) /
                                 (static_cast<double>(last_unmap_ - begin) * 1e-12),
                             "1/s");
    }
    if (breakdown_.total().count() != 0) {
        result.add("invalidation.latency", breakdown_.total());
        result.add("invalidation.commands", breakdown_.commands_per_completion(), "count");
        for (std::size_t s = 0; s < InvalidationBreakdown::stages; ++s)
            result.breakdown.push_back(
                Stage{InvalidationBreakdown::stage_names[s], breakdown_.stage(s).summarize("ps")});
    }
    if (dma_latency_.count() != 0) {
        result.add("dma.latency", dma_latency_);
        if (seconds > 0)
            result.add_gauge("dma.bandwidth", static_cast<double>(dma_bytes_) / seconds, "B/s");
        if (warmup_operations_ != 0 && last_measured_completion_ > first_measured_issue_)
            result.add_gauge(
                "dma.throughput",
                static_cast<double>(measured_bytes_ * 8) /
                    (static_cast<double>(last_measured_completion_ - first_measured_issue_) * 1e-12),
                "bit/s");
        result.add_count("dma.operations", dma_latency_.count() + warmup_operations_);
        result.add_count("dma.errors", dma_errors_);
        result.add_count("dma.mismatches", dma_mismatches_);
    }
    if (exposure_.count() != 0)
        result.add("oracle.exposure_age", exposure_);

    const auto add_named = [&result](const std::string& prefix, auto counters) {
        std::sort(counters.begin(), counters.end(),
                  [](const auto& a, const auto& b) { return std::string(a.first) < b.first; });
        for (const auto& [name, value] : counters)
            result.add_count(prefix + metric_part(name), value);
    };
    add_named("served_by.", served_by_);
    add_named("commands.", commands_);

    OracleReport& oracle = result.oracle;
    oracle.checked = oracle_.checked();
    oracle.stale_uses = oracle_.violations() + oracle_.late_completions();
    oracle.exposed_uses = oracle_.exposures();
    oracle.worst_age_ps = oracle_.worst_age();
    for (const iommusim::StaleUse& finding : oracle_.findings()) {
        if (oracle.findings.size() == 100)
            break;
        oracle.findings.push_back(StaleUse{finding.observed, finding.use.requester.id,
                                           finding.use.input_address, finding.age(), finding.use.write,
                                           finding.use.served_by, finding.describe()});
    }
    for (const auto& [what, times] : diagnostics_)
        result.diagnostics.push_back(what + (times > 1 ? " (" + std::to_string(times) + " times)" : ""));
}

} // namespace iommusim::host
