// What is wrong with a scenario: every finding has a place and a sentence, and all of them are reported at
// once.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace iommusim::host {

/// A place in a scenario file, or a command line option (`file` is then the option's text and `line` is 0).
struct Position {
    std::string file;
    unsigned line = 0;   ///< from 1; 0: no line
    unsigned column = 0; ///< from 1, in characters
};

struct Diagnostic {
    Position position;
    std::string message;
};

/// Collects findings; the same finding at the same place is kept once.
class Diagnostics {
public:
    void error(const Position& position, std::string message);
    bool empty() const { return list_.empty(); }
    /// In order of place.
    const std::vector<Diagnostic>& list() const { return list_; }
    void append(const Diagnostics& other);

private:
    std::vector<Diagnostic> list_;
};

/// "FILE:LINE:COLUMN: error: MESSAGE", the form that editors jump to.
std::string to_string(const Diagnostic& diagnostic);

/// Insertions, deletions, replacements and swaps of neighbours that lead from one text to the other.
unsigned edit_distance(std::string_view a, std::string_view b);

/// The candidate nearest to `word`, the first of equals; empty if none is near enough to be meant. Dotted
/// names also match by their last part ("latency" is near to "memory.latency").
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

/// "; did you mean 'x'?" or nothing.
std::string suggestion(std::string_view word, const std::vector<std::string>& candidates);

std::string join(const std::vector<std::string>& words, std::string_view separator = ", ");

} // namespace iommusim::host
