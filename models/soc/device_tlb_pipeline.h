// A DMA's way through a device TLB: look-up, translation request, page request, and on to the IOMMU; what an
// invalidation does to those under way.
#pragma once

#include "models/core/device_port.h"
#include "models/core/inflight.h"
#include "models/core/mailbox.h"
#include "models/core/memory_port.h"
#include "models/core/tagged_cache.h"
#include "models/soc/device_tlb.h"
#include "models/soc/fifo.h"
#include "models/soc/page_requests.h"

#include <deque>
#include <vector>

namespace iommusim::soc {

class DeviceTlbPipeline final : public DmaTarget {
public:
    using UnitPort = PageRequests::UnitPort;

    DeviceTlbPipeline(TimedQueue& queue, UnitPort& unit, const DeviceTlbParameters& parameters);
    ~DeviceTlbPipeline() override { processes_.destroy_all(); }

    ProcessList& processes() { return processes_; }

    void enable_translation(bool on);
    void set_dead(bool dead) { dead_ = dead; }
    void attach(Probe* probe) { probe_ = probe; }
    /// An Invalidate Request arrives `delay` from now.
    void invalidate(const AtsInvalidation& request, Picoseconds delay) { requests_.post(request, delay); }

    DevicePort upstream;
    MemoryPort downstream;
    PageRequests page_requests;

    const DeviceTlbStatistics& statistics() const { return statistics_; }

private:
    static constexpr std::uint64_t page_bytes = 4096;

    struct Entry {
        std::uint64_t first = 0; ///< of the range of untranslated addresses it holds for
        std::uint64_t last = 0;  ///< inclusive
        std::uint64_t output = 0;
        Picoseconds cached_at = 0;
        std::uint8_t size_log2 = 12;
        bool read = false;
        bool write = false;
        bool execute = false;
        bool untranslated_only = false;

        bool allows(const ClientAccess& access) const {
            return access.write ? write : read && (execute || !access.requester.instruction);
        }
        bool empty() const { return !read && !write && !untranslated_only; }
    };

    /// How one piece of an access goes on.
    struct Route {
        enum class Kind : std::uint8_t { translated, untranslated, refused } kind = Kind::untranslated;
        tlm::tlm_response_status status = tlm::TLM_OK_RESPONSE; ///< refused
        std::uint64_t output = 0;
        std::uint64_t last = ~0ull; ///< last address as the master gives it that goes the same way
        Picoseconds cached_at = 0;
    };

    struct Answer {
        enum class Kind : std::uint8_t {
            entry,       ///< completion data
            unsupported, ///< Unsupported Request
            aborted,     ///< Completer Abort
            overtaken,   ///< by an invalidation: worth nothing
        } kind = Kind::overtaken;
        bool shared = false; ///< asked for by another access: perhaps no longer valid
        tlm::tlm_response_status status = tlm::TLM_OK_RESPONSE;
        Entry entry;
    };

    /// A translation request under way, which accesses that need the same wait for.
    struct Miss {
        explicit Miss(TimedQueue& queue) : finished(queue) {}
        std::uint64_t page = 0;
        std::uint64_t last = 0; ///< last address asked for
        Tag tag;
        bool instruction = false;
        bool overtaken = false; ///< an invalidation named a page asked for
        bool clipped = false;   ///< an invalidation named something else: the pages asked for are good
        bool done = false;
        unsigned users = 0; ///< 0: free
        Answer answer;
        Condition finished;
    };

    /// A payload of its own: translation requests, pieces of accesses that cross a page end. Pooled.
    struct OwnPayload final : tlm::tlm_generic_payload, tlm::tlm_mm_interface {
        explicit OwnPayload(DeviceTlbPipeline& p) : pipeline(p) {
            set_mm(this);
            set_extension(&requester);
        }
        // The payload's destructor would delete it.
        ~OwnPayload() override { clear_extension(&requester); }
        void free(tlm::tlm_generic_payload*) override { pipeline.free_payloads_.push_back(this); }

        DeviceTlbPipeline& pipeline;
        RequesterExtension requester;
        std::vector<std::uint64_t> completion;
    };

    // ---- accesses
    Process serve(ClientAccess& access) override;
    bool serve_at_once(ClientAccess& access) override;
    unsigned debug(DevicePort& port, tlm::tlm_generic_payload& payload) override;
    bool grant_dmi(DevicePort& port, tlm::tlm_generic_payload& payload, tlm::tlm_dmi& grant) override;

    bool translates(const ClientAccess& access) const {
        return enabled_ && access.requester.address_type == AddressType::untranslated;
    }
    const Entry* find(const ClientAccess& access, std::uint64_t address);
    bool route_at_once(ClientAccess& access, std::uint64_t address, Route& route);
    Task<Route> resolve(ClientAccess& access, std::uint64_t address);
    Route use(ClientAccess& access, std::uint64_t address, const Entry& entry);
    Route refusal(const ClientAccess& access, std::uint64_t address, tlm::tlm_response_status status);
    void report(const ClientAccess& access, const Route& route, std::uint64_t address, unsigned length,
                bool observable);

    // ---- translation requests
    Task<Answer> request_translation(Pace& pace, Requester requester, std::uint64_t page);
    Miss* find_miss(const Requester& requester, std::uint64_t page);
    Miss& open_miss(const Requester& requester, std::uint64_t page);
    Answer evaluate(const Miss& miss, tlm::tlm_response_status status,
                    const std::vector<std::uint64_t>& completion);
    Entry fill(const Miss& miss, std::uint64_t page, std::uint64_t completion);
    OwnPayload& take_payload(const Requester& requester, tlm::tlm_command command, std::uint64_t address,
                             void* data, unsigned length);

    // ---- invalidations
    void invalidation_arrived(const AtsInvalidation& request);
    void start_invalidations();
    Process carry_out(AtsInvalidation request, unsigned group);
    void overtake(const TagScope& scope, std::uint64_t first, std::uint64_t last);

    TimedQueue& queue_;
    UnitPort& unit_;
    const DeviceTlbParameters& parameters_;
    Probe* probe_ = nullptr;
    bool enabled_ = true;
    bool dead_ = false;
    DeviceTlbStatistics statistics_;

    ProcessList processes_;
    TaggedCache<Entry> cache_;
    InflightTable uses_; ///< accesses with a translated address
    std::deque<Miss> misses_;
    Resource translation_slots_;
    std::deque<OwnPayload> payloads_;
    std::vector<OwnPayload*> free_payloads_;

    Fifo<AtsInvalidation> waiting_;
    std::uint64_t working_ = 0;
    std::uint32_t free_groups_; ///< one bit for each drain group that no invalidation uses
    Mailbox<DeviceTlbPipeline, AtsInvalidation, &DeviceTlbPipeline::invalidation_arrived> requests_;
};

} // namespace iommusim::soc
