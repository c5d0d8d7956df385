// Misses under way, so that others of the same page and requester wait for the first instead of walking too.
#pragma once

#include "models/core/wait.h"

#include <cstdint>

namespace iommusim {

class MissTable {
public:
    explicit MissTable(TimedQueue& queue) : queue_(queue) {}
    MissTable(const MissTable&) = delete;

    /// One miss; lives in the walking process.
    class Miss {
    public:
        Miss(MissTable& table, std::uint64_t page, std::uint64_t owner)
            : page_(page), owner_(owner), table_(table), done_(table.queue_) {
            next_ = table.first_;
            table.first_ = this;
        }
        Miss(const Miss&) = delete;
        ~Miss() {
            Miss** link = &table_.first_;
            while (*link != this)
                link = &(*link)->next_;
            *link = next_;
            if (!table_.queue_.closed())
                done_.announce();
        }
        /// Announced when the walk is over.
        Condition& done() { return done_; }

    private:
        friend class MissTable;
        std::uint64_t page_;
        std::uint64_t owner_;
        MissTable& table_;
        Miss* next_;
        Condition done_;
    };

    /// The miss under way for a page of a requester, if any.
    Miss* find(std::uint64_t page, std::uint64_t owner) const {
        for (Miss* m = first_; m; m = m->next_)
            if (m->page_ == page && m->owner_ == owner)
                return m;
        return nullptr;
    }

    std::uint64_t merged = 0; ///< accesses that waited for another one's walk

private:
    TimedQueue& queue_;
    Miss* first_ = nullptr;
};

} // namespace iommusim
