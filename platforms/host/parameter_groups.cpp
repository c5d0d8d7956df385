// The parameter tables that scenarios can set, by the prefix below which they stand.
#include "drivers/machine/cpu.h"
#include "models/soc/memory.h"
#include "platforms/host/iommu_model.h"

#include <bit>

namespace iommusim::host {
namespace {

ParameterGroup::Violation memory_rules(const ParameterValues& values) {
    const auto memory = values.as<soc::MemoryParameters>();
    if (!std::has_single_bit(memory.burst))
        return {"burst", "a power of two"};
    if (memory.bandwidth != 0 && memory.bandwidth < 1'000'000)
        return {"bandwidth", "0 for unlimited, or at least 1MB/s"};
    return {};
}

} // namespace

const std::vector<ParameterGroup>& parameter_groups() {
    static const std::vector<ParameterGroup> groups = [] {
        std::vector<ParameterGroup> all;
        all.push_back(make_group<machine::CpuParameters>("platform.cpu"));
        all.push_back(make_group<soc::MemoryParameters>("platform.memory"));
        all.back().rules = memory_rules;
        for (const IommuArchitecture& architecture : iommu_architectures())
            all.push_back(architecture.parameters());
        return all;
    }();
    return groups;
}

} // namespace iommusim::host
