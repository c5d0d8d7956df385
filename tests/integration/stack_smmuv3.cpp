// SMMUv3 and its driver under the integration tests.
#include "drivers/smmuv3/smmuv3.h"
#include "models/smmuv3/interrupt_lines.h"
#include "tests/integration/stack_architecture.h"

namespace iommusim::test {
namespace {

std::unique_ptr<dma::IommuDriver> make_driver(host::Platform& platform, DriverMistake mistake,
                                              dma::InvalidationObserver* observer) {
    smmuv3_driver::Configuration c;
    c.register_base = host::Platform::register_base;
    c.event_interrupt = host::Platform::iommu_line + smmuv3::line_event_queue;
    c.error_interrupt = host::Platform::iommu_line + smmuv3::line_gerror;
    c.faults.skip_tlbi = mistake == DriverMistake::no_invalidation;
    c.faults.skip_sync = mistake == DriverMistake::no_wait;
    c.faults.skip_cfgi = mistake == DriverMistake::no_configuration_invalidation;
    return std::make_unique<smmuv3_driver::Smmuv3Driver>(platform.machine, c, nullptr, nullptr, observer);
}

} // namespace

StackArchitecture smmuv3_stack() {
    StackArchitecture a{};
    a.model = host::Model::smmuv3;
    a.name = "Smmuv3";
    a.page_command = "CMD_TLBI_NH_VA";
    a.completions = {host::CompletionMethod::msi, host::CompletionMethod::cons,
                     host::CompletionMethod::event};
    a.make_driver = make_driver;
    return a;
}

} // namespace iommusim::test
