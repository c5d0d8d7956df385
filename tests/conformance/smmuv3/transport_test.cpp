// The unit as a TLM-2.0 component: both transport interfaces, debug and direct access, foreign targets and
// initiators.
#include "tests/conformance/smmuv3/smmu_bench.h"
#include "tests/unit/soc/bench.h"

#include <gtest/gtest.h>

namespace iommusim::smmuv3::test {
namespace {

using namespace spec;
using soc::test::EndResponse;
using soc::test::RequestPath;
using soc::test::ScriptedTarget;
using soc::test::TestInitiator;
using soc::test::TestPayload;

constexpr std::uint64_t page = 0x7000'0000;
constexpr std::uint64_t output = 0x4000'0000;

// ---- the two interfaces

struct LatencyCase {
    const char* name;
    unsigned accesses_before;
    std::uint64_t micro_tlb_entries;
    bool write;
};

class Interfaces : public testing::TestWithParam<LatencyCase> {
protected:
    struct Seen {
        Picoseconds latency;
        std::vector<std::uint8_t> data;
        tlm::tlm_response_status status;
        bool operator==(const Seen& o) const {
            return latency == o.latency && data == o.data && status == o.status;
        }
    };
    static Seen run(bool loosely, std::uint64_t address) {
        start_new_simulation();
        BenchOptions options;
        options.parameters.micro_tlb_entries = GetParam().micro_tlb_entries;
        SmmuBench bench(options);
        PageTable table(bench);
        bench.attach(5, table.root(), 1);
        table.map(page, output);
        bench.memory.bytes()[output + 5] = 0x5a;
        for (unsigned i = 0; i < GetParam().accesses_before; ++i)
            bench.read(SmmuBench::stream(5), page + 0x800);
        const Requester device = SmmuBench::stream(5);
        const Dma& dma = GetParam().write
                             ? (loosely ? bench.write_loosely(device, address, pattern(9))
                                        : bench.write(device, address, pattern(9)))
                             : (loosely ? bench.read_loosely(device, address) : bench.read(device, address));
        const std::uint8_t* const at = bench.memory.bytes() + output;
        return {dma.latency(), GetParam().write ? std::vector<std::uint8_t>(at, at + 64) : dma.data,
                dma.status};
    }
};

TEST_P(Interfaces, AgreeInDataStatusAndUnloadedLatency) {
    const Seen timed = run(false, page);
    const Seen loose = run(true, page);
    EXPECT_EQ(timed.status, tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(timed.latency, loose.latency);
    EXPECT_TRUE(timed == loose);
    EXPECT_GT(timed.latency, 110_ns) << "memory and interconnect alone";
}

TEST_P(Interfaces, AgreeAboutFaults) {
    const Seen timed = run(false, page + 0x5000);
    const Seen loose = run(true, page + 0x5000);
    EXPECT_EQ(timed.status, tlm::TLM_ADDRESS_ERROR_RESPONSE);
    EXPECT_TRUE(timed == loose);
}

INSTANTIATE_TEST_SUITE_P(Paths, Interfaces,
                         testing::Values(LatencyCase{"ColdRead", 0, 32, false},
                                         LatencyCase{"ColdWrite", 0, 32, true},
                                         LatencyCase{"MicroTlbHit", 1, 32, false},
                                         LatencyCase{"MainTlbHit", 1, 0, false},
                                         LatencyCase{"WriteHit", 1, 32, true}),
                         [](const auto& tested) { return tested.param.name; });

TEST(Transport, ALooselyTimedAccessKeepsTheDelayItCameWith) {
    SmmuBench bench;
    PageTable table(bench);
    bench.attach(5, table.root(), 1);
    table.map(page, output);
    std::uint64_t word = 0;
    sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
    bench.masters[0].transfer(SmmuBench::stream(5), false, page, &word, 8, delay);
    sc_core::sc_time plain = sc_core::SC_ZERO_TIME;
    bench.masters[0].transfer(SmmuBench::stream(5), false, page, &word, 8, plain);
    sc_core::sc_time ahead(1, sc_core::SC_US);
    bench.masters[0].transfer(SmmuBench::stream(5), false, page, &word, 8, ahead);
    EXPECT_EQ(ahead, plain + sc_core::sc_time(1, sc_core::SC_US));
    EXPECT_GT(delay, plain) << "the first one walked";
}

// ---- debug access

struct DebugAccess : testing::Test {
    SmmuBench bench;
    PageTable table{bench};
    std::vector<std::uint8_t> buffer = std::vector<std::uint8_t>(64);

    DebugAccess() {
        bench.attach(5, table.root(), 1);
        table.map(page, output);
        table.map(page + 0x1000, output + 0x8000);
    }
    unsigned debug(tlm::tlm_command command, std::uint64_t address) {
        tlm::tlm_generic_payload payload;
        RequesterExtension requester(SmmuBench::stream(5));
        payload.set_extension(&requester);
        payload.set_command(command);
        payload.set_address(address);
        payload.set_data_ptr(buffer.data());
        payload.set_data_length(static_cast<unsigned>(buffer.size()));
        const unsigned moved = bench.masters[0].socket->transport_dbg(payload);
        EXPECT_EQ(payload.get_address(), address);
        payload.clear_extension(&requester);
        return moved;
    }
};

TEST_F(DebugAccess, TranslatesBothWaysAndAcrossPages) {
    buffer = pattern(7);
    EXPECT_EQ(debug(tlm::TLM_WRITE_COMMAND, page + 0xfe0), 64u);
    EXPECT_EQ(0, std::memcmp(bench.memory.bytes() + output + 0xfe0, buffer.data(), 32));
    EXPECT_EQ(0, std::memcmp(bench.memory.bytes() + output + 0x8000, buffer.data() + 32, 32));
    buffer.assign(64, 0);
    EXPECT_EQ(debug(tlm::TLM_READ_COMMAND, page + 0xfe0), 64u);
    EXPECT_EQ(buffer, pattern(7));
}

TEST_F(DebugAccess, StopsWhereNothingIsMapped) {
    EXPECT_EQ(debug(tlm::TLM_READ_COMMAND, page + 0x1fe0), 32u);
    EXPECT_EQ(debug(tlm::TLM_READ_COMMAND, page + 0x5000), 0u);
}

TEST_F(DebugAccess, TakesNoTimeFillsNothingAndRecordsNothing) {
    const Picoseconds before = now();
    for (unsigned i = 0; i < 5; ++i) {
        debug(tlm::TLM_READ_COMMAND, page);
        debug(tlm::TLM_READ_COMMAND, page + 0x5000);
    }
    bench.settle();
    EXPECT_EQ(now(), before);
    EXPECT_TRUE(bench.take_events().empty());
    EXPECT_TRUE(bench.probe.translations.empty());
    EXPECT_TRUE(bench.probe.faults.empty());
    const Statistics statistics = bench.smmu.statistics();
    for (const auto& [name, value] : statistics.counters)
        if (name.find("hits") != std::string::npos || name.find("misses") != std::string::npos ||
            name.find("walk") != std::string::npos) {
            EXPECT_EQ(value, 0u) << name;
        }
    EXPECT_TRUE(statistics.faults.empty());
    EXPECT_EQ(bench.served_by(SmmuBench::stream(5), page), "walk");
}

TEST_F(DebugAccess, SeesTheTablesAsTheyAreAndNotTheCaches) {
    bench.read(SmmuBench::stream(5), page);
    table.map(page, output + 0x2000);
    bench.memory.bytes()[output + 0x2000] = 0x77;
    EXPECT_EQ(debug(tlm::TLM_READ_COMMAND, page), 64u);
    EXPECT_EQ(buffer[0], 0x77);
}

// ---- direct access

/// Remembers revocations together with where the command queue was.
struct DirectInitiator : TestInitiator {
    using TestInitiator::TestInitiator;
    SmmuBench* bench = nullptr;
    std::vector<std::uint32_t> consumer_at_revocation;
    void invalidate_direct_mem_ptr(sc_dt::uint64 first, sc_dt::uint64 last) override {
        TestInitiator::invalidate_direct_mem_ptr(first, last);
        consumer_at_revocation.push_back(bench->consumer());
    }
};

struct DirectAccess : testing::Test {
    DirectInitiator initiator{"initiator"};
    SmmuBench bench{options()};
    PageTable table{bench};
    RequesterExtension requester{SmmuBench::stream(5)};
    tlm::tlm_dmi grant;

    DirectAccess() {
        initiator.bench = &bench;
        bench.attach(5, table.root(), 1);
        table.map(page, output);
    }
    BenchOptions options() {
        BenchOptions o;
        o.device = &initiator.socket;
        return o;
    }
    bool ask(std::uint64_t address, tlm::tlm_command command = tlm::TLM_READ_COMMAND) {
        tlm::tlm_generic_payload payload;
        payload.set_extension(&requester);
        payload.set_command(command);
        payload.set_address(address);
        const bool granted = initiator.socket->get_direct_mem_ptr(payload, grant);
        payload.clear_extension(&requester);
        return granted;
    }
};

TEST_F(DirectAccess, IsGrantedForThePageAndPointsAtItsBytes) {
    ASSERT_TRUE(ask(page + 0x123));
    EXPECT_EQ(grant.get_start_address(), page);
    EXPECT_EQ(grant.get_end_address(), page + 0xfff);
    EXPECT_EQ(grant.get_dmi_ptr(), bench.memory.bytes() + output);
    EXPECT_TRUE(grant.is_read_write_allowed());
    EXPECT_GE(grant.get_read_latency(), sc_core::sc_time(110, sc_core::SC_NS));
}

TEST_F(DirectAccess, IsGrantedForAWholeBlock) {
    table.map(0x8000'0000, 0x4020'0000, 2);
    ASSERT_TRUE(ask(0x8012'3456));
    EXPECT_EQ(grant.get_start_address(), 0x8000'0000u);
    EXPECT_EQ(grant.get_end_address(), 0x801f'ffffu);
    EXPECT_EQ(grant.get_dmi_ptr(), bench.memory.bytes() + 0x4020'0000);
}

TEST_F(DirectAccess, IsClippedToWhatTheTargetGrants) {
    bench.faults().delay(soc::AccessKind::any, output + 0x800, 0x100, 1000);
    ASSERT_TRUE(ask(page + 0x10));
    EXPECT_EQ(grant.get_start_address(), page);
    EXPECT_EQ(grant.get_end_address(), page + 0x7ff);
    ASSERT_TRUE(ask(page + 0x910));
    EXPECT_EQ(grant.get_start_address(), page + 0x900);
    EXPECT_EQ(grant.get_end_address(), page + 0xfff);
    EXPECT_EQ(grant.get_dmi_ptr(), bench.memory.bytes() + output + 0x900);
    EXPECT_FALSE(ask(page + 0x810));
}

TEST_F(DirectAccess, AllowsWhatThePageAllows) {
    table.map(page, output, 3, leaf_ro);
    ASSERT_TRUE(ask(page));
    EXPECT_TRUE(grant.is_read_allowed());
    EXPECT_FALSE(grant.is_write_allowed());
    EXPECT_FALSE(ask(page, tlm::TLM_WRITE_COMMAND));
    EXPECT_FALSE(ask(page + 0x1000));
    EXPECT_TRUE(bench.take_events().empty());
}

TEST_F(DirectAccess, IsRevokedByTheInvalidationBeforeItsCompletion) {
    ASSERT_TRUE(ask(page));
    bench.execute({tlbi_va(1, page + 0x1000), tlbi_va(1, page), sync()});
    ASSERT_EQ(initiator.invalidations.size(), 1u);
    EXPECT_EQ(initiator.invalidations[0], std::pair(std::uint64_t{page}, std::uint64_t{page + 0xfff}));
    EXPECT_LE(initiator.consumer_at_revocation[0], 1u);
    bench.execute_and_sync(tlbi_va(1, page));
    EXPECT_EQ(initiator.invalidations.size(), 1u) << "it is gone";
}

TEST_F(DirectAccess, IsRevokedByEveryKindOfInvalidationThatMatchesAndByNoOther) {
    const struct {
        Command command;
        bool revokes;
    } cases[] = {{tlbi_va(1, page), true},
                 {tlbi_va(2, page), false},
                 {tlbi_vaa(page), true},
                 {tlbi_asid(1), true},
                 {tlbi_asid(2), false},
                 {tlbi_all(), true},
                 {tlbi_range(1, page, 1, 0), true},
                 {tlbi_range(1, page + 0x1000, 1, 0), false},
                 {cfgi_ste(5), true},
                 {cfgi_ste(6), false},
                 {cfgi_cd(5), true},
                 {cfgi_cd(5, 1), false},
                 {cfgi_all(), true}};
    unsigned number = 0;
    for (const auto& c : cases) {
        ASSERT_TRUE(ask(page));
        initiator.invalidations.clear();
        bench.execute_and_sync(c.command);
        EXPECT_EQ(initiator.invalidations.size(), c.revokes ? 1u : 0u) << "case " << number;
        ++number;
    }
}

TEST_F(DirectAccess, OfATaggedAddressIsRevokedByTheUntaggedOne) {
    bench.set_ste(5, ste_stage_1(bench.new_cd(cd_for(table.root(), 1).with(cd::tbi0, 1))));
    constexpr std::uint64_t tag = 0xab00'0000'0000'0000;
    ASSERT_TRUE(ask(tag | page));
    EXPECT_EQ(grant.get_start_address(), tag | page);
    bench.execute_and_sync(tlbi_va(1, page));
    ASSERT_EQ(initiator.invalidations.size(), 1u);
    EXPECT_EQ(initiator.invalidations[0].first, tag | page);
}

TEST_F(DirectAccess, OfAGlobalPageSurvivesAnAsidInvalidation) {
    table.map(page, output, 3, leaf_global);
    ASSERT_TRUE(ask(page));
    bench.execute_and_sync(tlbi_asid(1));
    EXPECT_TRUE(initiator.invalidations.empty());
    bench.execute_and_sync(tlbi_va(7, page));
    EXPECT_EQ(initiator.invalidations.size(), 1u);
}

TEST_F(DirectAccess, IsRevokedWhenTheUnitIsSwitchedOnOrOff) {
    ASSERT_TRUE(ask(page));
    bench.set_cr0(cr0::cmdqen.mask());
    EXPECT_EQ(initiator.invalidations.size(), 1u);
    ASSERT_TRUE(ask(output));
    EXPECT_EQ(grant.get_dmi_ptr() + (output - grant.get_start_address()), bench.memory.bytes() + output);
    bench.set_gbpa(gbpa::abort.mask());
    EXPECT_EQ(initiator.invalidations.size(), 2u);
    EXPECT_FALSE(ask(output));
}

TEST_F(DirectAccess, IsRevokedWhenTheTargetRevokesItsOwn) {
    ASSERT_TRUE(ask(page));
    bench.faults().poison(output, 8);
    EXPECT_EQ(initiator.invalidations.size(), 1u);
}

TEST(DirectAccessOfAMaster, IsNotUsedAfterTheInvalidation) {
    SmmuBench bench;
    PageTable table(bench);
    bench.attach(5, table.root(), 1);
    table.map(page, output);
    bench.masters[0].use_direct_access(true);
    for (unsigned i = 0; i < 10; ++i)
        EXPECT_TRUE(bench.read_loosely(SmmuBench::stream(5), page).ok());
    EXPECT_EQ(bench.masters[0].direct_accesses(), 9u);
    table.unmap(page);
    bench.execute_and_sync(tlbi_va(1, page));
    EXPECT_FALSE(bench.read_loosely(SmmuBench::stream(5), page).ok());
    EXPECT_EQ(bench.masters[0].direct_accesses(), 9u);
}

// ---- accesses that cross pages

struct CrossingPages : testing::Test {
    SmmuBench bench;
    PageTable table{bench};
    const Requester device = SmmuBench::stream(5);
    CrossingPages() {
        bench.attach(5, table.root(), 1);
        table.map(page, output);
        table.map(page + 0x1000, output + 0x8000);
    }
};

TEST_F(CrossingPages, AreSplitAtEveryPageEnd) {
    table.map(page + 0x2000, output + 0x4000);
    const std::vector<std::uint8_t> data = pattern(3, 0x1000 + 64);
    for (const bool loosely : {false, true}) {
        std::memset(bench.memory.bytes() + output, 0, 0x10000);
        const std::uint64_t at = page + 0xff0;
        ASSERT_TRUE((loosely ? bench.write_loosely(device, at, data) : bench.write(device, at, data)).ok());
        EXPECT_EQ(0, std::memcmp(bench.memory.bytes() + output + 0xff0, data.data(), 16));
        EXPECT_EQ(0, std::memcmp(bench.memory.bytes() + output + 0x8000, data.data() + 16, 0x1000));
        EXPECT_EQ(0, std::memcmp(bench.memory.bytes() + output + 0x4000, data.data() + 0x1010, 48));
        const auto size = static_cast<unsigned>(data.size());
        EXPECT_EQ((loosely ? bench.read_loosely(device, at, size) : bench.read(device, at, size)).data, data);
    }
}

TEST_F(CrossingPages, FaultOnTheSecondPageWithItsOwnAddress) {
    const Dma& dma = bench.write(device, page + 0x1fe0, pattern(3));
    EXPECT_EQ(dma.status, tlm::TLM_ADDRESS_ERROR_RESPONSE);
    const std::vector<Event> events = bench.take_events();
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].get(event::input_addr), page + 0x2000);
    EXPECT_EQ(0, std::memcmp(bench.memory.bytes() + output + 0x8fe0, pattern(3).data(), 32));
}

TEST_F(CrossingPages, AnAccessAtTheTopOfTheAddressSpaceEnds) {
    EXPECT_FALSE(bench.read(device, ~0ull - 31, 32).ok());
    EXPECT_FALSE(bench.read(device, ~0ull - 31, 64).ok());
}

// ---- foreign targets

struct ForeignTargetCase {
    const char* name;
    RequestPath path;
};

class ForeignTarget : public testing::TestWithParam<ForeignTargetCase> {
protected:
    ScriptedTarget target{"target"};
    SmmuBench bench{options()};
    PageTable table{bench};

    ForeignTarget() {
        bench.attach(5, table.root(), 1);
        for (unsigned i = 0; i < 8; ++i)
            table.map(page + i * 0x1000, i * 0x1000);
        target.path = GetParam().path;
    }
    BenchOptions options() {
        BenchOptions o;
        o.device_memory = &target.socket;
        return o;
    }
};

TEST_P(ForeignTarget, MayAnswerAsItLikes) {
    target.response_time = 100_ns;
    target.accept_time = 30_ns;
    const Dma& dma = bench.read(SmmuBench::stream(5), page + 0x40);
    EXPECT_TRUE(dma.ok());
    ASSERT_EQ(target.requests.size(), 1u);
    EXPECT_EQ(target.requests[0].address, 0x40u);
    const Dma& hit = bench.read(SmmuBench::stream(5), page + 0x80);
    const bool immediate = GetParam().path == RequestPath::nested_response;
    EXPECT_EQ(hit.latency(), (immediate ? 0 : 100_ns) + bench.options.parameters.micro_tlb_latency);
    EXPECT_EQ(target.end_responses.size(), GetParam().path == RequestPath::updated_response ? 2u : 0u);
}

TEST_P(ForeignTarget, GetsOneRequestAtATimeAndEveryAccessEnds) {
    target.accept_time = 20_ns;
    std::vector<const Dma*> dmas;
    for (unsigned i = 0; i < 64; ++i)
        dmas.push_back(
            i % 2 ? &bench.begin_read(SmmuBench::stream(5), page + (i % 8) * 0x1000 + i * 8)
                  : &bench.begin_write(SmmuBench::stream(5), page + (i % 8) * 0x1000 + i * 8, pattern(1)));
    bench.settle();
    for (const Dma* dma : dmas)
        EXPECT_TRUE(dma->ok());
    EXPECT_EQ(target.requests.size(), 64u);
    EXPECT_EQ(target.protocol_errors, 0u);
}

TEST_P(ForeignTarget, MayRefuse) {
    target.status = tlm::TLM_GENERIC_ERROR_RESPONSE;
    EXPECT_EQ(bench.read(SmmuBench::stream(5), page).status, tlm::TLM_GENERIC_ERROR_RESPONSE);
    EXPECT_TRUE(bench.take_events().empty()) << "not an error of the translation";
    target.status = tlm::TLM_OK_RESPONSE;
    EXPECT_TRUE(bench.read(SmmuBench::stream(5), page).ok());
}

TEST_P(ForeignTarget, IsDrainedByACompletion) {
    target.response_time = 10_us;
    const Dma& dma = bench.begin_write(SmmuBench::stream(5), page, pattern(1));
    bench.run_for(2_us);
    ASSERT_EQ(target.requests.size(), 1u);
    bench.execute({tlbi_va(1, page), sync()});
    EXPECT_TRUE(dma.ok());
    EXPECT_EQ(bench.consumer(), 2u);
    if (GetParam().path != RequestPath::nested_response) {
        EXPECT_GE(bench.probe.commands.back().finished, 10_us);
    }
}

INSTANTIATE_TEST_SUITE_P(
    Paths, ForeignTarget,
    testing::Values(ForeignTargetCase{"Completed", RequestPath::completed},
                    ForeignTargetCase{"UpdatedEndRequest", RequestPath::updated_end_request},
                    ForeignTargetCase{"UpdatedResponse", RequestPath::updated_response},
                    ForeignTargetCase{"AcceptedEndRequest", RequestPath::accepted_end_request},
                    ForeignTargetCase{"AcceptedResponse", RequestPath::accepted_response},
                    ForeignTargetCase{"NestedResponse", RequestPath::nested_response}),
    [](const auto& tested) { return tested.param.name; });

// ---- foreign initiators

struct ForeignInitiator : testing::Test {
    static constexpr unsigned limit = 4;
    TestInitiator initiator{"initiator"};
    SmmuBench bench{options()};
    PageTable table{bench};
    std::vector<std::unique_ptr<RequesterExtension>> extensions;

    ForeignInitiator() {
        bench.attach(5, table.root(), 1);
        table.map(page, output);
    }
    ~ForeignInitiator() override {
        for (TestPayload& payload : initiator.payloads)
            payload.clear_extension<RequesterExtension>();
    }
    BenchOptions options() {
        BenchOptions o;
        o.device = &initiator.socket;
        o.parameters.port_outstanding = limit;
        return o;
    }
    TestPayload& payload(bool write = false) {
        TestPayload& p = write ? initiator.write(page, 0x33) : initiator.read(page);
        extensions.push_back(std::make_unique<RequesterExtension>(SmmuBench::stream(5)));
        p.set_extension(extensions.back().get());
        return p;
    }
};

TEST_F(ForeignInitiator, IsHeldBackWhenTooManyAccessesAreOutstanding) {
    const auto hold = bench.faults().hold(soc::AccessKind::any, output, 4096);
    for (unsigned i = 0; i < limit; ++i) {
        const auto returned = initiator.request(payload());
        EXPECT_EQ(returned.sync, tlm::TLM_UPDATED);
        EXPECT_EQ(returned.phase, tlm::END_REQ);
    }
    TestPayload& waiting = payload();
    EXPECT_EQ(initiator.request(waiting).sync, tlm::TLM_ACCEPTED);
    bench.settle();
    EXPECT_TRUE(initiator.records.empty());
    bench.faults().release(hold);
    bench.settle();
    unsigned ended = 0;
    for (const TestInitiator::Record& record : initiator.records)
        ended += record.payload == &waiting && record.phase == tlm::END_REQ;
    EXPECT_EQ(ended, 1u);
    for (TestPayload& p : initiator.payloads) {
        EXPECT_NE(initiator.response_time(p), 0u);
        EXPECT_TRUE(p.is_response_ok());
        EXPECT_EQ(p.get_address(), page) << "the address is put back";
    }
}

TEST_F(ForeignInitiator, MayEndResponsesAsItLikes) {
    for (const EndResponse answer : {EndResponse::completed, EndResponse::updated}) {
        initiator.answer = answer;
        TestPayload& a = payload();
        TestPayload& b = payload(true);
        initiator.request(a);
        initiator.request(b);
        bench.settle();
        EXPECT_NE(initiator.response_time(a), 0u);
        EXPECT_NE(initiator.response_time(b), 0u);
    }
}

TEST_F(ForeignInitiator, GetsTheNextResponseAfterItEndedTheOneBefore) {
    initiator.answer = EndResponse::later;
    for (unsigned i = 0; i < 3; ++i)
        initiator.request(payload());
    bench.settle();
    for (unsigned done = 1; done <= 3; ++done) {
        ASSERT_EQ(initiator.records.size(), done);
        EXPECT_EQ(initiator.records.back().phase, tlm::BEGIN_RESP);
        bench.run_for(1_us);
        initiator.send(*initiator.records.back().payload, tlm::END_RESP);
        bench.settle();
    }
    for (const TestPayload& p : initiator.payloads)
        EXPECT_TRUE(p.is_response_ok());
}

TEST_F(ForeignInitiator, WithoutARequesterExtensionIsStreamZero) {
    TestPayload& anonymous = initiator.read(page);
    initiator.request(anonymous);
    bench.settle();
    EXPECT_EQ(anonymous.get_response_status(), tlm::TLM_ADDRESS_ERROR_RESPONSE);
    bench.attach(0, table.root(), 1);
    bench.execute_and_sync(cfgi_ste(0));
    TestPayload& again = initiator.read(page);
    initiator.request(again);
    bench.settle();
    EXPECT_TRUE(again.is_response_ok());
}

TEST_F(ForeignInitiator, KeepsItsByteEnables) {
    std::memset(bench.memory.bytes() + output, 0x11, 64);
    TestPayload& p = payload(true);
    std::vector<unsigned char> enables(64, TLM_BYTE_DISABLED);
    enables[3] = TLM_BYTE_ENABLED;
    p.set_byte_enable_ptr(enables.data());
    p.set_byte_enable_length(64);
    initiator.request(p);
    bench.settle();
    EXPECT_TRUE(p.is_response_ok());
    EXPECT_EQ(bench.memory.bytes()[output + 3], 0x33);
    EXPECT_EQ(bench.memory.bytes()[output + 4], 0x11);
}

TEST_F(ForeignInitiator, IgnoresAccessesWithoutData) {
    TestPayload& p = initiator.make(tlm::TLM_IGNORE_COMMAND, page, 0);
    extensions.push_back(std::make_unique<RequesterExtension>(SmmuBench::stream(5)));
    p.set_extension(extensions.back().get());
    initiator.request(p);
    bench.settle();
    EXPECT_NE(initiator.response_time(p), 0u);
}

// ---- endurance

TEST(Transport, AThousandRefusedWritesLeaveRoomForAGoodOne) {
    SmmuBench bench;
    PageTable table(bench);
    bench.attach(5, table.root(), 1);
    table.map(page, output);
    for (unsigned i = 0; i < 1000; ++i)
        bench.begin_write(SmmuBench::stream(5), page + 0x10'0000 + i * 64, pattern(1));
    bench.settle();
    EXPECT_EQ(bench.probe.faults.size(), 1000u);
    EXPECT_TRUE(bench.write(SmmuBench::stream(5), page, pattern(1)).ok());
}

TEST(Transport, SlotsAreGivenBackAndWaitsForThemAreCounted) {
    BenchOptions options;
    options.parameters.tbu_slots = 1;
    options.parameters.walk_slots = 1;
    options.parameters.tcu_slots = 1;
    SmmuBench bench(options);
    PageTable table(bench);
    bench.attach(5, table.root(), 1);
    std::vector<const Dma*> dmas;
    for (unsigned i = 0; i < 20; ++i) {
        table.map(page + i * 0x1000, output + i * 0x1000);
        dmas.push_back(&bench.begin_read(SmmuBench::stream(5), page + i * 0x1000));
    }
    bench.settle();
    for (const Dma* dma : dmas)
        EXPECT_TRUE(dma->ok());
    const Statistics statistics = bench.smmu.statistics();
    ASSERT_FALSE(statistics.stalls.empty());
    EXPECT_EQ(statistics.stalls[0].reason, "TBU slot");
    EXPECT_EQ(statistics.stalls[0].count, 19u);
    EXPECT_GT(statistics.stalls[0].longest_ps, 1'000'000u);
}

// A memory may make a loosely-timed walk wait. What another access does to the configuration cache meanwhile
// is none of the walk's business.
TEST(Transport, ALooselyTimedWalkKeepsItsConfigurationWhileTheMemoryWaits) {
    BenchOptions options;
    options.parameters.configuration_entries = 1;
    SmmuBench bench(options);
    const Requester device = SmmuBench::stream(5);
    const Requester refused = SmmuBench::stream(6);
    PageTable table(bench);
    bench.attach(5, table.root(), 1);
    bench.set_ste(6, ste_abort());
    table.map(page, output);
    const std::uint64_t descriptor = table.map(page + 0x1000, output + 0x1000);
    bench.memory.bytes()[output + 0x1000] = 0x5a;
    ASSERT_TRUE(bench.read(device, page).ok()); // fills the configuration cache

    const auto hold = bench.faults().hold(soc::AccessKind::read, descriptor, 8);
    const Dma* walked = nullptr;
    bench.spawn([&] { walked = &bench.read_loosely(device, page + 0x1000); });
    bench.settle();
    ASSERT_EQ(walked, nullptr) << "the memory was to hold the walk";
    const std::uint64_t evictions = bench.counter("iommu.configuration.evictions");
    EXPECT_FALSE(bench.read(refused, page).ok());
    EXPECT_EQ(bench.counter("iommu.configuration.evictions"), evictions + 1);
    bench.faults().release(hold);
    bench.settle();

    ASSERT_NE(walked, nullptr);
    EXPECT_TRUE(walked->ok());
    EXPECT_EQ(walked->data[0], 0x5a);
    EXPECT_NE(bench.served_by(device, page + 0x1000), "walk") << "the TLBs keep the page ...";
    bench.execute_and_sync(tlbi_asid(1));
    EXPECT_EQ(bench.served_by(device, page + 0x1000), "walk") << "... under the ASID of its stream";
}

TEST(Transport, TheSameSimulationTwiceGivesTheSameTimes) {
    std::vector<Picoseconds> times[2];
    for (auto& run : times) {
        start_new_simulation();
        SmmuBench bench;
        PageTable table(bench);
        bench.attach(5, table.root(), 1);
        for (unsigned i = 0; i < 64; ++i)
            table.map(page + i * 0x1000, output + i * 0x1000);
        std::vector<const Dma*> dmas;
        for (unsigned i = 0; i < 300; ++i)
            dmas.push_back(&bench.begin_read(SmmuBench::stream(5), page + (i * 31 % 80) * 0x1000));
        bench.execute({tlbi_va(1, page), tlbi_asid(1), sync()});
        for (const Dma* dma : dmas)
            run.push_back(dma->completed);
    }
    EXPECT_EQ(times[0], times[1]);
}

} // namespace
} // namespace iommusim::smmuv3::test
