#include "models/vtd/invalidation_descriptors.h"

#include "models/vtd/spec/page_request.h"

namespace iommusim::vtd {

using namespace spec;

namespace {

/// Whether the unit knows the type at all. Those with a PASID belong to scalable mode.
bool available(const Features& features, unsigned type) {
    switch (type) {
    case descriptor_type::context_cache:
    case descriptor_type::iotlb:
    case descriptor_type::wait:
        return true;
    case descriptor_type::device_tlb:
        return features.device_tlb;
    case descriptor_type::interrupt_entry_cache:
        return features.interrupt_remapping;
    case descriptor_type::pasid_iotlb:
    case descriptor_type::pasid_cache:
        return features.scalable_mode;
    case descriptor_type::pasid_device_tlb:
        return features.scalable_mode && features.device_tlb;
    case descriptor_type::page_group_response:
        return features.page_requests;
    default:
        return false;
    }
}

struct Reserved {
    std::uint64_t word0;
    std::uint64_t word1;
};

Reserved reserved_bits(const Features& features, unsigned type) {
    switch (type) {
    case descriptor_type::context_cache:
        return {cc_inv::reserved0, cc_inv::reserved1};
    case descriptor_type::iotlb:
        return {iotlb_inv::reserved0, iotlb_inv::reserved1};
    case descriptor_type::device_tlb:
        return {dev_tlb_inv::reserved0, dev_tlb_inv::reserved1};
    case descriptor_type::interrupt_entry_cache:
        return {iec_inv::reserved0, iec_inv::reserved1};
    case descriptor_type::wait:
        return {inv_wait::reserved0 | (features.page_request_drain ? 0 : inv_wait::pd.mask()),
                inv_wait::reserved1};
    case descriptor_type::pasid_iotlb:
        return {p_iotlb_inv::reserved0, p_iotlb_inv::reserved1};
    case descriptor_type::pasid_cache:
        return {pc_inv::reserved0, pc_inv::reserved1};
    case descriptor_type::pasid_device_tlb:
        return {p_dev_tlb_inv::reserved0, p_dev_tlb_inv::reserved1};
    default:
        return {page_grp_resp::reserved0, page_grp_resp::reserved1};
    }
}

/// Reserved encodings, and values above the limits in the capability registers.
bool legal_values(const Features& features, unsigned type, const std::uint64_t* words) {
    switch (type) {
    case descriptor_type::context_cache:
        return cc_inv::g.get(words) != cc_inv::g_reserved;
    case descriptor_type::iotlb: {
        const std::uint64_t g = iotlb_inv::g.get(words);
        if (g == iotlb_inv::g_page && features.page_selective_invalidation)
            return iotlb_inv::am.get(words) <= features.max_address_mask;
        return g != iotlb_inv::g_reserved;
    }
    case descriptor_type::interrupt_entry_cache:
        return iec_inv::g.get(words) == iec_inv::g_global ||
               iec_inv::im.get(words) <= features.max_interrupt_mask;
    case descriptor_type::pasid_iotlb:
        return p_iotlb_inv::g.get(words) >= p_iotlb_inv::g_pasid;
    case descriptor_type::pasid_cache:
        return pc_inv::g.get(words) != pc_inv::g_reserved;
    default:
        return true;
    }
}

bool legal_mode(const Features& features, unsigned mode) {
    switch (mode) {
    case rtaddr::ttm_legacy:
        return true;
    case rtaddr::ttm_scalable:
        return features.scalable_mode;
    case rtaddr::ttm_abort:
        return features.abort_mode;
    default:
        return false;
    }
}

} // namespace

unsigned descriptor_error(const Features& features, unsigned mode, bool wide, const std::uint64_t* words) {
    if (!legal_mode(features, mode))
        return iqercd::iqei_invalid_ttm;
    if (mode == rtaddr::ttm_scalable && !wide)
        return iqercd::iqei_invalid_width;
    const unsigned type = descriptor::type(words[0]);
    if (!available(features, type) || (descriptor_type::needs_256_bits(type) && !wide))
        return iqercd::iqei_invalid_type;
    const Reserved reserved = reserved_bits(features, type);
    const std::uint64_t upper_half = wide ? words[2] | words[3] : 0;
    if (((words[0] & reserved.word0) | (words[1] & reserved.word1) | upper_half) != 0 ||
        !legal_values(features, type, words))
        return iqercd::iqei_reserved_field;
    return iqercd::iqei_none;
}

CommandContext descriptor_context(const Features& features, const std::uint64_t* words, std::uint32_t index,
                                  unsigned drain_group) {
    const unsigned type = descriptor::type(words[0]);
    CommandContext context{descriptor_name(type), index, drain_group};
    if (type == descriptor_type::iotlb && features.version_major < 2) {
        context.drain_reads = features.read_draining && iotlb_inv::dr.get(words) != 0;
        context.drain_writes = features.write_draining && iotlb_inv::dw.get(words) != 0;
    }
    return context;
}

PageRange page_range(std::uint64_t address, unsigned address_mask) {
    if (address_mask >= 52)
        return {0, ~0ull};
    const std::uint64_t size = 4096ull << address_mask;
    const std::uint64_t first = align_down(address, size);
    return {first, first + (size - 1)};
}

ContextInvalidation decode_cc_inv(const std::uint64_t* words) {
    using Kind = ContextInvalidation::Kind;
    ContextInvalidation what;
    const std::uint64_t g = cc_inv::g.get(words);
    what.kind = g == cc_inv::g_device ? Kind::device : g == cc_inv::g_domain ? Kind::domain : Kind::global;
    what.domain = static_cast<std::uint16_t>(cc_inv::did.get(words));
    what.source = static_cast<std::uint16_t>(cc_inv::sid.get(words));
    what.function_mask = static_cast<unsigned>(cc_inv::fm.get(words));
    return what;
}

IotlbInvalidation decode_iotlb_inv(const Features& features, const std::uint64_t* words) {
    using Kind = IotlbInvalidation::Kind;
    IotlbInvalidation what;
    const std::uint64_t g = iotlb_inv::g.get(words);
    if (g == iotlb_inv::g_global)
        return what;
    what.domain = static_cast<std::uint16_t>(iotlb_inv::did.get(words));
    what.kind = Kind::domain; // also what a unit without PSI makes of a page-selective one
    if (g == iotlb_inv::g_page && features.page_selective_invalidation) {
        const PageRange range =
            page_range(iotlb_inv::addr.in_place(words), static_cast<unsigned>(iotlb_inv::am.get(words)));
        what.kind = Kind::pages;
        what.first = range.first;
        what.last = range.last;
        what.leaf_only = iotlb_inv::ih.get(words) != 0;
    }
    return what;
}

InterruptEntryInvalidation decode_iec_inv(const std::uint64_t* words) {
    InterruptEntryInvalidation what;
    if (iec_inv::g.get(words) == iec_inv::g_global)
        return what;
    what.global = false;
    what.count = 1u << iec_inv::im.get(words);
    what.first = static_cast<std::uint32_t>(align_down(iec_inv::iidx.get(words), what.count));
    return what;
}

IotlbInvalidation decode_p_iotlb_inv(const std::uint64_t* words) {
    using Kind = IotlbInvalidation::Kind;
    IotlbInvalidation what;
    what.kind = Kind::pasid;
    what.domain = static_cast<std::uint16_t>(p_iotlb_inv::did.get(words));
    what.pasid = static_cast<std::uint32_t>(p_iotlb_inv::pasid.get(words));
    if (p_iotlb_inv::g.get(words) == p_iotlb_inv::g_page) {
        const PageRange range =
            page_range(p_iotlb_inv::addr.in_place(words), static_cast<unsigned>(p_iotlb_inv::am.get(words)));
        what.kind = Kind::pasid_pages;
        what.first = range.first;
        what.last = range.last;
        what.leaf_only = p_iotlb_inv::ih.get(words) != 0;
    }
    return what;
}

PasidInvalidation decode_pc_inv(const std::uint64_t* words) {
    using Kind = PasidInvalidation::Kind;
    const std::uint64_t g = pc_inv::g.get(words);
    PasidInvalidation what;
    what.kind = g == pc_inv::g_global ? Kind::global : g == pc_inv::g_pasid ? Kind::pasid : Kind::domain;
    what.domain = static_cast<std::uint16_t>(pc_inv::did.get(words));
    what.pasid = static_cast<std::uint32_t>(pc_inv::pasid.get(words));
    return what;
}

DeviceTlbInvalidation decode_device_tlb(const std::uint64_t* words) {
    const bool with_pasid = descriptor::type(words[0]) == descriptor_type::pasid_device_tlb;
    DeviceTlbInvalidation what;
    AtsInvalidation& request = what.request;
    const Field sid = with_pasid ? p_dev_tlb_inv::sid : dev_tlb_inv::sid;
    const Field mip = with_pasid ? p_dev_tlb_inv::mip : dev_tlb_inv::mip;
    const Field s = with_pasid ? p_dev_tlb_inv::s : dev_tlb_inv::s;
    request.requester = static_cast<std::uint32_t>(sid.get(words));
    if (with_pasid) {
        request.has_pasid = true;
        request.global = p_dev_tlb_inv::g.get(words) != 0;
        request.pasid = request.global ? 0 : static_cast<std::uint32_t>(p_dev_tlb_inv::pasid.get(words));
    }
    const std::uint64_t address = dev_tlb_inv::addr.in_place(words); // in the same place in both
    const PageRange range = page_range(address, device_tlb_size::log2_bytes(address, s.get(words)) - 12);
    request.first = range.first;
    request.last = range.last;
    what.flow = AtsInvalidator::Flow{request.requester, static_cast<unsigned>(mip.get(words))};
    return what;
}

AtsPageResponse decode_page_grp_resp(const std::uint64_t* words) {
    AtsPageResponse response;
    response.requester = static_cast<std::uint32_t>(page_grp_resp::rid.get(words));
    response.has_pasid = page_grp_resp::pp.get(words) != 0;
    response.pasid = response.has_pasid ? static_cast<std::uint32_t>(page_grp_resp::pasid.get(words)) : 0;
    response.group = static_cast<unsigned>(page_grp_resp::prgi.get(words));
    switch (page_grp_resp::rc.get(words)) {
    case page_response::success:
        response.code = AtsPageResponse::success;
        break;
    case page_response::invalid_request:
        response.code = AtsPageResponse::invalid_request;
        break;
    default: // reserved codes: the page request interface counts them as a failure
        response.code = AtsPageResponse::response_failure;
        break;
    }
    return response;
}

} // namespace iommusim::vtd
