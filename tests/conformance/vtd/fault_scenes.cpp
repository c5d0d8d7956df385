#include "tests/conformance/vtd/fault_scenes.h"

#include <ostream>

namespace iommusim::vtd::test {

using namespace spec;

FaultStage::FaultStage(VtdBench& b, Setting setting, bool without_record) : bench(b), silent(without_record) {
    switch (setting) {
    case Setting::nothing:
        break;
    case Setting::second_stage:
        second.emplace(bench.second_stage_table());
        second->map(page, output, second_rw);
        if (bench.scalable())
            bench.attach(5, second_stage_pasid(second->root(), 7));
        else
            set(legacy_context(second->root(), 7));
        break;
    case Setting::first_stage:
        first.emplace(bench.first_stage_table());
        first->map(page, output, first_used);
        bench.attach(5, first_stage_pasid(first->root(), 7));
        bench.pasids(5).set(pasid, first_stage_pasid(first->root(), 7));
        break;
    case Setting::nested:
        second.emplace(bench.second_stage_table());
        guest.emplace(bench, *second);
        guest_first.emplace(*guest, 4, first_rw | spec::first_stage::a.make(1));
        guest_first->map(page, guest_page, first_used);
        second->map(guest_page, output, second_rw);
        bench.attach(5, nested_pasid(guest_first->root(), second->root(), 7));
        break;
    case Setting::pass_through:
        bench.attach(5, pass_through_pasid(7));
        break;
    case Setting::interrupts:
        bench.enable_interrupt_remapping();
        set_interrupt(3, Words<2>().with(irte::p, 1).with(irte::vector, 0x41));
        set_interrupt(4, Words<2>()
                             .with(irte::p, 1)
                             .with(irte::im, 1)
                             .with(irte::vector, 0x41)
                             .with(irte::pda_low, posted >> 6));
        break;
    }
    if (bench.scalable() && setting != Setting::nothing && setting != Setting::interrupts)
        set(context());
}

std::string FaultScene::name() const {
    constexpr const char* digits = "0123456789ABCDEF";
    return std::string("Reason") + digits[reason >> 4] + digits[reason & 15];
}

void PrintTo(const FaultScene& scene, std::ostream* out) { *out << fault_name(scene.reason); }

namespace {

using S = FaultStage;
using soc::AccessKind;
constexpr std::uint64_t legacy = rtaddr::ttm_legacy;
constexpr std::uint64_t scalable = rtaddr::ttm_scalable;
constexpr auto nothing = S::Setting::nothing;
constexpr auto second_stage_only = S::Setting::second_stage;
constexpr auto first_stage_only = S::Setting::first_stage;
constexpr auto nested = S::Setting::nested;
constexpr auto interrupts = S::Setting::interrupts;
constexpr std::uint64_t reserved_address_bit = 1ull << 50;
constexpr std::uint64_t window = interrupt_window_first;

void add_legacy(std::vector<FaultScene>& scenes) {
    using namespace fault_reason;
    const auto add = [&scenes](unsigned reason, S::Setting setting, void (*change)(S&)) {
        scenes.push_back({reason, legacy, setting, change});
    };
    add(legacy_root_not_present, nothing, [](S&) {});
    add(legacy_context_not_present, nothing, [](S& s) { s.set(ContextEntry()); });
    add(legacy_invalid_context, second_stage_only,
        [](S& s) { s.set(legacy_context(s.second->root(), 7, 5)); });
    add(legacy_address_beyond_width, second_stage_only, [](S& s) { s.address = 1ull << 48; });
    add(legacy_write_permission, second_stage_only, [](S& s) {
        s.second->map(S::page, S::output, second_ro);
        s.write = true;
    });
    add(legacy_read_permission, second_stage_only,
        [](S& s) { s.second->map(S::page, S::output, second_wo); });
    add(legacy_paging_entry_access, second_stage_only,
        [](S& s) { s.fail(AccessKind::read, s.second->entry(S::page)); });
    add(legacy_root_access, second_stage_only,
        [](S& s) { s.fail(AccessKind::read, s.bench.roots.root_entry(5)); });
    add(legacy_context_access, second_stage_only,
        [](S& s) { s.fail(AccessKind::read, s.bench.roots.context_entry(5)); });
    add(legacy_root_reserved, second_stage_only,
        [](S& s) { s.bench.poke(s.bench.roots.root_entry(5) + 8, 1); });
    add(legacy_context_reserved, second_stage_only,
        [](S& s) { s.set(legacy_context(s.second->root(), 7).with(bit(71), 1)); });
    add(legacy_paging_entry_reserved, second_stage_only,
        [](S& s) { s.second->map(S::page, S::output | reserved_address_bit, second_rw); });
    add(legacy_request_blocked, second_stage_only, [](S& s) { s.device = translated(s.device); });
    add(legacy_output_in_interrupt_range, second_stage_only,
        [](S& s) { s.second->map(S::page, window, second_rw); });
}

void add_interrupts(std::vector<FaultScene>& scenes) {
    using namespace fault_reason;
    const auto add = [&scenes](unsigned reason, void (*change)(S&)) {
        scenes.push_back({reason, legacy, interrupts, change});
    };
    add(ir_request_reserved, [](S& s) {
        s.address = msi_address::remappable(3, true);
        s.write_data({0, 0, 1, 0});
    });
    add(ir_index_beyond_table, [](S& s) { s.request_interrupt(256); });
    add(ir_entry_not_present, [](S& s) {
        s.set_interrupt(5, Words<2>());
        s.request_interrupt(5);
    });
    add(ir_table_access, [](S& s) {
        s.fail(AccessKind::read, s.bench.interrupt_entry(3));
        s.request_interrupt(3);
    });
    add(ir_entry_reserved, [](S& s) {
        s.set_interrupt(3, Words<2>().with(irte::p, 1).with(bit(12), 1));
        s.request_interrupt(3);
    });
    add(ir_compatibility_blocked, [](S& s) {
        s.request_interrupt(3);
        s.address = window;
    });
    add(ir_source_id, [](S& s) {
        s.set_interrupt(3,
                        Words<2>().with(irte::p, 1).with(irte::svt, irte::svt_sid).with(irte::sid, 0x1234));
        s.request_interrupt(3);
    });
    add(ir_posted_descriptor_access, [](S& s) {
        s.fail(AccessKind::read, S::posted);
        s.request_interrupt(4);
    });
    add(ir_posted_descriptor_reserved, [](S& s) {
        s.bench.poke(S::posted + 32, 1ull << 31);
        s.request_interrupt(4);
    });
    add(ir_invalid_request, [](S& s) {
        s.request_interrupt(3);
        s.length = 8;
    });
}

/// Root table, context and PASID tables.
void add_structures(std::vector<FaultScene>& scenes) {
    using namespace fault_reason;
    const auto add = [&scenes](unsigned reason, S::Setting setting, void (*change)(S&),
                               std::uint64_t mode = scalable, void (*options)(BenchOptions&) = nullptr) {
        scenes.push_back({reason, mode, setting, change, options});
    };
    const auto first = first_stage_only;
    add(
        sm_root_table_address, nothing, [](S&) {}, rtaddr::ttm_reserved);
    add(
        sm_legacy_request_with_pasid, second_stage_only, [](S& s) { s.device = requester(5, 1); }, legacy);
    add(
        sm_legacy_page_request, second_stage_only, [](S& s) { s.page_request = true; }, legacy);
    add(sm_root_access, first, [](S& s) { s.fail(AccessKind::read, s.bench.scalable_roots.root_entry(5)); });
    add(sm_root_not_present, nothing, [](S&) {});
    add(sm_root_reserved, first, [](S& s) {
        const std::uint64_t at = s.bench.scalable_roots.root_entry(5);
        s.bench.poke(at, s.bench.peek(at) | 2);
    });
    add(sm_context_access, first,
        [](S& s) { s.fail(AccessKind::read, s.bench.scalable_roots.context_entry(5)); });
    add(sm_context_not_present, nothing, [](S& s) { s.set(ScalableContextEntry()); });
    add(sm_context_reserved, first, [](S& s) { s.set(s.context().with(bit(255), 1)); });
    add(
        sm_invalid_context, first, [](S&) {}, scalable,
        [](BenchOptions& o) { o.parameters.pasid_bits = 14; });
    add(sm_device_tlb_disabled, first, [](S& s) {
        s.set(s.context().with(scalable_context::dte, 0));
        s.device = translated(s.device);
    });
    add(sm_pasid_disabled, first, [](S& s) {
        s.set(s.context().with(scalable_context::paside, 0));
        s.device = requester(5, S::pasid);
    });
    add(sm_pasid_beyond_directory, first, [](S& s) { s.device = requester(5, 1u << 15); });
    add(sm_page_request_disabled, first, [](S& s) { s.page_request = true; });
    add(sm_rid_pasid, first, [](S& s) { s.set(s.context().with(scalable_context::rid_pasid, 1u << 15)); });
    add(sm_pasid_directory_access, first,
        [](S& s) { s.fail(AccessKind::read, s.bench.pasids(5).directory_entry(0)); });
    add(sm_pasid_directory_not_present, first,
        [](S& s) { s.bench.poke(s.bench.pasids(5).directory_entry(0), 0); });
    add(sm_pasid_directory_reserved, first, [](S& s) {
        const std::uint64_t at = s.bench.pasids(5).directory_entry(0);
        s.bench.poke(at, s.bench.peek(at) | 4);
    });
    add(sm_pasid_entry_access, first, [](S& s) { s.fail(AccessKind::read, s.bench.pasids(5).entry(0)); });
    add(sm_pasid_entry_not_present, first, [](S& s) { s.bench.attach(5, PasidEntry()); });
    add(sm_pasid_entry_reserved, first, [](S& s) { s.bench.attach(5, s.entry().with(bit(300), 1)); });
    add(sm_invalid_pasid_entry, first, [](S& s) { s.bench.attach(5, s.entry().with(pasid_entry::pgtt, 5)); });
    add(sm_execute_disabled, first, [](S& s) {
        s.device = requester(5, S::pasid);
        s.device.instruction = true;
    });
    add(sm_supervisor_disabled, first, [](S& s) {
        s.device = requester(5, S::pasid);
        s.device.privileged = true;
    });
}

/// Page tables in scalable mode.
void add_walks(std::vector<FaultScene>& scenes) {
    using namespace fault_reason;
    const auto add = [&scenes](unsigned reason, S::Setting setting, void (*change)(S&)) {
        scenes.push_back({reason, scalable, setting, change});
    };
    const auto first = first_stage_only;
    const auto second = second_stage_only;
    add(sm_first_stage_access, first, [](S& s) { s.fail(AccessKind::read, s.first->entry(S::page)); });
    add(sm_first_stage_not_present, first, [](S& s) { s.first->set(S::page, 0); });
    add(sm_first_stage_reserved, first,
        [](S& s) { s.first->map(S::page, S::output | reserved_address_bit, first_used); });
    add(sm_first_stage_top_access, first, [](S& s) { s.fail(AccessKind::read, s.first->entry(S::page, 4)); });
    add(sm_nested_entry_beyond_width, nested,
        [](S& s) { s.guest_first->set(S::page, 1ull << 49 | first_used, 4); });
    add(sm_nested_top_read_permission, nested,
        [](S& s) { s.second->map(s.guest_first->root(), s.guest->host(s.guest_first->root()), second_wo); });
    add(sm_nested_read_permission, nested, [](S& s) {
        const std::uint64_t table = paging::address.in_place(s.guest_first->get(S::page, 4));
        s.second->map(table, s.guest->host(table), second_wo);
    });
    add(sm_nested_write_permission, nested, [](S& s) {
        const std::uint64_t table = paging::address.in_place(s.guest_first->get(S::page, 2));
        s.second->map(table, s.guest->host(table), second_ro);
        s.guest_first->map(S::page, S::guest_page, first_rw); // accessed would have to be set
    });
    add(sm_second_stage_access, second, [](S& s) { s.fail(AccessKind::read, s.second->entry(S::page)); });
    add(sm_second_stage_not_present, second, [](S& s) { s.second->set(S::page, 0); });
    add(sm_second_stage_reserved, second,
        [](S& s) { s.second->map(S::page, S::output | reserved_address_bit, second_rw); });
    add(sm_second_stage_top_access, second,
        [](S& s) { s.fail(AccessKind::read, s.second->entry(S::page, 4)); });
    add(sm_second_stage_no_snoop_update, second,
        [](S& s) { s.bench.attach(5, s.entry().with(pasid_entry::slade, 1).with(pasid_entry::pwsnp, 0)); });
    add(sm_second_stage_update, second, [](S& s) {
        s.bench.attach(5, s.entry().with(pasid_entry::slade, 1));
        s.fail(AccessKind::write, s.second->entry(S::page, 4));
    });
    add(sm_not_canonical, first, [](S& s) { s.address = 1ull << 47; });
    add(sm_user_privilege, first,
        [](S& s) { s.first->set(S::page, (S::output | first_used) & ~first_stage::us.mask()); });
    add(sm_address_beyond_hardware, S::Setting::pass_through, [](S& s) { s.address = 1ull << 46; });
    add(sm_address_beyond_width, second, [](S& s) { s.address = 1ull << 48; });
    add(sm_write_permission, first, [](S& s) {
        s.first->map(S::page, S::output, first_used & ~first_stage::rw.mask());
        s.write = true;
    });
    add(sm_read_permission, second, [](S& s) { s.second->map(S::page, S::output, second_wo); });
    add(sm_output_in_interrupt_range, first, [](S& s) { s.first->map(S::page, window, first_used); });
    add(sm_first_stage_no_snoop_update, first, [](S& s) {
        s.first->map(S::page, S::output, first_rw);
        s.bench.attach(5, s.entry().with(pasid_entry::pwsnp, 0));
    });
    add(sm_first_stage_update, first, [](S& s) {
        s.first->map(S::page, S::output, first_rw);
        s.fail(AccessKind::write, s.first->entry(S::page));
    });
}

} // namespace

const std::vector<FaultScene>& fault_scenes() {
    static const std::vector<FaultScene> scenes = [] {
        std::vector<FaultScene> all;
        add_legacy(all);
        add_interrupts(all);
        add_structures(all);
        add_walks(all);
        return all;
    }();
    return scenes;
}

} // namespace iommusim::vtd::test
