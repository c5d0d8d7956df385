#include "platforms/host/platform.h"

namespace iommusim::host {

namespace {

smmuv3::Parameters iommu_parameters(const Scenario& scenario) {
    auto parameters = scenario.iommu.parameters.as<smmuv3::Parameters>();
    // A device with a PASID needs a unit that has them.
    for (const DeviceOptions& device : scenario.devices)
        if (device.pasid != 0 && parameters.substream_id_bits == 0)
            parameters.substream_id_bits = 20;
    return parameters;
}

} // namespace

Platform::Platform(sc_core::sc_module_name name, const Scenario& scenario)
    : sc_module(name),
      memory("memory", scenario.platform.memory.as<soc::MemoryParameters>()),
      iommu("iommu", iommu_parameters(scenario)),
      machine("machine", static_cast<unsigned>(scenario.platform.cpus),
              scenario.platform.cpu.as<machine::CpuParameters>(), first_free_page,
              memory.parameters().size - first_free_page, &memory),
      interrupts("interrupts", iommu_line + 4),
      interconnect_("interconnect",
                    static_cast<unsigned>(scenario.platform.cpus + iommu.parameters().device_ports + 1), 2) {
    interconnect_.map(0, memory.parameters().size, 0);
    interconnect_.map(register_base, smmuv3::spec::register_space_bytes, 1);
    interconnect_.downstream[0].bind(memory.socket);
    interconnect_.downstream[1].bind(iommu.registers);

    unsigned next = 0;
    for (unsigned cpu = 0; cpu < machine.cpus(); ++cpu)
        machine.cpu(cpu).bus.bind(interconnect_.upstream[next++]);
    iommu.walker().bind(interconnect_.upstream[next++]);
    const auto ports = static_cast<unsigned>(iommu.parameters().device_ports);
    for (unsigned port = 0; port < ports; ++port)
        iommu.memory(port).bind(interconnect_.upstream[next++]);

    // Devices share the IOMMU's ports in turn; a port that several of them use gets a link that merges them.
    std::vector<std::vector<soc::DmaMaster*>> users(ports);
    for (const DeviceOptions& options : scenario.devices) {
        devices.push_back(std::make_unique<soc::DmaMaster>(options.name.c_str()));
        users[(devices.size() - 1) % ports].push_back(devices.back().get());
    }
    for (unsigned port = 0; port < ports; ++port) {
        soc::InterconnectParameters wire;
        wire.request_latency = wire.response_latency = 0;
        device_links_.push_back(std::make_unique<soc::Interconnect>(
            ("link" + std::to_string(port)).c_str(), static_cast<unsigned>(users[port].size()), 1, wire));
        soc::Interconnect& link = *device_links_.back();
        link.map(0, ~0ull, 0);
        link.downstream[0].bind(iommu.device(port));
        for (std::size_t i = 0; i < users[port].size(); ++i)
            users[port][i]->socket.bind(link.upstream[i]);
    }

    iommu.interrupts.bind(interrupts.from(iommu_line));
    interrupts.on_line = [this](const soc::LineInterrupt& edge) { machine.interrupts().raise(edge.line); };
}

} // namespace iommusim::host
