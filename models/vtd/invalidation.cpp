// What commands do to the caches, to accesses under way and to direct-memory grants (VT-d specification,
// chapter 6.5: the tables of invalidation effects).
#include "models/vtd/unit.h"

namespace iommusim::vtd {

namespace {

TagScope scope(std::uint64_t value, const ScopeKind& kind) { return TagScope{Tag{value, 0}, kind}; }
TagScope owners(std::uint64_t value, const ScopeKind& kind) { return TagScope{Tag{0, value}, kind}; }

} // namespace

void Unit::report(const CommandContext& context, bool by_address, std::uint64_t first, std::uint64_t last,
                  bool configuration) const {
    if (probe_)
        probe_->on_invalidation(InvalidationEffect{now(), context.name, context.index, by_address, first,
                                                   last - first + 1, configuration});
}

std::uint64_t Unit::invalidate(const IotlbInvalidation& what, const CommandContext& context) {
    using Kind = IotlbInvalidation::Kind;
    const std::uint64_t pasid = std::uint64_t{what.pasid} << tag::pasid_shift;
    const auto by_scope = [&](const TagScope& s) {
        iotlb_.remove_scope(s);
        walks_.invalidate_scope(s);
        inflight_.mark_scope(context.mark(), s);
        revoke_dmi(s, 0, ~0ull);
    };
    std::uint64_t looked_at = 0;
    bool by_address = false;
    switch (what.kind) {
    case Kind::global:
        by_scope(TagScope::everything());
        break;
    case Kind::domain:
        by_scope(scope(what.domain, tag::of_domain));
        break;
    case Kind::pasid:
        by_scope(scope(what.domain | pasid, tag::of_pasid));
        break;
    case Kind::pages: {
        const TagScope second = scope(what.domain | tag::second_stage, tag::of_domain_kind);
        looked_at += iotlb_.remove_range(what.first, what.last, second);
        if (!what.leaf_only)
            looked_at += walks_.invalidate_second_stage(what.domain, what.first, what.last);
        inflight_.mark_range(context.mark(), second, what.first, what.last, !what.leaf_only);
        revoke_dmi(second, what.first, what.last);
        // Which first-stage pages lie on these second-stage pages is not known: all of them go.
        by_scope(scope(what.domain | tag::first_stage, tag::of_domain_kind));
        by_address = true;
        break;
    }
    case Kind::pasid_pages: {
        const TagScope first = scope(what.domain | pasid | tag::first_stage,
                                     ScopeKind{tag::domain_mask | tag::pasid_mask | tag::kind_mask, 0});
        looked_at += iotlb_.remove_range(what.first, what.last, first);
        if (!what.leaf_only)
            looked_at += walks_.invalidate_first_stage(what.domain, what.pasid, what.first, what.last);
        inflight_.mark_range(context.mark(), first, what.first, what.last, !what.leaf_only);
        revoke_dmi(first, what.first, what.last);
        by_address = true;
        break;
    }
    }
    report(context, by_address, what.first, what.last, false);
    return looked_at;
}

/// Accesses of a domain; those whose configuration is still being fetched may turn out to be of it.
void Unit::mark_domain(const DrainMark& mark, std::uint16_t domain) {
    inflight_.mark_configuration(
        mark, owners(std::uint64_t{domain} << tag::owner_domain_shift, tag::of_owner_domain));
    inflight_.mark_configuration(mark, owners(0, tag::of_owner_domain));
}

void Unit::invalidate(const ContextInvalidation& what, const CommandContext& context) {
    using Kind = ContextInvalidation::Kind;
    switch (what.kind) {
    case Kind::global:
        configurations_.invalidate_contexts();
        inflight_.mark_all(context.mark());
        revoke_all_dmi();
        break;
    case Kind::domain:
        configurations_.invalidate_contexts_of_domain(what.domain);
        mark_domain(context.mark(), what.domain);
        revoke_all_dmi();
        break;
    case Kind::device: {
        configurations_.invalidate_contexts_of_source(what.source, what.function_mask, what.domain);
        const std::uint64_t masked = spec::function_mask(what.function_mask);
        const TagScope s{Tag{0, what.source}, Tag{0, tag::source_mask & ~masked}};
        inflight_.mark_configuration(context.mark(), s);
        revoke_dmi(s, 0, ~0ull);
        break;
    }
    }
    report(context, false, 0, 0, true);
}

void Unit::invalidate(const PasidInvalidation& what, const CommandContext& context) {
    using Kind = PasidInvalidation::Kind;
    switch (what.kind) {
    case Kind::global:
        configurations_.invalidate_pasids();
        inflight_.mark_all(context.mark());
        revoke_all_dmi();
        break;
    case Kind::domain:
        configurations_.invalidate_pasids_of_domain(what.domain);
        mark_domain(context.mark(), what.domain);
        revoke_all_dmi();
        break;
    case Kind::pasid: {
        configurations_.invalidate_pasid(what.domain, what.pasid);
        // Requests without PASID may use the entry through RID_PASID: the domain decides.
        mark_domain(context.mark(), what.domain);
        revoke_all_dmi();
        break;
    }
    }
    report(context, false, 0, 0, true);
}

void Unit::invalidate(const InterruptEntryInvalidation& what, const CommandContext& context) {
    interrupts_.invalidate(what);
    inflight_.mark_configuration(context.mark(), interrupt_requests);
    report(context, false, 0, 0, true);
}

void Unit::device_tlb_invalidated(std::uint16_t source, const DrainMark& mark) {
    inflight_.mark_configuration(
        mark, owners(source | tag::translated, ScopeKind{0, tag::source_mask | tag::translated}));
}

/// A page request: the device tries again after the response, and must then find what the tables say.
void Unit::forget_page(const Configuration& c, std::uint64_t address) {
    const TagScope page = scope(c.context_tag(), ScopeKind{~tag::global, 0});
    const std::uint64_t first = align_down(address, 4096);
    iotlb_.remove_range(first, first | 4095, page);
    if (c.kind == Configuration::Kind::second_stage)
        walks_.invalidate_second_stage(c.domain, first, first | 4095);
    else
        walks_.invalidate_first_stage(c.domain, c.pasid, first, first | 4095);
}

/// SRTP with ESRTPS, and disabling translation: nothing is kept, and nothing that is under way may be kept.
void Unit::invalidate_everything() {
    configurations_.invalidate_all();
    iotlb_.remove_scope(TagScope::everything());
    walks_.invalidate_scope(TagScope::everything());
    inflight_.mark_all(DrainMark(RegisterInvalidation::drain_group));
    revoke_all_dmi();
}

} // namespace iommusim::vtd
