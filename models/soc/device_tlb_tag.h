// To whom an entry of a device TLB belongs, and what an invalidation request names.
#pragma once

#include "models/base/bits.h"
#include "models/core/ats.h"
#include "models/core/requester.h"
#include "models/core/tag.h"

namespace iommusim::soc::device_tlb_tag {

// The owner word of a tag: who asks, in which address space, with which privilege. Permissions depend on the
// privilege, invalidations do not name it.
inline constexpr std::uint64_t requester_bits = low_bits(32);
inline constexpr std::uint64_t has_pasid_bit = 1ull << 32;
inline constexpr unsigned pasid_shift = 33;
inline constexpr std::uint64_t pasid_bits = low_bits(20) << pasid_shift;
inline constexpr std::uint64_t privileged_bit = 1ull << 53;

inline std::uint64_t owner_of(std::uint32_t id, bool has_pasid, std::uint32_t pasid) {
    return id | (has_pasid ? has_pasid_bit | (std::uint64_t{pasid} << pasid_shift & pasid_bits) : 0);
}

inline Tag tag_of(const Requester& r) {
    return Tag{0, owner_of(r.id, r.has_pasid, r.pasid) | (r.privileged ? privileged_bit : 0)};
}

/// What an invalidation request names: one address space of the function, or all that have a PASID.
inline TagScope scope_of(const AtsInvalidation& request) {
    const bool has_pasid = request.has_pasid || request.global;
    const std::uint64_t mask = requester_bits | has_pasid_bit | (request.global ? 0 : pasid_bits);
    return TagScope{Tag{0, owner_of(request.requester, has_pasid, request.pasid)}, Tag{0, mask}};
}

} // namespace iommusim::soc::device_tlb_tag
