// Intel VT-d on the host platform: the model, its driver, and how the scenario's words reach both.
#include "drivers/vtd/vtd.h"
#include "models/soc/memory.h"
#include "models/vtd/feature_set.h"
#include "models/vtd/vtd.h"
#include "platforms/host/iommu_model.h"

#include <algorithm>
#include <bit>
#include <string>

namespace iommusim::host {
namespace {

/// Where x86 sends interrupts, to any processor.
constexpr AddressRange x86_messages{0xFEE0'0000, 0x10'0000};

/// Entries of the invalidation queue, as Linux has them.
constexpr unsigned queue_entries = 256;

vtd_driver::Configuration driver_configuration(const UnitPlace& place, const Scenario& scenario) {
    const auto unit = scenario.iommu.parameters.as<vtd::Parameters>();
    vtd_driver::Configuration c;
    c.register_base = place.register_base;
    c.host_address_bits = static_cast<unsigned>(unit.host_address_bits);
    c.interface = static_cast<vtd_driver::InvalidationInterface>(scenario.driver.invalidation_interface);
    c.stage = static_cast<dma::Stage>(scenario.driver.stage);
    c.queue_entries = queue_entries;
    c.use_unit = scenario.driver.invalidation != InvalidationPolicy::none;
    c.memory_end = scenario.platform.memory.as<soc::MemoryParameters>().size;
    c.fault_message = {x86_messages.base, place.first_line, place.first_line};
    std::uint64_t highest_pasid = 0;
    for (const DeviceOptions& device : scenario.devices)
        highest_pasid = std::max({highest_pasid, device.pasid, device.pasids});
    c.max_pasid_bits = std::max(1u, static_cast<unsigned>(std::bit_width(highest_pasid)));
    return c;
}

class VtdModel final : public IommuModel {
public:
    VtdModel(sc_core::sc_module_name name, const Scenario& scenario)
        : unit_(name, scenario.iommu.parameters.as<vtd::Parameters>()) {}

    tlm::tlm_target_socket<>& registers() override { return unit_.registers; }
    std::uint64_t register_bytes() const override { return unit_.features().register_space_bytes(); }
    unsigned ports() const override { return static_cast<unsigned>(unit_.parameters().device_ports); }
    tlm::tlm_target_socket<>& device(unsigned port) override { return unit_.device(port); }
    tlm::tlm_initiator_socket<>& memory(unsigned port) override { return unit_.memory(port); }
    tlm::tlm_initiator_socket<>& walker() override { return unit_.walker(); }
    AddressRange message_window() const override { return x86_messages; }
    void attach(Probe* probe) override { unit_.attach(probe); }
    ReferenceTranslator& reference() override { return unit_.reference(); }
    Statistics statistics() const override { return unit_.statistics(); }
    std::uint32_t queue_positions() const override { return queue_entries; }

    std::unique_ptr<dma::IommuDriver> make_driver(machine::Machine& machine, const UnitPlace& place,
                                                  const Scenario& scenario,
                                                  const DriverObservers& observers) override {
        return std::make_unique<vtd_driver::VtdDriver>(machine, driver_configuration(place, scenario),
                                                       observers.errors, nullptr, observers.invalidations);
    }

private:
    vtd::Vtd unit_;
};

/// PASIDs and first-stage tables are of scalable mode, and scalable mode is of queued invalidation.
std::vector<IommuArchitecture::Violation> violations(const Scenario& scenario) {
    std::vector<IommuArchitecture::Violation> found;
    if (scenario.driver.invalidation == InvalidationPolicy::none)
        return found;
    const vtd::Features features = vtd::features_of(scenario.iommu.parameters.as<vtd::Parameters>());
    const bool registers = scenario.driver.invalidation_interface == InvalidationInterface::registers;
    if (registers && !features.register_invalidation())
        found.push_back({"driver.invalidation_interface", 0,
                         "found \"registers\", which iommu.features.major_version = " +
                             std::to_string(features.version_major) + " does not offer; legal: queued"});
    const TranslationStage stage = scenario.driver.stage;
    if (registers && (stage == TranslationStage::first || stage == TranslationStage::nested))
        found.push_back({"driver.stage", 0,
                         std::string("found \"") + (stage == TranslationStage::first ? "first" : "nested") +
                             "\", which driver.invalidation_interface = registers does not reach; legal: "
                             "auto, second"});
    if (!registers && features.scalable_mode)
        return found;
    const std::string reason = registers ? "driver.invalidation_interface = registers does not reach"
                                         : "iommu.features.scalable_mode = false does not offer";
    for (std::size_t i = 0; i < scenario.devices.size(); ++i) {
        const DeviceOptions& device = scenario.devices[i];
        if (device.pasid_of(0) != 0)
            found.push_back({device.pasids != 0 ? "device.pasids" : "device.pasid", i,
                             "found " + std::to_string(std::max(device.pasid, device.pasids)) + ", which " +
                                 reason + "; legal: 0"});
    }
    return found;
}

} // namespace

IommuArchitecture vtd_architecture() {
    IommuArchitecture a{};
    a.name = "vtd";
    a.parameters = [] { return make_group<vtd::Parameters>("iommu", "vtd", vtd::Parameters::profiles()); };
    a.features = [](const ParameterValues& values) {
        return vtd::describe(vtd::features_of(values.as<vtd::Parameters>()));
    };
    a.make = [](sc_core::sc_module_name name, const Scenario& scenario) -> std::unique_ptr<IommuModel> {
        return std::make_unique<VtdModel>(name, scenario);
    };
    a.device_id_bits = nullptr; // a PCI requester id
    a.pasid_bits = "features.pasid_bits";
    a.default_pasid_bits = 20;
    a.completions = {{"auto"}};
    a.stages = {
        {"auto"}, {"first", "features.scalable_mode"}, {"second"}, {"nested", "features.scalable_mode"}};
    a.interfaces = {{"queued"}, {"registers"}};
    a.ranges = {{"true"}};
    a.violations = violations;
    return a;
}

} // namespace iommusim::host
