// What the root, context and PASID tables say about one requester: decoded, checked, ready to cache; and how
// this architecture uses the bits of a tag.
#pragma once

#include "models/core/tag.h"

#include <cstdint>

namespace iommusim::vtd {

namespace tag {
// Tag::context: whose address space
inline constexpr std::uint64_t domain_mask = 0xffff;
inline constexpr unsigned pasid_shift = 16;
inline constexpr std::uint64_t pasid_mask = 0xf'ffffull << pasid_shift;
/// Which rules of invalidation apply; exactly one of the three is set.
inline constexpr std::uint64_t second_stage = 1ull << 36;
inline constexpr std::uint64_t first_stage = 1ull << 37; ///< nested as well
inline constexpr std::uint64_t pass_through = 1ull << 38;
inline constexpr std::uint64_t kind_mask = second_stage | first_stage | pass_through;
inline constexpr std::uint64_t global = 1ull << 39; ///< first-stage page with G = 1
/// Of an interrupt request under way: uses the interrupt remapping table, no address space.
inline constexpr std::uint64_t interrupt_request = 1ull << 40;

// Tag::owner: who asks
inline constexpr std::uint64_t source_mask = 0xffff;
inline constexpr unsigned owner_pasid_shift = 16;
inline constexpr std::uint64_t owner_pasid_mask = 0xf'ffffull << owner_pasid_shift;
inline constexpr std::uint64_t has_pasid = 1ull << 36;
inline constexpr std::uint64_t translated = 1ull << 37; ///< the device's TLB has translated the address
/// Domain that the configuration named, for domain-selective context and PASID-cache invalidation.
inline constexpr unsigned owner_domain_shift = 40;
inline constexpr std::uint64_t owner_domain_mask = 0xffffull << owner_domain_shift;

/// Scopes that cost O(1): "all entries of ..."
inline constexpr ScopeKind of_domain{domain_mask, 0};
inline constexpr ScopeKind of_domain_kind{domain_mask | kind_mask, 0};
/// First-stage, nested or pass-through entries of a PASID that are not global: value has second_stage = 0.
inline constexpr ScopeKind of_pasid{domain_mask | pasid_mask | second_stage | global, 0};
inline constexpr ScopeKind of_source{0, source_mask};
inline constexpr ScopeKind of_owner_domain{0, owner_domain_mask};
inline constexpr ScopeKind of_owner_domain_pasid{0, owner_domain_mask | owner_pasid_mask};

inline std::uint64_t owner(std::uint32_t source, bool with_pasid, std::uint32_t pasid) {
    return (source & source_mask) |
           (with_pasid ? has_pasid | (std::uint64_t{pasid} << owner_pasid_shift) : 0);
}
} // namespace tag

/// All interrupt requests under way.
inline constexpr TagScope interrupt_requests{Tag{tag::interrupt_request, 0}, Tag{tag::interrupt_request, 0}};

struct Configuration {
    enum class Kind : std::uint8_t {
        fault,        ///< the structures are illegal, not present or cannot be read: `reason` says how
        abort,        ///< abort-DMA mode: refused without a record
        pass_through, ///< output equals input
        first_stage,
        second_stage,
        nested,
    };

    Kind kind = Kind::abort;
    std::uint8_t reason = 0;        ///< fault reason code, valid for Kind::fault
    bool no_record = false;         ///< FPD: qualified faults are not recorded
    bool cacheable = true;          ///< may stay in a cache (a fault only with CM = 1)
    std::uint16_t domain = 0;       ///< 0 for entries that are not present (CM = 1)
    std::uint32_t pasid = 0;        ///< of the PASID table entry in use (RID_PASID without one)
    bool scalable = false;          ///< faults have scalable-mode codes
    bool device_tlb = false;        ///< translation requests and translated requests are allowed
    bool page_requests = false;     ///< PRE
    std::uint8_t second_levels = 0; ///< 3 to 5
    std::uint8_t first_levels = 0;  ///< 4 or 5
    std::uint64_t second_root = 0;
    std::uint64_t first_root = 0;
    bool second_accessed_dirty = false; ///< SSADE
    bool snoop_walk = true;             ///< tables are read coherently (ECAP.C or PWSNP)
    bool force_snoop = false;           ///< PGSNP
    bool supervisor = false;            ///< SRE
    bool privileged = false;            ///< RID_PRIV: requests without PASID count as privileged
    bool write_protect = false;         ///< WPE
    bool extended_accessed = false;     ///< EAFE

    bool translates() const { return kind >= Kind::first_stage; }
    std::uint64_t context_tag() const {
        switch (kind) {
        case Kind::second_stage:
            return domain | tag::second_stage;
        case Kind::first_stage:
        case Kind::nested:
            return domain | (std::uint64_t{pasid} << tag::pasid_shift) | tag::first_stage;
        default:
            return domain | (std::uint64_t{pasid} << tag::pasid_shift) | tag::pass_through;
        }
    }
};

} // namespace iommusim::vtd
