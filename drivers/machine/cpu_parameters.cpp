#include "drivers/machine/cpu.h"

namespace iommusim::machine {

const std::vector<Parameter<CpuParameters>>& CpuParameters::table() {
    using P = CpuParameters;
    constexpr auto chosen = Provenance::chosen;
    constexpr auto published = Provenance::published;
    static const std::vector<Parameter<P>> rows = {
        {{"frequency", Unit::hertz, 3'000'000'000, 1'000'000, 10'000'000'000, chosen,
          "a current server core under load", "Clock of the core: what a cycle of software work costs."},
         &P::frequency},
        {{"cached_access", Unit::picoseconds, 1'300, 1, 1'000'000, chosen,
          "4 cycles load-to-use at 3 GHz; two of them are the 2.7 ns per page-table write of a range map on "
          "Kunpeng 920 "
          "(X. Chen, iommu list, July 2021)",
          "A load or store that hits the core's own cache."},
         &P::cached_access},
        {{"memory_access", Unit::picoseconds, 90'000, 1, 10'000'000, chosen,
          "70 to 110 ns idle latency is typical of servers with DDR4 and DDR5",
          "A load that misses every cache."},
         &P::memory_access},
        {{"line_transfer", Unit::picoseconds, 60'000, 1, 10'000'000, chosen,
          "30 to 100 ns inside a socket is typical; the span between sockets is 100 to 250 ns",
          "A cache line that another core or the IOMMU holds or wrote comes here."},
         &P::line_transfer},
        {{"atomic", Unit::picoseconds, 6'000, 1, 1'000'000, chosen,
          "18 to 25 cycles of a locked x86 instruction; large-system-extension atomics are near",
          "An atomic read-modify-write on a line that this core owns."},
         &P::atomic},
        {{"barrier", Unit::picoseconds, 20'000, 0, 10'000'000, chosen,
          "20 to 100 ns for DSB with few stores outstanding, 10 to 30 ns for MFENCE",
          "A store or full barrier that reaches memory."},
         &P::barrier},
        {{"clflush", Unit::picoseconds, 100'000, 0, 10'000'000, Provenance::measured,
          "so that clearing a VT-d page-table entry takes 427 to 438 cycles at 3.1 GHz, as on Sandy Bridge "
          "with page walks that do not snoop (Malka et al., rIOMMU, ASPLOS 2015); the 588 cycles given there "
          "for writing one come out 15 % too short",
          "A written cache line goes back to memory, the fences around it included."},
         &P::clflush},
        {{"mmio_write", Unit::picoseconds, 15'000, 0, 10'000'000, chosen,
          "10 to 50 ns: the store leaves through an uncached buffer, the core goes on",
          "Time of the core for a posted register write."},
         &P::mmio_write},
        {{"mmio_write_arrival", Unit::picoseconds, 100'000, 0, 100'000'000, chosen,
          "50 to 300 ns from a core to a device on the die",
          "A register write arrives at its device this long after it was issued."},
         &P::mmio_write_arrival},
        {{"mmio_read", Unit::picoseconds, 200'000, 1, 100'000'000, published,
          "190 ns to see the end of an SMMUv3 CMD_SYNC in an empty queue by reading CONS on Kunpeng 920 (B. "
          "Song, iommu "
          "list, 2020) bounds it from above; 100 to 400 ns is typical on a die",
          "A register read: the core stalls for the round trip."},
         &P::mmio_read},
        {{"poll_period", Unit::picoseconds, 2'000, 1, 1'000'000'000, chosen,
          "load, compare and branch of a spin loop whose line is cached",
          "One iteration of a loop that spins on a cached word."},
         &P::poll_period},
        {{"interrupt_entry", Unit::picoseconds, 1'000'000, 0, 1'000'000'000, chosen,
          "about 1 us from a message-signalled interrupt to its handler in an operating system without a "
          "hypervisor",
          "From the assertion of an interrupt, or the moment the core can take it, to the handler's first "
          "instruction."},
         &P::interrupt_entry},
        {{"page_allocation", Unit::picoseconds, 300'000, 0, 1'000'000'000, chosen,
          "200 to 500 ns: allocator and clearing of 64 lines", "A zeroed page from the page allocator."},
         &P::page_allocation},
        {{"maximum_lead", Unit::picoseconds, 100'000, 1, 1'000'000'000, chosen,
          "below every latency from a store to its first effect (a doorbell's arrival); accuracy of the "
          "simulation only",
          "How long before a CPU's local time others may see its plain stores when it has not synchronized "
          "since."},
         &P::maximum_lead},
    };
    return rows;
}

} // namespace iommusim::machine
