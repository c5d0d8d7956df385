#include "tests/conformance/common/unit_bench.h"

#include <algorithm>

namespace iommusim::test {

/// Plays the CPU's part on the register socket.
class UnitBench::RegisterMaster : public sc_core::sc_module, public tlm::tlm_bw_transport_if<> {
public:
    tlm::tlm_initiator_socket<> socket{"socket"};

    explicit RegisterMaster(sc_core::sc_module_name name) : sc_module(name) { socket.bind(*this); }

    std::uint64_t access(tlm::tlm_command command, std::uint64_t offset, unsigned bytes,
                         std::uint64_t value) {
        tlm::tlm_generic_payload payload;
        payload.set_command(command);
        payload.set_address(offset);
        payload.set_data_ptr(reinterpret_cast<unsigned char*>(&value));
        payload.set_data_length(bytes);
        payload.set_streaming_width(bytes);
        sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
        socket->b_transport(payload, delay);
        return value;
    }
    tlm::tlm_sync_enum nb_transport_bw(tlm::tlm_generic_payload&, tlm::tlm_phase&,
                                       sc_core::sc_time&) override {
        return tlm::TLM_ACCEPTED;
    }
    void invalidate_direct_mem_ptr(sc_dt::uint64, sc_dt::uint64) override {}
};

void Dma::on_dma_access(const soc::DmaAccess& access) {
    finished = true;
    status = access.status;
    issued = access.issued;
    completed = access.completed;
    if (!access.write)
        data.assign(access.data, access.data + access.length);
}

UnitBenchOptions::UnitBenchOptions() { memory.size = 48ull << 30; }

UnitBench::UnitBench(const UnitBenchOptions& options, unsigned device_ports)
    : device_ports_(device_ports),
      foreign_memory_(options.device_memory),
      foreign_device_(options.device),
      memory("memory", options.memory),
      sink("sink", 4),
      bus("bus", 1 + device_ports - (options.device_memory ? 1 : 0), 2, options.interconnect),
      registers_(std::make_unique<RegisterMaster>("cpu")) {
    bus.downstream[0].bind(memory.socket);
    bus.downstream[1].bind(sink.messages);
    bus.map(0, std::min(options.memory.size, options.message_window), 0);
    bus.map(options.message_window, options.message_window_bytes, 1);
    const std::uint64_t above = options.message_window + options.message_window_bytes;
    if (above < options.memory.size)
        bus.map(above, options.memory.size - above, 0, above);
}

UnitBench::~UnitBench() = default;

void UnitBench::bind_registers(tlm::tlm_target_socket<>& registers) { registers_->socket.bind(registers); }

void UnitBench::bind_port(unsigned port, tlm::tlm_target_socket<>& device,
                          tlm::tlm_initiator_socket<>& device_memory, soc::DeviceTlb* device_tlb) {
    if (port == 0 && foreign_device_) {
        foreign_device_->bind(device);
    } else {
        masters.emplace_back(("master" + std::to_string(port)).c_str());
        masters.back().socket.bind(device_tlb ? device_tlb->upstream() : device);
        if (device_tlb)
            device_tlb->downstream().bind(device);
    }
    if (port == 0 && foreign_memory_)
        device_memory.bind(*foreign_memory_);
    else
        device_memory.bind(bus.upstream[1 + port]);
}

void UnitBench::elaborate() {
    sc_core::sc_report_handler::set_actions(sc_core::SC_ID_NO_SC_START_ACTIVITY_, sc_core::SC_DO_NOTHING);
    sc_core::sc_start(sc_core::SC_ZERO_TIME);
}

std::uint64_t UnitBench::counter(const std::string& name) const {
    for (const auto& [key, value] : counters())
        if (key == name)
            return value;
    SC_REPORT_FATAL("UnitBench", ("no counter is named " + name).c_str());
    return 0;
}

// ---- simulated time

void UnitBench::settle() { sc_core::sc_start(); }
void UnitBench::run_for(Picoseconds time) { sc_core::sc_start(to_sc_time(time)); }
void UnitBench::spawn(std::function<void()> program) { sc_core::sc_spawn(std::move(program)); }

// ---- registers and memory

std::uint64_t UnitBench::read_register(std::uint64_t offset, unsigned bytes) {
    return registers_->access(tlm::TLM_READ_COMMAND, offset, bytes, 0);
}

void UnitBench::write_register(std::uint64_t offset, std::uint64_t value, unsigned bytes) {
    registers_->access(tlm::TLM_WRITE_COMMAND, offset, bytes, value);
}

std::uint64_t UnitBench::allocate(std::uint64_t bytes, std::uint64_t alignment) {
    next_free_ = align_up(next_free_, alignment < 64 ? 64 : alignment);
    const std::uint64_t address = next_free_;
    next_free_ += bytes;
    return address;
}

std::uint64_t UnitBench::peek(std::uint64_t address) const {
    std::uint64_t value = 0;
    std::memcpy(&value, memory.bytes() + address, sizeof value);
    return value;
}

// ---- DMA

Dma& UnitBench::begin_read(const Requester& requester, std::uint64_t address, unsigned length,
                           unsigned port) {
    Dma& dma = dmas_.emplace_back();
    soc::DmaJob job;
    job.requester = requester;
    job.base = address;
    job.length = length;
    job.listener = &dma;
    masters[port].start(job);
    return dma;
}

Dma& UnitBench::begin_write(const Requester& requester, std::uint64_t address, std::vector<std::uint8_t> data,
                            unsigned port) {
    Dma& dma = dmas_.emplace_back();
    dma.data = std::move(data);
    soc::DmaJob job;
    job.requester = requester;
    job.direction = soc::DmaDirection::write;
    job.check = soc::DmaCheck::buffer;
    job.base = address;
    job.length = static_cast<std::uint32_t>(dma.data.size());
    job.contents = dma.data.data();
    job.contents_size = dma.data.size();
    job.listener = &dma;
    masters[port].start(job);
    return dma;
}

Dma& UnitBench::read(const Requester& requester, std::uint64_t address, unsigned length, unsigned port) {
    Dma& dma = begin_read(requester, address, length, port);
    settle();
    return dma;
}

Dma& UnitBench::write(const Requester& requester, std::uint64_t address, std::vector<std::uint8_t> data,
                      unsigned port) {
    Dma& dma = begin_write(requester, address, std::move(data), port);
    settle();
    return dma;
}

Dma& UnitBench::transfer(bool write, const Requester& requester, std::uint64_t address,
                         std::vector<std::uint8_t> data, unsigned port) {
    Dma& dma = dmas_.emplace_back();
    dma.data = std::move(data);
    sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
    dma.issued = now();
    dma.status = masters[port].transfer(requester, write, address, dma.data.data(),
                                        static_cast<std::uint32_t>(dma.data.size()), delay);
    dma.completed = now() + to_picoseconds(delay);
    dma.finished = true;
    return dma;
}

Dma& UnitBench::read_loosely(const Requester& requester, std::uint64_t address, unsigned length,
                             unsigned port) {
    return transfer(false, requester, address, std::vector<std::uint8_t>(length), port);
}

Dma& UnitBench::write_loosely(const Requester& requester, std::uint64_t address,
                              std::vector<std::uint8_t> data, unsigned port) {
    return transfer(true, requester, address, std::move(data), port);
}

std::uint64_t UnitBench::read_word(const Requester& requester, std::uint64_t address) {
    const Dma& dma = read(requester, address, 8);
    std::uint64_t word = 0;
    if (dma.ok())
        std::memcpy(&word, dma.data.data(), 8);
    return word;
}

std::string UnitBench::served_by(const Requester& requester, std::uint64_t address, unsigned port) {
    const std::size_t before = probe.translations.size();
    read(requester, address, 8, port);
    return probe.translations.size() > before ? probe.translations.back().served_by : "";
}

// ---- free functions

Requester requester(std::uint32_t id) {
    Requester r;
    r.id = id;
    return r;
}

Requester requester(std::uint32_t id, std::uint32_t pasid) {
    Requester r = requester(id);
    r.has_pasid = true;
    r.pasid = pasid;
    return r;
}

void start_new_simulation() { sc_core::sc_curr_simcontext = nullptr; }

std::vector<std::uint8_t> pattern(std::uint8_t seed, std::size_t size) {
    std::vector<std::uint8_t> bytes(size);
    for (std::size_t i = 0; i < size; ++i)
        bytes[i] = static_cast<std::uint8_t>(seed * 37 + i * 11 + (i >> 8));
    return bytes;
}

} // namespace iommusim::test
