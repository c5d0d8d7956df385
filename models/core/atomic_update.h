// Compare and exchange of a 64-bit word in memory, for hardware that updates structures which software may
// change at the same time.
//
// TLM-2.0 has no such command. So the update takes the way and the time of a write whose bytes are all
// disabled: it waits for its turn at the memory, pays for it, and learns whether that place may be written at
// all. At the instant at which that write completes, the word is read, compared and written through the debug
// interface: nothing can come between. A target that does not know byte enables is reached all the same. Like
// any debug write, the new value does not wake CPUs that spin on the line.
#pragma once

#include "models/core/memory_port.h"

#include <array>
#include <memory>
#include <vector>

namespace iommusim {

class AtomicUpdate {
public:
    enum class Outcome : std::uint8_t {
        exchanged, ///< the word had the expected value and has the desired one now
        changed,   ///< it had another one, which stays
        failed,    ///< it cannot be written
    };

    explicit AtomicUpdate(MemoryPort& memory) : memory_(memory) {}
    AtomicUpdate(const AtomicUpdate&) = delete;

    /// `address` is a multiple of 8. Loose processes do not suspend. Not for debug processes.
    Task<Outcome> compare_exchange(Pace& pace, std::uint64_t address, std::uint64_t expected,
                                   std::uint64_t desired) {
        Payload& turn = acquire_payload(address);
        const tlm::tlm_response_status status = co_await memory_.forward(pace, turn);
        turn.release();
        if (status != tlm::TLM_OK_RESPONSE && status != tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE)
            co_return Outcome::failed;

        Pace at_once(Pacing::debug, pace.queue());
        std::uint64_t word = 0;
        if (memory_.read_at_once(at_once, address, &word, bytes) != tlm::TLM_OK_RESPONSE)
            co_return Outcome::failed;
        if (word != expected)
            co_return Outcome::changed;
        const tlm::tlm_response_status written = co_await memory_.write(at_once, address, &desired, bytes);
        co_return written == tlm::TLM_OK_RESPONSE ? Outcome::exchanged : Outcome::failed;
    }

private:
    static constexpr unsigned bytes = 8;

    struct Payload final : tlm::tlm_generic_payload, tlm::tlm_mm_interface {
        explicit Payload(AtomicUpdate& o) : owner(o) {
            set_mm(this);
            set_command(tlm::TLM_WRITE_COMMAND);
            set_data_ptr(data.data());
            set_data_length(bytes);
            set_streaming_width(bytes);
            set_byte_enable_ptr(enables.data());
            set_byte_enable_length(bytes);
        }
        void free(tlm::tlm_generic_payload*) override { owner.pool_.push_back(this); }

        AtomicUpdate& owner;
        std::array<unsigned char, bytes> data{};
        std::array<unsigned char, bytes> enables{}; ///< TLM_BYTE_DISABLED
    };

    Payload& acquire_payload(std::uint64_t address) {
        if (pool_.empty()) {
            payloads_.push_back(std::make_unique<Payload>(*this));
            pool_.push_back(payloads_.back().get());
        }
        Payload& payload = *pool_.back();
        pool_.pop_back();
        payload.acquire();
        payload.set_address(address);
        payload.set_dmi_allowed(false);
        payload.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
        return payload;
    }

    MemoryPort& memory_;
    std::vector<std::unique_ptr<Payload>> payloads_;
    std::vector<Payload*> pool_;
};

} // namespace iommusim
