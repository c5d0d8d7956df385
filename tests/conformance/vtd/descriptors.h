// Invalidation descriptors as software would write them: four words each, of which a queue of 128-bit
// descriptors takes the first two. Independent of the drivers.
#pragma once

#include "models/vtd/spec/descriptors.h"
#include "tests/conformance/common/words.h"

#include <cstdint>

namespace iommusim::vtd::test {

using iommusim::test::Words;

using Descriptor = Words<spec::descriptor::max_words>;

inline Descriptor descriptor(unsigned type) { return Descriptor().with(spec::descriptor::type_low, type); }

inline Descriptor cc_global() {
    return descriptor(spec::descriptor_type::context_cache).with(spec::cc_inv::g, spec::cc_inv::g_global);
}
inline Descriptor cc_domain(std::uint64_t domain) {
    return descriptor(spec::descriptor_type::context_cache)
        .with(spec::cc_inv::g, spec::cc_inv::g_domain)
        .with(spec::cc_inv::did, domain);
}
inline Descriptor cc_device(std::uint64_t domain, std::uint64_t source) {
    return descriptor(spec::descriptor_type::context_cache)
        .with(spec::cc_inv::g, spec::cc_inv::g_device)
        .with(spec::cc_inv::did, domain)
        .with(spec::cc_inv::sid, source);
}

inline Descriptor iotlb(std::uint64_t granularity, std::uint64_t domain = 0) {
    return descriptor(spec::descriptor_type::iotlb)
        .with(spec::iotlb_inv::g, granularity)
        .with(spec::iotlb_inv::dw, 1)
        .with(spec::iotlb_inv::dr, 1)
        .with(spec::iotlb_inv::did, domain);
}
inline Descriptor iotlb_global() { return iotlb(spec::iotlb_inv::g_global); }
inline Descriptor iotlb_domain(std::uint64_t domain) { return iotlb(spec::iotlb_inv::g_domain, domain); }
/// 2^address_mask pages. `hint`: only leaves have changed.
inline Descriptor iotlb_pages(std::uint64_t domain, std::uint64_t address, unsigned address_mask = 0,
                              bool hint = false) {
    return iotlb(spec::iotlb_inv::g_page, domain)
        .with(spec::iotlb_inv::am, address_mask)
        .with(spec::iotlb_inv::ih, hint)
        .at(spec::iotlb_inv::addr, address);
}

inline Descriptor p_iotlb_pasid(std::uint64_t domain, std::uint64_t pasid) {
    return descriptor(spec::descriptor_type::pasid_iotlb)
        .with(spec::p_iotlb_inv::g, spec::p_iotlb_inv::g_pasid)
        .with(spec::p_iotlb_inv::did, domain)
        .with(spec::p_iotlb_inv::pasid, pasid);
}
inline Descriptor p_iotlb_pages(std::uint64_t domain, std::uint64_t pasid, std::uint64_t address,
                                unsigned address_mask = 0, bool hint = false) {
    return p_iotlb_pasid(domain, pasid)
        .with(spec::p_iotlb_inv::g, spec::p_iotlb_inv::g_page)
        .with(spec::p_iotlb_inv::am, address_mask)
        .with(spec::p_iotlb_inv::ih, hint)
        .at(spec::p_iotlb_inv::addr, address);
}

inline Descriptor pc(std::uint64_t granularity, std::uint64_t domain = 0, std::uint64_t pasid = 0) {
    return descriptor(spec::descriptor_type::pasid_cache)
        .with(spec::pc_inv::g, granularity)
        .with(spec::pc_inv::did, domain)
        .with(spec::pc_inv::pasid, pasid);
}
inline Descriptor pc_global() { return pc(spec::pc_inv::g_global); }
inline Descriptor pc_domain(std::uint64_t domain) { return pc(spec::pc_inv::g_domain, domain); }
inline Descriptor pc_pasid(std::uint64_t domain, std::uint64_t pasid) {
    return pc(spec::pc_inv::g_pasid, domain, pasid);
}

/// The page of an address.
inline Descriptor device_tlb_page(std::uint64_t source, std::uint64_t address) {
    return descriptor(spec::descriptor_type::device_tlb)
        .with(spec::dev_tlb_inv::sid, source)
        .at(spec::dev_tlb_inv::addr, address);
}
inline Descriptor device_tlb_all(std::uint64_t source) {
    return device_tlb_page(source, spec::device_tlb_size::all_addresses).with(spec::dev_tlb_inv::s, 1);
}
inline Descriptor pasid_device_tlb_page(std::uint64_t source, std::uint64_t pasid, std::uint64_t address) {
    return descriptor(spec::descriptor_type::pasid_device_tlb)
        .with(spec::p_dev_tlb_inv::sid, source)
        .with(spec::p_dev_tlb_inv::pasid, pasid)
        .at(spec::p_dev_tlb_inv::addr, address);
}

inline Descriptor iec_global() { return descriptor(spec::descriptor_type::interrupt_entry_cache); }
inline Descriptor iec_index(std::uint64_t index) {
    return iec_global().with(spec::iec_inv::g, spec::iec_inv::g_index).with(spec::iec_inv::iidx, index);
}

inline Descriptor page_group_response(std::uint64_t source, std::uint64_t group, std::uint64_t code) {
    return descriptor(spec::descriptor_type::page_group_response)
        .with(spec::page_grp_resp::rid, source)
        .with(spec::page_grp_resp::prgi, group)
        .with(spec::page_grp_resp::rc, code);
}

/// Writes `data` to `address` when what came before is done.
inline Descriptor wait_with_status(std::uint64_t address, std::uint32_t data) {
    return descriptor(spec::descriptor_type::wait)
        .with(spec::inv_wait::sw, 1)
        .with(spec::inv_wait::data, data)
        .at(spec::inv_wait::addr, address);
}

} // namespace iommusim::vtd::test
