#include "platforms/host/describe.h"

#include "platforms/cli/command_line.h"
#include "platforms/host/diagnostics.h"

#include <iostream>

namespace iommusim::cli {

int describe_command(const Arguments& arguments) {
    CommandLine line("describe", 0, 1);
    if (!line.parse(arguments))
        return ok;
    const std::string topic = line.operands().empty() ? "" : line.operands().front();
    const auto text = host::describe_topic(topic);
    if (!text)
        throw UsageError("nothing to describe under '" + topic + "'" +
                         host::suggestion(topic, host::describe_topics()) +
                         "; 'iommusim describe' lists what there is");
    std::cout << *text;
    return ok;
}

} // namespace iommusim::cli
