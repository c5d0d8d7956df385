#include "models/soc/memory.h"

#include <algorithm>
#include <cstring>
#include <sys/mman.h>

namespace iommusim::soc {

namespace {
constexpr unsigned line_shift = 6;
constexpr unsigned burst_time_fraction_bits = 8;
} // namespace

const std::vector<Parameter<MemoryParameters>>& MemoryParameters::table() {
    using P = MemoryParameters;
    static const std::vector<Parameter<P>> rows = {
        {{"size", Unit::bytes, 4ull << 30, 4096, 1ull << 46, Provenance::chosen, "a small server",
          "capacity of the RAM"},
         &P::size},
        {{"latency", Unit::picoseconds, 90'000, 0, 1'000'000'000, Provenance::chosen,
          "a load that misses every cache takes 80 to 100 ns on current servers",
          "from arrival of a request at the memory controller to its completion"},
         &P::latency},
        {{"bandwidth", Unit::bytes_per_second, 25'600'000'000, 0, 1'000'000'000'000'000,
          Provenance::published, "JEDEC DDR4-3200, one 64-bit channel",
          "bytes moved per second; 0 = unlimited, otherwise at least 1 MB/s"},
         &P::bandwidth},
        {{"burst", Unit::bytes, 64, 1, 4096, Provenance::published,
          "JEDEC DDR4: burst length 8 on a 64-bit channel",
          "an access occupies the channel for every aligned burst it touches; power of two"},
         &P::burst},
    };
    return rows;
}

Memory::Memory(sc_core::sc_module_name name, const MemoryParameters& parameters)
    : sc_module(name),
      socket("socket"),
      parameters_(parameters),
      latency_(to_sc_time(parameters.latency)),
      queue_("queue"),
      hold_ended_("hold_ended") {
    const std::string violation = first_violation(parameters_);
    if (!violation.empty())
        SC_REPORT_FATAL(this->name(), violation.c_str());
    if ((parameters_.burst & (parameters_.burst - 1)) != 0)
        SC_REPORT_FATAL(this->name(), "burst must be a power of two");
    if (parameters_.bandwidth != 0 && parameters_.bandwidth < 1'000'000)
        SC_REPORT_FATAL(this->name(), "bandwidth must be 0 or at least 1 MB/s");

    while ((1ull << burst_shift_) < parameters_.burst)
        ++burst_shift_;
    if (parameters_.bandwidth != 0)
        burst_time_ = (parameters_.burst * (1'000'000'000'000ull << burst_time_fraction_bits) +
                       parameters_.bandwidth - 1) /
                      parameters_.bandwidth;

    // Reserves addresses only: the host provides a page, filled with zeros, when it is first touched.
    void* region = mmap(nullptr, parameters_.size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region == MAP_FAILED)
        SC_REPORT_FATAL(this->name(), "the host refuses to reserve that much address space");
    bytes_ = static_cast<std::uint8_t*>(region);

    faults_.on_added = [this](std::uint64_t first, std::uint64_t last) { revoke_direct_access(first, last); };
    faults_.on_removed = [this] { retry_held(); };
    socket.bind(*this);
}

Memory::~Memory() {
    queue_.close();
    if (bytes_ != nullptr)
        munmap(bytes_, parameters_.size);
}

// ---- time

Picoseconds Memory::occupy(const tlm::tlm_generic_payload& payload, Picoseconds arrival) {
    Picoseconds start = arrival;
    if (burst_time_ != 0 && in_range(payload.get_address(), payload.get_data_length())) {
        const std::uint64_t first = payload.get_address() >> burst_shift_;
        const std::uint64_t last =
            (payload.get_address() + std::max(payload.get_data_length(), 1u) - 1) >> burst_shift_;
        const Picoseconds busy = ((last - first + 1) * burst_time_) >> burst_time_fraction_bits;
        if (arrival >= next_free_) {
            busy_since_ = arrival;
            next_free_ = arrival + busy;
        } else if (arrival >= busy_since_) {
            start = next_free_;
            next_free_ += busy;
            statistics_.queueing += start - arrival;
        }
        // Otherwise a requester whose local time runs ahead took the channel later than now: we are served
        // before it.
    }
    Picoseconds taken = start - arrival + parameters_.latency;
    if (faults_.any())
        taken += faults_.extra_delay(kind_of(payload), payload.get_address(), payload.get_data_length());
    return taken;
}

bool Memory::held(const tlm::tlm_generic_payload& payload) const {
    return faults_.any() && faults_.held(kind_of(payload), payload.get_address(), payload.get_data_length());
}

// ---- the access itself

void Memory::perform(tlm::tlm_generic_payload& payload) {
    const std::uint64_t address = payload.get_address();
    const unsigned length = payload.get_data_length();
    const bool plain = in_range(address, length) && payload.get_streaming_width() >= length &&
                       payload.get_byte_enable_ptr() == nullptr && !faults_.any();
    if (plain && payload.is_read()) {
        ++statistics_.reads;
        statistics_.bytes_read += length;
        payload.set_response_status(tlm::TLM_OK_RESPONSE);
        payload.set_dmi_allowed(true);
        std::memcpy(payload.get_data_ptr(), bytes_ + address, length);
    } else if (plain && payload.is_write() && watches_.empty()) {
        ++statistics_.writes;
        statistics_.bytes_written += length;
        payload.set_response_status(tlm::TLM_OK_RESPONSE);
        payload.set_dmi_allowed(true);
        std::memcpy(bytes_ + address, payload.get_data_ptr(), length);
    } else if (plain && payload.is_write()) {
        perform_watched_write(payload);
    } else {
        perform_checked(payload);
    }
}

[[gnu::noinline]] void Memory::perform_watched_write(tlm::tlm_generic_payload& payload) {
    const std::uint64_t address = payload.get_address();
    const unsigned length = payload.get_data_length();
    ++statistics_.writes;
    statistics_.bytes_written += length;
    payload.set_response_status(tlm::TLM_OK_RESPONSE);
    payload.set_dmi_allowed(true);
    std::memcpy(bytes_ + address, payload.get_data_ptr(), length);
    notify_watchers(address, length);
}

void Memory::perform_checked(tlm::tlm_generic_payload& payload) {
    const std::uint64_t address = payload.get_address();
    const unsigned length = payload.get_data_length();
    tlm::tlm_response_status status = tlm::TLM_OK_RESPONSE;
    if (!in_range(address, length))
        status = tlm::TLM_ADDRESS_ERROR_RESPONSE;
    else if (payload.get_streaming_width() < length)
        status = tlm::TLM_BURST_ERROR_RESPONSE;
    else if (payload.get_command() == tlm::TLM_IGNORE_COMMAND)
        status = tlm::TLM_OK_RESPONSE;
    else if (faults_.any() && faults_.fails(kind_of(payload), address, length))
        status = tlm::TLM_GENERIC_ERROR_RESPONSE;
    else if (payload.get_byte_enable_ptr() != nullptr)
        status = perform_masked(payload);
    else if (payload.is_read())
        std::memcpy(payload.get_data_ptr(), bytes_ + address, length);
    else {
        std::memcpy(bytes_ + address, payload.get_data_ptr(), length);
        faults_.overwritten(address, length);
        notify_watchers(address, length);
    }
    payload.set_response_status(status);
    payload.set_dmi_allowed(status == tlm::TLM_OK_RESPONSE && !faults_.any());

    if (status != tlm::TLM_OK_RESPONSE) {
        ++statistics_.refused;
    } else if (payload.is_write()) {
        ++statistics_.writes;
        statistics_.bytes_written += length;
    } else if (payload.is_read()) {
        ++statistics_.reads;
        statistics_.bytes_read += length;
    }
}

tlm::tlm_response_status Memory::perform_masked(tlm::tlm_generic_payload& payload) {
    const unsigned period = payload.get_byte_enable_length();
    if (period == 0)
        return tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE;
    const std::uint64_t address = payload.get_address();
    const unsigned length = payload.get_data_length();
    const unsigned char* enable = payload.get_byte_enable_ptr();
    unsigned char* data = payload.get_data_ptr();
    bool written = false;
    for (unsigned i = 0; i < length; ++i) {
        if (enable[i % period] == TLM_BYTE_DISABLED)
            continue;
        if (payload.is_write()) {
            bytes_[address + i] = data[i];
            written = true;
            if (faults_.any())
                faults_.overwritten(address + i, 1);
        } else {
            data[i] = bytes_[address + i];
        }
    }
    if (written)
        notify_watchers(address, length);
    return tlm::TLM_OK_RESPONSE;
}

// ---- loosely-timed

void Memory::b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
    const Picoseconds arrival = now() + to_picoseconds(delay);
    const Picoseconds taken = occupy(payload, arrival);
    if (held(payload)) {
        do
            sc_core::wait(hold_ended_);
        while (held(payload));
        delay = to_sc_time(std::max(arrival + taken, now()) - now());
    } else {
        delay += taken == parameters_.latency ? latency_ : to_sc_time(taken);
    }
    perform(payload);
}

// ---- approximately-timed

tlm::tlm_sync_enum Memory::nb_transport_fw(tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                           sc_core::sc_time& delay) {
    if (phase == tlm::END_RESP) {
        if (responding_ == &payload) {
            responding_ = nullptr;
            finish(payload);
            while (responding_ == nullptr && !waiting_responses_.empty())
                respond(*waiting_responses_.pop());
        }
        return tlm::TLM_COMPLETED;
    }
    if (phase != tlm::BEGIN_REQ)
        return tlm::TLM_ACCEPTED; // phases of other protocols are ignorable

    if (payload.has_mm())
        payload.acquire();
    const Picoseconds arrival = now() + to_picoseconds(delay);
    const Picoseconds completion = arrival + occupy(payload, arrival);
    InFlight* access = unused_;
    if (access != nullptr) {
        unused_ = access->next_unused;
    } else {
        accesses_.emplace_back();
        access = &accesses_.back();
        access->memory = this;
    }
    access->payload = &payload;
    queue_.schedule(completion, completion_time, access);
    phase = tlm::END_REQ;
    return tlm::TLM_UPDATED;
}

void Memory::completion_time(void* access) {
    auto& a = *static_cast<InFlight*>(access);
    a.memory->complete(a);
}

void Memory::complete(InFlight& access) {
    tlm::tlm_generic_payload& payload = *access.payload;
    if (held(payload)) {
        held_.push_back(&access);
        return;
    }
    access.next_unused = unused_;
    unused_ = &access;
    perform(payload);
    if (responding_ != nullptr)
        waiting_responses_.push(&payload);
    else
        respond(payload);
}

void Memory::respond(tlm::tlm_generic_payload& payload) {
    responding_ = &payload;
    tlm::tlm_phase phase = tlm::BEGIN_RESP;
    sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
    const tlm::tlm_sync_enum result = socket->nb_transport_bw(payload, phase, delay);
    const bool ended = result == tlm::TLM_COMPLETED || (result == tlm::TLM_UPDATED && phase == tlm::END_RESP);
    if (ended && responding_ == &payload) {
        responding_ = nullptr;
        finish(payload);
    }
}

void Memory::finish(tlm::tlm_generic_payload& payload) {
    if (payload.has_mm())
        payload.release();
}

void Memory::retry_held() {
    for (InFlight* access : held_)
        queue_.schedule(now(), completion_time, access);
    held_.clear();
    hold_ended_.notify(sc_core::SC_ZERO_TIME);
}

// ---- direct and debug access

bool Memory::get_direct_mem_ptr(tlm::tlm_generic_payload& payload, tlm::tlm_dmi& dmi) {
    std::uint64_t first = 0;
    std::uint64_t last = parameters_.size - 1;
    bool granted = payload.get_address() <= last;
    if (granted)
        granted = faults_.clip_to_faultless(payload.get_address(), first, last);
    else
        first = parameters_.size, last = ~0ull;
    dmi.init();
    dmi.set_start_address(first);
    dmi.set_end_address(last);
    if (!granted) {
        dmi.set_granted_access(tlm::tlm_dmi::DMI_ACCESS_NONE);
        return false;
    }
    dmi.set_dmi_ptr(bytes_ + first);
    dmi.set_granted_access(tlm::tlm_dmi::DMI_ACCESS_READ_WRITE);
    dmi.set_read_latency(latency_);
    dmi.set_write_latency(latency_);
    direct_access_granted_ = true;
    return true;
}

void Memory::revoke_direct_access(std::uint64_t first, std::uint64_t last) {
    if (direct_access_granted_)
        socket->invalidate_direct_mem_ptr(first, last);
}

unsigned Memory::transport_dbg(tlm::tlm_generic_payload& payload) {
    const std::uint64_t address = payload.get_address();
    if (address >= parameters_.size)
        return 0;
    const auto length =
        static_cast<unsigned>(std::min<std::uint64_t>(payload.get_data_length(), parameters_.size - address));
    if (payload.is_write()) {
        std::memcpy(bytes_ + address, payload.get_data_ptr(), length);
        if (faults_.any())
            faults_.overwritten(address, length);
        if (!watches_.empty())
            notify_watchers(address, length);
    } else if (payload.is_read()) {
        std::memcpy(payload.get_data_ptr(), bytes_ + address, length);
    } else {
        return 0;
    }
    return length;
}

// ---- watched lines

void Memory::watch(std::uint64_t address, sc_core::sc_event& changed) {
    watches_.push_back(Watch{address >> line_shift, &changed});
}

void Memory::unwatch(std::uint64_t address, sc_core::sc_event& changed) {
    const std::uint64_t line = address >> line_shift;
    const auto found = std::find_if(watches_.begin(), watches_.end(),
                                    [&](const Watch& w) { return w.line == line && w.changed == &changed; });
    if (found != watches_.end())
        watches_.erase(found);
}

void Memory::notify_watchers(std::uint64_t address, std::uint64_t length) {
    if (length == 0)
        return;
    const std::uint64_t first = address >> line_shift;
    const std::uint64_t last = (address + length - 1) >> line_shift;
    for (const Watch& w : watches_)
        if (w.line >= first && w.line <= last)
            w.changed->notify(sc_core::SC_ZERO_TIME);
}

} // namespace iommusim::soc
