#include "models/soc/dma_master.h"
#include "models/soc/memory.h"
#include "tests/unit/soc/bench.h"

using namespace iommusim;
using namespace iommusim::soc;
using namespace iommusim::soc::test;

namespace {

struct Listener : DmaListener {
    std::vector<DmaAccess> accesses;
    std::vector<DmaJobId> ended;
    std::function<void(const DmaAccess&)> on_access;
    std::function<void(DmaJobId)> on_end;

    void on_dma_access(const DmaAccess& access) override {
        accesses.push_back(access);
        if (on_access)
            on_access(access);
    }
    void on_dma_job_end(DmaJobId job, const DmaResult&) override {
        ended.push_back(job);
        if (on_end)
            on_end(job);
    }
};

struct MemoryBench {
    DmaMaster dma{"dma"};
    Memory memory;
    Listener listener;

    MemoryBench() : memory("memory", parameters()) { dma.socket.bind(memory.socket); }
    static MemoryParameters parameters() {
        MemoryParameters p;
        p.size = 1 << 20;
        p.latency = 100_ns;
        p.bandwidth = 6'400'000'000; // 10 ns for 64 bytes
        return p;
    }
    DmaJob job(std::uint64_t count, std::uint32_t outstanding = 1) {
        DmaJob j;
        j.count = count;
        j.outstanding = outstanding;
        j.listener = &listener;
        return j;
    }
};

struct TargetBench {
    DmaMaster dma{"dma"};
    ScriptedTarget target{"target"};
    Listener listener;

    explicit TargetBench(RequestPath path = RequestPath::updated_end_request) {
        target.path = path;
        dma.socket.bind(target.socket);
    }
    DmaJob job(std::uint64_t count, std::uint32_t outstanding = 1) {
        DmaJob j;
        j.count = count;
        j.outstanding = outstanding;
        j.listener = &listener;
        return j;
    }
};

TEST(DmaMaster, OneOutstandingAccessAtATimeTakesTheSumOfTheLatencies) {
    MemoryBench b;
    const DmaJobId id = b.dma.start(b.job(10));
    run_until(1_ms);
    EXPECT_FALSE(b.dma.running(id));
    const DmaResult& r = b.dma.result(id);
    EXPECT_EQ(r.completed, 10u);
    EXPECT_EQ(r.bytes, 640u);
    EXPECT_EQ(r.ended - r.started, 10 * 100_ns);
    EXPECT_EQ(b.listener.ended, std::vector<DmaJobId>{id});
}

TEST(DmaMaster, FourOutstandingAccessesOverlap) {
    MemoryBench b;
    const DmaJobId id = b.dma.start(b.job(8, 4));
    run_until(1_ms);
    const DmaResult& r = b.dma.result(id);
    EXPECT_EQ(r.completed, 8u);
    // 4 at once leave the channel 10 ns apart; each then makes room for one more.
    EXPECT_EQ(r.ended - r.started, 2 * 100_ns + 3 * 10_ns);
    std::vector<Picoseconds> completions;
    for (const DmaAccess& a : b.listener.accesses)
        completions.push_back(a.completed);
    EXPECT_EQ(completions,
              (std::vector<Picoseconds>{100_ns, 110_ns, 120_ns, 130_ns, 200_ns, 210_ns, 220_ns, 230_ns}));
}

TEST(DmaMaster, NeverExceedsItsOutstandingLimit) {
    TargetBench b;
    b.dma.start(b.job(50, 7));
    run_until(1_ms);
    EXPECT_EQ(b.target.requests.size(), 50u);
    EXPECT_EQ(b.target.most_outstanding, 7u);
}

TEST(DmaMaster, LatencyRunsFromIssueToCompletion) {
    TargetBench b;
    b.target.response_time = 250_ns;
    b.dma.start(b.job(1));
    run_until(1_us);
    ASSERT_EQ(b.listener.accesses.size(), 1u);
    EXPECT_EQ(b.listener.accesses[0].completed - b.listener.accesses[0].issued, 250_ns);
}

class DmaMasterPath : public testing::TestWithParam<RequestPath> {};

TEST_P(DmaMasterPath, CompletesEveryAccessOnceAndKeepsTheProtocol) {
    TargetBench b(GetParam());
    b.target.accept_time = 5_ns;
    const DmaJobId id = b.dma.start(b.job(20, 3));
    run_until(1_ms);
    EXPECT_FALSE(b.dma.running(id));
    EXPECT_EQ(b.dma.result(id).completed, 20u);
    EXPECT_EQ(b.listener.accesses.size(), 20u);
    EXPECT_EQ(b.target.requests.size(), 20u);
    EXPECT_EQ(b.target.protocol_errors, 0u);
    const bool end_response_expected = GetParam() == RequestPath::updated_response;
    EXPECT_EQ(b.target.end_responses.size(), end_response_expected ? 20u : 0u);
    const Picoseconds latency = GetParam() == RequestPath::nested_response ? 0 : 100_ns;
    for (const DmaAccess& a : b.listener.accesses)
        EXPECT_EQ(a.completed - a.issued, latency);
}

std::string path_name(const testing::TestParamInfo<RequestPath>& info) {
    const char* const names[] = {"Completed",          "UpdatedEndRequest", "UpdatedResponse",
                                 "AcceptedEndRequest", "AcceptedResponse",  "NestedResponse"};
    return names[static_cast<int>(info.param)];
}

INSTANTIATE_TEST_SUITE_P(AllReturnPaths, DmaMasterPath,
                         testing::Values(RequestPath::completed, RequestPath::updated_end_request,
                                         RequestPath::updated_response, RequestPath::accepted_end_request,
                                         RequestPath::accepted_response, RequestPath::nested_response),
                         path_name);

TEST(DmaMaster, SendsTheNextRequestWhenTheTargetHasTakenTheOneBefore) {
    for (RequestPath path : {RequestPath::accepted_end_request, RequestPath::updated_end_request}) {
        sc_core::sc_curr_simcontext = nullptr;
        TargetBench b(path);
        b.target.accept_time = 20_ns; // later, or annotated
        b.dma.start(b.job(3, 3));
        run_until(1_us);
        ASSERT_EQ(b.target.requests.size(), 3u);
        EXPECT_EQ(b.target.requests[1].time, 20_ns);
        EXPECT_EQ(b.target.requests[2].time, 40_ns);
    }
}

TEST(DmaMaster, JobsTakeTurnsAtATargetThatAcceptsSlowly) {
    TargetBench b(RequestPath::accepted_end_request);
    b.target.accept_time = 10_ns;
    DmaJob first = b.job(4, 4);
    DmaJob second = b.job(4, 4);
    second.base = 0x8000;
    b.dma.start(first);
    b.dma.start(second);
    run_until(1_us);
    std::vector<bool> of_second;
    for (const auto& r : b.target.requests)
        of_second.push_back(r.address >= 0x8000);
    EXPECT_EQ(of_second, (std::vector<bool>{false, true, false, true, false, true, false, true}));
}

TEST(DmaMaster, EveryAccessCarriesItsRequester) {
    TargetBench b;
    std::vector<Requester> seen;
    b.target.on_request = [&](tlm::tlm_generic_payload& p) {
        ASSERT_NE(p.get_extension<RequesterExtension>(), nullptr);
        seen.push_back(p.get_extension<RequesterExtension>()->requester);
    };
    DmaJob plain = b.job(1);
    plain.requester.id = 0x100;
    b.dma.start(plain);
    run_until(1_us);
    DmaJob with_pasid = b.job(1);
    with_pasid.requester.id = 0x200;
    with_pasid.requester.has_pasid = true;
    with_pasid.requester.pasid = 33;
    b.dma.start(with_pasid);
    run_until(2_us);
    ASSERT_EQ(seen.size(), 2u);
    EXPECT_EQ(seen[0].id, 0x100u);
    EXPECT_FALSE(seen[0].has_pasid);
    EXPECT_EQ(seen[1].id, 0x200u);
    EXPECT_EQ(seen[1].pasid, 33u);
    EXPECT_TRUE(seen[1].has_pasid);
}

TEST(DmaMaster, KeepsTheMinimumIssueInterval) {
    TargetBench b;
    DmaJob job = b.job(4, 4);
    job.interval = 30_ns;
    job.start_delay = 7_ns;
    b.dma.start(job);
    run_until(1_us);
    std::vector<Picoseconds> times;
    for (const auto& r : b.target.requests)
        times.push_back(r.time);
    EXPECT_EQ(times, (std::vector<Picoseconds>{7_ns, 37_ns, 67_ns, 97_ns}));
}

TEST(DmaMaster, AlternatesReadsAndWrites) {
    TargetBench b;
    DmaJob job = b.job(4);
    job.direction = DmaDirection::alternating;
    b.dma.start(job);
    run_until(1_us);
    std::vector<bool> writes;
    for (const auto& r : b.target.requests)
        writes.push_back(r.write);
    EXPECT_EQ(writes, (std::vector<bool>{false, true, false, true}));
}

TEST(DmaMaster, WritesCarryThePatternAndCheckedReadsExpectIt) {
    MemoryBench b;
    DmaJob job = b.job(16, 4);
    job.base = 0x4000;
    job.length = 256;
    job.data_seed = 99;
    job.direction = DmaDirection::write;
    b.dma.start(job);
    run_until(10_us);
    EXPECT_TRUE(matches_dma_pattern(99, 0x4000, b.memory.bytes() + 0x4000, 4096));

    job.direction = DmaDirection::read;
    job.check = DmaCheck::pattern;
    const DmaJobId good = b.dma.start(job);
    run_until(20_us);
    EXPECT_EQ(b.dma.result(good).completed, 16u);
    EXPECT_EQ(b.dma.result(good).mismatches, 0u);

    b.memory.bytes()[0x4000 + 3 * 256 + 255] ^= 1;
    b.memory.bytes()[0x4000 + 5 * 256] ^= 1;
    b.listener.accesses.clear();
    const DmaJobId bad = b.dma.start(job);
    run_until(30_us);
    EXPECT_EQ(b.dma.result(bad).mismatches, 2u);
    EXPECT_EQ(b.dma.result(bad).first_mismatch, 0x4300u);
    EXPECT_FALSE(b.listener.accesses[3].data_matched);
    EXPECT_TRUE(b.listener.accesses[4].data_matched);
}

TEST(DmaMaster, AJobCanCarryAndExpectGivenContents) {
    MemoryBench b;
    std::vector<std::uint8_t> contents(256);
    for (std::size_t i = 0; i < contents.size(); ++i)
        contents[i] = static_cast<std::uint8_t>(i * 3 + 1);
    DmaJob job = b.job(4);
    job.base = 0x2000;
    job.check = DmaCheck::buffer;
    job.contents = contents.data();
    job.contents_size = contents.size();
    job.direction = DmaDirection::write;
    b.dma.start(job);
    run_until(1_us);
    EXPECT_EQ(std::memcmp(b.memory.bytes() + 0x2000, contents.data(), 256), 0);
    b.memory.bytes()[0x2081] = 0;
    job.direction = DmaDirection::read;
    const DmaJobId id = b.dma.start(job);
    run_until(2_us);
    EXPECT_EQ(b.dma.result(id).mismatches, 1u);
    EXPECT_EQ(b.dma.result(id).first_mismatch, 0x2080u);
}

TEST(DmaMaster, CountsErrorsByStatus) {
    MemoryBench b;
    b.memory.fault_injector().fail(AccessKind::read, 64, 128);
    DmaJob job = b.job(4);
    job.check = DmaCheck::pattern; // failed reads are errors, not mismatches
    fill_dma_pattern(0, 0, b.memory.bytes(), 256);
    const DmaJobId id = b.dma.start(job);
    run_until(1_us);
    const DmaResult& r = b.dma.result(id);
    EXPECT_EQ(r.count_of(tlm::TLM_GENERIC_ERROR_RESPONSE), 2u);
    EXPECT_EQ(r.count_of(tlm::TLM_OK_RESPONSE), 2u);
    EXPECT_EQ(r.errors(), 2u);
    EXPECT_EQ(r.mismatches, 0u);
    EXPECT_EQ(r.bytes, 128u);
    EXPECT_EQ(b.listener.accesses[1].status, tlm::TLM_GENERIC_ERROR_RESPONSE);
    job.base = 1 << 20;
    job.count = 1;
    const DmaJobId outside = b.dma.start(job);
    run_until(2_us);
    EXPECT_EQ(b.dma.result(outside).count_of(tlm::TLM_ADDRESS_ERROR_RESPONSE), 1u);
}

TEST(DmaMaster, ReplaysAListOfAddresses) {
    TargetBench b;
    const std::uint64_t list[] = {0x40, 0x9000, 0x10};
    DmaJob job = b.job(3);
    job.pattern = DmaPattern::list;
    job.addresses = list;
    job.address_count = 3;
    b.dma.start(job);
    run_until(1_us);
    std::vector<std::uint64_t> seen;
    for (const auto& r : b.target.requests)
        seen.push_back(r.address);
    EXPECT_EQ(seen, (std::vector<std::uint64_t>{0x40, 0x9000, 0x10}));
}

TEST(DmaMaster, AnEndlessJobRunsUntilItIsStoppedAndFinishesWhatIsUnderWay) {
    TargetBench b;
    const DmaJobId id = b.dma.start(b.job(0, 2));
    run_until(950_ns);
    EXPECT_EQ(b.target.requests.size(), 20u);
    b.dma.stop(id);
    EXPECT_TRUE(b.dma.running(id));
    run_until(2_us);
    EXPECT_FALSE(b.dma.running(id));
    EXPECT_EQ(b.dma.result(id).completed, 20u);
    EXPECT_EQ(b.dma.result(id).ended, 1_us);
}

TEST(DmaMaster, StoppingAJobThatHasNothingUnderWayEndsItAtOnce) {
    TargetBench b;
    DmaJob job = b.job(10);
    job.start_delay = 1_us;
    const DmaJobId id = b.dma.start(job);
    run_until(500_ns);
    b.dma.stop(id);
    b.dma.stop(id); // no effect
    EXPECT_FALSE(b.dma.running(id));
    EXPECT_EQ(b.listener.ended.size(), 1u);
    run_until(3_us);
    EXPECT_TRUE(b.target.requests.empty());
}

TEST(DmaMaster, AListenerMayStopTheJobAndStartTheNext) {
    TargetBench b;
    unsigned jobs = 1;
    b.listener.on_access = [&](const DmaAccess& a) {
        if (a.index == 2)
            b.dma.stop(a.job);
    };
    b.listener.on_end = [&](DmaJobId) {
        if (jobs++ < 5)
            b.dma.start(b.job(0));
    };
    b.dma.start(b.job(0));
    run_until(1_ms);
    EXPECT_EQ(b.listener.ended.size(), 5u);
    EXPECT_EQ(b.target.requests.size(), 15u);
    EXPECT_EQ(b.dma.running_jobs(), 0u);
}

TEST(DmaMaster, NotifiesTheEventOfAJobAtItsEnd) {
    TargetBench b;
    sc_core::sc_event ended("ended");
    Picoseconds seen = 0;
    sc_core::sc_spawn([&] {
        sc_core::wait(ended);
        seen = now();
    });
    DmaJob job = b.job(2);
    job.ended = &ended;
    b.dma.start(job);
    run_until(1_us);
    EXPECT_EQ(seen, 200_ns);
}

TEST(DmaMaster, AnAccessHeldByTheMemoryCompletesExactlyAtTheRelease) {
    MemoryBench b;
    const auto hold = b.memory.fault_injector().hold(AccessKind::read, 64, 64);
    b.dma.start(b.job(3, 3));
    run_until(2_us);
    EXPECT_EQ(b.listener.accesses.size(), 2u);
    b.memory.fault_injector().release(hold);
    run_for(1);
    ASSERT_EQ(b.listener.accesses.size(), 3u);
    EXPECT_EQ(b.listener.accesses[2].index, 1u);
    EXPECT_EQ(b.listener.accesses[2].completed, 2_us);
}

TEST(DmaMaster, MayBeDestroyedWithAccessesUnderWay) {
    auto b = std::make_unique<MemoryBench>();
    b->dma.start(b->job(100, 16));
    run_until(150_ns);
    EXPECT_EQ(b->listener.accesses.size(), 6u);
    b.reset();
}

// ---- single loosely-timed accesses

TEST(DmaMaster, TransfersLooselyTimedAndAddsTheTime) {
    MemoryBench b;
    elaborate();
    std::uint8_t out[32], in[32] = {};
    std::fill(std::begin(out), std::end(out), 0x3c);
    sc_core::sc_time delay = to_sc_time(5_ns);
    EXPECT_EQ(b.dma.transfer(Requester(), true, 0x100, out, 32, delay), tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(to_picoseconds(delay), 105_ns);
    EXPECT_EQ(b.dma.transfer(Requester(), false, 0x100, in, 32, delay), tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(std::memcmp(in, out, 32), 0);
    EXPECT_EQ(b.dma.transfer(Requester(), false, 1 << 20, in, 32, delay), tlm::TLM_ADDRESS_ERROR_RESPONSE);
    EXPECT_EQ(b.dma.direct_accesses(), 0u);
}

struct DirectBench : TargetBench {
    std::uint8_t data[64] = {};
    sc_core::sc_time delay;
    DirectBench() {
        dma.use_direct_access(true);
        elaborate();
    }
    bool went_direct(bool write, std::uint64_t address, const Requester& requester = Requester(),
                     std::uint32_t length = 64) {
        const std::uint64_t before = dma.direct_accesses();
        dma.transfer(requester, write, address, data, length, delay);
        return dma.direct_accesses() != before;
    }
};

TEST(DmaMaster, ASecondAccessToAPageGoesThroughTheDirectPointer) {
    DirectBench b;
    EXPECT_FALSE(b.went_direct(false, 0x3000));
    b.target.storage[0x3fc0] = 0x5a;
    b.delay = sc_core::SC_ZERO_TIME;
    EXPECT_TRUE(b.went_direct(false, 0x3fc0));
    EXPECT_EQ(b.data[0], 0x5a);
    EXPECT_EQ(to_picoseconds(b.delay), 100_ns);
    b.data[0] = 0x77;
    EXPECT_TRUE(b.went_direct(true, 0x3000));
    EXPECT_EQ(b.target.storage[0x3000], 0x77);
    EXPECT_FALSE(b.went_direct(false, 0x3fe0)); // crosses into the next page
}

TEST(DmaMaster, ADirectPointerServesOnlyTheRequesterItWasGrantedTo) {
    DirectBench b;
    Requester with_pasid;
    with_pasid.has_pasid = true;
    Requester other;
    other.id = 8;
    b.went_direct(false, 0x3000);
    EXPECT_FALSE(b.went_direct(false, 0x3000, with_pasid));
    EXPECT_FALSE(b.went_direct(false, 0x3000, other));
    EXPECT_TRUE(b.went_direct(false, 0x3000, other));
}

TEST(DmaMaster, ARevokedDirectPointerIsNotUsedAgain) {
    DirectBench b;
    for (std::uint64_t page = 0; page < 4; ++page)
        b.went_direct(false, page << 12);
    b.target.socket->invalidate_direct_mem_ptr(0x1fff, 0x2000);
    EXPECT_TRUE(b.went_direct(false, 0x0000));
    EXPECT_FALSE(b.went_direct(false, 0x1000));
    EXPECT_FALSE(b.went_direct(false, 0x2000));
    EXPECT_TRUE(b.went_direct(false, 0x3000));
    b.target.socket->invalidate_direct_mem_ptr(0, ~0ull);
    for (std::uint64_t page = 0; page < 4; ++page)
        EXPECT_FALSE(b.went_direct(false, page << 12));
}

TEST(DmaMaster, AGrantThatDoesNotCoverThePageIsNotCached) {
    DirectBench b;
    b.target.granted_first = 0x3000;
    b.target.granted_last = 0x3ffe;
    b.went_direct(false, 0x3000);
    EXPECT_FALSE(b.went_direct(false, 0x3000));
}

TEST(DmaMaster, AFaultInjectedLaterIsSeenByAMasterThatHadDirectAccess) {
    MemoryBench b;
    b.dma.use_direct_access(true);
    elaborate();
    std::uint8_t data[64];
    sc_core::sc_time delay;
    for (int i = 0; i < 2; ++i)
        b.dma.transfer(Requester(), false, 0x1000, data, 64, delay);
    EXPECT_EQ(b.dma.direct_accesses(), 1u);
    b.memory.fault_injector().fail(AccessKind::read, 0x1000, 64);
    EXPECT_EQ(b.dma.transfer(Requester(), false, 0x1000, data, 64, delay), tlm::TLM_GENERIC_ERROR_RESPONSE);
}

} // namespace
