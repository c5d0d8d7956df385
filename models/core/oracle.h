// The stale-translation oracle: watches from outside whether a DMA ever used a translation that is gone.
//
// For each DMA it compares what the model used with what the tables in memory say at that moment. When they
// differ it asks what the software stack had said about the page:
//   violation    the API had promised that the mapping is gone, or the change was never announced
//   exposure     lazy mode: unmap has returned, but the promise is deferred until a flush (the measured
//   window) transition   the unmap call has not returned yet: allowed
// It also checks rule 3: no access may become observable after the API promised that its mapping is gone.
// C++17: usable by foreign platforms.
#pragma once

#include "probe.h"
#include "translation.h"

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace iommusim {

struct StaleUse {
    enum class Kind : std::uint8_t { violation, late_completion } kind = Kind::violation;
    TranslationUse use{};
    Picoseconds observed = 0;      ///< use time, or the time of the late completion
    bool announced = false;        ///< the software had announced the removal
    Picoseconds removed_at = 0;    ///< when the software removed it (valid if announced)
    Picoseconds promised_at = 0;   ///< when the API promised that it is gone (valid if announced)
    const char* command = nullptr; ///< invalidation that covers the page, nullptr: none was ever issued
    std::uint32_t command_index = 0;
    Picoseconds command_time = 0; ///< when it took effect

    /// Age of the stale translation at its use: since removal where that is known, otherwise since it was
    /// cached.
    Picoseconds age() const { return observed - (announced ? removed_at : use.cached_at); }
    /// One sentence for people: page, age, the cache that served it, the command that should have removed it.
    std::string describe() const;
};

class StaleTranslationOracle : public Probe {
public:
    /// Identifies an address space; the platform chooses the numbers.
    using DomainKey = std::uint64_t;

    explicit StaleTranslationOracle(ReferenceTranslator& reference) : reference_(reference) {}

    /// DMAs of this requester are translated by this address space.
    void bind(const Requester& requester, DomainKey domain);

    // ---- what the software stack says
    void removed(DomainKey domain, std::uint64_t address, std::uint64_t size, Picoseconds when);
    void deferred(DomainKey domain, std::uint64_t address, std::uint64_t size, Picoseconds when);
    void promised(DomainKey domain, std::uint64_t address, std::uint64_t size, Picoseconds when);

    // ---- results
    std::uint64_t checked() const { return checked_; }
    std::uint64_t violations() const { return violations_; }
    std::uint64_t late_completions() const { return late_completions_; }
    std::uint64_t exposures() const { return exposures_; }
    std::uint64_t transitions() const { return transitions_; }
    Picoseconds worst_age() const { return worst_age_; }
    /// The first findings in full (at most 1,000).
    const std::vector<StaleUse>& findings() const { return findings_; }

    /// Called for each exposure with its age; for distributions.
    using ExposureListener = void (*)(void* context, Picoseconds age);
    void on_exposure(ExposureListener listener, void* context) {
        exposure_listener_ = listener;
        exposure_context_ = context;
    }

    void on_translation(const TranslationUse& use) override;
    void on_observable(const TranslationUse& use, Picoseconds when) override;
    void on_invalidation(const InvalidationEffect& effect) override;

private:
    static constexpr std::size_t finding_limit = 1000;
    static constexpr Picoseconds never = ~0ull;

    struct Removal {
        std::uint64_t last;
        Picoseconds removed_at;
        Picoseconds deferred_at;
        Picoseconds promised_at;
    };
    using Removals = std::map<std::uint64_t, Removal>; ///< by first address; ranges do not overlap

    Removal* find(const Requester& requester, std::uint64_t address);
    void note(StaleUse::Kind kind, const TranslationUse& use, Picoseconds observed, const Removal* removal);
    static bool covers(const InvalidationEffect& effect, std::uint64_t address) {
        return !effect.configuration &&
               (!effect.by_address || (address >= effect.address && address - effect.address < effect.size));
    }

    ReferenceTranslator& reference_;
    std::unordered_map<std::uint64_t, DomainKey> domain_of_; ///< looked up only
    std::unordered_map<DomainKey, Removals> removals_;       ///< looked up only
    std::array<InvalidationEffect, 4096> recent_{};
    std::size_t recent_count_ = 0;
    std::uint64_t checked_ = 0;
    std::uint64_t violations_ = 0;
    std::uint64_t late_completions_ = 0;
    std::uint64_t exposures_ = 0;
    std::uint64_t transitions_ = 0;
    Picoseconds worst_age_ = 0;
    std::vector<StaleUse> findings_;
    std::size_t unresolved_ = 0; ///< findings without a command
    ExposureListener exposure_listener_ = nullptr;
    void* exposure_context_ = nullptr;
};

} // namespace iommusim
