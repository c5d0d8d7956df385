// Random sequences of map and unmap against a plain map of 4 KiB pages, judged by the reference walker.
#include "drivers/dma/iommu_api.h"
#include "drivers/pgtable/arm_lpae_s1.h"

#include "tests/unit/drivers/pgtable/reference_walker.h"

#include <gtest/gtest.h>
#include <map>
#include <rapidcheck.h>

using namespace iommusim;
using machine::Cpu;

namespace {

constexpr std::uint64_t page = 4096;

class NoTlb : public pgtable::TlbOps {
    void add_page(Cpu&, std::uint64_t, std::uint64_t, dma::Gather&) override {}
    void flush_walk(Cpu&, std::uint64_t, std::uint64_t, std::uint64_t) override {}
};

struct Operation {
    bool map;
    unsigned size_order; ///< 12, 21 or 30
    std::uint64_t first; ///< in units of the size
    std::size_t count;
    std::uint64_t physical; ///< in units of the size
};

std::ostream& operator<<(std::ostream& out, const Operation& op) {
    return out << (op.map ? "map" : "unmap") << " order " << op.size_order << " at " << op.first << " x"
               << op.count << " to " << op.physical;
}

rc::Gen<Operation> operations() {
    return rc::gen::mapcat(rc::gen::element(12u, 12u, 21u), [](unsigned order) {
        // Few places, so that operations meet: 6 MiB of address space around table boundaries.
        const std::uint64_t units = (6ull << 20) >> order;
        return rc::gen::build<Operation>(
            rc::gen::set(&Operation::map), rc::gen::set(&Operation::size_order, rc::gen::just(order)),
            rc::gen::set(&Operation::first, rc::gen::inRange<std::uint64_t>(0, units)),
            rc::gen::set(&Operation::count, rc::gen::inRange<std::size_t>(1, order == 12 ? 700 : 3)),
            rc::gen::set(&Operation::physical, rc::gen::inRange<std::uint64_t>(0, 4096)));
    });
}

} // namespace

TEST(ArmLpaeS1Property, TranslatesExactlyWhatIsMapped) {
    test::DriverBench bench;
    EXPECT_TRUE(rc::check("random maps and unmaps", [&] {
        const auto sequence = *rc::gen::container<std::vector<Operation>>(operations());
        const bool hints = *rc::gen::arbitrary<bool>();
        std::map<std::uint64_t, std::uint64_t> model; // iova page to physical page
        bool consistent = true;
        std::uint64_t ttb = 0;
        std::size_t pages_left = 0;
        bench.run([&](Cpu& cpu) {
            NoTlb tlb;
            pgtable::ArmLpaeS1 table(cpu, tlb, {.contiguous_hint = hints});
            ttb = table.registers().ttb;
            for (const Operation& op : sequence) {
                const std::uint64_t size = 1ull << op.size_order;
                const std::uint64_t iova = op.first * size;
                dma::Gather gather;
                std::uint64_t done = 0;
                if (op.map) {
                    const dma::Status status =
                        table.map_pages(cpu, iova, op.physical * size, size, op.count, dma::prot_read, done);
                    bool taken = false; // by a page in the part that this call would have written
                    const std::uint64_t tables_end = (iova / (size * 512) + 1) * size * 512;
                    const std::uint64_t end = std::min(iova + op.count * size, tables_end);
                    for (auto it = model.lower_bound(iova); it != model.end() && it->first < end; ++it)
                        taken = true;
                    if (op.size_order == 12)
                        consistent &= status == (taken ? dma::Status::already_mapped : dma::Status::ok);
                    if (status == dma::Status::ok) {
                        consistent &= done == end - iova;
                        // A block replaces whatever smaller pages its caller forgot.
                        model.erase(model.lower_bound(iova), model.lower_bound(iova + done));
                        for (std::uint64_t at = 0; at < done; at += page)
                            model[iova + at] = op.physical * size + at;
                    } else {
                        consistent &= done == 0;
                        // Tables ahead of the leaf in the way are gone already, with their pages.
                        for (std::uint64_t at = iova; at < end && op.size_order != 12; at += size) {
                            if (test::walk(bench.ram, ttb, 16, at).bytes == size)
                                break;
                            model.erase(model.lower_bound(at), model.lower_bound(at + size));
                        }
                    }
                } else {
                    done = table.unmap_pages(cpu, iova, size, op.count, gather);
                    consistent &= done % size == 0 && done <= op.count * size;
                    model.erase(model.lower_bound(iova), model.lower_bound(iova + done));
                }
                for (std::uint64_t at = 0; at < (9ull << 20); at += page) {
                    const test::Walked w = test::walk(bench.ram, ttb, 16, at);
                    const auto expected = model.find(at);
                    consistent &= w.mapped == (expected != model.end());
                    if (w.mapped && expected != model.end())
                        consistent &= w.physical == expected->second;
                }
            }
            table.release(cpu);
            pages_left = bench.machine.pages().pages_in_use();
        });
        RC_ASSERT(consistent);
        RC_ASSERT(pages_left == 0u);
    }));
}
