#include "platforms/cli/bundled.h"
#include "platforms/cli/command_line.h"
#include "platforms/host/sweep.h"

#include <iostream>
#include <limits>

namespace iommusim::cli {

int check_command(const Arguments& arguments) {
    CommandLine line("check", 1, std::numeric_limits<std::size_t>::max());
    if (!line.parse(arguments))
        return ok;
    ExitStatus status = ok;
    for (const std::string& file : line.operands()) {
        const host::LoadedScenarios loaded = host::load_scenario(resolve_scenario(file), {});
        for (const host::Diagnostic& d : loaded.diagnostics.list())
            std::cerr << host::to_string(d) << "\n";
        if (loaded.diagnostics.empty())
            std::cout << file << ": ok, " << loaded.runs.size()
                      << (loaded.runs.size() == 1 ? " run\n" : " runs\n");
        else
            status = usage_error;
    }
    return status;
}

} // namespace iommusim::cli
