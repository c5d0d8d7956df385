#include "models/soc/device_tlb_pipeline.h"

#include "models/base/bits.h"
#include "models/soc/device_tlb_tag.h"

namespace iommusim::soc {

using device_tlb_tag::tag_of;

namespace {

RequesterExtension& extension_of(tlm::tlm_generic_payload& payload) {
    RequesterExtension* extension = payload.get_extension<RequesterExtension>();
    if (!extension) { // stays with the payload, which frees it; without one it would mean the same
        extension = new RequesterExtension;
        payload.set_extension(extension);
    }
    return *extension;
}

} // namespace

DeviceTlbPipeline::DeviceTlbPipeline(TimedQueue& queue, UnitPort& unit, const DeviceTlbParameters& parameters)
    : upstream("upstream", queue, *this, 0, parameters.outstanding, parameters.lookup_latency),
      downstream("downstream", queue),
      page_requests(queue, unit, parameters, statistics_),
      queue_(queue),
      unit_(unit),
      parameters_(parameters),
      cache_(parameters.entries, parameters.ways, static_cast<Replacement>(parameters.replacement)),
      uses_(queue),
      translation_slots_(queue, "translation request", parameters.translation_outstanding),
      free_groups_((1u << parameters.invalidation_parallel) - 1),
      requests_(queue, *this) {}

void DeviceTlbPipeline::enable_translation(bool on) {
    enabled_ = on;
    if (on)
        return;
    cache_.remove_scope(TagScope::everything());
    overtake(TagScope::everything(), 0, ~0ull);
}

// ---- accesses

bool DeviceTlbPipeline::serve_at_once(ClientAccess& access) {
    const Entry* const entry = translates(access) ? find(access, access.address) : nullptr;
    if (!entry || entry->untranslated_only || access.length == 0 ||
        entry->last - access.address < access.length - 1)
        return false;
    tlm::tlm_generic_payload& payload = *access.payload;
    const Route route = use(access, access.address, *entry);
    ++statistics_.hits;
    report(access, route, access.address, access.length, false);
    RequesterExtension& extension = extension_of(payload);
    extension.requester.address_type = AddressType::translated;
    payload.set_address(route.output);
    downstream.forward_at_once(access.pace, payload);
    payload.set_address(access.address);
    extension.requester.address_type = AddressType::untranslated;
    payload.set_dmi_allowed(false);
    report(access, route, access.address, access.length, true);
    uses_.leave(access.inflight);
    return true;
}

Process DeviceTlbPipeline::serve(ClientAccess& access) {
    tlm::tlm_generic_payload& payload = *access.payload;
    tlm::tlm_response_status status = tlm::TLM_OK_RESPONSE;
    for (unsigned done = 0;;) {
        const std::uint64_t address = access.address + done;
        Route route;
        if (!route_at_once(access, address, route))
            route = co_await resolve(access, address);
        const bool translated = route.kind == Route::Kind::translated;
        const unsigned left = access.length - done;
        const std::uint64_t room = route.last - address;
        const unsigned part = room < left ? static_cast<unsigned>(room + 1) : left;
        if (translated)
            report(access, route, address, part, false);

        if (route.kind == Route::Kind::refused) {
            status = route.status;
        } else if (part == access.length) {
            payload.set_address(route.output);
            if (translated)
                extension_of(payload).requester.address_type = AddressType::translated;
            status = co_await downstream.forward(access.pace, payload);
            if (translated)
                extension_of(payload).requester.address_type = AddressType::untranslated;
            payload.set_address(access.address);
        } else if (payload.get_byte_enable_ptr() || payload.get_streaming_width() < access.length) {
            status = tlm::TLM_BURST_ERROR_RESPONSE; // only plain bursts may cross a page
        } else {
            OwnPayload& piece = take_payload(access.requester, payload.get_command(), route.output,
                                             payload.get_data_ptr() + done, part);
            if (translated)
                piece.requester.requester.address_type = AddressType::translated;
            status = co_await downstream.forward(access.pace, piece);
            piece.release();
        }

        if (translated) {
            report(access, route, address, part, true);
            if (access.inflight.marked()) // a completion waits for the response to arrive here
                co_await access.pace.settle();
            uses_.leave(access.inflight);
        }
        done += part;
        if (status != tlm::TLM_OK_RESPONSE || done >= access.length)
            break;
        access.pace.spend(parameters_.lookup_latency);
        co_await access.pace.settle();
    }
    payload.set_response_status(status);
    payload.set_dmi_allowed(false);
    if (access.pace.timed())
        access.port.respond(access);
}

/// What is cached for the address, if it allows the access.
const DeviceTlbPipeline::Entry* DeviceTlbPipeline::find(const ClientAccess& access, std::uint64_t address) {
    const Entry* const entry = cache_.find(address, tag_of(access.requester));
    return entry && (entry->untranslated_only || entry->allows(access)) ? entry : nullptr;
}

/// False: a translation has to be asked for.
bool DeviceTlbPipeline::route_at_once(ClientAccess& access, std::uint64_t address, Route& route) {
    if (!translates(access)) {
        route.output = address;
        return true;
    }
    const Entry* const entry = find(access, address);
    if (!entry) {
        ++statistics_.misses;
        return false;
    }
    ++statistics_.hits;
    route = use(access, address, *entry);
    return true;
}

/// From here on the access uses the entry: nothing may come between finding and using it.
DeviceTlbPipeline::Route DeviceTlbPipeline::use(ClientAccess& access, std::uint64_t address,
                                                const Entry& entry) {
    Route route;
    route.last = entry.last;
    if (entry.untranslated_only) {
        ++statistics_.untranslated;
        route.output = address;
        return route;
    }
    route.kind = Route::Kind::translated;
    route.output = entry.output + (address - entry.first);
    route.cached_at = entry.cached_at;
    uses_.enter(access.inflight);
    access.inflight.tag = tag_of(access.requester);
    access.inflight.insists = Tag{~0ull, ~0ull};
    access.inflight.address = entry.first;
    access.inflight.last = entry.last;
    access.inflight.has_translation = true;
    return route;
}

Task<DeviceTlbPipeline::Route> DeviceTlbPipeline::resolve(ClientAccess& access, std::uint64_t address) {
    const std::uint64_t page = align_down(address, page_bytes);
    for (std::uint64_t asked = 0;;) {
        const Answer answer = co_await request_translation(access.pace, access.requester, page);
        // Software may have disabled ATS meanwhile.
        if (!translates(access) || answer.kind == Answer::Kind::unsupported) {
            ++statistics_.untranslated;
            Route route;
            route.output = address;
            route.last = page + (page_bytes - 1);
            co_return route;
        }
        if (answer.kind == Answer::Kind::aborted)
            co_return refusal(access, address, answer.status);
        const Entry& entry = answer.entry;
        const bool allowed =
            answer.kind == Answer::Kind::entry && (entry.untranslated_only || entry.allows(access));
        if (allowed && !answer.shared)
            co_return use(access, address, entry);
        if (allowed || answer.kind == Answer::Kind::overtaken) {
            if (const Entry* const cached = find(access, address))
                co_return use(access, address, *cached);
            continue;
        }
        const tlm::tlm_response_status denial =
            entry.empty() ? tlm::TLM_ADDRESS_ERROR_RESPONSE : tlm::TLM_COMMAND_ERROR_RESPONSE;
        if (!page_requests.enabled() || asked == parameters_.page_request_retries)
            co_return refusal(access, address, denial);
        ++asked;
        const AtsPageResponse::Code code =
            co_await page_requests.ask(access.pace, access.requester, page, access.write);
        if (code != AtsPageResponse::success)
            co_return refusal(access, address, denial);
        ++statistics_.retries;
    }
}

DeviceTlbPipeline::Route DeviceTlbPipeline::refusal(const ClientAccess& access, std::uint64_t address,
                                                    tlm::tlm_response_status status) {
    Route route;
    route.output = address;
    route.last = align_down(address, page_bytes) + (page_bytes - 1);
    if (parameters_.on_refusal != 0) {
        ++statistics_.untranslated;
        return route;
    }
    ++statistics_.refused;
    route.kind = Route::Kind::refused;
    route.status = status;
    if (probe_)
        probe_->on_fault(TranslationFault{access.pace.time(), access.requester, address, access.write,
                                          "device TLB: not allowed"});
    return route;
}

void DeviceTlbPipeline::report(const ClientAccess& access, const Route& route, std::uint64_t address,
                               unsigned length, bool observable) {
    if (!probe_)
        return;
    const TranslationUse use{access.pace.time(), access.requester, address,      length,
                             route.output,       access.write,     "device TLB", route.cached_at};
    if (observable)
        probe_->on_observable(use, access.pace.timed() ? now() : access.pace.time());
    else
        probe_->on_translation(use);
}

unsigned DeviceTlbPipeline::debug(DevicePort&, tlm::tlm_generic_payload& payload) {
    return downstream.socket->transport_dbg(payload); // the IOMMU knows better than what is cached here
}

bool DeviceTlbPipeline::grant_dmi(DevicePort&, tlm::tlm_generic_payload&, tlm::tlm_dmi& grant) {
    grant.init();
    return false;
}

} // namespace iommusim::soc
