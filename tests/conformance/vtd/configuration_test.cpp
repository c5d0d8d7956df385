// Table modes and legacy mode: every check of root and context entries in its order with its fault, and what
// the fields say.
#include "tests/conformance/vtd/configuration_bench.h"

namespace iommusim::vtd::test {
namespace {

using namespace spec;
using Kind = Configuration::Kind;

// ---- modes

TEST(TableMode, ReservedAndUnsupportedModesAreFaults) {
    ConfigurationBench bench;
    bench.features.scalable_mode = false;
    bench.features.first_stage = bench.features.nested = bench.features.abort_mode = false;
    for (const std::uint64_t mode : {rtaddr::ttm_reserved, rtaddr::ttm_scalable, rtaddr::ttm_abort}) {
        bench.use(0x1000, mode);
        EXPECT_EQ(bench.fault(device()), 0x30u) << mode;
        EXPECT_FALSE(bench.no_record);
    }
    EXPECT_EQ(bench.reads(), 0u);
}

TEST(TableMode, AbortModeRefusesWithoutAFault) {
    ConfigurationBench bench;
    bench.use(0, rtaddr::ttm_abort);
    EXPECT_EQ(bench.ask(device()).kind, Kind::abort);
    EXPECT_EQ(bench.ask(process(1)).kind, Kind::abort);
    EXPECT_EQ(bench.reads(), 0u);
}

TEST(TableMode, LegacyModeHasNoPasids) {
    ConfigurationBench bench;
    LegacyRootTable<TableBench> root(bench);
    root.set(source, legacy_context(0x5000, 3));
    bench.use(root.base(), rtaddr::ttm_legacy);
    EXPECT_EQ(bench.fault(process(1)), 0x31u);
    EXPECT_EQ(bench.ask(device()).kind, Kind::second_stage);
}

// ---- legacy mode

TEST_F(LegacyContext, SaysWhatTheUnitNeeds) {
    const Configuration c = bench.ask(device());
    EXPECT_EQ(c.kind, Kind::second_stage);
    EXPECT_EQ(c.domain, 0x345);
    EXPECT_EQ(c.second_levels, 4);
    EXPECT_EQ(c.second_root, 0x12'3000u);
    EXPECT_FALSE(c.scalable);
    EXPECT_FALSE(c.device_tlb);
    EXPECT_FALSE(c.no_record);
    EXPECT_TRUE(c.snoop_walk);
    EXPECT_EQ(bench.reads(), 2u);
}

TEST_F(LegacyContext, IsFoundByBusDeviceAndFunction) {
    for (unsigned bit = 0; bit < 16; ++bit) {
        const auto other = static_cast<std::uint16_t>(source ^ (1u << bit));
        EXPECT_EQ(bench.fault(device(other)), bit < 8 ? 0x2u : 0x1u) << bit;
        root.set(other, legacy_context(0x5000, bit + 1));
        bench.configurations().invalidate_all();
        EXPECT_EQ(bench.ask(device(other)).domain, bit + 1);
    }
    EXPECT_EQ(bench.ask(device(0x5'0000 | source)).domain, 0x345) << "the segment is not the unit's";
}

TEST_F(LegacyContext, RootEntriesAreChecked) {
    const std::uint64_t entry = root.root_entry(source);
    const std::uint64_t before = bench.peek(entry);
    bench.poke(entry, before & ~1ull);
    EXPECT_EQ(bench.fault(device()), 0x1u);
    for (const std::uint64_t bit : {1ull << 1, 1ull << 11, beyond}) {
        bench.poke(entry, before | bit);
        EXPECT_EQ(bench.fault(device()), 0xau);
    }
    bench.poke(entry, before);
    bench.poke(entry + 8, 1);
    EXPECT_EQ(bench.fault(device()), 0xau);
    bench.poke(entry + 8, 0);
    bench.poke(entry, nowhere | 1);
    EXPECT_EQ(bench.fault(device()), 0x9u);
    bench.use(nowhere, rtaddr::ttm_legacy);
    EXPECT_EQ(bench.fault(device()), 0x8u);
    EXPECT_FALSE(bench.no_record);
}

TEST_F(LegacyContext, NotPresentComesFirstAndIsSilencedToo) {
    ContextEntry entry;
    entry.words[1] = ~0ull;
    EXPECT_EQ(fault_of(entry), 0x2u);
    EXPECT_FALSE(bench.no_record);
    EXPECT_EQ(fault_of(entry.with(context::fpd, 1)), 0x2u);
    EXPECT_TRUE(bench.no_record);
}

TEST_F(LegacyContext, ReservedBitsAreFaults) {
    for (const unsigned bit : {4u, 11u, 46u, 63u, 71u, 88u, 127u}) {
        ContextEntry entry = good;
        entry.words[bit / 64] |= 1ull << (bit % 64);
        EXPECT_EQ(fault_of(entry), 0xbu) << bit;
    }
    for (unsigned bit = 67; bit <= 70; ++bit) {
        ContextEntry entry = good;
        entry.words[1] |= 1ull << (bit - 64);
        EXPECT_EQ(of(entry).kind, Kind::second_stage) << "available to software";
    }
}

TEST_F(LegacyContext, DomainBitsThatTheUnitDoesNotHaveAreReserved) {
    bench.features.domain_id_bits = 8;
    EXPECT_EQ(fault_of(good), 0xbu);
    EXPECT_EQ(of(legacy_context(0x5000, 0xff)).domain, 0xff);
}

TEST_F(LegacyContext, TranslationTypesAndWidthsAreChecked) {
    EXPECT_EQ(fault_of(ContextEntry(good).with(context::tt, 3)), 0x3u);
    for (const unsigned width : {0u, 4u, 5u, 6u, 7u})
        EXPECT_EQ(fault_of(ContextEntry(good).with(context::aw, width)), 0x3u) << width;
    for (const unsigned levels : {3u, 4u, 5u})
        EXPECT_EQ(of(legacy_context(0x5000, 1, levels)).second_levels, levels);
    ContextEntry silent = ContextEntry(good).with(context::tt, 3).with(context::fpd, 1);
    EXPECT_EQ(fault_of(silent), 0x3u);
    EXPECT_TRUE(bench.no_record);
}

TEST_F(LegacyContext, AbsentFeaturesAreInvalidProgramming) {
    bench.features.device_tlb = bench.features.pass_through = false;
    bench.features.second_stage_5_level = false;
    EXPECT_EQ(fault_of(ContextEntry(good).with(context::tt, context::tt_all)), 0x3u);
    EXPECT_EQ(fault_of(legacy_pass_through(1)), 0x3u);
    EXPECT_EQ(fault_of(legacy_context(0x5000, 1, 5)), 0x3u);
}

TEST_F(LegacyContext, PassThroughIgnoresTheTablePointer) {
    const Configuration c = of(legacy_pass_through(0x21).at(context::slptptr, beyond));
    EXPECT_EQ(c.kind, Kind::pass_through);
    EXPECT_EQ(c.domain, 0x21);
    EXPECT_EQ(c.context_tag(), 0x21 | tag::pass_through);
}

TEST_F(LegacyContext, TheTranslationTypeDecidesWhichRequestsAreAllowed) {
    for (const AddressType type : {AddressType::translation_request, AddressType::translated}) {
        EXPECT_EQ(fault_of(good, type), 0xdu);
        EXPECT_EQ(fault_of(legacy_pass_through(1), type), 0xdu);
        EXPECT_EQ(fault_of(ContextEntry(good).with(context::aw, 7), type), 0xdu) << "comes before the width";
    }
    const ContextEntry all = ContextEntry(good).with(context::tt, context::tt_all);
    EXPECT_EQ(of(all).kind, Kind::second_stage);
    EXPECT_TRUE(of(all).device_tlb);
    EXPECT_EQ(of(all, AddressType::translation_request).kind, Kind::second_stage);
    EXPECT_EQ(of(all, AddressType::translated).kind, Kind::pass_through);
}

} // namespace
} // namespace iommusim::vtd::test
