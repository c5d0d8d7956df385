#include "models/soc/ats_fabric.h"

#include <algorithm>

namespace iommusim::soc {

const std::vector<Parameter<AtsFabricParameters>>& AtsFabricParameters::table() {
    using P = AtsFabricParameters;
    static const std::vector<Parameter<P>> rows = {
        {{"to_device_latency", Unit::picoseconds, 250'000, 0, 1'000'000'000, Provenance::chosen,
          "half of a PCIe round trip of 500 ns between root complex and endpoint",
          "of an invalidation request or a page response from the IOMMU to the device"},
         &P::to_device_latency},
        {{"to_unit_latency", Unit::picoseconds, 250'000, 0, 1'000'000'000, Provenance::chosen,
          "half of a PCIe round trip of 500 ns between root complex and endpoint",
          "of an invalidation completion or a page request from the device to the IOMMU"},
         &P::to_unit_latency},
    };
    return rows;
}

AtsFabric::AtsFabric(sc_core::sc_module_name name, const AtsFabricParameters& parameters)
    : sc_module(name),
      devices("devices"),
      unit("unit"),
      from_devices("from_devices"),
      parameters_(parameters) {
    if (const std::string violation = first_violation(parameters_); !violation.empty())
        SC_REPORT_FATAL(this->name(), violation.c_str());
    devices.bind(*this);
    from_devices.bind(*this);
}

void AtsFabric::connect(std::uint32_t requester, AtsDevicesIf& device) {
    if (!routes_.emplace(requester, &device).second)
        SC_REPORT_FATAL(this->name(), "two devices have the same requester id");
}

void AtsFabric::connect(std::uint32_t requester, DeviceTlb& device) {
    connect(requester, *device.messages.operator->());
    if (std::find(bound_.begin(), bound_.end(), &device) != bound_.end())
        return;
    device.unit.bind(*this);
    bound_.push_back(&device);
}

AtsDevicesIf* AtsFabric::device_of(std::uint32_t requester) {
    const auto route = routes_.find(requester);
    if (route == routes_.end()) {
        ++statistics_.lost;
        return nullptr;
    }
    ++statistics_.to_devices;
    return route->second;
}

void AtsFabric::invalidate(const AtsInvalidation& request, Picoseconds delay) {
    if (AtsDevicesIf* device = device_of(request.requester))
        device->invalidate(request, delay + parameters_.to_device_latency);
}

void AtsFabric::respond(const AtsPageResponse& response, Picoseconds delay) {
    if (AtsDevicesIf* device = device_of(response.requester))
        device->respond(response, delay + parameters_.to_device_latency);
}

bool AtsFabric::reaches_unit() {
    const bool bound = unit.size() != 0;
    ++(bound ? statistics_.to_unit : statistics_.lost);
    return bound;
}

void AtsFabric::invalidation_completed(std::uint32_t requester, std::uint32_t itags, Picoseconds delay) {
    if (reaches_unit())
        unit->invalidation_completed(requester, itags, delay + parameters_.to_unit_latency);
}

void AtsFabric::page_requested(const AtsPageRequest& request, Picoseconds delay) {
    if (reaches_unit())
        unit->page_requested(request, delay + parameters_.to_unit_latency);
}

} // namespace iommusim::soc
