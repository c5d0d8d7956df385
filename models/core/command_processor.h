// A unit's consumer of a command ring: doorbells on their way, fetching in bursts, one command after the
// other, idling, stopping at an error and going on after it. What a command means, when the consumer index
// may move on and how an error looks is the architecture's.
#pragma once

#include "models/core/ring.h"
#include "models/core/wait.h"

#include <algorithm>
#include <cstdint>
#include <deque>

namespace iommusim {

/// One command with the moments that the latency breakdown asks for.
struct FetchedCommand {
    static constexpr unsigned maximum_words = 4;
    std::uint64_t words[maximum_words]; ///< as many as the ring's entries have
    std::uint32_t index;                ///< its position
    Picoseconds fetched;                ///< its bytes had arrived
    Picoseconds started;                ///< it is taken up
};

/// `Queue` derives from this and has, reachable from here:
///   bool enabled() const                 the queue takes commands; fetches under way are void otherwise
///   bool runnable() const                there is a command and nothing forbids to take it up
///   unsigned fetch_burst() const         commands to read at once
///   Picoseconds doorbell_latency() const from the arrival of a producer index to the first fetch
///   bool accept(std::uint32_t producer)  a producer index arrives; false: it is not taken over
///   void show(std::uint32_t consumer)    makes the consumer index visible to software
///   void fetch_failed()                  the command at consumer() cannot be read
///   Task<Done> execute(Pace&, const FetchedCommand&)
///                                        carries the command out, or stops the queue with an error; moves on
///                                        with consume(); what the pace is ahead then is the way of the last
///                                        acknowledgement, which overlaps with the next fetch
template <class Queue> class CommandProcessor {
public:
    ProcessList& processes() { return processes_; }

    /// A command is being fetched or carried out.
    bool busy() const { return busy_; }
    /// Announced when busy() becomes false.
    Condition& became_idle() { return became_idle_; }

    /// The producer index was written and arrives `delay` from now.
    void doorbell(std::uint32_t producer, Picoseconds delay) {
        doorbells_.push_back(producer);
        queue_.schedule(now() + delay, doorbell_arrived, this);
    }
    /// Consumption may go on `delay` from now.
    void resume(Picoseconds delay) { queue_.schedule(now() + delay, resumed, this); }

    std::uint64_t consumed() const { return consumed_; }
    std::uint64_t fetches() const { return fetches_; }

protected:
    CommandProcessor(MemoryPort& memory, TimedQueue& queue, ProcessList& processes)
        : ring_(memory), queue_(queue), processes_(processes), work_(queue), became_idle_(queue) {}

    /// Runs from now on until the module ends. Once, at the end of the constructor of Queue.
    void start() { run().resume(); } // up to its first wait

    /// Takes over a ring and its indices.
    void configure(const RingGeometry& geometry, std::uint32_t producer, std::uint32_t consumer) {
        ring_.configure(geometry);
        producer_ = producer;
        consumer_ = published_ = consumer;
        work_.announce();
    }
    /// What was fetched or is being fetched is void.
    void abandon() { ring_.abandon(); }
    /// Forgets commands fetched ahead: they will be read again.
    void drop() { ring_.drop(); }

    std::uint32_t producer() const { return producer_; } ///< as far as doorbells have arrived
    std::uint32_t consumer() const { return consumer_; } ///< next command to take up
    std::uint32_t published() const { return published_; }
    const RingGeometry& geometry() const { return ring_.geometry(); }
    /// The command at `index` is done as far as fetching is concerned.
    void consume(std::uint32_t index) {
        consumer_ = ring_.geometry().advance(index);
        ++consumed_;
    }
    /// Shows the consumer index unless it is visible.
    void publish(std::uint32_t consumer) {
        if (published_ == consumer)
            return;
        published_ = consumer;
        self().show(consumer);
    }
    TimedQueue& queue() const { return queue_; }

private:
    Queue& self() { return static_cast<Queue&>(*this); }

    static void doorbell_arrived(void* processor) {
        CommandProcessor& p = *static_cast<CommandProcessor*>(processor);
        const std::uint32_t producer = p.doorbells_.front();
        p.doorbells_.pop_front();
        if (!p.self().accept(producer))
            return;
        p.producer_ = producer;
        p.work_.announce();
    }
    static void resumed(void* processor) { static_cast<CommandProcessor*>(processor)->work_.announce(); }

    Process run() {
        Pace pace(Pacing::timed, queue_);
        unsigned burst = self().fetch_burst();
        for (;;) {
            if (!self().runnable()) {
                if (published_ != consumer_ && (self().enabled() || busy_)) {
                    co_await pace.settle(); // the acknowledgement of the last command
                    publish(consumer_);
                    continue;
                }
                busy_ = false;
                became_idle_.announce();
                // What is still to be waited out overlaps with the idle time.
                const Picoseconds ready = pace.time();
                pace.take();
                co_await work_.wait();
                if (ready > now())
                    pace.spend(ready - now());
                pace.spend(self().doorbell_latency());
                continue;
            }
            busy_ = true;
            if (!ring_.has_next()) {
                const tlm::tlm_response_status status =
                    co_await ring_.fetch(pace, consumer_, producer_, burst);
                publish(consumer_); // the acknowledgement of the last command has arrived meanwhile
                ++fetches_;
                if (!self().enabled()) {
                    ring_.drop();
                    continue;
                }
                if (status != tlm::TLM_OK_RESPONSE && burst > 1) {
                    burst = 1; // the error may belong to a later command of the burst
                    continue;
                }
                burst = self().fetch_burst();
                if (status != tlm::TLM_OK_RESPONSE) {
                    ring_.drop();
                    self().fetch_failed();
                    continue;
                }
                if (!ring_.has_next())
                    continue; // abandoned meanwhile
            }
            FetchedCommand command;
            const std::uint64_t* const entry = ring_.take();
            std::copy_n(entry, ring_.geometry().entry_bytes / 8, command.words);
            command.index = consumer_;
            command.fetched = ring_.fetched_at();
            command.started = pace.time();
            co_await self().execute(pace, command);
        }
    }

    RingReader ring_;
    TimedQueue& queue_;
    ProcessList& processes_;
    Condition work_;
    Condition became_idle_;
    std::deque<std::uint32_t> doorbells_; ///< on their way
    std::uint32_t producer_ = 0;
    std::uint32_t consumer_ = 0;
    std::uint32_t published_ = 0; ///< the consumer index as software reads it
    bool busy_ = false;
    std::uint64_t consumed_ = 0;
    std::uint64_t fetches_ = 0;
};

} // namespace iommusim
