// The register file against chapter 6 of the specification. Offsets and values are literals on purpose.
#include "models/smmuv3/spec/commands.h"
#include "register_bench.h"

namespace iommusim::smmuv3 {
namespace {

using namespace spec;

constexpr std::uint32_t smmuen = 0x1;
constexpr std::uint32_t eventqen = 0x4;
constexpr std::uint32_t cmdqen = 0x8;

using Reset = RegisterBench;
using AccessForm = RegisterBench;
using GuardedRegister = RegisterBench;
using Cr0 = RegisterBench;
using IrqCtrl = RegisterBench;
using Gbpa = RegisterBench;
using Gerror = RegisterBench;
using StreamTable = RegisterBench;
using CommandQueue = RegisterBench;
using EventQueue = RegisterBench;
using Interrupts = RegisterBench;

TEST_F(Reset, ClearsEveryWritableRegister) {
    for (std::uint64_t offset : {0x20, 0x24, 0x28, 0x2C, 0x40, 0x44, 0x50, 0x54, 0x60, 0x64, 0x70, 0x74, 0x88,
                                 0x98, 0x9C, 0xB8, 0xBC, 0x100A8, 0x100AC})
        EXPECT_EQ(read(offset), 0u) << std::hex << offset;
    for (std::uint64_t offset : {0x68, 0x80, 0x90, 0xA0, 0xB0})
        EXPECT_EQ(read(offset, 8), 0u) << std::hex << offset;
    EXPECT_EQ(diagnostics(), 0u);
}

TEST_F(Reset, UndoesWhatSoftwareWrote) {
    write(0x80, 0x1234'5640, 8);
    write(0x98, 7);
    enable(smmuen | cmdqen);
    registers.set_error(gerror::cmdq_err);
    registers.set_command_error(cerror::ill);
    const std::size_t told = recorder.cr0.size();
    registers.reset();
    for (std::uint64_t offset : {0x20, 0x24, 0x60, 0x80, 0x98, 0x9C})
        EXPECT_EQ(read(offset), 0u) << std::hex << offset;
    EXPECT_NE(read(0x0), 0u) << "identification registers keep their value";
    EXPECT_EQ(recorder.cr0.size(), told);
}

TEST_F(Reset, LeavesTheComponentIdentificationReadable) {
    EXPECT_EQ(read(0xFF0), 0x0Du);
    EXPECT_EQ(read(0xFF4), 0xF0u);
    EXPECT_EQ(read(0xFF8), 0x05u);
    EXPECT_EQ(read(0xFFC), 0xB1u);
}

TEST_F(AccessForm, AllowsA64BitRegisterAsTwoHalves) {
    write(0x80, 0x4567'89C0);
    write(0x84, 0x4000'0123);
    EXPECT_EQ(read(0x80, 8), 0x4000'0123'4567'89C0u);
    EXPECT_EQ(read(0x80), 0x4567'89C0u);
    EXPECT_EQ(read(0x84), 0x4000'0123u);
    write(0x80, 0x40); // the upper half stays
    EXPECT_EQ(read(0x80, 8), 0x4000'0123'0000'0040u);
}

TEST_F(AccessForm, RejectsOtherSizesAndMisalignment) {
    write(0x98, 5);
    std::size_t expected = 0;
    for (auto [offset, bytes] :
         {std::pair{0x98u, 1u}, {0x98u, 2u}, {0x9Au, 4u}, {0x84u, 8u}, {0x80u, 16u}, {0x80u, 0u}}) {
        std::uint64_t value = ~0ull;
        EXPECT_FALSE(registers.read(offset, bytes, value)) << offset << " " << bytes;
        EXPECT_EQ(value, 0u);
        EXPECT_FALSE(registers.write(offset, bytes, ~0ull)) << offset << " " << bytes;
        expected += 2;
        EXPECT_EQ(diagnostics(), expected);
    }
    EXPECT_EQ(read(0x98), 5u);
    EXPECT_EQ(read(0x80, 8), 0u);
}

TEST_F(AccessForm, RejectsA64BitAccessToTwo32BitRegisters) {
    std::uint64_t value = ~0ull;
    EXPECT_FALSE(registers.read(0x98, 8, value));
    EXPECT_EQ(value, 0u);
    EXPECT_FALSE(registers.write(0x98, 8, 0x0000'0003'0000'0004));
    EXPECT_EQ(read(0x98), 0u);
    EXPECT_EQ(read(0x9C), 0u);
    EXPECT_EQ(diagnostics(), 2u);
    EXPECT_TRUE(recorder.command_producers.empty());
}

TEST_F(AccessForm, ReadsZeroWhereNoRegisterIs) {
    // Holes, absent features (S2PII, AGBPA, PRI, ATOS, MPAM, VATOS, DPT, ECMDQ), the Secure block, beyond
    // both pages.
    for (std::uint64_t offset : {0x04Cull, 0x030ull, 0x048ull, 0x0C0ull, 0x0D0ull, 0x100ull, 0x130ull,
                                 0x180ull, 0x200ull, 0xE00ull, 0x4000ull, 0x8020ull, 0x10000ull, 0x10020ull,
                                 0x100C8ull, 0x100CCull, 0x1FFFCull, 0x20000ull, ~7ull}) {
        write(offset, 0xFFFF'FFFF);
        EXPECT_EQ(read(offset), 0u) << std::hex << offset;
    }
    EXPECT_EQ(diagnostics(), 0u);
}

TEST_F(AccessForm, KeepsReadOnlyRegisters) {
    for (std::uint64_t offset : {0x000, 0x004, 0x008, 0x00C, 0x010, 0x014, 0x018, 0x01C, 0x024, 0x040, 0x054,
                                 0x060, 0x190, 0xFE0, 0xFF0}) {
        const std::uint64_t before = read(offset);
        write(offset, ~before);
        EXPECT_EQ(read(offset), before) << std::hex << offset;
    }
}

TEST_F(AccessForm, KeepsReservedBitsZero) {
    const std::pair<std::uint64_t, std::uint64_t> narrow[] = {
        {0x28, 0xFFF},         {0x2C, 0x2},         {0x70, 0xFFFF'FFFF}, {0x74, 0x3F}, {0x88, 0x3'07FF},
        {0x98, 0xF'FFFF},      {0x9C, 0x7F0F'FFFF}, {0xB8, 0xFFFF'FFFF}, {0xBC, 0x3F}, {0x100A8, 0x800F'FFFF},
        {0x100AC, 0x800F'FFFF}};
    for (auto [offset, implemented] : narrow) {
        write(offset, 0xFFFF'FFFF);
        EXPECT_EQ(read(offset), implemented) << std::hex << offset;
    }
    const std::pair<std::uint64_t, std::uint64_t> wide[] = {{0x68, 0x000F'FFFF'FFFF'FFFC},
                                                            {0x80, 0x400F'FFFF'FFFF'FFC0},
                                                            {0x90, 0x400F'FFFF'FFFF'FFFF},
                                                            {0xA0, 0x400F'FFFF'FFFF'FFFF},
                                                            {0xB0, 0x000F'FFFF'FFFF'FFFC}};
    for (auto [offset, implemented] : wide) {
        write(offset, ~0ull, 8);
        EXPECT_EQ(read(offset, 8), implemented) << std::hex << offset;
    }
    // Last, because an enabled interrupt guards its configuration registers.
    write(0x50, 0xFFFF'FFFF);
    EXPECT_EQ(read(0x50), 0x5u) << "no PRI interrupt";
}

TEST_F(AccessForm, TreatsThePageZeroOffsetsOfEventQueueIndexesAsReserved) {
    write(0x100AC, 3);
    write(0xAC, 9);
    EXPECT_EQ(read(0xAC), 0u);
    EXPECT_EQ(read(0xA8), 0u);
    EXPECT_EQ(read(0x100AC), 3u);
    EXPECT_EQ(diagnostics(), 3u);
}

/// Register, access size, enables that guard it (CR0 or IRQ_CTRL), a value that software may write.
struct GuardCase {
    std::uint64_t offset;
    unsigned bytes;
    std::uint32_t cr0_enable;
    std::uint32_t irq_enable;
    std::uint64_t value;
};

const GuardCase guard_cases[] = {
    {0x2C, 4, smmuen, 0, 0x2},      {0x80, 8, smmuen, 0, 0x1000'0000},
    {0x88, 4, smmuen, 0, 0x1'0208}, {0x90, 8, cmdqen, 0, 0x2000'0008},
    {0x9C, 4, cmdqen, 0, 0x5},      {0xA0, 8, eventqen, 0, 0x3000'0007},
    {0x100A8, 4, eventqen, 0, 0x6}, {0x68, 8, 0, 0x1, 0x4000'0000},
    {0x70, 4, 0, 0x1, 0x77},        {0x74, 4, 0, 0x1, 0x1},
    {0xB0, 8, 0, 0x4, 0x5000'0000}, {0xB8, 4, 0, 0x4, 0x88},
    {0xBC, 4, 0, 0x4, 0x1},
};

TEST_F(GuardedRegister, IgnoresWritesWhileTheEnableOrItsAcknowledgeIsSet) {
    for (const GuardCase& c : guard_cases) {
        SCOPED_TRACE(testing::Message() << std::hex << "offset 0x" << c.offset);
        registers.reset();
        const auto request = [&](bool on) {
            if (c.cr0_enable != 0)
                write(0x20, on ? c.cr0_enable : 0);
            else
                write(0x50, on ? c.irq_enable : 0);
        };
        const auto acknowledge = [&] {
            registers.acknowledge_cr0(~0u);
            registers.acknowledge_irq_ctrl(~0u);
        };
        const auto expect_ignored = [&] {
            const std::size_t before = diagnostics();
            write(c.offset, c.value, c.bytes);
            EXPECT_EQ(read(c.offset, c.bytes), 0u);
            EXPECT_EQ(diagnostics(), before + 1);
        };
        request(true); // requested, not acknowledged
        expect_ignored();
        acknowledge();
        expect_ignored();
        request(false); // disable requested, still acknowledged as enabled
        expect_ignored();
        acknowledge();
        const std::size_t before = diagnostics();
        write(c.offset, c.value, c.bytes);
        EXPECT_EQ(read(c.offset, c.bytes), c.value);
        EXPECT_EQ(diagnostics(), before);
    }
}

TEST_F(GuardedRegister, IsNotGuardedByOtherEnables) {
    for (const GuardCase& c : guard_cases) {
        SCOPED_TRACE(testing::Message() << std::hex << "offset 0x" << c.offset);
        registers.reset();
        write(0x20, (smmuen | eventqen | cmdqen) & ~c.cr0_enable);
        write(0x50, 0x5 & ~c.irq_enable);
        registers.acknowledge_cr0(~0u);
        registers.acknowledge_irq_ctrl(~0u);
        write(c.offset, c.value, c.bytes);
        EXPECT_EQ(read(c.offset, c.bytes), c.value);
    }
    EXPECT_EQ(diagnostics(), 0u);
}

TEST_F(GuardedRegister, GivesNoDiagnosticWhenTheValueDoesNotChange) {
    write(0x90, 0x2000'0008, 8);
    enable(cmdqen);
    write(0x90, 0x2000'0008, 8);
    EXPECT_EQ(diagnostics(), 0u);
}

TEST_F(GuardedRegister, GuardsTheTwoPartsOfCr1Apart) {
    write(0x28, 0xD75);
    enable(smmuen);
    write(0x28, 0x000);
    EXPECT_EQ(read(0x28), 0xD40u) << "table attributes stay, queue attributes change";
    EXPECT_EQ(diagnostics(), 1u);

    enable(0);
    for (std::uint32_t queue : {cmdqen, eventqen}) {
        write(0x28, 0xD75);
        enable(queue);
        write(0x28, 0x000);
        EXPECT_EQ(read(0x28), 0x035u) << "queue attributes stay, table attributes change";
        enable(0);
    }
}

TEST_F(Cr0, ReadsBackAtOnceAndIsAcknowledgedByTheModel) {
    write(0x20, cmdqen);
    EXPECT_EQ(read(0x20), cmdqen);
    EXPECT_EQ(read(0x24), 0u);
    ASSERT_EQ(recorder.cr0.size(), 1u);
    EXPECT_EQ(recorder.cr0[0], std::make_pair(0u, cmdqen));
    registers.acknowledge_cr0(cmdqen);
    EXPECT_EQ(read(0x24), cmdqen);

    write(0x20, cmdqen | eventqen | smmuen);
    EXPECT_EQ(recorder.cr0.back(), std::make_pair(cmdqen, cmdqen | eventqen | smmuen));
    registers.acknowledge_cr0(eventqen);
    EXPECT_EQ(read(0x24), cmdqen | eventqen) << "fields are acknowledged one by one";
    registers.acknowledge_cr0(smmuen);
    EXPECT_EQ(read(0x24), cmdqen | eventqen | smmuen);
    write(0x20, 0);
    EXPECT_EQ(read(0x24), cmdqen | eventqen | smmuen);
    registers.acknowledge_cr0(~0u);
    EXPECT_EQ(read(0x24), 0u);
    EXPECT_EQ(diagnostics(), 0u);
}

TEST_F(Cr0, NeverMirrorsReservedOrUnimplementedBits) {
    write(0x20, 0xFFFF'FFFF);
    EXPECT_EQ(read(0x20), 0xDu) << "no PRI, ATS, VMW or DPT";
    registers.acknowledge_cr0(~0u);
    EXPECT_EQ(read(0x24), 0xDu);
}

TEST_F(Cr0, DoesNotTroubleTheModelWhenNothingChanges) {
    enable(cmdqen);
    write(0x20, cmdqen);
    EXPECT_EQ(recorder.cr0.size(), 1u);
}

TEST_F(Cr0, DiagnosesAFieldThatIsChangedAgainBeforeItsAcknowledge) {
    write(0x20, cmdqen);
    write(0x20, cmdqen | eventqen);
    EXPECT_EQ(diagnostics(), 0u) << "another field";
    write(0x20, eventqen);
    EXPECT_EQ(diagnostics(), 1u);
    EXPECT_EQ(read(0x20), eventqen);
    registers.acknowledge_cr0(cmdqen);
    EXPECT_EQ(read(0x24), 0u) << "the newer value counts";
}

TEST_F(IrqCtrl, IsAcknowledgedByTheModel) {
    write(0x50, 0x5);
    EXPECT_EQ(read(0x50), 0x5u);
    EXPECT_EQ(read(0x54), 0u);
    ASSERT_EQ(recorder.irq_ctrl.size(), 1u);
    EXPECT_EQ(recorder.irq_ctrl[0], std::make_pair(0u, 0x5u));
    registers.acknowledge_irq_ctrl(0x1);
    EXPECT_EQ(read(0x54), 0x1u);
    registers.acknowledge_irq_ctrl(~0u);
    EXPECT_EQ(read(0x54), 0x5u);
    write(0x50, 0x5);
    EXPECT_EQ(recorder.irq_ctrl.size(), 1u);
    write(0x50, 0x0);
    write(0x50, 0x4);
    EXPECT_EQ(diagnostics(), 1u);
}

TEST_F(Gbpa, TakesAValueOnlyWithUpdate) {
    write(0x44, 0x10'0000);
    EXPECT_EQ(read(0x44), 0u);
    EXPECT_EQ(recorder.gbpa_updates, 0u);
    EXPECT_EQ(diagnostics(), 1u);
}

TEST_F(Gbpa, ReadsBackTheNewValueAtOnceAndClearsUpdateLater) {
    write(0x44, 0x8010'0000);
    EXPECT_EQ(recorder.gbpa_updates, 1u);
    EXPECT_EQ(read(0x44), 0x8010'0000u);
    registers.complete_gbpa_update();
    EXPECT_EQ(read(0x44), 0x10'0000u);
    EXPECT_EQ(gbpa::abort.get(registers.gbpa()), 1u);
    EXPECT_EQ(diagnostics(), 0u);
}

TEST_F(Gbpa, IgnoresAWriteWhileAnUpdateIsPending) {
    write(0x44, 0x8010'0000);
    write(0x44, 0x8000'0000);
    EXPECT_EQ(read(0x44), 0x8010'0000u);
    EXPECT_EQ(recorder.gbpa_updates, 1u);
    EXPECT_EQ(diagnostics(), 1u);
}

TEST_F(Gbpa, HasNoOverrideFieldsWithoutAttributeOverrides) {
    write(0x44, 0xFFFF'FFFF);
    registers.complete_gbpa_update();
    EXPECT_EQ(read(0x44), 0x10'0000u);
}

TEST_F(Gerror, TogglesABitWhenAnErrorBecomesActive) {
    EXPECT_FALSE(registers.error_active(gerror::cmdq_err));
    EXPECT_TRUE(registers.set_error(gerror::cmdq_err));
    EXPECT_EQ(read(0x60), 0x1u);
    EXPECT_TRUE(registers.error_active(gerror::cmdq_err));
    EXPECT_FALSE(registers.set_error(gerror::cmdq_err)) << "an active error is lost";
    EXPECT_EQ(read(0x60), 0x1u);

    write(0x64, 0x1);
    EXPECT_FALSE(registers.error_active(gerror::cmdq_err));
    ASSERT_EQ(recorder.acknowledged_errors.size(), 1u);
    EXPECT_EQ(recorder.acknowledged_errors[0], 0x1u);

    EXPECT_TRUE(registers.set_error(gerror::cmdq_err));
    EXPECT_EQ(read(0x60), 0x0u) << "the second error toggles back";
    EXPECT_TRUE(registers.error_active(gerror::cmdq_err));
    write(0x64, 0x0);
    EXPECT_EQ(recorder.acknowledged_errors.size(), 2u);
    EXPECT_FALSE(registers.error_active(gerror::cmdq_err));
    EXPECT_EQ(diagnostics(), 0u);
}

TEST_F(Gerror, AcknowledgesSomeErrorsAndKeepsOthersActive) {
    registers.set_error(gerror::cmdq_err);
    registers.set_error(gerror::eventq_abt_err);
    registers.set_error(gerror::sfm_err);
    EXPECT_EQ(read(0x60), 0x105u);
    write(0x64, 0x4);
    ASSERT_EQ(recorder.acknowledged_errors.size(), 1u);
    EXPECT_EQ(recorder.acknowledged_errors[0], 0x4u);
    EXPECT_TRUE(registers.error_active(gerror::cmdq_err));
    EXPECT_FALSE(registers.error_active(gerror::eventq_abt_err));
    EXPECT_TRUE(registers.error_active(gerror::sfm_err));
}

TEST_F(Gerror, IgnoresAnAcknowledgeOfAnInactiveError) {
    registers.set_error(gerror::cmdq_err);
    write(0x64, 0x5); // EVENTQ_ABT_ERR is inactive
    EXPECT_EQ(read(0x64), 0x1u);
    EXPECT_FALSE(registers.error_active(gerror::eventq_abt_err));
    EXPECT_FALSE(registers.error_active(gerror::cmdq_err)) << "the other bit counts";
    EXPECT_EQ(diagnostics(), 1u);
    write(0x64, 0x1);
    EXPECT_EQ(recorder.acknowledged_errors.size(), 1u) << "nothing became inactive";
}

TEST_F(Gerror, HasNoBitsForAbsentFeatures) {
    EXPECT_FALSE(registers.set_error(gerror::priq_abt_err));
    EXPECT_FALSE(registers.set_error(gerror::msi_priq_abt_err));
    EXPECT_FALSE(registers.set_error(gerror::cmdqp_err));
    EXPECT_FALSE(registers.set_error(gerror::dpt_err));
    EXPECT_EQ(read(0x60), 0u);
    for (Field f : {gerror::cmdq_err, gerror::eventq_abt_err, gerror::msi_cmdq_abt_err,
                    gerror::msi_eventq_abt_err, gerror::msi_gerror_abt_err, gerror::sfm_err})
        EXPECT_TRUE(registers.set_error(f));
    write(0x64, 0xFFFF'FFFF);
    EXPECT_EQ(read(0x64), 0x1B5u);
    EXPECT_EQ(read(0x60), 0x1B5u);
    EXPECT_EQ(diagnostics(), 0u);
}

TEST_F(StreamTable, AlignsALinearTableToItsSizeAsWritten) {
    write(0x80, 0x4000'0000'1234'5FC0, 8);
    write(0x88, 8); // 256 entries of 64 bytes: 16 KB
    const StreamTableConfig table = registers.stream_table();
    EXPECT_EQ(table.base, 0x1234'4000u);
    EXPECT_EQ(table.log2size, 8u);
    EXPECT_FALSE(table.two_level);
    EXPECT_TRUE(table.read_allocate);
}

TEST_F(StreamTable, ClampsTheSizeToTheStreamIdsThatExist) {
    write(0x80, 0xFFFF'FFC0, 8);
    write(0x88, 20); // 2^20 entries of 64 bytes: 64 MB; there are 2^16 StreamIDs
    EXPECT_EQ(registers.stream_table().log2size, 16u);
    EXPECT_EQ(registers.stream_table().base, 0xFC00'0000u);
    write(0x88, 0x3F);
    EXPECT_EQ(registers.stream_table().log2size, 16u);
    EXPECT_EQ(registers.stream_table().base, 0u) << "aligned beyond all addresses";
}

TEST_F(StreamTable, AlignsATwoLevelTableToItsFirstLevel) {
    write(0x80, 0xFFFF'FFC0, 8);
    write(0x88, 0x1'0000 | (8 << 6) | 16); // 256 descriptors of 8 bytes
    StreamTableConfig table = registers.stream_table();
    EXPECT_TRUE(table.two_level);
    EXPECT_EQ(table.split, 8u);
    EXPECT_EQ(table.log2size, 16u);
    EXPECT_EQ(table.base, 0xFFFF'F800u);
    write(0x88, 0x1'0000 | (10 << 6) | 10); // one descriptor: 64 bytes are the least
    EXPECT_EQ(registers.stream_table().base, 0xFFFF'FFC0u);
}

TEST_F(StreamTable, TreatsReservedCodesAsTheArchitectureSays) {
    for (unsigned split : {0u, 1u, 5u, 7u, 9u, 11u, 31u}) {
        write(0x88, (split << 6) | 12);
        EXPECT_EQ(registers.stream_table().split, 6u) << split;
    }
    for (unsigned split : {6u, 8u, 10u}) {
        write(0x88, (split << 6) | 12);
        EXPECT_EQ(registers.stream_table().split, split);
    }
    for (unsigned fmt : {0u, 2u, 3u}) {
        write(0x88, fmt << 16);
        EXPECT_FALSE(registers.stream_table().two_level) << fmt;
    }
}

TEST_F(CommandQueue, AlignsAndClampsItsBase) {
    write(0x90, 0x4000'0000'1234'5FE8, 8); // 256 commands of 16 bytes
    EXPECT_EQ(registers.command_queue().base, 0x1234'5000u);
    EXPECT_EQ(registers.command_queue().log2size, 8u);
    EXPECT_TRUE(registers.command_queue().allocate);
    write(0x90, 0xFFFF'FFE0, 8); // one command: 32 bytes are the least
    EXPECT_EQ(registers.command_queue().base, 0xFFFF'FFE0u);
    EXPECT_FALSE(registers.command_queue().allocate);
    write(0x90, 0xFFFF'FFFF, 8); // LOG2SIZE 31
    EXPECT_EQ(registers.command_queue().log2size, 19u);
    EXPECT_EQ(registers.command_queue().base, 0xFF80'0000u);
}

TEST_F(CommandQueue, TellsTheModelOfTheProducerIndex) {
    write(0x90, 0x1000'0004, 8);
    write(0x98, 0xF'FFF3); // 16 entries: index and wrap are bits 4:0
    ASSERT_EQ(recorder.command_producers.size(), 1u);
    EXPECT_EQ(recorder.command_producers[0], 0x13u);
    EXPECT_EQ(registers.command_producer(), 0x13u);
}

TEST_F(CommandQueue, HasAConsumerThatTheModelMoves) {
    write(0x90, 0x1000'0004, 8);
    enable(cmdqen);
    registers.set_command_error(cerror::abt);
    registers.set_command_consumer(0x1F);
    EXPECT_EQ(read(0x9C), 0x0200'001Fu);
    EXPECT_EQ(registers.command_consumer(), 0x1Fu);
    EXPECT_EQ(registers.command_error(), cerror::abt);
    registers.set_command_error(cerror::none);
    EXPECT_EQ(read(0x9C), 0x1Fu);
}

TEST_F(CommandQueue, DiagnosesAProducerThatIsTooFarAhead) {
    write(0x90, 0x1000'0002, 8); // 4 commands
    enable(cmdqen);
    write(0x98, 4);
    EXPECT_EQ(diagnostics(), 0u) << "full is legal";
    write(0x98, 5);
    EXPECT_EQ(diagnostics(), 1u);
    EXPECT_EQ(recorder.command_producers.back(), 5u)
        << "the index is stored; what follows is the model's business";
}

TEST_F(CommandQueue, DiagnosesAProducerThatMovesBackwards) {
    write(0x90, 0x1000'0002, 8);
    enable(cmdqen);
    write(0x98, 3);
    registers.set_command_consumer(1);
    write(0x98, 2);
    EXPECT_EQ(diagnostics(), 1u);
    write(0x98, 3);
    registers.set_error(gerror::cmdq_err);
    write(0x98, 1);
    EXPECT_EQ(diagnostics(), 1u) << "back to CONS is allowed while a command error is active";
}

TEST_F(CommandQueue, MayBeSetUpFreelyWhileDisabled) {
    write(0x90, 0x1000'0002, 8);
    write(0x98, 7);
    write(0x98, 0);
    write(0x9C, 6);
    EXPECT_EQ(registers.command_consumer(), 6u);
    EXPECT_EQ(diagnostics(), 0u);
}

TEST_F(EventQueue, AlignsAndClampsItsBase) {
    write(0xA0, 0x1234'5FE7, 8); // 128 records of 32 bytes
    EXPECT_EQ(registers.event_queue().base, 0x1234'5000u);
    EXPECT_EQ(registers.event_queue().log2size, 7u);
    write(0xA0, 0xFFFF'FFFF, 8);
    EXPECT_EQ(registers.event_queue().log2size, 19u);
    EXPECT_EQ(registers.event_queue().base, 0xFF00'0000u);
}

TEST_F(EventQueue, TellsTheModelOfTheConsumerIndex) {
    write(0xA0, 0x1000'0003, 8);
    enable(eventqen);
    registers.set_event_producer(5);
    EXPECT_EQ(read(0x100A8), 5u);
    EXPECT_EQ(registers.event_producer(), 5u);
    write(0x100AC, 5);
    ASSERT_EQ(recorder.event_consumers.size(), 1u);
    EXPECT_EQ(recorder.event_consumers[0], 5u);
    EXPECT_EQ(registers.event_consumer(), 5u);
    EXPECT_EQ(diagnostics(), 0u);
}

TEST_F(EventQueue, DiagnosesAConsumerThatPassesTheProducer) {
    write(0xA0, 0x1000'0003, 8);
    enable(eventqen);
    registers.set_event_producer(2);
    write(0x100AC, 3);
    EXPECT_EQ(diagnostics(), 1u);
}

TEST_F(EventQueue, SignalsAnOverflowOnceUntilItIsAcknowledged) {
    write(0xA0, 0x1000'0001, 8);
    enable(eventqen);
    registers.set_event_producer(2);
    EXPECT_TRUE(registers.signal_event_overflow());
    EXPECT_TRUE(registers.event_overflow_active());
    EXPECT_FALSE(registers.signal_event_overflow());
    EXPECT_EQ(read(0x100A8), 0x8000'0002u);
    registers.set_event_producer(3);
    EXPECT_EQ(read(0x100A8), 0x8000'0003u) << "the flag stays when the index moves";
    write(0x100AC, 0x8000'0002);
    EXPECT_FALSE(registers.event_overflow_active());
    EXPECT_EQ(recorder.event_consumers.back(), 2u);
    EXPECT_TRUE(registers.signal_event_overflow());
    EXPECT_EQ(read(0x100A8), 0x0000'0003u) << "the second overflow toggles back";
}

TEST_F(Interrupts, AreReadAsConfigured) {
    write(0x68, 0x8000'1040, 8);
    write(0x70, 0x1234);
    write(0x74, 0x31);
    write(0xB0, 0x9000'0004, 8);
    write(0xB8, 0x5678);
    write(0xBC, 0x2F);
    const InterruptConfig g = registers.gerror_interrupt();
    EXPECT_EQ(g.address, 0x8000'1040u);
    EXPECT_EQ(g.data, 0x1234u);
    EXPECT_EQ(g.memattr, memattr::device_ngnre);
    EXPECT_EQ(g.shareability, 3u);
    const InterruptConfig e = registers.eventq_interrupt();
    EXPECT_EQ(e.address, 0x9000'0004u);
    EXPECT_EQ(e.data, 0x5678u);
    EXPECT_EQ(e.memattr, 0xFu);
    EXPECT_EQ(e.shareability, 2u);
}

Features without_options() {
    Features f;
    f.sid_bits = 6;
    f.ssid_bits = 0;
    f.cmdq_log2_max = 8;
    f.eventq_log2_max = 7;
    f.two_level_stream_table = false;
    f.two_level_cd = false;
    f.msi = false;
    return f;
}

class SmallFeatureSet : public RegisterBench {
public:
    SmallFeatureSet() : RegisterBench(without_options()) {}
};

TEST_F(SmallFeatureSet, HasNoInterruptConfigurationWithoutMsi) {
    for (std::uint64_t offset : {0x68, 0xB0}) {
        write(offset, ~0ull, 8);
        EXPECT_EQ(read(offset, 8), 0u);
        write(offset + 8, ~0u);
        EXPECT_EQ(read(offset + 8), 0u);
        write(offset + 12, ~0u);
        EXPECT_EQ(read(offset + 12), 0u);
    }
    EXPECT_FALSE(registers.set_error(gerror::msi_cmdq_abt_err));
    EXPECT_TRUE(registers.set_error(gerror::cmdq_err));
    write(0x50, 0x5);
    EXPECT_EQ(read(0x50), 0x5u) << "wired interrupts have the same enables";
}

TEST_F(SmallFeatureSet, HasOnlyLinearStreamTables) {
    write(0x88, 0x1'0206);
    EXPECT_EQ(read(0x88), 0x0206u);
    EXPECT_FALSE(registers.stream_table().two_level);
}

TEST_F(SmallFeatureSet, ClampsToItsOwnLimits) {
    write(0x88, 9);
    EXPECT_EQ(registers.stream_table().log2size, 6u);
    write(0x90, 0xFFFF'FFF3, 8);
    EXPECT_EQ(registers.command_queue().log2size, 8u);
    EXPECT_EQ(registers.command_queue().base, 0xFFFF'F000u);
    write(0xA0, 0xFFFF'FFF3, 8);
    EXPECT_EQ(registers.event_queue().log2size, 7u);
    EXPECT_EQ(registers.event_queue().base, 0xFFFF'F000u);
}

} // namespace
} // namespace iommusim::smmuv3
