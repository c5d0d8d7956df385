// The register file against the chapter "Register Descriptions". Offsets and values are literals on purpose.
#include "register_bench.h"

namespace iommusim::vtd {
namespace {

using namespace spec;

constexpr std::uint32_t te = 0x8000'0000;
constexpr std::uint32_t srtp = 0x4000'0000;
constexpr std::uint32_t wbf = 0x0800'0000;
constexpr std::uint32_t qie = 0x0400'0000;
constexpr std::uint32_t ire = 0x0200'0000;
constexpr std::uint32_t sirtp = 0x0100'0000;

Features with_write_buffers() {
    Features f;
    f.write_buffers = true;
    f.srtp_invalidates = false;
    return f;
}

/// A legacy-mode unit without queue, interrupt remapping and protected memory.
Features registers_only() {
    Features f;
    f.scalable_mode = f.first_stage = f.second_stage = f.nested = f.second_stage_accessed_dirty = false;
    f.first_stage_1g = f.first_stage_5_level = f.extended_accessed_flag = f.supervisor_requests = false;
    f.page_walk_snoop = f.pasid = f.rid_pasid = f.rid_priv = false;
    f.queued_invalidation = f.device_tlb = f.no_write_flag = f.page_requests = f.page_request_drain = false;
    f.interrupt_remapping = f.x2apic = f.posted_interrupts = f.sirtp_invalidates = false;
    f.max_interrupt_mask = 0;
    f.protected_low_memory = f.protected_high_memory = false;
    return f;
}

Features version_6() {
    Features f;
    f.version_major = 6;
    return f;
}

using Reset = RegisterBench;
using AccessForm = RegisterBench;
using GlobalCommand = RegisterBench;
using TablePointer = RegisterBench;
using RegisterInvalidation = RegisterBench;
using FaultStatus = RegisterBench;
using FaultRecords = RegisterBench;
using Events = RegisterBench;
using InvalidationQueueRegisters = RegisterBench;
using PageRequestRegisters = RegisterBench;
using ProtectedMemory = RegisterBench;

struct WriteBufferBench : RegisterBench {
    WriteBufferBench() : RegisterBench(with_write_buffers()) {}
};
struct RegistersOnlyBench : RegisterBench {
    RegistersOnlyBench() : RegisterBench(registers_only()) {}
};
struct Version6Bench : RegisterBench {
    Version6Bench() : RegisterBench(version_6()) {}
};

using WriteBuffers = WriteBufferBench;
using AbsentFeatures = RegistersOnlyBench;
using RegisterInvalidationOfVersion6 = Version6Bench;

// --- Reset and access forms
// ---------------------------------------------------------------------------------

TEST_F(Reset, GivesTheArchitectedValues) {
    for (std::uint64_t offset :
         {0x18, 0x1C, 0x34, 0x3C, 0x40, 0x44, 0x64, 0x68, 0x6C, 0x9C, 0xA4, 0xDC, 0xE4})
        EXPECT_EQ(read(offset), 0u) << std::hex << offset;
    for (std::uint64_t offset :
         {0x20, 0x28, 0x70, 0x78, 0x80, 0x88, 0x90, 0xB0, 0xB8, 0xC0, 0xC8, 0xD0, 0x220, 0x228, 0x500, 0x508})
        EXPECT_EQ(read(offset, 8), 0u) << std::hex << offset;
    for (std::uint64_t offset : {0x38, 0xA0, 0xE0})
        EXPECT_EQ(read(offset), 0x8000'0000u) << "events are masked " << std::hex << offset;
    EXPECT_EQ(diagnostics(), 0u);
}

TEST_F(Reset, UndoesWhatHappened) {
    write(0x90, 0x1234'5801, 8); // 256-bit descriptors
    write(0x20, 0x7000, 8);
    command(srtp);
    command(te);
    EXPECT_FALSE(registers.set_queue_error(iqercd::iqei_invalid_type)) << "masked";
    registers.reset();
    for (std::uint64_t offset : {0x1C, 0x34, 0x90, 0x20, 0xB0})
        EXPECT_EQ(read(offset), 0u) << std::hex << offset;
    EXPECT_EQ(read(0x38), 0x8000'0000u) << "nothing pending";
    EXPECT_NE(read(0x08, 8), 0u) << "capability registers keep their value";
    EXPECT_EQ(registers.root_table().base, 0u);
    write(0x88, 0x10);
    EXPECT_EQ(read(0x88), 0x10u) << "128-bit descriptors again";
}

TEST_F(AccessForm, AllowsA64BitRegisterAsTwoHalves) {
    write(0x20, 0x4567'8400);
    write(0x24, 0x123);
    EXPECT_EQ(read(0x20, 8), 0x123'4567'8400u);
    EXPECT_EQ(read(0x20), 0x4567'8400u);
    EXPECT_EQ(read(0x24), 0x123u);
    write(0x20, 0x5000); // the upper half stays
    EXPECT_EQ(read(0x20, 8), 0x123'0000'5000u);
}

TEST_F(AccessForm, RejectsOtherSizesAndMisalignment) {
    write(0x20, 0x5000, 8);
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
    EXPECT_EQ(read(0x20, 8), 0x5000u);
}

TEST_F(AccessForm, RejectsA64BitAccessToTwo32BitRegisters) {
    std::uint64_t value = ~0ull;
    EXPECT_FALSE(registers.read(0x18, 8, value));
    EXPECT_EQ(value, 0u);
    EXPECT_FALSE(registers.write(0x18, 8, te));
    EXPECT_FALSE(registers.write(0x38, 8, 0));
    EXPECT_TRUE(recorder.global_commands.empty());
    EXPECT_EQ(read(0x38), 0x8000'0000u);
    EXPECT_EQ(diagnostics(), 3u);
}

TEST_F(AccessForm, ReadsZeroWhereNoRegisterIs) {
    // Holes, advanced fault log, memory type ranges, performance monitoring, enhanced and virtual commands,
    // beyond.
    for (std::uint64_t offset :
         {0x4ull, 0x30ull, 0x48ull, 0x58ull, 0x98ull, 0xD8ull, 0xF0ull, 0x100ull, 0x180ull, 0x300ull,
          0x400ull, 0x510ull, 0xE00ull, 0xFFCull, 0x1000ull, ~7ull}) {
        write(offset, 0xFFFF'FFFF);
        EXPECT_EQ(read(offset), 0u) << std::hex << offset;
    }
    EXPECT_EQ(diagnostics(), 0u);
}

TEST_F(AccessForm, KeepsReadOnlyRegisters) {
    for (std::uint64_t offset : {0x00, 0x08, 0x0C, 0x10, 0x14, 0x1C, 0x80, 0xB0, 0xB4, 0x220, 0x224}) {
        const std::uint64_t before = read(offset);
        write(offset, ~before);
        EXPECT_EQ(read(offset), before) << std::hex << offset;
    }
}

TEST_F(AccessForm, KeepsReservedBitsZero) {
    const std::pair<std::uint64_t, std::uint64_t> narrow[] = {
        {0x3C, 0xFFFF},      {0x40, 0xFFFF'FFFC}, {0x44, 0xFFFF'FFFF}, {0x68, 0xFFE0'0000},
        {0x6C, 0xFFE0'0000}, {0xA4, 0xFFFF},      {0xA8, 0xFFFF'FFFC}, {0xAC, 0xFFFF'FFFF},
        {0xE4, 0xFFFF},      {0xE8, 0xFFFF'FFFC}, {0xEC, 0xFFFF'FFFF}, {0x64, 0x8000'0000},
        {0x38, 0x8000'0000}};
    for (auto [offset, implemented] : narrow) {
        write(offset, 0xFFFF'FFFF);
        EXPECT_EQ(read(offset), implemented) << std::hex << offset;
    }
    const std::pair<std::uint64_t, std::uint64_t> wide[] = {
        {0x20, 0x3FFF'FFFF'FC00}, {0x70, 0x3FFF'FFE0'0000}, {0x78, 0x3FFF'FFE0'0000},
        {0x90, 0x3FFF'FFFF'F807}, {0x88, 0x7'FFE0},         {0xB8, 0x3FFF'FFFF'F80F},
        {0xC0, 0x7'FFE0},         {0xC8, 0x7'FFE0},         {0xD0, 0x3FFF'FFFF'F007}};
    for (auto [offset, implemented] : wide) {
        write(offset, ~0ull, 8);
        EXPECT_EQ(read(offset, 8), implemented) << std::hex << offset << ": 46 host address bits";
    }
}

TEST_F(AbsentFeatures, HaveNoRegisters) {
    // Upper message addresses, protected memory, the queue, interrupt table, page requests.
    for (std::uint64_t offset : {0x44, 0x64, 0x68, 0x6C, 0x70, 0x78, 0x80, 0x88, 0x90, 0x9C, 0xA0, 0xA4,
                                 0xA8, 0xAC, 0xB0, 0xB8, 0xC0, 0xC8, 0xD0, 0xDC, 0xE0, 0xE4, 0xE8, 0xEC}) {
        write(offset, 0xFFFF'FFFF);
        EXPECT_EQ(read(offset), 0u) << std::hex << offset;
    }
    EXPECT_EQ(recorder.tails + recorder.queue_addresses + recorder.protected_memory_changes, 0u);
    EXPECT_EQ(diagnostics(), 0u);
}

TEST_F(AbsentFeatures, HaveNoGlobalCommands) {
    for (std::uint32_t absent :
         {qie, ire, sirtp, wbf, 0x0080'0000u, 0x1000'0000u, 0x2000'0000u, 0x007F'FFFFu})
        write(0x18, absent);
    EXPECT_TRUE(recorder.global_commands.empty());
    EXPECT_EQ(read(0x1C), 0u);
}

// --- Global command
// -----------------------------------------------------------------------------------------

TEST_F(GlobalCommand, IsWriteOnly) {
    write(0x18, qie);
    EXPECT_EQ(read(0x18), 0u);
    EXPECT_EQ(registers.enables(), qie);
}

TEST_F(GlobalCommand, TellsWhichEnableChangedAndShowsItWhenAcknowledged) {
    write(0x18, qie);
    ASSERT_EQ(recorder.global_commands.size(), 1u);
    EXPECT_EQ(recorder.global_commands[0], (std::pair{qie, qie}));
    EXPECT_EQ(read(0x1C), 0u);
    registers.acknowledge_enables(te);
    EXPECT_EQ(read(0x1C), 0u) << "another enable";
    registers.acknowledge_enables(qie);
    EXPECT_EQ(read(0x1C), qie);
    write(0x18, 0);
    EXPECT_EQ(recorder.global_commands.back(), (std::pair{qie, 0u}));
    EXPECT_EQ(read(0x1C), qie);
    registers.acknowledge_enables(~0u);
    EXPECT_EQ(read(0x1C), 0u);
    EXPECT_EQ(diagnostics(), 0u);
}

TEST_F(GlobalCommand, IsSilentWhenNothingChanges) {
    command(qie);
    write(0x18, qie);
    EXPECT_EQ(recorder.global_commands.size(), 1u);
}

TEST_F(GlobalCommand, ActsOnOneShotsEachTimeTheyAreWritten) {
    write(0x18, srtp);
    registers.latch_root_table();
    write(0x18, srtp);
    EXPECT_EQ(recorder.global_commands,
              (std::vector<std::pair<std::uint32_t, std::uint32_t>>{{srtp, 0}, {srtp, 0}}));
    EXPECT_EQ(registers.enables(), 0u);
    registers.latch_root_table();
    EXPECT_EQ(diagnostics(), 0u);
}

TEST_F(GlobalCommand, ComplainsAboutSeveralFieldsInOneWrite) {
    write(0x18, qie | ire);
    EXPECT_EQ(recorder.global_commands.back(), (std::pair{qie | ire, qie | ire}));
    EXPECT_EQ(diagnostics(), 1u);
}

TEST_F(GlobalCommand, ComplainsAboutAChangeBeforeTheLastOneIsShown) {
    write(0x18, qie);
    write(0x18, 0);
    EXPECT_EQ(diagnostics(), 1u);
    EXPECT_EQ(registers.enables(), 0u);
    write(0x18, srtp);
    write(0x18, srtp);
    EXPECT_EQ(diagnostics(), 2u);
}

TEST_F(GlobalCommand, ComplainsAboutTranslationWithoutARootTable) {
    write(0x18, te);
    EXPECT_EQ(diagnostics(), 1u);
    registers.reset();
    command(srtp);
    command(te);
    EXPECT_EQ(diagnostics(), 1u);
    EXPECT_EQ(read(0x1C), te | srtp);
}

TEST_F(GlobalCommand, ComplainsWhenANonEmptyQueueIsDisabled) {
    command(qie);
    write(0x88, 0x40, 8);
    command(0, qie);
    EXPECT_EQ(diagnostics(), 1u);
}

TEST_F(GlobalCommand, ZeroesTheQueueHeadWhenTheQueueIsOff) {
    command(qie);
    write(0x88, 0x40, 8);
    registers.set_invalidation_head(0x40);
    EXPECT_EQ(read(0x80, 8), 0x40u);
    write(0x18, 0);
    EXPECT_EQ(read(0x80, 8), 0x40u) << "not before it is off";
    registers.acknowledge_enables(qie);
    EXPECT_EQ(read(0x80, 8), 0u);
    EXPECT_EQ(diagnostics(), 0u);
}

TEST_F(WriteBuffers, ShowTheFlushWhileItLasts) {
    write(0x18, wbf);
    EXPECT_EQ(recorder.global_commands.back(), (std::pair{wbf, 0u}));
    EXPECT_EQ(read(0x1C), wbf);
    registers.complete_write_buffer_flush();
    EXPECT_EQ(read(0x1C), 0u);
}

TEST_F(GlobalCommand, IgnoresTheFlushWithoutWriteBuffers) {
    write(0x18, wbf);
    EXPECT_TRUE(recorder.global_commands.empty());
    EXPECT_EQ(read(0x1C), 0u);
}

// --- Table pointers
// -----------------------------------------------------------------------------------------

TEST_F(TablePointer, OfTheRootTableCountsOnlyOnceLatched) {
    write(0x20, 0x12'3456'7400, 8);
    EXPECT_EQ(registers.root_table().base, 0u);
    write(0x18, srtp);
    EXPECT_EQ(read(0x1C), 0u);
    registers.latch_root_table();
    EXPECT_EQ(read(0x1C), srtp);
    EXPECT_EQ(registers.root_table().base, 0x12'3456'7000u);
    EXPECT_EQ(registers.root_table().mode, rtaddr::ttm_scalable);
    write(0x20, 0x9000, 8);
    EXPECT_EQ(registers.root_table().base, 0x12'3456'7000u);
    EXPECT_EQ(read(0x20, 8), 0x9000u) << "reads give what was last written";
}

TEST_F(TablePointer, StatusGoesAwayWithTheCommandAndComesBackWhenItIsDone) {
    command(srtp);
    EXPECT_EQ(read(0x1C), srtp);
    write(0x18, srtp);
    EXPECT_EQ(read(0x1C), 0u);
    registers.latch_root_table();
    EXPECT_EQ(read(0x1C), srtp);
    command(sirtp);
    write(0x18, sirtp);
    EXPECT_EQ(read(0x1C), srtp);
    registers.latch_interrupt_table();
    EXPECT_EQ(read(0x1C), srtp | sirtp);
}

TEST_F(TablePointer, OfTheInterruptTableCountsOnlyOnceLatched) {
    EXPECT_EQ(registers.interrupt_table().entries, 0u);
    write(0xB8, 0x1'2345'680F, 8);
    EXPECT_EQ(registers.interrupt_table().entries, 0u);
    command(sirtp);
    EXPECT_EQ(registers.interrupt_table().base, 0x1'2345'6000u);
    EXPECT_EQ(registers.interrupt_table().entries, 65536u);
    EXPECT_TRUE(registers.interrupt_table().x2apic);
}

TEST_F(TablePointer, ComplainsWhenTheInterruptModeChangesWhileRemapping) {
    command(sirtp);
    command(ire);
    command(sirtp);
    EXPECT_EQ(diagnostics(), 0u);
    write(0xB8, 0x800, 8);
    command(sirtp);
    EXPECT_EQ(diagnostics(), 1u);
}

TEST_F(TablePointer, MayChangeTheModeWhileTranslatingIfItInvalidates) {
    command(srtp);
    command(te);
    write(0x20, 0x400, 8);
    command(srtp);
    EXPECT_EQ(diagnostics(), 0u);
}

TEST_F(WriteBuffers, UnitsThatDoNotInvalidateOnSrtpComplainAboutAModeChangeWhileTranslating) {
    command(srtp);
    command(te);
    command(srtp);
    EXPECT_EQ(diagnostics(), 0u) << "the same mode";
    write(0x20, 0x400, 8);
    command(srtp);
    EXPECT_EQ(diagnostics(), 1u);
}

// --- Register-based invalidation
// ----------------------------------------------------------------------------

TEST_F(RegisterInvalidation, OfContextsStartsWithTheWriteOfTheTopByte) {
    write(0x28, 0x00E8'0012);
    EXPECT_EQ(recorder.context_commands, 0u);
    write(0x2C, 0xE000'0003);
    EXPECT_EQ(recorder.context_commands, 1u);
    const ContextCommand c = registers.context_command();
    EXPECT_EQ(c.granularity, ccmd::granularity_device);
    EXPECT_EQ(c.domain, 0x12u);
    EXPECT_EQ(c.source, 0xE8u);
    EXPECT_EQ(c.function_mask, 3u);
    EXPECT_EQ(read(0x28, 8), 0xE000'0003'00E8'0012u) << "busy";
    registers.complete_context_command(ccmd::granularity_domain);
    EXPECT_EQ(read(0x28, 8), 0x7000'0003'00E8'0012u) << "coarser than asked";
    write(0x28, 0xA000'0000'0000'0000, 8);
    EXPECT_EQ(recorder.context_commands, 2u) << "whole register";
    EXPECT_EQ(diagnostics(), 0u);
}

TEST_F(RegisterInvalidation, DoesNotStartWithoutItsStartBit) {
    write(0x28, 0x2000'0000'0000'0000, 8);
    write(0x508, 0x1000'0000'0000'0000, 8);
    EXPECT_EQ(recorder.context_commands + recorder.iotlb_commands, 0u);
    EXPECT_EQ(read(0x28, 8), 0x2000'0000'0000'0000u);
}

TEST_F(RegisterInvalidation, OfPagesTakesTheAddressRegister) {
    write(0x500, 0x1234'5000 | 0x40 | 9, 8);
    EXPECT_EQ(read(0x500, 8), 0u) << "write-only";
    write(0x508, 0xB003'0012'0000'0000, 8);
    ASSERT_EQ(recorder.iotlb_commands, 1u);
    const IotlbCommand c = registers.iotlb_command();
    EXPECT_EQ(c.granularity, iotlb::granularity_page);
    EXPECT_EQ(c.domain, 0x12u);
    EXPECT_TRUE(c.drain_reads);
    EXPECT_TRUE(c.drain_writes);
    EXPECT_EQ(c.address, 0x1234'5000u);
    EXPECT_EQ(c.address_mask, 9u);
    EXPECT_TRUE(c.leaf_only);
    registers.complete_iotlb_command(iotlb::granularity_page);
    EXPECT_EQ(read(0x508, 8), 0x3603'0012'0000'0000u);
}

TEST_F(RegisterInvalidation, StartsWithTheUpperHalfOfTheIotlbRegisterOnly) {
    write(0x508, 0xFFFF'FFFF);
    EXPECT_EQ(recorder.iotlb_commands, 0u);
    write(0x50C, 0x9001'0007);
    EXPECT_EQ(recorder.iotlb_commands, 1u);
    EXPECT_EQ(registers.iotlb_command().domain, 7u);
    EXPECT_FALSE(registers.iotlb_command().drain_reads);
}

TEST_F(RegisterInvalidation, IgnoresWritesWhileItIsBusy) {
    write(0x28, 0xA000'0000'0000'0000, 8);
    write(0x28, 0x77);
    write(0x28, 0xC000'0000'0000'0005, 8);
    EXPECT_EQ(read(0x28, 8), 0xA000'0000'0000'0000u);
    EXPECT_EQ(recorder.context_commands, 1u);
    EXPECT_EQ(diagnostics(), 2u);
}

TEST_F(RegisterInvalidation, IsRefusedWhileTheQueueIsEnabled) {
    command(qie);
    write(0x28, 0xA000'0000'0000'0000, 8);
    write(0x508, 0x9000'0000'0000'0000, 8);
    EXPECT_EQ(recorder.context_commands + recorder.iotlb_commands, 0u);
    EXPECT_EQ(read(0x28, 8), 0x2000'0000'0000'0000u) << "not busy, actual granularity 0";
    EXPECT_EQ(read(0x508, 8), 0x1000'0000'0000'0000u);
    EXPECT_EQ(diagnostics(), 2u);
}

TEST_F(RegisterInvalidation, OfContextsIsRefusedInScalableMode) {
    write(0x20, 0x400, 8);
    command(srtp);
    write(0x28, 0xA000'0000'0000'0000, 8);
    EXPECT_EQ(recorder.context_commands, 0u);
    EXPECT_EQ(diagnostics(), 1u);
    write(0x508, 0x9000'0000'0000'0000, 8);
    EXPECT_EQ(recorder.iotlb_commands, 1u);
}

TEST_F(RegisterInvalidation, IsRefusedWithAReservedGranularity) {
    write(0x28, 0x8000'0000'0000'0000, 8);
    write(0x508, 0x8000'0000'0000'0000, 8);
    EXPECT_EQ(recorder.context_commands + recorder.iotlb_commands, 0u);
    EXPECT_EQ(read(0x28, 8) | read(0x508, 8), 0u);
    EXPECT_EQ(diagnostics(), 2u);
}

TEST_F(RegisterInvalidation, IsRefusedWithTooLargeAnAddressMask) {
    write(0x500, 19, 8);
    write(0x508, 0xB000'0000'0000'0000, 8);
    EXPECT_EQ(recorder.iotlb_commands, 0u);
    EXPECT_EQ(iotlb::iaig.get(read(0x508, 8)), 0u);
    EXPECT_EQ(diagnostics(), 1u);
    write(0x508, 0xA000'0000'0000'0000, 8);
    EXPECT_EQ(recorder.iotlb_commands, 1u) << "counts for pages only";
}

TEST_F(RegisterInvalidationOfVersion6, HasNoRegisters) {
    for (std::uint64_t offset : {0x28, 0x500, 0x508}) {
        write(offset, ~0ull, 8);
        EXPECT_EQ(read(offset, 8), 0u) << std::hex << offset;
    }
    EXPECT_EQ(recorder.context_commands + recorder.iotlb_commands, 0u);
}

// --- Fault status
// -------------------------------------------------------------------------------------------

TEST_F(FaultStatus, IsClearedByWritingOnes) {
    EXPECT_FALSE(registers.set_queue_error(iqercd::iqei_fetch_error));
    EXPECT_FALSE(registers.set_invalidation_timeout(0x1234));
    EXPECT_FALSE(registers.set_invalidation_completion_error(0x5678));
    registers.set_fault_overflow();
    EXPECT_EQ(read(0x34), 0x71u);
    write(0x34, 0x10);
    EXPECT_EQ(read(0x34), 0x61u);
    write(0x34, 0);
    EXPECT_EQ(read(0x34), 0x61u);
    write(0x34, 0xFFFF'FFFF);
    EXPECT_EQ(read(0x34), 0u);
    EXPECT_EQ(recorder.cleared_fault_status, (std::vector<std::uint32_t>{0x10, 0x61}));
}

TEST_F(FaultStatus, RecordsWhyTheQueueStopped) {
    EXPECT_FALSE(registers.set_queue_error(iqercd::iqei_reserved_field));
    EXPECT_FALSE(registers.set_invalidation_timeout(0x1234));
    EXPECT_FALSE(registers.set_invalidation_completion_error(0x5678));
    EXPECT_EQ(read(0xB0, 8), 0x5678'1234'0000'0004u);
    EXPECT_FALSE(registers.set_invalidation_timeout(0x1111));
    EXPECT_FALSE(registers.set_invalidation_completion_error(0x2222));
    EXPECT_EQ(read(0xB0, 8), 0x5678'1234'0000'0004u) << "the first one while the status is set";
    write(0x34, 0x60);
    EXPECT_FALSE(registers.set_invalidation_timeout(0x1111));
    EXPECT_EQ(read(0xB0, 8), 0x5678'1111'0000'0004u);
}

constexpr std::array<std::uint64_t, 2> read_fault{0x1234'5000, 0x4000'0006'0000'00E8};

TEST_F(FaultRecords, SetPendingFaultAndTheIndexOfTheFirst) {
    EXPECT_FALSE(registers.store_fault_record(2, read_fault));
    EXPECT_EQ(read(0x34), 0x0202u);
    EXPECT_EQ(read(0x240, 8), 0x1234'5000u);
    EXPECT_EQ(read(0x248, 8), 0xC000'0006'0000'00E8u);
    EXPECT_TRUE(registers.fault_record_pending(2));
    EXPECT_FALSE(registers.fault_record_pending(3));
    EXPECT_EQ(registers.fault_record_source(2), 0xE8u);
    EXPECT_FALSE(registers.store_fault_record(3, read_fault));
    EXPECT_EQ(read(0x34), 0x0202u) << "FRI is loaded when PPF becomes 1";
}

TEST_F(FaultRecords, AreClearedByWritingOneToF) {
    EXPECT_FALSE(registers.store_fault_record(6, read_fault));
    EXPECT_FALSE(registers.store_fault_record(7, read_fault));
    write(0x34, 0xFFFF'FFFF);
    EXPECT_EQ(read(0x34), 0x0602u) << "PPF and FRI are read-only";
    write(0x288, 0xFFFF'FFFF); // the lower half of the upper word has no F
    EXPECT_TRUE(registers.fault_record_pending(6));
    write(0x28C, 0x8000'0000);
    EXPECT_FALSE(registers.fault_record_pending(6));
    EXPECT_EQ(read(0x288, 8), 0x4000'0006'0000'00E8u) << "the rest of the record stays";
    EXPECT_EQ(read(0x34) & 2, 2u) << "record 7 is pending";
    write(0x298, 0x8000'0000'0000'0000, 8);
    EXPECT_EQ(read(0x34) & 2, 0u);
    EXPECT_EQ(recorder.cleared_fault_records, (std::vector<unsigned>{6, 7}));
    write(0x29C, 0x8000'0000);
    EXPECT_EQ(recorder.cleared_fault_records.size(), 2u) << "already clear";
    EXPECT_FALSE(registers.store_fault_record(0, read_fault));
    EXPECT_EQ(read(0x34), 0x0002u) << "a new first record";
}

// --- Events
// -------------------------------------------------------------------------------------------------

TEST_F(Events, AreSentAtOnceWhenUnmasked) {
    write(0x38, 0);
    EXPECT_TRUE(registers.store_fault_record(0, read_fault));
    EXPECT_EQ(read(0x38), 0u) << "not pending: the message is sent";
    EXPECT_EQ(recorder.fault_messages, 0u) << "by whoever raised it";
}

TEST_F(Events, StayPendingWhileMaskedAndAreSentByUnmasking) {
    EXPECT_FALSE(registers.store_fault_record(0, read_fault));
    EXPECT_EQ(read(0x38), 0xC000'0000u);
    write(0x38, 0x8000'0000);
    EXPECT_EQ(read(0x38), 0xC000'0000u);
    EXPECT_EQ(recorder.fault_messages, 0u);
    write(0x38, 0);
    EXPECT_EQ(recorder.fault_messages, 1u);
    EXPECT_EQ(read(0x38), 0u);
    write(0x38, 0x8000'0000);
    write(0x38, 0);
    EXPECT_EQ(recorder.fault_messages, 1u) << "only once";
}

TEST_F(Events, AreWithdrawnWhenSoftwareClearsAllStatusFirst) {
    EXPECT_FALSE(registers.store_fault_record(0, read_fault));
    EXPECT_FALSE(registers.set_queue_error(iqercd::iqei_invalid_type));
    registers.set_fault_overflow();
    write(0x22C, 0x8000'0000);
    write(0x34, 0x10);
    EXPECT_EQ(read(0x38), 0xC000'0000u) << "the overflow is still pending";
    write(0x34, 0x01);
    EXPECT_EQ(read(0x38), 0x8000'0000u);
    write(0x38, 0);
    EXPECT_EQ(recorder.fault_messages, 0u);
}

TEST_F(Events, AreNotRaisedAgainWhileAConditionIsPending) {
    write(0x38, 0);
    EXPECT_TRUE(registers.set_queue_error(iqercd::iqei_invalid_type));
    EXPECT_FALSE(registers.store_fault_record(0, read_fault));
    EXPECT_FALSE(registers.set_invalidation_timeout(0));
    write(0x34, 0x50);
    EXPECT_FALSE(registers.set_queue_error(iqercd::iqei_invalid_type)) << "PPF is still set";
    write(0x34, 0x10);
    write(0x22C, 0x8000'0000);
    EXPECT_TRUE(registers.set_invalidation_completion_error(0));
}

TEST_F(Events, AreNeverRaisedByAnOverflow) {
    write(0x38, 0);
    registers.set_fault_overflow();
    EXPECT_EQ(read(0x38), 0u);
    EXPECT_TRUE(registers.store_fault_record(0, read_fault)) << "nor kept away by one";
}

TEST_F(Events, OfCompletionsFollowTheWaitStatus) {
    EXPECT_FALSE(registers.set_completion_status());
    EXPECT_EQ(read(0x9C), 1u);
    EXPECT_EQ(read(0xA0), 0xC000'0000u);
    write(0xA0, 0);
    EXPECT_EQ(recorder.completion_messages, 1u);
    EXPECT_FALSE(registers.set_completion_status()) << "IWC is still set";
    write(0x9C, 1);
    EXPECT_EQ(read(0x9C), 0u);
    EXPECT_EQ(recorder.cleared_completions, 1u);
    EXPECT_TRUE(registers.set_completion_status());
    write(0x9C, 1);
    write(0xA0, 0x8000'0000);
    EXPECT_FALSE(registers.set_completion_status());
    write(0x9C, 1);
    EXPECT_EQ(read(0xA0), 0x8000'0000u) << "withdrawn";
}

TEST_F(Events, OfPageRequestsFollowBothStatusBits) {
    write(0xE0, 0);
    EXPECT_TRUE(registers.set_page_request_status(prs::ppr));
    EXPECT_FALSE(registers.set_page_request_status(prs::pro)) << "PPR is still set";
    EXPECT_EQ(read(0xDC), 3u);
    write(0xDC, 1);
    EXPECT_FALSE(registers.set_page_request_status(prs::ppr)) << "PRO is still set";
    write(0xDC, 3);
    EXPECT_EQ(recorder.cleared_page_request_status, (std::vector<std::uint32_t>{1, 3}));
    write(0xE0, 0x8000'0000);
    EXPECT_FALSE(registers.set_page_request_status(prs::pro));
    EXPECT_EQ(read(0xE0), 0xC000'0000u);
    write(0xE0, 0);
    EXPECT_EQ(recorder.page_messages, 1u);
    EXPECT_EQ(recorder.fault_messages + recorder.completion_messages, 0u);
}

TEST_F(Events, ArePendingOnlyUntilTheirStatusIsCleared) {
    EXPECT_FALSE(registers.set_page_request_status(prs::ppr));
    EXPECT_FALSE(registers.set_page_request_status(prs::pro));
    write(0xDC, 1);
    EXPECT_EQ(read(0xE0), 0xC000'0000u);
    write(0xDC, 2);
    EXPECT_EQ(read(0xE0), 0x8000'0000u);
}

TEST_F(Events, HaveMessagesOfTheirOwn) {
    for (std::uint64_t first : {0x3Cull, 0xA4ull, 0xE4ull}) {
        write(first, 0x4000 + first);
        write(first + 4, 0xFEE0'0000 + 0x1000 * first);
        write(first + 8, first << 8);
    }
    EXPECT_EQ(registers.fault_message().data, 0x403Cu);
    EXPECT_EQ(registers.fault_message().address, 0x3C00'FEE3'C000u);
    EXPECT_EQ(registers.completion_message().address, 0xA400'FEEA'4000u);
    EXPECT_EQ(registers.page_message().data, 0x40E4u);
    EXPECT_EQ(registers.page_message().address, 0xE400'FEEE'4000u);
}

// --- Queues
// -------------------------------------------------------------------------------------------------

TEST_F(InvalidationQueueRegisters, DescribeTheQueue) {
    write(0x90, 0x1234'5803, 8);
    EXPECT_EQ(registers.invalidation_queue().base, 0x1234'5000u);
    EXPECT_EQ(registers.invalidation_queue().bytes, 0x8000u);
    EXPECT_EQ(registers.invalidation_queue().element_bytes, 32u);
    write(0x90, 0x1234'5000, 8);
    EXPECT_EQ(registers.invalidation_queue().bytes, 0x1000u);
    EXPECT_EQ(registers.invalidation_queue().element_bytes, 16u);
    EXPECT_EQ(recorder.queue_addresses, 2u);
}

TEST_F(InvalidationQueueRegisters, StartAgainWhenTheAddressIsWritten) {
    for (std::uint64_t half : {0x90, 0x94}) {
        write(0x88, 0x30);
        registers.set_invalidation_head(0x20);
        write(half, 0);
        EXPECT_EQ(read(0x80, 8), 0u);
        EXPECT_EQ(read(0x88, 8), 0u);
    }
    EXPECT_EQ(recorder.queue_addresses, 2u);
    EXPECT_EQ(diagnostics(), 0u);
}

TEST_F(InvalidationQueueRegisters, ComplainAboutANewAddressWhileEnabled) {
    command(qie);
    write(0x90, 0x5000, 8);
    EXPECT_EQ(diagnostics(), 1u);
}

TEST_F(InvalidationQueueRegisters, TellEveryTailAndLeaveItsCheckToTheQueue) {
    write(0x88, 0x7'FFF0);
    write(0x88, 0x7'FFF0, 8);
    EXPECT_EQ(recorder.tails, 2u);
    EXPECT_EQ(registers.invalidation_tail(), 0x7'FFF0u);
    EXPECT_EQ(diagnostics(), 0u);
}

TEST_F(InvalidationQueueRegisters, HideHalfASlotOf256BitDescriptorsFromSoftwareOnly) {
    write(0x90, 0x5800, 8);
    write(0x88, 0x30, 8);
    EXPECT_EQ(read(0x88, 8), 0x20u);
    EXPECT_EQ(registers.invalidation_tail(), 0x30u) << "the queue reports it";
}

TEST_F(PageRequestRegisters, DescribeTheQueue) {
    write(0xD0, 0x1234'5004, 8);
    EXPECT_EQ(registers.page_request_queue().base, 0x1234'5000u);
    EXPECT_EQ(registers.page_request_queue().bytes, 0x1'0000u);
    write(0xC0, 0x40, 8);
    write(0xC8, 0x60, 8);
    EXPECT_EQ(registers.page_request_head(), 0x40u);
    EXPECT_EQ(registers.page_request_tail(), 0x60u);
    registers.set_page_request_tail(0x80);
    EXPECT_EQ(read(0xC8, 8), 0x80u);
    EXPECT_EQ(recorder.page_request_heads, 1u);
    EXPECT_EQ(recorder.page_request_queues, 2u);
}

// --- Protected memory
// ---------------------------------------------------------------------------------------

TEST_F(ProtectedMemory, IsOnWhenTheUnitSaysSo) {
    write(0x64, 0x8000'0001);
    EXPECT_EQ(read(0x64), 0x8000'0000u) << "PRS is read-only";
    EXPECT_EQ(recorder.protected_memory_changes, 1u);
    registers.acknowledge_protected_memory();
    EXPECT_EQ(read(0x64), 0x8000'0001u);
    write(0x64, 0x8000'0000);
    EXPECT_EQ(recorder.protected_memory_changes, 1u) << "no change";
    write(0x64, 0);
    EXPECT_TRUE(registers.protection_enabled());
    registers.acknowledge_protected_memory();
    EXPECT_EQ(read(0x64), 0u);
}

TEST_F(ProtectedMemory, CoversWhole2MbBlocksOfBothRegions) {
    write(0x68, 0x0020'0000);
    write(0x6C, 0x0040'0000);
    write(0x70, 0x1'0000'0000, 8);
    write(0x78, 0x1'0000'0000, 8);
    EXPECT_FALSE(registers.is_protected(0x20'0000, 0x20'0000)) << "not enabled";
    write(0x64, 0x8000'0000);
    registers.acknowledge_protected_memory();
    EXPECT_FALSE(registers.is_protected(0, 0x1F'FFFF));
    EXPECT_TRUE(registers.is_protected(0x1F'FFFF, 0x20'0000));
    EXPECT_TRUE(registers.is_protected(0x5F'FFFF, 0x5F'FFFF));
    EXPECT_FALSE(registers.is_protected(0x60'0000, 0xFFFF'FFFF));
    EXPECT_TRUE(registers.is_protected(0x1'001F'FFFF, 0x1'001F'FFFF));
    EXPECT_FALSE(registers.is_protected(0x1'0020'0000, 0x1'0020'0000));
    EXPECT_TRUE(registers.is_protected(0, ~0ull));
}

TEST_F(ProtectedMemory, HasNoRegionWhoseLimitIsBelowItsBase) {
    write(0x68, 0x0040'0000);
    write(0x6C, 0x0020'0000);
    write(0x70, 0x1'0000'0000, 8);
    write(0x64, 0x8000'0000);
    registers.acknowledge_protected_memory();
    EXPECT_FALSE(registers.is_protected(0, ~0ull));
    EXPECT_LT(registers.protected_low_memory().last, registers.protected_low_memory().first);
}

TEST_F(ProtectedMemory, KeepsItsRegionsWhileEnabled) {
    write(0x64, 0x8000'0000);
    registers.acknowledge_protected_memory();
    for (std::uint64_t offset : {0x68, 0x6C, 0x70, 0x78}) {
        write(offset, 0x0060'0000);
        EXPECT_EQ(read(offset), 0u) << std::hex << offset;
    }
    EXPECT_EQ(diagnostics(), 4u);
    write(0x68, 0);
    EXPECT_EQ(diagnostics(), 4u) << "the same value";
}

} // namespace
} // namespace iommusim::vtd
