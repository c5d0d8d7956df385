// The unit as a TLM-2.0 component: both transport interfaces, debug and direct access.
#include "tests/conformance/vtd/vtd_bench.h"
#include "tests/unit/soc/bench.h"

#include <gtest/gtest.h>

namespace iommusim::vtd::test {
namespace {

using namespace spec;
using soc::test::TestInitiator;

constexpr std::uint64_t page = 0x12'3456'7000;
constexpr std::uint64_t output = 0x4000'0000;

// ---- the two interfaces

struct InterfaceCase {
    const char* name;
    std::uint64_t type; ///< PGTT
    unsigned accesses_before;
    bool write;
};

class Interfaces : public testing::TestWithParam<InterfaceCase> {
protected:
    struct Seen {
        Picoseconds latency;
        std::vector<std::uint8_t> data;
        tlm::tlm_response_status status;
        bool operator==(const Seen& o) const {
            return latency == o.latency && data == o.data && status == o.status;
        }
    };
    static PasidEntry entry(std::uint64_t first, std::uint64_t second) {
        switch (GetParam().type) {
        case pasid_entry::pgtt_first_stage:
            return first_stage_pasid(first, 7);
        case pasid_entry::pgtt_second_stage:
            return second_stage_pasid(second, 7);
        case pasid_entry::pgtt_nested:
            return nested_pasid(first, second, 7);
        default:
            return pass_through_pasid(7);
        }
    }
    static Seen run(bool loosely, std::uint64_t address) {
        start_new_simulation();
        BenchOptions options;
        options.mode = rtaddr::ttm_scalable;
        VtdBench bench(options);
        const bool pass_through = GetParam().type == pasid_entry::pgtt_pass_through;
        const std::uint64_t at = pass_through ? address - page + output : address;
        VtdBench::Table first = bench.first_stage_table();
        VtdBench::Table second = bench.second_stage_table();
        first.map(page, output, first_rw); // accessed and dirty have to be set
        second.map(page, output, second_rw);
        if (GetParam().type == pasid_entry::pgtt_nested)
            second.map(0, 0, second_rw, 3); // tables
        second.map(output, output, second_rw, 3);
        bench.attach(5, entry(first.root(), second.root()));
        bench.memory.bytes()[output + 5] = 0x5a;
        for (unsigned i = 0; i < GetParam().accesses_before; ++i)
            bench.read(requester(5), at);
        const Dma& dma = GetParam().write ? (loosely ? bench.write_loosely(requester(5), at, pattern(9))
                                                     : bench.write(requester(5), at, pattern(9)))
                                          : (loosely ? bench.read_loosely(requester(5), at)
                                                     : bench.read(requester(5), at));
        const std::uint8_t* const there = bench.memory.bytes() + output;
        return {dma.latency(), GetParam().write ? std::vector<std::uint8_t>(there, there + 64) : dma.data,
                dma.status};
    }
};

TEST_P(Interfaces, AgreeInDataStatusAndUnloadedLatency) {
    const Seen timed = run(false, page);
    const Seen loose = run(true, page);
    EXPECT_EQ(timed.status, tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(timed.latency, loose.latency);
    EXPECT_TRUE(timed == loose);
    EXPECT_GT(timed.latency, 110_ns) << "memory and interconnect alone";
}

TEST_P(Interfaces, AgreeAboutFaults) {
    if (GetParam().type == pasid_entry::pgtt_pass_through)
        return; // has none
    const Seen timed = run(false, page + 0x5000);
    const Seen loose = run(true, page + 0x5000);
    EXPECT_EQ(timed.status, tlm::TLM_ADDRESS_ERROR_RESPONSE);
    EXPECT_TRUE(timed == loose);
}

INSTANTIATE_TEST_SUITE_P(
    Paths, Interfaces,
    testing::Values(InterfaceCase{"ColdSecondStage", pasid_entry::pgtt_second_stage, 0, false},
                    InterfaceCase{"ColdFirstStage", pasid_entry::pgtt_first_stage, 0, true},
                    InterfaceCase{"ColdNested", pasid_entry::pgtt_nested, 0, true},
                    InterfaceCase{"ColdPassThrough", pasid_entry::pgtt_pass_through, 0, false},
                    InterfaceCase{"Hit", pasid_entry::pgtt_second_stage, 1, true},
                    InterfaceCase{"FirstWrite", pasid_entry::pgtt_first_stage, 1, true},
                    InterfaceCase{"NestedHit", pasid_entry::pgtt_nested, 1, false},
                    InterfaceCase{"PassThroughHit", pasid_entry::pgtt_pass_through, 1, true}),
    [](const auto& tested) { return tested.param.name; });

// ---- debug access

class DebugAccess : public testing::Test {
protected:
    VtdBench bench;
    VtdBench::Table table = bench.second_stage_table();
    std::vector<std::uint8_t> buffer = std::vector<std::uint8_t>(64);

    DebugAccess() {
        bench.attach(5, table, 7);
        table.map(page, output, second_rw);
        table.map(page + 0x1000, output + 0x8000, second_rw);
    }
    unsigned debug(tlm::tlm_command command, std::uint64_t address) {
        tlm::tlm_generic_payload payload;
        RequesterExtension device(requester(5));
        payload.set_extension(&device);
        payload.set_command(command);
        payload.set_address(address);
        payload.set_data_ptr(buffer.data());
        payload.set_data_length(static_cast<unsigned>(buffer.size()));
        const unsigned moved = bench.masters[0].socket->transport_dbg(payload);
        payload.clear_extension(&device);
        return moved;
    }
};

TEST_F(DebugAccess, TranslatesBothWaysAndAcrossPages) {
    buffer = pattern(7);
    EXPECT_EQ(debug(tlm::TLM_WRITE_COMMAND, page + 0xfe0), 64u);
    EXPECT_EQ(0, std::memcmp(bench.memory.bytes() + output + 0xfe0, buffer.data(), 32));
    EXPECT_EQ(0, std::memcmp(bench.memory.bytes() + output + 0x8000, buffer.data() + 32, 32));
    buffer.assign(64, 0);
    EXPECT_EQ(debug(tlm::TLM_READ_COMMAND, page + 0xfe0), 64u);
    EXPECT_EQ(buffer, pattern(7));
}

TEST_F(DebugAccess, TakesNoTimeFillsNothingAndRecordsNothing) {
    const Picoseconds before = now();
    EXPECT_EQ(debug(tlm::TLM_READ_COMMAND, page), 64u);
    EXPECT_EQ(debug(tlm::TLM_READ_COMMAND, page + 0x5000), 0u);
    EXPECT_EQ(debug(tlm::TLM_WRITE_COMMAND, interrupt_window_first), 0u) << "an interrupt is no memory";
    bench.settle();
    EXPECT_EQ(now(), before);
    EXPECT_EQ(bench.take_fault(), 0u);
    EXPECT_TRUE(bench.probe.translations.empty());
    EXPECT_TRUE(bench.probe.faults.empty());
    for (const auto& [name, value] : bench.vtd.statistics().counters)
        if (name.find("hits") != std::string::npos || name.find("misses") != std::string::npos ||
            name.find("walk") != std::string::npos) {
            EXPECT_EQ(value, 0u) << name;
        }
    EXPECT_EQ(bench.served_by(requester(5), page), "walk");
}

TEST_F(DebugAccess, SeesTheTablesAsTheyAreAndNotTheCaches) {
    bench.read(requester(5), page);
    table.map(page, output + 0x2000, second_rw);
    bench.memory.bytes()[output + 0x2000] = 0x77;
    EXPECT_EQ(debug(tlm::TLM_READ_COMMAND, page), 64u);
    EXPECT_EQ(buffer[0], 0x77);
}

// ---- direct access

class DirectAccess : public testing::Test {
protected:
    TestInitiator initiator{"initiator"};
    std::optional<VtdBench> bench;
    std::optional<VtdBench::Table> table;
    tlm::tlm_dmi grant;

    void build(std::uint64_t mode = rtaddr::ttm_legacy) {
        BenchOptions o;
        o.parameters.implicit_invalidation = 1;
        o.device = &initiator.socket;
        o.mode = mode;
        bench.emplace(o);
        if (mode == rtaddr::ttm_legacy) {
            table.emplace(bench->second_stage_table());
            bench->attach(5, *table, 7);
            bench->roots.set(6, legacy_pass_through(8));
            table->map(page, output, second_rw);
        } else {
            table.emplace(bench->first_stage_table());
            bench->pasids(5).set(9, first_stage_pasid(table->root(), 7));
            table->map(page, output, first_used);
        }
    }
    bool ask(const Requester& who, std::uint64_t address, tlm::tlm_command command = tlm::TLM_READ_COMMAND) {
        tlm::tlm_generic_payload payload;
        RequesterExtension extension(who);
        payload.set_extension(&extension);
        payload.set_command(command);
        payload.set_address(address);
        const bool granted = initiator.socket->get_direct_mem_ptr(payload, grant);
        payload.clear_extension(&extension);
        return granted;
    }
    /// Revocations by each descriptor, of a grant that is there before.
    unsigned revoked(const Requester& who, const Descriptor& descriptor) {
        EXPECT_TRUE(ask(who, page));
        initiator.invalidations.clear();
        EXPECT_TRUE(bench->execute_and_wait(descriptor));
        return static_cast<unsigned>(initiator.invalidations.size());
    }
};

TEST_F(DirectAccess, IsGrantedForThePageAndWhatItPermits) {
    build();
    ASSERT_TRUE(ask(requester(5), page + 0x123));
    EXPECT_EQ(grant.get_start_address(), page);
    EXPECT_EQ(grant.get_end_address(), page + 0xfff);
    EXPECT_EQ(grant.get_dmi_ptr(), bench->memory.bytes() + output);
    EXPECT_TRUE(grant.is_read_write_allowed());
    table->map(page, output, second_ro);
    ASSERT_TRUE(ask(requester(5), page));
    EXPECT_FALSE(grant.is_write_allowed());
    EXPECT_FALSE(ask(requester(5), page, tlm::TLM_WRITE_COMMAND));
    EXPECT_EQ(bench->take_fault(), 0u);
}

TEST_F(DirectAccess, IsRevokedByEveryInvalidationThatMatchesAndByNoOther) {
    build();
    EXPECT_EQ(revoked(requester(5), iotlb_pages(7, page + 0x1000)), 0u);
    EXPECT_EQ(revoked(requester(5), iotlb_pages(8, page)), 0u);
    EXPECT_EQ(revoked(requester(5), iotlb_pages(7, page)), 1u);
    EXPECT_EQ(revoked(requester(5), iotlb_domain(8)), 0u);
    EXPECT_EQ(revoked(requester(5), iotlb_domain(7)), 1u);
    EXPECT_EQ(revoked(requester(5), iotlb_global()), 1u);
    EXPECT_EQ(revoked(requester(5), cc_device(7, 6)), 0u);
    EXPECT_EQ(revoked(requester(5), cc_device(7, 5)), 1u);
    EXPECT_EQ(revoked(requester(5), cc_global()), 1u);
}

TEST_F(DirectAccess, OfAProcessIsRevokedByPasid) {
    build(rtaddr::ttm_scalable);
    const Requester process = requester(5, 9);
    EXPECT_EQ(revoked(process, p_iotlb_pages(7, 9, page + 0x1000)), 0u);
    EXPECT_EQ(revoked(process, p_iotlb_pages(7, 9, page)), 1u);
    EXPECT_EQ(revoked(process, p_iotlb_pasid(7, 8)), 0u);
    EXPECT_EQ(revoked(process, p_iotlb_pasid(7, 9)), 1u);
    EXPECT_EQ(revoked(process, iotlb_pages(7, 0x1000)), 1u) << "all of the first stage";
    EXPECT_EQ(revoked(process, pc_pasid(7, 9)), 1u);
}

TEST_F(DirectAccess, ToWriteIsOnlyGrantedWhereNoMarkIsMissing) {
    build(rtaddr::ttm_scalable);
    table->map(page, output, first_rw | first_stage::a.make(1));
    ASSERT_TRUE(ask(requester(5, 9), page));
    EXPECT_FALSE(grant.is_write_allowed()) << "nobody would set the dirty bit";
    table->map(page, output, first_used);
    ASSERT_TRUE(ask(requester(5, 9), page));
    EXPECT_TRUE(grant.is_write_allowed());
}

TEST_F(DirectAccess, EndsAtProtectedMemoryAndAtTheInterruptWindow) {
    build();
    ASSERT_TRUE(ask(requester(6), output));
    EXPECT_LT(grant.get_end_address(), interrupt_window_first);
    initiator.invalidations.clear();
    bench->write_register(reg::plmbase, 0x4020'0000);
    bench->write_register(reg::plmlimit, 0x4020'0000);
    bench->write_register(reg::pmen, pmen::epm.mask());
    bench->settle();
    EXPECT_EQ(initiator.invalidations.size(), 1u);
    ASSERT_TRUE(ask(requester(6), output));
    EXPECT_EQ(grant.get_end_address(), 0x401f'ffffu);
    ASSERT_TRUE(ask(requester(6), 0x4040'1000));
    EXPECT_EQ(grant.get_start_address(), 0x4040'0000u);
    EXPECT_EQ(grant.get_dmi_ptr(), bench->memory.bytes() + 0x4040'0000);
    EXPECT_FALSE(ask(requester(6), 0x4020'0000));
    EXPECT_FALSE(ask(requester(6), interrupt_window_first));
}

TEST_F(DirectAccess, IsRevokedByANewRootTableAndWhenTranslationIsSwitched) {
    build();
    for (const bool enables : {false, true}) {
        ASSERT_TRUE(ask(requester(5), page));
        initiator.invalidations.clear();
        if (enables)
            bench->clear(gcmd::te);
        else
            bench->set(gcmd::srtp);
        EXPECT_EQ(initiator.invalidations.size(), 1u);
    }
}

TEST_F(DirectAccess, IsRevokedWhenTheTargetRevokesItsOwn) {
    build();
    ASSERT_TRUE(ask(requester(5), page));
    initiator.invalidations.clear();
    bench->faults().poison(output, 8);
    EXPECT_EQ(initiator.invalidations.size(), 1u);
}

} // namespace
} // namespace iommusim::vtd::test
