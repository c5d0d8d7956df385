#include "platforms/host/report.h"

#include "platforms/host/describe.h"
#include "platforms/host/expectation.h"
#include "platforms/host/metrics.h"
#include "platforms/host/published.h"
#include "platforms/host/text_table.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <iterator>
#include <set>
#include <sstream>

namespace {

using namespace iommusim::host;

Result sample(const char* policy, std::uint64_t nanoseconds) {
    Result r;
    r.scenario = "sample";
    r.version = "1.2.3";
    r.seed = 5;
    if (policy)
        r.sweep_point.push_back({"driver.invalidation", policy});
    Distribution total, first, second;
    for (std::uint64_t i = 0; i < 100; ++i) {
        first.record(nanoseconds * 250);
        second.record(nanoseconds * 750);
        total.record(nanoseconds * 1000);
    }
    r.simulated_time_ps = 1'000'000;
    r.add("invalidation.latency", total);
    r.add_count("iommu.walks", 3);
    r.add_gauge("map.rate", 0.5, "1/s");
    r.breakdown = {{"fetch", first.summarize("ps")}, {"drain", second.summarize("ps")}};
    r.oracle = {9, 0, 0, 0, {}};
    r.faults["F_PERMISSION"] = 4;
    r.locks.push_back({"cmdq", 8, 2, 5000, 3000, 100, 50});
    return r;
}

/// Whether a line of `text` has these words; how far apart they stand is the table's business.
bool has_line(const std::string& text, const std::string& wanted) {
    const auto words = [](const std::string& line) {
        std::istringstream stream(line);
        return std::vector<std::string>(std::istream_iterator<std::string>(stream), {});
    };
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);)
        if (words(line) == words(wanted))
            return true;
    return false;
}

TEST(TextTable, AlignsByCharactersAndLeavesNoTrailingBlanks) {
    TextTable table;
    table.heading({"key", "n"});
    table.row({"\xc2\xb5s", "1000"});
    table.row({"x", ""});
    EXPECT_EQ(table.text(), "key     n\n---  ----\n\xc2\xb5s   1000\nx\n");
}

TEST(TextReport, OfOneRunHasOneLineForEachDistribution) {
    const std::string text = report_text({sample(nullptr, 2)});
    EXPECT_TRUE(has_line(text, "sample (seed 5, iommusim 1.2.3)"));
    EXPECT_TRUE(has_line(text, "invalidation.latency 100 2.000 ns 2.000 ns 2.000 ns 2.000 ns 2.000 ns"))
        << text;
}

TEST(TextReport, BreaksAnInvalidationDownIntoSharesThatAddUp) {
    const std::string text = report_text({sample(nullptr, 2)});
    EXPECT_TRUE(has_line(text, "fetch 500 ps 25.0 % 500 ps 500 ps 500 ps")) << text;
    EXPECT_TRUE(has_line(text, "drain 1.500 ns 75.0 % 1.500 ns 1.500 ns 1.500 ns")) << text;
    EXPECT_TRUE(has_line(text, "total 2.000 ns 100.0 % 2.000 ns 2.000 ns 2.000 ns")) << text;
}

TEST(TextReport, PutsTheRunsOfASweepBesideEachOther) {
    const std::string text = report_text({sample("strict", 2), sample("lazy", 1)});
    EXPECT_TRUE(has_line(text, "driver.invalidation strict lazy")) << text;
    EXPECT_TRUE(has_line(text, "p99 2.000 ns 1.000 ns")) << text;
    EXPECT_TRUE(has_line(text, "faults.F_PERMISSION 4 4")) << text;
}

TEST(TextReport, WrapsWideSweepsIntoBlocks) {
    std::vector<Result> many;
    for (int i = 0; i < 8; ++i)
        many.push_back(sample((std::string(1, char('0' + i))).c_str(), 1));
    const std::string text = report_text(many);
    EXPECT_NE(text.find("  5\n"), std::string::npos);
    EXPECT_NE(text.find("  7\n"), std::string::npos);
    for (std::size_t begin = 0, end; begin < text.size(); begin = end + 1) {
        end = text.find('\n', begin);
        EXPECT_LE(end - begin, 140u) << text.substr(begin, end - begin);
    }
}

TEST(TextReport, ShowsADashWhereARunMeasuredNothing) {
    Result other = sample("lazy", 1);
    other.metrics.clear();
    other.breakdown.clear();
    const std::string text = report_text({sample("strict", 2), other});
    EXPECT_TRUE(has_line(text, "iommu.walks 3 -")) << text;
}

TEST(TextReport, NamesStaleUsesInWords) {
    Result r = sample(nullptr, 1);
    r.oracle = {
        10, 2, 0, 7000, {{1'000'000, 0x100, 0xffff'f000, 7000, false, "main TLB", "no command was issued"}}};
    const std::string text = report_text({r});
    EXPECT_NE(
        text.find(
            "stale: 1.000 us: read of 0xfffff000 by requester 0x100, 7.000 ns after the promise, from the "
            "main TLB; no command was issued\n  ... 2 stale uses in all\n"),
        std::string::npos)
        << text;
    EXPECT_NE(text.find("STALE"), std::string::npos);
}

TEST(TextReport, TellsACleanOracleFromOneThatSawNothing) {
    Result r = sample(nullptr, 1);
    EXPECT_NE(report_text({r}).find("clean"), std::string::npos);
    r.oracle = {};
    EXPECT_NE(report_text({r}).find("no DMA"), std::string::npos);
    r.oracle = {5, 0, 1, 10, {}};
    EXPECT_NE(report_text({r}).find("exposed\n"), std::string::npos);
}

TEST(TextReport, LeavesOutWhatStayedZeroUnlessAsked) {
    Result r = sample(nullptr, 1);
    r.add_count("iommu.events_dropped", 0);
    r.locks[0].contended = 0;
    const std::string brief = report_text({r});
    EXPECT_EQ(brief.find("events_dropped"), std::string::npos);
    EXPECT_EQ(brief.find("lock cmdq"), std::string::npos);
    const std::string whole = report_text({r}, {.verbose = true});
    EXPECT_TRUE(has_line(whole, "iommu.events_dropped 0")) << whole;
    EXPECT_TRUE(has_line(whole, "lock cmdq acquisitions 8")) << whole;
}

TEST(CsvReport, HasTheSameNumberOfFieldsInEveryLine) {
    const std::string text = report_csv({sample("strict", 2), sample("lazy", 1)});
    std::size_t lines = 0;
    for (std::size_t begin = 0, end; (end = text.find("\r\n", begin)) != std::string::npos;
         begin = end + 2, ++lines)
        EXPECT_EQ(std::count(text.begin() + long(begin), text.begin() + long(end), ','), 14);
    EXPECT_GT(lines, 20u);
    EXPECT_NE(text.find("sample,driver.invalidation=lazy,5,invalidation.latency,ps,,100,1000,1000,1000,1000,"
                        "1000,1000,1000,0\r\n"),
              std::string::npos);
    EXPECT_NE(text.find(",map.rate,1/s,0.5,,,,,,,,,\r\n"), std::string::npos);
}

TEST(CsvReport, QuotesWhatNeedsQuotes) {
    Result r = sample(nullptr, 1);
    r.scenario = "a, \"b\"";
    EXPECT_NE(report_csv({r}).find("\r\n\"a, \"\"b\"\"\",,5,"), std::string::npos);
}

TEST(JsonReport, OfOneRunIsAnObjectAndOfASweepAList) {
    EXPECT_NE(report_json({sample(nullptr, 1)}).find("\"scenario\": \"sample\""), std::string::npos);
    const std::string sweep = report_json({sample("strict", 2), sample("lazy", 1)});
    EXPECT_NE(sweep.find("\"runs\": ["), std::string::npos);
    EXPECT_LT(sweep.find("\"strict\""), sweep.find("\"lazy\""));
}

TEST(Compare, ShowsTheRatioOfTheSecondToTheFirst) {
    const Comparison c =
        compare_reports(report_json({sample(nullptr, 2)}), "a", report_json({sample(nullptr, 1)}), "b");
    EXPECT_EQ(c.problem, "");
    EXPECT_TRUE(has_line(c.text, "invalidation.latency mean 2.000 ns 1.000 ns 0.500")) << c.text;
    EXPECT_TRUE(has_line(c.text, "iommu.walks 3 3 1.000")) << c.text;
}

TEST(Compare, MatchesTheRunsOfSweepsByTheirPoint) {
    const std::string forward = report_json({sample("strict", 2), sample("lazy", 1)});
    const std::string backward = report_json({sample("lazy", 3), sample("strict", 4)});
    const Comparison c = compare_reports(forward, "a", backward, "b");
    EXPECT_TRUE(has_line(c.text, "invalidation.latency mean 2.000 ns 4.000 ns 2.000")) << c.text;
    EXPECT_TRUE(has_line(c.text, "invalidation.latency mean 1.000 ns 3.000 ns 3.000")) << c.text;
}

TEST(Compare, SaysWhereARunIsMissing) {
    const Comparison c = compare_reports(report_json({sample("strict", 2), sample("lazy", 1)}), "a",
                                         report_json({sample("strict", 2), sample("none", 1)}), "b");
    EXPECT_TRUE(has_line(c.text, "no such run in b")) << c.text;
}

TEST(Compare, RefusesWhatIsNoReport) {
    const std::string good = report_json({sample(nullptr, 1)});
    EXPECT_EQ(compare_reports(good, "a", "{", "b").problem, "b: not JSON");
    EXPECT_EQ(compare_reports("[]", "a", good, "b").problem, "a: not a report of iommusim");
    EXPECT_NE(compare_reports(good, "a", "{\"schema\": 1, \"runs\": [3]}", "b").problem, "");
}

Outcome judged(const Result& result, Expectation expectation) {
    Scenario scenario;
    scenario.expectations.push_back(std::move(expectation));
    const auto outcomes = evaluate(scenario, result);
    EXPECT_EQ(outcomes.size(), 1u);
    return outcomes.at(0);
}

TEST(Expectation, HoldsStrictlyInsideItsBound) {
    const Result r = sample(nullptr, 2);
    EXPECT_TRUE(judged(r, {"invalidation.latency.p99", 2001, {}, {}}).held);
    EXPECT_FALSE(judged(r, {"invalidation.latency.p99", 2000, {}, {}}).held);
    EXPECT_TRUE(judged(r, {"invalidation.latency.p99", {}, 1999, {}}).held);
    EXPECT_FALSE(judged(r, {"invalidation.latency.p99", {}, 2000, {}}).held);
    EXPECT_TRUE(judged(r, {"invalidation.latency.p99", {}, {}, 2000}).held);
    EXPECT_FALSE(judged(r, {"invalidation.latency.p99", {}, {}, 2001}).held);
    EXPECT_EQ(judged(r, {"invalidation.latency.p99", 5000, {}, {}}).bound, "below 5.000 ns");
}

TEST(Expectation, OfAMetricThatWasNotMeasuredFails) {
    const Outcome o = judged(sample(nullptr, 2), {"dma.latency.p99", 1e18, {}, {}});
    EXPECT_FALSE(o.held);
    EXPECT_FALSE(o.measured);
    Result r = sample(nullptr, 2);
    r.add("dma.latency", Distribution());
    EXPECT_FALSE(judged(r, {"dma.latency.p99", 1e18, {}, {}}).held);
    EXPECT_TRUE(judged(r, {"dma.latency.count", {}, {}, 0}).held);
}

TEST(Expectation, FindsValuesWhereverTheResultKeepsThem) {
    const Result r = sample(nullptr, 2);
    EXPECT_EQ(measured_value(r, "simulated_time"), 1e6);
    EXPECT_EQ(measured_value(r, "iommu.walks"), 3.0);
    EXPECT_EQ(measured_value(r, "map.rate"), 0.5);
    EXPECT_EQ(measured_value(r, "invalidation.breakdown.drain.mean"), 1500.0);
    EXPECT_EQ(measured_value(r, "oracle.checked"), 9.0);
    EXPECT_EQ(measured_value(r, "faults.F_PERMISSION"), 4.0);
    EXPECT_EQ(measured_value(r, "faults.F_TRANSLATION"), 0.0);
    EXPECT_EQ(measured_value(r, "locks.cmdq.contended"), 2.0);
    EXPECT_EQ(measured_value(r, "locks.cmdq.longest_wait"), 3000.0);
    EXPECT_EQ(measured_value(r, "locks.other.wait"), std::nullopt);
    EXPECT_EQ(measured_value(r, "diagnostics"), 0.0);
}

TEST(Expectation, EachBoundOfOneExpectationIsJudged) {
    Scenario scenario;
    scenario.expectations.push_back({"iommu.walks", 4, 3, {}});
    Result r = sample(nullptr, 1);
    r.expectations = evaluate(scenario, r);
    ASSERT_EQ(r.expectations.size(), 2u);
    EXPECT_TRUE(r.expectations[0].held);
    EXPECT_FALSE(r.expectations[1].held);
    EXPECT_FALSE(expectations_held(r));
}

PublishedValue published(double value, double tolerance, bool relative, PublishedRole role) {
    return {"map.rate", value, {tolerance, relative}, role, "somebody"};
}

TEST(Published, IsWithinARelativeOrAnAbsoluteTolerance) {
    Scenario scenario; // the sample measures 0.5/s
    scenario.published = {published(0.52, 0.05, true, PublishedRole::predicted),
                          published(0.52, 0.03, true, PublishedRole::predicted),
                          published(0.5, 0, false, PublishedRole::predicted),
                          published(0.4, 0.09, false, PublishedRole::predicted)};
    const auto compared = compare_published(scenario, sample(nullptr, 1));
    ASSERT_EQ(compared.size(), 4u);
    EXPECT_TRUE(compared[0].within);
    EXPECT_DOUBLE_EQ(compared[0].tolerance, 0.026);
    EXPECT_FALSE(compared[1].within);
    EXPECT_TRUE(compared[2].within);
    EXPECT_FALSE(compared[3].within);
    EXPECT_EQ(compared[3].unit, "1/s");
    EXPECT_EQ(compared[3].measured, 0.5);
}

TEST(Published, OnlyAMissedPredictionFailsTheRun) {
    Scenario scenario;
    Result r = sample(nullptr, 1);
    scenario.published = {published(9, 0.1, true, PublishedRole::calibrated)};
    r.published = compare_published(scenario, r);
    EXPECT_FALSE(r.published[0].within);
    EXPECT_TRUE(expectations_held(r));
    scenario.published[0].role = PublishedRole::predicted;
    r.published = compare_published(scenario, r);
    EXPECT_FALSE(expectations_held(r));
}

TEST(Published, AMetricThatWasNotMeasuredIsAMiss) {
    Scenario scenario;
    scenario.published = {published(9, 100, true, PublishedRole::predicted)};
    scenario.published[0].metric = "dma.bandwidth";
    Result r = sample(nullptr, 1);
    r.published = compare_published(scenario, r);
    EXPECT_FALSE(r.published[0].within);
    EXPECT_TRUE(has_line(report_text({r}), "dma.bandwidth 9 B/s - - 10000.0 % OUT")) << report_text({r});
}

TEST(Published, IsPrintedBesideWhatWasMeasuredRunByRun) {
    Scenario scenario;
    scenario.published = {published(0.4, 0.1, true, PublishedRole::predicted),
                          published(0.5, 0.1, true, PublishedRole::calibrated)};
    std::vector<Result> runs{sample("strict", 1), sample("lazy", 1)};
    runs[0].published = compare_published(scenario, runs[0]);
    scenario.published.pop_back();
    scenario.published[0].value = 0.501;
    runs[1].published = compare_published(scenario, runs[1]);
    const std::string text = report_text(runs);
    EXPECT_TRUE(has_line(text, "Published: somebody")) << text;
    EXPECT_TRUE(has_line(text, "map.rate driver.invalidation=strict 0.400 /s 0.500 /s +25.0 % 10.0 % OUT"))
        << text;
    EXPECT_TRUE(
        has_line(text, "map.rate driver.invalidation=strict 0.500 /s 0.500 /s +0.0 % 10.0 % calibrated"))
        << text;
    EXPECT_TRUE(has_line(text, "map.rate driver.invalidation=lazy 0.501 /s 0.500 /s -0.2 % 10.0 % ok"))
        << text;
}

TEST(Metrics, AreFoundByNameFieldAndWildcard) {
    EXPECT_EQ(find_metric("map.latency.p99").field, "p99");
    EXPECT_EQ(find_metric("map.latency.p99").base, "map.latency");
    EXPECT_STREQ(find_metric("map.latency.count").unit, "count");
    EXPECT_EQ(find_metric("map.latency").field, "");
    EXPECT_NE(find_metric("faults.F_TRANSLATION").info, nullptr);
    EXPECT_STREQ(find_metric("locks.iova.magazine.depot.longest_wait").info->name, "locks.*.longest_wait");
    EXPECT_EQ(find_metric("invalidation.breakdown.drain.p99").base, "invalidation.breakdown.drain");
    EXPECT_EQ(find_metric("faults").info, nullptr);
    EXPECT_EQ(find_metric("faults.").info, nullptr);
    EXPECT_EQ(find_metric("iommu.walks.p99").info, nullptr);
    EXPECT_EQ(find_metric("map.latency.p98").info, nullptr);
    EXPECT_EQ(find_metric("").info, nullptr);
}

TEST(Metrics, HaveUniqueNames) {
    const auto names = metric_names();
    EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
}

TEST(Describe, KnowsEveryTopicThatItOffers) {
    for (const std::string& topic : describe_topics()) {
        const auto text = describe_topic(topic);
        ASSERT_TRUE(text) << topic;
        EXPECT_GT(text->size(), topic.size()) << topic;
    }
    EXPECT_FALSE(describe_topic("nothing.like.this"));
}

TEST(Describe, NamesDefaultRangeAndProvenanceOfParameters) {
    const auto text = describe_topic("platform.memory");
    ASSERT_TRUE(text);
    EXPECT_NE(text->find("platform.memory.latency"), std::string::npos);
    EXPECT_NE(text->find("default: 90ns  (chosen: "), std::string::npos);
    EXPECT_NE(text->find("legal:   a duration"), std::string::npos);
}

} // namespace
