#include "tests/integration/stack_architecture.h"

#include <ostream>

namespace iommusim::test {

const std::vector<StackArchitecture>& stack_architectures() {
    static const std::vector<StackArchitecture> all{
        smmuv3_stack(),
        vtd_legacy_stack(),
        vtd_scalable_stack(),
    };
    return all;
}

std::ostream& operator<<(std::ostream& out, const StackArchitecture& architecture) {
    return out << architecture.name;
}

} // namespace iommusim::test
