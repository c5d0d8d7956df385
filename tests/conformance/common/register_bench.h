// A register file of any architecture with a recorder in the place of the model.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace iommusim::test {

/// `Recorder` implements the register file's RegisterEvents and has `std::vector<std::string> diagnostics`.
template <class RegisterFile, class Features, class Recorder> class RegisterBenchOf : public testing::Test {
public:
    explicit RegisterBenchOf(const Features& features = {}) : registers(features, recorder) {}

    std::uint64_t read(std::uint64_t offset, unsigned bytes = 4) {
        std::uint64_t value = ~0ull;
        EXPECT_TRUE(registers.read(offset, bytes, value));
        return value;
    }
    void write(std::uint64_t offset, std::uint64_t value, unsigned bytes = 4) {
        EXPECT_TRUE(registers.write(offset, bytes, value));
    }
    std::size_t diagnostics() const { return recorder.diagnostics.size(); }

    Recorder recorder;
    RegisterFile registers;
};

} // namespace iommusim::test
