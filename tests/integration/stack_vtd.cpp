// VT-d and its driver under the integration tests: as most platforms run it, with PASID tables, and in the
// modes that only its own tests need.
#include "tests/integration/stack_vtd.h"

#include "drivers/vtd/vtd.h"

namespace iommusim::test {
namespace {

vtd_driver::Configuration configuration(const host::Platform& platform, DriverMistake mistake) {
    vtd_driver::Configuration c;
    c.register_base = host::Platform::register_base;
    c.memory_end = platform.memory.parameters().size;
    c.fault_message = {platform.iommu.message_window().base, host::Platform::iommu_line,
                       host::Platform::iommu_line};
    c.faults.skip_iotlb = mistake == DriverMistake::no_invalidation;
    c.faults.skip_wait = mistake == DriverMistake::no_wait;
    c.faults.skip_context = mistake == DriverMistake::no_configuration_invalidation;
    return c;
}

/// A stack whose driver is configured by `choose`, which has no state.
template <class Choose> StackArchitecture stack(const char* name, const char* page_command, Choose) {
    StackArchitecture a{};
    a.model = host::Model::vtd;
    a.name = name;
    a.page_command = page_command;
    a.completions = {host::CompletionMethod::automatic};
    a.make_driver = [](host::Platform& platform, DriverMistake mistake,
                       dma::InvalidationObserver* observer) -> std::unique_ptr<dma::IommuDriver> {
        vtd_driver::Configuration c = configuration(platform, mistake);
        Choose{}(c);
        return std::make_unique<vtd_driver::VtdDriver>(platform.machine, c, nullptr, nullptr, observer);
    };
    return a;
}

} // namespace

StackArchitecture vtd_legacy_stack() {
    return stack("VtdLegacySecondStage", "iotlb_inv",
                 [](vtd_driver::Configuration& c) { c.scalable = false; });
}

StackArchitecture vtd_scalable_stack() {
    return stack("VtdScalableFirstStage", "p_iotlb_inv", [](vtd_driver::Configuration&) {});
}

StackArchitecture vtd_scalable_second_stage_stack() {
    return stack("ScalableSecondStage", "iotlb_inv",
                 [](vtd_driver::Configuration& c) { c.stage = dma::Stage::second; });
}

StackArchitecture vtd_nested_stack() {
    return stack("Nested", "p_iotlb_inv", [](vtd_driver::Configuration& c) { c.stage = dma::Stage::nested; });
}

StackArchitecture vtd_register_stack() {
    return stack("RegisterInterface", "IOTLB", [](vtd_driver::Configuration& c) {
        c.scalable = false;
        c.interface = vtd_driver::InvalidationInterface::registers;
    });
}

} // namespace iommusim::test
