// What a DMA master is told to do, and what it reports.
//
// Models: a stream of equal-sized accesses whose addresses follow a pattern, with a limit on how many are
// outstanding and how often one may be issued; data that can be checked afterwards. Does not model:
// descriptors in memory, scatter/gather inside one access, ordering between accesses of one job. C++17:
// public to foreign virtual platforms.
#pragma once

#include "../base/time.h"
#include "../core/requester.h"

#include <array>
#include <cstdint>
#include <tlm>

namespace iommusim::soc {

/// Index of a job at its master. Reused: see DmaMaster::start().
using DmaJobId = std::uint32_t;

enum class DmaDirection : std::uint8_t {
    read = 0,
    write = 1,
    alternating = 2, ///< read, write, read, ... each at the pattern's next address
};

enum class DmaPattern : std::uint8_t {
    sequential = 0, ///< base + i * length
    strided = 1,    ///< base + i * stride
    ring = 2,       ///< base + (i mod slots) * stride
    random = 3,     ///< base + (uniformly random slot) * stride
    list = 4,       ///< addresses[i mod address_count]
};

enum class DmaCheck : std::uint8_t {
    none = 0,
    pattern = 1, ///< reads are compared with the pattern of `data_seed`, see fill_dma_pattern()
    buffer = 2,  ///< reads are compared with `contents`, writes carry it
};

struct DmaAccess;
struct DmaResult;

/// Is told about each access and the end of each job, at the simulated time at which the master sees it. May
/// start or stop jobs.
class DmaListener {
public:
    virtual ~DmaListener() = default;
    virtual void on_dma_access(const DmaAccess&) {}
    virtual void on_dma_job_end(DmaJobId, const DmaResult&) {}
};

/// Plain data; what it points at must outlive the job.
struct DmaJob {
    Requester requester;
    DmaDirection direction = DmaDirection::read;
    DmaPattern pattern = DmaPattern::sequential;
    DmaCheck check = DmaCheck::none;

    std::uint64_t base = 0;
    std::uint32_t length = 64;      ///< bytes per access, 1 to max_length
    std::uint64_t stride = 0;       ///< bytes from slot to slot; 0 = length
    std::uint64_t window = 0;       ///< bytes; ring and random: floor((window - length) / stride) + 1 slots
    std::uint64_t count = 1;        ///< accesses; 0 = until stopped
    std::uint32_t outstanding = 1;  ///< at most so many at a time, at least 1
    Picoseconds interval = 0;       ///< at least so long from issue to issue; 0 = as fast as possible
    Picoseconds start_delay = 0;    ///< from start() to the first issue
    std::uint64_t address_seed = 1; ///< DmaPattern::random

    const std::uint64_t* addresses = nullptr; ///< DmaPattern::list
    std::uint64_t address_count = 0;

    /// Writes carry fill_dma_pattern(data_seed, address, ...) unless `check` is `buffer`.
    std::uint64_t data_seed = 0;
    const std::uint8_t* contents = nullptr; ///< DmaCheck::buffer: the bytes of [base, base + contents_size)
    std::uint64_t contents_size = 0;        ///< bytes outside are not compared and are written as zeros

    DmaListener* listener = nullptr;
    sc_core::sc_event* ended = nullptr; ///< notified (delta) at the end of the job

    static constexpr std::uint32_t max_length = 1u << 20;
    static constexpr std::uint32_t max_outstanding = 1u << 16;
    /// nullptr when the job can run, otherwise what is wrong with it.
    const char* violation() const;
};

/// One finished access.
struct DmaAccess {
    DmaJobId job;
    std::uint64_t index; ///< position in the job's order of issue
    std::uint64_t address;
    std::uint32_t length;
    bool write;
    tlm::tlm_response_status status;
    bool data_matched; ///< false: a checked read returned other bytes
    Picoseconds issued;
    Picoseconds completed;
    const std::uint8_t* data; ///< valid during the callback
};

struct DmaResult {
    std::uint64_t issued = 0;
    std::uint64_t completed = 0;      ///< with any status
    std::uint64_t bytes = 0;          ///< of accesses answered with TLM_OK_RESPONSE
    std::uint64_t mismatches = 0;     ///< checked reads that returned other bytes
    std::uint64_t first_mismatch = 0; ///< address of the access; valid if mismatches != 0
    Picoseconds started = 0;          ///< first issue
    Picoseconds ended = 0;            ///< last completion
    std::array<std::uint64_t, 7> by_status{};

    std::uint64_t count_of(tlm::tlm_response_status status) const {
        return by_status[static_cast<std::size_t>(tlm::TLM_OK_RESPONSE - status)];
    }
    std::uint64_t errors() const { return completed - count_of(tlm::TLM_OK_RESPONSE); }
};

/// The bytes that writes carry and checked reads expect: a function of seed and address only, so that
/// software can prepare and check a buffer, and a DMA that reaches the wrong page is recognised.
void fill_dma_pattern(std::uint64_t seed, std::uint64_t address, std::uint8_t* data, std::size_t length);
bool matches_dma_pattern(std::uint64_t seed, std::uint64_t address, const std::uint8_t* data,
                         std::size_t length);

/// The addresses of a job, one after the other.
class DmaAddressSequence {
public:
    DmaAddressSequence() = default;
    explicit DmaAddressSequence(const DmaJob& job);
    std::uint64_t next();

private:
    DmaPattern pattern_ = DmaPattern::sequential;
    std::uint64_t base_ = 0;
    std::uint64_t step_ = 0;
    std::uint64_t slots_ = 0; ///< 0: endless
    std::uint64_t slot_ = 0;
    std::uint64_t random_ = 0;
    const std::uint64_t* addresses_ = nullptr;
};

} // namespace iommusim::soc
