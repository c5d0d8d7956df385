// Everything that is watched during a run, and how it becomes a Result: the probe of the IOMMU, the observers
// of the software stack, the oracle between the two, the latencies of workloads and devices.
#pragma once

#include "drivers/dma/iommu_domain.h"
#include "drivers/dma/map_benchmark.h"
#include "models/core/oracle.h"
#include "models/soc/dma_job.h"
#include "platforms/host/invalidation_breakdown.h"
#include "platforms/host/result.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace iommusim::host {

class Measurements final : public Probe,
                           public dma::DmaObserver,
                           public dma::MapBenchmarkListener,
                           public soc::DmaListener {
public:
    Measurements(ReferenceTranslator& reference, std::uint32_t queue_positions, bool with_oracle);

    InvalidationBreakdown& breakdown() { return breakdown_; }
    StaleTranslationOracle& oracle() { return oracle_; }
    StaleTranslationOracle::DomainKey key(const dma::IommuDomain& domain);
    /// DMAs of `requester` are translated by `domain`.
    void bind(const Requester& requester, const dma::IommuDomain& domain) {
        oracle_.bind(requester, key(domain));
    }

    // ---- Probe
    void on_translation(const TranslationUse& use) override;
    void on_observable(const TranslationUse& use, Picoseconds when) override;
    void on_invalidation(const InvalidationEffect& effect) override { oracle_.on_invalidation(effect); }
    void on_doorbell(const DoorbellEvent& event) override { breakdown_.on_doorbell(event); }
    void on_command(const CommandEvent& event) override;
    void on_diagnostic(Picoseconds when, const char* what) override;

    // ---- dma::DmaObserver
    void on_unmap(const dma::IommuDomain& domain, std::uint64_t iova, std::uint64_t size,
                  Picoseconds when) override {
        oracle_.removed(key(domain), iova, size, when);
    }
    void on_unmap_promised(const dma::IommuDomain& domain, std::uint64_t iova, std::uint64_t size,
                           Picoseconds when) override {
        oracle_.promised(key(domain), iova, size, when);
    }
    void on_unmap_deferred(const dma::IommuDomain& domain, std::uint64_t iova, std::uint64_t size,
                           Picoseconds when) override {
        oracle_.deferred(key(domain), iova, size, when);
    }

    // ---- workloads and devices
    void on_map(Picoseconds latency) override { map_latency_.record(latency); }
    void on_unmap(Picoseconds latency) override {
        unmap_latency_.record(latency);
        last_unmap_ = now();
    }
    using dma::DmaObserver::on_map;
    using dma::DmaObserver::on_unmap;
    void on_dma_access(const soc::DmaAccess& access) override;
    /// A DMA that only fills caches.
    void on_warmup_access(const soc::DmaAccess& access);

    /// Writes what was measured between `begin` and `end` into the result.
    void report(Result& result, Picoseconds begin, Picoseconds end) const;

private:
    StaleTranslationOracle oracle_;
    bool with_oracle_;
    InvalidationBreakdown breakdown_;
    std::vector<const dma::IommuDomain*> domains_; ///< position is the oracle's key
    /// Counters by name; names are string literals of the models, compared by address.
    std::vector<std::pair<const char*, std::uint64_t>> served_by_;
    std::vector<std::pair<const char*, std::uint64_t>> commands_;
    std::map<std::string, std::uint64_t> diagnostics_;
    Distribution map_latency_;
    Distribution unmap_latency_;
    Picoseconds last_unmap_ = 0;
    Distribution dma_latency_;
    void count_access(const soc::DmaAccess& access);

    std::uint64_t dma_bytes_ = 0;
    std::uint64_t warmup_operations_ = 0;
    std::uint64_t measured_bytes_ = 0; ///< without the warm-up
    Picoseconds first_measured_issue_ = ~0ull;
    Picoseconds last_measured_completion_ = 0;
    std::uint64_t dma_errors_ = 0;
    std::uint64_t dma_mismatches_ = 0;
    Distribution exposure_;
};

} // namespace iommusim::host
