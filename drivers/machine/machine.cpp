#include "drivers/machine/machine.h"

#include <algorithm>

namespace iommusim::machine {

namespace {

constexpr unsigned line_shift = 6;

void merge(std::vector<LockStatistics>& list, const LockStatistics& one) {
    const auto same =
        std::find_if(list.begin(), list.end(), [&](const auto& s) { return s.name == one.name; });
    if (same == list.end()) {
        list.push_back(one);
        return;
    }
    same->acquisitions += one.acquisitions;
    same->contended += one.contended;
    same->total_wait += one.total_wait;
    same->maximum_wait = std::max(same->maximum_wait, one.maximum_wait);
    same->total_hold += one.total_hold;
    same->maximum_hold = std::max(same->maximum_hold, one.maximum_hold);
}

} // namespace

Machine::Machine(sc_core::sc_module_name name, unsigned cpus, const CpuParameters& parameters,
                 std::uint64_t ram_base, std::uint64_t ram_size, LineMonitor* monitor)
    : sc_module(name), pages_(ram_base, ram_size), monitor_(monitor) {
    if (cpus == 0 || cpus > maximum_cpus)
        SC_REPORT_FATAL(this->name(), "a machine has 1 to 256 CPUs");
    for (unsigned i = 0; i < cpus; ++i)
        cpus_.push_back(std::make_unique<Cpu>(("cpu" + std::to_string(i)).c_str(), *this, i, parameters));
}

bool Machine::idle() const {
    return std::all_of(cpus_.begin(), cpus_.end(), [](const auto& cpu) { return cpu->idle(); });
}

std::vector<LockStatistics> Machine::lock_statistics() const {
    std::vector<LockStatistics> all = retired_locks_;
    for (const LockStatistics* lock : locks_)
        merge(all, *lock);
    std::sort(all.begin(), all.end(), [](const LockStatistics& a, const LockStatistics& b) {
        return a.total_wait != b.total_wait ? a.total_wait > b.total_wait : a.name < b.name;
    });
    return all;
}

void Machine::add_lock(const LockStatistics& lock) { locks_.push_back(&lock); }

void Machine::remove_lock(const LockStatistics& lock) {
    locks_.erase(std::find(locks_.begin(), locks_.end(), &lock));
    merge(retired_locks_, lock);
}

void Machine::start_polling(std::uint64_t address, Cpu& cpu) {
    const std::uint64_t line = address >> line_shift;
    polls_.push_back({line, &cpu});
    ++polled_lines_[line % polled_lines_.size()];
}

void Machine::stop_polling(std::uint64_t address, Cpu& cpu) {
    const std::uint64_t line = address >> line_shift;
    // A CPU's polls nest (in interrupt handlers), so its own are removed in reverse.
    const auto poll = std::find_if(polls_.rbegin(), polls_.rend(),
                                   [&](const Poll& p) { return p.line == line && p.cpu == &cpu; });
    polls_.erase(std::next(poll).base());
    --polled_lines_[line % polled_lines_.size()];
}

void Machine::notify_pollers(std::uint64_t address, std::size_t bytes, Cpu& by) {
    const std::uint64_t last = (address + bytes - 1) >> line_shift;
    for (std::uint64_t line = address >> line_shift; line <= last; ++line) {
        if (polled_lines_[line % polled_lines_.size()] == 0)
            continue;
        for (const Poll& poll : polls_)
            if (poll.line == line && poll.cpu != &by)
                poll.cpu->wake_at(by.time());
    }
}

} // namespace iommusim::machine
