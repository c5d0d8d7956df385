#include "models/core/tagged_cache.h"
#include "tests/property/reproducible.h"

#include <gtest/gtest.h>
#include <list>
#include <map>

namespace iommusim::test {
namespace {

using Cache = TaggedCache<int>;
constexpr Tag tag{1, 10};
constexpr Tag exact{~0ull, ~0ull};

/// The value that a lookup finds, 0 if none.
int look(Cache& cache, std::uint64_t address, const Tag& t = tag) {
    const int* value = cache.find(address, t);
    return value ? *value : 0;
}

TEST(TaggedCache, FindsWhatWasInsertedThroughEveryAddressOfThePage) {
    Cache cache(16, 4, Replacement::round_robin);
    cache.insert(0x4000'0000, 21, tag, exact, 5);
    for (std::uint64_t offset = 0; offset < 0x20'0000; offset += 0x1000)
        ASSERT_EQ(look(cache, 0x4000'0000 + offset), 5);
    EXPECT_EQ(look(cache, 0x4020'0000), 0);
    EXPECT_EQ(look(cache, 0x3fff'ffff), 0);
    EXPECT_EQ(cache.statistics().hits, 512u);
    EXPECT_EQ(cache.statistics().misses, 2u);
    EXPECT_EQ(cache.size(), 1u);
}

TEST(TaggedCache, PrefersTheSmallerOfTwoOverlappingPages) {
    Cache cache(16, 0, Replacement::round_robin);
    cache.insert(0, 30, tag, exact, 1);
    cache.insert(0x1000, 12, tag, exact, 2);
    EXPECT_EQ(look(cache, 0x1000), 2);
    EXPECT_EQ(look(cache, 0x2000), 1);
}

TEST(TaggedCache, LooksOnlyAtBitsOnWhichTheEntryInsistsAndThatTheLookupKnows) {
    Cache cache(16, 0, Replacement::round_robin);
    cache.insert(0x1000, 12, Tag{1, 10}, Tag{0, ~0ull}, 1); // any context
    EXPECT_EQ(look(cache, 0x1000, Tag{99, 10}), 1);
    EXPECT_EQ(look(cache, 0x1000, Tag{1, 11}), 0);
    cache.insert(0x2000, 12, Tag{1, 10}, exact, 2);
    EXPECT_EQ(look(cache, 0x2000, Tag{2, 10}), 0);
    EXPECT_NE(cache.find(0x2000, Tag{2, 10}, Tag{0, ~0ull}), nullptr);
}

TEST(TaggedCache, AnEqualEntryIsReplaced) {
    Cache cache(16, 0, Replacement::round_robin);
    cache.insert(0x1000, 12, tag, exact, 1);
    cache.insert(0x1800, 12, tag, exact, 2);
    EXPECT_EQ(look(cache, 0x1000), 2);
    EXPECT_EQ(cache.size(), 1u);
    EXPECT_EQ(cache.statistics().fills, 2u);
    EXPECT_EQ(cache.statistics().evictions, 0u);
}

TEST(TaggedCache, PeekHasNoEffect) {
    Cache cache(2, 0, Replacement::least_recently_used);
    cache.insert(0x1000, 12, tag, exact, 1);
    cache.insert(0x2000, 12, tag, exact, 2);
    ASSERT_NE(cache.peek(0x1000, tag), nullptr);
    EXPECT_EQ(cache.peek(0x5000, tag), nullptr);
    EXPECT_EQ(cache.statistics().hits + cache.statistics().misses, 0u);
    cache.insert(0x3000, 12, tag, exact, 3);
    EXPECT_EQ(cache.peek(0x1000, tag), nullptr) << "still the oldest";
}

TEST(TaggedCache, OfNoEntriesNeverHits) {
    Cache cache(0, 4, Replacement::least_recently_used, {Tag{1, 0}});
    cache.insert(0x1000, 12, tag, exact, 1);
    EXPECT_EQ(look(cache, 0x1000), 0);
    cache.remove_scope(TagScope::everything());
    cache.remove_scope(TagScope{Tag{1, 0}, Tag{1, 0}});
    EXPECT_EQ(cache.remove_range(0, ~0ull, TagScope::everything()), 0u);
    EXPECT_EQ(cache.capacity(), 0u);
    EXPECT_EQ(cache.statistics().fills, 0u);
}

TEST(TaggedCache, RoundsTheEntriesDownToAMultipleOfTheWays) {
    EXPECT_EQ(Cache(10, 4, Replacement::round_robin).capacity(), 8u);
    EXPECT_EQ(Cache(10, 0, Replacement::round_robin).capacity(), 10u);
    EXPECT_EQ(Cache(3, 8, Replacement::round_robin).capacity(), 3u);
    EXPECT_EQ(Cache(1, 1, Replacement::round_robin).capacity(), 1u);
}

// ---- replacement

TEST(TaggedCache, LeastRecentlyUsedGoesFirst) {
    Cache cache(4, 0, Replacement::least_recently_used);
    for (int i = 1; i <= 4; ++i)
        cache.insert(i * 0x1000, 12, tag, exact, i);
    look(cache, 0x1000);
    look(cache, 0x3000);
    cache.insert(0x5000, 12, tag, exact, 5); // 2 goes
    cache.insert(0x6000, 12, tag, exact, 6); // 4 goes
    EXPECT_EQ(look(cache, 0x2000), 0);
    EXPECT_EQ(look(cache, 0x4000), 0);
    for (const int i : {1, 3, 5, 6})
        EXPECT_EQ(look(cache, i * 0x1000), i);
    EXPECT_EQ(cache.statistics().evictions, 2u);
}

TEST(TaggedCache, RoundRobinGoesInTurn) {
    Cache cache(3, 0, Replacement::round_robin);
    for (int i = 1; i <= 6; ++i) {
        cache.insert(i * 0x1000, 12, tag, exact, i);
        look(cache, 0x1000); // use does not matter
    }
    for (int i = 1; i <= 3; ++i)
        EXPECT_EQ(look(cache, i * 0x1000), 0);
    for (int i = 4; i <= 6; ++i)
        EXPECT_EQ(look(cache, i * 0x1000), i);
}

TEST(TaggedCache, RandomEvictsOneAndIsTheSameEveryTime) {
    const auto survivors = [] {
        Cache cache(8, 0, Replacement::random);
        for (int i = 1; i <= 20; ++i)
            cache.insert(i * 0x1000, 12, tag, exact, i);
        std::vector<int> found;
        for (int i = 1; i <= 20; ++i)
            if (look(cache, i * 0x1000))
                found.push_back(i);
        return found;
    };
    EXPECT_EQ(survivors().size(), 8u);
    EXPECT_EQ(survivors(), survivors());
}

TEST(TaggedCache, SetsDoNotDisturbEachOther) {
    Cache cache(8, 2, Replacement::round_robin); // 4 sets by page number
    for (int i = 0; i < 100; ++i)
        cache.insert(0x4000ull * i, 12, tag, exact, i + 1); // all in set 0
    for (int set = 1; set < 4; ++set)
        cache.insert(set * 0x1000, 12, tag, exact, 1000 + set);
    for (int i = 0; i < 50; ++i)
        cache.insert(0x4000ull * i, 12, tag, exact, i + 1);
    for (int set = 1; set < 4; ++set)
        EXPECT_EQ(look(cache, set * 0x1000), 1000 + set);
}

TEST(TaggedCache, DeadEntriesMakeRoomBeforeLiveOnes) {
    constexpr ScopeKind kind{0xff, 0};
    for (const Replacement policy :
         {Replacement::round_robin, Replacement::least_recently_used, Replacement::random}) {
        Cache cache(4, 0, policy, {kind});
        for (int i = 1; i <= 4; ++i)
            cache.insert(i * 0x1000, 12, Tag{static_cast<std::uint64_t>(i % 2), 0}, exact, i);
        cache.remove_scope(TagScope{Tag{0, 0}, kind}); // 2 and 4
        cache.insert(0x5000, 12, Tag{1, 0}, exact, 5);
        cache.insert(0x6000, 12, Tag{1, 0}, exact, 6);
        for (const int i : {1, 3, 5, 6})
            EXPECT_EQ(look(cache, i * 0x1000, Tag{1, 0}), i);
        EXPECT_EQ(cache.statistics().evictions, 0u);
    }
}

// ---- invalidation

TEST(TaggedCache, ScopesDropWhatBelongsToThemAndNothingInsertedLater) {
    constexpr ScopeKind by_context{0xff, 0};
    constexpr ScopeKind by_owner{0, 0xff};
    Cache cache(64, 4, Replacement::round_robin, {by_context, by_owner});
    for (std::uint64_t context = 1; context <= 3; ++context)
        for (std::uint64_t owner = 1; owner <= 3; ++owner)
            cache.insert(context * 0x10000 + owner * 0x1000, 12, Tag{context, owner}, exact, 1);
    const auto found = [&](std::uint64_t context, std::uint64_t owner) {
        return look(cache, context * 0x10000 + owner * 0x1000, Tag{context, owner}) != 0;
    };
    cache.remove_scope(TagScope{Tag{2, 0}, by_context});
    cache.remove_scope(TagScope{Tag{0, 3}, by_owner});
    for (std::uint64_t context = 1; context <= 3; ++context)
        for (std::uint64_t owner = 1; owner <= 3; ++owner)
            EXPECT_EQ(found(context, owner), context != 2 && owner != 3);
    cache.insert(0x23000, 12, Tag{2, 3}, exact, 1);
    EXPECT_TRUE(found(2, 3));
    cache.remove_scope(TagScope::everything());
    EXPECT_FALSE(found(1, 1) || found(2, 3));
}

TEST(TaggedCache, ARangeDropsEveryPageThatOverlapsWhateverItsSize) {
    for (const std::uint64_t named : {0x4000'0000ull, 0x4012'3456ull, 0x401f'ffffull}) {
        Cache cache(16, 4, Replacement::round_robin);
        cache.insert(0x4000'0000, 21, tag, exact, 1);
        cache.insert(0x4020'0000, 21, tag, exact, 2);
        cache.insert(named & ~0xfffull, 12, tag, exact, 3);
        cache.insert(0, 39, tag, exact, 4);
        cache.remove_range(named, named, TagScope::everything());
        EXPECT_EQ(look(cache, 0x4000'0000), 0);
        EXPECT_EQ(look(cache, 0x4020'0000), 2);
        EXPECT_EQ(cache.statistics().invalidated, 3u);
    }
}

TEST(TaggedCache, ARangeObeysScopeAndPredicate) {
    Cache cache(16, 0, Replacement::round_robin);
    cache.insert(0x1000, 12, Tag{1, 0}, exact, 1);
    cache.insert(0x2000, 12, Tag{2, 0}, exact, 2);
    cache.insert(0x3000, 12, Tag{1, 0}, exact, 3);
    cache.insert(0x4000, 12, Tag{9, 0}, Tag{}, 4); // insists on nothing
    cache.remove_range(0, ~0ull, TagScope{Tag{1, 0}, Tag{0xff, 0}}, [](int value) { return value != 3; });
    EXPECT_EQ(look(cache, 0x1000, Tag{1, 0}), 0);
    EXPECT_EQ(look(cache, 0x2000, Tag{2, 0}), 2);
    EXPECT_EQ(look(cache, 0x3000, Tag{1, 0}), 3);
    EXPECT_EQ(look(cache, 0x4000, Tag{1, 0}), 0);
}

TEST(TaggedCache, ARangeLooksAtPagesOrAtEntriesWhicheverAreFewer) {
    Cache cache(1024, 4, Replacement::round_robin);
    for (int i = 0; i < 512; ++i)
        cache.insert(i * 0x1000, 12, tag, exact, i + 1);
    EXPECT_LE(cache.remove_range(0x1000, 0x1fff, TagScope::everything()), 2u);
    EXPECT_EQ(cache.remove_range(0, ~0ull, TagScope::everything()), 1024u);
    EXPECT_EQ(cache.size(), 0u);
    EXPECT_EQ(cache.remove_range(0, ~0ull, TagScope::everything()), 0u);
}

TEST(TaggedCache, EnumeratesWhatIsAlive) {
    Cache cache(16, 4, Replacement::round_robin, {Tag{0xff, 0}});
    cache.insert(0x1000, 12, Tag{1, 0}, exact, 1);
    cache.insert(0x20'0000, 21, Tag{2, 0}, exact, 2);
    cache.remove_scope(TagScope{Tag{1, 0}, Tag{0xff, 0}});
    int seen = 0;
    cache.for_each([&](std::uint64_t address, unsigned size, const Tag& t, int value) {
        ++seen;
        EXPECT_EQ(address, 0x20'0000u);
        EXPECT_EQ(size, 21u);
        EXPECT_EQ(t, (Tag{2, 0}));
        EXPECT_EQ(value, 2);
    });
    EXPECT_EQ(seen, 1);
}

// ---- against a plain list

constexpr ScopeKind by_context{0x3, 0};
constexpr ScopeKind by_owner{0, 0x3};

struct Operation {
    enum Kind { insert, find, remove_context, remove_owner, remove_everything, remove_range } kind = insert;
    std::uint8_t size_log2 = 12;
    std::uint64_t address = 0;
    std::uint64_t length = 1;
    Tag tag;
    bool global = false; ///< does not insist on its context
};

std::ostream& operator<<(std::ostream& out, const Operation& o) {
    static const char* const names[] = {
        "insert", "find", "remove context", "remove owner", "remove everything", "remove range"};
    return out << names[o.kind] << " 0x" << std::hex << o.address << " +0x" << o.length << std::dec
               << " size 2^" << int{o.size_log2} << " context " << o.tag.context << " owner " << o.tag.owner
               << (o.global ? " global" : "");
}

rc::Gen<Operation> operations() {
    using rc::gen::inRange;
    return rc::gen::build<Operation>(
        rc::gen::set(&Operation::kind,
                     rc::gen::weightedElement<Operation::Kind>({{12, Operation::insert},
                                                                {12, Operation::find},
                                                                {1, Operation::remove_context},
                                                                {1, Operation::remove_owner},
                                                                {1, Operation::remove_everything},
                                                                {4, Operation::remove_range}})),
        rc::gen::set(&Operation::size_log2, rc::gen::element<std::uint8_t>(12, 12, 12, 13, 15, 21)),
        rc::gen::set(&Operation::address, inRange<std::uint64_t>(0, 1ull << 18)),
        rc::gen::set(&Operation::length,
                     rc::gen::element<std::uint64_t>(1, 0x1000, 0x3000, 0x10000, 1ull << 40)),
        rc::gen::set(&Operation::tag,
                     rc::gen::construct<Tag>(inRange<std::uint64_t>(0, 4), inRange<std::uint64_t>(0, 4))),
        rc::gen::set(&Operation::global, rc::gen::element(false, false, false, true)));
}

struct PlainEntry {
    std::uint64_t first;
    std::uint64_t last;
    Tag tag;
    Tag insists;
    int value;
};

/// What may differ from the cache: an entry may be evicted, and only as many as the cache says.
void compare(Cache& cache, std::list<PlainEntry>& plain, std::uint64_t evictions) {
    std::map<int, bool> alive;
    cache.for_each([&](std::uint64_t, unsigned, const Tag&, int value) { alive[value] = true; });
    std::uint64_t missing = 0;
    for (auto it = plain.begin(); it != plain.end();) {
        if (alive.erase(it->value)) {
            ++it;
        } else {
            ++missing;
            it = plain.erase(it);
        }
    }
    RC_ASSERT(alive.empty()); // nothing that was invalidated
    RC_ASSERT(missing == evictions);
}

void behaves_like_a_list(Replacement policy, std::uint64_t entries, std::uint64_t ways,
                         const std::vector<Operation>& sequence) {
    Cache cache(entries, ways, policy, {by_context, by_owner});
    std::list<PlainEntry> plain;
    int next_value = 1;
    for (const Operation& o : sequence) {
        const std::uint64_t evicted_before = cache.statistics().evictions;
        switch (o.kind) {
        case Operation::insert: {
            const std::uint64_t first = o.address >> o.size_log2 << o.size_log2;
            const PlainEntry entry{first, first + ((1ull << o.size_log2) - 1), o.tag,
                                   Tag{o.global ? 0 : ~0ull, ~0ull}, next_value++};
            plain.remove_if([&](const PlainEntry& e) {
                return e.first == entry.first && e.last == entry.last && e.tag == entry.tag &&
                       e.insists == entry.insists;
            });
            plain.push_back(entry);
            cache.insert(o.address, o.size_log2, entry.tag, entry.insists, entry.value);
            break;
        }
        case Operation::find: {
            const int* hit = cache.find(o.address, o.tag);
            bool any = false;
            bool same = false;
            for (const PlainEntry& e : plain)
                if (o.address >= e.first && o.address <= e.last &&
                    TagScope{o.tag, exact}.covers(e.tag, e.insists)) {
                    any = true;
                    same = same || (hit && *hit == e.value);
                }
            RC_ASSERT(any == (hit != nullptr));
            RC_ASSERT(!hit || same);
            break;
        }
        case Operation::remove_context:
        case Operation::remove_owner: {
            const TagScope scope{o.tag, o.kind == Operation::remove_context ? by_context : by_owner};
            plain.remove_if([&](const PlainEntry& e) { return scope.covers(e.tag); });
            cache.remove_scope(scope);
            break;
        }
        case Operation::remove_everything:
            plain.clear();
            cache.remove_scope(TagScope::everything());
            break;
        case Operation::remove_range: {
            const TagScope scope{o.tag, Tag{0x3, 0}};
            const std::uint64_t last = o.address + o.length - 1;
            plain.remove_if([&](const PlainEntry& e) {
                return e.first <= last && e.last >= o.address && scope.covers(e.tag, e.insists);
            });
            cache.remove_range(o.address, last, scope);
            break;
        }
        }
        compare(cache, plain, cache.statistics().evictions - evicted_before);
    }
}

TEST(TaggedCacheProperty, BehavesLikeAListOfLimitedLength) {
    EXPECT_TRUE(rc::check("random operations", [] {
        const auto policy = *rc::gen::element(Replacement::round_robin, Replacement::least_recently_used,
                                              Replacement::random);
        const auto entries = *rc::gen::element<std::uint64_t>(1, 2, 7, 16, 256);
        const auto ways = *rc::gen::element<std::uint64_t>(0, 1, 2, 4);
        const auto sequence = *rc::gen::scale(4.0, rc::gen::container<std::vector<Operation>>(operations()));
        behaves_like_a_list(policy, entries, ways, sequence);
    }));
}

} // namespace
} // namespace iommusim::test
