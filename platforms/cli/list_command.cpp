#include "platforms/cli/bundled.h"
#include "platforms/cli/command_line.h"
#include "platforms/host/text_table.h"

#include <iostream>

namespace iommusim::cli {

int list_command(const Arguments& arguments) {
    CommandLine line("list", 0, 0);
    if (!line.parse(arguments))
        return ok;
    host::TextTable table;
    table.left_columns(2);
    for (const BundledScenario& scenario : bundled_scenarios())
        table.row({scenario.name, scenario.question});
    std::cout << table.text();
    return ok;
}

} // namespace iommusim::cli
