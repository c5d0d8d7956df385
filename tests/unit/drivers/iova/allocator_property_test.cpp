// What every allocator promises, for random sequences on several CPUs.
#include "drivers/iova/allocator.h"

#include "tests/unit/drivers/driver_bench.h"

#include <bit>
#include <gtest/gtest.h>
#include <map>
#include <rapidcheck.h>

using namespace iommusim;
using iova::Allocator;
using machine::Cpu;

namespace {

constexpr unsigned cpus = 3;

struct Step {
    bool allocate;
    unsigned cpu;
    std::uint64_t pages;
    std::uint64_t limit;
    std::size_t victim; ///< of a free, modulo the number of live ranges
};

std::ostream& operator<<(std::ostream& out, const Step& s) {
    if (s.allocate)
        return out << "cpu" << s.cpu << " allocates " << s.pages << " below " << s.limit;
    return out << "cpu" << s.cpu << " frees " << s.victim;
}

rc::Gen<Step> steps(std::uint64_t space) {
    return rc::gen::build<Step>(
        rc::gen::set(&Step::allocate, rc::gen::element(true, true, false)),
        rc::gen::set(&Step::cpu, rc::gen::inRange(0u, cpus)),
        rc::gen::set(&Step::pages, rc::gen::inRange<std::uint64_t>(1, 50)),
        rc::gen::set(&Step::limit, rc::gen::element<std::uint64_t>(space / 4, space / 2, space - 1, ~0ull)),
        rc::gen::set(&Step::victim, rc::gen::arbitrary<std::size_t>()));
}

struct Variant {
    const char* allocator;
    std::uint64_t form;
};

std::ostream& operator<<(std::ostream& out, const Variant& v) {
    return out << v.allocator << (v.form == 1 ? " of 2011" : "");
}

class AllocatorProperty : public testing::TestWithParam<Variant> {};

/// Live ranges as a caller sees them; says what rule an allocation breaks.
class Model {
public:
    const char* add(std::uint64_t pfn, std::uint64_t pages, std::uint64_t limit, const iova::Space& space) {
        if (pfn < space.start_pfn || pfn + pages > space.end_pfn)
            return "outside of the space";
        if (pfn + pages - 1 > limit)
            return "above the limit";
        if (pfn % std::bit_ceil(pages) != 0)
            return "not naturally aligned";
        const auto next = live.lower_bound(pfn);
        if (next != live.end() && next->first < pfn + pages)
            return "overlaps the next range";
        if (next != live.begin() && std::prev(next)->first + std::prev(next)->second > pfn)
            return "overlaps the range before";
        live[pfn] = pages;
        return nullptr;
    }
    std::map<std::uint64_t, std::uint64_t> live; ///< first pfn, pages
};

} // namespace

TEST_P(AllocatorProperty, LiveRangesNeverOverlapAndObeyAlignmentAndLimit) {
    test::DriverBench bench(cpus);
    EXPECT_TRUE(rc::check(GetParam().allocator, [&] {
        const iova::Space space{.start_pfn = *rc::gen::inRange<std::uint64_t>(1, 5),
                                .end_pfn = *rc::gen::element<std::uint64_t>(512, 2048),
                                .pfn_4gib = *rc::gen::element<std::uint64_t>(256, 4096)};
        const auto sequence = *rc::gen::container<std::vector<Step>>(200, steps(space.end_pfn));
        iova::IovaParameters p;
        p.rbtree_form = GetParam().form;
        p.magazine_size = *rc::gen::inRange<std::uint64_t>(1, 6); // small, so that depots fill and overflow
        p.depot_size = 2;
        const auto allocator = iova::make_allocator(GetParam().allocator, bench.machine, space, p);

        Model model;
        const char* broken = nullptr;
        for (const Step& step : sequence)
            bench.run(
                [&](Cpu& cpu) {
                    if (step.allocate) {
                        const std::uint64_t pfn = allocator->allocate(cpu, step.pages, step.limit);
                        if (pfn == Allocator::failed)
                            return;
                        if (const char* what = model.add(pfn, step.pages, step.limit, space))
                            broken = what;
                    } else if (!model.live.empty()) {
                        const auto victim =
                            std::next(model.live.begin(), static_cast<long>(step.victim % model.live.size()));
                        allocator->free(cpu, victim->first, victim->second);
                        model.live.erase(victim);
                    }
                },
                step.cpu);
        RC_ASSERT(broken == nullptr);
        RC_ASSERT(allocator->statistics().bad_frees == 0u);
    }));
}

TEST_P(AllocatorProperty, FreedSpaceCanBeUsedAgainInFull) {
    test::DriverBench bench(cpus);
    EXPECT_TRUE(rc::check(GetParam().allocator, [&] {
        const auto order = *rc::gen::inRange(0u, 6u);
        const std::uint64_t pages = 1ull << order;
        const iova::Space space{
            .start_pfn = 1, .end_pfn = 513, .pfn_4gib = *rc::gen::element<std::uint64_t>(300, 4096)};
        iova::IovaParameters p;
        p.rbtree_form = GetParam().form;
        p.magazine_size = 3;
        p.depot_size = *rc::gen::inRange<std::uint64_t>(0, 4);
        const auto freeing_cpu = *rc::gen::inRange(0u, cpus);
        const auto allocator = iova::make_allocator(GetParam().allocator, bench.machine, space, p);
        std::vector<std::uint64_t> live;
        const auto fill = [&](Cpu& cpu) {
            while (const std::uint64_t pfn = allocator->allocate(cpu, pages, ~0ull))
                live.push_back(pfn);
        };
        bench.run(fill);
        const std::size_t capacity = live.size();
        RC_ASSERT(capacity == space.end_pfn / pages - 1);
        bench.run(
            [&](Cpu& cpu) {
                for (const std::uint64_t pfn : live)
                    allocator->free(cpu, pfn, pages);
                live.clear();
            },
            freeing_cpu);
        bench.run(fill);
        RC_ASSERT(live.size() == capacity);
    }));
}

TEST_P(AllocatorProperty, ConcurrentCpusNeverGetTheSameAddress) {
    test::DriverBench bench(cpus);
    const auto allocator = iova::make_allocator(GetParam().allocator, bench.machine, {}, [] {
        iova::IovaParameters p;
        p.rbtree_form = GetParam().form;
        p.magazine_size = 4;
        p.depot_size = 3;
        return p;
    }());
    Model model;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> handed_over; // to be freed by whoever comes next
    std::size_t overlaps = 0;
    std::size_t allocated = 0;
    for (unsigned c = 0; c < cpus; ++c)
        bench.machine.cpu(c).run([&, c](Cpu& cpu) {
            for (unsigned i = 0; i < 300; ++i) {
                const std::uint64_t pages = 1 + (i * 7 + c) % 40;
                const std::uint64_t pfn = allocator->allocate(cpu, pages, ~0ull);
                overlaps += model.add(pfn, pages, ~0ull, {}) != nullptr;
                ++allocated;
                handed_over.emplace_back(pfn, pages);
                if (handed_over.size() > 20) {
                    const auto [other, other_pages] = handed_over.front();
                    handed_over.erase(handed_over.begin());
                    model.live.erase(other);
                    allocator->free(cpu, other, other_pages);
                }
            }
        });
    sc_core::sc_start();
    EXPECT_EQ(overlaps, 0u);
    EXPECT_EQ(allocated, 300u * cpus);
    EXPECT_EQ(allocator->statistics().bad_frees, 0u);
}

INSTANTIATE_TEST_SUITE_P(All, AllocatorProperty,
                         testing::Values(Variant{"rbtree", 0}, Variant{"rbtree", 1}, Variant{"magazine", 0}),
                         [](const auto& variant) {
                             return std::string(variant.param.allocator) +
                                    (variant.param.form == 1 ? "_2011" : "");
                         });
