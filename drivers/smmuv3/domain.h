// One I/O address space behind an SMMUv3: stage-1 page tables, an ASID, and the streams and substreams whose
// context descriptors name them. Strict contract: when iotlb_sync() or flush_iotlb_all() returns, the unit
// has dropped the translations and every transaction that used them is complete.
#pragma once

#include "drivers/dma/iommu_domain.h"
#include "drivers/pgtable/arm_lpae_s1.h"
#include "drivers/smmuv3/smmuv3.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace iommusim::smmuv3_driver {

struct DomainConfiguration {
    std::string name = "smmuv3-domain";
    unsigned input_bits = 48; ///< size of the address space, 25 to 48
    /// Leaf sizes to use, of those the unit has; 4 KiB always is.
    std::uint64_t page_sizes = 1ull << 12 | 1ull << 21 | 1ull << 30;
    bool contiguous_hint = false; ///< see pgtable::ArmLpaeS1Config
    pgtable::PageTableParameters page_table;
};

class Smmuv3Domain final : public dma::IommuDomain, private pgtable::TlbOps {
public:
    /// Null: no memory or no ASID left. The driver must have been probed and must outlive the domain.
    static std::unique_ptr<Smmuv3Domain> create(Smmuv3Driver&, machine::Cpu&,
                                                const DomainConfiguration& = {});

    /// Makes a stream, or one substream of it, translate through this domain; takes it away from another
    /// domain first. False: the stream or substream id is out of the unit's range, or no memory.
    bool attach(machine::Cpu&, std::uint32_t stream_id, std::uint32_t substream_id = 0);
    /// Its accesses abort from now on (or bypass, by configuration, when nothing of the stream is attached
    /// any more). No effect if it is not attached here.
    void detach(machine::Cpu&, std::uint32_t stream_id, std::uint32_t substream_id = 0);
    /// Detaches everything, drops the ASID's translations, gives memory and ASID back. The last call before
    /// destruction; without it they stay allocated.
    void release(machine::Cpu&);

    unsigned asid() const { return asid_; }
    /// What the streams and substreams of this domain have as context descriptor.
    ContextEntry context_entry() const;
    const std::vector<Attachment>& attachments() const { return attachments_; } ///< ascending

    const char* name() const override { return name_.c_str(); }
    std::uint64_t page_sizes() const override { return tables_->page_sizes(); }
    std::uint64_t aperture_end() const override { return tables_->input_end(); }
    dma::Status map_pages(machine::Cpu&, std::uint64_t iova, std::uint64_t physical, std::uint64_t page_size,
                          std::size_t count, unsigned protection, std::uint64_t& mapped) override;
    std::uint64_t unmap_pages(machine::Cpu&, std::uint64_t iova, std::uint64_t page_size, std::size_t count,
                              dma::Gather&) override;
    void iotlb_sync(machine::Cpu&, dma::Gather&) override;
    void iotlb_sync_map(machine::Cpu&, std::uint64_t, std::uint64_t) override {} ///< faults are never cached
    void flush_iotlb_all(machine::Cpu&) override;
    std::uint64_t iova_to_phys(machine::Cpu&, std::uint64_t iova) override;

private:
    Smmuv3Domain(Smmuv3Driver&, const DomainConfiguration&);

    bool initialise(machine::Cpu&, const DomainConfiguration&);
    void add_page(machine::Cpu&, std::uint64_t iova, std::uint64_t size, dma::Gather&) override;
    void flush_walk(machine::Cpu&, std::uint64_t iova, std::uint64_t size, std::uint64_t granule) override;
    void invalidate(machine::Cpu&, std::uint64_t iova, std::uint64_t size, std::uint64_t granule, bool leaf);
    void report(machine::Cpu&, const Submission&, unsigned commands, Picoseconds began) const;

    Smmuv3Driver& driver_;
    CommandQueue& queue_;
    std::string name_;
    unsigned asid_ = 0;
    std::unique_ptr<pgtable::ArmLpaeS1> tables_;
    std::vector<Attachment> attachments_;
};

} // namespace iommusim::smmuv3_driver
