#include "drivers/smmuv3/context_table.h"

#include "drivers/machine/machine.h"
#include "drivers/smmuv3/command_batch.h"

#include <algorithm>

namespace iommusim::smmuv3_driver {

namespace spec = smmuv3::spec;

std::uint64_t ContextTable::top_pages() const {
    const std::uint64_t bytes =
        two_level_ ? spec::l1cd::bytes << (substream_bits_ - leaf_bits) : spec::cd::bytes << substream_bits_;
    return std::max<std::uint64_t>(1, bytes / machine::PageAllocator::page_size);
}

bool ContextTable::allocate(machine::Cpu& cpu, const Features& features) {
    substream_bits_ = features.substream_bits;
    two_level_ = features.two_level_contexts && substream_bits_ > leaf_bits;
    base_ = cpu.allocate_pages(top_pages(), top_pages() * machine::PageAllocator::page_size);
    if (base_ == machine::PageAllocator::none) {
        base_ = 0;
        return false;
    }
    second_level_.assign(two_level_ ? 1ull << (substream_bits_ - leaf_bits) : 0, 0);
    return true;
}

void ContextTable::release(machine::Cpu& cpu) {
    for (const std::uint64_t table : second_level_)
        if (table != 0)
            cpu.free_pages(table, leaf_pages);
    if (base_ != 0)
        cpu.free_pages(base_, top_pages());
    second_level_.clear();
    base_ = 0;
}

ContextPointer ContextTable::pointer() const {
    return {base_, two_level_ ? spec::ste::s1fmt_two_level_64k : spec::ste::s1fmt_linear, substream_bits_};
}

std::uint64_t ContextTable::entry_address(std::uint32_t substream_id) const {
    if (substream_id >> substream_bits_ != 0 || base_ == 0)
        return 0;
    if (!two_level_)
        return base_ + substream_id * spec::cd::bytes;
    const std::uint64_t table = second_level_[substream_id >> leaf_bits];
    return table == 0 ? 0 : table + (substream_id & ((1u << leaf_bits) - 1)) * spec::cd::bytes;
}

/// Makes sure that the substream has a descriptor in memory.
bool ContextTable::prepare(machine::Cpu& cpu, std::uint32_t substream_id,
                           const std::vector<std::uint32_t>& streams) {
    if (substream_id >> substream_bits_ != 0 || base_ == 0)
        return false;
    if (!two_level_ || second_level_[substream_id >> leaf_bits] != 0)
        return true;
    const std::uint64_t table = cpu.allocate_pages(leaf_pages, spec::cd::bytes << leaf_bits);
    if (table == machine::PageAllocator::none)
        return false;
    std::uint64_t descriptor = spec::l1cd::l2ptr.in_place(table);
    spec::l1cd::v.set(&descriptor, 1);
    cpu.barrier();
    cpu.store(base_ + (substream_id >> leaf_bits) * spec::l1cd::bytes, descriptor);
    cpu.barrier();
    second_level_[substream_id >> leaf_bits] = table;
    invalidate(cpu, substream_id, false, streams); // the unit may have cached the empty level-1 descriptor
    return true;
}

/// Not needed while no stream points to the table: nothing of it can be cached.
void ContextTable::invalidate(machine::Cpu& cpu, std::uint32_t substream_id, bool leaf,
                              const std::vector<std::uint32_t>& streams) {
    if (streams.empty() || configuration_.faults.skip_cfgi)
        return;
    CommandBatch batch(queue_, cpu);
    for (const std::uint32_t stream : streams)
        batch.add(make::cfgi_cd(stream, substream_id, leaf));
    batch.finish();
}

bool ContextTable::write(machine::Cpu& cpu, std::uint32_t substream_id, const ContextEntry& entry,
                         const std::vector<std::uint32_t>& streams) {
    if (!prepare(cpu, substream_id, streams))
        return false;
    const std::uint64_t address = entry_address(substream_id);
    for (unsigned i = 1; i < 4; ++i)
        cpu.store(address + 8 * i, entry[i]);
    cpu.barrier();
    invalidate(cpu, substream_id, true, streams);
    cpu.store(address, entry[0]);
    cpu.barrier();
    invalidate(cpu, substream_id, true, streams);
    return true;
}

void ContextTable::remove(machine::Cpu& cpu, std::uint32_t substream_id,
                          const std::vector<std::uint32_t>& streams) {
    const std::uint64_t address = entry_address(substream_id);
    if (address == 0)
        return;
    cpu.store(address, 0);
    cpu.barrier();
    invalidate(cpu, substream_id, true, streams);
}

} // namespace iommusim::smmuv3_driver
