#include "tests/conformance/smmuv3/smmu_bench.h"

namespace iommusim::smmuv3::test {

using namespace spec;

/// Plays the CPU's part on the register socket.
struct SmmuBench::RegisterMaster : sc_core::sc_module, tlm::tlm_bw_transport_if<> {
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

BenchOptions::BenchOptions() {
    memory.size = 48ull << 30;
    parameters.substream_id_bits = 20;
}

BenchOptions SmmuBench::checked(BenchOptions o) {
    sc_core::sc_report_handler::set_actions(sc_core::SC_ID_NO_SC_START_ACTIVITY_, sc_core::SC_DO_NOTHING);
    return o;
}

SmmuBench::SmmuBench(const BenchOptions& o)
    : options(checked(o)),
      memory("memory", o.memory),
      sink("sink", 4),
      smmu("smmu", o.parameters),
      bus("bus", 1 + static_cast<unsigned>(o.parameters.device_ports) - (o.device_memory ? 1 : 0), 2,
          o.interconnect) {
    registers_ = std::make_unique<RegisterMaster>("cpu");
    registers_->socket.bind(smmu.registers);
    smmu.interrupts.bind(sink);
    smmu.walker().bind(bus.upstream[0]);
    for (unsigned port = 0; port < o.parameters.device_ports; ++port) {
        if (port == 0 && o.device) {
            o.device->bind(smmu.device(0));
        } else {
            masters.emplace_back(("master" + std::to_string(port)).c_str());
            masters.back().socket.bind(smmu.device(port));
        }
        if (port == 0 && o.device_memory)
            smmu.memory(0).bind(*o.device_memory);
        else
            smmu.memory(port).bind(bus.upstream[1 + port]);
    }
    bus.downstream[0].bind(memory.socket);
    bus.downstream[1].bind(sink.messages);
    bus.map(0, o.memory.size, 0);
    bus.map(message_window, message_window_bytes, 1);
    smmu.attach(&probe);

    const std::uint64_t stream_table_bytes = ste::bytes << o.stream_table_log2;
    const std::uint64_t command_queue_bytes = command::bytes << o.command_queue_log2;
    const std::uint64_t event_queue_bytes = event::bytes << o.event_queue_log2;
    stream_table_ = allocate(stream_table_bytes, stream_table_bytes);
    command_queue_ = allocate(command_queue_bytes, command_queue_bytes);
    event_queue_ = allocate(event_queue_bytes, event_queue_bytes);

    sc_core::sc_start(sc_core::SC_ZERO_TIME);
    write_register(reg::strtab_base, stream_table_, 8);
    write_register(reg::strtab_base_cfg, strtab_base_cfg::log2size.make(o.stream_table_log2));
    write_register(reg::cmdq_base, command_queue_ | queue_base::log2size.make(o.command_queue_log2), 8);
    write_register(reg::eventq_base, event_queue_ | queue_base::log2size.make(o.event_queue_log2), 8);
    write_register(reg::cr2, cr2::recinvsid.make(1));
    if (o.enable)
        set_cr0(all_enables);
}

SmmuBench::~SmmuBench() = default;

// ---- simulated time

void SmmuBench::settle() { sc_core::sc_start(); }
void SmmuBench::run_for(Picoseconds time) { sc_core::sc_start(to_sc_time(time)); }

// ---- registers

std::uint64_t SmmuBench::read_register(std::uint64_t offset, unsigned bytes) {
    return registers_->access(tlm::TLM_READ_COMMAND, offset, bytes, 0);
}

void SmmuBench::write_register(std::uint64_t offset, std::uint64_t value, unsigned bytes) {
    registers_->access(tlm::TLM_WRITE_COMMAND, offset, bytes, value);
}

void SmmuBench::set_cr0(std::uint64_t value) {
    write_register(reg::cr0, value);
    settle();
}

void SmmuBench::set_gbpa(std::uint64_t value) {
    write_register(reg::gbpa, value | gbpa::update.mask());
    settle();
}

void SmmuBench::enable_interrupts(std::uint64_t irq_ctrl) {
    write_register(reg::irq_ctrl, irq_ctrl);
    settle();
}

bool SmmuBench::error_active(Field error) {
    return error.get(read_register(reg::gerror) ^ read_register(reg::gerrorn)) != 0;
}

// ---- memory and structures

std::uint64_t SmmuBench::allocate(std::uint64_t bytes, std::uint64_t alignment) {
    next_free_ = align_up(next_free_, alignment < 64 ? 64 : alignment);
    const std::uint64_t address = next_free_;
    next_free_ += bytes;
    return address;
}

std::uint64_t SmmuBench::peek(std::uint64_t address) const {
    std::uint64_t value = 0;
    std::memcpy(&value, memory.bytes() + address, 8);
    return value;
}

std::uint64_t SmmuBench::new_cd(const Cd& cd) {
    const std::uint64_t address = allocate(cd::bytes);
    poke(address, cd);
    return address;
}

std::uint64_t SmmuBench::attach(std::uint32_t stream, std::uint64_t root, std::uint64_t asid, unsigned t0sz) {
    const std::uint64_t cd = new_cd(cd_for(root, asid, t0sz));
    set_ste(stream, ste_stage_1(cd));
    return cd;
}

// ---- commands

std::uint64_t SmmuBench::command_slot(std::uint32_t position) const {
    return command_queue_ + (position & low_bits(options.command_queue_log2)) * command::bytes;
}

void SmmuBench::queue(const Command& command) {
    poke(command_slot(producer_), command);
    producer_ = (producer_ + 1) & static_cast<std::uint32_t>(low_bits(options.command_queue_log2 + 1));
}

void SmmuBench::execute(std::initializer_list<Command> commands) {
    for (const Command& c : commands)
        queue(c);
    doorbell();
    settle();
}

// ---- events

std::uint32_t SmmuBench::event_producer() {
    return static_cast<std::uint32_t>(eventq_prod::wr.get(read_register(reg::eventq_prod)));
}

std::uint32_t SmmuBench::event_consumer() {
    return static_cast<std::uint32_t>(eventq_cons::rd.get(read_register(reg::eventq_cons)));
}

bool SmmuBench::overflow_active() {
    return eventq_prod::ovflg.get(read_register(reg::eventq_prod)) !=
           eventq_cons::ovackflg.get(read_register(reg::eventq_cons));
}

std::vector<Event> SmmuBench::take_events() {
    std::vector<Event> events;
    std::uint32_t consumer = event_consumer();
    for (; consumer != event_producer();
         consumer = (consumer + 1) & static_cast<std::uint32_t>(low_bits(options.event_queue_log2 + 1))) {
        Event event;
        std::memcpy(event.words.data(),
                    memory.bytes() + event_queue_ +
                        (consumer & low_bits(options.event_queue_log2)) * event::bytes,
                    event::bytes);
        events.push_back(event);
    }
    const std::uint64_t overflow = eventq_prod::ovflg.get(read_register(reg::eventq_prod));
    write_register(reg::eventq_cons, consumer | eventq_cons::ovackflg.make(overflow));
    return events;
}

// ---- DMA

Requester SmmuBench::stream(std::uint32_t id) {
    Requester requester;
    requester.id = id;
    return requester;
}

Requester SmmuBench::substream(std::uint32_t id, std::uint32_t substream) {
    Requester requester = stream(id);
    requester.has_pasid = true;
    requester.pasid = substream;
    return requester;
}

Dma& SmmuBench::begin_read(const Requester& requester, std::uint64_t address, unsigned length,
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

Dma& SmmuBench::begin_write(const Requester& requester, std::uint64_t address, std::vector<std::uint8_t> data,
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

Dma& SmmuBench::read(const Requester& requester, std::uint64_t address, unsigned length, unsigned port) {
    Dma& dma = begin_read(requester, address, length, port);
    settle();
    return dma;
}

Dma& SmmuBench::write(const Requester& requester, std::uint64_t address, std::vector<std::uint8_t> data,
                      unsigned port) {
    Dma& dma = begin_write(requester, address, std::move(data), port);
    settle();
    return dma;
}

Dma& SmmuBench::transfer(bool write, const Requester& requester, std::uint64_t address,
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

Dma& SmmuBench::read_loosely(const Requester& requester, std::uint64_t address, unsigned length,
                             unsigned port) {
    return transfer(false, requester, address, std::vector<std::uint8_t>(length), port);
}

Dma& SmmuBench::write_loosely(const Requester& requester, std::uint64_t address,
                              std::vector<std::uint8_t> data, unsigned port) {
    return transfer(true, requester, address, std::move(data), port);
}

std::uint64_t SmmuBench::read_word(const Requester& requester, std::uint64_t address) {
    const Dma& dma = read(requester, address, 8);
    std::uint64_t word = 0;
    if (dma.ok())
        std::memcpy(&word, dma.data.data(), 8);
    return word;
}

std::string SmmuBench::served_by(const Requester& requester, std::uint64_t address, unsigned port) {
    const std::size_t before = probe.translations.size();
    read(requester, address, 8, port);
    return probe.translations.size() > before ? probe.translations.back().served_by : "";
}

void SmmuBench::spawn(std::function<void()> program) { sc_core::sc_spawn(std::move(program)); }

std::uint64_t SmmuBench::counter(const std::string& name) const {
    for (const auto& [key, value] : smmu.statistics().counters)
        if (key == name)
            return value;
    SC_REPORT_FATAL("SmmuBench", ("no counter is named " + name).c_str());
    return 0;
}

// ---- translation tables

PageTable::PageTable(SmmuBench& bench, unsigned input_bits) : bench_(bench), input_bits_(input_bits) {
    const unsigned levels = (input_bits - 12 + 8) / 9;
    start_ = 4 - levels;
    const std::uint64_t root_bytes = 8ull << (input_bits - 12 - 9 * (levels - 1));
    root_ = bench.allocate(root_bytes, root_bytes);
}

std::uint64_t PageTable::descriptor_address(std::uint64_t address, unsigned level,
                                            std::uint64_t table_attributes) {
    std::uint64_t table = root_;
    for (unsigned l = start_;; ++l) {
        const unsigned shift = 12 + 9 * (3 - l);
        const unsigned index_bits = l == start_ ? input_bits_ - shift : 9;
        const std::uint64_t slot = table + 8 * ((address >> shift) & low_bits(index_bits));
        if (l == level)
            return slot;
        if ((bench_.peek(slot) & 1) == 0)
            bench_.poke(slot, bench_.allocate(4096, 4096) | descriptor::type_table | table_attributes);
        table = descriptor::address_4k.in_place(bench_.peek(slot));
    }
}

std::uint64_t PageTable::map(std::uint64_t address, std::uint64_t output, unsigned level,
                             std::uint64_t attributes) {
    const std::uint64_t slot = descriptor_address(address, level);
    bench_.poke(slot, output | attributes | (level == 3 ? descriptor::type_page : descriptor::type_block));
    return slot;
}

void PageTable::map_contiguous(std::uint64_t address, std::uint64_t output, unsigned level) {
    for (unsigned i = 0; i < 16; ++i)
        map(address + i * size_of(level), output + i * size_of(level), level,
            leaf_rw | stage1_leaf::contiguous.mask());
}

std::vector<std::uint8_t> pattern(std::uint8_t seed, std::size_t size) {
    std::vector<std::uint8_t> bytes(size);
    for (std::size_t i = 0; i < size; ++i)
        bytes[i] = static_cast<std::uint8_t>(seed * 37 + i * 11 + (i >> 8));
    return bytes;
}

} // namespace iommusim::smmuv3::test
