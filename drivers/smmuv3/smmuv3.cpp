#include "drivers/smmuv3/smmuv3.h"

#include "drivers/smmuv3/domain.h"
#include "models/smmuv3/spec/registers.h"

namespace iommusim::smmuv3_driver {

namespace spec = smmuv3::spec;

namespace {

std::uint32_t word(std::uint64_t value) { return static_cast<std::uint32_t>(value); }

/// Tables and queues are ordinary shared write-back memory.
std::uint32_t cr1_value() {
    using namespace spec::cr1;
    return word(table_sh.make(spec::shareability::inner_shareable) | table_oc.make(write_back) |
                table_ic.make(write_back) | queue_sh.make(spec::shareability::inner_shareable) |
                queue_oc.make(write_back) | queue_ic.make(write_back));
}

} // namespace

Smmuv3Driver::Smmuv3Driver(machine::Machine& machine, const Configuration& configuration,
                           dma::DriverErrorLog* log, FaultObserver* faults,
                           dma::InvalidationObserver* invalidations)
    : machine_(machine),
      configuration_(configuration),
      log_(log),
      invalidations_(invalidations),
      registers_(configuration_),
      commands_(configuration_, log, statistics_),
      streams_(configuration_, commands_, log),
      events_(configuration_, commands_, log, faults, statistics_),
      errors_(machine, configuration_, commands_, log, statistics_) {
    commands_.set_monitor(&errors_);
}

Smmuv3Driver::~Smmuv3Driver() { disconnect_interrupts(); }

bool Smmuv3Driver::probe(machine::Cpu& cpu) {
    IdentificationRegisters id;
    id.idr[0] = registers_.read(cpu, spec::reg::idr0);
    id.idr[1] = registers_.read(cpu, spec::reg::idr1);
    id.idr[3] = registers_.read(cpu, spec::reg::idr3);
    id.idr[5] = registers_.read(cpu, spec::reg::idr5);
    id.iidr = registers_.read(cpu, spec::reg::iidr);
    std::uint64_t lacking = 0;
    if (!decide_features(id, configuration_, features_, lacking)) {
        note_error(log_, DriverError::unusable_unit, cpu.time(), lacking);
        return false;
    }
    asids_.assign(1ull << features_.asid_bits, false);
    if (commands_.allocate(cpu, features_) && events_.allocate(cpu, features_) &&
        streams_.allocate(cpu, features_))
        return true;
    note_error(log_, DriverError::no_memory, cpu.time(), 0);
    return false;
}

bool Smmuv3Driver::timed_out(machine::Cpu& cpu, std::uint64_t offset) {
    ++statistics_.timeouts;
    note_error(log_, DriverError::acknowledge_timeout, cpu.time(), offset);
    return false;
}

bool Smmuv3Driver::write_cr0(machine::Cpu& cpu, std::uint32_t value) {
    return registers_.write_acknowledged(cpu, spec::reg::cr0, spec::reg::cr0ack, value) ||
           timed_out(cpu, spec::reg::cr0);
}

bool Smmuv3Driver::update_gbpa(machine::Cpu& cpu, bool abort) {
    const std::uint32_t update = word(spec::gbpa::update.mask());
    if (!registers_.poll(cpu, spec::reg::gbpa, update, 0))
        return timed_out(cpu, spec::reg::gbpa);
    const std::uint64_t value = spec::gbpa::abort.put(registers_.read(cpu, spec::reg::gbpa), abort);
    registers_.write(cpu, spec::reg::gbpa, word(value) | update);
    return registers_.poll(cpu, spec::reg::gbpa, update, 0) || timed_out(cpu, spec::reg::gbpa);
}

bool Smmuv3Driver::reset(machine::Cpu& cpu) {
    // Whatever ran before us may have left it on: nothing may pass while the tables change.
    if (spec::cr0::smmuen.get(registers_.read(cpu, spec::reg::cr0)) && !update_gbpa(cpu, true))
        return false;
    std::uint32_t cr0 = 0;
    if (!write_cr0(cpu, cr0))
        return false;

    registers_.write(cpu, spec::reg::cr1, cr1_value());
    registers_.write(cpu, spec::reg::cr2, word(spec::cr2::ptm.make(1) | spec::cr2::recinvsid.make(1)));
    registers_.write64(cpu, spec::reg::strtab_base, streams_.base_register());
    registers_.write(cpu, spec::reg::strtab_base_cfg, streams_.configuration_register());

    if (!enable_command_queue(cpu, cr0) || !invalidate_everything(cpu) || !enable_event_queue(cpu, cr0))
        return false;
    if (features_.ats) {
        cr0 |= word(spec::cr0::atschk.mask());
        if (!write_cr0(cpu, cr0))
            return false;
    }
    if (!set_up_interrupts(cpu))
        return false;
    if (!configuration_.use_unit)
        return update_gbpa(cpu, false);
    return write_cr0(cpu, cr0 | word(spec::cr0::smmuen.mask()));
}

bool Smmuv3Driver::enable_command_queue(machine::Cpu& cpu, std::uint32_t& cr0) {
    commands_.reset();
    registers_.write64(cpu, spec::reg::cmdq_base,
                       spec::queue_base::ra.make(1) | spec::queue_base::addr.in_place(commands_.base()) |
                           spec::queue_base::log2size.make(commands_.size_log2()));
    registers_.write(cpu, spec::reg::cmdq_prod, 0);
    registers_.write(cpu, spec::reg::cmdq_cons, 0);
    cr0 |= word(spec::cr0::cmdqen.mask());
    return write_cr0(cpu, cr0);
}

/// Caches hold anything after reset. Configuration first: otherwise stale configuration could refill the TLB.
bool Smmuv3Driver::invalidate_everything(machine::Cpu& cpu) {
    const std::uint64_t timeouts = statistics_.timeouts;
    commands_.submit_and_wait(cpu, make::cfgi_all());
    if (features_.hyp)
        commands_.submit_and_wait(cpu, make::of(spec::opcode::tlbi_el2_all));
    commands_.submit_and_wait(cpu, make::of(spec::opcode::tlbi_nsnh_all));
    return statistics_.timeouts == timeouts;
}

bool Smmuv3Driver::enable_event_queue(machine::Cpu& cpu, std::uint32_t& cr0) {
    events_.reset();
    registers_.write64(cpu, spec::reg::eventq_base,
                       spec::queue_base::wa.make(1) | spec::queue_base::addr.in_place(events_.base()) |
                           spec::queue_base::log2size.make(events_.size_log2()));
    registers_.write(cpu, spec::reg::eventq_prod, 0);
    registers_.write(cpu, spec::reg::eventq_cons, 0);
    cr0 |= word(spec::cr0::eventqen.mask());
    return write_cr0(cpu, cr0);
}

void Smmuv3Driver::program_msi(machine::Cpu& cpu, std::uint64_t cfg0, std::uint64_t cfg1, std::uint64_t cfg2,
                               const MsiTarget& target) {
    if (!features_.msi || target.address == 0)
        return;
    registers_.write64(cpu, cfg0, spec::irq_cfg0::addr.in_place(target.address));
    registers_.write(cpu, cfg1, target.data);
    registers_.write(cpu, cfg2, word(spec::irq_cfg2::memattr.make(spec::memattr::device_ngnre)));
}

bool Smmuv3Driver::set_up_interrupts(machine::Cpu& cpu) {
    if (!registers_.write_acknowledged(cpu, spec::reg::irq_ctrl, spec::reg::irq_ctrlack, 0))
        return timed_out(cpu, spec::reg::irq_ctrl);
    if (features_.msi) {
        registers_.write64(cpu, spec::reg::gerror_irq_cfg0, 0);
        registers_.write64(cpu, spec::reg::eventq_irq_cfg0, 0);
        if (features_.pri)
            registers_.write64(cpu, spec::reg::priq_irq_cfg0, 0);
    }
    program_msi(cpu, spec::reg::eventq_irq_cfg0, spec::reg::eventq_irq_cfg1, spec::reg::eventq_irq_cfg2,
                configuration_.event_msi);
    program_msi(cpu, spec::reg::gerror_irq_cfg0, spec::reg::gerror_irq_cfg1, spec::reg::gerror_irq_cfg2,
                configuration_.error_msi);

    machine::InterruptController& controller = machine_.interrupts();
    machine::Cpu& target = machine_.cpu(configuration_.interrupt_cpu);
    controller.connect(configuration_.event_interrupt, target, [this](machine::Cpu& c) { events_.drain(c); });
    controller.connect(configuration_.error_interrupt, target,
                       [this](machine::Cpu& c) { errors_.check_errors(c); });

    interrupts_connected_ = true;

    const std::uint32_t enables =
        word(spec::irq_ctrl::eventq_irqen.mask() | spec::irq_ctrl::gerror_irqen.mask());
    return registers_.write_acknowledged(cpu, spec::reg::irq_ctrl, spec::reg::irq_ctrlack, enables) ||
           timed_out(cpu, spec::reg::irq_ctrl);
}

void Smmuv3Driver::shutdown(machine::Cpu& cpu) {
    write_cr0(cpu, 0);
    disconnect_interrupts();
}

void Smmuv3Driver::disconnect_interrupts() {
    if (!interrupts_connected_)
        return;
    machine_.interrupts().disconnect(configuration_.event_interrupt);
    machine_.interrupts().disconnect(configuration_.error_interrupt);
    interrupts_connected_ = false;
}

Smmuv3Domain* Smmuv3Driver::attached(std::uint32_t stream_id, std::uint32_t substream_id) const {
    const auto stream = attached_.find(stream_id);
    if (stream == attached_.end())
        return nullptr;
    const auto domain = stream->second.domains.find(substream_id);
    return domain == stream->second.domains.end() ? nullptr : domain->second;
}

const ContextTable* Smmuv3Driver::contexts(std::uint32_t stream_id) const {
    const auto stream = attached_.find(stream_id);
    return stream == attached_.end() ? nullptr : &stream->second.contexts;
}

bool Smmuv3Driver::install(machine::Cpu& cpu, const Attachment& attachment, Smmuv3Domain& domain) {
    const auto [entry, is_new] =
        attached_.try_emplace(attachment.stream, Stream{{configuration_, commands_}, {}, {}});
    Stream& stream = entry->second;
    if (!is_new) {
        if (!stream.contexts.write(cpu, attachment.substream, domain.context_entry(), stream.users))
            return false;
    } else if (!stream.contexts.allocate(cpu, features_) ||
               !stream.contexts.write(cpu, attachment.substream, domain.context_entry(), {}) ||
               !streams_.write_stage1(cpu, attachment.stream, stream.contexts.pointer())) {
        stream.contexts.release(cpu);
        attached_.erase(entry);
        return false;
    }
    stream.users = {attachment.stream};
    stream.domains[attachment.substream] = &domain;
    return true;
}

void Smmuv3Driver::remove(machine::Cpu& cpu, const Attachment& attachment) {
    const auto entry = attached_.find(attachment.stream);
    Stream& stream = entry->second;
    stream.domains.erase(attachment.substream);
    if (!stream.domains.empty()) {
        stream.contexts.remove(cpu, attachment.substream, stream.users);
        return;
    }
    streams_.write_unattached(cpu, attachment.stream); // takes the cached descriptors along (4.3.1)
    stream.contexts.release(cpu);
    attached_.erase(entry);
}

std::unique_ptr<dma::IommuDomain> Smmuv3Driver::create_domain(machine::Cpu& cpu,
                                                              const dma::DomainRequest& request) {
    if (request.stage == dma::Stage::second || request.stage == dma::Stage::nested)
        return nullptr;
    DomainConfiguration configuration;
    configuration.name = request.name;
    return Smmuv3Domain::create(*this, cpu, configuration);
}

bool Smmuv3Driver::attach(machine::Cpu& cpu, dma::IommuDomain& domain, const dma::DeviceAddress& device) {
    if (device.has_pasid && device.pasid == 0)
        return false;
    return static_cast<Smmuv3Domain&>(domain).attach(cpu, device.id, device.has_pasid ? device.pasid : 0);
}

void Smmuv3Driver::detach(machine::Cpu& cpu, dma::IommuDomain& domain, const dma::DeviceAddress& device) {
    static_cast<Smmuv3Domain&>(domain).detach(cpu, device.id, device.has_pasid ? device.pasid : 0);
}

void Smmuv3Driver::release(machine::Cpu& cpu, dma::IommuDomain& domain) {
    static_cast<Smmuv3Domain&>(domain).release(cpu);
}

dma::IommuDriver::Counters Smmuv3Driver::counters() const {
    return {{"driver.doorbells", statistics_.doorbells},
            {"driver.commands", statistics_.commands},
            {"driver.syncs", statistics_.syncs},
            {"driver.exchange_attempts", statistics_.exchange_attempts},
            {"driver.exchanges", statistics_.exchanges},
            {"driver.queue_full_waits", statistics_.full_waits}};
}

unsigned Smmuv3Driver::allocate_asid() {
    for (unsigned asid = 1; asid < asids_.size(); ++asid) {
        if (!asids_[asid]) {
            asids_[asid] = true;
            return asid;
        }
    }
    return 0;
}

void Smmuv3Driver::free_asid(unsigned asid) { asids_[asid] = false; }

} // namespace iommusim::smmuv3_driver
