// A line on the terminal while a run takes longer than a second; nothing where standard error is not a
// terminal.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace iommusim::cli {

/// Shows `what` and the seconds since its construction until its destruction. Its thread touches nothing of
/// the simulation.
class Progress {
public:
    Progress(std::string what, bool wanted);
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

private:
    void show();

    std::string what_;
    std::mutex mutex_;
    std::condition_variable ended_;
    bool done_ = false;
    std::thread thread_;
};

} // namespace iommusim::cli
