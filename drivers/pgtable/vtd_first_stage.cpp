#include "drivers/pgtable/vtd_first_stage.h"

#include "drivers/pgtable/radix_table_code.h"

#include <algorithm>

namespace iommusim::pgtable {
namespace {

namespace paging = vtd::spec::paging;
namespace fs = vtd::spec::first_stage;

static_assert(VtdFirstStageFormat::granule_bits == paging::page_bits &&
              VtdFirstStageFormat::stride == paging::level_bits);

RadixTableConfig tree_of(const VtdFirstStageConfig& config) {
    RadixTableConfig tree{};
    tree.levels = std::clamp(config.levels, 4u, paging::max_levels);
    const unsigned canonical = tree.levels == 4 ? fs::canonical_bits_4_level : fs::canonical_bits_5_level;
    tree.input_bits = std::clamp(config.input_bits, 39u, canonical - 1);
    tree.output_bits = std::clamp(config.output_bits, 32u, 52u);
    tree.page_sizes = config.page_sizes & (paging::level_bytes(2) | paging::level_bytes(3));
    tree.coherent = config.coherent;
    tree.parameters = config.parameters;
    return tree;
}

} // namespace

std::uint64_t VtdFirstStageFormat::attributes(unsigned protection) {
    const bool write = (protection & dma::prot_write) != 0;
    return fs::p.make(1) | fs::a.make(1) | fs::rw.make(write) | fs::d.make(write) |
           fs::us.make((protection & dma::prot_privileged) == 0);
}

template class RadixTable<VtdFirstStageFormat>;

VtdFirstStage::VtdFirstStage(machine::Cpu& cpu, TlbOps& tlb, const VtdFirstStageConfig& config)
    : RadixTable(cpu, tlb, VtdFirstStageFormat(), tree_of(config)) {}

} // namespace iommusim::pgtable
