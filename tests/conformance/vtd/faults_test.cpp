// Every reason for which the unit refuses a request, from what is in memory to the record that software
// finds; FPD.
#include "tests/conformance/vtd/fault_scenes.h"

#include <gtest/gtest.h>

namespace iommusim::vtd::test {
namespace {

using namespace spec;

class Fault : public testing::TestWithParam<FaultScene> {
protected:
    enum class Interface { timed, loose };

    /// Plays the scene: the request is refused.
    void play(Interface through, bool silent = false) {
        start_new_simulation();
        BenchOptions options;
        options.mode = GetParam().mode;
        if (GetParam().options)
            GetParam().options(options);
        bench.emplace(options);
        stage.emplace(*bench, GetParam().setting, silent);
        GetParam().change(*stage);
        if (stage->page_request) {
            AtsPageRequest request;
            request.requester = stage->device.id;
            request.address = stage->address;
            request.read = true;
            bench->vtd.ats->page_requested(request, 0);
            bench->settle();
            return;
        }
        if (stage->write && stage->data.empty())
            stage->data.resize(stage->length);
        const Requester& device = stage->device;
        const std::uint64_t at = stage->address;
        const Dma& dma = through == Interface::timed
                             ? (stage->write ? bench->write(device, at, stage->data)
                                             : bench->read(device, at, stage->length))
                             : (stage->write ? bench->write_loosely(device, at, stage->data)
                                             : bench->read_loosely(device, at, stage->length));
        EXPECT_TRUE(dma.finished);
        EXPECT_NE(dma.status, tlm::TLM_OK_RESPONSE);
        bench->settle();
    }
    void expect_record() {
        const std::vector<FaultRecord> records = bench->take_faults();
        ASSERT_EQ(records.size(), 1u);
        const FaultRecord& r = records[0];
        EXPECT_EQ(r.get(fault_record::fr), GetParam().reason)
            << fault_name(unsigned(r.get(fault_record::fr)));
        EXPECT_EQ(r.get(fault_record::sid), stage->device.id);
        EXPECT_EQ(r.get(fault_record::t1), stage->page_request || stage->write ? 0u : 1u);
        EXPECT_EQ(r.get(fault_record::t2), stage->page_request ? 1u : 0u);
        EXPECT_EQ(r.get(fault_record::pp), stage->device.has_pasid ? 1u : 0u);
        EXPECT_EQ(r.get(fault_record::pv), stage->device.pasid);
        EXPECT_EQ(r.get(fault_record::at), static_cast<unsigned>(stage->device.address_type));
        if (GetParam().setting != FaultStage::Setting::interrupts) {
            EXPECT_EQ(fault_record::fi.in_place(r.words.data()), align_down(stage->address, 4096));
        }
    }

    std::optional<VtdBench> bench;
    std::optional<FaultStage> stage;
};

TEST_P(Fault, IsRecordedWithItsReason) {
    play(Interface::timed);
    expect_record();
}

TEST_P(Fault, IsRecordedForALooselyTimedAccessToo) {
    play(Interface::loose);
    expect_record();
}

TEST_P(Fault, IsSilencedByFpdWhereItIsQualified) {
    play(Interface::timed, true);
    EXPECT_EQ(bench->take_fault(),
              fault_is_qualified(GetParam().reason) ? fault_reason::none : GetParam().reason);
}

INSTANTIATE_TEST_SUITE_P(, Fault, testing::ValuesIn(fault_scenes()),
                         [](const auto& tested) { return tested.param.name(); });

} // namespace
} // namespace iommusim::vtd::test
