// Programs, time, interrupts and timers of a CPU. Memory and registers are in cpu_bus.cpp, spinning in
// cpu_poll.cpp.
#include "drivers/machine/cpu.h"

#include "drivers/machine/machine.h"

#include "models/base/activity.h"

#include <algorithm>
#include <utility>

namespace iommusim::machine {

namespace {
constexpr int stack_bytes = 256 * 1024; ///< handlers and timers nest on the program's stack
} // namespace

Cpu::Cpu(sc_core::sc_module_name name, Machine& machine, unsigned index, const CpuParameters& parameters)
    : sc_module(name),
      bus("bus"),
      machine_(machine),
      index_(index),
      parameters_(parameters),
      cycle_femtoseconds_(1'000'000'000'000'000ull / parameters.frequency),
      context_(sc_core::sc_get_curr_simcontext()),
      regions_{{1, 0, nullptr}},
      wake_("wake"),
      alarm_("alarm"),
      became_idle_("became_idle") {
    require_picosecond_resolution(this->name());
    if (const std::string violation = first_violation(parameters_); !violation.empty())
        SC_REPORT_FATAL(this->name(), violation.c_str());
    bus.bind(*this);
    SC_HAS_PROCESS(Cpu);
    SC_METHOD(on_alarm);
    dont_initialize();
    sensitive << alarm_;
    SC_THREAD(execute);
    set_stack_size(stack_bytes);
}

Cpu::~Cpu() {
    for (Timer* timer : timers_)
        timer->cpu_ = nullptr;
}

void Cpu::run(std::function<void(Cpu&)> program, Picoseconds start) {
    programs_.push_back({std::move(program), start});
    if (!running_)
        wake_at(kernel_time());
}

void Cpu::execute() {
    for (;;) {
        if (attention_ <= local_)
            deliver();
        const Picoseconds start = programs_.empty() ? never : programs_.front().start;
        if (start > time()) {
            const Picoseconds before = time();
            sleep(std::min(start, attention_));
            idle_time_ += local_ - before;
            continue;
        }
        advance_to(kernel_time());
        synchronized_ = local_;
        const std::function<void(Cpu&)> program = std::move(programs_.front().body);
        programs_.pop_front();
        running_ = true;
        program(*this);
        running_ = false;
        if (local_ > kernel_time())
            wait_for_local_time();
        if (programs_.empty()) {
            cancel_alarm(); // it would be the last thing to happen in the simulation
            became_idle_.notify(sc_core::SC_ZERO_TIME);
            ++kernel_activity;
        }
    }
}

// ---- time

Picoseconds Cpu::next_activity() const {
    sc_core::sc_time next;
    if (context_->pending_activity_at_current_time())
        return kernel_time();
    return context_->next_time(next) ? to_picoseconds(next) : never;
}

void Cpu::wait_for_local_time() {
    wait(to_sc_time(local_ - kernel_time()));
    ++kernel_activity;
    advance_to(kernel_time());
    synchronized_ = local_;
}

void Cpu::sleep(Picoseconds until) {
    if (until > kernel_time()) {
        blocked_ = true;
        sleep_until_ = until;
        set_alarm();
        wait(wake_);
        ++kernel_activity;
        blocked_ = false;
    }
    advance_to(kernel_time());
    synchronized_ = std::max(synchronized_, kernel_time());
}

/// It goes off at the end of the sleep or earlier.
void Cpu::set_alarm() {
    const Picoseconds kernel = kernel_time();
    if (sleep_until_ == never || alarm_at_ <= std::min(sleep_until_, kernel + longest_alarm))
        return;
    alarm_at_ = std::min(sleep_until_, kernel + longest_alarm);
    alarm_.notify(to_sc_time(alarm_at_ - kernel));
    ++kernel_activity;
}

void Cpu::on_alarm() {
    alarm_at_ = never;
    if (!blocked_)
        return;
    if (sleep_until_ <= kernel_time())
        wake_.notify();
    else
        set_alarm();
}

void Cpu::cancel_alarm() {
    alarm_.cancel();
    alarm_at_ = never;
}

void Cpu::block(Picoseconds until) {
    if (attention_ <= local_) {
        deliver();
        return; // the caller's condition may have been fulfilled meanwhile
    }
    sleep(std::min(until, attention_));
    if (attention_ <= local_)
        deliver();
}

void Cpu::wake_at(Picoseconds t) {
    if (!blocked_)
        return; // it looks at its condition before it sleeps
    const Picoseconds kernel = kernel_time();
    wake_.notify(to_sc_time(t > kernel ? t - kernel : 0));
    ++kernel_activity;
}

void Cpu::delay(Picoseconds t) {
    const Picoseconds end = local_ + t;
    synchronize();
    while (local_ < end) {
        const Picoseconds before = local_;
        const Picoseconds next = std::min(end, attention_);
        if (next - kernel_time() <= longest_kernel_lag && !something_happens_before(next))
            advance_to(next);
        else
            sleep(next);
        idle_time_ += local_ - before;
        if (attention_ <= local_)
            deliver();
    }
    synchronized_ = local_;
}

// ---- interrupts and timers

void Cpu::update_attention() {
    if (masked_ != 0)
        attention_ = never;
    else if (!interrupts_.empty())
        attention_ = 0;
    else if (!in_timer_ && !timers_.empty())
        attention_ = timers_.front()->expiry_;
    else
        attention_ = never;
}

void Cpu::enabled_too_often() {
    SC_REPORT_WARNING(name(), "software enabled interrupts more often than it disabled them");
}

void Cpu::deliver() {
    while (masked_ == 0 && (take_interrupt() || take_timer())) {
    }
    update_attention();
}

bool Cpu::take_interrupt() {
    if (interrupts_.empty())
        return false;
    const PendingInterrupt pending = interrupts_.front();
    interrupts_.pop_front();
    ++masked_;
    attention_ = never;
    if (const InterruptController::Handler handler = machine_.interrupts().take(pending.line)) {
        advance_to(pending.asserted);
        spend(parameters_.interrupt_entry);
        handler(*this);
    }
    --masked_;
    return true;
}

bool Cpu::take_timer() {
    if (in_timer_ || timers_.empty() || timers_.front()->expiry_ > local_)
        return false;
    Timer& timer = *timers_.front();
    remove_timer(timer);
    timer.cpu_ = nullptr;
    const Timer::Callback callback = timer.callback_; // it may arm the timer anew, with another callback
    in_timer_ = true;
    update_attention();
    spend(parameters_.interrupt_entry);
    callback(*this);
    in_timer_ = false;
    return true;
}

void Cpu::interrupt(unsigned line) {
    interrupts_.push_back({line, kernel_time()});
    update_attention();
    if (masked_ == 0)
        wake_at(kernel_time());
}

void Cpu::add_timer(Timer& timer) {
    const auto place = std::upper_bound(timers_.begin(), timers_.end(), timer.expiry_,
                                        [](Picoseconds t, const Timer* other) { return t < other->expiry_; });
    timers_.insert(place, &timer);
    update_attention();
    wake_at(kernel_time()); // a blocked CPU has to shorten its sleep
}

void Cpu::remove_timer(Timer& timer) {
    timers_.erase(std::find(timers_.begin(), timers_.end(), &timer));
    update_attention();
}

} // namespace iommusim::machine
