#include "models/smmuv3/configuration_fetch.h"

#include "models/smmuv3/spec/context_descriptor.h"
#include "models/smmuv3/spec/events.h"
#include "models/smmuv3/spec/stream_table.h"
#include "models/smmuv3/spec/translation_table.h"

#include <algorithm>
#include <array>

namespace iommusim::smmuv3 {

using namespace spec;

namespace {

/// The configuration cache is indexed by stream and substream as if they were an address.
std::uint64_t cache_key(std::uint64_t owner) {
    return ((owner & tag::stream_mask) << 21) | ((owner >> tag::substream_shift) & 0x1f'ffff);
}

} // namespace

ConfigurationFetch::ConfigurationFetch(const Parameters& parameters, const Features& features,
                                       const RegisterFile& registers, MemoryPort& memory, TimedQueue& queue)
    : parameters_(parameters),
      features_(features),
      registers_(registers),
      memory_(memory),
      cache_(parameters.configuration_entries, parameters.configuration_ways, Replacement::round_robin,
             {tag::of_stream, tag::of_substream}),
      slots_(queue, "configuration walker", parameters.configuration_slots) {}

Configuration ConfigurationFetch::fault(unsigned event, bool cacheable, std::uint64_t fetch_address) {
    Configuration c;
    c.kind = Configuration::Kind::fault;
    c.event = static_cast<std::uint8_t>(event);
    c.cacheable = cacheable;
    c.fetch_address = fetch_address;
    return c;
}

void ConfigurationFetch::invalidate_streams(std::uint32_t first, unsigned log2_count) {
    if (log2_count > 8) { // over-invalidation is legal and this is how rare it is
        invalidate_all();
        return;
    }
    for (std::uint32_t i = 0; i < (1u << log2_count); ++i)
        invalidate_stream(first + i);
}

const Configuration* ConfigurationFetch::find(Pace& pace, std::uint32_t stream, bool has_substream,
                                              std::uint32_t substream) {
    if (pace.debug())
        return nullptr;
    const Tag key{0, tag::owner(stream, has_substream, substream)};
    pace.spend(parameters_.configuration_latency);
    return cache_.find(cache_key(key.owner), key);
}

Task<Configuration> ConfigurationFetch::fetch(Pace& pace, std::uint32_t stream, bool has_substream,
                                              std::uint32_t substream, const bool& stale) {
    const Tag key{0, tag::owner(stream, has_substream, substream)};
    const Resource::Slot slot = co_await slots_.acquire(pace);
    const Configuration configuration = co_await read(pace, stream, has_substream, substream);
    if (configuration.cacheable && !stale && !pace.debug())
        cache_.insert(cache_key(key.owner), 0, key, Tag{0, ~0ull}, configuration);
    co_return configuration;
}

Task<Configuration> ConfigurationFetch::read(Pace& pace, std::uint32_t stream, bool has_substream,
                                             std::uint32_t substream) {
    // 3.3: find the STE.
    const StreamTableConfig table = registers_.stream_table();
    if ((std::uint64_t{stream} >> table.log2size) != 0)
        co_return fault(event_id::c_bad_streamid, false);
    std::uint64_t ste_address = table.base + std::uint64_t{stream} * ste::bytes;
    if (table.two_level) {
        const std::uint64_t l1_address = table.base + (std::uint64_t{stream} >> table.split) * l1std::bytes;
        std::uint64_t l1 = 0;
        const tlm::tlm_response_status status = co_await memory_.read(pace, l1_address, &l1, l1std::bytes);
        if (status != tlm::TLM_OK_RESPONSE)
            co_return fault(event_id::f_ste_fetch, false, l1_address);
        const std::uint64_t span = l1std::span.get(l1);
        const std::uint64_t index = stream & low_bits(table.split);
        if (span == 0 || span > l1std::span_max || span > table.split + 1 || index >= (1ull << (span - 1)))
            co_return fault(event_id::c_bad_streamid, false);
        ste_address = align_down(l1std::l2ptr.in_place(l1), 1ull << (5 + span)) + index * ste::bytes;
    }
    if ((ste_address >> features_.address_bits()) != 0)
        co_return fault(event_id::f_ste_fetch, false, ste_address);
    std::array<std::uint64_t, ste::words> entry{};
    const tlm::tlm_response_status ste_status =
        co_await memory_.read(pace, ste_address, entry.data(), ste::bytes);
    if (ste_status != tlm::TLM_OK_RESPONSE)
        co_return fault(event_id::f_ste_fetch, false, ste_address);

    if (ste::v.get(entry[0]) == 0)
        co_return fault(event_id::c_bad_ste, true);
    Configuration c;
    const std::uint64_t config = ste::config.get(entry[0]);
    if ((config & ste::config_bypass) == 0) {
        c.kind = Configuration::Kind::abort;
        co_return c;
    }
    if (bad_stream_entry(entry.data()))
        co_return fault(event_id::c_bad_ste, true);

    // Section 5.2 and the fault priorities of 7.3: which CD, if any.
    const unsigned cd_bits = features_.ssid_bits ? static_cast<unsigned>(ste::s1cdmax.get(entry[0])) : 0;
    if (config == ste::config_bypass) {
        c.kind = Configuration::Kind::bypass;
        co_return has_substream ? fault(event_id::c_bad_substreamid, true) : c;
    }
    std::uint32_t index = 0;
    if (has_substream) {
        if (cd_bits == 0 || (substream >> cd_bits) != 0)
            co_return fault(event_id::c_bad_substreamid, true);
        if (substream == 0 && ste::s1dss.get(entry.data()) == ste::s1dss_substream_0)
            co_return fault(event_id::f_stream_disabled, true);
        index = substream;
    } else if (cd_bits != 0) {
        const std::uint64_t without = ste::s1dss.get(entry.data());
        if (without == ste::s1dss_bypass) {
            c.kind = Configuration::Kind::bypass;
            co_return c;
        }
        if (without != ste::s1dss_substream_0) // 3 is reserved and behaves as 0
            co_return fault(event_id::f_stream_disabled, true);
    }

    // 5.4: find the CD.
    const std::uint64_t base = ste::s1_context_ptr.in_place(entry[0]);
    std::uint64_t cd_address = base;
    const std::uint64_t format = ste::s1fmt.get(entry[0]);
    if (cd_bits != 0 && (format == ste::s1fmt_two_level_4k || format == ste::s1fmt_two_level_64k)) {
        const unsigned leaf_bits =
            format == ste::s1fmt_two_level_4k ? l1cd::leaf_bits_4k : l1cd::leaf_bits_64k;
        const unsigned l1_bits = cd_bits > leaf_bits ? cd_bits - leaf_bits : 0;
        const std::uint64_t l1_base = align_down(base, std::max<std::uint64_t>(64, l1cd::bytes << l1_bits));
        const std::uint64_t l1_address = l1_base + std::uint64_t{index >> leaf_bits} * l1cd::bytes;
        std::uint64_t l1 = 0;
        const tlm::tlm_response_status status = co_await memory_.read(pace, l1_address, &l1, l1cd::bytes);
        if (status != tlm::TLM_OK_RESPONSE)
            co_return fault(event_id::f_cd_fetch, false, l1_address);
        const std::uint64_t leaf_bytes = cd::bytes << leaf_bits;
        const std::uint64_t leaf = align_down(l1cd::l2ptr.in_place(l1), leaf_bytes);
        if (l1cd::v.get(l1) == 0 || (leaf >> features_.address_bits()) != 0)
            co_return fault(event_id::c_bad_substreamid, true);
        cd_address = leaf + (index & low_bits(leaf_bits)) * cd::bytes;
    } else if (cd_bits != 0) {
        cd_address = align_down(base, cd::bytes << cd_bits) + std::uint64_t{index} * cd::bytes;
    }
    std::array<std::uint64_t, cd::words> descriptor{};
    const tlm::tlm_response_status cd_status =
        co_await memory_.read(pace, cd_address, descriptor.data(), cd::bytes);
    if (cd_status != tlm::TLM_OK_RESPONSE)
        co_return fault(event_id::f_cd_fetch, false, cd_address);
    if (bad_context_descriptor(descriptor.data(), entry.data()))
        co_return fault(event_id::c_bad_cd, true);
    decode_context(descriptor.data(), c);
    co_return c;
}

/// 5.2, STE legality, for V = 1 and Config = 1xx; rules about absent features included.
bool ConfigurationFetch::bad_stream_entry(const std::uint64_t* entry) const {
    const std::uint64_t config = ste::config.get(entry);
    if (config & 2) // stage 2 is not there
        return true;
    if (config != ste::config_stage_1)
        return false;
    // STALL_MODEL is "terminate only": S1STALLD has no effect then. STRW is ignored without Hyp.
    if (features_.ssid_bits != 0) {
        const std::uint64_t cdmax = ste::s1cdmax.get(entry);
        const std::uint64_t format = ste::s1fmt.get(entry);
        if (cdmax > features_.ssid_bits)
            return true;
        if (cdmax != 0 && !features_.two_level_cd &&
            (format == ste::s1fmt_two_level_4k || format == ste::s1fmt_two_level_64k))
            return true;
    }
    return (ste::s1_context_ptr.in_place(entry) >> features_.address_bits()) != 0;
}

/// 5.4, CD legality.
bool ConfigurationFetch::bad_context_descriptor(const std::uint64_t* c, const std::uint64_t*) const {
    if (cd::v.get(c) == 0 || cd::aa64.get(c) == 0)
        return true;
    const bool enabled[2] = {cd::epd0.get(c) == 0, cd::epd1.get(c) == 0};
    if ((enabled[0] || enabled[1]) && cd::endi.get(c) != 0) // TTENDIAN: little-endian only
        return true;
    if (cd::s.get(c) != 0) // STALL_MODEL: terminate only
        return true;
    if (cd::ha.get(c) != 0 || cd::hd.get(c) != 0) // no HTTU
        return true;
    if (!features_.asid16 && (cd::asid.get(c) >> 8) != 0)
        return true;
    const unsigned ips =
        std::min(address_bits(static_cast<unsigned>(cd::ips.get(c))), features_.address_bits());
    const std::uint64_t size[2] = {cd::t0sz.get(c), cd::t1sz.get(c)};
    const std::uint64_t table[2] = {cd::ttb0.in_place(c[1]), cd::ttb1.in_place(c[2])};
    const bool granule_4k_used[2] = {cd::tg0.get(c) == cd::tg0_4k, cd::tg1.get(c) == cd::tg1_4k};
    for (unsigned h = 0; h < 2; ++h) {
        if (!enabled[h])
            continue;
        if (!granule_4k_used[h] || size[h] < txsz_min || size[h] > txsz_max)
            return true;
        const std::uint64_t base = table[h];
        if ((base >> ips) != 0 || (base >> 48) != 0)
            return true;
    }
    return false;
}

void ConfigurationFetch::decode_context(const std::uint64_t* c, Configuration& configuration) const {
    configuration.kind = Configuration::Kind::stage_1;
    configuration.asid = static_cast<std::uint16_t>(cd::asid.get(c));
    configuration.aset = cd::aset.get(c) != 0;
    configuration.output_bits = static_cast<std::uint8_t>(
        std::min(address_bits(static_cast<unsigned>(cd::ips.get(c))), features_.address_bits()));
    configuration.ignore_access_flag = cd::affd.get(c) != 0;
    configuration.write_implies_no_execute = cd::wxn.get(c) != 0;
    configuration.privileged_access_never = cd::pan.get(c) != 0;
    configuration.abort_on_fault = cd::a.get(c) != 0;
    configuration.record_faults = cd::r.get(c) != 0;
    const bool had = features_.hierarchical_attribute_disable;
    configuration.half[0] =
        TranslationHalf{cd::epd0.get(c) == 0, had && cd::had0.get(c) != 0, cd::tbi0.get(c) != 0,
                        static_cast<std::uint8_t>(64 - cd::t0sz.get(c)), cd::ttb0.in_place(c[1])};
    configuration.half[1] =
        TranslationHalf{cd::epd1.get(c) == 0, had && cd::had1.get(c) != 0, cd::tbi1.get(c) != 0,
                        static_cast<std::uint8_t>(64 - cd::t1sz.get(c)), cd::ttb1.in_place(c[2])};
}

} // namespace iommusim::smmuv3
