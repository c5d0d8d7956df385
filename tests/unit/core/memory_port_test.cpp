// Every way in which a target may answer, seen from the port that asks.
#include "models/core/memory_port.h"
#include "tests/unit/core/core_bench.h"
#include "tests/unit/soc/bench.h"

#include <gtest/gtest.h>

namespace iommusim::test {
namespace {

using soc::test::RequestPath;
using soc::test::ScriptedTarget;

struct PortBench : ProcessOwner {
    ScriptedTarget target{"target"};
    MemoryPort port{"port", queue};
    std::vector<Picoseconds> done;
    std::vector<tlm::tlm_response_status> statuses;

    explicit PortBench(const sc_core::sc_module_name& name = "bench") : ProcessOwner(name) {
        port.socket.bind(target.socket);
    }

    Process access(Picoseconds delay, std::uint64_t address) {
        Pace pace(Pacing::timed, queue);
        pace.spend(delay);
        std::uint64_t word = 0;
        const tlm::tlm_response_status status = co_await port.read(pace, address, &word, 8);
        done.push_back(pace.time());
        statuses.push_back(status);
    }
    Task<tlm::tlm_response_status> write_now(Pace& pace) {
        const std::uint64_t word = 1;
        const tlm::tlm_response_status status = co_await port.write(pace, 0x40, &word, 8);
        co_return status;
    }
};

class ReturnPath : public testing::TestWithParam<RequestPath> {};

TEST_P(ReturnPath, TakesExactlyTheTimeThatTheTargetTakes) {
    PortBench b;
    b.target.path = GetParam();
    b.access(5000, 0x100).start(b.queue, 0);
    b.run();
    ASSERT_EQ(b.done.size(), 1u);
    EXPECT_EQ(b.done[0], GetParam() == RequestPath::nested_response ? 0 : 105'000u);
    EXPECT_EQ(b.statuses[0], tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(b.target.requests[0].time, 5000u);
    EXPECT_EQ(b.target.end_responses.size(), GetParam() == RequestPath::updated_response ? 1u : 0u);
    EXPECT_TRUE(b.list.empty());
}

TEST_P(ReturnPath, KeepsRequestsApartAndInOrderAndNotBeforeTheirTime) {
    PortBench b;
    b.target.path = GetParam();
    b.target.accept_time = 7000;
    for (unsigned i = 0; i < 20; ++i)
        b.access(i * 1000, i * 64).start(b.queue, 0);
    b.run();
    EXPECT_EQ(b.done.size(), 20u);
    EXPECT_EQ(b.target.protocol_errors, 0u);
    ASSERT_EQ(b.target.requests.size(), 20u);
    for (unsigned i = 0; i < 20; ++i) {
        EXPECT_EQ(b.target.requests[i].address, i * 64);
        EXPECT_GE(b.target.requests[i].time, i * 1000) << "a request that waited for the one before";
    }
}

TEST_P(ReturnPath, PassesTheStatusOn) {
    PortBench b;
    b.target.path = GetParam();
    b.target.status = tlm::TLM_ADDRESS_ERROR_RESPONSE;
    b.access(0, 0).start(b.queue, 0);
    b.run();
    EXPECT_EQ(b.statuses.at(0), tlm::TLM_ADDRESS_ERROR_RESPONSE);
}

TEST_P(ReturnPath, IsTornDownWithAccessesUnderWay) {
    PortBench b;
    b.target.path = GetParam();
    for (unsigned i = 0; i < 5; ++i)
        b.access(0, i * 64).start(b.queue, 0);
    sc_core::sc_start(50, sc_core::SC_NS);
    b.close();
    EXPECT_TRUE(b.list.empty());
}

INSTANTIATE_TEST_SUITE_P(Paths, ReturnPath,
                         testing::Values(RequestPath::completed, RequestPath::updated_end_request,
                                         RequestPath::updated_response, RequestPath::accepted_end_request,
                                         RequestPath::accepted_response, RequestPath::nested_response));

TEST(MemoryPort, LooselyTimedAddsTheTargetsTime) {
    PortBench b;
    sc_core::sc_start(sc_core::SC_ZERO_TIME);
    Pace pace(Pacing::loose, b.queue, 1000);
    EXPECT_EQ(b.write_now(pace).run_now(), tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(pace.offset(), 101'000u);
    EXPECT_EQ(b.target.requests[0].time, 1000u);
}

TEST(MemoryPort, DebugTakesNoTime) {
    PortBench b;
    sc_core::sc_start(sc_core::SC_ZERO_TIME);
    Pace pace(Pacing::debug, b.queue);
    EXPECT_EQ(b.write_now(pace).run_now(), tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(pace.offset(), 0u);
}

/// A client's payload that passes two ports in series, each with its own process.
struct Relay : sc_core::sc_module, tlm::tlm_fw_transport_if<> {
    tlm::tlm_target_socket<> in{"in"};
    PortBench& bench;
    MemoryPort out;

    Relay(sc_core::sc_module_name name, PortBench& b) : sc_module(name), bench(b), out("out", b.queue) {
        in.bind(*this);
    }
    ProcessList& processes() { return bench.list; }
    Process pass(tlm::tlm_generic_payload& payload) {
        Pace pace(Pacing::timed, bench.queue);
        pace.spend(1000);
        const tlm::tlm_response_status status = co_await out.forward(pace, payload);
        payload.set_response_status(status);
        tlm::tlm_phase phase = tlm::BEGIN_RESP;
        sc_core::sc_time delay = to_sc_time(pace.take());
        in->nb_transport_bw(payload, phase, delay);
    }
    tlm::tlm_sync_enum nb_transport_fw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                       sc_core::sc_time& delay) override {
        pass(payload).start(bench.queue, now() + to_picoseconds(delay));
        phase = tlm::END_REQ;
        return tlm::TLM_UPDATED;
    }
    void b_transport(tlm::tlm_generic_payload&, sc_core::sc_time&) override {}
    bool get_direct_mem_ptr(tlm::tlm_generic_payload&, tlm::tlm_dmi&) override { return false; }
    unsigned transport_dbg(tlm::tlm_generic_payload&) override { return 0; }
};

/// A client that reads three times through its own port.
struct Client : sc_core::sc_module {
    PortBench& bench;
    MemoryPort port;

    Client(sc_core::sc_module_name name, PortBench& b) : sc_module(name), bench(b), port("port", b.queue) {}
    ProcessList& processes() { return bench.list; }
    Process run() {
        Pace pace(Pacing::timed, bench.queue);
        for (unsigned i = 0; i < 3; ++i) {
            std::uint64_t word = 0;
            const tlm::tlm_response_status status = co_await port.read(pace, i * 8, &word, 8);
            bench.statuses.push_back(status);
            bench.done.push_back(pace.time());
        }
    }
};

TEST(MemoryPort, PayloadsMayPassPortsInSeries) {
    PortBench b;
    Relay relay("relay", b);
    ScriptedTarget end("end");
    Client client("client", b);
    client.port.socket.bind(relay.in);
    relay.out.socket.bind(end.socket);
    client.run().start(b.queue, 0);
    b.run();
    EXPECT_EQ(b.statuses, std::vector<tlm::tlm_response_status>(3, tlm::TLM_OK_RESPONSE));
    EXPECT_EQ(b.done, (std::vector<Picoseconds>{101'000, 202'000, 303'000}));
}

} // namespace
} // namespace iommusim::test
