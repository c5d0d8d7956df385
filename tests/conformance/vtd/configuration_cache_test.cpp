// Context cache and PASID cache: what is kept, what a lookup takes, what removes it again.
#include "tests/conformance/vtd/configuration_bench.h"

#include <initializer_list>

namespace iommusim::vtd::test {
namespace {

using namespace spec;
using Kind = Configuration::Kind;

struct LegacyCache : LegacyContext {
    void ask_for(std::initializer_list<std::uint16_t> sources) {
        for (const std::uint16_t each : sources)
            bench.ask(device(each));
    }
};

TEST_F(LegacyCache, KeepsWhatItHasFetched) {
    EXPECT_FALSE(bench.cached(device()));
    bench.fetch(device());
    ASSERT_TRUE(bench.cached(device()));
    EXPECT_EQ(bench.find(device())->domain, 0x345);
    EXPECT_EQ(bench.configurations().context_statistics().hits, 2u);
    EXPECT_EQ(bench.configurations().context_statistics().misses, 1u);
    EXPECT_EQ(bench.configurations().pasid_statistics().misses, 0u);
    EXPECT_FALSE(bench.cached(device(source + 1)));
}

TEST_F(LegacyCache, OvertakenFetchesAreUsedButNotKept) {
    EXPECT_EQ(bench.fetch(device(), true).domain, 0x345);
    EXPECT_FALSE(bench.cached(device()));
}

TEST_F(LegacyCache, DebugAccessesLeaveNoTrace) {
    EXPECT_EQ(bench.fetch_untimed(Pacing::debug, device()).domain, 0x345);
    EXPECT_FALSE(bench.cached(device()));
    Pace pace(Pacing::debug, bench.queue);
    bench.fetch(device());
    EXPECT_EQ(bench.configurations().find(pace, device()), nullptr);
}

TEST_F(LegacyCache, LooseFetchesFillItAndTakeTheTimeOfTheirReads) {
    bench.fetch_untimed(Pacing::loose, device());
    EXPECT_GE(bench.taken, 2 * bench.memory.parameters().latency);
    EXPECT_TRUE(bench.cached(device()));
}

TEST_F(LegacyCache, LookupsTakeTheirTimeHoweverOften) {
    bench.parameters.context_latency = 7000;
    bench.find(device());
    EXPECT_EQ(bench.taken, 7000u);
    bench.fetch(device());
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(bench.cached(device()));
        EXPECT_EQ(bench.taken, 7000u);
    }
}

TEST_F(LegacyCache, FaultsAreNotKept) {
    root.set(source, ContextEntry());
    bench.fetch(device());
    EXPECT_FALSE(bench.cached(device()));
    root.set(source, good);
    EXPECT_EQ(bench.ask(device()).kind, Kind::second_stage) << "becoming present needs no invalidation";
}

TEST_F(LegacyCache, InCachingModeFaultsAreKeptWithDomainZero) {
    bench.features.caching_mode = true;
    root.set(source, ContextEntry());
    bench.fetch(device());
    ASSERT_TRUE(bench.cached(device()));
    EXPECT_EQ(bench.find(device())->reason, 0x2);
    root.set(source, good);
    EXPECT_EQ(bench.ask(device()).reason, 0x2);
    bench.configurations().invalidate_contexts_of_source(source, 0, 0x345);
    EXPECT_TRUE(bench.cached(device())) << "another domain";
    bench.configurations().invalidate_contexts_of_source(source, 0, 0);
    EXPECT_FALSE(bench.cached(device()));
    EXPECT_EQ(bench.ask(device()).domain, 0x345);
}

TEST_F(LegacyCache, FailedReadsAreNeverKept) {
    bench.features.caching_mode = true;
    bench.poke(root.root_entry(source), nowhere | 1);
    EXPECT_EQ(bench.fetch(device()).reason, 0x9);
    EXPECT_FALSE(bench.cached(device()));
}

TEST_F(LegacyCache, InvalidationsReachExactlyWhatTheyName) {
    constexpr std::uint16_t same_domain = 0x0010;
    constexpr std::uint16_t other_domain = 0x0020;
    root.set(same_domain, legacy_context(0x5000, 0x345));
    root.set(other_domain, legacy_context(0x5000, 0x346));
    ask_for({source, same_domain, other_domain});
    bench.configurations().invalidate_contexts_of_domain(0x345);
    EXPECT_FALSE(bench.cached(device(source)));
    EXPECT_FALSE(bench.cached(device(same_domain)));
    EXPECT_TRUE(bench.cached(device(other_domain)));
    ask_for({source, same_domain});
    bench.configurations().invalidate_contexts_of_source(source, 0, 0x346);
    EXPECT_TRUE(bench.cached(device(source)));
    bench.configurations().invalidate_contexts_of_source(source, 0, 0x345);
    EXPECT_FALSE(bench.cached(device(source)));
    EXPECT_TRUE(bench.cached(device(same_domain)));
    bench.configurations().invalidate_contexts();
    EXPECT_FALSE(bench.cached(device(same_domain)));
    EXPECT_FALSE(bench.cached(device(other_domain)));
}

TEST_F(LegacyCache, TheFunctionMaskTakesFunctionBitsOutOfTheComparison) {
    for (unsigned function_mask = 0; function_mask < 4; ++function_mask) {
        const unsigned ignored[] = {0, 4, 6, 7};
        for (std::uint16_t function = 0; function < 8; ++function) {
            root.set(0x500 | function, legacy_context(0x5000, 3));
            bench.ask(device(0x500 | function));
        }
        bench.configurations().invalidate_contexts_of_source(0x502, function_mask, 3);
        for (std::uint16_t function = 0; function < 8; ++function)
            EXPECT_EQ(bench.cached(device(0x500 | function)), ((function ^ 2) & ~ignored[function_mask]) != 0)
                << function_mask << " " << function;
    }
}

TEST_F(LegacyCache, WhatAnotherModeLeftIsNotUsed) {
    bench.fetch(device());
    EXPECT_TRUE(bench.cached(device()));
    ScalableRootTable<TableBench> other(bench);
    bench.use(other.base(), rtaddr::ttm_scalable);
    EXPECT_FALSE(bench.cached(device()));
    EXPECT_EQ(bench.fetch(device()).reason, 0x39);
}

struct PasidCache : ScalableMode {
    Configuration ask(std::uint32_t pasid) { return bench.ask(process(pasid)); }
    bool cached(std::uint32_t pasid) { return bench.cached(process(pasid)); }
};

TEST_F(PasidCache, IsApartFromTheContextCache) {
    bench.parameters.context_latency = 7000;
    bench.parameters.pasid_latency = 500;
    ask(78);
    EXPECT_TRUE(cached(78));
    EXPECT_EQ(bench.taken, 7500u);
    EXPECT_TRUE(cached(78));
    EXPECT_EQ(bench.taken, 7500u);
    EXPECT_EQ(bench.configurations().context_statistics().hits, 2u);
    EXPECT_EQ(bench.configurations().context_statistics().misses, 1u);
    EXPECT_EQ(bench.configurations().pasid_statistics().hits, 2u);
    EXPECT_EQ(bench.configurations().pasid_statistics().misses, 1u);
    EXPECT_FALSE(cached(77));
    EXPECT_EQ(bench.configurations().context_statistics().hits, 3u);
    EXPECT_EQ(bench.configurations().pasid_statistics().misses, 2u);
    bench.configurations().invalidate_contexts();
    const std::uint64_t before = bench.reads();
    ask(78);
    EXPECT_EQ(bench.reads() - before, 2u) << "root and context only";
    bench.configurations().invalidate_pasids();
    ask(78);
    EXPECT_EQ(bench.reads() - before, 4u) << "directory and PASID entry";
    bench.configurations().invalidate_all();
    ask(78);
    EXPECT_EQ(bench.reads() - before, 8u);
}

TEST_F(PasidCache, ARequestWithThePasidOfRidPasidSharesItsEntry) {
    bench.ask(device());
    EXPECT_TRUE(cached(77));
}

TEST_F(PasidCache, DevicesAreApart) {
    root.set(lower_source, good);
    ask(78);
    EXPECT_FALSE(bench.cached(process(78, lower_source)));
    bench.ask(process(78, lower_source));
    bench.configurations().invalidate_contexts_of_source(lower_source, 0, 0);
    EXPECT_FALSE(bench.cached(process(78, lower_source)));
    EXPECT_TRUE(cached(78));
}

TEST_F(PasidCache, InvalidationsReachExactlyWhatTheyName) {
    pasids.set(79, first_stage_pasid(0x6000, 0x12));
    for (const std::uint32_t pasid : {77u, 78u, 79u})
        ask(pasid);
    bench.configurations().invalidate_pasid(0x12, 77);
    bench.configurations().invalidate_pasid(0x11, 78);
    for (const std::uint32_t pasid : {77u, 78u, 79u})
        EXPECT_TRUE(cached(pasid));
    bench.configurations().invalidate_pasid(0x12, 78);
    EXPECT_FALSE(cached(78));
    EXPECT_TRUE(cached(79));
    ask(78);
    bench.configurations().invalidate_pasids_of_domain(0x12);
    EXPECT_FALSE(cached(78));
    EXPECT_FALSE(cached(79));
    EXPECT_TRUE(cached(77));
}

TEST_F(PasidCache, ADomainSelectiveContextInvalidationDropsAllScalableContexts) {
    ask(78);
    bench.configurations().invalidate_contexts_of_domain(0x99);
    EXPECT_FALSE(cached(78));
}

TEST_F(PasidCache, OnlyCachingModeKeepsEntriesThatAreNotPresent) {
    EXPECT_EQ(ask(80).reason, 0x59);
    EXPECT_FALSE(cached(80));
    pasids.set(80, first_stage_pasid(0x6000, 0x12));
    EXPECT_EQ(ask(80).kind, Kind::first_stage);
}

TEST_F(PasidCache, InCachingModeAnInvalidationOfThePasidInAnyDomainReachesThem) {
    bench.features.caching_mode = true;
    EXPECT_EQ(ask(80).reason, 0x59);
    EXPECT_EQ(ask(81).reason, 0x59);
    ASSERT_TRUE(cached(80));
    pasids.set(80, first_stage_pasid(0x6000, 0x12));
    EXPECT_EQ(ask(80).reason, 0x59);
    bench.configurations().invalidate_pasid(0x12, 80);
    EXPECT_EQ(ask(80).kind, Kind::first_stage);
    EXPECT_TRUE(cached(81));
    bench.configurations().invalidate_pasids_of_domain(0x12);
    EXPECT_FALSE(cached(81));
}

TEST_F(PasidCache, AFillInBetweenDoesNotDisturbWhatIsFound) {
    bench.parameters.pasid_entries = 1;
    bench.parameters.pasid_ways = 1;
    ask(77);
    EXPECT_TRUE(cached(77));
    ask(78); // takes the only place
    EXPECT_FALSE(cached(77));
    EXPECT_TRUE(cached(78));
}

TEST_F(PasidCache, FetchesShareALimitedNumberOfSlots) {
    bench.parameters.configuration_slots = 1;
    Configuration results[2];
    const bool stale = false;
    bench.fetch_timed(process(77), results[0], stale).start(bench.queue, 0);
    bench.fetch_timed(process(77), results[1], stale).start(bench.queue, 0);
    bench.run();
    EXPECT_EQ(results[1].domain, 0x11);
    EXPECT_EQ(bench.reads(), 4u) << "the second finds what the first has fetched";
    EXPECT_EQ(bench.configurations().stalls().count, 1u);
}

} // namespace
} // namespace iommusim::vtd::test
