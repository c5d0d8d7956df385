#include "feature_set.h"

#include "parameters.h"

namespace iommusim::smmuv3 {
namespace {

using namespace spec;

using feature_page::always;
using feature_page::fixed;
using feature_page::flag;
using feature_page::not_built;
using feature_page::number;

template <std::uint32_t Features::*member, unsigned msb, unsigned lsb> std::uint64_t part(const Features& f) {
    return bits(msb, lsb).get(f.*member);
}

// In register and bit order; the data sheet of what software is told.
const feature_page::IdField<Features, IdRegisters, std::uint32_t> id_fields[] = {
    {"IDR0.S2P", &IdRegisters::idr0, idr0::s2p, 0, not_built, "stage 2 translation"},
    {"IDR0.S1P", &IdRegisters::idr0, idr0::s1p, 0, fixed<1>, "stage 1 translation"},
    {"IDR0.TTF", &IdRegisters::idr0, idr0::ttf, 0, fixed<idr0::ttf_aarch64>,
     "translation table formats: 2 is AArch64 only"},
    {"IDR0.COHACC", &IdRegisters::idr0, idr0::cohacc, 0, flag<&Features::coherent_access>,
     "coherent table, queue and MSI accesses"},
    {"IDR0.BTM", &IdRegisters::idr0, idr0::btm, 0, not_built, "broadcast TLB maintenance"},
    {"IDR0.HTTU", &IdRegisters::idr0, idr0::httu, 0, not_built,
     "hardware update of Access flag and dirty state"},
    {"IDR0.DORMHINT", &IdRegisters::idr0, idr0::dormhint, 0, not_built, "dormant hint"},
    {"IDR0.Hyp", &IdRegisters::idr0, idr0::hyp, 0, not_built, "EL2 StreamWorld"},
    {"IDR0.ATS", &IdRegisters::idr0, idr0::ats, 0, not_built, "PCIe Address Translation Service"},
    {"IDR0.NS1ATS", &IdRegisters::idr0, idr0::ns1ats, 0, not_built,
     "split-stage ATS is absent; counts only with ATS"},
    {"IDR0.ASID16", &IdRegisters::idr0, idr0::asid16, 0, flag<&Features::asid16>, "16-bit ASIDs"},
    {"IDR0.MSI", &IdRegisters::idr0, idr0::msi, 0, flag<&Features::msi>, "message signalled interrupts"},
    {"IDR0.SEV", &IdRegisters::idr0, idr0::sev, 0, flag<&Features::sev>, "wake-up events (WFE)"},
    {"IDR0.ATOS", &IdRegisters::idr0, idr0::atos, 0, not_built, "address translation operations"},
    {"IDR0.PRI", &IdRegisters::idr0, idr0::pri, 0, not_built, "PCIe Page Request Interface"},
    {"IDR0.VMW", &IdRegisters::idr0, idr0::vmw, 0, not_built, "VMID wildcard matching"},
    {"IDR0.VMID16", &IdRegisters::idr0, idr0::vmid16, 0, not_built, "16-bit VMIDs"},
    {"IDR0.CD2L", &IdRegisters::idr0, idr0::cd2l, 0, flag<&Features::two_level_cd>,
     "two-level context descriptor tables"},
    {"IDR0.VATOS", &IdRegisters::idr0, idr0::vatos, 0, not_built, "virtual ATOS page"},
    {"IDR0.TTENDIAN", &IdRegisters::idr0, idr0::ttendian, always, fixed<idr0::ttendian_little>,
     "table endianness: 2 is little-endian only"},
    {"IDR0.ATSRECERR", &IdRegisters::idr0, idr0::atsrecerr, 0, not_built,
     "configuration errors of ATS are recorded"},
    {"IDR0.STALL_MODEL", &IdRegisters::idr0, idr0::stall_model, idr0::stall_model_terminate_only,
     fixed<idr0::stall_model_terminate_only>, "stalls: 1 is terminate only"},
    {"IDR0.TERM_MODEL", &IdRegisters::idr0, idr0::term_model, 1, fixed<0>,
     "RAZ/WI termination: 0 is available, 1 is not"},
    {"IDR0.ST_LEVEL", &IdRegisters::idr0, idr0::st_level, idr0::st_level_linear,
     flag<&Features::two_level_stream_table>, "two-level stream tables; linear ones always"},
    {"IDR0.RME_IMPL", &IdRegisters::idr0, idr0::rme_impl, 0, not_built, "Realm Management Extension"},

    {"IDR1.SIDSIZE", &IdRegisters::idr1, idr1::sidsize, always, number<&Features::sid_bits>, "StreamID bits"},
    {"IDR1.SSIDSIZE", &IdRegisters::idr1, idr1::ssidsize, 0, number<&Features::ssid_bits>,
     "SubstreamID bits"},
    {"IDR1.PRIQS", &IdRegisters::idr1, idr1::priqs, 0, not_built, "log2 of the largest PRI queue"},
    {"IDR1.EVENTQS", &IdRegisters::idr1, idr1::eventqs, always, number<&Features::eventq_log2_max>,
     "log2 of the largest Event queue"},
    {"IDR1.CMDQS", &IdRegisters::idr1, idr1::cmdqs, always, number<&Features::cmdq_log2_max>,
     "log2 of the largest Command queue"},
    {"IDR1.ATTR_PERMS_OVR", &IdRegisters::idr1, idr1::attr_perms_ovr, 0, not_built,
     "override of instruction, privilege and security attributes"},
    {"IDR1.ATTR_TYPES_OVR", &IdRegisters::idr1, idr1::attr_types_ovr, 0, not_built,
     "override of memory type, shareability and allocation"},
    {"IDR1.REL", &IdRegisters::idr1, idr1::rel, 0, not_built, "preset bases are relative"},
    {"IDR1.QUEUES_PRESET", &IdRegisters::idr1, idr1::queues_preset, 0, not_built, "fixed queue bases"},
    {"IDR1.TABLES_PRESET", &IdRegisters::idr1, idr1::tables_preset, 0, not_built, "fixed table bases"},
    {"IDR1.ECMDQ", &IdRegisters::idr1, idr1::ecmdq, 0, not_built, "enhanced Command queues"},

    {"IDR2.BA_VATOS", &IdRegisters::idr2, idr2::ba_vatos, 0, not_built, "place of the virtual ATOS page"},

    {"IDR3.HAD", &IdRegisters::idr3, idr3::had, 0, flag<&Features::hierarchical_attribute_disable>,
     "hierarchical attribute disable"},
    {"IDR3.PBHA", &IdRegisters::idr3, idr3::pbha, 0, not_built, "page-based hardware attributes"},
    {"IDR3.XNX", &IdRegisters::idr3, idr3::xnx, 0, not_built, "two-bit execute-never of stage 2"},
    {"IDR3.PPS", &IdRegisters::idr3, idr3::pps, 0, not_built, "PASID in automatic page responses"},
    {"IDR3.MPAM", &IdRegisters::idr3, idr3::mpam, 0, not_built, "memory partitioning and monitoring"},
    {"IDR3.FWB", &IdRegisters::idr3, idr3::fwb, 0, not_built, "stage 2 forced write-back"},
    {"IDR3.STT", &IdRegisters::idr3, idr3::stt, 0, not_built, "small translation tables"},
    {"IDR3.RIL", &IdRegisters::idr3, idr3::ril, 0, flag<&Features::range_invalidation>,
     "range invalidation and level hint"},
    {"IDR3.BBML", &IdRegisters::idr3, idr3::bbml, 0, not_built,
     "change of block size without break-before-make"},
    {"IDR3.E0PD", &IdRegisters::idr3, idr3::e0pd, 0, not_built, "unprivileged access prevention per half"},
    {"IDR3.PTWNNC", &IdRegisters::idr3, idr3::ptwnnc, 0, not_built,
     "walks to stage 2 Device as Normal Non-cacheable"},
    {"IDR3.DPT", &IdRegisters::idr3, idr3::dpt, 0, not_built, "device permission table"},
    {"IDR3.PASIDTT", &IdRegisters::idr3, idr3::pasidtt, 0, not_built, "PASID on Translated transactions"},
    {"IDR3.EPAN", &IdRegisters::idr3, idr3::epan, 0, not_built, "enhanced privileged access never"},
    {"IDR3.S1PI", &IdRegisters::idr3, idr3::s1pi, 0, not_built, "stage 1 permission indirection"},
    {"IDR3.S2PI", &IdRegisters::idr3, idr3::s2pi, 0, not_built, "stage 2 permission indirection"},
    {"IDR3.S2PO", &IdRegisters::idr3, idr3::s2po, 0, not_built, "stage 2 permission overlay"},
    {"IDR3.THE", &IdRegisters::idr3, idr3::the, 0, not_built, "translation hardening"},
    {"IDR3.MTEPERM", &IdRegisters::idr3, idr3::mteperm, 0, not_built, "memory tagging permissions"},
    {"IDR3.AIE", &IdRegisters::idr3, idr3::aie, 0, not_built, "attribute index extension"},

    {"IDR5.OAS", &IdRegisters::idr5, idr5::oas, always, number<&Features::oas_code>,
     "output address size code: 0 is 32 bits, 5 is 48 bits"},
    {"IDR5.GRAN4K", &IdRegisters::idr5, idr5::gran4k, 0, fixed<1>, "4 KB granule"},
    {"IDR5.GRAN16K", &IdRegisters::idr5, idr5::gran16k, 0, not_built, "16 KB granule"},
    {"IDR5.GRAN64K", &IdRegisters::idr5, idr5::gran64k, 0, not_built, "64 KB granule"},
    {"IDR5.DS", &IdRegisters::idr5, idr5::ds, 0, not_built, "52-bit addresses with small granules"},
    {"IDR5.D128", &IdRegisters::idr5, idr5::d128, 0, not_built, "128-bit descriptors"},
    {"IDR5.VAX", &IdRegisters::idr5, idr5::vax, 0, not_built, "virtual addresses beyond 48 bits"},
    {"IDR5.STALL_MAX", &IdRegisters::idr5, idr5::stall_max, 0, not_built, "outstanding stalled transactions"},

    {"IDR6.CMDQ_CONTROL_PAGE_LOG2NUMQ", &IdRegisters::idr6, idr6::cmdq_control_page_log2numq, 0, not_built,
     "log2 of enhanced Command queues per control page"},
    {"IDR6.CMDQ_CONTROL_PAGE_LOG2NUMP", &IdRegisters::idr6, idr6::cmdq_control_page_log2nump, 0, not_built,
     "log2 of Command queue control pages"},

    {"IIDR.Implementer", &IdRegisters::iidr, iidr::implementer, 0, part<&Features::iidr, 11, 0>,
     "JEP106 code"},
    {"IIDR.Revision", &IdRegisters::iidr, iidr::revision, always, part<&Features::iidr, 15, 12>,
     "minor revision"},
    {"IIDR.Variant", &IdRegisters::iidr, iidr::variant, always, part<&Features::iidr, 19, 16>,
     "major revision"},
    {"IIDR.ProductID", &IdRegisters::iidr, iidr::product_id, 0, part<&Features::iidr, 31, 20>, "product"},
    {"AIDR.ArchMinorRev", &IdRegisters::aidr, aidr::arch_minor_rev, always, fixed<2>, "n of SMMUv3.n"},
    {"AIDR.ArchMajorRev", &IdRegisters::aidr, aidr::arch_major_rev, always, fixed<0>, "0 is SMMUv3"},
};

std::string above(const char* name, unsigned value, unsigned maximum) {
    return std::string(name) + " is " + std::to_string(value) + ", at most " + std::to_string(maximum) +
           " is legal";
}

} // namespace

Features features_of(const Parameters& p) {
    Features f;
    f.sid_bits = static_cast<unsigned>(p.stream_id_bits);
    f.ssid_bits = static_cast<unsigned>(p.substream_id_bits);
    f.oas_code = static_cast<unsigned>(p.output_address_bits);
    f.cmdq_log2_max = static_cast<unsigned>(p.command_queue_log2);
    f.eventq_log2_max = static_cast<unsigned>(p.event_queue_log2);
    f.range_invalidation = p.range_invalidation != 0;
    f.msi = p.message_interrupts != 0;
    f.sev = p.wake_events != 0;
    f.coherent_access = p.coherent_walks != 0;
    return f;
}

std::string first_violation(const Features& f) {
    if (f.sid_bits > 32)
        return above("sid_bits", f.sid_bits, 32);
    if (f.ssid_bits > 20)
        return above("ssid_bits", f.ssid_bits, 20);
    if (f.oas_code > size_code_48_bits)
        return above("oas_code", f.oas_code, size_code_48_bits);
    if (f.cmdq_log2_max > queue_base::log2size_max)
        return above("cmdq_log2_max", f.cmdq_log2_max, queue_base::log2size_max);
    if (f.eventq_log2_max > queue_base::log2size_max)
        return above("eventq_log2_max", f.eventq_log2_max, queue_base::log2size_max);
    if (f.sid_bits >= 7 && !f.two_level_stream_table)
        return "two_level_stream_table is 0, but it is mandatory from 7 StreamID bits (SMMU_IDR1.SIDSIZE)";
    return {};
}

IdRegisters make_id_registers(const Features& features) {
    return feature_page::make_id_registers<IdRegisters>(id_fields, features);
}

std::vector<FeatureRow> describe(const Features& features) {
    return feature_page::describe(id_fields, features);
}

} // namespace iommusim::smmuv3
