// The feature page against the identification registers as software reads them.
#include "register_bench.h"

#include <map>
#include <set>

namespace iommusim::smmuv3 {
namespace {

/// Where a field of the feature page is in the register space; stated again here, apart from the layout
/// header.
struct Place {
    std::uint64_t offset;
    unsigned msb;
    unsigned lsb;
};

const std::map<std::string, Place> places = {
    {"IDR0.S2P", {0x00, 0, 0}},
    {"IDR0.S1P", {0x00, 1, 1}},
    {"IDR0.TTF", {0x00, 3, 2}},
    {"IDR0.COHACC", {0x00, 4, 4}},
    {"IDR0.BTM", {0x00, 5, 5}},
    {"IDR0.HTTU", {0x00, 7, 6}},
    {"IDR0.DORMHINT", {0x00, 8, 8}},
    {"IDR0.Hyp", {0x00, 9, 9}},
    {"IDR0.ATS", {0x00, 10, 10}},
    {"IDR0.NS1ATS", {0x00, 11, 11}},
    {"IDR0.ASID16", {0x00, 12, 12}},
    {"IDR0.MSI", {0x00, 13, 13}},
    {"IDR0.SEV", {0x00, 14, 14}},
    {"IDR0.ATOS", {0x00, 15, 15}},
    {"IDR0.PRI", {0x00, 16, 16}},
    {"IDR0.VMW", {0x00, 17, 17}},
    {"IDR0.VMID16", {0x00, 18, 18}},
    {"IDR0.CD2L", {0x00, 19, 19}},
    {"IDR0.VATOS", {0x00, 20, 20}},
    {"IDR0.TTENDIAN", {0x00, 22, 21}},
    {"IDR0.ATSRECERR", {0x00, 23, 23}},
    {"IDR0.STALL_MODEL", {0x00, 25, 24}},
    {"IDR0.TERM_MODEL", {0x00, 26, 26}},
    {"IDR0.ST_LEVEL", {0x00, 28, 27}},
    {"IDR0.RME_IMPL", {0x00, 30, 30}},
    {"IDR1.SIDSIZE", {0x04, 5, 0}},
    {"IDR1.SSIDSIZE", {0x04, 10, 6}},
    {"IDR1.PRIQS", {0x04, 15, 11}},
    {"IDR1.EVENTQS", {0x04, 20, 16}},
    {"IDR1.CMDQS", {0x04, 25, 21}},
    {"IDR1.ATTR_PERMS_OVR", {0x04, 26, 26}},
    {"IDR1.ATTR_TYPES_OVR", {0x04, 27, 27}},
    {"IDR1.REL", {0x04, 28, 28}},
    {"IDR1.QUEUES_PRESET", {0x04, 29, 29}},
    {"IDR1.TABLES_PRESET", {0x04, 30, 30}},
    {"IDR1.ECMDQ", {0x04, 31, 31}},
    {"IDR2.BA_VATOS", {0x08, 9, 0}},
    {"IDR3.HAD", {0x0C, 2, 2}},
    {"IDR3.PBHA", {0x0C, 3, 3}},
    {"IDR3.XNX", {0x0C, 4, 4}},
    {"IDR3.PPS", {0x0C, 5, 5}},
    {"IDR3.MPAM", {0x0C, 7, 7}},
    {"IDR3.FWB", {0x0C, 8, 8}},
    {"IDR3.STT", {0x0C, 9, 9}},
    {"IDR3.RIL", {0x0C, 10, 10}},
    {"IDR3.BBML", {0x0C, 12, 11}},
    {"IDR3.E0PD", {0x0C, 13, 13}},
    {"IDR3.PTWNNC", {0x0C, 14, 14}},
    {"IDR3.DPT", {0x0C, 15, 15}},
    {"IDR3.PASIDTT", {0x0C, 16, 16}},
    {"IDR3.EPAN", {0x0C, 17, 17}},
    {"IDR3.S1PI", {0x0C, 18, 18}},
    {"IDR3.S2PI", {0x0C, 19, 19}},
    {"IDR3.S2PO", {0x0C, 20, 20}},
    {"IDR3.THE", {0x0C, 21, 21}},
    {"IDR3.MTEPERM", {0x0C, 22, 22}},
    {"IDR3.AIE", {0x0C, 23, 23}},
    {"IDR5.OAS", {0x14, 2, 0}},
    {"IDR5.GRAN4K", {0x14, 4, 4}},
    {"IDR5.GRAN16K", {0x14, 5, 5}},
    {"IDR5.GRAN64K", {0x14, 6, 6}},
    {"IDR5.DS", {0x14, 7, 7}},
    {"IDR5.D128", {0x14, 8, 8}},
    {"IDR5.VAX", {0x14, 11, 10}},
    {"IDR5.STALL_MAX", {0x14, 31, 16}},
    {"IDR6.CMDQ_CONTROL_PAGE_LOG2NUMQ", {0x190, 19, 16}},
    {"IDR6.CMDQ_CONTROL_PAGE_LOG2NUMP", {0x190, 27, 24}},
    {"IIDR.Implementer", {0x18, 11, 0}},
    {"IIDR.Revision", {0x18, 15, 12}},
    {"IIDR.Variant", {0x18, 19, 16}},
    {"IIDR.ProductID", {0x18, 31, 20}},
    {"AIDR.ArchMinorRev", {0x1C, 3, 0}},
    {"AIDR.ArchMajorRev", {0x1C, 7, 4}},
};

Features every_option_other_than_default() {
    Features f;
    f.sid_bits = 5;
    f.ssid_bits = 0;
    f.oas_code = spec::size_code_40_bits;
    f.cmdq_log2_max = 10;
    f.eventq_log2_max = 9;
    f.two_level_stream_table = false;
    f.two_level_cd = false;
    f.asid16 = false;
    f.coherent_access = false;
    f.msi = false;
    f.sev = false;
    f.range_invalidation = false;
    f.hierarchical_attribute_disable = false;
    f.iidr = 0x4871'243B;
    return f;
}

void expect_page_matches_registers(const Features& features) {
    Recorder recorder;
    RegisterFile registers(features, recorder);
    std::map<std::uint64_t, std::uint64_t> accounted;
    std::set<std::string> names;
    for (const FeatureRow& row : describe(features)) {
        SCOPED_TRACE(row.name);
        EXPECT_TRUE(names.insert(row.name).second) << "listed twice";
        EXPECT_FALSE(row.description.empty());
        const auto place = places.find(row.name);
        ASSERT_NE(place, places.end()) << "not a field of the specification";
        const auto [offset, msb, lsb] = place->second;
        std::uint64_t value = 0;
        ASSERT_TRUE(registers.read(offset, 4, value));
        const std::uint64_t mask = ((2ull << (msb - lsb)) - 1) << lsb;
        EXPECT_EQ((value & mask) >> lsb, row.value);
        accounted[offset] |= mask;
    }
    EXPECT_EQ(names.size(), places.size()) << "every field is listed";
    // No identification register has a bit that the page does not explain.
    for (std::uint64_t offset : {0x00, 0x04, 0x08, 0x0C, 0x10, 0x14, 0x18, 0x1C, 0x190}) {
        std::uint64_t value = 0;
        ASSERT_TRUE(registers.read(offset, 4, value));
        EXPECT_EQ(value & ~accounted[offset], 0u) << std::hex << offset;
    }
}

TEST(FeaturePage, SaysWhatTheIdentificationRegistersSay) { expect_page_matches_registers({}); }

TEST(FeaturePage, SaysWhatTheIdentificationRegistersSayForOtherChoices) {
    expect_page_matches_registers(every_option_other_than_default());
}

TEST(FeaturePage, AdvertisesExactlyWhatIsBuilt) {
    const std::set<std::string> built = {
        "IDR0.S1P",          "IDR0.TTF",         "IDR0.COHACC",   "IDR0.ASID16",     "IDR0.MSI",
        "IDR0.SEV",          "IDR0.CD2L",        "IDR0.TTENDIAN", "IDR0.TERM_MODEL", "IDR0.ST_LEVEL",
        "IDR1.SIDSIZE",      "IDR1.SSIDSIZE",    "IDR1.EVENTQS",  "IDR1.CMDQS",      "IDR3.HAD",
        "IDR3.RIL",          "IDR5.OAS",         "IDR5.GRAN4K",   "IIDR.Revision",   "IIDR.Variant",
        "AIDR.ArchMinorRev", "AIDR.ArchMajorRev"};
    std::set<std::string> advertised;
    for (const FeatureRow& row : describe({}))
        if (row.advertised)
            advertised.insert(row.name);
    EXPECT_EQ(advertised, built);
}

TEST(IdentificationRegisters, HaveTheExpectedValuesByDefault) {
    const IdRegisters ids = make_id_registers({});
    // S1P, TTF 2, COHACC, ASID16, MSI, SEV, CD2L, TTENDIAN 2, STALL_MODEL 1, ST_LEVEL 1.
    EXPECT_EQ(ids.idr0, 0x0948'701Au);
    // 16 StreamID bits, 20 SubstreamID bits, queues of at most 2^19 entries.
    EXPECT_EQ(ids.idr1, 0x0273'0510u);
    EXPECT_EQ(ids.idr2, 0u);
    EXPECT_EQ(ids.idr3, 0x404u); // HAD, RIL
    EXPECT_EQ(ids.idr4, 0u);
    EXPECT_EQ(ids.idr5, 0x15u); // 48 bits, 4 KB
    EXPECT_EQ(ids.idr6, 0u);
    EXPECT_EQ(ids.aidr, 0x2u);
}

TEST(IdentificationRegisters, FollowEveryChoice) {
    const IdRegisters ids = make_id_registers(every_option_other_than_default());
    // S1P, TTF 2, TTENDIAN 2, STALL_MODEL 1.
    EXPECT_EQ(ids.idr0, 0x0140'000Au);
    // 5 StreamID bits, event queue 2^9, command queue 2^10.
    EXPECT_EQ(ids.idr1, 0x0149'0005u);
    EXPECT_EQ(ids.idr3, 0u);
    EXPECT_EQ(ids.idr5, 0x12u); // 40 bits, 4 KB
    EXPECT_EQ(ids.iidr, 0x4871'243Bu);
}

TEST(Features, AreRefusedWithAReasonWhenTheyCannotBeBuilt) {
    EXPECT_EQ(first_violation({}), "");
    EXPECT_EQ(first_violation(every_option_other_than_default()), "");
    const auto refused = [](auto change, const char* name) {
        Features f;
        change(f);
        EXPECT_EQ(first_violation(f).rfind(name, 0), 0u) << first_violation(f);
    };
    refused([](Features& f) { f.sid_bits = 33; }, "sid_bits");
    refused([](Features& f) { f.ssid_bits = 21; }, "ssid_bits");
    refused([](Features& f) { f.oas_code = spec::size_code_52_bits; }, "oas_code");
    refused([](Features& f) { f.cmdq_log2_max = 20; }, "cmdq_log2_max");
    refused([](Features& f) { f.eventq_log2_max = 20; }, "eventq_log2_max");
    refused([](Features& f) { f.two_level_stream_table = false; }, "two_level_stream_table");
}

} // namespace
} // namespace iommusim::smmuv3
