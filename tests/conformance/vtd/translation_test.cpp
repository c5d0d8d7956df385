// Which way a request goes (the request decode of legacy and scalable mode), types of PASID entries,
// protected memory, translation disabled.
#include "tests/conformance/vtd/vtd_bench.h"

#include <gtest/gtest.h>

namespace iommusim::vtd::test {
namespace {

using namespace spec;

constexpr std::uint64_t page = 0x12'3456'7000;
constexpr std::uint64_t output = 0x4000'0000;
constexpr std::uint64_t window_page = interrupt_window_first + 0x1'0000;

Requester privileged(Requester device) {
    device.privileged = true;
    return device;
}

/// Where an access goes; 0 if it is refused. The reference says the same.
std::uint64_t goes_to(VtdBench& bench, const Requester& device, std::uint64_t address, bool write = false) {
    const std::size_t before = bench.probe.translations.size();
    const Dma& dma = write ? bench.write(device, address, pattern(1)) : bench.read(device, address);
    const Translation truth = bench.reference().look_up(device, address, write);
    EXPECT_EQ(dma.ok(), truth.outcome == Translation::Outcome::pass);
    if (!dma.ok())
        return 0;
    EXPECT_EQ(bench.probe.translations.size(), before + 1);
    EXPECT_EQ(bench.probe.translations.back().output_address, truth.output);
    return truth.output;
}

class Legacy : public testing::Test {
protected:
    VtdBench bench;
    VtdBench::Table table = bench.second_stage_table();
    const Requester device = requester(5);

    Legacy() {
        bench.attach(5, table, 7);
        table.map(page, output, second_rw);
    }
    void set_type(std::uint64_t type) {
        bench.roots.set(5, legacy_context(table.root(), 7).with(context::tt, type));
        bench.execute_and_wait({cc_global(), iotlb_global()});
    }
};

TEST_F(Legacy, UntranslatedRequestsGoThroughTheSecondStage) {
    EXPECT_EQ(goes_to(bench, device, page), output);
    EXPECT_EQ(goes_to(bench, device, page, true), output);
    EXPECT_EQ(bench.take_fault(), 0u);
}

TEST_F(Legacy, RequestsWithPasidAreFaults) {
    EXPECT_EQ(goes_to(bench, requester(5, 1), page), 0u);
    EXPECT_EQ(bench.take_fault(), fault_reason::sm_legacy_request_with_pasid);
}

TEST_F(Legacy, TranslatedRequestsNeedTheTranslationType) {
    EXPECT_EQ(goes_to(bench, translated(device), output), 0u);
    EXPECT_EQ(bench.take_fault(), fault_reason::legacy_request_blocked);
    set_type(context::tt_all);
    EXPECT_EQ(goes_to(bench, translated(device), output + 0x40), output + 0x40);
    EXPECT_EQ(goes_to(bench, device, page), output);
}

TEST_F(Legacy, PassThroughNeedsNoTable) {
    bench.roots.set(5, legacy_pass_through(7));
    EXPECT_EQ(goes_to(bench, device, output + 0x2000), output + 0x2000);
    EXPECT_EQ(bench.counter("iommu.walks"), 0u);
    EXPECT_EQ(bench.served_by(device, output), "pass-through");
}

TEST_F(Legacy, PassThroughIsNoWayToTheInterruptWindow) {
    bench.roots.set(5, legacy_pass_through(7).with(context::tt, context::tt_all));
    EXPECT_EQ(goes_to(bench, translated(device), window_page), 0u);
    EXPECT_EQ(bench.take_fault(), fault_reason::legacy_output_in_interrupt_range);
}

TEST_F(Legacy, TablesOfThreeLevelsTranslate39Bits) {
    VtdBench::Table small = bench.second_stage_table(3);
    bench.attach(5, small, 7);
    small.map(0x12'3000, output, second_rw);
    EXPECT_EQ(goes_to(bench, device, 0x12'3000), output);
    EXPECT_EQ(goes_to(bench, device, 1ull << 39), 0u);
    EXPECT_EQ(bench.take_fault(), fault_reason::legacy_address_beyond_width);
}

TEST_F(Legacy, AnAccessThatCrossesPagesIsSplit) {
    table.map(page + 0x1000, output + 0x8000, second_rw);
    const std::vector<std::uint8_t> data = pattern(5);
    EXPECT_TRUE(bench.write(device, page + 0xfe0, data).ok());
    EXPECT_EQ(0, std::memcmp(bench.memory.bytes() + output + 0xfe0, data.data(), 32));
    EXPECT_EQ(0, std::memcmp(bench.memory.bytes() + output + 0x8000, data.data() + 32, 32));
    EXPECT_EQ(bench.read(device, page + 0xfe0).data, data);
}

TEST_F(Legacy, AbortModeRefusesWithoutARecord) {
    bench.set_root_table(bench.root_table(), rtaddr::ttm_abort);
    EXPECT_EQ(goes_to(bench, device, page), 0u);
    EXPECT_EQ(bench.take_fault(), 0u);
}

class Scalable : public testing::Test {
protected:
    static BenchOptions options() {
        BenchOptions o;
        o.mode = rtaddr::ttm_scalable;
        return o;
    }
    VtdBench bench{options()};
    VtdBench::Table first = bench.first_stage_table();
    VtdBench::Table second = bench.second_stage_table();
    const Requester device = requester(5);
    const Requester process = requester(5, 9);

    Scalable() {
        first.map(page, output, first_used);
        second.map(page, output + 0x1000, second_rw);
    }
    void set_context(Field field, std::uint64_t value) {
        const std::uint64_t at = bench.scalable_roots.context_entry(5);
        bench.poke(at, bench.peek_words<scalable_context::words>(at).with(field, value));
        bench.execute_and_wait({cc_global(), pc_global(), iotlb_global()});
    }
};

TEST_F(Scalable, EveryPasidEntrySaysHowItsRequestsAreTranslated) {
    bench.pasids(5).set(1, first_stage_pasid(first.root(), 7));
    bench.pasids(5).set(2, second_stage_pasid(second.root(), 8));
    bench.pasids(5).set(3, pass_through_pasid(9));
    EXPECT_EQ(goes_to(bench, requester(5, 1), page), output);
    EXPECT_EQ(goes_to(bench, requester(5, 2), page), output + 0x1000);
    EXPECT_EQ(goes_to(bench, requester(5, 3), output + 0x2000), output + 0x2000);
    EXPECT_EQ(bench.take_fault(), 0u);
    EXPECT_EQ(goes_to(bench, requester(5, 4), page), 0u);
    EXPECT_EQ(bench.take_fault(), fault_reason::sm_pasid_entry_not_present);
}

TEST_F(Scalable, RequestsWithoutPasidUseRidPasid) {
    bench.attach(5, first_stage_pasid(first.root(), 7));
    bench.pasids(5).set(9, second_stage_pasid(second.root(), 8));
    EXPECT_EQ(goes_to(bench, device, page), output);
    EXPECT_EQ(goes_to(bench, process, page), output + 0x1000);
    set_context(scalable_context::rid_pasid, 9);
    EXPECT_EQ(goes_to(bench, device, page), output + 0x1000);
}

TEST_F(Scalable, AFaultOfRidPasidHasNoPasidInItsRecord) {
    bench.attach(5, first_stage_pasid(first.root(), 7));
    bench.pasids(5).set(9, first_stage_pasid(first.root(), 7));
    set_context(scalable_context::rid_pasid, 9);
    bench.read(device, page + 0x5000);
    bench.read(requester(5, 9), page + 0x6000);
    std::vector<FaultRecord> faults = bench.take_faults();
    ASSERT_EQ(faults.size(), 1u) << "collapsed";
    EXPECT_EQ(faults[0].get(fault_record::pp), 0u);
    bench.read(requester(5, 9), page + 0x6000);
    faults = bench.take_faults();
    ASSERT_EQ(faults.size(), 1u);
    EXPECT_EQ(faults[0].get(fault_record::pp), 1u);
    EXPECT_EQ(faults[0].get(fault_record::pv), 9u);
}

TEST_F(Scalable, TranslatedRequestsNeedDte) {
    bench.attach(5, first_stage_pasid(first.root(), 7));
    EXPECT_EQ(goes_to(bench, translated(device), output), output);
    EXPECT_EQ(goes_to(bench, translated(device), window_page), 0u);
    EXPECT_EQ(bench.take_fault(), fault_reason::sm_output_in_interrupt_range);
    set_context(scalable_context::dte, 0);
    EXPECT_EQ(goes_to(bench, translated(device), output), 0u);
    EXPECT_EQ(bench.take_fault(), fault_reason::sm_device_tlb_disabled);
    EXPECT_EQ(goes_to(bench, device, page), output);
}

TEST_F(Scalable, TheInterruptWindowIsOrdinaryForProcesses) {
    first.map(window_page, output, first_used);
    bench.pasids(5).set(9, first_stage_pasid(first.root(), 7));
    bench.pasids(5).set(10, pass_through_pasid(8));
    EXPECT_EQ(goes_to(bench, process, window_page), output);
    EXPECT_EQ(goes_to(bench, requester(5, 10), window_page), 0u);
    EXPECT_EQ(bench.take_fault(), fault_reason::sm_output_in_interrupt_range);
}

TEST_F(Scalable, PrivilegeIsThatOfTheProcessOrOfTheContextEntry) {
    first.set(page, output | (first_used & ~first_stage::us.mask()));
    const PasidEntry entry = first_stage_pasid(first.root(), 7).with(pasid_entry::sre, 1);
    bench.attach(5, entry);
    bench.pasids(5).set(9, entry);
    EXPECT_EQ(goes_to(bench, process, page), 0u);
    EXPECT_EQ(goes_to(bench, device, page), 0u);
    EXPECT_EQ(bench.take_fault(), fault_reason::sm_user_privilege);
    EXPECT_EQ(goes_to(bench, privileged(process), page), output);
    set_context(scalable_context::rid_priv, 1);
    EXPECT_EQ(goes_to(bench, device, page), output);
}

TEST_F(Scalable, BothStagesMustPermitANestedAccess) {
    GuestMemory<VtdBench> guest(bench, second);
    PageTable<GuestMemory<VtdBench>> tables(guest, 4, first_rw | first_stage::a.make(1));
    bench.attach(5, nested_pasid(tables.root(), second.root(), 7));
    constexpr std::uint64_t guest_page = 0x5000'0000;
    tables.map(page, guest_page, first_used);
    second.map(guest_page, output, second_ro);
    EXPECT_EQ(goes_to(bench, device, page), output);
    EXPECT_EQ(goes_to(bench, device, page, true), 0u);
    EXPECT_EQ(bench.take_fault(), fault_reason::sm_write_permission);
    second.map(guest_page, output, second_rw);
    bench.execute_and_wait(iotlb_domain(7));
    EXPECT_EQ(goes_to(bench, device, page, true), output);
}

// ---- protected memory

class ProtectedMemory : public Legacy {
protected:
    static constexpr std::uint64_t low = 0x4020'0000;    ///< 2 MiB
    static constexpr std::uint64_t high = 0x2'0000'0000; ///< 2 MiB

    void protect(bool on) {
        if (on) {
            bench.write_register(reg::plmbase, low);
            bench.write_register(reg::plmlimit, low);
            bench.write_register(reg::phmbase, high, 8);
            bench.write_register(reg::phmlimit, high, 8);
        }
        bench.write_register(reg::pmen, pmen::epm.make(on));
        bench.settle();
        EXPECT_EQ(pmen::prs.get(bench.read_register(reg::pmen)), on ? 1u : 0u);
    }
};

TEST_F(ProtectedMemory, IsOutOfReachOfEveryKindOfAccess) {
    table.map(page, low + 0x3000, second_rw);
    table.map(page + 0x1000, high + 0x3000, second_rw);
    bench.roots.set(6, legacy_pass_through(8));
    EXPECT_EQ(goes_to(bench, device, page), low + 0x3000);
    protect(true);
    EXPECT_EQ(goes_to(bench, device, page), 0u);
    EXPECT_EQ(goes_to(bench, device, page, true), 0u);
    EXPECT_EQ(goes_to(bench, device, page + 0x1000), 0u);
    EXPECT_FALSE(bench.read_loosely(device, page).ok());
    EXPECT_EQ(goes_to(bench, requester(6), low), 0u);
    EXPECT_EQ(goes_to(bench, requester(6), low + 0x20'0000), low + 0x20'0000);
    bench.clear(gcmd::te);
    EXPECT_EQ(goes_to(bench, device, low), 0u) << "translation enabled or not";
    EXPECT_EQ(goes_to(bench, device, low - 64), low - 64);
    protect(false);
    EXPECT_EQ(goes_to(bench, device, low), low);
}

TEST_F(ProtectedMemory, IsNotReachedByAnAccessThatBeginsBelow) {
    bench.roots.set(6, legacy_pass_through(8));
    protect(true);
    EXPECT_FALSE(bench.read(requester(6), low - 32).ok());
}

TEST_F(ProtectedMemory, HoldsTablesAndQueuesOfTheUnit) {
    bench.write_register(reg::plmbase, 0x0100'0000);
    bench.write_register(reg::plmlimit, 0x01e0'0000); // everything that the bench has allocated
    bench.write_register(reg::pmen, pmen::epm.mask());
    bench.settle();
    EXPECT_EQ(goes_to(bench, device, page), output);
    EXPECT_TRUE(bench.execute_and_wait(iotlb_global()));
}

// ---- translation disabled

TEST_F(Legacy, WithoutTranslationAddressesStayAsTheyAre) {
    bench.clear(gcmd::te);
    EXPECT_EQ(goes_to(bench, device, output + 0x3000), output + 0x3000);
    EXPECT_EQ(goes_to(bench, requester(0xffff, 3), output), output);
    EXPECT_EQ(bench.served_by(device, output), "translation disabled");
    EXPECT_EQ(goes_to(bench, requester(5, 3), window_page), 0u);
    EXPECT_EQ(goes_to(bench, device, 1ull << 46), 0u);
    EXPECT_EQ(bench.take_fault(), 0u);
    EXPECT_EQ(bench.counter("iommu.context_cache.misses"), 0u);
}

TEST_F(Legacy, WithoutTranslationInterruptsAreRemapped) {
    bench.clear(gcmd::te);
    bench.enable_interrupt_remapping();
    EXPECT_FALSE(bench.write(device, msi_address::remappable(3, false), std::vector<std::uint8_t>(4)).ok());
    EXPECT_EQ(bench.take_fault(), fault_reason::ir_entry_not_present);
}

} // namespace
} // namespace iommusim::vtd::test
