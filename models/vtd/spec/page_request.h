// Intel VT-d page requests, after the chapters "Support For Device-TLBs" and "Address Translation Faults"
// (section "Recoverable Fault Reporting") of the VT-d architecture specification. Layouts only. Positions
// count over the whole descriptor of four 64-bit little-endian words. C++17.
#pragma once

#include "../../base/bits.h"

#include <cstdint>

namespace iommusim::vtd::spec {

/// "Page Request Descriptor", as the unit writes it to the page request queue. Words 2 and 3 are reserved.
namespace page_request {
inline constexpr unsigned words = 4;
inline constexpr std::uint64_t bytes = 32;
inline constexpr Field type = bits(7, 0);
inline constexpr std::uint64_t type_page_request = 0x01;
inline constexpr Field pp = bit(8); ///< PASID present
inline constexpr Field rid = bits(31, 16);
inline constexpr Field pasid = bits(51, 32);
inline constexpr Field exr = bit(52);        ///< execute requested
inline constexpr Field pmr = bit(53);        ///< privileged mode requested
inline constexpr Field rd = bit(64);         ///< read access requested
inline constexpr Field wr = bit(65);         ///< write access requested
inline constexpr Field lpig = bit(66);       ///< last page in group; with RD = WR = 0 a stop marker
inline constexpr Field prgi = bits(75, 67);  ///< page request group index
inline constexpr Field addr = bits(127, 76); ///< in place
} // namespace page_request

/// Response codes of page group responses.
namespace page_response {
inline constexpr unsigned success = 0x0;
inline constexpr unsigned invalid_request = 0x1;
inline constexpr unsigned response_failure = 0xF;
} // namespace page_response

} // namespace iommusim::vtd::spec
