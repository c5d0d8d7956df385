#include "platforms/cli/command_line.h"

#include "platforms/host/diagnostics.h"
#include "platforms/host/result.h"

#include <iostream>
#include <limits>

namespace iommusim::cli {
namespace {

namespace po = boost::program_options;

void print_help() {
    std::cout << "iommusim " << host::version()
              << ": simulates IOMMU hardware and the software that drives it\n\nUsage:\n";
    for (const Command& c : commands()) {
        std::string left = std::string("  iommusim ") + c.name + " " + c.form;
        left.resize(std::max<std::size_t>(left.size() + 2, 46), ' ');
        std::cout << left << c.summary << "\n";
    }
    std::cout
        << "\n'iommusim COMMAND --help' prints the options of a command.\n"
           "FILE is a scenario file, or the bare name of a bundled scenario.\n"
           "Exit status: 0 ran and every expectation held, 1 the run failed, 2 usage or scenario error,\n"
           "3 an expectation failed or a prediction missed the published value.\n";
}

const Command& find_command(const std::string& name) {
    for (const Command& c : commands())
        if (name == c.name)
            return c;
    std::vector<std::string> names;
    for (const Command& c : commands())
        names.push_back(c.name);
    throw UsageError("unknown command '" + name + "'; legal: " + host::join(names) +
                     host::suggestion(name, names));
}

} // namespace

const std::vector<Command>& commands() {
    static const std::vector<Command> list{
        {"run", "FILE [options]", "run a scenario and report its results", run_command},
        {"check", "FILE...", "validate scenarios without running them", check_command},
        {"list", "", "bundled scenarios, one line each", list_command},
        {"describe", "[NAME]", "models, what they advertise, workloads, metrics and keys", describe_command},
        {"compare", "A.json B.json", "two reports side by side, with ratios", compare_command},
    };
    return list;
}

CommandLine::CommandLine(const std::string& command, std::size_t minimum, std::size_t maximum)
    : command_(find_command(command)), minimum_(minimum), maximum_(maximum) {
    options_.add_options()("help,h", "print this help and do nothing else");
}

bool CommandLine::parse(const Arguments& arguments) {
    po::options_description hidden;
    hidden.add_options()("operand", po::value<std::vector<std::string>>());
    po::options_description all;
    all.add(options_).add(hidden);
    po::positional_options_description positional;
    positional.add("operand", -1);
    try {
        using namespace po::command_line_style;
        po::store(po::command_line_parser(arguments)
                      .options(all)
                      .positional(positional)
                      .style(unix_style & ~allow_guessing)
                      .run(),
                  values_);
        po::notify(values_);
    } catch (const po::error& e) {
        throw UsageError(std::string(e.what()) + "; see 'iommusim " + command_.name + " --help'");
    }
    if (has("help")) {
        std::cout << "iommusim " << command_.name << " " << command_.form << ": " << command_.summary
                  << "\n\n"
                  << options_;
        return false;
    }
    if (has("operand"))
        operands_ = value<std::vector<std::string>>("operand");
    if (operands_.size() < minimum_ || operands_.size() > maximum_) {
        const std::string needed =
            maximum_ == std::numeric_limits<std::size_t>::max() ? "at least " + std::to_string(minimum_)
            : minimum_ == maximum_                              ? std::to_string(minimum_)
                                   : std::to_string(minimum_) + " to " + std::to_string(maximum_);
        throw UsageError("found " + std::to_string(operands_.size()) + " operands; legal: " + needed +
                         ", as in iommusim " + command_.name + " " + command_.form);
    }
    return true;
}

int run_program(const Arguments& arguments) {
    try {
        if (arguments.empty())
            throw UsageError("no command given; see 'iommusim --help'");
        const std::string& first = arguments.front();
        if (first == "--help" || first == "-h" || first == "help") {
            print_help();
            return ok;
        }
        if (first == "--version") {
            std::cout << "iommusim " << host::version() << "\n";
            return ok;
        }
        return find_command(first).run(Arguments(arguments.begin() + 1, arguments.end()));
    } catch (const UsageError& e) {
        std::cerr << "iommusim: " << e.what() << "\n";
        return usage_error;
    } catch (const std::exception& e) {
        std::cerr << "iommusim: the run failed: " << e.what() << "\n";
        return run_failed;
    }
}

} // namespace iommusim::cli
