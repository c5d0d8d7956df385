// Arm SMMUv3 as a SystemC module.
//
// Models: the Non-secure programming interface of a stage 1 SMMUv3.2; linear and two-level stream and context
// descriptor tables; VMSAv8-64 walks with the 4 KB granule; the command queue with CMD_SYNC in all its forms;
// the event queue; GERROR; wired interrupts and MSIs; bypass. Time: TBUs with two TLB levels, a TCU with
// configuration, walk and optional translation caches, slots, link and memory latency; commands that are
// fetched, distributed, acknowledged and drained. Invalidation is exact: walks that an invalidation overtakes
// leave nothing behind, and CMD_SYNC waits for the accesses that used what was removed, until they are
// observable downstream.
//
// Not modelled, and read as absent in the ID registers: stage 2, ATS, PRI, stalls, 16 KB and 64 KB granules,
// hardware update of Access flag and dirty state, Secure state, broadcast TLB maintenance. C++17: this is the
// header that a foreign virtual platform includes.
#pragma once

#include "../core/interrupt.h"
#include "../core/probe.h"
#include "../core/requester.h"
#include "../core/translation.h"
#include "interrupt_lines.h"
#include "parameters.h"
#include "spec/registers.h"
#include "statistics.h"

#include <memory>
#include <systemc>
#include <tlm>

namespace iommusim::smmuv3 {

class Smmuv3 : public sc_core::sc_module {
public:
    /// `parameters` must be inside their ranges; one that is not is a fatal report with the module's full
    /// name.
    Smmuv3(sc_core::sc_module_name name, const Parameters& parameters = {});
    ~Smmuv3() override;

    /// Register pages 0 and 1 (128 KiB), addressed from 0. b_transport and transport_dbg (reads only have no
    /// effects).
    tlm::tlm_target_socket<> registers;
    /// Wired interrupts, see InterruptLine; may stay unbound.
    sc_core::sc_port<InterruptIf, 1, sc_core::SC_ZERO_OR_MORE_BOUND> interrupts;

    /// Port `index` (0 to tbu.ports - 1) that devices issue DMAs through, with RequesterExtension.
    tlm::tlm_target_socket<>& device(unsigned index = 0);
    /// Where the translated accesses of that port go.
    tlm::tlm_initiator_socket<>& memory(unsigned index = 0);
    /// The unit's own accesses: stream table, translation tables, queues, messages.
    tlm::tlm_initiator_socket<>& walker();

    const Parameters& parameters() const { return parameters_; }
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

} // namespace iommusim::smmuv3
