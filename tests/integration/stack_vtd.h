// Further modes of VT-d for the tests of its own stack.
#pragma once

#include "tests/integration/stack_architecture.h"

namespace iommusim::test {

StackArchitecture vtd_scalable_second_stage_stack();
StackArchitecture vtd_nested_stack();
StackArchitecture vtd_register_stack();

} // namespace iommusim::test
