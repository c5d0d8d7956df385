#include "models/soc/device_tlb.h"

#include "models/soc/device_tlb_pipeline.h"

namespace iommusim::soc {

const std::vector<Parameter<DeviceTlbParameters>>& DeviceTlbParameters::table() {
    using P = DeviceTlbParameters;
    static const std::vector<Parameter<P>> rows = {
        {{"entries", Unit::count, 1024, 1, 1u << 20, Provenance::chosen, "as large as an IOMMU's TLB",
          "translations kept in the device, of any page size"},
         &P::entries},
        {{"ways", Unit::count, 8, 0, 1u << 20, Provenance::chosen, "common for TLBs of this size",
          "associativity; 0 = fully associative"},
         &P::ways},
        {{"replacement", Unit::choice, 1, 0, 2, Provenance::chosen, "common for small structures",
          "victim of a full set", replacement_choices},
         &P::replacement},
        {{"lookup_latency", Unit::picoseconds, 4'000, 0, 1'000'000'000, Provenance::chosen,
          "a few cycles of a 1 GHz device", "from arrival of an access to the result of the look-up"},
         &P::lookup_latency},
        {{"outstanding", Unit::count, 256, 1, 1u << 16, Provenance::architected,
          "PCIe: 8-bit tags without the 10-bit extension", "accesses accepted at a time"},
         &P::outstanding},
        {{"translation_outstanding", Unit::count, 32, 1, 1u << 16, Provenance::chosen,
          "enough to cover a round trip of 500 ns with one miss every 16 ns",
          "translation requests outstanding at a time"},
         &P::translation_outstanding},
        {{"translation_pages", Unit::count, 1, 1, 512, Provenance::chosen, "no prefetch",
          "4 KiB pages that a translation request asks for"},
         &P::translation_pages},
        {{"invalidation_latency", Unit::picoseconds, 50'000, 0, 1'000'000'000'000, Provenance::chosen,
          "some tens of cycles of a 1 GHz device",
          "from taking up an invalidation to its completion if no access uses what it removes"},
         &P::invalidation_latency},
        {{"invalidation_queue_depth", Unit::count, 32, 1, 32, Provenance::architected,
          "PCIe ATS capability: 1 to 32", "invalidations that the device tells software it can queue"},
         &P::invalidation_queue_depth},
        {{"invalidation_parallel", Unit::count, 4, 1, drain_groups, Provenance::chosen,
          "so that one slow access does not hold up all", "invalidations worked on at a time"},
         &P::invalidation_parallel},
        {{"page_requests", Unit::flag, 0, 0, 1, Provenance::architected,
          "PCIe PRI capability: disabled after reset", "page requests are enabled from the start"},
         &P::page_requests},
        {{"page_request_limit", Unit::count, 32, 1, 512, Provenance::chosen, "PCIe PRI: 9-bit group indices",
          "page request groups outstanding at a time"},
         &P::page_request_limit},
        {{"page_request_retries", Unit::count, 3, 0, 1u << 20, Provenance::chosen,
          "software that answers with success has provided the page, unless it is taken away again",
          "page requests that one access makes before it is refused"},
         &P::page_request_retries},
        {{"on_refusal", Unit::choice, 0, 0, 1, Provenance::chosen,
          "a device that knows that it may not access an address need not ask the IOMMU to refuse it",
          "what becomes of an access that the translation does not allow", "error|untranslated"},
         &P::on_refusal},
    };
    return rows;
}

class DeviceTlb::Implementation : public AtsDevicesIf {
public:
    explicit Implementation(DeviceTlb& module)
        : queue("queue"), pipeline(queue, module.unit, module.parameters_) {}
    ~Implementation() override { queue.close(); }

    TimedQueue queue;
    DeviceTlbPipeline pipeline;

private:
    void invalidate(const AtsInvalidation& request, Picoseconds delay) override {
        pipeline.invalidate(request, delay);
    }
    void respond(const AtsPageResponse& response, Picoseconds delay) override {
        pipeline.page_requests.respond(response, delay);
    }
};

DeviceTlb::DeviceTlb(sc_core::sc_module_name name, const DeviceTlbParameters& parameters)
    : sc_module(name), messages("messages"), unit("unit"), parameters_(parameters) {
    if (const std::string violation = first_violation(parameters); !violation.empty())
        SC_REPORT_FATAL(this->name(), violation.c_str());
    implementation_ = std::make_unique<Implementation>(*this);
    messages.bind(*implementation_);
}

DeviceTlb::~DeviceTlb() = default;

tlm::tlm_target_socket<>& DeviceTlb::upstream() { return implementation_->pipeline.upstream.socket; }
tlm::tlm_initiator_socket<>& DeviceTlb::downstream() { return implementation_->pipeline.downstream.socket; }

void DeviceTlb::enable_translation(bool on) { implementation_->pipeline.enable_translation(on); }
void DeviceTlb::enable_page_requests(bool on) { implementation_->pipeline.page_requests.enable(on); }
bool DeviceTlb::page_requests_enabled() const { return implementation_->pipeline.page_requests.enabled(); }
void DeviceTlb::set_dead(bool dead) { implementation_->pipeline.set_dead(dead); }
void DeviceTlb::inject_completion(std::uint32_t requester, std::uint32_t itags) {
    if (unit.size() != 0)
        unit->invalidation_completed(requester, itags, 0);
}

DeviceTlbStatistics DeviceTlb::statistics() const { return implementation_->pipeline.statistics(); }
void DeviceTlb::attach(Probe* probe) { implementation_->pipeline.attach(probe); }

} // namespace iommusim::soc
