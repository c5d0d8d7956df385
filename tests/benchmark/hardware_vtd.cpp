// VT-d under the loads: legacy mode with second-stage tables; scalable mode reads more configuration and
// costs at least as much for each operation.
#include "models/vtd/spec/descriptors.h"
#include "models/vtd/spec/paging.h"
#include "models/vtd/spec/registers.h"
#include "models/vtd/spec/structures.h"
#include "tests/benchmark/hardware.h"

namespace iommusim::benchmark {

namespace spec = vtd::spec;

namespace {

constexpr std::uint64_t root_table = Hardware::structures;
constexpr std::uint64_t context_table = Hardware::structures + 0x10000;
constexpr std::uint64_t queue = Hardware::structures + 0x20000;
constexpr std::uint64_t status = Hardware::structures + 0x30000;

constexpr unsigned queue_size = 2; // 4 pages of 256 descriptors
constexpr std::uint64_t queue_bytes = spec::iqa::queue_bytes(queue_size);

class VtdSoftware final : public Software {
public:
    explicit VtdSoftware(Hardware& hardware) : hardware_(hardware) {}

    std::uint64_t entry(std::uint64_t address, unsigned) const override {
        return spec::paging::address.in_place(address) | spec::second_stage::r.make(1) |
               spec::second_stage::w.make(1);
    }

    void enable() override {
        build_structures();
        hardware_.write_register(spec::reg::rtaddr,
                                 root_table | spec::rtaddr::ttm.make(spec::rtaddr::ttm_legacy), 8);
        command(spec::gcmd::srtp, spec::gsts::rtps);
        hardware_.write_register(spec::reg::iqa, queue | spec::iqa::qs.make(queue_size), 8);
        command(spec::gcmd::qie, spec::gsts::qies);
        command(spec::gcmd::te, spec::gsts::tes);
    }

    /// As Linux writes them: with both drains, and never with the hint that only leaf entries have changed.
    void submit_batch(std::uint64_t first) override {
        for (unsigned i = 0; i + 1 < Hardware::batch; ++i) {
            Descriptor d = typed(spec::descriptor_type::iotlb);
            spec::iotlb_inv::g.set(d.data(), spec::iotlb_inv::g_page);
            spec::iotlb_inv::dw.set(d.data(), 1);
            spec::iotlb_inv::dr.set(d.data(), 1);
            spec::iotlb_inv::did.set(d.data(), Hardware::space);
            d[1] |= spec::iotlb_inv::addr.in_place(first + i * Hardware::page);
            put(d);
        }
        Descriptor completion = typed(spec::descriptor_type::wait);
        spec::inv_wait::sw.set(completion.data(), 1);
        spec::inv_wait::data.set(completion.data(), ++submitted_);
        completion[1] = spec::inv_wait::addr.in_place(status);
        put(completion);
        hardware_.write_register(spec::reg::iqt, tail_);
    }

    bool batch_completed() override {
        std::uint32_t completed = 0;
        std::memcpy(&completed, hardware_.tables.bytes() + status, sizeof completed);
        return completed == submitted_;
    }

private:
    using Descriptor = std::array<std::uint64_t, 2>;

    static Descriptor typed(unsigned type) { return {spec::descriptor::type_low.make(type), 0}; }

    void build_structures() {
        std::array<std::uint64_t, spec::root::words> root{};
        root[0] = spec::root::ctp.in_place(context_table) | spec::root::p.make(1);
        hardware_.store(root_table + spec::root::offset(Hardware::device), root);

        std::array<std::uint64_t, spec::context::words> context{};
        spec::context::p.set(context.data(), 1);
        spec::context::tt.set(context.data(), spec::context::tt_untranslated);
        spec::context::aw.set(context.data(), spec::address_width::aw_39_bits);
        spec::context::did.set(context.data(), Hardware::space);
        context[0] |= spec::context::slptptr.in_place(Hardware::page_table);
        hardware_.store(context_table + spec::context::offset(Hardware::device), context);
    }

    /// Gives a command beside the enables that are on, and waits for its acknowledgement.
    void command(Field bit, Field acknowledgement) {
        const std::uint64_t on =
            hardware_.read_register(spec::reg::gsts) & spec::gcmd::status_to_command_mask;
        hardware_.write_register(spec::reg::gcmd, on | bit.make(1));
        hardware_.await_register(spec::reg::gsts, acknowledgement.mask(), acknowledgement.mask());
    }

    void put(const Descriptor& descriptor) {
        hardware_.store(queue + tail_, descriptor);
        tail_ = (tail_ + sizeof descriptor) % queue_bytes;
    }

    Hardware& hardware_;
    std::uint64_t tail_ = 0; ///< byte offset
    std::uint32_t submitted_ = 0;
};

} // namespace

Architecture vtd_architecture() {
    constexpr std::uint64_t three_levels = 0;
    Architecture a{};
    a.model = host::Model::vtd;
    a.large_tlb = {{"features.second_stage_levels", three_levels}, {"iotlb.entries", 2048}};
    a.no_useful_caches = {{"features.second_stage_levels", three_levels},
                          {"iotlb.entries", 64},
                          {"structure_cache.entries", 0}};
    a.under_driver = {{"features.scalable_mode", 0}};
    a.batch = "31 iotlb_inv of a page, 1 inv_wait";
    a.driver_instructions = 15'500; // Linux reads FSTS in every round of its poll: two waits of the CPU more
    a.make_software = [](Hardware& hardware) -> std::unique_ptr<Software> {
        return std::make_unique<VtdSoftware>(hardware);
    };
    return a;
}

} // namespace iommusim::benchmark
