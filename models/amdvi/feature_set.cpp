#include "feature_set.h"

#include "spec/paging.h"

namespace iommusim::amdvi {
namespace {

using namespace spec;
using feature_page::always;
using feature_page::fixed;
using feature_page::flag;
using feature_page::minus_one;
using feature_page::not_built;
using feature_page::number;
using feature_page::outside;

std::uint64_t hats(const Features& f) { return f.host_translation ? f.host_levels - 4 : efr::hats_none; }

/// Fields that describe guest translation and read 0 without it.
std::uint64_t gats(const Features& f) { return f.guest_translation ? f.guest_levels - 4 : 0; }
std::uint64_t glx_sup(const Features& f) { return f.guest_translation ? f.gcr3_levels - 1 : 0; }
std::uint64_t pas_max(const Features& f) { return f.guest_translation ? f.pasid_bits - 1 : 0; }

using Ids = IdRegisters;

// In register and bit order; the data sheet of what software is told.
const feature_page::IdField<Features, Ids> id_fields[] = {
    {"CapHeader.CapId", &Ids::cap_header, cap_header::cap_id, always, fixed<cap_header::cap_id_secure_device>,
     "PCI capability: secure device"},
    {"CapHeader.CapPtr", &Ids::cap_header, cap_header::cap_ptr, always, not_built,
     "next capability; 0 is none"},
    {"CapHeader.CapType", &Ids::cap_header, cap_header::cap_type, always, fixed<cap_header::cap_type_iommu>,
     "secure device type: IOMMU"},
    {"CapHeader.CapRev", &Ids::cap_header, cap_header::cap_rev, always, fixed<1>,
     "revision of the capability block"},
    {"CapHeader.IotlbSup", &Ids::cap_header, cap_header::iotlb_sup, 0, flag<&Features::remote_iotlb>,
     "remote IOTLBs (PCIe ATS)"},
    {"CapHeader.HtTunnel", &Ids::cap_header, cap_header::ht_tunnel, 0, not_built,
     "HyperTransport tunnel translation"},
    {"CapHeader.NpCache", &Ids::cap_header, cap_header::np_cache, 0, flag<&Features::np_cache>,
     "not-present page table entries may be cached"},
    {"CapHeader.EFRSup", &Ids::cap_header, cap_header::efr_sup, 0, fixed<1>, "extended feature register"},
    {"CapHeader.CapExt", &Ids::cap_header, cap_header::cap_ext, 0, fixed<1>,
     "second miscellaneous information register"},

    {"CapMisc0.MsiNum", &Ids::cap_misc0, cap_misc0::msi_num, always, not_built,
     "message of events and completions"},
    {"CapMisc0.GVAsize", &Ids::cap_misc0, cap_misc0::gva_size, always, fixed<cap_misc0::gva_size_48>,
     "guest virtual addresses: 2 is 48 bits"},
    {"CapMisc0.PAsize", &Ids::cap_misc0, cap_misc0::pa_size, always, number<&Features::physical_address_bits>,
     "physical address bits"},
    {"CapMisc0.VAsize", &Ids::cap_misc0, cap_misc0::va_size, always, number<&Features::virtual_address_bits>,
     "host-translated address bits"},
    {"CapMisc0.HtAtsResv", &Ids::cap_misc0, cap_misc0::ht_ats_resv, 0, not_built,
     "HyperTransport address translation range is reserved"},
    {"CapMisc0.MsiNumPPR", &Ids::cap_misc0, cap_misc0::msi_num_ppr, always, not_built,
     "message of the PPR log"},
    {"CapMisc1.MsiNumGA", &Ids::cap_misc1, cap_misc1::msi_num_ga, always, not_built,
     "message of the guest virtual APIC log"},

    {"EFR.PreFSup", &Ids::efr, efr::pref_sup, 0, flag<&Features::prefetch>, "PREFETCH_IOMMU_PAGES"},
    {"EFR.PPRSup", &Ids::efr, efr::ppr_sup, 0, flag<&Features::page_requests>,
     "peripheral page requests and their log"},
    {"EFR.XTSup", &Ids::efr, efr::xt_sup, 0, flag<&Features::x2apic>, "x2APIC destinations of 32 bits"},
    {"EFR.NXSup", &Ids::efr, efr::nx_sup, 0, flag<&Features::no_execute>, "no-execute in guest tables"},
    {"EFR.GTSup", &Ids::efr, efr::gt_sup, 0, flag<&Features::guest_translation>, "guest translation"},
    {"EFR.GAPPISup", &Ids::efr, efr::gappi_sup, 0, not_built, "guest APIC physical processor interrupt"},
    {"EFR.IASup", &Ids::efr, efr::ia_sup, 0, flag<&Features::invalidate_all>, "INVALIDATE_IOMMU_ALL"},
    {"EFR.GASup", &Ids::efr, efr::ga_sup, 0, flag<&Features::guest_apic>,
     "interrupt table entries of 128 bits"},
    {"EFR.HESup", &Ids::efr, efr::he_sup, 0, flag<&Features::hardware_events>, "hardware event registers"},
    {"EFR.PCSup", &Ids::efr, efr::pc_sup, 0, not_built, "performance counters"},
    {"EFR.HATS", &Ids::efr, efr::hats, efr::hats_none, hats, "host table levels - 4; 3 is no host tables"},
    {"EFR.GATS", &Ids::efr, efr::gats, always, gats, "guest table levels - 4; counts with EFR.GTSup"},
    {"EFR.GLXSup", &Ids::efr, efr::glx_sup, always, glx_sup, "GCR3 table levels - 1; counts with EFR.GTSup"},
    {"EFR.SmiFSup", &Ids::efr, efr::smif_sup, 0, not_built, "SMI filter"},
    {"EFR.SmiFRC", &Ids::efr, efr::smif_rc, 0, not_built, "SMI filter registers"},
    {"EFR.GAMSup", &Ids::efr, efr::gam_sup, 0, flag<&Features::guest_virtual_apic>,
     "guest virtual APIC and its log"},
    {"EFR.DualPprLogSup", &Ids::efr, efr::dual_ppr_log_sup, 0, not_built, "second PPR log"},
    {"EFR.DualEventLogSup", &Ids::efr, efr::dual_event_log_sup, 0, not_built, "second event log"},
    {"EFR.SATSSup", &Ids::efr, efr::sats_sup, 0, not_built, "secure ATS"},
    {"EFR.PASmax", &Ids::efr, efr::pas_max, always, pas_max, "PASID bits - 1; counts with EFR.GTSup"},
    {"EFR.USSup", &Ids::efr, efr::us_sup, 0, flag<&Features::user_supervisor>,
     "user and supervisor pages of guest tables"},
    {"EFR.DevTblSegSup", &Ids::efr, efr::dev_tbl_seg_sup, 0, number<&Features::log2_device_table_segments>,
     "log2 of the most device table segments"},
    {"EFR.PprOvrflwEarlySup", &Ids::efr, efr::ppr_ovrflw_early_sup, 0, not_built,
     "early overflow indication of the PPR log"},
    {"EFR.PPRAutoRspSup", &Ids::efr, efr::ppr_auto_rsp_sup, 0, not_built, "automatic page request responses"},
    {"EFR.MarcSup", &Ids::efr, efr::marc_sup, 0, not_built, "memory access routing and control"},
    {"EFR.BlkStopMrkSup", &Ids::efr, efr::blk_stop_mrk_sup, 0, not_built, "blocking of stop markers"},
    {"EFR.PerfOptSup", &Ids::efr, efr::perf_opt_sup, 0, not_built, "performance optimization"},
    {"EFR.MsiCapMmioSup", &Ids::efr, efr::msi_cap_mmio_sup, 0, fixed<1>,
     "MSI capability among the registers"},
    {"EFR.SnoopAttrSup", &Ids::efr, efr::snoop_attr_sup, 0, not_built, "snoop attributes"},
    {"EFR.GIoSup", &Ids::efr, efr::gio_sup, 0, flag<&Features::guest_io>,
     "guest tables for requests without PASID"},
    {"EFR.HASup", &Ids::efr, efr::ha_sup, 0, flag<&Features::host_accessed>, "accessed bits of host tables"},
    {"EFR.EPHSup", &Ids::efr, efr::eph_sup, 0, not_built, "enhanced page request handling"},
    {"EFR.AttrFWSup", &Ids::efr, efr::attr_fw_sup, 0, not_built, "attribute forwarding"},
    {"EFR.HDSup", &Ids::efr, efr::hd_sup, 0, flag<&Features::host_dirty>, "dirty bits of host tables"},
    {"EFR.V2HDDisSup", &Ids::efr, efr::v2_hd_dis_sup, 0, flag<&Features::guest_dirty_disable>,
     "guest dirty bit updates can be disabled"},
    {"EFR.InvIotlbTypeSup", &Ids::efr, efr::inv_iotlb_type_sup, 0, flag<&Features::invalidate_iotlb_type>,
     "type of INVALIDATE_IOTLB_PAGES"},
    {"EFR.vIommuSup", &Ids::efr, efr::viommu_sup, 0, not_built, "hardware virtual IOMMU"},
    {"EFR.VmGuardIoSup", &Ids::efr, efr::vm_guard_io_sup, 0, not_built, "VM guard"},
    {"EFR.VmTableSize", &Ids::efr, efr::vm_table_size, 0, not_built, "VM table size"},
    {"EFR.GAUpdateDisSup", &Ids::efr, efr::ga_update_dis_sup, 0, flag<&Features::guest_accessed_disable>,
     "guest accessed bit updates can be disabled"},
    {"EFR.ForcePhyDestSup", &Ids::efr, efr::force_phy_dest_sup, 0, not_built,
     "interrupt destinations must be physical"},
    {"EFR.SNPSup", &Ids::efr, efr::snp_sup, 0, not_built, "secure nested paging"},

    {"EFR2.SevSnpIoSup", &Ids::efr2, efr2::sev_snp_io_sup, 0, not_built, "secure devices of SNP guests"},
    {"EFR2.TMPMSup", &Ids::efr2, efr2::tmpm_sup, 0, not_built, "tiered memory page migration"},
    {"EFR2.GCR3TRPMode", &Ids::efr2, efr2::gcr3_trp_mode, 0, not_built,
     "GCR3 table root as guest physical address"},
    {"EFR2.GAPPIDisSup", &Ids::efr2, efr2::gappi_dis_sup, 0, not_built,
     "guest APIC physical processor interrupt can be disabled"},
    {"EFR2.SNPAVICSup", &Ids::efr2, efr2::snp_avic_sup, 0, not_built, "guest virtual APIC with SNP"},
    {"EFR2.NumIntRemapSup", &Ids::efr2, efr2::num_int_remap_sup, 0, flag<&Features::interrupt_table_2048>,
     "interrupt tables of 2048 entries; 512 otherwise"},
    {"EFR2.HtRangeIgnore", &Ids::efr2, efr2::ht_range_ignore, 0, flag<&Features::ht_range_ignore>,
     "the HyperTransport range is ordinary memory"},
};

const feature_page::Dependency<Features> dependencies[] = {
    {&Features::host_accessed, "host_accessed", &Features::host_translation, "host_translation"},
    {&Features::host_dirty, "host_dirty", &Features::host_accessed, "host_accessed"},
    {&Features::page_requests, "page_requests", &Features::remote_iotlb, "remote_iotlb"},
    {&Features::invalidate_iotlb_type, "invalidate_iotlb_type", &Features::remote_iotlb, "remote_iotlb"},
    {&Features::guest_virtual_apic, "guest_virtual_apic", &Features::guest_apic, "guest_apic"},
    {&Features::x2apic, "x2apic", &Features::guest_apic, "guest_apic"},
};

} // namespace

std::string first_violation(const Features& f) {
    if (f.physical_address_bits < 32 || f.physical_address_bits > 52)
        return outside("physical_address_bits", f.physical_address_bits, 32, 52);
    if (f.virtual_address_bits < 32 || f.virtual_address_bits > 64)
        return outside("virtual_address_bits", f.virtual_address_bits, 32, 64);
    if (f.log2_device_table_segments > efr::dev_tbl_seg_sup.max())
        return outside("log2_device_table_segments", f.log2_device_table_segments, 0,
                       efr::dev_tbl_seg_sup.max());
    if (f.host_levels < 4 || f.host_levels > host::max_levels)
        return outside("host_levels", f.host_levels, 4, host::max_levels);
    if (f.guest_levels < 4 || f.guest_levels > 5)
        return outside("guest_levels", f.guest_levels, 4, 5);
    if (f.gcr3_levels < 1 || f.gcr3_levels > 3)
        return outside("gcr3_levels", f.gcr3_levels, 1, 3);
    if (f.pasid_bits < 1 || f.pasid_bits > gcr3::max_pasid_bits)
        return outside("pasid_bits", f.pasid_bits, 1, gcr3::max_pasid_bits);
    if (f.guest_translation && gcr3::pasid_bits(f.gcr3_levels - 1) < f.pasid_bits)
        return "gcr3_levels is " + std::to_string(f.gcr3_levels) + ", too few for " +
               std::to_string(f.pasid_bits) + " PASID bits (9 per level)";
    return feature_page::dependency_violation(dependencies, f);
}

IdRegisters make_id_registers(const Features& features) {
    return feature_page::make_id_registers<IdRegisters>(id_fields, features);
}

std::vector<FeatureRow> describe(const Features& features) {
    return feature_page::describe(id_fields, features);
}

} // namespace iommusim::amdvi
