#include "models/soc/dma_master.h"

#include <algorithm>
#include <cstring>

namespace iommusim::soc {

struct DmaMaster::Job {
    DmaMaster* master = nullptr;
    DmaJobId id = 0;
    JobState state = JobState::ended;
    bool wake_scheduled = false;
    std::uint32_t in_flight = 0;
    Picoseconds next_issue = 0;
    DmaJob plan;
    DmaAddressSequence addresses;
    DmaResult result;
};

/// A pooled payload with its buffer and extension.
struct DmaMaster::Transfer : tlm::tlm_generic_payload {
    Transfer() { set_extension(&requester); }
    ~Transfer() override { clear_extension(&requester); } // the payload's destructor would delete it

    RequesterExtension requester;
    Job* job = nullptr;
    std::uint64_t index = 0;
    std::uint64_t issued_address = 0; ///< targets may change the payload's
    Picoseconds issued = 0;
    bool owes_end_response = false;
    std::vector<std::uint8_t> buffer;
    Transfer* next_unused = nullptr;

    void describe(bool write, std::uint64_t address, std::uint8_t* data, std::uint32_t length) {
        set_command(write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND);
        set_address(address);
        set_data_ptr(data);
        set_data_length(length);
        set_streaming_width(length);
        set_byte_enable_ptr(nullptr);
        set_dmi_allowed(false);
        set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
    }
};

DmaMaster::DmaMaster(sc_core::sc_module_name name) : sc_module(name), socket("socket"), queue_("queue") {
    socket.bind(*this);
}

DmaMaster::~DmaMaster() { queue_.close(); }

bool DmaMaster::running(DmaJobId job) const { return jobs_[job]->state != JobState::ended; }
const DmaResult& DmaMaster::result(DmaJobId job) const { return jobs_[job]->result; }

// ---- jobs

DmaJobId DmaMaster::start(const DmaJob& plan) {
    if (const char* violation = plan.violation())
        SC_REPORT_FATAL(this->name(), violation);
    Job* job = nullptr;
    for (const std::unique_ptr<Job>& j : jobs_)
        if (j->state == JobState::ended && !j->wake_scheduled) {
            job = j.get();
            break;
        }
    if (job == nullptr) {
        jobs_.push_back(std::make_unique<Job>());
        job = jobs_.back().get();
        job->master = this;
        job->id = static_cast<DmaJobId>(jobs_.size() - 1);
    }
    job->plan = plan;
    job->addresses = DmaAddressSequence(plan);
    job->result = DmaResult();
    job->next_issue = now() + plan.start_delay;
    job->state = JobState::starting;
    ++running_;
    wake_at(*job, job->next_issue);
    return job->id;
}

void DmaMaster::wake_at(Job& job, Picoseconds when) {
    if (job.wake_scheduled)
        return;
    job.wake_scheduled = true;
    queue_.schedule(
        when,
        [](void* argument) {
            Job& j = *static_cast<Job*>(argument);
            j.wake_scheduled = false;
            if (j.state == JobState::starting) {
                j.state = JobState::running;
                j.result.started = now();
            }
            j.master->pump(j);
        },
        &job);
}

void DmaMaster::stop(DmaJobId id) {
    Job& job = *jobs_[id];
    if (job.state == JobState::ended)
        return;
    job.state = JobState::stopping;
    if (job.in_flight == 0)
        end_job(job);
}

bool DmaMaster::finished(const Job& job) {
    if (job.in_flight != 0)
        return false;
    return job.state == JobState::stopping ||
           (job.state == JobState::running && job.plan.count != 0 && job.result.issued == job.plan.count);
}

void DmaMaster::end_job(Job& job) {
    job.state = JobState::ended;
    job.result.ended = now();
    --running_;
    if (job.plan.ended != nullptr)
        job.plan.ended->notify(sc_core::SC_ZERO_TIME);
    if (job.plan.listener != nullptr)
        job.plan.listener->on_dma_job_end(job.id, job.result);
}

// ---- requests

bool DmaMaster::may_issue(Job& job) {
    if (job.state != JobState::running || job.in_flight >= job.plan.outstanding || request_ != nullptr ||
        request_gap_ || (job.plan.count != 0 && job.result.issued == job.plan.count))
        return false;
    if (job.plan.interval != 0 && now() < job.next_issue) {
        wake_at(job, job.next_issue);
        return false;
    }
    return true;
}

void DmaMaster::pump(Job& job) {
    if (issuing_) { // the target answered inside our own request: the loop below goes on
        pump_again_ = true;
        return;
    }
    issuing_ = true;
    while (may_issue(job))
        issue(job);
    while (pump_again_) {
        pump_again_ = false;
        serve_jobs_in_turn();
    }
    issuing_ = false;
}

void DmaMaster::pump_all() {
    pump_again_ = true;
    if (issuing_)
        return;
    issuing_ = true;
    while (pump_again_) {
        pump_again_ = false;
        serve_jobs_in_turn();
    }
    issuing_ = false;
}

void DmaMaster::serve_jobs_in_turn() {
    const std::size_t first = next_turn_;
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
        const std::size_t turn = (first + i) % jobs_.size();
        Job& job = *jobs_[turn];
        while (may_issue(job))
            issue(job);
        if (request_ != nullptr || request_gap_)
            return;
    }
}

void DmaMaster::issue(Job& job) {
    const DmaJob& plan = job.plan;
    Transfer& t = take_transfer();
    t.job = &job;
    t.index = job.result.issued++;
    t.issued = now();
    t.issued_address = job.addresses.next();
    t.requester.requester = plan.requester;
    if (t.buffer.size() < plan.length)
        t.buffer.resize(plan.length);
    const bool write = plan.direction == DmaDirection::write ||
                       (plan.direction == DmaDirection::alternating && (t.index & 1) != 0);
    t.describe(write, t.issued_address, t.buffer.data(), plan.length);
    if (write)
        prepare_write(plan, t);
    ++job.in_flight;
    job.next_issue = t.issued + plan.interval;

    tlm::tlm_phase phase = tlm::BEGIN_REQ;
    sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
    request_ = &t;
    next_turn_ = job.id + 1;
    const tlm::tlm_sync_enum result = socket->nb_transport_fw(t, phase, delay);
    if (result == tlm::TLM_ACCEPTED)
        return; // END_REQ or BEGIN_RESP comes, or came during the call
    request_ = nullptr;
    if (result == tlm::TLM_UPDATED && phase == tlm::END_REQ) {
        end_request(to_picoseconds(delay));
        return;
    }
    t.owes_end_response = result == tlm::TLM_UPDATED;
    responded(t, to_picoseconds(delay));
}

/// The target takes the next request `delay` from now.
void DmaMaster::end_request(Picoseconds delay) {
    if (delay == 0)
        return;
    request_gap_ = true;
    queue_.schedule(
        now() + delay,
        [](void* argument) {
            auto& master = *static_cast<DmaMaster*>(argument);
            master.request_gap_ = false;
            master.pump_all();
        },
        this);
}

// ---- responses

tlm::tlm_sync_enum DmaMaster::nb_transport_bw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                              sc_core::sc_time& delay) {
    auto& t = static_cast<Transfer&>(payload);
    const bool ends_request = request_ == &t;
    if (phase == tlm::END_REQ) {
        if (ends_request) {
            request_ = nullptr;
            end_request(to_picoseconds(delay));
            pump_all();
        }
        return tlm::TLM_ACCEPTED;
    }
    if (phase != tlm::BEGIN_RESP)
        return tlm::TLM_ACCEPTED; // phases of other protocols are ignorable
    if (ends_request)
        request_ = nullptr;
    responded(t, to_picoseconds(delay));
    if (ends_request)
        pump_all();
    return tlm::TLM_COMPLETED;
}

void DmaMaster::responded(Transfer& t, Picoseconds delay) {
    if (delay == 0) {
        complete(t);
        return;
    }
    queue_.schedule(
        now() + delay,
        [](void* argument) {
            auto& transfer = *static_cast<Transfer*>(argument);
            transfer.job->master->complete(transfer);
        },
        &t);
}

void DmaMaster::complete(Transfer& t) {
    if (t.owes_end_response) {
        t.owes_end_response = false;
        tlm::tlm_phase phase = tlm::END_RESP;
        sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
        socket->nb_transport_fw(t, phase, delay);
    }
    Job& job = *t.job;
    DmaResult& result = job.result;
    const tlm::tlm_response_status status = t.get_response_status();
    const bool succeeded = status == tlm::TLM_OK_RESPONSE;
    const bool matched =
        !succeeded || t.is_write() || job.plan.check == DmaCheck::none || data_matches(job.plan, t);
    ++result.completed;
    ++result.by_status[static_cast<std::size_t>(tlm::TLM_OK_RESPONSE - status)];
    if (succeeded)
        result.bytes += job.plan.length;
    if (!matched && result.mismatches++ == 0)
        result.first_mismatch = t.issued_address;
    --job.in_flight;
    if (job.plan.listener != nullptr)
        job.plan.listener->on_dma_access(DmaAccess{job.id, t.index, t.issued_address, job.plan.length,
                                                   t.is_write(), status, matched, t.issued, now(),
                                                   t.buffer.data()});
    t.release();
    // The listener may have stopped the job.
    if (finished(job))
        end_job(job);
    else
        pump(job);
}

void DmaMaster::prepare_write(const DmaJob& plan, Transfer& t) {
    if (plan.check != DmaCheck::buffer) {
        fill_dma_pattern(plan.data_seed, t.issued_address, t.buffer.data(), plan.length);
        return;
    }
    for (std::uint32_t i = 0; i < plan.length; ++i) {
        const std::uint64_t offset = t.issued_address + i - plan.base;
        t.buffer[i] = offset < plan.contents_size ? plan.contents[offset] : 0;
    }
}

bool DmaMaster::data_matches(const DmaJob& plan, const Transfer& t) {
    if (plan.check == DmaCheck::pattern)
        return matches_dma_pattern(plan.data_seed, t.issued_address, t.buffer.data(), plan.length);
    for (std::uint32_t i = 0; i < plan.length; ++i) {
        const std::uint64_t offset = t.issued_address + i - plan.base;
        if (offset < plan.contents_size && t.buffer[i] != plan.contents[offset])
            return false;
    }
    return true;
}

// ---- single accesses

void DmaMaster::use_direct_access(bool on) {
    use_direct_access_ = on;
    if (!on)
        direct_.clear();
}

tlm::tlm_response_status DmaMaster::transfer(const Requester& requester, bool write, std::uint64_t address,
                                             void* data, std::uint32_t length, sc_core::sc_time& delay) {
    const bool one_page = length != 0 && ((address ^ (address + length - 1)) >> DmiCache::page_shift) == 0;
    if (use_direct_access_ && one_page) {
        if (const DmiCache::Entry* e = direct_.find(requester, write, address)) {
            std::uint8_t* bytes = e->bytes + (address & ((1ull << DmiCache::page_shift) - 1));
            if (write)
                std::memcpy(bytes, data, length);
            else
                std::memcpy(data, bytes, length);
            delay += to_sc_time(write ? e->write_latency : e->read_latency);
            ++direct_accesses_;
            return tlm::TLM_OK_RESPONSE;
        }
    }
    Transfer& t = take_transfer();
    t.requester.requester = requester;
    t.describe(write, address, static_cast<std::uint8_t*>(data), length);
    socket->b_transport(t, delay);
    const tlm::tlm_response_status status = t.get_response_status();
    if (use_direct_access_ && t.is_dmi_allowed()) {
        t.set_address(address);
        tlm::tlm_dmi dmi;
        if (socket->get_direct_mem_ptr(t, dmi))
            direct_.insert(requester, address, dmi);
    }
    t.release();
    return status;
}

void DmaMaster::invalidate_direct_mem_ptr(sc_dt::uint64 first, sc_dt::uint64 last) {
    direct_.invalidate(first, last);
}

// ---- payloads

DmaMaster::Transfer& DmaMaster::take_transfer() {
    if (unused_ == nullptr) {
        transfers_.push_back(std::make_unique<Transfer>());
        unused_ = transfers_.back().get();
        unused_->set_mm(this);
    }
    Transfer& t = *unused_;
    unused_ = t.next_unused;
    t.acquire();
    return t;
}

void DmaMaster::free(tlm::tlm_generic_payload* payload) {
    payload->reset(); // frees extensions that others attached for this one transaction
    auto* t = static_cast<Transfer*>(payload);
    t->next_unused = unused_;
    unused_ = t;
}

} // namespace iommusim::soc
