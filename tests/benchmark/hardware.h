// The hardware side of a platform, and software that programs it by hand: an SMMUv3 between a DMA master and
// a memory, its tables and queues in a second memory, so that nothing but the models themselves is measured.
#pragma once

#include "models/smmuv3/smmuv3.h"
#include "models/soc/dma_master.h"
#include "models/soc/memory.h"

#include <array>
#include <cstdint>
#include <functional>
#include <tlm_utils/simple_initiator_socket.h>

namespace iommusim::benchmark {

class Hardware : public sc_core::sc_module {
public:
    static constexpr std::uint32_t stream = 1;
    static constexpr std::uint64_t asid = 1;
    static constexpr std::uint64_t window = 1ull << 32; ///< input address of the first mapped page
    static constexpr std::uint64_t page = 4096;
    static constexpr unsigned batch = 32; ///< commands that issue() takes at a time

    /// `pages` pages from `window` on are mapped to the data memory, in 4 KiB pages of a three-level table.
    Hardware(sc_core::sc_module_name name, const smmuv3::Parameters& parameters, std::uint64_t pages);

    /// Runs `program` in a thread of this module until nothing is left to happen. The first one runs on an
    /// enabled IOMMU.
    void run(std::function<void()> program);
    /// Puts a batch of invalidations of single pages, closed by a CMD_SYNC, into the command queue and waits
    /// until the IOMMU has consumed it. For programs.
    void invalidate_pages(std::uint64_t first);

    std::uint64_t pages() const { return pages_; }
    static Requester requester();

    soc::Memory data;
    soc::Memory tables;
    smmuv3::Smmuv3 iommu;
    soc::DmaMaster master;

private:
    void build_tables();
    void enable();
    void software();
    void write_register(std::uint64_t offset, std::uint64_t value, unsigned bytes = 4);
    std::uint32_t read_register(std::uint64_t offset);
    template <std::size_t Words>
    void store(std::uint64_t address, const std::array<std::uint64_t, Words>& words);

    const std::uint64_t pages_;
    tlm_utils::simple_initiator_socket<Hardware> registers_;
    std::function<void()> program_;
    sc_core::sc_event start_;
    std::uint32_t producer_ = 0; ///< wrap flag included
};

} // namespace iommusim::benchmark
