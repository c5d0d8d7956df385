// What tests of driver software stand on: a machine with a few CPUs and plain RAM, no devices.
#pragma once

#include "drivers/machine/machine.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <tlm_utils/multi_passthrough_target_socket.h>
#include <vector>

namespace iommusim::test {

/// RAM that answers at once and grants direct access.
class PlainRam : public sc_core::sc_module {
public:
    tlm_utils::multi_passthrough_target_socket<PlainRam> bus{"bus"};

    PlainRam(sc_core::sc_module_name name, std::uint64_t base, std::uint64_t size)
        : sc_module(name), base_(base), bytes_(size) {
        bus.register_b_transport(this, &PlainRam::b_transport);
        bus.register_get_direct_mem_ptr(this, &PlainRam::get_direct_mem_ptr);
    }

    std::uint64_t word(std::uint64_t address) const {
        std::uint64_t value = 0;
        std::memcpy(&value, bytes_.data() + (address - base_), sizeof value);
        return value;
    }
    void set_word(std::uint64_t address, std::uint64_t value) {
        std::memcpy(bytes_.data() + (address - base_), &value, sizeof value);
    }

private:
    void b_transport(int, tlm::tlm_generic_payload& payload, sc_core::sc_time&) {
        const std::uint64_t offset = payload.get_address() - base_;
        if (offset >= bytes_.size() || payload.get_data_length() > bytes_.size() - offset) {
            payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
            return;
        }
        if (payload.is_read())
            std::memcpy(payload.get_data_ptr(), bytes_.data() + offset, payload.get_data_length());
        else
            std::memcpy(bytes_.data() + offset, payload.get_data_ptr(), payload.get_data_length());
        payload.set_response_status(tlm::TLM_OK_RESPONSE);
    }
    bool get_direct_mem_ptr(int, tlm::tlm_generic_payload&, tlm::tlm_dmi& dmi) {
        dmi.allow_read_write();
        dmi.set_start_address(base_);
        dmi.set_end_address(base_ + bytes_.size() - 1);
        dmi.set_dmi_ptr(bytes_.data());
        return true;
    }

    std::uint64_t base_;
    std::vector<unsigned char> bytes_;
};

class DriverBench {
public:
    static constexpr std::uint64_t ram_base = 0x4000'0000;

    explicit DriverBench(unsigned cpus = 1, std::uint64_t ram_size = 16u << 20,
                         const machine::CpuParameters& parameters = {})
        : ram("ram", ram_base, ram_size), machine("machine", cpus, parameters, ram_base, ram_size) {
        for (unsigned i = 0; i < cpus; ++i)
            machine.cpu(i).bus.bind(ram.bus);
    }

    /// Runs one program to its end, and whatever it causes; may be called again.
    void run(std::function<void(machine::Cpu&)> program, unsigned cpu = 0) {
        machine.cpu(cpu).run(std::move(program));
        sc_core::sc_start();
    }

    PlainRam ram;
    machine::Machine machine;
};

/// Property tests draw the same cases on every run unless the environment asks for others.
inline const bool properties_are_reproducible = [] {
    ::setenv("RC_PARAMS", "seed=20240611 max_success=100", 0);
    return true;
}();

} // namespace iommusim::test
