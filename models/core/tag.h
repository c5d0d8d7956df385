// What a cached object belongs to, in a form that every architecture fills in for itself: two 64-bit words
// whose bits an architecture assigns (ASID, VMID, world, global; stream id, PASID, ...). An entry carries a
// mask of the bits that a lookup must agree on; an invalidation carries a mask of the bits that it names.
#pragma once

#include <cstdint>

namespace iommusim {

struct Tag {
    std::uint64_t context = 0; ///< address-space identity
    std::uint64_t owner = 0;   ///< requester identity

    bool operator==(const Tag& other) const { return context == other.context && owner == other.owner; }
};

/// A set of tags: those that agree with `value` on the bits of `mask`.
struct TagScope {
    Tag value;
    Tag mask;

    static TagScope everything() { return {}; }

    bool covers(const Tag& tag) const {
        return (((tag.context ^ value.context) & mask.context) | ((tag.owner ^ value.owner) & mask.owner)) ==
               0;
    }
    /// As covers(), but bits on which the entry itself does not insist agree with anything: a global page
    /// matches whatever ASID an address invalidation names.
    bool covers(const Tag& tag, const Tag& insists) const {
        return (((tag.context ^ value.context) & mask.context & insists.context) |
                ((tag.owner ^ value.owner) & mask.owner & insists.owner)) == 0;
    }
};

/// Several scopes of one kind differ only in their values: "all entries of one ASID" is a kind.
using ScopeKind = Tag;

} // namespace iommusim
