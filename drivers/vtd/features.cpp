#include "drivers/vtd/features.h"

#include "models/vtd/spec/registers.h"

#include <algorithm>

namespace iommusim::vtd_driver {

namespace spec = vtd::spec;

bool decide_features(std::uint64_t version, std::uint64_t cap, std::uint64_t ecap,
                     const Configuration& configuration, Features& f, std::uint64_t& lacking) {
    constexpr std::uint64_t size_4k = 1ull << 12;
    constexpr std::uint64_t size_2m = 1ull << 21;
    constexpr std::uint64_t size_1g = 1ull << 30;
    const auto has = [](std::uint64_t value, Field field) { return field.get(value) != 0; };
    const bool registers = configuration.interface == InvalidationInterface::registers;

    f = Features{};
    f.cap = cap;
    f.ecap = ecap;
    f.queued = has(ecap, spec::ecap::qi) && !registers;
    f.scalable = configuration.scalable && !registers && has(ecap, spec::ecap::smts) && f.queued;
    f.wide_descriptors = has(ecap, spec::ecap::smts);
    f.first_stage = f.scalable && has(ecap, spec::ecap::flts);
    f.second_stage = !f.scalable || has(ecap, spec::ecap::slts);
    f.nested = f.scalable && has(ecap, spec::ecap::nest);
    f.pasid = f.scalable && has(ecap, spec::ecap::pasid);
    f.pasid_bits = f.pasid ? static_cast<unsigned>(spec::ecap::pss.get(ecap)) + 1 : 0;
    f.pass_through = has(ecap, spec::ecap::pt);
    f.page_walk_snoop = f.scalable && has(ecap, spec::ecap::smpwcs);
    f.coherent = has(ecap, spec::ecap::c);
    f.caching_mode = has(cap, spec::cap::cm);
    f.write_buffers = has(cap, spec::cap::rwbf);
    f.page_selective = has(cap, spec::cap::psi);
    f.max_address_mask = static_cast<unsigned>(spec::cap::mamv.get(cap));
    f.drain_reads = has(cap, spec::cap::drd);
    f.drain_writes = has(cap, spec::cap::dwd);
    f.snoop_control = has(ecap, spec::ecap::sc);
    f.device_tlb = has(ecap, spec::ecap::dt) && f.queued;
    f.interrupt_remapping = has(ecap, spec::ecap::ir) && f.queued;
    f.x2apic = has(ecap, spec::ecap::eim);
    f.srtp_invalidates = has(cap, spec::cap::esrtps);
    f.sirtp_invalidates = has(cap, spec::cap::esirtps);
    f.domain_ids = 1u << spec::cap::domain_id_bits(spec::cap::nd.get(cap));
    f.guest_bits = static_cast<unsigned>(spec::cap::mgaw.get(cap)) + 1;
    f.fault_records = static_cast<unsigned>(spec::cap::nfr.get(cap)) + 1;
    f.fault_record_offset = spec::reg::frcd(spec::cap::fro.get(cap), 0);
    f.iotlb_offset = spec::reg::iva(spec::ecap::iro.get(ecap));

    // The deepest table that is not deeper than 48 bits need, like Linux's search from the default width.
    const std::uint64_t widths = spec::cap::sagaw.get(cap);
    f.second_levels = widths & spec::cap::sagaw_4_level   ? 4
                      : widths & spec::cap::sagaw_3_level ? 3
                      : widths & spec::cap::sagaw_5_level ? 5
                                                          : 0;
    f.first_levels = 4;
    const std::uint64_t large = spec::cap::sllps.get(cap);
    f.second_page_sizes =
        size_4k | (large & spec::cap::sllps_2m ? size_2m : 0) | (large & spec::cap::sllps_1g ? size_1g : 0);
    f.first_page_sizes = size_4k | size_2m | (has(cap, spec::cap::fl1gp) ? size_1g : 0);

    if (f.second_levels == 0 && f.second_stage) {
        lacking = cap;
        return false;
    }
    const bool no_registers = spec::ver::max.get(version) >= spec::ver::major_without_register_invalidation;
    const bool no_stage = !f.first_stage && !f.second_stage;
    if ((registers && no_registers) || (!registers && !f.queued) || no_stage) {
        lacking = ecap;
        return false;
    }
    return true;
}

} // namespace iommusim::vtd_driver
