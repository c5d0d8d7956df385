#include "drivers/dma/dma_parameters.h"

#include "models/base/time.h"

namespace iommusim::dma {

const std::vector<Parameter<DmaParameters>>& DmaParameters::table() {
    using P = DmaParameters;
    static const std::vector<Parameter<P>> rows = {
        {{"map_call", Unit::picoseconds, 14'000, 0, 10'000'000, Provenance::measured,
          "Malka et al., ASPLOS 2015: 44 cycles at 3.1 GHz besides allocator and page table",
          "Fixed CPU time of a map call"},
         &P::map_call},
        {{"unmap_call", Unit::picoseconds, 8'000, 0, 10'000'000, Provenance::measured,
          "Malka et al., ASPLOS 2015: 26 cycles at 3.1 GHz besides allocator, page table and invalidation",
          "Fixed CPU time of an unmap call"},
         &P::unmap_call},
        {{"page_split", Unit::choice, 0, 0, 1, Provenance::chosen,
          "today's algorithm unless history is asked for",
          "How ranges are split into calls of the page-table code", "runs|single-pages"},
         &P::page_split},
        {{"flush_queue_size", Unit::count, 256, 2, 65'536, Provenance::published, "Linux 6.1",
          "Slots of a CPU's flush queue"},
         &P::flush_queue_size},
        {{"flush_queue_timeout", Unit::picoseconds, 10_ms, 1_us, 10'000_ms, Provenance::published,
          "Linux 6.1", "Longest time that an unmap stays queued"},
         &P::flush_queue_timeout},
        {{"flush_queue_entry", Unit::picoseconds, 10'000, 0, 10'000'000, Provenance::measured,
          "Malka et al., ASPLOS 2015: deferring adds about 180 cycles per unmap at 3.1 GHz, less barrier, "
          "lock and "
          "counters",
          "CPU time to fill or to release a slot of the flush queue"},
         &P::flush_queue_entry},
    };
    return rows;
}

} // namespace iommusim::dma
