// Rings in memory between software and a model: a reader (command queues) and a writer (event, fault and
// page-request logs). Positions are indices; rings of SMMUv3 carry a wrap bit above the index so that full
// and empty differ, the others keep one entry empty.
#pragma once

#include "models/core/memory_port.h"

#include <array>
#include <cassert>
#include <cstdint>

namespace iommusim {

/// Where a ring lies and how its positions count.
struct RingGeometry {
    std::uint64_t base = 0;
    unsigned log2_entries = 0;
    unsigned entry_bytes = 16;
    bool wrap_bit = true;

    std::uint32_t entries() const { return 1u << log2_entries; }
    std::uint32_t positions() const { return wrap_bit ? entries() * 2 : entries(); }
    std::uint32_t index(std::uint32_t position) const { return position & (entries() - 1); }
    std::uint32_t advance(std::uint32_t position, std::uint32_t by = 1) const {
        return (position + by) & (positions() - 1);
    }
    std::uint32_t distance(std::uint32_t from, std::uint32_t to) const {
        return (to - from) & (positions() - 1);
    }
    std::uint64_t address(std::uint32_t position) const {
        return base + std::uint64_t{index(position)} * entry_bytes;
    }
    bool full(std::uint32_t producer, std::uint32_t consumer) const {
        return wrap_bit ? distance(consumer, producer) == entries()
                        : distance(consumer, producer) == entries() - 1;
    }
    /// False for pairs that no correct software produces: more entries outstanding than there are.
    bool consistent(std::uint32_t producer, std::uint32_t consumer) const {
        return distance(consumer, producer) <= entries();
    }
};

/// Fetches entries in bursts of up to `burst` (never across the end of the ring) and hands them out one by
/// one.
class RingReader {
public:
    static constexpr unsigned buffer_bytes = 1024;

    explicit RingReader(MemoryPort& memory) : memory_(memory) {}

    /// Takes over a new geometry; fetched entries are dropped.
    void configure(const RingGeometry& geometry) {
        geometry_ = geometry;
        drop();
    }
    const RingGeometry& geometry() const { return geometry_; }

    /// Forgets entries fetched ahead (error, disable): they will be read again.
    void drop() { fetched_ = taken_ = 0; }
    bool has_next() const { return taken_ < fetched_; }
    /// When the bytes of the buffered entries arrived.
    Picoseconds fetched_at() const { return fetched_at_; }

    /// Reads entries starting at `position`, at most up to `producer`. Nothing is buffered unless the status
    /// is OK.
    Task<tlm::tlm_response_status> fetch(Pace& pace, std::uint32_t position, std::uint32_t producer,
                                         unsigned burst) {
        const std::uint32_t available = geometry_.distance(position, producer);
        const std::uint32_t to_end = geometry_.entries() - geometry_.index(position);
        std::uint32_t count = burst < available ? burst : available;
        count = count < to_end ? count : to_end;
        const std::uint32_t fits = buffer_bytes / geometry_.entry_bytes;
        count = count < fits ? count : fits;
        drop();
        const std::uint64_t generation = generation_;
        const tlm::tlm_response_status status = co_await memory_.read(
            pace, geometry_.address(position), buffer_.data(), count * geometry_.entry_bytes);
        if (status == tlm::TLM_OK_RESPONSE && generation == generation_) {
            fetched_ = count;
            taken_ = 0;
            fetched_at_ = pace.time();
        }
        co_return status;
    }

    /// The next buffered entry.
    const std::uint64_t* take() {
        assert(has_next());
        return buffer_.data() + std::size_t{taken_++} * geometry_.entry_bytes / 8;
    }

    /// Makes a fetch under way worthless.
    void abandon() {
        ++generation_;
        drop();
    }

private:
    MemoryPort& memory_;
    RingGeometry geometry_;
    std::array<std::uint64_t, buffer_bytes / 8> buffer_{};
    std::uint32_t fetched_ = 0;
    std::uint32_t taken_ = 0;
    Picoseconds fetched_at_ = 0;
    std::uint64_t generation_ = 0;
};

/// Writes records; the caller publishes the new producer index after the write has become observable.
class RingWriter {
public:
    explicit RingWriter(MemoryPort& memory) : memory_(memory) {}

    void configure(const RingGeometry& geometry) { geometry_ = geometry; }
    const RingGeometry& geometry() const { return geometry_; }

    MemoryPort::Access write(Pace& pace, std::uint32_t position, const void* record) {
        return memory_.write(pace, geometry_.address(position), record, geometry_.entry_bytes);
    }

private:
    MemoryPort& memory_;
    RingGeometry geometry_;
};

} // namespace iommusim
