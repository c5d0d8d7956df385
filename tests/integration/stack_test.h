// Tests of the whole stack run on every architecture.
#pragma once

#include "tests/integration/stack_bench.h"

#include <gtest/gtest.h>

namespace iommusim::test {

class StackTest : public testing::TestWithParam<StackArchitecture> {};

inline std::string architecture_name(const testing::TestParamInfo<StackArchitecture>& tested) {
    return tested.param.name;
}

} // namespace iommusim::test
