#include "feature_set.h"

#include "parameters.h"
#include "spec/structures.h"

#include <algorithm>

namespace iommusim::vtd {
namespace {

using namespace spec;

using feature_page::always;
using feature_page::flag;
using feature_page::minus_one;
using feature_page::not_built;
using feature_page::number;
using feature_page::outside;

std::uint64_t fro(const Features& f) { return f.fault_record_offset / register_offset_unit; }

std::uint64_t iro(const Features& f) {
    return f.register_invalidation() ? f.iotlb_offset / register_offset_unit : 0;
}

std::uint64_t nd(const Features& f) { return (f.domain_id_bits - 4) / 2; }

std::uint64_t sagaw(const Features& f) {
    return (f.second_stage_3_level ? cap::sagaw_3_level : 0) |
           (f.second_stage_4_level ? cap::sagaw_4_level : 0) |
           (f.second_stage_5_level ? cap::sagaw_5_level : 0);
}

std::uint64_t sllps(const Features& f) {
    return (f.second_stage_2m ? cap::sllps_2m : 0) | (f.second_stage_1g ? cap::sllps_1g : 0);
}

std::uint64_t pss(const Features& f) { return f.pasid ? f.pasid_bits - 1 : 0; }

// In register and bit order; the data sheet of what software is told.
const feature_page::IdField<Features, IdRegisters> id_fields[] = {
    {"VER.MIN", &IdRegisters::ver, ver::min, always, number<&Features::version_minor>, "minor version"},
    {"VER.MAX", &IdRegisters::ver, ver::max, always, number<&Features::version_major>,
     "major version; from 6 on no register-based invalidation"},

    {"CAP.ND", &IdRegisters::cap, cap::nd, always, nd, "number of domains: 2^(4 + 2 ND)"},
    {"CAP.AFL", &IdRegisters::cap, cap::afl, 0, not_built, "advanced fault logging"},
    {"CAP.RWBF", &IdRegisters::cap, cap::rwbf, 0, flag<&Features::write_buffers>,
     "write buffers that software must flush"},
    {"CAP.PLMR", &IdRegisters::cap, cap::plmr, 0, flag<&Features::protected_low_memory>,
     "protected low memory region"},
    {"CAP.PHMR", &IdRegisters::cap, cap::phmr, 0, flag<&Features::protected_high_memory>,
     "protected high memory region"},
    {"CAP.CM", &IdRegisters::cap, cap::cm, 0, flag<&Features::caching_mode>,
     "caching mode: not-present and erroneous entries may be cached"},
    {"CAP.SAGAW", &IdRegisters::cap, cap::sagaw, 0, sagaw,
     "second-stage widths: 2 is 39 bits, 4 is 48 bits, 8 is 57 bits, added up"},
    {"CAP.MGAW", &IdRegisters::cap, cap::mgaw, always, minus_one<&Features::guest_address_bits>,
     "guest address bits - 1"},
    {"CAP.ZLR", &IdRegisters::cap, cap::zlr, 0, flag<&Features::zero_length_read>,
     "zero-length reads of write-only pages"},
    {"CAP.FRO", &IdRegisters::cap, cap::fro, always, fro,
     "place of the fault recording registers, in units of 16 bytes"},
    {"CAP.SLLPS", &IdRegisters::cap, cap::sllps, 0, sllps,
     "large second-stage pages: 1 is 2 MB, 2 is 1 GB, added up"},
    {"CAP.PSI", &IdRegisters::cap, cap::psi, 0, flag<&Features::page_selective_invalidation>,
     "page-selective invalidation of the second stage"},
    {"CAP.NFR", &IdRegisters::cap, cap::nfr, always, minus_one<&Features::fault_records>,
     "fault recording registers - 1"},
    {"CAP.MAMV", &IdRegisters::cap, cap::mamv, always, number<&Features::max_address_mask>,
     "log2 of the most pages that one page-selective invalidation covers"},
    {"CAP.DWD", &IdRegisters::cap, cap::dwd, 0, flag<&Features::write_draining>, "write draining"},
    {"CAP.DRD", &IdRegisters::cap, cap::drd, 0, flag<&Features::read_draining>, "read draining"},
    {"CAP.FL1GP", &IdRegisters::cap, cap::fl1gp, 0, flag<&Features::first_stage_1g>,
     "first-stage pages of 1 GB"},
    {"CAP.PI", &IdRegisters::cap, cap::pi, 0, flag<&Features::posted_interrupts>, "posted interrupts"},
    {"CAP.FL5LP", &IdRegisters::cap, cap::fl5lp, 0, flag<&Features::first_stage_5_level>,
     "first-stage tables of 5 levels"},
    {"CAP.ECMDS", &IdRegisters::cap, cap::ecmds, 0, not_built, "enhanced commands"},
    {"CAP.ESIRTPS", &IdRegisters::cap, cap::esirtps, 0, flag<&Features::sirtp_invalidates>,
     "setting the interrupt table pointer invalidates the interrupt entry cache"},
    {"CAP.ESRTPS", &IdRegisters::cap, cap::esrtps, 0, flag<&Features::srtp_invalidates>,
     "setting the root table pointer invalidates every DMA remapping cache"},

    {"ECAP.C", &IdRegisters::ecap, ecap::c, 0, flag<&Features::coherent_walks>,
     "coherent accesses to root, context, legacy paging and interrupt tables"},
    {"ECAP.QI", &IdRegisters::ecap, ecap::qi, 0, flag<&Features::queued_invalidation>, "queued invalidation"},
    {"ECAP.DT", &IdRegisters::ecap, ecap::dt, 0, flag<&Features::device_tlb>, "Device-TLBs (PCIe ATS)"},
    {"ECAP.IR", &IdRegisters::ecap, ecap::ir, 0, flag<&Features::interrupt_remapping>, "interrupt remapping"},
    {"ECAP.EIM", &IdRegisters::ecap, ecap::eim, 0, flag<&Features::x2apic>, "x2APIC destinations of 32 bits"},
    {"ECAP.PT", &IdRegisters::ecap, ecap::pt, 0, flag<&Features::pass_through>, "pass-through"},
    {"ECAP.SC", &IdRegisters::ecap, ecap::sc, 0, flag<&Features::snoop_control>,
     "snoop control in paging and PASID entries"},
    {"ECAP.IRO", &IdRegisters::ecap, ecap::iro, 0, iro,
     "place of the IOTLB registers, in units of 16 bytes; 0 without them"},
    {"ECAP.MHMV", &IdRegisters::ecap, ecap::mhmv, always, number<&Features::max_interrupt_mask>,
     "log2 of the most entries that one interrupt entry cache invalidation covers"},
    {"ECAP.MTS", &IdRegisters::ecap, ecap::mts, 0, not_built, "memory types"},
    {"ECAP.NEST", &IdRegisters::ecap, ecap::nest, 0, flag<&Features::nested>, "nested translation"},
    {"ECAP.PRS", &IdRegisters::ecap, ecap::prs, 0, flag<&Features::page_requests>,
     "page requests (PCIe PRI)"},
    {"ECAP.ERS", &IdRegisters::ecap, ecap::ers, 0, not_built, "execute requests"},
    {"ECAP.SRS", &IdRegisters::ecap, ecap::srs, 0, flag<&Features::supervisor_requests>,
     "supervisor requests"},
    {"ECAP.NWFS", &IdRegisters::ecap, ecap::nwfs, 0, flag<&Features::no_write_flag>,
     "No Write flag of translation requests"},
    {"ECAP.EAFS", &IdRegisters::ecap, ecap::eafs, 0, flag<&Features::extended_accessed_flag>,
     "extended accessed flag of the first stage"},
    {"ECAP.PSS", &IdRegisters::ecap, ecap::pss, always, pss, "PASID bits - 1; counts with ECAP.PASID"},
    {"ECAP.PASID", &IdRegisters::ecap, ecap::pasid, 0, flag<&Features::pasid>, "requests with PASID"},
    {"ECAP.DIT", &IdRegisters::ecap, ecap::dit, 0, not_built, "Device-TLB invalidation throttling"},
    {"ECAP.PDS", &IdRegisters::ecap, ecap::pds, 0, flag<&Features::page_request_drain>,
     "page request drain in wait descriptors"},
    {"ECAP.SMTS", &IdRegisters::ecap, ecap::smts, 0, flag<&Features::scalable_mode>, "scalable mode"},
    {"ECAP.VCS", &IdRegisters::ecap, ecap::vcs, 0, not_built, "virtual commands"},
    {"ECAP.SLADS", &IdRegisters::ecap, ecap::slads, 0, flag<&Features::second_stage_accessed_dirty>,
     "accessed and dirty bits of the second stage"},
    {"ECAP.SLTS", &IdRegisters::ecap, ecap::slts, 0, flag<&Features::second_stage>,
     "second-stage translation in scalable mode"},
    {"ECAP.FLTS", &IdRegisters::ecap, ecap::flts, 0, flag<&Features::first_stage>,
     "first-stage translation in scalable mode"},
    {"ECAP.SMPWCS", &IdRegisters::ecap, ecap::smpwcs, 0, flag<&Features::page_walk_snoop>,
     "page walk snoop in PASID entries"},
    {"ECAP.RPS", &IdRegisters::ecap, ecap::rps, 0, flag<&Features::rid_pasid>,
     "RID_PASID in scalable-mode context entries"},
    {"ECAP.TDXIO", &IdRegisters::ecap, ecap::tdxio, 0, not_built, "trusted devices"},
    {"ECAP.PMS", &IdRegisters::ecap, ecap::pms, 0, not_built, "performance monitoring"},
    {"ECAP.ADMS", &IdRegisters::ecap, ecap::adms, 0, flag<&Features::abort_mode>, "abort DMA mode"},
    {"ECAP.RPRIVS", &IdRegisters::ecap, ecap::rprivs, 0, flag<&Features::rid_priv>,
     "RID_PRIV in scalable-mode context entries"},
    {"ECAP.SMS", &IdRegisters::ecap, ecap::sms, 0, not_built, "stop markers"},
};

const feature_page::Dependency<Features> dependencies[] = {
    {&Features::interrupt_remapping, "interrupt_remapping", &Features::queued_invalidation,
     "queued_invalidation"},
    {&Features::x2apic, "x2apic", &Features::interrupt_remapping, "interrupt_remapping"},
    {&Features::posted_interrupts, "posted_interrupts", &Features::interrupt_remapping,
     "interrupt_remapping"},
    {&Features::sirtp_invalidates, "sirtp_invalidates", &Features::interrupt_remapping,
     "interrupt_remapping"},
    {&Features::device_tlb, "device_tlb", &Features::queued_invalidation, "queued_invalidation"},
    {&Features::no_write_flag, "no_write_flag", &Features::device_tlb, "device_tlb"},
    {&Features::page_requests, "page_requests", &Features::device_tlb, "device_tlb"},
    {&Features::page_requests, "page_requests", &Features::scalable_mode, "scalable_mode"},
    {&Features::page_request_drain, "page_request_drain", &Features::device_tlb, "device_tlb"},
    {&Features::scalable_mode, "scalable_mode", &Features::queued_invalidation, "queued_invalidation"},
    {&Features::first_stage, "first_stage", &Features::scalable_mode, "scalable_mode"},
    {&Features::second_stage, "second_stage", &Features::scalable_mode, "scalable_mode"},
    {&Features::nested, "nested", &Features::first_stage, "first_stage"},
    {&Features::nested, "nested", &Features::second_stage, "second_stage"},
    {&Features::first_stage_1g, "first_stage_1g", &Features::first_stage, "first_stage"},
    {&Features::first_stage_5_level, "first_stage_5_level", &Features::first_stage, "first_stage"},
    {&Features::second_stage_accessed_dirty, "second_stage_accessed_dirty", &Features::second_stage,
     "second_stage"},
    {&Features::page_walk_snoop, "page_walk_snoop", &Features::scalable_mode, "scalable_mode"},
    {&Features::extended_accessed_flag, "extended_accessed_flag", &Features::first_stage, "first_stage"},
    {&Features::extended_accessed_flag, "extended_accessed_flag", &Features::page_walk_snoop,
     "page_walk_snoop"},
    {&Features::supervisor_requests, "supervisor_requests", &Features::first_stage, "first_stage"},
    {&Features::pasid, "pasid", &Features::scalable_mode, "scalable_mode"},
    {&Features::rid_pasid, "rid_pasid", &Features::scalable_mode, "scalable_mode"},
    {&Features::rid_priv, "rid_priv", &Features::scalable_mode, "scalable_mode"},
    {&Features::rid_priv, "rid_priv", &Features::supervisor_requests, "supervisor_requests"},
};

/// The floating registers lie behind the fixed ones, at offsets that their fields can hold, and apart.
std::string placement_violation(const Features& f) {
    constexpr std::uint64_t largest = cap::fro.max() * register_offset_unit;
    const std::uint64_t fault_end = f.fault_record_offset + 16ull * f.fault_records;
    if (f.fault_record_offset % register_offset_unit != 0 || f.fault_record_offset < reg::core_end ||
        f.fault_record_offset > largest)
        return outside("fault_record_offset", f.fault_record_offset, reg::core_end, largest) +
               " in steps of 16";
    if (!f.register_invalidation())
        return {};
    if (f.iotlb_offset % register_offset_unit != 0 || f.iotlb_offset < reg::core_end ||
        f.iotlb_offset > largest)
        return outside("iotlb_offset", f.iotlb_offset, reg::core_end, largest) + " in steps of 16";
    if (f.iotlb_offset + 16 > f.fault_record_offset && f.iotlb_offset < fault_end)
        return "the IOTLB registers at iotlb_offset lie among the fault recording registers";
    return {};
}

} // namespace

bool Features::supports_levels(unsigned levels) const {
    return (levels == 3 && second_stage_3_level) || (levels == 4 && second_stage_4_level) ||
           (levels == 5 && second_stage_5_level);
}

unsigned Features::max_levels() const { return second_stage_5_level ? 5 : second_stage_4_level ? 4 : 3; }

std::uint64_t Features::register_space_bytes() const {
    std::uint64_t end = fault_record_offset + 16ull * fault_records;
    if (register_invalidation())
        end = std::max(end, iotlb_offset + 16);
    return align_up(end, register_page_bytes);
}

Features features_of(const Parameters& p) {
    Features f;
    const auto flag = [](std::uint64_t value) { return value != 0; };
    f.version_major = static_cast<unsigned>(p.major_version);
    f.host_address_bits = static_cast<unsigned>(p.host_address_bits);
    f.second_stage_4_level = p.second_stage_levels >= 1;
    f.second_stage_5_level = p.second_stage_levels >= 2;
    f.guest_address_bits = 39 + 9 * static_cast<unsigned>(p.second_stage_levels);
    f.second_stage_2m = p.largest_page >= 1;
    f.second_stage_1g = p.largest_page >= 2;
    f.first_stage_1g = p.largest_page >= 2;
    f.domain_id_bits = 4 + 2 * static_cast<unsigned>(p.domain_id_bits);
    f.page_selective_invalidation = flag(p.page_selective);
    f.max_address_mask = f.page_selective_invalidation ? static_cast<unsigned>(p.max_address_mask) : 0;
    f.second_stage_accessed_dirty = flag(p.accessed_dirty) && flag(p.scalable_mode);
    f.scalable_mode = flag(p.scalable_mode);
    f.first_stage = f.second_stage = f.nested = f.scalable_mode;
    f.first_stage_1g = f.first_stage_1g && f.scalable_mode;
    f.first_stage_5_level = p.first_stage_levels >= 1 && f.scalable_mode;
    f.extended_accessed_flag = f.supervisor_requests = f.page_walk_snoop = f.scalable_mode;
    f.pasid = p.pasid_bits != 0 && f.scalable_mode;
    f.pasid_bits = p.pasid_bits != 0 ? static_cast<unsigned>(p.pasid_bits) : 1;
    f.rid_pasid = f.rid_priv = f.scalable_mode;
    f.pass_through = flag(p.pass_through);
    f.coherent_walks = flag(p.coherent_walks);
    f.caching_mode = flag(p.caching_mode);
    f.write_buffers = flag(p.write_buffer_flush);
    f.write_draining = f.read_draining = flag(p.draining);
    f.srtp_invalidates = f.sirtp_invalidates = flag(p.implicit_invalidation);
    f.protected_low_memory = f.protected_high_memory = flag(p.protected_memory);
    f.device_tlb = flag(p.device_tlbs);
    f.no_write_flag = false; // requests here cannot carry it
    f.page_requests = flag(p.page_requests) && f.device_tlb && f.scalable_mode;
    f.page_request_drain = f.page_requests;
    f.interrupt_remapping = f.x2apic = flag(p.interrupt_remapping);
    f.posted_interrupts = flag(p.posted_interrupts) && f.interrupt_remapping;
    f.max_interrupt_mask = f.interrupt_remapping ? 15 : 0;
    f.sirtp_invalidates = f.sirtp_invalidates && f.interrupt_remapping;
    f.fault_records = static_cast<unsigned>(p.fault_records);
    return f;
}

std::string first_violation(const Features& f) {
    if (f.version_major == 0 || f.version_major > ver::max.max())
        return outside("version_major", f.version_major, 1, ver::max.max());
    if (f.version_minor > ver::min.max())
        return outside("version_minor", f.version_minor, 0, ver::min.max());
    if (f.host_address_bits < 32 || f.host_address_bits > 52)
        return outside("host_address_bits", f.host_address_bits, 32, 52);
    if (f.domain_id_bits < 4 || f.domain_id_bits > 16 || f.domain_id_bits % 2 != 0)
        return outside("domain_id_bits", f.domain_id_bits, 4, 16) + " in steps of 2";
    if (sagaw(f) == 0)
        return "no depth of second-stage tables is supported (CAP.SAGAW)";
    const unsigned width = address_width::width_bits(address_width::code_of_levels(f.max_levels()));
    if (f.guest_address_bits < 32 || f.guest_address_bits > width)
        return outside("guest_address_bits", f.guest_address_bits, 32, width);
    if (f.max_address_mask > 52)
        return outside("max_address_mask", f.max_address_mask, 0, 52);
    if (f.max_address_mask != 0 && !f.page_selective_invalidation)
        return "max_address_mask is not 0, but it needs page_selective_invalidation (CAP.PSI)";
    if (f.pasid_bits < 1 || f.pasid_bits > pasid::max_bits)
        return outside("pasid_bits", f.pasid_bits, 1, pasid::max_bits);
    if (f.max_interrupt_mask > ecap::mhmv.max())
        return outside("max_interrupt_mask", f.max_interrupt_mask, 0, ecap::mhmv.max());
    if (f.max_interrupt_mask != 0 && !f.interrupt_remapping)
        return "max_interrupt_mask is not 0, but it needs interrupt_remapping (ECAP.IR)";
    if (f.fault_records < 1 || f.fault_records > cap::nfr.max() + 1)
        return outside("fault_records", f.fault_records, 1, cap::nfr.max() + 1);
    if (!f.register_invalidation() && !f.queued_invalidation)
        return "queued_invalidation is 0, but it is mandatory from version_major 6 on";
    if (std::string missing = feature_page::dependency_violation(dependencies, f); !missing.empty())
        return missing;
    if (f.scalable_mode && !f.first_stage && !f.second_stage)
        return "scalable_mode is 1, but it needs first_stage or second_stage";
    return placement_violation(f);
}

IdRegisters make_id_registers(const Features& features) {
    return feature_page::make_id_registers<IdRegisters>(id_fields, features);
}

std::vector<FeatureRow> describe(const Features& features) {
    return feature_page::describe(id_fields, features);
}

} // namespace iommusim::vtd
