// What the caches keep apart, and what each invalidation removes (the tables of invalidation effects).
#include "tests/conformance/vtd/vtd_bench.h"

#include <gtest/gtest.h>

namespace iommusim::vtd::test {
namespace {

using namespace spec;

constexpr std::uint64_t page = 0x12'3456'7000;
constexpr std::uint64_t next_page = page + 0x1000;
constexpr std::uint64_t block = 0x12'4000'0000; ///< of 2 MiB
constexpr std::uint64_t output = 0x4000'0000;

class Caching : public testing::Test {
protected:
    void build(std::uint64_t mode, void (*change)(Parameters&) = nullptr) {
        start_new_simulation();
        BenchOptions options;
        options.mode = mode;
        if (change)
            change(options.parameters);
        bench.emplace(options);
    }
    bool cached(const Requester& device, std::uint64_t address) {
        return bench->served_by(device, address) == "IOTLB";
    }
    void invalidate(const Descriptor& descriptor) { EXPECT_TRUE(bench->execute_and_wait(descriptor)); }
    std::uint64_t table_reads() { return bench->counter("iommu.walk_reads"); }
    /// Table entries read for an access that is not in the IOTLB.
    std::uint64_t reads_of(const Requester& device, std::uint64_t address) {
        const std::uint64_t before = table_reads();
        EXPECT_EQ(bench->served_by(device, address), "walk");
        return table_reads() - before;
    }

    std::optional<VtdBench> bench;
};

// ---- second stage, legacy mode

class SecondStage : public Caching {
protected:
    SecondStage() {
        build(rtaddr::ttm_legacy);
        table.emplace(bench->second_stage_table());
        other.emplace(bench->second_stage_table());
        for (const std::uint64_t at : {page, next_page}) {
            table->map(at, output + (at - page), second_rw);
            other->map(at, output + 0x8000 + (at - page), second_rw);
        }
        table->map(block, 0x6000'0000, second_rw, 2);
        bench->attach(5, *table, 7);
        bench->attach(6, *other, 8);
        for (const std::uint64_t at : {page, next_page, block}) {
            bench->read(requester(5), at);
            bench->read(requester(6), at);
        }
        bench->take_faults();
    }
    std::optional<VtdBench::Table> table;
    std::optional<VtdBench::Table> other;
};

TEST_F(SecondStage, TheSameAddressOfTwoDomainsIsTwoEntries) {
    EXPECT_TRUE(cached(requester(5), page));
    EXPECT_EQ(bench->probe.translations.back().output_address, output);
    EXPECT_TRUE(cached(requester(6), page));
    EXPECT_EQ(bench->probe.translations.back().output_address, output + 0x8000);
}

TEST_F(SecondStage, DevicesOfOneDomainShareTheirEntries) {
    bench->attach(0x18, *table, 7);
    EXPECT_TRUE(cached(requester(0x18), page));
}

TEST_F(SecondStage, ADomainSelectiveInvalidationRemovesThatDomain) {
    invalidate(iotlb_domain(7));
    EXPECT_FALSE(cached(requester(5), page));
    EXPECT_FALSE(cached(requester(5), block));
    EXPECT_TRUE(cached(requester(6), page));
}

TEST_F(SecondStage, AGlobalInvalidationRemovesEverything) {
    invalidate(iotlb_global());
    EXPECT_FALSE(cached(requester(5), page));
    EXPECT_FALSE(cached(requester(6), page));
}

TEST_F(SecondStage, APageSelectiveInvalidationRemovesThePagesOfItsMask) {
    invalidate(iotlb_pages(7, page));
    EXPECT_TRUE(cached(requester(5), next_page));
    EXPECT_TRUE(cached(requester(6), page));
    EXPECT_FALSE(cached(requester(5), page));
    // Four pages around an address that is aligned to none of them.
    invalidate(iotlb_pages(8, page, 4));
    EXPECT_FALSE(cached(requester(6), page));
    invalidate(iotlb_pages(8, page & ~0xffffull, 4));
    EXPECT_FALSE(cached(requester(6), page));
    EXPECT_TRUE(cached(requester(5), page));
}

TEST_F(SecondStage, ALargePageGoesThroughAnyOfItsAddresses) {
    invalidate(iotlb_pages(7, block + 0x15'5000));
    EXPECT_FALSE(cached(requester(5), block));
    invalidate(iotlb_pages(7, block + 0x20'0000 - 0x4000, 2));
    EXPECT_FALSE(cached(requester(5), block));
    invalidate(iotlb_pages(7, block + 0x20'0000));
    EXPECT_TRUE(cached(requester(5), block));
}

TEST_F(SecondStage, TheHintKeepsThePagingStructureCaches) {
    invalidate(iotlb_pages(7, page, 0, true));
    EXPECT_EQ(reads_of(requester(5), page), 1u);
    invalidate(iotlb_pages(7, page, 0, false));
    EXPECT_EQ(reads_of(requester(5), page), 4u);
    invalidate(iotlb_pages(7, page + 0x40'0000, 0, false)); // under another level-2 entry
    EXPECT_TRUE(cached(requester(5), page));
    invalidate(iotlb_pages(7, page, 0, true));
    EXPECT_EQ(reads_of(requester(5), page), 1u) << "what is nearest to the page stays";
    invalidate(iotlb_domain(7));
    EXPECT_EQ(reads_of(requester(5), page), 4u);
}

TEST_F(SecondStage, APageThatWasReadOnlyIsLookedUpAgainForAWrite) {
    table->map(page + 0x8000, output, second_ro);
    EXPECT_TRUE(bench->read(requester(5), page + 0x8000).ok());
    table->map(page + 0x8000, output, second_rw);
    EXPECT_TRUE(bench->write(requester(5), page + 0x8000, pattern(1)).ok())
        << "more rights need no invalidation";
}

TEST_F(SecondStage, AWaitDoesNotWaitForReadsThatNeedNoDraining) {
    const auto hold = bench->faults().hold(soc::AccessKind::read, output, 4096);
    bench->begin_read(requester(5), page);
    bench->settle();
    EXPECT_TRUE(bench->execute_and_wait(iotlb_pages(7, page).with(iotlb_inv::dr, 0)));
    EXPECT_FALSE(bench->execute_and_wait(iotlb_pages(7, page)));
    bench->faults().release(hold);
    bench->settle();
    EXPECT_EQ(bench->completed_waits(), 2u);
}

// ---- contexts

TEST_F(SecondStage, AContextEntryIsUsedUntilItIsInvalidated) {
    const struct {
        Descriptor descriptor;
        bool removes;
    } cases[] = {{cc_device(7, 6), false}, {cc_device(7, 5), true}, {cc_domain(9), false},
                 {cc_domain(7), true},     {cc_global(), true},     {iotlb_global(), false}};
    unsigned number = 0;
    for (const auto& c : cases) {
        SCOPED_TRACE(number++);
        bench->attach(5, *table, 7);
        invalidate(cc_global());
        bench->read(requester(5), page);
        bench->roots.set(5, ContextEntry());
        invalidate(c.descriptor);
        EXPECT_EQ(bench->read(requester(5), page).ok(), !c.removes);
    }
}

TEST_F(SecondStage, TheFunctionMaskNamesSeveralFunctions) {
    bench->roots.set(5, ContextEntry());
    bench->roots.set(6, ContextEntry());
    bench->execute({cc_device(7, 1).with(cc_inv::fm, 1), cc_device(8, 1).with(cc_inv::fm, 1)});
    EXPECT_FALSE(bench->read(requester(5), page).ok()) << "functions 1 and 5";
    EXPECT_TRUE(bench->read(requester(6), page).ok());
    bench->execute(cc_device(8, 0).with(cc_inv::fm, 3));
    EXPECT_FALSE(bench->read(requester(6), page).ok());
}

// ---- scalable mode

class PasidTagged : public Caching {
protected:
    static constexpr std::uint32_t first_pasid = 1;
    static constexpr std::uint32_t same_domain = 2; ///< first stage
    static constexpr std::uint32_t second_pasid = 3;
    static constexpr std::uint32_t other_domain = 4; ///< first stage
    static constexpr std::uint32_t nested_pasid_number = 5;

    void make(void (*change)(Parameters&) = nullptr) {
        build(rtaddr::ttm_scalable, change);
        first.emplace(bench->first_stage_table());
        second.emplace(bench->second_stage_table());
        guest.emplace(*bench, *second);
        guest_first.emplace(*guest, 4, first_rw | first_stage::a.make(1));
        first->map(page, output, first_used);
        first->map(next_page, output + 0x1000, first_used);
        first->map(page + 0x2000, output + 0x2000, first_used | first_stage::g.make(1));
        second->map(page, output + 0x8000, second_rw);
        second->map(next_page, output + 0x9000, second_rw);
        guest_first->map(page, next_page, first_used);
        bench->pasids(5).set(first_pasid, first_stage_pasid(first->root(), 7));
        bench->pasids(5).set(same_domain, first_stage_pasid(first->root(), 7));
        bench->pasids(5).set(second_pasid, second_stage_pasid(second->root(), 7));
        bench->pasids(5).set(other_domain, first_stage_pasid(first->root(), 8));
        bench->pasids(5).set(nested_pasid_number, nested_pasid(guest_first->root(), second->root(), 7));
        fill();
    }
    void fill() {
        for (std::uint32_t pasid = 1; pasid <= 5; ++pasid) {
            bench->read(requester(5, pasid), page);
            if (pasid != nested_pasid_number)
                bench->read(requester(5, pasid), next_page);
        }
    }
    struct Left {
        bool first, same_domain, second, other_domain, nested;
    };
    /// Which of the entries of `page` a descriptor leaves.
    void expect_left(const Descriptor& descriptor, const Left& left) {
        fill();
        invalidate(descriptor);
        EXPECT_EQ(cached(requester(5, first_pasid), page), left.first);
        EXPECT_EQ(cached(requester(5, same_domain), page), left.same_domain);
        EXPECT_EQ(cached(requester(5, second_pasid), page), left.second);
        EXPECT_EQ(cached(requester(5, other_domain), page), left.other_domain);
        EXPECT_EQ(cached(requester(5, nested_pasid_number), page), left.nested);
    }

    std::optional<VtdBench::Table> first;
    std::optional<VtdBench::Table> second;
    std::optional<GuestMemory<VtdBench>> guest;
    std::optional<PageTable<GuestMemory<VtdBench>>> guest_first;
};

TEST_F(PasidTagged, APasidSelectiveInvalidationLeavesOtherPasidsAndTheSecondStage) {
    make();
    expect_left(p_iotlb_pasid(7, first_pasid), {false, true, true, true, true});
    expect_left(p_iotlb_pasid(7, nested_pasid_number), {true, true, true, true, false});
    expect_left(p_iotlb_pasid(7, second_pasid), {true, true, true, true, true});
    expect_left(p_iotlb_pasid(8, other_domain), {true, true, true, false, true});
}

TEST_F(PasidTagged, APageSelectiveInvalidationOfAPasidLeavesTheSecondStageAndOtherPages) {
    make();
    expect_left(p_iotlb_pages(7, first_pasid, page), {false, true, true, true, true});
    expect_left(p_iotlb_pages(7, first_pasid, next_page), {true, true, true, true, true});
    expect_left(p_iotlb_pages(7, second_pasid, page), {true, true, true, true, true});
    expect_left(p_iotlb_pages(7, nested_pasid_number, page), {true, true, true, true, false});
}

TEST_F(PasidTagged, ASecondStagePageTakesEveryFirstStageEntryOfItsDomainWithIt) {
    make();
    expect_left(iotlb_pages(7, page), {false, false, false, true, false});
    expect_left(iotlb_pages(7, 0x7000'0000), {false, false, true, true, false});
    expect_left(iotlb_pages(9, page), {true, true, true, true, true});
    expect_left(iotlb_domain(7), {false, false, false, true, false});
    expect_left(iotlb_global(), {false, false, false, false, false});
}

TEST_F(PasidTagged, TheHintKeepsThePagingStructureCachesOfTheFirstStage) {
    make();
    invalidate(p_iotlb_pages(7, first_pasid, page, 0, true));
    EXPECT_EQ(reads_of(requester(5, first_pasid), page), 1u);
    invalidate(p_iotlb_pages(7, first_pasid, page, 0, false));
    EXPECT_EQ(reads_of(requester(5, first_pasid), page), 4u);
    invalidate(iotlb_pages(7, 0x7000'0000, 0, true)); // all of the first stage goes, hint or not
    EXPECT_EQ(reads_of(requester(5, first_pasid), page), 4u);
}

TEST_F(PasidTagged, AGlobalPageStaysWhenItsPasidIsInvalidatedButNotItself) {
    make();
    const Requester process = requester(5, first_pasid);
    const std::uint64_t global_page = page + 0x2000;
    bench->read(process, global_page);
    invalidate(p_iotlb_pasid(7, first_pasid));
    EXPECT_TRUE(cached(process, global_page));
    EXPECT_FALSE(cached(process, page));
    EXPECT_FALSE(cached(requester(5, same_domain), global_page)) << "a page of one PASID all the same";
    invalidate(p_iotlb_pages(7, first_pasid, global_page));
    EXPECT_FALSE(cached(process, global_page));
    invalidate(iotlb_domain(7));
    EXPECT_FALSE(cached(process, global_page));
}

TEST_F(PasidTagged, APasidEntryIsUsedUntilItIsInvalidated) {
    make();
    const struct {
        Descriptor descriptor;
        bool removes;
    } cases[] = {{pc_pasid(7, same_domain), false},
                 {pc_pasid(8, first_pasid), false},
                 {pc_pasid(7, first_pasid), true},
                 {pc_domain(8), false},
                 {pc_domain(7), true},
                 {pc_global(), true},
                 {cc_global(), false},
                 {p_iotlb_pasid(7, first_pasid), false}};
    unsigned number = 0;
    for (const auto& c : cases) {
        SCOPED_TRACE(number++);
        bench->pasids(5).set(first_pasid, first_stage_pasid(first->root(), 7));
        invalidate(pc_global());
        bench->read(requester(5, first_pasid), page);
        bench->pasids(5).set(first_pasid, PasidEntry());
        invalidate(c.descriptor);
        EXPECT_EQ(bench->read(requester(5, first_pasid), page).ok(), !c.removes);
    }
}

TEST_F(PasidTagged, ADomainSelectiveContextInvalidationDropsScalableContexts) {
    make();
    bench->scalable_roots.set(5, ScalableContextEntry());
    EXPECT_TRUE(bench->read(requester(5, first_pasid), page).ok());
    invalidate(cc_domain(99)); // the entries name no domain
    EXPECT_FALSE(bench->read(requester(5, first_pasid), page).ok());
}

TEST_F(PasidTagged, AWriteOfAPageThatWasOnlyReadLeavesItsMark) {
    make();
    const std::uint64_t clean = page + 0x3000;
    first->map(clean, output, first_rw);
    bench->read(requester(5, first_pasid), clean);
    EXPECT_EQ(first->get(clean) & first_stage::d.mask(), 0u);
    EXPECT_TRUE(cached(requester(5, first_pasid), clean));
    EXPECT_TRUE(bench->write(requester(5, first_pasid), clean, pattern(1)).ok());
    EXPECT_NE(first->get(clean) & first_stage::d.mask(), 0u);
    const std::uint64_t before = table_reads();
    EXPECT_TRUE(bench->write(requester(5, first_pasid), clean, pattern(2)).ok());
    EXPECT_EQ(table_reads(), before);
}

// ---- caching mode

void with_caching_mode(Parameters& p) { p.caching_mode = 1; }

TEST_F(PasidTagged, InCachingModeAbsenceIsCachedOfTheSecondStageAlone) {
    make(with_caching_mode);
    const std::uint64_t absent = page + 0x10'0000;
    for (const std::uint32_t pasid : {first_pasid, second_pasid, nested_pasid_number})
        EXPECT_FALSE(bench->read(requester(5, pasid), absent).ok());
    first->map(absent, output, first_used);
    second->map(absent, output, second_rw);
    guest_first->map(absent, absent, first_used);
    EXPECT_TRUE(bench->read(requester(5, first_pasid), absent).ok());
    EXPECT_TRUE(bench->read(requester(5, nested_pasid_number), absent).ok());
    EXPECT_FALSE(bench->read(requester(5, second_pasid), absent).ok());
    EXPECT_FALSE(bench->write(requester(5, second_pasid), absent, pattern(1)).ok());
    invalidate(iotlb_pages(7, absent));
    EXPECT_TRUE(bench->read(requester(5, second_pasid), absent).ok());
}

TEST_F(PasidTagged, InCachingModeAnAbsentPasidEntryIsCached) {
    make(with_caching_mode);
    EXPECT_FALSE(bench->read(requester(5, 77), page).ok());
    bench->pasids(5).set(77, first_stage_pasid(first->root(), 7));
    EXPECT_FALSE(bench->read(requester(5, 77), page).ok());
    invalidate(pc_pasid(7, 77));
    EXPECT_TRUE(bench->read(requester(5, 77), page).ok());
}

} // namespace
} // namespace iommusim::vtd::test
