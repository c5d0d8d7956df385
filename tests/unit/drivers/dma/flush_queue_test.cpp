#include "drivers/dma/flush_queue.h"

#include "drivers/dma/dma_api.h"
#include "tests/unit/drivers/dma/fake_domain.h"

#include <gtest/gtest.h>
#include <map>
#include <rapidcheck.h>

using namespace iommusim;
using dma::Direction;
using dma::Policy;
using machine::Cpu;

namespace {

constexpr std::uint64_t k4 = 4096;

/// Holds the stack to what lazy mode must still guarantee, from its announcements and the domain's flushes
/// alone: a range is promised, and its address handed out again, only after a flush that began after the
/// unmap has finished.
class LazyChecker : public dma::DmaObserver {
public:
    explicit LazyChecker(const test::FakeDomain& domain) : domain_(domain) {}

    void on_map(const dma::IommuDomain&, std::uint64_t iova, std::uint64_t, std::uint64_t,
                Picoseconds) override {
        reused_too_early += waiting_.count(iova);
    }
    void on_unmap_deferred(const dma::IommuDomain&, std::uint64_t iova, std::uint64_t, Picoseconds) override {
        ++deferred;
        waiting_[iova] = domain_.flushes_begun;
    }
    void on_unmap_promised(const dma::IommuDomain&, std::uint64_t iova, std::uint64_t, Picoseconds) override {
        ++promised;
        const auto range = waiting_.find(iova);
        if (range == waiting_.end()) {
            ++promised_unasked;
            return;
        }
        // The first `flushes_begun` of the flushes began before; with all of those and one more done, one
        // that began after is done (flushes of several CPUs may overlap, they may end in any order).
        promised_too_early += domain_.flushes_done <= range->second;
        waiting_.erase(range);
    }
    std::size_t violations() const { return promised_too_early + promised_unasked + reused_too_early; }
    std::size_t still_waiting() const { return waiting_.size(); }

    std::size_t deferred = 0;
    std::size_t promised = 0;
    std::size_t promised_too_early = 0;
    std::size_t promised_unasked = 0;
    std::size_t reused_too_early = 0;

private:
    const test::FakeDomain& domain_;
    std::map<std::uint64_t, std::size_t> waiting_; ///< address to flushes begun when it was unmapped
};

struct Stack {
    explicit Stack(unsigned cpus, const dma::DmaParameters& parameters = {})
        : bench(cpus),
          iommu(bench),
          checker(iommu),
          domain(bench.machine, iommu, iova::make_allocator("magazine", bench.machine, dma::space_of(iommu)),
                 Policy::lazy, parameters, &checker),
          device(domain) {}

    dma::FlushQueue& queue() { return *domain.flush_queue(); }
    void map_and_unmap(Cpu& cpu, unsigned times) {
        for (unsigned i = 0; i < times; ++i) {
            const std::uint64_t iova = device.map_page(cpu, 0x5000, k4, Direction::bidirectional);
            iommu.device_access(iova);
            device.unmap_page(cpu, iova, k4, Direction::bidirectional);
        }
    }

    test::DriverBench bench;
    test::FakeDomain iommu;
    LazyChecker checker;
    dma::DmaDomain domain;
    dma::DmaDevice device;
};

} // namespace

TEST(FlushQueue, FlushesOnceForEveryFullRing) {
    Stack s(1);
    s.bench.run([&](Cpu& cpu) {
        s.map_and_unmap(cpu, 255);
        EXPECT_EQ(s.iommu.flushes_begun, 0u);
        EXPECT_EQ(s.queue().waiting(0), 255u) << "one of 256 slots always stays empty";
        s.map_and_unmap(cpu, 1);
        EXPECT_EQ(s.iommu.flushes_begun, 1u);
        EXPECT_EQ(s.queue().waiting(0), 1u);
        EXPECT_EQ(s.checker.promised, 255u);
        s.map_and_unmap(cpu, 255);
        EXPECT_EQ(s.iommu.flushes_begun, 2u);
    });
    EXPECT_EQ(s.checker.violations(), 0u);
    EXPECT_EQ(s.checker.still_waiting(), 0u);
    EXPECT_EQ(s.queue().statistics().full_flushes, 2u);
    EXPECT_EQ(s.queue().statistics().timer_flushes, 1u);
    EXPECT_EQ(s.queue().statistics().most_waiting, 255u);
}

TEST(FlushQueue, TheFullFlushRunsInsideTheRingLock) {
    Stack s(1);
    s.bench.run([&](Cpu& cpu) { s.map_and_unmap(cpu, 256); });
    EXPECT_GE(s.queue().ring_lock(0).statistics().maximum_hold, s.iommu.flush_time);
}

TEST(FlushQueue, OneTimerServesTheRingsOfAllCpus) {
    Stack s(3);
    for (unsigned c = 0; c < 3; ++c)
        s.bench.machine.cpu(c).run([&, c](Cpu& cpu) {
            cpu.delay(c * 1_ms);
            s.map_and_unmap(cpu, 10);
        });
    sc_core::sc_start();
    EXPECT_EQ(s.iommu.flushes_begun, 1u);
    EXPECT_EQ(s.checker.promised, 30u);
    EXPECT_EQ(s.checker.violations(), 0u);
    EXPECT_LT(now(), 11_ms) << "armed by the first unmap, not moved by later ones";
}

TEST(FlushQueue, TheTimerIsArmedAgainAfterItRan) {
    Stack s(1);
    s.bench.run([&](Cpu& cpu) {
        for (unsigned round = 1; round <= 3; ++round) {
            s.map_and_unmap(cpu, 2);
            EXPECT_EQ(s.queue().waiting(0), 2u);
            cpu.delay(15_ms);
            EXPECT_EQ(s.queue().waiting(0), 0u);
            EXPECT_EQ(s.queue().statistics().timer_flushes, round);
        }
        cpu.delay(100_ms);
        EXPECT_EQ(s.queue().statistics().timer_flushes, 3u) << "an empty queue needs no timer";
    });
}

TEST(FlushQueue, AFlushThatIsUnderWayDoesNotCoverWhatIsQueuedMeanwhile) {
    dma::DmaParameters p;
    p.flush_queue_size = 2; // every second unmap flushes
    Stack s(2, p);
    s.iommu.flush_time = 50_us;
    s.bench.machine.cpu(0).run([&](Cpu& cpu) { s.map_and_unmap(cpu, 2); });
    s.bench.machine.cpu(1).run([&](Cpu& cpu) {
        cpu.delay(20_us);
        EXPECT_EQ(s.iommu.flushes_begun, 1u);
        EXPECT_EQ(s.iommu.flushes_done, 0u);
        s.map_and_unmap(cpu, 1);
        cpu.delay(60_us);
        EXPECT_EQ(s.iommu.flushes_done, 1u);
        const std::uint64_t iova = s.device.map_page(cpu, 0x5000, k4, Direction::bidirectional);
        s.device.unmap_page(cpu, iova, k4, Direction::bidirectional);
        EXPECT_EQ(s.iommu.flushes_begun, 2u) << "the ring was still full";
    });
    sc_core::sc_start();
    EXPECT_EQ(s.checker.violations(), 0u);
    EXPECT_EQ(s.checker.still_waiting(), 0u);
}

TEST(FlushQueue, AnotherCpusFlushMakesRoomInTheOwnRing) {
    dma::DmaParameters p;
    p.flush_queue_size = 8;
    Stack s(2, p);
    s.bench.machine.cpu(0).run([&](Cpu& cpu) { s.map_and_unmap(cpu, 7); });
    s.bench.machine.cpu(1).run([&](Cpu& cpu) {
        cpu.delay(100_us);
        s.map_and_unmap(cpu, 8);
        EXPECT_EQ(s.iommu.flushes_begun, 1u);
    });
    s.bench.machine.cpu(0).run([&](Cpu& cpu) {
        cpu.delay(200_us);
        s.map_and_unmap(cpu, 1);
        EXPECT_EQ(s.iommu.flushes_begun, 1u) << "a full ring, but all of it was covered";
        EXPECT_EQ(s.queue().waiting(0), 1u);
    });
    sc_core::sc_start();
    EXPECT_EQ(s.checker.violations(), 0u);
}

TEST(FlushQueue, FreesTablePagesWithTheirEntry) {
    Stack s(1);
    s.bench.run([&](Cpu& cpu) {
        const std::size_t before = s.bench.machine.pages().pages_in_use();
        std::vector<std::uint64_t> pages = {cpu.allocate_pages(), cpu.allocate_pages()};
        const std::uint64_t pfn = s.domain.allocator().allocate(cpu, 1, ~0ull);
        s.queue().queue(cpu, pfn << 12, k4, std::move(pages));
        EXPECT_EQ(s.bench.machine.pages().pages_in_use(), before + 2)
            << "walk caches may still point at them";
        s.queue().drain(cpu);
        EXPECT_EQ(s.bench.machine.pages().pages_in_use(), before);
    });
}

TEST(FlushQueue, DrainLeavesNothingBehindAndStopsTheTimer) {
    Stack s(2);
    s.bench.run([&](Cpu& cpu) { s.map_and_unmap(cpu, 5); }, 1);
    Stack* const stack = &s;
    s.bench.run([stack](Cpu& cpu) {
        stack->map_and_unmap(cpu, 5);
        stack->queue().drain(cpu);
        EXPECT_EQ(stack->checker.still_waiting(), 0u);
    });
    EXPECT_EQ(s.queue().flushes_started(), s.queue().flushes_finished());
    EXPECT_EQ(s.queue().statistics().timer_flushes, 1u) << "the one that the first program's unmaps caused";
}

namespace {

/// Runs random traffic on three CPUs; returns what the checker found.
struct Traffic {
    std::vector<std::vector<std::uint16_t>> pauses; ///< per CPU, ns between operations
    std::uint64_t slots;
    Picoseconds flush_time;
    Picoseconds timeout;
};

struct Found {
    std::size_t violations;
    std::size_t still_waiting;
    std::size_t unbalanced;
    bool bounded;
};

Found run(const Traffic& traffic, dma::FlushQueue::Defect defect) {
    sc_core::sc_curr_simcontext = nullptr;
    dma::DmaParameters p;
    p.flush_queue_size = traffic.slots;
    p.flush_queue_timeout = traffic.timeout;
    Stack s(static_cast<unsigned>(traffic.pauses.size()), p);
    s.iommu.flush_time = traffic.flush_time;
    s.queue().inject(defect);
    for (unsigned c = 0; c < traffic.pauses.size(); ++c)
        s.bench.machine.cpu(c).run([&s, &traffic, c](Cpu& cpu) {
            for (const std::uint16_t pause : traffic.pauses[c]) {
                cpu.delay(pause * 1_ns);
                s.map_and_unmap(cpu, 1);
            }
        });
    sc_core::sc_start();
    const auto& statistics = s.queue().statistics();
    return {s.checker.violations(), s.checker.still_waiting(), s.checker.deferred - s.checker.promised,
            statistics.most_waiting < traffic.slots && statistics.queued == statistics.released};
}

rc::Gen<Traffic> traffic() {
    const auto pauses =
        rc::gen::container<std::vector<std::uint16_t>>(rc::gen::inRange<std::uint16_t>(0, 3000));
    return rc::gen::build<Traffic>(
        rc::gen::set(&Traffic::pauses,
                     rc::gen::container<std::vector<std::vector<std::uint16_t>>>(3, pauses)),
        rc::gen::set(&Traffic::slots, rc::gen::inRange<std::uint64_t>(2, 9)),
        rc::gen::set(&Traffic::flush_time, rc::gen::inRange<Picoseconds>(100'000, 20'000'000)),
        rc::gen::set(&Traffic::timeout, rc::gen::inRange<Picoseconds>(1'000'000, 100'000'000)));
}

} // namespace

TEST(FlushQueueProperty, NothingIsPromisedOrReusedBeforeItsFlush) {
    EXPECT_TRUE(rc::check("random traffic", [] {
        const Found found = run(*traffic(), dma::FlushQueue::Defect::none);
        RC_ASSERT(found.violations == 0u);
        RC_ASSERT(found.still_waiting == 0u);
        RC_ASSERT(found.unbalanced == 0u);
        RC_ASSERT(found.bounded);
    }));
}

TEST(FlushQueueProperty, TheCheckerNoticesAWrongCounterComparison) {
    const Traffic busy{.pauses = {std::vector<std::uint16_t>(40, 100), std::vector<std::uint16_t>(40, 150)},
                       .slots = 8,
                       .flush_time = 5_us,
                       .timeout = 10_ms};
    EXPECT_EQ(run(busy, dma::FlushQueue::Defect::none).violations, 0u);
    EXPECT_GT(run(busy, dma::FlushQueue::Defect::releases_too_early).violations, 0u);
}
