// The scenarios that come with the program: found beside an installed executable, otherwise in the source
// tree.
#pragma once

#include <string>
#include <vector>

namespace iommusim::cli {

struct BundledScenario {
    std::string name; ///< the file's name without ".toml"
    std::string path;
    std::string question; ///< its first line, a comment
};

/// In order of name.
std::vector<BundledScenario> bundled_scenarios();

/// `file` itself if it exists or looks like a path, otherwise the bundled scenario of that name if there is
/// one.
std::string resolve_scenario(const std::string& file);

} // namespace iommusim::cli
