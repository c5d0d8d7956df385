#include "drivers/pgtable/io_pgtable.h"

namespace iommusim::pgtable {

const std::vector<Parameter<PageTableParameters>>& PageTableParameters::table() {
    using P = PageTableParameters;
    static const char* const whole_call =
        "a whole 4 KiB map or unmap on coherent tables takes 61 to 77 ns (generic page "
        "table series, iommu list 2025), less loads, stores and barrier";
    static const std::vector<Parameter<P>> rows = {
        {{"map_call", Unit::picoseconds, 35'000, 0, 10'000'000, Provenance::measured, whole_call,
          "Fixed CPU time of one map_pages() call"},
         &P::map_call},
        {{"unmap_call", Unit::picoseconds, 35'000, 0, 10'000'000, Provenance::measured, whole_call,
          "Fixed CPU time of one unmap_pages() call"},
         &P::unmap_call},
        {{"walk_call", Unit::picoseconds, 5'000, 0, 10'000'000, Provenance::chosen,
          "a function call and four dependent loads that hit, without the loads",
          "Fixed CPU time of one iova_to_phys() call"},
         &P::walk_call},
    };
    return rows;
}

} // namespace iommusim::pgtable
