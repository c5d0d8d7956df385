// The part of a DMA's way through an IOMMU that is the same in every architecture: split at page ends,
// translate, stay in the in-flight table until observable downstream, answer; ATS translation requests;
// direct-memory grants and their revocation; debug access. An architecture supplies translate().
#pragma once

#include "models/core/device_port.h"
#include "models/core/inflight.h"
#include "models/core/memory_port.h"
#include "models/core/probe.h"
#include "models/core/translation.h"
#include "models/core/translation_order.h"

#include <memory>
#include <vector>

namespace iommusim {

class TranslationUnit : public DmaTarget, public ReferenceTranslator {
public:
    explicit TranslationUnit(TimedQueue& queue) : queue_(queue), inflight_(queue) {}

    void attach(Probe* probe) { probe_ = probe; }
    ProcessList& processes() { return processes_; }

    /// What the tables in memory say now, without time, side effects or caches.
    Translation look_up(const Requester& requester, std::uint64_t address, bool write) override;

protected:
    /// Answers where that takes no time but lookup latencies (a TLB hit, a disabled unit). False: go on with
    /// translate().
    virtual bool translate_at_once(ClientAccess& access, std::uint64_t address, Translation& answer) = 0;
    /// Translates the byte at `address` for a timed access for which translate_at_once() had no answer; fills
    /// caches and records faults.
    virtual Task<Translation> translate(ClientAccess& access, std::uint64_t address) = 0;
    /// The same for loose and debug accesses, which never wait; a debug access has no side effects.
    virtual void translate_untimed(ClientAccess& access, std::uint64_t address, Translation& answer) = 0;
    /// Where translated accesses of a port go.
    virtual MemoryPort& downstream(DevicePort& port) = 0;
    virtual DevicePort& any_port() = 0;

    /// Revokes the direct-memory grants of the scope that overlap [first, last].
    void revoke_dmi(const TagScope& scope, std::uint64_t first, std::uint64_t last);
    void revoke_all_dmi();

    void diagnose(const char* what) {
        if (probe_)
            probe_->on_diagnostic(now(), what);
    }

    /// The order that a port keeps, null: none.
    struct PortOrder {
        std::unique_ptr<TranslationOrder> reads;
        std::unique_ptr<TranslationOrder> writes;
    };

    TimedQueue& queue_;
    InflightTable inflight_;
    Probe* probe_ = nullptr;
    std::vector<PortOrder> orders_; ///< by port; empty: no port keeps one

private:
    Process serve(ClientAccess& access) override;
    bool serve_at_once(ClientAccess& access) override;
    TranslationOrder* order_of(const ClientAccess& access) const {
        if (orders_.empty() || !access.pace.timed())
            return nullptr;
        const PortOrder& port = orders_[access.port.index()];
        return access.write ? port.writes.get() : port.reads.get();
    }
    void look_up_piece(ClientAccess& access, std::uint64_t address);
    Task<tlm::tlm_response_status> answer_translation_request(ClientAccess& access);
    const Translation& translate_now(ClientAccess& access, std::uint64_t address);
    void report_begin(const ClientAccess& access, std::uint64_t address, unsigned length);
    unsigned debug(DevicePort& port, tlm::tlm_generic_payload& payload) override;
    bool grant_dmi(DevicePort& port, tlm::tlm_generic_payload& payload, tlm::tlm_dmi& grant) override;

    struct DmiGrant {
        DevicePort* port;
        Tag tag;
        Tag insists;
        std::uint64_t first; ///< as the device addresses it
        std::uint64_t last;
        std::uint64_t alias; ///< from there to the addresses that invalidations name (top byte ignored)
    };

    ProcessList processes_;
    std::vector<DmiGrant> grants_;
};

} // namespace iommusim
