// The program's main. SystemC's own main() would print its banner into our output, so this one starts SystemC
// itself.
#include "platforms/cli/command_line.h"

#include <cstdlib>
#include <iostream>
#include <spdlog/spdlog.h>
#include <systemc>

namespace {

/// SystemC writes its reports to standard output and aborts at fatal ones: here they are log lines and
/// exceptions.
void handle_report(const sc_core::sc_report& report, const sc_core::sc_actions&) {
    switch (report.get_severity()) {
    case sc_core::SC_INFO:
        spdlog::info("{}: {}", report.get_msg_type(), report.get_msg());
        break;
    case sc_core::SC_WARNING:
        spdlog::warn("{}: {}", report.get_msg_type(), report.get_msg());
        break;
    default:
        throw report;
    }
}

} // namespace

int sc_main(int argc, char** argv) {
    sc_core::sc_report_handler::set_handler(handle_report);
    const int status = iommusim::cli::run_program({argv + 1, argv + argc});
    std::cout.flush();
    if (!std::cout) {
        std::cerr << "iommusim: cannot write to standard output\n";
        return iommusim::cli::run_failed;
    }
    return status;
}

int main(int argc, char** argv) {
    setenv("SYSTEMC_DISABLE_COPYRIGHT_MESSAGE", "1", 1);
    return sc_core::sc_elab_and_sim(argc, argv);
}
