// What a model reports to whoever watches it: the stale-translation oracle, the latency breakdown, the trace
// writer. A model without a probe pays one branch per event; a probe must not change the model. C++17:
// included by foreign virtual platforms.
#pragma once

#include "../base/time.h"
#include "requester.h"

#include <cstdint>

namespace iommusim {

/// A DMA used a translation (reported when the access is passed on downstream).
struct TranslationUse {
    Picoseconds time;
    Requester requester;
    std::uint64_t input_address;
    std::uint64_t length;
    std::uint64_t output_address;
    bool write;
    const char* served_by; ///< structure that supplied it: "micro-TLB", "main TLB", "walk", "bypass", ...
    Picoseconds cached_at; ///< when that structure was filled; `time` for a fresh walk
};

/// A DMA was refused.
struct TranslationFault {
    Picoseconds time;
    Requester requester;
    std::uint64_t input_address;
    bool write;
    const char* name; ///< the architecture's name of the fault, e.g. "F_TRANSLATION"
};

/// A command took effect on the caches.
struct InvalidationEffect {
    Picoseconds time;
    const char* command;   ///< the architecture's name, e.g. "CMD_TLBI_NH_VA"
    std::uint32_t index;   ///< consumer index of the command, wrap bit included
    bool by_address;       ///< false: everything in its scope
    std::uint64_t address; ///< valid if by_address
    std::uint64_t size;    ///< bytes, valid if by_address
    bool configuration;    ///< removes configuration (CFGI, context cache) instead of translations
};

/// The software moved a command queue's producer index.
struct DoorbellEvent {
    Picoseconds time;
    std::uint32_t producer; ///< as written, wrap bit included
};

/// One command was consumed.
struct CommandEvent {
    std::uint32_t index; ///< its position, wrap bit included
    const char* name;    ///< the architecture's name
    bool completion;     ///< CMD_SYNC, invalidation wait, COMPLETION_WAIT
    Picoseconds fetched; ///< its bytes had arrived in the model
    Picoseconds started; ///< the executor took it up
    Picoseconds
        drained; ///< completion commands: every transaction it waits for is observable; otherwise = started
    Picoseconds finished; ///< effects done; completion commands: the completion record or index is visible
};

/// Something had to wait. Reported when the wait ends.
struct StallEvent {
    const char* reason; ///< named resource or cause: "walker slot", "drain", "ring empty", ...
    Picoseconds began;
    Picoseconds ended;
};

class Probe {
public:
    virtual ~Probe() = default;
    virtual void on_translation(const TranslationUse&) {}
    /// The access reported by on_translation() is observable downstream.
    virtual void on_observable(const TranslationUse&, Picoseconds /*when*/) {}
    virtual void on_fault(const TranslationFault&) {}
    virtual void on_invalidation(const InvalidationEffect&) {}
    virtual void on_doorbell(const DoorbellEvent&) {}
    virtual void on_command(const CommandEvent&) {}
    virtual void on_stall(const StallEvent&) {}
    /// Software broke a rule whose result the architecture calls unpredictable; `what` names the register or
    /// structure and the rule.
    virtual void on_diagnostic(Picoseconds, const char* /*what*/) {}
};

} // namespace iommusim
