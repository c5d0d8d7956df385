#include "drivers/smmuv3/stream_table.h"

#include "drivers/machine/machine.h"
#include "models/smmuv3/spec/registers.h"

#include <algorithm>

namespace iommusim::smmuv3_driver {

namespace spec = smmuv3::spec;

StreamTable::StreamTable(const Configuration& configuration, CommandQueue& queue, dma::DriverErrorLog* log)
    : configuration_(configuration), queue_(queue), log_(log) {}

bool StreamTable::allocate(machine::Cpu& cpu, const Features& features) {
    features_ = features;
    stream_bits_ = features.stream_bits;
    two_level_ = features.two_level_streams && stream_bits_ > split;
    second_level_.clear();
    if (!two_level_) {
        base_ = allocate_entries(cpu, 1ull << stream_bits_);
        return base_ != 0;
    }
    stream_bits_ = std::min(stream_bits_, 17 + split); // a first level of at most 1 MiB
    const std::uint64_t entries = 1ull << (stream_bits_ - split);
    const std::uint64_t bytes = entries * spec::l1std::bytes;
    const std::uint64_t page = machine::PageAllocator::page_size;
    base_ = cpu.allocate_pages((bytes + page - 1) / page, std::max(bytes, page));
    if (base_ == machine::PageAllocator::none)
        return false;
    second_level_.assign(entries, 0);
    return true;
}

/// A run of entries for unattached streams, aligned to its size; 0: no memory.
std::uint64_t StreamTable::allocate_entries(machine::Cpu& cpu, std::uint64_t count) {
    const std::uint64_t page = machine::PageAllocator::page_size;
    const std::uint64_t bytes = count * spec::ste::bytes;
    const std::uint64_t address = cpu.allocate_pages((bytes + page - 1) / page, std::max(bytes, page));
    if (address == machine::PageAllocator::none) {
        note_error(log_, DriverError::no_memory, cpu.time(), 0);
        return 0;
    }
    const StreamEntry entry = unattached_entry();
    for (std::uint64_t i = 0; i < count; ++i)
        cpu.write(address + i * spec::ste::bytes, entry.data(), spec::ste::bytes);
    cpu.barrier();
    return address;
}

std::uint64_t StreamTable::base_register() const {
    return spec::strtab_base::ra.make(1) | spec::strtab_base::addr.in_place(base_);
}

std::uint32_t StreamTable::configuration_register() const {
    std::uint64_t value = spec::strtab_base_cfg::log2size.make(stream_bits_);
    if (two_level_)
        value |= spec::strtab_base_cfg::split.make(split) |
                 spec::strtab_base_cfg::fmt.make(spec::strtab_base_cfg::fmt_two_level);
    return static_cast<std::uint32_t>(value);
}

StreamEntry StreamTable::unattached_entry() const {
    StreamEntry entry{};
    spec::ste::v.set(entry.data(), 1);
    spec::ste::config.set(entry.data(), configuration_.bypass_unattached ? spec::ste::config_bypass
                                                                         : spec::ste::config_abort);
    spec::ste::shcfg.set(entry.data(), spec::ste::shcfg_use_incoming);
    return entry;
}

std::uint64_t StreamTable::entry_address(std::uint32_t stream_id) const {
    if (stream_bits_ < 32 && stream_id >> stream_bits_ != 0)
        return 0;
    if (!two_level_)
        return base_ + stream_id * spec::ste::bytes;
    const std::uint64_t table = second_level_[stream_id >> split];
    return table == 0 ? 0 : table + (stream_id & ((1u << split) - 1)) * spec::ste::bytes;
}

/// Makes sure that the stream has an entry in memory.
bool StreamTable::prepare(machine::Cpu& cpu, std::uint32_t stream_id) {
    if (stream_bits_ < 32 && stream_id >> stream_bits_ != 0)
        return false;
    if (!two_level_ || second_level_[stream_id >> split] != 0)
        return true;
    const std::uint64_t table = allocate_entries(cpu, 1u << split);
    if (table == 0)
        return false;
    std::uint64_t descriptor = spec::l1std::l2ptr.in_place(table);
    spec::l1std::span.set(&descriptor, split + 1);
    cpu.store(base_ + (stream_id >> split) * spec::l1std::bytes, descriptor);
    cpu.barrier();
    second_level_[stream_id >> split] = table;
    // The unit may have cached that there is no second level (7.3): the descriptor has to go, not only the
    // leaf.
    invalidate(cpu, stream_id, false);
    return true;
}

void StreamTable::invalidate(machine::Cpu& cpu, std::uint32_t stream_id, bool leaf) {
    if (configuration_.faults.skip_cfgi)
        return;
    cpu.spend(queue_.software().build_command);
    queue_.submit_and_wait(cpu, make::cfgi_ste(stream_id, leaf));
}

bool StreamTable::write_stage1(machine::Cpu& cpu, std::uint32_t stream_id, const ContextPointer& context) {
    if (!prepare(cpu, stream_id))
        return false;
    StreamEntry entry{};
    std::uint64_t* words = entry.data();
    spec::ste::v.set(words, 1);
    spec::ste::config.set(words, spec::ste::config_stage_1);
    spec::ste::s1fmt.set(words, context.format);
    words[0] |= spec::ste::s1_context_ptr.in_place(context.address);
    spec::ste::s1cdmax.set(words, context.substream_bits);
    spec::ste::s1dss.set(words, spec::ste::s1dss_substream_0);
    const std::uint64_t write_back_read_allocate = 1;
    spec::ste::s1cir.set(words, write_back_read_allocate);
    spec::ste::s1cor.set(words, write_back_read_allocate);
    spec::ste::s1csh.set(words, spec::shareability::inner_shareable);
    spec::ste::strw.set(words, spec::ste::strw_el1);
    spec::ste::shcfg.set(words, spec::ste::shcfg_use_incoming);
    if (features_.can_stall && !features_.force_stall)
        spec::ste::s1stalld.set(words, 1);

    const std::uint64_t address = entry_address(stream_id);
    for (unsigned i = 1; i < 4; ++i)
        cpu.store(address + 8 * i, entry[i]);
    cpu.barrier();
    invalidate(cpu, stream_id, true);
    cpu.store(address, entry[0]);
    cpu.barrier();
    invalidate(cpu, stream_id, true);
    if (!configuration_.skip_prefetch) {
        const Command prefetch = make::prefetch_config(stream_id);
        cpu.spend(queue_.software().build_command);
        queue_.submit(cpu, &prefetch, 1, false);
    }
    return true;
}

bool StreamTable::write_unattached(machine::Cpu& cpu, std::uint32_t stream_id) {
    if (!prepare(cpu, stream_id))
        return false;
    // Word 0 first: once the entry aborts or bypasses, nothing that the other words held is used any more.
    const StreamEntry entry = unattached_entry();
    const std::uint64_t address = entry_address(stream_id);
    for (unsigned i = 0; i < 3; ++i)
        cpu.store(address + 8 * i, entry[i]);
    cpu.barrier();
    invalidate(cpu, stream_id, true);
    return true;
}

} // namespace iommusim::smmuv3_driver
