#include "models/core/oracle.h"

#include <gtest/gtest.h>
#include <map>

namespace iommusim::test {
namespace {

/// Tables in memory, as a plain map of pages.
struct PlainTables : ReferenceTranslator {
    std::map<std::uint64_t, std::uint64_t> pages;
    Translation look_up(const Requester&, std::uint64_t address, bool) override {
        Translation t;
        const auto page = pages.find(address & ~0xfffull);
        if (page == pages.end())
            return t;
        t.outcome = Translation::Outcome::pass;
        t.output = page->second + (address & 0xfff);
        return t;
    }
};

struct Oracle : testing::Test {
    static constexpr StaleTranslationOracle::DomainKey domain = 9;
    PlainTables tables;
    StaleTranslationOracle oracle{tables};
    Requester device;
    Requester other;

    Oracle() {
        device.id = 5;
        other.id = 6;
        oracle.bind(device, domain);
        oracle.bind(other, domain + 1);
    }
    TranslationUse use(Picoseconds time, std::uint64_t address, std::uint64_t output,
                       const Requester& by) const {
        return TranslationUse{time, by, address, 64, output, false, "main TLB", 10};
    }
    void used(Picoseconds time, std::uint64_t address, std::uint64_t output) {
        oracle.on_translation(use(time, address, output, device));
    }
    static InvalidationEffect effect(Picoseconds time, std::uint64_t address, std::uint32_t index) {
        return InvalidationEffect{time, "CMD", index, true, address, 0x1000, false};
    }
};

TEST_F(Oracle, AcceptsWhatTheTablesSay) {
    tables.pages[0x1000] = 0x8000;
    used(100, 0x1234, 0x8234);
    EXPECT_EQ(oracle.checked(), 1u);
    EXPECT_EQ(oracle.violations(), 0u);
}

TEST_F(Oracle, JudgesAStaleUseByWhatSoftwareHadSaid) {
    oracle.removed(domain, 0x1000, 0x1000, 50);
    used(60, 0x1000, 0x8000);
    EXPECT_EQ(oracle.transitions(), 1u);
    oracle.deferred(domain, 0x1000, 0x1000, 70);
    used(80, 0x1000, 0x8000);
    EXPECT_EQ(oracle.exposures(), 1u);
    EXPECT_EQ(oracle.worst_age(), 30u);
    oracle.promised(domain, 0x1000, 0x1000, 90);
    used(90, 0x1fff, 0x8fff);
    EXPECT_EQ(oracle.violations(), 1u);
    EXPECT_EQ(oracle.findings().at(0).removed_at, 50u);
    EXPECT_EQ(oracle.findings().at(0).promised_at, 90u);
    EXPECT_EQ(oracle.findings().at(0).age(), 40u);
    used(95, 0x2000, 0x9000);
    EXPECT_EQ(oracle.violations(), 2u) << "never announced";
    EXPECT_FALSE(oracle.findings().at(1).announced);
    EXPECT_EQ(oracle.findings().at(1).age(), 85u) << "since it was cached";
}

TEST_F(Oracle, KnowsWhichAddressSpaceADeviceUses) {
    oracle.removed(domain + 1, 0x1000, 0x1000, 50);
    used(60, 0x1000, 0x8000);
    EXPECT_EQ(oracle.violations(), 1u);
    oracle.on_translation(use(60, 0x1000, 0x8000, other));
    EXPECT_EQ(oracle.transitions(), 1u);
    Requester with_pasid = device;
    with_pasid.has_pasid = true;
    oracle.on_translation(use(60, 0x1000, 0x8000, with_pasid));
    EXPECT_EQ(oracle.violations(), 2u);
}

TEST_F(Oracle, NewsAboutPartOfARangeLeavesTheRestAsItWas) {
    oracle.removed(domain, 0x0000, 0x10000, 10);
    oracle.promised(domain, 0x0000, 0x10000, 20);
    oracle.removed(domain, 0x4000, 0x1000, 30); // mapped and removed again
    used(40, 0x4000, 1);
    EXPECT_EQ(oracle.transitions(), 1u);
    for (const std::uint64_t address : {0x0ull, 0x3fffull, 0x5000ull, 0xffffull})
        used(40, address, 1);
    EXPECT_EQ(oracle.violations(), 4u);
    oracle.removed(domain, 0x3000, 0x3000, 50);
    for (const std::uint64_t address : {0x3000ull, 0x4800ull, 0x5fffull})
        used(60, address, 1);
    EXPECT_EQ(oracle.transitions(), 4u);
    used(60, 0x2fff, 1);
    used(60, 0x6000, 1);
    EXPECT_EQ(oracle.violations(), 6u);
    oracle.removed(domain, 0x3000, 0x3000, 70);
    used(75, 0x4000, 1);
    EXPECT_EQ(oracle.transitions(), 5u);
}

TEST_F(Oracle, ReportsAccessesThatAreObservableAfterThePromise) {
    tables.pages[0x1000] = 0x8000;
    const TranslationUse before = use(40, 0x1000, 0x8000, device);
    oracle.on_translation(before);
    oracle.removed(domain, 0x1000, 0x1000, 50);
    oracle.promised(domain, 0x1000, 0x1000, 90);
    oracle.on_observable(before, 90);
    EXPECT_EQ(oracle.late_completions(), 0u) << "at the very time is in time";
    oracle.on_observable(before, 91);
    EXPECT_EQ(oracle.late_completions(), 1u);
    EXPECT_EQ(oracle.findings().at(0).kind, StaleUse::Kind::late_completion);
    oracle.on_observable(use(95, 0x1000, 0x8000, device), 99);
    EXPECT_EQ(oracle.late_completions(), 1u) << "began after the promise: judged when it was translated";
}

TEST_F(Oracle, NamesTheNewestCommandThatCoversThePage) {
    oracle.on_invalidation(effect(20, 0x1000, 1)); // before the removal
    oracle.removed(domain, 0x1000, 0x1000, 50);
    oracle.on_invalidation(effect(60, 0x2000, 2)); // another page
    oracle.on_invalidation(effect(61, 0x1000, 3));
    oracle.promised(domain, 0x1000, 0x1000, 90);
    used(100, 0x1000, 1);
    ASSERT_EQ(oracle.findings().size(), 1u);
    EXPECT_EQ(oracle.findings()[0].command_index, 3u);
    EXPECT_EQ(oracle.findings()[0].command_time, 61u);
}

TEST_F(Oracle, NamesACommandThatComesLater) {
    oracle.removed(domain, 0x1000, 0x1000, 50);
    oracle.promised(domain, 0x1000, 0x1000, 60);
    used(100, 0x1000, 1);
    EXPECT_EQ(oracle.findings().at(0).command, nullptr);
    EXPECT_NE(oracle.findings()[0].describe().find("ever issued"), std::string::npos);
    InvalidationEffect configuration = effect(110, 0x1000, 7);
    configuration.configuration = true;
    oracle.on_invalidation(configuration);
    EXPECT_EQ(oracle.findings()[0].command, nullptr) << "removes no translation";
    oracle.on_invalidation(effect(120, 0x1000, 8));
    EXPECT_STREQ(oracle.findings()[0].command, "CMD");
    EXPECT_EQ(oracle.findings()[0].command_time, 120u);
}

TEST_F(Oracle, TellsExposuresToItsListener) {
    std::vector<Picoseconds> ages;
    oracle.on_exposure(
        [](void* context, Picoseconds age) {
            static_cast<std::vector<Picoseconds>*>(context)->push_back(age);
        },
        &ages);
    oracle.removed(domain, 0x1000, 0x1000, 50);
    oracle.deferred(domain, 0x1000, 0x1000, 55);
    used(60, 0x1000, 1);
    used(90, 0x1000, 1);
    EXPECT_EQ(ages, (std::vector<Picoseconds>{10, 40}));
}

TEST_F(Oracle, KeepsTheFirstThousandFindingsAndCountsAll) {
    for (unsigned i = 0; i < 1500; ++i)
        used(100 + i, 0x1000, 1);
    EXPECT_EQ(oracle.violations(), 1500u);
    EXPECT_EQ(oracle.findings().size(), 1000u);
}

} // namespace
} // namespace iommusim::test
