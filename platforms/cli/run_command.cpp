#include "platforms/host/run.h"

#include "platforms/cli/bundled.h"
#include "platforms/cli/command_line.h"
#include "platforms/cli/progress.h"
#include "platforms/host/expectation.h"
#include "platforms/host/published.h"
#include "platforms/host/report.h"
#include "platforms/host/sweep.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace iommusim::cli {
namespace {

namespace po = boost::program_options;

constexpr const char* log_levels[] = {"trace", "debug", "info", "warning", "error", "off"};

void set_up_log(const CommandLine& line) {
    // Results go to standard output, so the log never does.
    auto log = spdlog::stderr_color_mt("iommusim");
    log->set_pattern("iommusim: %^%l%$: %v");
    spdlog::set_default_logger(log);
    std::string level = line.has("verbose") ? "info" : "warning";
    if (line.has("log-level"))
        level = line.value<std::string>("log-level");
    if (std::find(std::begin(log_levels), std::end(log_levels), level) == std::end(log_levels))
        throw UsageError("--log-level: found '" + level +
                         "'; legal: trace, debug, info, warning, error, off");
    spdlog::set_level(spdlog::level::from_str(level));
}

class OutputFile {
public:
    /// Opens at once, so that a path that cannot be written is known before a long run.
    OutputFile(const CommandLine& line, const std::string& option) {
        if (!line.has(option))
            return;
        path_ = line.value<std::string>(option);
        file_ = std::fopen(path_.c_str(), "wb");
        if (!file_)
            throw UsageError("--" + option + ": cannot write " + path_ + ": " + std::strerror(errno));
    }
    ~OutputFile() {
        if (file_)
            std::fclose(file_);
    }
    OutputFile(const OutputFile&) = delete;
    OutputFile& operator=(const OutputFile&) = delete;

    bool wanted() const { return file_ != nullptr; }

    void write(const std::string& text) {
        const bool written = std::fwrite(text.data(), 1, text.size(), file_) == text.size();
        const bool closed = std::fclose(file_) == 0;
        file_ = nullptr;
        if (!written || !closed)
            throw std::runtime_error("cannot write " + path_ + ": " + std::strerror(errno));
    }

private:
    std::string path_;
    std::FILE* file_ = nullptr;
};

host::Result run_one(const host::Scenario& scenario, std::size_t number, std::size_t count, bool quiet) {
    const std::string what =
        scenario.name + ", run " + std::to_string(number) + " of " + std::to_string(count);
    spdlog::info("{}: begins", what);
    const Progress progress(what, !quiet);
    host::Result result = host::run(scenario);
    host::identify(result, scenario);
    result.expectations = host::evaluate(scenario, result);
    result.published = host::compare_published(scenario, result);
    spdlog::info("{}: ends, {} ps simulated", what, result.simulated_time_ps);
    return result;
}

} // namespace

int run_command(const Arguments& arguments) {
    CommandLine line("run", 1, 1);
    line.options().add_options()("set", po::value<std::vector<std::string>>()->value_name("KEY=VALUE"),
                                 "set a key of the scenario; can be given again and again")(
        "seed", po::value<std::string>()->value_name("N"),
        "seed of every random choice, the same as --set seed=N")(
        "json", po::value<std::string>()->value_name("FILE"),
        "write the report as JSON")("csv", po::value<std::string>()->value_name("FILE"),
                                    "write one line for each metric")("quiet,q", "print no report")(
        "verbose,v", "print the resolved parameters and all counters, and log what happens")(
        "log-level", po::value<std::string>()->value_name("LEVEL"),
        "what to log on standard error: trace, debug, info, warning, error, off");
    if (!line.parse(arguments))
        return ok;
    if (line.has("quiet") && line.has("verbose"))
        throw UsageError("--quiet and --verbose exclude each other");
    set_up_log(line);

    std::vector<std::string> settings;
    if (line.has("set"))
        settings = line.value<std::vector<std::string>>("set");
    if (line.has("seed"))
        settings.push_back("seed=" + line.value<std::string>("seed"));
    const host::LoadedScenarios loaded =
        host::load_scenario(resolve_scenario(line.operands().front()), settings);
    for (const host::Diagnostic& d : loaded.diagnostics.list())
        std::cerr << host::to_string(d) << "\n";
    if (!loaded.diagnostics.empty())
        return usage_error;

    OutputFile json(line, "json");
    OutputFile csv(line, "csv");
    std::vector<host::Result> results;
    for (const host::Scenario& scenario : loaded.runs)
        results.push_back(run_one(scenario, results.size() + 1, loaded.runs.size(), line.has("quiet")));
    if (json.wanted())
        json.write(host::report_json(results));
    if (csv.wanted())
        csv.write(host::report_csv(results));
    if (!line.has("quiet"))
        std::cout << host::report_text(results, {.verbose = line.has("verbose")});
    return std::all_of(results.begin(), results.end(), host::expectations_held) ? ok : expectation_failed;
}

} // namespace iommusim::cli
