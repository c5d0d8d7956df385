// Register-based invalidation: CCMD, and IVA with IOTLB.
#include "tests/conformance/vtd/invalidation_bench.h"

namespace iommusim::vtd {
namespace {

using namespace spec;

class RegisterInvalidationTest : public testing::Test {
protected:
    void make(void (*change)(InvalidationBenchOptions&) = nullptr) {
        InvalidationBenchOptions options;
        if (change)
            change(options);
        bench.reset(new InvalidationBench(options));
    }
    /// Writes IVA and IOTLB; `fields` without IVT.
    void invalidate(std::uint64_t fields, std::uint64_t address = 0) {
        bench->write(bench->iotlb_register() - 8, address, 8);
        bench->write(bench->iotlb_register(), iotlb::ivt.mask() | fields, 8);
    }
    std::uint64_t iotlb_value() { return bench->read(bench->iotlb_register(), 8); }
    bool busy() { return iotlb::ivt.get(iotlb_value()) != 0; }
    std::uint64_t actual() { return iotlb::iaig.get(iotlb_value()); }
    /// Writes CCMD; `fields` without ICC.
    void invalidate_contexts(std::uint64_t fields) { bench->write(reg::ccmd, ccmd::icc.mask() | fields, 8); }
    std::uint64_t ccmd_value() { return bench->read(reg::ccmd, 8); }

    static constexpr std::uint64_t domain_0x12 = 0x12ull << 32;

    std::unique_ptr<InvalidationBench> bench;
};

TEST_F(RegisterInvalidationTest, IsBusyUntilItHasTakenEffect) {
    make();
    invalidate(iotlb::iirg.make(iotlb::granularity_global));
    EXPECT_TRUE(busy());
    EXPECT_TRUE(bench->target.iotlb.empty());
    InvalidationBench::settle();
    EXPECT_FALSE(busy());
    EXPECT_EQ(actual(), iotlb::granularity_global);
    ASSERT_EQ(bench->target.iotlb.size(), 1u);
    EXPECT_EQ(bench->target.iotlb[0].what.kind, IotlbInvalidation::Kind::global);
    EXPECT_EQ(bench->target.iotlb[0].context.index, ~0u);
    EXPECT_EQ(bench->register_invalidations.performed(), 1u);
}

TEST_F(RegisterInvalidationTest, NamesADomainOrItsPages) {
    make();
    invalidate(iotlb::iirg.make(iotlb::granularity_domain) | domain_0x12);
    InvalidationBench::settle();
    EXPECT_EQ(actual(), iotlb::granularity_domain);
    invalidate(iotlb::iirg.make(iotlb::granularity_page) | domain_0x12, 0x1000'1042);
    InvalidationBench::settle();
    EXPECT_EQ(actual(), iotlb::granularity_page);
    ASSERT_EQ(bench->target.iotlb.size(), 2u);
    EXPECT_EQ(bench->target.iotlb[0].what.kind, IotlbInvalidation::Kind::domain);
    EXPECT_EQ(bench->target.iotlb[0].what.domain, 0x12);
    const IotlbInvalidation& pages = bench->target.iotlb[1].what;
    EXPECT_EQ(pages.kind, IotlbInvalidation::Kind::pages);
    EXPECT_EQ(pages.domain, 0x12);
    EXPECT_EQ(pages.first, 0x1000'0000u);
    EXPECT_EQ(pages.last, 0x1000'3FFFu);
    EXPECT_TRUE(pages.leaf_only);
}

TEST_F(RegisterInvalidationTest, IgnoresAddressBitsBeyondTheGuestAddressWidth) {
    make([](InvalidationBenchOptions& o) {
        o.features.guest_address_bits = 48;
        o.features.second_stage_5_level = false;
    });
    invalidate(iotlb::iirg.make(iotlb::granularity_page), 0xFFFF'0000'0000'5000);
    InvalidationBench::settle();
    ASSERT_EQ(bench->target.iotlb.size(), 1u);
    EXPECT_EQ(bench->target.iotlb[0].what.first, 0x5000u);
}

TEST_F(RegisterInvalidationTest, AnAddressMaskBeyondMamvIsNotPerformed) {
    make();
    invalidate(iotlb::iirg.make(iotlb::granularity_page), bench->features.max_address_mask + 1);
    InvalidationBench::settle();
    EXPECT_FALSE(busy());
    EXPECT_EQ(actual(), iotlb::granularity_none);
    EXPECT_TRUE(bench->target.iotlb.empty());
}

TEST_F(RegisterInvalidationTest, PagesBecomeADomainWithoutPageSelectiveInvalidation) {
    make([](InvalidationBenchOptions& o) {
        o.features.page_selective_invalidation = false;
        o.features.max_address_mask = 0;
    });
    invalidate(iotlb::iirg.make(iotlb::granularity_page) | domain_0x12, 0x1000'0009);
    InvalidationBench::settle();
    EXPECT_EQ(actual(), iotlb::granularity_domain);
    ASSERT_EQ(bench->target.iotlb.size(), 1u);
    EXPECT_EQ(bench->target.iotlb[0].what.kind, IotlbInvalidation::Kind::domain);
}

TEST_F(RegisterInvalidationTest, DrainsWhatItIsAskedToDrain) {
    make();
    InflightTable::Entry& read = bench->begin_access(false);
    InflightTable::Entry& write = bench->begin_access(true);
    invalidate(iotlb::iirg.make(iotlb::granularity_global) | iotlb::dw.mask());
    InvalidationBench::run_for(5_us);
    EXPECT_TRUE(busy());
    bench->end_access(write);
    InvalidationBench::run_for(1_us);
    EXPECT_FALSE(busy());
    invalidate(iotlb::iirg.make(iotlb::granularity_global) | iotlb::dr.mask());
    InvalidationBench::run_for(5_us);
    EXPECT_TRUE(busy());
    bench->end_access(read);
    InvalidationBench::settle();
    EXPECT_FALSE(busy());
    EXPECT_EQ(bench->register_invalidations.drain_stalls().count, 2u);
}

TEST_F(RegisterInvalidationTest, DrainsNothingThatItIsNotAskedFor) {
    make();
    InflightTable::Entry& write = bench->begin_access(true);
    invalidate(iotlb::iirg.make(iotlb::granularity_global));
    InvalidationBench::settle();
    EXPECT_FALSE(busy());
    bench->end_access(write);
}

TEST_F(RegisterInvalidationTest, AlwaysDrainsFromVersionTwoOn) {
    make([](InvalidationBenchOptions& o) { o.features.version_major = 2; });
    InflightTable::Entry& write = bench->begin_access(true);
    invalidate(iotlb::iirg.make(iotlb::granularity_global));
    InvalidationBench::run_for(5_us);
    EXPECT_TRUE(busy());
    bench->end_access(write);
    InvalidationBench::settle();
    EXPECT_FALSE(busy());
}

TEST_F(RegisterInvalidationTest, ContextCommandsNameEverythingADomainOrADevice) {
    using Kind = ContextInvalidation::Kind;
    make();
    const std::uint64_t names = ccmd::did.make(0x12) | ccmd::sid.make(0xE8) | ccmd::fm.make(3);
    for (std::uint64_t granularity = 1; granularity <= 3; ++granularity) {
        invalidate_contexts(ccmd::cirg.make(granularity) | names);
        EXPECT_NE(ccmd::icc.get(ccmd_value()), 0u);
        InvalidationBench::settle();
        EXPECT_EQ(ccmd::icc.get(ccmd_value()), 0u);
        EXPECT_EQ(ccmd::caig.get(ccmd_value()), granularity);
    }
    ASSERT_EQ(bench->target.contexts.size(), 3u);
    EXPECT_EQ(bench->target.contexts[0].what.kind, Kind::global);
    EXPECT_EQ(bench->target.contexts[1].what.kind, Kind::domain);
    EXPECT_EQ(bench->target.contexts[1].what.domain, 0x12);
    const ContextInvalidation& device = bench->target.contexts[2].what;
    EXPECT_EQ(device.kind, Kind::device);
    EXPECT_EQ(device.source, 0xE8);
    EXPECT_EQ(device.function_mask, 3u);
}

TEST_F(RegisterInvalidationTest, ContextCommandsWaitForWhatTheyOvertook) {
    make();
    InflightTable::Entry& access = bench->begin_access(false);
    invalidate_contexts(ccmd::cirg.make(ccmd::granularity_global));
    InvalidationBench::run_for(5_us);
    EXPECT_NE(ccmd::icc.get(ccmd_value()), 0u);
    bench->end_access(access);
    InvalidationBench::settle();
    EXPECT_EQ(ccmd::icc.get(ccmd_value()), 0u);
}

TEST_F(RegisterInvalidationTest, AReservedGranularityIsNotPerformed) {
    make();
    invalidate(iotlb::iirg.make(iotlb::granularity_none));
    invalidate_contexts(0);
    InvalidationBench::settle();
    EXPECT_FALSE(busy());
    EXPECT_EQ(actual(), 0u);
    EXPECT_EQ(ccmd::caig.get(ccmd_value()), 0u);
    EXPECT_TRUE(bench->target.order.empty());
}

TEST_F(RegisterInvalidationTest, IsRefusedWhileTheQueueIsEnabled) {
    make();
    bench->enable();
    invalidate(iotlb::iirg.make(iotlb::granularity_global));
    invalidate_contexts(ccmd::cirg.make(ccmd::granularity_global));
    InvalidationBench::settle();
    EXPECT_EQ(actual(), 0u);
    EXPECT_EQ(ccmd::caig.get(ccmd_value()), 0u);
    EXPECT_TRUE(bench->target.order.empty());
    EXPECT_EQ(bench->diagnostics.size(), 2u);
}

TEST_F(RegisterInvalidationTest, ContextCommandsAreRefusedInScalableMode) {
    make();
    bench->set_mode(rtaddr::ttm_scalable);
    invalidate_contexts(ccmd::cirg.make(ccmd::granularity_global));
    InvalidationBench::settle();
    EXPECT_EQ(ccmd::caig.get(ccmd_value()), 0u);
    EXPECT_TRUE(bench->target.order.empty());
}

TEST_F(RegisterInvalidationTest, DoesNotExistFromVersionSixOn) {
    make([](InvalidationBenchOptions& o) { o.features.version_major = 6; });
    invalidate(iotlb::iirg.make(iotlb::granularity_global));
    invalidate_contexts(ccmd::cirg.make(ccmd::granularity_global));
    InvalidationBench::settle();
    EXPECT_TRUE(bench->target.order.empty());
}

} // namespace
} // namespace iommusim::vtd
