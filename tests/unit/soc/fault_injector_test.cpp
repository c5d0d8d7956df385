#include "models/soc/memory.h"
#include "tests/unit/soc/bench.h"

using namespace iommusim;
using namespace iommusim::soc;
using namespace iommusim::soc::test;

namespace {

struct Bench {
    TestInitiator cpu{"cpu"};
    Memory memory;
    FaultInjector& faults = memory.fault_injector();

    Bench() : memory("memory", parameters()) {
        cpu.socket.bind(memory.socket);
        elaborate();
    }
    static MemoryParameters parameters() {
        MemoryParameters p;
        p.size = 1 << 20;
        p.latency = 100_ns;
        p.bandwidth = 0;
        return p;
    }
    tlm::tlm_response_status status_of(TestPayload& payload) {
        cpu.blocking(payload);
        return payload.get_response_status();
    }
};

TEST(FaultInjector, FailsReadsOfARangeAndLeavesWritesAlone) {
    Bench b;
    b.faults.fail(AccessKind::read, 0x1000, 0x1000);
    EXPECT_EQ(b.status_of(b.cpu.read(0x1000)), tlm::TLM_GENERIC_ERROR_RESPONSE);
    EXPECT_EQ(b.status_of(b.cpu.read(0xfff, 1)), tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(b.status_of(b.cpu.read(0xfff, 2)), tlm::TLM_GENERIC_ERROR_RESPONSE);
    EXPECT_EQ(b.status_of(b.cpu.read(0x2000)), tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(b.status_of(b.cpu.write(0x1000, 1)), tlm::TLM_OK_RESPONSE);
}

TEST(FaultInjector, AFailedWriteChangesNothingUntilTheRuleIsRemoved) {
    Bench b;
    const auto id = b.faults.fail(AccessKind::write, 0x1000, 64);
    EXPECT_EQ(b.status_of(b.cpu.write(0x1000, 7)), tlm::TLM_GENERIC_ERROR_RESPONSE);
    EXPECT_EQ(b.memory.bytes()[0x1000], 0);
    b.faults.remove(id);
    EXPECT_EQ(b.status_of(b.cpu.write(0x1000, 7)), tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(b.memory.bytes()[0x1000], 7);
}

TEST(FaultInjector, NonBlockingAccessesFailWithTheSameTiming) {
    Bench b;
    b.faults.fail(AccessKind::any, 0, 64);
    TestPayload& read = b.cpu.read(0);
    b.cpu.request(read);
    run_until(1_us);
    EXPECT_EQ(b.cpu.response_time(read), 100_ns);
    EXPECT_EQ(read.get_response_status(), tlm::TLM_GENERIC_ERROR_RESPONSE);
}

TEST(FaultInjector, PoisonIsCuredByteByByteByOverwriting) {
    Bench b;
    b.faults.poison(0x100, 64);
    EXPECT_EQ(b.status_of(b.cpu.read(0x100, 8)), tlm::TLM_GENERIC_ERROR_RESPONSE);
    EXPECT_EQ(b.status_of(b.cpu.write(0x110, 1, 16)), tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(b.status_of(b.cpu.read(0x110, 16)), tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(b.status_of(b.cpu.read(0x10f, 2)), tlm::TLM_GENERIC_ERROR_RESPONSE);
    EXPECT_EQ(b.status_of(b.cpu.read(0x11f, 2)), tlm::TLM_GENERIC_ERROR_RESPONSE);
    EXPECT_EQ(b.status_of(b.cpu.write(0x100, 1, 64)), tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(b.status_of(b.cpu.read(0x100, 64)), tlm::TLM_OK_RESPONSE);
    EXPECT_FALSE(b.faults.any());
}

TEST(FaultInjector, BytesThatAWriteMasksStayPoisoned) {
    Bench b;
    b.faults.poison(0, 4);
    TestPayload& write = b.cpu.write(0, 1, 4);
    unsigned char enables[] = {TLM_BYTE_ENABLED, TLM_BYTE_ENABLED, TLM_BYTE_DISABLED, TLM_BYTE_DISABLED};
    write.set_byte_enable_ptr(enables);
    write.set_byte_enable_length(4);
    b.cpu.blocking(write);
    EXPECT_EQ(b.status_of(b.cpu.read(0, 2)), tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(b.status_of(b.cpu.read(2, 1)), tlm::TLM_GENERIC_ERROR_RESPONSE);
}

TEST(FaultInjector, ExtraDelayCanChangeAtRunTime) {
    Bench b;
    const auto id = b.faults.delay(AccessKind::read, 0x1000, 64, 50_ns);
    EXPECT_EQ(b.cpu.blocking(b.cpu.read(0x1000)), 150_ns);
    EXPECT_EQ(b.cpu.blocking(b.cpu.write(0x1000, 1)), 100_ns);
    b.faults.set_delay(id, 400_ns);
    TestPayload& read = b.cpu.read(0x1000);
    b.cpu.request(read);
    run_until(1_us);
    EXPECT_EQ(b.cpu.response_time(read), 500_ns);
    b.faults.delay(AccessKind::any, 0x1000, 1, 7_ns);
    EXPECT_EQ(b.cpu.blocking(b.cpu.read(0x1000)), 507_ns);
}

TEST(FaultInjector, AHeldWriteTakesEffectExactlyAtItsRelease) {
    Bench b;
    const auto id = b.faults.hold(AccessKind::write, 0, 64);
    TestPayload& held = b.cpu.write(0, 1);
    TestPayload& other = b.cpu.write(64, 1);
    TestPayload& read = b.cpu.read(0);
    b.cpu.request(held);
    b.cpu.request(other);
    b.cpu.request(read);
    run_until(5_us);
    EXPECT_EQ(b.memory.bytes()[0], 0);
    EXPECT_EQ(b.cpu.response_time(held), 0u);
    EXPECT_EQ(b.cpu.response_time(other), 100_ns);
    EXPECT_EQ(b.cpu.response_time(read), 100_ns);
    b.faults.release(id);
    run_for(1);
    EXPECT_EQ(b.memory.bytes()[0], 1);
    EXPECT_EQ(b.cpu.response_time(held), 5_us);
}

TEST(FaultInjector, HeldAccessesCompleteInTheirOrderOfArrival) {
    Bench b;
    const auto id = b.faults.hold(AccessKind::any, 0, 64);
    TestPayload& first = b.cpu.write(0, 1);
    TestPayload& second = b.cpu.read(0);
    TestPayload& third = b.cpu.write(0, 2);
    for (TestPayload* p : {&first, &second, &third})
        b.cpu.request(*p);
    run_until(1_us);
    b.faults.release(id);
    run_for(1);
    EXPECT_EQ(second.data[0], 1);
    EXPECT_EQ(b.memory.bytes()[0], 2);
}

TEST(FaultInjector, AnAccessHeldTwiceNeedsBothReleases) {
    Bench b;
    const auto first = b.faults.hold(AccessKind::any, 0, 64);
    const auto second = b.faults.hold(AccessKind::any, 32, 64);
    TestPayload& write = b.cpu.write(0, 1);
    b.cpu.request(write);
    run_until(1_us);
    b.faults.release(first);
    run_until(2_us);
    EXPECT_EQ(b.cpu.response_time(write), 0u);
    b.faults.release(second);
    run_for(1);
    EXPECT_EQ(b.cpu.response_time(write), 2_us);
}

TEST(FaultInjector, AnAccessUnderWayIsCaughtByAHoldThatBeginsBeforeItsCompletion) {
    Bench b;
    TestPayload& write = b.cpu.write(0, 1);
    b.cpu.request(write);
    run_until(99_ns);
    b.faults.hold(AccessKind::write, 0, 64);
    run_until(1_us);
    EXPECT_EQ(b.cpu.response_time(write), 0u);
    b.faults.clear();
    run_for(1);
    EXPECT_EQ(b.cpu.response_time(write), 1_us);
}

TEST(FaultInjector, ABlockingAccessToAHeldRangeWaitsForTheRelease) {
    Bench b;
    const auto id = b.faults.hold(AccessKind::any, 0, 64);
    Picoseconds finished = 0;
    sc_core::sc_spawn([&] {
        const Picoseconds delay = b.cpu.blocking(b.cpu.write(0, 1), 20_ns);
        finished = now() + delay;
    });
    run_until(3_us);
    EXPECT_EQ(b.memory.bytes()[0], 0);
    b.faults.release(id);
    run_for(1);
    EXPECT_EQ(b.memory.bytes()[0], 1);
    EXPECT_EQ(finished, 3_us);
}

TEST(FaultInjector, DirectAccessIsClippedAroundFaultsAndRefusedInside) {
    Bench b;
    b.faults.fail(AccessKind::read, 0x2000, 0x1000);
    b.faults.delay(AccessKind::any, 0x8000, 0x1000, 1_ns);
    tlm::tlm_dmi dmi;
    ASSERT_TRUE(b.cpu.socket->get_direct_mem_ptr(b.cpu.read(0x4000), dmi));
    EXPECT_EQ(dmi.get_start_address(), 0x3000u);
    EXPECT_EQ(dmi.get_end_address(), 0x7fffu);
    EXPECT_EQ(dmi.get_dmi_ptr(), b.memory.bytes() + 0x3000);
    EXPECT_FALSE(b.cpu.socket->get_direct_mem_ptr(b.cpu.read(0x8800), dmi));
    EXPECT_EQ(dmi.get_start_address(), 0x8000u);
    EXPECT_EQ(dmi.get_end_address(), 0x8fffu);
}

TEST(FaultInjector, ANewFaultRevokesDirectAccessThatWasGranted) {
    Bench b;
    b.faults.fail(AccessKind::read, 0, 1);
    EXPECT_TRUE(b.cpu.invalidations.empty()); // nobody has a pointer yet
    tlm::tlm_dmi dmi;
    ASSERT_TRUE(b.cpu.socket->get_direct_mem_ptr(b.cpu.read(0x4000), dmi));
    b.faults.hold(AccessKind::any, 0x5000, 0x100);
    using Range = std::pair<std::uint64_t, std::uint64_t>;
    EXPECT_EQ(b.cpu.invalidations, (std::vector<Range>{{0x5000, 0x50ff}}));
}

TEST(FaultInjector, AnEmptyRangeMatchesNothing) {
    Bench b;
    b.faults.fail(AccessKind::any, 0x1000, 0);
    EXPECT_FALSE(b.faults.any());
    b.faults.fail(AccessKind::any, 0xff000, ~0ull); // to the end of the address space
    EXPECT_EQ(b.status_of(b.cpu.read(0xfffc0)), tlm::TLM_GENERIC_ERROR_RESPONSE);
    EXPECT_EQ(b.status_of(b.cpu.read(0x1000)), tlm::TLM_OK_RESPONSE);
}

} // namespace
