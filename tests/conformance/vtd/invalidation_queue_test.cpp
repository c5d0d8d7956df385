// The invalidation queue: indices, wait descriptors and what they wait for, errors and recovery.
#include "tests/conformance/vtd/invalidation_bench.h"

namespace iommusim::vtd {
namespace {

using namespace spec;
using Options = InvalidationBenchOptions;

constexpr std::uint64_t iotlb_global = 0xD2;
constexpr std::uint64_t device_tlb = 0x0000'00E8'0000'0003;

Options overlapped() {
    Options options;
    options.parameters.queue_execution = Options::overlapped;
    return options;
}

/// Both kinds of execution keep the same promises.
class AnyExecution : public testing::TestWithParam<std::uint64_t> {
protected:
    Options options() const {
        Options o;
        o.parameters.queue_execution = GetParam();
        return o;
    }
};
INSTANTIATE_TEST_SUITE_P(InvalidationQueue, AnyExecution,
                         testing::Values(Options::serial, Options::overlapped), [](const auto& test) {
                             return test.param == Options::serial ? "Serial" : "Overlapped";
                         });

// ---- indices

TEST_P(AnyExecution, CarriesOutWhatTheTailCovers) {
    InvalidationBench bench(options());
    bench.enable();
    bench.push(iotlb_global);
    bench.push(iotlb_global);
    InvalidationBench::settle();
    EXPECT_TRUE(bench.target.order.empty());
    EXPECT_EQ(bench.head(), 0u);
    bench.submit();
    InvalidationBench::settle();
    EXPECT_EQ(bench.target.order.size(), 2u);
    EXPECT_EQ(bench.head(), 2u);
    EXPECT_EQ(bench.invalidations.consumed(), 2u);
    EXPECT_FALSE(bench.invalidations.busy());
}

TEST_P(AnyExecution, GoesRoundTheRing) {
    InvalidationBench bench(options());
    bench.enable(true); // 128 descriptors
    ASSERT_EQ(bench.slots(), 128u);
    for (unsigned i = 0; i < 3; ++i) {
        for (unsigned n = 0; n < 100; ++n)
            bench.push(iotlb_global);
        bench.submit();
        InvalidationBench::settle();
        EXPECT_EQ(bench.head(), bench.tail());
    }
    EXPECT_EQ(bench.target.iotlb.size(), 300u);
    EXPECT_EQ(bench.target.iotlb.back().context.index, 299u % 128);
}

TEST(InvalidationQueue, HeadMovesWhenADescriptorIsLegalNotWhenItIsDone) {
    InvalidationBench bench;
    InflightTable::Entry& access = bench.begin_access(true);
    bench.enable();
    bench.push(iotlb_global);
    bench.push_wait();
    bench.submit();
    InvalidationBench::run_for(10_us);
    EXPECT_EQ(bench.head(), 2u);
    EXPECT_EQ(bench.status_word(), 0u);
    EXPECT_TRUE(bench.invalidations.busy());
    bench.end_access(access);
    InvalidationBench::settle();
    EXPECT_EQ(bench.status_word(), 2u);
    EXPECT_FALSE(bench.invalidations.busy());
}

TEST(InvalidationQueue, StartsWithATailThatWasWrittenBeforeItWasEnabled) {
    InvalidationBench bench;
    bench.write(reg::iqa, InvalidationBench::ring, 8);
    bench.put(0, iotlb_global);
    bench.write(reg::iqt, 16);
    bench.command(gcmd::qie.mask());
    InvalidationBench::settle();
    EXPECT_EQ(bench.target.order.size(), 1u);
    EXPECT_EQ(bench.read(reg::iqh, 8), 16u);
}

TEST(InvalidationQueue, FetchesALineAtATime) {
    InvalidationBench bench;
    bench.enable();
    for (unsigned i = 0; i < 8; ++i)
        bench.push(iotlb_global);
    bench.submit();
    InvalidationBench::settle();
    EXPECT_EQ(bench.invalidations.fetches(), 2u);
}

TEST(InvalidationQueue, IsIdleAfterBeingDisabledAndStartsAgainAtZero) {
    InvalidationBench bench;
    bench.enable();
    bench.run(iotlb_global);
    bench.invalidations.disable();
    EXPECT_FALSE(bench.invalidations.busy());
    bench.write(reg::gcmd, 0);
    EXPECT_EQ(bench.head(), 0u);
    bench.enable();
    bench.run(iotlb_global);
    EXPECT_EQ(bench.head(), 1u);
    EXPECT_EQ(bench.target.order.size(), 2u);
}

TEST(InvalidationQueue, ReportsDoorbellsByDescriptorAndEveryCommand) {
    InvalidationBench bench;
    bench.enable();
    bench.push(iotlb_global);
    bench.push_wait();
    bench.submit();
    InvalidationBench::settle();
    ASSERT_EQ(bench.probe.doorbells.size(), 1u);
    EXPECT_EQ(bench.probe.doorbells[0].producer, 2u);
    ASSERT_EQ(bench.probe.commands.size(), 2u);
    const CommandEvent& invalidation = bench.probe.commands[0];
    EXPECT_STREQ(invalidation.name, "iotlb_inv");
    EXPECT_EQ(invalidation.index, 0u);
    EXPECT_FALSE(invalidation.completion);
    const CommandEvent& wait = bench.probe.commands[1];
    EXPECT_STREQ(wait.name, "inv_wait");
    EXPECT_EQ(wait.index, 1u);
    EXPECT_TRUE(wait.completion);
    EXPECT_LE(wait.fetched, wait.started);
    EXPECT_LE(wait.started, wait.drained);
    EXPECT_LT(wait.drained, wait.finished);
}

TEST(InvalidationQueue, SerialExecutionTakesOneAfterTheOther) {
    Options options;
    options.parameters.queue_fetch_burst = 4;
    InvalidationBench bench(options);
    bench.target.places = 100; // 25 ns
    bench.enable();
    for (unsigned i = 0; i < 4; ++i)
        bench.push(iotlb_global);
    bench.submit();
    InvalidationBench::settle();
    ASSERT_EQ(bench.target.iotlb.size(), 4u);
    for (unsigned i = 1; i < 4; ++i)
        EXPECT_EQ(bench.target.iotlb[i].time - bench.target.iotlb[i - 1].time, 25_ns + 4_ns + 20_ns);
}

TEST(InvalidationQueue, OverlappedExecutionStartsTheNextWhileOthersLast) {
    InvalidationBench bench(overlapped());
    bench.enable();
    for (unsigned i = 0; i < 4; ++i)
        bench.push(iotlb_global);
    bench.submit();
    InvalidationBench::settle();
    ASSERT_EQ(bench.target.iotlb.size(), 4u);
    for (unsigned i = 1; i < 4; ++i)
        EXPECT_EQ(bench.target.iotlb[i].time - bench.target.iotlb[i - 1].time, 4_ns);
    EXPECT_EQ(bench.invalidations.outstanding_stalls().count, 0u);
}

TEST(InvalidationQueue, OverlappedExecutionIsLimited) {
    Options options = overlapped();
    options.parameters.queue_outstanding = 2;
    InvalidationBench bench(options);
    bench.target.places = 4000; // 1 us
    bench.enable();
    for (unsigned i = 0; i < 4; ++i)
        bench.push(iotlb_global);
    bench.submit();
    InvalidationBench::settle();
    ASSERT_EQ(bench.target.iotlb.size(), 4u);
    EXPECT_EQ(bench.target.iotlb[1].time - bench.target.iotlb[0].time, 4_ns);
    EXPECT_GE(bench.target.iotlb[2].time - bench.target.iotlb[0].time, 1_us);
    EXPECT_GE(bench.invalidations.outstanding_stalls().count, 1u);
}

// ---- wait descriptors

TEST_P(AnyExecution, AWaitWritesItsStatusAfterWhatCameBefore) {
    InvalidationBench bench(options());
    bench.target.places = 4000; // 1 us
    bench.enable();
    bench.push(iotlb_global);
    bench.push_wait(0, 0xCAFE'0002);
    bench.submit();
    InvalidationBench::run_for(500_ns);
    ASSERT_EQ(bench.target.iotlb.size(), 1u);
    EXPECT_EQ(bench.status_word(), 0u);
    InvalidationBench::settle();
    EXPECT_EQ(bench.status_word(), 0xCAFE'0002u);
    EXPECT_EQ(bench.status_word(1), 0u); // four bytes, no more
    EXPECT_EQ(bench.invalidations.waits(), 1u);
    EXPECT_EQ(bench.message_at(InvalidationBench::completion_address), 0u);
}

TEST_P(AnyExecution, AWaitRaisesTheCompletionEventAfterItsStatus) {
    InvalidationBench bench(options());
    bench.enable();
    bench.memory.fault_injector().delay(soc::AccessKind::write, InvalidationBench::status, 4, 1_us);
    bench.push(0x0000'0002'0000'0035, InvalidationBench::status); // SW and IF
    bench.submit();
    InvalidationBench::run_for(1_us);
    EXPECT_EQ(bench.read(reg::ics), 0u);
    EXPECT_EQ(bench.status_word(), 0u);
    InvalidationBench::settle();
    EXPECT_EQ(bench.read(reg::ics), 1u);
    EXPECT_EQ(bench.status_word(), 2u);
    EXPECT_EQ(bench.message_at(InvalidationBench::completion_address), InvalidationBench::completion_data);
}

TEST(WaitDescriptor, RaisesOneEventWhileIwcIsPending) {
    InvalidationBench bench;
    bench.enable();
    bench.push(0x15); // IF alone
    bench.run(0x15);
    EXPECT_EQ(bench.messages.sent(), 1u);
    bench.write(reg::ics, 1);
    bench.run(0x15);
    EXPECT_EQ(bench.messages.sent(), 2u);
}

TEST(WaitDescriptor, WithoutAnyFlagEndsSilently) {
    InvalidationBench bench;
    bench.enable();
    bench.run(0x05);
    EXPECT_EQ(bench.queue_error(), ~0u);
    EXPECT_EQ(bench.invalidations.waits(), 1u);
    EXPECT_EQ(bench.messages.sent(), 0u);
}

TEST_P(AnyExecution, AWaitWaitsForTheAccessesThatWereOvertaken) {
    InvalidationBench bench(options());
    InflightTable::Entry& overtaken = bench.begin_access(true);
    bench.enable();
    bench.push(iotlb_global);
    bench.push_wait();
    bench.submit();
    InvalidationBench::run_for(5_us);
    bench.begin_access(true); // came later
    EXPECT_EQ(bench.status_word(), 0u);
    bench.end_access(overtaken);
    InvalidationBench::settle();
    EXPECT_EQ(bench.status_word(), 2u);
    EXPECT_EQ(bench.invalidations.drain_stalls().count, 1u);
}

TEST_P(AnyExecution, AWaitDoesNotWaitForReadsThatNeedNoDraining) {
    InvalidationBench bench(options());
    InflightTable::Entry& read = bench.begin_access(false);
    bench.enable();
    bench.push(0x52); // DW alone
    bench.push_wait();
    bench.submit();
    InvalidationBench::settle();
    EXPECT_EQ(bench.status_word(), 2u);
    EXPECT_TRUE(read.stale); // but it leaves nothing in a cache
    bench.end_access(read);
}

TEST(WaitDescriptor, DoesNotWaitForWhatALaterDescriptorMarks) {
    InvalidationBench bench(overlapped());
    bench.enable();
    InflightTable::Entry& first = bench.begin_access(true);
    bench.push(iotlb_global);
    bench.push_wait(0);
    bench.submit();
    InvalidationBench::run_for(1_us);
    InflightTable::Entry& second = bench.begin_access(true);
    bench.push(iotlb_global);
    bench.push_wait(1);
    bench.submit();
    InvalidationBench::run_for(1_us);
    ASSERT_EQ(bench.target.iotlb.size(), 2u); // the second one did not wait for the first wait

    bench.end_access(first);
    InvalidationBench::run_for(1_us);
    EXPECT_EQ(bench.status_word(0), 2u);
    EXPECT_EQ(bench.status_word(1), 0u);
    bench.end_access(second);
    InvalidationBench::settle();
    EXPECT_EQ(bench.status_word(1), 2u);
}

TEST(WaitDescriptor, EndsAfterTheWaitsBeforeIt) {
    InvalidationBench bench(overlapped());
    bench.enable();
    InflightTable::Entry& access = bench.begin_access(true);
    bench.push(iotlb_global);
    bench.push_wait(0);
    bench.push_wait(1); // nothing of its own to wait for
    bench.submit();
    InvalidationBench::run_for(5_us);
    EXPECT_EQ(bench.status_word(1), 0u);
    bench.end_access(access);
    InvalidationBench::settle();
    EXPECT_EQ(bench.status_word(1), 2u);
    ASSERT_EQ(bench.probe.commands.size(), 3u);
    EXPECT_EQ(bench.probe.commands[1].index, 1u);
    EXPECT_EQ(bench.probe.commands[2].index, 2u);
}

TEST(WaitDescriptor, WithAFenceHoldsBackWhatFollows) {
    InvalidationBench bench(overlapped());
    bench.enable();
    InflightTable::Entry& access = bench.begin_access(true);
    bench.push(iotlb_global);
    bench.push_fence();
    bench.push(iotlb_global);
    bench.submit();
    InvalidationBench::run_for(5_us);
    EXPECT_EQ(bench.target.iotlb.size(), 1u);
    EXPECT_EQ(bench.head(), 2u);
    bench.end_access(access);
    InvalidationBench::settle();
    EXPECT_EQ(bench.target.iotlb.size(), 2u);
}

TEST(WaitDescriptor, SevenMayBePendingThenTheQueueStalls) {
    InvalidationBench bench(overlapped());
    bench.enable();
    InflightTable::Entry& access = bench.begin_access(true);
    for (unsigned i = 0; i < 8; ++i) {
        bench.push(iotlb_global);
        bench.push_wait(i);
    }
    bench.submit();
    InvalidationBench::run_for(10_us);
    EXPECT_EQ(bench.target.iotlb.size(), 7u);
    EXPECT_EQ(bench.status_word(0), 0u);
    bench.end_access(access);
    InvalidationBench::settle();
    EXPECT_EQ(bench.target.iotlb.size(), 8u);
    for (unsigned i = 0; i < 8; ++i)
        EXPECT_EQ(bench.status_word(i), 2u) << i;
    EXPECT_EQ(bench.invalidations.pending_wait_stalls().count, 1u);
}

TEST_P(AnyExecution, AWaitWithPdWaitsForThePageRequestsBeforeIt) {
    InvalidationBench bench(options());
    bench.page_requests.arrive();
    bench.enable();
    bench.push(0x0000'0002'0000'00A5, InvalidationBench::status);
    bench.submit();
    InvalidationBench::run_for(5_us);
    bench.page_requests.arrive(); // later: does not count
    EXPECT_EQ(bench.status_word(), 0u);
    bench.page_requests.handle();
    InvalidationBench::settle();
    EXPECT_EQ(bench.status_word(), 2u);
}

TEST(WaitDescriptor, WithoutPdDoesNotWaitForPageRequests) {
    InvalidationBench bench;
    bench.page_requests.arrive();
    bench.enable();
    bench.push_wait();
    bench.submit();
    InvalidationBench::settle();
    EXPECT_EQ(bench.status_word(), 2u);
}

TEST(WaitDescriptor, WhoseStatusCannotBeWrittenIsReported) {
    InvalidationBench bench;
    bench.enable();
    bench.push(InvalidationBench::wait_word(2), 1ull << 40);
    bench.push_wait();
    bench.submit();
    InvalidationBench::settle();
    EXPECT_EQ(bench.probe.diagnostics.size(), 1u);
    EXPECT_EQ(bench.status_word(), 2u); // the queue went on
}

// ---- Device-TLBs

TEST_P(AnyExecution, AWaitWaitsForTheCompletionOfDeviceTlbInvalidations) {
    InvalidationBench bench(options());
    bench.device.round_trip = 10_us;
    bench.enable();
    bench.push(iotlb_global);
    bench.push(device_tlb);
    bench.push_wait();
    bench.submit();
    InvalidationBench::run_for(9_us);
    EXPECT_EQ(bench.status_word(), 0u);
    EXPECT_EQ(bench.head(), 3u);
    InvalidationBench::settle();
    EXPECT_EQ(bench.status_word(), 2u);
    // The IOTLB first: otherwise the device could fetch the old translation again.
    ASSERT_EQ(bench.device.requests.size(), 1u);
    EXPECT_LT(bench.target.iotlb[0].time, bench.device.requests[0].time);
    EXPECT_EQ(bench.invalidations.device_tlb_stalls().count, 1u);
}

TEST(DeviceTlbInvalidation, IsCompleteWhenTheDevicesWritesAreVisible) {
    InvalidationBench bench;
    bench.device.answers = false;
    bench.enable();
    bench.push(device_tlb);
    bench.push_wait();
    bench.submit();
    InvalidationBench::run_for(1_us);
    ASSERT_EQ(bench.device.requests.size(), 1u);
    InflightTable::Entry& write = bench.begin_access(true); // posted before the completion
    bench.invalidations.device_tlbs().completed(0xE8, 1u << bench.device.requests[0].request.itag, 0);
    InvalidationBench::run_for(1_us);
    ASSERT_EQ(bench.target.device_tlbs.size(), 1u);
    EXPECT_EQ(bench.target.device_tlbs[0].source, 0xE8);
    EXPECT_EQ(bench.status_word(), 0u);
    bench.end_access(write);
    InvalidationBench::settle();
    EXPECT_EQ(bench.status_word(), 2u);
}

class TimeOut : public AnyExecution {
protected:
    /// One time-out with a wait descriptor pending.
    void time_out(InvalidationBench& bench) {
        bench.device.answers = false;
        bench.enable();
        bench.push(device_tlb);
        bench.push_wait(0);
        bench.submit();
        InvalidationBench::settle();
    }
};
INSTANTIATE_TEST_SUITE_P(InvalidationQueue, TimeOut, testing::Values(Options::serial, Options::overlapped));

TEST_P(TimeOut, AbortsPendingWaitsAndSaysWhoDidNotAnswer) {
    InvalidationBench bench(options());
    time_out(bench);
    EXPECT_TRUE(bench.fault_status(fsts::ite));
    EXPECT_EQ(iqercd::itesid.get(bench.read(reg::iqercd, 8)), 0xE8u);
    EXPECT_EQ(bench.status_word(), 0u);
    EXPECT_EQ(bench.head(), 2u);
    EXPECT_EQ(bench.invalidations.aborted_waits(), 1u);
    EXPECT_EQ(bench.invalidations.waits(), 0u);
    EXPECT_EQ(bench.message_at(InvalidationBench::fault_address), InvalidationBench::fault_data);
    EXPECT_FALSE(bench.invalidations.busy());
}

TEST_P(TimeOut, StopsFetchingUntilItIsCleared) {
    InvalidationBench bench(options());
    time_out(bench);
    bench.push(iotlb_global);
    bench.push_wait(1);
    bench.submit();
    InvalidationBench::settle();
    EXPECT_TRUE(bench.target.iotlb.empty());
    EXPECT_EQ(bench.head(), 2u);
    bench.write(reg::fsts, fsts::ite.mask());
    InvalidationBench::settle();
    EXPECT_EQ(bench.target.iotlb.size(), 1u);
    EXPECT_EQ(bench.status_word(0), 0u);
    EXPECT_EQ(bench.status_word(1), 2u);
}

TEST_P(TimeOut, KeepsTheFirstSource) {
    InvalidationBench bench(options());
    time_out(bench);
    bench.invalidations.device_tlbs().send(AtsInvalidation{0xF0}, {0xF0, 0}, 0);
    InvalidationBench::settle();
    EXPECT_EQ(iqercd::itesid.get(bench.read(reg::iqercd, 8)), 0xE8u);
}

TEST(TimeOutOfAll, LeavesWhatAbortedWaitsStoodForToTheNext) {
    InvalidationBench bench(overlapped());
    bench.device.answers = false;
    InflightTable::Entry& access = bench.begin_access(true);
    bench.enable();
    for (unsigned i = 0; i < 7; ++i) { // every drain group
        bench.push(i == 0 ? device_tlb : iotlb_global);
        bench.push_wait(i);
    }
    bench.submit();
    InvalidationBench::settle();
    EXPECT_EQ(bench.invalidations.aborted_waits(), 7u);
    bench.write(reg::fsts, fsts::ite.mask());
    bench.push(iotlb_global);
    bench.push_wait(7);
    bench.submit();
    InvalidationBench::run_for(5_us);
    EXPECT_EQ(bench.status_word(7), 0u); // the access is still under way
    bench.end_access(access);
    InvalidationBench::settle();
    EXPECT_EQ(bench.status_word(7), 2u);
    for (unsigned i = 0; i < 7; ++i)
        EXPECT_EQ(bench.status_word(i), 0u) << i;
}

TEST(CompletionError, AnUnexpectedCompletionIsReportedAndTheQueueGoesOn) {
    InvalidationBench bench;
    bench.enable();
    bench.invalidations.device_tlbs().completed(0xE8, 1, 0);
    InvalidationBench::settle();
    EXPECT_TRUE(bench.fault_status(fsts::ice));
    EXPECT_EQ(iqercd::icesid.get(bench.read(reg::iqercd, 8)), 0xE8u);
    EXPECT_EQ(bench.message_at(InvalidationBench::fault_address), InvalidationBench::fault_data);
    bench.run(iotlb_global);
    EXPECT_EQ(bench.target.order.size(), 1u);
}

// ---- errors of the queue

TEST(QueueError, ATailBeyondTheQueueStopsItWhereItIs) {
    InvalidationBench bench;
    bench.enable();
    bench.run(iotlb_global);
    bench.write(reg::iqt, 4096);
    InvalidationBench::settle();
    EXPECT_EQ(bench.queue_error(), iqercd::iqei_invalid_tail);
    EXPECT_EQ(bench.head(), 1u);
    EXPECT_EQ(bench.message_at(InvalidationBench::fault_address), InvalidationBench::fault_data);
    bench.push(iotlb_global);
    bench.submit(); // accepted, nothing is fetched
    InvalidationBench::settle();
    EXPECT_EQ(bench.target.order.size(), 1u);
    bench.write(reg::fsts, fsts::iqe.mask());
    InvalidationBench::settle();
    EXPECT_EQ(bench.queue_error(), ~0u);
    EXPECT_EQ(bench.target.order.size(), 2u);
}

TEST(QueueError, ABadTailThatStaysStopsItAgain) {
    InvalidationBench bench;
    bench.enable();
    bench.write(reg::iqt, 4096);
    InvalidationBench::settle();
    bench.write(reg::fsts, fsts::iqe.mask());
    InvalidationBench::settle();
    EXPECT_EQ(bench.queue_error(), iqercd::iqei_invalid_tail);
}

TEST(QueueError, ATailInTheMiddleOfADescriptor) {
    InvalidationBench bench;
    bench.enable(true);
    bench.write(reg::iqt, 16);
    InvalidationBench::settle();
    EXPECT_EQ(bench.queue_error(), iqercd::iqei_unaligned_tail);
    EXPECT_EQ(bench.read(reg::iqt, 8), 0u); // the bit is reserved
    EXPECT_EQ(bench.head(), 0u);
}

TEST_P(AnyExecution, ADescriptorThatCannotBeReadStopsTheQueueOnIt) {
    InvalidationBench bench(options());
    bench.enable();
    const soc::FaultInjector::Id fault =
        bench.memory.fault_injector().fail(soc::AccessKind::read, InvalidationBench::ring + 32, 16);
    bench.push(iotlb_global);
    bench.push_wait();
    bench.push(iotlb_global);
    bench.submit();
    InvalidationBench::settle();
    EXPECT_EQ(bench.queue_error(), iqercd::iqei_fetch_error);
    EXPECT_EQ(bench.head(), 2u);
    EXPECT_EQ(bench.status_word(), 2u); // earlier ones have ended
    bench.memory.fault_injector().remove(fault);
    bench.write(reg::fsts, fsts::iqe.mask());
    InvalidationBench::settle();
    EXPECT_EQ(bench.head(), 3u);
    EXPECT_EQ(bench.target.order.size(), 2u);
}

TEST(QueueError, LetsAPendingWaitEnd) {
    InvalidationBench bench(overlapped());
    InflightTable::Entry& access = bench.begin_access(true);
    bench.enable();
    bench.push(iotlb_global);
    bench.push_wait();
    bench.push(0); // no such type
    bench.submit();
    InvalidationBench::run_for(5_us);
    EXPECT_EQ(bench.queue_error(), iqercd::iqei_invalid_type);
    EXPECT_EQ(bench.status_word(), 0u);
    bench.end_access(access);
    InvalidationBench::settle();
    EXPECT_EQ(bench.status_word(), 2u);
    EXPECT_EQ(bench.head(), 2u);
}

TEST(QueueError, DescriptorsFetchedAheadAreReadAgain) {
    InvalidationBench bench;
    bench.enable();
    bench.push(0); // no such type
    bench.push(0x11);
    bench.submit();
    InvalidationBench::settle();
    bench.put(0, iotlb_global);
    bench.put(1, iotlb_global);
    bench.write(reg::fsts, fsts::iqe.mask());
    InvalidationBench::settle();
    EXPECT_EQ(bench.target.order, (std::vector<std::string>(2, "iotlb_inv")));
}

TEST(QueueError, RaisesNoSecondEventWhileOneIsPending) {
    InvalidationBench bench;
    bench.enable();
    bench.invalidations.device_tlbs().completed(0xE8, 1, 0);
    bench.run(0);
    EXPECT_TRUE(bench.fault_status(fsts::ice));
    EXPECT_TRUE(bench.fault_status(fsts::iqe));
    EXPECT_EQ(bench.messages.sent(), 1u);
}

} // namespace
} // namespace iommusim::vtd
