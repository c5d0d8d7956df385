// Device TLBs and page requests: translation requests, invalidation of devices, a device TLB end to end, the
// page request queue.
#include "tests/conformance/vtd/vtd_bench.h"

#include <gtest/gtest.h>

namespace iommusim::vtd::test {
namespace {

using namespace spec;

constexpr std::uint64_t page = 0x12'3456'7000;
constexpr std::uint64_t block = 0x12'4000'0000; ///< of 2 MiB
constexpr std::uint64_t output = 0x4000'0000;
constexpr std::uint64_t read_only = ats_completion::read;
constexpr std::uint64_t read_write = ats_completion::read | ats_completion::write;
constexpr tlm::tlm_response_status completer_abort = tlm::TLM_ADDRESS_ERROR_RESPONSE;

class Ats : public testing::Test {
protected:
    void build(void (*change)(BenchOptions&) = nullptr) {
        BenchOptions options;
        options.mode = rtaddr::ttm_scalable;
        if (change)
            change(options);
        bench.emplace(options);
        first.emplace(bench->first_stage_table());
        second.emplace(bench->second_stage_table());
        bench->attach(5, second_stage_pasid(second->root(), 7));
        bench->pasids(5).set(9, first_stage_pasid(first->root(), 8));
    }
    /// The entries that answer one request.
    std::vector<std::uint64_t> ask(const Requester& who, std::uint64_t address, unsigned pages = 1) {
        const Dma& dma = bench->read(asking(who), address, 8 * pages);
        status = dma.status;
        std::vector<std::uint64_t> entries(pages);
        std::memcpy(entries.data(), dma.data.data(), 8 * std::size_t{pages});
        return entries;
    }
    std::uint64_t ask_page(const Requester& who, std::uint64_t address) { return ask(who, address)[0]; }
    void set_context(Field field, std::uint64_t value) {
        const std::uint64_t at = bench->scalable_roots.context_entry(5);
        bench->poke(at, bench->peek_words<scalable_context::words>(at).with(field, value));
        bench->execute_and_wait(cc_global());
    }

    const Requester device = requester(5);
    const Requester process = requester(5, 9);
    std::optional<VtdBench> bench;
    std::optional<VtdBench::Table> first;
    std::optional<VtdBench::Table> second;
    tlm::tlm_response_status status = tlm::TLM_INCOMPLETE_RESPONSE;
};

// ---- translation requests

class TranslationRequest : public Ats {
protected:
    TranslationRequest() { build(); }
};

TEST_F(TranslationRequest, IsToldRightsAndSize) {
    second->map(page, output, second_rw);
    second->map(page + 0x1000, output + 0x1000, second_ro);
    second->map(page + 0x2000, output + 0x2000, second_wo);
    second->map(block, 0x6000'0000, second_rw, 2);
    EXPECT_EQ(ask_page(device, page), output | read_write);
    EXPECT_EQ(ask_page(device, page + 0x1000), (output + 0x1000) | read_only);
    EXPECT_EQ(ask_page(device, page + 0x2000), (output + 0x2000) | ats_completion::write);
    const std::uint64_t large = ask_page(device, block + 0x12'3000);
    EXPECT_EQ(ats_completion::size_log2(large), 21u);
    EXPECT_EQ(ats_completion::address(large), 0x6000'0000u);
    EXPECT_EQ(large & 0x7ff, read_write);
    EXPECT_EQ(ask_page(device, page + 0x1000), (output + 0x1000) | read_only) << "and from the IOTLB";
}

TEST_F(TranslationRequest, ForSeveralPagesEndsAtTheFirstThatIsNotThere) {
    second->map(page, output, second_rw);
    second->map(page + 0x1000, output + 0x5000, second_ro);
    second->map(page + 0x3000, output, second_rw);
    const std::vector<std::uint64_t> expected{output | read_write, (output + 0x5000) | read_only, 0, 0};
    EXPECT_EQ(ask(device, page, 4), expected);
    EXPECT_EQ(status, tlm::TLM_OK_RESPONSE);
}

TEST_F(TranslationRequest, ForAPageThatIsNotThereSucceedsWithoutRightsAndWithoutARecord) {
    EXPECT_EQ(ask_page(device, page), 0u);
    EXPECT_EQ(status, tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(ask_page(process, page), 0u);
    EXPECT_EQ(status, tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(ask_page(device, 1ull << 50), 0u);
    EXPECT_EQ(status, tlm::TLM_OK_RESPONSE);
    EXPECT_EQ(bench->take_fault(), 0u);
}

TEST_F(TranslationRequest, OfADeviceThatIsNotSetUpIsUnsupported) {
    set_context(scalable_context::dte, 0);
    ask(device, page);
    EXPECT_EQ(status, ats_completion::unsupported_request);
    EXPECT_EQ(bench->take_fault(), fault_reason::sm_device_tlb_disabled);
    ask(requester(6), page);
    EXPECT_EQ(status, ats_completion::unsupported_request);
    EXPECT_EQ(bench->take_fault(), fault_reason::sm_context_not_present);
    bench->clear(gcmd::te);
    ask(device, page);
    EXPECT_EQ(status, ats_completion::unsupported_request);
    EXPECT_EQ(bench->take_fault(), 0u);
}

TEST_F(TranslationRequest, IsAbortedByStructuresThatAreWrong) {
    second->map(page, output | 1ull << 50, second_rw);
    ask(device, page);
    EXPECT_EQ(status, completer_abort);
    EXPECT_EQ(bench->take_fault(), fault_reason::sm_second_stage_reserved);
    bench->faults().fail(soc::AccessKind::read, first->entry(page), 8);
    ask(process, page);
    EXPECT_EQ(status, completer_abort);
    EXPECT_EQ(bench->take_fault(), fault_reason::sm_first_stage_access);
}

TEST_F(TranslationRequest, ThatGetsTheRightToWriteMarksThePageAsWritten) {
    first->map(page, output, first_rw);
    first->map(page + 0x1000, output, first_ro);
    EXPECT_EQ(ask_page(process, page), output | read_write);
    EXPECT_EQ(first->get(page) & first_used, first_used);
    EXPECT_EQ(ask_page(process, page + 0x1000), output | read_only);
    EXPECT_EQ(first->get(page + 0x1000) & first_stage::d.mask(), 0u);
}

TEST_F(TranslationRequest, AfterAReadAsksTheTablesForTheRightToWrite) {
    first->map(page, output, first_rw);
    bench->read(process, page);
    ASSERT_EQ(first->get(page) & first_stage::d.mask(), 0u);
    EXPECT_EQ(ask_page(process, page), output | read_write);
    EXPECT_NE(first->get(page) & first_stage::d.mask(), 0u);
}

TEST_F(TranslationRequest, OfAUserGetsNoRightsOfTheSupervisor) {
    // Without WPE the supervisor may write pages that are read-only.
    bench->pasids(5).set(9, first_stage_pasid(first->root(), 8).with(pasid_entry::sre, 1));
    first->map(page, output, first_ro | first_stage::a.make(1) | first_stage::d.make(1));
    Requester kernel = process;
    kernel.privileged = true;
    EXPECT_EQ(ask_page(kernel, page), output | read_write);
    EXPECT_EQ(ask_page(process, page), output | read_only);
}

TEST_F(TranslationRequest, OfADeviceThatPassesThroughIsTheIdentity) {
    bench->attach(6, pass_through_pasid(9));
    const std::uint64_t entry = ask_page(requester(6), output);
    EXPECT_EQ(entry & read_write, read_write);
    EXPECT_EQ(ats_completion::address(entry), align_down(output, 1ull << ats_completion::size_log2(entry)));
}

// ---- a device TLB end to end

class DeviceTlb : public Ats {
protected:
    static constexpr Picoseconds timeout = 5_us;
    DeviceTlb() {
        build([](BenchOptions& o) {
            o.device_tlb = true;
            o.device_tlb_parameters.page_requests = 1;
            o.parameters.device_tlb_timeout = timeout;
        });
        set_context(scalable_context::pre, 1);
        bench->enable_page_requests();
        second->map(page, output, second_rw);
        first->map(page, output + 0x8000, first_used);
    }
    bool completed(std::uint32_t wait) const { return bench->completed_waits() >= wait; }
};

TEST_F(DeviceTlb, AccessesWithTranslatedAddressesUntilItIsInvalidated) {
    EXPECT_TRUE(bench->write(device, page + 0x40, pattern(1)).ok());
    EXPECT_EQ(bench->probe.translations.back().input_address, output + 0x40);
    EXPECT_STREQ(bench->probe.translations.back().served_by, "device TLB");
    second->map(page, output + 0x1000, second_rw);
    EXPECT_TRUE(bench->execute_and_wait(iotlb_pages(7, page)));
    EXPECT_TRUE(bench->read(device, page).ok());
    EXPECT_EQ(bench->probe.translations.back().output_address, output) << "its own TLB is apart";
    EXPECT_TRUE(bench->execute_and_wait(device_tlb_page(5, page)));
    EXPECT_TRUE(bench->read(device, page).ok());
    EXPECT_EQ(bench->probe.translations.back().output_address, output + 0x1000);
    EXPECT_EQ(bench->device_tlb->statistics().invalidations, 1u);
}

TEST_F(DeviceTlb, IsInvalidatedByPasid) {
    bench->read(device, page);
    bench->read(process, page);
    EXPECT_TRUE(bench->execute_and_wait({p_iotlb_pages(8, 9, page), pasid_device_tlb_page(5, 9, page)}));
    const std::uint64_t requests = bench->device_tlb->statistics().translation_requests;
    bench->read(device, page);
    EXPECT_EQ(bench->device_tlb->statistics().translation_requests, requests);
    bench->read(process, page);
    EXPECT_EQ(bench->device_tlb->statistics().translation_requests, requests + 1);
    EXPECT_TRUE(bench->execute_and_wait(device_tlb_all(5)));
    bench->read(device, page);
    EXPECT_EQ(bench->device_tlb->statistics().translation_requests, requests + 2);
}

TEST_F(DeviceTlb, CompletesAnInvalidationAfterItsAccesses) {
    bench->read(device, page);
    const auto hold = bench->faults().hold(soc::AccessKind::any, output, 4096);
    const Dma& dma = bench->begin_write(device, page, pattern(2));
    bench->run_for(1_us);
    ASSERT_FALSE(dma.finished);
    const std::uint32_t wait = bench->completed_waits() + 1;
    bench->queue(iotlb_pages(7, page));
    bench->queue(device_tlb_page(5, page));
    ASSERT_EQ(bench->queue_wait(), wait);
    bench->doorbell();
    bench->run_for(2_us);
    EXPECT_FALSE(completed(wait));
    bench->faults().release(hold);
    bench->settle();
    EXPECT_TRUE(dma.ok());
    EXPECT_TRUE(completed(wait));
}

TEST_F(DeviceTlb, WhoseWritesAreStillUnderWayWhenItAnswersIsWaitedFor) {
    // A device may complete an invalidation behind writes that nobody has answered yet.
    const auto hold = bench->faults().hold(soc::AccessKind::write, output, 4096);
    const Dma& dma = bench->begin_write(translated(device), output, pattern(2));
    bench->run_for(1_us);
    ASSERT_FALSE(dma.finished);
    EXPECT_FALSE(bench->execute_and_wait(device_tlb_page(5, page)));
    EXPECT_FALSE(bench->fault_status(fsts::ite)) << "the device itself has answered";
    bench->faults().release(hold);
    bench->settle();
    EXPECT_EQ(bench->completed_waits(), 2u);
}

TEST_F(DeviceTlb, NeverUsesAPageAfterTheCompletionWasSeen) {
    soc::DmaJob job;
    job.requester = device;
    job.pattern = soc::DmaPattern::ring;
    job.base = page;
    job.window = 4096;
    job.count = 6000;
    job.outstanding = 16;
    bench->masters[0].start(job);
    std::uint64_t current = output;
    unsigned moves = 0;
    bench->spawn([&] {
        while (bench->masters[0].running_jobs() != 0) {
            second->map(page, current + 0x1000, second_rw);
            bench->queue(iotlb_pages(7, page, 0, true));
            bench->queue(device_tlb_page(5, page));
            const std::uint32_t wait = bench->queue_wait();
            bench->doorbell();
            while (!completed(wait))
                sc_core::wait(10, sc_core::SC_NS);
            bench->probe.observed.clear();
            bench->probe.translations.clear();
            current += 0x1000;
            ++moves;
            sc_core::wait(700, sc_core::SC_NS);
            for (const TranslationUse& use : bench->probe.translations)
                ASSERT_EQ(use.output_address & ~0xfffull, current);
            for (const auto& o : bench->probe.observed)
                ASSERT_EQ(o.use.output_address & ~0xfffull, current);
        }
    });
    bench->settle();
    EXPECT_GT(moves, 10u);
}

TEST_F(DeviceTlb, ThatIsDeadStopsTheQueueUntilSoftwareHasCleared) {
    bench->enable_event(reg::fectl, interrupt_window_first, 0x51);
    bench->device_tlb->set_dead(true);
    EXPECT_FALSE(bench->execute_and_wait(device_tlb_page(5, page)));
    EXPECT_TRUE(bench->fault_status(fsts::ite));
    EXPECT_EQ(iqercd::itesid.get(bench->read_register(reg::iqercd, 8)), 5u);
    EXPECT_EQ(bench->sink.message_count(), 1u);
    EXPECT_FALSE(bench->execute_and_wait(iotlb_global())) << "nothing is fetched";

    bench->device_tlb->set_dead(false);
    bench->write_register(reg::fsts, fsts::ite.mask());
    bench->settle();
    EXPECT_EQ(bench->completed_waits(), 3u) << "of the two, the aborted one is not made up for";
    EXPECT_TRUE(bench->execute_and_wait(device_tlb_page(5, page)));
}

TEST_F(DeviceTlb, ThatCompletesWhatNobodyAskedForIsReported) {
    bench->device_tlb->inject_completion(5, 1);
    bench->settle();
    EXPECT_TRUE(bench->fault_status(fsts::ice));
    EXPECT_EQ(iqercd::icesid.get(bench->read_register(reg::iqercd, 8)), 5u);
    bench->write_register(reg::fsts, fsts::ice.mask());
    EXPECT_TRUE(bench->execute_and_wait(device_tlb_page(5, page)));
}

TEST_F(Ats, WithoutDevicesAnInvalidationTimesOut) {
    build([](BenchOptions& o) { o.parameters.device_tlb_timeout = 5_us; });
    EXPECT_FALSE(bench->execute_and_wait(device_tlb_page(5, page)));
    EXPECT_TRUE(bench->fault_status(fsts::ite));
}

// ---- page requests

TEST_F(DeviceTlb, GetsAPageThatSoftwareBringsInOnRequest) {
    bench->enable_event(reg::pectl, interrupt_window_first, 0x53);
    constexpr std::uint64_t missing = page + 0x4000;
    const Dma& dma = bench->begin_write(process, missing + 0x80, pattern(3));
    bench->settle();
    EXPECT_FALSE(dma.finished);
    EXPECT_EQ(bench->sink.message_count(), 1u);
    const std::vector<PageRequest> requests = bench->take_page_requests();
    ASSERT_EQ(requests.size(), 1u);
    const PageRequest& r = requests[0];
    EXPECT_EQ(r.get(page_request::type), page_request::type_page_request);
    EXPECT_EQ(r.get(page_request::rid), 5u);
    EXPECT_EQ(r.get(page_request::pp), 1u);
    EXPECT_EQ(r.get(page_request::pasid), 9u);
    EXPECT_EQ(r.get(page_request::wr), 1u);
    EXPECT_EQ(r.get(page_request::lpig), 1u);
    EXPECT_EQ(page_request::addr.in_place(r.words.data()), missing);

    first->map(missing, output + 0x4000, first_used);
    bench->execute(page_group_response(5, r.get(page_request::prgi), page_response::success)
                       .with(page_grp_resp::pp, 1)
                       .with(page_grp_resp::pasid, 9));
    EXPECT_TRUE(dma.ok());
    EXPECT_EQ(0, std::memcmp(bench->memory.bytes() + output + 0x4080, dma.data.data(), dma.data.size()));
    EXPECT_EQ(bench->take_fault(), 0u) << "a page that was asked for is no fault";
}

TEST_F(DeviceTlb, IsRefusedAPageThatSoftwareDoesNotBringIn) {
    const Dma& dma = bench->begin_read(device, page + 0x4000);
    bench->settle();
    const std::vector<PageRequest> requests = bench->take_page_requests();
    ASSERT_EQ(requests.size(), 1u);
    bench->execute(
        page_group_response(5, requests[0].get(page_request::prgi), page_response::invalid_request));
    EXPECT_TRUE(dma.finished);
    EXPECT_FALSE(dma.ok());
}

class PageRequestQueue : public DeviceTlb {
protected:
    static constexpr unsigned slots = 4096 / page_request::bytes;
    void request(unsigned group, std::uint64_t address = page) {
        AtsPageRequest r;
        r.requester = 5;
        r.address = address;
        r.read = true;
        r.last = true;
        r.group = group;
        bench->vtd.ats->page_requested(r, 0);
        bench->settle();
    }
    bool request_status(Field field) { return field.get(bench->read_register(reg::prs)) != 0; }
};

TEST_F(PageRequestQueue, OverflowsWithOneSlotUnusedAndAnswersWhatItDrops) {
    for (unsigned i = 0; i + 1 < slots; ++i)
        request(i);
    EXPECT_FALSE(request_status(prs::pro));
    EXPECT_EQ(bench->device_tlb->statistics().unexpected_page_responses, 0u);
    request(200);
    EXPECT_TRUE(request_status(prs::pro));
    EXPECT_EQ(bench->device_tlb->statistics().unexpected_page_responses, 1u) << "so that the device retries";
    EXPECT_EQ(bench->take_page_requests().size(), slots - 1);
    request(201);
    EXPECT_EQ(bench->take_page_requests().size(), 0u) << "until software has cleared the overflow";
    bench->write_register(reg::prs, prs::pro.mask());
    request(202);
    EXPECT_EQ(bench->take_page_requests().size(), 1u);
}

TEST_F(PageRequestQueue, RaisesOneEventUntilSoftwareHasSeenIt) {
    bench->enable_event(reg::pectl, interrupt_window_first, 0x53);
    request(1);
    request(2);
    EXPECT_EQ(bench->sink.message_count(), 1u);
    EXPECT_EQ(bench->take_page_requests().size(), 2u);
    request(3);
    EXPECT_EQ(bench->sink.message_count(), 2u);
}

TEST_F(PageRequestQueue, MakesTheUnitForgetThePage) {
    bench->read(requester(5), page);
    EXPECT_EQ(ask_page(device, page), output | read_write);
    const std::uint64_t walks = bench->counter("iommu.walks");
    request(1);
    ask_page(device, page);
    EXPECT_EQ(bench->counter("iommu.walks"), walks + 1);
}

TEST_F(PageRequestQueue, TakesNothingFromADeviceWithoutPreOrWhileTranslationIsDisabled) {
    set_context(scalable_context::pre, 0);
    request(1);
    EXPECT_EQ(bench->take_fault(), fault_reason::sm_page_request_disabled);
    bench->clear(gcmd::te);
    request(2);
    EXPECT_EQ(bench->take_fault(), 0u);
    EXPECT_EQ(bench->take_page_requests().size(), 0u);
    EXPECT_EQ(bench->device_tlb->statistics().unexpected_page_responses, 2u) << "each is answered";
}

TEST_F(PageRequestQueue, IsDrainedByAWaitThatSaysSo) {
    const auto hold = bench->faults().hold(soc::AccessKind::read, bench->scalable_roots.context_entry(5), 8);
    bench->execute_and_wait({cc_global(), pc_global()});
    const std::uint32_t before = bench->completed_waits();
    request(1);
    bench->queue(wait_with_status(bench->allocate(64), 1).with(inv_wait::pd, 1));
    const std::uint32_t wait = bench->queue_wait();
    bench->doorbell();
    bench->settle();
    EXPECT_EQ(bench->completed_waits(), before);
    bench->faults().release(hold);
    bench->settle();
    EXPECT_TRUE(completed(wait));
    EXPECT_EQ(bench->take_page_requests().size(), 1u);
}

} // namespace
} // namespace iommusim::vtd::test
