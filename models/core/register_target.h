// A unit's registers as a TLM target: 32- and 64-bit accesses; any other form reads zero and is ignored. An
// access completes at once, with its time annotated; debug reads have no effects, debug writes are refused.
#pragma once

#include "models/base/time.h"

#include <cstdint>
#include <cstring>
#include <tlm>

namespace iommusim {

/// `Unit` has
///   bool read_register(std::uint64_t offset, unsigned bytes, std::uint64_t& value)
///   bool write_register(std::uint64_t offset, unsigned bytes, std::uint64_t value, Picoseconds delay)
/// both false for a form of access that it does not support (`value` is 0 then); a write arrives `delay` from
/// now.
template <class Unit> class RegisterTarget : public tlm::tlm_fw_transport_if<> {
public:
    RegisterTarget(Unit& unit, Picoseconds access_time)
        : unit_(unit), access_time_(to_sc_time(access_time)) {}

private:
    void b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override {
        const unsigned bytes = payload.get_data_length();
        std::uint64_t value = 0;
        if (payload.get_byte_enable_ptr() || (bytes != 4 && bytes != 8)) {
            if (payload.is_read())
                std::memset(payload.get_data_ptr(), 0, bytes);
            static_cast<void>(unit_.read_register(payload.get_address(), bytes > 8 ? 0 : bytes, value));
        } else if (payload.is_write()) {
            std::memcpy(&value, payload.get_data_ptr(), bytes);
            unit_.write_register(payload.get_address(), bytes, value, to_picoseconds(delay));
        } else if (payload.is_read()) {
            unit_.read_register(payload.get_address(), bytes, value);
            std::memcpy(payload.get_data_ptr(), &value, bytes);
        }
        delay += access_time_;
        payload.set_response_status(tlm::TLM_OK_RESPONSE);
    }

    tlm::tlm_sync_enum nb_transport_fw(tlm::tlm_generic_payload& payload, tlm::tlm_phase&,
                                       sc_core::sc_time& delay) override {
        b_transport(payload, delay);
        return tlm::TLM_COMPLETED;
    }

    bool get_direct_mem_ptr(tlm::tlm_generic_payload&, tlm::tlm_dmi& grant) override {
        grant.init();
        return false;
    }

    unsigned transport_dbg(tlm::tlm_generic_payload& payload) override {
        const unsigned bytes = payload.get_data_length();
        std::uint64_t value = 0;
        if (!payload.is_read() || (bytes != 4 && bytes != 8) ||
            !unit_.read_register(payload.get_address(), bytes, value))
            return 0;
        std::memcpy(payload.get_data_ptr(), &value, bytes);
        return bytes;
    }

    Unit& unit_;
    sc_core::sc_time access_time_;
};

} // namespace iommusim
