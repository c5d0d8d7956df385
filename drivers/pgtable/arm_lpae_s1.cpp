#include "drivers/pgtable/arm_lpae_s1.h"

#include "models/smmuv3/spec/translation_table.h"

#include <algorithm>
#include <array>
#include <bit>

namespace iommusim::pgtable {
namespace {

namespace descriptor = smmuv3::spec::descriptor;
namespace leaf = smmuv3::spec::stage1_leaf;

constexpr smmuv3::spec::Granule granule = smmuv3::spec::granule_4k;
constexpr unsigned entries_per_table = granule.entries_per_table();
constexpr unsigned last_level = 3;
constexpr unsigned contiguous_entries = 1u << granule.contiguous_bits(last_level); // the same at every level

enum AttributeIndex : unsigned { non_cacheable = 0, write_back = 1, device = 2 };
constexpr std::uint64_t mair_bytes = 0x44ull | 0xFFull << 8 | 0x04ull << 16 | 0xF4ull << 24;

constexpr std::uint64_t level_size(unsigned level) { return granule.level_bytes(level); }
constexpr unsigned level_index(std::uint64_t iova, unsigned level) { return granule.index(iova, level); }
constexpr std::uint64_t entry_address(std::uint64_t table, std::uint64_t index) {
    return table + descriptor::bytes * index;
}
constexpr std::uint64_t output_of(std::uint64_t d) { return descriptor::address_4k.in_place(d); }

constexpr unsigned level_of(std::uint64_t page_size) {
    return last_level -
           (static_cast<unsigned>(std::countr_zero(page_size)) - granule.bits) / granule.stride();
}

constexpr bool is_valid(std::uint64_t d) { return descriptor::valid.get(d) != 0; }
constexpr bool is_table(std::uint64_t d, unsigned level) {
    return level < last_level && descriptor::type.get(d) == descriptor::type_table;
}
constexpr bool is_leaf(std::uint64_t d, unsigned level) { return is_valid(d) && !is_table(d, level); }
constexpr std::uint64_t leaf_type(unsigned level) {
    return level == last_level ? descriptor::type_page : descriptor::type_block;
}

constexpr std::uint64_t leaf_attributes(unsigned protection) {
    const bool coherent = (protection & dma::prot_coherent) != 0;
    std::uint64_t d = leaf::af.make(1) | leaf::ng.make(1) | leaf::sh.make(coherent ? 3 : 2); // inner : outer
    if ((protection & dma::prot_write) == 0)
        d |= leaf::ap_read_only.make(1);
    if ((protection & dma::prot_privileged) == 0)
        d |= leaf::ap_unprivileged.make(1);
    if ((protection & dma::prot_mmio) != 0)
        d |= leaf::attr_index.make(device);
    else
        d |= leaf::attr_index.make(coherent ? write_back : non_cacheable);
    if ((protection & dma::prot_no_execute) != 0)
        d |= leaf::pxn.make(1) | leaf::uxn.make(1);
    return d;
}

/// By protection bits.
constexpr auto attributes_of = [] {
    std::array<std::uint64_t, 64> all{};
    for (unsigned protection = 0; protection < all.size(); ++protection)
        all[protection] = leaf_attributes(protection);
    return all;
}();

unsigned ips_of(unsigned output_bits) {
    constexpr std::array<unsigned, 6> sizes = {32, 36, 40, 42, 44, 48};
    unsigned code = 0;
    while (code + 1 < sizes.size() && sizes[code] < output_bits)
        ++code;
    return code;
}

} // namespace

ArmLpaeS1::ArmLpaeS1(machine::Cpu& cpu, TlbOps& tlb, const ArmLpaeS1Config& config)
    : tlb_(tlb), config_(config) {
    config_.input_bits = std::clamp(config_.input_bits, 25u, 48u);
    config_.output_bits = std::clamp(config_.output_bits, 32u, 48u);
    config_.page_sizes = (config_.page_sizes & (level_size(1) | level_size(2))) | granule.bytes();
    start_level_ = granule.start_level(config_.input_bits);
    root_ = allocate_table(cpu);
}

ArmLpaeS1Registers ArmLpaeS1::registers() const {
    return {.ttb = root_,
            .t0sz = 64 - config_.input_bits,
            .tg0 = 0,
            .ir0 = 1,
            .or0 = 1,
            .sh0 = 3,
            .ips = ips_of(config_.output_bits),
            .mair = mair_bytes};
}

bool ArmLpaeS1::supported(std::uint64_t page_size) const {
    return (page_size & (page_size - 1)) == 0 && (page_size & config_.page_sizes) != 0;
}

bool ArmLpaeS1::reached_before(machine::Cpu& cpu, std::uint64_t iova, Position& at) const {
    const std::uint64_t region = iova >> granule.level_shift(last_level - 1);
    const ReachedTable& r = reached_[region % reached_.size()];
    if (r.region != region)
        return false;
    cpu.spend((last_level - start_level_) * cpu.parameters().cached_access);
    at = {r.table, last_level};
    return true;
}

void ArmLpaeS1::remember(std::uint64_t iova, std::uint64_t table) {
    const std::uint64_t region = iova >> granule.level_shift(last_level - 1);
    reached_[region % reached_.size()] = {region, table};
}

std::uint64_t ArmLpaeS1::allocate_table(machine::Cpu& cpu) {
    const std::uint64_t table = cpu.allocate_pages();
    if (table != no_table)
        ++tables_;
    return table;
}

void ArmLpaeS1::free_table(machine::Cpu& cpu, std::uint64_t table) {
    cpu.free_pages(table);
    --tables_;
}

void ArmLpaeS1::free_subtree(machine::Cpu& cpu, std::uint64_t table, unsigned level) {
    if (level < last_level) {
        std::array<std::uint64_t, entries_per_table> entries;
        cpu.read(table, entries.data(), sizeof entries);
        for (const std::uint64_t d : entries)
            if (is_table(d, level))
                free_subtree(cpu, output_of(d), level + 1);
    }
    free_table(cpu, table);
}

void ArmLpaeS1::release(machine::Cpu& cpu) {
    if (root_ != no_table)
        free_subtree(cpu, root_, start_level_);
    root_ = no_table;
    reached_.fill({});
}

/// Hooks `table` in by compare-and-exchange. Returns the table descriptor that is there now: ours, or the one
/// of whoever was faster, in which case our page is freed.
std::uint64_t ArmLpaeS1::install_table(machine::Cpu& cpu, std::uint64_t entry, std::uint64_t expected,
                                       std::uint64_t table) {
    cpu.synchronize();
    // Nothing between load and store may yield: that makes the two one atomic operation.
    const std::uint64_t current = cpu.load(entry);
    if (current != expected) {
        cpu.spend(cpu.parameters().atomic);
        free_table(cpu, table);
        return current;
    }
    const std::uint64_t d = table | descriptor::type_table;
    cpu.store(entry, d);
    cpu.spend(cpu.parameters().atomic);
    return d;
}

dma::Status ArmLpaeS1::map_pages(machine::Cpu& cpu, std::uint64_t iova, std::uint64_t physical,
                                 std::uint64_t page_size, std::size_t count, unsigned protection,
                                 std::uint64_t& mapped) {
    cpu.spend(config_.parameters.map_call);
    if (root_ == no_table)
        return dma::Status::no_memory;
    if (!supported(page_size) || count == 0 || ((iova | physical) & (page_size - 1)) != 0 ||
        (iova >> config_.input_bits) != 0 || (physical >> config_.output_bits) != 0 ||
        (protection & (dma::prot_read | dma::prot_write)) == 0)
        return dma::Status::invalid_argument;

    const unsigned target = level_of(page_size);
    Position at{root_, start_level_};
    if (target < at.level)
        return dma::Status::invalid_argument;
    if (target == last_level && reached_before(cpu, iova, at) && count == 1) {
        // The usual case, in few host instructions.
        const std::uint64_t entry = entry_address(at.table, level_index(iova, last_level));
        const bool free = !is_valid(cpu.load(entry));
        if (free) {
            cpu.store(entry,
                      physical | leaf_type(last_level) | attributes_of[protection % attributes_of.size()]);
            mapped += granule.bytes();
        }
        cpu.barrier();
        return free ? dma::Status::ok : dma::Status::already_mapped;
    }
    while (at.level < target) {
        const std::uint64_t entry = entry_address(at.table, level_index(iova, at.level));
        std::uint64_t d = cpu.load(entry);
        if (!is_valid(d)) {
            const std::uint64_t table = allocate_table(cpu);
            if (table == no_table)
                return dma::Status::no_memory;
            d = install_table(cpu, entry, d, table);
        }
        if (!is_table(d, at.level))
            return dma::Status::already_mapped;
        at = {output_of(d), at.level + 1};
        if (at.level == last_level)
            remember(iova, at.table);
    }

    const std::size_t room = entries_per_table - level_index(iova, at.level);
    // The range must not leave the output size either.
    const std::uint64_t output_room =
        ((1ull << config_.output_bits) - physical) >> granule.level_shift(at.level);
    count = std::min<std::uint64_t>({count, room, output_room});
    const dma::Status status =
        write_leaves(cpu, at, iova, physical, count, attributes_of[protection % attributes_of.size()]);
    if (status == dma::Status::ok)
        mapped += count * page_size;
    cpu.barrier(); // the device may be told about the mapping right away
    return status;
}

dma::Status ArmLpaeS1::write_leaves(machine::Cpu& cpu, Position at, std::uint64_t iova,
                                    std::uint64_t physical, std::size_t count, std::uint64_t attributes) {
    const unsigned first = level_index(iova, at.level);
    const std::uint64_t size = level_size(at.level);
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint64_t entry = entry_address(at.table, first + i);
        const std::uint64_t d = cpu.load(entry);
        if (is_leaf(d, at.level))
            return dma::Status::already_mapped;
        // The range belongs to the caller, so a table in the way holds no live leaf: it is left over from
        // smaller pages.
        if (is_table(d, at.level))
            remove_table(cpu, entry, d, at.level, iova + i * size);
    }

    const std::uint64_t fixed = attributes | leaf_type(at.level);
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint64_t output = physical + i * size;
        std::uint64_t d = output | fixed;
        if (config_.contiguous_hint) {
            // A run counts only if the whole of it is written here and its output is aligned like its
            // entries.
            const std::size_t index = first + i;
            const std::size_t run = index & ~std::size_t{contiguous_entries - 1};
            const bool whole = run >= first && run + contiguous_entries <= first + count;
            const bool aligned =
                ((output >> granule.level_shift(at.level)) & (contiguous_entries - 1)) == index - run;
            if (whole && aligned)
                d |= leaf::contiguous.make(1);
        }
        cpu.store(entry_address(at.table, first + i), d);
    }
    return dma::Status::ok;
}

void ArmLpaeS1::remove_table(machine::Cpu& cpu, std::uint64_t entry, std::uint64_t d, unsigned level,
                             std::uint64_t iova) {
    cpu.store(entry, 0);
    reached_.fill({});
    tlb_.flush_walk(cpu, iova, level_size(level), granule.bytes());
    free_subtree(cpu, output_of(d), level + 1);
}

std::uint64_t ArmLpaeS1::unmap_pages(machine::Cpu& cpu, std::uint64_t iova, std::uint64_t page_size,
                                     std::size_t count, dma::Gather& gather) {
    cpu.spend(config_.parameters.unmap_call);
    if (root_ == no_table || !supported(page_size) || count == 0 || (iova & (page_size - 1)) != 0 ||
        (iova >> config_.input_bits) != 0)
        return 0;

    const unsigned target = level_of(page_size);
    Position at{root_, start_level_};
    if (target < at.level)
        return 0;
    if (target == last_level && reached_before(cpu, iova, at) && count == 1 && !config_.contiguous_hint) {
        // The usual case, in few host instructions.
        const std::uint64_t entry = entry_address(at.table, level_index(iova, last_level));
        if (!is_valid(cpu.load(entry)))
            return 0;
        cpu.store(entry, 0);
        if (!gather.queued)
            tlb_.add_page(cpu, iova, granule.bytes(), gather);
        return granule.bytes();
    }
    while (at.level < target) {
        const std::uint64_t d = cpu.load(entry_address(at.table, level_index(iova, at.level)));
        if (!is_valid(d))
            return 0;
        if (is_leaf(d, at.level)) {
            // A block is larger than what shall go. Splitting leaves out the wanted pages if they are entries
            // of the new table; then only the gather is left to do.
            std::size_t left_out = count;
            const std::uint64_t table = split_block(cpu, at, d, iova, page_size, left_out);
            if (table == no_table)
                return 0;
            if (left_out != 0) {
                for (std::size_t i = 0; i < left_out && !gather.queued; ++i)
                    tlb_.add_page(cpu, iova + i * page_size, page_size, gather);
                return left_out * page_size;
            }
            at = {table, at.level + 1};
            continue;
        }
        at = {output_of(d), at.level + 1};
        if (at.level == last_level)
            remember(iova, at.table);
    }
    return clear_entries(cpu, at, iova, count, gather);
}

std::uint64_t ArmLpaeS1::clear_entries(machine::Cpu& cpu, Position at, std::uint64_t iova, std::size_t count,
                                       dma::Gather& gather) {
    const unsigned first = level_index(iova, at.level);
    const std::uint64_t size = level_size(at.level);
    count = std::min<std::size_t>(count, entries_per_table - first);
    std::size_t done = 0;
    for (; done < count; ++done) {
        const unsigned index = first + static_cast<unsigned>(done);
        const std::uint64_t entry = entry_address(at.table, index);
        const std::uint64_t d = cpu.load(entry);
        if (!is_valid(d))
            break;
        if (is_table(d, at.level)) {
            remove_table(cpu, entry, d, at.level, iova + done * size);
            continue;
        }
        if (leaf::contiguous.get(d) != 0) {
            const unsigned run = index & ~(contiguous_entries - 1);
            if (run < first || run + contiguous_entries > first + count)
                drop_hint(cpu, at, run);
        }
        cpu.store(entry, 0);
        if (!gather.queued)
            tlb_.add_page(cpu, iova + done * size, size, gather);
    }
    return done * size;
}

/// Replaces the block over `iova` by a table. If the pages to remove are entries of that table (and `count`
/// of them do not leave it) they are left out and `count` says how many; otherwise `count` becomes 0. Returns
/// the table, 0 without memory.
std::uint64_t ArmLpaeS1::split_block(machine::Cpu& cpu, Position at, std::uint64_t block, std::uint64_t iova,
                                     std::uint64_t page_size, std::size_t& count) {
    const unsigned index = level_index(iova, at.level);
    const unsigned below = at.level + 1;
    const std::uint64_t size = level_size(below);
    const unsigned first = level_index(iova, below);
    count = size == page_size ? std::min<std::size_t>(count, entries_per_table - first) : 0;

    const std::uint64_t table = allocate_table(cpu);
    if (table == no_table)
        return no_table;
    if (leaf::contiguous.get(block) != 0) {
        drop_hint(cpu, at, index & ~(contiguous_entries - 1));
        block = leaf::contiguous.put(block, 0);
    }
    const std::uint64_t base = output_of(block);
    const std::uint64_t fixed =
        (block & ~(descriptor::address_4k.mask() | descriptor::type.mask())) | leaf_type(below);
    std::array<std::uint64_t, entries_per_table> entries{};
    for (unsigned i = 0; i < entries_per_table; ++i)
        if (i < first || i >= first + count)
            entries[i] = (base + i * size) | fixed;
    cpu.write(table, entries.data(), sizeof entries);

    const std::uint64_t now = install_table(cpu, entry_address(at.table, index), block, table);
    if (output_of(now) != table)
        count = 0; // another CPU split it first for its own pages: ours are still mapped in its table
    return is_table(now, at.level) ? output_of(now) : no_table;
}

/// Turns a run of contiguous entries into ordinary ones.
void ArmLpaeS1::drop_hint(machine::Cpu& cpu, Position at, unsigned run) {
    for (unsigned i = run; i < run + contiguous_entries; ++i) {
        const std::uint64_t entry = entry_address(at.table, i);
        const std::uint64_t d = cpu.load(entry);
        if (is_leaf(d, at.level) && leaf::contiguous.get(d) != 0)
            cpu.store(entry, leaf::contiguous.put(d, 0));
    }
}

std::uint64_t ArmLpaeS1::iova_to_phys(machine::Cpu& cpu, std::uint64_t iova) {
    cpu.spend(config_.parameters.walk_call);
    if (root_ == no_table || (iova >> config_.input_bits) != 0)
        return ~0ull;
    Position at{root_, start_level_};
    reached_before(cpu, iova, at);
    for (;;) {
        const std::uint64_t d = cpu.load(entry_address(at.table, level_index(iova, at.level)));
        if (!is_valid(d))
            return ~0ull;
        if (is_leaf(d, at.level))
            return output_of(d) | (iova & (level_size(at.level) - 1));
        at = {output_of(d), at.level + 1};
        if (at.level == last_level)
            remember(iova, at.table);
    }
}

} // namespace iommusim::pgtable
