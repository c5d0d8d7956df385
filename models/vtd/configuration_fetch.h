// Root, context and PASID tables: finding the entries, checking them, keeping them in the context cache and
// the PASID cache (VT-d specification, chapters 3.4 and 9).
//
// Our choices where the architecture leaves one or is silent:
//  * a scalable-mode context entry names no domain: a domain-selective context invalidation drops them all,
//    a device-selective one regardless of the domain;
//  * a PASID entry that is not present (CM = 1) goes with an invalidation of its PASID in any domain;
//  * SRE and ERE count for PASID entries with a first stage only, and for requests with PASID (or RID_PRIV);
//  * NXE is ignored: execute requests are not built, and drivers set it everywhere.
#pragma once

#include "models/core/memory_port.h"
#include "models/core/requester.h"
#include "models/core/tagged_cache.h"
#include "models/core/wait.h"
#include "models/vtd/configuration.h"
#include "models/vtd/feature_set.h"
#include "models/vtd/parameters.h"
#include "models/vtd/register_file.h"

#include <array>
#include <cstring>
#include <type_traits>

namespace iommusim::vtd {

class ConfigurationFetch {
public:
    ConfigurationFetch(const Parameters& parameters, const Features& features, const RegisterFile& registers,
                       MemoryPort& memory, TimedQueue& queue);

    /// The cached configuration of a requester, or nullptr; valid until the process waits. Checks of the
    /// request against the entry (translation request with DTE = 0, PASID with PASIDE = 0, supervisor request
    /// with SRE = 0, ...) are part of the configuration found: a refused request gets Kind::fault. A
    /// translated request that is allowed gets Kind::pass_through, its PASID is not looked up.
    const Configuration* find(Pace& pace, const Requester& requester) {
        if (pace.debug())
            return nullptr;
        const RequestKey key(requester, registers_.root_table().mode);
        Memo& memo = memos_[key.hash()];
        if (memo.generation != generation_ || !(memo.key == key))
            return find_cached(pace, requester, memo);
        ++memo.uses;
        pace.spend(memo.latency);
        return &memo.configuration;
    }
    /// Reads what is not cached from memory; to be called after find(). `stale` is looked at after the fetch:
    /// a fetch that an invalidation has overtaken is used, but not kept.
    Task<Configuration> fetch(Pace& pace, const Requester& requester, const bool& stale);

    void invalidate_all(); ///< context cache and PASID cache
    void invalidate_contexts();
    void invalidate_contexts_of_domain(std::uint16_t domain);
    /// `function_mask`: FM as in CCMD. 1 to 3: the upper so many of the three function bits do not count.
    void invalidate_contexts_of_source(std::uint16_t source, unsigned function_mask, std::uint16_t domain);
    void invalidate_pasids();
    void invalidate_pasids_of_domain(std::uint16_t domain);
    void invalidate_pasid(std::uint16_t domain, std::uint32_t pasid);

    CacheStatistics context_statistics() const;
    CacheStatistics pasid_statistics() const;
    const StallCounter& stalls() const { return slots_.stalls(); }

private:
    /// What the root and the context entry say, as the context cache keeps it.
    struct Context {
        /// Legacy mode: everything. Scalable mode: what the context entry adds to the PASID entry.
        Configuration configuration;
        std::uint8_t invalid_width = 0; ///< legacy mode: a fault that comes after the check of the request
        bool scalable = false;
        bool pasids = false; ///< PASIDE
        std::uint8_t pasid_bits = 0;
        std::uint32_t rid_pasid = 0;
        std::uint64_t directory = 0;
    };

    /// Everything about a request that its configuration may depend on.
    struct RequestKey {
        RequestKey() = default;
        RequestKey(const Requester& requester, unsigned mode) {
            static_assert(sizeof(Requester) == 12 && std::has_unique_object_representations_v<Requester>);
            std::memcpy(&identity, &requester, sizeof identity);
            std::memcpy(&form, reinterpret_cast<const char*>(&requester) + sizeof identity, sizeof form);
            form |= mode << 4; // the bytes are small numbers
        }
        bool operator==(const RequestKey& other) const {
            return identity == other.identity && form == other.form;
        }
        unsigned hash() const {
            return static_cast<unsigned>(((identity + form) * 0x9e37'79b9'7f4a'7c15ull) >> (64 - memo_bits));
        }

        std::uint64_t identity = 0;
        std::uint32_t form = 0;
    };
    static constexpr unsigned memo_bits = 4;

    /// A configuration as requests of one key find it: what the caches would give again while nothing has
    /// been filled or dropped.
    struct Memo {
        std::uint64_t generation = 0; ///< 0: empty
        RequestKey key;
        Picoseconds latency = 0;
        std::uint64_t uses = 0;   ///< not yet in the statistics
        bool context_hit = false; ///< what each use means for them
        bool pasid_hit = false;
        Configuration configuration;
    };

    /// How far a request gets without the PASID table.
    enum class Selection : std::uint8_t { final, needs_pasid };

    const Configuration* find_cached(Pace& pace, const Requester& requester, Memo& memo);
    /// Requests that root table address and mode decide alone.
    bool answered_by_mode(const Requester& requester, Configuration& answer) const;
    bool scalable() const;
    Selection select(const Context& context, const Requester& requester, Configuration& answer) const;
    void merge(const Configuration& entry, const Requester& requester, Configuration& answer) const;

    // Reading and checking (configuration_tables.cpp)
    Task<Context> read_legacy_context(Pace& pace, std::uint16_t source);
    Task<Context> read_scalable_context(Pace& pace, std::uint16_t source);
    Task<Configuration> read_pasid_entry(Pace& pace, std::uint64_t directory, std::uint32_t pasid);
    bool beyond_width(std::uint64_t address) const { return (address >> features_.host_address_bits) != 0; }
    bool bad_legacy_context(const std::uint64_t* entry) const;
    bool bad_scalable_context(const std::uint64_t* entry) const;
    bool bad_pasid_entry(const std::uint64_t* entry) const;
    bool invalid_pasid_entry(const std::uint64_t* entry) const;
    void decode_legacy_context(const std::uint64_t* entry, Context& context) const;
    void decode_pasid_entry(const std::uint64_t* entry, Configuration& c) const;
    Context bad_context(unsigned reason, bool no_record, bool cacheable) const;
    /// A fault; `cacheable`: it lies in what the entry says, so that CM = 1 allows to keep it.
    Configuration fault(unsigned reason, bool no_record, bool cacheable) const;

    bool may_keep(const Configuration& c, const Pace& pace, bool stale) const {
        return c.cacheable && !stale && !pace.debug();
    }
    void keep_context(std::uint16_t source, const Context& context);
    void keep_pasid(std::uint16_t source, std::uint32_t pasid, const Configuration& entry);

    const Parameters& parameters_;
    const Features& features_;
    const RegisterFile& registers_;
    MemoryPort& memory_;
    TaggedCache<Context> contexts_;
    TaggedCache<Configuration> pasids_;
    Resource slots_;
    std::uint64_t generation_ = 1; ///< moves on with every fill and every invalidation
    std::array<Memo, 1u << memo_bits> memos_;
    std::uint64_t context_memo_hits_ = 0; ///< of memos that are gone
    std::uint64_t pasid_memo_hits_ = 0;
};

} // namespace iommusim::vtd
