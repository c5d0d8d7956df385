#include "drivers/pgtable/arm_lpae_s1.h"

#include "drivers/pgtable/radix_table_code.h"

#include <algorithm>
#include <array>

namespace iommusim::pgtable {
namespace {

namespace s1 = smmuv3::spec::stage1_leaf;

constexpr smmuv3::spec::Granule granule = smmuv3::spec::granule_4k;
constexpr unsigned last_level = 3;
static_assert(ArmLpaeS1Format::granule_bits == granule.bits && ArmLpaeS1Format::stride == granule.stride());
static_assert(ArmLpaeS1Format::contiguous_entries == 1u << granule.contiguous_bits(last_level));

enum AttributeIndex : unsigned { non_cacheable = 0, write_back = 1, device = 2 };
constexpr std::uint64_t mair_bytes = 0x44ull | 0xFFull << 8 | 0x04ull << 16 | 0xF4ull << 24;

constexpr std::uint64_t leaf_attributes(unsigned protection) {
    const bool coherent = (protection & dma::prot_coherent) != 0;
    std::uint64_t d = s1::af.make(1) | s1::ng.make(1) | s1::sh.make(coherent ? 3 : 2); // inner : outer
    if ((protection & dma::prot_write) == 0)
        d |= s1::ap_read_only.make(1);
    if ((protection & dma::prot_privileged) == 0)
        d |= s1::ap_unprivileged.make(1);
    if ((protection & dma::prot_mmio) != 0)
        d |= s1::attr_index.make(device);
    else
        d |= s1::attr_index.make(coherent ? write_back : non_cacheable);
    if ((protection & dma::prot_no_execute) != 0)
        d |= s1::pxn.make(1) | s1::uxn.make(1);
    return d;
}

/// By protection bits.
constexpr auto attributes_by_protection = [] {
    std::array<std::uint64_t, 64> all{};
    for (unsigned protection = 0; protection < all.size(); ++protection)
        all[protection] = leaf_attributes(protection);
    return all;
}();

unsigned ips_of(unsigned output_bits) {
    constexpr std::array<unsigned, 6> sizes = {32, 36, 40, 42, 44, 48};
    unsigned code = 0;
    while (code + 1 < sizes.size() && sizes[code] < output_bits)
        ++code;
    return code;
}

RadixTableConfig tree_of(const ArmLpaeS1Config& config) {
    RadixTableConfig tree{};
    tree.input_bits = std::clamp(config.input_bits, 25u, 48u);
    tree.output_bits = std::clamp(config.output_bits, 32u, 48u);
    tree.levels = last_level + 1 - granule.start_level(tree.input_bits);
    tree.page_sizes = config.page_sizes & (granule.level_bytes(1) | granule.level_bytes(2));
    tree.parameters = config.parameters;
    return tree;
}

} // namespace

std::uint64_t ArmLpaeS1Format::attributes(unsigned protection) {
    return attributes_by_protection[protection % attributes_by_protection.size()];
}

template class RadixTable<ArmLpaeS1Format>;

ArmLpaeS1::ArmLpaeS1(machine::Cpu& cpu, TlbOps& tlb, const ArmLpaeS1Config& config)
    : RadixTable(cpu, tlb, ArmLpaeS1Format(config.contiguous_hint), tree_of(config)) {}

ArmLpaeS1Registers ArmLpaeS1::registers() const {
    return {.ttb = root(),
            .t0sz = 64 - config().input_bits,
            .tg0 = 0,
            .ir0 = 1,
            .or0 = 1,
            .sh0 = 3,
            .ips = ips_of(config().output_bits),
            .mair = mair_bytes};
}

} // namespace iommusim::pgtable
