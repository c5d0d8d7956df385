// The page request interface of a device TLB.
#include "tests/unit/soc/device_tlb_bench.h"

using namespace iommusim;
using namespace iommusim::soc;
using namespace iommusim::soc::test;

namespace {

using Bench = DeviceTlbBench;
constexpr auto asked = AddressType::translation_request;
constexpr auto translated = AddressType::translated;

TEST(DeviceTlbPageRequests, AnAccessThatIsNotAllowedWaitsForItsPage) {
    PageRequestBench b;
    const TestPayload& p = b.dma(true, 0x1040, 5);
    run_for(1_us);
    ASSERT_EQ(b.unit.page_requests.size(), 1u);
    const AtsPageRequest request = b.unit.page_requests[0];
    EXPECT_EQ(request.requester, Bench::device_id);
    EXPECT_TRUE(request.has_pasid);
    EXPECT_EQ(request.pasid, 5u);
    EXPECT_EQ(request.address, 0x1000u);
    EXPECT_TRUE(request.write);
    EXPECT_FALSE(request.read);
    EXPECT_TRUE(request.last);
    EXPECT_EQ(b.unit.count(translated), 0u);
    b.map(0x1000, 0x9000, read_write, 12, 5);
    b.respond(request, AtsPageResponse::success);
    run_for(1_us);
    EXPECT_EQ(p.get_response_status(), tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(b.unit.seen.back().address, 0x9040u);
    EXPECT_EQ(b.master.response_time(p), 1_us + 50_ns + 200_ns + 100_ns);
    EXPECT_EQ(b.tlb.statistics().retries, 1u);
}

TEST(DeviceTlbPageRequests, AnInvalidPageIsAnErrorForItsAccessOnly) {
    PageRequestBench b;
    const TestPayload& p = b.dma(false, 0x1000);
    run_for(1_us);
    b.respond(b.unit.page_requests.at(0), AtsPageResponse::invalid_request);
    run_for(1_us);
    EXPECT_EQ(p.get_response_status(), tlm::TLM_ADDRESS_ERROR_RESPONSE);
    EXPECT_TRUE(b.tlb.page_requests_enabled());
}

TEST(DeviceTlbPageRequests, AResponseFailureStopsTheInterface) {
    PageRequestBench b;
    const TestPayload& first = b.dma(false, 0x1000);
    const TestPayload& second = b.dma(false, 0x2000);
    run_for(1_us);
    ASSERT_EQ(b.unit.page_requests.size(), 2u);
    EXPECT_NE(b.unit.page_requests[0].group, b.unit.page_requests[1].group);
    b.respond(b.unit.page_requests[0], AtsPageResponse::response_failure);
    run_for(1_us);
    EXPECT_EQ(first.get_response_status(), tlm::TLM_ADDRESS_ERROR_RESPONSE);
    EXPECT_EQ(second.get_response_status(), tlm::TLM_ADDRESS_ERROR_RESPONSE);
    EXPECT_FALSE(b.tlb.page_requests_enabled());
    EXPECT_EQ(b.status_of(false, 0x3000), tlm::TLM_ADDRESS_ERROR_RESPONSE);
    EXPECT_EQ(b.unit.page_requests.size(), 2u);
}

TEST(DeviceTlbPageRequests, GivesUpWhenThePageIsStillMissingAfterItsRetries) {
    DeviceTlbParameters parameters = Bench::quick();
    parameters.page_request_retries = 2;
    PageRequestBench b(parameters);
    const TestPayload& p = b.dma(false, 0x1000);
    for (std::size_t i = 0; i < 2; ++i) {
        run_for(1_us);
        ASSERT_EQ(b.unit.page_requests.size(), i + 1);
        b.respond(b.unit.page_requests[i], AtsPageResponse::success);
    }
    run_for(1_us);
    EXPECT_EQ(b.unit.page_requests.size(), 2u);
    EXPECT_EQ(p.get_response_status(), tlm::TLM_ADDRESS_ERROR_RESPONSE);
    EXPECT_EQ(b.unit.count(asked), 3u);
}

TEST(DeviceTlbPageRequests, AccessesToOnePageShareAPageRequest) {
    PageRequestBench b;
    for (unsigned i = 0; i < 6; ++i)
        b.dma(true, 0x1000 + i * 64);
    run_for(1_us);
    ASSERT_EQ(b.unit.page_requests.size(), 1u);
    b.map(0x1000, 0x9000);
    b.respond(b.unit.page_requests[0], AtsPageResponse::success);
    run_for(1_us);
    EXPECT_EQ(b.unit.count(translated), 6u);
    EXPECT_EQ(b.unit.count(asked), 2u);
    EXPECT_EQ(b.tlb.statistics().merged_page_requests, 5u);
}

TEST(DeviceTlbPageRequests, AReadRequestDoesNotSpeakForAWrite) {
    PageRequestBench b;
    b.dma(false, 0x1000);
    b.dma(true, 0x1000);
    run_for(1_us);
    EXPECT_EQ(b.unit.page_requests.size(), 2u);
}

TEST(DeviceTlbPageRequests, HasNoMoreGroupsOutstandingThanItMay) {
    DeviceTlbParameters parameters = Bench::quick();
    parameters.page_request_limit = 2;
    PageRequestBench b(parameters);
    for (std::uint64_t page = 0; page < 3; ++page)
        b.dma(false, page << 12);
    run_for(1_us);
    ASSERT_EQ(b.unit.page_requests.size(), 2u);
    b.respond(b.unit.page_requests[1], AtsPageResponse::invalid_request);
    run_for(1_us);
    ASSERT_EQ(b.unit.page_requests.size(), 3u);
    EXPECT_EQ(b.unit.page_requests[2].address, 0x2000u);
    EXPECT_EQ(b.unit.page_requests[2].group, b.unit.page_requests[1].group);
}

TEST(DeviceTlbPageRequests, AResponseThatNobodyWaitsForIsCounted) {
    PageRequestBench b;
    const TestPayload& p = b.dma(false, 0x1000);
    run_for(1_us);
    AtsPageRequest other = b.unit.page_requests.at(0);
    other.group = 77;
    b.respond(other, AtsPageResponse::success);
    run_for(1_us);
    EXPECT_EQ(b.tlb.statistics().unexpected_page_responses, 1u);
    EXPECT_EQ(b.master.response_time(p), 0u);
}

TEST(DeviceTlbPageRequests, ABlockingAccessWaitsInItsThread) {
    PageRequestBench b;
    TestPayload& p = b.prepare(false, 0x1000);
    Picoseconds finished = 0;
    sc_core::sc_spawn([&] {
        const Picoseconds delay = b.master.blocking(p, 30_ns);
        finished = now() + delay;
    });
    run_for(1_us);
    ASSERT_EQ(b.unit.page_requests.size(), 1u);
    EXPECT_EQ(finished, 0u);
    b.map(0x1000, 0x9000);
    b.respond(b.unit.page_requests[0], AtsPageResponse::success);
    run_for(1_us);
    EXPECT_EQ(p.get_response_status(), tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(finished, 1_us + 50_ns + 200_ns + 100_ns);
}

TEST(DeviceTlbPageRequests, AnAccessThatWaitsForAPageHoldsUpNoInvalidation) {
    PageRequestBench b;
    b.dma(false, 0x1000);
    run_for(1_us);
    b.invalidate(b.range(0, ~0ull));
    run_for(1_us);
    EXPECT_EQ(b.unit.completions.size(), 1u);
}

} // namespace
