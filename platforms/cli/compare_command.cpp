#include "platforms/cli/command_line.h"
#include "platforms/host/document.h"
#include "platforms/host/report.h"

#include <iostream>

namespace iommusim::cli {

int compare_command(const Arguments& arguments) {
    CommandLine line("compare", 2, 2);
    if (!line.parse(arguments))
        return ok;
    std::string texts[2];
    host::Diagnostics diagnostics;
    for (int i = 0; i < 2; ++i)
        host::read_file(line.operands()[std::size_t(i)], texts[i], diagnostics);
    for (const host::Diagnostic& d : diagnostics.list())
        std::cerr << host::to_string(d) << "\n";
    if (!diagnostics.empty())
        return usage_error;
    const host::Comparison comparison =
        host::compare_reports(texts[0], line.operands()[0], texts[1], line.operands()[1]);
    if (!comparison.problem.empty())
        throw UsageError(comparison.problem);
    std::cout << comparison.text;
    return ok;
}

} // namespace iommusim::cli
