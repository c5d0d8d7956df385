#include "models/core/ring.h"
#include "models/soc/memory.h"
#include "tests/unit/core/core_bench.h"

#include <cstring>
#include <gtest/gtest.h>

namespace iommusim::test {
namespace {

TEST(RingGeometry, WithAWrapBitFullAndEmptyDiffer) {
    const RingGeometry ring{0x1000, 3, 16, true};
    EXPECT_EQ(ring.entries(), 8u);
    EXPECT_EQ(ring.positions(), 16u);
    EXPECT_EQ(ring.advance(15), 0u);
    EXPECT_EQ(ring.advance(14, 3), 1u);
    EXPECT_EQ(ring.index(11), 3u);
    EXPECT_EQ(ring.address(11), 0x1030u);
    EXPECT_EQ(ring.distance(14, 2), 4u);
    EXPECT_TRUE(ring.full(8, 0));
    EXPECT_TRUE(ring.full(3, 11));
    EXPECT_FALSE(ring.full(0, 0));
    EXPECT_TRUE(ring.consistent(8, 0));
    EXPECT_FALSE(ring.consistent(9, 0));
    EXPECT_FALSE(ring.consistent(0, 1));
}

TEST(RingGeometry, WithoutAWrapBitOneEntryStaysEmpty) {
    const RingGeometry ring{0x1000, 3, 32, false};
    EXPECT_EQ(ring.positions(), 8u);
    EXPECT_TRUE(ring.full(7, 0));
    EXPECT_TRUE(ring.full(2, 3));
    EXPECT_FALSE(ring.full(6, 0));
    EXPECT_EQ(ring.advance(7), 0u);
    EXPECT_EQ(ring.address(7), 0x10e0u);
    EXPECT_TRUE(ring.consistent(0, 1));
}

TEST(RingGeometry, OfOneEntryWorks) {
    const RingGeometry ring{0x1000, 0, 16, true};
    EXPECT_EQ(ring.entries(), 1u);
    EXPECT_TRUE(ring.full(1, 0));
    EXPECT_EQ(ring.advance(1), 0u);
    EXPECT_EQ(ring.address(1), 0x1000u);
}

struct RingBench : ProcessOwner {
    static soc::MemoryParameters small() {
        soc::MemoryParameters p;
        p.size = 1 << 20;
        return p;
    }
    soc::Memory memory{"memory", small()};
    MemoryPort port{"port", queue};
    RingReader reader{port};
    RingWriter writer{port};
    std::vector<std::uint64_t> taken;
    std::vector<tlm::tlm_response_status> statuses;

    explicit RingBench(const sc_core::sc_module_name& name = "bench") : ProcessOwner(name) {
        port.socket.bind(memory.socket);
        const RingGeometry geometry{0x1000, 3, 16, true};
        reader.configure(geometry);
        writer.configure(geometry);
        for (std::uint64_t i = 0; i < 8; ++i)
            std::memcpy(memory.bytes() + 0x1000 + i * 16, &i, 8);
    }
    Process fetch(std::uint32_t position, std::uint32_t producer, unsigned burst) {
        Pace pace(Pacing::timed, queue);
        const tlm::tlm_response_status status = co_await reader.fetch(pace, position, producer, burst);
        statuses.push_back(status);
        while (reader.has_next())
            taken.push_back(*reader.take());
    }
    Process write(std::uint32_t position, std::uint64_t value) {
        Pace pace(Pacing::timed, queue);
        const std::array<std::uint64_t, 2> record{value, ~value};
        const tlm::tlm_response_status status = co_await writer.write(pace, position, record.data());
        statuses.push_back(status);
    }
    std::vector<std::uint64_t> fetched(std::uint32_t position, std::uint32_t producer, unsigned burst) {
        taken.clear();
        fetch(position, producer, burst).start(queue, now());
        run();
        return taken;
    }
};

using Entries = std::vector<std::uint64_t>;

TEST(RingReader, FetchesABurstUpToTheProducerAndNeverAcrossTheEnd) {
    RingBench b;
    EXPECT_EQ(b.fetched(0, 8, 4), (Entries{0, 1, 2, 3}));
    EXPECT_EQ(b.fetched(4, 6, 4), (Entries{4, 5}));
    EXPECT_EQ(b.fetched(6, 11, 4), (Entries{6, 7}));
    EXPECT_EQ(b.fetched(14, 1, 16), (Entries{6, 7}));
    EXPECT_EQ(b.fetched(9, 10, 1), (Entries{1}));
    EXPECT_EQ(b.memory.statistics().reads, 5u);
    EXPECT_GT(b.reader.fetched_at(), 0u);
}

TEST(RingReader, KeepsNothingOfAFetchThatFailed) {
    RingBench b;
    b.memory.fault_injector().poison(0x1010, 8);
    EXPECT_EQ(b.fetched(0, 4, 4), Entries{});
    EXPECT_EQ(b.statuses.back(), tlm::TLM_GENERIC_ERROR_RESPONSE);
    EXPECT_EQ(b.fetched(0, 4, 1), (Entries{0}));
}

TEST(RingReader, KeepsNothingOfAFetchThatWasAbandoned) {
    RingBench b;
    b.fetch(0, 4, 4).start(b.queue, 0);
    sc_core::sc_start(10, sc_core::SC_NS);
    b.reader.abandon();
    b.run();
    EXPECT_EQ(b.statuses.size(), 1u);
    EXPECT_TRUE(b.taken.empty());
}

TEST(RingWriter, WritesARecordWhereItBelongs) {
    RingBench b;
    b.write(13, 0xabcd).start(b.queue, 0);
    b.run();
    std::uint64_t word = 0;
    std::memcpy(&word, b.memory.bytes() + 0x1000 + 5 * 16, 8);
    EXPECT_EQ(word, 0xabcdu);
    EXPECT_EQ(b.statuses.back(), tlm::TLM_OK_RESPONSE);
}

} // namespace
} // namespace iommusim::test
