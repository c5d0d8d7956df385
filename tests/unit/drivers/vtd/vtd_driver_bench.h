// What tests of the VT-d driver stand on: CPUs, RAM, the VT-d model with one device in front of it, and a tap
// on the way to the registers that remembers every write.
#pragma once

#include "drivers/dma/iommu_api.h"
#include "drivers/vtd/vtd.h"
#include "models/soc/ats_fabric.h"
#include "models/soc/dma_master.h"
#include "models/soc/interconnect.h"
#include "models/soc/interrupt_sink.h"
#include "models/soc/memory.h"
#include "models/vtd/spec/faults.h"
#include "models/vtd/spec/registers.h"
#include "models/vtd/vtd.h"
#include "tests/conformance/common/recording_probe.h"

#include <cstring>
#include <functional>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>
#include <utility>
#include <vector>

namespace iommusim::vtd_driver::test {

namespace spec = vtd::spec;

struct RegisterWrite {
    std::uint64_t offset;
    std::uint64_t value;
    bool operator==(const RegisterWrite& o) const { return offset == o.offset && value == o.value; }
};

/// Passes register accesses on and remembers the writes.
class RegisterTap : public sc_core::sc_module {
public:
    tlm_utils::simple_target_socket<RegisterTap> upstream{"upstream"};
    tlm_utils::simple_initiator_socket<RegisterTap> downstream{"downstream"};
    std::vector<RegisterWrite> writes;

    explicit RegisterTap(sc_core::sc_module_name name) : sc_module(name) {
        upstream.register_b_transport(this, &RegisterTap::b_transport);
    }
    /// What software would read, without an effect.
    std::uint64_t peek(std::uint64_t offset, unsigned bytes) {
        std::uint64_t value = 0;
        tlm::tlm_generic_payload payload;
        payload.set_read();
        payload.set_address(offset);
        payload.set_data_ptr(reinterpret_cast<unsigned char*>(&value));
        payload.set_data_length(bytes);
        payload.set_streaming_width(bytes);
        EXPECT_EQ(downstream->transport_dbg(payload), bytes);
        return value;
    }

private:
    void b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
        if (payload.is_write()) {
            RegisterWrite write{payload.get_address(), 0};
            std::memcpy(&write.value, payload.get_data_ptr(), payload.get_data_length());
            writes.push_back(write);
        }
        downstream->b_transport(payload, delay);
    }
};

/// Collects whatever the driver reports.
struct Reports : dma::DriverErrorLog, FaultObserver, dma::InvalidationObserver {
    std::vector<dma::DriverErrorReport> errors;
    std::vector<FaultRecord> faults;
    std::vector<dma::InvalidationRecord> invalidations;

    void on_driver_error(const dma::DriverErrorReport& error) override { errors.push_back(error); }
    void on_fault_record(const FaultRecord& record) override { faults.push_back(record); }
    void on_invalidation_complete(const dma::InvalidationRecord& record) override {
        invalidations.push_back(record);
    }
    /// How often an error was logged.
    std::size_t count(DriverError error) const {
        std::size_t n = 0;
        for (const dma::DriverErrorReport& e : errors)
            n += std::string(e.name) == name(error);
        return n;
    }
};

struct BenchOptions {
    unsigned cpus = 1;
    bool device_tlb = false; ///< between the device and the unit, for every requester id of `devices`
    std::vector<std::uint32_t> devices{0x100, 0x101};
    vtd::Parameters unit;
    Configuration driver; ///< addresses and interrupts are the bench's
    machine::CpuParameters cpu;
};

inline BenchOptions legacy() {
    BenchOptions o;
    o.driver.scalable = false;
    return o;
}
/// First stage unless a test asks for another.
inline BenchOptions scalable() { return {}; }

class VtdDriverBench {
public:
    static constexpr std::uint64_t registers = 1ull << 46;
    static constexpr std::uint64_t ram_bytes = 64ull << 20;
    static constexpr std::uint64_t messages = 0xFEE0'0000;
    static constexpr unsigned fault_line = 40;
    static constexpr std::uint32_t device = 0x100;
    static constexpr std::uint64_t page = 4096;

    explicit VtdDriverBench(const BenchOptions& options = scalable())
        : memory("memory", memory_parameters()),
          unit("unit", options.unit),
          sink("sink", 1),
          bus("bus", options.cpus + 2, 3),
          machine("machine", options.cpus, options.cpu, 1ull << 20, ram_bytes - (1ull << 20), &memory),
          configuration(options.driver) {
        enum { to_memory, to_registers, to_messages };
        bus.map(0, ram_bytes, to_memory);
        bus.map(registers, unit.features().register_space_bytes(), to_registers);
        bus.map(messages, 0x10'0000, to_messages);
        bus.downstream[to_memory].bind(memory.socket);
        bus.downstream[to_registers].bind(tap.upstream);
        bus.downstream[to_messages].bind(sink.messages);
        tap.downstream.bind(unit.registers);
        for (unsigned i = 0; i < options.cpus; ++i)
            machine.cpu(i).bus.bind(bus.upstream[i]);
        unit.walker().bind(bus.upstream[options.cpus]);
        unit.memory().bind(bus.upstream[options.cpus + 1]);
        connect_device(options);
        unit.attach(&probe);
        sink.on_message = [this](const soc::MessageInterrupt& m) { machine.interrupts().raise(m.data); };
        configuration.register_base = registers;
        configuration.memory_end = ram_bytes;
        configuration.fault_message = {messages, fault_line, fault_line};
        create();
    }

    /// A new driver of `configuration`, in place of the one before.
    void create() {
        driver.reset();
        driver = std::make_unique<VtdDriver>(machine, configuration, &reports, &reports, &reports);
    }
    bool start() {
        bool started = false;
        run([&](machine::Cpu& cpu) { started = driver->start(cpu); });
        return started;
    }
    /// Runs a program on one CPU to its end, and whatever it causes.
    void run(std::function<void(machine::Cpu&)> program, unsigned cpu = 0) {
        machine.cpu(cpu).run(std::move(program));
        sc_core::sc_start();
    }
    void run_on_all(const std::function<void(machine::Cpu&)>& program) {
        for (unsigned i = 0; i < machine.cpus(); ++i)
            machine.cpu(i).run(program);
        sc_core::sc_start();
    }
    /// Does something `delay` after now, without a CPU.
    static void after(Picoseconds delay, std::function<void()> action) {
        sc_core::sc_spawn([delay, action] {
            sc_core::wait(to_sc_time(delay));
            action();
        });
    }

    // ---- domains
    using Domain = std::unique_ptr<dma::IommuDomain>;
    Domain create_domain(dma::Stage stage = dma::Stage::automatic) {
        Domain domain;
        run([&](machine::Cpu& cpu) { domain = driver->create_domain(cpu, {"test", stage}); });
        return domain;
    }
    bool attach(dma::IommuDomain& domain, const dma::DeviceAddress& address = {.id = device}) {
        bool attached = false;
        run([&](machine::Cpu& cpu) { attached = driver->attach(cpu, domain, address); });
        return attached;
    }
    void detach(dma::IommuDomain& domain, const dma::DeviceAddress& address = {.id = device}) {
        run([&](machine::Cpu& cpu) { driver->detach(cpu, domain, address); });
    }
    /// A domain that the device is attached to.
    Domain attached_domain(dma::Stage stage = dma::Stage::automatic,
                           const dma::DeviceAddress& address = {.id = device}) {
        Domain domain = create_domain(stage);
        EXPECT_TRUE(domain && attach(*domain, address));
        return domain;
    }
    /// Maps pages that begin with `value`; their physical address.
    std::uint64_t map(dma::IommuDomain& domain, std::uint64_t iova, std::uint64_t value,
                      std::size_t pages = 1) {
        std::uint64_t physical = 0;
        run([&](machine::Cpu& cpu) {
            physical = cpu.allocate_pages(pages);
            for (std::size_t i = 0; i < pages; ++i)
                cpu.store(physical + i * page, value);
            EXPECT_EQ(dma::iommu_map(cpu, domain, iova, physical, pages * page,
                                     dma::prot_read | dma::prot_write | dma::prot_coherent),
                      dma::Status::ok);
        });
        return physical;
    }
    void unmap(dma::IommuDomain& domain, std::uint64_t iova, std::size_t pages = 1) {
        run([&](machine::Cpu& cpu) {
            EXPECT_EQ(dma::iommu_unmap(cpu, domain, iova, pages * page), pages * page);
        });
    }
    static std::uint16_t id_of(const dma::IommuDomain& domain) {
        return static_cast<const VtdDomain&>(domain).id();
    }

    // ---- the device
    /// The word that the device reads there; nothing if it is refused.
    std::optional<std::uint64_t> read(std::uint64_t iova, const Requester& requester = of(device)) {
        Read result;
        soc::DmaJob job;
        job.requester = requester;
        job.base = iova;
        job.listener = &result;
        master.start(job);
        sc_core::sc_start();
        return result.word;
    }
    static Requester of(std::uint32_t id) {
        Requester r;
        r.id = id;
        return r;
    }
    static Requester of(std::uint32_t id, std::uint32_t pasid) {
        Requester r = of(id);
        r.has_pasid = true;
        r.pasid = pasid;
        return r;
    }

    // ---- what the driver has done
    /// The descriptors queued since the last call, wait descriptors included, oldest first.
    std::vector<Descriptor> take_descriptors() {
        const std::uint64_t iqa = tap.peek(spec::reg::iqa, 8);
        const std::uint64_t base = spec::iqa::addr.in_place(iqa);
        const std::uint64_t bytes = spec::iqa::queue_bytes(spec::iqa::qs.get(iqa));
        const std::uint64_t tail = tap.peek(spec::reg::iqt, 8);
        std::vector<Descriptor> found;
        for (; seen_ != tail; seen_ = (seen_ + spec::iqa::descriptor_bytes(spec::iqa::dw.get(iqa))) % bytes)
            found.push_back({word(base + seen_), word(base + seen_ + 8)});
        return found;
    }
    /// The same without wait descriptors.
    std::vector<Descriptor> take_invalidations() {
        std::vector<Descriptor> found = take_descriptors();
        std::erase_if(found, [](const Descriptor& d) {
            return spec::descriptor::type(d[0]) == spec::descriptor_type::wait;
        });
        return found;
    }
    std::vector<std::uint64_t> take_written_registers() {
        std::vector<std::uint64_t> offsets;
        for (const RegisterWrite& w : std::exchange(tap.writes, {}))
            offsets.push_back(w.offset);
        return offsets;
    }
    std::uint64_t word(std::uint64_t address) const {
        std::uint64_t value = 0;
        std::memcpy(&value, memory.bytes() + address, sizeof value);
        return value;
    }
    bool status(Field gsts_field) { return gsts_field.get(tap.peek(spec::reg::gsts, 4)) != 0; }
    bool fault_status(Field fsts_field) { return fsts_field.get(tap.peek(spec::reg::fsts, 4)) != 0; }

    iommusim::test::RecordingProbe probe;
    soc::Memory memory;
    vtd::Vtd unit;
    RegisterTap tap{"tap"};
    soc::InterruptSink sink;
    soc::Interconnect bus;
    machine::Machine machine;
    soc::DmaMaster master{"device"};
    std::optional<soc::AtsFabric> fabric;
    std::optional<soc::DeviceTlb> device_tlb;
    Reports reports;
    Configuration configuration;
    std::unique_ptr<VtdDriver> driver;

private:
    struct Read : soc::DmaListener {
        std::optional<std::uint64_t> word;
        void on_dma_access(const soc::DmaAccess& access) override {
            if (access.status == tlm::TLM_OK_RESPONSE)
                std::memcpy(&word.emplace(), access.data, 8);
        }
    };

    static soc::MemoryParameters memory_parameters() {
        soc::MemoryParameters p;
        p.size = ram_bytes;
        return p;
    }
    void connect_device(const BenchOptions& options) {
        if (!options.device_tlb) {
            master.socket.bind(unit.device());
            return;
        }
        device_tlb.emplace("device_tlb");
        fabric.emplace("fabric");
        for (const std::uint32_t id : options.devices)
            fabric->connect(id, *device_tlb);
        unit.devices.bind(fabric->devices);
        fabric->unit.bind(unit.ats);
        master.socket.bind(device_tlb->upstream());
        device_tlb->downstream().bind(unit.device());
    }

    std::uint64_t seen_ = 0; ///< byte offset in the queue
};

} // namespace iommusim::vtd_driver::test
