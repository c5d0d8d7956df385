// Commands of GCMD and their status in GSTS: what takes effect when, and what has to end before.
#include "tests/conformance/vtd/vtd_bench.h"

#include <gtest/gtest.h>

namespace iommusim::vtd::test {
namespace {

using namespace spec;

constexpr std::uint64_t page = 0x12'3456'7000;
constexpr std::uint64_t output = 0x4000'0000;

class Handshake : public testing::Test {
protected:
    void build(std::uint64_t mode = rtaddr::ttm_legacy, bool enable = true,
               void (*change)(Parameters&) = nullptr) {
        start_new_simulation();
        table.reset();
        BenchOptions options;
        options.mode = mode;
        options.enable = enable;
        if (change)
            change(options.parameters);
        bench.emplace(options);
        table.emplace(bench->second_stage_table());
        table->map(page, output, second_rw);
        if (mode == rtaddr::ttm_legacy)
            bench->attach(5, *table, 7);
        else
            bench->attach(5, second_stage_pasid(table->root(), 7));
    }
    /// A read that memory holds back.
    soc::FaultInjector::Id hold_a_read() {
        const auto hold = bench->faults().hold(soc::AccessKind::read, output, 4096);
        dma = &bench->begin_read(requester(5), page);
        bench->settle();
        EXPECT_FALSE(dma->finished);
        return hold;
    }
    void release(soc::FaultInjector::Id hold) {
        bench->faults().release(hold);
        bench->settle();
        EXPECT_TRUE(dma->ok());
    }

    std::optional<VtdBench> bench;
    std::optional<VtdBench::Table> table;
    const Dma* dma = nullptr;
};

TEST_F(Handshake, EveryCommandShowsInItsStatusBitAfterAWhile) {
    build(rtaddr::ttm_legacy, false);
    const std::pair<Field, Field> pairs[] = {{gcmd::srtp, gsts::rtps}, {gcmd::qie, gsts::qies},
                                             {gcmd::te, gsts::tes},    {gcmd::sirtp, gsts::irtps},
                                             {gcmd::ire, gsts::ires},  {gcmd::cfi, gsts::cfis}};
    std::uint64_t enables = 0;
    for (const auto& [command, status] : pairs) {
        const std::uint64_t bits = enables | command.mask();
        bench->write_register(reg::gcmd, bits);
        EXPECT_FALSE(bench->status(status)) << "not yet";
        bench->settle();
        EXPECT_TRUE(bench->status(status));
        enables = bits & gcmd::status_to_command_mask;
    }
    for (const auto& [command, status] : pairs) {
        if ((command.mask() & gcmd::one_shot_mask) != 0)
            continue;
        bench->clear(command);
        EXPECT_FALSE(bench->status(status));
    }
}

TEST_F(Handshake, CommandsOfOneWriteAreAllCarriedOut) {
    build(rtaddr::ttm_legacy, false);
    bench->write_register(reg::rtaddr, bench->root_table(), 8);
    bench->write_register(reg::gcmd, gcmd::te.mask() | gcmd::srtp.mask() | gcmd::qie.mask());
    bench->settle();
    EXPECT_TRUE(bench->status(gsts::tes));
    EXPECT_TRUE(bench->status(gsts::rtps));
    EXPECT_TRUE(bench->status(gsts::qies));
    EXPECT_TRUE(bench->read(requester(5), page).ok());
}

TEST_F(Handshake, ARootTableCountsWhenItsPointerIsSet) {
    build();
    LegacyRootTable<VtdBench> other(*bench);
    VtdBench::Table other_table = bench->second_stage_table();
    other_table.map(page, output + 0x1000, second_rw);
    other.set(5, legacy_context(other_table.root(), 8));
    bench->write_register(reg::rtaddr, other.base(), 8);
    bench->execute_and_wait({cc_global(), iotlb_global()});
    bench->read(requester(5), page);
    EXPECT_EQ(bench->probe.translations.back().output_address, output);

    bench->write_register(reg::gcmd, (bench->read_register(reg::gsts) & gcmd::status_to_command_mask) |
                                         gcmd::srtp.mask());
    EXPECT_FALSE(bench->status(gsts::rtps)) << "goes away with the command";
    bench->settle();
    EXPECT_TRUE(bench->status(gsts::rtps));
    bench->read(requester(5), page);
    EXPECT_EQ(bench->probe.translations.back().output_address, output) << "the context is still cached";
    bench->execute_and_wait({cc_global(), iotlb_global()});
    bench->read(requester(5), page);
    EXPECT_EQ(bench->probe.translations.back().output_address, output + 0x1000);
}

TEST_F(Handshake, WithEsrtpsSettingThePointerInvalidatesEverything) {
    build(rtaddr::ttm_legacy, true, [](Parameters& p) { p.implicit_invalidation = 1; });
    bench->read(requester(5), page);
    bench->roots.set(5, ContextEntry());
    EXPECT_TRUE(bench->read(requester(5), page).ok());
    bench->set(gcmd::srtp);
    EXPECT_FALSE(bench->read(requester(5), page).ok());
}

TEST_F(Handshake, TranslationIsSwitchedWhenWhatIsUnderWayHasEnded) {
    build();
    auto hold = hold_a_read();
    bench->clear(gcmd::te);
    EXPECT_TRUE(bench->status(gsts::tes));
    release(hold);
    EXPECT_FALSE(bench->status(gsts::tes));
    EXPECT_TRUE(bench->read(requester(5), output).ok());

    hold = bench->faults().hold(soc::AccessKind::read, output, 4096);
    dma = &bench->begin_read(requester(5), output);
    bench->settle();
    bench->set(gcmd::te);
    EXPECT_FALSE(bench->status(gsts::tes));
    release(hold);
    EXPECT_TRUE(bench->status(gsts::tes));
}

TEST_F(Handshake, DisablingTranslationEmptiesTheCachesOfAUnitWithScalableMode) {
    build(rtaddr::ttm_scalable);
    bench->read(requester(5), page);
    bench->clear(gcmd::te);
    table->map(page, output + 0x1000, second_rw);
    bench->set(gcmd::te);
    EXPECT_EQ(bench->served_by(requester(5), page), "walk");
    EXPECT_EQ(bench->probe.translations.back().output_address, output + 0x1000);
}

TEST_F(Handshake, TheQueueIsSwitchedOffWhenItsWaitsAreComplete) {
    build();
    const auto hold = hold_a_read();
    EXPECT_FALSE(bench->execute_and_wait(iotlb_global()));
    bench->clear(gcmd::qie);
    EXPECT_TRUE(bench->status(gsts::qies));
    release(hold);
    EXPECT_FALSE(bench->status(gsts::qies));
    EXPECT_EQ(bench->completed_waits(), 1u);
    EXPECT_EQ(bench->read_register(reg::iqh, 8), 0u);
}

TEST_F(Handshake, ADisabledQueueCarriesOutNothing) {
    build(rtaddr::ttm_legacy, false);
    EXPECT_FALSE(bench->execute_and_wait(iotlb_global()));
    bench->set(gcmd::qie);
    EXPECT_EQ(bench->completed_waits(), 1u) << "a tail that was written before counts";
}

TEST_F(Handshake, AWriteBufferFlushEndsByItself) {
    build(rtaddr::ttm_legacy, true, [](Parameters& p) { p.write_buffer_flush = 1; });
    bench->write_register(reg::gcmd, (bench->read_register(reg::gsts) & gcmd::status_to_command_mask) |
                                         gcmd::wbf.mask());
    EXPECT_TRUE(bench->status(gsts::wbfs));
    bench->settle();
    EXPECT_FALSE(bench->status(gsts::wbfs));
}

TEST_F(Handshake, ARegisterInvalidationIsBusyUntilWhatItOvertookHasEnded) {
    build(rtaddr::ttm_legacy, true);
    bench->clear(gcmd::qie);
    const auto hold = hold_a_read();
    const std::uint64_t iotlb_register = bench->vtd.features().iotlb_offset + 8;
    bench->write_register(iotlb_register,
                          iotlb::ivt.mask() | iotlb::iirg.make(iotlb::granularity_global) | iotlb::dr.mask(),
                          8);
    bench->settle();
    EXPECT_EQ(iotlb::ivt.get(bench->read_register(iotlb_register, 8)), 1u);
    release(hold);
    EXPECT_EQ(iotlb::ivt.get(bench->read_register(iotlb_register, 8)), 0u);
}

} // namespace
} // namespace iommusim::vtd::test
