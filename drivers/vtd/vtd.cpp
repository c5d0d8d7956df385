#include "drivers/vtd/vtd.h"

#include "drivers/vtd/flush.h"
#include "models/vtd/spec/registers.h"
#include "models/vtd/spec/structures.h"

#include <algorithm>
#include <bit>

namespace iommusim::vtd_driver {

namespace spec = vtd::spec;

namespace {

constexpr std::uint32_t mask(Field f) { return static_cast<std::uint32_t>(f.mask()); }

} // namespace

VtdDriver::VtdDriver(machine::Machine& machine, const Configuration& configuration, dma::DriverErrorLog* log,
                     FaultObserver* faults, dma::InvalidationObserver* observer)
    : machine_(machine),
      configuration_(configuration),
      log_(log),
      observer_(observer),
      registers_(configuration_),
      register_lock_(machine, "vtd registers"),
      faults_(configuration_, features_, register_lock_, log, faults, statistics_),
      queue_(machine, configuration_, features_, faults_, log, statistics_),
      register_invalidation_(configuration_, features_, register_lock_, log, statistics_),
      tables_(configuration_, features_) {}

VtdDriver::~VtdDriver() { disconnect_interrupts(); }

void VtdDriver::disconnect_interrupts() {
    if (interrupts_connected_)
        machine_.interrupts().disconnect(configuration_.fault_message.line);
    interrupts_connected_ = false;
}

bool VtdDriver::probe(machine::Cpu& cpu) {
    const std::uint64_t cap = registers_.read64(cpu, spec::reg::cap);
    const std::uint64_t ecap = registers_.read64(cpu, spec::reg::ecap);
    const std::uint32_t version = registers_.read(cpu, spec::reg::ver);
    std::uint64_t lacking = cap;
    if ((cap == ~0ull && ecap == ~0ull) ||
        !decide_features(version, cap, ecap, configuration_, features_, lacking)) {
        note_error(log_, DriverError::unusable_unit, cpu.time(), lacking);
        return false;
    }
    ids_.resize(features_.domain_ids, false);
    ids_[0] = ids_[1] = true; // tag of what caching mode keeps; Linux's id of shared tables
    const std::uint32_t status = registers_.read(cpu, spec::reg::gsts);
    enables_ = status & (mask(spec::gsts::tes) | mask(spec::gsts::qies) | mask(spec::gsts::ires));
    if (!tables_.allocate(cpu) || (features_.queued && !queue_.allocate(cpu))) {
        note_error(log_, DriverError::no_memory, cpu.time(), 0);
        return false;
    }
    return true;
}

/// One field of GCMD at a time; the one-shot bits are not remembered.
bool VtdDriver::command(machine::Cpu& cpu, std::uint32_t bit, bool set, std::uint32_t status_mask,
                        std::uint32_t expected) {
    machine::SpinlockIrqGuard guard(register_lock_, cpu);
    const bool one_shot = (bit & spec::gcmd::one_shot_mask) != 0;
    const std::uint32_t value = set ? enables_ | bit : enables_ & ~bit;
    if (!one_shot)
        enables_ = value;
    registers_.write(cpu, spec::reg::gcmd, value);
    if (registers_.poll(cpu, spec::reg::gsts, 4, status_mask, expected))
        return true;
    note_error(log_, DriverError::status_timeout, cpu.time(), value);
    return false;
}

bool VtdDriver::enable(machine::Cpu& cpu, std::uint32_t bit) { return command(cpu, bit, true, bit, bit); }
bool VtdDriver::disable(machine::Cpu& cpu, std::uint32_t bit) { return command(cpu, bit, false, bit, 0); }

void VtdDriver::flush_write_buffers(machine::Cpu& cpu) {
    command(cpu, mask(spec::gcmd::wbf), true, mask(spec::gsts::wbfs), 0);
}

Submission VtdDriver::invalidate(machine::Cpu& cpu, const Descriptor* descriptors, unsigned count) {
    constexpr std::uint32_t none = dma::InvalidationRecord::no_queue;
    if (queue_.enabled())
        return queue_.submit(cpu, descriptors, count);
    if (features_.queued) // switched off
        return {none, none, false};
    bool completed = true;
    for (unsigned i = 0; i < count; ++i) {
        const bool done = register_invalidation_.carry_out(cpu, descriptors[i]);
        completed = completed && done;
    }
    return {none, none, completed};
}

void VtdDriver::submit(machine::Cpu& cpu, const Descriptor& descriptor) {
    invalidate(cpu, &descriptor, configuration_.faults.skip_context ? 0 : 1);
}

bool VtdDriver::set_root_table(machine::Cpu& cpu) {
    std::uint64_t root = tables_.root();
    root |=
        spec::rtaddr::ttm.make(features_.scalable ? spec::rtaddr::ttm_scalable : spec::rtaddr::ttm_legacy);
    registers_.write64(cpu, spec::reg::rtaddr, root);
    if (!command(cpu, mask(spec::gcmd::srtp), true, mask(spec::gsts::rtps), mask(spec::gsts::rtps)))
        return false;
    if (features_.srtp_invalidates)
        return true;
    submit(cpu, make::context_global());
    if (features_.scalable)
        submit(cpu, make::pasid_cache_global());
    submit(cpu, make::iotlb_global(features_.drain_reads, features_.drain_writes));
    return true;
}

/// Whatever ran before us may have left the unit on. The queue must be empty before it goes off.
bool VtdDriver::stop_predecessor(machine::Cpu& cpu) {
    if (enables_ & mask(spec::gcmd::te) && !disable(cpu, mask(spec::gcmd::te)))
        return false;
    if ((enables_ & mask(spec::gcmd::qie)) == 0)
        return true;
    if (!queue_.drain(cpu))
        note_error(log_, DriverError::status_timeout, cpu.time(), mask(spec::gcmd::qie));
    return disable(cpu, mask(spec::gcmd::qie));
}

void VtdDriver::set_up_interrupts(machine::Cpu& cpu) {
    if (configuration_.fault_message.address == 0)
        return;
    machine_.interrupts().connect(configuration_.fault_message.line,
                                  machine_.cpu(configuration_.interrupt_cpu),
                                  [this](machine::Cpu& handler) { faults_.handle(handler); });
    interrupts_connected_ = true;
    faults_.enable(cpu);
}

bool VtdDriver::start(machine::Cpu& cpu) {
    if (!configuration_.use_unit)
        return true;
    if (!probe(cpu))
        return false;
    if (!stop_predecessor(cpu))
        return false;
    if (features_.queued) {
        queue_.program(cpu);
        if (!enable(cpu, mask(spec::gcmd::qie)))
            return false;
        queue_.set_enabled(true);
    }
    if (features_.write_buffers)
        flush_write_buffers(cpu);
    if (!set_root_table(cpu))
        return false;
    set_up_interrupts(cpu);
    if (!enable(cpu, mask(spec::gcmd::te)))
        return false;
    // Firmware may have protected memory until translation is on.
    if (spec::cap::plmr.get(features_.cap) || spec::cap::phmr.get(features_.cap)) {
        registers_.write(cpu, spec::reg::pmen, 0);
        registers_.poll(cpu, spec::reg::pmen, 4, spec::pmen::prs.mask(), 0);
    }
    return true;
}

void VtdDriver::shutdown(machine::Cpu& cpu) {
    if (enables_ & mask(spec::gcmd::te))
        disable(cpu, mask(spec::gcmd::te));
    if (enables_ & mask(spec::gcmd::qie)) {
        queue_.set_enabled(false);
        disable(cpu, mask(spec::gcmd::qie));
    }
    if (interrupts_connected_)
        faults_.disable(cpu);
    disconnect_interrupts();
}

std::uint16_t VtdDriver::allocate_id() {
    for (std::size_t id = 2; id < ids_.size(); ++id)
        if (!ids_[id]) {
            ids_[id] = true;
            return static_cast<std::uint16_t>(id);
        }
    return 0;
}

/// Everything that memory has, with the largest pages.
bool VtdDriver::make_identity_tables(machine::Cpu& cpu) {
    if (identity_root_ != 0)
        return true;
    const std::uint16_t id = allocate_id();
    if (id == 0)
        return false;
    identity_ = std::make_unique<VtdDomain>(*this, VtdDomain::Kind::second_stage, "vtd identity", id);
    if (!identity_->initialise(cpu))
        return false;
    const std::uint64_t page = std::bit_floor(identity_->page_sizes());
    const std::uint64_t end = align_up(configuration_.memory_end, page);
    std::uint64_t mapped = 0;
    if (identity_->map_pages(cpu, 0, 0, page, end / page,
                             dma::prot_read | dma::prot_write | dma::prot_coherent,
                             mapped) != dma::Status::ok)
        return false;
    identity_root_ = identity_->root();
    return true;
}

std::unique_ptr<dma::IommuDomain> VtdDriver::create_domain(machine::Cpu& cpu,
                                                           const dma::DomainRequest& request) {
    dma::Stage stage = request.stage != dma::Stage::automatic ? request.stage : configuration_.stage;
    if (stage == dma::Stage::automatic)
        stage = features_.first_stage ? dma::Stage::first : dma::Stage::second;
    VtdDomain::Kind kind = VtdDomain::Kind::second_stage;
    bool possible = features_.second_stage;
    if (stage == dma::Stage::first) {
        kind = VtdDomain::Kind::first_stage;
        possible = features_.first_stage;
    } else if (stage == dma::Stage::nested) {
        kind = VtdDomain::Kind::nested;
        possible = features_.nested && features_.first_stage && make_identity_tables(cpu);
    }
    const std::uint16_t id = possible ? allocate_id() : 0;
    if (id == 0)
        return nullptr;
    auto domain = std::make_unique<VtdDomain>(*this, kind, request.name, id);
    if (domain->initialise(cpu))
        return domain;
    ids_[id] = false;
    note_error(log_, DriverError::no_memory, cpu.time(), 0);
    return nullptr;
}

bool VtdDriver::has_context(std::uint16_t source) const {
    const auto next = attached_.lower_bound({source, 0});
    return next != attached_.end() && next->first.first == source;
}

bool VtdDriver::attach(machine::Cpu& cpu, dma::IommuDomain& target, const dma::DeviceAddress& device) {
    auto& domain = static_cast<VtdDomain&>(target);
    if (device.id > 0xffff || (device.has_pasid && (device.pasid == 0 || !features_.pasid)))
        return false;
    const Attachment attachment{static_cast<std::uint16_t>(device.id), device.has_pasid ? device.pasid : 0,
                                device.device_tlb && features_.device_tlb};
    const Key key{attachment.source, attachment.pasid};
    const auto current = attached_.find(key);
    if (current != attached_.end()) {
        if (current->second == &domain)
            return true;
        detach(cpu, *current->second, device);
    }
    if (!(features_.scalable ? attach_pasid(cpu, domain, attachment)
                             : attach_legacy(cpu, domain, attachment)))
        return false;
    attached_[key] = &domain;
    domain.add(cpu, attachment);
    return true;
}

bool VtdDriver::attach_legacy(machine::Cpu& cpu, VtdDomain& domain, const Attachment& a) {
    if (!tables_.write_context(cpu, a.source, domain.legacy_context(a.device_tlb)))
        return false;
    if (features_.caching_mode) {
        submit(cpu, make::context_device(0, a.source)); // what was not there has domain 0
        submit(cpu, make::iotlb_domain(domain.id(), features_.drain_reads, features_.drain_writes));
    } else if (features_.write_buffers) {
        flush_write_buffers(cpu);
    }
    return true;
}

bool VtdDriver::attach_pasid(machine::Cpu& cpu, VtdDomain& domain, const Attachment& a) {
    const std::uint64_t directory = tables_.directory(cpu, a.source);
    if (directory == 0 || !tables_.write_pasid(cpu, a.source, a.pasid, domain.pasid_entry()))
        return false;
    if (!has_context(a.source)) {
        DeviceTables::ContextEntry entry{};
        std::uint64_t* const words = entry.data();
        words[0] |= spec::scalable_context::pasiddirptr.in_place(directory);
        spec::scalable_context::pdts.set(words, tables_.directory_size_code());
        spec::scalable_context::dte.set(words, a.device_tlb);
        spec::scalable_context::paside.set(words, features_.pasid);
        spec::scalable_context::p.set(words, 1);
        if (!tables_.write_context(cpu, a.source, entry))
            return false;
        if (features_.caching_mode)
            submit(cpu, make::context_device(0, a.source));
    }
    if (features_.caching_mode) {
        submit(cpu, make::pasid_cache(domain.id(), a.pasid)); // and what was not there, which has domain 0
        submit(cpu, domain.kind() == VtdDomain::Kind::second_stage
                        ? make::iotlb_domain(domain.id(), features_.drain_reads, features_.drain_writes)
                        : make::pasid_iotlb_all(domain.id(), a.pasid));
    } else if (features_.write_buffers) {
        flush_write_buffers(cpu);
    }
    return true;
}

void VtdDriver::detach(machine::Cpu& cpu, dma::IommuDomain& target, const dma::DeviceAddress& device) {
    auto& domain = static_cast<VtdDomain&>(target);
    const Key key{static_cast<std::uint16_t>(device.id), device.has_pasid ? device.pasid : 0};
    const auto found = attached_.find(key);
    if (found == attached_.end() || found->second != &domain)
        return;
    const auto known = std::find(domain.attachments().begin(), domain.attachments().end(),
                                 Attachment{key.first, key.second, false});
    const Attachment attachment = *known;
    attached_.erase(found);
    if (features_.scalable)
        detach_pasid(cpu, domain, attachment);
    else
        detach_legacy(cpu, domain, attachment);
    domain.remove(cpu, attachment);
}

void VtdDriver::detach_legacy(machine::Cpu& cpu, VtdDomain& domain, const Attachment& a) {
    tables_.revoke_context(cpu, a.source);
    submit(cpu, make::context_device(domain.id(), a.source));
    submit(cpu, make::iotlb_domain(domain.id(), features_.drain_reads, features_.drain_writes));
    if (a.device_tlb)
        submit(cpu, make::device_tlb(a.source, everything, configuration_.device_queue_depth));
    tables_.finish_context(cpu, a.source);
}

void VtdDriver::detach_pasid(machine::Cpu& cpu, VtdDomain& domain, const Attachment& a) {
    tables_.revoke_pasid(cpu, a.source, a.pasid);
    submit(cpu, make::pasid_cache(domain.id(), a.pasid));
    submit(cpu, domain.kind() == VtdDomain::Kind::first_stage
                    ? make::pasid_iotlb_all(domain.id(), a.pasid)
                    : make::iotlb_domain(domain.id(), features_.drain_reads, features_.drain_writes));
    if (a.device_tlb) {
        const unsigned depth = configuration_.device_queue_depth;
        submit(cpu, a.pasid == 0 ? make::device_tlb(a.source, everything, depth)
                                 : make::pasid_device_tlb(a.source, a.pasid, everything, depth));
    }
    tables_.finish_pasid(cpu, a.source, a.pasid);
    if (has_context(a.source))
        return;
    tables_.revoke_context(cpu, a.source);
    submit(cpu, make::context_device(domain.id(), a.source));
    submit(cpu, make::pasid_cache_domain(domain.id()));
    tables_.finish_context(cpu, a.source);
}

void VtdDriver::release(machine::Cpu& cpu, dma::IommuDomain& target) {
    auto& domain = static_cast<VtdDomain&>(target);
    while (!domain.attachments().empty()) {
        const Attachment a = domain.attachments().back();
        detach(cpu, domain, {a.source, a.pasid, a.pasid != 0, a.device_tlb});
    }
    domain.flush_iotlb_all(cpu); // before the id and the table pages may be used for something else
    domain.release_tables(cpu);
    ids_[domain.id()] = false;
}

dma::IommuDriver::Counters VtdDriver::counters() const {
    const Statistics& s = statistics_;
    return {{"driver.doorbells", s.doorbells},
            {"driver.commands", s.descriptors},
            {"driver.syncs", s.waits},
            {"driver.queue_full_waits", s.full_waits},
            {"driver.status_reads", s.status_reads},
            {"driver.retries", s.retries},
            {"driver.map_flushes", s.map_flushes},
            {"driver.domain_flushes", s.domain_flushes},
            {"driver.fault_records", s.fault_records}};
}

} // namespace iommusim::vtd_driver
