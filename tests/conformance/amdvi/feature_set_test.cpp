// The feature page against the registers as software reads them, and the rules between features.
#include "register_bench.h"

#include "tests/conformance/common/expect_feature_page.h"

namespace iommusim::amdvi {
namespace {

/// Offsets of the registers are told apart from those of the capability block.
constexpr std::uint64_t mmio = 0x10000;
constexpr std::uint64_t header = 0x00, misc0 = 0x10, misc1 = 0x14, efr = mmio + 0x30, efr2 = mmio + 0x1A0;

const test::FieldPlaces places = {
    {"EFR.PreFSup", {efr, 0, 0}},
    {"EFR.PPRSup", {efr, 1, 1}},
    {"EFR.XTSup", {efr, 2, 2}},
    {"EFR.NXSup", {efr, 3, 3}},
    {"EFR.GTSup", {efr, 4, 4}},
    {"EFR.GAPPISup", {efr, 5, 5}},
    {"EFR.IASup", {efr, 6, 6}},
    {"EFR.GASup", {efr, 7, 7}},
    {"EFR.HESup", {efr, 8, 8}},
    {"EFR.PCSup", {efr, 9, 9}},
    {"EFR.HATS", {efr, 11, 10}},
    {"EFR.GATS", {efr, 13, 12}},
    {"EFR.GLXSup", {efr, 15, 14}},
    {"EFR.SmiFSup", {efr, 17, 16}},
    {"EFR.SmiFRC", {efr, 20, 18}},
    {"EFR.GAMSup", {efr, 23, 21}},
    {"EFR.DualPprLogSup", {efr, 25, 24}},
    {"EFR.DualEventLogSup", {efr, 29, 28}},
    {"EFR.SATSSup", {efr, 31, 31}},
    {"EFR.PASmax", {efr, 36, 32}},
    {"EFR.USSup", {efr, 37, 37}},
    {"EFR.DevTblSegSup", {efr, 39, 38}},
    {"EFR.PprOvrflwEarlySup", {efr, 40, 40}},
    {"EFR.PPRAutoRspSup", {efr, 41, 41}},
    {"EFR.MarcSup", {efr, 43, 42}},
    {"EFR.BlkStopMrkSup", {efr, 44, 44}},
    {"EFR.PerfOptSup", {efr, 45, 45}},
    {"EFR.MsiCapMmioSup", {efr, 46, 46}},
    {"EFR.SnoopAttrSup", {efr, 47, 47}},
    {"EFR.GIoSup", {efr, 48, 48}},
    {"EFR.HASup", {efr, 49, 49}},
    {"EFR.EPHSup", {efr, 50, 50}},
    {"EFR.AttrFWSup", {efr, 51, 51}},
    {"EFR.HDSup", {efr, 52, 52}},
    {"EFR.V2HDDisSup", {efr, 53, 53}},
    {"EFR.InvIotlbTypeSup", {efr, 54, 54}},
    {"EFR.vIommuSup", {efr, 55, 55}},
    {"EFR.VmGuardIoSup", {efr, 56, 56}},
    {"EFR.VmTableSize", {efr, 60, 57}},
    {"EFR.GAUpdateDisSup", {efr, 61, 61}},
    {"EFR.ForcePhyDestSup", {efr, 62, 62}},
    {"EFR.SNPSup", {efr, 63, 63}},
    {"EFR2.SevSnpIoSup", {efr2, 1, 1}},
    {"EFR2.TMPMSup", {efr2, 2, 2}},
    {"EFR2.GCR3TRPMode", {efr2, 3, 3}},
    {"EFR2.GAPPIDisSup", {efr2, 4, 4}},
    {"EFR2.SNPAVICSup", {efr2, 7, 5}},
    {"EFR2.NumIntRemapSup", {efr2, 9, 8}},
    {"EFR2.HtRangeIgnore", {efr2, 11, 11}},
    {"CapHeader.CapId", {header, 7, 0}},
    {"CapHeader.CapPtr", {header, 15, 8}},
    {"CapHeader.CapType", {header, 18, 16}},
    {"CapHeader.CapRev", {header, 23, 19}},
    {"CapHeader.IotlbSup", {header, 24, 24}},
    {"CapHeader.HtTunnel", {header, 25, 25}},
    {"CapHeader.NpCache", {header, 26, 26}},
    {"CapHeader.EFRSup", {header, 27, 27}},
    {"CapHeader.CapExt", {header, 28, 28}},
    {"CapMisc0.MsiNum", {misc0, 4, 0}},
    {"CapMisc0.GVAsize", {misc0, 7, 5}},
    {"CapMisc0.PAsize", {misc0, 14, 8}},
    {"CapMisc0.VAsize", {misc0, 21, 15}},
    {"CapMisc0.HtAtsResv", {misc0, 22, 22}},
    {"CapMisc0.MsiNumPPR", {misc0, 31, 27}},
    {"CapMisc1.MsiNumGA", {misc1, 4, 0}},
};

/// Host tables of 4 levels and nothing else.
Features nothing_optional() {
    Features f;
    f.physical_address_bits = 40;
    f.virtual_address_bits = 48;
    f.np_cache = true;
    f.log2_device_table_segments = 0;
    f.host_levels = 4;
    f.host_accessed = f.host_dirty = false;
    f.guest_translation = f.no_execute = f.user_supervisor = f.guest_io = false;
    f.guest_accessed_disable = f.guest_dirty_disable = false;
    f.remote_iotlb = f.page_requests = f.invalidate_all = false;
    f.guest_apic = f.guest_virtual_apic = f.x2apic = f.interrupt_cache_disable = false;
    return f;
}

Features everything_optional() {
    Features f;
    f.prefetch = f.invalidate_iotlb_type = f.interrupt_table_2048 = true;
    f.ht_range_ignore = f.hardware_events = true;
    return f;
}

void expect_page_matches_registers(const Features& features) {
    Recorder recorder;
    RegisterFile registers(features, recorder);
    const auto read = [&](std::uint64_t offset) {
        std::uint64_t value = 0;
        EXPECT_TRUE(offset >= mmio ? registers.read(offset - mmio, 8, value)
                                   : registers.read_capability(offset, 4, value));
        return value;
    };
    test::expect_feature_page(describe(features), places, {header, misc0, misc1, efr, efr2}, read);
}

TEST(FeaturePage, SaysWhatTheRegistersSay) {
    expect_page_matches_registers({});
    expect_page_matches_registers(nothing_optional());
    expect_page_matches_registers(everything_optional());
}

TEST(FeaturePage, ListsWhatIsNotBuiltAsAbsent) {
    const std::set<std::string> absent = {"CapHeader.HtTunnel",  "CapMisc0.HtAtsResv",
                                          "EFR.GAPPISup",        "EFR.PCSup",
                                          "EFR.SmiFSup",         "EFR.SmiFRC",
                                          "EFR.DualPprLogSup",   "EFR.DualEventLogSup",
                                          "EFR.SATSSup",         "EFR.PprOvrflwEarlySup",
                                          "EFR.PPRAutoRspSup",   "EFR.MarcSup",
                                          "EFR.BlkStopMrkSup",   "EFR.PerfOptSup",
                                          "EFR.SnoopAttrSup",    "EFR.EPHSup",
                                          "EFR.AttrFWSup",       "EFR.vIommuSup",
                                          "EFR.VmGuardIoSup",    "EFR.VmTableSize",
                                          "EFR.ForcePhyDestSup", "EFR.SNPSup",
                                          "EFR2.SevSnpIoSup",    "EFR2.TMPMSup",
                                          "EFR2.GCR3TRPMode",    "EFR2.GAPPIDisSup",
                                          "EFR2.SNPAVICSup"};
    Features f = everything_optional();
    f.np_cache = true;
    EXPECT_EQ(test::not_advertised(describe(f)), absent);
}

TEST(FeatureRegisters, HaveTheExpectedValuesByDefault) {
    const IdRegisters ids = make_id_registers({});
    // PPR, XT, NX, GT, IA, GA, HATS 6 levels, GATS 5 levels, GLX 3 levels, GAM, 20-bit PASIDs, US, 8
    // segments, MSI registers, GIo, HA, HD, V2HDDis, GAUpdateDis.
    EXPECT_EQ(ids.efr, 0x2033'40F3'0020'98DEu);
    EXPECT_EQ(ids.efr2, 0u);
    EXPECT_EQ(ids.cap_header, 0x190B'000Fu); // IotlbSup, EFRSup, CapExt, revision 1, type 3
    EXPECT_EQ(ids.cap_misc0, 0x0020'3040u);  // VAsize 64, PAsize 48, GVAsize 48
    EXPECT_EQ(ids.cap_misc1, 0u);
}

TEST(FeatureRegisters, FollowEveryChoice) {
    const IdRegisters least = make_id_registers(nothing_optional());
    EXPECT_EQ(least.efr, 0x0000'4000'0000'0000u);
    EXPECT_EQ(least.cap_header, 0x1C0B'000Fu); // NpCache, no IotlbSup
    EXPECT_EQ(least.cap_misc0, 0x0018'2840u);
    const IdRegisters most = make_id_registers(everything_optional());
    EXPECT_EQ(most.efr, 0x2073'40F3'0020'99DFu);
    EXPECT_EQ(most.efr2, 0x900u);
    Features no_host = nothing_optional();
    no_host.host_translation = false;
    EXPECT_EQ(make_id_registers(no_host).efr, 0x0000'4000'0000'0C00u) << "HATS 3";
    EXPECT_EQ(no_host.max_host_levels(), 0u);
    EXPECT_EQ(nothing_optional().max_host_levels(), 4u);
}

/// The refusal of the default features after `change`.
template <class Change> std::string refusal(Change change) {
    Features f;
    change(f);
    return first_violation(f);
}

TEST(Features, AreRefusedWhenAValueIsOutOfRange) {
    EXPECT_EQ(first_violation({}), "");
    EXPECT_EQ(first_violation(nothing_optional()), "");
    EXPECT_EQ(first_violation(everything_optional()), "");
    const auto refused = [](auto change, const char* name) {
        const std::string reason = refusal(change);
        EXPECT_EQ(reason.rfind(name, 0), 0u) << name << ": " << reason;
    };
    refused([](Features& f) { f.physical_address_bits = 31; }, "physical_address_bits");
    refused([](Features& f) { f.physical_address_bits = 53; }, "physical_address_bits");
    refused([](Features& f) { f.virtual_address_bits = 31; }, "virtual_address_bits");
    refused([](Features& f) { f.virtual_address_bits = 65; }, "virtual_address_bits");
    refused([](Features& f) { f.log2_device_table_segments = 4; }, "log2_device_table_segments");
    refused([](Features& f) { f.host_levels = 3; }, "host_levels");
    refused([](Features& f) { f.host_levels = 7; }, "host_levels");
    refused([](Features& f) { f.guest_levels = 3; }, "guest_levels");
    refused([](Features& f) { f.guest_levels = 6; }, "guest_levels");
    refused([](Features& f) { f.gcr3_levels = 0; }, "gcr3_levels");
    refused([](Features& f) { f.gcr3_levels = 4; }, "gcr3_levels");
    refused([](Features& f) { f.gcr3_levels = 2; }, "gcr3_levels is 2, too few");
    refused([](Features& f) { f.pasid_bits = 0; }, "pasid_bits");
    refused([](Features& f) { f.pasid_bits = 21; }, "pasid_bits");
    EXPECT_EQ(refusal([](Features& f) {
                  f.gcr3_levels = 2;
                  f.pasid_bits = 18;
              }),
              "");
    EXPECT_EQ(refusal([](Features& f) { f.guest_translation = false; }), "") << "the rest means nothing";
}

TEST(Features, AreRefusedWithoutWhatTheyNeed) {
    const auto refused = [](auto change, const std::string& feature, const std::string& needed) {
        EXPECT_EQ(refusal(change), feature + " is 1, but it needs " + needed);
    };
    refused([](Features& f) { f.host_translation = false; }, "host_accessed", "host_translation");
    refused([](Features& f) { f.host_accessed = false; }, "host_dirty", "host_accessed");
    refused([](Features& f) { f.remote_iotlb = false; }, "page_requests", "remote_iotlb");
    refused([](Features& f) { f.guest_apic = false; }, "guest_virtual_apic", "guest_apic");
    refused([](Features& f) { f.guest_apic = f.guest_virtual_apic = false; }, "x2apic", "guest_apic");
    refused(
        [](Features& f) {
            f.remote_iotlb = f.page_requests = false;
            f.invalidate_iotlb_type = true;
        },
        "invalidate_iotlb_type", "remote_iotlb");
}

} // namespace
} // namespace iommusim::amdvi
