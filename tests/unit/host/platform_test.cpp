// What the platform builds around a unit.
#include "platforms/host/platform.h"

#include <algorithm>
#include <gtest/gtest.h>

namespace {

using namespace iommusim;
using namespace iommusim::host;

constexpr std::uint64_t window = 0xFEE0'0000;
constexpr std::uint64_t window_end = 0xFEF0'0000;
constexpr std::uint64_t ram_bytes = 8ull << 30;

Scenario scenario(Model model) {
    Scenario s;
    s.iommu.model = model;
    s.platform.memory.given["size"] = ram_bytes;
    return s;
}

TEST(Platform, AMessageInItsWindowRaisesTheLineThatItNames) {
    Platform platform("platform", scenario(Model::vtd));
    unsigned handled = 0;
    platform.machine.interrupts().connect(40, platform.machine.cpu(0), [&](machine::Cpu&) { ++handled; });
    platform.machine.cpu(0).run([](machine::Cpu& cpu) { cpu.mmio_write(window + 0x1000, 40); });
    sc_core::sc_start();
    EXPECT_EQ(handled, 1u);
    EXPECT_EQ(platform.interrupts.message_count(), 1u);
}

TEST(Platform, SoftwareGetsNoPagesWhereMessagesGo) {
    Platform platform("platform", scenario(Model::vtd));
    machine::PageAllocator& pages = platform.machine.pages();
    const std::size_t below = (window - Platform::first_free_page) / 4096;
    EXPECT_EQ(pages.allocate(below), Platform::first_free_page);
    EXPECT_EQ(pages.allocate(1), window_end);
}

TEST(Platform, RamBehindTheWindowKeepsItsAddresses) {
    Platform platform("platform", scenario(Model::vtd));
    platform.machine.cpu(0).run([](machine::Cpu& cpu) {
        for (const std::uint64_t address : {window - 8, window_end, ram_bytes - 8})
            cpu.store(address, address);
    });
    sc_core::sc_start();
    for (const std::uint64_t address : {window - 8, window_end, ram_bytes - 8}) {
        std::uint64_t value = 0;
        std::copy_n(platform.memory.bytes() + address, 8, reinterpret_cast<std::uint8_t*>(&value));
        EXPECT_EQ(value, address);
    }
}

TEST(Platform, RamIsWholeWhereInterruptsAreWired) {
    Platform platform("platform", scenario(Model::smmuv3));
    EXPECT_EQ(platform.iommu.message_window().size, 0u);
    EXPECT_NE(platform.machine.pages().allocate(ram_bytes / 2 / 4096), machine::PageAllocator::none);
}

} // namespace
