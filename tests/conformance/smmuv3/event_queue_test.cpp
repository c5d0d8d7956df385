// The event queue: records with all their fields, priorities, overflow, write aborts, interrupts
// (sections 7.2 to 7.4).
#include "tests/conformance/smmuv3/smmu_bench.h"

#include <gtest/gtest.h>

namespace iommusim::smmuv3::test {
namespace {

using namespace spec;

constexpr std::uint64_t page = 0x12'3456'7000;
constexpr std::uint64_t output = 0x4000'0000;

/// A record as the specification describes it: id and stream, and what the case adds.
Event expected(unsigned id, std::uint32_t stream) {
    return Event().with(event::id, id).with(event::stream_id, stream);
}
Event expected_at(unsigned id, std::uint32_t stream, std::uint64_t address, bool read) {
    return expected(id, stream)
        .with(event::rnw, read)
        .with(event::event_class, event::class_in)
        .with(event::input_addr, address);
}

struct Events : testing::Test {
    SmmuBench bench;
    PageTable table{bench};
    std::uint64_t cd = bench.attach(5, table.root(), 1);

    Events() { table.map(page, output); }

    /// The one record that the DMA left behind.
    Event only_event() {
        const std::vector<Event> events = bench.take_events();
        EXPECT_EQ(events.size(), 1u);
        return events.empty() ? Event() : events[0];
    }
    static void expect_equal(const Event& actual, const Event& wanted) {
        for (unsigned word = 0; word < event::words; ++word)
            EXPECT_EQ(actual.words[word], wanted.words[word]) << "word " << word;
    }
    void set_cd(const Cd& value) {
        bench.poke(cd, value);
        bench.execute_and_sync(cfgi_cd(5));
    }
};

TEST_F(Events, BadStreamIdIsRecordedIfSoftwareWantsIt) {
    EXPECT_FALSE(bench.read(SmmuBench::stream(0x100), page).ok());
    expect_equal(only_event(), expected(event_id::c_bad_streamid, 0x100));

    bench.set_cr0(cr0::eventqen.mask() | cr0::cmdqen.mask());
    bench.write_register(reg::cr2, 0);
    bench.set_cr0(SmmuBench::all_enables);
    EXPECT_FALSE(bench.read(SmmuBench::stream(0x100), page).ok());
    EXPECT_TRUE(bench.take_events().empty());
}

TEST_F(Events, StreamTableFetchAbort) {
    bench.faults().fail(soc::AccessKind::read, bench.ste_address(5), 64);
    EXPECT_FALSE(bench.read(SmmuBench::stream(5), page).ok());
    expect_equal(only_event(),
                 expected(event_id::f_ste_fetch, 5).at(event::fetch_addr, bench.ste_address(5)));
}

TEST_F(Events, BadStreamTableEntry) {
    EXPECT_FALSE(bench.read(SmmuBench::stream(6), page).ok());
    expect_equal(only_event(), expected(event_id::c_bad_ste, 6));
}

TEST_F(Events, RecordsCarryTheSubstreamOfTheAccess) {
    EXPECT_FALSE(bench.read(SmmuBench::substream(6, 0x1234), page).ok());
    expect_equal(only_event(),
                 expected(event_id::c_bad_ste, 6).with(event::ssv, 1).with(event::substream_id, 0x1234));
}

TEST_F(Events, StreamDisabled) {
    bench.set_ste(6, ste_stage_1(cd).with(ste::s1cdmax, 2).with(ste::s1dss, ste::s1dss_terminate));
    EXPECT_FALSE(bench.read(SmmuBench::stream(6), page).ok());
    expect_equal(only_event(), expected(event_id::f_stream_disabled, 6));
}

TEST_F(Events, BadSubstreamIdNamesTheSubstreamWithoutSayingThatItIsValid) {
    EXPECT_FALSE(bench.read(SmmuBench::substream(5, 3), page).ok());
    expect_equal(only_event(), expected(event_id::c_bad_substreamid, 5).with(event::substream_id, 3));
}

TEST_F(Events, ContextDescriptorFetchAbort) {
    bench.faults().fail(soc::AccessKind::read, cd, 64);
    EXPECT_FALSE(bench.read(SmmuBench::stream(5), page).ok());
    expect_equal(only_event(), expected(event_id::f_cd_fetch, 5).at(event::fetch_addr, cd));
}

TEST_F(Events, BadContextDescriptor) {
    bench.poke(cd, Cd());
    EXPECT_FALSE(bench.read(SmmuBench::stream(5), page).ok());
    expect_equal(only_event(), expected(event_id::c_bad_cd, 5));
}

TEST_F(Events, WalkAbortAtEveryLevelNamesTheDescriptor) {
    for (unsigned level = 0; level < 4; ++level) {
        const std::uint64_t descriptor = table.descriptor_address(page, level);
        const auto failing = bench.faults().fail(soc::AccessKind::read, descriptor, 8);
        bench.execute_and_sync(tlbi_va(1, page, false));
        EXPECT_FALSE(bench.write(SmmuBench::stream(5), page + 0x40, pattern(1)).ok());
        expect_equal(only_event(), expected_at(event_id::f_walk_eabt, 5, page + 0x40, false)
                                       .with(event::event_class, event::class_tt)
                                       .at(event::fetch_addr, descriptor));
        bench.faults().remove(failing);
    }
}

TEST_F(Events, TranslationFaultOfAReadAndOfAWrite) {
    bench.read(SmmuBench::stream(5), page + 0x5008, 8);
    expect_equal(only_event(), expected_at(event_id::f_translation, 5, page + 0x5008, true));
    bench.write(SmmuBench::stream(5), page + 0x5010, pattern(1, 8));
    expect_equal(only_event(), expected_at(event_id::f_translation, 5, page + 0x5010, false));
}

TEST_F(Events, AddressSizeFault) {
    set_cd(cd_for(table.root(), 1).with(cd::ips, size_code_36_bits));
    table.map(page, 0x10'0000'0000);
    bench.read(SmmuBench::stream(5), page);
    expect_equal(only_event(), expected_at(event_id::f_addr_size, 5, page, true));
}

TEST_F(Events, AddressSizeFaultOfAStreamInBypass) {
    bench.set_ste(6, ste_bypass());
    bench.read(SmmuBench::stream(6), 1ull << 48);
    expect_equal(only_event(), expected_at(event_id::f_addr_size, 6, 1ull << 48, true));
}

TEST_F(Events, AccessFlagFault) {
    table.map(page, output, 3, leaf_rw & ~stage1_leaf::af.mask());
    bench.read(SmmuBench::stream(5), page);
    expect_equal(only_event(), expected_at(event_id::f_access, 5, page, true));
}

TEST_F(Events, PermissionFaultTellsAttributesOfTheAccess) {
    table.map(page, output, 3, leaf_ro & ~stage1_leaf::ap_unprivileged.mask());
    Requester privileged = SmmuBench::stream(5);
    privileged.privileged = true;
    const Dma& refused = bench.write(privileged, page, pattern(1));
    EXPECT_EQ(refused.status, tlm::TLM_COMMAND_ERROR_RESPONSE);
    expect_equal(only_event(), expected_at(event_id::f_permission, 5, page, false).with(event::pnu, 1));

    Requester fetch = SmmuBench::stream(5);
    fetch.instruction = true;
    table.map(page, output, 3, leaf_rw | stage1_leaf::uxn.mask());
    bench.read(fetch, page);
    expect_equal(only_event(), expected_at(event_id::f_permission, 5, page, true).with(event::ind, 1));
}

TEST_F(Events, TranslatedTrafficIsForbiddenWithoutAts) {
    Requester translated = SmmuBench::stream(5);
    translated.address_type = AddressType::translated;
    EXPECT_FALSE(bench.read(translated, page).ok());
    expect_equal(only_event(),
                 expected(event_id::f_transl_forbidden, 5).with(event::rnw, 1).with(event::input_addr, page));
    Requester request = SmmuBench::stream(5);
    request.address_type = AddressType::translation_request;
    EXPECT_FALSE(bench.read(request, page).ok());
    EXPECT_EQ(only_event().get(event::id), event_id::f_bad_ats_treq);
}

TEST_F(Events, TheInputAddressIsAsTheDeviceGaveIt) {
    set_cd(cd_for(table.root(), 1).with(cd::tbi0, 1));
    const std::uint64_t tagged = 0xab00'0000'0000'0000 | (page + 0x9000);
    bench.read(SmmuBench::stream(5), tagged);
    EXPECT_EQ(only_event().get(event::input_addr), tagged);
}

TEST_F(Events, FaultModelOfTheContextDescriptor) {
    for (const bool abort : {false, true})
        for (const bool record : {false, true}) {
            SCOPED_TRACE(testing::Message() << "A=" << abort << " R=" << record);
            set_cd(cd_for(table.root(), 1).with(cd::a, abort).with(cd::r, record));
            const std::uint64_t missing = page + 0x8000;
            const Dma& read = bench.read(SmmuBench::stream(5), missing);
            EXPECT_EQ(read.status, abort ? tlm::TLM_ADDRESS_ERROR_RESPONSE : tlm::TLM_OK_RESPONSE);
            if (!abort) {
                EXPECT_EQ(read.data, std::vector<std::uint8_t>(64, 0)) << "reads as zero";
            }
            EXPECT_EQ(bench.write(SmmuBench::stream(5), missing, pattern(1)).ok(), !abort);
            EXPECT_EQ(bench.take_events().size(), record ? 2u : 0u);
            // Configuration errors and walk aborts do not obey A and R.
            const auto failing =
                bench.faults().fail(soc::AccessKind::read, table.descriptor_address(missing, 3), 8);
            EXPECT_FALSE(bench.read(SmmuBench::stream(5), missing).ok());
            EXPECT_EQ(only_event().get(event::id), event_id::f_walk_eabt);
            bench.faults().remove(failing);
        }
}

TEST_F(Events, EarlierCausesWin) {
    // All at once: each repair uncovers the next cause.
    const std::uint64_t table_cd = bench.allocate(4 * cd::bytes, 4 * cd::bytes);
    bench.set_ste(6, ste_stage_1(table_cd).with(ste::s1cdmax, 2).with(ste::v, 0));
    const std::uint64_t leaf = table.descriptor_address(page, 3);
    bench.poke(leaf,
               0x10'0000'0000 | stage1_leaf::ap_read_only.mask()); // too far, AF = 0, read-only, invalid
    const auto no_ste = bench.faults().fail(soc::AccessKind::read, bench.ste_address(6), 64);
    const auto no_cd = bench.faults().fail(soc::AccessKind::read, table_cd, 256);
    const auto no_leaf = bench.faults().fail(soc::AccessKind::read, leaf, 8);
    bench.poke(table_cd + cd::bytes, Cd());
    Requester requester = SmmuBench::substream(6, 5);
    const auto next_event = [&] {
        bench.execute({cfgi_ste(6), tlbi_all(), sync()});
        bench.write(requester, page, pattern(1));
        return only_event().get(event::id);
    };
    EXPECT_EQ(next_event(), event_id::f_ste_fetch);
    bench.faults().remove(no_ste);
    EXPECT_EQ(next_event(), event_id::c_bad_ste);
    bench.set_ste(6, ste_stage_1(table_cd).with(ste::s1cdmax, 2));
    EXPECT_EQ(next_event(), event_id::c_bad_substreamid);
    requester = SmmuBench::stream(6);
    EXPECT_EQ(next_event(), event_id::f_stream_disabled);
    requester = SmmuBench::substream(6, 1);
    EXPECT_EQ(next_event(), event_id::f_cd_fetch);
    bench.faults().remove(no_cd);
    EXPECT_EQ(next_event(), event_id::c_bad_cd);
    bench.poke(table_cd + cd::bytes,
               cd_for(table.root(), 1).with(cd::ips, size_code_36_bits).with(cd::epd0, 1));
    EXPECT_EQ(next_event(), event_id::f_translation) << "the half is disabled";
    bench.poke(table_cd + cd::bytes, cd_for(table.root(), 1).with(cd::ips, size_code_36_bits));
    EXPECT_EQ(next_event(), event_id::f_walk_eabt);
    bench.faults().remove(no_leaf);
    EXPECT_EQ(next_event(), event_id::f_translation);
    bench.poke(leaf, bench.peek(leaf) | descriptor::type_page);
    EXPECT_EQ(next_event(), event_id::f_addr_size);
    bench.poke(table_cd + cd::bytes, cd_for(table.root(), 1));
    EXPECT_EQ(next_event(), event_id::f_access);
    bench.poke(leaf, bench.peek(leaf) | stage1_leaf::af.mask());
    EXPECT_EQ(next_event(), event_id::f_permission);
}

// ---- the queue

TEST_F(Events, AConsumingReaderGetsEveryRecordInOrderOverManyRounds) {
    unsigned seen = 0;
    for (unsigned round = 0; round < 12; ++round) {
        const unsigned records = 1 + round % 11;
        for (unsigned i = 0; i < records; ++i)
            bench.read(SmmuBench::stream(5), 0x100'0000 + (seen + i) * 0x1000);
        for (const Event& event : bench.take_events()) {
            EXPECT_EQ(event.get(event::id), event_id::f_translation);
            EXPECT_EQ(event.get(event::input_addr), 0x100'0000u + seen * 0x1000);
            ++seen;
        }
    }
    EXPECT_GT(seen, 3 * 16u);
    EXPECT_FALSE(bench.overflow_active());
    EXPECT_EQ(bench.counter("iommu.events_dropped"), 0u);
}

TEST_F(Events, OverflowIsSignalledOnceAndLosesOnlyTheNewRecords) {
    for (unsigned i = 0; i < 16; ++i)
        bench.read(SmmuBench::stream(5), 0x100'0000 + i * 0x1000);
    EXPECT_FALSE(bench.overflow_active()) << "exactly full";
    EXPECT_EQ(bench.event_producer() ^ bench.event_consumer(), 16u);
    for (unsigned i = 0; i < 5; ++i)
        bench.read(SmmuBench::stream(5), 0x900'0000);
    EXPECT_TRUE(bench.overflow_active());
    EXPECT_EQ(bench.counter("iommu.events_dropped"), 5u);
    const std::uint64_t flag = eventq_prod::ovflg.get(bench.read_register(reg::eventq_prod));
    EXPECT_EQ(flag, 1u);

    // Room without acknowledgement: events are written again, further overflows are not signalled.
    bench.write_register(reg::eventq_cons, bench.event_producer());
    for (unsigned i = 0; i < 17; ++i)
        bench.read(SmmuBench::stream(5), 0xa00'0000 + i * 0x1000);
    EXPECT_EQ(eventq_prod::ovflg.get(bench.read_register(reg::eventq_prod)), flag);
    EXPECT_EQ(bench.event_producer(), 0u) << "16 more, the wrap flag is back";

    const std::vector<Event> events = bench.take_events(); // acknowledges
    EXPECT_EQ(events.size(), 16u);
    EXPECT_FALSE(bench.overflow_active());
    for (unsigned i = 0; i < 17; ++i)
        bench.read(SmmuBench::stream(5), 0xb00'0000);
    EXPECT_TRUE(bench.overflow_active());
    EXPECT_EQ(eventq_prod::ovflg.get(bench.read_register(reg::eventq_prod)), 0u) << "toggled back";
}

TEST_F(Events, TheIndexMovesAfterTheRecordIsInMemory) {
    const auto hold = bench.faults().hold(soc::AccessKind::write, bench.event_queue(), 512);
    bench.read(SmmuBench::stream(5), 0x100'0000);
    EXPECT_EQ(bench.event_producer(), 0u);
    bench.faults().release(hold);
    bench.settle();
    EXPECT_EQ(bench.event_producer(), 1u);
}

TEST_F(Events, AWriteAbortIsAGlobalErrorAndStopsRecordingUntilAcknowledged) {
    bench.enable_interrupts(irq_ctrl::gerror_irqen.mask() | irq_ctrl::eventq_irqen.mask());
    const auto failing = bench.faults().fail(soc::AccessKind::write, bench.event_queue(), 512);
    bench.read(SmmuBench::stream(5), 0x100'0000);
    EXPECT_TRUE(bench.error_active(gerror::eventq_abt_err));
    EXPECT_EQ(bench.event_producer(), 0u);
    EXPECT_EQ(bench.sink.edges(line_gerror), 1u);
    EXPECT_EQ(bench.sink.edges(line_event_queue), 0u);
    bench.faults().remove(failing);
    bench.read(SmmuBench::stream(5), 0x100'1000);
    EXPECT_EQ(bench.event_producer(), 0u) << "not writable while the error is active";
    EXPECT_FALSE(bench.overflow_active());
    bench.acknowledge_errors();
    bench.read(SmmuBench::stream(5), 0x100'2000);
    EXPECT_EQ(only_event().get(event::input_addr), 0x100'2000u);
}

TEST_F(Events, AreDroppedWhileTheQueueIsDisabled) {
    bench.set_cr0(cr0::smmuen.mask() | cr0::cmdqen.mask());
    bench.read(SmmuBench::stream(5), 0x100'0000);
    bench.set_cr0(SmmuBench::all_enables);
    EXPECT_TRUE(bench.take_events().empty());
    bench.read(SmmuBench::stream(5), 0x100'1000);
    EXPECT_EQ(only_event().get(event::input_addr), 0x100'1000u);
}

TEST_F(Events, ThatAreUnderWayAreVisibleBeforeTheDisableIsAcknowledged) {
    const auto hold = bench.faults().hold(soc::AccessKind::write, bench.event_queue(), 512);
    bench.read(SmmuBench::stream(5), 0x100'0000);
    bench.read(SmmuBench::stream(5), 0x100'1000);
    bench.set_cr0(cr0::smmuen.mask() | cr0::cmdqen.mask());
    EXPECT_EQ(cr0::eventqen.get(bench.read_register(reg::cr0ack)), 1u);
    bench.faults().release(hold);
    bench.settle();
    EXPECT_EQ(cr0::eventqen.get(bench.read_register(reg::cr0ack)), 0u);
    EXPECT_EQ(bench.event_producer(), 1u) << "the second one was not committed yet";
}

TEST_F(Events, AnInconsistentConsumerIndexCountsAsFull) {
    bench.write_register(reg::eventq_cons, 5); // ahead of the producer
    bench.read(SmmuBench::stream(5), 0x100'0000);
    EXPECT_EQ(bench.event_producer(), 0u);
    EXPECT_TRUE(bench.overflow_active());
}

// ---- interrupts

TEST_F(Events, InterruptOnceWhenTheQueueBecomesNonEmpty) {
    bench.enable_interrupts(irq_ctrl::eventq_irqen.mask());
    for (unsigned i = 0; i < 3; ++i)
        bench.read(SmmuBench::stream(5), 0x100'0000 + i * 0x1000);
    EXPECT_EQ(bench.sink.edges(line_event_queue), 1u);
    bench.take_events();
    bench.read(SmmuBench::stream(5), 0x100'0000);
    EXPECT_EQ(bench.sink.edges(line_event_queue), 2u);
}

TEST_F(Events, ShowTheRecordNoLaterThanTheInterrupt) {
    bench.enable_interrupts(irq_ctrl::eventq_irqen.mask());
    std::uint32_t producer = 0;
    bench.sink.on_line = [&](const soc::LineInterrupt&) { producer = bench.event_producer(); };
    bench.read(SmmuBench::stream(5), 0x100'0000);
    EXPECT_EQ(producer, 1u);
}

TEST_F(Events, DoNotInterruptWhenTheInterruptIsDisabled) {
    bench.read(SmmuBench::stream(5), 0x100'0000);
    EXPECT_EQ(bench.sink.edges(), 0u);
    EXPECT_EQ(bench.event_producer(), 1u);
}

TEST_F(Events, InterruptByMessage) {
    bench.write_register(reg::eventq_irq_cfg0, SmmuBench::message_window + 0x80, 8);
    bench.write_register(reg::eventq_irq_cfg1, 0x77);
    bench.enable_interrupts(irq_ctrl::eventq_irqen.mask());
    bench.read(SmmuBench::stream(5), 0x100'0000);
    ASSERT_EQ(bench.sink.message_count(), 1u);
    EXPECT_EQ(bench.sink.message_history()[0].data, 0x77u);
    EXPECT_EQ(bench.sink.message_history()[0].address, 0x80u);
}

TEST_F(Events, AnAbortedMessageIsAGlobalErrorThatInterruptsInItsTurn) {
    bench.write_register(reg::eventq_irq_cfg0, 0x20'0000'0000, 8);
    bench.write_register(reg::gerror_irq_cfg0, SmmuBench::message_window + 0x100, 8);
    bench.write_register(reg::gerror_irq_cfg1, 0x99);
    bench.enable_interrupts(irq_ctrl::eventq_irqen.mask() | irq_ctrl::gerror_irqen.mask());
    bench.read(SmmuBench::stream(5), 0x100'0000);
    EXPECT_TRUE(bench.error_active(gerror::msi_eventq_abt_err));
    ASSERT_EQ(bench.sink.message_count(), 1u);
    EXPECT_EQ(bench.sink.message_history()[0].data, 0x99u);
}

TEST_F(Events, AnAbortedErrorMessageDoesNotInterruptItself) {
    bench.write_register(reg::gerror_irq_cfg0, 0x20'0000'0000, 8);
    bench.enable_interrupts(irq_ctrl::gerror_irqen.mask());
    bench.execute(command(0xff));
    EXPECT_TRUE(bench.error_active(gerror::cmdq_err));
    EXPECT_TRUE(bench.error_active(gerror::msi_gerror_abt_err));
    EXPECT_EQ(bench.sink.edges(line_gerror), 0u);
    EXPECT_EQ(bench.sink.message_count(), 0u);
}

} // namespace
} // namespace iommusim::smmuv3::test
