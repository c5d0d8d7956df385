// Client accesses between their first lookup and the moment they are observable downstream: what an
// invalidation must find to keep its promises.
//
// An invalidation marks the accesses that may be using what it removes. A marked access leaves nothing in any
// cache (its walk began before the invalidation), and a completion command waits until every access marked
// before it has left: exactly those, and no others.
#pragma once

#include "models/core/tag.h"
#include "models/core/wait.h"

#include <cassert>
#include <cstdint>

namespace iommusim {

/// Completion commands of one queue wait for the marks of their own queue.
inline constexpr unsigned drain_groups = 8;

/// Which accesses a completion command has to wait for: those of the group whose direction counts. What an
/// invalidation overtakes leaves nothing in a cache in any case.
struct DrainMark {
    constexpr DrainMark(unsigned g, bool r = true, bool w = true) : group(g), reads(r), writes(w) {}
    unsigned group;
    bool reads;
    bool writes;
};

class InflightTable {
public:
    /// One access. What it depends on becomes known on the way: the requester at once, the address space
    /// after the configuration, the extent of the page and whether it is global only at the end of the walk.
    /// Until then the widest possible extent stands in, and nothing is insisted on.
    class Entry {
    public:
        Entry() = default;
        Entry(const Entry&) = delete;
        ~Entry() {
            if (table_)
                table_->leave(*this);
        }

        Tag tag;
        Tag insists;                     ///< bits of the tag that an invalidation by address must agree with
        std::uint64_t address = 0;       ///< first input address of the translation it may use
        std::uint64_t last = 0;          ///< last input address, inclusive
        std::uint64_t table_address = 1; ///< first input address of the table descriptors it may have read
        std::uint64_t table_last = 0;    ///< last input address, inclusive; before the first: none
        bool has_translation = false;    ///< address-space bits of the tag, and the extents, are valid
        bool write = false;              ///< its direction
        bool stale = false;              ///< marked: must not fill any cache

        /// A completion command may be waiting for this access.
        bool marked() const { return groups_ != 0; }

    private:
        friend class InflightTable;
        InflightTable* table_ = nullptr;
        Entry* next_ = nullptr;
        Entry* previous_ = nullptr;
        std::uint32_t groups_ = 0;
    };

    explicit InflightTable(TimedQueue& queue) : drained_(queue) {}

    void enter(Entry& entry) {
        entry.table_ = this;
        entry.tag = Tag{};
        entry.insists = Tag{};
        entry.stale = false;
        entry.has_translation = false;
        entry.groups_ = 0;
        entry.previous_ = nullptr;
        entry.next_ = first_;
        if (first_)
            first_->previous_ = &entry;
        first_ = &entry;
        ++count_;
    }

    void leave(Entry& entry) {
        assert(entry.table_ == this);
        (entry.previous_ ? entry.previous_->next_ : first_) = entry.next_;
        if (entry.next_)
            entry.next_->previous_ = entry.previous_;
        entry.table_ = nullptr;
        --count_;
        if (entry.groups_ != 0) {
            for (unsigned g = 0; g < drain_groups; ++g)
                if (entry.groups_ & (1u << g))
                    --marked_[g];
            drained_.announce();
        }
    }

    /// Marks accesses that use a translation of the scope, whatever its address.
    void mark_scope(const DrainMark& how, const TagScope& scope) {
        for (Entry* e = first_; e; e = e->next_)
            if (e->has_translation && scope.covers(e->tag))
                mark(*e, how);
    }

    /// Marks accesses that use a translation of the scope overlapping [address, last]; with `tables` also
    /// walks that may have read a table descriptor for an address in there.
    void mark_range(const DrainMark& how, const TagScope& scope, std::uint64_t address, std::uint64_t last,
                    bool tables) {
        for (Entry* e = first_; e; e = e->next_) {
            if (!e->has_translation || !scope.covers(e->tag, e->insists))
                continue;
            const bool walks = tables && e->table_address <= e->table_last;
            if ((e->address <= last && e->last >= address) ||
                (walks && e->table_address <= last && e->table_last >= address))
                mark(*e, how);
        }
    }

    /// Marks accesses that use configuration of the scope (requester bits only).
    void mark_configuration(const DrainMark& how, const TagScope& scope) {
        for (Entry* e = first_; e; e = e->next_)
            if (scope.covers(e->tag))
                mark(*e, how);
    }

    /// Marks whatever is under way.
    void mark_all(const DrainMark& how) {
        for (Entry* e = first_; e; e = e->next_)
            mark(*e, how);
    }

    bool drained(unsigned group) const { return marked_[group] == 0; }
    /// Announced whenever a marked access has left: re-check drained().
    Condition& progress() { return drained_; }
    std::size_t count() const { return count_; }

private:
    void mark(Entry& entry, const DrainMark& how) {
        entry.stale = true;
        if ((entry.write ? how.writes : how.reads) && !(entry.groups_ & (1u << how.group))) {
            entry.groups_ |= 1u << how.group;
            ++marked_[how.group];
        }
    }

    Entry* first_ = nullptr;
    std::size_t count_ = 0;
    std::size_t marked_[drain_groups] = {};
    Condition drained_;
};

} // namespace iommusim
