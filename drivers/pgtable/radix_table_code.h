// The member functions of RadixTable. Included by the source file of each format only, which instantiates
// them.
#pragma once

#include "drivers/machine/page_allocator.h"
#include "drivers/pgtable/radix_table.h"
#include "models/base/bits.h"

#include <algorithm>
#include <bit>

namespace iommusim::pgtable {

template <class Format>
RadixTable<Format>::RadixTable(machine::Cpu& cpu, TlbOps& tlb, const Format& format,
                               const RadixTableConfig& config)
    : tlb_(tlb), format_(format), config_(config), input_last_(low_bits(config.input_bits)) {
    const unsigned root_shift = level_shift(config_.levels);
    root_entries_ = config_.input_bits > root_shift ? 1u << (config_.input_bits - root_shift) : 1;
    std::uint64_t in_the_tree = 0;
    for (unsigned level = 1; level <= config_.levels; ++level)
        in_the_tree |= level_size(level);
    config_.page_sizes = (config_.page_sizes & in_the_tree) | granule;

    // Tables fill a granule, a smaller root too; a larger one lies at a multiple of its size.
    const std::uint64_t bytes = std::max<std::uint64_t>(granule, entry_bytes * root_entries_);
    root_ = cpu.allocate_pages(bytes / machine::PageAllocator::page_size, bytes);
    if (root_ == no_table)
        return;
    tables_ = bytes / granule;
    clean(cpu, root_, bytes);
}

template <class Format> bool RadixTable<Format>::supported(std::uint64_t page_size) const {
    return (page_size & (page_size - 1)) == 0 && (page_size & config_.page_sizes) != 0;
}

/// Of a supported page size.
template <class Format> unsigned RadixTable<Format>::level_of(std::uint64_t page_size) const {
    return (static_cast<unsigned>(std::countr_zero(page_size)) - Format::granule_bits) / Format::stride + 1;
}

template <class Format>
bool RadixTable<Format>::reached_before(machine::Cpu& cpu, std::uint64_t iova, Position& at) const {
    const std::uint64_t region = iova >> level_shift(2);
    const ReachedTable& r = reached_[region % reached_.size()];
    if (r.region != region)
        return false;
    cpu.spend((config_.levels - 1) * cpu.parameters().cached_access);
    at = {r.table, 1};
    return true;
}

template <class Format> void RadixTable<Format>::remember(std::uint64_t iova, std::uint64_t table) {
    const std::uint64_t region = iova >> level_shift(2);
    reached_[region % reached_.size()] = {region, table};
}

template <class Format>
void RadixTable<Format>::clean(machine::Cpu& cpu, std::uint64_t address, std::uint64_t bytes) {
    if (!config_.coherent)
        cpu.clean_lines(address, bytes);
}

template <class Format>
void RadixTable<Format>::write_entry(machine::Cpu& cpu, std::uint64_t entry, std::uint64_t value) {
    cpu.store(entry, value);
    if (!config_.coherent)
        cpu.clean_line(entry);
}

// ---- tables

template <class Format> std::uint64_t RadixTable<Format>::allocate_table(machine::Cpu& cpu) {
    const std::uint64_t table = cpu.allocate_pages(granule / machine::PageAllocator::page_size, granule);
    if (table != no_table)
        ++tables_;
    return table;
}

template <class Format> void RadixTable<Format>::free_table(machine::Cpu& cpu, std::uint64_t table) {
    cpu.free_pages(table, granule / machine::PageAllocator::page_size);
    --tables_;
}

/// Calls give(table) for every table below `table`, then for itself.
template <class Format>
template <class Give>
void RadixTable<Format>::give_subtree(machine::Cpu& cpu, std::uint64_t table, unsigned level,
                                      const Give& give) {
    if (level > 1) {
        std::array<std::uint64_t, entries_per_table> values;
        cpu.read(table, values.data(), sizeof values);
        for (const std::uint64_t value : values)
            if (format_.is_valid(value) && format_.is_table(value, level))
                give_subtree(cpu, format_.output(value), level - 1, give);
    }
    give(table);
}

template <class Format> void RadixTable<Format>::release(machine::Cpu& cpu) {
    if (root_ == no_table)
        return;
    const std::uint64_t end = std::max<std::uint64_t>(root_ + granule, entry_address(root_, root_entries_));
    for (std::uint64_t table = root_; table < end; table += granule)
        give_subtree(cpu, table, config_.levels, [&](std::uint64_t t) { free_table(cpu, t); });
    root_ = no_table;
    reached_.fill({});
}

/// Hooks `table` in by compare-and-exchange. Returns the entry that is there now: ours, or the one of whoever
/// was faster, in which case our table is freed.
template <class Format>
std::uint64_t RadixTable<Format>::install_table(machine::Cpu& cpu, Position at, std::uint64_t iova,
                                                std::uint64_t expected, std::uint64_t table) {
    clean(cpu, table, granule); // before the device can come this way
    cpu.synchronize();
    // Nothing between load and store may yield: that makes the two one atomic operation.
    const std::uint64_t entry = entry_address(at.table, index(iova, at.level));
    const std::uint64_t current = cpu.load(entry);
    if (current != expected) {
        cpu.spend(cpu.parameters().atomic);
        free_table(cpu, table);
        return current;
    }
    const std::uint64_t value = format_.table(table, at.level);
    write_entry(cpu, entry, value);
    cpu.spend(cpu.parameters().atomic);
    return value;
}

/// Unhooks a table and frees it and all below it as soon as no walk cache knows it.
template <class Format>
void RadixTable<Format>::remove_table(machine::Cpu& cpu, std::uint64_t entry, std::uint64_t value,
                                      unsigned level, std::uint64_t iova) {
    write_entry(cpu, entry, 0);
    reached_.fill({});
    tlb_.flush_walk(cpu, iova, level_size(level), granule);
    give_subtree(cpu, format_.output(value), level - 1, [&](std::uint64_t t) { free_table(cpu, t); });
}

/// Leaves an unhooked table and all below it to whoever synchronizes the gather.
template <class Format>
void RadixTable<Format>::defer_table(machine::Cpu& cpu, std::uint64_t value, unsigned level,
                                     dma::Gather& gather) {
    static_assert(!Format::frees_covered_tables || granule == machine::PageAllocator::page_size);
    reached_.fill({});
    give_subtree(cpu, format_.output(value), level - 1, [&](std::uint64_t t) {
        gather.free_pages.push_back(t);
        --tables_;
    });
}

// ---- map

template <class Format>
dma::Status RadixTable<Format>::map_pages(machine::Cpu& cpu, std::uint64_t iova, std::uint64_t physical,
                                          std::uint64_t page_size, std::size_t count, unsigned protection,
                                          std::uint64_t& mapped) {
    cpu.spend(config_.parameters.map_call);
    if (root_ == no_table)
        return dma::Status::no_memory;
    if (!supported(page_size) || count == 0 || ((iova | physical) & (page_size - 1)) != 0 ||
        iova > input_last_ || (physical >> config_.output_bits) != 0 ||
        (protection & (dma::prot_read | dma::prot_write)) == 0)
        return dma::Status::invalid_argument;

    const unsigned target = level_of(page_size);
    Position at{root_, config_.levels};
    if (target == 1 && reached_before(cpu, iova, at) && count == 1) {
        // The usual case, in few host instructions.
        const std::uint64_t entry = entry_address(at.table, index(iova, 1));
        const bool free = !format_.is_valid(cpu.load(entry));
        if (free) {
            write_entry(cpu, entry, format_.leaf(physical, format_.attributes(protection), 1));
            mapped += granule;
        }
        cpu.barrier();
        return free ? dma::Status::ok : dma::Status::already_mapped;
    }
    while (at.level > target) {
        std::uint64_t value = cpu.load(entry_address(at.table, index(iova, at.level)));
        if (!format_.is_valid(value)) {
            const std::uint64_t table = allocate_table(cpu);
            if (table == no_table)
                return dma::Status::no_memory;
            value = install_table(cpu, at, iova, value, table);
        }
        if (is_leaf(value, at.level))
            return dma::Status::already_mapped;
        at = {format_.output(value), at.level - 1};
        if (at.level == 1)
            remember(iova, at.table);
    }

    const std::size_t room = entries(at.level) - index(iova, at.level);
    // The range must not leave the output size either.
    const std::uint64_t output_room = ((1ull << config_.output_bits) - physical) >> level_shift(at.level);
    count = std::min<std::uint64_t>({count, room, output_room});
    const dma::Status status = write_leaves(cpu, at, iova, physical, count, format_.attributes(protection));
    if (status == dma::Status::ok)
        mapped += count * page_size;
    cpu.barrier(); // the device may be told about the mapping right away
    return status;
}

template <class Format>
dma::Status RadixTable<Format>::write_leaves(machine::Cpu& cpu, Position at, std::uint64_t iova,
                                             std::uint64_t physical, std::size_t count,
                                             std::uint64_t attributes) {
    const unsigned first = index(iova, at.level);
    const std::uint64_t size = level_size(at.level);
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint64_t entry = entry_address(at.table, first + i);
        const std::uint64_t value = cpu.load(entry);
        if (!format_.is_valid(value))
            continue;
        if (!format_.is_table(value, at.level))
            return dma::Status::already_mapped;
        // The range belongs to the caller, so a table in the way holds no live leaf: it is left over from
        // smaller pages.
        remove_table(cpu, entry, value, at.level, iova + i * size);
    }

    for (std::size_t i = 0; i < count; ++i) {
        const std::uint64_t output = physical + i * size;
        std::uint64_t value = format_.leaf(output, attributes, at.level);
        if constexpr (Format::contiguous_entries > 1)
            if (completes_a_run(first, count, first + static_cast<unsigned>(i), output, at.level))
                value = format_.with_hint(value);
        cpu.store(entry_address(at.table, first + i), value);
    }
    clean(cpu, entry_address(at.table, first), entry_bytes * count);
    return dma::Status::ok;
}

/// Whether the leaf at `index` belongs to a run that deserves a hint: the whole of it is among the `count`
/// entries from `first` on, and its output is aligned like its entries.
template <class Format>
bool RadixTable<Format>::completes_a_run(unsigned first, std::size_t count, unsigned index,
                                         std::uint64_t output, unsigned level) const {
    constexpr unsigned length = Format::contiguous_entries;
    const unsigned run = index & ~(length - 1);
    return uses_hints() && run >= first && run + length <= first + count &&
           ((output >> level_shift(level)) & (length - 1)) == index - run;
}

// ---- unmap

template <class Format>
std::uint64_t RadixTable<Format>::unmap_pages(machine::Cpu& cpu, std::uint64_t iova, std::uint64_t page_size,
                                              std::size_t count, dma::Gather& gather) {
    cpu.spend(config_.parameters.unmap_call);
    if (root_ == no_table || !supported(page_size) || count == 0 || (iova & (page_size - 1)) != 0 ||
        iova > input_last_)
        return 0;

    const unsigned target = level_of(page_size);
    Position at{root_, config_.levels};
    const bool may_cover_tables = Format::frees_covered_tables && count >= entries_per_table;
    if (target == 1 && !may_cover_tables && reached_before(cpu, iova, at) && count == 1 && !uses_hints()) {
        // The usual case, in few host instructions.
        const std::uint64_t entry = entry_address(at.table, index(iova, 1));
        if (!format_.is_valid(cpu.load(entry)))
            return 0;
        write_entry(cpu, entry, 0);
        if (!gather.queued)
            tlb_.add_page(cpu, iova, granule, gather);
        return granule;
    }
    while (at.level > target) {
        if (may_cover_tables && (iova & (level_size(at.level) - 1)) == 0) {
            const std::size_t covered = count >> (level_shift(at.level) - level_shift(target));
            if (covered != 0)
                return clear_entries(cpu, at, iova, covered, gather);
        }
        const std::uint64_t value = cpu.load(entry_address(at.table, index(iova, at.level)));
        if (!format_.is_valid(value))
            return 0;
        if (!format_.is_table(value, at.level)) {
            // A block is larger than what shall go. Splitting leaves out the wanted pages if they are entries
            // of the new table; then only the gather is left to do.
            std::size_t left_out = count;
            const std::uint64_t table = split_block(cpu, at, value, iova, page_size, left_out);
            if (table == no_table)
                return 0;
            if (left_out != 0) {
                for (std::size_t i = 0; i < left_out && !gather.queued; ++i)
                    tlb_.add_page(cpu, iova + i * page_size, page_size, gather);
                return left_out * page_size;
            }
            at = {table, at.level - 1};
            continue;
        }
        at = {format_.output(value), at.level - 1};
        if (at.level == 1)
            remember(iova, at.table);
    }
    return clear_entries(cpu, at, iova, count, gather);
}

template <class Format>
std::uint64_t RadixTable<Format>::clear_entries(machine::Cpu& cpu, Position at, std::uint64_t iova,
                                                std::size_t count, dma::Gather& gather) {
    const unsigned first = index(iova, at.level);
    const std::uint64_t size = level_size(at.level);
    count = std::min<std::size_t>(count, entries(at.level) - first);
    std::size_t done = 0;
    for (; done < count; ++done) {
        const unsigned i = first + static_cast<unsigned>(done);
        const std::uint64_t entry = entry_address(at.table, i);
        const std::uint64_t value = cpu.load(entry);
        if (!format_.is_valid(value))
            break;
        const bool is_table = format_.is_table(value, at.level);
        if (is_table && !Format::frees_covered_tables) {
            remove_table(cpu, entry, value, at.level, iova + done * size);
            continue;
        }
        if constexpr (Format::contiguous_entries > 1) {
            const unsigned run = i & ~(Format::contiguous_entries - 1);
            if (format_.has_hint(value) && (run < first || run + Format::contiguous_entries > first + count))
                drop_hint(cpu, at, run);
        }
        cpu.store(entry, 0);
        if (!gather.queued)
            tlb_.add_page(cpu, iova + done * size, size, gather);
        // Not earlier: to make room, add_page() may synchronize what was gathered before, and free its pages.
        if (is_table)
            defer_table(cpu, value, at.level, gather);
    }
    clean(cpu, entry_address(at.table, first), entry_bytes * done);
    return done * size;
}

/// Replaces the block over `iova` by a table. If the pages to remove are entries of that table (and `count`
/// of them do not leave it) they are left out and `count` says how many; otherwise `count` becomes 0. Returns
/// the table, no_table without memory.
template <class Format>
std::uint64_t RadixTable<Format>::split_block(machine::Cpu& cpu, Position at, std::uint64_t block,
                                              std::uint64_t iova, std::uint64_t page_size,
                                              std::size_t& count) {
    const unsigned below = at.level - 1;
    const std::uint64_t size = level_size(below);
    const unsigned first = index(iova, below);
    count = size == page_size ? std::min<std::size_t>(count, entries_per_table - first) : 0;

    const std::uint64_t table = allocate_table(cpu);
    if (table == no_table)
        return no_table;
    if constexpr (Format::contiguous_entries > 1)
        if (format_.has_hint(block)) {
            drop_hint(cpu, at, index(iova, at.level) & ~(Format::contiguous_entries - 1));
            block = format_.without_hint(block);
        }
    const std::uint64_t base = format_.output(block);
    const std::uint64_t attributes = format_.attributes_of(block);
    std::array<std::uint64_t, entries_per_table> values{};
    for (unsigned i = 0; i < entries_per_table; ++i)
        if (i < first || i >= first + count)
            values[i] = format_.leaf(base + i * size, attributes, below);
    cpu.write(table, values.data(), sizeof values);

    const std::uint64_t now = install_table(cpu, at, iova, block, table);
    if (!format_.is_valid(now) || !format_.is_table(now, at.level))
        return no_table;
    if (format_.output(now) != table)
        count = 0; // another CPU split it first for its own pages: ours are still mapped in its table
    return format_.output(now);
}

/// Turns a run of contiguous entries into ordinary ones.
template <class Format> void RadixTable<Format>::drop_hint(machine::Cpu& cpu, Position at, unsigned run) {
    if constexpr (Format::contiguous_entries > 1)
        for (unsigned i = run; i < run + Format::contiguous_entries; ++i) {
            const std::uint64_t entry = entry_address(at.table, i);
            const std::uint64_t value = cpu.load(entry);
            if (is_leaf(value, at.level) && format_.has_hint(value))
                write_entry(cpu, entry, format_.without_hint(value));
        }
}

// ---- walk

template <class Format>
std::uint64_t RadixTable<Format>::iova_to_phys(machine::Cpu& cpu, std::uint64_t iova) {
    cpu.spend(config_.parameters.walk_call);
    if (root_ == no_table || iova > input_last_)
        return ~0ull;
    Position at{root_, config_.levels};
    reached_before(cpu, iova, at);
    for (;;) {
        const std::uint64_t value = cpu.load(entry_address(at.table, index(iova, at.level)));
        if (!format_.is_valid(value))
            return ~0ull;
        if (!format_.is_table(value, at.level))
            return format_.output(value) | (iova & (level_size(at.level) - 1));
        at = {format_.output(value), at.level - 1};
        if (at.level == 1)
            remember(iova, at.table);
    }
}

} // namespace iommusim::pgtable
