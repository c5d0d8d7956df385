// Root, context, PASID directory and PASID entries as read from memory: checks in the order of the fault
// conditions of chapter 7.1, then what the fields say.
#include "models/vtd/configuration_fetch.h"

#include "models/vtd/spec/faults.h"
#include "models/vtd/spec/structures.h"

namespace iommusim::vtd {

using namespace spec;

Configuration ConfigurationFetch::fault(unsigned reason, bool no_record, bool cacheable) const {
    Configuration c;
    c.kind = Configuration::Kind::fault;
    c.reason = static_cast<std::uint8_t>(reason);
    c.no_record = no_record;
    c.cacheable = cacheable && features_.caching_mode;
    c.scalable = scalable();
    return c;
}

ConfigurationFetch::Context ConfigurationFetch::bad_context(unsigned reason, bool no_record,
                                                            bool cacheable) const {
    Context context;
    context.configuration = fault(reason, no_record, cacheable);
    context.scalable = scalable();
    return context;
}

// ---- legacy mode

Task<ConfigurationFetch::Context> ConfigurationFetch::read_legacy_context(Pace& pace, std::uint16_t source) {
    const std::uint64_t root_address = registers_.root_table().base + root::offset(source);
    std::array<std::uint64_t, root::words> root_entry{};
    const tlm::tlm_response_status root_status =
        co_await memory_.read(pace, root_address, root_entry.data(), root::bytes);
    if (root_status != tlm::TLM_OK_RESPONSE)
        co_return bad_context(fault_reason::legacy_root_access, false, false);
    if (!root::p.get(root_entry.data()))
        co_return bad_context(fault_reason::legacy_root_not_present, false, true);
    const std::uint64_t table = root::ctp.in_place(root_entry[0]);
    if ((root_entry[0] & root::reserved0) || (root_entry[1] & root::reserved1) || beyond_width(table))
        co_return bad_context(fault_reason::legacy_root_reserved, false, true);

    std::array<std::uint64_t, context::words> entry{};
    const tlm::tlm_response_status status =
        co_await memory_.read(pace, table + context::offset(source), entry.data(), context::bytes);
    if (status != tlm::TLM_OK_RESPONSE)
        co_return bad_context(fault_reason::legacy_context_access, false, false);
    const bool no_record = context::fpd.get(entry.data()) != 0;
    if (!context::p.get(entry.data()))
        co_return bad_context(fault_reason::legacy_context_not_present, no_record, true);
    if (bad_legacy_context(entry.data()))
        co_return bad_context(fault_reason::legacy_context_reserved, no_record, true);
    const std::uint64_t type = context::tt.get(entry.data());
    if (type == context::tt_reserved || (type == context::tt_all && !features_.device_tlb) ||
        (type == context::tt_pass_through && !features_.pass_through))
        co_return bad_context(fault_reason::legacy_invalid_context, no_record, true);
    Context decoded;
    decode_legacy_context(entry.data(), decoded);
    co_return decoded;
}

bool ConfigurationFetch::bad_legacy_context(const std::uint64_t* e) const {
    if ((e[0] & context::reserved0) || (e[1] & context::reserved1))
        return true;
    if ((context::did.get(e) >> features_.domain_id_bits) != 0)
        return true;
    return context::tt.get(e) != context::tt_pass_through && beyond_width(context::slptptr.in_place(e));
}

void ConfigurationFetch::decode_legacy_context(const std::uint64_t* e, Context& decoded) const {
    Configuration& c = decoded.configuration;
    const std::uint64_t type = context::tt.get(e);
    const unsigned table_levels = address_width::levels(context::aw.get(e));
    const bool supported = features_.supports_levels(table_levels);
    if (!supported)
        decoded.invalid_width = fault_reason::legacy_invalid_context;
    c.kind = type == context::tt_pass_through ? Configuration::Kind::pass_through
                                              : Configuration::Kind::second_stage;
    c.cacheable = supported || features_.caching_mode;
    c.no_record = context::fpd.get(e) != 0;
    c.domain = static_cast<std::uint16_t>(context::did.get(e));
    c.device_tlb = type == context::tt_all;
    c.second_levels = static_cast<std::uint8_t>(table_levels);
    c.second_root = context::slptptr.in_place(e);
    c.snoop_walk = features_.coherent_walks;
}

// ---- scalable mode

Task<ConfigurationFetch::Context> ConfigurationFetch::read_scalable_context(Pace& pace,
                                                                            std::uint16_t source) {
    const std::uint64_t root_address = registers_.root_table().base + root::offset(source);
    std::array<std::uint64_t, scalable_root::words> root_entry{};
    const tlm::tlm_response_status root_status =
        co_await memory_.read(pace, root_address, root_entry.data(), scalable_root::bytes);
    if (root_status != tlm::TLM_OK_RESPONSE)
        co_return bad_context(fault_reason::sm_root_access, false, false);
    const bool upper = scalable_root::upper_half(source);
    const Field present = upper ? scalable_root::up : scalable_root::lp;
    const Field pointer = upper ? scalable_root::uctp : scalable_root::lctp;
    if (!present.get(root_entry.data()))
        co_return bad_context(fault_reason::sm_root_not_present, false, true);
    const std::uint64_t table = pointer.in_place(root_entry.data());
    const std::uint64_t reserved = upper ? scalable_root::reserved1 : scalable_root::reserved0;
    if ((root_entry[present.word()] & reserved) || beyond_width(table))
        co_return bad_context(fault_reason::sm_root_reserved, false, true);

    std::array<std::uint64_t, scalable_context::words> entry{};
    const tlm::tlm_response_status status = co_await memory_.read(
        pace, table + scalable_context::offset(source), entry.data(), scalable_context::bytes);
    if (status != tlm::TLM_OK_RESPONSE)
        co_return bad_context(fault_reason::sm_context_access, false, false);
    const std::uint64_t* const e = entry.data();
    const bool no_record = scalable_context::fpd.get(e) != 0;
    if (!scalable_context::p.get(e))
        co_return bad_context(fault_reason::sm_context_not_present, no_record, true);
    if (bad_scalable_context(e))
        co_return bad_context(fault_reason::sm_context_reserved, no_record, true);
    const std::uint64_t directory_size = scalable_context::pdts.get(e);
    if (directory_size != 0 && features_.pasid_bits < scalable_context::pasid_bits(directory_size))
        co_return bad_context(fault_reason::sm_invalid_context, no_record, true);

    Context decoded;
    decoded.scalable = true;
    decoded.pasids = scalable_context::paside.get(e) != 0;
    decoded.pasid_bits = static_cast<std::uint8_t>(scalable_context::pasid_bits(directory_size));
    decoded.rid_pasid = static_cast<std::uint32_t>(scalable_context::rid_pasid.get(e));
    decoded.directory = scalable_context::pasiddirptr.in_place(e);
    Configuration& c = decoded.configuration;
    c.scalable = true;
    c.no_record = no_record;
    c.device_tlb = scalable_context::dte.get(e) != 0;
    c.page_requests = scalable_context::pre.get(e) != 0;
    c.privileged = scalable_context::rid_priv.get(e) != 0;
    co_return decoded;
}

bool ConfigurationFetch::bad_scalable_context(const std::uint64_t* e) const {
    using namespace scalable_context;
    std::uint64_t absent0 = reserved0;
    if (!features_.device_tlb)
        absent0 |= dte.mask();
    if (!features_.pasid)
        absent0 |= paside.mask();
    if (!features_.page_requests)
        absent0 |= pre.mask();
    std::uint64_t absent1 = reserved1;
    if (!features_.rid_pasid)
        absent1 |= rid_pasid.mask();
    if (!features_.rid_priv)
        absent1 |= rid_priv.mask();
    return (e[0] & absent0) || (e[1] & absent1) || (e[2] & reserved2) || (e[3] & reserved3) ||
           beyond_width(pasiddirptr.in_place(e));
}

Task<Configuration> ConfigurationFetch::read_pasid_entry(Pace& pace, std::uint64_t directory,
                                                         std::uint32_t pasid) {
    std::uint64_t pointer = 0;
    const tlm::tlm_response_status directory_status = co_await memory_.read(
        pace, directory + pasid_directory::offset(pasid), &pointer, pasid_directory::bytes);
    if (directory_status != tlm::TLM_OK_RESPONSE)
        co_return fault(fault_reason::sm_pasid_directory_access, false, false);
    bool no_record = pasid_directory::fpd.get(pointer) != 0;
    if (!pasid_directory::p.get(pointer))
        co_return fault(fault_reason::sm_pasid_directory_not_present, no_record, true);
    const std::uint64_t table = pasid_directory::smptblptr.in_place(pointer);
    if ((pointer & pasid_directory::reserved0) || beyond_width(table))
        co_return fault(fault_reason::sm_pasid_directory_reserved, no_record, true);

    std::array<std::uint64_t, pasid_entry::words> entry{};
    const tlm::tlm_response_status status =
        co_await memory_.read(pace, table + pasid_entry::offset(pasid), entry.data(), pasid_entry::bytes);
    if (status != tlm::TLM_OK_RESPONSE)
        co_return fault(fault_reason::sm_pasid_entry_access, no_record, false);
    no_record = no_record || pasid_entry::fpd.get(entry.data());
    if (!pasid_entry::p.get(entry.data()))
        co_return fault(fault_reason::sm_pasid_entry_not_present, no_record, true);
    if (bad_pasid_entry(entry.data()))
        co_return fault(fault_reason::sm_pasid_entry_reserved, no_record, true);
    if (invalid_pasid_entry(entry.data()))
        co_return fault(fault_reason::sm_invalid_pasid_entry, no_record, true);
    Configuration decoded;
    decode_pasid_entry(entry.data(), decoded);
    decoded.no_record = no_record;
    co_return decoded;
}

/// Reserved bits, fields of absent features included. Table pointers count where the entry type uses them.
bool ConfigurationFetch::bad_pasid_entry(const std::uint64_t* e) const {
    using namespace pasid_entry;
    const std::uint64_t absent0 =
        reserved0 | slee.mask() | (features_.second_stage_accessed_dirty ? 0 : slade.mask());
    const std::uint64_t memory_types =
        cd.mask() | emte.mask() | emt.mask() | pwt.mask() | pcd.mask() | pat.mask();
    const std::uint64_t absent1 = reserved1 | memory_types | (features_.page_walk_snoop ? 0 : pwsnp.mask()) |
                                  (features_.snoop_control ? 0 : pgsnp.mask());
    const std::uint64_t absent2 = reserved2 | ere.mask() | smep.mask() |
                                  (features_.supervisor_requests ? 0 : sre.mask()) |
                                  (features_.extended_accessed_flag ? 0 : eafe.mask());
    if ((e[0] & absent0) || (e[1] & absent1) || (e[2] & absent2))
        return true;
    for (unsigned word = first_reserved_word; word < words; ++word)
        if (e[word] != 0)
            return true;
    if ((did.get(e) >> features_.domain_id_bits) != 0)
        return true;
    const std::uint64_t type = pgtt.get(e);
    if ((type == pgtt_second_stage || type == pgtt_nested) && beyond_width(slptptr.in_place(e)))
        return true;
    return type == pgtt_first_stage && beyond_width(flptptr.in_place(e));
}

/// PGTT, AW and FLPM.
bool ConfigurationFetch::invalid_pasid_entry(const std::uint64_t* e) const {
    using namespace pasid_entry;
    const std::uint64_t type = pgtt.get(e);
    const std::uint64_t mode = flpm.get(e);
    const bool width_supported = features_.supports_levels(address_width::levels(aw.get(e)));
    const bool mode_supported =
        mode == flpm_4_level || (mode == flpm_5_level && features_.first_stage_5_level);
    switch (type) {
    case pgtt_first_stage:
        return !features_.first_stage || !mode_supported;
    case pgtt_second_stage:
        return !features_.second_stage || !width_supported;
    case pgtt_nested:
        return !features_.nested || !width_supported || !mode_supported;
    case pgtt_pass_through:
        return !features_.pass_through;
    default:
        return true;
    }
}

void ConfigurationFetch::decode_pasid_entry(const std::uint64_t* e, Configuration& c) const {
    using namespace pasid_entry;
    switch (pgtt.get(e)) {
    case pgtt_first_stage:
        c.kind = Configuration::Kind::first_stage;
        break;
    case pgtt_second_stage:
        c.kind = Configuration::Kind::second_stage;
        break;
    case pgtt_nested:
        c.kind = Configuration::Kind::nested;
        break;
    default:
        c.kind = Configuration::Kind::pass_through;
        break;
    }
    c.scalable = true;
    c.domain = static_cast<std::uint16_t>(did.get(e));
    c.second_levels = static_cast<std::uint8_t>(address_width::levels(aw.get(e)));
    c.second_root = slptptr.in_place(e);
    c.first_levels = flpm.get(e) == flpm_5_level ? 5 : 4;
    c.first_root = flptptr.in_place(e);
    c.second_accessed_dirty = slade.get(e) != 0;
    c.snoop_walk = pwsnp.get(e) != 0;
    c.force_snoop = pgsnp.get(e) != 0;
    c.supervisor = sre.get(e) != 0;
    c.write_protect = wpe.get(e) != 0;
    c.extended_accessed = eafe.get(e) != 0;
}

} // namespace iommusim::vtd
