#include "models/soc/dma_engine_registers.h"
#include "models/soc/interrupt_sink.h"
#include "models/soc/memory.h"
#include "tests/unit/soc/bench.h"

using namespace iommusim;
using namespace iommusim::soc;
using namespace iommusim::soc::test;
namespace reg = iommusim::soc::dma_engine::reg;
namespace control = iommusim::soc::dma_engine::control;
namespace status = iommusim::soc::dma_engine::status;

namespace {

struct Bench {
    TestInitiator cpu{"cpu"};
    DmaMaster dma{"dma"};
    DmaEngineRegisters engine{"engine", dma, 0x300, 5_ns};
    InterruptSink sink{"sink", 1};
    Memory memory;

    Bench() : memory("memory", parameters()) {
        cpu.socket.bind(engine.socket);
        engine.interrupt.bind(sink);
        dma.socket.bind(memory.socket);
        elaborate();
    }
    static MemoryParameters parameters() {
        MemoryParameters p;
        p.size = 1 << 20;
        p.latency = 100_ns;
        p.bandwidth = 0;
        return p;
    }
    std::uint64_t read(std::uint64_t offset, unsigned bytes = 8) {
        TestPayload& p = cpu.read(offset, bytes);
        cpu.blocking(p);
        EXPECT_EQ(p.get_response_status(), tlm::TLM_OK_RESPONSE);
        std::uint64_t value = 0;
        std::memcpy(&value, p.data.data(), bytes);
        return value;
    }
    void write(std::uint64_t offset, std::uint64_t value, unsigned bytes = 8, Picoseconds delay = 0) {
        TestPayload& p = cpu.make(tlm::TLM_WRITE_COMMAND, offset, bytes);
        std::memcpy(p.data.data(), &value, bytes);
        cpu.blocking(p, delay);
        EXPECT_EQ(p.get_response_status(), tlm::TLM_OK_RESPONSE);
    }
    void describe(std::uint64_t base, std::uint64_t count) {
        write(reg::base, base);
        write(reg::length, 64);
        write(reg::count, count);
    }
};

TEST(DmaEngine, IdentifiesItselfAndIsIdleAfterReset) {
    Bench b;
    EXPECT_EQ(b.read(reg::id), dma_engine::id_value);
    b.write(reg::id, 0);
    EXPECT_EQ(b.read(reg::id), dma_engine::id_value);
    EXPECT_EQ(b.read(reg::status), 0u);
    EXPECT_EQ(b.read(0xff8), 0u);
}

TEST(DmaEngine, RunsAWriteJobAndInterruptsAtItsEnd) {
    Bench b;
    b.describe(0x4000, 10);
    b.write(reg::data_seed, 5);
    b.write(reg::control,
            control::go.make(1) | control::direction.make(1) | control::interrupt_enable.make(1));
    EXPECT_EQ(b.read(reg::status), status::busy.mask());
    EXPECT_EQ(control::go.get(b.read(reg::control)), 0u);
    run_until(550_ns);
    EXPECT_EQ(b.read(reg::completed), 5u);
    run_until(10_us);
    EXPECT_EQ(b.read(reg::status), status::done.mask());
    EXPECT_EQ(b.read(reg::completed), 10u);
    EXPECT_EQ(b.read(reg::errors), 0u);
    EXPECT_TRUE(matches_dma_pattern(5, 0x4000, b.memory.bytes() + 0x4000, 640));
    ASSERT_EQ(b.sink.edges(0), 1u);
    EXPECT_EQ(b.sink.line_history()[0].time, 5_ns + 1000_ns); // the start arrived after the register latency
    b.write(reg::status, status::done.mask());
    EXPECT_EQ(b.read(reg::status), 0u);
}

TEST(DmaEngine, StartsAtTheAnnotatedTimeOfTheWrite) {
    Bench b;
    b.describe(0, 1);
    b.write(reg::control, control::go.make(1), 8, 30_ns);
    run_until(135_ns - 1);
    EXPECT_EQ(b.read(reg::completed), 0u);
    run_for(2);
    EXPECT_EQ(b.read(reg::completed), 1u);
}

TEST(DmaEngine, DoesNotInterruptUnlessEnabled) {
    Bench b;
    b.describe(0, 1);
    b.write(reg::control, control::go.make(1));
    run_until(1_us);
    EXPECT_EQ(b.read(reg::status), status::done.mask());
    EXPECT_EQ(b.sink.edges(), 0u);
}

TEST(DmaEngine, ReportsFailedAndMismatchingAccesses) {
    Bench b;
    fill_dma_pattern(0, 0, b.memory.bytes(), 4096);
    b.memory.fault_injector().fail(AccessKind::read, 64, 64);
    b.memory.bytes()[0x80] ^= 1;
    b.describe(0, 4);
    b.write(reg::control, control::go.make(1) | control::check.make(1));
    run_until(10_us);
    EXPECT_EQ(b.read(reg::status), status::done.mask() | status::error.mask());
    EXPECT_EQ(b.read(reg::errors), 1u);
    EXPECT_EQ(b.read(reg::mismatches), 1u);
    EXPECT_EQ(b.read(reg::first_mismatch), 0x80u);
}

TEST(DmaEngine, AnIllegalDescriptionEndsAtOnceWithAnError) {
    Bench b;
    const std::uint64_t go = control::go.make(1) | control::interrupt_enable.make(1);
    b.describe(0, 1);
    b.write(reg::length, 0);
    b.write(reg::control, go);
    EXPECT_EQ(b.read(reg::status), status::done.mask() | status::error.mask());
    EXPECT_EQ(b.sink.edges(0), 1u);
    b.write(reg::length, 1ull << 40);
    b.write(reg::control, go);
    b.write(reg::length, 64);
    b.write(reg::control, go | control::pattern.make(4)); // lists have no register
    b.write(reg::control, go | control::pattern.make(7));
    b.write(reg::control, go | control::direction.make(3));
    EXPECT_EQ(b.sink.edges(0), 5u);
    run_until(1_us);
    EXPECT_EQ(b.memory.statistics().reads, 0u);
    b.write(reg::control, go);
    run_until(2_us);
    EXPECT_EQ(b.read(reg::status), status::done.mask());
}

TEST(DmaEngine, StopEndsAnEndlessJob) {
    Bench b;
    b.describe(0, 0);
    b.write(reg::outstanding, 2);
    b.write(reg::control, control::go.make(1));
    run_until(1_us);
    EXPECT_EQ(b.read(reg::status), status::busy.mask());
    b.write(reg::control, control::go.make(1)); // ignored while busy
    b.write(reg::control, control::stop.make(1));
    EXPECT_EQ(b.read(reg::status), status::busy.mask());
    run_until(2_us);
    EXPECT_EQ(b.read(reg::status), status::done.mask());
    EXPECT_EQ(b.read(reg::completed), 20u);
    b.write(reg::control, control::stop.make(1));
    EXPECT_EQ(b.read(reg::status), status::done.mask());
}

TEST(DmaEngine, RegistersCanBeWrittenInHalves) {
    Bench b;
    b.write(reg::base, 0x89abcdef, 4);
    b.write(reg::base + 4, 0x01234567, 4);
    EXPECT_EQ(b.read(reg::base), 0x0123456789abcdefu);
    EXPECT_EQ(b.read(reg::base + 4, 4), 0x01234567u);
}

TEST(DmaEngine, WritingTheUpperHalfOfStatusClearsNothing) {
    Bench b;
    b.describe(0, 1);
    b.write(reg::control, control::go.make(1));
    run_until(1_us);
    b.write(reg::status + 4, 0xffffffff, 4);
    EXPECT_EQ(b.read(reg::status), status::done.mask());
    b.write(reg::status, 0xffffffff, 4);
    EXPECT_EQ(b.read(reg::status), 0u);
}

TEST(DmaEngine, AccessesCarryItsRequesterAndPasid) {
    TestInitiator cpu("cpu");
    DmaMaster dma("dma");
    DmaEngineRegisters engine("engine", dma, 0x300);
    ScriptedTarget target("target");
    cpu.socket.bind(engine.socket);
    dma.socket.bind(target.socket);
    Requester seen;
    target.on_request = [&](tlm::tlm_generic_payload& p) {
        seen = p.get_extension<RequesterExtension>()->requester;
    };
    const auto write = [&](std::uint64_t offset, std::uint64_t value) {
        TestPayload& p = cpu.make(tlm::TLM_WRITE_COMMAND, offset, 8);
        std::memcpy(p.data.data(), &value, 8);
        cpu.request(p);
    };
    elaborate();
    write(reg::length, 64);
    write(reg::count, 1);
    write(reg::pasid, 12);
    write(reg::control, control::go.make(1) | control::has_pasid.make(1) | control::privileged.make(1));
    run_until(1_us);
    EXPECT_EQ(seen.id, 0x300u);
    EXPECT_EQ(seen.pasid, 12u);
    EXPECT_TRUE(seen.has_pasid);
    EXPECT_TRUE(seen.privileged);
}

TEST(DmaEngine, RefusesAccessesThatAreNoRegisterAccess) {
    Bench b;
    const auto status_of = [&](TestPayload& p) {
        EXPECT_EQ(b.cpu.request(p).sync, tlm::TLM_COMPLETED);
        return p.get_response_status();
    };
    EXPECT_EQ(status_of(b.cpu.read(0, 2)), tlm::TLM_BURST_ERROR_RESPONSE);
    EXPECT_EQ(status_of(b.cpu.read(4, 8)), tlm::TLM_BURST_ERROR_RESPONSE);
    EXPECT_EQ(status_of(b.cpu.read(dma_engine::register_space, 8)), tlm::TLM_ADDRESS_ERROR_RESPONSE);
    TestPayload& masked = b.cpu.read(0, 8);
    unsigned char enable = TLM_BYTE_ENABLED;
    masked.set_byte_enable_ptr(&enable);
    masked.set_byte_enable_length(1);
    EXPECT_EQ(status_of(masked), tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE);
}

TEST(DmaEngine, DebugAccessReadsAndChangesNothing) {
    Bench b;
    TestPayload& read = b.cpu.read(2, 4);
    EXPECT_EQ(b.cpu.socket->transport_dbg(read), 4u);
    EXPECT_EQ(read.data[0], static_cast<std::uint8_t>(dma_engine::id_value >> 16));
    EXPECT_EQ(b.cpu.socket->transport_dbg(b.cpu.write(reg::base, 1, 8)), 0u);
    EXPECT_EQ(b.read(reg::base), 0u);
}

} // namespace
