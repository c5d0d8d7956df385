// What the words of an invalidation descriptor say, and whether they are legal (VT-d specification, chapter
// 6.5.2). Without time and without effects.
#pragma once

#include "models/core/ats.h"
#include "models/core/ats_invalidator.h"
#include "models/vtd/feature_set.h"
#include "models/vtd/invalidation.h"
#include "models/vtd/spec/descriptors.h"

#include <cstdint>

namespace iommusim::vtd {

/// Why the queue stops at this descriptor, as a spec::iqercd code; iqei_none if it is legal. `mode` is the
/// translation table mode in effect, `wide` that descriptors have 256 bits.
unsigned descriptor_error(const Features& features, unsigned mode, bool wide, const std::uint64_t* words);

/// The drain bits count in IOTLB descriptors of hardware below version 2; everything else drains both.
CommandContext descriptor_context(const Features& features, const std::uint64_t* words, std::uint32_t index,
                                  unsigned drain_group);

ContextInvalidation decode_cc_inv(const std::uint64_t* words);
IotlbInvalidation decode_iotlb_inv(const Features& features, const std::uint64_t* words);
InterruptEntryInvalidation decode_iec_inv(const std::uint64_t* words);
IotlbInvalidation decode_p_iotlb_inv(const std::uint64_t* words);
PasidInvalidation decode_pc_inv(const std::uint64_t* words);
AtsPageResponse decode_page_grp_resp(const std::uint64_t* words);

/// Either Device-TLB descriptor.
struct DeviceTlbInvalidation {
    AtsInvalidation request;
    AtsInvalidator::Flow flow; ///< MIP of the function: there is no PFSID without ECAP.DIT
};
DeviceTlbInvalidation decode_device_tlb(const std::uint64_t* words);

/// The first and last address of 2^address_mask pages around `address`.
struct PageRange {
    std::uint64_t first;
    std::uint64_t last;
};
PageRange page_range(std::uint64_t address, unsigned address_mask);

} // namespace iommusim::vtd
