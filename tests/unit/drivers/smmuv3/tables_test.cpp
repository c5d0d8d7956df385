#include "tests/unit/drivers/smmuv3/smmuv3_bench.h"

#include <gtest/gtest.h>

namespace iommusim::smmuv3_driver::test {
namespace {

using namespace spec::opcode;

/// What the stream table entry in memory held when each command was consumed.
struct EntryWatch {
    EntryWatch(Smmuv3Bench& bench, std::uint32_t stream) {
        bench.unit.on_command = [this, &bench, stream](const ConsumedCommand& c) {
            const std::uint64_t address = bench.driver->streams().entry_address(stream);
            if (c.opcode() == cfgi_ste && address != 0)
                seen.push_back({bench.unit.read(address), bench.unit.read(address + 8)});
        };
    }
    struct Words {
        std::uint64_t first;
        std::uint64_t second;
    };
    std::vector<Words> seen;
};

TEST(StreamTable, UnattachedStreamsAbort) {
    Smmuv3Bench bench;
    bench.unit.idr[1] = static_cast<std::uint32_t>(spec::idr1::sidsize.put(bench.unit.idr[1], 6));
    bench.start();
    ASSERT_TRUE(bench.started);
    for (std::uint32_t stream = 0; stream < 64; ++stream) {
        const std::uint64_t address = bench.driver->streams().entry_address(stream);
        EXPECT_EQ(bench.unit.read(address), spec::ste::v.mask());
        EXPECT_EQ(bench.unit.read(address + 8), spec::ste::shcfg.make(spec::ste::shcfg_use_incoming));
    }
    EXPECT_EQ(bench.driver->streams().entry_address(64), 0u);
    EXPECT_EQ(spec::strtab_base_cfg::fmt.get(bench.unit.values[spec::reg::strtab_base_cfg]),
              spec::strtab_base_cfg::fmt_linear);
}

TEST(StreamTable, AllocatesASecondLevelWhenItsFirstStreamIsAttached) {
    Smmuv3Bench bench;
    bench.start();
    const std::uint64_t top = spec::strtab_base::addr.in_place(bench.unit.values[spec::reg::strtab_base]);
    EXPECT_EQ(bench.unit.read(top + 8 * 0x12), 0u);
    EXPECT_EQ(bench.driver->streams().entry_address(0x1234), 0u);
    bench.clear();
    bench.run([&](machine::Cpu& cpu) {
        auto domain = Smmuv3Domain::create(*bench.driver, cpu);
        ASSERT_NE(domain, nullptr);
        EXPECT_TRUE(domain->attach(cpu, 0x1234));
        domain->release(cpu);
    });
    const std::uint64_t descriptor = bench.unit.read(top + 8 * 0x12);
    EXPECT_EQ(spec::l1std::span.get(descriptor), 9u);
    EXPECT_EQ(bench.driver->streams().entry_address(0x1234),
              spec::l1std::l2ptr.in_place(descriptor) + 0x34 * 64);
    EXPECT_EQ(bench.unit.read(top + 8 * 0x13), 0u);
    // The new level-1 descriptor is announced with a non-leaf invalidation.
    ASSERT_FALSE(bench.unit.commands.empty());
    EXPECT_EQ(bench.unit.commands[0].opcode(), cfgi_ste);
    EXPECT_EQ(bench.unit.commands[0].get(spec::cfgi::leaf), 0u);
}

TEST(StreamTable, AttachWritesWordZeroLastAndInvalidatesTwice) {
    Smmuv3Bench bench;
    bench.start();
    EntryWatch watch(bench, 0x34);
    bench.run([&](machine::Cpu& cpu) {
        auto domain = Smmuv3Domain::create(*bench.driver, cpu);
        ASSERT_NE(domain, nullptr);
        bench.clear();
        EXPECT_TRUE(domain->attach(cpu, 0x34));
    });
    EXPECT_EQ(bench.opcodes(),
              (std::vector<unsigned>{cfgi_ste, sync, cfgi_ste, sync, cfgi_ste, sync, prefetch_config}));
    for (const std::size_t leaf : {std::size_t{2}, std::size_t{4}}) {
        EXPECT_EQ(bench.unit.commands[leaf].get(spec::command::stream_id), 0x34u);
        EXPECT_EQ(bench.unit.commands[leaf].get(spec::cfgi::leaf), 1u);
    }
    ASSERT_EQ(watch.seen.size(), 3u);
    EXPECT_EQ(spec::ste::config.get(watch.seen[1].first), spec::ste::config_abort);
    EXPECT_EQ(spec::ste::s1dss.get(watch.seen[1].second), spec::ste::s1dss_substream_0);
    EXPECT_EQ(spec::ste::config.get(watch.seen[2].first), spec::ste::config_stage_1);
}

TEST(StreamTable, DetachMakesTheEntryAbortAndInvalidatesIt) {
    Smmuv3Bench bench;
    bench.start();
    EntryWatch watch(bench, 0x34);
    bench.run([&](machine::Cpu& cpu) {
        auto domain = Smmuv3Domain::create(*bench.driver, cpu);
        domain->attach(cpu, 0x34);
        bench.driver->commands().submit(cpu, nullptr, 0, true); // behind the prefetch
        bench.clear();
        watch.seen.clear();
        domain->detach(cpu, 0x34);
        EXPECT_EQ(bench.driver->attached(0x34), nullptr);
        EXPECT_TRUE(domain->attachments().empty());
    });
    EXPECT_EQ(bench.opcodes(), (std::vector<unsigned>{cfgi_ste, sync}));
    ASSERT_EQ(watch.seen.size(), 1u);
    EXPECT_EQ(watch.seen[0].first, spec::ste::v.mask());
}

TEST(StreamTable, AttachingToAnotherDomainDetachesFirst) {
    Smmuv3Bench bench;
    bench.start();
    EntryWatch watch(bench, 0x34);
    bench.run([&](machine::Cpu& cpu) {
        auto one = Smmuv3Domain::create(*bench.driver, cpu);
        auto two = Smmuv3Domain::create(*bench.driver, cpu);
        EXPECT_NE(one->asid(), two->asid());
        one->attach(cpu, 0x34);
        watch.seen.clear();
        EXPECT_TRUE(two->attach(cpu, 0x34));
        EXPECT_TRUE(one->attachments().empty());
        EXPECT_EQ(bench.driver->attached(0x34), two.get());
    });
    ASSERT_EQ(watch.seen.size(), 3u);
    EXPECT_EQ(spec::ste::config.get(watch.seen[0].first), spec::ste::config_abort);
    EXPECT_EQ(spec::ste::config.get(watch.seen[2].first), spec::ste::config_stage_1);
}

TEST(StreamTable, RefusesAStreamOutOfRange) {
    Smmuv3Bench bench;
    bench.start();
    bench.run([&](machine::Cpu& cpu) {
        auto domain = Smmuv3Domain::create(*bench.driver, cpu);
        EXPECT_FALSE(domain->attach(cpu, 0x10000));
    });
}

TEST(ContextTable, PointsTheStreamToADescriptorWithTheDomainsTables) {
    Smmuv3Bench bench;
    bench.start();
    bench.run([&](machine::Cpu& cpu) {
        auto domain = Smmuv3Domain::create(*bench.driver, cpu);
        domain->attach(cpu, 7);
        const std::uint64_t entry = bench.driver->streams().entry_address(7);
        const std::uint64_t context = spec::ste::s1_context_ptr.in_place(bench.unit.read(entry));
        EXPECT_EQ(context, bench.driver->contexts(7)->entry_address(0));
        const std::uint64_t word0 = bench.unit.read(context);
        EXPECT_EQ(spec::cd::v.get(word0), 1u);
        EXPECT_EQ(spec::cd::aa64.get(word0), 1u);
        EXPECT_EQ(spec::cd::asid.get(word0), domain->asid());
        EXPECT_EQ(spec::cd::t0sz.get(word0), 16u);
        EXPECT_EQ(spec::cd::epd1.get(word0), 1u);
        EXPECT_NE(spec::cd::ttb0.in_place(bench.unit.read(context + 8)), 0u);
        EXPECT_EQ(bench.unit.read(context + 24) >> 8 & 0xFF, spec::mair::normal_write_back);
    });
}

TEST(ContextTable, WritesWordZeroLastAndInvalidatesForEveryStreamThatUsesIt) {
    Smmuv3Bench bench;
    bench.configuration.substream_bits = 4;
    bench.start();
    std::vector<std::uint64_t> word0;
    bench.run([&](machine::Cpu& cpu) {
        ContextTable table(bench.driver->configuration(), bench.driver->commands());
        ASSERT_TRUE(table.allocate(cpu, bench.driver->features()));
        EXPECT_EQ(table.pointer().format, spec::ste::s1fmt_linear);
        EXPECT_EQ(table.pointer().substream_bits, 4u);
        bench.clear();
        bench.unit.on_command = [&](const ConsumedCommand& c) {
            if (c.opcode() == cfgi_cd)
                word0.push_back(bench.unit.read(table.entry_address(3)));
        };
        EXPECT_TRUE(table.write(cpu, 3, ContextEntry{0x8000'0000, 0x1000}, {5, 6}));
        table.remove(cpu, 3, {5, 6});
        EXPECT_FALSE(table.write(cpu, 16, ContextEntry{}, {}));
        table.release(cpu);
        bench.unit.on_command = nullptr;
    });
    EXPECT_EQ(bench.opcodes(), (std::vector<unsigned>{cfgi_cd, cfgi_cd, sync, cfgi_cd, cfgi_cd, sync, cfgi_cd,
                                                      cfgi_cd, sync}));
    EXPECT_EQ(word0, (std::vector<std::uint64_t>{0, 0, 0x8000'0000, 0x8000'0000, 0, 0}));
    EXPECT_EQ(bench.unit.commands[0].get(spec::command::substream_id), 3u);
    EXPECT_EQ(bench.unit.commands[1].get(spec::command::stream_id), 6u);
    EXPECT_EQ(bench.unit.commands[1].get(spec::cfgi::leaf), 1u);
}

/// One stream whose substreams 1 and 2 have domains of their own.
class SubstreamTest : public testing::Test {
protected:
    void with_domains(const std::function<void(machine::Cpu&)>& body) {
        bench.configuration.substream_bits = 4;
        bench.start();
        bench.run([&](machine::Cpu& cpu) {
            dma::IommuDriver& driver = *bench.driver;
            const std::size_t before = bench.machine.pages().pages_in_use();
            for (auto& domain : domains) {
                domain = driver.create_domain(cpu, {"process", dma::Stage::automatic});
                ASSERT_NE(domain, nullptr);
            }
            ASSERT_TRUE(driver.attach(cpu, *domains[0], first));
            bench.driver->commands().submit(cpu, nullptr, 0, true); // behind the prefetch
            bench.clear();
            body(cpu);
            for (auto& domain : domains)
                driver.release(cpu, *domain);
            EXPECT_EQ(bench.machine.pages().pages_in_use(), before + second_level_pages);
        });
    }
    unsigned asid_in_memory(std::uint32_t substream) {
        const std::uint64_t word = bench.unit.read(bench.driver->contexts(7)->entry_address(substream));
        return spec::cd::v.get(word) ? static_cast<unsigned>(spec::cd::asid.get(word)) : 0;
    }
    static unsigned asid(const std::unique_ptr<dma::IommuDomain>& domain) {
        return static_cast<const Smmuv3Domain&>(*domain).asid();
    }

    static constexpr std::size_t second_level_pages = 4; ///< of the stream table, allocated once
    static constexpr dma::DeviceAddress first{7, 1, true};
    static constexpr dma::DeviceAddress second{7, 2, true};
    Smmuv3Bench bench;
    std::unique_ptr<dma::IommuDomain> domains[2];
};

TEST_F(SubstreamTest, EachHasTheDescriptorOfItsDomainInTheStreamsTable) {
    with_domains([&](machine::Cpu& cpu) {
        EXPECT_TRUE(bench.driver->attach(cpu, *domains[1], second));
        EXPECT_EQ(asid_in_memory(1), asid(domains[0]));
        EXPECT_EQ(asid_in_memory(2), asid(domains[1]));
        EXPECT_EQ(asid_in_memory(0), 0u);
        EXPECT_EQ(bench.driver->attached(7, 2), domains[1].get());
        EXPECT_EQ(bench.driver->attached(7), nullptr);
        EXPECT_EQ(bench.opcodes(), (std::vector<unsigned>{cfgi_cd, sync, cfgi_cd, sync}));
        EXPECT_EQ(bench.unit.commands[0].get(spec::command::substream_id), 2u);
        bench.clear();
    });
}

TEST_F(SubstreamTest, DetachingOneLeavesTheOther) {
    with_domains([&](machine::Cpu& cpu) {
        EXPECT_TRUE(bench.driver->attach(cpu, *domains[1], second));
        bench.clear();
        bench.driver->detach(cpu, *domains[0], first);
        EXPECT_EQ(asid_in_memory(1), 0u);
        EXPECT_EQ(asid_in_memory(2), asid(domains[1]));
        EXPECT_EQ(bench.opcodes(), (std::vector<unsigned>{cfgi_cd, sync}));
        bench.clear();
        bench.driver->detach(cpu, *domains[1], second);
        EXPECT_EQ(bench.driver->contexts(7), nullptr);
        EXPECT_EQ(bench.opcodes(), (std::vector<unsigned>{cfgi_ste, sync}));
    });
}

TEST_F(SubstreamTest, AnotherDomainTakesASubstreamOver) {
    with_domains([&](machine::Cpu& cpu) {
        EXPECT_TRUE(bench.driver->attach(cpu, *domains[1], first));
        EXPECT_EQ(asid_in_memory(1), asid(domains[1]));
        EXPECT_TRUE(static_cast<Smmuv3Domain&>(*domains[0]).attachments().empty());
    });
}

TEST_F(SubstreamTest, ZeroAndWhatIsBeyondTheTableAreRefused) {
    with_domains([&](machine::Cpu& cpu) {
        EXPECT_FALSE(bench.driver->attach(cpu, *domains[1], {7, 0, true}));
        EXPECT_FALSE(bench.driver->attach(cpu, *domains[1], {7, 16, true}));
        EXPECT_FALSE(bench.driver->attach(cpu, *domains[1], {8, 16, true}));
        EXPECT_EQ(bench.driver->contexts(8), nullptr);
    });
}

TEST(Smmuv3Driver, OffersStage1Only) {
    Smmuv3Bench bench;
    bench.start();
    bench.run([&](machine::Cpu& cpu) {
        EXPECT_NE(bench.driver->create_domain(cpu, {"d", dma::Stage::first}), nullptr);
        EXPECT_EQ(bench.driver->create_domain(cpu, {"d", dma::Stage::second}), nullptr);
        EXPECT_EQ(bench.driver->create_domain(cpu, {"d", dma::Stage::nested}), nullptr);
    });
}

TEST(ContextTable, UsesTwoLevelsForManySubstreams) {
    Smmuv3Bench bench;
    bench.configuration.substream_bits = 14;
    bench.start();
    bench.run([&](machine::Cpu& cpu) {
        const std::size_t before = bench.machine.pages().pages_in_use();
        ContextTable table(bench.driver->configuration(), bench.driver->commands());
        ASSERT_TRUE(table.allocate(cpu, bench.driver->features()));
        EXPECT_EQ(table.pointer().format, spec::ste::s1fmt_two_level_64k);
        EXPECT_EQ(table.entry_address(0x1403), 0u);
        bench.clear();
        EXPECT_TRUE(table.write(cpu, 0x1403, ContextEntry{0x8000'0000}, {5}));
        const std::uint64_t descriptor = bench.unit.read(table.pointer().address + 8 * 5);
        EXPECT_EQ(spec::l1cd::v.get(descriptor), 1u);
        EXPECT_EQ(table.entry_address(0x1403), spec::l1cd::l2ptr.in_place(descriptor) + 3 * 64);
        ASSERT_FALSE(bench.unit.commands.empty());
        EXPECT_EQ(bench.unit.commands[0].get(spec::cfgi::leaf), 0u);
        table.release(cpu);
        EXPECT_EQ(bench.machine.pages().pages_in_use(), before);
    });
}

} // namespace
} // namespace iommusim::smmuv3_driver::test
