// The feature page against the capability registers as software reads them, and the rules between features.
#include "register_bench.h"
#include "tests/conformance/common/expect_feature_page.h"

namespace iommusim::vtd {
namespace {

const test::FieldPlaces places = {
    {"VER.MIN", {0x00, 3, 0}},       {"VER.MAX", {0x00, 7, 4}},       {"CAP.ND", {0x08, 2, 0}},
    {"CAP.AFL", {0x08, 3, 3}},       {"CAP.RWBF", {0x08, 4, 4}},      {"CAP.PLMR", {0x08, 5, 5}},
    {"CAP.PHMR", {0x08, 6, 6}},      {"CAP.CM", {0x08, 7, 7}},        {"CAP.SAGAW", {0x08, 12, 8}},
    {"CAP.MGAW", {0x08, 21, 16}},    {"CAP.ZLR", {0x08, 22, 22}},     {"CAP.FRO", {0x08, 33, 24}},
    {"CAP.SLLPS", {0x08, 37, 34}},   {"CAP.PSI", {0x08, 39, 39}},     {"CAP.NFR", {0x08, 47, 40}},
    {"CAP.MAMV", {0x08, 53, 48}},    {"CAP.DWD", {0x08, 54, 54}},     {"CAP.DRD", {0x08, 55, 55}},
    {"CAP.FL1GP", {0x08, 56, 56}},   {"CAP.PI", {0x08, 59, 59}},      {"CAP.FL5LP", {0x08, 60, 60}},
    {"CAP.ECMDS", {0x08, 61, 61}},   {"CAP.ESIRTPS", {0x08, 62, 62}}, {"CAP.ESRTPS", {0x08, 63, 63}},
    {"ECAP.C", {0x10, 0, 0}},        {"ECAP.QI", {0x10, 1, 1}},       {"ECAP.DT", {0x10, 2, 2}},
    {"ECAP.IR", {0x10, 3, 3}},       {"ECAP.EIM", {0x10, 4, 4}},      {"ECAP.PT", {0x10, 6, 6}},
    {"ECAP.SC", {0x10, 7, 7}},       {"ECAP.IRO", {0x10, 17, 8}},     {"ECAP.MHMV", {0x10, 23, 20}},
    {"ECAP.MTS", {0x10, 25, 25}},    {"ECAP.NEST", {0x10, 26, 26}},   {"ECAP.PRS", {0x10, 29, 29}},
    {"ECAP.ERS", {0x10, 30, 30}},    {"ECAP.SRS", {0x10, 31, 31}},    {"ECAP.NWFS", {0x10, 33, 33}},
    {"ECAP.EAFS", {0x10, 34, 34}},   {"ECAP.PSS", {0x10, 39, 35}},    {"ECAP.PASID", {0x10, 40, 40}},
    {"ECAP.DIT", {0x10, 41, 41}},    {"ECAP.PDS", {0x10, 42, 42}},    {"ECAP.SMTS", {0x10, 43, 43}},
    {"ECAP.VCS", {0x10, 44, 44}},    {"ECAP.SLADS", {0x10, 45, 45}},  {"ECAP.SLTS", {0x10, 46, 46}},
    {"ECAP.FLTS", {0x10, 47, 47}},   {"ECAP.SMPWCS", {0x10, 48, 48}}, {"ECAP.RPS", {0x10, 49, 49}},
    {"ECAP.TDXIO", {0x10, 50, 50}},  {"ECAP.PMS", {0x10, 51, 51}},    {"ECAP.ADMS", {0x10, 52, 52}},
    {"ECAP.RPRIVS", {0x10, 53, 53}}, {"ECAP.SMS", {0x10, 58, 58}},
};

/// An early legacy-mode unit: registers only.
Features nothing_optional() {
    Features f;
    f.version_minor = 3;
    f.host_address_bits = 36;
    f.guest_address_bits = 39;
    f.domain_id_bits = 8;
    f.second_stage_4_level = f.second_stage_5_level = false;
    f.second_stage_2m = f.second_stage_1g = f.zero_length_read = f.snoop_control = false;
    f.second_stage_accessed_dirty = f.page_selective_invalidation = false;
    f.max_address_mask = 0;
    f.scalable_mode = f.first_stage = f.second_stage = f.nested = false;
    f.first_stage_1g = f.first_stage_5_level = f.extended_accessed_flag = false;
    f.supervisor_requests = f.page_walk_snoop = f.pasid = f.rid_pasid = f.rid_priv = false;
    f.pass_through = f.abort_mode = f.coherent_walks = false;
    f.caching_mode = f.write_buffers = true;
    f.write_draining = f.read_draining = f.srtp_invalidates = false;
    f.protected_low_memory = f.protected_high_memory = false;
    f.queued_invalidation = f.device_tlb = f.no_write_flag = f.page_requests = f.page_request_drain = false;
    f.interrupt_remapping = f.x2apic = f.posted_interrupts = f.sirtp_invalidates = false;
    f.max_interrupt_mask = 0;
    f.fault_records = 1;
    f.fault_record_offset = 0x400;
    f.iotlb_offset = 0xF0;
    return f;
}

Features version_6() {
    Features f;
    f.version_major = 6;
    return f;
}

void expect_page_matches_registers(const Features& features) {
    Recorder recorder;
    RegisterFile registers(features, recorder);
    const auto read = [&](std::uint64_t offset) {
        std::uint64_t value = 0;
        EXPECT_TRUE(registers.read(offset, offset == 0 ? 4 : 8, value));
        return value;
    };
    test::expect_feature_page(describe(features), places, {0x00, 0x08, 0x10}, read);
}

std::set<std::string> not_advertised(const Features& features) {
    return test::not_advertised(describe(features));
}

TEST(FeaturePage, SaysWhatTheCapabilityRegistersSay) { expect_page_matches_registers({}); }

TEST(FeaturePage, SaysWhatTheCapabilityRegistersSayForOtherChoices) {
    expect_page_matches_registers(nothing_optional());
    expect_page_matches_registers(version_6());
}

TEST(FeaturePage, AdvertisesExactlyWhatIsBuilt) {
    const std::set<std::string> absent = {"CAP.AFL",    "CAP.RWBF", "CAP.CM",   "CAP.ECMDS",
                                          "ECAP.MTS",   "ECAP.ERS", "ECAP.DIT", "ECAP.VCS",
                                          "ECAP.TDXIO", "ECAP.PMS", "ECAP.SMS"};
    EXPECT_EQ(not_advertised({}), absent);
}

TEST(CapabilityRegisters, HaveTheExpectedValuesByDefault) {
    const IdRegisters ids = make_id_registers({});
    EXPECT_EQ(ids.ver, 0x10u);
    // ND 6, PLMR, PHMR, SAGAW 3 to 5 levels, MGAW 56, ZLR, FRO 0x22, 2 MB and 1 GB, PSI, NFR 7, MAMV 18, DWD,
    // DRD, FL1GP, PI, FL5LP, ESIRTPS, ESRTPS.
    EXPECT_EQ(ids.cap, 0xD9D2'078C'2278'0E66u);
    // C, QI, DT, IR, EIM, PT, SC, IRO 0x50, MHMV 15, NEST, PRS, SRS, NWFS, EAFS, PSS 19, PASID, PDS, SMTS,
    // SLADS, SLTS, FLTS, SMPWCS, RPS, ADMS, RPRIVS.
    EXPECT_EQ(ids.ecap, 0x0033'ED9E'A4F0'50DFu);
}

TEST(CapabilityRegisters, FollowEveryChoice) {
    const IdRegisters ids = make_id_registers(nothing_optional());
    EXPECT_EQ(ids.ver, 0x13u);
    EXPECT_EQ(ids.cap, 0x0000'0000'4026'0292u); // ND 2, RWBF, CM, SAGAW 3 levels, MGAW 38, FRO 0x40
    EXPECT_EQ(ids.ecap, 0xF00u);                // IRO 0x0F
    EXPECT_EQ(spec::ecap::iro.get(make_id_registers(version_6()).ecap), 0u);
}

TEST(Features, TellTheTableDepthsAndTheRegisterSpace) {
    Features f;
    EXPECT_EQ(f.max_levels(), 5u);
    EXPECT_EQ(f.register_space_bytes(), 0x1000u);
    f.second_stage_5_level = false;
    EXPECT_EQ(f.max_levels(), 4u);
    EXPECT_TRUE(f.supports_levels(3));
    EXPECT_FALSE(f.supports_levels(5));
    EXPECT_FALSE(f.supports_levels(2));
    f.fault_record_offset = 0xFF0;
    f.fault_records = 2;
    EXPECT_EQ(f.register_space_bytes(), 0x2000u);
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
    EXPECT_EQ(first_violation(version_6()), "");
    const auto refused = [](auto change, const char* name) {
        const std::string reason = refusal(change);
        EXPECT_EQ(reason.rfind(name, 0), 0u) << name << ": " << reason;
    };
    refused([](Features& f) { f.version_major = 0; }, "version_major");
    refused([](Features& f) { f.version_major = 16; }, "version_major");
    refused([](Features& f) { f.version_minor = 16; }, "version_minor");
    refused([](Features& f) { f.host_address_bits = 31; }, "host_address_bits");
    refused([](Features& f) { f.host_address_bits = 53; }, "host_address_bits");
    refused([](Features& f) { f.domain_id_bits = 18; }, "domain_id_bits");
    refused([](Features& f) { f.domain_id_bits = 9; }, "domain_id_bits");
    refused([](Features& f) { f.guest_address_bits = 58; }, "guest_address_bits");
    refused([](Features& f) { f.second_stage_5_level = false; }, "guest_address_bits");
    refused([](Features& f) { f.max_address_mask = 53; }, "max_address_mask");
    refused([](Features& f) { f.page_selective_invalidation = false; }, "max_address_mask");
    refused([](Features& f) { f.pasid_bits = 21; }, "pasid_bits");
    refused([](Features& f) { f.pasid_bits = 0; }, "pasid_bits");
    refused([](Features& f) { f.max_interrupt_mask = 16; }, "max_interrupt_mask");
    refused([](Features& f) { f.fault_records = 0; }, "fault_records");
    refused([](Features& f) { f.fault_records = 257; }, "fault_records");
    refused([](Features& f) { f.fault_record_offset = 0xE0; }, "fault_record_offset");
    refused([](Features& f) { f.fault_record_offset = 0x228; }, "fault_record_offset");
    refused([](Features& f) { f.iotlb_offset = 0x4000; }, "iotlb_offset");
    refused([](Features& f) { f.iotlb_offset = 0x290; }, "the IOTLB registers");
    refused([](Features& f) { f.iotlb_offset = 0x220; }, "the IOTLB registers");
    EXPECT_EQ(refusal([](Features& f) { f.iotlb_offset = 0x210; }), "");
    EXPECT_EQ(refusal([](Features& f) { f.iotlb_offset = 0x2A0; }), "");
    refused(
        [](Features& f) { f.second_stage_3_level = f.second_stage_4_level = f.second_stage_5_level = false; },
        "no depth");
}

TEST(Features, MayNotOverlapTheIotlbRegistersThatVersion6DoesNotHave) {
    Features f = version_6();
    f.iotlb_offset = 0x290;
    EXPECT_EQ(first_violation(f), "");
}

TEST(Features, AreRefusedWithoutWhatTheyNeed) {
    const auto refused = [](auto change, const std::string& feature, const std::string& needed) {
        EXPECT_EQ(refusal(change), feature + " is 1, but it needs " + needed);
    };
    refused(
        [](Features& f) {
            f.interrupt_remapping = false;
            f.max_interrupt_mask = 0;
        },
        "x2apic", "interrupt_remapping");
    refused([](Features& f) { f.queued_invalidation = false; }, "interrupt_remapping", "queued_invalidation");
    refused([](Features& f) { f.device_tlb = false; }, "no_write_flag", "device_tlb");
    refused(
        [](Features& f) {
            f.device_tlb = false;
            f.no_write_flag = false;
        },
        "page_requests", "device_tlb");
    refused(
        [](Features& f) {
            f.device_tlb = false;
            f.no_write_flag = f.page_requests = false;
        },
        "page_request_drain", "device_tlb");
    refused([](Features& f) { f.scalable_mode = false; }, "page_requests", "scalable_mode");
    refused([](Features& f) { f.first_stage = false; }, "nested", "first_stage");
    refused([](Features& f) { f.second_stage = false; }, "nested", "second_stage");
    refused([](Features& f) { f.page_walk_snoop = false; }, "extended_accessed_flag", "page_walk_snoop");
    refused([](Features& f) { f.supervisor_requests = false; }, "rid_priv", "supervisor_requests");
    refused(
        [](Features& f) {
            f = nothing_optional();
            f.queued_invalidation = f.scalable_mode = true;
        },
        "scalable_mode", "first_stage or second_stage");
}

TEST(Features, NeedTheQueueWhereRegisterInvalidationIsGone) {
    Features f = nothing_optional();
    f.version_major = 6;
    EXPECT_EQ(first_violation(f).rfind("queued_invalidation", 0), 0u);
    f.queued_invalidation = true;
    EXPECT_EQ(first_violation(f), "");
}

} // namespace
} // namespace iommusim::vtd
