// The smallest foreign virtual platform that uses the SMMUv3 model: its own device and its own memory, both
// on the convenience sockets of TLM-2.0, and software that programs the unit by hand. A DMA write and a DMA
// read go through the translation; a third one, to an unmapped page, is refused.
#include <iommusim/core/requester.h>
#include <iommusim/smmuv3/smmuv3.h>
#include <iommusim/smmuv3/spec/commands.h>
#include <iommusim/smmuv3/spec/context_descriptor.h>
#include <iommusim/smmuv3/spec/registers.h>
#include <iommusim/smmuv3/spec/stream_table.h>
#include <iommusim/smmuv3/spec/translation_table.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <systemc>
#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>
#include <vector>

namespace {

namespace spec = iommusim::smmuv3::spec;

// The memory map.
constexpr std::uint64_t stream_table = 0x10000;
constexpr std::uint64_t context_descriptor = 0x11000;
constexpr std::uint64_t command_queue = 0x12000;
constexpr std::uint64_t event_queue = 0x13000;
constexpr std::uint64_t tables[3] = {0x14000, 0x15000, 0x16000}; // levels 1, 2 and 3
constexpr std::uint64_t buffer = 0x80000;
constexpr std::uint64_t memory_bytes = 1 << 20;

constexpr std::uint32_t stream_id = 3;
constexpr std::uint64_t input_page = 0x12'3456'7000; // where the device sees the buffer

struct Ram : sc_core::sc_module {
    tlm_utils::simple_target_socket<Ram> from_devices{"from_devices"};
    tlm_utils::simple_target_socket<Ram> from_iommu{"from_iommu"};
    std::vector<unsigned char> bytes = std::vector<unsigned char>(memory_bytes);

    explicit Ram(sc_core::sc_module_name name) : sc_module(name) {
        from_devices.register_b_transport(this, &Ram::b_transport);
        from_iommu.register_b_transport(this, &Ram::b_transport);
    }
    void b_transport(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
        const std::uint64_t address = payload.get_address();
        const std::uint64_t length = payload.get_data_length();
        if (address >= memory_bytes || length > memory_bytes - address)
            return payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
        if (payload.is_write())
            std::memcpy(&bytes[address], payload.get_data_ptr(), length);
        else
            std::memcpy(payload.get_data_ptr(), &bytes[address], length);
        delay += sc_core::sc_time(50, sc_core::SC_NS);
        payload.set_response_status(tlm::TLM_OK_RESPONSE);
    }
};

struct Platform : sc_core::sc_module {
    tlm_utils::simple_initiator_socket<Platform> device{"device"};
    tlm_utils::simple_initiator_socket<Platform> cpu{"cpu"};
    iommusim::smmuv3::Smmuv3 iommu{"iommu"};
    Ram ram{"ram"};
    bool passed = false;

    SC_HAS_PROCESS(Platform);
    explicit Platform(sc_core::sc_module_name name) : sc_module(name) {
        device.bind(iommu.device());
        iommu.memory().bind(ram.from_devices);
        iommu.walker().bind(ram.from_iommu);
        cpu.bind(iommu.registers);
        SC_THREAD(run);
    }

    template <class Socket>
    bool access(Socket& socket, bool write, std::uint64_t address, void* data, unsigned length) {
        tlm::tlm_generic_payload payload;
        iommusim::RequesterExtension requester;
        requester.requester.id = stream_id;
        payload.set_command(write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND);
        payload.set_address(address);
        payload.set_data_ptr(static_cast<unsigned char*>(data));
        payload.set_data_length(length);
        payload.set_streaming_width(length);
        payload.set_extension(&requester);
        sc_core::sc_time delay;
        socket->b_transport(payload, delay);
        wait(delay);
        payload.clear_extension(&requester);
        return payload.is_response_ok();
    }
    void write_register(std::uint64_t offset, std::uint64_t value, unsigned length = 4) {
        if (!access(cpu, true, offset, &value, length))
            SC_REPORT_FATAL(name(), "a register write was refused");
    }
    void wait_for_register(std::uint64_t offset, std::uint32_t wanted) {
        for (std::uint32_t value = ~wanted; value != wanted; wait(1, sc_core::SC_US))
            access(cpu, false, offset, &value, 4);
    }
    template <std::size_t Words>
    void store(std::uint64_t address, const std::array<std::uint64_t, Words>& words) {
        std::memcpy(&ram.bytes[address], words.data(), sizeof words);
    }

    void build_tables() {
        std::array<std::uint64_t, spec::ste::words> ste{};
        spec::ste::v.set(ste.data(), 1);
        spec::ste::config.set(ste.data(), spec::ste::config_stage_1);
        ste[0] |= spec::ste::s1_context_ptr.in_place(context_descriptor);
        store(stream_table + stream_id * spec::ste::bytes, ste);

        std::array<std::uint64_t, spec::cd::words> cd{};
        spec::cd::v.set(cd.data(), 1);
        spec::cd::aa64.set(cd.data(), 1);
        spec::cd::t0sz.set(cd.data(), 25); // 39 bits of input address: three levels
        spec::cd::epd1.set(cd.data(), 1);
        spec::cd::ips.set(cd.data(), spec::size_code_40_bits);
        spec::cd::r.set(cd.data(), 1);
        spec::cd::a.set(cd.data(), 1);
        cd[spec::cd::ttb0.word()] |= spec::cd::ttb0.in_place(tables[0]);
        spec::cd::mair.set(cd.data(), spec::mair::normal_write_back);
        store(context_descriptor, cd);

        const std::uint64_t table = spec::descriptor::type.make(spec::descriptor::type_table);
        const std::uint64_t page = spec::descriptor::type.make(spec::descriptor::type_page) |
                                   spec::stage1_leaf::ap.make(spec::stage1_leaf::ap_any_rw) |
                                   spec::stage1_leaf::af.make(1);
        const std::uint64_t entries[3] = {table | tables[1], table | tables[2], page | buffer};
        for (unsigned level = 1; level <= 3; ++level)
            store<1>(tables[level - 1] + 8 * spec::granule_4k.index(input_page, level), {entries[level - 1]});
    }

    /// As the specification asks: whatever the caches held before is invalidated before translation is
    /// enabled.
    void enable() {
        constexpr unsigned queue_log2 = 4;
        write_register(spec::reg::strtab_base, stream_table, 8);
        write_register(spec::reg::strtab_base_cfg, spec::strtab_base_cfg::log2size.make(4));
        write_register(spec::reg::cmdq_base, command_queue | spec::queue_base::log2size.make(queue_log2), 8);
        write_register(spec::reg::eventq_base, event_queue | spec::queue_base::log2size.make(queue_log2), 8);
        const std::uint64_t queues = spec::cr0::cmdqen.make(1) | spec::cr0::eventqen.make(1);
        write_register(spec::reg::cr0, queues);
        wait_for_register(spec::reg::cr0ack, queues);

        const unsigned opcodes[] = {spec::opcode::cfgi_ste_range, spec::opcode::tlbi_nsnh_all,
                                    spec::opcode::sync};
        std::uint32_t producer = 0;
        for (unsigned opcode : opcodes) {
            std::array<std::uint64_t, spec::command::words> command{};
            spec::command::opcode.set(command.data(), opcode);
            if (opcode == spec::opcode::cfgi_ste_range)
                spec::cfgi::range.set(command.data(), spec::cfgi::range_all);
            store(command_queue + spec::command::bytes * producer++, command);
        }
        write_register(spec::reg::cmdq_prod, producer);
        wait_for_register(spec::reg::cmdq_cons, producer);

        write_register(spec::reg::cr0, queues | spec::cr0::smmuen.make(1));
        wait_for_register(spec::reg::cr0ack, queues | spec::cr0::smmuen.make(1));
    }

    void run() {
        build_tables();
        enable();
        char written[] = "written by the device";
        char read[sizeof written] = {};
        const bool wrote = access(device, true, input_page + 0x40, written, sizeof written);
        const bool arrived = std::memcmp(&ram.bytes[buffer + 0x40], written, sizeof written) == 0;
        std::memcpy(&ram.bytes[buffer + 0x80], "read by the device...", sizeof read);
        const bool was_read = access(device, false, input_page + 0x80, read, sizeof read);
        const bool matched = std::strcmp(read, "read by the device...") == 0;
        const bool refused = !access(device, true, input_page + 0x1000, written, sizeof written);
        passed = wrote && arrived && was_read && matched && refused;
    }
};

} // namespace

int sc_main(int, char**) {
    Platform platform("platform");
    sc_core::sc_start();
    std::printf("embed: DMA to 0x%llx %s memory at 0x%llx\n", static_cast<unsigned long long>(input_page),
                platform.passed ? "reaches" : "does not reach", static_cast<unsigned long long>(buffer));
    return platform.passed ? 0 : 1;
}
