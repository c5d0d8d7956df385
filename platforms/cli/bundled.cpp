#include "platforms/cli/bundled.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace iommusim::cli {
namespace {

namespace fs = std::filesystem;

fs::path scenario_folder() {
    std::error_code failure;
    const fs::path executable = fs::read_symlink("/proc/self/exe", failure);
    if (!failure) {
        const fs::path installed = executable.parent_path() / IOMMUSIM_INSTALLED_SCENARIOS;
        if (fs::is_directory(installed, failure))
            return installed.lexically_normal();
    }
    return IOMMUSIM_SOURCE_SCENARIOS;
}

std::string first_comment(const fs::path& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    const std::size_t text = line.find_first_not_of("# ");
    return line.starts_with('#') && text != std::string::npos ? line.substr(text) : "";
}

} // namespace

std::vector<BundledScenario> bundled_scenarios() {
    std::vector<BundledScenario> found;
    std::error_code failure;
    const fs::path folder = scenario_folder();
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder, failure))
        if (entry.path().extension() == ".toml")
            found.push_back({entry.path().lexically_relative(folder).replace_extension().generic_string(),
                             entry.path().string(), first_comment(entry.path())});
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return found;
}

std::string resolve_scenario(const std::string& file) {
    std::error_code failure;
    if (fs::exists(file, failure))
        return file;
    for (const BundledScenario& scenario : bundled_scenarios())
        if (file == scenario.name || file == scenario.name + ".toml")
            return scenario.path;
    return file;
}

} // namespace iommusim::cli
