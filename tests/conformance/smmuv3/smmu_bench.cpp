#include "tests/conformance/smmuv3/smmu_bench.h"

namespace iommusim::smmuv3::test {

using namespace spec;

SmmuBench::SmmuBench(const BenchOptions& o)
    : UnitBench(o, static_cast<unsigned>(o.parameters.device_ports)), options(o), smmu("smmu", o.parameters) {
    connect(smmu);

    const std::uint64_t stream_table_bytes = ste::bytes << o.stream_table_log2;
    const std::uint64_t command_queue_bytes = command::bytes << o.command_queue_log2;
    const std::uint64_t event_queue_bytes = event::bytes << o.event_queue_log2;
    stream_table_ = allocate(stream_table_bytes, stream_table_bytes);
    command_queue_ = allocate(command_queue_bytes, command_queue_bytes);
    event_queue_ = allocate(event_queue_bytes, event_queue_bytes);

    write_register(reg::strtab_base, stream_table_, 8);
    write_register(reg::strtab_base_cfg, strtab_base_cfg::log2size.make(o.stream_table_log2));
    write_register(reg::cmdq_base, command_queue_ | queue_base::log2size.make(o.command_queue_log2), 8);
    write_register(reg::eventq_base, event_queue_ | queue_base::log2size.make(o.event_queue_log2), 8);
    write_register(reg::cr2, cr2::recinvsid.make(1));
    if (o.enable)
        set_cr0(all_enables);
}

// ---- registers

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

// ---- configuration structures

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

} // namespace iommusim::smmuv3::test
