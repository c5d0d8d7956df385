// The shortest story: a page is mapped, used, unmapped, and gone.
#include "tests/conformance/smmuv3/smmu_bench.h"

#include <gtest/gtest.h>

namespace iommusim::smmuv3::test {
namespace {

using namespace spec;

TEST(Smmuv3, TranslatesAMappedPageAndFaultsWhenItIsUnmappedAndInvalidated) {
    SmmuBench bench;
    PageTable table(bench);
    bench.attach(5, table.root(), 1);
    table.map(0x1234'5000, 0x4000'0000);
    const std::vector<std::uint8_t> data = pattern(1);

    const Dma& written = bench.write(SmmuBench::stream(5), 0x1234'5040, data);
    ASSERT_TRUE(written.ok());
    EXPECT_EQ(0, std::memcmp(bench.memory.bytes() + 0x4000'0040, data.data(), data.size()));
    EXPECT_EQ(bench.read(SmmuBench::stream(5), 0x1234'5040).data, data);

    table.unmap(0x1234'5000);
    bench.execute_and_sync(tlbi_va(1, 0x1234'5000));
    EXPECT_EQ(bench.consumer(), bench.producer());
    EXPECT_EQ(bench.read(SmmuBench::stream(5), 0x1234'5040).status, tlm::TLM_ADDRESS_ERROR_RESPONSE);

    const std::vector<Event> events = bench.take_events();
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].get(event::id), event_id::f_translation);
    EXPECT_EQ(events[0].get(event::stream_id), 5u);
    EXPECT_EQ(events[0].get(event::input_addr), 0x1234'5040u);
    EXPECT_EQ(events[0].get(event::rnw), 1u);
}

} // namespace
} // namespace iommusim::smmuv3::test
