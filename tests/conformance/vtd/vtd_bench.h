// The bench of the VT-d model: what software does with registers, structures and descriptors, as plain byte
// writes.
#pragma once

#include "models/soc/ats_fabric.h"
#include "models/vtd/spec/faults.h"
#include "models/vtd/spec/interrupts.h"
#include "models/vtd/spec/page_request.h"
#include "models/vtd/spec/registers.h"
#include "models/vtd/vtd.h"
#include "tests/conformance/common/unit_bench.h"
#include "tests/conformance/vtd/descriptors.h"
#include "tests/conformance/vtd/structures.h"

#include <initializer_list>
#include <map>
#include <optional>
#include <vector>

namespace iommusim::vtd::test {

using iommusim::test::Dma;
using iommusim::test::pattern;
using iommusim::test::requester;
using iommusim::test::start_new_simulation;

using FaultRecord = Words<spec::fault_record::words>;
using PageRequest = Words<spec::page_request::words>;

struct BenchOptions : iommusim::test::UnitBenchOptions {
    BenchOptions() {
        message_window = spec::interrupt_window_first;
        message_window_bytes = spec::interrupt_window_last - spec::interrupt_window_first + 1;
    }
    Parameters parameters;
    std::uint64_t mode = spec::rtaddr::ttm_legacy; ///< TTM; descriptors have 256 bits in scalable mode
    unsigned queue_size = 0;                       ///< IQA.QS
    bool enable = true;                            ///< root table, queue and translation at once
    /// A device TLB between the master of port 0 and the unit; it has the requester ids of `tlb_devices`.
    bool device_tlb = false;
    soc::DeviceTlbParameters device_tlb_parameters;
    std::vector<std::uint32_t> tlb_devices{5, 6};
};

class VtdBench final : public iommusim::test::UnitBench {
public:
    using Table = PageTable<VtdBench>;
    using Pasids = PasidTable<VtdBench>;

    explicit VtdBench(const BenchOptions& options = {});

    void attach(Probe* observer) override { vtd.attach(observer); }
    ReferenceTranslator& reference() override { return vtd.reference(); }

    // ---- registers
    /// One GCMD field set or cleared, and runs until nothing moves any more.
    void set(Field gcmd_field) { command(gcmd_field, true); }
    void clear(Field gcmd_field) { command(gcmd_field, false); }
    bool status(Field gsts_field) { return gsts_field.get(read_register(spec::reg::gsts)) != 0; }
    /// RTADDR, and SRTP.
    void set_root_table(std::uint64_t base, std::uint64_t mode);
    /// Makes the message of an event go to `address`, unmasked. `control`: FECTL, IECTL or PECTL.
    void enable_event(std::uint64_t control, std::uint64_t address, std::uint32_t data);
    bool fault_status(Field fsts_field) { return fsts_field.get(read_register(spec::reg::fsts)) != 0; }

    // ---- structures
    std::uint64_t root_table() const { return scalable() ? scalable_roots.base() : roots.base(); }
    bool scalable() const { return options.mode == spec::rtaddr::ttm_scalable; }
    Table second_stage_table(unsigned levels = 4) { return Table(*this, levels, second_rw); }
    /// Its tables have their accessed bits set.
    Table first_stage_table(unsigned levels = 4) {
        return Table(*this, levels, first_rw | spec::first_stage::a.make(1));
    }
    /// Legacy mode: the device is translated by the second stage.
    void attach(std::uint16_t source, const Table& table, std::uint64_t domain) {
        roots.set(source, legacy_context(table.root(), domain, table.levels()));
    }
    /// Scalable mode: the PASID table of a device, which comes with its first use.
    Pasids& pasids(std::uint16_t source);
    /// Scalable mode: the PASID entry that requests without PASID use.
    void attach(std::uint16_t source, const PasidEntry& entry) { pasids(source).set(0, entry); }

    // ---- the queue
    std::uint64_t slots() const;
    /// Position of the next descriptor to be queued, and of the next that the unit takes.
    std::uint64_t tail() const { return tail_; }
    std::uint64_t head() { return read_register(spec::reg::iqh, 8) / slot_bytes(); }
    /// Puts a descriptor into the queue, without the doorbell. The caller minds that there is room.
    void queue(const Descriptor& descriptor);
    void doorbell() { write_register(spec::reg::iqt, tail_ * slot_bytes()); }
    /// A wait descriptor; its number, from 1, is what it writes when it is complete.
    std::uint32_t queue_wait();
    /// Number of the last wait that is complete.
    std::uint32_t completed_waits() const { return static_cast<std::uint32_t>(peek(status_)); }
    /// Queues, rings and runs until nothing moves any more.
    void execute(std::initializer_list<Descriptor> descriptors);
    void execute(const Descriptor& descriptor) { execute({descriptor}); }
    /// The same with a wait descriptor behind; whether that is complete.
    bool execute_and_wait(std::initializer_list<Descriptor> descriptors);
    bool execute_and_wait(const Descriptor& descriptor) { return execute_and_wait({descriptor}); }

    // ---- faults
    /// Takes all records, as software does; FSTS is clear then.
    std::vector<FaultRecord> take_faults();
    /// The reason of the only record; 0 if there is none, ~0 if there are several.
    unsigned take_fault();

    // ---- page requests
    /// Sets up a queue of one page.
    void enable_page_requests();
    std::vector<PageRequest> take_page_requests();

    // ---- interrupts
    /// An interrupt remapping table of 256 entries, enabled, xAPIC mode.
    void enable_interrupt_remapping();
    std::uint64_t interrupt_entry(std::uint64_t index) const {
        return interrupt_table_ + index * spec::irte::bytes;
    }

private:
    Counters counters() const override { return vtd.statistics().counters; }
    void command(Field gcmd_field, bool value);
    unsigned slot_bytes() const { return spec::iqa::descriptor_bytes(scalable()); }

public:
    const BenchOptions options;
    Vtd vtd;
    std::optional<soc::AtsFabric> fabric;
    std::optional<soc::DeviceTlb> device_tlb;
    LegacyRootTable<VtdBench> roots;
    ScalableRootTable<VtdBench> scalable_roots;

private:
    std::map<std::uint16_t, Pasids> pasids_; ///< by source
    std::uint64_t queue_ = 0;
    std::uint64_t tail_ = 0;
    std::uint64_t status_ = 0; ///< where wait descriptors write
    std::uint32_t waits_ = 0;
    std::uint64_t page_requests_ = 0;
    std::uint64_t interrupt_table_ = 0;
};

/// The same device with an address that its own TLB has translated.
inline Requester translated(Requester device) {
    device.address_type = AddressType::translated;
    return device;
}
/// Asks for translations: reads one 8-byte entry for each page.
inline Requester asking(Requester device) {
    device.address_type = AddressType::translation_request;
    return device;
}

} // namespace iommusim::vtd::test
