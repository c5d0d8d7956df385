#include "models/core/oracle.h"

#include <algorithm>
#include <spdlog/fmt/fmt.h>

namespace iommusim {

namespace {

std::uint64_t requester_key(const Requester& r) {
    return (std::uint64_t{r.has_pasid} << 63) | (std::uint64_t{r.has_pasid ? r.pasid : 0} << 32) | r.id;
}

} // namespace

std::string StaleUse::describe() const {
    std::string text = fmt::format("{} of 0x{:x} by requester 0x{:x} used 0x{:x} from the {} ({} ns old)",
                                   use.write ? "write" : "read", use.input_address, use.requester.id,
                                   use.output_address, use.served_by, age() / 1000);
    if (kind == Kind::late_completion)
        text += fmt::format(", observable {} ns after the mapping was promised to be gone",
                            (observed - promised_at) / 1000);
    else if (announced)
        text += fmt::format(", promised to be gone {} ns before", (observed - promised_at) / 1000);
    else
        text += ", its removal was never announced";
    if (command)
        text += fmt::format("; {} at index {} covers it and took effect at {} ns", command, command_index,
                            command_time / 1000);
    else
        text += "; no invalidation that covers it was ever issued";
    return text;
}

void StaleTranslationOracle::bind(const Requester& requester, DomainKey domain) {
    domain_of_[requester_key(requester)] = domain;
}

void StaleTranslationOracle::removed(DomainKey domain, std::uint64_t address, std::uint64_t size,
                                     Picoseconds when) {
    Removals& ranges = removals_[domain];
    const std::uint64_t last = address + size - 1;
    const auto exact = ranges.find(address);
    if (exact != ranges.end() && exact->second.last == last) {
        exact->second = Removal{last, when, never, never};
        return;
    }
    // Cut what overlaps: its news are older.
    auto it = ranges.upper_bound(address);
    if (it != ranges.begin())
        --it;
    while (it != ranges.end() && it->first <= last) {
        const std::uint64_t first = it->first;
        const Removal old = it->second;
        if (old.last < address) {
            ++it;
            continue;
        }
        it = ranges.erase(it);
        if (first < address)
            ranges.emplace(first, Removal{address - 1, old.removed_at, old.deferred_at, old.promised_at});
        if (old.last > last)
            ranges.emplace(last + 1, old);
    }
    ranges.emplace(address, Removal{last, when, never, never});
}

void StaleTranslationOracle::deferred(DomainKey domain, std::uint64_t address, std::uint64_t size,
                                      Picoseconds when) {
    Removals& ranges = removals_[domain];
    for (auto it = ranges.lower_bound(address); it != ranges.end() && it->first < address + size; ++it)
        it->second.deferred_at = when;
}

void StaleTranslationOracle::promised(DomainKey domain, std::uint64_t address, std::uint64_t size,
                                      Picoseconds when) {
    Removals& ranges = removals_[domain];
    for (auto it = ranges.lower_bound(address); it != ranges.end() && it->first < address + size; ++it)
        it->second.promised_at = when;
}

StaleTranslationOracle::Removal* StaleTranslationOracle::find(const Requester& requester,
                                                              std::uint64_t address) {
    const auto domain = domain_of_.find(requester_key(requester));
    if (domain == domain_of_.end())
        return nullptr;
    const auto ranges = removals_.find(domain->second);
    if (ranges == removals_.end())
        return nullptr;
    auto it = ranges->second.upper_bound(address);
    if (it == ranges->second.begin())
        return nullptr;
    --it;
    return address <= it->second.last ? &it->second : nullptr;
}

void StaleTranslationOracle::on_translation(const TranslationUse& use) {
    ++checked_;
    const Translation truth = reference_.look_up(use.requester, use.input_address, use.write);
    if (truth.outcome == Translation::Outcome::pass && truth.output == use.output_address)
        return;
    const Removal* removal = find(use.requester, use.input_address);
    if (!removal || removal->promised_at <= use.time) {
        note(StaleUse::Kind::violation, use, use.time, removal);
    } else if (removal->deferred_at <= use.time) {
        ++exposures_;
        const Picoseconds age = use.time - removal->removed_at;
        worst_age_ = std::max(worst_age_, age);
        if (exposure_listener_)
            exposure_listener_(exposure_context_, age);
    } else {
        ++transitions_;
    }
}

void StaleTranslationOracle::on_observable(const TranslationUse& use, Picoseconds when) {
    const Removal* removal = find(use.requester, use.input_address);
    // Used while still mapped or in transition, observable only after the promise.
    if (removal && use.time < removal->promised_at && removal->promised_at < when)
        note(StaleUse::Kind::late_completion, use, when, removal);
}

void StaleTranslationOracle::note(StaleUse::Kind kind, const TranslationUse& use, Picoseconds observed,
                                  const Removal* removal) {
    ++(kind == StaleUse::Kind::violation ? violations_ : late_completions_);
    StaleUse finding;
    finding.kind = kind;
    finding.use = use;
    finding.observed = observed;
    finding.announced = removal != nullptr;
    if (removal) {
        finding.removed_at = removal->removed_at;
        finding.promised_at = removal->promised_at;
    }
    worst_age_ = std::max(worst_age_, finding.age());
    if (findings_.size() == finding_limit)
        return;

    const std::size_t kept = std::min(recent_count_, recent_.size());
    for (std::size_t back = 1; back <= kept; ++back) {
        const InvalidationEffect& effect = recent_[(recent_count_ - back) % recent_.size()];
        if (removal && effect.time < removal->removed_at)
            break;
        if (!removal && effect.time < use.cached_at)
            break;
        if (covers(effect, use.input_address)) {
            finding.command = effect.command;
            finding.command_index = effect.index;
            finding.command_time = effect.time;
            break;
        }
    }
    if (!finding.command)
        ++unresolved_;
    findings_.push_back(finding);
}

void StaleTranslationOracle::on_invalidation(const InvalidationEffect& effect) {
    recent_[recent_count_++ % recent_.size()] = effect;
    if (unresolved_ == 0)
        return;
    for (StaleUse& finding : findings_)
        if (!finding.command && covers(effect, finding.use.input_address)) {
            finding.command = effect.command;
            finding.command_index = effect.index;
            finding.command_time = effect.time;
            --unresolved_;
        }
}

} // namespace iommusim
