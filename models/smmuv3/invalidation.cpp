// What commands do to the caches, to accesses under way and to direct-memory grants (Arm IHI 0070
// sections 3.17, 4.3, 4.4).
#include "models/smmuv3/unit.h"

namespace iommusim::smmuv3 {

std::uint64_t Unit::invalidate(const TlbInvalidation& what, const CommandContext& context) {
    std::uint64_t looked_at = 0;
    if (what.by_address) {
        const auto matches = [&what](const TlbEntry& entry) {
            return !entry.bypass && (what.level == 0 || entry.level == what.level);
        };
        for (const std::unique_ptr<Tbu>& tbu : tbus_) {
            looked_at += tbu->micro_tlb.remove_range(what.first, what.last, what.scope, matches);
            looked_at += tbu->tlb.remove_range(what.first, what.last, what.scope, matches);
        }
        looked_at += tcu_tlb_.remove_range(what.first, what.last, what.scope, matches);
        if (!what.leaf_only)
            looked_at +=
                walks_.invalidate_range(what.first, what.last, what.scope, what.level ? what.level : 3);
        inflight_.mark_range(CommandQueue::drain_group, what.scope, what.first, what.last, !what.leaf_only);
    } else {
        for (const std::unique_ptr<Tbu>& tbu : tbus_) {
            tbu->micro_tlb.remove_scope(what.scope);
            tbu->tlb.remove_scope(what.scope);
        }
        tcu_tlb_.remove_scope(what.scope);
        walks_.invalidate_scope(what.scope);
        inflight_.mark_scope(CommandQueue::drain_group, what.scope);
    }
    revoke_dmi(what.scope, what.first, what.last);
    if (probe_)
        probe_->on_invalidation(InvalidationEffect{now(), context.name, context.index, what.by_address,
                                                   what.first, (what.last | 0xfff) - what.first + 1, false});
    return looked_at;
}

void Unit::invalidate(const ConfigurationInvalidation& what, const CommandContext& context) {
    using Kind = ConfigurationInvalidation::Kind;
    // TBU entries combine translation and configuration, so they go with the configuration.
    const auto drop = [this](const TagScope& scope) {
        for (const std::unique_ptr<Tbu>& tbu : tbus_) {
            tbu->micro_tlb.remove_scope(scope);
            tbu->tlb.remove_scope(scope);
        }
        inflight_.mark_configuration(CommandQueue::drain_group, scope);
        revoke_dmi(scope, 0, ~0ull);
    };
    const auto drop_stream = [&drop](std::uint32_t stream) {
        drop(TagScope{Tag{0, tag::owner(stream, false, 0)}, tag::of_stream});
    };
    if (what.kind == Kind::all || what.log2_streams > 8) {
        configurations_.invalidate_all();
        drop(TagScope::everything());
    } else if (what.kind == Kind::streams) {
        configurations_.invalidate_streams(what.stream, what.log2_streams);
        for (std::uint32_t i = 0; i < (1u << what.log2_streams); ++i)
            drop_stream(what.stream + i);
    } else {
        configurations_.invalidate_substream(what.stream, what.substream);
        drop(TagScope{Tag{0, tag::owner(what.stream, true, what.substream) & ~tag::substream_valid},
                      tag::of_substream});
    }
    if (probe_)
        probe_->on_invalidation(InvalidationEffect{now(), context.name, context.index, false, 0, 0, true});
}

void Unit::prefetch_configuration(std::uint32_t stream, bool has_substream, std::uint32_t substream) {
    Requester requester;
    requester.id = stream;
    requester.has_pasid = has_substream;
    requester.pasid = substream;
    prefetch(requester).start(queue_, now());
}

/// A hint: whatever goes wrong is silent.
Process Unit::prefetch(Requester requester) {
    if (!spec::cr0::smmuen.get(registers_.cr0ack()))
        co_return;
    Pace pace(Pacing::timed, queue_);
    InflightTable::Entry inflight;
    inflight_.enter(inflight);
    inflight.tag.owner = tag::owner(requester.id, requester.has_pasid, requester.pasid);
    if (configurations_.find(pace, requester.id, requester.has_pasid, requester.pasid))
        co_return;
    co_await configurations_.fetch(pace, requester.id, requester.has_pasid, requester.pasid, inflight.stale);
}

} // namespace iommusim::smmuv3
