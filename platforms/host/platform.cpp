#include "platforms/host/platform.h"

#include <algorithm>

namespace iommusim::host {

namespace {

/// Targets of the interconnect.
enum Target : unsigned { to_memory, to_registers, to_messages, targets };

/// x86 and Linux there keep a vector in the low byte of a message.
constexpr std::uint32_t line_mask = 0xFF;

} // namespace

Platform::Platform(sc_core::sc_module_name name, const Scenario& scenario)
    : sc_module(name),
      memory("memory", scenario.platform.memory.as<soc::MemoryParameters>()),
      unit_(architecture_of(scenario.iommu.model).make("iommu", scenario)),
      iommu(*unit_),
      machine("machine", static_cast<unsigned>(scenario.platform.cpus),
              scenario.platform.cpu.as<machine::CpuParameters>(), first_free_page,
              memory.parameters().size - first_free_page, &memory),
      interrupts("interrupts", iommu_line + 4),
      interconnect_("interconnect", static_cast<unsigned>(scenario.platform.cpus) + iommu.ports() + 1,
                    targets) {
    map_addresses();
    interconnect_.downstream[to_memory].bind(memory.socket);
    interconnect_.downstream[to_registers].bind(iommu.registers());
    interconnect_.downstream[to_messages].bind(interrupts.messages);

    unsigned next = 0;
    for (unsigned cpu = 0; cpu < machine.cpus(); ++cpu)
        machine.cpu(cpu).bus.bind(interconnect_.upstream[next++]);
    iommu.walker().bind(interconnect_.upstream[next++]);
    for (unsigned port = 0; port < iommu.ports(); ++port)
        iommu.memory(port).bind(interconnect_.upstream[next++]);
    connect_devices(scenario);

    iommu.connect_interrupts(interrupts, iommu_line);
    interrupts.on_line = [this](const soc::LineInterrupt& edge) { machine.interrupts().raise(edge.line); };
    interrupts.on_message = [this](const soc::MessageInterrupt& message) {
        machine.interrupts().raise(message.data & line_mask);
    };
}

/// RAM from 0; where messages go it has a hole that software must not use.
void Platform::map_addresses() {
    const std::uint64_t ram = memory.parameters().size;
    const AddressRange window = iommu.message_window();
    const std::uint64_t window_end = window.base + window.size;
    const std::uint64_t below = window.size == 0 ? ram : std::min(ram, window.base);
    interconnect_.map(0, below, to_memory);
    if (window.size != 0) {
        interconnect_.map(window.base, window.size, to_messages);
        machine.pages().reserve(window.base, window.size);
        if (ram > window_end)
            interconnect_.map(window_end, ram - window_end, to_memory, window_end);
    }
    interconnect_.map(register_base, iommu.register_bytes(), to_registers);
}

/// Devices share the IOMMU's ports in turn; a port that several of them use gets a link that merges them. A
/// device that is far away gets a link of its own in front of that.
void Platform::connect_devices(const Scenario& scenario) {
    const auto add_link = [this](const std::string& name, std::size_t users, Picoseconds both_ways) -> auto& {
        soc::InterconnectParameters wire;
        wire.response_latency = both_ways / 2;
        wire.request_latency = both_ways - wire.response_latency;
        links_.push_back(
            std::make_unique<soc::Interconnect>(name.c_str(), static_cast<unsigned>(users), 1, wire));
        links_.back()->map(0, ~0ull, 0);
        return *links_.back();
    };
    std::vector<std::vector<tlm::tlm_initiator_socket<>*>> users(iommu.ports());
    for (const DeviceOptions& options : scenario.devices) {
        devices.push_back(std::make_unique<soc::DmaMaster>(options.name.c_str()));
        tlm::tlm_initiator_socket<>* socket = &devices.back()->socket;
        if (options.link_latency != 0) {
            soc::Interconnect& link = add_link(options.name + "_link", 1, options.link_latency);
            socket->bind(link.upstream[0]);
            socket = &link.downstream[0];
        }
        users[(devices.size() - 1) % users.size()].push_back(socket);
    }
    for (unsigned port = 0; port < users.size(); ++port) {
        soc::Interconnect& link = add_link("link" + std::to_string(port), users[port].size(), 0);
        link.downstream[0].bind(iommu.device(port));
        for (std::size_t i = 0; i < users[port].size(); ++i)
            users[port][i]->bind(link.upstream[i]);
    }
}

std::unique_ptr<dma::IommuDriver> Platform::make_driver(const Scenario& scenario,
                                                        const DriverObservers& observers) {
    return iommu.make_driver(machine, {register_base, iommu_line}, scenario, observers);
}

} // namespace iommusim::host
