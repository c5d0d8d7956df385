// What an invalidation names, decoded from a descriptor or from the CCMD and IOTLB registers
// (VT-d specification, chapter 6.5).
#pragma once

#include "models/core/inflight.h"
#include "models/core/probe.h"

#include <cstdint>

namespace iommusim::vtd {

/// Which command an effect belongs to.
struct CommandContext {
    const char* name;
    std::uint32_t index;  ///< queue position; ~0 for the registers
    unsigned drain_group; ///< marks in the in-flight table go here
    bool drain_reads = true;
    bool drain_writes = true;

    DrainMark mark() const { return DrainMark(drain_group, drain_reads, drain_writes); }
};

/// Drain groups of the in-flight table: the queue uses those below, one for each wait descriptor's share.
inline constexpr unsigned register_drain_group = drain_groups - 1;

struct ContextInvalidation {
    enum class Kind : std::uint8_t { global, domain, device } kind = Kind::global;
    std::uint16_t domain = 0;
    std::uint16_t source = 0;
    unsigned function_mask = 0; ///< FM code, see spec::function_mask()
};

struct PasidInvalidation {
    enum class Kind : std::uint8_t { global, domain, pasid } kind = Kind::global;
    std::uint16_t domain = 0;
    std::uint32_t pasid = 0;
};

/// IOTLB and PASID-based IOTLB invalidation.
struct IotlbInvalidation {
    enum class Kind : std::uint8_t {
        global,
        domain,
        pages,       ///< second-stage pages of a domain; everything first-stage or nested of that domain
        pasid,       ///< everything first-stage, nested or pass-through of a domain and PASID
        pasid_pages, ///< pages of a domain and PASID
    } kind = Kind::global;
    std::uint16_t domain = 0;
    std::uint32_t pasid = 0;
    std::uint64_t first = 0;    ///< of the aligned range
    std::uint64_t last = ~0ull; ///< inclusive
    bool leaf_only = false;     ///< IH: paging-structure caches may stay
};

struct InterruptEntryInvalidation {
    bool global = true;
    std::uint32_t first = 0; ///< index
    std::uint32_t count = 0;
};

/// The rest of the unit as invalidation commands see it. Effects are immediate; the time is the caller's.
class InvalidationTarget {
public:
    virtual ~InvalidationTarget() = default;
    /// Returns the places looked at.
    virtual std::uint64_t invalidate(const IotlbInvalidation& what, const CommandContext& context) = 0;
    virtual void invalidate(const ContextInvalidation& what, const CommandContext& context) = 0;
    virtual void invalidate(const PasidInvalidation& what, const CommandContext& context) = 0;
    virtual void invalidate(const InterruptEntryInvalidation& what, const CommandContext& context) = 0;
    /// The device has completed Device-TLB invalidations: writes with addresses that it translated itself and
    /// that are still under way are marked; its reads have ended before.
    virtual void device_tlb_invalidated(std::uint16_t source, const DrainMark& mark) = 0;

    virtual Probe* probe() const = 0;
};

} // namespace iommusim::vtd
