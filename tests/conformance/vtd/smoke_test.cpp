// The shortest stories of each way through the unit: a page is mapped, used, unmapped, and gone.
#include "tests/conformance/vtd/vtd_bench.h"

#include <gtest/gtest.h>

namespace iommusim::vtd::test {
namespace {

using namespace spec;

constexpr std::uint64_t page = 0x12'3456'7000;
constexpr std::uint64_t output = 0x4000'0000;

/// Writes and reads back through the unit.
void expect_mapped(VtdBench& bench, const Requester& device, std::uint64_t address, std::uint64_t to,
                   std::uint8_t seed) {
    const std::vector<std::uint8_t> data = pattern(seed);
    EXPECT_TRUE(bench.write(device, address, data).ok());
    EXPECT_EQ(0, std::memcmp(bench.memory.bytes() + to, data.data(), data.size()));
    EXPECT_EQ(bench.read(device, address).data, data);
}

TEST(Vtd, TranslatesALegacySecondStagePageAndFaultsWhenItIsGone) {
    VtdBench bench;
    VtdBench::Table table = bench.second_stage_table();
    bench.attach(5, table, 7);
    table.map(page, output, second_rw);
    expect_mapped(bench, requester(5), page + 0x40, output + 0x40, 1);

    table.set(page, 0);
    EXPECT_TRUE(bench.execute_and_wait(iotlb_pages(7, page)));
    EXPECT_EQ(bench.head(), bench.tail());
    EXPECT_FALSE(bench.read(requester(5), page + 0x40).ok());

    const std::vector<FaultRecord> faults = bench.take_faults();
    ASSERT_EQ(faults.size(), 1u);
    EXPECT_EQ(faults[0].get(fault_record::fr), fault_reason::legacy_read_permission);
    EXPECT_EQ(faults[0].get(fault_record::sid), 5u);
    EXPECT_EQ(fault_record::fi.in_place(faults[0].words.data()), page);
    EXPECT_EQ(faults[0].get(fault_record::t1), 1u);
    EXPECT_FALSE(bench.fault_status(fsts::ppf));
}

TEST(Vtd, InvalidatesThroughItsRegisters) {
    BenchOptions options;
    options.enable = false;
    VtdBench bench(options);
    bench.set_root_table(bench.root_table(), rtaddr::ttm_legacy);
    bench.set(gcmd::te);
    VtdBench::Table table = bench.second_stage_table();
    bench.attach(5, table, 7);
    table.map(page, output, second_rw);
    EXPECT_TRUE(bench.read(requester(5), page).ok());
    table.map(page, output + 0x5000, second_rw);
    EXPECT_EQ(bench.served_by(requester(5), page), "IOTLB");

    const std::uint64_t iva_register = bench.vtd.features().iotlb_offset;
    bench.write_register(iva_register, page, 8);
    bench.write_register(iva_register + 8,
                         iotlb::ivt.mask() | iotlb::iirg.make(iotlb::granularity_page) | iotlb::did.make(7),
                         8);
    bench.settle();
    const std::uint64_t done = bench.read_register(iva_register + 8, 8);
    EXPECT_EQ(iotlb::ivt.get(done), 0u);
    EXPECT_EQ(iotlb::iaig.get(done), iotlb::granularity_page);
    EXPECT_EQ(bench.served_by(requester(5), page), "walk");
    EXPECT_EQ(bench.probe.translations.back().output_address, output + 0x5000);

    bench.roots.set(5, ContextEntry());
    EXPECT_TRUE(bench.read(requester(5), page).ok());
    bench.write_register(reg::ccmd,
                         ccmd::icc.mask() | ccmd::cirg.make(ccmd::granularity_device) | ccmd::sid.make(5) |
                             ccmd::did.make(7),
                         8);
    bench.settle();
    EXPECT_EQ(ccmd::icc.get(bench.read_register(reg::ccmd, 8)), 0u);
    EXPECT_FALSE(bench.read(requester(5), page).ok());
    EXPECT_EQ(bench.take_fault(), fault_reason::legacy_context_not_present);
}

struct ScalableMode : testing::Test {
    ScalableMode() {
        BenchOptions options;
        options.mode = rtaddr::ttm_scalable;
        bench.emplace(options);
    }
    std::optional<VtdBench> bench;
};

TEST_F(ScalableMode, TranslatesAFirstStagePageWithAndWithoutPasid) {
    VtdBench::Table table = bench->first_stage_table();
    VtdBench::Table other = bench->first_stage_table();
    bench->attach(5, first_stage_pasid(table.root(), 7));
    bench->pasids(5).set(0x123, first_stage_pasid(other.root(), 7));
    table.map(page, output, first_rw);
    other.map(page, output + 0x1000, first_rw);
    expect_mapped(*bench, requester(5), page + 0x40, output + 0x40, 1);
    expect_mapped(*bench, requester(5, 0x123), page + 0x40, output + 0x1040, 2);
    EXPECT_EQ(table.get(page) & first_used, first_used) << "accessed and dirty";

    other.set(page, 0);
    EXPECT_TRUE(bench->execute_and_wait(p_iotlb_pages(7, 0x123, page)));
    EXPECT_FALSE(bench->write(requester(5, 0x123), page, pattern(3)).ok());
    EXPECT_EQ(bench->served_by(requester(5), page), "IOTLB");
    const std::vector<FaultRecord> faults = bench->take_faults();
    ASSERT_EQ(faults.size(), 1u);
    EXPECT_EQ(faults[0].get(fault_record::fr), fault_reason::sm_first_stage_not_present);
    EXPECT_EQ(faults[0].get(fault_record::pp), 1u);
    EXPECT_EQ(faults[0].get(fault_record::pv), 0x123u);
    EXPECT_EQ(faults[0].get(fault_record::t1), 0u);
}

TEST_F(ScalableMode, TranslatesASecondStagePageAndPassesThrough) {
    VtdBench::Table table = bench->second_stage_table();
    bench->attach(5, second_stage_pasid(table.root(), 7));
    bench->attach(6, pass_through_pasid(8));
    table.map(page, output, second_rw);
    expect_mapped(*bench, requester(5), page, output, 1);
    expect_mapped(*bench, requester(6), output + 0x2000, output + 0x2000, 2);
    EXPECT_EQ(bench->served_by(requester(6), output), "pass-through");
}

TEST_F(ScalableMode, TranslatesThroughBothStages) {
    VtdBench::Table second = bench->second_stage_table();
    GuestMemory<VtdBench> guest(*bench, second);
    PageTable<GuestMemory<VtdBench>> first(guest, 4, first_rw | first_stage::a.make(1));
    bench->attach(5, nested_pasid(first.root(), second.root(), 7));
    const std::uint64_t guest_page = 0x5000'0000;
    first.map(page, guest_page, first_used);
    second.map(guest_page, output, second_rw);
    expect_mapped(*bench, requester(5), page + 0x80, output + 0x80, 1);

    second.map(guest_page, output + 0x3000, second_rw);
    EXPECT_TRUE(bench->execute_and_wait(iotlb_pages(7, guest_page)));
    expect_mapped(*bench, requester(5), page + 0x80, output + 0x3080, 2);
}

TEST(VtdInterrupts, AreRemappedOnTheirWayToTheSink) {
    VtdBench bench;
    bench.enable_interrupt_remapping();
    bench.poke(bench.interrupt_entry(3),
               Words<2>().with(irte::p, 1).with(irte::vector, 0x41).with(irte::dst_xapic, 0x12));
    std::vector<std::uint8_t> data(4);
    EXPECT_TRUE(bench.write(requester(5), msi_address::remappable(3, false), data).ok());
    ASSERT_EQ(bench.sink.message_count(), 1u);
    const soc::MessageInterrupt& message = bench.sink.message_history().front();
    EXPECT_EQ(compatibility_message::destination.get(message.address), 0x12u);
    EXPECT_EQ(compatibility_message::vector.get(message.data), 0x41u);

    EXPECT_FALSE(bench.write(requester(5), msi_address::remappable(4, false), data).ok());
    EXPECT_EQ(bench.take_fault(), fault_reason::ir_entry_not_present);
}

TEST_F(ScalableMode, AnswersATranslationRequest) {
    VtdBench::Table table = bench->second_stage_table();
    bench->attach(5, second_stage_pasid(table.root(), 7));
    table.map(page, output, second_ro);
    EXPECT_EQ(bench->read_word(asking(requester(5)), page), output | ats_completion::read);
    EXPECT_TRUE(bench->read(translated(requester(5)), output).ok());
}

} // namespace
} // namespace iommusim::vtd::test
