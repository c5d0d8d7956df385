// A bus master that does DMA: the traffic engine of a device.
//
// Models: several jobs at a time, each a stream of accesses that carry the job's requester
// (RequesterExtension), up to its limit of outstanding accesses, over the non-blocking TLM-2.0 base protocol;
// single loosely-timed accesses, if wanted through direct memory pointers (DMI). Does not model: a link with
// its own bandwidth or credits, ATS and PRI, ordering rules between accesses, retries. C++17: public to
// foreign virtual platforms.
#pragma once

#include "../base/time.h"
#include "../core/requester.h"
#include "../core/timed_queue.h"
#include "dma_job.h"
#include "dmi_cache.h"

#include <cstdint>
#include <memory>
#include <tlm>
#include <vector>

namespace iommusim::soc {

class DmaMaster : public sc_core::sc_module,
                  public tlm::tlm_bw_transport_if<>,
                  private tlm::tlm_mm_interface {
public:
    tlm::tlm_initiator_socket<> socket;

    explicit DmaMaster(sc_core::sc_module_name name);
    ~DmaMaster() override;
    DmaMaster(const DmaMaster&) = delete;
    DmaMaster& operator=(const DmaMaster&) = delete;

    // ---- approximately-timed jobs
    /// Starts a job; its accesses begin in a later delta cycle. Callable from any process, before the
    /// simulation starts, and from listeners. A job with a violation() is a fatal error. The returned index
    /// is taken until the job has ended, then it may be given to a later job.
    DmaJobId start(const DmaJob& job);
    /// Issues no further access of the job; it ends when the outstanding ones have completed, at once if
    /// there are none.
    void stop(DmaJobId job);
    bool running(DmaJobId job) const;
    unsigned running_jobs() const { return running_; }
    /// So far, or at its end if the job has ended. Valid until its index is given to a later job.
    const DmaResult& result(DmaJobId job) const;

    // ---- single loosely-timed access
    /// One b_transport (or a copy through a cached direct pointer); adds its time to `delay`. Call it from an
    /// SC_THREAD, the target may wait.
    tlm::tlm_response_status transfer(const Requester& requester, bool write, std::uint64_t address,
                                      void* data, std::uint32_t length, sc_core::sc_time& delay);
    /// Whether transfer() asks for and uses direct memory pointers; initially not.
    void use_direct_access(bool on);
    std::uint64_t direct_accesses() const { return direct_accesses_; }

    tlm::tlm_sync_enum nb_transport_bw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                       sc_core::sc_time& delay) override;
    void invalidate_direct_mem_ptr(sc_dt::uint64 first, sc_dt::uint64 last) override;

private:
    enum class JobState : std::uint8_t { ended, starting, running, stopping };
    struct Job;
    struct Transfer;

    void wake_at(Job& job, Picoseconds when);
    static bool finished(const Job& job);
    void end_job(Job& job);

    void pump(Job& job);
    void pump_all();
    void serve_jobs_in_turn();
    bool may_issue(Job& job);
    void issue(Job& job);
    void end_request(Picoseconds delay);
    void responded(Transfer& transfer, Picoseconds delay);
    void complete(Transfer& transfer);

    static void prepare_write(const DmaJob& plan, Transfer& transfer);
    static bool data_matches(const DmaJob& plan, const Transfer& transfer);

    Transfer& take_transfer();
    void free(tlm::tlm_generic_payload* payload) override;

    TimedQueue queue_;
    std::vector<std::unique_ptr<Job>> jobs_;
    unsigned running_ = 0;
    std::size_t next_turn_ = 0; ///< job that is served first when the socket is free again

    Transfer* request_ = nullptr; ///< sent, END_REQ not yet seen: TLM-2.0 allows no second request
    bool request_gap_ = false;    ///< END_REQ was annotated: no request before its time
    bool issuing_ = false;
    bool pump_again_ = false;

    std::vector<std::unique_ptr<Transfer>> transfers_;
    Transfer* unused_ = nullptr;

    DmiCache direct_;
    bool use_direct_access_ = false;
    std::uint64_t direct_accesses_ = 0;
};

} // namespace iommusim::soc
