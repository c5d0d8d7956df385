#include "drivers/smmuv3/events.h"

#include "models/smmuv3/spec/registers.h"

#include <algorithm>

namespace iommusim::smmuv3_driver {

namespace spec = smmuv3::spec;

FaultRecord decode_event(const std::uint64_t* words) {
    FaultRecord r;
    r.id = static_cast<unsigned>(spec::event::id.get(words));
    r.name = spec::event_name(r.id);
    r.stream_id = static_cast<std::uint32_t>(spec::event::stream_id.get(words));
    r.has_substream = spec::event::ssv.get(words) != 0;
    if (r.has_substream)
        r.substream_id = static_cast<std::uint32_t>(spec::event::substream_id.get(words));
    r.stalled = spec::event::stall.get(words) != 0;
    r.stag = static_cast<unsigned>(spec::event::stag.get(words));
    r.read = spec::event::rnw.get(words) != 0;
    r.instruction = spec::event::ind.get(words) != 0;
    r.privileged = spec::event::pnu.get(words) != 0;
    r.stage2 = spec::event::s2.get(words) != 0;
    r.event_class = static_cast<unsigned>(spec::event::event_class.get(words));
    r.input_address = spec::event::input_addr.get(words);
    r.word3 = words[3];
    return r;
}

EventQueue::EventQueue(const Configuration& configuration, CommandQueue& commands, dma::DriverErrorLog* log,
                       FaultObserver* observer, Statistics& statistics)
    : configuration_(configuration),
      registers_(configuration),
      commands_(commands),
      log_(log),
      observer_(observer),
      statistics_(statistics) {}

bool EventQueue::allocate(machine::Cpu& cpu, const Features& features) {
    size_log2_ = features.event_queue_log2;
    const std::uint64_t page = machine::PageAllocator::page_size;
    const std::uint64_t bytes = spec::event::bytes << size_log2_;
    base_ = cpu.allocate_pages((bytes + page - 1) / page, std::max(bytes, page));
    return base_ != machine::PageAllocator::none;
}

void EventQueue::drain(machine::Cpu& cpu) {
    const std::uint32_t position_mask = (2u << size_log2_) - 1;
    const std::uint32_t index_mask = (1u << size_log2_) - 1;
    std::uint32_t position = consumer_ & position_mask;
    while (true) {
        const std::uint32_t producer = registers_.read(cpu, spec::reg::eventq_prod);
        // Take over the overflow flag together with the index: records were lost behind this point.
        const auto flag = static_cast<std::uint32_t>(spec::eventq_prod::ovflg.in_place(producer));
        const bool overflowed = flag != spec::eventq_cons::ovackflg.in_place(consumer_);
        if (overflowed)
            note_error(log_, DriverError::event_overflow, cpu.time(), producer);
        const std::uint32_t end = producer & position_mask;
        if (position == end) {
            if (overflowed) {
                consumer_ = position | flag;
                registers_.write(cpu, spec::reg::eventq_cons, consumer_);
            }
            return;
        }
        while (position != end) {
            std::uint64_t words[spec::event::words];
            cpu.read(base_ + (position & index_mask) * spec::event::bytes, words, sizeof words);
            handle(cpu, words);
            position = (position + 1) & position_mask;
            consumer_ = position | flag;
            registers_.write(cpu, spec::reg::eventq_cons, consumer_);
        }
    }
}

void EventQueue::handle(machine::Cpu& cpu, const std::uint64_t* words) {
    cpu.spend(configuration_.software.event_handling);
    ++statistics_.events;
    FaultRecord record = decode_event(words);
    record.time = cpu.time();
    if (observer_)
        observer_->on_fault_record(record);
    if (!record.stalled)
        return;
    const bool retry = observer_ != nullptr && observer_->resolve_stall(cpu, record);
    const Command answer = make::resume(record.stream_id, record.stag, retry);
    commands_.submit(cpu, &answer, 1, false);
}

ErrorHandler::ErrorHandler(machine::Machine& machine, const Configuration& configuration,
                           CommandQueue& commands, dma::DriverErrorLog* log, Statistics& statistics)
    : registers_(configuration),
      commands_(commands),
      log_(log),
      statistics_(statistics),
      lock_(machine, "smmuv3 global errors") {}

void ErrorHandler::check_errors(machine::Cpu& cpu) {
    const machine::SpinlockIrqGuard alone(lock_, cpu);
    handle(cpu);
}

void ErrorHandler::report(machine::Cpu& cpu, DriverError error, std::uint64_t detail) {
    note_error(log_, error, cpu.time(), detail);
}

void ErrorHandler::handle(machine::Cpu& cpu) {
    const std::uint32_t gerror = registers_.read(cpu, spec::reg::gerror);
    const std::uint32_t active = gerror ^ registers_.read(cpu, spec::reg::gerrorn);
    constexpr std::uint64_t known =
        spec::gerror::cmdq_err.mask() | spec::gerror::eventq_abt_err.mask() |
        spec::gerror::priq_abt_err.mask() | spec::gerror::msi_cmdq_abt_err.mask() |
        spec::gerror::msi_eventq_abt_err.mask() | spec::gerror::msi_priq_abt_err.mask() |
        spec::gerror::msi_gerror_abt_err.mask() | spec::gerror::sfm_err.mask();
    if (!(active & known))
        return;

    if (spec::gerror::sfm_err.get(active)) {
        report(cpu, DriverError::service_failure, gerror);
        registers_.write_acknowledged(cpu, spec::reg::cr0, spec::reg::cr0ack, 0);
    }
    if (spec::gerror::msi_cmdq_abt_err.get(active) || spec::gerror::msi_eventq_abt_err.get(active) ||
        spec::gerror::msi_priq_abt_err.get(active) || spec::gerror::msi_gerror_abt_err.get(active))
        report(cpu, DriverError::msi_abort, gerror);
    if (spec::gerror::eventq_abt_err.get(active) || spec::gerror::priq_abt_err.get(active))
        report(cpu, DriverError::event_queue_abort, gerror);
    if (spec::gerror::cmdq_err.get(active))
        recover_commands(cpu);
    registers_.write(cpu, spec::reg::gerrorn, gerror);
}

/// The queue has stopped at the command that CMDQ_CONS points to; it goes on there once the error is
/// acknowledged.
void ErrorHandler::recover_commands(machine::Cpu& cpu) {
    const std::uint32_t consumer = registers_.read(cpu, spec::reg::cmdq_cons);
    const std::uint32_t position = consumer & commands_.position_mask();
    ++statistics_.errors_recovered;
    switch (spec::cmdq_cons::err.get(consumer)) {
    case spec::cerror::ill:
        report(cpu, DriverError::command_illegal, position);
        commands_.overwrite_with_sync(cpu, position);
        break;
    case spec::cerror::abt: // retried
        report(cpu, DriverError::command_fetch_abort, position);
        break;
    case spec::cerror::atc_inv_sync: // the CMD_SYNC is executed again
        report(cpu, DriverError::ats_timeout, position);
        break;
    default:
        break;
    }
}

} // namespace iommusim::smmuv3_driver
