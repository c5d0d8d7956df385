// ITags, credits, completions and time-outs, with devices that answer when the test says so.
#include "models/core/ats_invalidator.h"
#include "tests/unit/core/core_bench.h"

#include <gtest/gtest.h>
#include <random>

namespace iommusim::test {
namespace {

struct Devices : AtsDevicesIf {
    struct Message {
        AtsInvalidation request;
        Picoseconds arrival;
    };
    std::vector<Message> messages;

    void invalidate(const AtsInvalidation& request, Picoseconds delay) override {
        messages.push_back({request, now() + delay});
    }
    void respond(const AtsPageResponse&, Picoseconds) override {}
};

struct Invalidator : testing::Test, AtsInvalidator::Listener {
    struct Module : ProcessOwner {
        AtsInvalidator::Devices port{"devices"};
        using ProcessOwner::ProcessOwner;

        Process note_when_drained(AtsInvalidator& ats, unsigned group) {
            while (!ats.drained(group))
                co_await ats.progress().wait();
            note("drained");
        }
    };
    Devices devices;
    Module module{"module"};
    AtsInvalidator ats{module.queue, &module.port, *this};
    std::vector<std::pair<std::uint32_t, unsigned>> timed_out_;
    std::vector<std::uint32_t> unexpected_;

    Invalidator() { module.port.bind(devices); }
    ~Invalidator() override { module.close(); }
    void timed_out(std::uint32_t requester, unsigned group) override {
        timed_out_.emplace_back(requester, group);
    }
    void unexpected_completion(std::uint32_t requester) override { unexpected_.push_back(requester); }

    void send(std::uint32_t requester, unsigned max_pending = 0, unsigned group = 0, Picoseconds delay = 0) {
        AtsInvalidation request;
        request.requester = requester;
        ats.send(request, {requester, max_pending}, group, delay);
    }
    void complete(const Devices::Message& message, Picoseconds delay = 0) {
        ats.completed(message.request.requester, 1u << message.request.itag, delay);
    }
    void run() { module.run(); }
    void run_for(Picoseconds time) {
        sc_core::sc_report_handler::set_actions(sc_core::SC_ID_NO_SC_START_ACTIVITY_, sc_core::SC_DO_NOTHING);
        sc_core::sc_start(to_sc_time(time));
    }
};

TEST_F(Invalidator, GivesEveryOutstandingRequestAnItagOfItsOwnAndSendsNoMoreThanThereAre) {
    for (std::uint32_t device = 0; device < 40; ++device)
        send(device);
    ASSERT_EQ(devices.messages.size(), 32u);
    std::uint32_t itags = 0;
    for (const auto& message : devices.messages)
        itags |= 1u << message.request.itag;
    EXPECT_EQ(itags, ~0u);
    EXPECT_EQ(ats.waiting(), 8u);
    complete(devices.messages[5]);
    run();
    ASSERT_EQ(devices.messages.size(), 33u);
    EXPECT_EQ(devices.messages[32].request.requester, 32u);
    EXPECT_EQ(devices.messages[32].request.itag, devices.messages[5].request.itag);
    EXPECT_EQ(ats.statistics().waits.count, 1u);
}

TEST_F(Invalidator, ADeviceThatCanQueueNoMoreHoldsUpOnlyItsOwnRequests) {
    for (unsigned i = 0; i < 3; ++i)
        send(7, 2);
    send(8, 2);
    ASSERT_EQ(devices.messages.size(), 3u);
    EXPECT_EQ(devices.messages[2].request.requester, 8u);
    complete(devices.messages[2]);
    run();
    EXPECT_EQ(devices.messages.size(), 3u);
    complete(devices.messages[1]);
    run();
    ASSERT_EQ(devices.messages.size(), 4u);
    EXPECT_EQ(devices.messages[3].request.requester, 7u);
}

TEST_F(Invalidator, RequestersThatShareAQueueShareItsLimit) {
    AtsInvalidation request;
    for (request.requester = 1; request.requester <= 3; ++request.requester)
        ats.send(request, {100, 2}, 0);
    EXPECT_EQ(devices.messages.size(), 2u);
    EXPECT_EQ(ats.waiting(), 1u);
}

TEST_F(Invalidator, WaitingRequestsKeepTheirOrder) {
    for (unsigned i = 0; i < 4; ++i) {
        AtsInvalidation request;
        request.first = i * 0x1000;
        ats.send(request, {0, 1}, 0);
    }
    for (unsigned i = 0; i < 4; ++i) {
        ASSERT_EQ(devices.messages.size(), i + 1);
        EXPECT_EQ(devices.messages[i].request.first, i * 0x1000);
        complete(devices.messages[i]);
        run();
    }
}

TEST_F(Invalidator, AGroupIsDrainedWhenItsOwnRequestsAreCompletedAndNoOthers) {
    send(1, 1, 2);
    send(1, 1, 2);
    send(2, 1, 3);
    module.note_when_drained(ats, 2).start(module.queue, 0);
    EXPECT_FALSE(ats.drained(2));
    EXPECT_TRUE(ats.drained(1));
    complete(devices.messages[0], 5000);
    run();
    EXPECT_FALSE(ats.drained(2)) << "one waited for its turn";
    complete(devices.messages[2], 4000);
    run();
    EXPECT_EQ(module.log, Log{"drained@9"});
    EXPECT_FALSE(ats.drained(3));
}

TEST_F(Invalidator, OneMessageMayCompleteSeveralRequests) {
    send(1);
    send(1);
    ats.completed(1, (1u << devices.messages[0].request.itag) | (1u << devices.messages[1].request.itag),
                  3000);
    run();
    EXPECT_TRUE(ats.drained(0));
    EXPECT_EQ(ats.statistics().completed, 2u);
    EXPECT_EQ(ats.statistics().longest_round_trip, 3000u);
    EXPECT_TRUE(unexpected_.empty());
}

TEST_F(Invalidator, ReportsACompletionThatNobodyAskedForAndLeavesTheRequestsAlone) {
    send(1);
    const unsigned itag = devices.messages[0].request.itag;
    ats.completed(2, 1u << itag, 0);              // of another device
    ats.completed(1, 1u << ((itag + 1) % 32), 0); // never sent
    ats.completed(1, 0, 0);                       // names nothing
    run();
    EXPECT_EQ(unexpected_, (std::vector<std::uint32_t>{2, 1, 1}));
    EXPECT_FALSE(ats.drained(0));
    complete(devices.messages[0]);
    run();
    EXPECT_TRUE(ats.drained(0));
}

TEST_F(Invalidator, GivesUpAfterTheTimeOutAndSendsWhatWaited) {
    ats.set_timeout(1_us);
    send(1, 1, 4);
    run_for(400_ns);
    send(1, 1, 5);
    send(2, 1, 5);
    run_for(599_ns);
    EXPECT_TRUE(timed_out_.empty());
    run_for(2_ns);
    EXPECT_EQ(timed_out_, (std::vector<std::pair<std::uint32_t, unsigned>>{{1, 4}}));
    EXPECT_TRUE(ats.drained(4));
    ASSERT_EQ(devices.messages.size(), 3u);
    EXPECT_EQ(devices.messages[2].arrival, 1_us);
    complete(devices.messages[0]);
    run_for(10_ns);
    EXPECT_EQ(unexpected_.size(), 1u) << "too late";
    run_for(2_us);
    EXPECT_EQ(timed_out_, (std::vector<std::pair<std::uint32_t, unsigned>>{{1, 4}, {2, 5}, {1, 5}}));
    EXPECT_TRUE(ats.drained(5));
}

TEST_F(Invalidator, AShorterTimeOutHoldsForLaterRequestsOnly) {
    ats.set_timeout(10_us);
    send(1, 0, 1);
    ats.set_timeout(1_us);
    send(2, 0, 2);
    run_for(5_us);
    EXPECT_EQ(timed_out_.size(), 1u);
    EXPECT_FALSE(ats.drained(1));
    run_for(6_us);
    EXPECT_EQ(timed_out_, (std::vector<std::pair<std::uint32_t, unsigned>>{{2, 2}, {1, 1}}));
}

TEST_F(Invalidator, WithoutATimeOutARequestStaysOutstanding) {
    send(1);
    run_for(100_ms);
    EXPECT_FALSE(ats.drained(0));
    EXPECT_TRUE(timed_out_.empty());
}

TEST_F(Invalidator, WithoutDevicesEveryRequestTimesOut) {
    AtsInvalidator alone(module.queue, nullptr, *this);
    alone.set_timeout(1_us);
    alone.send(AtsInvalidation(), {0, 0}, 0);
    run();
    EXPECT_EQ(timed_out_.size(), 1u);
    EXPECT_TRUE(alone.drained(0));
}

TEST_F(Invalidator, SendsNotBeforeTheDelayIsOver) {
    send(1, 1, 0, 7000);
    send(1, 1, 0, 50'000);
    EXPECT_EQ(devices.messages[0].arrival, 7000u);
    complete(devices.messages[0], 10'000);
    run();
    EXPECT_EQ(devices.messages[1].arrival, 50'000u);
}

TEST_F(Invalidator, AnAbortedGroupIsForgottenButItsItagsStayTaken) {
    send(1, 1, 0);
    send(1, 1, 0);
    send(1, 1, 1);
    ats.abort(0);
    EXPECT_TRUE(ats.drained(0));
    EXPECT_EQ(devices.messages.size(), 1u);
    EXPECT_EQ(ats.waiting(), 1u);
    complete(devices.messages[0]);
    run();
    EXPECT_TRUE(unexpected_.empty());
    EXPECT_EQ(devices.messages.size(), 2u);
    EXPECT_FALSE(ats.drained(1));
}

TEST_F(Invalidator, AfterAbortingEverythingLateCompletionsAreUnexpected) {
    for (unsigned i = 0; i < 40; ++i)
        send(1, 0, i % drain_groups);
    ats.abort_all();
    for (unsigned group = 0; group < drain_groups; ++group)
        EXPECT_TRUE(ats.drained(group));
    EXPECT_EQ(ats.outstanding() + ats.waiting(), 0u);
    complete(devices.messages[3]);
    run();
    EXPECT_EQ(unexpected_.size(), 1u);
    send(1);
    EXPECT_EQ(devices.messages.size(), 33u);
}

// Random devices with random depths and answers: the limits hold, everything is completed, and drained()
// agrees with a plain count.
TEST_F(Invalidator, KeepsItsLimitsAndItsCountsUnderRandomTraffic) {
    std::mt19937 random(1);
    std::vector<std::size_t> open; // indices of messages not yet completed
    std::size_t unfinished[drain_groups] = {};
    std::vector<unsigned> group_of; // by the address that identifies a request
    std::size_t taken = 0;
    for (unsigned step = 0; step < 20'000; ++step) {
        if (random() % 2 == 0 && step < 15'000) {
            AtsInvalidation request;
            request.requester = random() % 6;
            request.first = group_of.size();
            group_of.push_back(random() % drain_groups);
            ++unfinished[group_of.back()];
            ats.send(request, {request.requester, 1 + request.requester * 2}, group_of.back());
        } else if (!open.empty()) {
            const std::size_t which = random() % open.size();
            const Devices::Message done = devices.messages[open[which]];
            open.erase(open.begin() + static_cast<std::ptrdiff_t>(which));
            complete(done);
            run_for(1);
            --unfinished[group_of[done.request.first]];
        }
        for (; taken < devices.messages.size(); ++taken)
            open.push_back(taken);
        unsigned pending[6] = {};
        std::uint32_t itags = 0;
        for (const std::size_t i : open) {
            ++pending[devices.messages[i].request.requester];
            itags |= 1u << devices.messages[i].request.itag;
        }
        for (unsigned device = 0; device < 6; ++device)
            ASSERT_LE(pending[device], 1 + device * 2);
        ASSERT_EQ(static_cast<std::size_t>(__builtin_popcount(itags)), open.size());
        for (unsigned group = 0; group < drain_groups; ++group)
            ASSERT_EQ(ats.drained(group), unfinished[group] == 0);
    }
    EXPECT_GT(ats.statistics().waits.count, 1000u);
    while (!open.empty()) {
        complete(devices.messages[open.back()]);
        open.pop_back();
        run_for(1);
        for (; taken < devices.messages.size(); ++taken)
            open.push_back(taken);
    }
    EXPECT_EQ(ats.statistics().completed, group_of.size());
    EXPECT_TRUE(unexpected_.empty());
}

} // namespace
} // namespace iommusim::test
