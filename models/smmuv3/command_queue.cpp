#include "models/smmuv3/command_queue.h"

#include "models/smmuv3/configuration.h"
#include "models/smmuv3/interrupt_lines.h"
#include "models/smmuv3/page_walk.h"
#include "models/smmuv3/spec/commands.h"

namespace iommusim::smmuv3 {

using namespace spec;

CommandQueue::CommandQueue(const Parameters& parameters, RegisterFile& registers, MemoryPort& memory,
                           Interrupts& interrupts, EventQueue& events, CommandExecutor& executor,
                           TimedQueue& queue, ProcessList& processes)
    : CommandProcessor(memory, queue, processes),
      parameters_(parameters),
      registers_(registers),
      memory_(memory),
      interrupts_(interrupts),
      events_(events),
      executor_(executor) {
    start();
}

bool CommandQueue::enabled() const {
    return cr0::cmdqen.get(registers_.cr0ack()) != 0 && cr0::cmdqen.get(registers_.cr0()) != 0;
}

bool CommandQueue::runnable() const {
    return enabled() && !registers_.error_active(gerror::cmdq_err) && producer() != consumer() &&
           geometry().consistent(producer(), consumer());
}

void CommandQueue::enable() {
    const QueueConfig config = registers_.command_queue();
    configure(RingGeometry{config.base, config.log2size, static_cast<unsigned>(command::bytes), true},
              registers_.command_producer(), registers_.command_consumer());
}

bool CommandQueue::accept(std::uint32_t producer) {
    if (Probe* probe = executor_.probe())
        probe->on_doorbell(DoorbellEvent{now(), producer});
    return true;
}

void CommandQueue::show(std::uint32_t consumer) {
    const bool was_full = geometry().full(producer(), registers_.command_consumer());
    registers_.set_command_consumer(consumer);
    if (was_full && registers_.features().sev)
        interrupts_.wire(line_wake_event);
}

void CommandQueue::fail(unsigned code) {
    drop();
    registers_.set_command_error(code); // before GERROR, so that software finds the reason
    interrupts_.error(gerror::cmdq_err);
}

Task<Done> CommandQueue::execute(Pace& pace, const FetchedCommand& command) {
    const std::uint64_t* const words = command.words;
    const auto op = static_cast<unsigned>(command::opcode.get(words));
    pace.spend(parameters_.command_decode);
    if (!legal(words)) {
        co_await pace.settle();
        publish(command.index);
        fail(cerror::ill);
        co_return Done{};
    }

    Picoseconds drained = command.started;
    if (op == opcode::sync) {
        drained = co_await drain(pace);
        consume(command.index);
        publish(consumer()); // observable no later than the completion signal
        co_await signal(pace, words);
        ++syncs_;
    } else if (op == opcode::prefetch_config || op == opcode::prefetch_addr) {
        co_await pace.settle();
        prefetch(words);
        consume(command.index);
    } else {
        // To the TBUs, where it takes effect, and back. The TCU's own caches are done in the same time.
        pace.spend(parameters_.link_latency + parameters_.invalidation_lookup);
        co_await pace.settle();
        publish(command.index); // everything before this command has been acknowledged by now
        const CommandContext context{command_name(op), command.index};
        if (op >= opcode::cfgi_ste && op <= opcode::cfgi_cd_all) {
            executor_.invalidate(decode_cfgi(words), context);
        } else {
            const std::uint64_t looked_at = executor_.invalidate(decode_tlbi(words), context);
            pace.spend(looked_at * parameters_.invalidation_probe);
        }
        pace.spend(parameters_.link_latency);
        consume(command.index); // published when its acknowledgement is in
    }
    if (Probe* probe = executor_.probe())
        probe->on_command(CommandEvent{command.index, command_name(op), op == opcode::sync, command.fetched,
                                       command.started, drained, pace.time()});
    co_return Done{};
}

/// A hint; the configuration is what a first access waits for longest.
void CommandQueue::prefetch(const std::uint64_t* words) {
    executor_.prefetch_configuration(static_cast<std::uint32_t>(command::stream_id.get(words)),
                                     command::ssv.get(words) != 0,
                                     static_cast<std::uint32_t>(command::substream_id.get(words)));
}

Task<Picoseconds> CommandQueue::drain(Pace& pace) {
    InflightTable& inflight = executor_.inflight();
    pace.spend(parameters_.link_latency);
    // Nothing new can be marked or has to be waited for from here on: what is drained now stays so.
    if (inflight.drained(drain_group) && events_.settled() == events_.recorded()) {
        const Picoseconds at_once = pace.time();
        pace.spend(parameters_.link_latency + parameters_.sync_overhead);
        co_await pace.settle();
        co_return at_once;
    }
    co_await pace.settle();
    publish(consumer());
    const Picoseconds began = now();
    while (!inflight.drained(drain_group))
        co_await inflight.progress().wait();
    const std::uint64_t recorded = events_.recorded();
    while (events_.settled() < recorded)
        co_await events_.progress().wait();
    const Picoseconds drained = now();
    if (drained != began) {
        drain_stalls_.add(drained - began);
        if (Probe* probe = executor_.probe())
            probe->on_stall(StallEvent{drain_stalls_.reason, began, drained});
    }
    pace.spend(parameters_.link_latency + parameters_.sync_overhead);
    co_await pace.settle();
    co_return drained;
}

Task<Done> CommandQueue::signal(Pace& pace, const std::uint64_t* words) {
    const std::uint64_t cs = sync::cs.get(words);
    if (cs == sync::cs_irq) {
        const std::uint64_t address =
            sync::msi_addr.in_place(words) & low_bits(registers_.features().address_bits());
        const auto data = static_cast<std::uint32_t>(sync::msi_data.get(words));
        if (!registers_.features().msi || sync::msi_addr.in_place(words) == 0) {
            interrupts_.wire(line_command_sync);
            co_return Done{};
        }
        const tlm::tlm_response_status status = co_await memory_.write(pace, address, &data, 4);
        if (status != tlm::TLM_OK_RESPONSE) // the CMD_SYNC counts as consumed all the same
            interrupts_.error(gerror::msi_cmdq_abt_err);
    } else if (cs == sync::cs_sev && registers_.features().sev) {
        interrupts_.wire(line_wake_event);
    }
    co_return Done{};
}

/// Section 4.1.2: opcodes of absent features, reserved opcodes and reserved encodings are CERROR_ILL.
/// Unspecified bits are ignored.
bool CommandQueue::legal(const std::uint64_t* words) const {
    const auto op = static_cast<unsigned>(command::opcode.get(words));
    switch (op) {
    case opcode::prefetch_config:
    case opcode::prefetch_addr:
    case opcode::cfgi_ste:
    case opcode::cfgi_ste_range:
    case opcode::cfgi_cd:
    case opcode::cfgi_cd_all:
        return command::ssec.get(words) == 0;
    case opcode::tlbi_nh_all:
    case opcode::tlbi_nh_asid:
    case opcode::tlbi_nsnh_all:
        return true;
    case opcode::tlbi_nh_va:
    case opcode::tlbi_nh_vaa: {
        if (!registers_.features().range_invalidation)
            return true; // the range fields are RES0
        const std::uint64_t tg = tlbi::tg.get(words);
        const std::uint64_t ttl = tlbi::ttl.get(words);
        const bool any_level = ttl == 0 || (tg == tlbi::tg_16k && ttl == 1);
        return tg == tlbi::tg_none || !any_level || tlbi::num.get(words) != 0 || tlbi::scale.get(words) != 0;
    }
    case opcode::sync:
        return sync::cs.get(words) != 3;
    default: // stage 2, EL2, Secure, ATS, PRI, stall and granule protection commands: not advertised
        return false;
    }
}

TlbInvalidation CommandQueue::decode_tlbi(const std::uint64_t* words) const {
    TlbInvalidation what;
    const std::uint64_t asid = tlbi::asid.get(words);
    switch (command::opcode.get(words)) {
    case opcode::tlbi_nh_asid:
        what.scope = TagScope{Tag{asid, 0}, tag::of_asid};
        return what;
    case opcode::tlbi_nh_va:
        what.scope = TagScope{Tag{asid, 0}, Tag{tag::asid_mask, 0}}; // this ASID or global
        break;
    case opcode::tlbi_nh_vaa:
        break;
    default: // NH_ALL and NSNH_ALL: without stage 2 and EL2, everything
        return what;
    }
    what.by_address = true;
    what.leaf_only = tlbi::leaf.get(words) != 0;
    what.first = canonical(tlbi::address.in_place(words));
    what.last = what.first; // whatever covers the address
    const std::uint64_t tg = registers_.features().range_invalidation ? tlbi::tg.get(words) : tlbi::tg_none;
    if (tg != tlbi::tg_none) {
        const std::uint64_t ttl = tlbi::ttl.get(words);
        what.level = tg == tlbi::tg_16k && ttl == 1 ? 0 : static_cast<unsigned>(ttl);
        const std::uint64_t size = tlbi::range_bytes(tlbi::num.get(words), tlbi::scale.get(words), tg);
        what.last = what.first + (size - 1);
        if (what.last < what.first)
            what.last = ~0ull; // no wrap past the top
    }
    return what;
}

ConfigurationInvalidation CommandQueue::decode_cfgi(const std::uint64_t* words) {
    using Kind = ConfigurationInvalidation::Kind;
    const auto stream = static_cast<std::uint32_t>(command::stream_id.get(words));
    switch (command::opcode.get(words)) {
    case opcode::cfgi_ste_range: {
        const auto range = static_cast<unsigned>(cfgi::range.get(words));
        if (range == cfgi::range_all)
            return {Kind::all, 0, 0, 0};
        const auto first = static_cast<std::uint32_t>(align_down(stream, 2ull << range));
        return {Kind::streams, first, range + 1, 0};
    }
    case opcode::cfgi_cd:
        return {Kind::substream, stream, 0, static_cast<std::uint32_t>(command::substream_id.get(words))};
    default: // CFGI_STE and CFGI_CD_ALL: a context is cached as one entry of STE and CD
        return {Kind::streams, stream, 0, 0};
    }
}

} // namespace iommusim::smmuv3
