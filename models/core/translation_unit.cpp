#include "models/core/translation_unit.h"

#include "models/base/bits.h"
#include "models/core/ats.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace iommusim {

namespace {

tlm::tlm_response_status refusal(const Translation& translation) {
    return translation.permission_fault ? tlm::TLM_COMMAND_ERROR_RESPONSE : tlm::TLM_ADDRESS_ERROR_RESPONSE;
}

/// A device reads any error but "unsupported request" as a completer abort.
tlm::tlm_response_status refusal_of_request(const Translation& translation) {
    return translation.unsupported ? ats_completion::unsupported_request : tlm::TLM_ADDRESS_ERROR_RESPONSE;
}

TranslationUse use_of(const ClientAccess& access, std::uint64_t address, unsigned length, Picoseconds when) {
    return TranslationUse{when,
                          access.requester,
                          address,
                          length,
                          access.answer.output,
                          access.write,
                          access.answer.served_by,
                          access.answer.cached_at};
}

} // namespace

void TranslationUnit::look_up_piece(ClientAccess& access, std::uint64_t address) {
    access.lookup = translate_at_once(access, address, access.answer) ? ClientAccess::Lookup::answered
                                                                      : ClientAccess::Lookup::missed;
}

void TranslationUnit::report_begin(const ClientAccess& access, std::uint64_t address, unsigned length) {
    if (access.answer.outcome == Translation::Outcome::pass)
        probe_->on_translation(use_of(access, address, length, access.pace.time()));
    else if (access.answer.outcome == Translation::Outcome::abort ||
             access.answer.outcome == Translation::Outcome::discard)
        probe_->on_fault(TranslationFault{access.pace.time(), access.requester, address, access.write,
                                          access.answer.fault});
}

bool TranslationUnit::serve_at_once(ClientAccess& access) {
    if (access.requester.address_type == AddressType::translation_request)
        return false;
    inflight_.enter(access.inflight);
    const Translation& answer = translate_now(access, access.address);
    if (answer.outcome != Translation::Outcome::pass || access.length == 0 ||
        answer.last - access.address < access.length - 1)
        return false;

    tlm::tlm_generic_payload& payload = *access.payload;
    const Picoseconds began = probe_ ? access.pace.time() : 0;
    if (probe_)
        report_begin(access, access.address, access.length);
    payload.set_address(answer.output);
    downstream(access.port).forward_at_once(access.pace, payload);
    payload.set_address(access.address);
    if (probe_)
        probe_->on_observable(use_of(access, access.address, access.length, began), access.pace.time());
    inflight_.leave(access.inflight);
    return true;
}

Process TranslationUnit::serve(ClientAccess& access) {
    tlm::tlm_generic_payload& payload = *access.payload;
    MemoryPort& memory = downstream(access.port);
    const Translation& answer = access.answer;
    const bool translation_request = access.requester.address_type == AddressType::translation_request;
    TranslationOrder* const order = order_of(access);
    std::uint64_t number = 0;
    Resource::Slot place;
    if (order) {
        place = co_await order->enter(access.pace);
        number = order->number();
    }
    if (access.lookup == ClientAccess::Lookup::not_begun) {
        inflight_.enter(access.inflight);
        if (!translation_request)
            look_up_piece(access, access.address);
    }

    tlm::tlm_response_status status = tlm::TLM_OK_RESPONSE;
    if (translation_request)
        status = co_await answer_translation_request(access);
    if (translation_request && order) {
        co_await order->turn(number);
        order->pass();
    }
    for (unsigned done = 0; !translation_request;) {
        const std::uint64_t address = access.address + done;
        if (access.lookup == ClientAccess::Lookup::missed && access.pace.timed())
            access.answer = co_await translate(access, address);
        else if (access.lookup == ClientAccess::Lookup::missed)
            translate_untimed(access, address, access.answer);
        if (order && done == 0) {
            co_await access.pace.settle();
            co_await order->turn(number);
            order->pass();
            if (access.write) // posted; a read keeps its place until the data is back
                place.release();
        }
        const unsigned left = access.length - done;
        const std::uint64_t room = answer.last - address;
        const unsigned part = room < left ? static_cast<unsigned>(room + 1) : left;
        const Picoseconds began = probe_ ? access.pace.time() : 0;
        if (probe_)
            report_begin(access, address, part);

        if (answer.outcome == Translation::Outcome::discard) {
            if (!access.write)
                std::memset(payload.get_data_ptr() + done, 0, part);
        } else if (answer.outcome == Translation::Outcome::abort) {
            status = refusal(answer);
        } else if (answer.outcome == Translation::Outcome::message) {
            status =
                co_await memory.write(access.pace, answer.output, &answer.message, sizeof answer.message);
        } else if (answer.outcome == Translation::Outcome::done) {
            status = tlm::TLM_OK_RESPONSE;
        } else if (part == access.length) {
            payload.set_address(answer.output);
            status = co_await memory.forward(access.pace, payload);
            payload.set_address(access.address);
        } else if (payload.get_byte_enable_ptr() || payload.get_streaming_width() < access.length) {
            status = tlm::TLM_BURST_ERROR_RESPONSE; // only plain bursts may cross a page
        } else if (access.write) {
            status = co_await memory.write(access.pace, answer.output, payload.get_data_ptr() + done, part);
        } else {
            status = co_await memory.read(access.pace, answer.output, payload.get_data_ptr() + done, part);
        }
        // At the target; what a timed pace is ahead is the way back.
        if (probe_ && answer.outcome == Translation::Outcome::pass)
            probe_->on_observable(use_of(access, address, part, began),
                                  access.pace.timed() ? now() : access.pace.time());
        done += part;
        if (status != tlm::TLM_OK_RESPONSE || done >= access.length)
            break;
        look_up_piece(access, access.address + done);
    }

    payload.set_response_status(status);
    if (access.inflight.marked()) // a completion waits: the unit knows when the response has arrived
        co_await access.pace.settle();
    inflight_.leave(access.inflight);
    if (access.pace.timed())
        access.port.respond(access);
}

/// One completion entry for each page from the address on. The first that cannot be translated ends the list;
/// only if there is none before it, it decides how the request is answered.
Task<tlm::tlm_response_status> TranslationUnit::answer_translation_request(ClientAccess& access) {
    tlm::tlm_generic_payload& payload = *access.payload;
    const unsigned entries = access.length / 8;
    if (access.write || entries == 0)
        co_return tlm::TLM_COMMAND_ERROR_RESPONSE;
    std::memset(payload.get_data_ptr(), 0, access.length);
    std::uint64_t address = align_down(access.address, 4096);
    for (unsigned i = 0; i < entries; ++i, address += 4096) {
        look_up_piece(access, address);
        if (access.lookup == ClientAccess::Lookup::missed && access.pace.timed())
            access.answer = co_await translate(access, address);
        else if (access.lookup == ClientAccess::Lookup::missed)
            translate_untimed(access, address, access.answer);
        const Translation& answer = access.answer;
        if (probe_ && answer.outcome == Translation::Outcome::abort && answer.fault[0] != 0)
            probe_->on_fault(
                TranslationFault{access.pace.time(), access.requester, address, false, answer.fault});
        if (answer.outcome != Translation::Outcome::pass) {
            const bool refused = i == 0 && !answer.empty;
            co_return refused ? refusal_of_request(answer) : tlm::TLM_OK_RESPONSE;
        }
        // Bypass has no page size of its own; what is told is bounded so that an invalidation stays small.
        const std::uint64_t extent = answer.last - answer.first;
        const unsigned size_log2 =
            extent >= low_bits(30) ? 30 : static_cast<unsigned>(std::bit_width(extent));
        std::uint64_t entry = ats_completion::encode_address(answer.output, size_log2);
        if (answer.may_read)
            entry |= ats_completion::read;
        if (answer.may_write)
            entry |= ats_completion::write;
        if (answer.untranslated_only)
            entry |= ats_completion::untranslated_only;
        std::memcpy(payload.get_data_ptr() + i * 8, &entry, 8);
    }
    co_return tlm::TLM_OK_RESPONSE;
}

/// For paces that never suspend.
const Translation& TranslationUnit::translate_now(ClientAccess& access, std::uint64_t address) {
    if (!translate_at_once(access, address, access.answer))
        translate_untimed(access, address, access.answer);
    access.lookup = ClientAccess::Lookup::answered;
    return access.answer;
}

Translation TranslationUnit::look_up(const Requester& requester, std::uint64_t address, bool write) {
    ClientAccess access(any_port(), Pacing::debug, queue_);
    access.requester = requester;
    access.address = address;
    access.length = 1;
    access.write = write;
    return translate_now(access, address);
}

unsigned TranslationUnit::debug(DevicePort& port, tlm::tlm_generic_payload& payload) {
    ClientAccess access(port, Pacing::debug, queue_);
    access.payload = &payload;
    access.requester = requester_of(payload);
    access.address = payload.get_address();
    access.length = payload.get_data_length();
    access.write = payload.is_write();
    unsigned char* const data = payload.get_data_ptr();

    unsigned done = 0;
    while (done < access.length) {
        const std::uint64_t address = access.address + done;
        const Translation translation = translate_now(access, address);
        if (translation.outcome != Translation::Outcome::pass)
            break;
        const std::uint64_t room = translation.last - address;
        const unsigned part = std::min<std::uint64_t>(room, access.length - done - 1) + 1;
        payload.set_address(translation.output);
        payload.set_data_ptr(data + done);
        payload.set_data_length(part);
        const unsigned moved = downstream(port).socket->transport_dbg(payload);
        done += moved;
        if (moved != part)
            break;
    }
    payload.set_address(access.address);
    payload.set_data_ptr(data);
    payload.set_data_length(access.length);
    return done;
}

bool TranslationUnit::grant_dmi(DevicePort& port, tlm::tlm_generic_payload& payload, tlm::tlm_dmi& grant) {
    const std::uint64_t address = payload.get_address();
    ClientAccess access(port, Pacing::debug, queue_);
    access.requester = requester_of(payload);
    access.address = address;
    access.length = 1;
    access.write = payload.is_write();
    const Translation page = translate_now(access, address);

    grant.init();
    grant.set_start_address(page.first);
    grant.set_end_address(page.last);
    if (page.outcome != Translation::Outcome::pass)
        return false;

    payload.set_address(page.output);
    const bool granted = downstream(port).socket->get_direct_mem_ptr(payload, grant);
    payload.set_address(address);
    // What the target granted, seen through the page: output addresses back to input addresses, clipped to
    // the page.
    const std::uint64_t page_output = page.output - (address - page.first);
    const std::uint64_t page_output_last = page_output + (page.last - page.first);
    const std::uint64_t first = std::max<std::uint64_t>(grant.get_start_address(), page_output);
    const std::uint64_t last = std::min<std::uint64_t>(grant.get_end_address(), page_output_last);
    if (granted)
        grant.set_dmi_ptr(grant.get_dmi_ptr() + (first - grant.get_start_address()));
    grant.set_start_address(first - page_output + page.first);
    grant.set_end_address(last - page_output + page.first);
    if (!granted)
        return false;

    if (!page.may_write)
        grant.set_granted_access(grant.is_read_allowed() ? tlm::tlm_dmi::DMI_ACCESS_READ
                                                         : tlm::tlm_dmi::DMI_ACCESS_NONE);
    else if (!page.may_read)
        grant.set_granted_access(grant.is_write_allowed() ? tlm::tlm_dmi::DMI_ACCESS_WRITE
                                                          : tlm::tlm_dmi::DMI_ACCESS_NONE);
    const std::uint64_t alias = access.inflight.has_translation ? access.inflight.address - page.first : 0;
    const DmiGrant mine{&port,
                        access.inflight.tag,
                        access.inflight.insists,
                        grant.get_start_address(),
                        grant.get_end_address(),
                        alias};
    const bool known = std::any_of(grants_.begin(), grants_.end(), [&](const DmiGrant& g) {
        return g.port == mine.port && g.tag == mine.tag && g.first == mine.first && g.last == mine.last;
    });
    if (!known)
        grants_.push_back(mine);
    return true;
}

void TranslationUnit::revoke_dmi(const TagScope& scope, std::uint64_t first, std::uint64_t last) {
    for (std::size_t i = 0; i < grants_.size();) {
        const DmiGrant grant = grants_[i];
        if (grant.first + grant.alias <= last && grant.last + grant.alias >= first &&
            scope.covers(grant.tag, grant.insists)) {
            grants_.erase(grants_.begin() + static_cast<std::ptrdiff_t>(i));
            grant.port->revoke_dmi(grant.first, grant.last);
        } else {
            ++i;
        }
    }
}

void TranslationUnit::revoke_all_dmi() { revoke_dmi(TagScope::everything(), 0, ~0ull); }

} // namespace iommusim
