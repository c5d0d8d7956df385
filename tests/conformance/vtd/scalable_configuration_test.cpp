// Scalable mode: every check of root, context, PASID directory and PASID entries in its order with its fault,
// and what the fields say.
#include "tests/conformance/vtd/configuration_bench.h"

namespace iommusim::vtd::test {
namespace {

using namespace spec;
using Kind = Configuration::Kind;

TEST_F(ScalableMode, RequestsWithoutPasidUseTheOneOfTheContextEntry) {
    const Configuration c = bench.ask(device());
    EXPECT_EQ(c.kind, Kind::second_stage);
    EXPECT_EQ(c.pasid, 77u);
    EXPECT_EQ(c.domain, 0x11);
    EXPECT_EQ(c.second_root, 0x5000u);
    EXPECT_EQ(c.second_levels, 4);
    EXPECT_TRUE(c.scalable);
    EXPECT_TRUE(c.device_tlb);
    EXPECT_TRUE(c.snoop_walk);
    EXPECT_FALSE(c.page_requests);
    EXPECT_EQ(bench.reads(), 4u);
    EXPECT_EQ(bench.ask(process(78)).first_root, 0x6000u);
    EXPECT_EQ(bench.reads(), 6u) << "the context entry is known by now";
}

TEST_F(ScalableMode, WithoutRidPasidItIsPasidZero) {
    bench.features.rid_pasid = false;
    EXPECT_EQ(context_fault(good), 0x42u);
    root.set(source, ScalableContextEntry(good).with(scalable_context::rid_pasid, 0));
    pasids.set(0, second_stage_pasid(0x7000, 0x13));
    bench.configurations().invalidate_all();
    EXPECT_EQ(bench.ask(device()).domain, 0x13);
}

TEST_F(ScalableMode, RootEntriesHaveAHalfForEachSixteenDevices) {
    EXPECT_EQ(bench.fault(device(lower_source)), 0x39u);
    root.set(lower_source, ScalableContextEntry(good).with(scalable_context::rid_pasid, 78));
    bench.configurations().invalidate_all();
    EXPECT_EQ(bench.ask(device(lower_source)).kind, Kind::first_stage);
    EXPECT_EQ(bench.ask(device()).kind, Kind::second_stage);
    for (const std::uint16_t each : {source, lower_source}) {
        const std::uint64_t entry = root.root_entry(each);
        const std::uint64_t before = bench.peek(entry);
        for (const std::uint64_t bit : {1ull << 1, 1ull << 11, beyond}) {
            bench.poke(entry, before | bit);
            EXPECT_EQ(bench.fault(device(each)), 0x3au);
        }
        bench.poke(entry, nowhere | 1);
        EXPECT_EQ(bench.fault(device(each)), 0x40u);
        bench.poke(entry, before & ~1ull);
        EXPECT_EQ(bench.fault(device(each)), 0x39u);
    }
    bench.use(nowhere, rtaddr::ttm_scalable);
    EXPECT_EQ(bench.fault(device()), 0x38u);
}

TEST_F(ScalableMode, ContextEntriesAreChecked) {
    ScalableContextEntry entry;
    entry.words[1] = ~0ull;
    EXPECT_EQ(context_fault(entry), 0x41u);
    EXPECT_EQ(context_fault(entry.with(scalable_context::fpd, 1)), 0x41u);
    EXPECT_TRUE(bench.no_record);
    for (const unsigned bit : {5u, 8u, 46u, 85u, 127u, 128u, 255u}) {
        entry = good;
        entry.words[bit / 64] |= 1ull << (bit % 64);
        EXPECT_EQ(context_fault(entry), 0x42u) << bit;
    }
}

TEST_F(ScalableMode, ContextFieldsOfAbsentFeaturesAreReserved) {
    bench.features.device_tlb = bench.features.page_requests = false;
    bench.features.pasid = false;
    bench.features.rid_priv = false;
    const ScalableContextEntry plain =
        ScalableContextEntry(good).with(scalable_context::dte, 0).with(scalable_context::paside, 0);
    root.set(source, plain);
    EXPECT_EQ(bench.ask(device()).kind, Kind::second_stage);
    for (const Field field :
         {scalable_context::dte, scalable_context::paside, scalable_context::pre, scalable_context::rid_priv})
        EXPECT_EQ(context_fault(ScalableContextEntry(plain).with(field, 1)), 0x42u) << field.lsb;
}

TEST_F(ScalableMode, ADirectoryForMorePasidsThanThereAreIsInvalid) {
    bench.features.pasid_bits = 14;
    EXPECT_EQ(context_fault(good), 0x43u);
    EXPECT_EQ(
        context_fault(
            ScalableContextEntry(good).with(scalable_context::pdts, 1).with(scalable_context::rid_pasid, 1)),
        0x51u);
}

TEST_F(ScalableMode, TheContextEntryDecidesWhichRequestsAreAllowed) {
    const ScalableContextEntry closed = ScalableContextEntry(good)
                                            .with(scalable_context::dte, 0)
                                            .with(scalable_context::paside, 0)
                                            .with(scalable_context::fpd, 1);
    EXPECT_EQ(context_fault(closed, with(device(), AddressType::translation_request)), 0x44u);
    EXPECT_EQ(context_fault(closed, with(device(), AddressType::translated)), 0x44u);
    EXPECT_EQ(context_fault(closed, with(process(78), AddressType::translated)), 0x44u) << "comes first";
    EXPECT_EQ(context_fault(closed, process(78)), 0x45u);
    EXPECT_TRUE(bench.no_record);
    EXPECT_EQ(bench.ask(device()).kind, Kind::second_stage);
    root.set(source, good);
    bench.configurations().invalidate_all();
    EXPECT_EQ(bench.ask(with(device(), AddressType::translated)).kind, Kind::pass_through);
    EXPECT_EQ(bench.reads() % 2, 0u);
    EXPECT_EQ(bench.ask(with(process(78), AddressType::translation_request)).kind, Kind::first_stage);
}

TEST_F(ScalableMode, PasidsBeyondTheDirectoryAreFaults) {
    EXPECT_EQ(bench.fault(process(1u << 15)), 0x46u);
    EXPECT_EQ(bench.fault(process((1u << 15) - 1)), 0x51u);
    EXPECT_EQ(context_fault(ScalableContextEntry(good).with(scalable_context::rid_pasid, 1u << 15)), 0x48u);
    EXPECT_EQ(context_fault(ScalableContextEntry(good).with(scalable_context::pdts, 0), process(1u << 13)),
              0x46u);
}

TEST_F(ScalableMode, PageRequestsAndPrivilegeComeFromTheContextEntry) {
    root.set(source,
             ScalableContextEntry(good).with(scalable_context::pre, 1).with(scalable_context::rid_priv, 1));
    const Configuration c = bench.ask(device());
    EXPECT_TRUE(c.page_requests);
    EXPECT_TRUE(c.privileged);
}

TEST_F(ScalableMode, DirectoryEntriesAreChecked) {
    const std::uint64_t entry = pasids.directory_entry(78);
    const std::uint64_t before = bench.peek(entry);
    bench.poke(entry, pasid_directory::fpd.mask());
    EXPECT_EQ(bench.fault(process(78)), 0x51u);
    EXPECT_TRUE(bench.no_record);
    for (const std::uint64_t bit : {1ull << 2, 1ull << 11, beyond}) {
        bench.poke(entry, before | bit);
        EXPECT_EQ(bench.fault(process(78)), 0x52u);
        EXPECT_FALSE(bench.no_record);
    }
    bench.poke(entry, nowhere | 1);
    EXPECT_EQ(bench.fault(process(78)), 0x58u);
    EXPECT_EQ(context_fault(scalable_context(nowhere, 2), process(78)), 0x50u);
}

TEST_F(ScalableMode, DirectoryAndTableAreIndexedByTheTwoPartsOfThePasid) {
    pasids.set(0x2345, second_stage_pasid(0x9000, 0x21));
    EXPECT_EQ(bench.ask(process(0x2345)).domain, 0x21);
    EXPECT_EQ(bench.fault(process(0x2344)), 0x59u);
    EXPECT_EQ(bench.fault(process(0x2385)), 0x51u);
}

TEST_F(ScalableMode, PasidEntriesArePresentBeforeAnythingElseCounts) {
    PasidEntry entry;
    entry.words.fill(~0ull);
    EXPECT_EQ(pasid_fault(entry.with(pasid_entry::p, 0)), 0x59u);
    EXPECT_TRUE(bench.no_record);
    EXPECT_EQ(pasid_fault(PasidEntry()), 0x59u) << "not an invalid type";
    EXPECT_FALSE(bench.no_record);
}

TEST_F(ScalableMode, ReservedBitsOfPasidEntriesAreFaults) {
    const PasidEntry entry = first_stage_pasid(0x6000, 1);
    for (const unsigned bit : {5u,   10u,  11u,  80u,  86u,  89u,  90u,  93u,  94u,  95u, 96u,
                               127u, 129u, 134u, 136u, 139u, 186u, 192u, 255u, 256u, 511u}) {
        PasidEntry bad = entry;
        bad.words[bit / 64] |= 1ull << (bit % 64);
        EXPECT_EQ(pasid_fault(bad), 0x5au) << bit;
    }
    PasidEntry pointer_unused = entry;
    pointer_unused.words[0] |= beyond;
    EXPECT_EQ(of(pointer_unused).kind, Kind::first_stage);
    EXPECT_EQ(pasid_fault(second_stage_pasid(beyond, 1)), 0x5au);
    EXPECT_EQ(of(PasidEntry(entry).with(pasid_entry::nxe, 1)).kind, Kind::first_stage);
}

TEST_F(ScalableMode, PasidFieldsOfAbsentFeaturesAreReserved) {
    const PasidEntry entry = first_stage_pasid(0x6000, 1).with(pasid_entry::pwsnp, 0);
    bench.features.second_stage_accessed_dirty = bench.features.page_walk_snoop = false;
    bench.features.snoop_control = bench.features.supervisor_requests = bench.features.rid_priv = false;
    bench.features.extended_accessed_flag = false;
    bench.features.domain_id_bits = 8;
    EXPECT_EQ(of(entry).kind, Kind::first_stage);
    for (const Field field :
         {pasid_entry::slade, pasid_entry::pwsnp, pasid_entry::pgsnp, pasid_entry::sre, pasid_entry::eafe})
        EXPECT_EQ(pasid_fault(PasidEntry(entry).with(field, 1)), 0x5au) << field.lsb;
    EXPECT_EQ(pasid_fault(PasidEntry(entry).with(pasid_entry::did, 0x100)), 0x5au);
}

TEST_F(ScalableMode, TypesWidthsAndLevelsAreChecked) {
    for (const unsigned type : {0u, 5u, 6u, 7u})
        EXPECT_EQ(pasid_fault(pasid_entry(type, 1)), 0x5bu) << type;
    for (const unsigned width : {0u, 4u, 7u}) {
        EXPECT_EQ(pasid_fault(second_stage_pasid(0x5000, 1).with(pasid_entry::aw, width)), 0x5bu);
        EXPECT_EQ(pasid_fault(nested_pasid(0x6000, 0x5000, 1).with(pasid_entry::aw, width)), 0x5bu);
    }
    for (const unsigned mode : {2u, 3u}) {
        EXPECT_EQ(pasid_fault(first_stage_pasid(0x6000, 1).with(pasid_entry::flpm, mode)), 0x5bu);
        EXPECT_EQ(pasid_fault(nested_pasid(0x6000, 0x5000, 1).with(pasid_entry::flpm, mode)), 0x5bu);
    }
    EXPECT_EQ(of(first_stage_pasid(0x6000, 1, 5)).first_levels, 5);
    EXPECT_EQ(of(second_stage_pasid(0x6000, 1, 3)).second_levels, 3);
}

TEST_F(ScalableMode, TypesOfAbsentFeaturesAreInvalid) {
    const PasidEntry entries[] = {first_stage_pasid(0x6000, 1), second_stage_pasid(0x5000, 1),
                                  nested_pasid(0x6000, 0x5000, 1), pass_through_pasid(1)};
    const Kind kinds[] = {Kind::first_stage, Kind::second_stage, Kind::nested, Kind::pass_through};
    for (unsigned i = 0; i < 4; ++i)
        EXPECT_EQ(of(entries[i]).kind, kinds[i]);
    bench.features.first_stage = bench.features.second_stage = bench.features.nested = false;
    bench.features.pass_through = bench.features.first_stage_5_level = false;
    for (const PasidEntry& entry : entries)
        EXPECT_EQ(pasid_fault(entry), 0x5bu);
    bench.features.first_stage = true;
    EXPECT_EQ(pasid_fault(first_stage_pasid(0x6000, 1, 5)), 0x5bu);
}

TEST_F(ScalableMode, EveryFieldOfAPasidEntryArrives) {
    const Configuration c = of(nested_pasid(0x6000, 0x5000, 0xabcd)
                                   .with(pasid_entry::slade, 1)
                                   .with(pasid_entry::pwsnp, 0)
                                   .with(pasid_entry::pgsnp, 1)
                                   .with(pasid_entry::sre, 1)
                                   .with(pasid_entry::wpe, 1)
                                   .with(pasid_entry::eafe, 1));
    EXPECT_EQ(c.domain, 0xabcd);
    EXPECT_EQ(c.pasid, 78u);
    EXPECT_EQ(c.first_root, 0x6000u);
    EXPECT_EQ(c.second_root, 0x5000u);
    EXPECT_TRUE(c.second_accessed_dirty);
    EXPECT_FALSE(c.snoop_walk);
    EXPECT_TRUE(c.force_snoop);
    EXPECT_TRUE(c.supervisor);
    EXPECT_TRUE(c.write_protect);
    EXPECT_TRUE(c.extended_accessed);
    EXPECT_EQ(c.context_tag(), 0xabcd | (78ull << tag::pasid_shift) | tag::first_stage);
}

TEST_F(ScalableMode, SupervisorAndExecuteRequestsNeedPermissionOfTheFirstStage) {
    Requester privileged = process(78);
    privileged.privileged = true;
    Requester executing = process(78);
    executing.instruction = true;
    EXPECT_EQ(pasid_fault(first_stage_pasid(0x6000, 1), privileged), 0x5du);
    EXPECT_EQ(pasid_fault(first_stage_pasid(0x6000, 1).with(pasid_entry::fpd, 1), privileged), 0x5du);
    EXPECT_TRUE(bench.no_record);
    EXPECT_EQ(pasid_fault(first_stage_pasid(0x6000, 1).with(pasid_entry::sre, 1), executing), 0x5cu);
    EXPECT_EQ(of(first_stage_pasid(0x6000, 1).with(pasid_entry::sre, 1), privileged).kind, Kind::first_stage);
    EXPECT_EQ(of(second_stage_pasid(0x6000, 1), privileged).kind, Kind::second_stage);
    EXPECT_EQ(of(first_stage_pasid(0x6000, 1)).kind, Kind::first_stage) << "the same entry, a user request";
    EXPECT_EQ(context_fault(ScalableContextEntry(good)
                                .with(scalable_context::rid_pasid, 78)
                                .with(scalable_context::rid_priv, 1)),
              0x5du);
}

TEST_F(ScalableMode, AnyEntryOnTheWaySilencesFaults) {
    PasidEntry bad = first_stage_pasid(0x6000, 1).with(pasid_entry::flpm, 3);
    EXPECT_EQ(pasid_fault(bad), 0x5bu);
    EXPECT_FALSE(bench.no_record);
    bench.poke(pasids.directory_entry(78), bench.peek(pasids.directory_entry(78)) | 2);
    EXPECT_EQ(pasid_fault(bad), 0x5bu);
    EXPECT_TRUE(bench.no_record);
    EXPECT_TRUE(of(first_stage_pasid(0x6000, 1)).no_record);
    bench.poke(pasids.directory_entry(78), bench.peek(pasids.directory_entry(78)) & ~2ull);
    EXPECT_FALSE(of(first_stage_pasid(0x6000, 1)).no_record);
    root.set(source, ScalableContextEntry(good).with(scalable_context::fpd, 1));
    EXPECT_TRUE(of(first_stage_pasid(0x6000, 1)).no_record);
}

} // namespace
} // namespace iommusim::vtd::test
