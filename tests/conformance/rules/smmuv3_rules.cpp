#include "tests/conformance/rules/smmuv3_rules.h"

#include <bit>

namespace iommusim::rules {

using namespace smmuv3::test;
namespace spec = smmuv3::spec;

namespace {

constexpr std::uint64_t group = 16; ///< descriptors with the Contiguous bit that are one entry

BenchOptions bench_options(const RuleOptions& options) {
    BenchOptions o;
    o.interconnect = options.interconnect;
    o.command_queue_log2 = static_cast<unsigned>(std::bit_width(options.queue_entries - 1));
    if (options.link_latency != 0)
        o.parameters.link_latency = options.link_latency;
    if (options.tlb_entries != 0)
        o.parameters.tlb_entries = options.tlb_entries;
    return o;
}

/// The level of a page's leaf descriptors.
unsigned level_of(std::uint64_t bytes) { return bytes >= page_1g ? 1 : bytes >= page_2m ? 2 : 3; }

constexpr std::uint64_t asid(unsigned space) { return space + 1; }

Command range(const Invalidation& i) {
    const std::uint64_t pages = i.bytes / page_4k;
    const auto scale = pages <= 32 ? 0u : static_cast<unsigned>(std::countr_zero(pages));
    return tlbi_range(asid(i.space), i.address, static_cast<unsigned>(pages >> scale) - 1, scale, 0,
                      !i.tables);
}

} // namespace

RuleTraits Smmuv3Rules::describe() {
    RuleTraits t;
    t.name = "Smmuv3";
    t.ways = {By::address, By::any_space, By::range, By::space, By::everything};
    t.page_sizes = {page_4k, group * page_4k, page_2m, group * page_2m, page_1g, group * page_1g};
    t.configuration_reads = 2; // STE, CD
    t.table_reads = 4;
    t.index_covers_effects = true;
    t.caches_absent_pages = false;
    t.caches_absent_configuration = true;
    t.global_pages = true;
    t.nearest_cache = "micro-TLB";
    t.page_command = "CMD_TLBI_NH_VA";
    return t;
}

Smmuv3Rules::Smmuv3Rules(const RuleOptions& options)
    : RuleBench(describe()),
      record_faults_(options.record_faults),
      smmu_(bench_options(options)),
      tables_{PageTable(smmu_), PageTable(smmu_)} {
    attach(device_id, 0);
    attach(other_device_id, 1);
}

// ---- pages

void Smmuv3Rules::map(std::uint64_t address, std::uint64_t output, std::uint64_t bytes, unsigned space) {
    const unsigned level = level_of(bytes);
    if (bytes == PageTable::size_of(level))
        tables_[space].map(address, output, level);
    else
        tables_[space].map_contiguous(address, output, level);
}

void Smmuv3Rules::map_global(std::uint64_t address, std::uint64_t output) {
    tables_[0].map(address, output, 3, leaf_global);
}

void Smmuv3Rules::unmap(std::uint64_t address, std::uint64_t bytes, unsigned space) {
    const unsigned level = level_of(bytes);
    for (std::uint64_t done = 0; done < bytes; done += PageTable::size_of(level))
        tables_[space].unmap(address + done, level);
}

// ---- configuration

Cd Smmuv3Rules::context(unsigned space) const {
    return cd_for(tables_[space].root(), asid(space)).with(spec::cd::r, record_faults_);
}

void Smmuv3Rules::attach(std::uint32_t id, unsigned space) {
    contexts_[id] = {{smmu_.new_cd(context(space)), smmu_.new_cd(context(space))}, 0};
    smmu_.set_ste(id, ste_stage_1(contexts_[id].cds[0]));
}

void Smmuv3Rules::redirect(std::uint32_t id, unsigned space, unsigned through) {
    Contexts& contexts = contexts_.at(id);
    if (through == 0)
        contexts.in_use = 1 - contexts.in_use;
    const std::uint64_t cd = contexts.cds[contexts.in_use];
    smmu_.poke(cd, context(space));
    smmu_.set_ste(id, ste_stage_1(cd));
}

std::uint64_t Smmuv3Rules::configuration_address(unsigned read) {
    const Contexts& contexts = contexts_.at(device_id);
    return read == 0 ? smmu_.ste_address(device_id) : contexts.cds[contexts.in_use];
}

// ---- commands

unsigned Smmuv3Rules::unconsumed() {
    const std::uint32_t positions = 2u << smmu_.options.command_queue_log2; // wrap bit included
    return (smmu_.producer() - smmu_.consumer()) & (positions - 1);
}

unsigned Smmuv3Rules::put(const Invalidation& i) {
    switch (i.by) {
    case By::address:
        smmu_.queue(tlbi_va(asid(i.space), i.address, !i.tables));
        break;
    case By::any_space:
        smmu_.queue(tlbi_vaa(i.address, !i.tables));
        break;
    case By::range:
        smmu_.queue(range(i));
        break;
    case By::space:
        smmu_.queue(tlbi_asid(asid(i.space)));
        break;
    case By::everything:
        smmu_.queue(tlbi_all());
        break;
    }
    return 1;
}

unsigned Smmuv3Rules::put_device_invalidation(std::uint32_t id) {
    smmu_.queue(cfgi_ste(id));
    return 1;
}

unsigned Smmuv3Rules::put_configuration_invalidation() {
    smmu_.queue(cfgi_all());
    return 1;
}

/// Of the CD alone: the STE may have changed too.
unsigned Smmuv3Rules::put_narrow_device_invalidation(std::uint32_t id) {
    smmu_.queue(cfgi_cd(id));
    return 1;
}

void Smmuv3Rules::put_completion() { smmu_.queue(sync()); }

} // namespace iommusim::rules
