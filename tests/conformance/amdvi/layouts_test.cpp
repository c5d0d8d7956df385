// The layout headers against independent statements of the same positions: masks of whole structures,
// commands as software sends them, and register offsets, all as literals.
#include "models/amdvi/spec/commands.h"
#include "models/amdvi/spec/device_table.h"
#include "models/amdvi/spec/events.h"
#include "models/amdvi/spec/ga_log.h"
#include "models/amdvi/spec/interrupts.h"
#include "models/amdvi/spec/paging.h"
#include "models/amdvi/spec/ppr.h"
#include "models/amdvi/spec/registers.h"
#include "tests/conformance/common/expect_layout.h"

#include <array>
#include <set>
#include <string>

namespace iommusim::amdvi::spec {
namespace {

using test::expect_layout;

constexpr std::uint64_t pages = 0x000F'FFFF'FFFF'F000;
constexpr std::uint64_t all_pages = 0xFFFF'FFFF'FFFF'F000;

// --- Device table
// -----------------------------------------------------------------------------------------------

TEST(DeviceTableEntryLayout, HasEveryFieldInItsPlace) {
    EXPECT_EQ(dte::bytes, 32u);
    EXPECT_EQ(dte::words, 4u);
    expect_layout({{dte::v, 0, 0x1},
                   {dte::tv, 0, 0x2},
                   {dte::had, 0, 0x180},
                   {dte::mode, 0, 0xE00},
                   {dte::host_pt_root, 0, pages},
                   {dte::ppr, 0, 1ull << 52},
                   {dte::gprp, 0, 1ull << 53},
                   {dte::giov, 0, 1ull << 54},
                   {dte::gv, 0, 1ull << 55},
                   {dte::glx, 0, 3ull << 56},
                   {dte::gcr3_trp_14_12, 0, 7ull << 58},
                   {dte::ir, 0, 1ull << 61},
                   {dte::iw, 0, 1ull << 62},
                   {dte::domain_id, 1, 0xFFFF},
                   {dte::gcr3_trp_30_15, 1, 0xFFFF'0000},
                   {dte::i, 1, 1ull << 32},
                   {dte::se, 1, 1ull << 33},
                   {dte::sa, 1, 1ull << 34},
                   {dte::io_ctl, 1, 3ull << 35},
                   {dte::cache, 1, 1ull << 37},
                   {dte::sd, 1, 1ull << 38},
                   {dte::ex, 1, 1ull << 39},
                   {dte::sys_mgt, 1, 3ull << 40},
                   {dte::sats, 1, 1ull << 42},
                   {dte::gcr3_trp_51_31, 1, 0xFFFF'F800'0000'0000},
                   {dte::iv, 2, 0x1},
                   {dte::int_tab_len, 2, 0x1E},
                   {dte::ig, 2, 0x20},
                   {dte::int_tab_root, 2, 0x000F'FFFF'FFFF'FFC0},
                   {dte::guest_paging_mode, 2, 3ull << 54},
                   {dte::init_pass, 2, 1ull << 56},
                   {dte::eint_pass, 2, 1ull << 57},
                   {dte::nmi_pass, 2, 1ull << 58},
                   {dte::hpt_mode, 2, 1ull << 59},
                   {dte::int_ctl, 2, 3ull << 60},
                   {dte::lint0_pass, 2, 1ull << 62},
                   {dte::lint1_pass, 2, 1ull << 63},
                   {dte::vimu_en, 3, 1ull << 15},
                   {dte::guest_device_id, 3, 0xFFFF'0000},
                   {dte::guest_id, 3, 0xFFFF'0000'0000},
                   {dte::attr_v, 3, 1ull << 54},
                   {dte::mode0_fc, 3, 1ull << 55},
                   {dte::snoop_attribute, 3, 0xFFull << 56}},
                  {dte::reserved0, dte::reserved1, dte::reserved2, dte::reserved3});
}

TEST(DeviceTableEntryLayout, TakesTheRootOfTheGcr3TableApart) {
    std::array<std::uint64_t, dte::words> entry{};
    dte::set_gcr3_root(entry.data(), 0x000F'FFFF'FFFF'F000);
    EXPECT_EQ(entry[0], 7ull << 58);
    EXPECT_EQ(entry[1], 0xFFFF'F800'FFFF'0000u);
    EXPECT_EQ(dte::gcr3_root(entry.data()), 0x000F'FFFF'FFFF'F000u);
    dte::set_gcr3_root(entry.data(), 0x0001'2345'6789'A000);
    EXPECT_EQ(entry[0], 2ull << 58);
    EXPECT_EQ(entry[1], 0x1234'5000'CF13'0000u);
    EXPECT_EQ(dte::gcr3_root(entry.data()), 0x0001'2345'6789'A000u);
}

TEST(DeviceTableIndex, FollowsTheDeviceIdAndItsSegments) {
    EXPECT_EQ(dte::offset(0x1234), 0x1234u * 32);
    EXPECT_EQ(dte::offset(0xFFFF), 0x1F'FFE0u);
    EXPECT_EQ(dte::offset(0xE234, 3), 0x0234u * 32);
    EXPECT_EQ(dev_table_base::segment(0xFFFF, 0), 0u);
    EXPECT_EQ(dev_table_base::segment(0xE234, 3), 7u);
    EXPECT_EQ(dev_table_base::segment(0x8000, 1), 1u);
    EXPECT_EQ(dev_table_base::table_bytes(0x1FF), 0x20'0000u);
    EXPECT_EQ(dev_table_base::max_size(0), 0x1FFu);
    EXPECT_EQ(dev_table_base::max_size(3), 0x3Fu);
    EXPECT_EQ(device_id::bus.get(0xC0A5), 0xC0u);
    EXPECT_EQ(device_id::device.get(0xC0A5), 20u);
    EXPECT_EQ(device_id::function.get(0xC0A5), 5u);
}

// --- Page tables
// -----------------------------------------------------------------------------------------------

TEST(HostEntryLayout, HasEveryFieldInItsPlace) {
    constexpr std::uint64_t ignored = 1ull << 63 | 0x180 | 0x1E;
    expect_layout({{host::pr, 0, 1},
                   {host::a, 0, 0x20},
                   {host::d, 0, 0x40},
                   {host::next_level, 0, 0xE00},
                   {host::address, 0, pages},
                   {host::pmc, 0, 3ull << 57},
                   {host::u, 0, 1ull << 59},
                   {host::fc, 0, 1ull << 60},
                   {host::ir, 0, 1ull << 61},
                   {host::iw, 0, 1ull << 62}},
                  {host::reserved_leaf | ignored});
    EXPECT_EQ(host::reserved_table, host::reserved_leaf | host::pmc.mask());
}

TEST(PageTables, CoverTwelveAndNineBitsPerLevel) {
    EXPECT_EQ(paging::input_bits(1), 21u);
    EXPECT_EQ(paging::input_bits(3), 39u);
    EXPECT_EQ(paging::input_bits(5), 57u);
    EXPECT_EQ(paging::input_bits(6), 64u);
    EXPECT_EQ(paging::index(0xFFFF'FFFF'FFFF'FFFF, 6), 127u);
    EXPECT_EQ(paging::index(0x0000'0080'4060'5FFF, 1), 5u);
    EXPECT_EQ(paging::index(0x0000'0080'4060'5FFF, 2), 3u);
    EXPECT_EQ(paging::index(0x0000'0080'4060'5FFF, 3), 1u);
    EXPECT_EQ(paging::index(0x0000'0080'4060'5FFF, 4), 1u);
}

struct SizedPage {
    std::uint64_t low_bits; ///< of the address, from bit 12 on
    unsigned log2_bytes;
    unsigned level;
    unsigned copies;
};

class SizedPages : public testing::TestWithParam<SizedPage> {};

TEST_P(SizedPages, CarryTheirSizeInTheAddress) {
    const auto [low, log2_bytes, level, copies] = GetParam();
    const std::uint64_t page = 0x000A'BC00'0000'0000;
    const std::uint64_t leaf = host::encode_leaf(page, log2_bytes);
    EXPECT_EQ(host::next_level.get(leaf), 7u);
    EXPECT_EQ(host::address.in_place(leaf), page | low);
    EXPECT_TRUE(host::is_leaf(leaf));
    EXPECT_EQ(host::leaf_log2_bytes(leaf, level), log2_bytes);
    EXPECT_EQ(host::leaf_base(leaf, log2_bytes), page);
    EXPECT_EQ(host::leaf_level(log2_bytes), level);
    EXPECT_EQ(host::leaf_copies(log2_bytes), copies);
    EXPECT_TRUE(host::leaf_size_fits(log2_bytes, level));
    EXPECT_FALSE(host::leaf_size_fits(log2_bytes, level + 1));
    EXPECT_FALSE(host::leaf_size_fits(log2_bytes, level - 1));
}

INSTANTIATE_TEST_SUITE_P(OfTheSpecification, SizedPages,
                         testing::Values(SizedPage{0x0, 13, 1, 2}, SizedPage{0x1000, 14, 1, 4},
                                         SizedPage{0x7000, 16, 1, 16}, SizedPage{0x7F000, 20, 1, 256},
                                         SizedPage{0x1F'F000, 22, 2, 2}, SizedPage{0xFFF'F000, 29, 2, 256},
                                         SizedPage{0x3FFF'F000, 31, 3, 2}, SizedPage{0x7FFF'F000, 32, 3, 4}));

TEST(HostLeaves, OfTheSizeOfTheirLevelNeedNoCode) {
    for (const auto& [log2_bytes, level] : {std::pair{12u, 1u}, {21u, 2u}, {30u, 3u}, {39u, 4u}, {48u, 5u}}) {
        const std::uint64_t leaf = host::encode_leaf(1ull << 48, log2_bytes);
        EXPECT_EQ(leaf, 1ull << 48);
        EXPECT_EQ(host::leaf_log2_bytes(leaf, level), log2_bytes);
        EXPECT_EQ(host::leaf_copies(log2_bytes), 1u);
    }
    const std::uint64_t no_zero = pages | host::next_level.make(7);
    EXPECT_EQ(host::leaf_log2_bytes(no_zero, 1), 64u);
    EXPECT_FALSE(host::leaf_size_fits(64, 5));
    EXPECT_FALSE(host::leaf_size_fits(57, 6)) << "level 6 holds no leaves";
    EXPECT_FALSE(host::is_leaf(host::next_level.make(1)));
}

TEST(GuestEntryLayout, IsThatOfTheProcessor) {
    constexpr std::uint64_t software = 0x7FF0'0000'0000'0E00;
    expect_layout({{guest::p, 0, 1},
                   {guest::rw, 0, 2},
                   {guest::us, 0, 4},
                   {guest::pwt, 0, 8},
                   {guest::pcd, 0, 0x10},
                   {guest::a, 0, 0x20},
                   {guest::d, 0, 0x40},
                   {guest::ps, 0, 0x80},
                   {guest::g, 0, 0x100},
                   {guest::address, 0, pages},
                   {guest::nx, 0, 1ull << 63}},
                  {software});
    EXPECT_EQ(guest::page_frame(2).mask(), 0x000F'FFFF'FFE0'0000u);
}

TEST(Gcr3Table, IsIndexedByNineBitsOfThePasidPerLevel) {
    EXPECT_EQ(gcr3::v.mask(), 1u);
    EXPECT_EQ(gcr3::address.mask(), pages);
    EXPECT_EQ(gcr3::index(0xFFFFF, 0), 511u);
    EXPECT_EQ(gcr3::index(0xFFFFF, 2), 3u);
    EXPECT_EQ(gcr3::index(0x00400, 1), 2u);
    EXPECT_EQ(gcr3::pasid_bits(0), 9u);
    EXPECT_EQ(gcr3::pasid_bits(1), 18u);
    EXPECT_EQ(gcr3::pasid_bits(2), 20u);
}

// --- Commands
// -----------------------------------------------------------------------------------------------

TEST(CommandLayout, HasEveryFieldInItsPlace) {
    const test::ExpectedField op{command::op, 0, 0xFull << 60};
    expect_layout({op,
                   {completion_wait::s, 0, 1},
                   {completion_wait::i, 0, 2},
                   {completion_wait::f, 0, 4},
                   {completion_wait::store_address, 0, 0x000F'FFFF'FFFF'FFF8},
                   {completion_wait::data, 1, ~0ull}},
                  {completion_wait::reserved0, completion_wait::reserved1});
    expect_layout({op, {invalidate_device::device_id, 0, 0xFFFF}},
                  {invalidate_device::reserved0, invalidate_device::reserved1});
    expect_layout({op,
                   {invalidate_pages::pasid, 0, 0xF'FFFF},
                   {invalidate_pages::domain_id, 0, 0xFFFF'0000'0000},
                   {invalidate_pages::s, 1, 1},
                   {invalidate_pages::pde, 1, 2},
                   {invalidate_pages::gn, 1, 4},
                   {invalidate_pages::address, 1, all_pages}},
                  {invalidate_pages::reserved0, invalidate_pages::reserved1});
    expect_layout({op,
                   {invalidate_iotlb::device_id, 0, 0xFFFF},
                   {invalidate_iotlb::pasid_15_8, 0, 0xFF'0000},
                   {invalidate_iotlb::max_pend, 0, 0xFF00'0000},
                   {invalidate_iotlb::queue_id, 0, 0xFFFF'0000'0000},
                   {invalidate_iotlb::pasid_7_0, 0, 0xFFull << 48},
                   {invalidate_iotlb::pasid_19_16, 0, 0xFull << 56},
                   {invalidate_iotlb::s, 1, 1},
                   {invalidate_iotlb::gn, 1, 4},
                   {invalidate_iotlb::type, 1, 0x30},
                   {invalidate_iotlb::address, 1, all_pages}},
                  {invalidate_iotlb::reserved0, invalidate_iotlb::reserved1});
    expect_layout({op,
                   {prefetch_pages::device_id, 0, 0xFFFF},
                   {prefetch_pages::pf_count, 0, 0xFF00'0000},
                   {prefetch_pages::pasid, 0, 0xF'FFFF'0000'0000},
                   {prefetch_pages::s, 1, 1},
                   {prefetch_pages::gn, 1, 4},
                   {prefetch_pages::inval, 1, 0x10},
                   {prefetch_pages::address, 1, all_pages}},
                  {prefetch_pages::reserved0, prefetch_pages::reserved1});
    constexpr std::uint64_t unused = 0xE00'0000'0000;
    expect_layout({op,
                   {complete_ppr::device_id, 0, 0xFFFF},
                   {complete_ppr::pasid, 0, 0xF'FFFF'0000'0000},
                   {complete_ppr::gn, 1, 4},
                   {complete_ppr::tag, 1, 0x1FF'0000'0000},
                   {complete_ppr::response, 1, 0xF000'0000'0000}},
                  {complete_ppr::reserved0, complete_ppr::reserved1 | unused});
    expect_layout({op}, {invalidate_all::reserved0, invalidate_all::reserved1});
}

TEST(CommandLayout, SplitsThePasidOfARemoteInvalidation) {
    std::array<std::uint64_t, command::words> words{};
    invalidate_iotlb::set_pasid(words.data(), 0xA'BCDE);
    EXPECT_EQ(words[0], 0x0ADE'0000'00BC'0000u);
    EXPECT_EQ(invalidate_iotlb::pasid(words.data()), 0xA'BCDEu);
}

struct FlushedRange {
    std::uint64_t word; ///< second word of the command, as software sends it
    std::uint64_t first;
    std::uint64_t bytes;
};

class FlushedRanges : public testing::TestWithParam<FlushedRange> {};

TEST_P(FlushedRanges, AreTheBlockThatTheAddressEncodes) {
    const auto [word, first, bytes] = GetParam();
    const std::uint64_t address = invalidate_pages::address.in_place(word);
    const unsigned log2_bytes = address_range::log2_bytes(address, word & 1);
    EXPECT_EQ(1ull << log2_bytes, bytes);
    EXPECT_EQ(address_range::base(address, log2_bytes), first);
    if ((word & 1) != 0) {
        const std::uint64_t encoded = address_range::encode(first, log2_bytes);
        EXPECT_EQ(address_range::log2_bytes(encoded, 1), log2_bytes);
        EXPECT_EQ(address_range::base(encoded, log2_bytes), first);
    }
}

INSTANTIATE_TEST_SUITE_P(
    OfTheSpecification, FlushedRanges,
    testing::Values(FlushedRange{0x0001'0000, 0x1'0000, 0x1000}, FlushedRange{0x0001'0001, 0x1'0000, 0x2000},
                    FlushedRange{0x0001'1001, 0x1'0000, 0x4000}, FlushedRange{0x0001'F001, 0, 0x4'0000},
                    FlushedRange{0x0012'3001, 0x12'0000, 0x8000}, FlushedRange{0x3FFF'F001, 0, 0x8000'0000}));

TEST(FlushedRange, IsEverythingWithoutALowZero) {
    EXPECT_EQ(address_range::log2_bytes(0x7FFF'FFFF'FFFF'F000, 1), 64u);
    EXPECT_EQ(address_range::all_addresses, 0x7FFF'FFFF'FFFF'F000u);
    EXPECT_EQ(address_range::log2_bytes(all_pages, 1), 64u);
    EXPECT_EQ(address_range::log2_bytes(0x0007'FFFF'FFFF'F000, 1), 64u) << "lowest 0 at bit 51";
    EXPECT_EQ(address_range::log2_bytes(0x0003'FFFF'FFFF'F000, 1), 51u);
    EXPECT_EQ(address_range::base(0x7FFF'FFFF'FFFF'F000, 64), 0u);
}

TEST(Names, AreThoseOfTheSpecification) {
    EXPECT_STREQ(command_name(1), "COMPLETION_WAIT");
    EXPECT_STREQ(command_name(8), "INVALIDATE_IOMMU_ALL");
    EXPECT_STREQ(command_name(10), "RESET_VMMIO");
    EXPECT_STREQ(event_name(2), "IO_PAGE_FAULT");
    EXPECT_STREQ(event_name(10), "EVENT_COUNTER_ZERO");
    EXPECT_STREQ(event_name(14), "RMP_HARDWARE_ERROR");
    for (unsigned code : {0u, 11u, 15u})
        EXPECT_STREQ(command_name(code), "reserved");
    for (unsigned code : {0u, 15u, ~0u})
        EXPECT_STREQ(event_name(code), "reserved");
}

// --- Logs
// -----------------------------------------------------------------------------------------------

TEST(EventLayout, HasEveryFieldInItsPlace) {
    // Bits 26:20 and 28 of the first word, and 59 with the two-bit type, have no use.
    constexpr std::uint64_t unused = 0x17F0'0000 | 1ull << 59;
    expect_layout({{event::device_id, 0, 0xFFFF},
                   {event::pasid_19_16, 0, 0xF'0000},
                   {event::vnr, 0, 1ull << 27},
                   {event::v_event, 0, 1ull << 29},
                   {event::v_ptr, 0, 1ull << 30},
                   {event::v_cmd, 0, 1ull << 31},
                   {event::domain_id, 0, 0xFFFF'0000'0000},
                   {event::gn, 0, 0x001ull << 48},
                   {event::nx, 0, 0x002ull << 48},
                   {event::us, 0, 0x004ull << 48},
                   {event::i, 0, 0x008ull << 48},
                   {event::pr, 0, 0x010ull << 48},
                   {event::rw, 0, 0x020ull << 48},
                   {event::pe, 0, 0x040ull << 48},
                   {event::rz, 0, 0x080ull << 48},
                   {event::tr, 0, 0x100ull << 48},
                   {event::type, 0, 0x600ull << 48},
                   {event::code, 0, 0xFull << 60},
                   {event::address, 1, ~0ull}},
                  {unused, 0});
    EXPECT_EQ(invalid_request::type.mask(), 0xE00ull << 48);
    EXPECT_EQ(invalid_ppr::pasid_15_0.mask(), 0xFFFF'0000u);
    EXPECT_EQ(invalid_ppr::tag.mask(), 0x3FFull << 32);
    EXPECT_EQ(invalid_ppr::pasid_19_16.mask(), 0x3C00ull << 32);
    EXPECT_EQ(rmp_event::rmp_flags.mask(), 0xFF'0000u);
    std::array<std::uint64_t, event::words> words{};
    event::set_pasid(words.data(), 0x9'1234);
    EXPECT_EQ(words[0], 0x1234'0009'0000u);
    EXPECT_EQ(event::pasid(words.data()), 0x9'1234u);
}

TEST(PprLogLayout, HasEveryFieldInItsPlace) {
    constexpr std::uint64_t unused = 3ull << 46 | 1ull << 48 | 3ull << 51 | 7ull << 57;
    expect_layout({{ppr::device_id, 0, 0xFFFF},
                   {ppr::pasid_15_0, 0, 0xFFFF'0000},
                   {ppr::tag, 0, 0x3FFull << 32},
                   {ppr::pasid_19_16, 0, 0xFull << 42},
                   {ppr::execute, 0, 0x002ull << 48},
                   {ppr::read, 0, 0x004ull << 48},
                   {ppr::write, 0, 0x020ull << 48},
                   {ppr::user, 0, 0x040ull << 48},
                   {ppr::reserved_bit, 0, 0x080ull << 48},
                   {ppr::gn, 0, 0x100ull << 48},
                   {ppr::code, 0, 0xFull << 60},
                   {ppr::address, 1, ~0ull}},
                  {unused, 0});
    std::array<std::uint64_t, ppr::words> words{};
    ppr::set_pasid(words.data(), 0x9'1234);
    EXPECT_EQ(words[0], 0x2400'1234'0000u);
    EXPECT_EQ(ppr::pasid(words.data()), 0x9'1234u);
}

TEST(GaLogLayout, HasEveryFieldInItsPlace) {
    expect_layout({{ga_log::ga_tag, 0, 0xFFFF'FFFF},
                   {ga_log::device_id, 0, 0xFFFF'0000'0000},
                   {ga_log::code, 0, 0xFull << 60}},
                  {0xFFFull << 48});
}

// --- Interrupts
// -----------------------------------------------------------------------------------------------

TEST(InterruptEntryLayout, HasEveryFieldInItsPlace) {
    constexpr std::uint64_t upper = 0xFFFF'FFFF'0000'0000; // not part of a 32-bit entry
    expect_layout({{irte32::remap_en, 0, 1},
                   {irte32::sup_iopf, 0, 2},
                   {irte32::int_type, 0, 0x1C},
                   {irte32::rq_eoi, 0, 0x20},
                   {irte32::dm, 0, 0x40},
                   {irte32::guest_mode, 0, 0x80},
                   {irte32::destination, 0, 0xFF00},
                   {irte32::vector, 0, 0xFF'0000}},
                  {upper | irte32::reserved});
    expect_layout({{irte128::remap_en, 0, 1},
                   {irte128::sup_iopf, 0, 2},
                   {irte128::int_type, 0, 0x1C},
                   {irte128::rq_eoi, 0, 0x20},
                   {irte128::dm, 0, 0x40},
                   {irte128::guest_mode, 0, 0x80},
                   {irte128::destination_23_0, 0, 0xFFFF'FF00},
                   {irte128::vector, 1, 0xFF},
                   {irte128::destination_31_24, 1, 0xFFull << 56}},
                  {irte128::remapped_reserved0, irte128::remapped_reserved1});
    expect_layout({{irte128::remap_en, 0, 1},
                   {irte128::sup_iopf, 0, 2},
                   {irte128::ga_log_intr, 0, 4},
                   {irte128::gappi_dis, 0, 0x20},
                   {irte128::is_run, 0, 0x40},
                   {irte128::guest_mode, 0, 0x80},
                   {irte128::destination_23_0, 0, 0xFFFF'FF00},
                   {irte128::ga_tag, 0, 0xFFFF'FFFF'0000'0000},
                   {irte128::vector, 1, 0xFF},
                   {irte128::ga_root_pointer, 1, pages},
                   {irte128::destination_31_24, 1, 0xFFull << 56}},
                  {irte128::guest_reserved0, irte128::guest_reserved1});
    std::array<std::uint64_t, irte128::words> entry{};
    irte128::set_destination(entry.data(), 0x8765'4321);
    EXPECT_EQ(entry[0], 0x6543'2100u);
    EXPECT_EQ(entry[1], 0x87ull << 56);
    EXPECT_EQ(irte128::destination(entry.data()), 0x8765'4321u);
}

TEST(SpecialRanges, LieInOneAnother) {
    EXPECT_TRUE(special_range::interrupt.contains(0xFEE0'0000));
    EXPECT_TRUE(special_range::interrupt.contains(0xFEEF'FFFF));
    EXPECT_FALSE(special_range::interrupt.contains(0xFEDF'FFFF));
    EXPECT_FALSE(special_range::interrupt.contains(0xFEF0'0000));
    const AddressRange parts[] = {special_range::ht_interrupt,
                                  special_range::ht_interrupt_acknowledge,
                                  special_range::ht_system_management,
                                  special_range::ht_address_translation,
                                  special_range::ht_port_io,
                                  special_range::ht_configuration,
                                  special_range::ht_extended_configuration};
    std::uint64_t end = special_range::hypertransport.first;
    for (const AddressRange& part : parts) {
        EXPECT_TRUE(special_range::hypertransport.contains(part.first));
        EXPECT_TRUE(special_range::hypertransport.contains(part.last));
        EXPECT_GE(part.first, end) << "in order and apart";
        end = part.last + 1;
    }
    EXPECT_EQ(special_range::ht_port_io.last - special_range::ht_port_io.first + 1, 32u << 20);
}

// --- Feature registers
// -----------------------------------------------------------------------------------------------

TEST(FeatureRegisterLayout, HasEveryFieldInItsPlace) {
    expect_layout({{efr::pref_sup, 0, 1ull << 0},
                   {efr::ppr_sup, 0, 1ull << 1},
                   {efr::xt_sup, 0, 1ull << 2},
                   {efr::nx_sup, 0, 1ull << 3},
                   {efr::gt_sup, 0, 1ull << 4},
                   {efr::gappi_sup, 0, 1ull << 5},
                   {efr::ia_sup, 0, 1ull << 6},
                   {efr::ga_sup, 0, 1ull << 7},
                   {efr::he_sup, 0, 1ull << 8},
                   {efr::pc_sup, 0, 1ull << 9},
                   {efr::hats, 0, 3ull << 10},
                   {efr::gats, 0, 3ull << 12},
                   {efr::glx_sup, 0, 3ull << 14},
                   {efr::smif_sup, 0, 3ull << 16},
                   {efr::smif_rc, 0, 7ull << 18},
                   {efr::gam_sup, 0, 7ull << 21},
                   {efr::dual_ppr_log_sup, 0, 3ull << 24},
                   {efr::dual_event_log_sup, 0, 3ull << 28},
                   {efr::sats_sup, 0, 1ull << 31},
                   {efr::pas_max, 0, 0x1Full << 32},
                   {efr::us_sup, 0, 1ull << 37},
                   {efr::dev_tbl_seg_sup, 0, 3ull << 38},
                   {efr::ppr_ovrflw_early_sup, 0, 1ull << 40},
                   {efr::ppr_auto_rsp_sup, 0, 1ull << 41},
                   {efr::marc_sup, 0, 3ull << 42},
                   {efr::blk_stop_mrk_sup, 0, 1ull << 44},
                   {efr::perf_opt_sup, 0, 1ull << 45},
                   {efr::msi_cap_mmio_sup, 0, 1ull << 46},
                   {efr::snoop_attr_sup, 0, 1ull << 47},
                   {efr::gio_sup, 0, 1ull << 48},
                   {efr::ha_sup, 0, 1ull << 49},
                   {efr::eph_sup, 0, 1ull << 50},
                   {efr::attr_fw_sup, 0, 1ull << 51},
                   {efr::hd_sup, 0, 1ull << 52},
                   {efr::v2_hd_dis_sup, 0, 1ull << 53},
                   {efr::inv_iotlb_type_sup, 0, 1ull << 54},
                   {efr::viommu_sup, 0, 1ull << 55},
                   {efr::vm_guard_io_sup, 0, 1ull << 56},
                   {efr::vm_table_size, 0, 0xFull << 57},
                   {efr::ga_update_dis_sup, 0, 1ull << 61},
                   {efr::force_phy_dest_sup, 0, 1ull << 62},
                   {efr::snp_sup, 0, 1ull << 63}},
                  {3ull << 26 | 1ull << 30});
}

TEST(FeatureRegisterLayout, DecodesWhatRealPartsReport) {
    constexpr std::uint64_t two_socket_server = 0x841F'77E0'2209'4ACE; // no guest tables in its firmware
    EXPECT_EQ(efr::xt_sup.get(two_socket_server), 1u);
    EXPECT_EQ(efr::gt_sup.get(two_socket_server), 0u);
    EXPECT_EQ(efr::table_levels(efr::hats.get(two_socket_server)), 6u);
    EXPECT_EQ(efr::pas_max.get(two_socket_server), 0u);
    EXPECT_EQ(efr::dev_tbl_seg_sup.get(two_socket_server), 3u);
    EXPECT_EQ(efr::ha_sup.get(two_socket_server), 1u);
    EXPECT_EQ(efr::hd_sup.get(two_socket_server), 1u);
    EXPECT_EQ(efr::snp_sup.get(two_socket_server), 1u);

    constexpr std::uint64_t later_server = 0xA5BF'732F'A229'5AFE;
    EXPECT_EQ(efr::gt_sup.get(later_server), 1u);
    EXPECT_EQ(efr::table_levels(efr::gats.get(later_server)), 5u);
    EXPECT_EQ(efr::pas_max.get(later_server), 15u);
    EXPECT_EQ(efr::sats_sup.get(later_server), 1u);
    EXPECT_EQ(efr::dev_tbl_seg_sup.get(later_server), 0u);
    EXPECT_EQ(efr::marc_sup.get(later_server), 0u);
    EXPECT_EQ(efr::viommu_sup.get(later_server), 1u);
    EXPECT_EQ(efr::ga_update_dis_sup.get(later_server), 1u);
}

// --- Registers
// -----------------------------------------------------------------------------------------------

TEST(ControlLayout, HasEveryFieldInItsPlace) {
    namespace c = control;
    expect_layout({{c::iommu_en, 0, 1ull << 0},
                   {c::ht_tun_en, 0, 1ull << 1},
                   {c::event_log_en, 0, 1ull << 2},
                   {c::event_int_en, 0, 1ull << 3},
                   {c::com_wait_int_en, 0, 1ull << 4},
                   {c::inv_timeout, 0, 7ull << 5},
                   {c::pass_pw, 0, 1ull << 8},
                   {c::res_pass_pw, 0, 1ull << 9},
                   {c::coherent, 0, 1ull << 10},
                   {c::isoc, 0, 1ull << 11},
                   {c::cmd_buf_en, 0, 1ull << 12},
                   {c::ppr_log_en, 0, 1ull << 13},
                   {c::ppr_int_en, 0, 1ull << 14},
                   {c::ppr_en, 0, 1ull << 15},
                   {c::gt_en, 0, 1ull << 16},
                   {c::ga_en, 0, 1ull << 17},
                   {c::crw, 0, 0xFull << 18},
                   {c::smif_en, 0, 1ull << 22},
                   {c::slf_wb_dis, 0, 1ull << 23},
                   {c::smif_log_en, 0, 1ull << 24},
                   {c::gam_en, 0, 7ull << 25},
                   {c::ga_log_en, 0, 1ull << 28},
                   {c::ga_int_en, 0, 1ull << 29},
                   {c::dual_ppr_log_en, 0, 3ull << 30},
                   {c::dual_event_log_en, 0, 3ull << 32},
                   {c::dev_tbl_seg_en, 0, 7ull << 34},
                   {c::priv_abrt_en, 0, 3ull << 37},
                   {c::ppr_auto_rsp_en, 0, 1ull << 39},
                   {c::marc_en, 0, 1ull << 40},
                   {c::blk_stop_mrk_en, 0, 1ull << 41},
                   {c::ppr_auto_rsp_aon, 0, 1ull << 42},
                   {c::num_int_remap_mode, 0, 3ull << 43},
                   {c::eph_en, 0, 1ull << 45},
                   {c::had_update, 0, 3ull << 46},
                   {c::gd_update_dis, 0, 1ull << 48},
                   {c::xt_en, 0, 1ull << 50},
                   {c::int_cap_xt_en, 0, 1ull << 51},
                   {c::vcmd_en, 0, 1ull << 52},
                   {c::viommu_en, 0, 1ull << 53},
                   {c::ga_update_dis, 0, 1ull << 54},
                   {c::gappi_en, 0, 1ull << 55},
                   {c::tmpm_en, 0, 1ull << 56},
                   {c::gcr3_trp_mode, 0, 1ull << 58},
                   {c::irt_cache_dis, 0, 1ull << 59},
                   {c::gst_buffer_trp_mode, 0, 1ull << 60},
                   {c::snp_avic_en, 0, 7ull << 61}},
                  {1ull << 49 | 1ull << 57});
    const std::uint64_t milliseconds[] = {0, 1, 10, 100, 1000, 10'000, 100'000, 0};
    for (unsigned code = 0; code < 8; ++code)
        EXPECT_EQ(c::inv_timeout_milliseconds(code), milliseconds[code]);
}

TEST(StatusLayout, HasEveryFieldInItsPlace) {
    namespace s = status;
    expect_layout({{s::event_overflow, 0, 1ull << 0},
                   {s::event_log_int, 0, 1ull << 1},
                   {s::com_wait_int, 0, 1ull << 2},
                   {s::event_log_run, 0, 1ull << 3},
                   {s::cmd_buf_run, 0, 1ull << 4},
                   {s::ppr_overflow, 0, 1ull << 5},
                   {s::ppr_int, 0, 1ull << 6},
                   {s::ppr_log_run, 0, 1ull << 7},
                   {s::ga_log_run, 0, 1ull << 8},
                   {s::ga_overflow, 0, 1ull << 9},
                   {s::ga_int, 0, 1ull << 10},
                   {s::ppr_overflow_b, 0, 1ull << 11},
                   {s::ppr_log_active, 0, 1ull << 12},
                   {s::event_overflow_b, 0, 1ull << 15},
                   {s::event_log_active, 0, 1ull << 16},
                   {s::ppr_ovrflw_early_b, 0, 1ull << 17},
                   {s::ppr_ovrflw_early, 0, 1ull << 18}},
                  {~(s::write_1_to_clear | s::read_only)});
    EXPECT_EQ(s::write_1_to_clear & s::read_only, 0u);
}

TEST(RegisterOffsets, AreThoseOfTheSpecification) {
    const std::pair<std::uint64_t, std::uint64_t> offsets[] = {{reg::dev_table_base, 0x0000},
                                                               {reg::cmd_base, 0x0008},
                                                               {reg::event_base, 0x0010},
                                                               {reg::control, 0x0018},
                                                               {reg::exclusion_base, 0x0020},
                                                               {reg::exclusion_limit, 0x0028},
                                                               {reg::efr, 0x0030},
                                                               {reg::ppr_base, 0x0038},
                                                               {reg::hw_event_upper, 0x0040},
                                                               {reg::hw_event_lower, 0x0048},
                                                               {reg::hw_event_status, 0x0050},
                                                               {reg::smi_filter(0), 0x0060},
                                                               {reg::smi_filter(15), 0x00D8},
                                                               {reg::ga_base, 0x00E0},
                                                               {reg::ga_tail_address, 0x00E8},
                                                               {reg::ppr_b_base, 0x00F0},
                                                               {reg::event_b_base, 0x00F8},
                                                               {reg::dev_table_segment(1), 0x0100},
                                                               {reg::dev_table_segment(7), 0x0130},
                                                               {reg::dsfx, 0x0138},
                                                               {reg::dssx, 0x0148},
                                                               {reg::misc0, 0x0150},
                                                               {reg::msi_cap_header, 0x0158},
                                                               {reg::msi_data, 0x0164},
                                                               {reg::msi_map_cap, 0x0168},
                                                               {reg::perf_opt_control, 0x016C},
                                                               {reg::xt_general_interrupt, 0x0170},
                                                               {reg::xt_ga_interrupt, 0x0180},
                                                               {reg::viommu_status, 0x0190},
                                                               {reg::efr2, 0x01A0},
                                                               {reg::marc_base(1), 0x0218},
                                                               {reg::marc_length(3), 0x0258},
                                                               {reg::cmd_head, 0x2000},
                                                               {reg::cmd_tail, 0x2008},
                                                               {reg::event_head, 0x2010},
                                                               {reg::event_tail, 0x2018},
                                                               {reg::status, 0x2020},
                                                               {reg::ppr_head, 0x2030},
                                                               {reg::ppr_tail, 0x2038},
                                                               {reg::ga_head, 0x2040},
                                                               {reg::ga_tail, 0x2048},
                                                               {reg::ppr_b_tail, 0x2058},
                                                               {reg::event_b_tail, 0x2078},
                                                               {reg::ppr_auto_response, 0x2080},
                                                               {reg::ppr_b_overflow_early, 0x2090},
                                                               {reg::counter_config, 0x4000},
                                                               {reg::counter_block(1, 3), 0x41300}};
    std::set<std::uint64_t> seen;
    for (const auto& [offset, expected] : offsets) {
        EXPECT_EQ(offset, expected);
        EXPECT_TRUE(seen.insert(offset).second) << std::hex << offset;
    }
}

TEST(RingRegisters, CountBytes) {
    EXPECT_EQ(ring_base::base.mask(), pages);
    EXPECT_EQ(ring_base::length.mask(), 0xFull << 56);
    EXPECT_EQ(ring_base::ring_bytes(8), 4096u);
    EXPECT_EQ(ring_base::ring_bytes(15), 0x8'0000u);
    EXPECT_EQ(ring_pointer::offset.mask(), 0x7'FFF0u);
    EXPECT_EQ(ring_pointer::ga_offset.mask(), 0xFFF8u);
}

TEST(XtInterruptLayout, HasEveryFieldInItsPlace) {
    constexpr std::uint64_t unused = 0xFB | 0x00FF'FE00'0000'0000;
    expect_layout({{xt_interrupt::destination_mode, 0, 4},
                   {xt_interrupt::destination_low, 0, 0xFFFF'FF00},
                   {xt_interrupt::vector, 0, 0xFFull << 32},
                   {xt_interrupt::delivery_mode, 0, 1ull << 40},
                   {xt_interrupt::destination_high, 0, 0xFFull << 56}},
                  {unused});
    EXPECT_EQ(xt_interrupt::destination(0x8700'0000'6543'2100), 0x8765'4321u);
}

} // namespace
} // namespace iommusim::amdvi::spec
