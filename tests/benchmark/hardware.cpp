#include "tests/benchmark/hardware.h"

#include "models/smmuv3/spec/commands.h"
#include "models/smmuv3/spec/context_descriptor.h"
#include "models/smmuv3/spec/registers.h"
#include "models/smmuv3/spec/stream_table.h"
#include "models/smmuv3/spec/translation_table.h"

#include <cstring>
#include <utility>

namespace iommusim::benchmark {

namespace spec = smmuv3::spec;

namespace {

// Where the tables memory holds what.
constexpr std::uint64_t stream_table = 0x10000;
constexpr std::uint64_t context_descriptor = 0x20000;
constexpr std::uint64_t command_queue = 0x30000;
constexpr std::uint64_t event_queue = 0x40000;
constexpr std::uint64_t level_1 = 0x50000;
constexpr std::uint64_t level_2 = 0x51000;
constexpr std::uint64_t level_3 = 0x52000; // as many tables as the pages need

constexpr unsigned stream_table_log2 = 2;
constexpr unsigned command_queue_log2 = 10;
constexpr unsigned event_queue_log2 = 5;
constexpr std::uint64_t t0sz = 25; // 39-bit input: the walk starts at level 1

soc::MemoryParameters memory_of(std::uint64_t bytes) {
    soc::MemoryParameters parameters;
    parameters.size = bytes;
    return parameters;
}

std::uint64_t table_descriptor(std::uint64_t address) {
    return spec::descriptor::type.make(spec::descriptor::type_table) |
           spec::descriptor::address_4k.in_place(address);
}

std::uint64_t page_descriptor(std::uint64_t address) {
    return spec::descriptor::type.make(spec::descriptor::type_page) |
           spec::descriptor::address_4k.in_place(address) |
           spec::stage1_leaf::ap.make(spec::stage1_leaf::ap_any_rw) |
           spec::stage1_leaf::sh.make(spec::shareability::inner_shareable) | spec::stage1_leaf::af.make(1) |
           spec::stage1_leaf::ng.make(1);
}

} // namespace

Hardware::Hardware(sc_core::sc_module_name name, const smmuv3::Parameters& parameters, std::uint64_t pages)
    : sc_module(name),
      data("data", memory_of(pages * page)),
      tables("tables", memory_of(64ull << 20)),
      iommu("iommu", parameters),
      master("master"),
      pages_(pages),
      registers_("registers"),
      start_("start") {
    master.socket.bind(iommu.device());
    iommu.memory().bind(data.socket);
    iommu.walker().bind(tables.socket);
    registers_.bind(iommu.registers);
    build_tables();
    SC_HAS_PROCESS(Hardware);
    SC_THREAD(software);
}

Requester Hardware::requester() {
    Requester r;
    r.id = stream;
    return r;
}

void Hardware::run(std::function<void()> program) {
    program_ = std::move(program);
    start_.notify(sc_core::SC_ZERO_TIME);
    sc_core::sc_start();
}

void Hardware::software() {
    enable();
    for (;;) {
        if (program_)
            std::exchange(program_, nullptr)();
        wait(start_);
    }
}

template <std::size_t Words>
void Hardware::store(std::uint64_t address, const std::array<std::uint64_t, Words>& words) {
    std::memcpy(tables.bytes() + address, words.data(), sizeof words);
}

void Hardware::build_tables() {
    std::array<std::uint64_t, spec::ste::words> ste{};
    spec::ste::v.set(ste.data(), 1);
    spec::ste::config.set(ste.data(), spec::ste::config_stage_1);
    ste[0] |= spec::ste::s1_context_ptr.in_place(context_descriptor);
    spec::ste::shcfg.set(ste.data(), spec::ste::shcfg_use_incoming);
    store(stream_table + stream * spec::ste::bytes, ste);

    std::array<std::uint64_t, spec::cd::words> cd{};
    spec::cd::t0sz.set(cd.data(), t0sz);
    spec::cd::tg0.set(cd.data(), spec::cd::tg0_4k);
    spec::cd::epd1.set(cd.data(), 1);
    spec::cd::v.set(cd.data(), 1);
    spec::cd::ips.set(cd.data(), spec::size_code_48_bits);
    spec::cd::aa64.set(cd.data(), 1);
    spec::cd::r.set(cd.data(), 1);
    spec::cd::a.set(cd.data(), 1);
    spec::cd::aset.set(cd.data(), 1);
    spec::cd::asid.set(cd.data(), asid);
    cd[spec::cd::ttb0.word()] |= spec::cd::ttb0.in_place(level_1);
    spec::cd::mair.set(cd.data(), spec::mair::normal_write_back);
    store(context_descriptor, cd);

    const spec::Granule granule = spec::granule_4k;
    store<1>(level_1 + 8 * granule.index(window, 1), {table_descriptor(level_2)});
    for (std::uint64_t i = 0; i < pages_; ++i) {
        const std::uint64_t address = window + i * page;
        const std::uint64_t table = level_3 + page * (i / granule.entries_per_table());
        store<1>(level_2 + 8 * granule.index(address, 2), {table_descriptor(table)});
        store<1>(table + 8 * granule.index(address, 3), {page_descriptor(i * page)});
    }
}

void Hardware::enable() {
    write_register(spec::reg::strtab_base, spec::strtab_base::addr.in_place(stream_table), 8);
    write_register(spec::reg::strtab_base_cfg,
                   spec::strtab_base_cfg::fmt.make(spec::strtab_base_cfg::fmt_linear) |
                       spec::strtab_base_cfg::log2size.make(stream_table_log2));
    write_register(spec::reg::cmdq_base,
                   spec::queue_base::addr.in_place(command_queue) |
                       spec::queue_base::log2size.make(command_queue_log2),
                   8);
    write_register(
        spec::reg::eventq_base,
        spec::queue_base::addr.in_place(event_queue) | spec::queue_base::log2size.make(event_queue_log2), 8);
    const std::uint64_t on =
        spec::cr0::cmdqen.make(1) | spec::cr0::eventqen.make(1) | spec::cr0::smmuen.make(1);
    write_register(spec::reg::cr0, on);
    while (read_register(spec::reg::cr0ack) != on)
        wait(100, sc_core::SC_NS);
}

void Hardware::invalidate_pages(std::uint64_t first) {
    constexpr std::uint32_t entries = 1u << command_queue_log2;
    for (unsigned i = 0; i < batch; ++i) {
        std::array<std::uint64_t, spec::command::words> command{};
        if (i + 1 < batch) {
            spec::command::opcode.set(command.data(), spec::opcode::tlbi_nh_va);
            spec::tlbi::asid.set(command.data(), asid);
            spec::tlbi::leaf.set(command.data(), 1);
            command[spec::tlbi::address.word()] |= spec::tlbi::address.in_place(first + i * page);
        } else {
            spec::command::opcode.set(command.data(), spec::opcode::sync);
            spec::sync::cs.set(command.data(), spec::sync::cs_none);
        }
        store(command_queue + producer_ % entries * spec::command::bytes, command);
        producer_ = (producer_ + 1) % (2 * entries);
    }
    write_register(spec::reg::cmdq_prod, producer_);
    do
        wait(4, sc_core::SC_US);
    while (spec::cmdq_cons::rd.get(read_register(spec::reg::cmdq_cons)) != producer_);
}

void Hardware::write_register(std::uint64_t offset, std::uint64_t value, unsigned bytes) {
    tlm::tlm_generic_payload payload;
    payload.set_command(tlm::TLM_WRITE_COMMAND);
    payload.set_address(offset);
    payload.set_data_ptr(reinterpret_cast<unsigned char*>(&value));
    payload.set_data_length(bytes);
    payload.set_streaming_width(bytes);
    sc_core::sc_time delay;
    registers_->b_transport(payload, delay);
    if (!payload.is_response_ok())
        SC_REPORT_FATAL(name(), "a register write was refused");
    wait(delay);
}

std::uint32_t Hardware::read_register(std::uint64_t offset) {
    std::uint32_t value = 0;
    tlm::tlm_generic_payload payload;
    payload.set_command(tlm::TLM_READ_COMMAND);
    payload.set_address(offset);
    payload.set_data_ptr(reinterpret_cast<unsigned char*>(&value));
    payload.set_data_length(sizeof value);
    payload.set_streaming_width(sizeof value);
    sc_core::sc_time delay;
    registers_->b_transport(payload, delay);
    wait(delay);
    return value;
}

} // namespace iommusim::benchmark
