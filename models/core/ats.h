// PCIe Address Translation Services between an IOMMU and the devices below it: invalidation requests and
// their completions, page requests and their responses, the format of translation completions. The same for
// all architectures (PCI Express Base Specification, chapter 10). C++17: included by foreign virtual
// platforms.
#pragma once

#include "../base/time.h"

#include <cstdint>
#include <systemc>
#include <tlm>

namespace iommusim {

/// An Invalidate Request message.
struct AtsInvalidation {
    std::uint32_t requester = 0;
    bool has_pasid = false;
    std::uint32_t pasid = 0;
    bool global = false;        ///< every PASID of the function
    std::uint64_t first = 0;    ///< untranslated address, aligned to the range
    std::uint64_t last = ~0ull; ///< inclusive; 0 to ~0: everything
    unsigned itag = 0;          ///< 0 to 31
};

/// A Page Request message.
struct AtsPageRequest {
    std::uint32_t requester = 0;
    bool has_pasid = false;
    std::uint32_t pasid = 0;
    std::uint64_t address = 0; ///< of the page
    bool read = false;
    bool write = false;
    bool execute = false;
    bool privileged = false;
    bool last = false;  ///< last request of the group
    unsigned group = 0; ///< page request group index, 9 bits
};

/// A PRG Response message.
struct AtsPageResponse {
    enum Code : std::uint8_t { success = 0, invalid_request = 1, response_failure = 15 };
    std::uint32_t requester = 0;
    bool has_pasid = false;
    std::uint32_t pasid = 0;
    unsigned group = 0;
    Code code = success;
};

/// The devices as an IOMMU sees them. Messages to nobody are lost.
class AtsDevicesIf : public virtual sc_core::sc_interface {
public:
    /// Arrives `delay` from now; the completion comes through AtsUnitIf, or never.
    virtual void invalidate(const AtsInvalidation& request, Picoseconds delay) = 0;
    virtual void respond(const AtsPageResponse& response, Picoseconds delay) = 0;
};

/// The IOMMU as devices see it.
class AtsUnitIf : public virtual sc_core::sc_interface {
public:
    /// An Invalidate Completion message arrives `delay` from now: bit n of `itags` stands for request n.
    /// Accesses of the device that used what was invalidated have been sent before.
    virtual void invalidation_completed(std::uint32_t requester, std::uint32_t itags, Picoseconds delay) = 0;
    virtual void page_requested(const AtsPageRequest& request, Picoseconds delay) = 0;
};

/// One entry of the data of a translation completion: what a read with AddressType::translation_request
/// returns, 8 bytes for each page asked for. Little-endian here.
namespace ats_completion {
inline constexpr std::uint64_t address_mask = ~0xfffull;
inline constexpr std::uint64_t size = 1ull << 11; ///< S: larger than 4 KiB, encoded in the low address bits
inline constexpr std::uint64_t no_snoop = 1ull << 10;
inline constexpr std::uint64_t global = 1ull << 5;
inline constexpr std::uint64_t privileged = 1ull << 4;
inline constexpr std::uint64_t execute = 1ull << 3;
inline constexpr std::uint64_t untranslated_only = 1ull << 2;
inline constexpr std::uint64_t write = 1ull << 1;
inline constexpr std::uint64_t read = 1ull << 0;

/// A translated address and the log2 of the bytes from there that it holds for (12 or more).
constexpr std::uint64_t encode_address(std::uint64_t address, unsigned size_log2) {
    const std::uint64_t base = address & ~((1ull << size_log2) - 1);
    return size_log2 == 12 ? base : base | (((1ull << (size_log2 - 1)) - 1) & address_mask) | size;
}
constexpr unsigned size_log2(std::uint64_t entry) {
    if ((entry & size) == 0)
        return 12;
    unsigned n = 13;
    while (n < 63 && (entry >> (n - 1) & 1))
        ++n;
    return n;
}
constexpr std::uint64_t address(std::uint64_t entry) {
    return (entry & address_mask) & ~((1ull << size_log2(entry)) - 1);
}

/// A translation request without completion data is answered with this status if it is an Unsupported Request
/// (ATS is not enabled for the requester: its accesses go untranslated); every other error is a Completer
/// Abort.
inline constexpr tlm::tlm_response_status unsupported_request = tlm::TLM_COMMAND_ERROR_RESPONSE;
} // namespace ats_completion

} // namespace iommusim
