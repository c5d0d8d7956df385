// An Intel VT-d remapping unit as a SystemC module.
//
// Models: legacy and scalable mode; first-stage, second-stage, nested and pass-through translation with
// accessed and dirty bits; context, PASID, IOTLB, paging-structure and interrupt entry caches with the
// architected effects of every invalidation; register-based and queued invalidation; device TLBs (ATS) and
// page requests (PRI); primary fault logging; interrupt remapping and posting; protected memory. Invalidation
// is exact: walks that an invalidation overtakes leave nothing behind, and an invalidation wait descriptor
// completes when the accesses that used what was removed are observable downstream.
//
// Not modelled, and read as absent in the capability registers: advanced fault logging, memory types, execute
// requests, virtual commands, performance monitoring. C++17: this is the header that a foreign virtual
// platform includes.
#pragma once

#include "../core/ats.h"
#include "../core/probe.h"
#include "../core/requester.h"
#include "../core/statistics.h"
#include "../core/translation.h"
#include "feature_set.h"
#include "parameters.h"

#include <memory>
#include <systemc>
#include <tlm>

namespace iommusim::vtd {

class Vtd : public sc_core::sc_module {
public:
    /// `parameters` must be inside their ranges; one that is not is a fatal report with the module's full
    /// name.
    Vtd(sc_core::sc_module_name name, const Parameters& parameters = {});
    ~Vtd() override;

    /// The register set, addressed from 0: features().register_space_bytes(). b_transport and transport_dbg
    /// (reads only, without effects).
    tlm::tlm_target_socket<> registers;
    /// Invalidation requests and page request responses to devices; may stay unbound, then device-TLB
    /// invalidations time out.
    sc_core::sc_port<AtsDevicesIf, 1, sc_core::SC_ZERO_OR_MORE_BOUND> devices;
    /// Where devices send invalidation completions and page requests.
    sc_core::sc_export<AtsUnitIf> ats;

    /// Port `index` (0 to device.ports - 1) that devices issue DMAs and interrupt requests through, with
    /// RequesterExtension.
    tlm::tlm_target_socket<>& device(unsigned index = 0);
    /// Where the translated accesses and remapped interrupts of that port go.
    tlm::tlm_initiator_socket<>& memory(unsigned index = 0);
    /// The unit's own accesses: tables, queues, status writes, its own interrupts.
    tlm::tlm_initiator_socket<>& walker();

    const Parameters& parameters() const { return parameters_; }
    const Features& features() const;
    Statistics statistics() const;

    /// Reports everything to `probe` from now on; nullptr detaches.
    void attach(Probe* probe);
    /// Answers from the tables in memory as they are now.
    ReferenceTranslator& reference();

private:
    class Implementation;
    Parameters parameters_;
    std::unique_ptr<Implementation> implementation_;
};

} // namespace iommusim::vtd
