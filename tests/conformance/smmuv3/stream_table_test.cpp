// Finding and checking stream table entries (sections 3.3, 5.1, 5.2).
#include "tests/conformance/smmuv3/smmu_bench.h"

#include <gtest/gtest.h>

namespace iommusim::smmuv3::test {
namespace {

using namespace spec;

constexpr std::uint64_t page = 0x7000'0000;
constexpr std::uint64_t output = 0x4000'0000;

struct StreamTable : testing::Test {
    SmmuBench bench;
    PageTable table{bench};
    std::uint64_t cd = bench.new_cd(cd_for(table.root(), 1));

    StreamTable() { table.map(page, output); }

    /// The event that an access of the stream causes, 0 if it succeeds.
    unsigned outcome(std::uint32_t stream) { return outcome(SmmuBench::stream(stream)); }
    unsigned outcome(const Requester& requester) {
        const bool ok = bench.read(requester, page).ok();
        const std::vector<Event> events = bench.take_events();
        EXPECT_EQ(events.size(), ok ? 0u : 1u);
        return events.empty() ? 0 : static_cast<unsigned>(events[0].get(event::id));
    }
    unsigned outcome(const Ste& ste) {
        bench.set_ste(5, ste);
        bench.execute_and_sync(cfgi_ste(5));
        return outcome(5);
    }
    /// Stream table registers are written while the unit is disabled.
    void use_table(std::uint64_t base, std::uint64_t configuration) {
        bench.set_cr0(cr0::cmdqen.mask() | cr0::eventqen.mask());
        bench.write_register(reg::strtab_base, base, 8);
        bench.write_register(reg::strtab_base_cfg, configuration);
        bench.execute({cfgi_all(), tlbi_all(), sync()});
        bench.set_cr0(SmmuBench::all_enables);
    }
};

// ---- linear

TEST_F(StreamTable, EveryStreamHasItsOwnEntry) {
    PageTable other(bench);
    other.map(page, output + 0x1000);
    bench.set_ste(0, ste_stage_1(cd));
    bench.attach(255, other.root(), 2);
    EXPECT_EQ(outcome(0u), 0u);
    EXPECT_EQ(bench.probe.translations.back().output_address, output);
    EXPECT_EQ(outcome(255u), 0u);
    EXPECT_EQ(bench.probe.translations.back().output_address, output + 0x1000);
    EXPECT_EQ(outcome(1u), event_id::c_bad_ste);
}

TEST_F(StreamTable, AStreamBeyondTheTableIsBad) {
    EXPECT_EQ(outcome(256u), event_id::c_bad_streamid);
    EXPECT_EQ(outcome(0xffff'ffffu), event_id::c_bad_streamid);
}

TEST_F(StreamTable, ATableOfOneEntryWorks) {
    const std::uint64_t base = bench.allocate(64, 64);
    bench.poke(base, ste_stage_1(cd));
    use_table(base, 0);
    EXPECT_EQ(outcome(0u), 0u);
    EXPECT_EQ(outcome(1u), event_id::c_bad_streamid);
}

TEST_F(StreamTable, TheBaseIsAlignedToTheSizeOfTheTable) {
    bench.set_ste(3, ste_stage_1(cd));
    use_table(bench.stream_table() + 0x40 * 17, strtab_base_cfg::log2size.make(8));
    EXPECT_EQ(outcome(3u), 0u);
}

TEST_F(StreamTable, ASizeBeyondTheStreamIdsOfTheUnitCountsAsThat) {
    use_table(0x100'0000, strtab_base_cfg::log2size.make(32));
    EXPECT_EQ(outcome(0x1'0000u), event_id::c_bad_streamid);
}

TEST_F(StreamTable, AnEntryOutsideMemoryCannotBeFetched) {
    use_table(0x20'0000'0000, strtab_base_cfg::log2size.make(8));
    EXPECT_EQ(outcome(3u), event_id::f_ste_fetch);
}

TEST_F(StreamTable, AnEntryBeyondTheOutputAddressSizeCannotBeFetched) {
    start_new_simulation();
    BenchOptions options;
    options.parameters.output_address_bits = size_code_32_bits;
    options.enable = false;
    SmmuBench small(options);
    small.poke(0x1'0000'0000, ste_bypass()); // there is memory, but the unit does not reach it
    small.write_register(reg::strtab_base, 0x1'0000'0000, 8);
    small.set_cr0(SmmuBench::all_enables);
    EXPECT_FALSE(small.read(SmmuBench::stream(0), 0x1000).ok());
    EXPECT_EQ(small.take_events().at(0).get(event::id), event_id::f_ste_fetch);
}

// ---- two levels

struct TwoLevels : StreamTable, testing::WithParamInterface<unsigned> {
    unsigned split() const { return GetParam(); }
    static constexpr unsigned log2size = 14;
    std::uint64_t l1 = bench.allocate(8 << (log2size - 6), 8 << (log2size - 6));
    std::uint64_t l2 = bench.allocate(64 * 1024, 64 * 1024);

    void SetUp() override {
        use_table(l1, strtab_base_cfg::fmt.make(strtab_base_cfg::fmt_two_level) |
                          strtab_base_cfg::split.make(split()) | strtab_base_cfg::log2size.make(log2size));
    }
    void set_l1(std::uint64_t index, std::uint64_t span, std::uint64_t address) {
        bench.poke(l1 + index * 8, l1std::span.make(span) | l1std::l2ptr.in_place(address));
        bench.execute_and_sync(cfgi_all());
    }
    void set_ste2(std::uint64_t index) { bench.poke(l2 + index * 64, ste_stage_1(cd)); }
};

TEST_P(TwoLevels, TheStreamIdIsSplitBetweenThem) {
    const std::uint32_t index = 3;
    const std::uint32_t within = (1u << split()) - 7;
    set_l1(index, split() + 1, l2);
    set_ste2(within);
    EXPECT_EQ(outcome((index << split()) | within), 0u);
    EXPECT_EQ(outcome((index << split()) | (within - 1)), event_id::c_bad_ste);
    EXPECT_EQ(outcome(((index + 1) << split()) | within), event_id::c_bad_streamid) << "Span 0";
}

TEST_P(TwoLevels, TheSpanLimitsTheSecondLevel) {
    for (unsigned span = 1; span <= split() + 1; ++span) {
        set_l1(0, span, l2);
        const std::uint32_t last = (1u << (span - 1)) - 1;
        set_ste2(last);
        EXPECT_EQ(outcome(last), 0u) << "span " << span;
        if (span <= split()) {
            EXPECT_EQ(outcome(last + 1), event_id::c_bad_streamid) << "span " << span;
        }
    }
    for (const unsigned span : {split() + 2, 12u, 31u}) {
        set_l1(0, span, l2);
        EXPECT_EQ(outcome(0u), event_id::c_bad_streamid) << "span " << span;
    }
}

TEST_P(TwoLevels, TheSecondLevelIsAlignedToItsSize) {
    set_ste2(1);
    set_l1(0, 5, l2 | 0x3c0); // 16 entries of 64 bytes
    EXPECT_EQ(outcome(1u), 0u);
}

TEST_P(TwoLevels, AFirstLevelThatCannotBeReadIsAFetchAbort) {
    bench.faults().fail(soc::AccessKind::read, l1 + 8, 8);
    const std::uint32_t stream = 1u << split();
    EXPECT_FALSE(bench.read(SmmuBench::stream(stream), page).ok());
    const std::vector<Event> events = bench.take_events();
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].get(event::id), event_id::f_ste_fetch);
    EXPECT_EQ(event::fetch_addr.in_place(events[0].words.data()), l1 + 8);
}

INSTANTIATE_TEST_SUITE_P(Splits, TwoLevels, testing::Values(6u, 8u, 10u));

// ---- the entry

TEST_F(StreamTable, ConfigDecides) {
    for (const std::uint64_t silent : {0u, 1u, 2u, 3u}) { // 1 to 3 are reserved and behave as 0
        bench.set_ste(5, ste_stage_1(cd).with(ste::config, silent));
        bench.execute_and_sync(cfgi_ste(5));
        EXPECT_EQ(bench.read(SmmuBench::stream(5), page).status, tlm::TLM_ADDRESS_ERROR_RESPONSE);
        EXPECT_TRUE(bench.take_events().empty());
    }
    EXPECT_EQ(outcome(ste_stage_1(cd)), 0u);
    EXPECT_EQ(bench.probe.translations.back().output_address, output);
    EXPECT_EQ(outcome(ste_bypass()), 0u);
    EXPECT_EQ(bench.probe.translations.back().output_address, page);
    EXPECT_EQ(outcome(ste_stage_1(cd).with(ste::config, ste::config_stage_2)), event_id::c_bad_ste);
    EXPECT_EQ(outcome(ste_stage_1(cd).with(ste::config, ste::config_stage_1_and_2)), event_id::c_bad_ste);
    EXPECT_EQ(outcome(ste_stage_1(cd).with(ste::v, 0)), event_id::c_bad_ste);
}

TEST_F(StreamTable, FieldsOfAbsentFeaturesAndDisabledStagesAreIgnored) {
    EXPECT_EQ(outcome(ste_stage_1(cd)
                          .with(ste::strw, 3)
                          .with(ste::s1stalld, 1)
                          .with(ste::eats, ste::eats_full)
                          .with(ste::s2vmid, 0xffff)
                          .with(ste::s2t0sz, 63)
                          .with(ste::s2s, 1)
                          .with(ste::s1fmt, 3)),
              0u);
    EXPECT_EQ(outcome(ste_bypass().with(ste::s1cdmax, 31).at(ste::s1_context_ptr, ~0ull)), 0u);
}

TEST_F(StreamTable, IllegalStageOneFieldsAreBad) {
    EXPECT_EQ(outcome(ste_stage_1(cd).with(ste::s1cdmax, 21)), event_id::c_bad_ste);
    EXPECT_EQ(outcome(ste_stage_1(1ull << 48)), event_id::c_bad_ste);
    EXPECT_EQ(outcome(ste_stage_1(1ull << 47)), event_id::f_cd_fetch) << "reachable, but there is no memory";
}

TEST_F(StreamTable, WithoutSubstreamsTheirFieldsAreIgnored) {
    start_new_simulation();
    BenchOptions options;
    options.parameters.substream_id_bits = 0;
    SmmuBench plain(options);
    PageTable own(plain);
    own.map(page, output);
    plain.set_ste(5,
                  ste_stage_1(plain.new_cd(cd_for(own.root(), 1))).with(ste::s1cdmax, 5).with(ste::s1dss, 0));
    EXPECT_TRUE(plain.read(SmmuBench::stream(5), page).ok());
    EXPECT_FALSE(plain.read(SmmuBench::substream(5, 1), page).ok());
    EXPECT_EQ(plain.take_events().at(0).get(event::id), event_id::c_bad_substreamid);
}

TEST_F(StreamTable, SubstreamsOfStreamsThatHaveNoneAreBad) {
    bench.set_ste(5, ste_stage_1(cd));
    bench.set_ste(6, ste_bypass());
    bench.set_ste(7, ste_abort());
    EXPECT_EQ(outcome(SmmuBench::substream(5, 0)), event_id::c_bad_substreamid);
    EXPECT_EQ(outcome(SmmuBench::substream(6, 0)), event_id::c_bad_substreamid);
    EXPECT_FALSE(bench.read(SmmuBench::substream(7, 0), page).ok());
    EXPECT_TRUE(bench.take_events().empty()) << "an abort STE does not check";
}

} // namespace
} // namespace iommusim::smmuv3::test
