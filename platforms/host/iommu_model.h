// The seam between the platform and the IOMMU architectures: what a platform, its software and its
// measurements need of a unit, and the one table of architectures. Each architecture implements it in one
// file, iommu_*.cpp.
#pragma once

#include "drivers/dma/iommu_driver.h"
#include "drivers/machine/machine.h"
#include "models/core/feature_page.h"
#include "models/core/probe.h"
#include "models/core/statistics.h"
#include "models/core/translation.h"
#include "models/soc/interrupt_sink.h"
#include "platforms/host/scenario.h"

#include <cstdint>
#include <memory>
#include <string>
#include <tlm>
#include <vector>

namespace iommusim::host {

/// Where the platform has put a unit.
struct UnitPlace {
    std::uint64_t register_base; ///< bus address of its first register
    unsigned first_line;         ///< its lines at the interrupt controller begin here
};

/// Who watches a vendor driver; both may be null.
struct DriverObservers {
    dma::DriverErrorLog* errors = nullptr;
    dma::InvalidationObserver* invalidations = nullptr;
};

/// A range of bus addresses; size 0: none.
struct AddressRange {
    std::uint64_t base = 0;
    std::uint64_t size = 0;
};

class IommuModel {
public:
    virtual ~IommuModel() = default;

    virtual tlm::tlm_target_socket<>& registers() = 0;
    virtual std::uint64_t register_bytes() const = 0;
    /// Number of ports that devices issue DMAs through, and each with where its translated accesses go.
    virtual unsigned ports() const = 0;
    virtual tlm::tlm_target_socket<>& device(unsigned port) = 0;
    virtual tlm::tlm_initiator_socket<>& memory(unsigned port) = 0;
    /// The unit's own accesses: tables, queues, message-signalled interrupts.
    virtual tlm::tlm_initiator_socket<>& walker() = 0;
    /// Wired interrupts; a unit that only sends messages has none.
    virtual void connect_interrupts(soc::InterruptSink&, unsigned /*first_line*/) {}
    /// Bus addresses that are message-signalled interrupts and no memory, for devices and for the unit: a
    /// write of the line's number there raises the line.
    virtual AddressRange message_window() const { return {}; }

    virtual void attach(Probe*) = 0;
    virtual ReferenceTranslator& reference() = 0;
    virtual Statistics statistics() const = 0;
    /// A power of two: positions in the command queue before they repeat, wrap bit included.
    virtual std::uint32_t queue_positions() const = 0;

    /// The driver for this unit as the scenario wants it. It knows the unit by `place` alone.
    virtual std::unique_ptr<dma::IommuDriver> make_driver(machine::Machine&, const UnitPlace& place,
                                                          const Scenario&, const DriverObservers&) = 0;
};

/// A row of the table: what can be said about an architecture before anything is built.
struct IommuArchitecture {
    const char* name; ///< word of `iommu.model`
    ParameterGroup (*parameters)();
    /// The feature page of a unit with these parameters.
    std::vector<FeatureRow> (*features)(const ParameterValues&);
    /// Elaborates the unit below the module under construction.
    std::unique_ptr<IommuModel> (*make)(sc_core::sc_module_name, const Scenario&);

    const char* device_id_bits; ///< row of the parameters that says how wide device ids are; null: 16 bits
    const char* pasid_bits;     ///< row that says how wide PASIDs are, 0: the unit has none
    /// PASIDs as wide as this are built in when a device has some and the scenario says nothing about
    /// `pasid_bits`.
    unsigned default_pasid_bits;

    /// A choice of the scenario that the architecture has; `feature` is the row that must not be 0 for it.
    struct Offer {
        const char* word;
        const char* feature = nullptr;
    };
    std::vector<Offer> completions; ///< of driver.completion
    std::vector<Offer> stages;      ///< of driver.stage
    std::vector<Offer> interfaces;  ///< of driver.invalidation_interface
    std::vector<Offer> ranges;      ///< of driver.range_invalidation

    /// What breaks a rule between several keys.
    struct Violation {
        const char* key;
        std::size_t element; ///< of the key's list, otherwise 0
        std::string text;    ///< "found ..., which ...; legal: ..."
    };
    std::vector<Violation> (*violations)(const Scenario&) = nullptr; ///< null: there are no such rules
};

/// In the order of the enumeration Model. The one list to extend when an architecture is added.
const std::vector<IommuArchitecture>& iommu_architectures();

inline const IommuArchitecture& architecture_of(Model model) {
    return iommu_architectures()[static_cast<std::size_t>(model)];
}

// One for each architecture.
IommuArchitecture smmuv3_architecture();
IommuArchitecture vtd_architecture();

} // namespace iommusim::host
