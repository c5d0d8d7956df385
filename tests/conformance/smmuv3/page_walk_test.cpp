// Stage 1 translation table walks with the 4 KB granule (section 3.4; DDI 0487 chapter D8).
#include "tests/conformance/smmuv3/smmu_bench.h"

#include <gtest/gtest.h>

namespace iommusim::smmuv3::test {
namespace {

using namespace spec;

constexpr std::uint64_t output = 0x4000'0000;

struct PageWalk : testing::Test {
    SmmuBench bench;

    /// Uses the CD for stream 5 from now on.
    void use(const Cd& cd) {
        bench.set_ste(5, ste_stage_1(bench.new_cd(cd)));
        bench.execute({cfgi_ste(5), tlbi_all(), sync()});
    }
    static constexpr std::uint64_t refused = ~0ull;
    /// Where the address leads, or `refused`.
    std::uint64_t translate(std::uint64_t address) {
        const std::size_t before = bench.probe.translations.size();
        bench.read(SmmuBench::stream(5), address, 8);
        return bench.probe.translations.size() > before ? bench.probe.translations.back().output_address
                                                        : refused;
    }
    unsigned fault(std::uint64_t address) {
        bench.take_events();
        EXPECT_EQ(translate(address), refused);
        const std::vector<Event> events = bench.take_events();
        return events.empty() ? 0 : static_cast<unsigned>(events[0].get(event::id));
    }
};

// ---- geometry

class InputSize : public PageWalk, public testing::WithParamInterface<unsigned> {};

TEST_P(InputSize, StartsAtItsLevelAndEndsAtItsLimit) {
    const unsigned bits = 64 - GetParam();
    PageTable table(bench, bits);
    use(cd_for(table.root(), 1, GetParam()));
    const std::uint64_t last = (1ull << bits) - 0x1000;
    table.map(0, output);
    table.map(last, output + 0x1000);
    const std::uint64_t before = bench.counter("iommu.walk_reads");
    EXPECT_EQ(translate(0x18), output + 0x18);
    EXPECT_EQ(bench.counter("iommu.walk_reads") - before, 4 - table.start_level());
    EXPECT_EQ(translate(last + 0xff8), output + 0x1ff8);
    EXPECT_EQ(fault(1ull << bits), event_id::f_translation);
    EXPECT_EQ(fault((1ull << bits) | last), event_id::f_translation);
    EXPECT_EQ(fault(~0ull << 12), event_id::f_translation) << "the upper half is disabled";
}

TEST_P(InputSize, WorksForTheUpperHalf) {
    const unsigned bits = 64 - GetParam();
    PageTable table(bench, bits);
    use(cd_for(0, 1)
            .with(cd::epd0, 1)
            .with(cd::epd1, 0)
            .with(cd::t1sz, GetParam())
            .with(cd::tg1, cd::tg1_4k)
            .at(cd::ttb1, table.root()));
    const std::uint64_t first = ~0ull << bits;
    table.map(first & low_bits(bits), output);
    table.map(low_bits(bits) & ~0xfffull, output + 0x1000);
    EXPECT_EQ(translate(first + 8), output + 8);
    EXPECT_EQ(translate(~0ull - 7), output + 0x1ff8);
    EXPECT_EQ(fault(first - 0x1000), event_id::f_translation);
    EXPECT_EQ(fault(0x1000), event_id::f_translation) << "the lower half is disabled";
}

INSTANTIATE_TEST_SUITE_P(T0sz, InputSize, testing::Range(16u, 40u));

TEST_F(PageWalk, EveryIndexAndOffsetBitCounts) {
    PageTable table(bench);
    use(cd_for(table.root(), 1));
    table.map(0x1234'5678'9000, 0x5'4321'f000);
    EXPECT_EQ(translate(0x1234'5678'9ab8), 0x5'4321'fab8u);
    for (const unsigned bit : {12u, 20u, 21u, 29u, 30u, 38u, 39u, 46u})
        EXPECT_EQ(fault(0x1234'5678'9ab8ull ^ (1ull << bit)), event_id::f_translation) << "bit " << bit;
}

TEST_F(PageWalk, BothHalvesAreApart) {
    PageTable lower(bench);
    PageTable upper(bench, 39);
    use(cd_for(lower.root(), 1)
            .with(cd::epd1, 0)
            .with(cd::t1sz, 25)
            .with(cd::tg1, cd::tg1_4k)
            .at(cd::ttb1, upper.root()));
    lower.map(0x7f'ffff'f000, output);
    upper.map(0x7f'ffff'f000, output + 0x1000);
    EXPECT_EQ(translate(0x7f'ffff'f000), output);
    EXPECT_EQ(translate(~0xfffull), output + 0x1000);
    EXPECT_EQ(fault(0x0080'0000'0000'0000), event_id::f_translation) << "between the halves";
    EXPECT_EQ(fault(0xff7f'ffff'ffff'f000), event_id::f_translation) << "bit 55 says lower half";
}

TEST_F(PageWalk, AnUnalignedTableBaseIsAlignedToTheTable) {
    PageTable table(bench, 48);
    use(cd_for(table.root() | 0xff0, 1));
    table.map(0x1000, output);
    EXPECT_EQ(translate(0x1000), output);
}

TEST_F(PageWalk, ASmallRootTableIsAlignedToItsOwnSize) {
    PageTable table(bench, 25); // 16 descriptors
    use(cd_for(table.root() | 0x70, 1, 39));
    table.map(0x1000, output);
    EXPECT_EQ(translate(0x1000), output);
}

// ---- descriptors

TEST_F(PageWalk, BlocksExistAtLevelsOneAndTwo) {
    PageTable table(bench);
    use(cd_for(table.root(), 1));
    table.map(0x100'0000'0000, 0x4000'0000, 1);
    table.map(0x200'0000'0000, 0x4020'0000, 2);
    EXPECT_EQ(translate(0x100'3fff'fff8), 0x7fff'fff8u);
    EXPECT_EQ(translate(0x200'001f'fff8), 0x403f'fff8u);
    table.map(0x300'0000'0000, 0, 0);
    EXPECT_EQ(fault(0x300'0000'0000), event_id::f_translation) << "no blocks at level 0";
    bench.poke(table.descriptor_address(0x400'0000'0000, 3), output | leaf_rw | descriptor::type_block);
    EXPECT_EQ(fault(0x400'0000'0000), event_id::f_translation) << "reserved at level 3";
}

TEST_F(PageWalk, AnInvalidDescriptorAtAnyLevelIsATranslationFault) {
    PageTable table(bench);
    use(cd_for(table.root(), 1));
    for (unsigned level = 0; level < 4; ++level)
        for (const std::uint64_t type : {0ull, 2ull}) {
            const std::uint64_t address = (level + 1) * 0x80'0000'0000ull;
            bench.poke(table.descriptor_address(address, level), output | leaf_rw | type);
            EXPECT_EQ(fault(address), event_id::f_translation) << "level " << level << " type " << type;
        }
}

TEST_F(PageWalk, AnOutputBeyondTheIntermediateSizeFaultsAtEveryLevel) {
    PageTable table(bench);
    use(cd_for(table.root(), 1).with(cd::ips, size_code_36_bits));
    for (unsigned level = 0; level < 4; ++level) {
        const std::uint64_t address = (level + 1) * 0x80'0000'0000ull;
        const std::uint64_t slot = table.descriptor_address(address, level);
        bench.poke(slot, 0x10'0000'0000 | leaf_rw | descriptor::type_table);
        EXPECT_EQ(fault(address), event_id::f_addr_size) << "level " << level;
        if (level == 1 || level == 2) {
            bench.poke(slot, 0x10'0000'0000 | leaf_rw | descriptor::type_block);
            EXPECT_EQ(fault(address), event_id::f_addr_size) << "block at level " << level;
        }
    }
}

TEST_F(PageWalk, ATableThatCannotBeReadIsAnAbortAndWorksOnceItCan) {
    PageTable table(bench);
    use(cd_for(table.root(), 1));
    table.map(0x1000, output);
    for (unsigned level = 0; level < 4; ++level) {
        const auto poison = bench.faults().poison(table.descriptor_address(0x1000, level), 8);
        bench.execute_and_sync(tlbi_all());
        EXPECT_EQ(fault(0x1000), event_id::f_walk_eabt);
        bench.faults().remove(poison);
        EXPECT_EQ(translate(0x1000), output);
    }
    bench.poke(table.descriptor_address(0x80'0000'0000, 1), 0x20'0000'0000 | descriptor::type_table);
    EXPECT_EQ(fault(0x80'0000'0000), event_id::f_walk_eabt) << "a table where there is no memory";
}

TEST_F(PageWalk, TheAccessFlagIsCheckedUnlessTheContextSaysNot) {
    PageTable table(bench);
    use(cd_for(table.root(), 1));
    table.map(0x1000, output, 3, leaf_rw & ~stage1_leaf::af.mask());
    EXPECT_EQ(fault(0x1000), event_id::f_access);
    table.map(0x1000, output);
    EXPECT_EQ(translate(0x1000), output) << "the fault was not cached";
    table.map(0x2000, output, 3, leaf_rw & ~stage1_leaf::af.mask());
    use(cd_for(table.root(), 1).with(cd::affd, 1));
    EXPECT_EQ(translate(0x2000), output);
}

TEST_F(PageWalk, IgnoredDescriptorBitsDoNotMatter) {
    PageTable table(bench);
    use(cd_for(table.root(), 1));
    table.map(0x1000, output, 3,
              leaf_rw | descriptor::software_use.mask() | stage1_leaf::pbha.mask() | stage1_leaf::dbm.mask() |
                  stage1_leaf::gp.mask() | stage1_leaf::attr_index.mask() | stage1_leaf::sh.mask());
    EXPECT_EQ(translate(0x1008), output + 8);
}

// ---- contiguous groups

class Contiguous : public PageWalk, public testing::WithParamInterface<unsigned> {};

TEST_P(Contiguous, AGroupIsOneEntry) {
    const unsigned level = GetParam();
    const std::uint64_t size = PageTable::size_of(level);
    PageTable table(bench);
    use(cd_for(table.root(), 1));
    const std::uint64_t group = 0x100'0000'0000;
    table.map_contiguous(group, 0x4'0000'0000, level);
    EXPECT_EQ(translate(group + 5 * size + 8), 0x4'0000'0000 + 5 * size + 8);
    const std::uint64_t walks = bench.counter("iommu.walks");
    for (unsigned i = 0; i < 16; ++i)
        EXPECT_EQ(translate(group + i * size + size - 8), 0x4'0000'0000 + i * size + size - 8);
    EXPECT_EQ(bench.counter("iommu.walks"), walks);
    EXPECT_EQ(fault(group + 16 * size), event_id::f_translation);
}

TEST_P(Contiguous, AMisalignedGroupIsTranslatedPageByPage) {
    const unsigned level = GetParam();
    const std::uint64_t size = PageTable::size_of(level);
    PageTable table(bench);
    use(cd_for(table.root(), 1));
    const std::uint64_t group = 0x100'0000'0000;
    table.map_contiguous(group, 0x4'0000'0000 + size, level);
    for (unsigned i = 0; i < 16; ++i)
        EXPECT_EQ(translate(group + i * size), 0x4'0000'0000 + (i + 1) * size);
}

INSTANTIATE_TEST_SUITE_P(Levels, Contiguous, testing::Values(1u, 2u, 3u));

// ---- top byte

TEST_F(PageWalk, TheTopByteCountsUnlessItIsIgnored) {
    PageTable lower(bench);
    PageTable upper(bench);
    lower.map(0x1000, output);
    upper.map(0x1000, output + 0x1000);
    const Cd both = cd_for(lower.root(), 1)
                        .with(cd::epd1, 0)
                        .with(cd::t1sz, 16)
                        .with(cd::tg1, cd::tg1_4k)
                        .at(cd::ttb1, upper.root());
    constexpr std::uint64_t tagged = 0xab00'0000'0000'1000;
    constexpr std::uint64_t upper_address = 0xffff'0000'0000'1000;
    constexpr std::uint64_t upper_tagged = 0x12ff'0000'0000'1000;

    use(both);
    EXPECT_EQ(translate(0x1000), output);
    EXPECT_EQ(fault(tagged), event_id::f_translation) << "also when the untagged address is cached";
    EXPECT_EQ(translate(upper_address), output + 0x1000);
    EXPECT_EQ(fault(upper_tagged), event_id::f_translation);

    use(Cd(both).with(cd::tbi0, 1));
    EXPECT_EQ(translate(tagged), output);
    EXPECT_EQ(translate(0x1000), output);
    EXPECT_EQ(fault(upper_tagged), event_id::f_translation);

    use(Cd(both).with(cd::tbi1, 1));
    EXPECT_EQ(translate(upper_tagged), output + 0x1000);
    EXPECT_EQ(fault(tagged), event_id::f_translation);
}

TEST_F(PageWalk, TaggedAddressesAreInvalidatedByTheUntaggedOneAndTheOtherWayRound) {
    PageTable table(bench);
    use(cd_for(table.root(), 1).with(cd::tbi0, 1));
    table.map(0x1000, output);
    for (const auto& [used, named] :
         {std::pair{0xab00'0000'0000'1000ull, 0x1000ull}, std::pair{0x1000ull, 0xcd00'0000'0000'1000ull}}) {
        bench.read(SmmuBench::stream(5), used);
        bench.execute_and_sync(tlbi_va(1, named));
        EXPECT_EQ(bench.served_by(SmmuBench::stream(5), used), "walk");
    }
}

// ---- permissions

/// What an access needs, in the order of the columns of the tables below.
enum Access {
    unprivileged_read,
    unprivileged_write,
    unprivileged_fetch,
    privileged_read,
    privileged_write,
    privileged_fetch
};

struct PermissionCase {
    const char* name;
    std::uint64_t leaf;  ///< AP, UXN, PXN
    std::uint64_t table; ///< hierarchical bits of the level 2 table descriptor
    void (*change)(Cd&); ///< WXN, PAN, HAD
    const char* allowed; ///< six columns, x = allowed
};

class Permissions : public PageWalk, public testing::WithParamInterface<PermissionCase> {};

TEST_P(Permissions, AllowExactlyWhatTheyShould) {
    PageTable table(bench);
    Cd cd = cd_for(table.root(), 1);
    GetParam().change(cd);
    use(cd);
    table.descriptor_address(0x1000, 3, GetParam().table);
    table.map(0x1000, output, 3, stage1_leaf::af.mask() | stage1_leaf::ng.mask() | GetParam().leaf);
    for (unsigned repeat = 0; repeat < 2; ++repeat) // by a walk, and by a hit where there is one
        for (unsigned access = unprivileged_read; access <= privileged_fetch; ++access) {
            Requester requester = SmmuBench::stream(5);
            requester.privileged = access >= privileged_read;
            requester.instruction = access % 3 == 2;
            const bool write = access % 3 == 1;
            const Dma& dma =
                write ? bench.write(requester, 0x1000, pattern(1)) : bench.read(requester, 0x1000);
            EXPECT_EQ(dma.status, GetParam().allowed[access] == 'x' ? tlm::TLM_OK_RESPONSE
                                                                    : tlm::TLM_COMMAND_ERROR_RESPONSE)
                << "column " << access;
            for (const Event& event : bench.take_events())
                EXPECT_EQ(event.get(event::id), event_id::f_permission);
        }
}

constexpr auto as_it_is = [](Cd&) {};
constexpr auto with_wxn = [](Cd& c) { c.with(cd::wxn, 1); };
constexpr auto with_pan = [](Cd& c) { c.with(cd::pan, 1); };
constexpr auto with_had = [](Cd& c) { c.with(cd::had0, 1); };
constexpr std::uint64_t ap_priv_rw = stage1_leaf::ap.make(stage1_leaf::ap_privileged_rw);
constexpr std::uint64_t ap_any_rw = stage1_leaf::ap.make(stage1_leaf::ap_any_rw);
constexpr std::uint64_t ap_priv_ro = stage1_leaf::ap.make(stage1_leaf::ap_privileged_ro);
constexpr std::uint64_t ap_any_ro = stage1_leaf::ap.make(stage1_leaf::ap_any_ro);
constexpr std::uint64_t uxn = stage1_leaf::uxn.mask();
constexpr std::uint64_t pxn = stage1_leaf::pxn.mask();
constexpr std::uint64_t no_unprivileged = stage1_table::ap_table_no_unprivileged.mask();
constexpr std::uint64_t read_only = stage1_table::ap_table_read_only.mask();
constexpr std::uint64_t uxn_table = stage1_table::uxn_table.mask();
constexpr std::uint64_t pxn_table = stage1_table::pxn_table.mask();
constexpr std::uint64_t all_table_bits = no_unprivileged | read_only | uxn_table | pxn_table;

// Columns: unprivileged read, write, fetch; privileged read, write, fetch.
INSTANTIATE_TEST_SUITE_P(
    Tables, Permissions,
    testing::Values(PermissionCase{"PrivilegedRw", ap_priv_rw, 0, as_it_is, "--xxxx"},
                    PermissionCase{"AnyRw", ap_any_rw, 0, as_it_is, "xxxxx-"},
                    PermissionCase{"PrivilegedRo", ap_priv_ro, 0, as_it_is, "--xx-x"},
                    PermissionCase{"AnyRo", ap_any_ro, 0, as_it_is, "x-xx-x"},
                    PermissionCase{"NoUnprivilegedFetch", ap_any_ro | uxn, 0, as_it_is, "x--x-x"},
                    PermissionCase{"NoPrivilegedFetch", ap_any_ro | pxn, 0, as_it_is, "x-xx--"},
                    PermissionCase{"NoFetch", ap_priv_rw | uxn | pxn, 0, as_it_is, "---xx-"},
                    PermissionCase{"TableNoUnprivileged", ap_any_rw, no_unprivileged, as_it_is, "--xxxx"},
                    PermissionCase{"TableReadOnly", ap_any_rw, read_only, as_it_is, "x-xx-x"},
                    PermissionCase{"TableNoUnprivilegedFetch", ap_any_ro, uxn_table, as_it_is, "x--x-x"},
                    PermissionCase{"TableNoPrivilegedFetch", ap_any_ro, pxn_table, as_it_is, "x-xx--"},
                    PermissionCase{"TableEverything", ap_any_rw, all_table_bits, as_it_is, "---x--"},
                    PermissionCase{"TableIgnored", ap_any_rw, all_table_bits, with_had, "xxxxx-"},
                    PermissionCase{"WxnAnyRw", ap_any_rw, 0, with_wxn, "xx-xx-"},
                    PermissionCase{"WxnPrivilegedRw", ap_priv_rw, 0, with_wxn, "--xxx-"},
                    PermissionCase{"WxnAnyRo", ap_any_ro, 0, with_wxn, "x-xx-x"},
                    PermissionCase{"PanAnyRw", ap_any_rw, 0, with_pan, "xxx---"},
                    PermissionCase{"PanAnyRo", ap_any_ro, 0, with_pan, "x-x--x"},
                    PermissionCase{"PanPrivilegedRw", ap_priv_rw, 0, with_pan, "--xxxx"},
                    PermissionCase{"PanTableNoUnprivileged", ap_any_rw, no_unprivileged, with_pan, "--xxxx"}),
    [](const auto& tested) { return tested.param.name; });

TEST_F(PageWalk, HierarchicalBitsHoldAlsoWhenTheWalkStartsInACache) {
    PageTable table(bench);
    use(cd_for(table.root(), 1));
    table.descriptor_address(0x1000, 3, read_only);
    table.map(0x1000, output);
    table.map(0x2000, output);
    EXPECT_EQ(translate(0x1000), output);
    EXPECT_FALSE(bench.write(SmmuBench::stream(5), 0x2000, pattern(1)).ok());
    EXPECT_TRUE(bench.read(SmmuBench::stream(5), 0x2000).ok());
}

} // namespace
} // namespace iommusim::smmuv3::test
