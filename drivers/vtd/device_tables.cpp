#include "drivers/vtd/device_tables.h"

#include "models/vtd/spec/structures.h"

#include <algorithm>

namespace iommusim::vtd_driver {

namespace spec = vtd::spec;

void DeviceTables::clean(machine::Cpu& cpu, std::uint64_t address, std::size_t bytes) const {
    if (!features_.coherent)
        cpu.clean_lines(address, bytes);
}

std::uint64_t DeviceTables::allocate_table(machine::Cpu& cpu, std::size_t pages) {
    const std::uint64_t table = cpu.allocate_pages(pages);
    if (table == machine::PageAllocator::none)
        return 0;
    clean(cpu, table, pages * 4096);
    return table;
}

bool DeviceTables::allocate(machine::Cpu& cpu) {
    if (root_ == 0)
        root_ = allocate_table(cpu);
    return root_ != 0;
}

/// The word with the present bit goes last, after a barrier.
void DeviceTables::store(machine::Cpu& cpu, std::uint64_t address, const std::uint64_t* words,
                         unsigned count) {
    for (unsigned i = count; i-- > 1;)
        cpu.store(address + 8ull * i, words[i]);
    cpu.barrier();
    cpu.store(address, words[0]);
    clean(cpu, address, 8ull * count);
}

std::uint64_t DeviceTables::context_address(machine::Cpu& cpu, std::uint16_t source, bool make) {
    std::uint64_t word = root_ + spec::root::offset(source);
    std::uint64_t offset = spec::context::offset(source);
    if (features_.scalable) {
        word += spec::scalable_root::upper_half(source) ? 8 : 0;
        offset = spec::scalable_context::offset(source);
    }
    std::uint64_t entry = cpu.load(word);
    if (spec::root::p.get(entry) == 0) {
        const std::uint64_t table = make ? allocate_table(cpu) : 0;
        if (table == 0)
            return 0;
        entry = spec::root::ctp.in_place(table) | spec::root::p.make(1);
        cpu.store(word, entry);
        clean(cpu, word, 8);
    }
    return spec::root::ctp.in_place(entry) + offset;
}

bool DeviceTables::write_context(machine::Cpu& cpu, std::uint16_t source, const ContextEntry& entry) {
    const std::uint64_t address = context_address(cpu, source, true);
    if (address == 0)
        return false;
    store(cpu, address, entry.data(), features_.scalable ? 4 : 2);
    return true;
}

void DeviceTables::revoke_context(machine::Cpu& cpu, std::uint16_t source) {
    if (const std::uint64_t address = context_address(cpu, source, false); address != 0) {
        cpu.store(address, cpu.load(address) & ~spec::context::p.mask());
        clean(cpu, address, 8);
    }
}

void DeviceTables::finish_context(machine::Cpu& cpu, std::uint16_t source) {
    if (const std::uint64_t address = context_address(cpu, source, false); address != 0) {
        const ContextEntry nothing{};
        store(cpu, address, nothing.data(), features_.scalable ? 4 : 2);
    }
}

unsigned DeviceTables::directory_size_code() const {
    const unsigned wanted = std::min(configuration_.max_pasid_bits, features_.pasid_bits);
    return wanted > 13 ? std::min(7u, wanted - 13) : 0;
}

std::uint64_t DeviceTables::directory(machine::Cpu& cpu, std::uint16_t source) {
    std::uint64_t& directory = directories_[source];
    if (directory == 0) {
        const std::uint64_t entries = 1ull << (directory_size_code() + 7);
        const std::uint64_t bytes = std::max<std::uint64_t>(entries * spec::pasid_directory::bytes, 4096);
        directory = allocate_table(cpu, bytes / 4096);
    }
    return directory;
}

std::uint64_t DeviceTables::pasid_address(machine::Cpu& cpu, std::uint16_t source, std::uint32_t pasid,
                                          bool make) {
    const std::uint64_t base = directory(cpu, source);
    if (base == 0 || (pasid >> spec::scalable_context::pasid_bits(directory_size_code())) != 0)
        return 0;
    const std::uint64_t word = base + spec::pasid_directory::offset(pasid);
    std::uint64_t entry = cpu.load(word);
    if (spec::pasid_directory::p.get(entry) == 0) {
        const std::uint64_t table = make ? allocate_table(cpu) : 0;
        if (table == 0)
            return 0;
        entry = spec::pasid_directory::smptblptr.in_place(table) | spec::pasid_directory::p.make(1);
        cpu.store(word, entry);
        clean(cpu, word, 8);
    }
    return spec::pasid_directory::smptblptr.in_place(entry) + spec::pasid_entry::offset(pasid);
}

bool DeviceTables::write_pasid(machine::Cpu& cpu, std::uint16_t source, std::uint32_t pasid,
                               const PasidEntry& entry) {
    const std::uint64_t address = pasid_address(cpu, source, pasid, true);
    if (address == 0)
        return false;
    store(cpu, address, entry.data(), spec::pasid_entry::words);
    return true;
}

void DeviceTables::revoke_pasid(machine::Cpu& cpu, std::uint16_t source, std::uint32_t pasid) {
    if (const std::uint64_t address = pasid_address(cpu, source, pasid, false); address != 0) {
        cpu.store(address, cpu.load(address) & ~spec::pasid_entry::p.mask());
        clean(cpu, address, 8);
    }
}

void DeviceTables::finish_pasid(machine::Cpu& cpu, std::uint16_t source, std::uint32_t pasid) {
    if (const std::uint64_t address = pasid_address(cpu, source, pasid, false); address != 0) {
        const PasidEntry nothing{};
        store(cpu, address, nothing.data(), spec::pasid_entry::words);
    }
}

} // namespace iommusim::vtd_driver
