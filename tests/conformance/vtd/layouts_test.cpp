// The layout headers against independent statements of the same positions: masks of whole structures,
// descriptor values as software sends them, and register offsets, all as literals.
#include "models/vtd/spec/descriptors.h"
#include "models/vtd/spec/faults.h"
#include "models/vtd/spec/interrupts.h"
#include "models/vtd/spec/page_request.h"
#include "models/vtd/spec/paging.h"
#include "models/vtd/spec/registers.h"
#include "models/vtd/spec/structures.h"
#include "tests/conformance/common/expect_layout.h"

#include <array>
#include <set>
#include <string>
#include <vector>

namespace iommusim::vtd::spec {
namespace {

using Words = std::vector<std::uint64_t>;

using test::expect_layout;
using Expected = test::ExpectedField;

constexpr std::uint64_t pages = 0xFFFF'FFFF'FFFF'F000;
constexpr Expected type_low{descriptor::type_low, 0, 0xF};
constexpr Expected type_high{descriptor::type_high, 0, 0xE00};

TEST(RootEntryLayout, HasEveryFieldInItsPlace) {
    expect_layout({{root::p, 0, 1}, {root::ctp, 0, pages}}, {0xFFE, ~0ull});
    EXPECT_EQ(root::reserved0, 0xFFEu);
    EXPECT_EQ(root::reserved1, ~0ull);
    expect_layout({{scalable_root::lp, 0, 1},
                   {scalable_root::lctp, 0, pages},
                   {scalable_root::up, 1, 1},
                   {scalable_root::uctp, 1, pages}},
                  {scalable_root::reserved0, scalable_root::reserved1});
}

TEST(ContextEntryLayout, HasEveryFieldInItsPlace) {
    expect_layout({{context::p, 0, 1},
                   {context::fpd, 0, 2},
                   {context::tt, 0, 0xC},
                   {context::slptptr, 0, pages},
                   {context::aw, 1, 0x7},
                   {context::avail, 1, 0x78},
                   {context::did, 1, 0xFFFF00}},
                  {context::reserved0, context::reserved1});
    expect_layout({{scalable_context::p, 0, 1},
                   {scalable_context::fpd, 0, 2},
                   {scalable_context::dte, 0, 4},
                   {scalable_context::paside, 0, 8},
                   {scalable_context::pre, 0, 0x10},
                   {scalable_context::pdts, 0, 0xE00},
                   {scalable_context::pasiddirptr, 0, pages},
                   {scalable_context::rid_pasid, 1, 0xFFFFF},
                   {scalable_context::rid_priv, 1, 0x100000}},
                  {scalable_context::reserved0, scalable_context::reserved1, scalable_context::reserved2,
                   scalable_context::reserved3});
}

TEST(PasidEntryLayout, HasEveryFieldInItsPlace) {
    expect_layout(
        {{pasid_directory::p, 0, 1}, {pasid_directory::fpd, 0, 2}, {pasid_directory::smptblptr, 0, pages}},
        {pasid_directory::reserved0});
    Words reserved(pasid_entry::words, ~0ull);
    reserved[0] = pasid_entry::reserved0;
    reserved[1] = pasid_entry::reserved1;
    reserved[2] = pasid_entry::reserved2;
    EXPECT_EQ(pasid_entry::first_reserved_word, 3u);
    expect_layout({{pasid_entry::p, 0, 1},
                   {pasid_entry::fpd, 0, 2},
                   {pasid_entry::aw, 0, 0x1C},
                   {pasid_entry::slee, 0, 0x20},
                   {pasid_entry::pgtt, 0, 0x1C0},
                   {pasid_entry::slade, 0, 0x200},
                   {pasid_entry::slptptr, 0, pages},
                   {pasid_entry::did, 1, 0xFFFF},
                   {pasid_entry::pwsnp, 1, 1ull << 23},
                   {pasid_entry::pgsnp, 1, 1ull << 24},
                   {pasid_entry::cd, 1, 1ull << 25},
                   {pasid_entry::emte, 1, 1ull << 26},
                   {pasid_entry::emt, 1, 7ull << 27},
                   {pasid_entry::pwt, 1, 1ull << 30},
                   {pasid_entry::pcd, 1, 1ull << 31},
                   {pasid_entry::pat, 1, 0xFFFF'FFFF'0000'0000},
                   {pasid_entry::sre, 2, 1},
                   {pasid_entry::ere, 2, 2},
                   {pasid_entry::flpm, 2, 0xC},
                   {pasid_entry::wpe, 2, 0x10},
                   {pasid_entry::nxe, 2, 0x20},
                   {pasid_entry::smep, 2, 0x40},
                   {pasid_entry::eafe, 2, 0x80},
                   {pasid_entry::flptptr, 2, pages}},
                  reserved);
}

TEST(TableIndexes, FollowTheSourceIdAndThePasid) {
    const std::uint16_t sid = 0x3A << 8 | 0x91; // bus 3a, device 12, function 1
    EXPECT_EQ(root::offset(sid), 0x3A0u);
    EXPECT_EQ(context::offset(sid), 0x910u);
    EXPECT_TRUE(scalable_root::upper_half(sid));
    EXPECT_FALSE(scalable_root::upper_half(0x3A7F));
    EXPECT_EQ(scalable_context::offset(sid), 32u * 0x11);
    EXPECT_EQ(source_id::device.get(sid), 0x12u);
    EXPECT_EQ(source_id::function.get(sid), 1u);
    EXPECT_EQ(pasid_directory::offset(0x12345), 8u * 0x48D);
    EXPECT_EQ(pasid_entry::offset(0x12345), 64u * 5);
    EXPECT_EQ(scalable_context::pasid_bits(0), 13u);
    EXPECT_EQ(scalable_context::pasid_bits(7), 20u);
    EXPECT_EQ(address_width::levels(address_width::aw_48_bits), 4u);
    EXPECT_EQ(address_width::width_bits(address_width::aw_57_bits), 57u);
}

TEST(PagingEntries, HaveEveryFieldInItsPlace) {
    const std::pair<Field, std::uint64_t> expected[] = {{second_stage::r, 0x1},
                                                        {second_stage::w, 0x2},
                                                        {second_stage::x, 0x4},
                                                        {second_stage::emt, 0x38},
                                                        {second_stage::ipat, 0x40},
                                                        {second_stage::ps, 0x80},
                                                        {second_stage::a, 0x100},
                                                        {second_stage::d, 0x200},
                                                        {second_stage::snp, 0x800},
                                                        {second_stage::tm, 1ull << 62},
                                                        {first_stage::p, 0x1},
                                                        {first_stage::rw, 0x2},
                                                        {first_stage::us, 0x4},
                                                        {first_stage::pwt, 0x8},
                                                        {first_stage::pcd, 0x10},
                                                        {first_stage::a, 0x20},
                                                        {first_stage::d, 0x40},
                                                        {first_stage::ps, 0x80},
                                                        {first_stage::g, 0x100},
                                                        {first_stage::ea, 0x400},
                                                        {first_stage::pat_large, 0x1000},
                                                        {first_stage::xd, 1ull << 63},
                                                        {paging::address, 0x000F'FFFF'FFFF'F000},
                                                        {paging::page_frame(1), 0x000F'FFFF'FFFF'F000},
                                                        {paging::page_frame(2), 0x000F'FFFF'FFE0'0000},
                                                        {paging::page_frame(3), 0x000F'FFFF'C000'0000}};
    for (const auto& [field, mask] : expected)
        EXPECT_EQ(field.mask(), mask);
}

TEST(PagingGeometry, HasNineBitsPerLevel) {
    EXPECT_EQ(paging::level_shift(1), 12u);
    EXPECT_EQ(paging::level_bytes(2), 0x20'0000u);
    EXPECT_EQ(paging::level_bytes(3), 0x4000'0000u);
    EXPECT_EQ(paging::index(0x0000'1234'5678'9ABC, 1), 0x189u);
    EXPECT_EQ(paging::index(0x0000'1234'5678'9ABC, 4), 0x24u);
    EXPECT_EQ(paging::input_bits(3), 39u);
    EXPECT_EQ(paging::input_bits(4), 48u);
    EXPECT_EQ(paging::input_bits(5), 57u);
}

TEST(DescriptorLayouts, HaveEveryFieldInItsPlace) {
    expect_layout({type_low,
                   type_high,
                   {cc_inv::g, 0, 0x30},
                   {cc_inv::did, 0, 0xFFFF0000},
                   {cc_inv::sid, 0, 0xFFFF'0000'0000},
                   {cc_inv::fm, 0, 0x3'0000'0000'0000}},
                  {cc_inv::reserved0, cc_inv::reserved1});
    expect_layout({type_low,
                   type_high,
                   {iotlb_inv::g, 0, 0x30},
                   {iotlb_inv::dw, 0, 0x40},
                   {iotlb_inv::dr, 0, 0x80},
                   {iotlb_inv::did, 0, 0xFFFF0000},
                   {iotlb_inv::am, 1, 0x3F},
                   {iotlb_inv::ih, 1, 0x40},
                   {iotlb_inv::addr, 1, pages}},
                  {iotlb_inv::reserved0, iotlb_inv::reserved1});
    expect_layout({type_low,
                   type_high,
                   {dev_tlb_inv::mip, 0, 0x1F0000},
                   {dev_tlb_inv::sid, 0, 0xFFFF'0000'0000},
                   {dev_tlb_inv::s, 1, 1},
                   {dev_tlb_inv::addr, 1, pages}},
                  {dev_tlb_inv::reserved0, dev_tlb_inv::reserved1});
    EXPECT_EQ(dev_tlb_inv::pfsid_low.mask(), 0xF000u);
    EXPECT_EQ(dev_tlb_inv::pfsid_high.mask(), 0xFFF0'0000'0000'0000u);
    expect_layout({type_low,
                   type_high,
                   {iec_inv::g, 0, 0x10},
                   {iec_inv::im, 0, 0xF8000000},
                   {iec_inv::iidx, 0, 0xFFFF'0000'0000}},
                  {iec_inv::reserved0, iec_inv::reserved1});
    expect_layout({type_low,
                   type_high,
                   {inv_wait::interrupt_flag, 0, 0x10},
                   {inv_wait::sw, 0, 0x20},
                   {inv_wait::fn, 0, 0x40},
                   {inv_wait::pd, 0, 0x80},
                   {inv_wait::data, 0, 0xFFFF'FFFF'0000'0000},
                   {inv_wait::addr, 1, ~3ull}},
                  {inv_wait::reserved0, inv_wait::reserved1});
    expect_layout({type_low,
                   type_high,
                   {p_iotlb_inv::g, 0, 0x30},
                   {p_iotlb_inv::did, 0, 0xFFFF0000},
                   {p_iotlb_inv::pasid, 0, 0xF'FFFF'0000'0000},
                   {p_iotlb_inv::am, 1, 0x3F},
                   {p_iotlb_inv::ih, 1, 0x40},
                   {p_iotlb_inv::addr, 1, pages}},
                  {p_iotlb_inv::reserved0, p_iotlb_inv::reserved1});
    expect_layout({type_low,
                   type_high,
                   {pc_inv::g, 0, 0x30},
                   {pc_inv::did, 0, 0xFFFF0000},
                   {pc_inv::pasid, 0, 0xF'FFFF'0000'0000}},
                  {pc_inv::reserved0, pc_inv::reserved1});
    expect_layout({type_low,
                   type_high,
                   {p_dev_tlb_inv::mip, 0, 0x1F0},
                   {p_dev_tlb_inv::sid, 0, 0xFFFF0000},
                   {p_dev_tlb_inv::pasid, 0, 0xF'FFFF'0000'0000},
                   {p_dev_tlb_inv::g, 1, 1},
                   {p_dev_tlb_inv::s, 1, 0x800},
                   {p_dev_tlb_inv::addr, 1, pages}},
                  {p_dev_tlb_inv::reserved0, p_dev_tlb_inv::reserved1});
    expect_layout({type_low,
                   type_high,
                   {page_grp_resp::pp, 0, 0x10},
                   {page_grp_resp::rc, 0, 0xF000},
                   {page_grp_resp::rid, 0, 0xFFFF0000},
                   {page_grp_resp::pasid, 0, 0xF'FFFF'0000'0000},
                   {page_grp_resp::lpig, 1, 4},
                   {page_grp_resp::prgi, 1, 0xFF8}},
                  {page_grp_resp::reserved0, page_grp_resp::reserved1});
}

/// One descriptor of 128 bits, field by field.
class Descriptor {
public:
    explicit Descriptor(unsigned type) { with(descriptor::type_low, type); }
    Descriptor& with(Field field, std::uint64_t value) {
        field.set(words.data(), value);
        return *this;
    }
    Descriptor& at(std::uint64_t address) {
        words[1] |= address;
        return *this;
    }
    std::array<std::uint64_t, 2> words{};
};

void expect_words(const Descriptor& d, std::uint64_t word0, std::uint64_t word1) {
    EXPECT_EQ(d.words[0], word0) << std::hex << d.words[0] << " is not " << word0;
    EXPECT_EQ(d.words[1], word1) << std::hex << d.words[1] << " is not " << word1;
}

// Domain 0x12, device 00:1d.0, PASID 5, as drivers send them.
TEST(DescriptorValues, OfContextAndPasidCache) {
    using D = Descriptor;
    const auto cc = [](std::uint64_t g) { return D(descriptor_type::context_cache).with(cc_inv::g, g); };
    expect_words(cc(cc_inv::g_global), 0x11, 0);
    expect_words(cc(cc_inv::g_domain).with(cc_inv::did, 0x12), 0x0012'0021, 0);
    expect_words(cc(cc_inv::g_device).with(cc_inv::did, 0x12).with(cc_inv::sid, 0xE8), 0xE8'0012'0031, 0);
    expect_words(D(descriptor_type::pasid_cache)
                     .with(pc_inv::g, pc_inv::g_pasid)
                     .with(pc_inv::did, 0x12)
                     .with(pc_inv::pasid, 5),
                 0x5'0012'0017, 0);
}

TEST(DescriptorValues, OfTheIotlb) {
    const auto iotlb = [](std::uint64_t g, std::uint64_t domain) {
        return Descriptor(descriptor_type::iotlb)
            .with(iotlb_inv::g, g)
            .with(iotlb_inv::dr, 1)
            .with(iotlb_inv::dw, 1)
            .with(iotlb_inv::did, domain);
    };
    expect_words(iotlb(iotlb_inv::g_global, 0), 0xD2, 0);
    expect_words(iotlb(iotlb_inv::g_domain, 0x12), 0x0012'00E2, 0);
    expect_words(iotlb(iotlb_inv::g_page, 0x12).at(0x1000'0000).with(iotlb_inv::am, 2), 0x0012'00F2,
                 0x1000'0002);
    const auto pasid_iotlb = [](std::uint64_t g) {
        return Descriptor(descriptor_type::pasid_iotlb)
            .with(p_iotlb_inv::g, g)
            .with(p_iotlb_inv::did, 0x12)
            .with(p_iotlb_inv::pasid, 5);
    };
    expect_words(pasid_iotlb(p_iotlb_inv::g_pasid), 0x5'0012'0026, 0);
    expect_words(
        pasid_iotlb(p_iotlb_inv::g_page).at(0x7000).with(p_iotlb_inv::ih, 1).with(p_iotlb_inv::am, 3),
        0x5'0012'0036, 0x7043);
}

TEST(DescriptorValues, OfDeviceTlbs) {
    const auto device = [](std::uint64_t base, unsigned log2_pages) {
        return Descriptor(descriptor_type::device_tlb)
            .with(dev_tlb_inv::sid, 0xE8)
            .with(dev_tlb_inv::s, log2_pages != 0)
            .at(device_tlb_size::encode(base, log2_pages));
    };
    expect_words(device(0x1234'5000, 0), 0xE8'0000'0003, 0x1234'5000);
    expect_words(device(0x1234'4000, 1), 0xE8'0000'0003, 0x1234'4001);
    expect_words(device(0x1234'0000, 2), 0xE8'0000'0003, 0x1234'1001);
    expect_words(device(0x1234'0000, 4), 0xE8'0000'0003, 0x1234'7001);
    expect_words(device(0, 9), 0xE8'0000'0003, 0xF'F001);
    expect_words(device(0, 52), 0xE8'0000'0003, 0x7FFF'FFFF'FFFF'F001);
    const auto pasid_device = [](std::uint64_t base, unsigned log2_pages) {
        return Descriptor(descriptor_type::pasid_device_tlb)
            .with(p_dev_tlb_inv::sid, 0xE8)
            .with(p_dev_tlb_inv::pasid, 5)
            .with(p_dev_tlb_inv::s, log2_pages != 0)
            .at(device_tlb_size::encode(base, log2_pages));
    };
    expect_words(pasid_device(0x1234'5000, 0), 0x5'00E8'0008, 0x1234'5000);
    expect_words(pasid_device(0x1234'0000, 4), 0x5'00E8'0008, 0x1234'7800);
    expect_words(pasid_device(0, 52), 0x5'00E8'0008, 0x7FFF'FFFF'FFFF'F800);
}

TEST(DescriptorValues, OfInterruptsWaitsAndResponses) {
    using D = Descriptor;
    expect_words(D(descriptor_type::interrupt_entry_cache), 0x04, 0);
    expect_words(D(descriptor_type::interrupt_entry_cache)
                     .with(iec_inv::g, iec_inv::g_index)
                     .with(iec_inv::iidx, 0x123),
                 0x123'0000'0014, 0);
    expect_words(D(descriptor_type::wait).with(inv_wait::sw, 1).with(inv_wait::data, 2).at(0x1234'5678),
                 0x2'0000'0025, 0x1234'5678);
    expect_words(D(descriptor_type::wait).with(inv_wait::sw, 1).with(inv_wait::pd, 1).with(inv_wait::data, 2),
                 0x2'0000'00A5, 0);
    expect_words(D(descriptor_type::wait).with(inv_wait::fn, 1).with(inv_wait::data, 2), 0x2'0000'0045, 0);
    expect_words(D(descriptor_type::page_group_response)
                     .with(page_grp_resp::pp, 1)
                     .with(page_grp_resp::rid, 0xE8)
                     .with(page_grp_resp::pasid, 5)
                     .with(page_grp_resp::rc, page_response::success)
                     .with(page_grp_resp::prgi, 7),
                 0x5'00E8'0019, 0x38);
}

TEST(DeviceTlbRange, IsReadBackAsItWasWritten) {
    EXPECT_EQ(device_tlb_size::log2_bytes(0x1234'7000, 0), 12u) << "S = 0 is one page, whatever the address";
    for (unsigned log2_pages = 1; log2_pages <= 52; ++log2_pages)
        EXPECT_EQ(device_tlb_size::log2_bytes(device_tlb_size::encode(0, log2_pages), 1), 12 + log2_pages);
    EXPECT_EQ(device_tlb_size::encode(0, 52), device_tlb_size::all_addresses);
}

TEST(DescriptorTypes, AreReadFromBothTypeFields) {
    EXPECT_EQ(descriptor::type(0x0000'0002'0000'0025), descriptor_type::wait);
    EXPECT_EQ(descriptor::type(0x205), 0x15u);
    EXPECT_FALSE(descriptor_type::needs_256_bits(descriptor_type::wait));
    EXPECT_TRUE(descriptor_type::needs_256_bits(descriptor_type::pasid_iotlb));
    EXPECT_STREQ(descriptor_name(descriptor_type::iotlb), "iotlb_inv");
    EXPECT_STREQ(descriptor_name(descriptor_type::page_group_response), "page_grp_resp");
    EXPECT_STREQ(descriptor_name(0xA), "reserved");
    EXPECT_STREQ(queue_error_name(iqercd::iqei_fetch_error), "descriptor fetch error");
    EXPECT_STREQ(queue_error_name(8), "reserved");
}

TEST(InterruptLayouts, HaveEveryFieldInItsPlace) {
    expect_layout({{irte::p, 0, 1},
                   {irte::fpd, 0, 2},
                   {irte::dm, 0, 4},
                   {irte::rh, 0, 8},
                   {irte::tm, 0, 0x10},
                   {irte::dlm, 0, 0xE0},
                   {irte::avail, 0, 0xF00},
                   {irte::im, 0, 0x8000},
                   {irte::vector, 0, 0xFF0000},
                   {irte::dst, 0, 0xFFFF'FFFF'0000'0000},
                   {irte::sid, 1, 0xFFFF},
                   {irte::sq, 1, 0x3'0000},
                   {irte::svt, 1, 0xC'0000}},
                  {irte::remapped_reserved0, irte::remapped_reserved1});
    EXPECT_EQ(irte::dst_xapic.mask(), 0xFF00'0000'0000u);
    EXPECT_EQ(irte::remapped_xapic_reserved0,
              irte::remapped_reserved0 | (irte::dst.mask() & ~irte::dst_xapic.mask()));
    expect_layout({{irte::p, 0, 1},
                   {irte::fpd, 0, 2},
                   {irte::avail, 0, 0xF00},
                   {irte::urg, 0, 0x4000},
                   {irte::im, 0, 0x8000},
                   {irte::vector, 0, 0xFF0000},
                   {irte::pda_low, 0, 0xFFFF'FFC0'0000'0000},
                   {irte::sid, 1, 0xFFFF},
                   {irte::sq, 1, 0x3'0000},
                   {irte::svt, 1, 0xC'0000},
                   {irte::pda_high, 1, 0xFFFF'FFFF'0000'0000}},
                  {irte::posted_reserved0, irte::posted_reserved1});
    expect_layout({{posted_descriptor::on, 4, 1},
                   {posted_descriptor::sn, 4, 2},
                   {posted_descriptor::nv, 4, 0xFF0000},
                   {posted_descriptor::ndst, 4, 0xFFFF'FFFF'0000'0000}},
                  {~0ull, ~0ull, ~0ull, ~0ull, posted_descriptor::reserved4});
    EXPECT_EQ(posted_descriptor::ndst_xapic.mask(), 0xFF00'0000'0000u);
    EXPECT_EQ(posted_descriptor::pir(0xC1).word(), 3u);
    EXPECT_EQ(posted_descriptor::pir(0xC1).mask(), 2u);
}

TEST(InterruptMessages, CarryTheIndexInTheAddress) {
    EXPECT_EQ(msi_address::remappable(0x8123, true), 0xFEE0'247Cu);
    EXPECT_EQ(msi_address::handle(0xFEE0'247C), 0x8123u);
    EXPECT_EQ(msi_address::format.get(0xFEE0'247C), msi_address::format_remappable);
    EXPECT_TRUE(in_interrupt_window(0xFEE0'0000));
    EXPECT_TRUE(in_interrupt_window(0xFEEF'FFFF));
    EXPECT_FALSE(in_interrupt_window(0xFEDF'FFFF));
    EXPECT_FALSE(in_interrupt_window(0xFEF0'0000));
    EXPECT_FALSE(in_interrupt_window(0x1'FEE0'0000));
}

TEST(InterruptMessages, NameThePostedDescriptor) {
    std::array<std::uint64_t, 2> entry{};
    irte::pda_low.set(entry.data(), 0x8765'4340u >> 6);
    irte::pda_high.set(entry.data(), 0x12);
    EXPECT_EQ(irte::descriptor_address(entry.data()), 0x12'8765'4340u);
}

TEST(FaultRecordLayout, HasEveryFieldInItsPlace) {
    expect_layout({{fault_record::fi, 0, pages},
                   {fault_record::sid, 1, 0xFFFF},
                   {fault_record::t2, 1, 1ull << 28},
                   {fault_record::priv, 1, 1ull << 29},
                   {fault_record::exe, 1, 1ull << 30},
                   {fault_record::pp, 1, 1ull << 31},
                   {fault_record::fr, 1, 0xFFull << 32},
                   {fault_record::pv, 1, 0xF'FFFFull << 40},
                   {fault_record::at, 1, 3ull << 60},
                   {fault_record::t1, 1, 1ull << 62},
                   {fault_record::f, 1, 1ull << 63}},
                  {0xFFF, 0x0FFF'0000});
    EXPECT_EQ(fault_record::interrupt_index.mask(), 0xFFFF'0000'0000'0000u);
}

TEST(PageRequestLayout, HasEveryFieldInItsPlace) {
    expect_layout({{page_request::type, 0, 0xFF},
                   {page_request::pp, 0, 0x100},
                   {page_request::rid, 0, 0xFFFF0000},
                   {page_request::pasid, 0, 0xF'FFFF'0000'0000},
                   {page_request::exr, 0, 1ull << 52},
                   {page_request::pmr, 0, 1ull << 53},
                   {page_request::rd, 1, 1},
                   {page_request::wr, 1, 2},
                   {page_request::lpig, 1, 4},
                   {page_request::prgi, 1, 0xFF8},
                   {page_request::addr, 1, pages}},
                  {0xFFC0'0000'0000'FE00, 0, ~0ull, ~0ull});
}

/// Reason codes that have a name.
std::set<unsigned> named_faults() {
    std::set<unsigned> codes;
    for (unsigned code = 0; code < 256; ++code)
        if (fault_name(code) != std::string("reserved"))
            codes.insert(code);
    return codes;
}

TEST(FaultReasons, HaveNamesExactlyWhereCodesAreDefined) {
    std::set<unsigned> expected;
    const std::pair<unsigned, unsigned> ranges[] = {{0x01, 0x0E}, {0x20, 0x29}, {0x30, 0x33}, {0x38, 0x3A},
                                                    {0x40, 0x48}, {0x50, 0x52}, {0x58, 0x5D}, {0x70, 0x7D},
                                                    {0x80, 0x87}, {0x90, 0x91}};
    for (const auto& [first, last] : ranges)
        for (unsigned code = first; code <= last; ++code)
            expected.insert(code);
    EXPECT_EQ(named_faults(), expected);
    EXPECT_STREQ(fault_name(0x05), "0x05 no write permission");
    EXPECT_STREQ(fault_name(0x26), "0x26 IRTE source-id verification failed");
    EXPECT_STREQ(fault_name(0x59), "0x59 PASID entry not present");
}

TEST(FaultReasons, HaveNamesThatBeginWithTheirCode) {
    for (unsigned code : named_faults())
        EXPECT_EQ(std::stoul(fault_name(code), nullptr, 16), code);
}

TEST(FaultReasons, AreUnqualifiedWhereNoEntryCouldDisableThem) {
    std::set<unsigned> unqualified;
    for (unsigned code : named_faults())
        if (!fault_is_qualified(code))
            unqualified.insert(code);
    const std::set<unsigned> expected = {0x01, 0x08, 0x09, 0x0A, 0x20, 0x21, 0x23, 0x25, 0x29, 0x30,
                                         0x31, 0x32, 0x33, 0x38, 0x39, 0x3A, 0x40, 0x50, 0x58};
    EXPECT_EQ(unqualified, expected);
}

TEST(RegisterOffsets, AreThoseOfTheSpecification) {
    const std::pair<std::uint64_t, std::uint64_t> expected[] = {
        {reg::ver, 0x00},           {reg::cap, 0x08},
        {reg::ecap, 0x10},          {reg::gcmd, 0x18},
        {reg::gsts, 0x1C},          {reg::rtaddr, 0x20},
        {reg::ccmd, 0x28},          {reg::fsts, 0x34},
        {reg::fectl, 0x38},         {reg::fedata, 0x3C},
        {reg::feaddr, 0x40},        {reg::feuaddr, 0x44},
        {reg::aflog, 0x58},         {reg::pmen, 0x64},
        {reg::plmbase, 0x68},       {reg::plmlimit, 0x6C},
        {reg::phmbase, 0x70},       {reg::phmlimit, 0x78},
        {reg::iqh, 0x80},           {reg::iqt, 0x88},
        {reg::iqa, 0x90},           {reg::ics, 0x9C},
        {reg::iectl, 0xA0},         {reg::iedata, 0xA4},
        {reg::ieaddr, 0xA8},        {reg::ieuaddr, 0xAC},
        {reg::iqercd, 0xB0},        {reg::irta, 0xB8},
        {reg::pqh, 0xC0},           {reg::pqt, 0xC8},
        {reg::pqa, 0xD0},           {reg::prs, 0xDC},
        {reg::pectl, 0xE0},         {reg::pedata, 0xE4},
        {reg::peaddr, 0xE8},        {reg::peuaddr, 0xEC},
        {reg::mtrrcap, 0x100},      {reg::mtrr_physmask(9), 0x218},
        {reg::perfcap, 0x300},      {reg::ecmd, 0x400},
        {reg::eccap(3), 0x448},     {reg::vcmd, 0xE00},
        {reg::vcrsp, 0xE10},        {reg::vccap, 0xE30},
        {reg::iva(0x50), 0x500},    {reg::iotlb(0x50), 0x508},
        {reg::frcd(0x22, 7), 0x290}};
    for (const auto& [offset, literal] : expected)
        EXPECT_EQ(offset, literal);
}

TEST(RegisterFields, AreThoseOfTheSpecification) {
    const std::pair<Field, std::uint64_t> expected[] = {{ccmd::icc, 1ull << 63},
                                                        {ccmd::cirg, 3ull << 61},
                                                        {ccmd::caig, 3ull << 59},
                                                        {ccmd::fm, 3ull << 32},
                                                        {ccmd::sid, 0xFFFF'0000},
                                                        {ccmd::did, 0xFFFF},
                                                        {iva::addr, pages},
                                                        {iva::ih, 0x40},
                                                        {iva::am, 0x3F},
                                                        {iotlb::ivt, 1ull << 63},
                                                        {iotlb::iirg, 3ull << 60},
                                                        {iotlb::iaig, 3ull << 57},
                                                        {iotlb::dr, 1ull << 49},
                                                        {iotlb::dw, 1ull << 48},
                                                        {iotlb::did, 0xFFFFull << 32},
                                                        {rtaddr::ttm, 0xC00},
                                                        {rtaddr::rta, pages},
                                                        {iqa::dw, 0x800},
                                                        {iqa::qs, 0x7},
                                                        {queue_index::offset, 0x7'FFF0},
                                                        {page_queue_index::offset, 0x7'FFE0},
                                                        {irta::s, 0xF},
                                                        {irta::eime, 0x800},
                                                        {iqercd::iqei, 0xF},
                                                        {iqercd::itesid, 0xFFFFull << 32},
                                                        {iqercd::icesid, 0xFFFFull << 48},
                                                        {gcmd::te, 1ull << 31},
                                                        {gcmd::srtp, 1ull << 30},
                                                        {gcmd::sfl, 1ull << 29},
                                                        {gcmd::eafl, 1ull << 28},
                                                        {gcmd::wbf, 1ull << 27},
                                                        {gcmd::qie, 1ull << 26},
                                                        {gcmd::ire, 1ull << 25},
                                                        {gcmd::sirtp, 1ull << 24},
                                                        {gcmd::cfi, 1ull << 23},
                                                        {fsts::pfo, 0x1},
                                                        {fsts::ppf, 0x2},
                                                        {fsts::iqe, 0x10},
                                                        {fsts::ice, 0x20},
                                                        {fsts::ite, 0x40},
                                                        {fsts::fri, 0xFF00},
                                                        {pmen::epm, 1ull << 31},
                                                        {pmen::prs, 0x1},
                                                        {prs::ppr, 0x1},
                                                        {prs::pro, 0x2},
                                                        {event_control::im, 1ull << 31},
                                                        {event_control::ip, 1ull << 30}};
    for (const auto& [field, mask] : expected)
        EXPECT_EQ(field.mask(), mask);
    EXPECT_EQ(gcmd::one_shot_mask | gcmd::status_to_command_mask, 0xFFFF'FFFFu);
    EXPECT_EQ(gcmd::one_shot_mask & gcmd::status_to_command_mask, 0u);
    EXPECT_EQ(iqa::queue_bytes(1), 8192u);
    EXPECT_EQ(iqa::descriptor_bytes(1), 32u);
    EXPECT_EQ(irta::entries(0xF), 65536u);
    EXPECT_EQ(function_mask(3), 7u);
}

} // namespace
} // namespace iommusim::vtd::spec
