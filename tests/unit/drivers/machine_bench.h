// A machine with the smallest possible hardware around it: RAM with or without direct memory access, one
// window of registers that records what arrives when, and hardware actions at chosen times.
#pragma once

#include "drivers/machine/machine.h"
#include "drivers/machine/shared_word.h"
#include "drivers/machine/spinlock.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <gtest/gtest.h>
#include <tlm_utils/multi_passthrough_target_socket.h>
#include <utility>
#include <vector>

namespace iommusim::machine {

class TinyHardware : public sc_core::sc_module, public LineMonitor {
public:
    static constexpr std::uint64_t ram_bytes = 1 << 20;
    static constexpr std::uint64_t registers =
        0x4000'0000; ///< above it nothing answers but registers + [0, 4096)

    struct Arrival {
        Picoseconds time;
        std::uint64_t address;
        std::uint64_t value;
    };

    tlm_utils::multi_passthrough_target_socket<TinyHardware> bus{"bus"};
    bool grants_direct_access = true;
    std::vector<Arrival> register_writes;
    std::vector<Arrival> register_reads; ///< value: what was returned
    std::function<std::uint64_t(Picoseconds)> register_value = [](Picoseconds) { return 0; };
    std::size_t transactions = 0;
    std::size_t watches = 0; ///< watch() calls so far

    explicit TinyHardware(sc_core::sc_module_name name) : sc_module(name), ram_(ram_bytes, 0) {
        bus.register_b_transport(this, &TinyHardware::b_transport);
        bus.register_get_direct_mem_ptr(this, &TinyHardware::get_direct_mem_ptr);
        bus.register_transport_dbg(this, &TinyHardware::transport_dbg);
    }

    /// Runs `action` as a hardware process at `when`.
    static void at(Picoseconds when, std::function<void()> action) {
        sc_core::sc_spawn([when, action] {
            if (when != 0)
                sc_core::wait(to_sc_time(when));
            action();
        });
    }
    /// A bus write of the hardware, now.
    void write(std::uint64_t address, std::uint64_t value) {
        std::memcpy(&ram_[address], &value, 8);
        for (const auto& [line, event] : watchers_)
            if (line == address / 64)
                event->notify(sc_core::SC_ZERO_TIME);
    }
    std::uint64_t read(std::uint64_t address) const {
        std::uint64_t value;
        std::memcpy(&value, &ram_[address], 8);
        return value;
    }
    void revoke_direct_access() {
        grants_direct_access = false;
        for (unsigned i = 0; i < bus.size(); ++i)
            bus[static_cast<int>(i)]->invalidate_direct_mem_ptr(0, ram_bytes - 1);
    }

    void watch(std::uint64_t address, sc_core::sc_event& changed) override {
        ++watches;
        watchers_.emplace_back(address / 64, &changed);
    }
    void unwatch(std::uint64_t address, sc_core::sc_event& changed) override {
        const auto one =
            std::find(watchers_.begin(), watchers_.end(), std::make_pair(address / 64, &changed));
        ASSERT_NE(one, watchers_.end());
        watchers_.erase(one);
    }
    std::size_t watchers() const { return watchers_.size(); }

private:
    void b_transport(int, tlm::tlm_generic_payload& p, sc_core::sc_time& delay) {
        ++transactions;
        const std::uint64_t address = p.get_address();
        const bool is_write = p.is_write();
        if (address + p.get_data_length() <= ram_bytes) {
            unsigned char* bytes = &ram_[address];
            if (is_write)
                std::memcpy(bytes, p.get_data_ptr(), p.get_data_length());
            else
                std::memcpy(p.get_data_ptr(), bytes, p.get_data_length());
            delay += to_sc_time(ram_delay);
        } else if (address >= registers && address < registers + 4096) {
            const Picoseconds time = now() + to_picoseconds(delay);
            std::uint64_t value = 0;
            if (is_write) {
                std::memcpy(&value, p.get_data_ptr(), p.get_data_length());
                register_writes.push_back({time, address, value});
            } else {
                value = register_value(time);
                std::memcpy(p.get_data_ptr(), &value, p.get_data_length());
                register_reads.push_back({time, address, value});
            }
        } else {
            p.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
            return;
        }
        p.set_response_status(tlm::TLM_OK_RESPONSE);
    }
    bool get_direct_mem_ptr(int, tlm::tlm_generic_payload& p, tlm::tlm_dmi& dmi) {
        if (!grants_direct_access || p.get_address() >= ram_bytes)
            return false;
        dmi.allow_read_write();
        dmi.set_start_address(0);
        dmi.set_end_address(ram_bytes - 1);
        dmi.set_dmi_ptr(ram_.data());
        return true;
    }
    unsigned transport_dbg(int, tlm::tlm_generic_payload& p) {
        if (p.is_read())
            std::memcpy(p.get_data_ptr(), &ram_[p.get_address()], p.get_data_length());
        else
            std::memcpy(&ram_[p.get_address()], p.get_data_ptr(), p.get_data_length());
        return p.get_data_length();
    }

    static constexpr Picoseconds ram_delay = 90_ns;
    std::vector<unsigned char> ram_;
    std::vector<std::pair<std::uint64_t, sc_core::sc_event*>> watchers_;
};

/// Round costs, so that expected times can be read off.
inline CpuParameters round_costs() {
    CpuParameters p;
    p.frequency = 1'000'000'000;
    p.cached_access = 1_ns;
    p.line_transfer = 60_ns;
    p.atomic = 6_ns;
    p.barrier = 20_ns;
    p.clflush = 80_ns;
    p.mmio_write = 15_ns;
    p.mmio_write_arrival = 100_ns;
    p.mmio_read = 200_ns;
    p.poll_period = 4_ns;
    p.interrupt_entry = 500_ns;
    p.page_allocation = 300_ns;
    p.maximum_lead = 100_ns;
    return p;
}

class MachineBench {
public:
    enum Monitor { with_monitor, without_monitor };

    explicit MachineBench(unsigned cpus, const CpuParameters& parameters = round_costs(),
                          Monitor monitor = with_monitor)
        : machine("machine", cpus, parameters, 0x10000, 16 * PageAllocator::page_size,
                  monitor == with_monitor ? &hardware : nullptr) {
        for (unsigned i = 0; i < cpus; ++i)
            machine.cpu(i).bus.bind(hardware.bus);
    }

    TinyHardware hardware{"hardware"};
    Machine machine;
};

} // namespace iommusim::machine
