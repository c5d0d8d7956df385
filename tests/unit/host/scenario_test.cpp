// Reading scenarios that are right: what ends up in the plain data. Broken ones are tests/scenario/broken.
#include "platforms/host/iommu_model.h"
#include "platforms/host/keys.h"
#include "platforms/host/sweep.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <set>

namespace {

using namespace iommusim;
using namespace iommusim::host;

struct TestParameters {
    TestParameters() { set_defaults(*this); }
    static const std::vector<Parameter<TestParameters>>& table() {
        static const std::vector<Parameter<TestParameters>> rows{
            {{"tlb.entries", Unit::count, 64, 1, 4096, Provenance::chosen, "a test", "entries"},
             &TestParameters::entries},
            {{"tlb.latency", Unit::picoseconds, 2000, 0, 1'000'000, Provenance::chosen, "a test", "latency"},
             &TestParameters::latency},
            {{"tlb.policy", Unit::choice, 1, 0, 2, Provenance::chosen, "a test", "policy", "lru|plru|random"},
             &TestParameters::policy},
            {{"wide", Unit::flag, 0, 0, 1, Provenance::chosen, "a test", "flag"}, &TestParameters::wide},
        };
        return rows;
    }
    std::uint64_t entries, latency, policy, wide;
};

const std::vector<ParameterGroup>& groups() {
    static const std::vector<ParameterGroup> list{
        make_group<TestParameters>("iommu", "smmuv3",
                                   {{"large",
                                     "many entries",
                                     "a test",
                                     {{&TestParameters::entries, 1024}, {&TestParameters::latency, 3000}}}}),
        make_group<TestParameters>("platform.cpu"),
    };
    return list;
}

constexpr const char* minimal = R"([[device]]
name = "nic0"
[[workload]]
kind = "map-benchmark"
)";

std::string all(const Diagnostics& diagnostics) {
    std::string text;
    for (const Diagnostic& d : diagnostics.list())
        text += to_string(d) + "\n";
    return text;
}

Scenario read(const std::string& text, const std::vector<std::string>& settings = {}) {
    LoadedScenarios loaded = load_scenario_text(text, "folder/test.toml", settings, groups());
    EXPECT_TRUE(loaded.diagnostics.empty()) << all(loaded.diagnostics);
    EXPECT_EQ(loaded.runs.size(), 1u);
    return loaded.runs.empty() ? Scenario() : loaded.runs.front();
}

std::string errors(const std::string& text, const std::vector<std::string>& settings = {}) {
    LoadedScenarios loaded = load_scenario_text(text, "test.toml", settings, groups());
    EXPECT_TRUE(loaded.runs.empty());
    return all(loaded.diagnostics);
}

TEST(Scenario, FillsInEveryDefault) {
    const Scenario s = read(minimal);
    EXPECT_EQ(s.name, "test");
    EXPECT_EQ(s.seed, 1u);
    EXPECT_EQ(s.platform.cpus, 1u);
    EXPECT_EQ(s.iommu.model, Model::smmuv3);
    ASSERT_EQ(s.devices.size(), 1u);
    EXPECT_EQ(s.devices[0].id, 0x100u);
    EXPECT_EQ(s.devices[0].dma_bits, 48u);
    EXPECT_EQ(s.driver.invalidation, InvalidationPolicy::strict);
    EXPECT_EQ(s.driver.iova_allocator, IovaAllocator::magazine);
    EXPECT_EQ(s.driver.completion, CompletionMethod::automatic);
    EXPECT_EQ(s.driver.stage, TranslationStage::automatic);
    EXPECT_EQ(s.driver.invalidation_interface, InvalidationInterface::queued);
    EXPECT_EQ(s.devices[0].address_spaces(), 1u);
    EXPECT_EQ(s.devices[0].pasid_of(0), 0u);
    EXPECT_TRUE(s.driver.range_invalidation);
    EXPECT_EQ(s.driver.flush_queue_entries, 256u);
    EXPECT_EQ(s.driver.flush_queue_timeout, 10'000'000'000u);
    ASSERT_EQ(s.workloads.size(), 1u);
    EXPECT_EQ(s.workloads[0].device, "nic0");
    EXPECT_EQ(s.workloads[0].operations, 1000u);
    EXPECT_EQ(s.workloads[0].threads, 1u);
    EXPECT_EQ(s.workloads[0].direction, Direction::bidirectional);
    EXPECT_TRUE(s.expectations.empty());
    EXPECT_TRUE(s.sweep_point.empty());
}

TEST(Scenario, ReadsWhatIsGiven) {
    const Scenario s = read(R"(
name = "everything"
description = "for the test"
seed = 42
[platform]
cpus = 8
[iommu]
model = "smmuv3"
[[device]]
name = "a"
kind = "dma-engine"
id = 0x20
dma_bits = 32
pasid = 5
[[device]]
name = "b"
pasids = 3
link_latency = "400ns"
[driver]
stage = "first"
invalidation_interface = "queued"
invalidation = "none"
iova_allocator = "rbtree"
completion = "msi"
range_invalidation = false
flush_queue_timeout = "1ms"
[[workload]]
kind = "dma-traffic"
device = "b"
operations = 7
direction = "from-device"
pattern = "random"
access = "4KiB"
stride = "8KiB"
outstanding = 3
pages = 9
largest_page = "2MiB"
warmup = 11
interval = "1.5us"
[[expect]]
metric = "dma.latency.p99"
below = "5us"
above = 1000
[[expect]]
metric = "oracle.stale_uses"
equals = 0
)");
    EXPECT_EQ(s.name, "everything");
    EXPECT_EQ(s.description, "for the test");
    EXPECT_EQ(s.seed, 42u);
    EXPECT_EQ(s.platform.cpus, 8u);
    ASSERT_EQ(s.devices.size(), 2u);
    EXPECT_EQ(s.devices[0].kind, DeviceKind::dma_engine);
    EXPECT_EQ(s.devices[0].id, 0x20u);
    EXPECT_EQ(s.devices[0].dma_bits, 32u);
    EXPECT_EQ(s.devices[0].pasid, 5u);
    EXPECT_EQ(s.devices[0].pasid_of(0), 5u);
    EXPECT_EQ(s.devices[1].id, 0x101u);
    EXPECT_EQ(s.devices[1].address_spaces(), 3u);
    EXPECT_EQ(s.devices[1].pasid_of(2), 3u);
    EXPECT_EQ(s.devices[1].link_latency, 400'000u);
    EXPECT_EQ(s.driver.stage, TranslationStage::first);
    EXPECT_EQ(s.device("b"), &s.devices[1]);
    EXPECT_EQ(s.device("c"), nullptr);
    EXPECT_EQ(s.driver.invalidation, InvalidationPolicy::none);
    EXPECT_EQ(s.driver.iova_allocator, IovaAllocator::rbtree);
    EXPECT_EQ(s.driver.completion, CompletionMethod::msi);
    EXPECT_FALSE(s.driver.range_invalidation);
    EXPECT_EQ(s.driver.flush_queue_timeout, 1'000'000'000u);
    const WorkloadOptions& w = s.workloads.at(0);
    EXPECT_EQ(w.kind, WorkloadKind::dma_traffic);
    EXPECT_EQ(w.device, "b");
    EXPECT_EQ(w.operations, 7u);
    EXPECT_EQ(w.direction, Direction::from_device);
    EXPECT_EQ(w.pattern, Pattern::random);
    EXPECT_EQ(w.access, 4096u);
    EXPECT_EQ(w.stride, 8192u);
    EXPECT_EQ(w.outstanding, 3u);
    EXPECT_EQ(w.pages, 9u);
    EXPECT_EQ(w.largest_page, LargestPage::two_mib);
    EXPECT_EQ(w.warmup, 11u);
    EXPECT_EQ(w.interval, 1'500'000u);
    ASSERT_EQ(s.expectations.size(), 2u);
    EXPECT_EQ(s.expectations[0].below, 5'000'000.0);
    EXPECT_EQ(s.expectations[0].above, 1000.0);
    EXPECT_FALSE(s.expectations[0].equals);
    EXPECT_EQ(s.expectations[1].equals, 0.0);
}

TEST(Scenario, ADeviceWithPasidsBringsAUnitThatHasThem) {
    const auto substream_bits = [](const std::string& text) {
        const LoadedScenarios loaded = load_scenario_text(text, "t.toml");
        EXPECT_TRUE(loaded.diagnostics.empty()) << all(loaded.diagnostics);
        const auto keys = scenario_keys(parameter_groups(), Model::smmuv3);
        return find_key(keys, "iommu.features.substream_id_bits")->load(loaded.runs.at(0), 0).number;
    };
    const std::string workload = "[[workload]]\nkind = \"map-benchmark\"\n";
    const std::string device = "[[device]]\nname = \"nic0\"\n";
    EXPECT_EQ(substream_bits(device + workload), 0u);
    EXPECT_EQ(substream_bits(device + "pasids = 32\n" + workload), 20u);
    EXPECT_EQ(substream_bits("iommu.features.substream_id_bits = 6\n" + device + "pasids = 32\n" + workload),
              6u);
}

constexpr const char* published = R"(
source = "somebody"
[[published]]
metric = "dma.throughput"
point = { platform.cpus = 2, driver.invalidation = "lazy" }
value = "8Gbit/s"
tolerance = "5%"
[[published]]
metric = "map.latency.mean"
value = "1us"
tolerance = "20ns"
role = "calibrated"
source = "somebody else"
)";

TEST(Scenario, PublishedValuesAreInTheUnitsOfTheirMetrics) {
    const Scenario s =
        read(published + std::string(minimal), {"platform.cpus=2", "driver.invalidation=lazy"});
    ASSERT_EQ(s.published.size(), 2u);
    EXPECT_EQ(s.published[0].metric, "dma.throughput");
    EXPECT_EQ(s.published[0].value, 8e9);
    EXPECT_TRUE(s.published[0].tolerance.relative);
    EXPECT_DOUBLE_EQ(s.published[0].tolerance.amount, 0.05);
    EXPECT_EQ(s.published[0].role, PublishedRole::predicted);
    EXPECT_EQ(s.published[0].source, "somebody");
    EXPECT_EQ(s.published[1].value, 1e6);
    EXPECT_FALSE(s.published[1].tolerance.relative);
    EXPECT_EQ(s.published[1].tolerance.amount, 20'000.0);
    EXPECT_EQ(s.published[1].role, PublishedRole::calibrated);
    EXPECT_EQ(s.published[1].source, "somebody else");
}

TEST(Scenario, PublishedValuesBelongToTheRunsAtTheirPoint) {
    const LoadedScenarios loaded = load_scenario_text(
        published + std::string(minimal) +
            "[sweep]\nplatform.cpus = [1, 2]\ndriver.invalidation = [\"strict\", \"lazy\"]\n",
        "t.toml", {}, groups());
    ASSERT_EQ(loaded.runs.size(), 4u) << all(loaded.diagnostics);
    for (std::size_t i = 0; i < 3; ++i) {
        ASSERT_EQ(loaded.runs[i].published.size(), 1u) << i;
        EXPECT_EQ(loaded.runs[i].published[0].metric, "map.latency.mean");
    }
    EXPECT_EQ(loaded.runs[3].published.size(), 2u);
}

TEST(Scenario, ParametersCanBeNestedOrDotted) {
    for (const char* text : {"[iommu]\ntlb = { entries = 128, policy = \"random\" }\n",
                             "[iommu]\ntlb.entries = 128\ntlb.policy = \"random\"\n",
                             "[iommu.tlb]\nentries = 128\npolicy = \"random\"\n",
                             "iommu.tlb.entries = 128\niommu.tlb.policy = \"random\"\n"}) {
        const auto p = read(text + std::string(minimal)).iommu.parameters.as<TestParameters>();
        EXPECT_EQ(p.entries, 128u) << text;
        EXPECT_EQ(p.policy, 2u) << text;
        EXPECT_EQ(p.latency, 2000u) << text;
        EXPECT_EQ(p.wide, 0u) << text;
    }
}

TEST(Scenario, SingleParametersWinOverTheProfileAndTheProfileOverDefaults) {
    const Scenario s = read("iommu = { profile = \"large\", tlb.entries = 2 }\n" + std::string(minimal));
    const auto p = s.iommu.parameters.as<TestParameters>();
    EXPECT_EQ(p.entries, 2u);
    EXPECT_EQ(p.latency, 3000u);
    EXPECT_EQ(p.policy, 1u);
}

TEST(Scenario, GroupsDoNotMix) {
    const Scenario s = read("iommu.wide = true\nplatform.cpu.tlb.entries = 7\n" + std::string(minimal));
    EXPECT_EQ(s.iommu.parameters.as<TestParameters>().wide, 1u);
    EXPECT_EQ(s.iommu.parameters.as<TestParameters>().entries, 64u);
    EXPECT_EQ(s.platform.cpu.as<TestParameters>().entries, 7u);
    EXPECT_EQ(s.platform.cpu.as<TestParameters>().wide, 0u);
}

TEST(Scenario, SettingsWinOverTheFileAndLaterOverEarlier) {
    const Scenario s =
        read("platform.cpus = 2\n" + std::string(minimal),
             {"platform.cpus=3", "platform.cpus=4", "iommu.tlb.latency=90ns", "iommu.wide=true",
              "driver.invalidation=lazy", "name=\"quoted\"", "workload.dwell = 5us"});
    EXPECT_EQ(s.platform.cpus, 4u);
    EXPECT_EQ(s.iommu.parameters.as<TestParameters>().latency, 90'000u);
    EXPECT_EQ(s.iommu.parameters.as<TestParameters>().wide, 1u);
    EXPECT_EQ(s.driver.invalidation, InvalidationPolicy::lazy);
    EXPECT_EQ(s.name, "quoted");
    EXPECT_EQ(s.workloads[0].dwell, 5'000'000u);
}

TEST(Scenario, SettingsReachAllElementsOrTheNumberedOne) {
    const std::string text = std::string(minimal) +
                             "[[workload]]\nkind = \"map-benchmark\"\n[[workload]]\nkind = \"dma-traffic\"\n";
    const Scenario s = read(text, {"workload.operations=5", "workload.threads=3", "workload[1].threads=4"});
    ASSERT_EQ(s.workloads.size(), 3u);
    EXPECT_EQ(s.workloads[0].operations, 5u);
    EXPECT_EQ(s.workloads[2].operations, 5u);
    EXPECT_EQ(s.workloads[0].threads, 3u);
    EXPECT_EQ(s.workloads[1].threads, 4u);
}

TEST(Scenario, ASettingCanBeATable) {
    const auto p =
        read(minimal, {"iommu.tlb={entries=9, latency=\"1ns\"}"}).iommu.parameters.as<TestParameters>();
    EXPECT_EQ(p.entries, 9u);
    EXPECT_EQ(p.latency, 1000u);
}

TEST(Scenario, ASettingCannotSmuggleInAnotherKey) {
    EXPECT_NE(errors(minimal, {"name=\"a\"\nseed=5\nx=1", "platform.cpus=1\nx=2"})
                  .find("found \"1 x=2\", a string"),
              std::string::npos);
}

TEST(Scenario, ParameterErrorsNameTheTablesRange) {
    EXPECT_EQ(errors("iommu.tlb.entries = 4097\n" + std::string(minimal)),
              "test.toml:1:21: error: key 'iommu.tlb.entries': found 4097, an integer; legal: an integer "
              "from 1 to 4096\n");
    EXPECT_EQ(errors("iommu.tlb.policy = \"lfu\"\n" + std::string(minimal)),
              "test.toml:1:20: error: key 'iommu.tlb.policy': found \"lfu\", a string; legal: lru, plru, "
              "random; did you "
              "mean 'lru'?\n");
    EXPECT_EQ(errors("iommu.tlb.entry = 1\n" + std::string(minimal)),
              "test.toml:1:11: error: key 'iommu.tlb.entry': unknown key; legal: entries, latency, policy; "
              "did you mean "
              "'iommu.tlb.entries'?\n");
}

class EveryModel : public testing::TestWithParam<Model> {};
INSTANTIATE_TEST_SUITE_P(Scenario, EveryModel, testing::Values(Model::smmuv3, Model::vtd),
                         [](const auto& test) { return model_names()[std::size_t(test.param)]; });

TEST_P(EveryModel, HasKeysWithADescriptionAndALegalDefault) {
    for (const Key& key : scenario_keys(parameter_groups(), GetParam())) {
        EXPECT_FALSE(key.description.empty()) << key.path;
        EXPECT_FALSE(legal_text(key).empty()) << key.path;
        if (key.kind != KeyKind::number)
            continue;
        EXPECT_GE(key.default_value, key.minimum) << key.path;
        EXPECT_LE(key.default_value, key.maximum) << key.path;
        EXPECT_EQ(key.choices.empty(), key.unit != Unit::choice) << key.path;
        if (key.unit == Unit::choice) {
            EXPECT_EQ(key.choices.size(), key.maximum + 1) << key.path;
        }
    }
}

TEST_P(EveryModel, HasEachKeyOnce) {
    const auto paths = key_paths(scenario_keys(parameter_groups(), GetParam()));
    EXPECT_EQ(std::set<std::string>(paths.begin(), paths.end()).size(), paths.size());
}

/// What a scenario may ask for are words of the keys, and what that needs are rows of the unit's table.
TEST_P(EveryModel, OffersWhatItsKeysCanSay) {
    const IommuArchitecture& architecture = architecture_of(GetParam());
    const auto keys = scenario_keys(parameter_groups(), GetParam());
    const auto check = [&](const char* path, const std::vector<IommuArchitecture::Offer>& offers) {
        const Key* key = find_key(keys, path);
        ASSERT_NE(key, nullptr) << path;
        ASSERT_FALSE(offers.empty()) << path;
        EXPECT_EQ(value_text(*key, Value{key->default_value, {}, {}}), offers.front().word);
        for (const auto& [word, row] : offers) {
            const bool flag =
                key->unit == Unit::flag && (word == std::string("true") || word == std::string("false"));
            EXPECT_TRUE(flag || std::count(key->choices.begin(), key->choices.end(), word) == 1)
                << path << word;
            if (row) {
                EXPECT_NE(find_key(keys, std::string("iommu.") + row), nullptr) << row;
            }
        }
    };
    EXPECT_EQ(model_names()[std::size_t(GetParam())], architecture.name);
    check("driver.completion", architecture.completions);
    check("driver.stage", architecture.stages);
    check("driver.invalidation_interface", architecture.interfaces);
    check("driver.range_invalidation", architecture.ranges);
    for (const char* row : {architecture.device_id_bits, architecture.pasid_bits})
        if (row) {
            EXPECT_NE(find_key(keys, std::string("iommu.") + row), nullptr) << row;
        }
}

/// Writes each number's legal extremes into a scenario and reads them back through the same table.
TEST(Scenario, EveryNumberKeepsItsExtremes) {
    const auto keys = scenario_keys(groups(), Model::smmuv3);
    Scenario s;
    s.devices.emplace_back();
    s.workloads.emplace_back();
    s.expectations.emplace_back();
    s.published.emplace_back();
    for (const Key& key : keys)
        for (std::uint64_t v : {key.minimum, key.maximum}) {
            if (key.kind != KeyKind::number)
                continue;
            key.store(s, 0, Value{v, {}, {}});
            EXPECT_EQ(key.load(s, 0).number, v) << key.path;
        }
}

TEST(Scenario, ResolvedParametersReadBackAsTheSameScenario) {
    const Scenario first = read("platform.cpus = 3\niommu.tlb.latency = \"1.5ns\"\n" + std::string(minimal));
    const auto keys = scenario_keys(groups(), Model::smmuv3);
    std::vector<std::string> settings;
    for (const ResolvedParameter& p : resolved_parameters(first, keys))
        if (!p.text.empty())
            settings.push_back(p.path + "=" + p.text);
    EXPECT_GT(settings.size(), 20u);
    const Scenario second = read(minimal, settings);
    const auto a = resolved_parameters(first, keys), b = resolved_parameters(second, keys);
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
        EXPECT_EQ(a[i].path, b[i].path);
        EXPECT_EQ(a[i].text, b[i].text) << a[i].path;
    }
}

TEST(Sweep, EveryCombinationIsOneRunInFileOrderTheLastKeyFastest) {
    const LoadedScenarios loaded = load_scenario_text(std::string(minimal) + R"([sweep]
"platform.cpus" = [1, 2]
"driver.invalidation" = ["strict", "lazy"]
)",
                                                      "t.toml", {}, groups());
    ASSERT_TRUE(loaded.diagnostics.empty()) << all(loaded.diagnostics);
    ASSERT_EQ(loaded.runs.size(), 4u);
    const std::uint64_t cpus[] = {1, 1, 2, 2};
    for (std::size_t i = 0; i < 4; ++i) {
        EXPECT_EQ(loaded.runs[i].platform.cpus, cpus[i]);
        EXPECT_EQ(loaded.runs[i].driver.invalidation,
                  i % 2 ? InvalidationPolicy::lazy : InvalidationPolicy::strict);
    }
    ASSERT_EQ(loaded.runs[3].sweep_point.size(), 2u);
    EXPECT_EQ(loaded.runs[3].sweep_point[0].key, "platform.cpus");
    EXPECT_EQ(loaded.runs[3].sweep_point[0].text, "2");
    EXPECT_EQ(loaded.runs[3].sweep_point[1].text, "lazy");
}

constexpr const char* variants = R"(
[[sweep.variant]]
name = "one"
platform.cpus = 8
[[sweep.variant]]
name = "many"
workload = { threads = 4, granules = 3 }
driver.invalidation = "lazy"
)";

TEST(Sweep, AVariantSetsSeveralKeysAtOnce) {
    const LoadedScenarios loaded = load_scenario_text(
        std::string(minimal) + "[sweep]\nseed = [5, 6]\n" + variants, "t.toml", {}, groups());
    ASSERT_EQ(loaded.runs.size(), 4u) << all(loaded.diagnostics);
    EXPECT_EQ(loaded.runs[0].variant, "one");
    EXPECT_EQ(loaded.runs[0].platform.cpus, 8u);
    EXPECT_EQ(loaded.runs[0].workloads[0].threads, 1u);
    EXPECT_EQ(loaded.runs[3].variant, "many");
    EXPECT_EQ(loaded.runs[3].seed, 6u);
    EXPECT_EQ(loaded.runs[3].platform.cpus, 1u);
    EXPECT_EQ(loaded.runs[3].workloads[0].threads, 4u);
    EXPECT_EQ(loaded.runs[3].workloads[0].granules, 3u);
    EXPECT_EQ(loaded.runs[3].driver.invalidation, InvalidationPolicy::lazy);
    ASSERT_EQ(loaded.runs[3].sweep_point.size(), 2u);
    EXPECT_EQ(loaded.runs[3].sweep_point[1].key, "variant");
    EXPECT_EQ(loaded.runs[3].sweep_point[1].text, "many");
}

TEST(Sweep, ASettingPicksAVariantAndPublishedValuesFollowIt) {
    const std::string text =
        "[[published]]\nmetric = \"map.latency.mean\"\nvalue = 5\nsource = \"s\"\npoint = { "
        "variant = \"many\", workload.threads = 4 }\n" +
        std::string(minimal) + variants;
    EXPECT_EQ(read(text, {"variant=many"}).published.size(), 1u);
    EXPECT_EQ(read(text, {"variant=many", "workload.threads=4"}).published.size(), 1u);
    EXPECT_TRUE(read(text, {"variant=one"}).published.empty());
}

TEST(Sweep, KeysNeedNoQuotes) {
    const LoadedScenarios loaded = load_scenario_text(
        std::string(minimal) + "[sweep]\nplatform.cpus = [1, 2, 3]\n", "t.toml", {}, groups());
    EXPECT_EQ(loaded.runs.size(), 3u) << all(loaded.diagnostics);
}

TEST(Sweep, ASettingPinsASweptKeyOrAddsAnAxis) {
    const std::string text = std::string(minimal) + "[sweep]\nplatform.cpus = [1, 2, 3]\n";
    const Scenario pinned = read(text, {"platform.cpus=5"});
    EXPECT_EQ(pinned.platform.cpus, 5u);
    EXPECT_TRUE(pinned.sweep_point.empty());
    EXPECT_EQ(load_scenario_text(text, "t.toml", {"sweep.seed=[1,2]"}, groups()).runs.size(), 6u);
    EXPECT_EQ(load_scenario_text(text, "t.toml", {"sweep.platform.cpus=[8,9]"}, groups()).runs.size(), 2u);
}

TEST(Sweep, WinsOverTheFilesOwnValue) {
    const LoadedScenarios loaded =
        load_scenario_text("platform.cpus = 7\n" + std::string(minimal) + "[sweep]\nplatform.cpus = [1]\n",
                           "t.toml", {}, groups());
    ASSERT_EQ(loaded.runs.size(), 1u);
    EXPECT_EQ(loaded.runs[0].platform.cpus, 1u);
}

TEST(Sweep, AnErrorOfTheFileIsReportedOnceHoweverManyRunsThereAre) {
    EXPECT_EQ(
        errors("x = 1\n" + std::string(minimal) + "[sweep]\nplatform.cpus = [1, 2, 3]\n").find("error"),
        errors("x = 1\n" + std::string(minimal) + "[sweep]\nplatform.cpus = [1, 2, 3]\n").rfind("error"));
}

} // namespace
