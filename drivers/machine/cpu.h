// A modelled CPU that driver software runs on: an initiator thread with local time, whose work costs what the
// parameter table says. Software is ordinary C++ that is handed a Cpu& and does everything observable through
// it.
//
// Local time runs ahead of the kernel's time. Whatever other initiators can observe or influence (atomics,
// MMIO, polls, locks) first calls synchronize(), which yields to the kernel only if something else is
// scheduled before our local time; so runs stay causal and an uncontended CPU needs almost no context
// switches.
//
// Causality bound. Plain loads and stores act on simulated memory at the moment of the call. Hardware and
// other CPUs can therefore see a store early, and a load can miss what they wrote, by no more than the local
// time spent since the last synchronize(), which never exceeds `maximum_lead`: an access further away
// synchronizes time by itself. MMIO, polls, locks and shared words are exact: they happen at local time.
#pragma once

#include "models/base/activity.h"
#include "models/base/line_monitor.h"
#include "models/base/parameters.h"
#include "models/base/time.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <string>
#include <tlm>
#include <vector>

namespace iommusim::machine {

struct CpuParameters {
    CpuParameters() { set_defaults(*this); }
    static const std::vector<Parameter<CpuParameters>>& table();

    std::uint64_t frequency;          ///< Hz
    std::uint64_t cached_access;      ///< load or store that hits this core's cache, ps
    std::uint64_t memory_access;      ///< load that misses every cache, ps
    std::uint64_t line_transfer;      ///< a dirty line moves here from another core or from the IOMMU, ps
    std::uint64_t atomic;             ///< atomic read-modify-write on a line this core owns, ps
    std::uint64_t barrier;            ///< full or store barrier that reaches memory (DSB, MFENCE), ps
    std::uint64_t clflush;            ///< a written line goes back to memory, ps
    std::uint64_t mmio_write;         ///< CPU time of a posted register write, ps
    std::uint64_t mmio_write_arrival; ///< from issue to arrival at the device, ps
    std::uint64_t mmio_read;          ///< register read round trip, CPU stalls, ps
    std::uint64_t poll_period;        ///< one iteration of a spin loop on a cached word, ps
    std::uint64_t interrupt_entry;    ///< from interrupt assertion to the handler's first instruction, ps
    std::uint64_t page_allocation;    ///< a zeroed page from the page allocator, ps
    std::uint64_t maximum_lead;       ///< how early an unsynchronized store may be seen by others, ps
};

class Machine;
class InterruptController;
class Timer;

class Cpu : public sc_core::sc_module, public tlm::tlm_bw_transport_if<> {
public:
    tlm::tlm_initiator_socket<> bus; ///< RAM (through DMI where granted) and device registers

    Cpu(sc_core::sc_module_name name, Machine& machine, unsigned index, const CpuParameters& parameters);
    ~Cpu() override;

    unsigned index() const { return index_; }
    Machine& machine() const { return machine_; }
    const CpuParameters& parameters() const { return parameters_; }

    /// Gives the CPU a program; it runs once, starting at the current time (at time 0 before sc_start) or at
    /// `start` if that is later. Several programs run one after the other. Software that starts a program on
    /// another CPU passes its own time() as `start`. Interrupt handlers and timers run between a program's
    /// steps, see synchronize().
    void run(std::function<void(Cpu&)> program, Picoseconds start = 0);
    bool idle() const { return programs_.empty() && !running_; } ///< no program is running or waiting
    /// Notified when the last program has ended; kernel time is then the program's end.
    const sc_core::sc_event& became_idle() const { return became_idle_; }
    /// Time without a program, and time given away by delay().
    Picoseconds idle_time() const { return idle_time_; }

    // ---- time
    Picoseconds time() const { return local_ > kernel_time() ? local_ : kernel_time(); } ///< local time
    void spend(Picoseconds t) { local_ += t; }
    void spend_cycles(std::uint64_t cycles) { local_ += cycles * cycle_femtoseconds_ / 1000; }
    /// Local time becomes at least `t`; nothing happens meanwhile.
    void advance_to(Picoseconds t) {
        if (local_ < t)
            local_ = t;
    }
    /// Lets everything that is scheduled before local time happen first. Yields to the kernel only if there
    /// is something (or if local time is more than `maximum_lead` ahead of it). Delivers pending interrupts
    /// and timers unless they are masked. After it returns, kernel time may still lag behind local time, but
    /// nothing is scheduled in between.
    void synchronize() {
        synchronize_time();
        while (attention_ <= local_) {
            deliver();
            synchronize_time();
        }
    }
    /// Gives the CPU away for `t` (ndelay, dwell time, sleep); interrupts and timers are taken meanwhile.
    void delay(Picoseconds t);

    // ---- memory: costs one cached access unless told otherwise; addresses are physical
    std::uint64_t load(std::uint64_t address, unsigned bytes = 8) {
        bound_lead();
        const unsigned char* const memory = bytes == 8 ? direct(address, 8) : nullptr;
        if (memory == nullptr)
            return load_in_any_way(address, bytes);
        std::uint64_t value = 0;
        std::memcpy(&value, memory, 8);
        local_ += parameters_.cached_access;
        return value;
    }
    void store(std::uint64_t address, std::uint64_t value, unsigned bytes = 8);
    void read(std::uint64_t address, void* data,
              std::size_t bytes); ///< streams lines, costs per 64-byte line
    void write(std::uint64_t address, const void* data, std::size_t bytes);  ///< likewise
    void fill(std::uint64_t address, std::uint8_t value, std::size_t bytes); ///< likewise
    void barrier() { local_ += parameters_.barrier; }
    /// Writes a line back to memory for readers that do not snoop (CLFLUSH, DC CVAC), ordered with the stores
    /// around it. Simulated memory is never stale, so this is a cost and nothing else.
    void clean_line(std::uint64_t /*address*/) { local_ += parameters_.clflush; }
    void clean_lines(std::uint64_t address, std::size_t bytes); ///< every line of the range

    /// Zeroed pages from the machine's allocator, see PageAllocator; costs page_allocation for each page.
    std::uint64_t allocate_pages(std::size_t count = 1, std::uint64_t alignment = 4096);
    void free_pages(std::uint64_t address, std::size_t count = 1);

    // ---- device registers
    /// Samples the register half a round trip after local time and returns a whole round trip after it; never
    /// passes this CPU's earlier writes. All ones if nothing answers.
    std::uint64_t mmio_read(std::uint64_t address, unsigned bytes = 4);
    /// Posted: reaches the target as a transaction with an annotated delay of mmio_write_arrival. Writes stay
    /// in order.
    void mmio_write(std::uint64_t address, std::uint64_t value, unsigned bytes = 4);

    /// Spins on a memory word (1, 2, 4 or 8 bytes) until `done(value)`. Returns false at the timeout. Time
    /// advances in whole poll periods; a value that was written during the wait is seen one line transfer
    /// after the write.
    bool poll_memory(std::uint64_t address, unsigned bytes, const std::function<bool(std::uint64_t)>& done,
                     Picoseconds timeout);
    /// Polls a register: every poll is a real register read, with `pause` between polls doubling up to
    /// `longest_pause`.
    bool poll_register(std::uint64_t address, unsigned bytes, const std::function<bool(std::uint64_t)>& done,
                       Picoseconds timeout, Picoseconds pause, Picoseconds longest_pause);

    // ---- interrupts
    /// Masks interrupts and timers on this CPU; nests.
    void disable_interrupts() {
        ++masked_;
        attention_ = never;
    }
    /// Takes what became pending meanwhile when the outermost level ends.
    void enable_interrupts() {
        if (masked_ == 0)
            enabled_too_often();
        else if (--masked_ == 0)
            resume_attention();
    }
    bool interrupts_enabled() const { return masked_ == 0; }

    /// Transactions that came back with an error: reads gave all ones, writes were dropped. Each is also a
    /// warning.
    std::uint64_t bus_errors() const { return bus_errors_; }

    // ---- for locks and shared words: spinning without simulating every iteration
    /// Blocks until wake_at(), `until`, an interrupt or a timer; may return early, the caller checks its
    /// condition again.
    void block(Picoseconds until = never);
    /// Ends a block() of this CPU at time `t` (at once if `t` is past). Called by whoever fulfils its
    /// condition.
    void wake_at(Picoseconds t);

    static constexpr Picoseconds never = ~0ull;

private:
    friend class InterruptController;
    friend class Timer;
    friend class Machine;

    class Watch;
    struct Program {
        std::function<void(Cpu&)> body;
        Picoseconds start;
    };
    struct Region { ///< answer of the bus to a DMI request; no pointer: go through b_transport
        std::uint64_t first;
        std::uint64_t last;
        unsigned char* bytes;
    };
    struct PendingInterrupt {
        unsigned line;
        Picoseconds asserted;
    };

    static constexpr Picoseconds longest_kernel_lag = 10'000'000;
    /// How far ahead the alarm is set at most. SystemC keeps a cancelled notification in its heap until its
    /// time has come: distant ones would pile up there.
    static constexpr Picoseconds longest_alarm = 50'000'000;

    Picoseconds kernel_time() const { return context_->time_stamp().value(); }
    /// Exact: no other process runs before this thread yields, so whatever could happen earlier is already in
    /// the kernel's queues. An activity at the very same time may be ordered either way.
    bool something_happens_before(Picoseconds t) const {
        if (horizon_seen_ != kernel_activity) {
            horizon_ = next_activity();
            horizon_seen_ = kernel_activity;
        }
        return horizon_ < t;
    }
    Picoseconds next_activity() const; ///< of anything but this CPU; `never` if there is none
    void synchronize_time() {
        const Picoseconds kernel = kernel_time();
        if (local_ <= kernel)
            local_ = kernel;
        else if (local_ - kernel > longest_kernel_lag || something_happens_before(local_))
            wait_for_local_time();
        synchronized_ = local_;
    }
    void wait_for_local_time();    ///< kernel time becomes local time
    void sleep(Picoseconds until); ///< waits for wake_ or for kernel time `until`; may return early
    void set_alarm();
    void on_alarm();
    void cancel_alarm();
    void bound_lead() {
        if (local_ - synchronized_ > parameters_.maximum_lead)
            synchronize_time();
    }

    void execute();
    void deliver();
    void update_attention();
    void resume_attention() {
        if (interrupts_.empty() && timers_.empty())
            return; // attention_ stays `never`
        update_attention();
        if (attention_ <= local_)
            deliver();
    }
    void enabled_too_often();
    void interrupt(unsigned line); ///< from the interrupt controller
    bool take_interrupt();
    bool take_timer();
    void add_timer(Timer& timer);
    void remove_timer(Timer& timer);

    /// Where [address, address + bytes), bytes > 0, lies on the host, or nothing if only transactions reach
    /// it.
    unsigned char* direct(std::uint64_t address, std::size_t bytes) {
        const Region& region = regions_[last_region_];
        const std::uint64_t last = address + (bytes - 1);
        if (address >= region.first && last <= region.last && last >= address)
            return region.bytes == nullptr ? nullptr : region.bytes + (address - region.first);
        return request_direct(address, bytes);
    }
    unsigned char* request_direct(std::uint64_t address, std::size_t bytes);
    std::uint64_t load_in_any_way(std::uint64_t address, unsigned bytes);
    void transfer(tlm::tlm_command command, std::uint64_t address, void* data, std::size_t bytes);
    void prepare(tlm::tlm_command command, std::uint64_t address, void* data, std::size_t bytes);
    bool transport(tlm::tlm_command command, std::uint64_t address, void* data, std::size_t bytes,
                   Picoseconds& delay);
    std::uint64_t peek(std::uint64_t address, unsigned bytes);

    tlm::tlm_sync_enum nb_transport_bw(tlm::tlm_generic_payload&, tlm::tlm_phase&,
                                       sc_core::sc_time&) override;
    void invalidate_direct_mem_ptr(sc_dt::uint64 first, sc_dt::uint64 last) override;

    Machine& machine_;
    const unsigned index_;
    const CpuParameters parameters_;
    const std::uint64_t cycle_femtoseconds_;
    sc_core::sc_simcontext* const context_;

    Picoseconds local_ = 0;
    Picoseconds synchronized_ = 0;               ///< local time of the last synchronization
    mutable Picoseconds horizon_ = 0;            ///< next activity of the kernel, as far as known
    mutable std::uint64_t horizon_seen_ = ~0ull; ///< kernel_activity when horizon_ was looked up
    Picoseconds attention_ = never;              ///< local time from which deliver() has something to do
    Picoseconds last_write_arrival_ = 0;
    Picoseconds idle_time_ = 0;

    std::vector<Region> regions_;
    std::size_t last_region_ = 0;
    std::size_t next_region_ = 0; ///< replaced next when the set is full
    tlm::tlm_generic_payload payload_;
    std::uint64_t bus_errors_ = 0;

    std::deque<Program> programs_;
    bool running_ = false;
    bool blocked_ = false;
    sc_core::sc_event wake_;
    // Sleeps hardly ever end by their timeout. The alarm that ends them stays set for later ones, so that
    // most sleeps cost the kernel no timeout of their own.
    sc_core::sc_event alarm_;
    Picoseconds alarm_at_ = never;    ///< kernel time that alarm_ is set for
    Picoseconds sleep_until_ = never; ///< end of the sleep under way, valid while blocked_
    sc_core::sc_event became_idle_;

    unsigned masked_ = 0;
    bool in_timer_ = false;
    std::deque<PendingInterrupt> interrupts_; ///< asserted, in the order of assertion
    std::vector<Timer*> timers_;              ///< by expiry, then by order of arming
};

} // namespace iommusim::machine
