#include "models/vtd/interrupt_remapping.h"

#include "models/vtd/spec/faults.h"

namespace iommusim::vtd {

using namespace spec;

namespace {

InterruptOutcome blocked(unsigned reason, std::uint64_t index = 0, bool no_record = false) {
    InterruptOutcome outcome;
    outcome.reason = static_cast<std::uint8_t>(reason);
    outcome.index = index;
    outcome.no_record = no_record;
    return outcome;
}

InterruptOutcome passed_through(std::uint64_t address, std::uint32_t data) {
    InterruptOutcome outcome;
    outcome.kind = InterruptOutcome::Kind::message;
    outcome.address = address;
    outcome.data = data;
    return outcome;
}

/// The message address of an APIC id, which has 8 bits unless in x2APIC mode.
std::uint64_t message_address(std::uint64_t id) {
    return interrupt_window_first | compatibility_message::destination.make(id) |
           compatibility_message::destination_upper.make(id >> 8);
}

} // namespace

InterruptRemapping::InterruptRemapping(const Parameters& parameters, const Features& features,
                                       const RegisterFile& registers, MemoryPort& memory, Messages& messages,
                                       TimedQueue& queue)
    : parameters_(parameters),
      features_(features),
      registers_(registers),
      memory_(memory),
      messages_(messages),
      queue_(queue),
      cache_(parameters.interrupt_entries, parameters.interrupt_ways,
             static_cast<Replacement>(parameters.replacement)) {}

Task<InterruptOutcome> InterruptRemapping::remap(Pace& pace, std::uint16_t source, std::uint64_t address,
                                                 std::uint32_t data, const InflightTable::Entry& inflight) {
    const InterruptTable table = registers_.interrupt_table();
    if (!registers_.status(gsts::ires))
        co_return passed_through(address, data);
    if (msi_address::format.get(address) == msi_address::format_compatibility) {
        if (!table.x2apic && registers_.status(gsts::cfis))
            co_return passed_through(address, data);
        co_return blocked(fault_reason::ir_compatibility_blocked);
    }

    const bool subhandle_valid = msi_address::shv.get(address) != 0;
    if (address > interrupt_window_last || (subhandle_valid && msi_data::reserved.get(data) != 0))
        co_return blocked(fault_reason::ir_request_reserved);
    // Not cut to 16 bits: a sum beyond them is beyond every table.
    const std::uint64_t index =
        msi_address::handle(address) + (subhandle_valid ? msi_data::subhandle.get(data) : 0);
    const std::uint64_t where = table.base + index * irte::bytes;
    if (index >= table.entries || (where >> features_.host_address_bits) != 0)
        co_return blocked(fault_reason::ir_index_beyond_table, index);

    Entry entry;
    const Entry* known = nullptr;
    if (!pace.debug()) {
        pace.spend(parameters_.interrupt_latency);
        co_await pace.settle();
        known = cache_.find(index, Tag{});
    }
    if (known) {
        entry = *known;
    } else {
        const tlm::tlm_response_status status = co_await memory_.read(pace, where, entry.words, irte::bytes);
        if (status != tlm::TLM_OK_RESPONSE)
            co_return blocked(fault_reason::ir_table_access, index);
        if (const unsigned reason = entry_error(entry))
            co_return blocked(reason, index, irte::fpd.get(entry.words) != 0);
        if (!pace.debug() && !inflight.stale)
            cache_.insert(index, 0, Tag{}, Tag{}, entry);
    }
    if (const unsigned reason = use_error(entry, source))
        co_return blocked(reason, index, irte::fpd.get(entry.words) != 0);

    InterruptOutcome outcome;
    outcome.index = index;
    if (irte::im.get(entry.words) == 0) {
        remap_with(entry, outcome);
        remapped_ += !pace.debug();
        co_return outcome;
    }
    outcome.kind = InterruptOutcome::Kind::posted;
    if (pace.debug())
        co_return outcome;
    const unsigned reason = co_await post(pace, entry);
    if (reason != fault_reason::none)
        co_return blocked(reason, index, irte::fpd.get(entry.words) != 0);
    ++posted_;
    co_return outcome;
}

unsigned InterruptRemapping::entry_error(const Entry& entry) const {
    const std::uint64_t* const words = entry.words;
    if (irte::p.get(words) == 0)
        return fault_reason::ir_entry_not_present;
    const bool posted = irte::im.get(words) != 0;
    const bool x2apic = registers_.interrupt_table().x2apic;
    const std::uint64_t reserved0 = posted   ? irte::posted_reserved0
                                    : x2apic ? irte::remapped_reserved0
                                             : irte::remapped_xapic_reserved0;
    const std::uint64_t reserved1 = posted ? irte::posted_reserved1 : irte::remapped_reserved1;
    if (((words[0] & reserved0) | (words[1] & reserved1)) != 0 || irte::svt.get(words) == irte::svt_reserved)
        return fault_reason::ir_entry_reserved;
    return fault_reason::none;
}

unsigned InterruptRemapping::use_error(const Entry& entry, std::uint16_t source) const {
    const std::uint64_t* const words = entry.words;
    bool verified = true;
    if (irte::svt.get(words) == irte::svt_sid) {
        const std::uint16_t ignored = function_mask(irte::sq.get(words)); // SQ leaves out what FM does
        verified = ((source ^ irte::sid.get(words)) & 0xffffu & ~ignored) == 0;
    } else if (irte::svt.get(words) == irte::svt_bus_range) {
        const unsigned bus = source >> 8;
        verified = bus >= irte::first_bus.get(words) && bus <= irte::last_bus.get(words);
    }
    if (!verified)
        return fault_reason::ir_source_id;
    if (irte::im.get(words) != 0 && !features_.posted_interrupts)
        return fault_reason::ir_entry_reserved;
    return fault_reason::none;
}

void InterruptRemapping::remap_with(const Entry& entry, InterruptOutcome& outcome) const {
    const std::uint64_t* const words = entry.words;
    const std::uint64_t destination =
        registers_.interrupt_table().x2apic ? irte::dst.get(words) : irte::dst_xapic.get(words);
    outcome.kind = InterruptOutcome::Kind::message;
    outcome.address = message_address(destination) |
                      compatibility_message::redirection_hint.make(irte::rh.get(words)) |
                      compatibility_message::destination_mode.make(irte::dm.get(words));
    outcome.data =
        static_cast<std::uint32_t>(compatibility_message::vector.make(irte::vector.get(words)) |
                                   compatibility_message::delivery_mode.make(irte::dlm.get(words)) |
                                   compatibility_message::level_assert.make(1) |
                                   compatibility_message::trigger_mode.make(irte::tm.get(words)));
}

/// Sets the vector's request bit and, if a notification is due, ON; the result is the reason for a fault.
Task<unsigned> InterruptRemapping::post(Pace& pace, const Entry& entry) {
    const std::uint64_t where = irte::descriptor_address(entry.words);
    std::uint64_t descriptor[posted_descriptor::words] = {};
    const tlm::tlm_response_status status =
        co_await memory_.read(pace, where, descriptor, posted_descriptor::bytes);
    if (status != tlm::TLM_OK_RESPONSE)
        co_return fault_reason::ir_posted_descriptor_access;
    co_await pace.settle();

    // The line is here: read, change and write it at this instant, so that nothing comes between. TLM has no
    // atomic accesses; debug accesses stand in for them.
    Pace instant(Pacing::debug, queue_);
    const tlm::tlm_response_status again =
        co_await memory_.read(instant, where, descriptor, posted_descriptor::bytes);
    if (again != tlm::TLM_OK_RESPONSE)
        co_return fault_reason::ir_posted_descriptor_access;
    if ((descriptor[4] & posted_descriptor::reserved4) != 0)
        co_return fault_reason::ir_posted_descriptor_reserved;
    posted_descriptor::pir(static_cast<unsigned>(irte::vector.get(entry.words))).set(descriptor, 1);
    const bool urgent = irte::urg.get(entry.words) != 0;
    const bool due =
        posted_descriptor::on.get(descriptor) == 0 && (urgent || posted_descriptor::sn.get(descriptor) == 0);
    if (due)
        posted_descriptor::on.set(descriptor, 1);
    const tlm::tlm_response_status written =
        co_await memory_.write(instant, where, descriptor, posted_descriptor::bytes);
    if (written != tlm::TLM_OK_RESPONSE)
        co_return fault_reason::ir_posted_descriptor_access;
    if (due)
        notify(descriptor);
    co_return fault_reason::none;
}

void InterruptRemapping::notify(const std::uint64_t* descriptor) {
    const std::uint64_t destination = registers_.interrupt_table().x2apic
                                          ? posted_descriptor::ndst.get(descriptor)
                                          : posted_descriptor::ndst_xapic.get(descriptor);
    ++notifications_;
    messages_.send(
        message_address(destination),
        static_cast<std::uint32_t>(compatibility_message::vector.make(posted_descriptor::nv.get(descriptor)) |
                                   compatibility_message::level_assert.make(1)));
}

void InterruptRemapping::invalidate(const InterruptEntryInvalidation& what) {
    if (what.global)
        cache_.remove_scope(TagScope::everything());
    else
        cache_.remove_range(what.first, std::uint64_t{what.first} + what.count - 1, TagScope::everything());
}

} // namespace iommusim::vtd
