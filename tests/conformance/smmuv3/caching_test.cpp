// What is kept, how it is tagged, and exactly what each invalidation removes (sections 3.17, 4.3, 4.4).
#include "tests/conformance/smmuv3/smmu_bench.h"

#include <gtest/gtest.h>

namespace iommusim::smmuv3::test {
namespace {

using namespace spec;

constexpr std::uint64_t page = 0x12'3456'7000;
constexpr std::uint64_t output = 0x4000'0000;

/// Streams 1 and 2 share ASID 10 and a table; stream 3 has ASID 20 and its own. Every table maps the page,
/// the page behind it, a global page two pages on, and a 2 MiB block.
struct Caching : testing::Test {
    static constexpr std::uint64_t next_page = page + 0x1000;
    static constexpr std::uint64_t global_page = page + 0x2000;
    static constexpr std::uint64_t block = 0x12'4000'0000;

    SmmuBench bench;
    PageTable shared{bench};
    PageTable own{bench};
    std::uint64_t cd_of_1 = bench.attach(1, shared.root(), 10);

    Caching() {
        bench.set_ste(2, ste_stage_1(cd_of_1));
        bench.attach(3, own.root(), 20);
        for (PageTable* table : {&shared, &own}) {
            const std::uint64_t base = output + (table == &own ? 0x1000'0000 : 0);
            table->map(page, base);
            table->map(next_page, base + 0x1000);
            table->map(global_page, base + 0x2000, 3, leaf_global);
            table->map(block, 0x8000'0000, 2);
        }
    }
    void fill() {
        for (std::uint32_t stream = 1; stream <= 3; ++stream)
            for (const std::uint64_t address : {page, next_page, global_page, block})
                ASSERT_TRUE(bench.read(SmmuBench::stream(stream), address).ok());
    }
    /// Whether a TLB still serves the address; the access itself fills it again.
    bool cached(std::uint32_t stream, std::uint64_t address) {
        const std::string by = bench.served_by(SmmuBench::stream(stream), address);
        EXPECT_NE(by, "") << "refused";
        return by != "walk";
    }
    std::uint64_t reads_of_walk(std::uint32_t stream, std::uint64_t address) {
        const std::uint64_t before = bench.counter("iommu.walk_reads");
        EXPECT_TRUE(bench.read(SmmuBench::stream(stream), address).ok());
        return bench.counter("iommu.walk_reads") - before;
    }
};

TEST_F(Caching, EveryPageIsServedByATlbOnceItWasWalked) {
    fill();
    for (std::uint32_t stream = 1; stream <= 3; ++stream)
        for (const std::uint64_t address : {page, next_page, global_page, block})
            EXPECT_TRUE(cached(stream, address));
}

TEST_F(Caching, TwoStreamsWithTheSameAddressesAlternateWithoutDisturbingEachOther) {
    fill();
    const std::uint64_t walks = bench.counter("iommu.walks");
    for (unsigned i = 0; i < 100; ++i) {
        bench.read(SmmuBench::stream(i % 2 ? 1 : 3), page);
        EXPECT_EQ(bench.probe.translations.back().output_address, output + (i % 2 ? 0 : 0x1000'0000));
    }
    EXPECT_EQ(bench.counter("iommu.walks"), walks);
}

TEST_F(Caching, NhVaRemovesThePageOfItsAsidAndNothingElse) {
    fill();
    bench.execute_and_sync(tlbi_va(10, page));
    EXPECT_FALSE(cached(1, page));
    EXPECT_FALSE(cached(2, page));
    EXPECT_TRUE(cached(3, page));
    EXPECT_TRUE(cached(1, next_page));
    EXPECT_TRUE(cached(1, block));
}

TEST_F(Caching, NhVaRemovesAGlobalPageWhateverAsidItNames) {
    fill();
    bench.execute_and_sync(tlbi_va(99, global_page));
    EXPECT_FALSE(cached(1, global_page));
    EXPECT_FALSE(cached(3, global_page));
    EXPECT_TRUE(cached(1, page));
}

TEST_F(Caching, NhVaOfAnotherAsidRemovesNothing) {
    fill();
    bench.execute_and_sync(tlbi_va(99, page));
    EXPECT_TRUE(cached(1, page));
    EXPECT_TRUE(cached(3, page));
}

TEST_F(Caching, NhVaaRemovesThePageOfEveryAsid) {
    fill();
    bench.execute_and_sync(tlbi_vaa(page));
    for (std::uint32_t stream = 1; stream <= 3; ++stream)
        EXPECT_FALSE(cached(stream, page));
    EXPECT_TRUE(cached(1, next_page));
    EXPECT_TRUE(cached(3, global_page));
}

TEST_F(Caching, NhAsidRemovesItsPagesButNoGlobalOne) {
    fill();
    bench.execute_and_sync(tlbi_asid(10));
    EXPECT_FALSE(cached(1, page));
    EXPECT_FALSE(cached(2, next_page));
    EXPECT_FALSE(cached(1, block));
    EXPECT_TRUE(cached(1, global_page));
    EXPECT_TRUE(cached(3, page));
}

TEST_F(Caching, NhAllAndNsnhAllRemoveEverything) {
    for (const unsigned op : {opcode::tlbi_nh_all, opcode::tlbi_nsnh_all}) {
        fill();
        bench.execute_and_sync(command(op));
        for (std::uint32_t stream = 1; stream <= 3; stream += 2)
            for (const std::uint64_t address : {page, next_page, global_page, block})
                EXPECT_FALSE(cached(stream, address));
    }
}

TEST_F(Caching, TheAddressOfANonRangeInvalidationNeedNotBeAligned) {
    fill();
    bench.execute_and_sync(tlbi_va(10, block + 0x12'3000));
    EXPECT_FALSE(cached(1, block));
    EXPECT_TRUE(cached(1, page));
}

TEST_F(Caching, ARangeRemovesWhatItCoversAndKeepsTheNeighbours) {
    for (unsigned i = 0; i < 32; ++i)
        shared.map(0x5000'0000 + i * 0x1000, output + i * 0x1000);
    for (const auto& [num, scale, pages] :
         {std::tuple{4u, 0u, 5u}, std::tuple{0u, 3u, 8u}, std::tuple{2u, 2u, 12u}}) {
        for (unsigned i = 0; i < 32; ++i)
            bench.read(SmmuBench::stream(1), 0x5000'0000 + i * 0x1000);
        bench.execute_and_sync(tlbi_range(10, 0x5000'8000, num, scale));
        for (unsigned i = 0; i < 32; ++i)
            EXPECT_EQ(cached(1, 0x5000'0000 + i * 0x1000), i < 8 || i >= 8 + pages)
                << pages << " pages, page " << i;
    }
}

TEST_F(Caching, ARangeWithALevelHintRemovesOnlyLeavesOfThatLevel) {
    fill();
    bench.execute_and_sync(tlbi_range(10, block, 0, 9, 3));
    EXPECT_TRUE(cached(1, block)) << "a block is a level 2 entry";
    bench.execute_and_sync(tlbi_range(10, block, 0, 9, 2));
    EXPECT_FALSE(cached(1, block));
    bench.execute_and_sync(tlbi_range(10, page, 0, 0, 3));
    EXPECT_FALSE(cached(1, page));
    EXPECT_TRUE(cached(1, next_page));
}

TEST_F(Caching, ARangeUpToTheTopOfTheAddressSpaceDoesNotWrap) {
    fill();
    const Command top = tlbi_range(10, ~0ull << 12, 31, 31);
    bench.execute_and_sync(top);
    EXPECT_TRUE(cached(1, page));
    EXPECT_TRUE(cached(1, block));
}

TEST_F(Caching, ARangeThatIsLargerThanTheCachesStillWorks) {
    fill();
    bench.execute_and_sync(tlbi_range(10, 0, 31, 20)); // 128 GiB
    EXPECT_FALSE(cached(1, page));
    EXPECT_FALSE(cached(1, block));
    EXPECT_TRUE(cached(3, page));
}

TEST_F(Caching, LeafInvalidationsKeepTableDescriptorsAndOthersDoNot) {
    fill();
    bench.execute_and_sync(tlbi_va(10, page, true));
    EXPECT_EQ(reads_of_walk(1, page), 1u);
    bench.execute_and_sync(tlbi_va(10, page, false));
    EXPECT_EQ(reads_of_walk(1, page), 4u);
    bench.execute_and_sync(tlbi_vaa(page, false));
    EXPECT_EQ(reads_of_walk(1, page), 4u);
    bench.execute_and_sync(tlbi_asid(10));
    EXPECT_EQ(reads_of_walk(1, page), 4u);
}

TEST_F(Caching, ATableInvalidationWithALevelHintKeepsTablesOfThatLevelAndBelow) {
    fill();
    bench.execute_and_sync(tlbi_range(10, page & ~0x1f'ffffull, 0, 9, 2, false));
    bench.execute_and_sync(tlbi_va(10, page, true));
    EXPECT_EQ(reads_of_walk(1, page), 1u) << "the level 2 table descriptor stays";
    bench.execute_and_sync(tlbi_range(10, page, 0, 0, 3, false));
    EXPECT_EQ(reads_of_walk(1, page), 4u);
}

TEST_F(Caching, WalkCachesAreTaggedWithTheAsid) {
    bench.read(SmmuBench::stream(1), page);
    EXPECT_EQ(reads_of_walk(1, next_page), 1u);
    EXPECT_EQ(reads_of_walk(2, page), 1u) << "another stream of the same ASID shares them";
    EXPECT_EQ(reads_of_walk(3, page), 4u);
}

TEST_F(Caching, WithoutRangeInvalidationTheRangeFieldsAreIgnored) {
    start_new_simulation();
    BenchOptions options;
    options.parameters.range_invalidation = 0;
    SmmuBench old(options);
    PageTable table(old);
    old.attach(1, table.root(), 10);
    table.map(page, output);
    table.map(page + 0x1000, output);
    old.read(SmmuBench::stream(1), page);
    old.read(SmmuBench::stream(1), page + 0x1000);
    old.execute_and_sync(tlbi_range(10, page, 5, 0, 2));
    EXPECT_EQ(old.served_by(SmmuBench::stream(1), page), "walk");
    EXPECT_NE(old.served_by(SmmuBench::stream(1), page + 0x1000), "walk");
    old.execute_and_sync(tlbi_range(10, page, 0, 0, 0));
    EXPECT_EQ(old.consumer(), old.producer()) << "not illegal: these bits mean nothing here";
}

// ---- configuration

TEST_F(Caching, ConfigurationIsNotReadAgainUntilItIsInvalidated) {
    fill();
    bench.set_ste(1, ste_abort());
    EXPECT_TRUE(bench.read(SmmuBench::stream(1), page).ok());
    EXPECT_TRUE(bench.read(SmmuBench::stream(1), 0x12'3456'8000).ok());
    bench.execute_and_sync(cfgi_ste(1));
    EXPECT_FALSE(bench.read(SmmuBench::stream(1), page).ok());
    EXPECT_TRUE(bench.read(SmmuBench::stream(2), page).ok());
    EXPECT_TRUE(bench.take_events().empty());
}

struct ConfigurationCase {
    const char* name;
    Command command;
    bool stream_1;
    bool stream_2;
    bool stream_3;
};

class ConfigurationInvalidation : public Caching, public testing::WithParamInterface<ConfigurationCase> {};

TEST_P(ConfigurationInvalidation, ReachesExactlyTheStreamsThatItNames) {
    fill();
    const std::uint64_t before = bench.counter("iommu.configuration.misses");
    bench.execute_and_sync(GetParam().command);
    const bool expected[] = {GetParam().stream_1, GetParam().stream_2, GetParam().stream_3};
    std::uint64_t misses = before;
    for (std::uint32_t stream = 1; stream <= 3; ++stream) {
        bench.read(SmmuBench::stream(stream), 0x7fff'f000); // not mapped: asks for the configuration
        const std::uint64_t now_missed = bench.counter("iommu.configuration.misses");
        EXPECT_EQ(now_missed != misses, expected[stream - 1]) << "stream " << stream;
        misses = now_missed;
    }
}

INSTANTIATE_TEST_SUITE_P(
    Commands, ConfigurationInvalidation,
    testing::Values(ConfigurationCase{"Ste", cfgi_ste(1), true, false, false},
                    ConfigurationCase{"SteNotLeaf", cfgi_ste(1, false), true, false, false},
                    ConfigurationCase{"SteRangeOfTwo", cfgi_ste_range(3, 0), false, true, true},
                    ConfigurationCase{"SteRangeOfFour", cfgi_ste_range(2, 1), true, true, true},
                    ConfigurationCase{"SteRangeElsewhere", cfgi_ste_range(8, 2), false, false, false},
                    ConfigurationCase{"SteRangeOfManyElsewhere", cfgi_ste_range(0x8000, 9), true, true, true},
                    ConfigurationCase{"All", cfgi_all(), true, true, true},
                    ConfigurationCase{"Cd", cfgi_cd(2), false, true, false},
                    ConfigurationCase{"CdOfAnotherSubstream", cfgi_cd(2, 1), false, false, false},
                    ConfigurationCase{"CdAll", cfgi_cd_all(3), false, false, true},
                    ConfigurationCase{"NoTlbInvalidation", tlbi_all(), false, false, false}),
    [](const auto& tested) { return tested.param.name; });

TEST_F(Caching, CfgiCdReachesOneSubstreamAndCfgiCdAllEveryOne) {
    const std::uint64_t table = bench.allocate(4 * cd::bytes, 4 * cd::bytes);
    for (unsigned i = 0; i < 4; ++i)
        bench.poke(table + i * cd::bytes, cd_for(shared.root(), 30 + i));
    bench.set_ste(4, ste_stage_1(table).with(ste::s1cdmax, 2).with(ste::s1dss, ste::s1dss_terminate));
    const auto use = [&](std::uint32_t substream) {
        return bench.read(SmmuBench::substream(4, substream), page).ok();
    };
    EXPECT_TRUE(use(1) && use(2));
    for (unsigned i = 0; i < 4; ++i)
        bench.poke(table + i * cd::bytes, Cd());
    EXPECT_TRUE(use(1) && use(2));
    bench.execute_and_sync(cfgi_cd(4, 1));
    EXPECT_FALSE(use(1));
    EXPECT_TRUE(use(2));
    bench.execute_and_sync(cfgi_cd_all(4));
    EXPECT_FALSE(use(2));
}

TEST_F(Caching, AFailedFetchIsNotKept) {
    const auto failing = bench.faults().fail(soc::AccessKind::read, bench.ste_address(1), 64);
    EXPECT_FALSE(bench.read(SmmuBench::stream(1), page).ok());
    bench.faults().remove(failing);
    EXPECT_TRUE(bench.read(SmmuBench::stream(1), page).ok());
}

TEST_F(Caching, DisablingTheUnitKeepsTheCaches) {
    fill();
    bench.set_cr0(cr0::cmdqen.mask() | cr0::eventqen.mask());
    EXPECT_EQ(bench.read(SmmuBench::stream(1), output).status, tlm::TLM_OK_RESPONSE) << "bypass";
    bench.set_cr0(SmmuBench::all_enables);
    EXPECT_TRUE(cached(1, page));
}

TEST_F(Caching, PagesThatRefuseAnAccessMayBeKeptAndStillServeWhatTheyAllow) {
    shared.map(0x7000'0000, output, 3, leaf_ro);
    EXPECT_FALSE(bench.write(SmmuBench::stream(1), 0x7000'0000, pattern(1)).ok());
    EXPECT_TRUE(bench.read(SmmuBench::stream(1), 0x7000'0000).ok());
    EXPECT_EQ(bench.served_by(SmmuBench::stream(1), 0x7000'0000), "micro-TLB");
    EXPECT_FALSE(bench.write(SmmuBench::stream(1), 0x7000'0000, pattern(1)).ok())
        << "a hit checks permissions too";
}

TEST_F(Caching, TheSharedTlbOfTheTcuObeysTheSameInvalidations) {
    start_new_simulation();
    BenchOptions options;
    options.parameters.tcu_tlb_entries = 64;
    options.parameters.tlb_entries = 0;
    options.parameters.micro_tlb_entries = 0;
    SmmuBench tcu(options);
    PageTable table(tcu);
    tcu.attach(1, table.root(), 10);
    tcu.attach(2, table.root(), 20);
    table.map(page, output);
    table.map(page + 0x1000, output, 3, leaf_global);
    const auto walked = [&](std::uint32_t stream, std::uint64_t address) {
        const std::uint64_t before = tcu.counter("iommu.walks");
        EXPECT_TRUE(tcu.read(SmmuBench::stream(stream), address).ok());
        return tcu.counter("iommu.walks") != before;
    };
    const auto fill_all = [&] {
        for (std::uint32_t stream : {1u, 2u}) {
            walked(stream, page);
            walked(stream, page + 0x1000);
        }
    };
    EXPECT_TRUE(walked(1, page));
    EXPECT_FALSE(walked(1, page));
    EXPECT_TRUE(walked(2, page)) << "another ASID";
    EXPECT_TRUE(walked(1, page + 0x1000));
    EXPECT_FALSE(walked(2, page + 0x1000)) << "global";
    tcu.execute_and_sync(tlbi_va(10, page));
    EXPECT_TRUE(walked(1, page));
    EXPECT_FALSE(walked(2, page));
    fill_all();
    tcu.execute_and_sync(tlbi_va(99, page + 0x1000));
    EXPECT_TRUE(walked(2, page + 0x1000));
    fill_all();
    tcu.execute_and_sync(tlbi_asid(10));
    EXPECT_TRUE(walked(1, page));
    EXPECT_FALSE(walked(1, page + 0x1000));
    EXPECT_FALSE(walked(2, page));
    tcu.execute_and_sync(tlbi_all());
    EXPECT_TRUE(walked(2, page));
    EXPECT_TRUE(walked(1, page + 0x1000));
}

TEST_F(Caching, EveryDevicePortObeysAnInvalidation) {
    start_new_simulation();
    BenchOptions options;
    options.parameters.device_ports = 3;
    SmmuBench ports(options);
    PageTable table(ports);
    ports.attach(1, table.root(), 10);
    table.map(page, output);
    for (unsigned port = 0; port < 3; ++port) {
        EXPECT_EQ(ports.served_by(SmmuBench::stream(1), page, port), "walk");
        EXPECT_EQ(ports.served_by(SmmuBench::stream(1), page, port), "micro-TLB");
    }
    ports.execute_and_sync(tlbi_va(10, page));
    for (unsigned port = 0; port < 3; ++port)
        EXPECT_EQ(ports.served_by(SmmuBench::stream(1), page, port), "walk");
    ports.execute_and_sync(cfgi_ste(1));
    for (unsigned port = 0; port < 3; ++port)
        EXPECT_EQ(ports.served_by(SmmuBench::stream(1), page, port), "walk");
}

TEST_F(Caching, AnEvictionCostsOneEntryAndNotTheWholeCache) {
    start_new_simulation();
    BenchOptions options;
    options.parameters.micro_tlb_entries = 0;
    options.parameters.tlb_entries = 16;
    options.parameters.tlb_ways = 0;
    SmmuBench small(options);
    PageTable table(small);
    small.attach(1, table.root(), 10);
    for (unsigned i = 0; i < 17; ++i) {
        table.map(page + i * 0x1000, output);
        small.read(SmmuBench::stream(1), page + i * 0x1000);
    }
    unsigned alive = 0;
    for (unsigned i = 1; i < 17; ++i)
        alive += small.served_by(SmmuBench::stream(1), page + i * 0x1000) == "main TLB";
    EXPECT_EQ(alive, 16u);
}

TEST_F(Caching, EqualMissesWalkOnce) {
    const std::uint64_t before = bench.counter("iommu.walks");
    std::vector<const Dma*> dmas;
    for (unsigned i = 0; i < 8; ++i)
        dmas.push_back(&bench.begin_read(SmmuBench::stream(1), page + i * 64));
    bench.settle();
    for (const Dma* dma : dmas)
        EXPECT_TRUE(dma->ok());
    EXPECT_EQ(bench.counter("iommu.walks") - before, 1u);
}

} // namespace
} // namespace iommusim::smmuv3::test
