// One I/O address space behind a VT-d unit: page tables, a domain id, and the devices and PASIDs that use
// them. Strict contract: when iotlb_sync() or flush_iotlb_all() returns, the unit and the devices' TLBs have
// dropped the translations and every transaction that used them is complete.
#pragma once

#include "drivers/dma/iommu_domain.h"
#include "drivers/dma/iommu_driver.h"
#include "drivers/machine/spinlock.h"
#include "drivers/pgtable/io_pgtable.h"
#include "drivers/vtd/descriptors.h"
#include "drivers/vtd/device_tables.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace iommusim::vtd_driver {

class Flush;
class VtdDriver;

/// A device, or one PASID of it, that uses a domain.
struct Attachment {
    std::uint16_t source = 0;
    std::uint32_t pasid = 0; ///< 0: requests without PASID
    bool device_tlb = false;
    bool operator==(const Attachment& o) const { return source == o.source && pasid == o.pasid; }
};

class VtdDomain final : public dma::IommuDomain, private pgtable::TlbOps {
public:
    enum class Kind : std::uint8_t { first_stage, second_stage, nested };

    VtdDomain(VtdDriver& driver, Kind kind, std::string name, std::uint16_t id);

    /// Makes the tables. False: no memory.
    bool initialise(machine::Cpu&);
    void release_tables(machine::Cpu& cpu) { tables_->release(cpu); }

    Kind kind() const { return kind_; }
    std::uint16_t id() const { return id_; }
    std::uint64_t root() const { return root_; } ///< physical address of the top table
    DeviceTables::ContextEntry legacy_context(bool device_tlb) const;
    DeviceTables::PasidEntry pasid_entry() const;

    const std::vector<Attachment>& attachments() const { return attachments_; }
    void add(machine::Cpu&, const Attachment& attachment);
    void remove(machine::Cpu&, const Attachment& attachment);

    const char* name() const override { return name_.c_str(); }
    std::uint64_t page_sizes() const override { return tables_->page_sizes(); }
    std::uint64_t aperture_end() const override { return tables_->input_end(); }
    dma::Status map_pages(machine::Cpu&, std::uint64_t iova, std::uint64_t physical, std::uint64_t page_size,
                          std::size_t count, unsigned protection, std::uint64_t& mapped) override;
    std::uint64_t unmap_pages(machine::Cpu&, std::uint64_t iova, std::uint64_t page_size, std::size_t count,
                              dma::Gather&) override;
    void iotlb_sync(machine::Cpu&, dma::Gather&) override;
    void iotlb_sync_map(machine::Cpu&, std::uint64_t iova, std::uint64_t size) override;
    void flush_iotlb_all(machine::Cpu&) override;
    std::uint64_t iova_to_phys(machine::Cpu&, std::uint64_t iova) override;

private:
    void add_page(machine::Cpu&, std::uint64_t iova, std::uint64_t size, dma::Gather&) override;
    void flush_walk(machine::Cpu&, std::uint64_t iova, std::uint64_t size, std::uint64_t granule) override;
    /// Invalidates a block, or everything with no block; `leaf_only`: no tables were removed.
    void invalidate(machine::Cpu&, const PageBlock* block, bool leaf_only, bool device_tlbs);
    void add_second_stage(Flush&, const PageBlock* block);
    void add_first_stage(Flush&, const PageBlock* block, bool leaf_only) const;
    void add_device_tlbs(Flush&, const PageBlock* block) const;

    VtdDriver& driver_;
    Kind kind_;
    std::string name_;
    std::uint16_t id_;
    std::unique_ptr<pgtable::IoPageTable> tables_;
    std::uint64_t root_ = 0;
    machine::Spinlock lock_; ///< around attachments_, where a flush takes several steps
    std::vector<Attachment> attachments_;
};

} // namespace iommusim::vtd_driver
