// Interrupt remapping and posting: request formats, table entries, source-id checks, the entry cache, posted
// descriptors.
#include "models/vtd/interrupt_remapping.h"
#include "tests/conformance/common/words.h"
#include "tests/conformance/vtd/invalidation_bench.h"

namespace iommusim::vtd {
namespace {

using namespace spec;
using test::Words;
using Kind = InterruptOutcome::Kind;

class InterruptRemappingTest : public testing::Test {
protected:
    static constexpr std::uint64_t table = 0x40'0000;
    static constexpr std::uint64_t posted = 0x50'0000;
    static constexpr std::uint16_t source = 0x00E8;

    void make(void (*change)(Features&) = nullptr) {
        InvalidationBenchOptions options;
        options.parameters.interrupt_entries = 64;
        options.parameters.interrupt_ways = 4;
        if (change)
            change(options.features);
        bench.reset(new InvalidationBench(options));
        remapping.reset(new InterruptRemapping(bench->parameters, bench->features, bench->registers,
                                               bench->port, bench->messages, bench->queue));
    }
    /// 2^(size + 1) entries.
    void enable(bool x2apic = true, unsigned size = 15) {
        bench->write(reg::irta, table | irta::eime.make(x2apic) | size, 8);
        bench->command(gcmd::sirtp.mask());
        bench->command(gcmd::ire.mask());
    }
    void put(std::uint64_t index, const Words<2>& entry) {
        std::memcpy(bench->memory.bytes() + table + 16 * index, entry.words.data(), 16);
    }
    static Words<2> entry() {
        return Words<2>().with(irte::p, 1).with(irte::vector, 0x41).with(irte::dst, 0x1234'5678);
    }
    static Words<2> xapic_entry() { return entry().with(irte::dst, 0).with(irte::dst_xapic, 0x56); }
    static Words<2> posted_entry() {
        return Words<2>()
            .with(irte::p, 1)
            .with(irte::im, 1)
            .with(irte::vector, 0x41)
            .with(irte::pda_low, posted >> 6)
            .with(irte::pda_high, posted >> 32);
    }
    void put_descriptor(const Words<8>& descriptor) {
        std::memcpy(bench->memory.bytes() + posted, descriptor.words.data(), 64);
    }
    Words<8> descriptor() const {
        Words<8> d;
        std::memcpy(d.words.data(), bench->memory.bytes() + posted, 64);
        return d;
    }

    struct Request {
        InterruptOutcome outcome;
        InflightTable::Entry inflight;
        bool finished = false;
    };
    /// A timed request, under way.
    Request& begin(std::uint64_t address, std::uint32_t data, std::uint16_t from = source) {
        Request& request = requests.emplace_back();
        run(request, address, data, from).start(bench->queue, now());
        return request;
    }
    InterruptOutcome remap(std::uint64_t address, std::uint32_t data = 0, std::uint16_t from = source) {
        const Request& request = begin(address, data, from);
        InvalidationBench::settle();
        EXPECT_TRUE(request.finished);
        return request.outcome;
    }
    InterruptOutcome remap_index(unsigned index, std::uint16_t from = source) {
        return remap(msi_address::remappable(index, false), 0, from);
    }
    void expect_blocked(const InterruptOutcome& outcome, unsigned reason) {
        EXPECT_EQ(outcome.kind, Kind::blocked);
        EXPECT_EQ(outcome.reason, reason);
    }

public: // for the process below
    ProcessList& processes() { return bench->processes; }

protected:
    Process run(Request& request, std::uint64_t address, std::uint32_t data, std::uint16_t from) {
        Pace pace(Pacing::timed, bench->queue);
        request.outcome = co_await remapping->remap(pace, from, address, data, request.inflight);
        request.finished = true;
    }

    std::unique_ptr<InvalidationBench> bench;
    std::unique_ptr<InterruptRemapping> remapping;
    std::deque<Request> requests;
};

// ---- request formats

TEST_F(InterruptRemappingTest, PassesEverythingWhileItIsDisabled) {
    make();
    const InterruptOutcome outcome = remap(0xFEE0'247C, 0x1234'5678);
    EXPECT_EQ(outcome.kind, Kind::message);
    EXPECT_EQ(outcome.address, 0xFEE0'247Cu);
    EXPECT_EQ(outcome.data, 0x1234'5678u);
}

TEST_F(InterruptRemappingTest, BlocksCompatibilityFormat) {
    make();
    enable(false);
    expect_blocked(remap(0xFEE0'1004, 0x41), fault_reason::ir_compatibility_blocked);
}

TEST_F(InterruptRemappingTest, PassesCompatibilityFormatIfSoftwareAllowsItInXapicMode) {
    make();
    enable(false);
    bench->command(gcmd::cfi.mask());
    const InterruptOutcome outcome = remap(0xFEE0'1004, 0x41);
    EXPECT_EQ(outcome.kind, Kind::message);
    EXPECT_EQ(outcome.address, 0xFEE0'1004u);
}

TEST_F(InterruptRemappingTest, BlocksCompatibilityFormatInX2apicModeInAnyCase) {
    make();
    enable(true);
    bench->command(gcmd::cfi.mask());
    expect_blocked(remap(0xFEE0'1004, 0x41), fault_reason::ir_compatibility_blocked);
}

TEST_F(InterruptRemappingTest, FindsTheIndexInAddressAndData) {
    make();
    enable();
    put(0x8123, entry());
    const InterruptOutcome outcome = remap(0xFEE0'247C, 0); // handle 0x8123, SHV
    EXPECT_EQ(outcome.kind, Kind::message);
    EXPECT_EQ(outcome.index, 0x8123u);
    put(0x8128, entry());
    EXPECT_EQ(remap(0xFEE0'247C, 5).index, 0x8128u);
    // Without SHV the data does not count.
    EXPECT_EQ(remap(msi_address::remappable(0x8123, false), 0xFFFF'FFFF).index, 0x8123u);
}

TEST_F(InterruptRemappingTest, BlocksReservedBitsOfTheRequest) {
    make();
    enable();
    put(0x8123, entry());
    expect_blocked(remap(0xFEE0'247C, 0x1'0000), fault_reason::ir_request_reserved);
    expect_blocked(remap(0x1'FEE0'247C, 0), fault_reason::ir_request_reserved);
}

TEST_F(InterruptRemappingTest, BlocksAnIndexBeyondTheTable) {
    make();
    enable(true, 7); // 256 entries
    put(255, entry());
    EXPECT_EQ(remap_index(255).kind, Kind::message);
    const InterruptOutcome outcome = remap_index(256);
    expect_blocked(outcome, fault_reason::ir_index_beyond_table);
    EXPECT_EQ(outcome.index, 256u);
}

TEST_F(InterruptRemappingTest, DoesNotWrapTheSumOfHandleAndSubhandle) {
    make();
    enable();
    put(0, entry());
    expect_blocked(remap(msi_address::remappable(0xFFFF, true), 1), fault_reason::ir_index_beyond_table);
}

// ---- table entries

TEST_F(InterruptRemappingTest, MakesAnX2apicMessage) {
    make();
    enable();
    put(5, entry());
    const InterruptOutcome outcome = remap_index(5);
    EXPECT_EQ(outcome.address, 0x1234'5600'FEE7'8000u);
    EXPECT_EQ(outcome.data, 0x4041u);
    EXPECT_EQ(remapping->remapped(), 1u);
}

TEST_F(InterruptRemappingTest, MakesAnXapicMessage) {
    make();
    enable(false);
    put(5, xapic_entry()
               .with(irte::rh, 1)
               .with(irte::dm, 1)
               .with(irte::tm, 1)
               .with(irte::dlm, irte::dlm_lowest_priority));
    const InterruptOutcome outcome = remap_index(5);
    EXPECT_EQ(outcome.address, 0xFEE5'600Cu);
    EXPECT_EQ(outcome.data, 0xC141u);
}

TEST_F(InterruptRemappingTest, BlocksAnEntryThatCannotBeRead) {
    make();
    enable();
    put(5, entry());
    bench->memory.fault_injector().fail(soc::AccessKind::read, table + 16 * 5, 16);
    expect_blocked(remap_index(5), fault_reason::ir_table_access);
}

TEST_F(InterruptRemappingTest, FaultProcessingDisableCountsEvenInAnEntryThatIsNotPresent) {
    make();
    enable();
    InterruptOutcome outcome = remap_index(5);
    expect_blocked(outcome, fault_reason::ir_entry_not_present);
    EXPECT_FALSE(outcome.no_record);
    put(5, Words<2>().with(irte::fpd, 1));
    outcome = remap_index(5);
    expect_blocked(outcome, fault_reason::ir_entry_not_present);
    EXPECT_TRUE(outcome.no_record);
}

TEST_F(InterruptRemappingTest, BlocksReservedBitsOfAnEntry) {
    make();
    enable();
    for (const unsigned position : {12u, 13u, 14u, 24u, 31u, 84u, 127u}) {
        put(5, entry().with(bit(position), 1));
        expect_blocked(remap_index(5), fault_reason::ir_entry_reserved);
    }
    put(5, entry().with(irte::svt, irte::svt_reserved));
    expect_blocked(remap_index(5), fault_reason::ir_entry_reserved);
    for (const unsigned position : {2u, 7u, 12u, 37u, 84u, 95u}) {
        put(5, posted_entry().with(bit(position), 1));
        expect_blocked(remap_index(5), fault_reason::ir_entry_reserved);
    }
}

TEST_F(InterruptRemappingTest, InXapicModeMostOfTheDestinationIsReserved) {
    make();
    enable(false);
    for (const unsigned position : {32u, 39u, 48u, 63u}) {
        put(5, xapic_entry().with(bit(position), 1));
        expect_blocked(remap_index(5), fault_reason::ir_entry_reserved);
    }
}

TEST_F(InterruptRemappingTest, VerifiesTheSource) {
    make();
    enable();
    struct Vector {
        std::uint64_t sq;
        std::uint16_t from;
        bool passes;
    };
    const Vector vectors[] = {{0, 0xE8, true}, {0, 0xEC, false}, {1, 0xEC, true}, {1, 0xEA, false},
                              {2, 0xEE, true}, {2, 0xE9, false}, {3, 0xEF, true}, {3, 0xF0, false}};
    for (const Vector& v : vectors) {
        put(5, entry().with(irte::svt, irte::svt_sid).with(irte::sid, 0xE8).with(irte::sq, v.sq));
        remapping->invalidate(InterruptEntryInvalidation{});
        const InterruptOutcome outcome = remap_index(5, v.from);
        EXPECT_EQ(outcome.kind, v.passes ? Kind::message : Kind::blocked) << v.sq << ' ' << v.from;
        EXPECT_EQ(outcome.reason, v.passes ? 0u : fault_reason::ir_source_id);
    }
}

TEST_F(InterruptRemappingTest, VerifiesTheBusOfTheSource) {
    make();
    enable();
    put(5, entry().with(irte::svt, irte::svt_bus_range).with(irte::sid, 0x1020)); // buses 0x10 to 0x20
    EXPECT_EQ(remap_index(5, 0x1000).kind, Kind::message);
    EXPECT_EQ(remap_index(5, 0x20FF).kind, Kind::message);
    expect_blocked(remap_index(5, 0x0FFF), fault_reason::ir_source_id);
    expect_blocked(remap_index(5, 0x2100), fault_reason::ir_source_id);
}

TEST_F(InterruptRemappingTest, ChecksPresenceThenReservedBitsThenTheSource) {
    make();
    enable();
    const Words<2> wrong_source = entry().with(irte::svt, irte::svt_sid).with(irte::sid, 1);
    put(5, Words<2>(wrong_source).with(irte::p, 0).with(bit(12), 1));
    expect_blocked(remap_index(5), fault_reason::ir_entry_not_present);
    put(5, Words<2>(wrong_source).with(bit(12), 1));
    expect_blocked(remap_index(5), fault_reason::ir_entry_reserved);
    put(5, wrong_source);
    expect_blocked(remap_index(5), fault_reason::ir_source_id);
}

// ---- the entry cache

TEST_F(InterruptRemappingTest, KeepsAnEntryUntilItIsInvalidated) {
    make();
    enable();
    put(5, entry());
    put(6, entry());
    remap_index(5);
    remap_index(6);
    put(5, entry().with(irte::vector, 0x99));
    put(6, entry().with(irte::vector, 0x99));
    EXPECT_EQ(remap_index(5).data & 0xff, 0x41u);
    remapping->invalidate(InterruptEntryInvalidation{false, 5, 1});
    EXPECT_EQ(remap_index(5).data & 0xff, 0x99u);
    EXPECT_EQ(remap_index(6).data & 0xff, 0x41u);
    remapping->invalidate(InterruptEntryInvalidation{});
    EXPECT_EQ(remap_index(6).data & 0xff, 0x99u);
}

TEST_F(InterruptRemappingTest, KeepsNothingThatIsNotPresent) {
    make();
    enable();
    expect_blocked(remap_index(5), fault_reason::ir_entry_not_present);
    put(5, entry());
    EXPECT_EQ(remap_index(5).kind, Kind::message);
}

TEST_F(InterruptRemappingTest, ARequestThatWasOvertakenKeepsNothing) {
    make();
    enable();
    put(5, entry());
    Request& request = begin(msi_address::remappable(5, false), 0);
    InvalidationBench::run_for(50_ns); // the entry is being read
    ASSERT_FALSE(request.finished);
    request.inflight.stale = true;
    InvalidationBench::settle();
    EXPECT_EQ(request.outcome.kind, Kind::message);
    put(5, entry().with(irte::vector, 0x99));
    EXPECT_EQ(remap_index(5).data & 0xff, 0x99u);
}

// ---- posted interrupts

TEST_F(InterruptRemappingTest, PostsAndNotifies) {
    make();
    enable();
    put(5, posted_entry());
    put_descriptor(Words<8>()
                       .with(posted_descriptor::pir(7), 1)
                       .with(posted_descriptor::nv, 0xF2)
                       .with(posted_descriptor::ndst, 0x3));
    EXPECT_EQ(remap_index(5).kind, Kind::posted);
    const Words<8> after = descriptor();
    EXPECT_EQ(after.get(posted_descriptor::pir(0x41)), 1u);
    EXPECT_EQ(after.get(posted_descriptor::pir(7)), 1u);
    EXPECT_EQ(after.get(posted_descriptor::on), 1u);
    EXPECT_EQ(bench->message_at(0xFEE0'3000), 0x40F2u);
    EXPECT_EQ(remapping->posted(), 1u);
    EXPECT_EQ(remapping->notifications(), 1u);
}

TEST_F(InterruptRemappingTest, NotifiesAnXapicDestination) {
    make();
    enable(false);
    put(5, posted_entry());
    put_descriptor(Words<8>().with(posted_descriptor::nv, 0xF2).with(posted_descriptor::ndst_xapic, 0x12));
    remap_index(5);
    EXPECT_EQ(bench->message_at(0xFEE1'2000), 0x40F2u);
}

TEST_F(InterruptRemappingTest, NotifiesOnceUntilSoftwareTakesTheNotification) {
    make();
    enable();
    put(5, posted_entry());
    put_descriptor(Words<8>().with(posted_descriptor::on, 1).with(posted_descriptor::nv, 0xF2));
    remap_index(5);
    EXPECT_EQ(descriptor().get(posted_descriptor::pir(0x41)), 1u);
    EXPECT_EQ(remapping->notifications(), 0u);
}

TEST_F(InterruptRemappingTest, SuppressedNotificationsAreForUrgentInterruptsOnly) {
    make();
    enable();
    put(5, posted_entry());
    put(6, posted_entry().with(irte::urg, 1));
    put_descriptor(Words<8>().with(posted_descriptor::sn, 1));
    remap_index(5);
    EXPECT_EQ(descriptor().get(posted_descriptor::on), 0u);
    EXPECT_EQ(remapping->notifications(), 0u);
    remap_index(6);
    EXPECT_EQ(descriptor().get(posted_descriptor::on), 1u);
    EXPECT_EQ(remapping->notifications(), 1u);
}

TEST_F(InterruptRemappingTest, UpdatesTheDescriptorAsItIsAtThatInstant) {
    make();
    enable();
    put(5, posted_entry());
    Request& request = begin(msi_address::remappable(5, false), 0);
    InvalidationBench::run_for(150_ns); // the descriptor is being read
    ASSERT_FALSE(request.finished);
    put_descriptor(Words<8>().with(posted_descriptor::pir(9), 1).with(posted_descriptor::nv, 0xF3));
    InvalidationBench::settle();
    EXPECT_EQ(descriptor().get(posted_descriptor::pir(9)), 1u);
    EXPECT_EQ(descriptor().get(posted_descriptor::nv), 0xF3u);
    EXPECT_EQ(descriptor().get(posted_descriptor::pir(0x41)), 1u);
}

TEST_F(InterruptRemappingTest, BlocksADescriptorThatCannotBeRead) {
    make();
    enable();
    put(5, posted_entry());
    bench->memory.fault_injector().fail(soc::AccessKind::read, posted, 64);
    expect_blocked(remap_index(5), fault_reason::ir_posted_descriptor_access);
}

TEST_F(InterruptRemappingTest, BlocksReservedBitsOfADescriptor) {
    make();
    enable();
    put(5, posted_entry());
    for (const unsigned position : {258u, 271u, 280u, 287u}) {
        put_descriptor(Words<8>().with(bit(position), 1));
        expect_blocked(remap_index(5), fault_reason::ir_posted_descriptor_reserved);
        EXPECT_EQ(descriptor().get(posted_descriptor::pir(0x41)), 0u);
    }
    put_descriptor(Words<8>().with(bit(511), 1)); // left to software
    EXPECT_EQ(remap_index(5).kind, Kind::posted);
}

TEST_F(InterruptRemappingTest, BlocksPostedEntriesOfAUnitThatDoesNotPost) {
    make([](Features& f) { f.posted_interrupts = false; });
    enable();
    put(5, posted_entry());
    expect_blocked(remap_index(5), fault_reason::ir_entry_reserved);
}

} // namespace
} // namespace iommusim::vtd
