// The four-phase protocol seen from the device, with a model behind the port that does nothing but take time.
#include "models/core/device_port.h"
#include "tests/unit/core/core_bench.h"
#include "tests/unit/soc/bench.h"

#include <gtest/gtest.h>

namespace iommusim::test {
namespace {

using soc::test::EndResponse;
using soc::test::TestInitiator;
using soc::test::TestPayload;

struct Model : ProcessOwner, DmaTarget {
    static constexpr Picoseconds input_latency = 1000;
    TestInitiator initiator{"initiator"};
    DevicePort port{"port", queue, *this, 0, 3, input_latency};
    Picoseconds waited = 50'000; ///< waited out
    Picoseconds annotated = 0;   ///< left for the response
    std::vector<Requester> requesters;

    explicit Model(const sc_core::sc_module_name& name = "model") : ProcessOwner(name) {
        initiator.socket.bind(port.socket);
    }

    Process serve(ClientAccess& access) override {
        requesters.push_back(access.requester);
        access.pace.spend(waited);
        co_await access.pace.settle();
        access.payload->set_response_status(tlm::TLM_OK_RESPONSE);
        access.pace.spend(annotated);
        if (access.pace.timed())
            access.port.respond(access);
    }
    bool serve_at_once(ClientAccess&) override { return false; }
    unsigned debug(DevicePort&, tlm::tlm_generic_payload&) override { return 17; }
    bool grant_dmi(DevicePort&, tlm::tlm_generic_payload&, tlm::tlm_dmi&) override { return false; }
};

TEST(DevicePort, BothInterfacesTakeTheSameTime) {
    Model m;
    m.annotated = 4000;
    TestPayload& timed = m.initiator.read(0x1000);
    m.initiator.request(timed, 2000);
    m.run();
    EXPECT_EQ(m.initiator.response_time(timed), 2000u + 1000 + 50'000 + 4000);
    EXPECT_EQ(m.initiator.blocking(m.initiator.read(0x1000), 2000), 2000u + 1000 + 50'000 + 4000);
}

TEST(DevicePort, HoldsRequestsBackAtItsLimit) {
    Model m;
    for (unsigned i = 0; i < 3; ++i)
        EXPECT_EQ(m.initiator.request(m.initiator.read(0)).sync, tlm::TLM_UPDATED);
    TestPayload& held = m.initiator.read(0);
    EXPECT_EQ(m.initiator.request(held).sync, tlm::TLM_ACCEPTED);
    EXPECT_EQ(m.port.outstanding(), 3u);
    m.run();
    EXPECT_EQ(m.port.outstanding(), 0u);
    std::vector<Picoseconds> ended;
    for (const auto& record : m.initiator.records)
        if (record.payload == &held && record.phase == tlm::END_REQ)
            ended.push_back(record.time);
    EXPECT_EQ(ended, std::vector<Picoseconds>{51'000});
    EXPECT_EQ(m.initiator.response_time(held), 51'000u + 51'000);
}

TEST(DevicePort, SendsOneResponseAtATimeAndEachNotBeforeItsTime) {
    Model m;
    m.initiator.answer = EndResponse::later;
    m.annotated = 9000;
    TestPayload& a = m.initiator.read(0);
    TestPayload& b = m.initiator.read(0);
    m.initiator.request(a);
    m.initiator.request(b);
    sc_core::sc_start(52, sc_core::SC_NS);
    ASSERT_EQ(m.initiator.records.size(), 1u);
    EXPECT_EQ(m.initiator.response_time(a), 60'000u);
    m.initiator.send(a, tlm::END_RESP);
    ASSERT_EQ(m.initiator.records.size(), 2u);
    EXPECT_EQ(m.initiator.response_time(b), 60'000u) << "its own time, though it waited";
    EXPECT_EQ(m.port.outstanding(), 1u);
    m.initiator.send(b, tlm::END_RESP);
    EXPECT_EQ(m.port.outstanding(), 0u);
}

TEST(DevicePort, ReturnsPayloadsToTheirOwner) {
    for (const EndResponse answer : {EndResponse::completed, EndResponse::updated}) {
        sc_core::sc_curr_simcontext = nullptr;
        Model m;
        m.initiator.answer = answer;
        TestPayload& p = m.initiator.read(0);
        m.initiator.request(p);
        m.run();
        EXPECT_EQ(p.get_ref_count(), 1);
        p.release();
        EXPECT_TRUE(p.freed);
    }
}

TEST(DevicePort, TellsWhoAsks) {
    Model m;
    TestPayload& anonymous = m.initiator.read(0);
    m.initiator.request(anonymous);
    Requester requester;
    requester.id = 77;
    requester.has_pasid = true;
    requester.pasid = 5;
    RequesterExtension extension(requester);
    TestPayload& named = m.initiator.read(0);
    named.set_extension(&extension);
    m.initiator.request(named);
    m.run();
    ASSERT_EQ(m.requesters.size(), 2u);
    EXPECT_EQ(m.requesters[0].id, 0u);
    EXPECT_EQ(m.requesters[1].id, 77u);
    EXPECT_EQ(m.requesters[1].pasid, 5u);
    named.clear_extension(&extension);
}

TEST(DevicePort, PassesDebugAndDirectAccessOn) {
    Model m;
    sc_core::sc_start(sc_core::SC_ZERO_TIME);
    EXPECT_EQ(m.initiator.socket->transport_dbg(m.initiator.read(0)), 17u);
    tlm::tlm_dmi dmi;
    EXPECT_FALSE(m.initiator.socket->get_direct_mem_ptr(m.initiator.read(0), dmi));
    m.port.revoke_dmi(5, 9);
    ASSERT_EQ(m.initiator.invalidations.size(), 1u);
    EXPECT_EQ(m.initiator.invalidations[0], std::pair(std::uint64_t{5}, std::uint64_t{9}));
}

TEST(DevicePort, ServesManyAccessesWithFewRecords) {
    Model m;
    m.waited = 1000;
    for (unsigned round = 0; round < 100; ++round) {
        for (unsigned i = 0; i < 3; ++i)
            m.initiator.request(m.initiator.read(0));
        m.run();
    }
    EXPECT_EQ(m.requesters.size(), 300u);
    EXPECT_EQ(m.initiator.records.size(), 300u);
}

} // namespace
} // namespace iommusim::test
