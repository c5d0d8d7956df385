#include "drivers/vtd/register_invalidation.h"

#include "models/vtd/spec/registers.h"

namespace iommusim::vtd_driver {

namespace spec = vtd::spec;

RegisterInvalidation::RegisterInvalidation(const Configuration& configuration, const Features& features,
                                           machine::Spinlock& lock, dma::DriverErrorLog* log,
                                           Statistics& statistics)
    : configuration_(configuration),
      features_(features),
      registers_(configuration),
      log_(log),
      statistics_(statistics),
      lock_(lock) {}

bool RegisterInvalidation::carry_out(machine::Cpu& cpu, const Descriptor& descriptor) {
    cpu.spend(configuration_.software.call_overhead);
    machine::SpinlockIrqGuard guard(lock_, cpu);
    ++statistics_.doorbells;
    ++statistics_.descriptors;
    switch (spec::descriptor::type(descriptor[0])) {
    case spec::descriptor_type::context_cache:
        return context(cpu, descriptor);
    case spec::descriptor_type::iotlb:
        return iotlb(cpu, descriptor);
    default:
        return false;
    }
}

bool RegisterInvalidation::context(machine::Cpu& cpu, const Descriptor& d) {
    std::uint64_t command = spec::ccmd::icc.make(1);
    command |= spec::ccmd::cirg.make(spec::cc_inv::g.get(d.data()));
    command |= spec::ccmd::did.make(spec::cc_inv::did.get(d.data()));
    command |= spec::ccmd::sid.make(spec::cc_inv::sid.get(d.data()));
    command |= spec::ccmd::fm.make(spec::cc_inv::fm.get(d.data()));
    registers_.write64(cpu, spec::reg::ccmd, command);
    if (!registers_.poll(cpu, spec::reg::ccmd, 8, spec::ccmd::icc.mask(), 0)) {
        note_error(log_, DriverError::invalidation_timeout, cpu.time(), command);
        return false;
    }
    const std::uint64_t result = registers_.read64(cpu, spec::reg::ccmd);
    if (spec::ccmd::caig.get(result) != 0)
        return true;
    note_error(log_, DriverError::register_refused, cpu.time(), result);
    return false;
}

bool RegisterInvalidation::iotlb(machine::Cpu& cpu, const Descriptor& d) {
    const std::uint64_t granularity = spec::iotlb_inv::g.get(d.data());
    if (granularity == spec::iotlb_inv::g_page) {
        std::uint64_t address = spec::iva::addr.in_place(d[1]);
        address |= spec::iva::am.make(spec::iotlb_inv::am.get(d.data()));
        address |= spec::iva::ih.make(spec::iotlb_inv::ih.get(d.data()));
        registers_.write64(cpu, features_.iotlb_offset, address);
    }
    const std::uint64_t offset = features_.iotlb_offset + 8;
    std::uint64_t command = spec::iotlb::ivt.make(1);
    command |= spec::iotlb::iirg.make(granularity);
    command |= spec::iotlb::did.make(spec::iotlb_inv::did.get(d.data()));
    command |= spec::iotlb::dr.make(spec::iotlb_inv::dr.get(d.data()));
    command |= spec::iotlb::dw.make(spec::iotlb_inv::dw.get(d.data()));
    registers_.write64(cpu, offset, command);
    if (!registers_.poll(cpu, offset, 8, spec::iotlb::ivt.mask(), 0)) {
        note_error(log_, DriverError::invalidation_timeout, cpu.time(), command);
        return false;
    }
    const std::uint64_t result = registers_.read64(cpu, offset);
    if (spec::iotlb::iaig.get(result) != 0)
        return true;
    note_error(log_, DriverError::register_refused, cpu.time(), result);
    return false;
}

} // namespace iommusim::vtd_driver
