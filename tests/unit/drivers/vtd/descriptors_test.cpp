// Descriptors as the driver builds them, against vectors computed from the layouts by hand.
#include "drivers/vtd/descriptors.h"

#include <gtest/gtest.h>

namespace iommusim::vtd_driver::test {
namespace {

constexpr std::uint16_t domain = 0x12;
constexpr std::uint16_t source = 0x00E8;
constexpr std::uint32_t pasid = 5;

constexpr PageBlock block(std::uint64_t address, unsigned mask) { return {address, mask}; }

TEST(VtdCoveringBlock, IsTheSmallestAlignedPowerOfTwo) {
    struct {
        std::uint64_t page;
        std::uint64_t pages;
        unsigned mask;
        std::uint64_t first;
    } const vectors[] = {{0x1000, 1, 0, 0x1000}, {0x1000, 3, 2, 0x1000},   {0x1001, 2, 2, 0x1000},
                         {0x1003, 2, 3, 0x1000}, {0x1000, 512, 9, 0x1000}, {0x10FF, 512, 10, 0x1000},
                         {0x1FFF, 2, 14, 0},     {0x7FFFF, 2, 20, 0},      {0x1001, 1, 0, 0x1001}};
    for (const auto& v : vectors) {
        SCOPED_TRACE(testing::Message() << std::hex << v.page << " + " << v.pages);
        const PageBlock b = covering_block(v.page << 12, v.pages);
        EXPECT_EQ(b.mask, v.mask);
        EXPECT_EQ(b.address, v.first << 12);
    }
}

TEST(VtdCoveringBlock, OfTheWholeAddressSpaceIsEverything) {
    const PageBlock b = covering_block(0, 1ull << 52);
    EXPECT_EQ(b.address, 0u);
    EXPECT_EQ(b.mask, 52u);
}

TEST(VtdDescriptors, ContextAndPasidCache) {
    EXPECT_EQ(make::context_global(), (Descriptor{0x11, 0}));
    EXPECT_EQ(make::context_device(domain, source), (Descriptor{0x0000'00E8'0012'0031, 0}));
    EXPECT_EQ(make::pasid_cache_global(), (Descriptor{0x37, 0}));
    EXPECT_EQ(make::pasid_cache(domain, pasid), (Descriptor{0x0000'0005'0012'0017, 0}));
    EXPECT_EQ(make::pasid_cache_domain(domain), (Descriptor{0x0012'0007, 0}));
    EXPECT_EQ(make::interrupt_entries_global(), (Descriptor{0x04, 0}));
}

TEST(VtdDescriptors, Iotlb) {
    EXPECT_EQ(make::iotlb_global(true, true), (Descriptor{0xD2, 0}));
    EXPECT_EQ(make::iotlb_domain(domain, true, true), (Descriptor{0x0012'00E2, 0}));
    EXPECT_EQ(make::iotlb_pages(domain, covering_block(0x1000'1000, 2), false, true, true),
              (Descriptor{0x0012'00F2, 0x1000'0002}));
    EXPECT_EQ(make::iotlb_pages(domain, block(0x1000'1000, 0), true, false, false),
              (Descriptor{0x0012'0032, 0x1000'1040}));
    EXPECT_EQ(make::pasid_iotlb_all(domain, pasid), (Descriptor{0x0000'0005'0012'0026, 0}));
    EXPECT_EQ(make::pasid_iotlb_pages(domain, pasid, block(0x1000'0000, 2), true),
              (Descriptor{0x0000'0005'0012'0036, 0x1000'0042}));
}

TEST(VtdDescriptors, DeviceTlbSizesAreInTheAddress) {
    const auto word1 = [](std::uint64_t address, unsigned mask) {
        const Descriptor d = make::device_tlb(source, block(address, mask), 32);
        EXPECT_EQ(d[0], 0x0000'00E8'0000'0003u);
        return d[1];
    };
    EXPECT_EQ(word1(0x1234'5000, 0), 0x1234'5000u);
    EXPECT_EQ(word1(0x1234'4000, 1), 0x1234'4001u);
    EXPECT_EQ(word1(0x1234'0000, 2), 0x1234'1001u);
    EXPECT_EQ(word1(0x1234'0000, 4), 0x1234'7001u);
    EXPECT_EQ(word1(0, 9), 0x000F'F001u);
    EXPECT_EQ(word1(0, 52), 0x7FFF'FFFF'FFFF'F001u);
}

TEST(VtdDescriptors, PasidDeviceTlb) {
    constexpr std::uint64_t word0 = 0x0000'0005'00E8'0008;
    EXPECT_EQ(make::pasid_device_tlb(source, pasid, block(0x1234'5000, 0), 32),
              (Descriptor{word0, 0x1234'5000}));
    EXPECT_EQ(make::pasid_device_tlb(source, pasid, block(0x1234'0000, 4), 32),
              (Descriptor{word0, 0x1234'7800}));
    EXPECT_EQ(make::pasid_device_tlb(source, pasid, everything, 32),
              (Descriptor{word0, 0x7FFF'FFFF'FFFF'F800}));
}

TEST(VtdDescriptors, DeviceTlbLimitsWhatMayBePending) {
    EXPECT_EQ(make::device_tlb(source, block(0, 0), 4)[0], 0x0000'00E8'0004'0003u);
}

TEST(VtdDescriptors, Wait) {
    EXPECT_EQ(make::wait(0x12'3458, 2), (Descriptor{0x0000'0002'0000'0025, 0x12'3458}));
    EXPECT_EQ(make::fence(), (Descriptor{0x45, 0}));
}

} // namespace
} // namespace iommusim::vtd_driver::test
