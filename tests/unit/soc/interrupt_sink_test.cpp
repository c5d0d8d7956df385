#include "models/core/requester.h"
#include "models/soc/interrupt_sink.h"
#include "tests/unit/soc/bench.h"

using namespace iommusim;
using namespace iommusim::soc;
using namespace iommusim::soc::test;

namespace {

struct Device : sc_core::sc_module {
    InterruptPort interrupt{"interrupt"};
    explicit Device(sc_core::sc_module_name name) : sc_module(name) {}
};

TEST(InterruptSink, CountsEdgesPerLineAndRemembersThem) {
    Device a("a"), b("b");
    InterruptSink sink("sink", 8);
    a.interrupt.bind(sink);
    b.interrupt.bind(sink.from(4));
    std::vector<unsigned> forwarded;
    sink.on_line = [&](const LineInterrupt& i) { forwarded.push_back(i.line); };
    elaborate();
    a.interrupt->pulse(0);
    run_until(5_ns);
    b.interrupt->pulse(0);
    b.interrupt->pulse(1);
    b.interrupt->pulse(0);
    EXPECT_EQ(sink.edges(0), 1u);
    EXPECT_EQ(sink.edges(4), 2u);
    EXPECT_EQ(sink.edges(5), 1u);
    EXPECT_EQ(sink.edges(), 4u);
    EXPECT_EQ(forwarded, (std::vector<unsigned>{0, 4, 5, 4}));
    ASSERT_EQ(sink.line_history().size(), 4u);
    EXPECT_EQ(sink.line_history()[1].time, 5_ns);
    EXPECT_EQ(sink.line_history()[1].line, 4u);
}

TEST(InterruptSink, AnEdgeOnALineThatDoesNotExistIsOnlyCounted) {
    InterruptSink sink("sink", 2);
    elaborate();
    sink.pulse(2);
    EXPECT_EQ(sink.stray_edges(), 1u);
    EXPECT_EQ(sink.edges(), 0u);
}

TEST(InterruptSink, ForgetsTheOldestBeyondItsHistory) {
    InterruptSink sink("sink", 8, 3);
    elaborate();
    for (unsigned line = 0; line < 5; ++line)
        sink.pulse(line);
    ASSERT_EQ(sink.line_history().size(), 3u);
    EXPECT_EQ(sink.line_history().front().line, 2u);
    EXPECT_EQ(sink.edges(), 5u);
}

TEST(InterruptPort, AModelMayLeaveItUnbound) {
    Device device("device");
    elaborate();
    EXPECT_EQ(device.interrupt.size(), 0);
}

struct MessageBench {
    TestInitiator writer{"writer"};
    InterruptSink sink{"sink", 0};
    MessageBench() {
        writer.socket.bind(sink.messages);
        elaborate();
    }
    TestPayload& message(std::uint64_t address, std::uint32_t data) {
        TestPayload& p = writer.make(tlm::TLM_WRITE_COMMAND, address, 4);
        std::memcpy(p.data.data(), &data, 4);
        return p;
    }
};

TEST(InterruptSink, A32BitWriteIsAMessageInterrupt) {
    MessageBench b;
    std::vector<std::uint32_t> forwarded;
    b.sink.on_message = [&](const MessageInterrupt& m) { forwarded.push_back(m.data); };
    TestPayload& p = b.message(0x40, 0xcafe);
    RequesterExtension extension;
    extension.requester.id = 77;
    p.set_extension(&extension);
    b.writer.blocking(p);
    p.clear_extension(&extension);
    EXPECT_EQ(p.get_response_status(), tlm::TLM_OK_RESPONSE);
    ASSERT_EQ(b.sink.message_history().size(), 1u);
    EXPECT_EQ(b.sink.message_history()[0].address, 0x40u);
    EXPECT_EQ(b.sink.message_history()[0].data, 0xcafeu);
    EXPECT_EQ(b.sink.message_history()[0].requester, 77u);
    EXPECT_EQ(forwarded, std::vector<std::uint32_t>{0xcafe});
}

TEST(InterruptSink, AMessageArrivesAtItsAnnotatedTime) {
    MessageBench b;
    TestPayload& late = b.message(0, 1);
    TestPayload& early = b.message(0, 2);
    EXPECT_EQ(b.writer.request(late, 50_ns).sync, tlm::TLM_COMPLETED);
    b.writer.blocking(early, 20_ns);
    run_until(20_ns - 1);
    EXPECT_EQ(b.sink.message_count(), 0u);
    run_until(1_us);
    ASSERT_EQ(b.sink.message_history().size(), 2u);
    EXPECT_EQ(b.sink.message_history()[0].data, 2u);
    EXPECT_EQ(b.sink.message_history()[0].time, 20_ns);
    EXPECT_EQ(b.sink.message_history()[1].data, 1u);
    EXPECT_EQ(b.sink.message_history()[1].time, 50_ns);
}

TEST(InterruptSink, RefusesWhatIsNotAnAligned32BitWrite) {
    MessageBench b;
    TestPayload& read = b.writer.read(0, 4);
    b.writer.blocking(read);
    EXPECT_EQ(read.get_response_status(), tlm::TLM_COMMAND_ERROR_RESPONSE);
    for (auto [address, length] : {std::pair{0ull, 8u}, {2ull, 4u}, {0ull, 2u}}) {
        TestPayload& p = b.writer.write(address, 1, length);
        b.writer.blocking(p);
        EXPECT_EQ(p.get_response_status(), tlm::TLM_BURST_ERROR_RESPONSE);
    }
    TestPayload& masked = b.message(0, 1);
    unsigned char enable = TLM_BYTE_ENABLED;
    masked.set_byte_enable_ptr(&enable);
    masked.set_byte_enable_length(1);
    b.writer.blocking(masked);
    EXPECT_EQ(masked.get_response_status(), tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE);
    tlm::tlm_dmi dmi;
    EXPECT_FALSE(b.writer.socket->get_direct_mem_ptr(read, dmi));
    EXPECT_EQ(b.writer.socket->transport_dbg(read), 0u);
    EXPECT_EQ(b.sink.message_count(), 0u);
}

TEST(InterruptSignal, TurnsEachEdgeIntoAPulseOfOneNanosecond) {
    InterruptSignal adapter("adapter", 2);
    sc_core::sc_signal<bool> wire("wire");
    adapter.lines[1].bind(wire);
    std::vector<std::pair<Picoseconds, bool>> changes;
    sc_core::sc_spawn_options options;
    options.spawn_method();
    options.dont_initialize();
    options.set_sensitivity(&wire.default_event());
    sc_core::sc_spawn([&] { changes.emplace_back(now(), wire.read()); }, "observer", &options);
    run_until(10_ns);
    adapter.pulse(1);
    adapter.pulse(1);
    adapter.pulse(0); // unbound line
    adapter.pulse(9); // no such line
    run_until(100_ns);
    adapter.pulse(1);
    run_until(200_ns);
    using Changes = std::vector<std::pair<Picoseconds, bool>>;
    EXPECT_EQ(
        changes,
        (Changes{
            {10_ns, true}, {11_ns, false}, {12_ns, true}, {13_ns, false}, {100_ns, true}, {101_ns, false}}));
}

} // namespace
