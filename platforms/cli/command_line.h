// What every command of the program shares: exit status, options, help.
#pragma once

#include <boost/program_options.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace iommusim::cli {

enum ExitStatus : int {
    ok = 0,          ///< ran, and every expectation held
    run_failed = 1,  ///< the simulation itself, or writing its results
    usage_error = 2, ///< of the command line or of a scenario; nothing ran
    expectation_failed = 3,
};

/// Something is wrong with the command line; what() is one sentence.
class UsageError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

using Arguments = std::vector<std::string>;

struct Command {
    const char* name;
    const char* form;    ///< what follows the name, e.g. "FILE [options]"
    const char* summary; ///< one line
    int (*run)(const Arguments&);
};
const std::vector<Command>& commands();

int run_command(const Arguments&);
int check_command(const Arguments&);
int list_command(const Arguments&);
int describe_command(const Arguments&);
int compare_command(const Arguments&);

/// Options and operands of one command, `--help` among them. Throws UsageError for whatever is not among
/// them.
class CommandLine {
public:
    /// `command` names an entry of commands(); at least `minimum` and at most `maximum` operands are
    /// accepted.
    CommandLine(const std::string& command, std::size_t minimum, std::size_t maximum);

    /// For adding options before parse().
    boost::program_options::options_description& options() { return options_; }

    /// False if the help was asked for and printed.
    bool parse(const Arguments& arguments);

    bool has(const std::string& option) const { return values_.count(option) != 0; }
    template <class T> T value(const std::string& option) const { return values_[option].as<T>(); }
    const std::vector<std::string>& operands() const { return operands_; }

private:
    const Command& command_;
    std::size_t minimum_;
    std::size_t maximum_;
    boost::program_options::options_description options_{"Options"};
    boost::program_options::variables_map values_;
    std::vector<std::string> operands_;
};

/// The program: picks the command and turns its errors into an exit status.
int run_program(const Arguments& arguments);

} // namespace iommusim::cli
