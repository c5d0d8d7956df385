// Remembers everything that a model reports.
#pragma once

#include "models/core/probe.h"

#include <functional>
#include <string>
#include <vector>

namespace iommusim::test {

struct RecordingProbe : Probe {
    struct Observed {
        TranslationUse use;
        Picoseconds when;
    };
    struct Diagnostic {
        Picoseconds when;
        std::string what;
    };

    void on_translation(const TranslationUse& use) override { translations.push_back(use); }
    void on_observable(const TranslationUse& use, Picoseconds when) override {
        observed.push_back({use, when});
    }
    void on_fault(const TranslationFault& fault) override { faults.push_back(fault); }
    void on_invalidation(const InvalidationEffect& effect) override {
        invalidations.push_back(effect);
        if (at_invalidation)
            at_invalidation(effect);
    }
    void on_doorbell(const DoorbellEvent& doorbell) override { doorbells.push_back(doorbell); }
    void on_command(const CommandEvent& command) override { commands.push_back(command); }
    void on_stall(const StallEvent& stall) override { stalls.push_back(stall); }
    void on_diagnostic(Picoseconds when, const char* what) override { diagnostics.push_back({when, what}); }

    std::vector<TranslationUse> translations;
    std::vector<Observed> observed;
    std::vector<TranslationFault> faults;
    std::vector<InvalidationEffect> invalidations;
    std::vector<DoorbellEvent> doorbells;
    std::vector<CommandEvent> commands;
    std::vector<StallEvent> stalls;
    std::vector<Diagnostic> diagnostics;
    std::function<void(const InvalidationEffect&)> at_invalidation;
};

} // namespace iommusim::test
