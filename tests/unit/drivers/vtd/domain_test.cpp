// Domains and who uses them: what attaching puts into the tables, and what the device then reads.
#include "tests/unit/drivers/vtd/vtd_driver_bench.h"

#include "models/vtd/spec/structures.h"

namespace iommusim::vtd_driver::test {
namespace {

using namespace spec;

constexpr std::uint32_t device = VtdDriverBench::device;
constexpr std::uint64_t iova = 0x4000'0000;

dma::DeviceAddress process(std::uint32_t pasid, std::uint32_t id = device) {
    return {.id = id, .pasid = pasid, .has_pasid = true};
}

struct Mode {
    const char* name;
    bool scalable;
    dma::Stage stage;
};
std::ostream& operator<<(std::ostream& out, const Mode& mode) { return out << mode.name; }

class VtdAttach : public testing::TestWithParam<Mode> {
protected:
    static BenchOptions options() { return GetParam().scalable ? scalable() : legacy(); }
    static VtdDriverBench::Domain attached(VtdDriverBench& bench) {
        return bench.attached_domain(GetParam().stage);
    }
};

TEST_P(VtdAttach, DeviceReadsWhatIsMapped) {
    VtdDriverBench bench(options());
    ASSERT_TRUE(bench.start());
    const auto domain = attached(bench);
    bench.map(*domain, iova, 7);
    EXPECT_EQ(bench.read(iova), 7u);
    EXPECT_EQ(bench.read(iova + 4096), std::nullopt);
}

TEST_P(VtdAttach, DeviceReadsUpToTheEndOfTheAperture) {
    VtdDriverBench bench(options());
    ASSERT_TRUE(bench.start());
    const auto domain = attached(bench);
    const std::uint64_t last = domain->aperture_end() - 4096;
    bench.map(*domain, last, 9);
    EXPECT_EQ(bench.read(last), 9u);
}

TEST_P(VtdAttach, UnmappedPageIsGone) {
    VtdDriverBench bench(options());
    ASSERT_TRUE(bench.start());
    const auto domain = attached(bench);
    bench.map(*domain, iova, 7, 4);
    EXPECT_EQ(bench.read(iova), 7u);
    bench.unmap(*domain, iova);
    EXPECT_EQ(bench.read(iova), std::nullopt);
    EXPECT_EQ(bench.read(iova + 4096), 7u);
}

TEST_P(VtdAttach, RemovedTablesAreNotWalkedAnyMore) {
    VtdDriverBench bench(options());
    ASSERT_TRUE(bench.start());
    const auto domain = attached(bench);
    constexpr std::size_t pages = 512;
    bench.map(*domain, iova, 7, pages);
    EXPECT_EQ(bench.read(iova), 7u);
    bench.unmap(*domain, iova, pages);
    bench.map(*domain, iova, 8);
    EXPECT_EQ(bench.read(iova), 8u);
    EXPECT_EQ(bench.read(iova + 4096), std::nullopt);
}

TEST_P(VtdAttach, DetachedDeviceIsRefused) {
    VtdDriverBench bench(options());
    ASSERT_TRUE(bench.start());
    const auto domain = attached(bench);
    bench.map(*domain, iova, 7);
    EXPECT_EQ(bench.read(iova), 7u);
    bench.detach(*domain);
    EXPECT_EQ(bench.read(iova), std::nullopt);
    ASSERT_EQ(bench.reports.faults.size(), 1u);
    EXPECT_EQ(bench.reports.faults[0].reason, GetParam().scalable ? fault_reason::sm_context_not_present
                                                                  : fault_reason::legacy_context_not_present);
    bench.detach(*domain); // no effect
    EXPECT_TRUE(bench.attach(*domain));
    EXPECT_EQ(bench.read(iova), 7u);
}

TEST_P(VtdAttach, AnotherDomainTakesTheDeviceOver) {
    VtdDriverBench bench(options());
    ASSERT_TRUE(bench.start());
    const auto first = attached(bench);
    bench.map(*first, iova, 7);
    EXPECT_EQ(bench.read(iova), 7u);
    const auto second = bench.create_domain(GetParam().stage);
    bench.map(*second, iova, 8);
    EXPECT_TRUE(bench.attach(*second));
    EXPECT_EQ(bench.read(iova), 8u);
    EXPECT_TRUE(static_cast<VtdDomain&>(*first).attachments().empty());
}

TEST_P(VtdAttach, DevicesOfOneDomainShareIt) {
    VtdDriverBench bench(options());
    ASSERT_TRUE(bench.start());
    const auto domain = attached(bench);
    EXPECT_TRUE(bench.attach(*domain, {.id = 0xFFF8})); // another bus, upper half of its table
    bench.map(*domain, iova, 7);
    EXPECT_EQ(bench.read(iova), 7u);
    EXPECT_EQ(bench.read(iova, VtdDriverBench::of(0xFFF8)), 7u);
    bench.unmap(*domain, iova);
    EXPECT_EQ(bench.read(iova), std::nullopt);
    EXPECT_EQ(bench.read(iova, VtdDriverBench::of(0xFFF8)), std::nullopt);
}

TEST_P(VtdAttach, ReleasedDomainLeavesNothing) {
    VtdDriverBench bench(options());
    ASSERT_TRUE(bench.start());
    auto domain = attached(bench);
    const std::uint16_t id = VtdDriverBench::id_of(*domain);
    bench.map(*domain, iova, 7);
    EXPECT_EQ(bench.read(iova), 7u);
    bench.run([&](machine::Cpu& cpu) { bench.driver->release(cpu, *domain); });
    domain.reset();
    EXPECT_EQ(bench.read(iova), std::nullopt);
    const auto next = attached(bench);
    EXPECT_EQ(VtdDriverBench::id_of(*next), id);
    EXPECT_EQ(bench.read(iova), std::nullopt);
}

INSTANTIATE_TEST_SUITE_P(
    , VtdAttach,
    testing::Values(Mode{"Legacy", false, dma::Stage::second}, Mode{"FirstStage", true, dma::Stage::first},
                    Mode{"SecondStage", true, dma::Stage::second}, Mode{"Nested", true, dma::Stage::nested}),
    [](const testing::TestParamInfo<Mode>& mode) { return std::string(mode.param.name); });

// ---- what the tables say

TEST(VtdTables, LegacyContextEntryNamesSecondStageAndDomain) {
    VtdDriverBench bench(legacy());
    ASSERT_TRUE(bench.start());
    const auto domain = bench.attached_domain();
    const std::uint64_t root = rtaddr::rta.in_place(bench.tap.peek(reg::rtaddr, 8));
    const std::uint64_t table = root::ctp.in_place(bench.word(root + root::offset(device)));
    const std::uint64_t entry = table + context::offset(device);
    const std::uint64_t words[] = {bench.word(entry), bench.word(entry + 8)};
    EXPECT_EQ(context::p.get(words), 1u);
    EXPECT_EQ(context::tt.get(words), context::tt_untranslated);
    EXPECT_EQ(context::slptptr.in_place(words), static_cast<VtdDomain&>(*domain).root());
    EXPECT_EQ(context::did.get(words), VtdDriverBench::id_of(*domain));
    EXPECT_EQ(address_width::levels(context::aw.get(words)), 4u);
    EXPECT_GE(VtdDriverBench::id_of(*domain), 2u);
    bench.detach(*domain);
    EXPECT_EQ(bench.word(entry), 0u);
    EXPECT_EQ(bench.word(entry + 8), 0u);
}

TEST(VtdTables, AttachAndDetachInvalidateInLegacyMode) {
    VtdDriverBench bench(legacy());
    ASSERT_TRUE(bench.start());
    bench.take_descriptors();
    const auto domain = bench.attached_domain();
    const std::uint16_t id = VtdDriverBench::id_of(*domain);
    EXPECT_TRUE(bench.take_descriptors().empty());
    bench.detach(*domain);
    EXPECT_EQ(bench.take_invalidations(), (std::vector<Descriptor>{make::context_device(id, device),
                                                                   make::iotlb_domain(id, true, true)}));
}

TEST(VtdTables, DetachInvalidatesPasidEntryThenContextInScalableMode) {
    VtdDriverBench bench;
    ASSERT_TRUE(bench.start());
    const auto domain = bench.attached_domain();
    const std::uint16_t id = VtdDriverBench::id_of(*domain);
    bench.take_descriptors();
    bench.detach(*domain);
    EXPECT_EQ(bench.take_invalidations(),
              (std::vector<Descriptor>{make::pasid_cache(id, 0), make::pasid_iotlb_all(id, 0),
                                       make::context_device(id, device), make::pasid_cache_domain(id)}));
}

TEST(VtdTables, CachingModeInvalidatesWhenADeviceIsAttached) {
    BenchOptions options = legacy();
    options.unit.caching_mode = 1;
    VtdDriverBench bench(options);
    ASSERT_TRUE(bench.start());
    bench.take_descriptors();
    const auto domain = bench.attached_domain();
    EXPECT_EQ(bench.take_invalidations(),
              (std::vector<Descriptor>{make::context_device(0, device),
                                       make::iotlb_domain(VtdDriverBench::id_of(*domain), true, true)}));
}

// ---- PASIDs

TEST(VtdPasids, EachHasItsOwnAddressSpace) {
    VtdDriverBench bench;
    ASSERT_TRUE(bench.start());
    const auto whole = bench.attached_domain();
    const auto one = bench.attached_domain(dma::Stage::first, process(1));
    const auto other = bench.attached_domain(dma::Stage::second, process(0x54321));
    bench.map(*whole, iova, 100);
    bench.map(*one, iova, 101);
    bench.map(*other, iova, 102);
    EXPECT_EQ(bench.read(iova), 100u);
    EXPECT_EQ(bench.read(iova, VtdDriverBench::of(device, 1)), 101u);
    EXPECT_EQ(bench.read(iova, VtdDriverBench::of(device, 0x54321)), 102u);
    EXPECT_EQ(bench.read(iova, VtdDriverBench::of(device, 2)), std::nullopt);

    bench.detach(*one, process(1));
    EXPECT_EQ(bench.read(iova, VtdDriverBench::of(device, 1)), std::nullopt);
    EXPECT_EQ(bench.read(iova), 100u);
    bench.detach(*whole);
    EXPECT_EQ(bench.read(iova), std::nullopt);
    EXPECT_EQ(bench.read(iova, VtdDriverBench::of(device, 0x54321)), 102u);
}

TEST(VtdPasids, OneDomainMayServeSeveral) {
    VtdDriverBench bench;
    ASSERT_TRUE(bench.start());
    const auto domain = bench.attached_domain(dma::Stage::first, process(1));
    EXPECT_TRUE(bench.attach(*domain, process(2)));
    EXPECT_TRUE(bench.attach(*domain, process(2, 0x101)));
    bench.map(*domain, iova, 7);
    EXPECT_EQ(bench.read(iova, VtdDriverBench::of(device, 1)), 7u);
    EXPECT_EQ(bench.read(iova, VtdDriverBench::of(device, 2)), 7u);
    EXPECT_EQ(bench.read(iova, VtdDriverBench::of(0x101, 2)), 7u);
    bench.take_descriptors();
    bench.unmap(*domain, iova);
    EXPECT_EQ(bench.take_invalidations().size(), 2u); // equal tags are named once
    EXPECT_EQ(bench.read(iova, VtdDriverBench::of(device, 1)), std::nullopt);
    EXPECT_EQ(bench.read(iova, VtdDriverBench::of(device, 2)), std::nullopt);
    EXPECT_EQ(bench.read(iova, VtdDriverBench::of(0x101, 2)), std::nullopt);
}

TEST(VtdPasids, AreRefusedWhereTheyCannotBe) {
    BenchOptions options;
    options.driver.max_pasid_bits = 14;
    VtdDriverBench bench(options);
    ASSERT_TRUE(bench.start());
    const auto domain = bench.create_domain();
    EXPECT_FALSE(bench.attach(*domain, process(0)));
    EXPECT_FALSE(bench.attach(*domain, process(1u << 14)));
    EXPECT_FALSE(bench.attach(*domain, {.id = 0x1'0000}));
    EXPECT_TRUE(bench.attach(*domain, process((1u << 14) - 1)));
    EXPECT_EQ(static_cast<VtdDomain&>(*domain).attachments().size(), 1u);
}

TEST(VtdPasids, AreRefusedInLegacyMode) {
    VtdDriverBench bench(legacy());
    ASSERT_TRUE(bench.start());
    const auto domain = bench.create_domain();
    EXPECT_FALSE(bench.attach(*domain, process(1)));
}

// ---- limits and kinds

TEST(VtdDomains, StagesThatTheUnitDoesNotHaveAreRefused) {
    VtdDriverBench bench(legacy());
    ASSERT_TRUE(bench.start());
    EXPECT_EQ(bench.create_domain(dma::Stage::first), nullptr);
    EXPECT_EQ(bench.create_domain(dma::Stage::nested), nullptr);
    EXPECT_NE(bench.create_domain(dma::Stage::second), nullptr);
}

TEST(VtdDomains, RunOutWithTheIds) {
    BenchOptions options = legacy();
    options.unit.domain_id_bits = 0; // 4 bits
    VtdDriverBench bench(options);
    ASSERT_TRUE(bench.start());
    std::vector<VtdDriverBench::Domain> domains;
    for (unsigned id = 2; id < 16; ++id) {
        domains.push_back(bench.create_domain());
        ASSERT_NE(domains.back(), nullptr);
        EXPECT_EQ(VtdDriverBench::id_of(*domains.back()), id);
    }
    EXPECT_EQ(bench.create_domain(), nullptr);
    bench.run([&](machine::Cpu& cpu) { bench.driver->release(cpu, *domains[5]); });
    const auto again = bench.create_domain();
    ASSERT_NE(again, nullptr);
    EXPECT_EQ(VtdDriverBench::id_of(*again), 7u);
}

TEST(VtdDomains, NestedOnesShareOneIdentityMap) {
    VtdDriverBench bench;
    ASSERT_TRUE(bench.start());
    const auto one = bench.attached_domain(dma::Stage::nested);
    const std::uint64_t identity = bench.driver->identity_root();
    ASSERT_NE(identity, 0u);
    const auto other = bench.attached_domain(dma::Stage::nested, {.id = 0x101});
    EXPECT_EQ(bench.driver->identity_root(), identity);
    bench.map(*other, iova, 7);
    EXPECT_EQ(bench.read(iova, VtdDriverBench::of(0x101)), 7u);
    EXPECT_EQ(bench.read(iova), std::nullopt);
}

TEST(VtdDomains, WalksThatDoNotSnoopNeedCleanedLines) {
    constexpr Picoseconds clflush = 1'000'000;
    const auto time_of_second_map = [](bool coherent) {
        BenchOptions options = legacy();
        options.unit.coherent_walks = coherent;
        options.cpu.clflush = clflush;
        Picoseconds time = 0;
        VtdDriverBench bench(options);
        EXPECT_TRUE(bench.start());
        const auto domain = bench.attached_domain();
        bench.map(*domain, iova, 1); // makes the tables
        bench.run([&](machine::Cpu& cpu) {
            const std::uint64_t physical = cpu.allocate_pages(1);
            const Picoseconds began = cpu.time();
            dma::iommu_map(cpu, *domain, iova + 4096, physical, 4096, dma::prot_read);
            time = cpu.time() - began;
        });
        return time;
    };
    const Picoseconds snooped = time_of_second_map(true);
    sc_core::sc_curr_simcontext = nullptr;
    EXPECT_EQ(time_of_second_map(false), snooped + clflush); // of the one entry
}

TEST(VtdDomains, WriteBuffersAreFlushedAfterEveryMap) {
    BenchOptions options = legacy();
    options.unit.write_buffer_flush = 1;
    VtdDriverBench bench(options);
    ASSERT_TRUE(bench.start());
    const auto domain = bench.attached_domain();
    bench.tap.writes.clear();
    bench.map(*domain, iova, 7);
    ASSERT_EQ(bench.tap.writes.size(), 1u);
    EXPECT_EQ(bench.tap.writes[0].offset, reg::gcmd);
    EXPECT_NE(bench.tap.writes[0].value & gcmd::wbf.mask(), 0u);
    EXPECT_NE(bench.tap.writes[0].value & gcmd::te.mask(), 0u);
    EXPECT_EQ(bench.read(iova), 7u);
}

} // namespace
} // namespace iommusim::vtd_driver::test
