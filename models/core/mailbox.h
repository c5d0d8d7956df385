// Messages on their way to a module: each is handed to its owner at its time, equal times in the order of
// posting. Stops allocating once it has seen the greatest number under way.
#pragma once

#include "models/core/timed_queue.h"

#include <deque>

namespace iommusim {

template <class Owner, class Message, void (Owner::*deliver)(const Message&)> class Mailbox {
public:
    Mailbox(TimedQueue& queue, Owner& owner) : queue_(queue), owner_(owner) {}
    Mailbox(const Mailbox&) = delete;

    /// Arrives `delay` from now, never inside this call.
    void post(const Message& message, Picoseconds delay) {
        Item* item = unused_;
        if (item)
            unused_ = item->next_unused;
        else
            item = &items_.emplace_back();
        item->box = this;
        item->message = message;
        queue_.schedule(now() + delay, arrived, item);
    }

private:
    struct Item {
        Mailbox* box = nullptr;
        Item* next_unused = nullptr;
        Message message{};
    };

    static void arrived(void* argument) {
        Item& item = *static_cast<Item*>(argument);
        Mailbox& box = *item.box;
        const Message message = item.message;
        item.next_unused = box.unused_;
        box.unused_ = &item;
        (box.owner_.*deliver)(message);
    }

    TimedQueue& queue_;
    Owner& owner_;
    std::deque<Item> items_;
    Item* unused_ = nullptr;
};

} // namespace iommusim
