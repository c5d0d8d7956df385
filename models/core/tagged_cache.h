// The cache template behind every TLB, configuration cache and walk cache.
//
// * Set-associative storage with a replacement policy per set; a fully associative cache has one set.
// * One entry per page whatever its size: a hit and an invalidation find it through any address inside.
// * An index by (page, size) makes the cost of a lookup independent of size and associativity.
// * Invalidation by scope (everything, one ASID, one requester, ...) stamps the scope in O(1): entries older
// than the
//   stamp are dead and are dropped when somebody meets them. Invalidation by address range visits what can
//   match.
#pragma once

#include "models/core/tag.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace iommusim {

enum class Replacement : std::uint8_t { round_robin, least_recently_used, random };
inline constexpr const char* replacement_choices = "round-robin|lru|random";

struct CacheStatistics {
    std::uint64_t hits = 0;
    std::uint64_t misses = 0;
    std::uint64_t fills = 0;
    std::uint64_t evictions = 0;   ///< live entries that had to make room
    std::uint64_t invalidated = 0; ///< entries dropped one by one by address
};

template <class Value> class TaggedCache {
public:
    /// `entries` 0 makes a cache that never hits; `ways` 0 or >= entries makes it fully associative;
    /// otherwise entries is rounded down to a multiple of ways.
    TaggedCache(std::uint64_t entries, std::uint64_t ways, Replacement policy,
                const std::vector<ScopeKind>& scope_kinds = {})
        : policy_(policy) {
        if (ways == 0 || ways > entries)
            ways = entries;
        ways_ = static_cast<std::uint32_t>(ways);
        sets_ = entries ? static_cast<std::uint32_t>(entries / ways) : 0;
        slots_.resize(std::size_t{sets_} * ways_);
        set_state_.resize(sets_);
        buckets_.assign(std::bit_ceil(slots_.size() * 2 + 2), none);
        bucket_shift_ = 64 - static_cast<unsigned>(std::countr_zero(buckets_.size()));
        for (std::uint32_t s = 0; s < sets_; ++s)
            for (std::uint32_t w = ways_; w-- > 0;)
                put_on_free_list(s, s * ways_ + w);
        for (const ScopeKind& kind : scope_kinds)
            scopes_.push_back(Scope{kind, {}});
    }

    std::size_t capacity() const { return slots_.size(); }
    std::size_t size() const { return used_; } ///< dead entries that nobody has met yet included
    const CacheStatistics& statistics() const { return statistics_; }

    /// Which bits of its tag a lookup knows: a TLB in front of the configuration knows the requester, but not
    /// the ASID.
    static constexpr Tag all_bits{~0ull, ~0ull};

    /// The entry that covers `address` for a lookup with `tag`, or nullptr. Touches the replacement state.
    Value* find(std::uint64_t address, const Tag& tag, const Tag& known = all_bits) {
        if (used_ == 0)
            return miss();
        // Hardly ever more than one size: the others are apart.
        const std::uint8_t size_log2 = sizes_.front();
        const std::uint32_t i = find_slot(address >> size_log2, size_log2, tag, known);
        if (i == none)
            return sizes_.size() == 1 ? miss() : find_larger(address, tag, known);
        if (slots_[i].stamp <= scope_stamp_)
            return find_older(i, address, tag, known);
        return hit(i);
    }

    /// As find(), without any effect on statistics or replacement.
    const Value* peek(std::uint64_t address, const Tag& tag, const Tag& known = all_bits) const {
        for (const std::uint8_t size_log2 : sizes_) {
            const std::uint32_t i = find_slot(address >> size_log2, size_log2, tag, known);
            if (i != none && alive(slots_[i]))
                return &slots_[i].value;
        }
        return nullptr;
    }

    /// Stores the object that covers [address, address + 2^size_log2), address aligned down. A lookup matches
    /// if it agrees with `tag` on the bits of `insists`. Replaces an equal entry.
    void insert(std::uint64_t address, std::uint8_t size_log2, const Tag& tag, const Tag& insists,
                const Value& value) {
        if (slots_.empty())
            return;
        const std::uint64_t page = address >> size_log2;
        std::uint32_t i = find_equal(page, size_log2, tag, insists);
        if (i == none)
            i = make_room(page, size_log2);
        Slot& slot = slots_[i];
        slot.tag = tag;
        slot.insists = insists;
        slot.stamp = ++clock_;
        slot.value = value;
        if (policy_ == Replacement::least_recently_used)
            touch(i);
        ++statistics_.fills;
    }

    /// Drops every entry of the scope. The scope's mask must be empty or one of the kinds given at
    /// construction.
    void remove_scope(const TagScope& scope) {
        if (used_ == 0)
            return;
        if (scope.mask == Tag{}) {
            scope_stamp_ = everything_stamp_ = ++clock_;
            for (Scope& s : scopes_)
                s.stamps.clear();
            return;
        }
        for (Scope& s : scopes_)
            if (s.kind == scope.mask) {
                scope_stamp_ = s.stamps[key(scope.value, s.kind)] = ++clock_;
                return;
            }
        assert(!"scope kind was not declared");
        scope_stamp_ = everything_stamp_ = ++clock_;
    }

    /// Drops the entries that overlap [address, last], belong to the scope and satisfy `matches(const
    /// Value&)`. Returns the number of places looked at, for models whose invalidation time depends on it.
    template <class Matches>
    std::uint64_t remove_range(std::uint64_t address, std::uint64_t last, const TagScope& scope,
                               Matches matches) {
        std::uint64_t looked_at = 0;
        for (std::size_t k = 0; k < sizes_.size();) {
            const std::uint8_t size_log2 = sizes_[k];
            const std::uint64_t first_page = address >> size_log2;
            const std::uint64_t last_page = last >> size_log2;
            const std::uint64_t pages = last_page - first_page + 1;
            if (pages != 0 && pages <= counts_[size_log2]) {
                for (std::uint64_t page = first_page;; ++page) {
                    looked_at += remove_page(page, size_log2, scope, matches);
                    if (page == last_page)
                        break;
                }
            } else { // fewer entries than pages: look at the entries instead
                looked_at += slots_.size();
                for (std::uint32_t i = 0; i < slots_.size(); ++i) {
                    const Slot& slot = slots_[i];
                    if (slot.used && slot.size_log2 == size_log2 && slot.page >= first_page &&
                        slot.page <= last_page && scope.covers(slot.tag, slot.insists) && matches(slot.value))
                        invalidate(i);
                }
            }
            if (k < sizes_.size() && sizes_[k] == size_log2) // else the size died out and the list moved up
                ++k;
        }
        return looked_at;
    }
    std::uint64_t remove_range(std::uint64_t address, std::uint64_t last, const TagScope& scope) {
        return remove_range(address, last, scope, [](const Value&) { return true; });
    }

    /// Calls visit(address, size_log2, tag, value) for each live entry, in slot order.
    template <class Visit> void for_each(Visit visit) const {
        for (const Slot& slot : slots_)
            if (slot.used && alive(slot))
                visit(slot.page << slot.size_log2, slot.size_log2, slot.tag, slot.value);
    }

private:
    static constexpr std::uint32_t none = ~0u;

    struct Slot {
        std::uint64_t page = 0;
        Tag tag;
        Tag insists;
        std::uint64_t stamp = 0;
        std::uint32_t next_in_bucket = none;
        std::uint32_t newer = none; ///< recency ring of the set; `newer` also chains the free list
        std::uint32_t older = none;
        std::uint8_t size_log2 = 0;
        bool used = false;
        Value value{};
    };
    struct SetState {
        std::uint32_t free_list = none;
        std::uint32_t newest = none;   ///< of a ring: next to it, in the direction of `newer`, is the oldest
        std::uint32_t next_victim = 0; ///< round robin
        std::uint64_t swept_at = 0;    ///< the scope stamp up to which dead entries have been freed
    };
    struct Scope {
        ScopeKind kind;
        std::unordered_map<std::uint64_t, std::uint64_t> stamps; ///< looked up only, never iterated
    };

    static std::uint64_t key(const Tag& tag, const ScopeKind& kind) {
        return mix((tag.context & kind.context) + 0x9e3779b97f4a7c15ull * (tag.owner & kind.owner));
    }
    static std::uint64_t mix(std::uint64_t x) { // a bijection, so that equal keys mean equal sums
        x ^= x >> 32;
        x *= 0xd6e8feb86659fd93ull;
        x ^= x >> 32;
        return x;
    }
    std::size_t bucket(std::uint64_t page, std::uint8_t size_log2) const {
        return (page + (std::uint64_t{size_log2} << 57)) * 0x9e3779b97f4a7c15ull >> bucket_shift_;
    }

    /// find() in all sizes but the first.
    [[gnu::noinline]] Value* find_larger(std::uint64_t address, const Tag& tag, const Tag& known) {
        for (std::size_t k = 1; k < sizes_.size(); ++k) {
            const std::uint32_t i = find_slot(address >> sizes_[k], sizes_[k], tag, known);
            if (i != none)
                return slots_[i].stamp <= scope_stamp_ ? find_older(i, address, tag, known) : hit(i);
        }
        return miss();
    }
    /// An invalidation by scope has come since the entry found was last known to be alive.
    [[gnu::noinline]] Value* find_older(std::uint32_t i, std::uint64_t address, const Tag& tag,
                                        const Tag& known) {
        if (alive_by_scopes(slots_[i]))
            return hit(i);
        drop(i);
        return find(address, tag, known); // the list of sizes may have changed
    }
    Value* miss() {
        ++statistics_.misses;
        return nullptr;
    }
    Value* hit(std::uint32_t i) {
        slots_[i].stamp = clock_ + 1; // known to be alive: no need to ask again before the next invalidation
        ++statistics_.hits;
        if (policy_ == Replacement::least_recently_used) {
            SetState& state = set_state_[i / ways_];
            const std::uint32_t newest = state.newest;
            if (newest != i) {
                state.newest = i;
                if (slots_[newest].newer != i) // else the ring has only to turn
                    put_behind(newest, i);
            }
        }
        return &slots_[i].value;
    }

    bool alive(const Slot& slot) const {
        // Newer than every invalidation by scope?
        return slot.stamp > scope_stamp_ || alive_by_scopes(slot);
    }
    bool alive_by_scopes(const Slot& slot) const {
        if (slot.stamp <= everything_stamp_)
            return false;
        for (const Scope& s : scopes_) {
            if (s.stamps.empty())
                continue;
            const auto it = s.stamps.find(key(slot.tag, s.kind));
            if (it != s.stamps.end() && slot.stamp <= it->second)
                return false;
        }
        return true;
    }

    std::uint32_t find_slot(std::uint64_t page, std::uint8_t size_log2, const Tag& tag,
                            const Tag& known) const {
        for (std::uint32_t i = buckets_[bucket(page, size_log2)]; i != none; i = slots_[i].next_in_bucket) {
            const Slot& slot = slots_[i];
            if (slot.page == page && slot.size_log2 == size_log2 &&
                ((slot.tag.context ^ tag.context) & slot.insists.context & known.context) == 0 &&
                ((slot.tag.owner ^ tag.owner) & slot.insists.owner & known.owner) == 0)
                return i;
        }
        return none;
    }
    std::uint32_t find_equal(std::uint64_t page, std::uint8_t size_log2, const Tag& tag,
                             const Tag& insists) const {
        for (std::uint32_t i = buckets_[bucket(page, size_log2)]; i != none; i = slots_[i].next_in_bucket) {
            const Slot& slot = slots_[i];
            if (slot.page == page && slot.size_log2 == size_log2 && slot.tag == tag &&
                slot.insists == insists)
                return i;
        }
        return none;
    }

    template <class Matches>
    std::uint64_t remove_page(std::uint64_t page, std::uint8_t size_log2, const TagScope& scope,
                              Matches& matches) {
        std::uint64_t looked_at = 1;
        for (std::uint32_t i = buckets_[bucket(page, size_log2)]; i != none;) {
            const Slot& slot = slots_[i];
            const std::uint32_t next = slot.next_in_bucket;
            if (slot.page == page && slot.size_log2 == size_log2) {
                ++looked_at;
                if (scope.covers(slot.tag, slot.insists) && matches(slot.value))
                    invalidate(i);
            }
            i = next;
        }
        return looked_at;
    }

    void invalidate(std::uint32_t i) {
        statistics_.invalidated += alive(slots_[i]);
        drop(i);
    }

    /// A slot of the page's set that now stands for the page, its index entry included.
    [[gnu::always_inline]] std::uint32_t make_room(std::uint64_t page, std::uint8_t size_log2) {
        const auto set = static_cast<std::uint32_t>(page % sets_);
        SetState& state = set_state_[set];
        if (state.free_list == none && state.swept_at < scope_stamp_)
            sweep(set);
        std::uint32_t i = state.free_list;
        if (i != none) {
            state.free_list = slots_[i].newer;
            slots_[i].newer = slots_[i].older = none;
            slots_[i].used = true;
            ++used_;
            count_in(size_log2);
        } else {
            i = victim(set, state);
            ++statistics_.evictions;
            unlink_from_bucket(i);
            if (slots_[i].size_log2 != size_log2) {
                count_out(slots_[i].size_log2);
                count_in(size_log2);
            }
        }
        Slot& slot = slots_[i];
        slot.page = page;
        slot.size_log2 = size_log2;
        std::uint32_t& head = buckets_[bucket(page, size_log2)];
        slot.next_in_bucket = head;
        head = i;
        return i;
    }

    std::uint32_t victim(std::uint32_t set, SetState& state) {
        if (policy_ == Replacement::least_recently_used)
            return slots_[state.newest].newer;
        if (policy_ == Replacement::round_robin) {
            const std::uint32_t way = state.next_victim;
            state.next_victim = way + 1 == ways_ ? 0 : way + 1;
            return set * ways_ + way;
        }
        random_ ^= random_ << 13;
        random_ ^= random_ >> 7;
        random_ ^= random_ << 17;
        return set * ways_ + static_cast<std::uint32_t>(random_ % ways_);
    }

    /// Frees the dead entries of a full set, so that none of them costs a live one its place. Once per set
    /// and scope invalidation.
    void sweep(std::uint32_t set) {
        set_state_[set].swept_at = scope_stamp_;
        for (std::uint32_t i = set * ways_; i < (set + 1) * ways_; ++i)
            if (slots_[i].used && !alive(slots_[i]))
                drop(i);
    }

    void drop(std::uint32_t i) {
        unlink_from_bucket(i);
        count_out(slots_[i].size_log2);
        const std::uint32_t set = i / ways_;
        if (policy_ == Replacement::least_recently_used)
            unlink(set_state_[set], i);
        slots_[i].used = false;
        --used_;
        put_on_free_list(set, i);
    }

    [[gnu::always_inline]] void unlink_from_bucket(std::uint32_t i) {
        const Slot& slot = slots_[i];
        std::uint32_t* link = &buckets_[bucket(slot.page, slot.size_log2)];
        while (*link != i)
            link = &slots_[*link].next_in_bucket;
        *link = slot.next_in_bucket;
    }

    void count_in(std::uint8_t size_log2) {
        if (counts_[size_log2]++ == 0)
            sizes_.insert(std::lower_bound(sizes_.begin(), sizes_.end(), size_log2), size_log2);
    }
    void count_out(std::uint8_t size_log2) {
        if (--counts_[size_log2] == 0)
            sizes_.erase(std::lower_bound(sizes_.begin(), sizes_.end(), size_log2));
    }

    void put_on_free_list(std::uint32_t set, std::uint32_t i) {
        slots_[i].newer = set_state_[set].free_list;
        slots_[i].older = none;
        set_state_[set].free_list = i;
    }

    void unlink(SetState& state, std::uint32_t i) {
        Slot& slot = slots_[i];
        if (slot.newer == i) {
            state.newest = none;
        } else {
            slots_[slot.newer].older = slot.older;
            slots_[slot.older].newer = slot.newer;
            if (state.newest == i)
                state.newest = slot.older;
        }
        slot.newer = slot.older = none;
    }

    /// `i` becomes the newest of its set.
    void touch(std::uint32_t i) {
        SetState& state = set_state_[i / ways_];
        const std::uint32_t newest = state.newest;
        state.newest = i;
        if (newest == none)
            slots_[i].newer = slots_[i].older = i;
        else if (newest != i && slots_[newest].newer != i)
            put_behind(newest, i);
    }

    /// To the place between the newest and the oldest.
    [[gnu::noinline]] void put_behind(std::uint32_t newest, std::uint32_t i) {
        Slot& slot = slots_[i];
        if (slot.newer != none) { // else new in the ring
            slots_[slot.newer].older = slot.older;
            slots_[slot.older].newer = slot.newer;
        }
        const std::uint32_t oldest = slots_[newest].newer;
        slot.newer = oldest;
        slot.older = newest;
        slots_[oldest].older = i;
        slots_[newest].newer = i;
    }

    Replacement policy_;
    std::uint32_t ways_ = 0;
    std::uint32_t sets_ = 0;
    std::vector<Slot> slots_;
    std::vector<SetState> set_state_;
    std::vector<std::uint32_t> buckets_;
    unsigned bucket_shift_ = 0;       ///< 64 - log2 of their number
    std::vector<std::uint8_t> sizes_; ///< sizes that occur, ascending
    std::uint32_t counts_[64] = {};   ///< entries per size
    std::vector<Scope> scopes_;
    std::size_t used_ = 0;
    std::uint64_t clock_ = 0;
    std::uint64_t everything_stamp_ = 0;
    std::uint64_t scope_stamp_ = 0; ///< of the newest invalidation by scope
    std::uint64_t random_ = 0x2545f4914f6cdd1dull;
    CacheStatistics statistics_;
};

} // namespace iommusim
