#include "models/soc/memory.h"
#include "tests/unit/soc/bench.h"

using namespace iommusim;
using namespace iommusim::soc;
using namespace iommusim::soc::test;

namespace {

/// 1 MiB, 100 ns, 6.4 GB/s: a 64-byte burst occupies the channel for 10 ns.
MemoryParameters small() {
    MemoryParameters p;
    p.size = 1 << 20;
    p.latency = 100_ns;
    p.bandwidth = 6'400'000'000;
    return p;
}

struct Bench {
    TestInitiator cpu{"cpu"};
    Memory memory;

    explicit Bench(const MemoryParameters& p = small()) : memory("memory", p) {
        cpu.socket.bind(memory.socket);
        elaborate();
    }
};

TEST(Memory, ReadsBackWhatWasWritten) {
    Bench b;
    b.cpu.blocking(b.cpu.write(0x1000, 0xa5));
    TestPayload& read = b.cpu.read(0x1000);
    b.cpu.blocking(read);
    EXPECT_EQ(read.get_response_status(), tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(read.data, std::vector<std::uint8_t>(64, 0xa5));
}

TEST(Memory, ReadsZeroBeforeTheFirstWrite) {
    Bench b;
    TestPayload& read = b.cpu.read(0xffc0);
    read.data.assign(64, 0xff);
    b.cpu.blocking(read);
    EXPECT_EQ(read.data, std::vector<std::uint8_t>(64, 0));
}

TEST(Memory, SixtyFourGibibytesCostNothingUntilTouched) {
    MemoryParameters p;
    p.size = 64ull << 30;
    Bench b(p);
    b.cpu.blocking(b.cpu.write((64ull << 30) - 64, 0x11));
    EXPECT_EQ(b.memory.bytes()[(64ull << 30) - 1], 0x11);
}

TEST(Memory, BlockingAccessAnnotatesItsLatencyOnTopOfTheCallersDelay) {
    Bench b;
    EXPECT_EQ(b.cpu.blocking(b.cpu.read(0)), 100_ns);
    EXPECT_EQ(b.cpu.blocking(b.cpu.read(0), 500_ns), 600_ns);
    EXPECT_EQ(now(), 0u);
}

TEST(Memory, RequestersShareTheBandwidth) {
    Bench b;
    EXPECT_EQ(b.cpu.blocking(b.cpu.read(0)), 100_ns);
    EXPECT_EQ(b.cpu.blocking(b.cpu.read(0)), 110_ns);
    EXPECT_EQ(b.cpu.blocking(b.cpu.read(0, 256)), 120_ns);
    EXPECT_EQ(b.cpu.blocking(b.cpu.read(0)), 160_ns); // behind four bursts
    EXPECT_EQ(b.memory.statistics().queueing, 10_ns + 20_ns + 60_ns);
}

TEST(Memory, AnUnalignedAccessOccupiesEveryBurstThatItTouches) {
    Bench b;
    b.cpu.blocking(b.cpu.read(60, 8));
    EXPECT_EQ(b.cpu.blocking(b.cpu.read(0)), 120_ns);
}

TEST(Memory, BandwidthZeroMeansUnlimited) {
    MemoryParameters p = small();
    p.bandwidth = 0;
    Bench b(p);
    for (int i = 0; i < 10; ++i)
        EXPECT_EQ(b.cpu.blocking(b.cpu.read(0, 4096)), 100_ns);
}

TEST(Memory, ARequesterAheadOfTimeDoesNotDelayOneThatComesEarlier) {
    Bench b;
    EXPECT_EQ(b.cpu.blocking(b.cpu.read(0), 1_us), 1100_ns);
    EXPECT_EQ(b.cpu.blocking(b.cpu.read(0)), 100_ns);
}

TEST(Memory, HonoursByteEnables) {
    Bench b;
    TestPayload& write = b.cpu.write(0, 0xee, 8);
    unsigned char enables[] = {TLM_BYTE_ENABLED, TLM_BYTE_DISABLED};
    write.set_byte_enable_ptr(enables);
    write.set_byte_enable_length(2);
    b.cpu.blocking(write);
    EXPECT_EQ(write.get_response_status(), tlm::TLM_OK_RESPONSE);
    for (int i = 0; i < 8; ++i)
        EXPECT_EQ(b.memory.bytes()[i], i % 2 == 0 ? 0xee : 0);

    TestPayload& read = b.cpu.read(0, 8);
    read.set_byte_enable_ptr(enables);
    read.set_byte_enable_length(2);
    read.data.assign(8, 0x77);
    b.cpu.blocking(read);
    for (std::size_t i = 0; i < 8; ++i)
        EXPECT_EQ(read.data[i], i % 2 == 0 ? 0xee : 0x77);

    TestPayload& bad = b.cpu.read(0, 8);
    bad.set_byte_enable_ptr(enables);
    bad.set_byte_enable_length(0);
    b.cpu.blocking(bad);
    EXPECT_EQ(bad.get_response_status(), tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE);
}

TEST(Memory, AnswersAnAddressErrorOutsideOfItsRange) {
    Bench b;
    for (std::uint64_t address : {1ull << 20, (1ull << 20) - 32, ~0ull - 10}) {
        TestPayload& write = b.cpu.write(address, 1);
        b.cpu.blocking(write);
        EXPECT_EQ(write.get_response_status(), tlm::TLM_ADDRESS_ERROR_RESPONSE) << address;
    }
    EXPECT_EQ(b.memory.statistics().refused, 3u);
    EXPECT_EQ(b.memory.bytes()[(1 << 20) - 1], 0);
}

TEST(Memory, RejectsAStreamingWidthBelowTheLength) {
    Bench b;
    TestPayload& read = b.cpu.read(0, 64);
    read.set_streaming_width(8);
    b.cpu.blocking(read);
    EXPECT_EQ(read.get_response_status(), tlm::TLM_BURST_ERROR_RESPONSE);
}

TEST(Memory, NonBlockingWriteTakesEffectExactlyAtCompletion) {
    Bench b;
    TestPayload& write = b.cpu.write(0, 0x42);
    const auto returned = b.cpu.request(write, 7_ns);
    EXPECT_EQ(returned.sync, tlm::TLM_UPDATED);
    EXPECT_EQ(returned.phase, tlm::END_REQ);
    run_until(107_ns - 1);
    EXPECT_EQ(b.memory.bytes()[0], 0);
    run_for(1);
    EXPECT_EQ(b.memory.bytes()[0], 0x42);
    EXPECT_EQ(b.cpu.response_time(write), 107_ns);
}

TEST(Memory, NonBlockingReadReturnsTheBytesOfItsCompletionTime) {
    Bench b;
    TestPayload& read = b.cpu.read(0);
    b.cpu.request(read);
    run_until(100_ns - 1);
    b.memory.bytes()[0] = 9;
    run_for(1);
    EXPECT_EQ(read.data[0], 9);
}

TEST(Memory, NonBlockingAccessesShareTheBandwidthToo) {
    Bench b;
    std::vector<TestPayload*> reads;
    for (int i = 0; i < 4; ++i) {
        reads.push_back(&b.cpu.read(0));
        b.cpu.request(*reads.back());
    }
    run_until(1_us);
    for (std::size_t i = 0; i < 4; ++i)
        EXPECT_EQ(b.cpu.response_time(*reads[i]), 100_ns + i * 10_ns);
}

TEST(Memory, KeepsThePayloadUntilTheResponseHasEnded) {
    for (EndResponse answer : {EndResponse::completed, EndResponse::updated, EndResponse::later}) {
        sc_core::sc_curr_simcontext = nullptr;
        Bench b;
        b.cpu.answer = answer;
        TestPayload& read = b.cpu.read(0);
        b.cpu.request(read);
        EXPECT_EQ(read.get_ref_count(), 2);
        run_until(1_us);
        EXPECT_EQ(b.cpu.response_time(read), 100_ns);
        if (answer == EndResponse::later) {
            EXPECT_EQ(read.get_ref_count(), 2);
            EXPECT_EQ(b.cpu.send(read, tlm::END_RESP).sync, tlm::TLM_COMPLETED);
        }
        EXPECT_EQ(read.get_ref_count(), 1);
    }
}

TEST(Memory, SendsNoSecondResponseBeforeTheFirstHasEnded) {
    Bench b;
    b.cpu.answer = EndResponse::later;
    TestPayload& first = b.cpu.read(0);
    TestPayload& second = b.cpu.write(64, 5);
    b.cpu.request(first);
    b.cpu.request(second);
    run_until(1_us);
    EXPECT_EQ(b.cpu.response_time(second), 0u);
    EXPECT_EQ(b.memory.bytes()[64], 5); // done, only its response waits
    b.cpu.send(first, tlm::END_RESP);
    EXPECT_EQ(b.cpu.response_time(second), 1_us);
    b.cpu.send(second, tlm::END_RESP);
    EXPECT_EQ(first.get_ref_count(), 1);
    EXPECT_EQ(second.get_ref_count(), 1);
}

TEST(Memory, GrantsDirectAccessToAllOfIt) {
    Bench b;
    TestPayload& read = b.cpu.read(0x5000);
    b.cpu.blocking(read);
    EXPECT_TRUE(read.is_dmi_allowed());
    tlm::tlm_dmi dmi;
    ASSERT_TRUE(b.cpu.socket->get_direct_mem_ptr(read, dmi));
    EXPECT_EQ(dmi.get_start_address(), 0u);
    EXPECT_EQ(dmi.get_end_address(), (1u << 20) - 1);
    EXPECT_EQ(dmi.get_dmi_ptr(), b.memory.bytes());
    EXPECT_TRUE(dmi.is_read_write_allowed());
    EXPECT_EQ(to_picoseconds(dmi.get_read_latency()), 100_ns);
}

TEST(Memory, RefusesDirectAccessOutsideOfItsRange) {
    Bench b;
    tlm::tlm_dmi dmi;
    EXPECT_FALSE(b.cpu.socket->get_direct_mem_ptr(b.cpu.read(1 << 20), dmi));
    EXPECT_EQ(dmi.get_start_address(), 1u << 20);
    EXPECT_TRUE(dmi.is_none_allowed());
}

TEST(Memory, DebugAccessTakesNoTimeAndIsClippedToTheRange) {
    Bench b;
    EXPECT_EQ(b.cpu.socket->transport_dbg(b.cpu.write((1 << 20) - 16, 3)), 16u);
    EXPECT_EQ(b.memory.bytes()[(1 << 20) - 1], 3);
    TestPayload& read = b.cpu.read((1 << 20) - 16, 16);
    EXPECT_EQ(b.cpu.socket->transport_dbg(read), 16u);
    EXPECT_EQ(read.data[15], 3);
    EXPECT_EQ(b.cpu.socket->transport_dbg(b.cpu.read(1 << 20)), 0u);
    EXPECT_EQ(b.memory.statistics().reads + b.memory.statistics().writes, 0u);
}

struct WatchBench : Bench {
    sc_core::sc_event changed{"changed"};
    std::vector<Picoseconds> seen;
    WatchBench() {
        sc_core::sc_spawn_options options;
        options.spawn_method();
        options.dont_initialize();
        options.set_sensitivity(&changed);
        sc_core::sc_spawn([this] { seen.push_back(now()); }, "observer", &options);
        memory.watch(0x1008, changed);
    }
};

TEST(Memory, WakesTheWatcherOfALineWhenABusWriteTakesEffect) {
    WatchBench b;
    b.cpu.request(b.cpu.write(0x103c, 1, 4));
    run_until(1_us);
    EXPECT_EQ(b.seen, std::vector<Picoseconds>{100_ns});
    b.cpu.blocking(b.cpu.write(0xfc0, 1, 128)); // covers the line
    run_for(1);
    EXPECT_EQ(b.seen.size(), 2u);
}

TEST(Memory, DoesNotWakeTheWatcherForReadsAndOtherLines) {
    WatchBench b;
    b.cpu.blocking(b.cpu.read(0x1000));
    b.cpu.blocking(b.cpu.write(0x1040, 1));
    b.cpu.blocking(b.cpu.write(0xfc0, 1));
    run_for(1_us);
    EXPECT_TRUE(b.seen.empty());
}

// A unit's atomic update of a table or a descriptor ends as a debug write: the CPU that polls it must see it.
TEST(Memory, WakesTheWatcherForADebugWrite) {
    WatchBench b;
    b.cpu.socket->transport_dbg(b.cpu.write(0x1000, 1));
    run_for(1_us);
    EXPECT_EQ(b.seen.size(), 1u);
}

TEST(Memory, UnwatchEndsOneWatch) {
    WatchBench b;
    b.memory.unwatch(0x1000, b.changed);
    b.memory.unwatch(0x1000, b.changed); // nothing left: no effect
    b.cpu.blocking(b.cpu.write(0x1000, 1));
    run_for(1_us);
    EXPECT_TRUE(b.seen.empty());
}

TEST(Memory, CountsWhatItServed) {
    Bench b;
    b.cpu.blocking(b.cpu.read(0, 64));
    b.cpu.blocking(b.cpu.write(0, 1, 16));
    b.cpu.request(b.cpu.write(0, 1, 16));
    run_until(1_us);
    const MemoryStatistics& s = b.memory.statistics();
    EXPECT_EQ(s.reads, 1u);
    EXPECT_EQ(s.writes, 2u);
    EXPECT_EQ(s.bytes_read, 64u);
    EXPECT_EQ(s.bytes_written, 32u);
}

TEST(Memory, IgnoreCommandMovesNothing) {
    Bench b;
    TestPayload& p = b.cpu.make(tlm::TLM_IGNORE_COMMAND, 0);
    p.data.assign(64, 0x55);
    b.cpu.blocking(p);
    EXPECT_EQ(p.get_response_status(), tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(p.data[0], 0x55);
    EXPECT_EQ(b.memory.bytes()[0], 0);
}

TEST(Memory, ParametersAreInsideTheirRangesByDefault) {
    EXPECT_EQ(first_violation(MemoryParameters()), "");
    EXPECT_EQ(MemoryParameters().latency, 90_ns);
    EXPECT_EQ(MemoryParameters().bandwidth, 25'600'000'000u);
}

} // namespace
