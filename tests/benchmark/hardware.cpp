#include "tests/benchmark/hardware.h"

#include <utility>

namespace iommusim::benchmark {

namespace {

constexpr unsigned levels = 3;
constexpr unsigned level_bits = 9;
constexpr std::uint64_t entries = 1ull << level_bits;

soc::MemoryParameters memory_of(std::uint64_t bytes) {
    soc::MemoryParameters parameters;
    parameters.size = bytes;
    return parameters;
}

/// Index of the entry of `level` for the page of this number.
constexpr std::uint64_t index(std::uint64_t page_number, unsigned level) {
    return page_number >> level_bits * (level - 1) & (entries - 1);
}

} // namespace

std::uint64_t counter(const host::IommuModel& unit, const char* name) {
    for (const auto& [counted, value] : unit.statistics().counters)
        if (counted == name)
            return value;
    require(false, name);
    return 0;
}

host::Scenario Architecture::scenario(const Rows& rows) const {
    const host::ParameterGroup group = host::architecture_of(model).parameters();
    for (const auto& [row, value] : rows)
        require(group.row(row) != nullptr, row.c_str());
    host::Scenario scenario;
    scenario.iommu.model = model;
    scenario.iommu.parameters.given = rows;
    scenario.devices.emplace_back();
    scenario.devices.back().name = "device";
    scenario.devices.back().id = Hardware::device;
    return scenario;
}

Hardware::Hardware(sc_core::sc_module_name name, const Architecture& architecture,
                   const Architecture::Rows& rows, std::uint64_t pages)
    : sc_module(name),
      data("data", memory_of(pages * page)),
      tables("tables", memory_of(64ull << 20)),
      iommu_(host::architecture_of(architecture.model).make("iommu", architecture.scenario(rows))),
      master("master"),
      pages_(pages),
      registers_("registers"),
      software_(architecture.make_software(*this)),
      start_("start") {
    master.socket.bind(iommu_->device(0));
    iommu_->memory(0).bind(data.socket);
    iommu_->walker().bind(tables.socket);
    registers_.bind(iommu_->registers());
    build_page_table();
    SC_HAS_PROCESS(Hardware);
    SC_THREAD(software);
}

Requester Hardware::requester() {
    Requester r;
    r.id = device;
    return r;
}

void Hardware::run(std::function<void()> program) {
    program_ = std::move(program);
    start_.notify(sc_core::SC_ZERO_TIME);
    sc_core::sc_start();
}

void Hardware::software() {
    software_->enable();
    for (;;) {
        if (program_)
            std::exchange(program_, nullptr)();
        wait(start_);
    }
}

void Hardware::build_page_table() {
    const auto put = [this](std::uint64_t table, std::uint64_t page_number, unsigned level,
                            std::uint64_t address) {
        store<1>(table + 8 * index(page_number, level), {software_->entry(address, level)});
    };
    constexpr std::uint64_t middle = page_table + page;
    for (std::uint64_t i = 0; i < pages_; ++i) {
        const std::uint64_t number = window / page + i;
        const std::uint64_t lowest = middle + page * (1 + i / entries);
        put(page_table, number, levels, middle);
        put(middle, number, 2, lowest);
        put(lowest, number, 1, i * page);
    }
}

void Hardware::invalidate_pages(std::uint64_t first) {
    software_->submit_batch(first);
    do
        wait(4, sc_core::SC_US);
    while (!software_->batch_completed());
}

void Hardware::access_register(tlm::tlm_command command, std::uint64_t offset, std::uint64_t& value,
                               unsigned bytes) {
    tlm::tlm_generic_payload payload;
    payload.set_command(command);
    payload.set_address(offset);
    payload.set_data_ptr(reinterpret_cast<unsigned char*>(&value));
    payload.set_data_length(bytes);
    payload.set_streaming_width(bytes);
    sc_core::sc_time delay;
    registers_->b_transport(payload, delay);
    require(payload.is_response_ok(), "a register access was refused");
    wait(delay);
}

void Hardware::write_register(std::uint64_t offset, std::uint64_t value, unsigned bytes) {
    access_register(tlm::TLM_WRITE_COMMAND, offset, value, bytes);
}

std::uint64_t Hardware::read_register(std::uint64_t offset, unsigned bytes) {
    std::uint64_t value = 0;
    access_register(tlm::TLM_READ_COMMAND, offset, value, bytes);
    return value;
}

void Hardware::await_register(std::uint64_t offset, std::uint64_t mask, std::uint64_t value) {
    while ((read_register(offset) & mask) != value)
        wait(100, sc_core::SC_NS);
}

} // namespace iommusim::benchmark
