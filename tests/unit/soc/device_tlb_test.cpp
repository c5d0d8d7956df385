// A device TLB on an access's way to the IOMMU.
#include "tests/unit/soc/device_tlb_bench.h"

using namespace iommusim;
using namespace iommusim::soc;
using namespace iommusim::soc::test;

namespace {

using Bench = DeviceTlbBench;
constexpr auto asked = AddressType::translation_request;
constexpr auto translated = AddressType::translated;
constexpr auto untranslated = AddressType::untranslated;

// ---- translation

TEST(DeviceTlb, ASecondAccessToAPageNeedsNoTranslationRequest) {
    Bench b;
    b.map(0x1000, 0x7'5000);
    EXPECT_EQ(b.read_time(0x1040), Bench::lookup + 200_ns + 100_ns);
    EXPECT_EQ(b.read_time(0x1fc0), Bench::lookup + 100_ns);
    EXPECT_EQ(b.unit.count(asked), 1u);
    const auto seen = b.unit.seen_as(translated);
    ASSERT_EQ(seen.size(), 2u);
    EXPECT_EQ(seen[0].address, 0x7'5040u);
    EXPECT_EQ(seen[1].address, 0x7'5fc0u);
    EXPECT_EQ(seen[1].requester.id, Bench::device_id);
    EXPECT_EQ(b.tlb.statistics().hits, 1u);
    EXPECT_EQ(b.tlb.statistics().misses, 1u);
}

TEST(DeviceTlb, BothInterfacesTakeTheSameTime) {
    Bench b;
    b.map(0x1000, 0x7'5000);
    b.map(0x2000, 0x7'6000);
    for (const std::uint64_t address : {0x1000, 0x1000}) {
        const Picoseconds timed = b.read_time(address);
        EXPECT_EQ(b.master.blocking(b.prepare(false, address + 0x1000)), timed);
    }
    EXPECT_EQ(b.unit.count(asked), 2u);
    EXPECT_EQ(b.unit.count(translated), 4u);
}

TEST(DeviceTlb, GivesTheMasterItsPayloadBackAsItWas) {
    Bench b;
    b.map(0x1000, 0x7'5000);
    elaborate();
    TestPayload& p = b.dma(true, 0x1080);
    run_for(1_us);
    EXPECT_EQ(p.get_address(), 0x1080u);
    EXPECT_EQ(p.get_extension<RequesterExtension>()->requester.address_type, untranslated);
    EXPECT_FALSE(p.is_dmi_allowed()) << "direct access would pass the TLB by";
    EXPECT_EQ(p.get_ref_count(), 1);
}

TEST(DeviceTlb, APayloadWithoutRequesterComesFromRequesterZero) {
    Bench b;
    b.map(0x1000, 0x7'5000);
    elaborate();
    b.master.request(b.master.read(0x1000));
    run_for(1_us);
    const auto seen = b.unit.seen_as(translated);
    ASSERT_EQ(seen.size(), 1u);
    EXPECT_EQ(seen[0].requester.id, 0u);
}

TEST(DeviceTlb, APageLargerThan4KiBIsOneEntry) {
    Bench b;
    b.map(0x20'0000, 0x4000'0000, read_write, 21);
    b.read_time(0x20'0000);
    EXPECT_TRUE(b.cached(0x3f'f000));
    EXPECT_EQ(b.unit.seen.back().address, 0x401f'f000u);
    EXPECT_EQ(b.unit.count(asked), 1u);
}

TEST(DeviceTlb, AnAccessThatCrossesAPageEndIsTranslatedInPieces) {
    Bench b;
    b.map(0x1000, 0x9000);
    b.map(0x2000, 0x5000);
    EXPECT_EQ(b.read_time(0x1fc0, Bench::no_pasid, 128), 2 * (Bench::lookup + 200_ns + 100_ns));
    const auto seen = b.unit.seen_as(translated);
    ASSERT_EQ(seen.size(), 2u);
    EXPECT_EQ(seen[0].address, 0x9fc0u);
    EXPECT_EQ(seen[0].length, 64u);
    EXPECT_EQ(seen[1].address, 0x5000u);
    EXPECT_EQ(seen[1].length, 64u);
}

TEST(DeviceTlb, EveryPasidHasTranslationsOfItsOwn) {
    Bench b;
    b.map(0x1000, 0x9000);
    b.map(0x1000, 0xa000, read_write, 12, 5);
    b.map(0x1000, 0xb000, read_write, 12, 6);
    for (int round = 0; round < 2; ++round)
        for (const std::uint32_t pasid : {Bench::no_pasid, 5u, 6u})
            b.read_time(0x1000, pasid);
    std::vector<std::uint64_t> addresses;
    for (const auto& s : b.unit.seen_as(translated))
        addresses.push_back(s.address);
    EXPECT_EQ(addresses, (std::vector<std::uint64_t>{0x9000, 0xa000, 0xb000, 0x9000, 0xa000, 0xb000}));
    EXPECT_EQ(b.unit.count(asked), 3u);
}

TEST(DeviceTlb, MayAskForSeveralPagesAtOnce) {
    DeviceTlbParameters p = Bench::quick();
    p.translation_pages = 4;
    Bench b(p);
    for (std::uint64_t page = 1; page <= 3; ++page)
        b.map(page << 12, 0x9000 + (page << 16));
    b.read_time(0x1000);
    EXPECT_EQ(b.unit.seen[0].length, 32u);
    EXPECT_TRUE(b.cached(0x3000));
    EXPECT_EQ(b.unit.seen.back().address, 0x3'9000u);
    EXPECT_EQ(b.status_of(false, 0x4000), tlm::TLM_ADDRESS_ERROR_RESPONSE) << "told, but not mapped";
}

TEST(DeviceTlb, AccessesToOnePageShareATranslationRequest) {
    Bench b;
    b.map(0x1000, 0x9000);
    elaborate();
    for (unsigned i = 0; i < 8; ++i)
        b.dma(i % 2 != 0, 0x1000 + i * 64);
    run_for(1_us);
    EXPECT_EQ(b.unit.count(asked), 1u);
    EXPECT_EQ(b.unit.count(translated), 8u);
    EXPECT_EQ(b.tlb.statistics().merged_misses, 7u);
}

TEST(DeviceTlb, HasNoMoreTranslationRequestsOutstandingThanItMay) {
    DeviceTlbParameters p = Bench::quick();
    p.translation_outstanding = 2;
    Bench b(p);
    elaborate();
    for (std::uint64_t page = 0; page < 4; ++page) {
        b.map(page << 12, 0x9000);
        b.dma(false, page << 12);
    }
    run_for(1_us);
    std::vector<Picoseconds> times;
    for (const auto& s : b.unit.seen_as(asked))
        times.push_back(s.time);
    EXPECT_EQ(times, (std::vector<Picoseconds>{4_ns, 4_ns, 204_ns, 204_ns}));
}

TEST(DeviceTlb, ALargerPageReplacesASmallerOneThatAllowsLess) {
    Bench b;
    b.map(0x20'0000, 0x4000'0000, ats_completion::read);
    b.read_time(0x20'0000);
    b.map(0x20'0000, 0x4000'0000, read_write, 21);
    EXPECT_EQ(b.status_of(true, 0x20'0000), tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(b.status_of(true, 0x20'0000), tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(b.unit.count(asked), 2u);
}

// ---- answers that are no translation

TEST(DeviceTlb, AnUnsupportedRequestMakesTheAccessUntranslated) {
    Bench b;
    b.unit.translation_status = ats_completion::unsupported_request;
    b.read_time(0x1040);
    b.read_time(0x1040);
    const auto seen = b.unit.seen_as(untranslated);
    ASSERT_EQ(seen.size(), 2u);
    EXPECT_EQ(seen[0].address, 0x1040u);
    EXPECT_EQ(b.unit.count(asked), 2u) << "nothing to remember";
    EXPECT_EQ(b.tlb.statistics().untranslated, 2u);
}

TEST(DeviceTlb, AnAddressThatAllowsOnlyUntranslatedAccessIsRemembered) {
    Bench b;
    b.map(0x1000, 0, ats_completion::untranslated_only | read_write);
    b.read_time(0x1040);
    b.read_time(0x1080);
    EXPECT_EQ(b.unit.count(asked), 1u);
    EXPECT_EQ(b.unit.count(untranslated), 2u);
    EXPECT_EQ(b.unit.seen.back().address, 0x1080u);
}

TEST(DeviceTlb, ACompleterAbortIsAnErrorForTheMaster) {
    Bench b;
    b.unit.translation_status = tlm::TLM_GENERIC_ERROR_RESPONSE;
    EXPECT_EQ(b.status_of(false, 0x1000), tlm::TLM_GENERIC_ERROR_RESPONSE);
    EXPECT_EQ(b.unit.count(asked), 1u);
    EXPECT_EQ(b.unit.seen.size(), 1u);
}

TEST(DeviceTlb, AnAccessThatIsNotAllowedIsRefusedWithoutReachingMemory) {
    Bench b;
    b.map(0x1000, 0x9000, ats_completion::read);
    EXPECT_EQ(b.status_of(true, 0x1000), tlm::TLM_COMMAND_ERROR_RESPONSE);
    EXPECT_EQ(b.status_of(false, 0x1000), tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(b.status_of(true, 0x1000), tlm::TLM_COMMAND_ERROR_RESPONSE) << "cached, but not for writing";
    EXPECT_EQ(b.status_of(false, 0x2000), tlm::TLM_ADDRESS_ERROR_RESPONSE);
    EXPECT_EQ(b.unit.count(translated), 1u);
    EXPECT_EQ(b.tlb.statistics().refused, 3u);
}

TEST(DeviceTlb, AnInstructionFetchNeedsTheRightToExecute) {
    Bench b;
    b.map(0x1000, 0x9000);
    b.map(0x2000, 0xa000, read_write | ats_completion::execute);
    elaborate();
    for (const std::uint64_t address : {0x1000, 0x2000}) {
        TestPayload& p = b.prepare(false, address);
        p.get_extension<RequesterExtension>()->requester.instruction = true;
        b.master.request(p);
    }
    run_for(1_us);
    EXPECT_EQ(b.master.payloads[0].get_response_status(), tlm::TLM_COMMAND_ERROR_RESPONSE);
    EXPECT_EQ(b.master.payloads[1].get_response_status(), tlm::TLM_OK_RESPONSE);
}

TEST(DeviceTlb, MayLeaveTheRefusalToTheUnit) {
    DeviceTlbParameters p = Bench::quick();
    p.on_refusal = 1;
    Bench b(p);
    b.status_of(true, 0x1040);
    const auto seen = b.unit.seen_as(untranslated);
    ASSERT_EQ(seen.size(), 1u);
    EXPECT_EQ(seen[0].address, 0x1040u);
}

TEST(DeviceTlb, ADisabledTlbPassesEverythingOnAndForgetsWhatItKnew) {
    Bench b;
    b.map(0x1000, 0x9000);
    b.read_time(0x1000);
    b.tlb.enable_translation(false);
    EXPECT_EQ(b.read_time(0x1000), Bench::lookup + 100_ns);
    EXPECT_EQ(b.unit.count(untranslated), 1u);
    b.tlb.enable_translation(true);
    EXPECT_FALSE(b.cached(0x1000));
}

TEST(DeviceTlb, PassesAnAccessThatIsTranslatedAlreadyOn) {
    Bench b;
    elaborate();
    TestPayload& p = b.prepare(false, 0x1000);
    p.get_extension<RequesterExtension>()->requester.address_type = translated;
    b.master.request(p);
    run_for(1_us);
    ASSERT_EQ(b.unit.seen.size(), 1u);
    EXPECT_EQ(b.unit.seen[0].address, 0x1000u);
    EXPECT_EQ(b.unit.seen[0].requester.address_type, translated);
}

TEST(DeviceTlb, DebugAccessGoesToTheUnitAndDirectAccessIsRefused) {
    Bench b;
    elaborate();
    EXPECT_EQ(b.master.socket->transport_dbg(b.master.read(0x1000)), 64u);
    tlm::tlm_dmi dmi;
    EXPECT_FALSE(b.master.socket->get_direct_mem_ptr(b.master.read(0x1000), dmi));
}

// ---- its end and its messages' way

TEST(DeviceTlb, MayBeDestroyedWithEverythingUnderWay) {
    auto b = std::make_unique<PageRequestBench>();
    b->map(0x1000, 0x9000);
    b->dma(false, 0x1000);
    b->dma(false, 0x1040);
    b->dma(false, 0x5000); // will wait for its page
    run_for(500_ns);
    b->unit.access_time = [] { return 1_ms; };
    b->dma(true, 0x1000, Bench::no_pasid, 128);
    run_for(50_ns);
    b->invalidate(b->range(0, ~0ull));
    run_for(100_ns);
    b->dma(false, 0x1000); // asks
    run_for(50_ns);
    EXPECT_EQ(b->unit.page_requests.size(), 1u);
    EXPECT_TRUE(b->unit.completions.empty());
    b.reset();
}

TEST(AtsFabric, LosesMessagesToNobody) {
    Bench b;
    elaborate();
    AtsInvalidation request = b.range(0, ~0ull);
    request.requester = 0x999;
    b.invalidate(request);
    run_for(1_us);
    EXPECT_EQ(b.fabric.statistics().lost, 1u);
    EXPECT_EQ(b.tlb.statistics().invalidations, 0u);
}

TEST(AtsFabric, ReachesADeviceByEachOfItsRequesterIds) {
    Bench b;
    b.fabric.connect(0x101, b.tlb);
    elaborate();
    AtsInvalidation request = b.range(0, ~0ull, 3);
    request.requester = 0x101;
    b.invalidate(request);
    run_for(1_us);
    ASSERT_EQ(b.unit.completions.size(), 1u);
    EXPECT_EQ(b.unit.completions[0].requester, 0x101u);
    EXPECT_EQ(b.fabric.statistics().to_devices, 1u);
    EXPECT_EQ(b.fabric.statistics().to_unit, 1u);
}

} // namespace
