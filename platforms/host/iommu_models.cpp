#include "platforms/host/iommu_model.h"

namespace iommusim::host {

const std::vector<IommuArchitecture>& iommu_architectures() {
    static const std::vector<IommuArchitecture> table{
        smmuv3_architecture(),
        vtd_architecture(),
    };
    return table;
}

} // namespace iommusim::host
