#include "tests/unit/drivers/smmuv3/smmuv3_bench.h"

#include <gtest/gtest.h>

namespace iommusim::smmuv3_driver::test {
namespace {

using Record = std::array<std::uint64_t, 4>;

Record translation_fault(std::uint32_t stream, std::uint64_t address) {
    Record r{};
    spec::event::id.set(r.data(), spec::event_id::f_translation);
    spec::event::stream_id.set(r.data(), stream);
    spec::event::rnw.set(r.data(), 1);
    spec::event::event_class.set(r.data(), spec::event::class_in);
    spec::event::input_addr.set(r.data(), address);
    return r;
}

Record stall(std::uint32_t stream, unsigned stag) {
    Record r = translation_fault(stream, 0x1000);
    spec::event::stall.set(r.data(), 1);
    spec::event::stag.set(r.data(), stag);
    return r;
}

TEST(EventQueue, DrainsAndDecodesRecordsAtTheInterrupt) {
    Smmuv3Bench bench;
    bench.start();
    bench.unit.report_events({translation_fault(7, 0xABCD'1234), translation_fault(8, 0x5000)}, 0);
    sc_core::sc_start();
    ASSERT_EQ(bench.reports.faults.size(), 2u);
    const FaultRecord& f = bench.reports.faults[0];
    EXPECT_STREQ(f.name, "F_TRANSLATION");
    EXPECT_EQ(f.stream_id, 7u);
    EXPECT_EQ(f.input_address, 0xABCD'1234u);
    EXPECT_TRUE(f.read);
    EXPECT_FALSE(f.stalled);
    EXPECT_FALSE(f.has_substream);
    EXPECT_EQ(f.event_class, spec::event::class_in);
    EXPECT_EQ(bench.reports.faults[1].stream_id, 8u);
    EXPECT_EQ(bench.unit.values[spec::reg::eventq_cons], 2u);
    EXPECT_EQ(bench.driver->statistics().events, 2u);
}

TEST(EventQueue, FollowsTheIndexesAroundTheRing) {
    Smmuv3Bench bench;
    bench.start();
    for (unsigned i = 0; i < 50; ++i) {
        bench.unit.report_events({translation_fault(i, 0), translation_fault(i, 4096)}, 0);
        sc_core::sc_start();
    }
    ASSERT_EQ(bench.reports.faults.size(), 100u);
    EXPECT_EQ(bench.reports.faults[99].stream_id, 49u);
    EXPECT_EQ(bench.unit.values[spec::reg::eventq_cons], bench.unit.values[spec::reg::eventq_prod]);
}

TEST(EventQueue, ReportsAndAcknowledgesAnOverflow) {
    Smmuv3Bench bench;
    bench.start();
    bench.unit.report_events({translation_fault(1, 0)}, 0, true);
    sc_core::sc_start();
    ASSERT_EQ(bench.reports.errors.size(), 1u);
    EXPECT_STREQ(bench.reports.errors[0].name, name(DriverError::event_overflow));
    EXPECT_EQ(bench.unit.values[spec::reg::eventq_cons], spec::eventq_cons::ovackflg.mask() | 1);
    bench.unit.report_events({translation_fault(2, 0)}, 0);
    sc_core::sc_start();
    EXPECT_EQ(bench.reports.errors.size(), 1u); // the same overflow is not reported again
    EXPECT_EQ(bench.reports.faults.size(), 2u);
}

TEST(EventQueue, AnswersEveryStallOnce) {
    for (const bool retry : {false, true}) {
        sc_core::sc_curr_simcontext = nullptr;
        Smmuv3Bench bench;
        bench.reports.retry_stalls = retry;
        bench.start();
        bench.clear();
        bench.unit.report_events({stall(7, 0x55)}, 0);
        sc_core::sc_start();
        ASSERT_EQ(bench.opcodes(), std::vector<unsigned>{spec::opcode::resume});
        const ConsumedCommand& c = bench.unit.commands[0];
        EXPECT_EQ(c.get(spec::command::stream_id), 7u);
        EXPECT_EQ(c.get(spec::resume::stag), 0x55u);
        EXPECT_EQ(c.get(spec::resume::action), retry ? 1u : 0u);
        EXPECT_EQ(c.get(spec::resume::abort), retry ? 0u : 1u);
    }
}

TEST(GlobalErrors, AreLoggedAndAcknowledged) {
    Smmuv3Bench bench;
    bench.start();
    bench.unit.values[spec::reg::gerror] ^=
        spec::gerror::eventq_abt_err.mask() | spec::gerror::msi_cmdq_abt_err.mask();
    bench.unit.raise(1);
    sc_core::sc_start();
    ASSERT_EQ(bench.reports.errors.size(), 2u);
    EXPECT_STREQ(bench.reports.errors[0].name, name(DriverError::msi_abort));
    EXPECT_STREQ(bench.reports.errors[1].name, name(DriverError::event_queue_abort));
    EXPECT_EQ(bench.unit.values[spec::reg::gerrorn], bench.unit.values[spec::reg::gerror]);
    bench.unit.raise(1);
    sc_core::sc_start();
    EXPECT_EQ(bench.reports.errors.size(), 2u); // nothing is active any more
}

TEST(GlobalErrors, ServiceFailureSwitchesTheUnitOff) {
    Smmuv3Bench bench;
    bench.start();
    bench.unit.values[spec::reg::gerror] ^= spec::gerror::sfm_err.mask();
    bench.unit.raise(1);
    sc_core::sc_start();
    EXPECT_EQ(bench.unit.values[spec::reg::cr0], 0u);
    ASSERT_EQ(bench.reports.errors.size(), 1u);
    EXPECT_STREQ(bench.reports.errors[0].name, name(DriverError::service_failure));
    EXPECT_STREQ(bench.reports.errors[0].name, "SFM_ERR");
}

TEST(SoftwareParameters, DefaultsAreInsideTheirRanges) {
    EXPECT_EQ(first_violation(SoftwareParameters{}), "");
    EXPECT_EQ(SoftwareParameters{}.batch_size, 64u);
}

} // namespace
} // namespace iommusim::smmuv3_driver::test
