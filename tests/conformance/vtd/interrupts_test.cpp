// Interrupt requests of devices on their way through the unit, and the unit's own messages.
#include "tests/conformance/vtd/vtd_bench.h"

#include <gtest/gtest.h>

namespace iommusim::vtd::test {
namespace {

using namespace spec;

class Interrupts : public testing::Test {
protected:
    static constexpr std::uint64_t posted_descriptor_at = 0x80'0000;
    static constexpr std::uint64_t event_address = interrupt_window_first + 0x5000;
    VtdBench bench;
    const Requester device = requester(5);

    static Words<2> remapped(unsigned vector) {
        return Words<2>().with(irte::p, 1).with(irte::vector, vector).with(irte::dst_xapic, 0x12);
    }
    static Words<2> posted(unsigned vector) {
        return Words<2>()
            .with(irte::p, 1)
            .with(irte::im, 1)
            .with(irte::vector, vector)
            .with(irte::pda_low, posted_descriptor_at >> 6);
    }
    static std::vector<std::uint8_t> dword(std::uint32_t value) {
        std::vector<std::uint8_t> bytes(4);
        std::memcpy(bytes.data(), &value, 4);
        return bytes;
    }
    Dma& request(unsigned index, std::uint32_t data = 0) {
        return bench.write(device, msi_address::remappable(index, false), dword(data));
    }
    unsigned last_vector() {
        return static_cast<unsigned>(
            compatibility_message::vector.get(bench.sink.message_history().back().data));
    }
};

TEST_F(Interrupts, PassUnchangedWhileRemappingIsDisabled) {
    EXPECT_TRUE(bench.write(device, interrupt_window_first + 0x1'2000, dword(0x4041)).ok());
    ASSERT_EQ(bench.sink.message_count(), 1u);
    EXPECT_EQ(bench.sink.message_history()[0].address, 0x1'2000u);
    EXPECT_EQ(bench.sink.message_history()[0].data, 0x4041u);
}

TEST_F(Interrupts, AreRemappedByTheirEntry) {
    bench.enable_interrupt_remapping();
    bench.poke(bench.interrupt_entry(3), remapped(0x41));
    bench.poke(bench.interrupt_entry(4), remapped(0x42));
    EXPECT_TRUE(request(3, 0xffff'ffff).ok());
    EXPECT_EQ(last_vector(), 0x41u);
    EXPECT_TRUE(bench.write_loosely(device, msi_address::remappable(4, false), dword(0)).ok());
    bench.settle();
    EXPECT_EQ(last_vector(), 0x42u);
    EXPECT_EQ(bench.sink.message_count(), 2u);
    EXPECT_EQ(bench.counter("iommu.interrupts_remapped"), 2u);
}

TEST_F(Interrupts, AreNeverTranslated) {
    VtdBench::Table table = bench.second_stage_table();
    bench.attach(5, table, 7);
    table.map(interrupt_window_first, 0x4000'0000, second_rw);
    bench.enable_interrupt_remapping();
    EXPECT_FALSE(request(3).ok());
    EXPECT_EQ(bench.take_fault(), fault_reason::ir_entry_not_present);
    EXPECT_FALSE(bench.read(device, interrupt_window_first).ok());
    EXPECT_EQ(bench.take_fault(), fault_reason::ir_invalid_request);
    EXPECT_EQ(bench.counter("iommu.walks"), 0u);
}

TEST_F(Interrupts, ArePostedToTheirDescriptor) {
    bench.enable_interrupt_remapping();
    bench.poke(bench.interrupt_entry(3), posted(0x41));
    bench.poke(posted_descriptor_at,
               Words<8>().with(posted_descriptor::nv, 0xf2).with(posted_descriptor::ndst_xapic, 0x34));
    EXPECT_TRUE(request(3).ok());
    const auto descriptor = bench.peek_words<posted_descriptor::words>(posted_descriptor_at);
    EXPECT_EQ(descriptor.get(posted_descriptor::pir(0x41)), 1u);
    EXPECT_EQ(descriptor.get(posted_descriptor::on), 1u);
    ASSERT_EQ(bench.sink.message_count(), 1u) << "the notification";
    EXPECT_EQ(last_vector(), 0xf2u);
    EXPECT_TRUE(request(3).ok());
    EXPECT_EQ(bench.sink.message_count(), 1u) << "one is outstanding";

    bench.poke(bench.interrupt_entry(4), posted(0x42));
    EXPECT_TRUE(bench.write_loosely(device, msi_address::remappable(4, false), dword(0)).ok());
    EXPECT_EQ(
        bench.peek_words<posted_descriptor::words>(posted_descriptor_at).get(posted_descriptor::pir(0x42)),
        1u);
    EXPECT_EQ(bench.counter("iommu.interrupts_posted"), 3u);
}

TEST_F(Interrupts, UseACachedEntryUntilItIsInvalidated) {
    bench.enable_interrupt_remapping();
    bench.poke(bench.interrupt_entry(3), remapped(0x41));
    request(3);
    bench.poke(bench.interrupt_entry(3), remapped(0x51));
    request(3);
    EXPECT_EQ(last_vector(), 0x41u);
    EXPECT_TRUE(bench.execute_and_wait(iec_index(2)));
    request(3);
    EXPECT_EQ(last_vector(), 0x41u);
    EXPECT_TRUE(bench.execute_and_wait(iec_index(3)));
    request(3);
    EXPECT_EQ(last_vector(), 0x51u);
    bench.poke(bench.interrupt_entry(3), remapped(0x61));
    EXPECT_TRUE(bench.execute_and_wait(iec_global()));
    request(3);
    EXPECT_EQ(last_vector(), 0x61u);
}

TEST_F(Interrupts, ThatAnInvalidationOvertakesLeaveNothingAndAreWaitedFor) {
    bench.enable_interrupt_remapping();
    bench.poke(bench.interrupt_entry(3), remapped(0x41));
    const auto hold = bench.faults().hold(soc::AccessKind::read, bench.interrupt_entry(3), 16);
    const Dma& dma = bench.begin_write(device, msi_address::remappable(3, false), dword(0));
    bench.settle();
    EXPECT_FALSE(bench.execute_and_wait(iec_index(3)));
    bench.faults().release(hold);
    bench.settle();
    EXPECT_TRUE(dma.ok());
    EXPECT_EQ(bench.completed_waits(), 1u);
    bench.poke(bench.interrupt_entry(3), remapped(0x51));
    request(3);
    EXPECT_EQ(last_vector(), 0x51u);
}

TEST_F(Interrupts, AreDrainedBeforeRemappingIsSwitchedOff) {
    bench.enable_interrupt_remapping();
    bench.poke(bench.interrupt_entry(3), remapped(0x41));
    const auto hold = bench.faults().hold(soc::AccessKind::read, bench.interrupt_entry(3), 16);
    bench.begin_write(device, msi_address::remappable(3, false), dword(0));
    bench.settle();
    bench.clear(gcmd::ire);
    EXPECT_TRUE(bench.status(gsts::ires));
    bench.faults().release(hold);
    bench.settle();
    EXPECT_FALSE(bench.status(gsts::ires));
}

TEST_F(Interrupts, OfTheUnitItselfAreNotRemapped) {
    bench.enable_interrupt_remapping();
    bench.enable_event(reg::fectl, event_address, 0x51);
    bench.read(device, 0x1000);
    ASSERT_EQ(bench.sink.message_count(), 1u);
    EXPECT_EQ(bench.sink.message_history()[0].address, 0x5000u);
    EXPECT_EQ(bench.sink.message_history()[0].data, 0x51u);

    bench.enable_event(reg::iectl, event_address + 4, 0x52);
    bench.execute(descriptor(descriptor_type::wait).with(inv_wait::interrupt_flag, 1));
    ASSERT_EQ(bench.sink.message_count(), 2u);
    EXPECT_EQ(bench.sink.message_history()[1].data, 0x52u);
    EXPECT_EQ(ics::iwc.get(bench.read_register(reg::ics)), 1u);
}

} // namespace
} // namespace iommusim::vtd::test
