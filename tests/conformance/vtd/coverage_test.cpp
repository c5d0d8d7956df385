// Everything that the layouts define is exercised on the whole unit by a test of this program, or not
// advertised.
#include "models/vtd/feature_set.h"
#include "models/vtd/spec/descriptors.h"
#include "tests/conformance/vtd/fault_scenes.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <string>
#include <string_view>

namespace iommusim::vtd::test {
namespace {

using namespace spec;

bool test_exists(std::string_view name) {
    const testing::UnitTest& all = *testing::UnitTest::GetInstance();
    for (int s = 0; s < all.total_test_suite_count(); ++s) {
        const testing::TestSuite& suite = *all.GetTestSuite(s);
        for (int t = 0; t < suite.total_test_count(); ++t)
            if (name == std::string(suite.name()) + "." + suite.GetTestInfo(t)->name())
                return true;
    }
    return false;
}

/// Whether any default or larger unit advertises the feature.
bool advertised(std::string_view row_name) {
    for (const FeatureRow& row : describe(Features{}))
        if (row.name == row_name)
            return row.advertised;
    ADD_FAILURE() << "the feature page has no row " << row_name;
    return true;
}

struct Exercised {
    unsigned type;
    const char* test;
};

constexpr Exercised descriptors[] = {
    {descriptor_type::context_cache, "SecondStage.AContextEntryIsUsedUntilItIsInvalidated"},
    {descriptor_type::iotlb, "SecondStage.ADomainSelectiveInvalidationRemovesThatDomain"},
    {descriptor_type::device_tlb, "DeviceTlb.AccessesWithTranslatedAddressesUntilItIsInvalidated"},
    {descriptor_type::interrupt_entry_cache, "Interrupts.UseACachedEntryUntilItIsInvalidated"},
    {descriptor_type::wait, "DeviceTlb.CompletesAnInvalidationAfterItsAccesses"},
    {descriptor_type::pasid_iotlb,
     "PasidTagged.APasidSelectiveInvalidationLeavesOtherPasidsAndTheSecondStage"},
    {descriptor_type::pasid_cache, "PasidTagged.APasidEntryIsUsedUntilItIsInvalidated"},
    {descriptor_type::pasid_device_tlb, "DeviceTlb.IsInvalidatedByPasid"},
    {descriptor_type::page_group_response, "DeviceTlb.GetsAPageThatSoftwareBringsInOnRequest"},
};

TEST(Coverage, EveryDescriptorTypeIsExercised) {
    for (unsigned type = 0; type < 128; ++type) {
        if (std::string_view(descriptor_name(type)) == "reserved")
            continue;
        const auto* const found = std::find_if(std::begin(descriptors), std::end(descriptors),
                                               [type](const Exercised& e) { return e.type == type; });
        ASSERT_NE(found, std::end(descriptors)) << descriptor_name(type);
        EXPECT_TRUE(test_exists(found->test)) << found->test;
    }
}

/// Reasons that no request can be refused for, and the feature that would have to be there.
struct Unreachable {
    unsigned reason;
    const char* feature; ///< nullptr: see the comment
};
constexpr Unreachable unreachable[] = {
    {fault_reason::sm_execute_permission, "ECAP.ERS"},
    {fault_reason::sm_abort_mode, nullptr}, // abort mode refuses without a record
};

TEST(Coverage, EveryFaultReasonIsExercisedOrCannotOccur) {
    unsigned exercised = 0;
    for (unsigned reason = 1; reason < 256; ++reason) {
        if (std::string_view(fault_name(reason)) == "reserved")
            continue;
        const auto* const exempt =
            std::find_if(std::begin(unreachable), std::end(unreachable),
                         [reason](const Unreachable& u) { return u.reason == reason; });
        if (exempt != std::end(unreachable)) {
            EXPECT_FALSE(exempt->feature && advertised(exempt->feature)) << fault_name(reason);
            continue;
        }
        const std::string test = "Fault.IsRecordedWithItsReason/" + FaultScene{reason, 0, {}, nullptr}.name();
        EXPECT_TRUE(test_exists(test)) << fault_name(reason);
        ++exercised;
    }
    EXPECT_EQ(exercised, fault_scenes().size());
}

TEST(Coverage, EveryFeatureThatIsAdvertisedOrConfigurableHasATestThatNeedsIt) {
    const struct {
        const char* feature;
        const char* test;
    } table[] = {
        {"CAP.PLMR", "ProtectedMemory.IsOutOfReachOfEveryKindOfAccess"},
        {"CAP.PHMR", "ProtectedMemory.IsOutOfReachOfEveryKindOfAccess"},
        {"CAP.PSI", "SecondStage.APageSelectiveInvalidationRemovesThePagesOfItsMask"},
        {"CAP.DWD", "DeviceTlb.CompletesAnInvalidationAfterItsAccesses"},
        {"CAP.DRD", "SecondStage.AWaitDoesNotWaitForReadsThatNeedNoDraining"},
        {"CAP.PI", "Interrupts.ArePostedToTheirDescriptor"},
        {"CAP.ESRTPS", "Handshake.WithEsrtpsSettingThePointerInvalidatesEverything"},
        {"ECAP.QI", "Handshake.ADisabledQueueCarriesOutNothing"},
        {"ECAP.DT", "DeviceTlb.NeverUsesAPageAfterTheCompletionWasSeen"},
        {"ECAP.IR", "Interrupts.AreRemappedByTheirEntry"},
        {"ECAP.PT", "Legacy.PassThroughNeedsNoTable"},
        {"ECAP.NEST", "Scalable.BothStagesMustPermitANestedAccess"},
        {"ECAP.PRS", "PageRequestQueue.RaisesOneEventUntilSoftwareHasSeenIt"},
        {"ECAP.PDS", "PageRequestQueue.IsDrainedByAWaitThatSaysSo"},
        {"ECAP.SRS", "Scalable.PrivilegeIsThatOfTheProcessOrOfTheContextEntry"},
        {"ECAP.PASID", "Scalable.EveryPasidEntrySaysHowItsRequestsAreTranslated"},
        {"ECAP.RPS", "Scalable.RequestsWithoutPasidUseRidPasid"},
        {"ECAP.RPRIVS", "Scalable.PrivilegeIsThatOfTheProcessOrOfTheContextEntry"},
        {"ECAP.ADMS", "Legacy.AbortModeRefusesWithoutARecord"},
        {"ECAP.SMTS", "Scalable.EveryPasidEntrySaysHowItsRequestsAreTranslated"},
        {"ECAP.SLADS", "Fault.IsRecordedWithItsReason/Reason7C"},
        {"ECAP.SMPWCS", "Fault.IsRecordedWithItsReason/Reason90"},
    };
    for (const auto& [feature, test] : table) {
        EXPECT_TRUE(advertised(feature)) << feature;
        EXPECT_TRUE(test_exists(test)) << test;
    }
}

} // namespace
} // namespace iommusim::vtd::test
