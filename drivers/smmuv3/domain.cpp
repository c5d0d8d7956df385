#include "drivers/smmuv3/domain.h"

#include "drivers/dma/iommu_api.h"
#include "drivers/pgtable/map_range.h"
#include "drivers/smmuv3/command_batch.h"

#include <algorithm>

namespace iommusim::smmuv3_driver {

namespace spec = smmuv3::spec;

namespace {
constexpr std::uint64_t translation_granule = 4096;
}

Smmuv3Domain::Smmuv3Domain(Smmuv3Driver& driver, const DomainConfiguration& configuration)
    : driver_(driver), queue_(driver.commands()), name_(configuration.name) {}

std::unique_ptr<Smmuv3Domain> Smmuv3Domain::create(Smmuv3Driver& driver, machine::Cpu& cpu,
                                                   const DomainConfiguration& configuration) {
    std::unique_ptr<Smmuv3Domain> domain(new Smmuv3Domain(driver, configuration));
    if (domain->initialise(cpu, configuration))
        return domain;
    note_error(driver.log_, DriverError::no_memory, cpu.time(), 0);
    return nullptr;
}

bool Smmuv3Domain::initialise(machine::Cpu& cpu, const DomainConfiguration& configuration) {
    const Features& features = driver_.features();
    pgtable::ArmLpaeS1Config tables;
    tables.input_bits = std::min(configuration.input_bits, features.input_bits);
    tables.output_bits = features.output_bits;
    tables.page_sizes = (configuration.page_sizes & features.page_sizes) | translation_granule;
    tables.contiguous_hint = configuration.contiguous_hint;
    tables.parameters = configuration.page_table;

    asid_ = driver_.allocate_asid();
    if (asid_ == 0)
        return false;
    tables_ = std::make_unique<pgtable::ArmLpaeS1>(cpu, static_cast<pgtable::TlbOps&>(*this), tables);
    if (tables_->valid())
        return true;
    driver_.free_asid(asid_);
    return false;
}

ContextEntry Smmuv3Domain::context_entry() const {
    const pgtable::ArmLpaeS1Registers r = tables_->registers();
    ContextEntry entry{};
    std::uint64_t* words = entry.data();
    spec::cd::t0sz.set(words, r.t0sz);
    spec::cd::tg0.set(words, r.tg0);
    spec::cd::ir0.set(words, r.ir0);
    spec::cd::or0.set(words, r.or0);
    spec::cd::sh0.set(words, r.sh0);
    spec::cd::epd1.set(words, 1); // only the lower half of the address space exists
    spec::cd::v.set(words, 1);
    spec::cd::ips.set(words, r.ips);
    spec::cd::aa64.set(words, 1);
    spec::cd::s.set(words, driver_.features().force_stall);
    spec::cd::r.set(words, 1);
    spec::cd::a.set(words, 1);
    spec::cd::aset.set(words, 1); // the ASID is ours alone: no CPU's broadcast invalidation concerns it
    spec::cd::asid.set(words, asid_);
    words[spec::cd::ttb0.word()] |= spec::cd::ttb0.in_place(r.ttb);
    spec::cd::mair.set(words, r.mair);
    return entry;
}

bool Smmuv3Domain::attach(machine::Cpu& cpu, std::uint32_t stream_id, std::uint32_t substream_id) {
    Smmuv3Domain* const current = driver_.attached(stream_id, substream_id);
    if (current == this)
        return true;
    if (current != nullptr)
        current->detach(cpu, stream_id, substream_id);
    if (!driver_.install(cpu, {stream_id, substream_id}, *this))
        return false;
    const Attachment attachment{stream_id, substream_id};
    attachments_.insert(std::lower_bound(attachments_.begin(), attachments_.end(), attachment), attachment);
    return true;
}

void Smmuv3Domain::detach(machine::Cpu& cpu, std::uint32_t stream_id, std::uint32_t substream_id) {
    if (driver_.attached(stream_id, substream_id) != this)
        return;
    const Attachment attachment{stream_id, substream_id};
    driver_.remove(cpu, attachment);
    attachments_.erase(std::lower_bound(attachments_.begin(), attachments_.end(), attachment));
}

void Smmuv3Domain::release(machine::Cpu& cpu) {
    while (!attachments_.empty())
        detach(cpu, attachments_.back().stream, attachments_.back().substream);
    flush_iotlb_all(cpu); // before the ASID and the table pages may be used for something else
    tables_->release(cpu);
    driver_.free_asid(asid_);
}

dma::Status Smmuv3Domain::map_pages(machine::Cpu& cpu, std::uint64_t iova, std::uint64_t physical,
                                    std::uint64_t page_size, std::size_t count, unsigned protection,
                                    std::uint64_t& mapped) {
    return pgtable::map_range(*tables_, cpu, iova, physical, page_size, count, protection, mapped);
}

std::uint64_t Smmuv3Domain::unmap_pages(machine::Cpu& cpu, std::uint64_t iova, std::uint64_t page_size,
                                        std::size_t count, dma::Gather& gather) {
    return pgtable::unmap_range(*tables_, cpu, iova, page_size, count, gather);
}

std::uint64_t Smmuv3Domain::iova_to_phys(machine::Cpu& cpu, std::uint64_t iova) {
    return tables_->iova_to_phys(cpu, iova);
}

void Smmuv3Domain::add_page(machine::Cpu& cpu, std::uint64_t iova, std::uint64_t size, dma::Gather& gather) {
    if (!gather.queued)
        dma::gather_page(cpu, *this, gather, iova, size);
}

void Smmuv3Domain::iotlb_sync(machine::Cpu& cpu, dma::Gather& gather) {
    if (!gather.empty())
        invalidate(cpu, gather.start, gather.end - gather.start + 1, gather.page_size, true);
    for (const std::uint64_t page : gather.free_pages)
        cpu.free_pages(page);
    gather.reset();
}

void Smmuv3Domain::flush_walk(machine::Cpu& cpu, std::uint64_t iova, std::uint64_t size,
                              std::uint64_t granule) {
    invalidate(cpu, iova, size, granule, false);
}

void Smmuv3Domain::flush_iotlb_all(machine::Cpu& cpu) {
    const Picoseconds began = cpu.time();
    cpu.spend(queue_.software().build_command);
    const Command command = make::tlbi_asid(asid_);
    const unsigned commands = queue_.faults().skip_tlbi ? 0 : 1;
    const Submission s = queue_.submit(cpu, &command, commands, true);
    report(cpu, s, commands, began);
}

/// `leaf`: only last-level translations of the range, otherwise the walk caches' entries for it too.
void Smmuv3Domain::invalidate(machine::Cpu& cpu, std::uint64_t iova, std::uint64_t size,
                              std::uint64_t granule, bool leaf) {
    const Picoseconds began = cpu.time();
    CommandBatch batch(queue_, cpu);
    if (!queue_.faults().skip_tlbi) {
        TlbiRange range(iova, size, granule, translation_granule, leaf, queue_.features().range_invalidation);
        TlbiPiece piece;
        while (range.next(piece))
            batch.add(make::tlbi_va(asid_, leaf, piece));
    }
    const Submission s = batch.finish();
    report(cpu, s, batch.commands(), began);
}

/// A wait that timed out is no completion, and in the error log already.
void Smmuv3Domain::report(machine::Cpu& cpu, const Submission& s, unsigned commands,
                          Picoseconds began) const {
    dma::InvalidationObserver* const observer = driver_.invalidation_observer();
    if (observer == nullptr || !s.completed)
        return;
    dma::InvalidationRecord record;
    record.cpu = cpu.index();
    record.first_index = s.first;
    record.completion_index = s.completion;
    record.commands = commands;
    record.began = began;
    record.observed = cpu.time();
    observer->on_invalidation_complete(record);
}

} // namespace iommusim::smmuv3_driver
