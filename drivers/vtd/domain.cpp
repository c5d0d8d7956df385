#include "drivers/vtd/domain.h"

#include "drivers/dma/iommu_api.h"
#include "drivers/pgtable/map_range.h"
#include "drivers/pgtable/vtd_first_stage.h"
#include "drivers/pgtable/vtd_second_stage.h"
#include "drivers/vtd/flush.h"
#include "models/vtd/spec/structures.h"

#include <algorithm>

namespace iommusim::vtd_driver {

namespace spec = vtd::spec;

VtdDomain::VtdDomain(VtdDriver& driver, Kind kind, std::string name, std::uint16_t id)
    : driver_(driver), kind_(kind), name_(std::move(name)), id_(id), lock_(driver.machine(), "vtd domain") {}

bool VtdDomain::initialise(machine::Cpu& cpu) {
    const Features& f = driver_.features();
    pgtable::TlbOps& tlb = *this;
    if (kind_ == Kind::second_stage) {
        pgtable::VtdSecondStageConfig c;
        c.levels = f.second_levels;
        c.input_bits = f.guest_bits;
        c.output_bits = driver_.configuration().host_address_bits;
        c.page_sizes = f.second_page_sizes;
        c.snoop_control = f.snoop_control;
        c.coherent = f.scalable ? f.page_walk_snoop : f.coherent;
        auto tables = std::make_unique<pgtable::VtdSecondStage>(cpu, tlb, c);
        root_ = tables->root();
        const bool valid = tables->valid();
        tables_ = std::move(tables);
        return valid;
    }
    pgtable::VtdFirstStageConfig c;
    c.levels = f.first_levels;
    c.output_bits = driver_.configuration().host_address_bits;
    c.page_sizes = f.first_page_sizes;
    c.coherent = f.page_walk_snoop;
    auto tables = std::make_unique<pgtable::VtdFirstStage>(cpu, tlb, c);
    root_ = tables->root();
    const bool valid = tables->valid();
    tables_ = std::move(tables);
    return valid;
}

DeviceTables::ContextEntry VtdDomain::legacy_context(bool device_tlb) const {
    DeviceTables::ContextEntry entry{};
    std::uint64_t* const words = entry.data();
    words[0] |= spec::context::slptptr.in_place(root_);
    spec::context::tt.set(words, device_tlb ? spec::context::tt_all : spec::context::tt_untranslated);
    spec::context::aw.set(words, spec::address_width::code_of_levels(driver_.features().second_levels));
    spec::context::did.set(words, id_);
    spec::context::p.set(words, 1);
    return entry;
}

DeviceTables::PasidEntry VtdDomain::pasid_entry() const {
    const Features& f = driver_.features();
    DeviceTables::PasidEntry entry{};
    std::uint64_t* const words = entry.data();
    spec::pasid_entry::did.set(words, id_);
    spec::pasid_entry::pwsnp.set(words, f.page_walk_snoop);
    const std::uint64_t second_root = kind_ == Kind::second_stage ? root_ : driver_.identity_root();
    if (kind_ != Kind::first_stage) {
        words[0] |= spec::pasid_entry::slptptr.in_place(second_root);
        spec::pasid_entry::aw.set(words, spec::address_width::code_of_levels(f.second_levels));
    }
    if (kind_ != Kind::second_stage) {
        words[spec::pasid_entry::flptptr.word()] |= spec::pasid_entry::flptptr.in_place(root_);
        spec::pasid_entry::flpm.set(words, f.first_levels == 5 ? spec::pasid_entry::flpm_5_level
                                                               : spec::pasid_entry::flpm_4_level);
    }
    spec::pasid_entry::pgtt.set(words, kind_ == Kind::first_stage    ? spec::pasid_entry::pgtt_first_stage
                                       : kind_ == Kind::second_stage ? spec::pasid_entry::pgtt_second_stage
                                                                     : spec::pasid_entry::pgtt_nested);
    spec::pasid_entry::p.set(words, 1);
    return entry;
}

void VtdDomain::add(machine::Cpu& cpu, const Attachment& attachment) {
    machine::SpinlockIrqGuard guard(lock_, cpu);
    attachments_.push_back(attachment);
}

void VtdDomain::remove(machine::Cpu& cpu, const Attachment& attachment) {
    machine::SpinlockIrqGuard guard(lock_, cpu);
    const auto found = std::find(attachments_.begin(), attachments_.end(), attachment);
    if (found != attachments_.end())
        attachments_.erase(found);
}

dma::Status VtdDomain::map_pages(machine::Cpu& cpu, std::uint64_t iova, std::uint64_t physical,
                                 std::uint64_t page_size, std::size_t count, unsigned protection,
                                 std::uint64_t& mapped) {
    return pgtable::map_range(*tables_, cpu, iova, physical, page_size, count, protection, mapped);
}

std::uint64_t VtdDomain::unmap_pages(machine::Cpu& cpu, std::uint64_t iova, std::uint64_t page_size,
                                     std::size_t count, dma::Gather& gather) {
    return pgtable::unmap_range(*tables_, cpu, iova, page_size, count, gather);
}

std::uint64_t VtdDomain::iova_to_phys(machine::Cpu& cpu, std::uint64_t iova) {
    return tables_->iova_to_phys(cpu, iova);
}

void VtdDomain::add_page(machine::Cpu& cpu, std::uint64_t iova, std::uint64_t size, dma::Gather& gather) {
    if (!gather.queued)
        dma::gather_page(cpu, *this, gather, iova, size);
}

void VtdDomain::iotlb_sync(machine::Cpu& cpu, dma::Gather& gather) {
    if (!gather.empty()) {
        const PageBlock block = covering_block(gather.start, (gather.end - gather.start + 4096) / 4096);
        invalidate(cpu, &block, gather.free_pages.empty(), true);
    }
    for (const std::uint64_t page : gather.free_pages)
        cpu.free_pages(page);
    gather.reset();
}

void VtdDomain::flush_walk(machine::Cpu& cpu, std::uint64_t iova, std::uint64_t size, std::uint64_t) {
    const PageBlock block = covering_block(iova, size / 4096);
    invalidate(cpu, &block, false, true);
}

void VtdDomain::flush_iotlb_all(machine::Cpu& cpu) { invalidate(cpu, nullptr, false, true); }

/// Entries that were not present may be cached with CM = 1, but never those of the first stage; devices cache
/// nothing that is not there.
void VtdDomain::iotlb_sync_map(machine::Cpu& cpu, std::uint64_t iova, std::uint64_t size) {
    const Features& f = driver_.features();
    if (f.caching_mode && kind_ == Kind::second_stage && !driver_.configuration().faults.skip_map_flush) {
        ++driver_.counts().map_flushes;
        const PageBlock block = covering_block(iova, size / 4096);
        invalidate(cpu, &block, true, false);
    } else if (f.write_buffers) {
        driver_.flush_write_buffers(cpu);
    }
}

void VtdDomain::invalidate(machine::Cpu& cpu, const PageBlock* block, bool leaf_only, bool device_tlbs) {
    Flush flush(driver_, cpu);
    if (driver_.configuration().faults.skip_iotlb) {
        flush.finish();
        return;
    }
    // With one user and no device TLB there is one descriptor: nobody can come in between.
    const bool several = attachments_.size() > 1 || (attachments_.size() == 1 && attachments_[0].device_tlb);
    if (several)
        lock_.lock_irqsave(cpu);
    if (kind_ == Kind::second_stage)
        add_second_stage(flush, block);
    else
        add_first_stage(flush, block, leaf_only);
    if (device_tlbs)
        add_device_tlbs(flush, block);
    flush.finish();
    if (several)
        lock_.unlock_irqrestore(cpu);
}

void VtdDomain::add_second_stage(Flush& flush, const PageBlock* block) {
    const Features& f = driver_.features();
    const bool by_page = block && f.page_selective && block->mask <= f.max_address_mask;
    driver_.counts().domain_flushes += block && !by_page;
    // Linux never sets the hint here: the paging-structure caches go each time.
    flush.add(by_page ? make::iotlb_pages(id_, *block, false, f.drain_reads, f.drain_writes)
                      : make::iotlb_domain(id_, f.drain_reads, f.drain_writes));
}

void VtdDomain::add_first_stage(Flush& flush, const PageBlock* block, bool leaf_only) const {
    for (std::size_t i = 0; i < attachments_.size(); ++i) {
        const std::uint32_t pasid = attachments_[i].pasid;
        const auto same = [pasid](const Attachment& a) { return a.pasid == pasid; };
        const auto here = attachments_.begin() + static_cast<std::ptrdiff_t>(i);
        if (std::any_of(attachments_.begin(), here, same))
            continue; // another device with the same tag
        flush.add(block ? make::pasid_iotlb_pages(id_, pasid, *block, leaf_only)
                        : make::pasid_iotlb_all(id_, pasid));
    }
}

void VtdDomain::add_device_tlbs(Flush& flush, const PageBlock* block) const {
    const unsigned depth = driver_.configuration().device_queue_depth;
    const PageBlock what = block ? *block : everything;
    for (const Attachment& a : attachments_)
        if (a.device_tlb)
            flush.add(a.pasid == 0 ? make::device_tlb(a.source, what, depth)
                                   : make::pasid_device_tlb(a.source, a.pasid, what, depth));
}

} // namespace iommusim::vtd_driver
