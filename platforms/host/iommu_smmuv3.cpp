// SMMUv3 on the host platform: the model, its driver, and how the scenario's words reach both.
#include "drivers/smmuv3/smmuv3.h"
#include "models/smmuv3/feature_set.h"
#include "models/smmuv3/smmuv3.h"
#include "platforms/host/iommu_model.h"

#include <algorithm>
#include <bit>

namespace iommusim::host {
namespace {

smmuv3_driver::Configuration driver_configuration(const UnitPlace& place, const Scenario& scenario) {
    smmuv3_driver::Configuration c;
    c.register_base = place.register_base;
    c.completion = static_cast<smmuv3_driver::CompletionMode>(scenario.driver.completion);
    c.force_no_range_invalidation = !scenario.driver.range_invalidation;
    c.event_interrupt = place.first_line + smmuv3::line_event_queue;
    c.error_interrupt = place.first_line + smmuv3::line_gerror;
    c.use_unit = scenario.driver.invalidation != InvalidationPolicy::none;
    std::uint64_t highest_id = 0;
    std::uint64_t highest_pasid = 0;
    for (const DeviceOptions& device : scenario.devices) {
        highest_id = std::max(highest_id, device.id);
        highest_pasid = std::max({highest_pasid, device.pasid, device.pasids});
    }
    c.stream_id_bits = std::max(8u, static_cast<unsigned>(std::bit_width(highest_id)));
    c.substream_bits = static_cast<unsigned>(std::bit_width(highest_pasid));
    return c;
}

class Smmuv3Model final : public IommuModel {
public:
    Smmuv3Model(sc_core::sc_module_name name, const Scenario& scenario)
        : unit_(name, scenario.iommu.parameters.as<smmuv3::Parameters>()) {}

    tlm::tlm_target_socket<>& registers() override { return unit_.registers; }
    std::uint64_t register_bytes() const override { return smmuv3::spec::register_space_bytes; }
    unsigned ports() const override { return static_cast<unsigned>(unit_.parameters().device_ports); }
    tlm::tlm_target_socket<>& device(unsigned port) override { return unit_.device(port); }
    tlm::tlm_initiator_socket<>& memory(unsigned port) override { return unit_.memory(port); }
    tlm::tlm_initiator_socket<>& walker() override { return unit_.walker(); }
    void connect_interrupts(soc::InterruptSink& sink, unsigned first_line) override {
        unit_.interrupts.bind(sink.from(first_line));
    }
    void attach(Probe* probe) override { unit_.attach(probe); }
    ReferenceTranslator& reference() override { return unit_.reference(); }
    Statistics statistics() const override { return unit_.statistics(); }
    std::uint32_t queue_positions() const override { return 2u << unit_.parameters().command_queue_log2; }

    std::unique_ptr<dma::IommuDriver> make_driver(machine::Machine& machine, const UnitPlace& place,
                                                  const Scenario& scenario,
                                                  const DriverObservers& observers) override {
        return std::make_unique<smmuv3_driver::Smmuv3Driver>(machine, driver_configuration(place, scenario),
                                                             observers.errors, nullptr,
                                                             observers.invalidations);
    }

private:
    smmuv3::Smmuv3 unit_;
};

} // namespace

IommuArchitecture smmuv3_architecture() {
    IommuArchitecture a{};
    a.name = "smmuv3";
    a.parameters = [] {
        return make_group<smmuv3::Parameters>("iommu", "smmuv3", smmuv3::Parameters::profiles());
    };
    a.features = [](const ParameterValues& values) {
        return smmuv3::describe(smmuv3::features_of(values.as<smmuv3::Parameters>()));
    };
    a.make = [](sc_core::sc_module_name name, const Scenario& scenario) -> std::unique_ptr<IommuModel> {
        return std::make_unique<Smmuv3Model>(name, scenario);
    };
    a.device_id_bits = "features.stream_id_bits";
    a.pasid_bits = "features.substream_id_bits";
    a.default_pasid_bits = 20;
    a.completions = {
        {"auto"}, {"msi", "features.message_interrupts"}, {"cons"}, {"event", "features.wake_events"}};
    a.stages = {{"auto"}, {"first"}};
    a.interfaces = {{"queued"}};
    a.ranges = {{"true"}, {"false"}};
    return a;
}

} // namespace iommusim::host
