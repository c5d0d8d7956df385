// What the tests of the shared core stand on: a queue, processes, and a small clock that runs to the end.
#pragma once

#include "models/core/task.h"
#include "models/core/wait.h"

#include <string>
#include <vector>

namespace iommusim::test {

/// The owner of processes under test. Members that processes refer to are declared by the tests' own benches,
/// which pass a name on to here because ports live only inside of modules.
struct ProcessOwner : sc_core::sc_module {
    TimedQueue queue{"queue"};
    std::vector<std::string> log;

    explicit ProcessOwner(const sc_core::sc_module_name& name) : sc_module(name) {}
    ~ProcessOwner() override { close(); }
    /// As a module's destructor does it.
    void close() {
        queue.close();
        list.destroy_all();
    }
    ProcessList& processes() { return list; }
    void note(const std::string& what) { log.push_back(what + "@" + std::to_string(now() / 1000)); }
    void run() {
        sc_core::sc_report_handler::set_actions(sc_core::SC_ID_NO_SC_START_ACTIVITY_, sc_core::SC_DO_NOTHING);
        sc_core::sc_start();
    }

    ProcessList list;
};

using Log = std::vector<std::string>;

} // namespace iommusim::test
