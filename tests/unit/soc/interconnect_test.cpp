#include "models/soc/dma_master.h"
#include "models/soc/interconnect.h"
#include "models/soc/memory.h"
#include "tests/unit/soc/bench.h"

using namespace iommusim;
using namespace iommusim::soc;
using namespace iommusim::soc::test;

namespace {

/// Two initiators, two targets at 0x10000 and 0x40000 (64 KiB each); 10 ns each way.
struct Bench {
    TestInitiator first{"first"}, second{"second"};
    Interconnect bus{"bus", 2, 2};
    ScriptedTarget low{"low"}, high{"high"};

    Bench() {
        first.socket.bind(bus.upstream[0]);
        second.socket.bind(bus.upstream[1]);
        bus.downstream[0].bind(low.socket);
        bus.downstream[1].bind(high.socket);
        bus.map(0x10000, 0x10000, 0);
        bus.map(0x40000, 0x10000, 1);
        elaborate();
    }
};

TEST(Interconnect, RoutesByAddressAndRebasesForTheTarget) {
    Bench b;
    TestPayload& p = b.first.read(0x40100);
    b.first.blocking(p);
    b.second.blocking(b.second.read(0x10020));
    ASSERT_EQ(b.high.requests.size(), 1u);
    EXPECT_EQ(b.high.requests[0].address, 0x100u);
    ASSERT_EQ(b.low.requests.size(), 1u);
    EXPECT_EQ(b.low.requests[0].address, 0x20u);
    EXPECT_EQ(p.get_address(), 0x40100u); // put back
}

TEST(Interconnect, BlockingAccessTakesTheLatencyOfBothWays) {
    Bench b;
    EXPECT_EQ(b.first.blocking(b.first.read(0x10000), 3_ns), 3_ns + 10_ns + 100_ns + 10_ns);
    EXPECT_EQ(b.low.requests[0].time, 13_ns);
}

TEST(Interconnect, NonBlockingAccessTakesTheSameTime) {
    Bench b;
    TestPayload& p = b.first.read(0x10000);
    const auto returned = b.first.request(p, 3_ns);
    EXPECT_EQ(returned.sync, tlm::TLM_UPDATED);
    EXPECT_EQ(returned.phase, tlm::END_REQ);
    EXPECT_EQ(returned.delay, 3_ns); // the next request may follow at once
    run_until(1_us);
    EXPECT_EQ(b.first.response_time(p), 123_ns);
    EXPECT_EQ(p.get_address(), 0x10000u);
    EXPECT_TRUE(b.second.records.empty());
}

TEST(Interconnect, ResponsesGoBackToTheInitiatorThatAsked) {
    Bench b;
    std::vector<TestPayload*> of_first, of_second;
    for (unsigned i = 0; i < 5; ++i) {
        of_first.push_back(&b.first.read(0x10000 + 64 * i));
        of_second.push_back(&b.second.read(0x10000 + 64 * i));
        b.first.request(*of_first.back());
        b.second.request(*of_second.back());
    }
    run_until(1_us);
    EXPECT_EQ(b.first.records.size(), 5u);
    EXPECT_EQ(b.second.records.size(), 5u);
    for (unsigned i = 0; i < 5; ++i) {
        EXPECT_EQ(b.first.response_time(*of_first[i]), 120_ns);
        EXPECT_EQ(b.second.response_time(*of_second[i]), 120_ns);
    }
}

TEST(Interconnect, UnmappedAddressesAnswerAnAddressError) {
    Bench b;
    for (std::uint64_t address :
         {0x0ull, 0xffffull, 0x20000ull, 0x1ffe0ull, ~0ull - 63}) { // 0x1ffe0 leaves its entry
        TestPayload& blocking = b.first.read(address);
        EXPECT_EQ(b.first.blocking(blocking), 20_ns);
        EXPECT_EQ(blocking.get_response_status(), tlm::TLM_ADDRESS_ERROR_RESPONSE) << address;
        TestPayload& non_blocking = b.first.read(address);
        const auto returned = b.first.request(non_blocking);
        EXPECT_EQ(returned.sync, tlm::TLM_COMPLETED);
        EXPECT_EQ(returned.delay, 20_ns);
        EXPECT_EQ(non_blocking.get_response_status(), tlm::TLM_ADDRESS_ERROR_RESPONSE) << address;
        tlm::tlm_dmi dmi;
        if (address != 0x1ffe0) {
            EXPECT_FALSE(b.first.socket->get_direct_mem_ptr(blocking, dmi));
            EXPECT_EQ(b.first.socket->transport_dbg(blocking), 0u);
        }
    }
    EXPECT_TRUE(b.low.requests.empty());
}

TEST(Interconnect, PassesEveryReturnPathOfTheTarget) {
    for (RequestPath path :
         {RequestPath::completed, RequestPath::updated_end_request, RequestPath::updated_response,
          RequestPath::accepted_end_request, RequestPath::accepted_response}) {
        sc_core::sc_curr_simcontext = nullptr;
        DmaMaster dma("dma");
        Interconnect bus("bus", 1, 1);
        ScriptedTarget target("target");
        dma.socket.bind(bus.upstream[0]);
        bus.downstream[0].bind(target.socket);
        bus.map(0, 0x10000, 0);
        target.path = path;
        target.accept_time = 5_ns;
        DmaJob job;
        job.count = 12;
        job.outstanding = 4;
        const DmaJobId id = dma.start(job);
        run_until(10_us);
        EXPECT_EQ(dma.result(id).completed, 12u) << static_cast<int>(path);
        EXPECT_EQ(dma.result(id).errors(), 0u) << static_cast<int>(path);
        EXPECT_EQ(target.protocol_errors, 0u) << static_cast<int>(path);
        EXPECT_EQ(target.end_responses.size(), path == RequestPath::updated_response ? 12u : 0u);
    }
}

TEST(Interconnect, ASecondRequestWaitsUntilTheTargetHasTakenTheFirst) {
    for (RequestPath path : {RequestPath::accepted_end_request, RequestPath::accepted_response}) {
        sc_core::sc_curr_simcontext = nullptr;
        Bench b;
        b.low.path = path;
        b.low.accept_time = 30_ns;
        b.low.response_time = 30_ns;
        TestPayload& p = b.first.read(0x10000);
        TestPayload& q = b.second.read(0x10040);
        EXPECT_EQ(b.first.request(p).sync, tlm::TLM_ACCEPTED);
        EXPECT_EQ(b.second.request(q).sync, tlm::TLM_ACCEPTED);
        run_until(1_us);
        EXPECT_EQ(b.low.protocol_errors, 0u);
        ASSERT_EQ(b.low.requests.size(), 2u);
        EXPECT_EQ(b.low.requests[0].time, 10_ns);
        EXPECT_EQ(b.low.requests[1].time, 40_ns);
        EXPECT_EQ(b.first.response_time(p), 50_ns);
        EXPECT_EQ(b.second.response_time(q), 80_ns);
    }
}

TEST(Interconnect, ARequestThatWaitedMayBeAnsweredOnEveryPath) {
    for (RequestPath later :
         {RequestPath::completed, RequestPath::updated_end_request, RequestPath::updated_response}) {
        sc_core::sc_curr_simcontext = nullptr;
        Bench b;
        b.low.path = RequestPath::accepted_end_request;
        b.low.accept_time = 30_ns;
        TestPayload& p = b.first.read(0x10000);
        TestPayload& q = b.second.read(0x10040);
        b.first.request(p);
        b.second.request(q);
        b.low.path = later;
        run_until(1_us);
        EXPECT_EQ(b.first.response_time(p), 120_ns);
        const bool accepted = later == RequestPath::updated_end_request;
        EXPECT_EQ(b.second.records.size(), accepted ? 2u : 1u);
        EXPECT_EQ(b.second.response_time(q), 40_ns + (accepted ? 30_ns - 30_ns : 0) + 100_ns + 10_ns);
        EXPECT_EQ(q.get_address(), 0x10040u);
        EXPECT_EQ(b.low.end_responses.size(), later == RequestPath::updated_response ? 1u : 0u);
    }
}

TEST(Interconnect, ASecondResponseWaitsUntilTheInitiatorHasEndedTheFirst) {
    Bench b;
    b.first.answer = EndResponse::later;
    TestPayload& p = b.first.read(0x10000);
    TestPayload& q = b.first.read(0x40000);
    b.first.request(p);
    b.first.request(q);
    run_until(500_ns);
    EXPECT_EQ(b.first.response_time(p), 120_ns);
    EXPECT_EQ(b.first.response_time(q), 0u);
    b.first.send(p, tlm::END_RESP);
    EXPECT_EQ(b.low.end_responses, std::vector<Picoseconds>{500_ns});
    EXPECT_EQ(b.first.response_time(q), 500_ns);
    EXPECT_TRUE(b.high.end_responses.empty());
    run_until(600_ns);
    b.first.send(q, tlm::END_RESP);
    EXPECT_EQ(b.high.end_responses, std::vector<Picoseconds>{600_ns});
}

TEST(Interconnect, AResponseThatWaitedMayEndAtOnceAndItsTargetIsTold) {
    Bench b;
    b.first.answer = EndResponse::later;
    TestPayload& p = b.first.read(0x10000);
    TestPayload& q = b.first.read(0x40000);
    b.first.request(p);
    b.first.request(q);
    run_until(500_ns);
    b.first.answer = EndResponse::updated;
    b.first.send(p, tlm::END_RESP);
    EXPECT_EQ(b.first.response_time(q), 500_ns);
    EXPECT_EQ(b.high.end_responses, std::vector<Picoseconds>{500_ns});
}

TEST(Interconnect, AnEarlyResponseWaitsForItsTurnToo) {
    Bench b;
    b.first.answer = EndResponse::later;
    b.high.path = RequestPath::updated_response;
    TestPayload& p = b.first.read(0x10000);
    b.first.request(p);
    run_until(200_ns);
    TestPayload& q = b.first.read(0x40000);
    const auto returned = b.first.request(q);
    EXPECT_EQ(returned.sync, tlm::TLM_UPDATED);
    EXPECT_EQ(returned.phase, tlm::END_REQ);
    b.first.answer = EndResponse::completed;
    b.first.send(p, tlm::END_RESP);
    EXPECT_EQ(b.first.response_time(q), 320_ns);
    EXPECT_EQ(b.high.end_responses.size(), 1u);
}

TEST(Interconnect, DirectAccessIsTranslatedAndClippedToTheMapEntry) {
    Bench b;
    b.high.granted_first = 0x1000;
    b.high.granted_last = 0x2ffff; // more than the map entry shows
    b.high.storage.resize(0x30000);
    tlm::tlm_dmi dmi;
    ASSERT_TRUE(b.first.socket->get_direct_mem_ptr(b.first.read(0x42000), dmi));
    EXPECT_EQ(dmi.get_start_address(), 0x41000u);
    EXPECT_EQ(dmi.get_end_address(), 0x4ffffu);
    EXPECT_EQ(dmi.get_dmi_ptr(), b.high.storage.data() + 0x1000);
    EXPECT_EQ(to_picoseconds(dmi.get_read_latency()), 120_ns);
}

TEST(Interconnect, RevokedDirectAccessIsPassedToAllInitiatorsInTheirAddresses) {
    Bench b;
    b.high.socket->invalidate_direct_mem_ptr(0x1000, ~0ull);
    b.high.socket->invalidate_direct_mem_ptr(0x20000, 0x30000); // not visible through the map
    using Ranges = std::vector<std::pair<std::uint64_t, std::uint64_t>>;
    EXPECT_EQ(b.first.invalidations, (Ranges{{0x41000, 0x4ffff}}));
    EXPECT_EQ(b.second.invalidations, (Ranges{{0x41000, 0x4ffff}}));
}

TEST(Interconnect, DebugAccessIsRebasedAndClipped) {
    Bench b;
    TestPayload& p = b.first.read(0x4ffe0, 64);
    EXPECT_EQ(b.first.socket->transport_dbg(p), 32u);
    EXPECT_EQ(b.high.requests[0].address, 0xffe0u);
    EXPECT_EQ(p.get_address(), 0x4ffe0u);
    EXPECT_EQ(p.get_data_length(), 64u);
}

/// A memory with a hole in its middle, where another target answers.
TEST(Interconnect, AnEntryCanKeepTheTargetsOwnAddresses) {
    TestInitiator cpu{"cpu"};
    Interconnect bus{"bus", 1, 2};
    Memory ram{"ram"};
    ScriptedTarget other{"other"};
    cpu.socket.bind(bus.upstream[0]);
    bus.downstream[0].bind(ram.socket);
    bus.downstream[1].bind(other.socket);
    bus.map(0, 0x10000, 0);
    bus.map(0x10000, 0x1000, 1);
    bus.map(0x11000, 0x1000, 0, 0x11000);
    elaborate();
    ram.bytes()[0x11020] = 0x5A;
    TestPayload& behind = cpu.read(0x11020);
    cpu.blocking(behind);
    EXPECT_EQ(behind.get_data_ptr()[0], 0x5A);
    cpu.blocking(cpu.read(0x10020));
    ASSERT_EQ(other.requests.size(), 1u);
    EXPECT_EQ(other.requests[0].address, 0x20u);

    tlm::tlm_dmi dmi;
    TestPayload& direct = cpu.read(0x11020);
    ASSERT_TRUE(cpu.socket->get_direct_mem_ptr(direct, dmi));
    EXPECT_EQ(dmi.get_start_address(), 0x11000u);
    EXPECT_EQ(dmi.get_end_address(), 0x11FFFu);
    EXPECT_EQ(dmi.get_dmi_ptr(), ram.bytes() + 0x11000);
}

TEST(Interconnect, RefusesAMapThatMakesNoSense) {
    Interconnect bus("bus", 1, 1);
    bus.map(0x1000, 0x1000, 0);
    sc_core::sc_report_handler::set_actions(sc_core::SC_FATAL, sc_core::SC_THROW);
    EXPECT_THROW(bus.map(0x1fff, 1, 0), sc_core::sc_report);
    EXPECT_THROW(bus.map(0, 0x1001, 0), sc_core::sc_report);
    EXPECT_THROW(bus.map(0x4000, 0, 0), sc_core::sc_report);
    EXPECT_THROW(bus.map(0x4000, 1, 1), sc_core::sc_report);
    EXPECT_THROW(bus.map(~0ull, 2, 0), sc_core::sc_report);
    EXPECT_NO_THROW(bus.map(~0ull, 1, 0));
    sc_core::sc_report_handler::set_actions(sc_core::SC_FATAL, sc_core::SC_DEFAULT_FATAL_ACTIONS);
}

/// Two masters behind an inner interconnect, whose target is one initiator of the outer one; both paths meet
/// at the same memory.
struct Series {
    DmaMaster near{"near"}, far{"far"}, other{"other"};
    Interconnect inner{"inner", 2, 1};
    Interconnect outer{"outer", 2, 1};
    Memory memory;

    Series() : memory("memory", parameters()) {
        near.socket.bind(inner.upstream[0]);
        far.socket.bind(inner.upstream[1]);
        inner.downstream[0].bind(outer.upstream[1]);
        other.socket.bind(outer.upstream[0]);
        outer.downstream[0].bind(memory.socket);
        inner.map(0x1000'0000, 1 << 20, 0);
        outer.map(0, 1 << 20, 0);
    }
    static MemoryParameters parameters() {
        MemoryParameters p;
        p.size = 1 << 20;
        p.latency = 100_ns;
        p.bandwidth = 0;
        return p;
    }
};

struct LatencyListener : DmaListener {
    std::vector<Picoseconds> latencies;
    void on_dma_access(const DmaAccess& a) override { latencies.push_back(a.completed - a.issued); }
};

TEST(Interconnect, RoutesNestThroughTwoInterconnectsInSeries) {
    Series s;
    LatencyListener two_hops, one_hop;
    DmaJob job;
    job.count = 50;
    job.outstanding = 8;
    job.direction = DmaDirection::write;
    job.base = 0x1000'0000;
    job.listener = &two_hops;
    const DmaJobId a = s.near.start(job);
    job.base = 0x1000'8000;
    const DmaJobId b = s.far.start(job);
    job.base = 0x1'0000;
    job.listener = &one_hop;
    const DmaJobId c = s.other.start(job);
    run_until(10_us);
    EXPECT_EQ(s.near.result(a).count_of(tlm::TLM_OK_RESPONSE), 50u);
    EXPECT_EQ(s.far.result(b).count_of(tlm::TLM_OK_RESPONSE), 50u);
    EXPECT_EQ(s.other.result(c).count_of(tlm::TLM_OK_RESPONSE), 50u);
    EXPECT_TRUE(matches_dma_pattern(0, 0x1000'0000, s.memory.bytes(), 50 * 64));
    EXPECT_TRUE(matches_dma_pattern(0, 0x1000'8000, s.memory.bytes() + 0x8000, 50 * 64));
    EXPECT_TRUE(matches_dma_pattern(0, 0x1'0000, s.memory.bytes() + 0x1'0000, 50 * 64));
    EXPECT_EQ(two_hops.latencies, std::vector<Picoseconds>(100, 140_ns));
    EXPECT_EQ(one_hop.latencies, std::vector<Picoseconds>(50, 120_ns));
}

/// Passes accesses on with another address, as an IOMMU does with a payload that it does not copy.
struct Bridge : sc_core::sc_module, tlm::tlm_fw_transport_if<>, tlm::tlm_bw_transport_if<> {
    tlm::tlm_target_socket<> in{"in"};
    tlm::tlm_initiator_socket<> out{"out"};
    std::uint64_t offset;
    std::vector<std::uint64_t> returned_addresses;

    Bridge(sc_core::sc_module_name name, std::uint64_t o) : sc_module(name), offset(o) {
        in.bind(*this);
        out.bind(*this);
    }
    tlm::tlm_sync_enum nb_transport_fw(tlm::tlm_generic_payload& p, tlm::tlm_phase& phase,
                                       sc_core::sc_time& t) override {
        if (phase == tlm::BEGIN_REQ)
            p.set_address(p.get_address() + offset);
        return out->nb_transport_fw(p, phase, t);
    }
    tlm::tlm_sync_enum nb_transport_bw(tlm::tlm_generic_payload& p, tlm::tlm_phase& phase,
                                       sc_core::sc_time& t) override {
        if (phase == tlm::BEGIN_RESP)
            returned_addresses.push_back(p.get_address());
        return in->nb_transport_bw(p, phase, t);
    }
    void b_transport(tlm::tlm_generic_payload& p, sc_core::sc_time& t) override {
        p.set_address(p.get_address() + offset);
        out->b_transport(p, t);
    }
    bool get_direct_mem_ptr(tlm::tlm_generic_payload&, tlm::tlm_dmi&) override { return false; }
    unsigned transport_dbg(tlm::tlm_generic_payload& p) override { return out->transport_dbg(p); }
    void invalidate_direct_mem_ptr(sc_dt::uint64, sc_dt::uint64) override {}
};

TEST(Interconnect, OnePayloadMayPassTheSameInterconnectTwice) {
    TestInitiator device("device");
    Interconnect bus("bus", 2, 2);
    Bridge bridge("bridge", 0x1000); // reached through the bus, and itself a master on it
    ScriptedTarget memory("memory");
    device.socket.bind(bus.upstream[0]);
    bridge.out.bind(bus.upstream[1]);
    bus.downstream[0].bind(bridge.in);
    bus.downstream[1].bind(memory.socket);
    bus.map(0x8000'0000, 0x10000, 0);
    bus.map(0, 0x10000, 1);
    TestPayload& p = device.read(0x8000'0100);
    elaborate();
    device.answer = EndResponse::later;
    device.request(p);
    run_until(1_us);
    ASSERT_EQ(memory.requests.size(), 1u);
    EXPECT_EQ(memory.requests[0].address, 0x1100u);
    EXPECT_EQ(bridge.returned_addresses, std::vector<std::uint64_t>{0x1100});
    EXPECT_EQ(device.response_time(p), 140_ns);
    EXPECT_EQ(p.get_address(), 0x8000'0100u);
    device.send(p, tlm::END_RESP);
    EXPECT_EQ(memory.end_responses, std::vector<Picoseconds>{1_us});
}

} // namespace
