// The register file against the chapter "Registers". Offsets and values are literals on purpose.
#include "register_bench.h"

#include <string>

namespace iommusim::amdvi {
namespace {

using namespace spec;

// Control (0018h).
constexpr std::uint64_t iommu_en = 1ull << 0;
constexpr std::uint64_t event_log_en = 1ull << 2;
constexpr std::uint64_t event_int_en = 1ull << 3;
constexpr std::uint64_t com_wait_int_en = 1ull << 4;
constexpr std::uint64_t cmd_buf_en = 1ull << 12;
constexpr std::uint64_t ppr_log_en = 1ull << 13;
constexpr std::uint64_t ppr_int_en = 1ull << 14;
constexpr std::uint64_t ga_en = 1ull << 17;
constexpr std::uint64_t ga_log_en = 1ull << 28;
constexpr std::uint64_t ga_int_en = 1ull << 29;
constexpr std::uint64_t int_cap_xt_en = 1ull << 51;

// Status (2020h).
constexpr std::uint64_t event_overflow = 0x1;
constexpr std::uint64_t event_log_int = 0x2;
constexpr std::uint64_t com_wait_int = 0x4;
constexpr std::uint64_t event_log_run = 0x8;
constexpr std::uint64_t cmd_buf_run = 0x10;

using Requests = std::vector<std::pair<Ring, bool>>;

/// Everything that is optional is absent.
Features registers_only() {
    Features f;
    f.log2_device_table_segments = 0;
    f.host_accessed = f.host_dirty = f.guest_translation = false;
    f.remote_iotlb = f.page_requests = f.guest_apic = f.guest_virtual_apic = f.x2apic = false;
    f.interrupt_cache_disable = false;
    return f;
}

Features with_options() {
    Features f;
    f.hardware_events = f.interrupt_table_2048 = true;
    return f;
}

struct AbsentFeatures : RegisterBench {
    AbsentFeatures() : RegisterBench(registers_only()) {}
};
struct OptionsBench : RegisterBench {
    OptionsBench() : RegisterBench(with_options()) {}
};

using Reset = RegisterBench;
using AccessForm = RegisterBench;
using Capability = RegisterBench;
using ControlRegister = RegisterBench;
using RingStart = RegisterBench;
using RingPointers = RegisterBench;
using Status = RegisterBench;
using Overflow = RegisterBench;
using CommandError = RegisterBench;
using DeviceTable = RegisterBench;
using Exclusion = RegisterBench;
using Messages = RegisterBench;
using HardwareEvents = OptionsBench;
using InterruptTables = OptionsBench;

// --- Reset and access forms
// ---------------------------------------------------------------------------------

TEST_F(Reset, GivesTheArchitectedValues) {
    for (std::uint64_t offset : {0x00, 0x20, 0x28, 0xE8, 0x100, 0x130, 0x170, 0x178, 0x180, 0x2000, 0x2008,
                                 0x2010, 0x2018, 0x2020, 0x2030, 0x2038, 0x2040, 0x2048})
        EXPECT_EQ(read(offset, 8), 0u) << std::hex << offset;
    for (std::uint64_t offset : {0x08, 0x10, 0x38, 0xE0})
        EXPECT_EQ(read(offset, 8), 8ull << 56) << "256 entries: " << std::hex << offset;
    EXPECT_EQ(read(0x18, 8), 0x400u) << "Coherent";
    EXPECT_EQ(read(0x158), 0x0080'0005u) << "MSI with 64-bit addresses, disabled";
    EXPECT_EQ(diagnostics(), 0u);
}

TEST_F(Reset, UndoesWhatHappened) {
    write(0x08, 9ull << 56 | 0x5000, 8);
    change_control(iommu_en | cmd_buf_en | event_log_en);
    registers.halt_commands();
    EXPECT_FALSE(registers.overflow(Ring::events));
    registers.reset();
    EXPECT_EQ(read(0x18, 8), 0x400u);
    EXPECT_EQ(read(0x2020), 0u);
    EXPECT_EQ(read(0x08, 8), 8ull << 56);
    EXPECT_NE(read(0x30, 8), 0u) << "feature registers keep their value";
    change_control(iommu_en | cmd_buf_en);
    EXPECT_EQ(read(0x2020), cmd_buf_run) << "not halted any more";
}

TEST_F(AccessForm, AllowsA64BitRegisterAsTwoHalves) {
    write(0x00, 0x4567'8003);
    write(0x04, 0x123);
    EXPECT_EQ(read(0x00, 8), 0x123'4567'8003u);
    EXPECT_EQ(read(0x00), 0x4567'8003u);
    EXPECT_EQ(read(0x04), 0x123u);
    write(0x00, 0x5000); // the upper half stays
    EXPECT_EQ(read(0x00, 8), 0x123'0000'5000u);
    write(0x18, iommu_en); // Coherent goes, the upper half stays
    write(0x1C, 1u << 27); // IRTCacheDis
    EXPECT_EQ(read(0x18, 8), iommu_en | 1ull << 59);
}

TEST_F(AccessForm, RejectsOtherSizesAndMisalignment) {
    std::size_t expected = 0;
    for (auto [offset, bytes] :
         {std::pair{0x20u, 1u}, {0x20u, 2u}, {0x22u, 4u}, {0x24u, 8u}, {0x20u, 16u}, {0x20u, 0u}}) {
        std::uint64_t value = ~0ull;
        EXPECT_FALSE(registers.read(offset, bytes, value)) << offset << " " << bytes;
        EXPECT_EQ(value, 0u);
        EXPECT_FALSE(registers.write(offset, bytes, ~0ull)) << offset << " " << bytes;
        expected += 2;
        EXPECT_EQ(diagnostics(), expected);
    }
    EXPECT_EQ(read(0x20, 8), 0u);
}

TEST_F(AccessForm, RejectsA64BitAccessToTwo32BitRegisters) {
    std::uint64_t value = ~0ull;
    EXPECT_FALSE(registers.read(0x150, 8, value));
    EXPECT_EQ(value, 0u);
    EXPECT_FALSE(registers.write(0x160, 8, ~0ull));
    EXPECT_EQ(read(0x160), 0u);
    EXPECT_EQ(diagnostics(), 2u);
}

TEST_F(AccessForm, ReadsZeroWhereNoRegisterIs) {
    // Hardware events, SMI filter, second logs, device specific, MARC, ignored register, PPR overflow,
    // beyond.
    for (std::uint64_t offset : {0x40ull, 0x50ull, 0x60ull, 0xF0ull, 0xF8ull, 0x138ull, 0x190ull, 0x200ull,
                                 0x1FF8ull, 0x2050ull, 0x2078ull, 0x2080ull, 0x4000ull, 0x40000ull, ~7ull}) {
        write(offset, ~0ull, 8);
        EXPECT_EQ(read(offset, 8), 0u) << std::hex << offset;
    }
    EXPECT_EQ(diagnostics(), 0u);
}

TEST_F(AccessForm, KeepsReservedBitsZero) {
    write(0x00, ~0ull, 8);
    EXPECT_EQ(read(0x00, 8), 0x000F'FFFF'FFFF'F1FFu);
    write(0x08, ~0ull, 8);
    EXPECT_EQ(read(0x08, 8), 0x0F0F'FFFF'FFFF'F000u);
    write(0xE8, ~0ull, 8);
    EXPECT_EQ(read(0xE8, 8), 0x000F'FFFF'FFFF'FFF8u);
    write(0x20, ~0ull, 8);
    EXPECT_EQ(read(0x20, 8), 0x000F'FFFF'FFFF'F003u);
    write(0x28, ~0ull, 8);
    EXPECT_EQ(read(0x28, 8), 0x000F'FFFF'FFFF'F000u);
    write(0x170, ~0ull, 8);
    EXPECT_EQ(read(0x170, 8), 0xFF00'01FF'FFFF'FF04u);
}

TEST_F(AbsentFeatures, HaveNoRegistersAndNoControlBits) {
    for (std::uint64_t offset : {0x38, 0xE0, 0xE8, 0x100, 0x170, 0x178, 0x180, 0x2030, 0x2038, 0x2040}) {
        write(offset, ~0ull, 8);
        EXPECT_EQ(read(offset, 8), 0u) << std::hex << offset;
    }
    write(0x18, ~0ull, 8);
    EXPECT_EQ(read(0x18, 8), 0x1FFDu) << "no more than the bits that every part has";
    EXPECT_EQ(recorder.requests, (Requests{{Ring::commands, true}, {Ring::events, true}}));
    EXPECT_EQ(diagnostics(), 0u);
}

// --- Capability block
// ---------------------------------------------------------------------------------

TEST_F(Capability, LocatesTheRegistersAndLocks) {
    EXPECT_FALSE(registers.window_enabled());
    write_capability(0x08, 0xFD);
    write_capability(0x04, 0x1234'7FFE); // 16 KB: bits 13:1 are reserved
    EXPECT_EQ(registers.window_base(), 0xFD'1234'4000u);
    write_capability(0x04, 0x1234'4001);
    EXPECT_TRUE(registers.window_enabled());
    write_capability(0x04, 0);
    write_capability(0x08, 0);
    EXPECT_EQ(read_capability(0x04), 0x1234'4001u);
    EXPECT_EQ(read_capability(0x08), 0xFDu);
    EXPECT_EQ(diagnostics(), 2u);
    registers.reset();
    EXPECT_FALSE(registers.window_enabled());
}

TEST_F(Capability, IsRepeatedAmongTheRegisters) {
    EXPECT_EQ(read(0x150), read_capability(0x10));
    EXPECT_EQ(read(0x154), read_capability(0x14));
    write(0x150, ~0ull);
    write_capability(0x00, 0);
    EXPECT_EQ(read(0x150), 0x0020'3040u);
    EXPECT_EQ(read_capability(0x00), 0x190B'000Fu);
}

// --- Control
// ---------------------------------------------------------------------------------

TEST_F(ControlRegister, TellsWhatChanged) {
    write(0x18, 0x400 | iommu_en | event_int_en, 8);
    write(0x18, 0x400 | iommu_en | event_int_en, 8);
    write(0x18, 0x400 | iommu_en, 8);
    EXPECT_EQ(recorder.control_changes, (std::vector<std::uint64_t>{iommu_en | event_int_en, event_int_en}));
    EXPECT_TRUE(registers.control(control::iommu_en));
    EXPECT_FALSE(registers.control(control::event_int_en));
    EXPECT_TRUE(recorder.requests.empty());
}

TEST_F(ControlRegister, HasNoBitOfWhatIsNotBuilt) {
    write(0x18, ~0ull, 8);
    // Absent: HtTunEn, CRW, SMI filter, SlfWBDis, other GAM modes, dual logs, PrivAbrtEn, automatic
    // responses, MARC, stop markers, 2048 interrupts, EPH, HADUpdate, virtual IOMMU, GAPPI, TMPM, TRP modes,
    // SNP.
    EXPECT_EQ(read(0x18, 8), 0x084D'0000'3203'FFFDu) << "DevTblSegEn 7 is refused";
}

TEST_F(ControlRegister, RefusesMoreSegmentsThanThereAre) {
    change_control(3ull << 34);
    EXPECT_EQ(registers.log2_device_table_segments(), 3u);
    EXPECT_EQ(recorder.device_tables, 1u);
    EXPECT_EQ(diagnostics(), 0u);
    change_control(4ull << 34, 3ull << 34);
    EXPECT_EQ(registers.log2_device_table_segments(), 3u);
    EXPECT_EQ(recorder.device_tables, 1u);
    EXPECT_EQ(diagnostics(), 1u);
}

TEST_F(ControlRegister, ComplainsAboutDestinationsThatEntriesCannotHold) {
    change_control(1ull << 50);
    EXPECT_EQ(diagnostics(), 1u) << "XTEn";
    change_control(1ull << 25);
    EXPECT_EQ(diagnostics(), 2u) << "GAMEn";
    change_control(iommu_en);
    change_control(ga_en);
    EXPECT_EQ(diagnostics(), 3u) << "entries change their size";
}

TEST_F(InterruptTables, HoldMoreEntriesInTheirMode) {
    EXPECT_EQ(registers.log2_interrupt_entries_max(), 9u);
    change_control(1ull << 43);
    EXPECT_EQ(registers.log2_interrupt_entries_max(), 11u);
}

// --- Rings: start and stop
// ---------------------------------------------------------------------------------

TEST_F(RingStart, NeedsTheIommuAndTheRing) {
    change_control(cmd_buf_en | event_log_en);
    EXPECT_TRUE(recorder.requests.empty());
    EXPECT_EQ(read(0x2020), 0u);
    change_control(iommu_en);
    EXPECT_EQ(recorder.requests, (Requests{{Ring::commands, true}, {Ring::events, true}}));
    EXPECT_EQ(read(0x2020), cmd_buf_run | event_log_run);
    change_control(0, iommu_en);
    EXPECT_EQ(read(0x2020), 0u);
    EXPECT_EQ(recorder.requests.size(), 4u);
}

TEST_F(RingStart, ShowsInStatusWhenTheModelSaysSo) {
    write(0x18, iommu_en | cmd_buf_en, 8);
    EXPECT_EQ(read(0x2020), 0u);
    EXPECT_TRUE(registers.ring_wanted(Ring::commands));
    EXPECT_FALSE(registers.ring_running(Ring::commands));
    registers.acknowledge_ring(Ring::commands);
    EXPECT_EQ(read(0x2020), cmd_buf_run);
    write(0x18, iommu_en, 8);
    EXPECT_EQ(read(0x2020), cmd_buf_run) << "work in progress";
    EXPECT_EQ(recorder.requests.back(), (std::pair{Ring::commands, false}));
    registers.acknowledge_ring(Ring::commands);
    EXPECT_EQ(read(0x2020), 0u);
}

TEST_F(RingStart, HasOneRunBitPerRing) {
    change_control(iommu_en | ppr_log_en);
    EXPECT_EQ(read(0x2020), 0x80u);
    change_control(ga_log_en, ppr_log_en);
    EXPECT_EQ(read(0x2020), 0x100u);
}

TEST_F(RingStart, LeavesThePointers) {
    write(0x2000, 0x20, 8);
    write(0x2008, 0x40, 8);
    change_control(iommu_en | cmd_buf_en);
    change_control(0, cmd_buf_en);
    change_control(cmd_buf_en);
    EXPECT_EQ(registers.ring_head(Ring::commands), 0x20u);
    EXPECT_EQ(registers.ring_tail(Ring::commands), 0x40u);
}

TEST_F(RingStart, DoesNotHappenWithAReservedLength) {
    write(0x08, 7ull << 56 | 0x5000, 8);
    change_control(iommu_en | cmd_buf_en);
    EXPECT_EQ(read(0x2020), 0u);
    EXPECT_EQ(diagnostics(), 1u);
    EXPECT_EQ(recorder.requests.back(), (std::pair{Ring::commands, false}));
    write(0x08, 9ull << 56 | 0x5000, 8);
    EXPECT_EQ(recorder.requests.back(), (std::pair{Ring::commands, true})) << "now it can";
    registers.acknowledge_ring(Ring::commands);
    EXPECT_EQ(read(0x2020), cmd_buf_run);
}

// --- Rings: base and pointers
// ---------------------------------------------------------------------------------

TEST_F(RingPointers, AreZeroAfterABaseWrite) {
    write(0x2000, 0x20, 8);
    write(0x2008, 0x40, 8);
    write(0x08, 9ull << 56 | 0x1'2345'6000, 8);
    EXPECT_EQ(read(0x2000, 8), 0u);
    EXPECT_EQ(read(0x2008, 8), 0u);
    EXPECT_EQ(recorder.bases, (std::vector<Ring>{Ring::commands}));
    const RingConfig ring = registers.ring(Ring::commands);
    EXPECT_EQ(ring.base, 0x1'2345'6000u);
    EXPECT_EQ(ring.bytes, 8192u);
    EXPECT_EQ(ring.entry_bytes, 16u);
    EXPECT_EQ(registers.ring(Ring::guest_apic).bytes, 4096u);
    EXPECT_EQ(registers.ring(Ring::guest_apic).entry_bytes, 8u);
}

TEST_F(RingPointers, KeepTheirRingWhileItRuns) {
    write(0x08, 9ull << 56 | 0x5000, 8);
    write(0x10, 9ull << 56 | 0x7000, 8);
    change_control(iommu_en | cmd_buf_en | event_log_en);
    recorder.bases.clear();
    write(0x08, 8ull << 56 | 0x9000, 8);
    write(0x2000, 0x40, 8); // the head is the IOMMU's
    write(0x2018, 0x40, 8); // the event log's tail likewise
    EXPECT_EQ(read(0x08, 8), 9ull << 56 | 0x5000);
    EXPECT_EQ(read(0x2000, 8), 0u);
    EXPECT_EQ(read(0x2018, 8), 0u);
    EXPECT_TRUE(recorder.bases.empty());
    EXPECT_EQ(diagnostics(), 3u);
    write(0x08, 9ull << 56 | 0x5000, 8);
    EXPECT_EQ(diagnostics(), 3u) << "nothing changes";
    change_control(0, cmd_buf_en | event_log_en);
    write(0x2000, 0x40, 8);
    write(0x2018, 0x40, 8);
    EXPECT_EQ(read(0x2000, 8), 0x40u);
    EXPECT_EQ(read(0x2018, 8), 0x40u);
}

TEST_F(RingPointers, OfSoftwareRingTheDoorbell) {
    for (std::uint64_t offset : {0x2008, 0x2010, 0x2030, 0x2040})
        write(offset, 0x20);
    EXPECT_EQ(recorder.pointers,
              (std::vector<Ring>{Ring::commands, Ring::events, Ring::page_requests, Ring::guest_apic}));
    EXPECT_EQ(registers.ring_tail(Ring::commands), 0x20u);
    EXPECT_EQ(registers.ring_head(Ring::guest_apic), 0x20u);
    write(0x2018, 0x20);
    EXPECT_EQ(recorder.pointers.size(), 4u);
}

TEST_F(RingPointers, StayInTheRing) {
    write(0x2008, 0x1FF8 | 7); // 256 entries are 1000h bytes; bits 3:0 are reserved
    EXPECT_EQ(read(0x2008), 0xFF0u);
    EXPECT_EQ(diagnostics(), 1u);
    write(0x2040, 0xFFF); // entries of 8 bytes
    EXPECT_EQ(read(0x2040), 0xFF8u);
    EXPECT_EQ(diagnostics(), 1u);
    registers.set_command_head(0x1000);
    EXPECT_EQ(read(0x2000), 0u) << "never the length";
    registers.set_log_tail(Ring::events, 0x1010);
    EXPECT_EQ(read(0x2018), 0x10u);
}

TEST_F(RingPointers, OfTheGuestApicLogHaveACopyInMemory) {
    write(0xE8, 0x1234'5678, 8);
    EXPECT_EQ(registers.ga_tail_address(), 0x1234'5678u);
}

// --- Status
// ---------------------------------------------------------------------------------

TEST_F(Status, IsClearedByWritingOne) {
    static_cast<void>(registers.set_status(status::event_log_int));
    static_cast<void>(registers.set_status(status::com_wait_int));
    write(0x2020, 0);
    EXPECT_EQ(read(0x2020), event_log_int | com_wait_int);
    write(0x2020, com_wait_int);
    EXPECT_EQ(read(0x2020), event_log_int);
    write(0x2020, ~0ull, 8);
    EXPECT_EQ(read(0x2020), 0u);
    write(0x2020, ~0ull, 8);
    EXPECT_EQ(recorder.cleared_status, (std::vector<std::uint64_t>{com_wait_int, event_log_int}));
}

TEST_F(Status, KeepsItsRunBitsWhenWritten) {
    change_control(iommu_en | cmd_buf_en);
    write(0x2020, ~0ull, 8);
    EXPECT_EQ(read(0x2020), cmd_buf_run);
}

TEST_F(Status, SendsAMessageOnlyOnTheEdge) {
    change_control(com_wait_int_en);
    EXPECT_TRUE(registers.set_status(status::com_wait_int));
    EXPECT_FALSE(registers.set_status(status::com_wait_int)) << "still set";
    write(0x2020, com_wait_int);
    EXPECT_TRUE(registers.set_status(status::com_wait_int));
}

TEST_F(Status, IsSetWithoutItsEnableToo) {
    EXPECT_FALSE(registers.set_status(status::event_log_int));
    EXPECT_EQ(read(0x2020), event_log_int);
    change_control(event_int_en);
    EXPECT_FALSE(registers.set_status(status::event_log_int)) << "an enable alone makes no edge";
}

struct InterruptSource {
    Field status;
    std::uint64_t enable;
};
class InterruptEnables : public RegisterBench, public testing::WithParamInterface<InterruptSource> {};

TEST_P(InterruptEnables, GateTheMessage) {
    const auto [bit, enable] = GetParam();
    change_control((event_int_en | com_wait_int_en | ppr_int_en | ga_int_en) & ~enable);
    EXPECT_FALSE(registers.set_status(bit));
    write(0x2020, ~0ull, 8);
    change_control(enable);
    EXPECT_TRUE(registers.set_status(bit));
}

INSTANTIATE_TEST_SUITE_P(
    OfEveryBit, InterruptEnables,
    testing::Values(InterruptSource{bit(0), event_int_en}, InterruptSource{bit(1), event_int_en},
                    InterruptSource{bit(2), com_wait_int_en}, InterruptSource{bit(5), ppr_int_en},
                    InterruptSource{bit(6), ppr_int_en}, InterruptSource{bit(9), ga_int_en},
                    InterruptSource{bit(10), ga_int_en}));

// --- Overflow and errors
// ---------------------------------------------------------------------------------

TEST_F(Overflow, StopsTheLogAndInterrupts) {
    change_control(iommu_en | event_log_en | event_int_en);
    EXPECT_TRUE(registers.overflow(Ring::events));
    EXPECT_EQ(read(0x2020), event_overflow);
    EXPECT_FALSE(registers.ring_wanted(Ring::events));
    EXPECT_FALSE(registers.overflow(Ring::events)) << "no second message";
    EXPECT_TRUE(registers.control(control::event_log_en)) << "the enable stays";
}

TEST_F(Overflow, IsOverOnlyWhenTheLogIsEnabledAgain) {
    change_control(iommu_en | event_log_en);
    static_cast<void>(registers.overflow(Ring::events));
    write(0x2020, event_overflow);
    EXPECT_EQ(read(0x2020), 0u);
    write(0x2010, 0x40); // software consumes
    registers.acknowledge_ring(Ring::events);
    EXPECT_EQ(read(0x2020), 0u) << "cleared, but still stopped";
    change_control(event_log_en);
    EXPECT_EQ(read(0x2020), 0u) << "it was enabled all the time";
    change_control(0, event_log_en);
    change_control(event_log_en);
    EXPECT_EQ(read(0x2020), event_log_run);
}

TEST_F(Overflow, IsClearedByEnablingTheLogAgain) {
    change_control(iommu_en | event_log_en | ppr_log_en | ga_log_en);
    static_cast<void>(registers.overflow(Ring::events));
    static_cast<void>(registers.overflow(Ring::page_requests));
    static_cast<void>(registers.overflow(Ring::guest_apic));
    EXPECT_EQ(read(0x2020), 0x221u);
    change_control(0, ppr_log_en);
    change_control(ppr_log_en);
    EXPECT_EQ(read(0x2020), 0x281u) << "the other logs stay as they are";
    change_control(0, event_log_en | ga_log_en);
    change_control(event_log_en | ga_log_en);
    EXPECT_EQ(read(0x2020), 0x188u);
}

TEST_F(Overflow, OutlastsTheIommuBeingDisabled) {
    change_control(iommu_en | event_log_en);
    static_cast<void>(registers.overflow(Ring::events));
    change_control(0, iommu_en);
    change_control(iommu_en);
    EXPECT_EQ(read(0x2020), event_overflow);
}

TEST_F(CommandError, HaltsUntilTheBufferIsEnabledAgain) {
    write(0x2008, 0x40);
    change_control(iommu_en | cmd_buf_en | event_log_en);
    static_cast<void>(registers.overflow(Ring::events));
    registers.set_command_head(0x10);
    registers.halt_commands();
    EXPECT_EQ(read(0x2020), event_overflow);
    registers.acknowledge_ring(Ring::commands);
    EXPECT_EQ(read(0x2020), event_overflow);
    write(0x2000, 0x20); // software steps over the command
    recorder.requests.clear();
    change_control(0, cmd_buf_en);
    change_control(cmd_buf_en);
    EXPECT_EQ(recorder.requests, (Requests{{Ring::commands, false}, {Ring::commands, true}}));
    EXPECT_EQ(read(0x2020), cmd_buf_run | event_overflow) << "the event log is not concerned";
    EXPECT_EQ(registers.ring_head(Ring::commands), 0x20u);
}

TEST_F(HardwareEvents, KeepTheFirst) {
    registers.store_hardware_event(0x3000'0000'0000'1234, 0x5678);
    EXPECT_EQ(read(0x50), 1u);
    registers.store_hardware_event(1, 2);
    EXPECT_EQ(read(0x50), 3u);
    EXPECT_EQ(read(0x40, 8), 0x3000'0000'0000'1234u);
    EXPECT_EQ(read(0x48, 8), 0x5678u);
    write(0x40, 0, 8);
    EXPECT_EQ(read(0x40, 8), 0x3000'0000'0000'1234u) << "read-only";
    write(0x50, 3);
    EXPECT_EQ(read(0x50), 0u);
    registers.store_hardware_event(1, 2);
    EXPECT_EQ(read(0x40, 8), 1u);
    EXPECT_EQ(read(0x50), 1u);
}

TEST_F(AbsentFeatures, DoNotKeepHardwareEvents) {
    registers.store_hardware_event(1, 2);
    EXPECT_EQ(read(0x40, 8), 0u);
    EXPECT_EQ(read(0x50), 0u);
}

// --- Device table, exclusion range
// ---------------------------------------------------------------------------------

TEST_F(DeviceTable, EndsWhereItsSizeSays) {
    write(0x00, 0x1'0000'0000 | 1, 8); // 8 KB: 256 entries
    EXPECT_EQ(recorder.device_tables, 1u);
    std::uint64_t address = 0;
    EXPECT_TRUE(registers.device_table_entry(0xFF, address));
    EXPECT_EQ(address, 0x1'0000'1FE0u);
    EXPECT_FALSE(registers.device_table_entry(0x100, address));
    write(0x00, 0x1'0000'0000 | 0x1FF, 8);
    EXPECT_TRUE(registers.device_table_entry(0xFFFF, address));
    EXPECT_EQ(address, 0x1'001F'FFE0u);
}

TEST_F(DeviceTable, MayHaveSegments) {
    write(0x00, 0x10'0000 | 0x3F, 8);
    for (unsigned s = 1; s < 8; ++s)
        write(0x100 + 8 * (s - 1), (0x10'0000 * (s + 1)) | 0x3F, 8);
    change_control(3ull << 34);
    std::uint64_t address = 0;
    EXPECT_TRUE(registers.device_table_entry(0x1FFF, address));
    EXPECT_EQ(address, 0x10'0000u + 0x1FFF * 32);
    EXPECT_TRUE(registers.device_table_entry(0x2001, address));
    EXPECT_EQ(address, 0x20'0020u);
    EXPECT_TRUE(registers.device_table_entry(0xE002, address));
    EXPECT_EQ(address, 0x80'0040u);
    EXPECT_EQ(registers.device_table_segment(7).bytes, 0x4'0000u);
    change_control(1ull << 34, 3ull << 34);
    EXPECT_TRUE(registers.device_table_entry(0x8001, address));
    EXPECT_EQ(address, 0x20'0020u);
    EXPECT_FALSE(registers.device_table_entry(0x2001, address)) << "segment 0 is too small for it now";
}

TEST_F(DeviceTable, SegmentsAreSmallerTheMoreThereAre) {
    const std::uint64_t sizes[] = {0xFF, 0x7F, 0x7F, 0x3F, 0x3F, 0x3F, 0x3F};
    for (unsigned s = 1; s < 8; ++s) {
        write(0x100 + 8 * (s - 1), 0x1FF, 8);
        EXPECT_EQ(read(0x100 + 8 * (s - 1), 8), sizes[s - 1]);
    }
}

TEST_F(Exclusion, IncludesTheLastPage) {
    EXPECT_FALSE(registers.exclusion_range().enabled);
    write(0x20, 0x10'0003, 8);
    write(0x28, 0x10'3000, 8);
    EXPECT_EQ(recorder.exclusion_ranges, 2u);
    const ExclusionRange range = registers.exclusion_range();
    EXPECT_TRUE(range.enabled);
    EXPECT_TRUE(range.all_devices);
    EXPECT_EQ(range.first, 0x10'0000u);
    EXPECT_EQ(range.last, 0x10'3FFFu);
    write(0x20, 0x10'0001, 8);
    EXPECT_FALSE(registers.exclusion_range().all_devices);
}

// --- Interrupt messages
// ---------------------------------------------------------------------------------

TEST_F(Messages, AreThoseOfTheMsiCapability) {
    write(0x15C, 0xFEE0'1000);
    write(0x160, 0x1);
    write(0x164, 0xFFFF'0041);
    EXPECT_FALSE(registers.message(Ring::events).deliverable);
    write(0x158, ~0u);
    EXPECT_EQ(read(0x158), 0x0081'0005u) << "only the enable can be written";
    for (const Ring ring : {Ring::commands, Ring::events, Ring::page_requests, Ring::guest_apic}) {
        const InterruptMessage message = registers.message(ring);
        EXPECT_TRUE(message.deliverable);
        EXPECT_EQ(message.address, 0x1'FEE0'1000u);
        EXPECT_EQ(message.data, 0x41u);
    }
}

TEST_F(Messages, ComeFromTheXtRegistersInTheirMode) {
    write(0x170, 0x8700'0131'6543'2104, 8); // logical, destination 87654321h, vector 31h, arbitrated
    write(0x178, 0x0000'0032'0000'0200, 8);
    write(0x180, 0x0000'0033'0000'0300, 8);
    change_control(int_cap_xt_en);
    const InterruptMessage general = registers.message(Ring::commands);
    EXPECT_TRUE(general.deliverable) << "whatever the MSI enable says";
    EXPECT_EQ(general.address, 0x8765'4300'FEE2'1004u);
    EXPECT_EQ(general.data, 0x131u);
    EXPECT_EQ(registers.message(Ring::events).data, 0x131u);
    EXPECT_EQ(registers.message(Ring::page_requests).address, 0xFEE0'2000u);
    EXPECT_EQ(registers.message(Ring::page_requests).data, 0x32u);
    EXPECT_EQ(registers.message(Ring::guest_apic).address, 0xFEE0'3000u);
    EXPECT_EQ(registers.message(Ring::guest_apic).data, 0x33u);
}

} // namespace
} // namespace iommusim::amdvi
