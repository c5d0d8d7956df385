// A device TLB between an initiator and an IOMMU that answers from a table which the test writes.
#pragma once

#include "models/base/bits.h"
#include "models/core/device_port.h"
#include "models/core/mailbox.h"
#include "models/soc/ats_fabric.h"
#include "models/soc/device_tlb.h"
#include "tests/unit/soc/bench.h"

#include <map>

namespace iommusim::soc::test {

/// An IOMMU as a device sees it. A translation request is answered with what the table says when it arrives,
/// `translation_time` later; an access takes effect at its arrival and is answered `access_time` later.
struct FakeUnit : sc_core::sc_module, DmaTarget, AtsUnitIf {
    struct Seen {
        Picoseconds time;
        Requester requester;
        std::uint64_t address;
        unsigned length;
        bool write;
    };
    struct Completion {
        Picoseconds time;
        std::uint32_t requester;
        std::uint32_t itags;
    };
    TimedQueue queue{"queue"};
    ProcessList list;
    DevicePort port{"port", queue, *this, 0, 256, 0};
    sc_core::sc_port<AtsDevicesIf> devices{"devices"};
    sc_core::sc_export<AtsUnitIf> messages{"messages"};

    std::function<std::uint64_t(const Requester&, std::uint64_t)> translate;
    tlm::tlm_response_status translation_status = tlm::TLM_OK_RESPONSE;
    Picoseconds translation_time = 200_ns;
    std::function<Picoseconds()> access_time = [] { return 100_ns; };
    Picoseconds way_back = 0; ///< annotated with responses to accesses
    std::function<void(const Completion&)> on_completion = [](const Completion&) {};

    std::vector<Seen> seen;
    std::vector<Completion> completions;
    std::vector<AtsPageRequest> page_requests;

    explicit FakeUnit(sc_core::sc_module_name name) : sc_module(name) { messages.bind(*this); }
    ~FakeUnit() override {
        queue.close();
        list.destroy_all();
    }
    ProcessList& processes() { return list; }

    std::vector<Seen> seen_as(AddressType type) const {
        std::vector<Seen> found;
        for (const Seen& s : seen)
            if (s.requester.address_type == type)
                found.push_back(s);
        return found;
    }
    std::size_t count(AddressType type) const { return seen_as(type).size(); }

    Process serve(ClientAccess& access) override {
        seen.push_back({access.pace.time(), access.requester, access.address, access.length, access.write});
        access.payload->set_response_status(tlm::TLM_OK_RESPONSE);
        access.payload->set_dmi_allowed(true);
        if (access.requester.address_type == AddressType::translation_request) {
            for (unsigned i = 0; i < access.length / 8; ++i) {
                const std::uint64_t entry =
                    translate ? translate(access.requester, access.address + i * 4096ull) : 0;
                std::memcpy(access.payload->get_data_ptr() + i * 8, &entry, 8);
            }
            access.payload->set_response_status(translation_status);
            access.pace.spend(translation_time);
        } else {
            access.pace.spend(access_time());
        }
        co_await access.pace.settle();
        if (access.requester.address_type != AddressType::translation_request)
            access.pace.spend(way_back);
        if (access.pace.timed())
            access.port.respond(access);
    }
    bool serve_at_once(ClientAccess&) override { return false; }
    unsigned debug(DevicePort&, tlm::tlm_generic_payload& payload) override {
        return payload.get_data_length();
    }
    bool grant_dmi(DevicePort&, tlm::tlm_generic_payload&, tlm::tlm_dmi&) override { return true; }

    void invalidation_completed(std::uint32_t requester, std::uint32_t itags, Picoseconds delay) override {
        completion_box.post({0, requester, itags}, delay);
    }
    void page_requested(const AtsPageRequest& request, Picoseconds delay) override {
        page_box.post(request, delay);
    }

private:
    void completed(const Completion& completion) {
        completions.push_back({now(), completion.requester, completion.itags});
        on_completion(completions.back());
    }
    void requested(const AtsPageRequest& request) { page_requests.push_back(request); }
    Mailbox<FakeUnit, Completion, &FakeUnit::completed> completion_box{queue, *this};
    Mailbox<FakeUnit, AtsPageRequest, &FakeUnit::requested> page_box{queue, *this};
};

constexpr std::uint64_t read_write = ats_completion::read | ats_completion::write;

struct DeviceTlbBench {
    static constexpr std::uint32_t device_id = 0x100;
    static constexpr Picoseconds lookup = 4_ns;

    TestInitiator master{"master"};
    DeviceTlb tlb;
    FakeUnit unit{"unit"};
    AtsFabric fabric;
    /// 4 KiB page of an address space to what a translation request is told; absent: nothing is allowed.
    std::map<std::pair<std::uint32_t, std::uint64_t>, std::uint64_t> table;

    static constexpr std::uint32_t no_pasid = ~0u;

    explicit DeviceTlbBench(const DeviceTlbParameters& parameters = quick(), Picoseconds message_latency = 0)
        : tlb("tlb", parameters), fabric("fabric", links(message_latency)) {
        master.socket.bind(tlb.upstream());
        tlb.downstream().bind(unit.port.socket);
        fabric.connect(device_id, tlb);
        fabric.unit.bind(unit.messages);
        unit.devices.bind(fabric.devices);
        unit.translate = [this](const Requester& r, std::uint64_t address) {
            const auto found = table.find({r.has_pasid ? r.pasid : no_pasid, address >> 12});
            return found != table.end() ? found->second : 0;
        };
    }
    static DeviceTlbParameters quick() {
        DeviceTlbParameters p;
        p.lookup_latency = lookup;
        p.invalidation_latency = 20_ns;
        return p;
    }
    static AtsFabricParameters links(Picoseconds latency) {
        AtsFabricParameters p;
        p.to_device_latency = p.to_unit_latency = latency;
        return p;
    }

    void map(std::uint64_t address, std::uint64_t output, std::uint64_t permissions = read_write,
             unsigned size_log2 = 12, std::uint32_t pasid = no_pasid) {
        for (std::uint64_t page = 0; page < 1ull << (size_log2 - 12); ++page)
            table[{pasid, (address >> 12) + page}] =
                ats_completion::encode_address(output, size_log2) | permissions;
    }
    static Requester requester(std::uint32_t pasid = no_pasid) {
        Requester r;
        r.id = device_id;
        r.has_pasid = pasid != no_pasid;
        r.pasid = r.has_pasid ? pasid : 0;
        return r;
    }
    TestPayload& prepare(bool write, std::uint64_t address, std::uint32_t pasid = no_pasid,
                         std::size_t length = 64) {
        TestPayload& p = master.make(write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND, address, length);
        p.set_extension(new RequesterExtension(requester(pasid))); // freed by the payload
        return p;
    }
    /// Issues a DMA now.
    TestPayload& dma(bool write, std::uint64_t address, std::uint32_t pasid = no_pasid,
                     std::size_t length = 64) {
        TestPayload& p = prepare(write, address, pasid, length);
        master.request(p);
        return p;
    }
    /// Issues a read and waits long enough for it; returns how long it took.
    Picoseconds read_time(std::uint64_t address, std::uint32_t pasid = no_pasid, std::size_t length = 64) {
        elaborate();
        const Picoseconds began = now();
        const TestPayload& p = dma(false, address, pasid, length);
        run_for(5_us);
        EXPECT_EQ(p.get_response_status(), tlm::TLM_OK_RESPONSE);
        return master.response_time(p) - began;
    }
    bool cached(std::uint64_t address, std::uint32_t pasid = no_pasid) {
        return read_time(address, pasid) == lookup + 100_ns;
    }
    tlm::tlm_response_status status_of(bool write, std::uint64_t address) {
        elaborate();
        const TestPayload& p = dma(write, address);
        run_for(50_us);
        return p.get_response_status();
    }
    AtsInvalidation range(std::uint64_t first, std::uint64_t last, unsigned itag = 0) const {
        AtsInvalidation request;
        request.requester = device_id;
        request.first = first;
        request.last = last;
        request.itag = itag;
        return request;
    }
    void invalidate(const AtsInvalidation& request) { unit.devices->invalidate(request, 0); }
    /// The unit's answer to a page request.
    void respond(const AtsPageRequest& request, AtsPageResponse::Code code) {
        AtsPageResponse response;
        response.requester = request.requester;
        response.group = request.group;
        response.code = code;
        unit.devices->respond(response, 0);
    }
};

/// The same with page requests enabled and messages that take 50 ns.
struct PageRequestBench : DeviceTlbBench {
    explicit PageRequestBench(DeviceTlbParameters p = quick())
        : DeviceTlbBench(with_page_requests(p), 50_ns) {
        elaborate();
    }
    static DeviceTlbParameters with_page_requests(DeviceTlbParameters p) {
        p.page_requests = 1;
        return p;
    }
};

} // namespace iommusim::soc::test
