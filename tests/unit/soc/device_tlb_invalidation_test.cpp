// What an invalidation request removes, whom it waits for, and the promise that its completion gives.
#include "tests/unit/soc/device_tlb_bench.h"

#include <random>

using namespace iommusim;
using namespace iommusim::soc;
using namespace iommusim::soc::test;

namespace {

using Bench = DeviceTlbBench;
constexpr auto asked = AddressType::translation_request;
constexpr auto translated = AddressType::translated;

TEST(DeviceTlbInvalidation, RemovesWhatItNamesAndIsCompletedAfterItsTime) {
    Bench b(Bench::quick(), 70_ns);
    b.map(0x1000, 0x9000);
    b.map(0x2000, 0xa000);
    b.read_time(0x1000);
    b.read_time(0x2000);
    const Picoseconds sent = now();
    b.invalidate(b.range(0x1000, 0x1fff, 9));
    run_for(1_us);
    ASSERT_EQ(b.unit.completions.size(), 1u);
    EXPECT_EQ(b.unit.completions[0].time, sent + 70_ns + 20_ns + 70_ns);
    EXPECT_EQ(b.unit.completions[0].requester, Bench::device_id);
    EXPECT_EQ(b.unit.completions[0].itags, 1u << 9);
    EXPECT_TRUE(b.cached(0x2000));
    EXPECT_FALSE(b.cached(0x1000));
}

TEST(DeviceTlbInvalidation, NamesOneAddressSpaceOrAllThatHaveAPasid) {
    Bench b;
    const std::uint32_t spaces[] = {Bench::no_pasid, 5, 6};
    for (const std::uint32_t pasid : spaces)
        b.map(0x1000, 0x9000, read_write, 12, pasid);
    const auto survivors = [&](bool has_pasid, std::uint32_t pasid, bool global) {
        for (const std::uint32_t p : spaces)
            b.read_time(0x1000, p);
        AtsInvalidation request = b.range(0, ~0ull);
        request.has_pasid = has_pasid;
        request.pasid = pasid;
        request.global = global;
        b.invalidate(request);
        run_for(1_us);
        std::vector<bool> alive;
        for (const std::uint32_t p : spaces)
            alive.push_back(b.cached(0x1000, p));
        return alive;
    };
    EXPECT_EQ(survivors(false, 0, false), (std::vector<bool>{false, true, true}));
    EXPECT_EQ(survivors(true, 5, false), (std::vector<bool>{true, false, true}));
    EXPECT_EQ(survivors(true, 0, true), (std::vector<bool>{true, false, false}));
}

TEST(DeviceTlbInvalidation, IsCompletedOnlyAfterTheAccessesThatUseWhatItRemoved) {
    Bench b;
    b.map(0x1000, 0x9000);
    b.map(0x2000, 0xa000);
    b.read_time(0x1000);
    b.read_time(0x2000);
    b.unit.access_time = [] { return 3_us; };
    b.unit.way_back = 200_ns;
    const Picoseconds began = now();
    b.dma(true, 0x1000);
    run_for(100_ns);
    b.dma(true, 0x2000); // not concerned, and later
    run_for(100_ns);
    b.invalidate(b.range(0x1000, 0x1fff));
    run_for(10_us);
    ASSERT_EQ(b.unit.completions.size(), 1u);
    EXPECT_EQ(b.unit.completions[0].time, began + Bench::lookup + 3_us + 200_ns);
    EXPECT_EQ(b.tlb.statistics().invalidations_drained, 1u);
}

TEST(DeviceTlbInvalidation, IsCompletedOnlyAfterABlockingAccessThatUsesWhatItRemoved) {
    Bench b;
    b.map(0x1000, 0x9000);
    b.read_time(0x1000);
    const Picoseconds began = now();
    b.unit.access_time = [] {
        sc_core::wait(2, sc_core::SC_US); // a target that takes its time in the caller's thread
        return Picoseconds{0};
    };
    sc_core::sc_spawn([&] { b.master.blocking(b.prepare(true, 0x1000)); });
    run_for(100_ns);
    b.invalidate(b.range(0x1000, 0x1fff));
    run_for(10_us);
    ASSERT_EQ(b.unit.completions.size(), 1u);
    EXPECT_EQ(b.unit.completions[0].time, began + 2_us);
}

TEST(DeviceTlbInvalidation, ATranslationThatItOvertookIsNeitherUsedNorKept) {
    Bench b;
    b.map(0x1000, 0x9000);
    elaborate();
    b.dma(false, 0x1000);
    run_for(100_ns); // the answer, 0x9000, is on its way
    b.map(0x1000, 0xc000);
    b.invalidate(b.range(0x1000, 0x1fff));
    run_for(50_ns);
    EXPECT_EQ(b.unit.completions.size(), 1u) << "does not wait for what will be thrown away";
    run_for(2_us);
    const auto seen = b.unit.seen_as(translated);
    ASSERT_EQ(seen.size(), 1u);
    EXPECT_EQ(seen[0].address, 0xc000u);
    EXPECT_EQ(b.unit.count(asked), 2u);
    EXPECT_EQ(b.tlb.statistics().translations_overtaken, 1u);
    EXPECT_TRUE(b.cached(0x1000));
}

TEST(DeviceTlbInvalidation, ATranslationOfAnotherPageThatItOvertookIsKeptForThatPageOnly) {
    Bench b;
    b.map(0x20'0000, 0x4000'0000, read_write, 21);
    elaborate();
    b.dma(false, 0x20'1000);
    run_for(100_ns); // the answer covers 2 MiB
    b.map(0x20'5000, 0xc000);
    b.invalidate(b.range(0x20'5000, 0x20'5fff));
    run_for(2_us);
    EXPECT_EQ(b.unit.count(asked), 1u);
    EXPECT_TRUE(b.cached(0x20'1000));
    EXPECT_EQ(b.unit.seen.back().address, 0x4000'1000u);
    EXPECT_FALSE(b.cached(0x20'5000));
    EXPECT_EQ(b.unit.seen.back().address, 0xc000u);
}

TEST(DeviceTlbInvalidation, ATranslationThatAnotherAccessAskedForIsNotUsedAfterItWasRemoved) {
    Bench b;
    b.map(0x1000, 0x9000);
    elaborate();
    b.dma(false, 0x1000);
    b.dma(false, 0x1040);
    run_for(100_ns);
    // Right behind the answer, before the access that shares it can go on.
    b.unit.queue.schedule(
        Bench::lookup + 200_ns,
        [](void* argument) {
            auto& bench = *static_cast<Bench*>(argument);
            bench.map(0x1000, 0xc000);
            bench.invalidate(bench.range(0x1000, 0x1fff));
        },
        &b);
    run_for(2_us);
    std::vector<std::uint64_t> addresses;
    for (const auto& s : b.unit.seen_as(translated))
        addresses.push_back(s.address);
    EXPECT_EQ(addresses, (std::vector<std::uint64_t>{0x9000, 0xc040}));
}

TEST(DeviceTlbInvalidation, ASlowAccessHoldsUpOnlyAsManyAsAreWorkedOnAtATime) {
    DeviceTlbParameters p = Bench::quick();
    p.invalidation_parallel = 2;
    Bench b(p);
    b.map(0x1000, 0x9000);
    b.read_time(0x1000);
    b.unit.access_time = [] { return 3_us; };
    b.dma(true, 0x1000);
    run_for(10_ns);
    b.invalidate(b.range(0x1000, 0x1fff, 1));
    for (unsigned itag = 2; itag < 5; ++itag)
        b.invalidate(b.range(0x8000, 0x8fff, itag));
    run_for(10_us);
    std::vector<std::uint32_t> order;
    for (const auto& completion : b.unit.completions)
        order.push_back(completion.itags);
    EXPECT_EQ(order, (std::vector<std::uint32_t>{1u << 2, 1u << 3, 1u << 4, 1u << 1}));
}

TEST(DeviceTlbInvalidation, CountsWhatItsQueueCouldNotHold) {
    DeviceTlbParameters p = Bench::quick();
    p.invalidation_queue_depth = 2;
    Bench b(p);
    elaborate();
    for (unsigned itag = 0; itag < 5; ++itag)
        b.invalidate(b.range(0, ~0ull, itag));
    run_for(1_us);
    EXPECT_EQ(b.tlb.statistics().invalidation_overflows, 3u);
    EXPECT_EQ(b.unit.completions.size(), 5u);
}

TEST(DeviceTlbInvalidation, ADeadDeviceNeverAnswers) {
    Bench b;
    elaborate();
    b.invalidate(b.range(0, ~0ull));
    run_for(10_ns);
    b.tlb.set_dead(true); // one is under way
    b.invalidate(b.range(0, ~0ull));
    run_for(1_ms);
    EXPECT_TRUE(b.unit.completions.empty());
    EXPECT_EQ(b.tlb.statistics().invalidations_ignored, 2u);
    b.tlb.set_dead(false);
    b.invalidate(b.range(0, ~0ull));
    run_for(1_us);
    EXPECT_EQ(b.unit.completions.size(), 1u);
}

TEST(DeviceTlbInvalidation, AWrongCompletionCanBeInjected) {
    Bench b;
    elaborate();
    b.tlb.inject_completion(0x77, 0xc);
    run_for(1_us);
    ASSERT_EQ(b.unit.completions.size(), 1u);
    EXPECT_EQ(b.unit.completions[0].requester, 0x77u);
    EXPECT_EQ(b.unit.completions[0].itags, 0xcu);
}

/// Pages whose mapping changes all the time. The output address tells the version, so that every access shows
/// which mapping it used.
struct ChangingTable : Bench {
    static constexpr std::uint64_t pages = 16;
    static constexpr unsigned version_shift = 24;
    static constexpr unsigned large_log2 = 14;
    const std::uint32_t spaces[2] = {no_pasid, 5};

    std::mt19937 random;
    std::uint64_t version[2][pages] = {}; ///< in the tables
    std::uint64_t oldest[2][pages] = {};  ///< that may still be used
    struct Change {
        bool pending = false;
        unsigned space = 0;
        std::uint64_t first = 0, last = 0; ///< pages
        std::uint64_t versions[pages] = {};
    };
    Change changes[32];
    std::uint64_t late = 0; ///< accesses with a mapping whose invalidation had been completed
    std::size_t checked = 0;

    explicit ChangingTable(unsigned seed) : Bench(parameters(seed), 40_ns), random(seed) {
        unit.translate = [this](const Requester& r, std::uint64_t address) {
            return entry(r.has_pasid, address >> 12);
        };
        unit.access_time = [this] { return 20_ns + random() % 900_ns; };
        unit.on_completion = [this](const FakeUnit::Completion& completion) {
            check_accesses();
            for (unsigned itag = 0; itag < 32; ++itag)
                if (completion.itags >> itag & 1)
                    completed(changes[itag]);
        };
    }
    static DeviceTlbParameters parameters(unsigned seed) {
        DeviceTlbParameters p = quick();
        p.entries = seed % 3 == 0 ? 4 : 64;
        p.ways = 0;
        p.translation_pages = 1 + seed % 2 * 3;
        p.invalidation_parallel = 1 + seed % 4;
        return p;
    }
    static std::uint64_t output(std::uint64_t page, std::uint64_t v) {
        return v << version_shift | page << 12;
    }
    /// Four neighbours of equal version are one page of 16 KiB.
    std::uint64_t entry(bool has_pasid, std::uint64_t page) const {
        if (page >= pages)
            return 0;
        const std::uint64_t* const v = version[has_pasid];
        const std::uint64_t group = page & ~3ull;
        const bool large = v[group] == v[group + 1] && v[group] == v[group + 2] && v[group] == v[group + 3];
        return ats_completion::encode_address(output(page, v[page]), large ? large_log2 : 12) | read_write;
    }
    void check_accesses() {
        for (; checked < unit.seen.size(); ++checked) {
            const FakeUnit::Seen& s = unit.seen[checked];
            if (s.requester.address_type == translated)
                late +=
                    s.address >> version_shift < oldest[s.requester.has_pasid][s.address >> 12 & (pages - 1)];
        }
    }
    void completed(Change& change) {
        ASSERT_TRUE(change.pending);
        change.pending = false;
        for (std::uint64_t page = change.first; page <= change.last; ++page) {
            std::uint64_t& limit = oldest[change.space][page];
            limit = std::max(limit, change.versions[page]);
        }
    }
    void change_something() {
        unsigned itag = 0;
        while (itag < 32 && changes[itag].pending)
            ++itag;
        if (itag == 32)
            return;
        Change& change = changes[itag];
        const unsigned size = 1u << (random() % 5 == 0 ? 2 : 0);
        change.pending = true;
        change.space = random() % 2;
        change.first = random() % pages & ~(size - 1ull);
        change.last = change.first + size - 1;
        const std::uint64_t next =
            *std::max_element(version[change.space], version[change.space] + pages) + 1;
        for (std::uint64_t page = change.first; page <= change.last; ++page)
            change.versions[page] = version[change.space][page] = next;
        AtsInvalidation request = range(change.first << 12, (change.last << 12) + 0xfff, itag);
        request.has_pasid = change.space != 0;
        request.pasid = 5;
        invalidate(request);
    }
    void step() {
        if (random() % 4 == 0)
            change_something();
        else
            dma(random() % 2 != 0, random() % (pages * 4096 - 256), spaces[random() % 2],
                random() % 8 == 0 ? 256 : 64);
        run_for(random() % 120_ns);
    }
};

TEST(DeviceTlbProperty, AfterACompletionNoAccessUsesTheOldTranslation) {
    std::uint64_t overtaken = 0, drained = 0, hits = 0;
    for (unsigned seed = 1; seed <= 24; ++seed) {
        sc_core::sc_curr_simcontext = nullptr;
        ChangingTable b(seed);
        elaborate();
        for (unsigned i = 0; i < 400; ++i)
            b.step();
        run_for(50_us);
        b.check_accesses();
        EXPECT_EQ(b.late, 0u) << "seed " << seed;
        for (const auto& change : b.changes)
            EXPECT_FALSE(change.pending) << "seed " << seed;
        for (const TestPayload& p : b.master.payloads)
            EXPECT_EQ(p.get_response_status(), tlm::TLM_OK_RESPONSE) << "seed " << seed;
        const DeviceTlbStatistics s = b.tlb.statistics();
        overtaken += s.translations_overtaken;
        drained += s.invalidations_drained;
        hits += s.hits;
    }
    // The interleavings that matter have occurred.
    EXPECT_GT(overtaken, 100u);
    EXPECT_GT(drained, 100u);
    EXPECT_GT(hits, 100u);
}

} // namespace
