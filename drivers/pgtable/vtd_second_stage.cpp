#include "drivers/pgtable/vtd_second_stage.h"

#include "drivers/pgtable/radix_table_code.h"

#include <algorithm>

namespace iommusim::pgtable {
namespace {

namespace paging = vtd::spec::paging;
namespace ss = vtd::spec::second_stage;

static_assert(VtdSecondStageFormat::granule_bits == paging::page_bits &&
              VtdSecondStageFormat::stride == paging::level_bits);

RadixTableConfig tree_of(const VtdSecondStageConfig& config) {
    RadixTableConfig tree{};
    tree.levels = std::clamp(config.levels, 3u, paging::max_levels);
    tree.input_bits = std::clamp(config.input_bits, 30u, paging::input_bits(tree.levels));
    tree.output_bits = std::clamp(config.output_bits, 32u, 52u);
    tree.page_sizes = config.page_sizes & (paging::level_bytes(2) | paging::level_bytes(3));
    tree.coherent = config.coherent;
    tree.parameters = config.parameters;
    return tree;
}

} // namespace

std::uint64_t VtdSecondStageFormat::attributes(unsigned protection) const {
    return ss::r.make((protection & dma::prot_read) != 0) | ss::w.make((protection & dma::prot_write) != 0) |
           ss::snp.make(snoop_control_ && (protection & dma::prot_coherent) != 0);
}

template class RadixTable<VtdSecondStageFormat>;

VtdSecondStage::VtdSecondStage(machine::Cpu& cpu, TlbOps& tlb, const VtdSecondStageConfig& config)
    : RadixTable(cpu, tlb, VtdSecondStageFormat(config.snoop_control), tree_of(config)) {}

} // namespace iommusim::pgtable
