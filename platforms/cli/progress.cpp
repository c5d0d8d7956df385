#include "platforms/cli/progress.h"

#include <chrono>
#include <cstdio>
#include <unistd.h>
#include <utility>

namespace iommusim::cli {

Progress::Progress(std::string what, bool wanted) : what_(std::move(what)) {
    if (wanted && isatty(STDERR_FILENO))
        thread_ = std::thread(&Progress::show, this);
}

Progress::~Progress() {
    if (!thread_.joinable())
        return;
    {
        const std::lock_guard lock(mutex_);
        done_ = true;
    }
    ended_.notify_one();
    thread_.join();
}

void Progress::show() {
    std::unique_lock lock(mutex_);
    unsigned seconds = 0;
    while (!ended_.wait_for(lock, std::chrono::seconds(1), [this] { return done_; }))
        std::fprintf(stderr, "\r%s: %u s", what_.c_str(), ++seconds);
    if (seconds != 0)
        std::fprintf(stderr, "\r\033[K");
}

} // namespace iommusim::cli
