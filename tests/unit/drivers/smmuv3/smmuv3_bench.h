// What tests of the SMMUv3 driver stand on: CPUs, RAM, and a scripted unit that consumes commands without
// knowing what they mean. It records every register write and every command, and watches that no queue slot
// is written before it was consumed.
#pragma once

#include "drivers/machine/machine.h"
#include "drivers/smmuv3/domain.h"
#include "drivers/smmuv3/smmuv3.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <tlm_utils/multi_passthrough_target_socket.h>
#include <utility>
#include <vector>

namespace iommusim::smmuv3_driver::test {

namespace spec = smmuv3::spec;

struct RegisterWrite {
    Picoseconds time;
    std::uint64_t offset;
    std::uint64_t value;
};

struct ConsumedCommand {
    std::uint32_t position; ///< wrap bit included
    Command command;
    Picoseconds time;

    unsigned opcode() const { return static_cast<unsigned>(spec::command::opcode.get(command.words)); }
    std::uint64_t get(Field field) const { return field.get(command.words); }
};

class ScriptedUnit : public sc_core::sc_module, public LineMonitor {
public:
    static constexpr std::uint64_t ram_bytes = 16u << 20;
    static constexpr std::uint64_t registers = 0x8000'0000;

    tlm_utils::multi_passthrough_target_socket<ScriptedUnit> bus{"bus"};

    // ---- personality, to be chosen before the driver starts
    std::array<std::uint32_t, 6> idr{};
    std::uint32_t iidr = 0;
    Picoseconds acknowledge_delay = 300_ns;
    Picoseconds command_time = 50_ns;
    Picoseconds sync_time = 200_ns;
    std::uint64_t silent_register = 0; ///< writes to this offset have no effect at all
    bool stuck = false;                ///< commands are never consumed
    bool mute = false;                 ///< stops for ever at the next CMD_SYNC
    bool direct_access = true;         ///< off: every store of a CPU is seen on the bus
    unsigned illegal_opcode = 0xFF;
    std::function<void(unsigned line)> raise = [](unsigned) {};
    std::function<void(const ConsumedCommand&)> on_command;

    // ---- what happened
    std::vector<RegisterWrite> writes;
    std::vector<ConsumedCommand> commands;
    std::size_t doorbells = 0;
    std::size_t reused_slots = 0;                  ///< queue slots written before they were consumed
    std::map<std::uint64_t, std::uint64_t> values; ///< registers by offset

    explicit ScriptedUnit(sc_core::sc_module_name name) : sc_module(name), ram_(ram_bytes, 0) {
        bus.register_b_transport(this, &ScriptedUnit::b_transport);
        bus.register_get_direct_mem_ptr(this, &ScriptedUnit::get_direct_mem_ptr);
        bus.register_transport_dbg(this, &ScriptedUnit::transport_dbg);
        using namespace spec;
        idr[0] = word(idr0::s1p.make(1) | idr0::ttf.make(idr0::ttf_aarch64) | idr0::cohacc.make(1) |
                      idr0::hyp.make(1) | idr0::asid16.make(1) | idr0::msi.make(1) | idr0::sev.make(1) |
                      idr0::cd2l.make(1) | idr0::ttendian.make(idr0::ttendian_little) |
                      idr0::st_level.make(idr0::st_level_two_level));
        idr[1] = word(idr1::sidsize.make(16) | idr1::ssidsize.make(20) | idr1::cmdqs.make(19) |
                      idr1::eventqs.make(19));
        idr[3] = word(idr3::ril.make(1));
        idr[5] = word(idr5::oas.make(size_code_48_bits) | idr5::gran4k.make(1));
        sc_core::sc_spawn_options method;
        method.spawn_method();
        method.set_sensitivity(&step_);
        method.dont_initialize();
        sc_core::sc_spawn([this] { step(); }, "consume", &method);
    }

    std::uint64_t read(std::uint64_t address) const {
        std::uint64_t value = 0;
        std::memcpy(&value, &ram_[address], 8);
        return value;
    }
    /// A bus write of the hardware.
    void store(std::uint64_t address, const void* data, std::size_t bytes) {
        std::memcpy(&ram_[address], data, bytes);
        for (const auto& [line, event] : watchers_)
            if (line == address / 64)
                event->notify(sc_core::SC_ZERO_TIME);
    }
    std::uint32_t consumer() const { return consumer_; }
    std::uint32_t producer() const { return producer_; }

    /// Puts records into the event queue and raises its interrupt.
    void report_events(const std::vector<std::array<std::uint64_t, 4>>& records, unsigned line,
                       bool overflow = false) {
        const std::uint64_t base = spec::queue_base::addr.in_place(values[spec::reg::eventq_base]);
        const auto size_log2 = spec::queue_base::log2size.get(values[spec::reg::eventq_base]);
        std::uint64_t position = spec::eventq_prod::wr.get(values[spec::reg::eventq_prod]);
        for (const auto& record : records) {
            store(base + (position & low_bits(static_cast<unsigned>(size_log2))) * 32, record.data(), 32);
            position = (position + 1) & low_bits(static_cast<unsigned>(size_log2) + 1);
        }
        std::uint64_t& prod = values[spec::reg::eventq_prod];
        prod = spec::eventq_prod::wr.put(prod, position);
        if (overflow)
            prod ^= spec::eventq_prod::ovflg.mask();
        raise(line);
    }

    void watch(std::uint64_t address, sc_core::sc_event& changed) override {
        watchers_.emplace_back(address / 64, &changed);
    }
    void unwatch(std::uint64_t address, sc_core::sc_event& changed) override {
        const auto one =
            std::find(watchers_.begin(), watchers_.end(), std::make_pair(address / 64, &changed));
        if (one != watchers_.end())
            watchers_.erase(one);
    }

private:
    static std::uint32_t word(std::uint64_t value) { return static_cast<std::uint32_t>(value); }

    void b_transport(int, tlm::tlm_generic_payload& p, sc_core::sc_time& delay) {
        const std::uint64_t address = p.get_address();
        const Picoseconds time = now() + to_picoseconds(delay);
        p.set_response_status(tlm::TLM_OK_RESPONSE);
        if (address < ram_bytes) {
            if (p.is_read()) {
                std::memcpy(p.get_data_ptr(), &ram_[address], p.get_data_length());
            } else {
                note_store(address, p.get_data_length());
                std::memcpy(&ram_[address], p.get_data_ptr(), p.get_data_length());
            }
        } else if (address >= registers && address < registers + spec::register_space_bytes) {
            std::uint64_t value = 0;
            if (p.is_write()) {
                std::memcpy(&value, p.get_data_ptr(), p.get_data_length());
                write_register(address - registers, value, time);
            } else {
                value = read_register(address - registers, time);
                std::memcpy(p.get_data_ptr(), &value, p.get_data_length());
            }
        } else {
            p.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
        }
    }
    bool get_direct_mem_ptr(int, tlm::tlm_generic_payload& p, tlm::tlm_dmi& dmi) {
        if (!direct_access || p.get_address() >= ram_bytes)
            return false;
        dmi.allow_read_write();
        dmi.set_start_address(0);
        dmi.set_end_address(ram_bytes - 1);
        dmi.set_dmi_ptr(ram_.data());
        return true;
    }
    unsigned transport_dbg(int, tlm::tlm_generic_payload& p) {
        if (p.get_address() >= ram_bytes)
            return 0;
        if (p.is_read())
            std::memcpy(p.get_data_ptr(), &ram_[p.get_address()], p.get_data_length());
        else
            std::memcpy(&ram_[p.get_address()], p.get_data_ptr(), p.get_data_length());
        return p.get_data_length();
    }

    /// A CPU writes queue memory: each slot may be written once per pass, after it was consumed.
    void note_store(std::uint64_t address, std::size_t bytes) {
        if (written_.empty() || address < queue_base_ || address >= queue_base_ + written_.size() * 16)
            return;
        for (std::uint64_t at = address; at < address + bytes; at += 16) {
            const std::size_t slot = (at - queue_base_) / 16;
            const bool repair = error_active() && slot == (consumer_ & (written_.size() - 1));
            if (written_[slot] && !repair)
                ++reused_slots;
            written_[slot] = true;
        }
    }

    bool error_active() { return (values[spec::reg::gerror] ^ values[spec::reg::gerrorn]) & 1; }

    std::uint64_t read_register(std::uint64_t offset, Picoseconds time) {
        static constexpr std::array<std::uint64_t, 6> id_offsets = {spec::reg::idr0, spec::reg::idr1,
                                                                    spec::reg::idr2, spec::reg::idr3,
                                                                    spec::reg::idr4, spec::reg::idr5};
        for (std::size_t i = 0; i < id_offsets.size(); ++i)
            if (offset == id_offsets[i])
                return idr[i];
        if (offset == spec::reg::iidr)
            return iidr;
        if (offset == spec::reg::cmdq_cons)
            return consumer_ | spec::cmdq_cons::err.make(error_code_);
        if (offset == spec::reg::gbpa && time >= gbpa_ready_)
            values[offset] &= ~spec::gbpa::update.mask();
        if (offset == spec::reg::cr0ack || offset == spec::reg::irq_ctrlack) {
            const Acknowledge& a = acknowledges_[offset];
            return time >= a.ready ? a.value : a.before;
        }
        return values[offset];
    }

    void write_register(std::uint64_t offset, std::uint64_t value, Picoseconds time) {
        writes.push_back({time, offset, value});
        if (silent_register != 0 && offset == silent_register)
            return;
        values[offset] = value;
        switch (offset) {
        case spec::reg::cr0:
            acknowledge(spec::reg::cr0ack, value, time);
            break;
        case spec::reg::irq_ctrl:
            acknowledge(spec::reg::irq_ctrlack, value, time);
            break;
        case spec::reg::gbpa:
            gbpa_ready_ = time + acknowledge_delay;
            break;
        case spec::reg::cmdq_base:
            queue_base_ = spec::queue_base::addr.in_place(value);
            size_log2_ = static_cast<unsigned>(spec::queue_base::log2size.get(value));
            written_.assign(std::size_t{1} << size_log2_, false);
            break;
        case spec::reg::cmdq_cons:
            consumer_ = word(value);
            break;
        case spec::reg::cmdq_prod:
            ++doorbells;
            doorbell_.push_back({time, word(value)});
            wake(time);
            break;
        case spec::reg::gerrorn:
            wake(time);
            break;
        default:
            break;
        }
    }
    void acknowledge(std::uint64_t offset, std::uint64_t value, Picoseconds time) {
        Acknowledge& a = acknowledges_[offset];
        a = {a.value, value, time + acknowledge_delay};
    }

    void wake(Picoseconds time) {
        const Picoseconds when = std::max(time, busy_until_);
        step_.notify(to_sc_time(when - std::min(when, now())));
    }

    /// Consumes at most one command, then waits for the time that it takes.
    void step() {
        while (!doorbell_.empty() && doorbell_.front().first <= now()) {
            producer_ = doorbell_.front().second;
            doorbell_.pop_front();
        }
        if (!doorbell_.empty())
            wake(doorbell_.front().first);
        if (now() < busy_until_) {
            wake(busy_until_);
            return;
        }
        if (pending_) { // the command that took until now; the index is visible no later than the signal
            pending_ = false;
            consumer_ = (consumer_ + 1) & word(low_bits(size_log2_ + 1));
            if (signal_address_ != 0) {
                const std::uint32_t zero = 0;
                store(signal_address_, &zero, sizeof zero);
                signal_address_ = 0;
            }
        }
        if (stuck || producer_ == consumer_ || error_active())
            return;
        execute();
    }

    void execute() {
        const std::size_t slot = consumer_ & low_bits(size_log2_);
        ConsumedCommand c{
            consumer_, {{read(queue_base_ + slot * 16), read(queue_base_ + slot * 16 + 8)}}, now()};
        if (c.opcode() == illegal_opcode) {
            error_code_ = spec::cerror::ill;
            values[spec::reg::gerror] ^= spec::gerror::cmdq_err.mask();
            raise(1);
            return;
        }
        commands.push_back(c);
        written_[slot] = false;
        if (on_command)
            on_command(c);
        const bool sync = c.opcode() == spec::opcode::sync;
        if (sync && mute) {
            stuck = true;
            return;
        }
        if (sync && c.get(spec::sync::cs) == spec::sync::cs_irq)
            signal_address_ = spec::sync::msi_addr.in_place(c.command.words);
        pending_ = true;
        busy_until_ = now() + (sync ? sync_time : command_time);
        wake(busy_until_);
    }

    struct Acknowledge {
        std::uint64_t before = 0;
        std::uint64_t value = 0;
        Picoseconds ready = 0;
    };

    std::vector<unsigned char> ram_;
    std::vector<std::pair<std::uint64_t, sc_core::sc_event*>> watchers_;
    std::map<std::uint64_t, Acknowledge> acknowledges_;
    Picoseconds gbpa_ready_ = 0;
    std::uint64_t queue_base_ = 0;
    unsigned size_log2_ = 0;
    std::vector<bool> written_; ///< per slot: written by a CPU, not consumed yet
    std::uint32_t producer_ = 0;
    std::uint32_t consumer_ = 0;
    std::uint64_t error_code_ = 0;
    std::deque<std::pair<Picoseconds, std::uint32_t>> doorbell_;
    Picoseconds busy_until_ = 0;
    bool pending_ = false; ///< the command at consumer_ is being executed
    std::uint64_t signal_address_ = 0;
    sc_core::sc_event step_;
};

/// Collects whatever the driver reports.
struct Reports : dma::DriverErrorLog, FaultObserver, dma::InvalidationObserver {
    std::vector<dma::DriverErrorReport> errors;
    std::vector<FaultRecord> faults;
    std::vector<dma::InvalidationRecord> invalidations;
    bool retry_stalls = false;

    void on_driver_error(const dma::DriverErrorReport& error) override { errors.push_back(error); }
    void on_fault_record(const FaultRecord& record) override { faults.push_back(record); }
    bool resolve_stall(machine::Cpu&, const FaultRecord&) override { return retry_stalls; }
    void on_invalidation_complete(const dma::InvalidationRecord& record) override {
        invalidations.push_back(record);
    }
};

class Smmuv3Bench {
public:
    explicit Smmuv3Bench(unsigned cpus = 1, const machine::CpuParameters& parameters = {})
        : machine("machine", cpus, parameters, 1u << 20, ScriptedUnit::ram_bytes - (1u << 20), &unit) {
        for (unsigned i = 0; i < cpus; ++i)
            machine.cpu(i).bus.bind(unit.bus);
        unit.raise = [this](unsigned line) { machine.interrupts().raise(line); };
        configuration.register_base = ScriptedUnit::registers;
        configuration.queue_size_log2 = 8;
        configuration.event_queue_size_log2 = 4;
    }

    /// Creates the driver from `configuration` and starts it on CPU 0 at the beginning of the simulation.
    void start() {
        create();
        run([this](machine::Cpu& cpu) { started = driver->start(cpu); });
    }
    void create() {
        driver = std::make_unique<Smmuv3Driver>(machine, configuration, &reports, &reports, &reports);
    }
    /// Runs a program on one CPU to its end, and whatever it causes.
    void run(std::function<void(machine::Cpu&)> program, unsigned cpu = 0) {
        machine.cpu(cpu).run(std::move(program));
        sc_core::sc_start();
    }
    /// Runs one program on every CPU at once.
    void run_on_all(const std::function<void(machine::Cpu&)>& program) {
        for (unsigned i = 0; i < machine.cpus(); ++i)
            machine.cpu(i).run(program);
        sc_core::sc_start();
    }
    /// Forgets what happened until now.
    void clear() {
        unit.commands.clear();
        unit.writes.clear();
        unit.doorbells = 0;
        reports.errors.clear();
        reports.invalidations.clear();
    }

    /// The opcodes consumed since the last clear().
    std::vector<unsigned> opcodes() const {
        std::vector<unsigned> result;
        for (const ConsumedCommand& c : unit.commands)
            result.push_back(c.opcode());
        return result;
    }

    ScriptedUnit unit{"unit"};
    machine::Machine machine;
    Configuration configuration;
    Reports reports;
    std::unique_ptr<Smmuv3Driver> driver;
    bool started = false;
};

} // namespace iommusim::smmuv3_driver::test
