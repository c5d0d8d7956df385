// What each descriptor does, and which ones stop the queue with which error. The words are those of software
// (domain 0x12, source 00:1d.0, PASID 5).
#include "tests/conformance/vtd/invalidation_bench.h"

namespace iommusim::vtd {
namespace {

using namespace spec;

InvalidationBenchOptions options_with(void (*change)(Features&)) {
    InvalidationBenchOptions options;
    change(options.features);
    return options;
}

// ---- what they name

TEST(ContextCacheDescriptor, NamesEverythingADomainOrADevice) {
    using Kind = ContextInvalidation::Kind;
    InvalidationBench bench;
    bench.enable();
    bench.push(0x0000'0000'0000'0011);
    bench.push(0x0000'0000'0012'0021);
    bench.run(0x0000'00E8'0012'0031);
    ASSERT_EQ(bench.target.contexts.size(), 3u);
    EXPECT_EQ(bench.target.contexts[0].what.kind, Kind::global);
    EXPECT_EQ(bench.target.contexts[1].what.kind, Kind::domain);
    EXPECT_EQ(bench.target.contexts[1].what.domain, 0x12);
    const ContextInvalidation& device = bench.target.contexts[2].what;
    EXPECT_EQ(device.kind, Kind::device);
    EXPECT_EQ(device.domain, 0x12);
    EXPECT_EQ(device.source, 0xE8);
    EXPECT_EQ(device.function_mask, 0u);
    EXPECT_EQ(bench.target.order, (std::vector<std::string>(3, "cc_inv")));
}

TEST(ContextCacheDescriptor, CarriesAFunctionMask) {
    InvalidationBench bench;
    bench.enable();
    bench.run(0x0002'00E8'0012'0031);
    ASSERT_EQ(bench.target.contexts.size(), 1u);
    EXPECT_EQ(bench.target.contexts[0].what.function_mask, 2u);
}

TEST(IotlbDescriptor, NamesEverythingADomainOrPages) {
    using Kind = IotlbInvalidation::Kind;
    InvalidationBench bench;
    bench.enable();
    bench.push(0x0000'0000'0000'00D2);
    bench.push(0x0000'0000'0012'00E2);
    bench.push(0x0000'0000'0012'00F2, 0x0000'0000'1000'0002);
    bench.run(0x0000'0000'0012'00F2, 0x0000'0000'1000'1042); // the address need not be aligned; IH
    ASSERT_EQ(bench.target.iotlb.size(), 4u);
    EXPECT_EQ(bench.target.iotlb[0].what.kind, Kind::global);
    EXPECT_EQ(bench.target.iotlb[1].what.kind, Kind::domain);
    EXPECT_EQ(bench.target.iotlb[1].what.domain, 0x12);
    for (const unsigned i : {2u, 3u}) {
        const IotlbInvalidation& pages = bench.target.iotlb[i].what;
        EXPECT_EQ(pages.kind, Kind::pages);
        EXPECT_EQ(pages.domain, 0x12);
        EXPECT_EQ(pages.first, 0x1000'0000u);
        EXPECT_EQ(pages.last, 0x1000'3FFFu);
        EXPECT_EQ(pages.leaf_only, i == 3);
    }
}

TEST(IotlbDescriptor, MaySayThatReadsOrWritesNeedNoDraining) {
    InvalidationBench bench;
    bench.enable();
    bench.push(0x12); // neither
    bench.push(0x52); // DW
    bench.push(0x92); // DR
    bench.run(0xD2);
    ASSERT_EQ(bench.target.iotlb.size(), 4u);
    for (unsigned i = 0; i < 4; ++i) {
        EXPECT_EQ(bench.target.iotlb[i].context.drain_writes, (i & 1) != 0) << i;
        EXPECT_EQ(bench.target.iotlb[i].context.drain_reads, (i & 2) != 0) << i;
    }
}

TEST(IotlbDescriptor, AlwaysDrainsFromVersionTwoOn) {
    InvalidationBench bench(options_with([](Features& f) { f.version_major = 2; }));
    bench.enable();
    bench.run(0x12);
    ASSERT_EQ(bench.target.iotlb.size(), 1u);
    EXPECT_TRUE(bench.target.iotlb[0].context.drain_reads);
    EXPECT_TRUE(bench.target.iotlb[0].context.drain_writes);
}

TEST(IotlbDescriptor, ActsOnTheDomainWithoutPageSelectiveInvalidation) {
    InvalidationBench bench(options_with([](Features& f) {
        f.page_selective_invalidation = false;
        f.max_address_mask = 0;
    }));
    bench.enable();
    bench.run(0x0000'0000'0012'00F2, 0x0000'0000'1000'0009);
    ASSERT_EQ(bench.target.iotlb.size(), 1u);
    EXPECT_EQ(bench.target.iotlb[0].what.kind, IotlbInvalidation::Kind::domain);
    EXPECT_EQ(bench.target.iotlb[0].what.domain, 0x12);
}

TEST(DeviceTlbDescriptor, NamesARangeByItsLowestZero) {
    struct Vector {
        std::uint64_t word1, first, last;
    };
    const Vector vectors[] = {{0x0000'0000'1234'5000, 0x1234'5000, 0x1234'5FFF},
                              {0x0000'0000'1234'4001, 0x1234'4000, 0x1234'5FFF},
                              {0x0000'0000'1234'1001, 0x1234'0000, 0x1234'3FFF},
                              {0x0000'0000'1234'7001, 0x1234'0000, 0x1234'FFFF},
                              {0x0000'0000'000F'F001, 0, 0x1F'FFFF},
                              {0x7FFF'FFFF'FFFF'F001, 0, ~0ull}};
    InvalidationBench bench;
    bench.enable();
    for (const Vector& v : vectors)
        bench.run(0x0000'00E8'0000'0003, v.word1);
    ASSERT_EQ(bench.device.requests.size(), std::size(vectors));
    for (std::size_t i = 0; i < std::size(vectors); ++i) {
        const AtsInvalidation& request = bench.device.requests[i].request;
        EXPECT_EQ(request.requester, 0xE8u);
        EXPECT_FALSE(request.has_pasid);
        EXPECT_EQ(request.first, vectors[i].first) << i;
        EXPECT_EQ(request.last, vectors[i].last) << i;
    }
}

TEST(PasidDeviceTlbDescriptor, NamesARangeOfOneOrOfEveryPasid) {
    InvalidationBench bench;
    bench.enable(true);
    bench.run(0x0000'0005'00E8'0008, 0x0000'0000'1234'5000);
    bench.run(0x0000'0005'00E8'0008, 0x0000'0000'1234'7800);
    bench.run(0x0000'0005'00E8'0008, 0x7FFF'FFFF'FFFF'F801);
    ASSERT_EQ(bench.device.requests.size(), 3u);
    const AtsInvalidation& page = bench.device.requests[0].request;
    EXPECT_EQ(page.requester, 0xE8u);
    EXPECT_TRUE(page.has_pasid);
    EXPECT_EQ(page.pasid, 5u);
    EXPECT_FALSE(page.global);
    EXPECT_EQ(page.first, 0x1234'5000u);
    EXPECT_EQ(page.last, 0x1234'5FFFu);
    EXPECT_EQ(bench.device.requests[1].request.first, 0x1234'0000u);
    EXPECT_EQ(bench.device.requests[1].request.last, 0x1234'FFFFu);
    const AtsInvalidation& everything = bench.device.requests[2].request;
    EXPECT_TRUE(everything.global);
    EXPECT_EQ(everything.first, 0u);
    EXPECT_EQ(everything.last, ~0ull);
}

TEST(DeviceTlbDescriptor, LimitsWhatTheDeviceHasToQueue) {
    InvalidationBench bench;
    bench.device.answers = false;
    bench.enable();
    for (unsigned i = 0; i < 3; ++i)
        bench.push(0x0000'00E8'0002'0003, 0x1000ull * i); // MIP 2
    bench.push(0x0000'00F0'0002'0003);
    bench.submit();
    InvalidationBench::run_for(1_us);
    ASSERT_EQ(bench.device.requests.size(), 3u);
    EXPECT_EQ(bench.device.requests[1].request.requester, 0xE8u);
    EXPECT_EQ(bench.device.requests[2].request.requester, 0xF0u);
    EXPECT_EQ(bench.head(), bench.tail());
}

TEST(InterruptEntryDescriptor, NamesEverythingOrAlignedEntries) {
    InvalidationBench bench;
    bench.enable();
    bench.push(0x0000'0000'0000'0004);
    bench.push(0x0000'0123'0000'0014);
    bench.run(0x0000'0123'2000'0014); // IM 4
    ASSERT_EQ(bench.target.interrupts.size(), 3u);
    EXPECT_TRUE(bench.target.interrupts[0].what.global);
    EXPECT_FALSE(bench.target.interrupts[1].what.global);
    EXPECT_EQ(bench.target.interrupts[1].what.first, 0x123u);
    EXPECT_EQ(bench.target.interrupts[1].what.count, 1u);
    EXPECT_EQ(bench.target.interrupts[2].what.first, 0x120u);
    EXPECT_EQ(bench.target.interrupts[2].what.count, 16u);
}

TEST(PasidIotlbDescriptor, NamesAPasidOrItsPages) {
    using Kind = IotlbInvalidation::Kind;
    InvalidationBench bench;
    bench.enable(true);
    bench.push(0x0000'0005'0012'0026);
    bench.push(0x0000'0005'0012'0036, 0x0000'0000'1000'0041);
    bench.run(0x0000'0005'0012'0036, 0x3F); // far beyond MAMV, which is about second-stage pages
    ASSERT_EQ(bench.target.iotlb.size(), 3u);
    EXPECT_EQ(bench.target.iotlb[0].what.kind, Kind::pasid);
    EXPECT_EQ(bench.target.iotlb[0].what.domain, 0x12);
    EXPECT_EQ(bench.target.iotlb[0].what.pasid, 5u);
    const IotlbInvalidation& pages = bench.target.iotlb[1].what;
    EXPECT_EQ(pages.kind, Kind::pasid_pages);
    EXPECT_EQ(pages.pasid, 5u);
    EXPECT_EQ(pages.first, 0x1000'0000u);
    EXPECT_EQ(pages.last, 0x1000'1FFFu);
    EXPECT_TRUE(pages.leaf_only);
    EXPECT_EQ(bench.target.iotlb[2].what.last, ~0ull);
    EXPECT_TRUE(bench.target.iotlb[2].context.drain_reads);
    EXPECT_TRUE(bench.target.iotlb[2].context.drain_writes);
}

TEST(PasidCacheDescriptor, NamesEverythingADomainOrAPasid) {
    using Kind = PasidInvalidation::Kind;
    InvalidationBench bench;
    bench.enable(true);
    bench.push(0x37);
    bench.push(0x0000'0000'0012'0007);
    bench.run(0x0000'0005'0012'0017);
    ASSERT_EQ(bench.target.pasids.size(), 3u);
    EXPECT_EQ(bench.target.pasids[0].what.kind, Kind::global);
    EXPECT_EQ(bench.target.pasids[1].what.kind, Kind::domain);
    EXPECT_EQ(bench.target.pasids[2].what.kind, Kind::pasid);
    EXPECT_EQ(bench.target.pasids[2].what.domain, 0x12);
    EXPECT_EQ(bench.target.pasids[2].what.pasid, 5u);
}

TEST(PageGroupResponseDescriptor, AnswersADevice) {
    InvalidationBench bench;
    bench.enable(true);
    bench.run(0x0000'0005'00E8'0019, 0x0000'0000'0000'0038);
    bench.run(0x0000'0005'00E8'1009, 0x0000'0000'0000'0FF8);
    bench.run(0x0000'0005'00E8'F019, 0x0000'0000'0000'0038);
    ASSERT_EQ(bench.page_requests.responses.size(), 3u);
    const AtsPageResponse& success = bench.page_requests.responses[0];
    EXPECT_EQ(success.requester, 0xE8u);
    EXPECT_TRUE(success.has_pasid);
    EXPECT_EQ(success.pasid, 5u);
    EXPECT_EQ(success.group, 7u);
    EXPECT_EQ(success.code, AtsPageResponse::success);
    EXPECT_FALSE(bench.page_requests.responses[1].has_pasid);
    EXPECT_EQ(bench.page_requests.responses[1].group, 0x1FFu);
    EXPECT_EQ(bench.page_requests.responses[1].code, AtsPageResponse::invalid_request);
    EXPECT_EQ(bench.page_requests.responses[2].code, AtsPageResponse::response_failure);
}

// ---- what stops the queue

/// One descriptor behind a legal one: IQH stays on it, and the one before has taken effect.
void expect_error(InvalidationBench& bench, unsigned iqei, std::uint64_t word0, std::uint64_t word1 = 0,
                  std::uint64_t word2 = 0) {
    const std::size_t before = bench.target.order.size();
    bench.push(0x11);
    bench.push(word0, word1, word2);
    const std::uint64_t bad = (bench.tail() + bench.slots() - 1) % bench.slots();
    bench.submit();
    InvalidationBench::settle();
    EXPECT_EQ(bench.queue_error(), iqei) << std::hex << word0 << ' ' << word1;
    EXPECT_EQ(bench.head(), bad);
    EXPECT_EQ(bench.target.order.size(), before + 1);
    // As software does it: a harmless descriptor in its place, then the queue may go on.
    bench.put(bad, 0x45);
    bench.write(reg::fsts, fsts::iqe.mask());
    InvalidationBench::settle();
    EXPECT_EQ(bench.head(), bench.tail());
    EXPECT_EQ(bench.queue_error(), ~0u);
}

TEST(DescriptorErrors, AReservedBitIsOneWhateverTheType) {
    struct Rules {
        std::uint64_t legal, reserved0, reserved1;
    };
    const Rules rules[] = {{0x11, cc_inv::reserved0, cc_inv::reserved1},
                           {0x12, iotlb_inv::reserved0, iotlb_inv::reserved1},
                           {0x03, dev_tlb_inv::reserved0, dev_tlb_inv::reserved1},
                           {0x04, iec_inv::reserved0, iec_inv::reserved1},
                           {0x45, inv_wait::reserved0, inv_wait::reserved1},
                           {0x26, p_iotlb_inv::reserved0, p_iotlb_inv::reserved1},
                           {0x37, pc_inv::reserved0, pc_inv::reserved1},
                           {0x08, p_dev_tlb_inv::reserved0, p_dev_tlb_inv::reserved1},
                           {0x09, page_grp_resp::reserved0, page_grp_resp::reserved1}};
    InvalidationBench bench;
    bench.enable(true);
    for (const Rules& r : rules) {
        for (unsigned position = 0; position < 64; ++position) {
            const std::uint64_t word = 1ull << position;
            if (r.reserved0 & word)
                expect_error(bench, iqercd::iqei_reserved_field, r.legal | word);
            // The first, the last and one in between stand for the second word's.
            if ((r.reserved1 & word) && (position < 13 || position == 63))
                expect_error(bench, iqercd::iqei_reserved_field, r.legal, word);
        }
        expect_error(bench, iqercd::iqei_reserved_field, r.legal, 0, 1);
        bench.run(r.legal);
        EXPECT_EQ(bench.queue_error(), ~0u) << std::hex << r.legal;
    }
}

TEST(DescriptorErrors, AReservedGranularity) {
    InvalidationBench bench;
    bench.enable(true);
    expect_error(bench, iqercd::iqei_reserved_field, 0x01); // context cache
    expect_error(bench, iqercd::iqei_reserved_field, 0x02); // IOTLB
    expect_error(bench, iqercd::iqei_reserved_field, 0x06); // PASID-based IOTLB
    expect_error(bench, iqercd::iqei_reserved_field, 0x16);
    expect_error(bench, iqercd::iqei_reserved_field, 0x27); // PASID cache
}

TEST(DescriptorErrors, AnAddressMaskBeyondMamv) {
    InvalidationBench bench;
    bench.enable();
    bench.run(0xF2, bench.features.max_address_mask);
    EXPECT_EQ(bench.queue_error(), ~0u);
    expect_error(bench, iqercd::iqei_reserved_field, 0xF2, bench.features.max_address_mask + 1);
}

TEST(DescriptorErrors, AnIndexMaskBeyondMhmv) {
    InvalidationBench bench(options_with([](Features& f) { f.max_interrupt_mask = 7; }));
    bench.enable();
    bench.run(0x14 | iec_inv::im.make(7));
    bench.run(0x04 | iec_inv::im.make(8)); // does not count for a global one
    EXPECT_EQ(bench.queue_error(), ~0u);
    expect_error(bench, iqercd::iqei_reserved_field, 0x14 | iec_inv::im.make(8));
}

TEST(DescriptorErrors, ATypeThatDoesNotExist) {
    InvalidationBench bench;
    bench.enable(true);
    for (const std::uint64_t word : {0x0ull, 0xAull, 0xFull, 0x211ull, 0x811ull})
        expect_error(bench, iqercd::iqei_invalid_type, word);
}

TEST(DescriptorErrors, ATypeThatNeedsTwoHundredAndFiftySixBits) {
    InvalidationBench bench;
    bench.enable(false);
    for (const std::uint64_t word : {0x26ull, 0x37ull, 0x08ull, 0x09ull})
        expect_error(bench, iqercd::iqei_invalid_type, word);
}

TEST(DescriptorErrors, ATypeOfAFeatureThatIsAbsent) {
    InvalidationBench bench(options_with([](Features& f) {
        f.device_tlb = f.no_write_flag = f.page_requests = f.page_request_drain = false;
        f.interrupt_remapping = f.x2apic = f.posted_interrupts = f.sirtp_invalidates = false;
        f.max_interrupt_mask = 0;
    }));
    bench.enable(true);
    for (const std::uint64_t word : {0x03ull, 0x04ull, 0x08ull, 0x09ull})
        expect_error(bench, iqercd::iqei_invalid_type, word);
    expect_error(bench, iqercd::iqei_reserved_field, 0xC5); // wait with PD
}

TEST(DescriptorErrors, PasidTypesWithoutScalableMode) {
    InvalidationBench bench(options_with([](Features& f) {
        f.scalable_mode = f.first_stage = f.second_stage = f.nested = false;
        f.pasid = f.page_requests = f.page_request_drain = false;
    }));
    bench.enable(true); // abort mode allows 256 bits
    for (const std::uint64_t word : {0x26ull, 0x37ull, 0x08ull})
        expect_error(bench, iqercd::iqei_invalid_type, word);
}

TEST(DescriptorErrors, ScalableModeWithDescriptorsOf128Bits) {
    InvalidationBench bench;
    bench.enable();
    bench.set_mode(rtaddr::ttm_scalable);
    bench.run(0x11);
    EXPECT_EQ(bench.queue_error(), iqercd::iqei_invalid_width);
    EXPECT_EQ(bench.head(), 0u);
    EXPECT_TRUE(bench.target.order.empty());
}

TEST(DescriptorErrors, AReservedTranslationTableMode) {
    InvalidationBench bench;
    bench.enable(true);
    bench.set_mode(rtaddr::ttm_reserved);
    bench.run(0x11);
    EXPECT_EQ(bench.queue_error(), iqercd::iqei_invalid_ttm);
    EXPECT_EQ(bench.head(), 0u);
}

TEST(DescriptorErrors, DescriptorsOf256BitsThatTheUnitDoesNotKnow) {
    InvalidationBench bench(options_with([](Features& f) {
        f.scalable_mode = f.first_stage = f.second_stage = f.nested = false;
        f.pasid = f.page_requests = f.page_request_drain = f.abort_mode = false;
    }));
    bench.write(reg::iqa, InvalidationBench::ring | iqa::dw.mask(), 8);
    EXPECT_EQ(bench.queue_error(), iqercd::iqei_invalid_width);
}

} // namespace
} // namespace iommusim::vtd
