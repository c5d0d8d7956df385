#include "tests/conformance/vtd/vtd_bench.h"

namespace iommusim::vtd::test {

using namespace spec;

VtdBench::VtdBench(const BenchOptions& o)
    : UnitBench(o, static_cast<unsigned>(o.parameters.device_ports)),
      options(o),
      vtd("vtd", o.parameters),
      roots(*this),
      scalable_roots(*this) {
    if (o.device_tlb) {
        device_tlb.emplace("device_tlb", o.device_tlb_parameters);
        fabric.emplace("fabric");
        for (const std::uint32_t id : o.tlb_devices)
            fabric->connect(id, *device_tlb);
        vtd.devices.bind(fabric->devices);
        fabric->unit.bind(vtd.ats);
    }
    connect(vtd, device_tlb ? &*device_tlb : nullptr);

    queue_ = allocate(iqa::queue_bytes(o.queue_size), table_bytes);
    status_ = allocate(64);
    if (vtd.features().queued_invalidation)
        write_register(reg::iqa, queue_ | iqa::dw.make(scalable()) | iqa::qs.make(o.queue_size), 8);
    if (!o.enable)
        return;
    set(gcmd::qie);
    set_root_table(root_table(), o.mode);
    set(gcmd::te);
}

// ---- registers

void VtdBench::command(Field gcmd_field, bool value) {
    const std::uint64_t others = read_register(reg::gsts) & gcmd::status_to_command_mask & ~gcmd_field.mask();
    write_register(reg::gcmd, others | gcmd_field.make(value));
    settle();
}

void VtdBench::set_root_table(std::uint64_t base, std::uint64_t mode) {
    write_register(reg::rtaddr, base | rtaddr::ttm.make(mode), 8);
    set(gcmd::srtp);
}

void VtdBench::enable_event(std::uint64_t control, std::uint64_t address, std::uint32_t data) {
    write_register(control + 4, data);
    write_register(control + 8, address);
    write_register(control, 0);
}

// ---- structures

VtdBench::Pasids& VtdBench::pasids(std::uint16_t source) {
    const auto found = pasids_.find(source);
    if (found != pasids_.end())
        return found->second;
    Pasids& table = pasids_.emplace(source, Pasids(*this)).first->second;
    scalable_roots.set(source, scalable_context(table.directory(), Pasids::directory_size));
    return table;
}

// ---- the queue

std::uint64_t VtdBench::slots() const { return iqa::queue_bytes(options.queue_size) / slot_bytes(); }

void VtdBench::queue(const Descriptor& descriptor) {
    std::memcpy(memory.bytes() + queue_ + tail_ * slot_bytes(), descriptor.words.data(), slot_bytes());
    tail_ = (tail_ + 1) % slots();
}

std::uint32_t VtdBench::queue_wait() {
    queue(wait_with_status(status_, ++waits_));
    return waits_;
}

void VtdBench::execute(std::initializer_list<Descriptor> descriptors) {
    for (const Descriptor& d : descriptors)
        queue(d);
    doorbell();
    settle();
}

bool VtdBench::execute_and_wait(std::initializer_list<Descriptor> descriptors) {
    for (const Descriptor& d : descriptors)
        queue(d);
    const std::uint32_t number = queue_wait();
    doorbell();
    settle();
    return completed_waits() == number;
}

// ---- faults

std::vector<FaultRecord> VtdBench::take_faults() {
    std::vector<FaultRecord> faults;
    const std::uint64_t base = vtd.features().fault_record_offset;
    const unsigned count = vtd.features().fault_records;
    const auto first = static_cast<unsigned>(fsts::fri.get(read_register(reg::fsts)));
    for (unsigned i = 0; i < count; ++i) {
        const std::uint64_t at = base + (first + i) % count * fault_record::bytes;
        FaultRecord record;
        record.words = {read_register(at, 8), read_register(at + 8, 8)};
        if (!record.get(fault_record::f))
            continue;
        faults.push_back(record);
        write_register(at + 12, 1u << 31);
    }
    write_register(reg::fsts, fsts::pfo.mask());
    return faults;
}

unsigned VtdBench::take_fault() {
    const std::vector<FaultRecord> faults = take_faults();
    if (faults.size() > 1)
        return ~0u;
    return faults.empty() ? fault_reason::none : static_cast<unsigned>(faults[0].get(fault_record::fr));
}

// ---- page requests

void VtdBench::enable_page_requests() {
    page_requests_ = allocate(pqa::queue_bytes(0), table_bytes);
    write_register(reg::pqa, page_requests_, 8);
}

std::vector<PageRequest> VtdBench::take_page_requests() {
    std::vector<PageRequest> requests;
    write_register(reg::prs, prs::ppr.mask());
    std::uint64_t at = read_register(reg::pqh, 8);
    const std::uint64_t end = read_register(reg::pqt, 8);
    for (; at != end; at = (at + page_request::bytes) % pqa::queue_bytes(0))
        requests.push_back(peek_words<page_request::words>(page_requests_ + at));
    write_register(reg::pqh, end, 8);
    return requests;
}

// ---- interrupts

void VtdBench::enable_interrupt_remapping() {
    constexpr unsigned size = 7;
    interrupt_table_ = allocate(irta::entries(size) * irte::bytes, table_bytes);
    write_register(reg::irta, interrupt_table_ | irta::s.make(size), 8);
    set(gcmd::sirtp);
    set(gcmd::ire);
}

} // namespace iommusim::vtd::test
