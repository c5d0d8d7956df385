#include "platforms/host/diagnostics.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace iommusim::host {
namespace {

auto order(const Diagnostic& d) {
    return std::tie(d.position.file, d.position.line, d.position.column, d.message);
}

std::string_view last_part(std::string_view dotted) {
    const std::size_t dot = dotted.rfind('.');
    return dot == std::string_view::npos ? dotted : dotted.substr(dot + 1);
}

} // namespace

void Diagnostics::error(const Position& position, std::string message) {
    Diagnostic finding{position, std::move(message)};
    const auto place = std::lower_bound(list_.begin(), list_.end(), finding,
                                        [](const auto& a, const auto& b) { return order(a) < order(b); });
    if (place == list_.end() || order(*place) != order(finding))
        list_.insert(place, std::move(finding));
}

void Diagnostics::append(const Diagnostics& other) {
    for (const Diagnostic& d : other.list_)
        error(d.position, d.message);
}

std::string to_string(const Diagnostic& d) {
    std::string place = d.position.file;
    if (d.position.line != 0)
        place.append(":")
            .append(std::to_string(d.position.line))
            .append(":")
            .append(std::to_string(d.position.column));
    return place + ": error: " + d.message;
}

unsigned edit_distance(std::string_view a, std::string_view b) {
    std::vector<unsigned> before(b.size() + 1), previous(b.size() + 1), current(b.size() + 1);
    for (unsigned j = 0; j <= b.size(); ++j)
        previous[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        current[0] = unsigned(i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const unsigned replace = previous[j - 1] + (a[i - 1] != b[j - 1]);
            current[j] = std::min({previous[j] + 1, current[j - 1] + 1, replace});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                current[j] = std::min(current[j], before[j - 2] + 1);
        }
        std::swap(before, previous);
        std::swap(previous, current);
    }
    return previous[b.size()];
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
    for (const std::string& c : candidates) // the right name without its table
        if (c.size() > word.size() && c.ends_with(word) && c[c.size() - word.size() - 1] == '.')
            return c;
    const std::string_view last = last_part(word);
    const unsigned limit = 1 + unsigned(last.size()) * 2 / 5;
    unsigned best = limit + 1;
    std::string found;
    const auto offer = [&](unsigned distance, const std::string& candidate) {
        if (distance < best) {
            best = distance;
            found = candidate;
        }
    };
    for (const std::string& c : candidates)
        offer(edit_distance(word, c), c);
    if (found.empty()) // the right word in the wrong table
        for (const std::string& c : candidates)
            if (last_part(c) == last)
                offer(limit, c);
    return found;
}

std::string suggestion(std::string_view word, const std::vector<std::string>& candidates) {
    const std::string name = nearest(word, candidates);
    return name.empty() ? "" : "; did you mean '" + name + "'?";
}

std::string join(const std::vector<std::string>& words, std::string_view separator) {
    std::string text;
    for (const std::string& w : words) {
        if (!text.empty())
            text += separator;
        text += w;
    }
    return text;
}

} // namespace iommusim::host
