// The command queue: legality, order, completion signals, errors and recovery (chapter 4, sections 3.5
// and 7.1).
#include "tests/conformance/smmuv3/smmu_bench.h"

#include <gtest/gtest.h>

namespace iommusim::smmuv3::test {
namespace {

using namespace spec;

constexpr std::uint64_t message_address = SmmuBench::message_window + 0x40;

// ---- legality

struct Legality {
    std::string name;
    Command command;
    bool legal;
};

class CommandLegality : public testing::TestWithParam<Legality> {};

TEST_P(CommandLegality, IsAsTheSpecificationSays) {
    SmmuBench bench;
    bench.execute({sync(), GetParam().command, sync()});
    if (GetParam().legal) {
        EXPECT_EQ(bench.consumer(), 3u);
        EXPECT_FALSE(bench.error_active(gerror::cmdq_err));
    } else {
        EXPECT_EQ(bench.consumer(), 1u);
        EXPECT_EQ(bench.command_error(), cerror::ill);
        EXPECT_TRUE(bench.error_active(gerror::cmdq_err));
    }
}

std::vector<Legality> every_opcode() {
    std::vector<Legality> cases;
    for (unsigned op = 0; op < 256; ++op) {
        bool legal = false;
        switch (op) {
        case opcode::prefetch_config:
        case opcode::prefetch_addr:
        case opcode::cfgi_ste:
        case opcode::cfgi_ste_range:
        case opcode::cfgi_cd:
        case opcode::cfgi_cd_all:
        case opcode::tlbi_nh_all:
        case opcode::tlbi_nh_asid:
        case opcode::tlbi_nh_va:
        case opcode::tlbi_nh_vaa:
        case opcode::tlbi_nsnh_all:
        case opcode::sync:
            legal = true;
        }
        char name[16];
        std::snprintf(name, sizeof name, "Opcode%02X", op);
        cases.push_back({name, command(op), legal});
    }
    return cases;
}

const auto named = [](const auto& tested) { return tested.param.name; };

INSTANTIATE_TEST_SUITE_P(EveryOpcode, CommandLegality, testing::ValuesIn(every_opcode()), named);

INSTANTIATE_TEST_SUITE_P(
    Encodings, CommandLegality,
    testing::Values(
        Legality{"SyncReservedSignal", sync(3), false}, //
        Legality{"SecureCfgiSte", cfgi_ste(1).with(command::ssec, 1), false},
        Legality{"SecureCfgiCd", cfgi_cd(1).with(command::ssec, 1), false},
        Legality{"SecureCfgiAll", cfgi_all().with(command::ssec, 1), false},
        Legality{"SecurePrefetch", command(opcode::prefetch_config).with(command::ssec, 1), false},
        Legality{"RangeOfOnePageAtAnyLevel", tlbi_range(1, 0, 0, 0, 0), false},
        Legality{"RangeOfOnePageAtLevel3", tlbi_range(1, 0, 0, 0, 3), true},
        Legality{"RangeOfOnePageOf16kAtLevel1", tlbi_range(1, 0, 0, 0, 1).with(tlbi::tg, tlbi::tg_16k),
                 false},
        Legality{"RangeOfTwoPages", tlbi_range(1, 0, 1, 0, 0), true},
        Legality{"ScaleWithoutGranule", tlbi_range(1, 0, 0, 0, 0).with(tlbi::tg, tlbi::tg_none), true},
        Legality{"StreamOutOfRange", cfgi_ste(0xffff'ffff), true},
        Legality{"SubstreamOutOfRange", cfgi_cd(1, 0xf'ffff), true},
        Legality{"UnusedBitsOfSync", sync().with(bits(127, 120), 0xff), true}),
    named);

TEST(CommandQueue, EveryAbsentFeatureMakesItsCommandsIllegalAndNamesThem) {
    SmmuBench bench;
    bench.execute(command(opcode::tlbi_s2_ipa));
    EXPECT_EQ(bench.consumer(), 0u);
    EXPECT_EQ(bench.command_error(), cerror::ill);
}

// ---- order and wrap

TEST(CommandQueue, ConsumesManyTimesItsSizeAcrossTheEndOfTheRing) {
    SmmuBench bench; // 16 entries
    unsigned consumed = 0;
    for (unsigned burst = 1; burst <= 16; ++burst) {
        for (unsigned i = 0; i < burst; ++i)
            bench.queue(i % 3 == 2 ? sync() : tlbi_va(1, i * 0x1000));
        bench.doorbell();
        bench.settle();
        consumed += burst;
        ASSERT_EQ(bench.consumer(), bench.producer()) << "burst " << burst;
    }
    EXPECT_EQ(bench.counter("iommu.commands"), consumed);
    EXPECT_EQ(bench.probe.invalidations.size() + bench.counter("iommu.syncs"), consumed);
    for (std::size_t i = 1; i < bench.probe.commands.size(); ++i)
        EXPECT_EQ(bench.probe.commands[i].index, (bench.probe.commands[i - 1].index + 1) % 32);
}

TEST(CommandQueue, TakesAFullQueueAndTellsFullFromEmptyByTheWrapFlag) {
    SmmuBench bench;
    for (unsigned i = 0; i < 16; ++i)
        bench.queue(tlbi_all());
    EXPECT_EQ(bench.producer(), 16u);
    bench.doorbell();
    bench.settle();
    EXPECT_EQ(bench.consumer(), 16u);
    EXPECT_EQ(bench.probe.invalidations.size(), 16u);
    bench.doorbell(); // the same index again: nothing to do
    bench.settle();
    EXPECT_EQ(bench.probe.invalidations.size(), 16u);
}

TEST(CommandQueue, AQueueOfOneEntryWorks) {
    BenchOptions options;
    options.command_queue_log2 = 0;
    SmmuBench bench(options);
    for (unsigned i = 0; i < 5; ++i) {
        bench.execute(i == 3 ? sync() : tlbi_all());
        EXPECT_EQ(bench.consumer(), bench.producer());
    }
    EXPECT_EQ(bench.probe.invalidations.size(), 4u);
}

TEST(CommandQueue, WakesWaitersWhenAFullQueueGetsRoom) {
    SmmuBench bench;
    for (unsigned i = 0; i < 15; ++i)
        bench.queue(tlbi_all());
    bench.doorbell();
    bench.settle();
    EXPECT_EQ(bench.sink.edges(line_wake_event), 0u) << "it was never full";
    for (unsigned i = 0; i < 16; ++i)
        bench.queue(tlbi_all());
    bench.doorbell();
    bench.settle();
    EXPECT_EQ(bench.sink.edges(line_wake_event), 1u);
}

TEST(CommandQueue, IgnoresAProducerIndexThatIsWildlyOutOfRange) {
    SmmuBench bench;
    for (unsigned i = 0; i < 16; ++i)
        bench.poke(bench.command_slot(i), tlbi_all());
    bench.write_register(reg::cmdq_prod, 19); // 19 entries in a queue of 16
    bench.settle();
    EXPECT_EQ(bench.consumer(), 0u);
    EXPECT_TRUE(bench.probe.invalidations.empty());
    EXPECT_FALSE(bench.error_active(gerror::cmdq_err));
    EXPECT_FALSE(bench.probe.diagnostics.empty());
    bench.write_register(reg::cmdq_prod, 2);
    bench.settle();
    EXPECT_EQ(bench.consumer(), 2u);
}

TEST(CommandQueue, ReadsEachCommandAfterTheDoorbellAndNotBefore) {
    SmmuBench bench;
    bench.execute(tlbi_all());
    bench.poke(bench.command_slot(1), command(0xff));
    bench.settle();
    bench.poke(bench.command_slot(1), tlbi_va(1, 0x5000));
    bench.write_register(reg::cmdq_prod, 2);
    bench.settle();
    EXPECT_EQ(bench.consumer(), 2u);
    EXPECT_EQ(bench.probe.invalidations.back().address, 0x5000u);
}

TEST(CommandQueue, FetchesInBurstsThatAreAParameter) {
    for (const unsigned burst : {1u, 4u, 16u}) {
        start_new_simulation();
        BenchOptions options;
        options.parameters.command_fetch_burst = burst;
        SmmuBench bench(options);
        for (unsigned i = 0; i < 16; ++i)
            bench.queue(tlbi_all());
        bench.doorbell();
        bench.settle();
        EXPECT_EQ(bench.counter("iommu.command_fetches"), 16 / burst);
    }
}

// ---- completion signals

TEST(CommandSync, WithoutSignalOnlyMovesTheIndex) {
    SmmuBench bench;
    bench.execute(sync(sync::cs_none));
    EXPECT_EQ(bench.consumer(), 1u);
    EXPECT_EQ(bench.sink.edges(), 0u);
    EXPECT_EQ(bench.sink.message_count(), 0u);
}

TEST(CommandSync, SignalsTheWiredInterruptWhenNoAddressIsGiven) {
    SmmuBench bench;
    bench.execute(sync(sync::cs_irq));
    EXPECT_EQ(bench.sink.edges(line_command_sync), 1u);
    EXPECT_EQ(bench.sink.message_count(), 0u);
}

TEST(CommandSync, SendsItsMessageAfterTheIndexMoved) {
    SmmuBench bench;
    unsigned messages = 0;
    bench.sink.on_message = [&](const soc::MessageInterrupt&) {
        ++messages;
        EXPECT_EQ(bench.consumer(), 2u);
    };
    bench.execute({tlbi_all(), sync_msi(message_address, 0xcafe)});
    ASSERT_EQ(messages, 1u);
    EXPECT_EQ(bench.sink.message_history()[0].data, 0xcafeu);
    EXPECT_EQ(bench.sink.message_history()[0].address, 0x40u);
}

TEST(CommandSync, MayWriteItsMessageIntoMemory) {
    SmmuBench bench;
    const std::uint64_t flag = bench.allocate(64);
    bench.poke(flag, 0x1111'1111'2222'2222);
    bench.execute(sync_msi(flag, 7));
    EXPECT_EQ(bench.peek(flag), 0x1111'1111'0000'0007u);
}

TEST(CommandSync, DoesNotLetLaterCommandsStartBeforeItIsComplete) {
    SmmuBench bench;
    const std::uint64_t flag = bench.allocate(64);
    const auto hold = bench.faults().hold(soc::AccessKind::write, flag, 4);
    bench.execute({sync_msi(flag, 7), tlbi_all()});
    EXPECT_EQ(bench.consumer(), 1u);
    EXPECT_TRUE(bench.probe.invalidations.empty());
    bench.faults().release(hold);
    bench.settle();
    EXPECT_EQ(bench.consumer(), 2u);
    EXPECT_EQ(bench.probe.invalidations.size(), 1u);
}

TEST(CommandSync, CountsAsConsumedWhenItsMessageIsAborted) {
    SmmuBench bench;
    bench.enable_interrupts(irq_ctrl::gerror_irqen.mask());
    bench.execute({sync_msi(0x20'0000'0000, 1), tlbi_all()});
    EXPECT_EQ(bench.consumer(), 2u);
    EXPECT_TRUE(bench.error_active(gerror::msi_cmdq_abt_err));
    EXPECT_FALSE(bench.error_active(gerror::cmdq_err));
    EXPECT_EQ(bench.sink.edges(line_gerror), 1u);
}

TEST(CommandSync, SignalsAWakeEvent) {
    SmmuBench bench;
    bench.execute(sync(sync::cs_sev));
    EXPECT_EQ(bench.sink.edges(line_wake_event), 1u);
    EXPECT_EQ(bench.consumer(), 1u);
}

TEST(CommandSync, IgnoresSignalsOfFeaturesThatAreNotThere) {
    BenchOptions options;
    options.parameters.wake_events = 0;
    options.parameters.message_interrupts = 0;
    SmmuBench bench(options);
    bench.execute({sync(sync::cs_sev), sync_msi(message_address, 1)});
    EXPECT_EQ(bench.consumer(), 2u);
    EXPECT_EQ(bench.sink.edges(line_wake_event), 0u);
    EXPECT_EQ(bench.sink.message_count(), 0u);
    EXPECT_EQ(bench.sink.edges(line_command_sync), 1u);
}

TEST(CommandSync, WaitsForTheRecordsOfFaultsThatHappenedBefore) {
    SmmuBench bench;
    const auto hold = bench.faults().hold(soc::AccessKind::write, bench.event_queue(), 4096);
    EXPECT_FALSE(bench.read(SmmuBench::stream(7), 0).ok());
    bench.execute(sync());
    EXPECT_EQ(bench.consumer(), 0u);
    bench.faults().release(hold);
    bench.settle();
    EXPECT_EQ(bench.consumer(), 1u);
    EXPECT_EQ(bench.take_events().size(), 1u);
}

// ---- errors

TEST(CommandError, StopsAtTheBadCommandAndGoesOnAfterItIsReplacedAndAcknowledged) {
    SmmuBench bench;
    bench.enable_interrupts(irq_ctrl::gerror_irqen.mask());
    const std::uint64_t gerror_before = bench.read_register(reg::gerror);
    bench.execute({tlbi_va(1, 0x1000), tlbi_va(1, 0x2000), command(0xff), tlbi_va(1, 0x3000)});
    EXPECT_EQ(bench.consumer(), 2u);
    EXPECT_EQ(bench.command_error(), cerror::ill);
    EXPECT_EQ(bench.read_register(reg::gerror) ^ gerror_before, gerror::cmdq_err.mask());
    EXPECT_EQ(bench.sink.edges(line_gerror), 1u);
    EXPECT_EQ(bench.probe.invalidations.size(), 2u);

    bench.doorbell(); // no consumption while the error is active
    bench.settle();
    EXPECT_EQ(bench.consumer(), 2u);
    EXPECT_EQ(bench.probe.invalidations.size(), 2u);

    bench.poke(bench.command_slot(2), tlbi_va(1, 0x4000));
    bench.acknowledge_errors();
    bench.settle();
    EXPECT_EQ(bench.consumer(), 4u);
    ASSERT_EQ(bench.probe.invalidations.size(), 4u);
    EXPECT_EQ(bench.probe.invalidations[2].address, 0x4000u) << "the command is read again";
    EXPECT_EQ(bench.sink.edges(line_gerror), 1u);
}

TEST(CommandError, MayBeEndedByMovingTheProducerBack) {
    SmmuBench bench;
    bench.execute({tlbi_all(), command(0xff), tlbi_all()});
    EXPECT_EQ(bench.consumer(), 1u);
    bench.write_register(reg::cmdq_prod, 1);
    bench.acknowledge_errors();
    bench.settle();
    EXPECT_EQ(bench.consumer(), 1u);
    EXPECT_EQ(bench.probe.invalidations.size(), 1u);
    EXPECT_FALSE(bench.error_active(gerror::cmdq_err));
}

TEST(CommandError, IsReportedAgainWhenTheCommandIsStillBad) {
    SmmuBench bench;
    bench.enable_interrupts(irq_ctrl::gerror_irqen.mask());
    bench.execute(command(0xff));
    bench.acknowledge_errors();
    bench.settle();
    EXPECT_TRUE(bench.error_active(gerror::cmdq_err));
    EXPECT_EQ(bench.sink.edges(line_gerror), 2u);
    EXPECT_EQ(bench.consumer(), 0u);
}

TEST(CommandError, ShowsItsReasonNoLaterThanTheError) {
    SmmuBench bench;
    bench.enable_interrupts(irq_ctrl::gerror_irqen.mask());
    unsigned code = 0;
    std::uint32_t consumer = 0;
    bench.sink.on_line = [&](const soc::LineInterrupt&) {
        code = bench.command_error();
        consumer = bench.consumer();
    };
    bench.execute({tlbi_all(), command(0xff)});
    EXPECT_EQ(code, cerror::ill);
    EXPECT_EQ(consumer, 1u);
}

TEST(CommandError, OfAFetchNamesTheCommandThatCannotBeReadAndRetriesAfterwards) {
    for (unsigned bad = 0; bad < 6; ++bad) {
        SCOPED_TRACE(bad);
        start_new_simulation();
        SmmuBench bench;
        const auto poison = bench.faults().poison(bench.command_slot(bad), 16);
        bench.execute({tlbi_all(), tlbi_all(), tlbi_all(), tlbi_all(), tlbi_all(), tlbi_all()});
        EXPECT_EQ(bench.consumer(), bad);
        EXPECT_EQ(bench.command_error(), cerror::abt);
        EXPECT_EQ(bench.probe.invalidations.size(), bad);
        bench.faults().remove(poison);
        bench.acknowledge_errors();
        bench.settle();
        EXPECT_EQ(bench.consumer(), 6u);
    }
}

TEST(CommandError, OfAQueueOutsideMemoryIsAnAbort) {
    BenchOptions options;
    options.enable = false;
    SmmuBench bench(options);
    bench.write_register(reg::cmdq_base, 0x20'0000'0000 | 4, 8);
    bench.set_cr0(cr0::cmdqen.mask());
    bench.write_register(reg::cmdq_prod, 1);
    bench.settle();
    EXPECT_EQ(bench.command_error(), cerror::abt);
    EXPECT_TRUE(bench.error_active(gerror::cmdq_err));
}

// ---- enable and disable

TEST(CommandQueue, StartsWhenItIsEnabledWithCommandsInIt) {
    BenchOptions options;
    options.enable = false;
    SmmuBench bench(options);
    bench.execute({tlbi_all(), tlbi_all()});
    EXPECT_EQ(bench.consumer(), 0u);
    bench.set_cr0(cr0::cmdqen.mask());
    EXPECT_EQ(bench.consumer(), 2u);
}

TEST(CommandQueue, StopsWhenItIsDisabledAndForgetsWhatItFetchedAhead) {
    SmmuBench bench;
    for (unsigned i = 0; i < 12; ++i)
        bench.queue(tlbi_va(1, i * 0x1000));
    bench.doorbell();
    bench.run_for(400_ns); // in the middle
    bench.set_cr0(cr0::smmuen.mask());
    const std::uint32_t stopped = bench.consumer();
    EXPECT_GT(stopped, 0u);
    EXPECT_LT(stopped, 12u);
    EXPECT_EQ(bench.probe.invalidations.size(), stopped) << "commands in progress finish and are consumed";
    EXPECT_EQ(cr0::cmdqen.get(bench.read_register(reg::cr0ack)), 0u);

    for (unsigned i = stopped; i < 12; ++i)
        bench.poke(bench.command_slot(i), tlbi_va(2, i * 0x1000 + 0x10'0000));
    bench.set_cr0(SmmuBench::all_enables);
    EXPECT_EQ(bench.consumer(), 12u);
    ASSERT_EQ(bench.probe.invalidations.size(), 12u);
    for (unsigned i = stopped; i < 12; ++i)
        EXPECT_EQ(bench.probe.invalidations[i].address, i * 0x1000 + 0x10'0000) << "fetched again";
}

TEST(CommandQueue, CanBeDisabledWhileAFetchIsHeldInMemory) {
    SmmuBench bench;
    const auto hold = bench.faults().hold(soc::AccessKind::read, bench.command_queue(), 256);
    bench.execute(tlbi_all());
    bench.write_register(reg::cr0, cr0::smmuen.mask());
    bench.settle();
    bench.faults().release(hold);
    bench.settle();
    EXPECT_EQ(cr0::cmdqen.get(bench.read_register(reg::cr0ack)), 0u);
    EXPECT_EQ(bench.consumer(), 0u);
    EXPECT_TRUE(bench.probe.invalidations.empty());
    bench.set_cr0(SmmuBench::all_enables);
    EXPECT_EQ(bench.consumer(), 1u);
}

TEST(CommandQueue, MayGetAnotherBaseWhileDisabled) {
    SmmuBench bench;
    bench.execute({tlbi_all(), tlbi_all()});
    bench.set_cr0(cr0::smmuen.mask());
    const std::uint64_t base = bench.allocate(8 * 16, 8 * 16);
    bench.poke(base, tlbi_va(1, 0x7000));
    bench.write_register(reg::cmdq_base, base | 3, 8);
    bench.write_register(reg::cmdq_prod, 1);
    bench.write_register(reg::cmdq_cons, 0);
    bench.set_cr0(SmmuBench::all_enables);
    EXPECT_EQ(bench.consumer(), 1u);
    EXPECT_EQ(bench.probe.invalidations.back().address, 0x7000u);
}

TEST(CommandQueue, DisablingDoesNotAcknowledgeAnError) {
    SmmuBench bench;
    bench.execute({command(0xff), tlbi_all()});
    bench.set_cr0(cr0::smmuen.mask());
    bench.set_cr0(SmmuBench::all_enables);
    EXPECT_TRUE(bench.error_active(gerror::cmdq_err));
    EXPECT_EQ(bench.consumer(), 0u);
    bench.poke(bench.command_slot(0), sync());
    bench.acknowledge_errors();
    bench.settle();
    EXPECT_EQ(bench.consumer(), 2u);
}

// ---- prefetch

TEST(Prefetch, BringsTheConfigurationIn) {
    SmmuBench bench;
    PageTable table(bench);
    bench.attach(3, table.root(), 1);
    table.map(0x1000, 0x4000'0000);
    bench.execute_and_sync(command(opcode::prefetch_config).with(command::stream_id, 3));
    const std::uint64_t misses = bench.counter("iommu.configuration.misses");
    EXPECT_TRUE(bench.read(SmmuBench::stream(3), 0x1000).ok());
    EXPECT_EQ(bench.counter("iommu.configuration.misses"), misses);
}

TEST(Prefetch, OfBadConfigurationIsSilent) {
    SmmuBench bench;
    bench.execute({command(opcode::prefetch_config).with(command::stream_id, 3),
                   command(opcode::prefetch_config).with(command::stream_id, 0xffff'0000),
                   command(opcode::prefetch_addr).with(command::stream_id, 3).at(prefetch::address, 0x5000),
                   sync()});
    EXPECT_EQ(bench.consumer(), 4u);
    EXPECT_TRUE(bench.take_events().empty());
}

TEST(Prefetch, ReadsNothingWhileTheUnitIsDisabled) {
    SmmuBench bench;
    bench.set_cr0(cr0::cmdqen.mask() | cr0::eventqen.mask());
    bench.execute(command(opcode::prefetch_config).with(command::stream_id, 3));
    EXPECT_EQ(bench.consumer(), 1u);
    EXPECT_EQ(bench.counter("iommu.configuration.misses"), 0u);
}

} // namespace
} // namespace iommusim::smmuv3::test
