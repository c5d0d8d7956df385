// Invalidation descriptors as the driver builds them.
#pragma once

#include "models/vtd/spec/descriptors.h"

#include <array>
#include <bit>
#include <cstdint>

namespace iommusim::vtd_driver {

/// The first two words; the others are 0.
using Descriptor = std::array<std::uint64_t, 2>;

/// 2^mask pages from an address that is aligned to them.
struct PageBlock {
    std::uint64_t address;
    unsigned mask;
};

inline constexpr PageBlock everything{0, 52};

/// The smallest naturally aligned power-of-two block that contains [first, first + pages) (Linux
/// intel-iommu: the rounding of page-selective invalidations).
inline PageBlock covering_block(std::uint64_t address, std::uint64_t pages) {
    const std::uint64_t first = address >> 12;
    const std::uint64_t last = first + (pages == 0 ? 0 : pages - 1);
    const auto mask = static_cast<unsigned>(std::bit_width(first ^ last));
    return {mask >= 52 ? 0 : (first >> mask << mask) << 12, mask};
}

namespace make {

using namespace vtd::spec;

inline Descriptor typed(unsigned type) { return {descriptor::type_low.make(type), 0}; }

inline Descriptor context_global() {
    Descriptor d = typed(descriptor_type::context_cache);
    cc_inv::g.set(d.data(), cc_inv::g_global);
    return d;
}
inline Descriptor context_device(std::uint16_t domain, std::uint16_t source) {
    Descriptor d = typed(descriptor_type::context_cache);
    cc_inv::g.set(d.data(), cc_inv::g_device);
    cc_inv::did.set(d.data(), domain);
    cc_inv::sid.set(d.data(), source);
    return d;
}

inline Descriptor iotlb(std::uint64_t granularity, bool drain_reads, bool drain_writes) {
    Descriptor d = typed(descriptor_type::iotlb);
    iotlb_inv::g.set(d.data(), granularity);
    iotlb_inv::dr.set(d.data(), drain_reads);
    iotlb_inv::dw.set(d.data(), drain_writes);
    return d;
}
inline Descriptor iotlb_global(bool drain_reads, bool drain_writes) {
    return iotlb(iotlb_inv::g_global, drain_reads, drain_writes);
}
inline Descriptor iotlb_domain(std::uint16_t domain, bool drain_reads, bool drain_writes) {
    Descriptor d = iotlb(iotlb_inv::g_domain, drain_reads, drain_writes);
    iotlb_inv::did.set(d.data(), domain);
    return d;
}
inline Descriptor iotlb_pages(std::uint16_t domain, const PageBlock& block, bool leaf_only, bool drain_reads,
                              bool drain_writes) {
    Descriptor d = iotlb(iotlb_inv::g_page, drain_reads, drain_writes);
    iotlb_inv::did.set(d.data(), domain);
    iotlb_inv::am.set(d.data(), block.mask);
    iotlb_inv::ih.set(d.data(), leaf_only);
    d[1] |= iotlb_inv::addr.in_place(block.address);
    return d;
}

inline Descriptor pasid_iotlb_all(std::uint16_t domain, std::uint32_t pasid) {
    Descriptor d = typed(descriptor_type::pasid_iotlb);
    p_iotlb_inv::g.set(d.data(), p_iotlb_inv::g_pasid);
    p_iotlb_inv::did.set(d.data(), domain);
    p_iotlb_inv::pasid.set(d.data(), pasid);
    return d;
}
inline Descriptor pasid_iotlb_pages(std::uint16_t domain, std::uint32_t pasid, const PageBlock& block,
                                    bool leaf_only) {
    Descriptor d = pasid_iotlb_all(domain, pasid);
    p_iotlb_inv::g.set(d.data(), p_iotlb_inv::g_page);
    p_iotlb_inv::am.set(d.data(), block.mask);
    p_iotlb_inv::ih.set(d.data(), leaf_only);
    d[1] |= p_iotlb_inv::addr.in_place(block.address);
    return d;
}

inline Descriptor pasid_cache_global() {
    Descriptor d = typed(descriptor_type::pasid_cache);
    pc_inv::g.set(d.data(), pc_inv::g_global);
    return d;
}
inline Descriptor pasid_cache(std::uint16_t domain, std::uint32_t pasid) {
    Descriptor d = typed(descriptor_type::pasid_cache);
    pc_inv::g.set(d.data(), pc_inv::g_pasid);
    pc_inv::did.set(d.data(), domain);
    pc_inv::pasid.set(d.data(), pasid);
    return d;
}
inline Descriptor pasid_cache_domain(std::uint16_t domain) {
    Descriptor d = typed(descriptor_type::pasid_cache);
    pc_inv::g.set(d.data(), pc_inv::g_domain);
    pc_inv::did.set(d.data(), domain);
    return d;
}

inline Descriptor interrupt_entries_global() { return typed(descriptor_type::interrupt_entry_cache); }

/// The address field of both device-TLB descriptors: a block, or everything.
inline std::uint64_t device_tlb_address(const PageBlock& block, Field size) {
    if (block.mask == 0)
        return block.address;
    const std::uint64_t ones =
        block.mask >= 52 ? 0x7fff'ffff'ffff'f000ull : (1ull << (block.mask + 11)) - 4096;
    return (block.mask >= 52 ? 0 : block.address) | ones | size.make(1);
}
inline Descriptor device_tlb(std::uint16_t source, const PageBlock& block, unsigned queue_depth) {
    Descriptor d = typed(descriptor_type::device_tlb);
    dev_tlb_inv::sid.set(d.data(), source);
    dev_tlb_inv::mip.set(d.data(), queue_depth);
    d[1] = device_tlb_address(block, dev_tlb_inv::s);
    return d;
}
inline Descriptor pasid_device_tlb(std::uint16_t source, std::uint32_t pasid, const PageBlock& block,
                                   unsigned queue_depth) {
    Descriptor d = typed(descriptor_type::pasid_device_tlb);
    p_dev_tlb_inv::sid.set(d.data(), source);
    p_dev_tlb_inv::pasid.set(d.data(), pasid);
    p_dev_tlb_inv::mip.set(d.data(), queue_depth);
    d[1] = device_tlb_address(block, p_dev_tlb_inv::s);
    return d;
}

/// Completes when everything before it is complete, and does nothing else.
inline Descriptor fence() {
    Descriptor d = typed(descriptor_type::wait);
    inv_wait::fn.set(d.data(), 1);
    return d;
}
/// Writes `data` to `address` when everything before it is complete.
inline Descriptor wait(std::uint64_t address, std::uint32_t data) {
    Descriptor d = typed(descriptor_type::wait);
    inv_wait::sw.set(d.data(), 1);
    inv_wait::data.set(d.data(), data);
    d[1] = inv_wait::addr.in_place(address);
    return d;
}

} // namespace make

} // namespace iommusim::vtd_driver
