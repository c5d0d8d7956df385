// What the integration tests know of an architecture. Everything else they see of the unit and its driver is
// what the host platform sees. A new architecture is a file like stack_smmuv3.cpp and a line in
// stack_architectures().
#pragma once

#include "platforms/host/platform.h"

#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

namespace iommusim::test {

/// What a driver does wrong on purpose.
enum class DriverMistake {
    none,
    no_invalidation,               ///< of translations; a completion is still waited for
    no_wait,                       ///< invalidations are issued, nobody waits until they are done
    no_configuration_invalidation, ///< of what leads a device to its tables
};

struct StackArchitecture {
    host::Model model;
    std::string name;         ///< part of test names: "Smmuv3"
    const char* page_command; ///< InvalidationEffect::command when the driver unmaps one page
    std::vector<host::CompletionMethod> completions; ///< how its driver can learn that commands are done
    /// The driver of the platform's unit, with a mistake. The observer may be null.
    std::unique_ptr<dma::IommuDriver> (*make_driver)(host::Platform&, DriverMistake,
                                                     dma::InvalidationObserver*);
};

/// All of them.
const std::vector<StackArchitecture>& stack_architectures();
// One for each architecture, or for each mode of one that invalidates differently.
StackArchitecture smmuv3_stack();
StackArchitecture vtd_legacy_stack();
StackArchitecture vtd_scalable_stack();

std::ostream& operator<<(std::ostream& out, const StackArchitecture& architecture);

} // namespace iommusim::test
