// The layout headers against an independent statement of the same positions: word and mask as literals, so
// that a wrong bit number in a header and a wrong mask here would have to agree to go unseen.
#include "models/smmuv3/spec/commands.h"
#include "models/smmuv3/spec/context_descriptor.h"
#include "models/smmuv3/spec/events.h"
#include "models/smmuv3/spec/registers.h"
#include "models/smmuv3/spec/stream_table.h"
#include "models/smmuv3/spec/translation_table.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace iommusim::smmuv3::spec {
namespace {

struct Expected {
    const char* name;
    Field field;
    unsigned word;
    std::uint64_t mask;
};

/// Every field is where it is expected, none overlaps another, and together they leave exactly the RES0 bits.
void expect_layout(const std::vector<Expected>& fields, const std::vector<std::uint64_t>& defined) {
    std::vector<std::uint64_t> seen(defined.size(), 0);
    for (const Expected& e : fields) {
        EXPECT_GE(e.field.msb, e.field.lsb) << e.name;
        EXPECT_EQ(e.field.msb / 64, e.field.lsb / 64) << e.name << " crosses a word";
        EXPECT_EQ(e.field.word(), e.word) << e.name;
        EXPECT_EQ(e.field.mask(), e.mask) << e.name;
        ASSERT_LT(e.word, seen.size()) << e.name;
        EXPECT_EQ(seen[e.word] & e.mask, 0u) << e.name << " overlaps an earlier field";
        seen[e.word] |= e.mask;
    }
    for (std::size_t w = 0; w < defined.size(); ++w)
        EXPECT_EQ(seen[w], defined[w]) << "word " << w;
}

TEST(StreamTableEntryLayout, HasEveryFieldInItsPlace) {
    EXPECT_EQ(ste::bytes, 64u);
    EXPECT_EQ(ste::words, 8u);
    expect_layout(
        {
            {"V", ste::v, 0, 0x1},
            {"Config", ste::config, 0, 0xE},
            {"S1Fmt", ste::s1fmt, 0, 0x30},
            {"S1ContextPtr", ste::s1_context_ptr, 0, 0x00FF'FFFF'FFFF'FFC0},
            {"S1CDMax", ste::s1cdmax, 0, 0xF800'0000'0000'0000},
            {"S1DSS", ste::s1dss, 1, 0x3},
            {"S1CIR", ste::s1cir, 1, 0xC},
            {"S1COR", ste::s1cor, 1, 0x30},
            {"S1CSH", ste::s1csh, 1, 0xC0},
            {"S2HWU59", ste::s2hwu59, 1, 0x100},
            {"S2HWU60", ste::s2hwu60, 1, 0x200},
            {"S2HWU61", ste::s2hwu61, 1, 0x400},
            {"S2HWU62", ste::s2hwu62, 1, 0x800},
            {"DRE", ste::dre, 1, 0x1000},
            {"CONT", ste::cont, 1, 0x1'E000},
            {"DCP", ste::dcp, 1, 0x2'0000},
            {"PPAR", ste::ppar, 1, 0x4'0000},
            {"MEV", ste::mev, 1, 0x8'0000},
            {"SW_RESERVED", ste::sw_reserved, 1, 0xF0'0000},
            {"S1PIE", ste::s1pie, 1, 0x100'0000},
            {"S2FWB", ste::s2fwb, 1, 0x200'0000},
            {"S1MPAM", ste::s1mpam, 1, 0x400'0000},
            {"S1STALLD", ste::s1stalld, 1, 0x800'0000},
            {"EATS", ste::eats, 1, 0x3000'0000},
            {"STRW", ste::strw, 1, 0xC000'0000},
            {"MemAttr", ste::memattr, 1, 0xF'0000'0000},
            {"MTCFG", ste::mtcfg, 1, 0x10'0000'0000},
            {"ALLOCCFG", ste::alloccfg, 1, 0x1E0'0000'0000},
            {"SHCFG", ste::shcfg, 1, 0x3000'0000'0000},
            {"NSCFG", ste::nscfg, 1, 0xC000'0000'0000},
            {"PRIVCFG", ste::privcfg, 1, 0x3'0000'0000'0000},
            {"INSTCFG", ste::instcfg, 1, 0xC'0000'0000'0000},
            {"IMPDEF 1", ste::implementation_defined_1, 1, 0xFFF0'0000'0000'0000},
            {"S2VMID", ste::s2vmid, 2, 0xFFFF},
            {"IMPDEF 2", ste::implementation_defined_2, 2, 0xFFFF'0000},
            {"S2T0SZ", ste::s2t0sz, 2, 0x3F'0000'0000},
            {"S2SL0", ste::s2sl0, 2, 0xC0'0000'0000},
            {"S2IR0", ste::s2ir0, 2, 0x300'0000'0000},
            {"S2OR0", ste::s2or0, 2, 0xC00'0000'0000},
            {"S2SH0", ste::s2sh0, 2, 0x3000'0000'0000},
            {"S2TG", ste::s2tg, 2, 0xC000'0000'0000},
            {"S2PS", ste::s2ps, 2, 0x7'0000'0000'0000},
            {"S2AA64", ste::s2aa64, 2, 1ull << 51},
            {"S2ENDI", ste::s2endi, 2, 1ull << 52},
            {"S2AFFD", ste::s2affd, 2, 1ull << 53},
            {"S2PTW", ste::s2ptw, 2, 1ull << 54},
            {"S2HD", ste::s2hd, 2, 1ull << 55},
            {"S2HA", ste::s2ha, 2, 1ull << 56},
            {"S2S", ste::s2s, 2, 1ull << 57},
            {"S2R", ste::s2r, 2, 1ull << 58},
            {"S2HAFT", ste::s2haft, 2, 1ull << 59},
            {"S2PIE", ste::s2pie, 2, 1ull << 60},
            {"S2POE", ste::s2poe, 2, 1ull << 61},
            {"DPT_VMATCH", ste::dpt_vmatch, 2, 0xC000'0000'0000'0000},
            {"S2NSW", ste::s2nsw, 3, 0x1},
            {"S2NSA", ste::s2nsa, 3, 0x2},
            {"S2SL0_2", ste::s2sl0_2, 3, 0x4},
            {"S2DS", ste::s2ds, 3, 0x8},
            {"S2TTB", ste::s2ttb, 3, 0x00FF'FFFF'FFFF'FFF0},
            {"S2SKL", ste::s2skl, 3, 0x6000'0000'0000'0000},
            {"IMPDEF 4", ste::implementation_defined_4, 4, 0xFFFF},
            {"PARTID", ste::partid, 4, 0xFFFF'0000},
            {"S_S2T0SZ", ste::s_s2t0sz, 4, 0x3F'0000'0000},
            {"S_S2SL0", ste::s_s2sl0, 4, 0xC0'0000'0000},
            {"S_S2TG", ste::s_s2tg, 4, 0xC000'0000'0000},
            {"MECID", ste::mecid, 4, 0xFFFF'0000'0000'0000},
            {"PMG", ste::pmg, 5, 0xFF},
            {"MPAM_NS", ste::mpam_ns, 5, 0x100},
            {"AssuredOnly", ste::assured_only, 5, 0x200},
            {"TL0", ste::tl0, 5, 0x400},
            {"TL1", ste::tl1, 5, 0x800},
            {"VMSPtr", ste::vms_ptr, 5, 0x00FF'FFFF'FFFF'F000},
            {"S2SW", ste::s2sw, 6, 0x1},
            {"S2SA", ste::s2sa, 6, 0x2},
            {"S_S2SL0_2", ste::s_s2sl0_2, 6, 0x4},
            {"S_S2TTB", ste::s_s2ttb, 6, 0x00FF'FFFF'FFFF'FFF0},
            {"S_S2SKL", ste::s_s2skl, 6, 0x6000'0000'0000'0000},
            {"S2POI", ste::s2poi, 7, ~0ull},
        },
        {0xF8FF'FFFF'FFFF'FFFF, 0xFFFF'F1FF'FFFF'FFFF, ~0ull, 0x60FF'FFFF'FFFF'FFFF, 0xFFFF'C0FF'FFFF'FFFF,
         0x00FF'FFFF'FFFF'FFFF, 0x60FF'FFFF'FFFF'FFF7, ~0ull});
}

TEST(StreamTableEntryLayout, GivesTheWordsThatSoftwareWritesForABypassStream) {
    std::uint64_t words[ste::words] = {};
    ste::v.set(words, 1);
    ste::config.set(words, ste::config_bypass);
    ste::shcfg.set(words, ste::shcfg_use_incoming);
    EXPECT_EQ(words[0], 0x9u);
    EXPECT_EQ(words[1], 1ull << 44);
}

TEST(LevelOneDescriptorLayouts, HaveEveryFieldInItsPlace) {
    EXPECT_EQ(l1std::bytes, 8u);
    expect_layout({{"Span", l1std::span, 0, 0x1F}, {"L2Ptr", l1std::l2ptr, 0, 0x00FF'FFFF'FFFF'FFC0}},
                  {0x00FF'FFFF'FFFF'FFDF});
    EXPECT_EQ(l1cd::bytes, 8u);
    expect_layout({{"V", l1cd::v, 0, 0x1}, {"L2Ptr", l1cd::l2ptr, 0, 0x00FF'FFFF'FFFF'F000}},
                  {0x00FF'FFFF'FFFF'F001});
}

TEST(ContextDescriptorLayout, HasEveryFieldInItsPlace) {
    EXPECT_EQ(cd::bytes, 64u);
    EXPECT_EQ(cd::words, 8u);
    expect_layout(
        {
            {"T0SZ", cd::t0sz, 0, 0x3F},
            {"TG0", cd::tg0, 0, 0xC0},
            {"IR0", cd::ir0, 0, 0x300},
            {"OR0", cd::or0, 0, 0xC00},
            {"SH0", cd::sh0, 0, 0x3000},
            {"EPD0", cd::epd0, 0, 0x4000},
            {"ENDI", cd::endi, 0, 0x8000},
            {"T1SZ", cd::t1sz, 0, 0x3F'0000},
            {"TG1", cd::tg1, 0, 0xC0'0000},
            {"IR1", cd::ir1, 0, 0x300'0000},
            {"OR1", cd::or1, 0, 0xC00'0000},
            {"SH1", cd::sh1, 0, 0x3000'0000},
            {"EPD1", cd::epd1, 0, 0x4000'0000},
            {"V", cd::v, 0, 0x8000'0000},
            {"IPS", cd::ips, 0, 0x7'0000'0000},
            {"AFFD", cd::affd, 0, 1ull << 35},
            {"WXN", cd::wxn, 0, 1ull << 36},
            {"UWXN", cd::uwxn, 0, 1ull << 37},
            {"TBI0", cd::tbi0, 0, 1ull << 38},
            {"TBI1", cd::tbi1, 0, 1ull << 39},
            {"PAN", cd::pan, 0, 1ull << 40},
            {"AA64", cd::aa64, 0, 1ull << 41},
            {"HD", cd::hd, 0, 1ull << 42},
            {"HA", cd::ha, 0, 1ull << 43},
            {"S", cd::s, 0, 1ull << 44},
            {"R", cd::r, 0, 1ull << 45},
            {"A", cd::a, 0, 1ull << 46},
            {"ASET", cd::aset, 0, 1ull << 47},
            {"ASID", cd::asid, 0, 0xFFFF'0000'0000'0000},
            {"NSCFG0", cd::nscfg0, 1, 0x1},
            {"HAD0", cd::had0, 1, 0x2},
            {"E0PD0", cd::e0pd0, 1, 0x4},
            {"HAFT", cd::haft, 1, 0x8},
            {"TTB0", cd::ttb0, 1, 0x00FF'FFFF'FFFF'FFF0},
            {"PnCH", cd::pnch, 1, 1ull << 58},
            {"EPAN", cd::epan, 1, 1ull << 59},
            {"HWU059", cd::hwu059, 1, 1ull << 60},
            {"HWU060", cd::hwu060, 1, 1ull << 61},
            {"HWU061", cd::hwu061, 1, 1ull << 62},
            {"HWU062", cd::hwu062, 1, 1ull << 63},
            {"NSCFG1", cd::nscfg1, 2, 0x1},
            {"HAD1", cd::had1, 2, 0x2},
            {"E0PD1", cd::e0pd1, 2, 0x4},
            {"AIE", cd::aie, 2, 0x8},
            {"TTB1", cd::ttb1, 2, 0x00FF'FFFF'FFFF'FFF0},
            {"DS", cd::ds, 2, 1ull << 58},
            {"PIE", cd::pie, 2, 1ull << 59},
            {"HWU159", cd::hwu159, 2, 1ull << 60},
            {"HWU160", cd::hwu160, 2, 1ull << 61},
            {"HWU161", cd::hwu161, 2, 1ull << 62},
            {"HWU162", cd::hwu162, 2, 1ull << 63},
            {"MAIR0", cd::mair0, 3, 0x0000'0000'FFFF'FFFF},
            {"MAIR1", cd::mair1, 3, 0xFFFF'FFFF'0000'0000},
            {"AMAIR0", cd::amair0, 4, 0x0000'0000'FFFF'FFFF},
            {"AMAIR1", cd::amair1, 4, 0xFFFF'FFFF'0000'0000},
            {"IMPDEF", cd::implementation_defined, 5, 0x0000'0000'FFFF'FFFF},
            {"PARTID", cd::partid, 5, 0x0000'FFFF'0000'0000},
            {"PMG", cd::pmg, 5, 0x00FF'0000'0000'0000},
            {"PIIU", cd::piiu, 6, 0x0000'FFFF'FFFF'FFFF},
            {"PIIP", cd::piip, 7, 0x0000'FFFF'FFFF'FFFF},
        },
        {~0ull, 0xFCFF'FFFF'FFFF'FFFF, 0xFCFF'FFFF'FFFF'FFFF, ~0ull, ~0ull, 0x00FF'FFFF'FFFF'FFFF,
         0x0000'FFFF'FFFF'FFFF, 0x0000'FFFF'FFFF'FFFF});
}

TEST(ContextDescriptorLayout, SharesTheSkipLevelBitsWithTheHardwareUseBits) {
    EXPECT_EQ(cd::skl0.mask(), cd::hwu061.mask() | cd::hwu062.mask());
    EXPECT_EQ(cd::skl1.mask(), cd::hwu161.mask() | cd::hwu162.mask());
    EXPECT_EQ(cd::mair.mask(), cd::mair0.mask() | cd::mair1.mask());
}

TEST(CommandLayout, HasTheCommonFieldsInTheirPlaces) {
    EXPECT_EQ(command::bytes, 16u);
    expect_layout({{"opcode", command::opcode, 0, 0xFF},
                   {"SSec", command::ssec, 0, 0x400},
                   {"SSV", command::ssv, 0, 0x800},
                   {"SubstreamID", command::substream_id, 0, 0xFFFF'F000},
                   {"StreamID", command::stream_id, 0, 0xFFFF'FFFF'0000'0000},
                   {"Leaf", command::leaf, 1, 0x1},
                   {"Address", command::address, 1, 0xFFFF'FFFF'FFFF'F000}},
                  {0xFFFF'FFFF'FFFF'FCFF, 0xFFFF'FFFF'FFFF'F001});
}

TEST(CommandLayout, HasTheTlbInvalidationFieldsInTheirPlaces) {
    expect_layout({{"opcode", command::opcode, 0, 0xFF},
                   {"NUM", tlbi::num, 0, 0x1'F000},
                   {"SCALE", tlbi::scale, 0, 0x1F0'0000},
                   {"VMID", tlbi::vmid, 0, 0xFFFF'0000'0000},
                   {"ASID", tlbi::asid, 0, 0xFFFF'0000'0000'0000},
                   {"Leaf", tlbi::leaf, 1, 0x1},
                   {"TTL128", tlbi::ttl128, 1, 0x80},
                   {"TTL", tlbi::ttl, 1, 0x300},
                   {"TG", tlbi::tg, 1, 0xC00},
                   {"Address", tlbi::address, 1, 0xFFFF'FFFF'FFFF'F000}},
                  {0xFFFF'FFFF'01F1'F0FF, 0xFFFF'FFFF'FFFF'FF81});
    EXPECT_EQ(tlbi::ipa.mask(), 0x00FF'FFFF'FFFF'F000u);
    EXPECT_EQ(tlbi::scale_with_ds.mask(), 0x3F0'0000u);
}

TEST(CommandLayout, HasTheFieldsOfTheOtherCommandsInTheirPlaces) {
    expect_layout({{"Range", cfgi::range, 1, 0x1F}}, {0, 0x1F});
    expect_layout({{"Size", prefetch::size, 1, 0x1F}, {"Stride", prefetch::stride, 1, 0x3E0}}, {0, 0x3FF});
    expect_layout({{"G", atc_inv::global, 0, 0x200},
                   {"Size", atc_inv::size, 1, 0x3F},
                   {"Address", atc_inv::address, 1, 0xFFFF'FFFF'FFFF'F000}},
                  {0x200, 0xFFFF'FFFF'FFFF'F03F});
    expect_layout({{"PRGIndex", pri_resp::prg_index, 1, 0x1FF}, {"Resp", pri_resp::resp, 1, 0x3000}},
                  {0, 0x31FF});
    expect_layout({{"Ac", resume::action, 0, 0x1000},
                   {"Ab", resume::abort, 0, 0x2000},
                   {"STAG", resume::stag, 1, 0xFFFF}},
                  {0x3000, 0xFFFF});
    expect_layout({{"CS", sync::cs, 0, 0x3000},
                   {"MSH", sync::msh, 0, 0xC0'0000},
                   {"MSIAttr", sync::msi_attr, 0, 0xF00'0000},
                   {"MSIData", sync::msi_data, 0, 0xFFFF'FFFF'0000'0000},
                   {"MSIAddress", sync::msi_addr, 1, 0x00FF'FFFF'FFFF'FFFC}},
                  {0xFFFF'FFFF'0FC0'3000, 0x00FF'FFFF'FFFF'FFFC});
}

TEST(CommandLayout, GivesTheWordsOfWellKnownCommands) {
    std::uint64_t all[command::words] = {};
    command::opcode.set(all, opcode::cfgi_ste_range);
    cfgi::range.set(all, cfgi::range_all);
    EXPECT_EQ(all[0], 0x04u);
    EXPECT_EQ(all[1], 0x1Fu);

    std::uint64_t polled[command::words] = {};
    command::opcode.set(polled, opcode::sync);
    sync::cs.set(polled, sync::cs_irq);
    sync::msh.set(polled, shareability::inner_shareable);
    sync::msi_attr.set(polled, memattr::normal_write_back);
    polled[1] |= sync::msi_addr.in_place(0x8000'1230);
    EXPECT_EQ(polled[0], 0x0FC0'1046u);
    EXPECT_EQ(polled[1], 0x8000'1230u);
}

TEST(CommandLayout, ComputesTheBytesOfARange) {
    EXPECT_EQ(tlbi::range_bytes(4, 0, tlbi::tg_4k), 0x5000u);
    EXPECT_EQ(tlbi::range_bytes(0, 9, tlbi::tg_4k), 0x20'0000u);
    EXPECT_EQ(tlbi::range_bytes(30, 5, tlbi::tg_4k), 992u * 4096);
    EXPECT_EQ(tlbi::range_bytes(0, 0, tlbi::tg_16k), 0x4000u);
    EXPECT_EQ(tlbi::range_bytes(1, 0, tlbi::tg_64k), 0x2'0000u);
}

TEST(CommandNames, ExistForEveryOpcodeOnce) {
    const std::set<unsigned> defined = {
        0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x10, 0x11, 0x12, 0x13, 0x18, 0x1A, 0x20, 0x21, 0x22, 0x23,
        0x28, 0x2A, 0x30, 0x40, 0x41, 0x44, 0x45, 0x46, 0x50, 0x51, 0x52, 0x53, 0x58, 0x5A, 0x60, 0x70, 0x73};
    std::set<std::string> names;
    for (unsigned op = 0; op < 256; ++op) {
        const std::string name = command_name(op);
        if (defined.count(op) == 0) {
            EXPECT_EQ(name, "reserved") << op;
            continue;
        }
        EXPECT_EQ(name.rfind("CMD_", 0), 0u) << op;
        EXPECT_TRUE(names.insert(name).second) << name;
    }
    EXPECT_STREQ(command_name(0x46), "CMD_SYNC");
    EXPECT_STREQ(command_name(0x12), "CMD_TLBI_NH_VA");
    EXPECT_STREQ(command_name(0x30), "CMD_TLBI_NSNH_ALL");
    EXPECT_STREQ(command_name(0x07), "CMD_CFGI_VMS_PIDM");
    EXPECT_STREQ(cerror_name(1), "CERROR_ILL");
    EXPECT_STREQ(cerror_name(2), "CERROR_ABT");
    EXPECT_STREQ(cerror_name(3), "CERROR_ATC_INV_SYNC");
    EXPECT_STREQ(cerror_name(4), "reserved");
}

TEST(EventRecordLayout, HasEveryFieldInItsPlace) {
    EXPECT_EQ(event::bytes, 32u);
    expect_layout({{"event number", event::id, 0, 0xFF},
                   {"SSV", event::ssv, 0, 0x800},
                   {"SubstreamID", event::substream_id, 0, 0xFFFF'F000},
                   {"StreamID", event::stream_id, 0, 0xFFFF'FFFF'0000'0000},
                   {"STAG", event::stag, 1, 0xFFFF},
                   {"GPCF", event::gpcf, 1, 0x1'0000},
                   {"Stall", event::stall, 1, 0x8000'0000},
                   {"PnU", event::pnu, 1, 1ull << 33},
                   {"InD", event::ind, 1, 1ull << 34},
                   {"RnW", event::rnw, 1, 1ull << 35},
                   {"NSIPA", event::nsipa, 1, 1ull << 38},
                   {"S2", event::s2, 1, 1ull << 39},
                   {"CLASS", event::event_class, 1, 3ull << 40},
                   {"TTRnW", event::ttrnw, 1, 1ull << 44},
                   {"InputAddr", event::input_addr, 2, ~0ull},
                   {"IPA", event::ipa, 3, 0x00FF'FFFF'FFFF'F000}},
                  {0xFFFF'FFFF'FFFF'F8FF, 0x0000'13CE'8001'FFFF, ~0ull, 0x00FF'FFFF'FFFF'F000});
    EXPECT_EQ(event::fetch_addr.word(), 3u);
    EXPECT_EQ(event::fetch_addr.mask(), 0x00FF'FFFF'FFFF'FFF8u);
    EXPECT_EQ(event::reason.mask(), event::stag.mask());
}

TEST(EventNames, ExistForEveryEventOnce) {
    const std::set<unsigned> defined = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0A,
                                        0x0B, 0x10, 0x11, 0x12, 0x13, 0x20, 0x21, 0x24, 0x25};
    std::set<std::string> names;
    for (unsigned id = 0; id < 256; ++id) {
        const std::string name = event_name(id);
        EXPECT_EQ(name != "reserved", defined.count(id) == 1) << id;
        if (name != "reserved") {
            EXPECT_TRUE(names.insert(name).second) << name;
        }
    }
    EXPECT_STREQ(event_name(0x10), "F_TRANSLATION");
    EXPECT_STREQ(event_name(0x0A), "C_BAD_CD");
    EXPECT_STREQ(event_name(0x0B), "F_WALK_EABT");
}

TEST(PageRequestLayout, HasEveryFieldInItsPlace) {
    expect_layout({{"StreamID", page_request::stream_id, 0, 0xFFFF'FFFF},
                   {"SubstreamID", page_request::substream_id, 0, 0x000F'FFFF'0000'0000},
                   {"Priv", page_request::priv, 0, 1ull << 58},
                   {"X", page_request::x, 0, 1ull << 59},
                   {"R", page_request::r, 0, 1ull << 60},
                   {"W", page_request::w, 0, 1ull << 61},
                   {"Last", page_request::last, 0, 1ull << 62},
                   {"SSV", page_request::ssv, 0, 1ull << 63},
                   {"PRGIndex", page_request::prg_index, 1, 0x1FF},
                   {"Address", page_request::address, 1, 0xFFFF'FFFF'FFFF'F000}},
                  {0xFC0F'FFFF'FFFF'FFFF, 0xFFFF'FFFF'FFFF'F1FF});
}

TEST(RegisterLayout, HasTheFieldsOfControlRegistersInTheirPlaces) {
    expect_layout({{"SMMUEN", cr0::smmuen, 0, 0x1},
                   {"PRIQEN", cr0::priqen, 0, 0x2},
                   {"EVENTQEN", cr0::eventqen, 0, 0x4},
                   {"CMDQEN", cr0::cmdqen, 0, 0x8},
                   {"ATSCHK", cr0::atschk, 0, 0x10},
                   {"VMW", cr0::vmw, 0, 0x1C0},
                   {"DPT_WALK_EN", cr0::dpt_walk_en, 0, 0x400}},
                  {0x5DF});
    expect_layout({{"QUEUE_IC", cr1::queue_ic, 0, 0x3},
                   {"QUEUE_OC", cr1::queue_oc, 0, 0xC},
                   {"QUEUE_SH", cr1::queue_sh, 0, 0x30},
                   {"TABLE_IC", cr1::table_ic, 0, 0xC0},
                   {"TABLE_OC", cr1::table_oc, 0, 0x300},
                   {"TABLE_SH", cr1::table_sh, 0, 0xC00}},
                  {0xFFF});
    expect_layout({{"E2H", cr2::e2h, 0, 0x1},
                   {"RECINVSID", cr2::recinvsid, 0, 0x2},
                   {"PTM", cr2::ptm, 0, 0x4},
                   {"REC_CFG_ATS", cr2::rec_cfg_ats, 0, 0x8}},
                  {0xF});
    expect_layout({{"MemAttr", gbpa::memattr, 0, 0xF},
                   {"MTCFG", gbpa::mtcfg, 0, 0x10},
                   {"ALLOCCFG", gbpa::alloccfg, 0, 0xF00},
                   {"SHCFG", gbpa::shcfg, 0, 0x3000},
                   {"PRIVCFG", gbpa::privcfg, 0, 0x3'0000},
                   {"INSTCFG", gbpa::instcfg, 0, 0xC'0000},
                   {"ABORT", gbpa::abort, 0, 0x10'0000},
                   {"Update", gbpa::update, 0, 0x8000'0000}},
                  {0x801F'3F1F});
    expect_layout({{"CMDQ_ERR", gerror::cmdq_err, 0, 0x1},
                   {"EVENTQ_ABT_ERR", gerror::eventq_abt_err, 0, 0x4},
                   {"PRIQ_ABT_ERR", gerror::priq_abt_err, 0, 0x8},
                   {"MSI_CMDQ_ABT_ERR", gerror::msi_cmdq_abt_err, 0, 0x10},
                   {"MSI_EVENTQ_ABT_ERR", gerror::msi_eventq_abt_err, 0, 0x20},
                   {"MSI_PRIQ_ABT_ERR", gerror::msi_priq_abt_err, 0, 0x40},
                   {"MSI_GERROR_ABT_ERR", gerror::msi_gerror_abt_err, 0, 0x80},
                   {"SFM_ERR", gerror::sfm_err, 0, 0x100},
                   {"CMDQP_ERR", gerror::cmdqp_err, 0, 0x200},
                   {"DPT_ERR", gerror::dpt_err, 0, 0x400}},
                  {0x7FD});
}

TEST(RegisterLayout, HasTheFieldsOfTablesAndQueuesInTheirPlaces) {
    expect_layout(
        {{"ADDR", strtab_base::addr, 0, 0x00FF'FFFF'FFFF'FFC0}, {"RA", strtab_base::ra, 0, 1ull << 62}},
        {0x40FF'FFFF'FFFF'FFC0});
    expect_layout({{"LOG2SIZE", strtab_base_cfg::log2size, 0, 0x3F},
                   {"SPLIT", strtab_base_cfg::split, 0, 0x7C0},
                   {"FMT", strtab_base_cfg::fmt, 0, 0x3'0000}},
                  {0x3'07FF});
    expect_layout({{"LOG2SIZE", queue_base::log2size, 0, 0x1F},
                   {"ADDR", queue_base::addr, 0, 0x00FF'FFFF'FFFF'FFE0},
                   {"RA", queue_base::ra, 0, 1ull << 62}},
                  {0x40FF'FFFF'FFFF'FFFF});
    expect_layout({{"RD", cmdq_cons::rd, 0, 0xF'FFFF}, {"ERR", cmdq_cons::err, 0, 0x7F00'0000}},
                  {0x7F0F'FFFF});
    expect_layout({{"WR", eventq_prod::wr, 0, 0xF'FFFF}, {"OVFLG", eventq_prod::ovflg, 0, 0x8000'0000}},
                  {0x800F'FFFF});
    expect_layout({{"RD", eventq_cons::rd, 0, 0xF'FFFF}, {"OVACKFLG", eventq_cons::ovackflg, 0, 0x8000'0000}},
                  {0x800F'FFFF});
    expect_layout({{"ADDR", irq_cfg0::addr, 0, 0x00FF'FFFF'FFFF'FFFC}}, {0x00FF'FFFF'FFFF'FFFC});
    expect_layout({{"MemAttr", irq_cfg2::memattr, 0, 0xF}, {"SH", irq_cfg2::sh, 0, 0x30}}, {0x3F});
}

TEST(RegisterLayout, GivesTheUsualValueOfCr1) {
    std::uint64_t value = 0;
    for (Field f : {cr1::table_sh, cr1::queue_sh})
        value = f.put(value, shareability::inner_shareable);
    for (Field f : {cr1::table_oc, cr1::table_ic, cr1::queue_oc, cr1::queue_ic})
        value = f.put(value, cr1::write_back);
    EXPECT_EQ(value, 0xD75u);
}

TEST(RegisterLayout, NamesTheAddressSizes) {
    const unsigned expected[] = {32, 36, 40, 42, 44, 48, 52, 56};
    for (unsigned code = 0; code < 8; ++code)
        EXPECT_EQ(address_bits(code), expected[code]);
}

TEST(DescriptorLayout, HasTheStageOneLeafFieldsInTheirPlaces) {
    expect_layout({{"type", descriptor::type, 0, 0x3},
                   {"AttrIndx", stage1_leaf::attr_index, 0, 0x1C},
                   {"NS", stage1_leaf::ns, 0, 0x20},
                   {"AP[1]", stage1_leaf::ap_unprivileged, 0, 0x40},
                   {"AP[2]", stage1_leaf::ap_read_only, 0, 0x80},
                   {"SH", stage1_leaf::sh, 0, 0x300},
                   {"AF", stage1_leaf::af, 0, 0x400},
                   {"nG", stage1_leaf::ng, 0, 0x800},
                   {"address", descriptor::address_4k, 0, 0x0000'FFFF'FFFF'F000},
                   {"GP", stage1_leaf::gp, 0, 1ull << 50},
                   {"DBM", stage1_leaf::dbm, 0, 1ull << 51},
                   {"Contiguous", stage1_leaf::contiguous, 0, 1ull << 52},
                   {"PXN", stage1_leaf::pxn, 0, 1ull << 53},
                   {"UXN", stage1_leaf::uxn, 0, 1ull << 54},
                   {"software", descriptor::software_use, 0, 0x0780'0000'0000'0000},
                   {"PBHA", stage1_leaf::pbha, 0, 0x7800'0000'0000'0000}},
                  {0x7FFC'FFFF'FFFF'FFFF});
    expect_layout({{"AF", stage1_table::af, 0, 0x400},
                   {"PXNTable", stage1_table::pxn_table, 0, 1ull << 59},
                   {"UXNTable", stage1_table::uxn_table, 0, 1ull << 60},
                   {"APTable", stage1_table::ap_table, 0, 3ull << 61},
                   {"NSTable", stage1_table::ns_table, 0, 1ull << 63}},
                  {0xF800'0000'0000'0400});
}

TEST(DescriptorLayout, HasTheStageTwoLeafFieldsInTheirPlaces) {
    expect_layout({{"MemAttr", stage2_leaf::memattr, 0, 0x3C},
                   {"S2AP", stage2_leaf::s2ap, 0, 0xC0},
                   {"SH", stage2_leaf::sh, 0, 0x300},
                   {"AF", stage2_leaf::af, 0, 0x400},
                   {"FnXS", stage2_leaf::fnxs, 0, 0x800},
                   {"nT", stage2_leaf::nt, 0, 0x1'0000},
                   {"DBM", stage2_leaf::dbm, 0, 1ull << 51},
                   {"Contiguous", stage2_leaf::contiguous, 0, 1ull << 52},
                   {"XN", stage2_leaf::xn, 0, 3ull << 53},
                   {"PBHA", stage2_leaf::pbha, 0, 0xFull << 59}},
                  {0x7878'0000'0001'0FFC});
}

TEST(GranuleGeometry, GivesTheLevelsOfTheFourKilobyteGranule) {
    EXPECT_EQ(granule_4k.level_shift(0), 39u);
    EXPECT_EQ(granule_4k.level_shift(1), 30u);
    EXPECT_EQ(granule_4k.level_shift(2), 21u);
    EXPECT_EQ(granule_4k.level_shift(3), 12u);
    EXPECT_EQ(entries_per_4k_table, 512u);
    EXPECT_EQ(block_2m_bytes, 0x20'0000u);
    EXPECT_EQ(block_1g_bytes, 0x4000'0000u);

    constexpr std::uint64_t address = 0x1234'5678'9ABC;
    EXPECT_EQ(granule_4k.index(address, 0), 0x24u);
    EXPECT_EQ(granule_4k.index(address, 1), 0xD1u);
    EXPECT_EQ(granule_4k.index(address, 2), 0xB3u);
    EXPECT_EQ(granule_4k.index(address, 3), 0x189u);
}

TEST(GranuleGeometry, GivesTheStartLevelForEverySizeOfInput) {
    struct Range {
        Granule granule;
        unsigned txsz_first, txsz_last, level;
    };
    for (const Range& r :
         {Range{granule_4k, 16, 24, 0}, Range{granule_4k, 25, 33, 1}, Range{granule_4k, 34, 42, 2},
          Range{granule_16k, 16, 16, 0}, Range{granule_16k, 17, 27, 1}, Range{granule_16k, 28, 38, 2},
          Range{granule_64k, 16, 21, 1}, Range{granule_64k, 22, 34, 2}, Range{granule_64k, 35, 47, 3}})
        for (unsigned txsz = r.txsz_first; txsz <= r.txsz_last; ++txsz) {
            EXPECT_EQ(r.granule.start_level(64 - txsz), r.level) << r.granule.bits << " TxSZ " << txsz;
            EXPECT_GE(r.granule.start_index_bits(64 - txsz), 1u);
            EXPECT_LE(r.granule.start_index_bits(64 - txsz), r.granule.stride());
        }
    EXPECT_EQ(granule_4k.start_index_bits(48), 9u);
    EXPECT_EQ(granule_4k.start_index_bits(39), 9u);
    EXPECT_EQ(granule_4k.start_index_bits(40), 1u);
}

TEST(GranuleGeometry, GivesTheContiguousGroups) {
    const auto group_bytes = [](Granule g, unsigned level) {
        return g.level_bytes(level) << g.contiguous_bits(level);
    };
    EXPECT_EQ(group_bytes(granule_4k, 3), 64ull << 10);
    EXPECT_EQ(group_bytes(granule_4k, 2), 32ull << 20);
    EXPECT_EQ(group_bytes(granule_4k, 1), 16ull << 30);
    EXPECT_EQ(group_bytes(granule_16k, 3), 2ull << 20);
    EXPECT_EQ(group_bytes(granule_16k, 2), 1ull << 30);
    EXPECT_EQ(group_bytes(granule_64k, 3), 2ull << 20);
    EXPECT_EQ(group_bytes(granule_64k, 2), 16ull << 30);
    EXPECT_EQ(granule_4k.contiguous_bits(0), 0u);
    EXPECT_FALSE(granule_4k.block_level(0));
    EXPECT_FALSE(granule_16k.block_level(1));
    EXPECT_FALSE(granule_4k.block_level(3));
}

} // namespace
} // namespace iommusim::smmuv3::spec
