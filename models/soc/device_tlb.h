// A device's own TLB (address translation cache, ATC) as PCIe ATS and PRI define it, between a DMA master and
// an IOMMU.
//
// Models: untranslated DMAs that are translated here or by a translation request; accesses with a translated
// address; answers that allow only untranslated access; invalidation requests, whose completion waits for the
// accesses that use what was removed; translation requests that an invalidation overtakes and that leave
// nothing behind; page requests in groups of one, with retries. Time: look-up, outstanding accesses and
// requests, invalidation; the links' time is that of what is bound downstream and of AtsFabric. Both TLM-2.0
// interfaces have the same semantics.
//
// Does not model: global mappings shared between PASIDs (they are cached for each), prefetching beyond
// `translation_pages`, order between accesses, direct memory access (refused: every access must meet the
// TLB). C++17: public to foreign virtual platforms.
#pragma once

#include "../base/parameters.h"
#include "../base/time.h"
#include "../core/ats.h"
#include "../core/probe.h"

#include <cstdint>
#include <memory>
#include <systemc>
#include <tlm>
#include <vector>

namespace iommusim::soc {

struct DeviceTlbParameters {
    DeviceTlbParameters() { set_defaults(*this); }
    static const std::vector<Parameter<DeviceTlbParameters>>& table();

    std::uint64_t entries;
    std::uint64_t ways;                     ///< 0: fully associative
    std::uint64_t replacement;              ///< round-robin, lru, random
    std::uint64_t lookup_latency;           ///< ps
    std::uint64_t outstanding;              ///< accesses
    std::uint64_t translation_outstanding;  ///< translation requests
    std::uint64_t translation_pages;        ///< 4 KiB pages that a translation request asks for
    std::uint64_t invalidation_latency;     ///< ps
    std::uint64_t invalidation_queue_depth; ///< as told to software, which limits the IOMMU to it
    std::uint64_t invalidation_parallel;    ///< invalidations worked on at a time
    std::uint64_t page_requests;            ///< flag: enabled from the start
    std::uint64_t page_request_limit;       ///< outstanding page request groups
    std::uint64_t page_request_retries;     ///< page requests that one access makes before it is refused
    std::uint64_t on_refusal;               ///< error, untranslated
};

struct DeviceTlbStatistics {
    std::uint64_t hits = 0;          ///< pieces of accesses inside one page
    std::uint64_t misses = 0;        ///< what is cached does not allow the access: a translation is asked for
    std::uint64_t merged_misses = 0; ///< of these, waited for the request of another access
    std::uint64_t translation_requests = 0;   ///< sent
    std::uint64_t translations_overtaken = 0; ///< answers discarded because of an invalidation in between
    std::uint64_t untranslated = 0;           ///< accesses passed on untranslated while ATS was enabled
    std::uint64_t refused = 0;                ///< accesses that ended with an error here
    std::uint64_t invalidations = 0;          ///< requests received
    std::uint64_t invalidations_ignored = 0;  ///< never answered because the device was dead
    std::uint64_t invalidations_drained = 0;  ///< had to wait for accesses under way
    std::uint64_t invalidation_overflows =
        0;                           ///< arrived when the queue was full (they are queued all the same)
    std::uint64_t page_requests = 0; ///< sent
    std::uint64_t merged_page_requests = 0; ///< waited for the page request of another access
    std::uint64_t page_responses = 0;       ///< received
    std::uint64_t unexpected_page_responses = 0;
    std::uint64_t retries = 0; ///< translations asked for again after a successful page response
};

class DeviceTlb : public sc_core::sc_module {
public:
    /// A parameter outside its range is a fatal report with the module's full name.
    explicit DeviceTlb(sc_core::sc_module_name name, const DeviceTlbParameters& parameters = {});
    ~DeviceTlb() override;

    /// From the master. An access whose RequesterExtension says that it is no untranslated one passes
    /// unchanged. b_transport may wait: for the target, and for a page response.
    tlm::tlm_target_socket<>& upstream();
    /// To a device port of the IOMMU.
    tlm::tlm_initiator_socket<>& downstream();

    /// What the IOMMU sends to the device.
    sc_core::sc_export<AtsDevicesIf> messages;
    /// What the device sends to the IOMMU; unbound: no completions, and every page request fails.
    sc_core::sc_port<AtsUnitIf, 1, sc_core::SC_ZERO_OR_MORE_BOUND> unit;

    /// ATS as software enables it in the device; initially enabled. Disabling it empties the TLB, and
    /// accesses go untranslated.
    void enable_translation(bool on);
    /// PRI likewise. A response failure disables it.
    void enable_page_requests(bool on);
    bool page_requests_enabled() const;

    /// A dead device answers no invalidation, not even one that is under way.
    void set_dead(bool dead);
    /// Sends a completion that nobody asked for, or a wrong one: for tests of the IOMMU.
    void inject_completion(std::uint32_t requester, std::uint32_t itags);

    const DeviceTlbParameters& parameters() const { return parameters_; }
    DeviceTlbStatistics statistics() const;
    /// Reports the uses of translations kept here, as "device TLB", to `probe`; nullptr detaches.
    void attach(Probe* probe);

private:
    class Implementation;
    DeviceTlbParameters parameters_;
    std::unique_ptr<Implementation> implementation_;
};

} // namespace iommusim::soc
