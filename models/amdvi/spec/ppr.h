// AMD-Vi: the entries of the peripheral page request log, after the section "PPR Log" of AMD's I/O
// virtualization technology specification. Layouts only. Two 64-bit little-endian words; positions count over
// both. C++17.
#pragma once

#include "../../base/bits.h"

#include <cstdint>

namespace iommusim::amdvi::spec {

/// "PAGE_SERVICE_REQUEST".
namespace ppr {
inline constexpr unsigned words = 2;
inline constexpr std::uint64_t bytes = 16;
inline constexpr Field device_id = bits(15, 0);
inline constexpr Field pasid_15_0 = bits(31, 16);
inline constexpr Field tag = bits(41, 32); ///< page request group index
inline constexpr Field pasid_19_16 = bits(45, 42);
inline constexpr Field execute = bit(49);
inline constexpr Field read = bit(50);
inline constexpr Field write = bit(53);
inline constexpr Field user = bit(54);
inline constexpr Field reserved_bit = bit(55);
inline constexpr Field gn = bit(56); ///< PASID valid
inline constexpr Field code = bits(63, 60);
inline constexpr std::uint64_t code_page_service_request = 1;
inline constexpr Field address = bits(127, 64);

constexpr void set_pasid(std::uint64_t* entry, std::uint32_t pasid) {
    pasid_15_0.set(entry, pasid);
    pasid_19_16.set(entry, pasid >> 16);
}
constexpr std::uint32_t pasid(const std::uint64_t* entry) {
    return static_cast<std::uint32_t>(pasid_15_0.get(entry) | pasid_19_16.get(entry) << 16);
}
} // namespace ppr

/// Response codes of COMPLETE_PPR_REQUEST.
namespace ppr_response {
inline constexpr unsigned success = 0x0;
inline constexpr unsigned invalid_request = 0x1;
inline constexpr unsigned response_failure = 0xF;
} // namespace ppr_response

} // namespace iommusim::amdvi::spec
