// Finding and checking context descriptors (sections 5.3, 5.4; S1DSS of 5.2).
#include "tests/conformance/smmuv3/smmu_bench.h"

#include <gtest/gtest.h>

namespace iommusim::smmuv3::test {
namespace {

using namespace spec;

constexpr std::uint64_t page = 0x7000'0000;
constexpr std::uint64_t output = 0x4000'0000;

struct ContextDescriptor : testing::Test {
    SmmuBench bench;
    PageTable table{bench};

    ContextDescriptor() { table.map(page, output); }

    unsigned outcome(const Requester& requester) {
        const bool ok = bench.read(requester, page).ok();
        const std::vector<Event> events = bench.take_events();
        EXPECT_EQ(events.size(), ok ? 0u : 1u);
        return events.empty() ? 0 : static_cast<unsigned>(events[0].get(event::id));
    }
    unsigned outcome(const Ste& ste, const Requester& requester) {
        bench.set_ste(5, ste);
        bench.execute({cfgi_ste(5), tlbi_all(), sync()});
        return outcome(requester);
    }
    unsigned outcome(const Cd& cd) { return outcome(ste_stage_1(bench.new_cd(cd)), SmmuBench::stream(5)); }
    Cd good() const { return cd_for(table.root(), 1); }
};

// ---- finding it

TEST_F(ContextDescriptor, ALinearTableIsIndexedBySubstream) {
    const std::uint64_t cds = bench.allocate(8 * cd::bytes, 8 * cd::bytes);
    bench.poke(cds + 7 * cd::bytes, good());
    const Ste ste = ste_stage_1(cds).with(ste::s1cdmax, 3);
    EXPECT_EQ(outcome(ste, SmmuBench::substream(5, 7)), 0u);
    EXPECT_EQ(outcome(ste, SmmuBench::substream(5, 6)), event_id::c_bad_cd);
    EXPECT_EQ(outcome(ste, SmmuBench::substream(5, 8)), event_id::c_bad_substreamid);
    EXPECT_EQ(outcome(ste, SmmuBench::substream(5, 0xf'ffff)), event_id::c_bad_substreamid);
    const Ste unaligned = ste_stage_1(cds + 64).with(ste::s1cdmax, 3);
    EXPECT_EQ(outcome(unaligned, SmmuBench::substream(5, 7)), 0u)
        << "the base is aligned to the table's size";
}

TEST_F(ContextDescriptor, WithoutSubstreamsTheFormatIsIgnored) {
    const std::uint64_t cd = bench.new_cd(good());
    for (const std::uint64_t format : {0u, 1u, 2u, 3u})
        EXPECT_EQ(outcome(ste_stage_1(cd).with(ste::s1fmt, format), SmmuBench::stream(5)), 0u);
}

struct Format {
    std::uint64_t code;
    unsigned leaf_bits;
};

class TwoLevelContext : public ContextDescriptor, public testing::WithParamInterface<Format> {
protected:
    static constexpr unsigned cd_bits = 12;
    unsigned leaf_bits() const { return GetParam().leaf_bits; }
    std::uint64_t l1 = bench.allocate(8ull << cd_bits, 8ull << cd_bits);
    std::uint64_t leaf = bench.allocate(cd::bytes << 10, cd::bytes << 10);
    Ste ste = ste_stage_1(l1).with(ste::s1cdmax, cd_bits).with(ste::s1fmt, GetParam().code);
};

TEST_P(TwoLevelContext, TheSubstreamIsSplitBetweenThem) {
    const std::uint32_t within = (1u << leaf_bits()) - 3;
    const std::uint32_t index = 2;
    bench.poke(l1 + index * 8, leaf | l1cd::v.make(1));
    bench.poke(leaf + within * cd::bytes, good());
    EXPECT_EQ(outcome(ste, SmmuBench::substream(5, (index << leaf_bits()) | within)), 0u);
    EXPECT_EQ(outcome(ste, SmmuBench::substream(5, (index << leaf_bits()) | (within - 1))),
              event_id::c_bad_cd);
    EXPECT_EQ(outcome(ste, SmmuBench::substream(5, 1u << leaf_bits())), event_id::c_bad_substreamid)
        << "V = 0";
    EXPECT_EQ(outcome(ste, SmmuBench::substream(5, 1u << cd_bits)), event_id::c_bad_substreamid);
}

TEST_P(TwoLevelContext, ALeafOutOfReachIsABadSubstream) {
    bench.poke(l1, (1ull << 48) | l1cd::v.make(1));
    EXPECT_EQ(outcome(ste, SmmuBench::substream(5, 1)), event_id::c_bad_substreamid);
}

TEST_P(TwoLevelContext, FewSubstreamsUseOneLeaf) {
    bench.poke(l1, leaf | l1cd::v.make(1));
    bench.poke(leaf + 5 * cd::bytes, good());
    EXPECT_EQ(outcome(ste_stage_1(l1).with(ste::s1cdmax, 3).with(ste::s1fmt, GetParam().code),
                      SmmuBench::substream(5, 5)),
              0u);
}

TEST_P(TwoLevelContext, FetchAbortsNameWhatCouldNotBeRead) {
    bench.poke(l1, leaf | l1cd::v.make(1));
    for (const std::uint64_t address : {l1, leaf + cd::bytes}) {
        const auto failing = bench.faults().fail(soc::AccessKind::read, address, 8);
        bench.set_ste(5, ste);
        bench.execute_and_sync(cfgi_ste(5));
        EXPECT_FALSE(bench.read(SmmuBench::substream(5, 1), page).ok());
        const std::vector<Event> events = bench.take_events();
        ASSERT_EQ(events.size(), 1u);
        EXPECT_EQ(events[0].get(event::id), event_id::f_cd_fetch);
        EXPECT_EQ(event::fetch_addr.in_place(events[0].words.data()), address);
        bench.faults().remove(failing);
    }
}

INSTANTIATE_TEST_SUITE_P(Formats, TwoLevelContext,
                         testing::Values(Format{ste::s1fmt_two_level_4k, 6},
                                         Format{ste::s1fmt_two_level_64k, 10}),
                         [](const auto& tested) {
                             return tested.param.leaf_bits == 6 ? "Leaf4K" : "Leaf64K";
                         });

TEST_F(ContextDescriptor, S1dssDecidesAboutAccessesWithoutSubstream) {
    const std::uint64_t cds = bench.allocate(4 * cd::bytes, 4 * cd::bytes);
    for (unsigned i = 0; i < 4; ++i)
        bench.poke(cds + i * cd::bytes, good());
    const auto with = [&](std::uint64_t s1dss) {
        return ste_stage_1(cds).with(ste::s1cdmax, 2).with(ste::s1dss, s1dss);
    };
    const Requester without = SmmuBench::stream(5);

    EXPECT_EQ(outcome(with(ste::s1dss_terminate), without), event_id::f_stream_disabled);
    EXPECT_EQ(outcome(with(3), without), event_id::f_stream_disabled) << "reserved, behaves as 0";
    EXPECT_EQ(outcome(with(ste::s1dss_bypass), without), 0u);
    EXPECT_EQ(bench.probe.translations.back().output_address, page);
    EXPECT_EQ(outcome(with(ste::s1dss_substream_0), without), 0u);
    EXPECT_EQ(bench.probe.translations.back().output_address, output);

    EXPECT_EQ(outcome(with(ste::s1dss_substream_0), SmmuBench::substream(5, 0)), event_id::f_stream_disabled);
    EXPECT_EQ(outcome(with(ste::s1dss_substream_0), SmmuBench::substream(5, 1)), 0u);
    EXPECT_EQ(outcome(with(ste::s1dss_terminate), SmmuBench::substream(5, 0)), 0u);
}

TEST_F(ContextDescriptor, SubstreamsHaveTheirOwnAddressSpaces) {
    PageTable other(bench);
    other.map(page, output + 0x1000);
    const std::uint64_t cds = bench.allocate(2 * cd::bytes, 2 * cd::bytes);
    bench.poke(cds, good());
    bench.poke(cds + cd::bytes, cd_for(other.root(), 2));
    bench.set_ste(5, ste_stage_1(cds).with(ste::s1cdmax, 1));
    for (unsigned i = 0; i < 6; ++i) {
        EXPECT_EQ(outcome(SmmuBench::substream(5, i % 2)), 0u);
        EXPECT_EQ(bench.probe.translations.back().output_address, output + i % 2 * 0x1000);
    }
}

// ---- checking it

struct Judgement {
    const char* name;
    void (*change)(Cd&);
    bool legal;
};

class ContextLegality : public ContextDescriptor, public testing::WithParamInterface<Judgement> {};

TEST_P(ContextLegality, IsJudgedAsTheSpecificationSays) {
    Cd cd = good();
    GetParam().change(cd);
    EXPECT_EQ(outcome(cd), GetParam().legal ? 0 : event_id::c_bad_cd);
}

INSTANTIATE_TEST_SUITE_P(
    Fields, ContextLegality,
    testing::Values(
        Judgement{"Good", [](Cd&) {}, true}, //
        Judgement{"NotValid", [](Cd& c) { c.with(cd::v, 0); }, false},
        Judgement{"Aarch32", [](Cd& c) { c.with(cd::aa64, 0); }, false},
        Judgement{"BigEndian", [](Cd& c) { c.with(cd::endi, 1); }, false},
        Judgement{"Stall", [](Cd& c) { c.with(cd::s, 1); }, false},
        Judgement{"HardwareAccessFlag", [](Cd& c) { c.with(cd::ha, 1); }, false},
        Judgement{"HardwareDirtyState", [](Cd& c) { c.with(cd::hd, 1); }, false},
        Judgement{"RazWi", [](Cd& c) { c.with(cd::a, 0); }, true},
        Judgement{"WideAsid", [](Cd& c) { c.with(cd::asid, 0xffff); }, true},
        Judgement{"Granule64k", [](Cd& c) { c.with(cd::tg0, cd::tg0_64k); }, false},
        Judgement{"Granule16k", [](Cd& c) { c.with(cd::tg0, cd::tg0_16k); }, false},
        Judgement{"GranuleReserved", [](Cd& c) { c.with(cd::tg0, 3); }, false},
        Judgement{"T0szTooSmall", [](Cd& c) { c.with(cd::t0sz, 15); }, false},
        Judgement{"T0szTooLarge", [](Cd& c) { c.with(cd::t0sz, 40); }, false},
        Judgement{"TableBeyondIps",
                  [](Cd& c) { c.with(cd::ips, size_code_32_bits).at(cd::ttb0, 1ull << 32); }, false},
        Judgement{"TableBeyond48Bits", [](Cd& c) { c.at(cd::ttb0, 1ull << 48); }, false},
        Judgement{"IpsBeyondOas", [](Cd& c) { c.with(cd::ips, size_code_56_bits); }, true},
        Judgement{"DisabledHalfIsNotChecked",
                  [](Cd& c) { c.with(cd::t1sz, 5).with(cd::tg1, 0).at(cd::ttb1, 1ull << 50); }, true},
        Judgement{"EnabledUpperHalfGranule",
                  [](Cd& c) { c.with(cd::epd1, 0).with(cd::t1sz, 16).with(cd::tg1, cd::tg1_64k); }, false},
        Judgement{"EnabledUpperHalfSize",
                  [](Cd& c) { c.with(cd::epd1, 0).with(cd::t1sz, 15).with(cd::tg1, cd::tg1_4k); }, false},
        Judgement{"EnabledUpperHalf",
                  [](Cd& c) { c.with(cd::epd1, 0).with(cd::t1sz, 16).with(cd::tg1, cd::tg1_4k); }, true},
        Judgement{
            "AbsentFeaturesAreIgnored",
            [](Cd& c) { c.with(cd::haft, 1).with(cd::e0pd0, 1).with(cd::epan, 1).with(cd::mair, ~0ull); },
            true}),
    [](const auto& tested) { return tested.param.name; });

TEST_F(ContextDescriptor, WithBothHalvesDisabledNothingTranslatesAndEndiannessDoesNotMatter) {
    EXPECT_EQ(outcome(good().with(cd::epd0, 1).with(cd::endi, 1).with(cd::t0sz, 0)), event_id::f_translation);
}

} // namespace
} // namespace iommusim::smmuv3::test
