// Bringing a unit up and down: the order of register writes, what is found and what is left.
#include "tests/unit/drivers/vtd/vtd_driver_bench.h"

namespace iommusim::vtd_driver::test {
namespace {

using namespace spec;

std::uint64_t gcmd_of(std::initializer_list<Field> fields) {
    std::uint64_t value = 0;
    for (const Field f : fields)
        value |= f.mask();
    return value;
}

/// What was written to GCMD, in order.
std::vector<std::uint64_t> commands(const VtdDriverBench& bench) {
    std::vector<std::uint64_t> values;
    for (const RegisterWrite& w : bench.tap.writes)
        if (w.offset == reg::gcmd)
            values.push_back(w.value);
    return values;
}

TEST(VtdEnable, WritesTheRegistersInOrder) {
    VtdDriverBench bench;
    ASSERT_TRUE(bench.start());
    EXPECT_EQ(commands(bench),
              (std::vector<std::uint64_t>{gcmd_of({gcmd::qie}), gcmd_of({gcmd::qie, gcmd::srtp}),
                                          gcmd_of({gcmd::qie, gcmd::te})}));
    EXPECT_EQ(bench.take_written_registers(),
              (std::vector<std::uint64_t>{reg::iqt, reg::iqa, reg::gcmd, // queue
                                          reg::rtaddr, reg::gcmd,        // root table
                                          reg::iqt, reg::iqt, reg::iqt,  // invalidate everything
                                          reg::fedata, reg::feaddr, reg::feuaddr, reg::fectl, // fault event
                                          reg::gcmd, reg::pmen}));                            // translation
    EXPECT_TRUE(bench.status(gsts::tes));
    EXPECT_TRUE(bench.status(gsts::qies));
    EXPECT_TRUE(bench.reports.errors.empty());
    EXPECT_TRUE(bench.probe.diagnostics.empty());
}

TEST(VtdEnable, InvalidatesConfigurationBeforeTranslations) {
    VtdDriverBench bench;
    ASSERT_TRUE(bench.start());
    EXPECT_EQ(bench.take_invalidations(),
              (std::vector<Descriptor>{make::context_global(), make::pasid_cache_global(),
                                       make::iotlb_global(true, true)}));
}

TEST(VtdEnable, LegacyModeHasNoPasidCache) {
    VtdDriverBench bench(legacy());
    ASSERT_TRUE(bench.start());
    EXPECT_EQ(bench.take_invalidations(),
              (std::vector<Descriptor>{make::context_global(), make::iotlb_global(true, true)}));
    EXPECT_EQ(rtaddr::ttm.get(bench.tap.peek(reg::rtaddr, 8)), rtaddr::ttm_legacy);
}

TEST(VtdEnable, ScalableModeIsSetWithTheRootTable) {
    VtdDriverBench bench;
    ASSERT_TRUE(bench.start());
    EXPECT_EQ(rtaddr::ttm.get(bench.tap.peek(reg::rtaddr, 8)), rtaddr::ttm_scalable);
}

TEST(VtdEnable, DescriptorsAreWideWhereTheUnitHasScalableMode) {
    VtdDriverBench bench(legacy());
    ASSERT_TRUE(bench.start());
    const std::uint64_t value = bench.tap.peek(reg::iqa, 8);
    EXPECT_EQ(iqa::dw.get(value), 1u);
    EXPECT_EQ(iqa::qs.get(value), 1u); // 256 descriptors of 32 bytes
}

TEST(VtdEnable, DescriptorsAreNarrowOtherwise) {
    BenchOptions options;
    options.unit.scalable_mode = 0;
    VtdDriverBench bench(options);
    ASSERT_TRUE(bench.start());
    const std::uint64_t value = bench.tap.peek(reg::iqa, 8);
    EXPECT_EQ(iqa::dw.get(value), 0u);
    EXPECT_EQ(iqa::qs.get(value), 0u);
    EXPECT_FALSE(bench.driver->features().scalable);
}

TEST(VtdEnable, AQueueThatFillsNoPageIsRoundedUp) {
    BenchOptions options;
    options.driver.queue_entries = 20;
    VtdDriverBench bench(options);
    ASSERT_TRUE(bench.start());
    EXPECT_EQ(iqa::qs.get(bench.tap.peek(reg::iqa, 8)), 0u);
    EXPECT_EQ(bench.driver->queue().entries(), 128u);
    const auto domain = bench.attached_domain();
    bench.run([&](machine::Cpu& cpu) {
        for (unsigned i = 0; i < 300; ++i) // several times around
            domain->flush_iotlb_all(cpu);
    });
    EXPECT_EQ(bench.reports.invalidations.size(), 300u);
    EXPECT_TRUE(bench.reports.errors.empty());
}

TEST(VtdEnable, NothingIsInvalidatedWhereTheRootTablePointerDoesIt) {
    BenchOptions options;
    options.unit.implicit_invalidation = 1;
    VtdDriverBench bench(options);
    ASSERT_TRUE(bench.start());
    EXPECT_TRUE(bench.take_descriptors().empty());
}

TEST(VtdEnable, WriteBuffersAreFlushedBeforeTheRootTableIsSet) {
    BenchOptions options;
    options.unit.write_buffer_flush = 1;
    VtdDriverBench bench(options);
    ASSERT_TRUE(bench.start());
    EXPECT_EQ(commands(bench),
              (std::vector<std::uint64_t>{gcmd_of({gcmd::qie}), gcmd_of({gcmd::qie, gcmd::wbf}),
                                          gcmd_of({gcmd::qie, gcmd::srtp}), gcmd_of({gcmd::qie, gcmd::te})}));
}

TEST(VtdEnable, RegistersAreUsedWhereThePlatformWantsThem) {
    BenchOptions options = legacy();
    options.driver.interface = InvalidationInterface::registers;
    VtdDriverBench bench(options);
    ASSERT_TRUE(bench.start());
    const Features& f = bench.driver->features();
    EXPECT_EQ(bench.take_written_registers(),
              (std::vector<std::uint64_t>{reg::rtaddr, reg::gcmd, reg::ccmd, f.iotlb_offset + 8, reg::fedata,
                                          reg::feaddr, reg::feuaddr, reg::fectl, reg::gcmd, reg::pmen}));
    EXPECT_FALSE(bench.status(gsts::qies));
    EXPECT_FALSE(f.device_tlb);
}

TEST(VtdEnable, WhatFirmwareLeftOnIsSwitchedOffFirst) {
    VtdDriverBench bench;
    ASSERT_TRUE(bench.start());
    bench.tap.writes.clear();
    bench.create();
    ASSERT_TRUE(bench.start());
    const std::vector<std::uint64_t> values = commands(bench);
    ASSERT_GE(values.size(), 2u);
    EXPECT_EQ(values[0], gcmd_of({gcmd::qie}));
    EXPECT_EQ(values[1], 0u);
    EXPECT_TRUE(bench.status(gsts::tes));
    EXPECT_TRUE(bench.probe.diagnostics.empty());
}

TEST(VtdEnable, AUnitWithoutRegisterInvalidationIsRefusedForIt) {
    BenchOptions options = legacy();
    options.unit.major_version = 6;
    options.driver.interface = InvalidationInterface::registers;
    VtdDriverBench bench(options);
    EXPECT_FALSE(bench.start());
    EXPECT_EQ(bench.reports.count(DriverError::unusable_unit), 1u);
    EXPECT_FALSE(bench.status(gsts::tes));
}

TEST(VtdEnable, NothingBehindTheRegistersIsRefused) {
    VtdDriverBench bench;
    bench.configuration.register_base = VtdDriverBench::registers + (1ull << 30);
    bench.create();
    EXPECT_FALSE(bench.start());
    EXPECT_EQ(bench.reports.count(DriverError::unusable_unit), 1u);
}

TEST(VtdEnable, OutOfMemoryIsReported) {
    VtdDriverBench bench;
    bench.run([](machine::Cpu& cpu) {
        while (cpu.allocate_pages(1) != machine::PageAllocator::none) {
        }
    });
    EXPECT_FALSE(bench.start());
    EXPECT_EQ(bench.reports.count(DriverError::no_memory), 1u);
}

TEST(VtdEnable, AUnitThatIsNotToBeUsedIsLeftAlone) {
    BenchOptions options;
    options.driver.use_unit = false;
    VtdDriverBench bench(options);
    EXPECT_TRUE(bench.start());
    EXPECT_TRUE(bench.tap.writes.empty());
}

// ---- shutdown

TEST(VtdShutdown, SwitchesTranslationOffBeforeTheQueue) {
    VtdDriverBench bench;
    ASSERT_TRUE(bench.start());
    bench.tap.writes.clear();
    bench.run([&](machine::Cpu& cpu) { bench.driver->shutdown(cpu); });
    EXPECT_EQ(commands(bench), (std::vector<std::uint64_t>{gcmd_of({gcmd::qie}), 0}));
    EXPECT_FALSE(bench.status(gsts::tes));
    EXPECT_FALSE(bench.status(gsts::qies));
    EXPECT_NE(bench.tap.peek(reg::fectl, 4) & event_control::im.mask(), 0u);
}

class VtdRestart : public testing::TestWithParam<bool> {
protected:
    static BenchOptions options() { return GetParam() ? scalable() : legacy(); }
};

TEST_P(VtdRestart, DomainsAndAttachmentsStay) {
    VtdDriverBench bench(options());
    ASSERT_TRUE(bench.start());
    const auto domain = bench.attached_domain();
    bench.map(*domain, 0x10'0000, 11);
    bench.map(*domain, 0x20'0000, 22);
    EXPECT_EQ(bench.read(0x10'0000), 11u);

    bench.run([&](machine::Cpu& cpu) { bench.driver->shutdown(cpu); });
    bench.unmap(*domain, 0x10'0000); // nobody to tell
    bench.map(*domain, 0x30'0000, 33);
    EXPECT_TRUE(bench.reports.errors.empty());

    ASSERT_TRUE(bench.start());
    EXPECT_EQ(bench.read(0x10'0000), std::nullopt);
    EXPECT_EQ(bench.read(0x20'0000), 22u);
    EXPECT_EQ(bench.read(0x30'0000), 33u);
    EXPECT_EQ(bench.reports.faults.size(), 1u);
    EXPECT_NE(VtdDriverBench::id_of(*bench.create_domain()), VtdDriverBench::id_of(*domain));
}

TEST_P(VtdRestart, DomainsCanBeReleasedWhileTheUnitIsOff) {
    VtdDriverBench bench(options());
    ASSERT_TRUE(bench.start());
    const auto domain = bench.attached_domain();
    bench.map(*domain, 0x10'0000, 11);
    bench.run([&](machine::Cpu& cpu) {
        bench.driver->shutdown(cpu);
        bench.driver->release(cpu, *domain);
    });
    EXPECT_TRUE(bench.reports.errors.empty());
    ASSERT_TRUE(bench.start());
    EXPECT_EQ(bench.read(0x10'0000), std::nullopt);
}

INSTANTIATE_TEST_SUITE_P(, VtdRestart, testing::Bool(), [](const testing::TestParamInfo<bool>& scalable) {
    return std::string(scalable.param ? "Scalable" : "Legacy");
});

} // namespace
} // namespace iommusim::vtd_driver::test
