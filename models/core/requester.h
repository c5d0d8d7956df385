// Who issues a DMA and how: the TLM extension that every device transaction carries into an IOMMU.
// C++17: included by foreign virtual platforms.
#pragma once

#include <cstdint>
#include <tlm>

namespace iommusim {

/// PCIe address type of a request (AT field of a TLP).
enum class AddressType : std::uint8_t {
    untranslated = 0,        ///< an ordinary DMA
    translation_request = 1, ///< an ATS translation request
    translated = 2,          ///< a DMA whose address the device's own TLB translated
};

struct Requester {
    std::uint32_t id = 0;    ///< stream id (SMMUv3), requester id (VT-d), device id (AMD-Vi)
    std::uint32_t pasid = 0; ///< substream id / PASID, valid if has_pasid
    bool has_pasid = false;
    bool privileged = false;
    bool instruction = false; ///< an instruction fetch (reads only)
    AddressType address_type = AddressType::untranslated;
};

/// A payload without this extension is treated as coming from requester 0, unprivileged data.
class RequesterExtension : public tlm::tlm_extension<RequesterExtension> {
public:
    RequesterExtension() = default;
    explicit RequesterExtension(const Requester& r) : requester(r) {}

    tlm::tlm_extension_base* clone() const override { return new RequesterExtension(*this); }
    void copy_from(const tlm::tlm_extension_base& other) override {
        requester = static_cast<const RequesterExtension&>(other).requester;
    }

    Requester requester;
};

} // namespace iommusim
