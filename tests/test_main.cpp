// Entry point of every test program. SystemC allows one elaboration per context, so each test gets a fresh
// one: a program can then run all of its tests in one process, and ctest can run each of them alone.
#include <gtest/gtest.h>
#include <systemc>

namespace {
class FreshSimulation : public testing::EmptyTestEventListener {
    void OnTestStart(const testing::TestInfo&) override { sc_core::sc_curr_simcontext = nullptr; }
};
} // namespace

int sc_main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    testing::UnitTest::GetInstance()->listeners().Append(new FreshSimulation);
    return RUN_ALL_TESTS();
}
