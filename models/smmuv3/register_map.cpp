// The data sheet of the register file: which registers exist, which of their fields can be written, and what
// must be disabled for that (IHI 0070 chapter 6). A register that is not bound here reads 0 and ignores
// writes.
#include "register_file.h"

namespace iommusim::smmuv3 {
namespace {

using namespace spec;

template <class... Fields> constexpr std::uint64_t masks(Fields... fields) {
    return (fields.mask() | ... | 0ull);
}

constexpr std::uint32_t smmuen = static_cast<std::uint32_t>(cr0::smmuen.mask());
constexpr std::uint32_t eventqen = static_cast<std::uint32_t>(cr0::eventqen.mask());
constexpr std::uint32_t cmdqen = static_cast<std::uint32_t>(cr0::cmdqen.mask());
constexpr std::uint32_t gerror_irqen = static_cast<std::uint32_t>(irq_ctrl::gerror_irqen.mask());
constexpr std::uint32_t eventq_irqen = static_cast<std::uint32_t>(irq_ctrl::eventq_irqen.mask());

/// Address fields of registers end at bit 51 before SMMUv3.4.
constexpr std::uint64_t address_field_mask = low_bits(52);

/// The part of a GERROR that exists: no PRI, ECMDQ or DPT errors, and those of MSIs only with MSIs.
constexpr std::uint64_t gerror_mask(const Features& f) {
    std::uint64_t mask = masks(gerror::cmdq_err, gerror::eventq_abt_err, gerror::sfm_err);
    if (f.msi)
        mask |= masks(gerror::msi_cmdq_abt_err, gerror::msi_eventq_abt_err, gerror::msi_gerror_abt_err);
    return mask;
}

} // namespace

RegisterFile::RegisterFile(const Features& features, RegisterEvents& events)
    : features_(features), events_(events) {
    bind_identification();

    const std::uint64_t cr0_fields = masks(cr0::smmuen, cr0::eventqen, cr0::cmdqen);
    bind(cr0_, "SMMU_CR0", reg::cr0).read_write(cr0_fields).on_write(&RegisterFile::write_cr0);
    bind(cr0ack_, "SMMU_CR0ACK", reg::cr0ack).read_only();

    const std::uint64_t table_fields = masks(cr1::table_sh, cr1::table_oc, cr1::table_ic);
    const std::uint64_t queue_fields = masks(cr1::queue_sh, cr1::queue_oc, cr1::queue_ic);
    bind(cr1_, "SMMU_CR1", reg::cr1)
        .read_write(table_fields | queue_fields)
        .while_disabled(table_fields, smmuen)
        .while_disabled(queue_fields, cmdqen | eventqen);
    // E2H, PTM and REC_CFG_ATS are RES0: Hyp, BTM and ATSRECERR are absent.
    bind(cr2_, "SMMU_CR2", reg::cr2).read_write(masks(cr2::recinvsid)).while_disabled(smmuen);

    // The override fields are RES0 with IDR1.ATTR_TYPES_OVR = 0 and ATTR_PERMS_OVR = 0.
    bind(gbpa_, "SMMU_GBPA", reg::gbpa)
        .read_write(masks(gbpa::abort, gbpa::update))
        .on_write(&RegisterFile::write_gbpa);

    const std::uint64_t irq_fields = masks(irq_ctrl::gerror_irqen, irq_ctrl::eventq_irqen);
    bind(irq_ctrl_, "SMMU_IRQ_CTRL", reg::irq_ctrl)
        .read_write(irq_fields)
        .on_write(&RegisterFile::write_irq_ctrl);
    bind(irq_ctrlack_, "SMMU_IRQ_CTRLACK", reg::irq_ctrlack).read_only();

    bind(gerror_, "SMMU_GERROR", reg::gerror).read_only();
    bind(gerrorn_, "SMMU_GERRORN", reg::gerrorn)
        .read_write(gerror_mask(features))
        .on_write(&RegisterFile::write_gerrorn);

    bind_interrupt(gerror_irq_cfg_, {"SMMU_GERROR_IRQ_CFG0", "SMMU_GERROR_IRQ_CFG1", "SMMU_GERROR_IRQ_CFG2"},
                   reg::gerror_irq_cfg0, gerror_irqen);
    bind_interrupt(eventq_irq_cfg_, {"SMMU_EVENTQ_IRQ_CFG0", "SMMU_EVENTQ_IRQ_CFG1", "SMMU_EVENTQ_IRQ_CFG2"},
                   reg::eventq_irq_cfg0, eventq_irqen);

    const std::uint64_t fmt = features.two_level_stream_table ? strtab_base_cfg::fmt.mask() : 0;
    bind(strtab_base_, "SMMU_STRTAB_BASE", reg::strtab_base, 8)
        .read_write(masks(strtab_base::ra) | (strtab_base::addr.mask() & address_field_mask))
        .while_disabled(smmuen);
    bind(strtab_base_cfg_, "SMMU_STRTAB_BASE_CFG", reg::strtab_base_cfg)
        .read_write(masks(strtab_base_cfg::log2size, strtab_base_cfg::split) | fmt)
        .while_disabled(smmuen);

    const std::uint64_t queue_base_fields =
        masks(queue_base::ra, queue_base::log2size) | (queue_base::addr.mask() & address_field_mask);
    bind(cmdq_base_, "SMMU_CMDQ_BASE", reg::cmdq_base, 8)
        .read_write(queue_base_fields)
        .while_disabled(cmdqen);
    bind(cmdq_prod_, "SMMU_CMDQ_PROD", reg::cmdq_prod)
        .read_write(masks(cmdq_prod::wr))
        .on_write(&RegisterFile::write_cmdq_prod);
    bind(cmdq_cons_, "SMMU_CMDQ_CONS", reg::cmdq_cons)
        .read_write(masks(cmdq_cons::rd, cmdq_cons::err))
        .while_disabled(cmdqen);

    bind(eventq_base_, "SMMU_EVENTQ_BASE", reg::eventq_base, 8)
        .read_write(queue_base_fields)
        .while_disabled(eventqen);
    bind(eventq_prod_, "SMMU_EVENTQ_PROD", reg::eventq_prod)
        .read_write(masks(eventq_prod::wr, eventq_prod::ovflg))
        .while_disabled(eventqen);
    bind(eventq_cons_, "SMMU_EVENTQ_CONS", reg::eventq_cons)
        .read_write(masks(eventq_cons::rd, eventq_cons::ovackflg))
        .on_write(&RegisterFile::write_eventq_cons);

    reset();
}

void RegisterFile::bind_identification() {
    const IdRegisters ids = make_id_registers(features_);
    bind(identification_[0], "SMMU_IDR0", reg::idr0).read_only(ids.idr0);
    bind(identification_[1], "SMMU_IDR1", reg::idr1).read_only(ids.idr1);
    bind(identification_[2], "SMMU_IDR2", reg::idr2).read_only(ids.idr2);
    bind(identification_[3], "SMMU_IDR3", reg::idr3).read_only(ids.idr3);
    bind(identification_[4], "SMMU_IDR4", reg::idr4).read_only(ids.idr4);
    bind(identification_[5], "SMMU_IDR5", reg::idr5).read_only(ids.idr5);
    bind(identification_[6], "SMMU_IIDR", reg::iidr).read_only(ids.iidr);
    bind(identification_[7], "SMMU_AIDR", reg::aidr).read_only(ids.aidr);
    bind(identification_[8], "SMMU_IDR6", reg::idr6).read_only(ids.idr6);
    bind(identification_[9], "SMMU_STATUSR", reg::statusr).read_only();

    // Component identification; no part number is assigned to this model, so the peripheral part is 0.
    auto* id = component_identification_.data();
    bind(*id++, "SMMU_PIDR4", reg::pidr4).read_only();
    bind(*id++, "SMMU_PIDR0", reg::pidr0).read_only();
    bind(*id++, "SMMU_PIDR1", reg::pidr1).read_only();
    bind(*id++, "SMMU_PIDR2", reg::pidr2).read_only();
    bind(*id++, "SMMU_PIDR3", reg::pidr3).read_only();
    bind(*id++, "SMMU_CIDR0", reg::cidr0).read_only(0x0D);
    bind(*id++, "SMMU_CIDR1", reg::cidr1).read_only(0xF0);
    bind(*id++, "SMMU_CIDR2", reg::cidr2).read_only(0x05);
    bind(*id++, "SMMU_CIDR3", reg::cidr3).read_only(0xB1);
}

/// CFG0 at `offset` (64 bits), CFG1 and CFG2 behind it; RES0 without MSIs.
void RegisterFile::bind_interrupt(InterruptRegisters& cfg, const std::array<const char*, 3>& names,
                                  std::uint64_t offset, std::uint32_t irq_enable) {
    const std::uint64_t present = features_.msi ? ~0ull : 0;
    bind(cfg[0], names[0], offset, 8)
        .read_write(irq_cfg0::addr.mask() & address_field_mask & present)
        .while_irq_disabled(irq_enable);
    bind(cfg[1], names[1], offset + 8)
        .read_write(irq_cfg1::data.mask() & present)
        .while_irq_disabled(irq_enable);
    bind(cfg[2], names[2], offset + 12)
        .read_write(masks(irq_cfg2::memattr, irq_cfg2::sh) & present)
        .while_irq_disabled(irq_enable);
}

RegisterFile::Register& RegisterFile::Register::read_only(std::uint64_t at_reset) {
    return read_write(0, at_reset);
}

RegisterFile::Register& RegisterFile::Register::read_write(std::uint64_t fields, std::uint64_t at_reset) {
    writable = fields;
    reset_value = at_reset;
    return *this;
}

RegisterFile::Register& RegisterFile::Register::while_disabled(std::uint32_t cr0_enables) {
    return while_disabled(writable, cr0_enables);
}

RegisterFile::Register& RegisterFile::Register::while_irq_disabled(std::uint32_t irq_enables) {
    guards[0] = {writable, 0, irq_enables};
    return *this;
}

RegisterFile::Register& RegisterFile::Register::while_disabled(std::uint64_t fields,
                                                               std::uint32_t cr0_enables) {
    guards[guards[0].fields == 0 ? 0 : 1] = {fields, cr0_enables, 0};
    return *this;
}

RegisterFile::Register& RegisterFile::Register::on_write(void (RegisterFile::*h)(std::uint32_t)) {
    handler = h;
    return *this;
}

RegisterFile::Register& RegisterFile::bind(Register& r, const char* name, std::uint64_t offset,
                                           unsigned bytes) {
    r.name = name;
    r.offset = offset;
    r.bytes = bytes;
    for (unsigned i = 0; i < bytes; i += 4)
        *word_at(offset + i) = &r;
    return r;
}

} // namespace iommusim::smmuv3
