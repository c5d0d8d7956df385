// Traffic that is not translated: SMMUEN = 0 with GBPA (sections 3.11, 6.3.14), streams in bypass.
#include "tests/conformance/smmuv3/smmu_bench.h"

#include <gtest/gtest.h>

namespace iommusim::smmuv3::test {
namespace {

using namespace spec;

constexpr std::uint64_t address = 0x4000'0040;

BenchOptions disabled() {
    BenchOptions options;
    options.enable = false;
    return options;
}

TEST(GlobalBypass, PassesEverythingUnchangedAfterReset) {
    SmmuBench bench(disabled());
    const std::vector<std::uint8_t> data = pattern(4);
    EXPECT_TRUE(bench.write(SmmuBench::stream(77), address, data).ok());
    EXPECT_EQ(0, std::memcmp(bench.memory.bytes() + address, data.data(), data.size()));
    EXPECT_EQ(bench.read(SmmuBench::substream(0xffff'ffff, 9), address).data, data);
    EXPECT_EQ(bench.counter("iommu.configuration.misses"), 0u) << "no table is read";
}

TEST(GlobalBypass, AbortsSilentlyWhenGbpaSaysSo) {
    SmmuBench bench(disabled());
    bench.set_cr0(cr0::eventqen.mask());
    bench.set_gbpa(gbpa::abort.mask());
    EXPECT_EQ(bench.read(SmmuBench::stream(1), address).status, tlm::TLM_ADDRESS_ERROR_RESPONSE);
    EXPECT_TRUE(bench.take_events().empty());
    bench.set_gbpa(0);
    EXPECT_TRUE(bench.read(SmmuBench::stream(1), address).ok());
}

TEST(GlobalBypass, IgnoresGbpaWrittenWithoutUpdate) {
    SmmuBench bench(disabled());
    bench.write_register(reg::gbpa, gbpa::abort.mask());
    bench.settle();
    EXPECT_TRUE(bench.read(SmmuBench::stream(1), address).ok());
}

TEST(GlobalBypass, AbortsAnAddressBeyondTheOutputSizeWithoutEvent) {
    SmmuBench bench(disabled());
    bench.set_cr0(cr0::eventqen.mask());
    EXPECT_FALSE(bench.read(SmmuBench::stream(1), 1ull << 48).ok());
    EXPECT_FALSE(bench.read(SmmuBench::stream(1), (1ull << 63) | address).ok());
    EXPECT_TRUE(bench.take_events().empty());
}

TEST(GlobalBypass, PassesErrorsOfTheTargetOn) {
    SmmuBench bench(disabled());
    EXPECT_EQ(bench.read(SmmuBench::stream(1), 0x20'0000'0000).status, tlm::TLM_ADDRESS_ERROR_RESPONSE);
    bench.faults().fail(soc::AccessKind::any, address, 1);
    EXPECT_EQ(bench.read(SmmuBench::stream(1), address).status, tlm::TLM_GENERIC_ERROR_RESPONSE);
}

TEST(GlobalBypass, EndsAndReturnsWithSmmuen) {
    SmmuBench bench(disabled());
    EXPECT_TRUE(bench.read(SmmuBench::stream(1), address).ok());
    bench.set_cr0(SmmuBench::all_enables);
    EXPECT_FALSE(bench.read(SmmuBench::stream(1), address).ok());
    EXPECT_EQ(bench.take_events().at(0).get(event::id), event_id::c_bad_ste);
    bench.set_cr0(cr0::eventqen.mask());
    EXPECT_TRUE(bench.read(SmmuBench::stream(1), address).ok());
}

TEST(GlobalBypass, StillForbidsTranslatedTraffic) {
    SmmuBench bench(disabled());
    bench.set_cr0(cr0::eventqen.mask());
    Requester translated = SmmuBench::stream(1);
    translated.address_type = AddressType::translated;
    EXPECT_FALSE(bench.read(translated, address).ok());
    EXPECT_EQ(bench.take_events().at(0).get(event::id), event_id::f_transl_forbidden);
}

TEST(StreamBypass, PassesUpToTheOutputSize) {
    SmmuBench bench;
    bench.set_ste(5, ste_bypass());
    const std::vector<std::uint8_t> data = pattern(6);
    EXPECT_TRUE(bench.write(SmmuBench::stream(5), address, data).ok());
    EXPECT_EQ(bench.read(SmmuBench::stream(5), address).data, data);
    EXPECT_FALSE(bench.read(SmmuBench::stream(5), 1ull << 48).ok());
    EXPECT_EQ(bench.take_events().at(0).get(event::id), event_id::f_addr_size);
}

TEST(StreamBypass, DoesNotForgetTheTopByteWhenItIsCached) {
    SmmuBench bench;
    bench.set_ste(5, ste_bypass());
    EXPECT_TRUE(bench.read(SmmuBench::stream(5), address).ok());
    EXPECT_FALSE(bench.read(SmmuBench::stream(5), 0xab00'0000'0000'0000 | address).ok());
    EXPECT_EQ(bench.take_events().at(0).get(event::id), event_id::f_addr_size);
}

TEST(StreamBypass, IsNotTouchedByTlbInvalidationsButByConfigurationOnes) {
    SmmuBench bench;
    bench.set_ste(5, ste_bypass());
    EXPECT_TRUE(bench.read(SmmuBench::stream(5), address).ok());
    bench.execute_and_sync(tlbi_va(0, address));
    EXPECT_TRUE(bench.read(SmmuBench::stream(5), address).ok());
    bench.set_ste(5, ste_abort());
    bench.execute_and_sync(cfgi_ste(5));
    EXPECT_FALSE(bench.read(SmmuBench::stream(5), address).ok());
}

TEST(StreamBypass, MixesWithTranslatedStreams) {
    SmmuBench bench;
    PageTable table(bench);
    bench.set_ste(5, ste_bypass());
    bench.attach(6, table.root(), 1);
    table.map(0x4000'0000, 0x5000'0000);
    for (unsigned i = 0; i < 8; ++i) {
        bench.read(SmmuBench::stream(5 + i % 2), address);
        EXPECT_EQ(bench.probe.translations.back().output_address, i % 2 ? 0x5000'0040u : 0x4000'0040u);
    }
}

} // namespace
} // namespace iommusim::smmuv3::test
