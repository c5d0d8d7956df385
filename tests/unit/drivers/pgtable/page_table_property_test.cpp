// Random sequences of map and unmap against a plain map of 4 KiB pages, judged by the reference walkers.
#include "drivers/dma/iommu_api.h"

#include "tests/unit/drivers/pgtable/page_table_bench.h"

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

class PageTableProperty : public testing::TestWithParam<test::Format> {};

INSTANTIATE_TEST_SUITE_P(Formats, PageTableProperty, testing::ValuesIn(test::formats),
                         [](const auto& instance) { return std::string(instance.param.name); });

} // namespace

TEST_P(PageTableProperty, TranslatesExactlyWhatIsMapped) {
    const test::Format& format = GetParam();
    test::DriverBench bench;
    EXPECT_TRUE(rc::check("random maps and unmaps", [&] {
        const auto sequence = *rc::gen::container<std::vector<Operation>>(operations());
        test::TableOptions options;
        options.hints = *rc::gen::arbitrary<bool>();
        std::map<std::uint64_t, std::uint64_t> model; // iova page to physical page
        bool consistent = true;
        std::size_t pages_left = 0;
        bench.run([&](Cpu& cpu) {
            NoTlb tlb;
            const auto table = format.make(cpu, tlb, options);
            for (const Operation& op : sequence) {
                const std::uint64_t size = 1ull << op.size_order;
                const std::uint64_t iova = op.first * size;
                dma::Gather gather;
                std::uint64_t done = 0;
                if (op.map) {
                    const dma::Status status =
                        table->map_pages(cpu, iova, op.physical * size, size, op.count, dma::prot_read, done);
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
                            if (format.walk(bench.ram, *table, at).bytes == size)
                                break;
                            model.erase(model.lower_bound(at), model.lower_bound(at + size));
                        }
                    }
                } else {
                    done = table->unmap_pages(cpu, iova, size, op.count, gather);
                    consistent &= done % size == 0 && done <= op.count * size;
                    model.erase(model.lower_bound(iova), model.lower_bound(iova + done));
                    for (const std::uint64_t freed : gather.free_pages)
                        cpu.free_pages(freed);
                }
                for (std::uint64_t at = 0; at < (9ull << 20); at += page) {
                    const test::Walked w = format.walk(bench.ram, *table, at);
                    const auto expected = model.find(at);
                    consistent &= w.mapped == (expected != model.end());
                    if (w.mapped && expected != model.end())
                        consistent &= w.physical == expected->second;
                }
            }
            table->release(cpu);
            pages_left = bench.machine.pages().pages_in_use();
        });
        RC_ASSERT(consistent);
        RC_ASSERT(pages_left == 0u);
    }));
}
