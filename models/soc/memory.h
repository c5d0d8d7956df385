// The RAM of a machine behind one memory controller.
//
// Models: byte contents (sparse: untouched pages cost nothing on the host), a fixed access latency, a
// bandwidth limit shared by everybody who accesses it, both TLM-2.0 interfaces, direct access (DMI), injected
// faults (FaultInjector), and the coherence message to a CPU that spins on a line (LineMonitor). Does not
// model: banks, rows, refresh, channel interleaving, reordering, request back-pressure (every request is
// accepted at once), ECC beyond injected poison. Direct (DMI) and debug accesses take no bandwidth and do not
// wake watchers: software that writes through DMI must notify on its own. C++17: public to foreign virtual
// platforms.
#pragma once

#include "../base/line_monitor.h"
#include "../base/parameters.h"
#include "../base/time.h"
#include "../core/timed_queue.h"
#include "fault_injector.h"
#include "fifo.h"

#include <cstdint>
#include <deque>
#include <tlm>
#include <vector>

namespace iommusim::soc {

struct MemoryParameters {
    MemoryParameters() { set_defaults(*this); }
    static const std::vector<Parameter<MemoryParameters>>& table();

    std::uint64_t size;      ///< bytes
    std::uint64_t latency;   ///< ps from arrival of a request to its completion when nobody else is served
    std::uint64_t bandwidth; ///< bytes/s; 0 = unlimited, otherwise at least 1 MB/s
    std::uint64_t burst; ///< bytes, power of two: an access occupies the channel for every burst it touches
};

struct MemoryStatistics {
    std::uint64_t reads = 0;
    std::uint64_t writes = 0;
    std::uint64_t bytes_read = 0;
    std::uint64_t bytes_written = 0;
    std::uint64_t refused = 0; ///< answered with anything but TLM_OK_RESPONSE
    Picoseconds queueing = 0;  ///< sum of the times that accesses waited for the channel
};

/// Addresses are offsets into the RAM, 0 to size - 1. In the non-blocking interface bytes are read and
/// written exactly at completion, when BEGIN_RESP is sent; in b_transport they are read and written at the
/// call, and completion is annotated (an access to a held range waits, then takes effect at its release).
class Memory : public sc_core::sc_module, public LineMonitor, public tlm::tlm_fw_transport_if<> {
public:
    tlm::tlm_target_socket<> socket;

    explicit Memory(sc_core::sc_module_name name, const MemoryParameters& parameters = MemoryParameters());
    ~Memory() override;
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;

    const MemoryParameters& parameters() const { return parameters_; }
    const MemoryStatistics& statistics() const { return statistics_; }
    FaultInjector& fault_injector() { return faults_; }

    /// The bytes themselves, for loading and inspecting without simulated time.
    std::uint8_t* bytes() { return bytes_; }
    const std::uint8_t* bytes() const { return bytes_; }

    void watch(std::uint64_t address, sc_core::sc_event& changed) override;
    void unwatch(std::uint64_t address, sc_core::sc_event& changed) override;

    void b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;
    tlm::tlm_sync_enum nb_transport_fw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                       sc_core::sc_time& delay) override;
    bool get_direct_mem_ptr(tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) override;
    unsigned transport_dbg(tlm::tlm_generic_payload& payload) override;

private:
    /// A non-blocking access between its request and its completion; reused.
    struct InFlight {
        Memory* memory;
        tlm::tlm_generic_payload* payload;
        InFlight* next_unused;
    };
    struct Watch {
        std::uint64_t line;
        sc_core::sc_event* changed;
    };

    bool in_range(std::uint64_t address, std::uint64_t length) const {
        return address < parameters_.size && length <= parameters_.size - address;
    }
    static AccessKind kind_of(const tlm::tlm_generic_payload& payload) {
        return payload.is_write() ? AccessKind::write : AccessKind::read;
    }
    bool held(const tlm::tlm_generic_payload& payload) const;
    /// Takes the channel for an access that arrives at `arrival`; returns how long after its arrival it
    /// completes.
    Picoseconds occupy(const tlm::tlm_generic_payload& payload, Picoseconds arrival);

    /// Moves the bytes and sets the response status; the ordinary cases first.
    void perform(tlm::tlm_generic_payload& payload);
    void perform_watched_write(tlm::tlm_generic_payload& payload);
    void perform_checked(tlm::tlm_generic_payload& payload);
    tlm::tlm_response_status perform_masked(tlm::tlm_generic_payload& payload);
    void notify_watchers(std::uint64_t address, std::uint64_t length);

    static void completion_time(void* access);
    void complete(InFlight& access);
    void respond(tlm::tlm_generic_payload& payload);
    void finish(tlm::tlm_generic_payload& payload);
    void retry_held();
    void revoke_direct_access(std::uint64_t first, std::uint64_t last);

    const MemoryParameters parameters_;
    const sc_core::sc_time latency_;
    std::uint8_t* bytes_ = nullptr;
    MemoryStatistics statistics_;
    FaultInjector faults_;
    std::vector<Watch> watches_;

    unsigned burst_shift_ = 0;
    std::uint64_t burst_time_ = 0; ///< 1/256 ps
    Picoseconds busy_since_ = 0;   ///< the channel is taken from here ...
    Picoseconds next_free_ = 0;    ///< ... to here

    TimedQueue queue_;
    std::deque<InFlight> accesses_;
    InFlight* unused_ = nullptr;
    std::vector<InFlight*> held_;
    sc_core::sc_event hold_ended_;
    bool direct_access_granted_ = false;

    // TLM-2.0 allows one response at a time: further ones wait for END_RESP.
    tlm::tlm_generic_payload* responding_ = nullptr;
    Fifo<tlm::tlm_generic_payload*> waiting_responses_;
};

} // namespace iommusim::soc
