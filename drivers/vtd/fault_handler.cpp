#include "drivers/vtd/fault_handler.h"

#include "models/vtd/spec/faults.h"
#include "models/vtd/spec/registers.h"

namespace iommusim::vtd_driver {

namespace spec = vtd::spec;

FaultHandler::FaultHandler(const Configuration& configuration, const Features& features,
                           machine::Spinlock& lock, dma::DriverErrorLog* log, FaultObserver* observer,
                           Statistics& statistics)
    : configuration_(configuration),
      features_(features),
      registers_(configuration),
      lock_(lock),
      log_(log),
      observer_(observer),
      statistics_(statistics) {}

void FaultHandler::enable(machine::Cpu& cpu) {
    const MsiTarget& target = configuration_.fault_message;
    registers_.write(cpu, spec::reg::fedata, target.data);
    registers_.write(cpu, spec::reg::feaddr, static_cast<std::uint32_t>(target.address));
    registers_.write(cpu, spec::reg::feuaddr, static_cast<std::uint32_t>(target.address >> 32));
    handle(cpu); // what stays pending would keep new faults from making an event
    registers_.write(cpu, spec::reg::fectl, 0);
    registers_.read(cpu, spec::reg::fectl); // the write has arrived
}

void FaultHandler::disable(machine::Cpu& cpu) {
    registers_.write(cpu, spec::reg::fectl, static_cast<std::uint32_t>(spec::event_control::im.mask()));
    registers_.read(cpu, spec::reg::fectl);
}

/// False: there is no fault in this register.
bool FaultHandler::take(machine::Cpu& cpu, unsigned index) {
    const std::uint64_t record = features_.fault_record_offset + spec::fault_record::bytes * index;
    std::uint64_t words[spec::fault_record::words] = {};
    {
        machine::SpinlockIrqGuard guard(lock_, cpu);
        words[1] = registers_.read64(cpu, record + 8);
        if (spec::fault_record::f.get(words) == 0)
            return false;
        words[0] = registers_.read64(cpu, record);
        registers_.write(cpu, record + 12, static_cast<std::uint32_t>(spec::fault_record::f.mask() >> 32));
    }
    cpu.spend(configuration_.software.fault_handling);
    ++statistics_.fault_records;
    if (observer_ == nullptr)
        return true;
    FaultRecord r;
    r.time = cpu.time();
    r.reason = static_cast<unsigned>(spec::fault_record::fr.get(words));
    r.name = spec::fault_name(r.reason);
    r.source = static_cast<std::uint16_t>(spec::fault_record::sid.get(words));
    r.has_pasid = spec::fault_record::pp.get(words) != 0;
    r.pasid = static_cast<std::uint32_t>(spec::fault_record::pv.get(words));
    r.read = spec::fault_record::t1.get(words) != 0;
    r.address = spec::fault_record::fi.in_place(words);
    observer_->on_fault_record(r);
    return true;
}

void FaultHandler::handle(machine::Cpu& cpu) {
    std::uint32_t status = registers_.read(cpu, spec::reg::fsts);
    if (spec::fsts::ppf.get(status) != 0) {
        // To the last one: while a record is pending, new ones make no event.
        auto index = static_cast<unsigned>(spec::fsts::fri.get(status));
        while (take(cpu, index))
            index = index + 1 == features_.fault_records ? 0 : index + 1;
        status = registers_.read(cpu, spec::reg::fsts); // an overflow may have come meanwhile
    }
    // While it is set the unit records nothing.
    if (spec::fsts::pfo.get(status) != 0) {
        note_error(log_, DriverError::fault_overflow, cpu.time(), status);
        registers_.write(cpu, spec::reg::fsts, static_cast<std::uint32_t>(spec::fsts::pfo.mask()));
    }
}

} // namespace iommusim::vtd_driver
