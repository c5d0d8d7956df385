// Carries ATS and PRI messages between an IOMMU and the devices below it.
//
// Models: routing by requester id and a fixed latency each way. Does not model: bandwidth, flow control,
// order with respect to DMAs (a device TLB completes an invalidation only when its own accesses are done).
// Messages to a requester that is not connected are lost. C++17: public to foreign virtual platforms.
#pragma once

#include "../base/parameters.h"
#include "../core/ats.h"
#include "device_tlb.h"

#include <cstdint>
#include <map>
#include <systemc>
#include <vector>

namespace iommusim::soc {

struct AtsFabricParameters {
    AtsFabricParameters() { set_defaults(*this); }
    static const std::vector<Parameter<AtsFabricParameters>>& table();

    std::uint64_t to_device_latency; ///< ps
    std::uint64_t to_unit_latency;   ///< ps
};

struct AtsFabricStatistics {
    std::uint64_t to_devices = 0; ///< messages delivered
    std::uint64_t to_unit = 0;
    std::uint64_t lost = 0;
};

class AtsFabric : public sc_core::sc_module, private AtsDevicesIf, private AtsUnitIf {
public:
    explicit AtsFabric(sc_core::sc_module_name name, const AtsFabricParameters& parameters = {});

    /// All devices, for the IOMMU's port.
    sc_core::sc_export<AtsDevicesIf> devices;
    /// To the IOMMU; unbound: messages to it are lost.
    sc_core::sc_port<AtsUnitIf, 1, sc_core::SC_ZERO_OR_MORE_BOUND> unit;
    /// What a device of another make sends its messages to.
    sc_core::sc_export<AtsUnitIf> from_devices;

    /// Messages for the requester go to this device, and the device's messages to the IOMMU. A device may
    /// have several requester ids; a requester id that is taken is a fatal error. During elaboration.
    void connect(std::uint32_t requester, DeviceTlb& device);
    /// For a device of another make, which binds its port to `from_devices` itself.
    void connect(std::uint32_t requester, AtsDevicesIf& device);

    const AtsFabricParameters& parameters() const { return parameters_; }
    const AtsFabricStatistics& statistics() const { return statistics_; }

private:
    void invalidate(const AtsInvalidation& request, Picoseconds delay) override;
    void respond(const AtsPageResponse& response, Picoseconds delay) override;
    void invalidation_completed(std::uint32_t requester, std::uint32_t itags, Picoseconds delay) override;
    void page_requested(const AtsPageRequest& request, Picoseconds delay) override;

    AtsDevicesIf* device_of(std::uint32_t requester);
    bool reaches_unit();

    const AtsFabricParameters parameters_;
    std::map<std::uint32_t, AtsDevicesIf*> routes_;
    std::vector<DeviceTlb*> bound_;
    AtsFabricStatistics statistics_;
};

} // namespace iommusim::soc
