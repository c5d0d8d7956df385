// SMMUv3 under the loads: stage 1, commands as a driver batches them.
#include "models/smmuv3/spec/commands.h"
#include "models/smmuv3/spec/context_descriptor.h"
#include "models/smmuv3/spec/registers.h"
#include "models/smmuv3/spec/stream_table.h"
#include "models/smmuv3/spec/translation_table.h"
#include "tests/benchmark/hardware.h"

namespace iommusim::benchmark {

namespace spec = smmuv3::spec;

namespace {

constexpr std::uint64_t stream_table = Hardware::structures;
constexpr std::uint64_t context_descriptor = Hardware::structures + 0x10000;
constexpr std::uint64_t command_queue = Hardware::structures + 0x20000;
constexpr std::uint64_t event_queue = Hardware::structures + 0x30000;

constexpr unsigned stream_table_log2 = 2;
constexpr unsigned command_queue_log2 = 10;
constexpr unsigned event_queue_log2 = 5;
constexpr std::uint64_t t0sz = 25; // 39-bit input: the walk starts at level 1

class Smmuv3Software final : public Software {
public:
    explicit Smmuv3Software(Hardware& hardware) : hardware_(hardware) {}

    std::uint64_t entry(std::uint64_t address, unsigned level) const override {
        const std::uint64_t output = spec::descriptor::address_4k.in_place(address);
        if (level != 1)
            return spec::descriptor::type.make(spec::descriptor::type_table) | output;
        return spec::descriptor::type.make(spec::descriptor::type_page) | output |
               spec::stage1_leaf::ap.make(spec::stage1_leaf::ap_any_rw) |
               spec::stage1_leaf::sh.make(spec::shareability::inner_shareable) |
               spec::stage1_leaf::af.make(1) | spec::stage1_leaf::ng.make(1);
    }

    void enable() override {
        build_structures();
        hardware_.write_register(spec::reg::strtab_base, spec::strtab_base::addr.in_place(stream_table), 8);
        hardware_.write_register(spec::reg::strtab_base_cfg,
                                 spec::strtab_base_cfg::fmt.make(spec::strtab_base_cfg::fmt_linear) |
                                     spec::strtab_base_cfg::log2size.make(stream_table_log2));
        hardware_.write_register(spec::reg::cmdq_base, queue_base(command_queue, command_queue_log2), 8);
        hardware_.write_register(spec::reg::eventq_base, queue_base(event_queue, event_queue_log2), 8);
        const std::uint64_t on =
            spec::cr0::cmdqen.make(1) | spec::cr0::eventqen.make(1) | spec::cr0::smmuen.make(1);
        hardware_.write_register(spec::reg::cr0, on);
        hardware_.await_register(spec::reg::cr0ack, ~0ull, on);
    }

    void submit_batch(std::uint64_t first) override {
        for (unsigned i = 0; i + 1 < Hardware::batch; ++i) {
            Command command{};
            spec::command::opcode.set(command.data(), spec::opcode::tlbi_nh_va);
            spec::tlbi::asid.set(command.data(), Hardware::space);
            spec::tlbi::leaf.set(command.data(), 1);
            command[spec::tlbi::address.word()] |= spec::tlbi::address.in_place(first + i * Hardware::page);
            put(command);
        }
        Command completion{};
        spec::command::opcode.set(completion.data(), spec::opcode::sync);
        spec::sync::cs.set(completion.data(), spec::sync::cs_none);
        put(completion);
        hardware_.write_register(spec::reg::cmdq_prod, producer_);
    }

    bool batch_completed() override {
        return spec::cmdq_cons::rd.get(hardware_.read_register(spec::reg::cmdq_cons)) == producer_;
    }

private:
    using Command = std::array<std::uint64_t, spec::command::words>;

    static std::uint64_t queue_base(std::uint64_t address, unsigned log2) {
        return spec::queue_base::addr.in_place(address) | spec::queue_base::log2size.make(log2);
    }

    void build_structures() {
        std::array<std::uint64_t, spec::ste::words> ste{};
        spec::ste::v.set(ste.data(), 1);
        spec::ste::config.set(ste.data(), spec::ste::config_stage_1);
        ste[0] |= spec::ste::s1_context_ptr.in_place(context_descriptor);
        spec::ste::shcfg.set(ste.data(), spec::ste::shcfg_use_incoming);
        hardware_.store(stream_table + Hardware::device * spec::ste::bytes, ste);

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
        spec::cd::asid.set(cd.data(), Hardware::space);
        cd[spec::cd::ttb0.word()] |= spec::cd::ttb0.in_place(Hardware::page_table);
        spec::cd::mair.set(cd.data(), spec::mair::normal_write_back);
        hardware_.store(context_descriptor, cd);
    }

    void put(const Command& command) {
        constexpr std::uint32_t entries = 1u << command_queue_log2;
        hardware_.store(command_queue + producer_ % entries * spec::command::bytes, command);
        producer_ = (producer_ + 1) % (2 * entries);
    }

    Hardware& hardware_;
    std::uint32_t producer_ = 0; ///< wrap flag included
};

} // namespace

Architecture smmuv3_architecture() {
    Architecture a{};
    a.model = host::Model::smmuv3;
    a.large_tlb = {{"micro_tlb.entries", 0}, {"tlb.entries", 2048}, {"tlb.ways", 4}};
    a.no_useful_caches = {
        {"micro_tlb.entries", 0},     {"tlb.entries", 64},          {"tlb.ways", 4},
        {"walk_cache.l0_entries", 0}, {"walk_cache.l1_entries", 0}, {"walk_cache.l2_entries", 0}};
    a.batch = "31 CMD_TLBI_NH_VA, 1 CMD_SYNC";
    a.driver_instructions = 12'000;
    a.make_software = [](Hardware& hardware) -> std::unique_ptr<Software> {
        return std::make_unique<Smmuv3Software>(hardware);
    };
    return a;
}

} // namespace iommusim::benchmark
