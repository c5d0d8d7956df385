#include "tests/conformance/rules/vtd_rules.h"

#include <bit>

namespace iommusim::rules {

using namespace vtd::test;
namespace spec = vtd::spec;

namespace {

/// The level of a page's leaf entry.
unsigned level_of(std::uint64_t bytes) { return bytes >= page_1g ? 3 : bytes >= page_2m ? 2 : 1; }

} // namespace

// ---- common

RuleTraits VtdRules::common_traits() {
    RuleTraits t;
    t.ways = {By::address, By::range, By::space, By::everything};
    t.page_sizes = {page_4k, page_2m, page_1g};
    t.table_reads = 4;
    t.index_covers_effects = false;
    t.caches_absent_pages = false;
    t.caches_absent_configuration = false;
    t.global_pages = false; // a page with G = 1 still belongs to one PASID of one domain
    t.nearest_cache = "IOTLB";
    return t;
}

BenchOptions VtdRules::bench_options(const RuleOptions& options) {
    BenchOptions o;
    o.interconnect = options.interconnect;
    while (spec::iqa::queue_bytes(o.queue_size) / spec::descriptor::bytes_256 < options.queue_entries)
        ++o.queue_size;
    if (options.link_latency != 0) // what makes effects take long here
        o.parameters.invalidation_lookup = options.link_latency;
    if (options.tlb_entries != 0)
        o.parameters.iotlb_entries = options.tlb_entries;
    return o;
}

VtdRules::VtdRules(const RuleTraits& traits, const RuleOptions& options, const BenchOptions& bench,
                   unsigned levels, std::uint64_t table_bits, std::uint64_t page_bits)
    : RuleBench(traits),
      vtd_(bench),
      record_faults_(options.record_faults),
      tables_{Bench::Table(vtd_, levels, table_bits), Bench::Table(vtd_, levels, table_bits)},
      page_bits_(page_bits) {
    if (bench.parameters.caching_mode)
        absent_.insert(0);
}

void VtdRules::map(std::uint64_t address, std::uint64_t output, std::uint64_t bytes, unsigned space) {
    tables_[space].map(address, output, page_bits_, level_of(bytes));
}

void VtdRules::unmap(std::uint64_t address, std::uint64_t bytes, unsigned space) {
    tables_[space].set(address, 0, level_of(bytes));
}

std::uint64_t VtdRules::table_entry(std::uint64_t address, unsigned read, unsigned space) {
    return tables_[space].entry(address, tables_[space].levels() - read);
}

void VtdRules::attach(std::uint32_t id, unsigned space) {
    configure(source(id), space);
    spaces_[id] = space;
    domains(id).insert(domain(space));
}

void VtdRules::redirect(std::uint32_t id, unsigned space, unsigned through) {
    reconfigure(source(id), space, through);
    spaces_[id] = space;
    domains(id).insert(domain(space));
}

void VtdRules::forget(std::uint32_t id) {
    std::set<std::uint16_t>& named = domains(id);
    named = absent_;
    if (const auto found = spaces_.find(id); found != spaces_.end())
        named.insert(domain(found->second));
}

void VtdRules::forget_all() {
    for (const auto& [id, space] : spaces_)
        forget(id);
}

unsigned VtdRules::address_mask(const Invalidation& range) {
    const std::uint64_t first = range.address / page_4k;
    const std::uint64_t last = (range.address + range.bytes - 1) / page_4k;
    return static_cast<unsigned>(std::bit_width(first ^ last));
}

std::uint64_t VtdRules::copy_table(std::uint64_t table) {
    const std::uint64_t copy = vtd_.allocate(spec::table_bytes, spec::table_bytes);
    std::memcpy(vtd_.memory.bytes() + copy, vtd_.memory.bytes() + table, spec::table_bytes);
    return copy;
}

unsigned VtdRules::room() {
    const std::uint64_t slots = vtd_.slots();
    return static_cast<unsigned>((vtd_.head() + slots - vtd_.tail() - 1) % slots);
}

void VtdRules::put_completion() {
    vtd_.queue_wait();
    completed_with_.push_back(queued() + 1);
}

std::uint64_t VtdRules::done() {
    const std::uint32_t waits = vtd_.completed_waits();
    return waits == 0 ? 0 : completed_with_[waits - 1];
}

// ---- legacy mode

RuleTraits VtdLegacyRules::describe() {
    RuleTraits t = common_traits();
    t.name = "VtdLegacy";
    t.configuration_reads = 2; // root entry, context entry
    t.page_command = "iotlb_inv";
    return t;
}

VtdLegacyRules::VtdLegacyRules(const RuleOptions& options)
    : VtdLegacyRules(describe(), options, bench_options(options)) {}

VtdLegacyRules::VtdLegacyRules(const RuleTraits& traits, const RuleOptions& options,
                               const BenchOptions& bench)
    : VtdRules(traits, options, bench, 4, second_rw, second_rw) {
    attach(device_id, 0);
    attach(other_device_id, 1);
}

ContextEntry VtdLegacyRules::context(unsigned space) const {
    return legacy_context(tables_[space].root(), domain(space)).with(spec::context::fpd, !record_faults_);
}

void VtdLegacyRules::configure(std::uint16_t id, unsigned space) { vtd_.roots.set(id, context(space)); }

void VtdLegacyRules::reconfigure(std::uint16_t id, unsigned space, unsigned through) {
    if (through == 0) {
        const std::uint64_t offset = spec::context::offset(id);
        const std::uint64_t table = copy_table(vtd_.roots.context_entry(id) - offset);
        vtd_.poke(table + offset, context(space));
        vtd_.poke(vtd_.roots.root_entry(id), table | spec::root::p.make(1));
    } else {
        configure(id, space);
    }
}

std::uint64_t VtdLegacyRules::configuration_address(unsigned read) {
    return read == 0 ? vtd_.roots.root_entry(source(device_id)) : vtd_.roots.context_entry(source(device_id));
}

unsigned VtdLegacyRules::put(const Invalidation& i) {
    const std::uint16_t did = domain(i.space);
    switch (i.by) {
    case By::address:
        vtd_.queue(iotlb_pages(did, i.address, 0, !i.tables));
        break;
    case By::range:
        vtd_.queue(iotlb_pages(did, i.address, address_mask(i), !i.tables));
        break;
    case By::space:
        vtd_.queue(iotlb_domain(did));
        break;
    default:
        vtd_.queue(iotlb_global());
        break;
    }
    return 1;
}

/// Translations are tagged with the domain: those of the old one may stay.
unsigned VtdLegacyRules::put_device_invalidation(std::uint32_t id) {
    unsigned commands = 0;
    for (const std::uint16_t did : domains(id)) {
        vtd_.queue(cc_device(did, id));
        ++commands;
    }
    forget(id);
    return commands;
}

unsigned VtdLegacyRules::put_configuration_invalidation() {
    vtd_.queue(cc_global());
    forget_all();
    return 1;
}

RuleTraits VtdCachingModeRules::describe() {
    RuleTraits t = VtdLegacyRules::describe();
    t.name = "VtdCachingMode";
    t.caches_absent_pages = true;
    t.caches_absent_configuration = true;
    return t;
}

VtdCachingModeRules::VtdCachingModeRules(const RuleOptions& options)
    : VtdLegacyRules(describe(), options, [&options] {
          constexpr std::uint64_t overlapped = 1;
          BenchOptions o = bench_options(options);
          o.parameters.caching_mode = 1;
          o.parameters.queue_execution = overlapped;
          return o;
      }()) {}

// ---- scalable mode

RuleTraits VtdScalableRules::describe() {
    RuleTraits t = common_traits();
    t.name = "VtdScalable";
    t.configuration_reads = 4; // root, context, PASID directory and PASID table entry
    t.page_command = "p_iotlb_inv";
    return t;
}

VtdScalableRules::VtdScalableRules(const RuleOptions& options)
    : VtdRules(
          describe(), options,
          [&options] {
              BenchOptions o = bench_options(options);
              o.mode = spec::rtaddr::ttm_scalable;
              return o;
          }(),
          4, first_rw | spec::first_stage::a.make(1), first_used) {
    attach(device_id, 0);
    attach(other_device_id, 1);
}

PasidEntry VtdScalableRules::entry(unsigned space) const {
    return first_stage_pasid(tables_[space].root(), domain(space))
        .with(spec::pasid_entry::fpd, !record_faults_);
}

VtdScalableRules::Bench::Pasids& VtdScalableRules::renew_pasids(std::uint16_t id, unsigned space) {
    std::unique_ptr<Bench::Pasids>& table = pasids_[id];
    table = std::make_unique<Bench::Pasids>(vtd_);
    table->set(0, entry(space));
    return *table;
}

void VtdScalableRules::configure(std::uint16_t id, unsigned space) {
    vtd_.scalable_roots.set(
        id, scalable_context(renew_pasids(id, space).directory(), Bench::Pasids::directory_size));
}

void VtdScalableRules::reconfigure(std::uint16_t id, unsigned space, unsigned through) {
    if (through == 0) {
        const std::uint64_t offset = spec::scalable_context::offset(id);
        const std::uint64_t table = copy_table(vtd_.scalable_roots.context_entry(id) - offset);
        vtd_.poke(table + offset,
                  scalable_context(renew_pasids(id, space).directory(), Bench::Pasids::directory_size));
        vtd_.poke(vtd_.scalable_roots.root_entry(id), table | spec::scalable_root::lp.make(1));
    } else if (through == 1) {
        configure(id, space);
    } else if (through == 2) {
        const std::uint64_t table = copy_table(pasids_[id]->entry(0));
        vtd_.poke(table, entry(space));
        vtd_.poke(pasids_[id]->directory_entry(0), table | spec::pasid_directory::p.make(1));
    } else {
        pasids_[id]->set(0, entry(space));
    }
}

std::uint64_t VtdScalableRules::configuration_address(unsigned read) {
    const std::uint16_t id = source(device_id);
    switch (read) {
    case 0:
        return vtd_.scalable_roots.root_entry(id);
    case 1:
        return vtd_.scalable_roots.context_entry(id);
    case 2:
        return pasids_[id]->directory_entry(0);
    default:
        return pasids_[id]->entry(0);
    }
}

unsigned VtdScalableRules::put(const Invalidation& i) {
    const std::uint16_t did = domain(i.space);
    switch (i.by) {
    case By::address:
        vtd_.queue(p_iotlb_pages(did, 0, i.address, 0, !i.tables));
        break;
    case By::range:
        vtd_.queue(p_iotlb_pages(did, 0, i.address, address_mask(i), !i.tables));
        break;
    case By::space:
        vtd_.queue(p_iotlb_pasid(did, 0));
        break;
    default:
        vtd_.queue(iotlb_global());
        break;
    }
    return 1;
}

unsigned VtdScalableRules::put_device_invalidation(std::uint32_t id) {
    vtd_.queue(cc_device(0, id)); // the context entry names no domain
    unsigned commands = 1;
    for (const std::uint16_t did : domains(id)) {
        vtd_.queue(pc_pasid(did, 0));
        ++commands;
    }
    forget(id);
    return commands;
}

unsigned VtdScalableRules::put_configuration_invalidation() {
    vtd_.queue(cc_global());
    vtd_.queue(pc_global());
    forget_all();
    return 2;
}

/// Of the context entry alone: the PASID entry may have changed too.
unsigned VtdScalableRules::put_narrow_device_invalidation(std::uint32_t id) {
    vtd_.queue(cc_device(0, id));
    return 1;
}

} // namespace iommusim::rules
