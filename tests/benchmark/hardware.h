// A unit of any architecture between a DMA master and a memory, its tables and queues in a second memory, so
// that nothing but the models themselves is measured.
//
// An architecture comes in through one file, hardware_*.cpp: the parameters that the loads need, and the
// tables and commands as its software writes them. It is entered in architectures() in loads.cpp.
#pragma once

#include "models/soc/dma_master.h"
#include "models/soc/memory.h"
#include "platforms/host/iommu_model.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tlm_utils/simple_initiator_socket.h>

namespace iommusim::benchmark {

class Hardware;

/// The software of one architecture, on one Hardware. Its structures lie in the tables memory, from
/// Hardware::structures to Hardware::page_table.
class Software {
public:
    virtual ~Software() = default;

    /// The entry of a 4 KiB table that leads to the table at `address` (level 3 and 2), or to the page there
    /// (level 1; it may be read and written).
    virtual std::uint64_t entry(std::uint64_t address, unsigned level) const = 0;
    /// Makes the unit translate for Hardware::device through the table at Hardware::page_table, which
    /// translates 39 bits, and take commands. In a program.
    virtual void enable() = 0;
    /// Submits Hardware::batch commands: one for each page from `first` on, the last one is a completion. In
    /// a program.
    virtual void submit_batch(std::uint64_t first) = 0;
    /// True when the unit has completed what was submitted. In a program.
    virtual bool batch_completed() = 0;
};

/// An architecture as the loads see it.
struct Architecture {
    using Rows = std::map<std::string, std::uint64_t>; ///< rows of the unit's parameter table

    host::Model model;
    /// One TLB of 2048 entries: a smaller one in front that never hits would only add to it.
    Rows large_tlb;
    /// A TLB of 64 entries and no cache of table entries.
    Rows no_useful_caches;
    /// The unit under its driver.
    Rows under_driver;
    const char* batch; ///< what submit_batch() submits, for people
    /// Host instructions that map, unmap and a strict invalidation by the driver may cost.
    unsigned driver_instructions;
    std::unique_ptr<Software> (*make_software)(Hardware&);

    const char* name() const { return host::architecture_of(model).name; }
    /// A platform with one CPU and one silent device, with these values in place of the defaults.
    host::Scenario scenario(const Rows& rows) const;
};

Architecture smmuv3_architecture();
Architecture vtd_architecture();

class Hardware : public sc_core::sc_module {
public:
    static constexpr std::uint32_t device = 1;
    static constexpr std::uint64_t space = 1;           ///< tag of the device's translations
    static constexpr std::uint64_t window = 1ull << 32; ///< input address of the first mapped page
    static constexpr std::uint64_t page = 4096;
    static constexpr unsigned batch = 32; ///< commands that invalidate_pages() takes at a time

    // Where the tables memory holds what.
    static constexpr std::uint64_t structures = 0x10000;
    static constexpr std::uint64_t page_table = 0x50000;

    /// `pages` pages from `window` on are mapped to the data memory, in 4 KiB pages of a three-level table.
    Hardware(sc_core::sc_module_name name, const Architecture& architecture, const Architecture::Rows& rows,
             std::uint64_t pages);

    /// Runs `program` in a thread of this module until nothing is left to happen. The first one runs on an
    /// enabled unit.
    void run(std::function<void()> program);
    /// Submits a batch of invalidations of single pages, closed by a completion, and waits until the unit has
    /// completed it. For programs.
    void invalidate_pages(std::uint64_t first);

    std::uint64_t pages() const { return pages_; }
    static Requester requester();
    const host::IommuModel& unit() const { return *iommu_; }

    // ---- for Software
    void write_register(std::uint64_t offset, std::uint64_t value, unsigned bytes = 4);
    std::uint64_t read_register(std::uint64_t offset, unsigned bytes = 4);
    /// Waits until the 32-bit register says `value` in `mask`.
    void await_register(std::uint64_t offset, std::uint64_t mask, std::uint64_t value);
    template <std::size_t Words>
    void store(std::uint64_t address, const std::array<std::uint64_t, Words>& words) {
        std::memcpy(tables.bytes() + address, words.data(), sizeof words);
    }

    soc::Memory data;
    soc::Memory tables;

private:
    std::unique_ptr<host::IommuModel> iommu_;

public:
    soc::DmaMaster master;

private:
    void build_page_table();
    void software();
    void access_register(tlm::tlm_command command, std::uint64_t offset, std::uint64_t& value,
                         unsigned bytes);

    const std::uint64_t pages_;
    tlm_utils::simple_initiator_socket<Hardware> registers_;
    std::unique_ptr<Software> software_;
    std::function<void()> program_;
    sc_core::sc_event start_;
};

/// Ends the program unless the load is what it is meant to be.
inline void require(bool condition, const char* what) {
    if (!condition)
        SC_REPORT_FATAL("benchmark", what);
}

/// A counter of the unit; a name that it does not have ends the program.
std::uint64_t counter(const host::IommuModel& unit, const char* name);

} // namespace iommusim::benchmark
