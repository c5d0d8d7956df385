#include "tests/unit/drivers/smmuv3/smmuv3_bench.h"

#include <gtest/gtest.h>

namespace iommusim::smmuv3_driver::test {
namespace {

std::uint32_t word(std::uint64_t value) { return static_cast<std::uint32_t>(value); }

TEST(Smmuv3Reset, WritesTheRegistersInTheArchitectedOrder) {
    Smmuv3Bench bench;
    bench.start();
    ASSERT_TRUE(bench.started);
    std::vector<std::uint64_t> order;
    for (const RegisterWrite& w : bench.unit.writes)
        order.push_back(w.offset);
    using namespace spec;
    const std::vector<std::uint64_t> expected = {reg::cr0,
                                                 reg::cr1,
                                                 reg::cr2,
                                                 reg::strtab_base,
                                                 reg::strtab_base_cfg,
                                                 reg::cmdq_base,
                                                 reg::cmdq_prod,
                                                 reg::cmdq_cons,
                                                 reg::cr0,
                                                 reg::cmdq_prod,
                                                 reg::cmdq_prod,
                                                 reg::cmdq_prod, // CFGI_ALL, TLBI_EL2_ALL, TLBI_NSNH_ALL
                                                 reg::eventq_base,
                                                 reg::eventq_prod,
                                                 reg::eventq_cons,
                                                 reg::cr0,
                                                 reg::irq_ctrl,
                                                 reg::gerror_irq_cfg0,
                                                 reg::eventq_irq_cfg0,
                                                 reg::irq_ctrl,
                                                 reg::cr0};
    EXPECT_EQ(order, expected);
    EXPECT_EQ(bench.unit.values[reg::cr1], 0xD75u);
    EXPECT_EQ(bench.unit.values[reg::cr2], cr2::ptm.mask() | cr2::recinvsid.mask());
    EXPECT_EQ(bench.unit.values[reg::cr0], cr0::cmdqen.mask() | cr0::eventqen.mask() | cr0::smmuen.mask());
    EXPECT_EQ(bench.unit.values[reg::irq_ctrl],
              irq_ctrl::eventq_irqen.mask() | irq_ctrl::gerror_irqen.mask());
}

TEST(Smmuv3Reset, InvalidatesConfigurationBeforeTranslations) {
    Smmuv3Bench bench;
    bench.start();
    using namespace spec;
    EXPECT_EQ(bench.opcodes(),
              (std::vector<unsigned>{opcode::cfgi_ste_range, opcode::sync, opcode::tlbi_el2_all, opcode::sync,
                                     opcode::tlbi_nsnh_all, opcode::sync}));
    EXPECT_EQ(bench.unit.commands[0].get(cfgi::range), cfgi::range_all);
}

TEST(Smmuv3Reset, SkipsTheHypervisorRegimeWhereThereIsNone) {
    Smmuv3Bench bench;
    bench.unit.idr[0] &= ~word(spec::idr0::hyp.mask());
    bench.start();
    ASSERT_TRUE(bench.started);
    EXPECT_EQ(bench.unit.commands.size(), 4u);
}

TEST(Smmuv3Reset, StopsAllTrafficBeforeItTouchesARunningUnit) {
    Smmuv3Bench bench;
    bench.unit.values[spec::reg::cr0] = spec::cr0::smmuen.mask();
    bench.start();
    ASSERT_TRUE(bench.started);
    ASSERT_GE(bench.unit.writes.size(), 2u);
    EXPECT_EQ(bench.unit.writes[0].offset, spec::reg::gbpa);
    EXPECT_EQ(bench.unit.writes[0].value, spec::gbpa::update.mask() | spec::gbpa::abort.mask());
    EXPECT_EQ(bench.unit.writes[1].offset, spec::reg::cr0);
    // The second write waits until the first one was acknowledged.
    EXPECT_GE(bench.unit.writes[1].time, bench.unit.writes[0].time + bench.unit.acknowledge_delay);
}

TEST(Smmuv3Reset, WaitsForEveryAcknowledge) {
    Smmuv3Bench bench;
    bench.unit.acknowledge_delay = 20_us;
    bench.start();
    ASSERT_TRUE(bench.started);
    std::uint64_t values[2] = {0, 0}; // CR0, IRQ_CTRL
    Picoseconds earliest = 0;
    unsigned changes = 0;
    for (const RegisterWrite& w : bench.unit.writes) {
        EXPECT_GE(w.time, earliest);
        if (w.offset != spec::reg::cr0 && w.offset != spec::reg::irq_ctrl)
            continue;
        std::uint64_t& value = values[w.offset == spec::reg::cr0 ? 0 : 1];
        if (value != w.value) {
            earliest = w.time + 20_us;
            ++changes;
        }
        value = w.value;
    }
    EXPECT_EQ(changes, 4u); // CMDQEN, EVENTQEN, interrupts, SMMUEN
}

TEST(Smmuv3Reset, ReportsAMissingAcknowledgeAfterOneSecondInsteadOfHanging) {
    Smmuv3Bench bench;
    bench.unit.acknowledge_delay = 5'000'000_us;
    bench.start();
    EXPECT_FALSE(bench.started);
    ASSERT_EQ(bench.reports.errors.size(), 1u);
    EXPECT_STREQ(bench.reports.errors[0].name, name(DriverError::acknowledge_timeout));
    EXPECT_EQ(bench.reports.errors[0].detail, spec::reg::cr0);
    EXPECT_GE(bench.reports.errors[0].time, 1000_ms);
    EXPECT_LT(bench.reports.errors[0].time, 1001_ms);
}

TEST(Smmuv3Reset, DescribesATwoLevelStreamTableToTheUnit) {
    Smmuv3Bench bench;
    bench.start();
    using namespace spec;
    const std::uint64_t cfg = bench.unit.values[reg::strtab_base_cfg];
    EXPECT_EQ(strtab_base_cfg::fmt.get(cfg), strtab_base_cfg::fmt_two_level);
    EXPECT_EQ(strtab_base_cfg::split.get(cfg), 8u);
    EXPECT_EQ(strtab_base_cfg::log2size.get(cfg), 16u);
}

TEST(Smmuv3Reset, ProgramsMessageSignalledInterruptsWhereConfigured) {
    Smmuv3Bench bench;
    bench.configuration.event_msi = {0xFEE0'0040, 77};
    bench.configuration.error_msi = {0xFEE0'0044, 78};
    bench.start();
    using namespace spec;
    EXPECT_EQ(bench.unit.values[reg::eventq_irq_cfg0], 0xFEE0'0040u);
    EXPECT_EQ(bench.unit.values[reg::eventq_irq_cfg1], 77u);
    EXPECT_EQ(bench.unit.values[reg::eventq_irq_cfg2], memattr::device_ngnre);
    EXPECT_EQ(bench.unit.values[reg::gerror_irq_cfg0], 0xFEE0'0044u);
    EXPECT_EQ(bench.unit.values[reg::gerror_irq_cfg1], 78u);
}

TEST(Smmuv3Reset, LeavesTheUnitOffAndOpenWhenTold) {
    Smmuv3Bench bench;
    bench.configuration.use_unit = false;
    bench.unit.values[spec::reg::gbpa] = spec::gbpa::abort.mask();
    bench.start();
    ASSERT_TRUE(bench.started);
    EXPECT_EQ(spec::cr0::smmuen.get(bench.unit.values[spec::reg::cr0]), 0u);
    EXPECT_EQ(spec::gbpa::abort.get(bench.unit.values[spec::reg::gbpa]), 0u);
}

TEST(Smmuv3Reset, ShutdownClearsEveryEnable) {
    Smmuv3Bench bench;
    bench.start();
    bench.run([&](machine::Cpu& cpu) { bench.driver->shutdown(cpu); });
    EXPECT_EQ(bench.unit.values[spec::reg::cr0], 0u);
}

TEST(Smmuv3Probe, RefusesAUnitWithoutStageOne) {
    Smmuv3Bench bench;
    bench.unit.idr[0] &= ~word(spec::idr0::s1p.mask());
    bench.start();
    EXPECT_FALSE(bench.started);
    ASSERT_EQ(bench.reports.errors.size(), 1u);
    EXPECT_STREQ(bench.reports.errors[0].name, name(DriverError::unusable_unit));
    EXPECT_TRUE(bench.unit.writes.empty());
}

TEST(Smmuv3Probe, RefusesQueuesThatSoftwareCannotPlaceOrThatAreTooSmall) {
    for (const std::uint64_t idr1 :
         {spec::idr1::queues_preset.mask() | spec::idr1::cmdqs.make(19), spec::idr1::cmdqs.make(6)}) {
        IdentificationRegisters id;
        id.idr[0] = word(spec::idr0::s1p.make(1) | spec::idr0::ttf.make(2));
        id.idr[1] = word(idr1);
        id.idr[5] = word(spec::idr5::gran4k.make(1));
        Features features;
        std::uint64_t lacking = 0;
        EXPECT_FALSE(decide_features(id, Configuration{}, features, lacking));
        EXPECT_EQ(lacking, spec::reg::idr1);
    }
}

TEST(Smmuv3Probe, ChoosesTheCheapestCompletionThatTheUnitHas) {
    Configuration configuration;
    IdentificationRegisters id;
    id.idr[1] = word(spec::idr1::cmdqs.make(19));
    id.idr[5] = word(spec::idr5::gran4k.make(1));
    const auto completion = [&](std::uint64_t extra) {
        id.idr[0] = word(spec::idr0::s1p.make(1) | spec::idr0::ttf.make(2) | extra);
        Features features;
        std::uint64_t lacking = 0;
        EXPECT_TRUE(decide_features(id, configuration, features, lacking));
        return features.completion;
    };
    using namespace spec;
    EXPECT_EQ(completion(idr0::cohacc.mask() | idr0::msi.mask() | idr0::sev.mask()), CompletionMode::msi);
    EXPECT_EQ(completion(idr0::msi.mask() | idr0::sev.mask()), CompletionMode::event);
    EXPECT_EQ(completion(idr0::msi.mask()), CompletionMode::consumer);
    configuration.completion = CompletionMode::consumer;
    EXPECT_EQ(completion(idr0::cohacc.mask() | idr0::msi.mask()), CompletionMode::consumer);
}

TEST(Smmuv3Probe, AppliesTheErrataOfKnownImplementations) {
    const auto features_of = [](std::uint32_t iidr) {
        IdentificationRegisters id;
        id.idr[0] = word(spec::idr0::s1p.make(1) | spec::idr0::ttf.make(2) | spec::idr0::sev.make(1));
        id.idr[1] = word(spec::idr1::cmdqs.make(19));
        id.idr[5] = word(spec::idr5::gran4k.make(1));
        id.iidr = iidr;
        Features features;
        std::uint64_t lacking = 0;
        EXPECT_TRUE(decide_features(id, Configuration{}, features, lacking));
        return features;
    };
    EXPECT_FALSE(features_of(0x4830'243B).event_wake); // MMU-600 r0p2
    EXPECT_TRUE(features_of(0x4832'043B).event_wake);  // MMU-600 r2p0
    EXPECT_TRUE(features_of(0x4871'243B).force_sync);  // MMU-700 r1p2
    EXPECT_FALSE(features_of(0x4832'043B).force_sync);
}

} // namespace
} // namespace iommusim::smmuv3_driver::test
