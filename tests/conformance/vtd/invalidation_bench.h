// Registers, memory and the parts of the unit that carry out invalidations and report, with recorders in the
// place of the caches, of the devices and of the page request side.
#pragma once

#include "models/soc/memory.h"
#include "models/vtd/fault_log.h"
#include "models/vtd/invalidation_queue.h"
#include "models/vtd/messages.h"
#include "models/vtd/register_file.h"
#include "models/vtd/register_invalidation.h"
#include "models/vtd/spec/descriptors.h"
#include "tests/conformance/common/recording_probe.h"

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <initializer_list>
#include <string>
#include <vector>

namespace iommusim::vtd {

/// In the place of the caches.
struct RecordingTarget final : InvalidationTarget {
    template <class What> struct Effect {
        Picoseconds time;
        What what;
        CommandContext context;
    };
    struct Completion {
        std::uint16_t source;
        DrainMark mark;
    };

    explicit RecordingTarget(InflightTable& table) : inflight(table) {}

    std::uint64_t invalidate(const IotlbInvalidation& what, const CommandContext& context) override {
        record(iotlb, what, context);
        return places;
    }
    void invalidate(const ContextInvalidation& what, const CommandContext& context) override {
        record(contexts, what, context);
    }
    void invalidate(const PasidInvalidation& what, const CommandContext& context) override {
        record(pasids, what, context);
    }
    void invalidate(const InterruptEntryInvalidation& what, const CommandContext& context) override {
        record(interrupts, what, context);
    }
    void device_tlb_invalidated(std::uint16_t source, const DrainMark& mark) override {
        device_tlbs.push_back({source, mark});
        inflight.mark_all(mark);
    }
    Probe* probe() const override { return observer; }

    InflightTable& inflight;
    std::uint64_t places = 0; ///< that every IOTLB invalidation looks at
    Probe* observer = nullptr;
    std::vector<Effect<IotlbInvalidation>> iotlb;
    std::vector<Effect<ContextInvalidation>> contexts;
    std::vector<Effect<PasidInvalidation>> pasids;
    std::vector<Effect<InterruptEntryInvalidation>> interrupts;
    std::vector<Completion> device_tlbs;
    std::vector<std::string> order; ///< names of everything that took effect

private:
    /// Every access under way is overtaken.
    template <class What>
    void record(std::vector<Effect<What>>& log, const What& what, const CommandContext& context) {
        log.push_back({now(), what, context});
        order.emplace_back(context.name);
        inflight.mark_all(context.mark());
    }
};

/// In the place of the devices.
struct RecordingDevices final : sc_core::sc_module, AtsDevicesIf {
    explicit RecordingDevices(sc_core::sc_module_name name) : sc_module(name) {}

    void invalidate(const AtsInvalidation& request, Picoseconds) override {
        requests.push_back({now(), request});
        if (answers)
            unit->completed(request.requester, 1u << request.itag, round_trip);
    }
    void respond(const AtsPageResponse&, Picoseconds) override {}

    struct Request {
        Picoseconds time;
        AtsInvalidation request;
    };
    AtsInvalidator* unit = nullptr;
    bool answers = true;
    Picoseconds round_trip = 1_us;
    std::vector<Request> requests;
};

/// In the place of the page request side.
struct RecordingPageRequests final : PageRequestDrain {
    explicit RecordingPageRequests(TimedQueue& queue) : progress_(queue) {}

    std::uint64_t arrived() const override { return arrived_; }
    std::uint64_t handled() const override { return handled_; }
    Condition& progress() override { return progress_; }
    void respond(const AtsPageResponse& response) override { responses.push_back(response); }

    void arrive() { ++arrived_; }
    void handle() {
        ++handled_;
        progress_.announce();
    }
    std::vector<AtsPageResponse> responses;

private:
    std::uint64_t arrived_ = 0;
    std::uint64_t handled_ = 0;
    Condition progress_;
};

struct InvalidationBenchOptions {
    InvalidationBenchOptions() {
        parameters.queue_fetch_burst = 4;
        parameters.queue_doorbell = 5_ns;
        parameters.queue_decode = 4_ns;
        parameters.queue_execution = serial;
        parameters.queue_outstanding = 4;
        parameters.invalidation_lookup = 20_ns;
        parameters.invalidation_probe = 250_ps;
        parameters.wait_overhead = 20_ns;
        parameters.device_tlb_timeout = 100_us;
    }
    static constexpr std::uint64_t serial = 0;
    static constexpr std::uint64_t overlapped = 1;
    Features features;
    Parameters parameters;
};

class InvalidationBench : private RegisterEvents {
public:
    using Options = InvalidationBenchOptions;
    static constexpr std::uint64_t ring = 0x10'0000;   ///< the queue
    static constexpr std::uint64_t status = 0x20'0000; ///< where wait descriptors write
    static constexpr std::uint64_t fault_address = 0xFEE0'1000;
    static constexpr std::uint32_t fault_data = 0x51;
    static constexpr std::uint64_t completion_address = 0xFEE0'2000;
    static constexpr std::uint32_t completion_data = 0x52;

    explicit InvalidationBench(const Options& options = Options())
        : features(options.features),
          parameters(options.parameters),
          queue("queue"),
          memory("memory", memory_parameters()),
          ports("ports", queue),
          device("device"),
          port(ports.memory),
          inflight(queue),
          registers(features, *this),
          messages(port, queue, processes),
          faults(registers, messages),
          target(inflight),
          page_requests(queue),
          invalidations(parameters, registers, port, messages, faults, target, inflight, &ports.devices,
                        &page_requests, queue, processes),
          register_invalidations(parameters, registers, target, inflight, queue, processes) {
        port.socket.bind(memory.socket);
        ports.devices.bind(device);
        device.unit = &invalidations.device_tlbs();
        target.observer = &probe;
        sc_core::sc_report_handler::set_actions(sc_core::SC_ID_NO_SC_START_ACTIVITY_, sc_core::SC_DO_NOTHING);
        sc_core::sc_start(sc_core::SC_ZERO_TIME);
        write(spec::reg::feaddr, fault_address);
        write(spec::reg::fedata, fault_data);
        write(spec::reg::fectl, 0);
        write(spec::reg::ieaddr, completion_address);
        write(spec::reg::iedata, completion_data);
        write(spec::reg::iectl, 0);
    }
    ~InvalidationBench() override {
        queue.close();
        processes.destroy_all();
    }

    // ---- registers
    std::uint64_t read(std::uint64_t offset, unsigned bytes = 4) {
        std::uint64_t value = 0;
        EXPECT_TRUE(registers.read(offset, bytes, value));
        return value;
    }
    void write(std::uint64_t offset, std::uint64_t value, unsigned bytes = 4) {
        EXPECT_TRUE(registers.write(offset, bytes, value));
    }
    std::uint64_t iotlb_register() const { return features.iotlb_offset + 8; }
    bool fault_status(Field bit_of_fsts) { return bit_of_fsts.get(read(spec::reg::fsts)) != 0; }
    /// IQERCD.IQEI while FSTS.IQE is 1, otherwise ~0.
    unsigned queue_error() {
        if (!fault_status(spec::fsts::iqe))
            return ~0u;
        return static_cast<unsigned>(spec::iqercd::iqei.get(read(spec::reg::iqercd, 8)));
    }
    /// One GCMD command, after which GSTS shows it at once.
    void command(std::uint64_t bits) { write(spec::reg::gcmd, registers.enables() | bits); }
    /// Latches a translation table mode.
    void set_mode(std::uint64_t ttm) {
        write(spec::reg::rtaddr, spec::rtaddr::ttm.make(ttm), 8);
        command(spec::gcmd::srtp.mask());
    }

    // ---- the queue
    void enable(bool wide = false, unsigned size = 0) {
        wide_ = wide;
        size_ = size;
        tail_ = 0;
        write(spec::reg::iqa, ring | spec::iqa::dw.make(wide) | size, 8);
        command(spec::gcmd::qie.mask());
    }
    std::uint64_t slot_bytes() const { return spec::iqa::descriptor_bytes(wide_); }
    std::uint64_t slots() const { return spec::iqa::queue_bytes(size_) / slot_bytes(); }
    void put(std::uint64_t slot, std::uint64_t word0, std::uint64_t word1 = 0, std::uint64_t word2 = 0) {
        const std::uint64_t words[4] = {word0, word1, word2, 0};
        std::memcpy(memory.bytes() + ring + slot * slot_bytes(), words, slot_bytes());
    }
    /// Writes a descriptor behind the others; the hardware hears of it by submit().
    void push(std::uint64_t word0, std::uint64_t word1 = 0, std::uint64_t word2 = 0) {
        put(tail_, word0, word1, word2);
        tail_ = (tail_ + 1) % slots();
    }
    void submit() { write(spec::reg::iqt, tail_ * slot_bytes()); }
    /// One descriptor, carried out.
    void run(std::uint64_t word0, std::uint64_t word1 = 0, std::uint64_t word2 = 0) {
        push(word0, word1, word2);
        submit();
        settle();
    }
    std::uint64_t head() { return read(spec::reg::iqh, 8) / slot_bytes(); }
    std::uint64_t tail() const { return tail_; }

    /// A wait descriptor that writes `data` to status + 4 * number.
    static constexpr std::uint64_t wait_word(std::uint32_t data) { return std::uint64_t{data} << 32 | 0x25; }
    void push_wait(unsigned number = 0, std::uint32_t data = 2) {
        push(wait_word(data), status + 4ull * number);
    }
    void push_fence() { push(0x45); }
    std::uint32_t status_word(unsigned number = 0) const {
        std::uint32_t value = 0;
        std::memcpy(&value, memory.bytes() + status + 4ull * number, 4);
        return value;
    }
    /// Messages written so far to an event's address, by the data there.
    std::uint32_t message_at(std::uint64_t address) const {
        std::uint32_t value = 0;
        std::memcpy(&value, memory.bytes() + address, 4);
        return value;
    }

    // ---- accesses of devices that are under way
    InflightTable::Entry& begin_access(bool is_write) {
        InflightTable::Entry& access = accesses_.emplace_back();
        access.write = is_write;
        inflight.enter(access);
        return access;
    }
    void end_access(InflightTable::Entry& access) { inflight.leave(access); }

    static void settle() { sc_core::sc_start(); }
    static void run_for(Picoseconds time) { sc_core::sc_start(to_sc_time(time)); }

private:
    /// Ports belong to a module.
    struct Ports final : sc_core::sc_module {
        Ports(sc_core::sc_module_name name, TimedQueue& q) : sc_module(name), memory("memory", q) {}
        AtsInvalidator::Devices devices{"devices"};
        MemoryPort memory;
    };
    static soc::MemoryParameters memory_parameters() {
        soc::MemoryParameters p;
        p.size = 5ull << 30; // the interrupt window included
        p.latency = 80_ns;
        return p;
    }

    void global_command(std::uint32_t changed, std::uint32_t enables) override {
        if (spec::gcmd::srtp.get(changed))
            registers.latch_root_table();
        if (spec::gcmd::sirtp.get(changed))
            registers.latch_interrupt_table();
        registers.acknowledge_enables(~0u);
        if (spec::gcmd::qie.get(changed & enables))
            invalidations.enable();
    }
    void context_command() override { register_invalidations.context_command(0); }
    void iotlb_command() override { register_invalidations.iotlb_command(0); }
    void invalidation_tail_written() override {
        invalidations.tail_written(registers.invalidation_tail(), 0);
    }
    void invalidation_queue_address_written() override { invalidations.address_written(); }
    void fault_status_cleared(std::uint32_t bits) override {
        if (bits & (spec::fsts::iqe.mask() | spec::fsts::ite.mask()))
            invalidations.resume(0);
    }
    void fault_record_cleared(unsigned) override {}
    void fault_event_unmasked() override { faults.unmasked(); }
    void completion_event_unmasked() override {}
    void page_event_unmasked() override {}
    void completion_status_cleared() override {}
    void page_request_head_written() override {}
    void page_request_queue_changed() override {}
    void page_request_status_cleared(std::uint32_t) override {}
    void protected_memory_written() override {}
    void diagnostic(const char* message) override { diagnostics.emplace_back(message); }

    bool wide_ = false;
    unsigned size_ = 0;
    std::uint64_t tail_ = 0;

public:
    const Features features;
    const Parameters parameters;
    TimedQueue queue;
    soc::Memory memory;

private:
    Ports ports;

public:
    RecordingDevices device;
    MemoryPort& port;
    ProcessList processes;
    InflightTable inflight;
    std::vector<std::string> diagnostics;
    test::RecordingProbe probe;
    RegisterFile registers;
    Messages messages;
    FaultLog faults;
    RecordingTarget target;
    RecordingPageRequests page_requests;
    InvalidationQueue invalidations;
    RegisterInvalidation register_invalidations;

private:
    std::deque<InflightTable::Entry> accesses_;
};

} // namespace iommusim::vtd
