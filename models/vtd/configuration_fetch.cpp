#include "models/vtd/configuration_fetch.h"

#include "models/vtd/spec/faults.h"
#include "models/vtd/spec/structures.h"

namespace iommusim::vtd {

using namespace spec;

namespace {

constexpr Tag source_only{0, tag::source_mask};
constexpr Tag source_and_pasid{0, tag::source_mask | tag::owner_pasid_mask};

std::uint16_t source_of(const Requester& requester) { return static_cast<std::uint16_t>(requester.id); }

/// The tag of a PASID-cache entry, and its place: the cache is indexed by source and PASID as if they were an
/// address.
Tag pasid_tag(std::uint16_t source, std::uint32_t pasid) {
    return Tag{0, source | (std::uint64_t{pasid} << tag::owner_pasid_shift)};
}
std::uint64_t pasid_key(std::uint16_t source, std::uint32_t pasid) {
    return (std::uint64_t{source} << pasid::max_bits) | pasid;
}

} // namespace

ConfigurationFetch::ConfigurationFetch(const Parameters& parameters, const Features& features,
                                       const RegisterFile& registers, MemoryPort& memory, TimedQueue& queue)
    : parameters_(parameters),
      features_(features),
      registers_(registers),
      memory_(memory),
      contexts_(parameters.context_entries, parameters.context_ways, Replacement::round_robin,
                {tag::of_owner_domain}),
      pasids_(parameters.pasid_entries, parameters.pasid_ways, Replacement::round_robin,
              {tag::of_owner_domain, tag::of_owner_domain_pasid}),
      slots_(queue, "configuration walker", parameters.configuration_slots) {}

// ---- what is cached

const Configuration* ConfigurationFetch::find_cached(Pace& pace, const Requester& requester, Memo& memo) {
    Configuration answer;
    Picoseconds latency = 0;
    bool context_hit = false;
    bool pasid_hit = false;
    if (!answered_by_mode(requester, answer)) {
        const std::uint16_t source = source_of(requester);
        pace.spend(parameters_.context_latency);
        latency += parameters_.context_latency;
        const Context* const context = contexts_.find(source, Tag{0, source});
        if (!context || context->scalable != scalable()) // cached before the mode was changed
            return nullptr;
        context_hit = true;
        if (select(*context, requester, answer) == Selection::needs_pasid) {
            pace.spend(parameters_.pasid_latency);
            latency += parameters_.pasid_latency;
            const Configuration* const entry =
                pasids_.find(pasid_key(source, answer.pasid), pasid_tag(source, answer.pasid));
            if (!entry)
                return nullptr;
            pasid_hit = true;
            merge(*entry, requester, answer);
        }
    }
    if (memo.context_hit)
        context_memo_hits_ += memo.uses;
    if (memo.pasid_hit)
        pasid_memo_hits_ += memo.uses;
    memo = Memo{
        generation_, RequestKey(requester, registers_.root_table().mode), latency, 0, context_hit, pasid_hit,
        answer};
    return &memo.configuration;
}

void ConfigurationFetch::keep_context(std::uint16_t source, const Context& context) {
    const std::uint64_t domain = std::uint64_t{context.configuration.domain} << tag::owner_domain_shift;
    contexts_.insert(source, 0, Tag{0, source | domain}, source_only, context);
    ++generation_;
}

void ConfigurationFetch::keep_pasid(std::uint16_t source, std::uint32_t pasid, const Configuration& entry) {
    Tag tag = pasid_tag(source, pasid);
    tag.owner |= std::uint64_t{entry.domain} << tag::owner_domain_shift;
    pasids_.insert(pasid_key(source, pasid), 0, tag, source_and_pasid, entry);
    ++generation_;
}

// ---- from the tables to the configuration

bool ConfigurationFetch::scalable() const { return registers_.root_table().mode == rtaddr::ttm_scalable; }

bool ConfigurationFetch::answered_by_mode(const Requester& requester, Configuration& answer) const {
    const RootTable& root = registers_.root_table();
    switch (root.mode) {
    case rtaddr::ttm_legacy:
        if (beyond_width(root.base))
            break;
        if (!requester.has_pasid)
            return false;
        answer = fault(fault_reason::sm_legacy_request_with_pasid, false, false);
        return true;
    case rtaddr::ttm_scalable:
        if (beyond_width(root.base) || !features_.scalable_mode)
            break;
        return false;
    case rtaddr::ttm_abort:
        if (!features_.abort_mode)
            break;
        answer = Configuration{};
        answer.kind = Configuration::Kind::abort;
        return true;
    default:
        break;
    }
    answer = fault(fault_reason::sm_root_table_address, false, false);
    return true;
}

ConfigurationFetch::Selection ConfigurationFetch::select(const Context& context, const Requester& requester,
                                                         Configuration& answer) const {
    const Configuration& c = context.configuration;
    answer = c;
    if (c.kind == Configuration::Kind::fault)
        return Selection::final;
    const bool untranslated = requester.address_type == AddressType::untranslated;
    const auto refuse = [&](unsigned reason) {
        answer = fault(reason, c.no_record, false);
        return Selection::final;
    };
    if (!context.scalable) {
        if (!untranslated && !c.device_tlb)
            return refuse(fault_reason::legacy_request_blocked);
        if (context.invalid_width != 0)
            return refuse(context.invalid_width);
        if (requester.address_type == AddressType::translated)
            answer.kind = Configuration::Kind::pass_through;
        return Selection::final;
    }
    if (!untranslated && !c.device_tlb)
        return refuse(fault_reason::sm_device_tlb_disabled);
    if (requester.has_pasid && !context.pasids)
        return refuse(fault_reason::sm_pasid_disabled);
    if (requester.address_type == AddressType::translated) {
        answer.kind = Configuration::Kind::pass_through;
        return Selection::final;
    }
    answer.pasid = requester.has_pasid ? requester.pasid : context.rid_pasid;
    if ((answer.pasid >> context.pasid_bits) != 0)
        return refuse(requester.has_pasid ? fault_reason::sm_pasid_beyond_directory
                                          : fault_reason::sm_rid_pasid);
    return Selection::needs_pasid;
}

/// Adds the PASID entry to what the context entry said.
void ConfigurationFetch::merge(const Configuration& entry, const Requester& requester,
                               Configuration& answer) const {
    const Configuration context = answer;
    answer = entry;
    answer.pasid = context.pasid;
    answer.no_record |= context.no_record;
    answer.device_tlb = context.device_tlb;
    answer.page_requests = context.page_requests;
    answer.privileged = context.privileged;
    if (answer.kind != Configuration::Kind::first_stage && answer.kind != Configuration::Kind::nested)
        return;
    const bool privileged = requester.has_pasid ? requester.privileged : context.privileged;
    if (requester.has_pasid && requester.instruction)
        answer = fault(fault_reason::sm_execute_disabled, answer.no_record, false);
    else if (privileged && !answer.supervisor)
        answer = fault(fault_reason::sm_supervisor_disabled, answer.no_record, false);
}

Task<Configuration> ConfigurationFetch::fetch(Pace& pace, const Requester& requester, const bool& stale) {
    const Resource::Slot slot = co_await slots_.acquire(pace);
    Configuration answer;
    if (answered_by_mode(requester, answer))
        co_return answer;
    const std::uint16_t source = source_of(requester);
    Context context;
    const Context* const known = pace.debug() ? nullptr : contexts_.peek(source, Tag{0, source});
    const bool context_known = known && known->scalable == scalable();
    if (context_known) {
        context = *known;
    } else {
        if (scalable())
            context = co_await read_scalable_context(pace, source);
        else
            context = co_await read_legacy_context(pace, source);
        if (may_keep(context.configuration, pace, stale))
            keep_context(source, context);
    }
    if (select(context, requester, answer) == Selection::final)
        co_return answer;

    const std::uint64_t key = pasid_key(source, answer.pasid);
    const Tag tag = pasid_tag(source, answer.pasid);
    const Configuration* cached = nullptr;
    if (!pace.debug() &&
        context_known) { // find() has looked for it already; another fetch may have brought it
        cached = pasids_.peek(key, tag);
    } else if (!pace.debug()) {
        pace.spend(parameters_.pasid_latency);
        cached = pasids_.find(key, tag);
    }
    Configuration entry;
    if (cached) {
        entry = *cached;
    } else {
        entry = co_await read_pasid_entry(pace, context.directory, answer.pasid);
        if (may_keep(entry, pace, stale))
            keep_pasid(source, answer.pasid, entry);
    }
    merge(entry, requester, answer);
    co_return answer;
}

// ---- invalidation

void ConfigurationFetch::invalidate_all() {
    invalidate_contexts();
    invalidate_pasids();
}

void ConfigurationFetch::invalidate_contexts() {
    contexts_.remove_scope(TagScope::everything());
    ++generation_;
}

void ConfigurationFetch::invalidate_contexts_of_domain(std::uint16_t domain) {
    if (scalable()) {
        invalidate_contexts();
        return;
    }
    contexts_.remove_scope(
        TagScope{Tag{0, std::uint64_t{domain} << tag::owner_domain_shift}, tag::of_owner_domain});
    ++generation_;
}

void ConfigurationFetch::invalidate_contexts_of_source(std::uint16_t source, unsigned function_mask,
                                                       std::uint16_t domain) {
    const unsigned mask = low_bits(3) & ~low_bits(3 - (function_mask & 3));
    const unsigned base = source & ~mask;
    for (unsigned part = mask;; part = (part - 1) & mask) { // every combination of the bits of the mask
        const unsigned each = base | part;
        contexts_.remove_range(each, each, TagScope::everything(), [domain](const Context& c) {
            return c.scalable || c.configuration.domain == domain;
        });
        if (part == 0)
            break;
    }
    ++generation_;
}

void ConfigurationFetch::invalidate_pasids() {
    pasids_.remove_scope(TagScope::everything());
    ++generation_;
}

void ConfigurationFetch::invalidate_pasids_of_domain(std::uint16_t domain) {
    const auto remove = [this](std::uint64_t owner) {
        pasids_.remove_scope(TagScope{Tag{0, owner}, tag::of_owner_domain});
    };
    remove(std::uint64_t{domain} << tag::owner_domain_shift);
    if (features_.caching_mode)
        remove(0);
    ++generation_;
}

void ConfigurationFetch::invalidate_pasid(std::uint16_t domain, std::uint32_t pasid) {
    const std::uint64_t of_pasid = std::uint64_t{pasid} << tag::owner_pasid_shift;
    const auto remove = [this](std::uint64_t owner) {
        pasids_.remove_scope(TagScope{Tag{0, owner}, tag::of_owner_domain_pasid});
    };
    remove(of_pasid | (std::uint64_t{domain} << tag::owner_domain_shift));
    if (features_.caching_mode)
        remove(of_pasid);
    ++generation_;
}

CacheStatistics ConfigurationFetch::context_statistics() const {
    CacheStatistics s = contexts_.statistics();
    s.hits += context_memo_hits_;
    for (const Memo& memo : memos_)
        s.hits += memo.context_hit ? memo.uses : 0;
    return s;
}

CacheStatistics ConfigurationFetch::pasid_statistics() const {
    CacheStatistics s = pasids_.statistics();
    s.hits += pasid_memo_hits_;
    for (const Memo& memo : memos_)
        s.hits += memo.pasid_hit ? memo.uses : 0;
    return s;
}

} // namespace iommusim::vtd
