// Primary fault logging: records, collapsing, overflow, the fault event.
#include "tests/conformance/vtd/invalidation_bench.h"

namespace iommusim::vtd {
namespace {

using namespace spec;

class FaultLogTest : public testing::Test {
protected:
    void make(void (*change)(Features&) = nullptr) {
        InvalidationBenchOptions options;
        options.features.fault_records = 4;
        if (change)
            change(options.features);
        bench.reset(new InvalidationBench(options));
    }
    Fault fault(std::uint16_t source) {
        Fault f;
        f.reason = fault_reason::legacy_write_permission;
        f.source = source;
        f.write = true;
        f.information = 0x1234'5678'9000;
        return f;
    }
    void record(std::uint16_t source) { bench->faults.record(fault(source)); }
    std::uint64_t word(unsigned index, unsigned half) {
        return bench->read(bench->features.fault_record_offset + 16 * index + 8 * half, 8);
    }
    bool recorded(unsigned index) { return (word(index, 1) >> 63) != 0; }
    void clear(unsigned index) {
        bench->write(bench->features.fault_record_offset + 16 * index + 12, 0x8000'0000);
    }
    std::uint64_t fault_index() { return fsts::fri.get(bench->read(reg::fsts)); }

    std::unique_ptr<InvalidationBench> bench;
};

TEST_F(FaultLogTest, RecordsAnUntranslatedWrite) {
    make();
    record(0xE8);
    EXPECT_EQ(word(0, 0), 0x1234'5678'9000u);
    EXPECT_EQ(word(0, 1), 0x8000'0005'0000'00E8u);
    EXPECT_TRUE(bench->fault_status(fsts::ppf));
    EXPECT_EQ(fault_index(), 0u);
}

TEST_F(FaultLogTest, RecordsAReadWithPasidAndItsAttributes) {
    make();
    Fault f = fault(0xE8);
    f.reason = fault_reason::sm_read_permission;
    f.write = false;
    f.has_pasid = true;
    f.pasid = 0xABCDE;
    f.privileged = true;
    f.execute = true;
    f.address_type = address_type::translation_request;
    bench->faults.record(f);
    // F, T1, AT, PASID, reason, PP, EXE, PRIV, SID
    EXPECT_EQ(word(0, 1), 0x8000'0000'0000'0000 | 1ull << 62 | 1ull << 60 | 0xABCDEull << 40 | 0x86ull << 32 |
                              1ull << 31 | 1ull << 30 | 1ull << 29 | 0xE8);
}

TEST_F(FaultLogTest, RecordsAPageRequest) {
    make();
    Fault f = fault(0xE8);
    f.reason = fault_reason::sm_page_request_disabled;
    f.page_request = true;
    bench->faults.record(f);
    EXPECT_EQ(word(0, 1), 0x8000'0000'0000'0000 | 0x47ull << 32 | 1ull << 28 | 0xE8);
}

TEST_F(FaultLogTest, RecordsTheIndexOfAnInterruptRequest) {
    make();
    Fault f = fault(0xE8);
    f.reason = fault_reason::ir_entry_not_present;
    f.information = 0x8123ull << 48;
    bench->faults.record(f);
    EXPECT_EQ(word(0, 0), 0x8123'0000'0000'0000u);
}

TEST_F(FaultLogTest, HasNoAddressTypeWithoutDeviceTlbs) {
    make(
        [](Features& f) { f.device_tlb = f.no_write_flag = f.page_requests = f.page_request_drain = false; });
    Fault f = fault(0xE8);
    f.address_type = address_type::translated;
    bench->faults.record(f);
    EXPECT_EQ(fault_record::at.get(word(0, 1)), 0u);
}

TEST_F(FaultLogTest, GoesRoundTheRegisters) {
    make();
    for (std::uint16_t source = 1; source <= 4; ++source)
        record(source);
    for (unsigned i = 0; i < 4; ++i) {
        EXPECT_EQ(word(i, 1) & 0xffff, i + 1u);
        clear(i);
    }
    EXPECT_FALSE(bench->fault_status(fsts::ppf));
    record(5);
    EXPECT_TRUE(recorded(0));
    EXPECT_EQ(word(0, 1) & 0xffff, 5u);
}

TEST_F(FaultLogTest, NamesTheFirstPendingRecord) {
    make();
    record(1);
    clear(0);
    record(2);
    record(3);
    EXPECT_EQ(fault_index(), 1u);
}

TEST_F(FaultLogTest, CollapsesFaultsOfASourceWhoseRecordIsPending) {
    make();
    record(1);
    record(1);
    record(2);
    EXPECT_EQ(bench->faults.collapsed(), 1u);
    EXPECT_EQ(bench->faults.recorded(), 2u);
    clear(0);
    record(1);
    EXPECT_EQ(bench->faults.recorded(), 3u);
    EXPECT_TRUE(recorded(2));
}

TEST_F(FaultLogTest, LosesFaultsToAnOverflowUntilSoftwareClearsIt) {
    make();
    for (std::uint16_t source = 1; source <= 5; ++source)
        record(source);
    EXPECT_TRUE(bench->fault_status(fsts::pfo));
    EXPECT_EQ(bench->faults.lost(), 1u);
    for (unsigned i = 0; i < 4; ++i)
        clear(i);
    record(6);
    EXPECT_EQ(bench->faults.lost(), 2u);
    EXPECT_FALSE(recorded(0));
    bench->write(reg::fsts, fsts::pfo.mask());
    record(6);
    EXPECT_TRUE(recorded(0));
}

TEST_F(FaultLogTest, FaultProcessingDisableSuppressesQualifiedFaultsOnly) {
    make();
    Fault f = fault(1);
    f.no_record = true;
    bench->faults.record(f);
    EXPECT_FALSE(bench->fault_status(fsts::ppf));
    EXPECT_EQ(bench->faults.suppressed(), 1u);
    EXPECT_EQ(bench->faults.count(fault_reason::legacy_write_permission), 1u);
    f.reason = fault_reason::legacy_root_not_present;
    bench->faults.record(f);
    EXPECT_TRUE(bench->fault_status(fsts::ppf));
}

TEST_F(FaultLogTest, RaisesOneEventForAllThatIsPending) {
    make();
    record(1);
    record(2);
    InvalidationBench::settle();
    EXPECT_EQ(bench->messages.sent(), 1u);
    EXPECT_EQ(bench->message_at(InvalidationBench::fault_address), InvalidationBench::fault_data);
    clear(0);
    clear(1);
    record(3);
    EXPECT_EQ(bench->messages.sent(), 2u);
}

TEST_F(FaultLogTest, SendsAMaskedEventWhenItIsUnmasked) {
    make();
    bench->write(reg::fectl, event_control::im.mask());
    record(1);
    EXPECT_EQ(bench->messages.sent(), 0u);
    EXPECT_NE(event_control::ip.get(bench->read(reg::fectl)), 0u);
    bench->write(reg::fectl, 0);
    EXPECT_EQ(bench->messages.sent(), 1u);
}

TEST_F(FaultLogTest, RaisesNoEventForAFaultWhileAQueueErrorIsPending) {
    make();
    bench->faults.queue_error(iqercd::iqei_invalid_type);
    record(1);
    EXPECT_TRUE(bench->fault_status(fsts::ppf));
    EXPECT_EQ(bench->messages.sent(), 1u);
}

TEST_F(FaultLogTest, StartsAtTheFirstRegisterAgainAfterTranslationWasDisabled) {
    make();
    record(1);
    clear(0);
    bench->faults.restart();
    record(2);
    EXPECT_TRUE(recorded(0));
}

} // namespace
} // namespace iommusim::vtd
