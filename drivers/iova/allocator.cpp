#include "drivers/iova/allocator.h"

#include "drivers/iova/magazine.h"
#include "drivers/iova/rbtree.h"

namespace iommusim::iova {

const std::vector<Parameter<IovaParameters>>& IovaParameters::table() {
    using P = IovaParameters;
    static const char* const rio_search =
        "Malka et al., ASPLOS 2015: order of 15 ns per node, Linux 3.4 at 3.1 GHz";
    static const char* const rio_find =
        "Malka et al., ASPLOS 2015: 249 cycles to find one of about 12 K addresses at 3.1 GHz";
    static const char* const rio_free =
        "Malka et al., ASPLOS 2015: 159 cycles to free a found address at 3.1 GHz";
    static const char* const rio_constant = "Malka et al., ASPLOS 2015: constant-time allocators take 70 to "
                                            "200 cycles, and 50 to 90 to free, at 3.1 GHz; "
                                            "less the lock";
    static const char* const slab = "typical of a slab allocator's fast path";
    static const char* const linux_source = "Linux 6.1";
    static const std::vector<Parameter<P>> rows = {
        {{"search_step", Unit::picoseconds, 15'000, 0, 1'000'000, Provenance::measured, rio_search,
          "One node visited by the linear search for a hole"},
         &P::search_step},
        {{"find_step", Unit::picoseconds, 6'000, 0, 1'000'000, Provenance::measured, rio_find,
          "One node visited by the descent to a known address"},
         &P::find_step},
        {{"node_allocation", Unit::picoseconds, 20'000, 0, 10'000'000, Provenance::chosen, slab,
          "Allocation of a tree node"},
         &P::node_allocation},
        {{"node_free", Unit::picoseconds, 15'000, 0, 10'000'000, Provenance::chosen, slab,
          "Release of a tree node"},
         &P::node_free},
        {{"tree_update", Unit::picoseconds, 20'000, 0, 10'000'000, Provenance::measured, rio_free,
          "Linking or unlinking of a tree node with rebalancing"},
         &P::tree_update},
        {{"magazine_allocate", Unit::picoseconds, 20'000, 0, 10'000'000, Provenance::measured, rio_constant,
          "Taking an address from a per-CPU magazine"},
         &P::magazine_allocate},
        {{"magazine_free", Unit::picoseconds, 12'000, 0, 10'000'000, Provenance::measured, rio_constant,
          "Putting an address into a per-CPU magazine"},
         &P::magazine_free},
        {{"magazine_allocation", Unit::picoseconds, 60'000, 0, 10'000'000, Provenance::chosen,
          "a 1 KiB object from the slab allocator", "Allocation of an empty magazine"},
         &P::magazine_allocation},
        {{"depot_exchange", Unit::picoseconds, 10'000, 0, 10'000'000, Provenance::chosen,
          "a few stores to lines that another CPU wrote last", "Moving a magazine to or from the depot"},
         &P::depot_exchange},
        {{"rbtree_form", Unit::choice, 0, 0, 1, Provenance::chosen,
          "today's algorithm unless history is asked for", "Search algorithm of the tree", "6.1|2011"},
         &P::rbtree_form},
        {{"magazine_size", Unit::count, 127, 1, 1024, Provenance::published, linux_source,
          "Addresses in a magazine"},
         &P::magazine_size},
        {{"depot_size", Unit::count, 32, 0, 65'536, Provenance::published, linux_source,
          "Full magazines kept per size class for all CPUs"},
         &P::depot_size},
    };
    return rows;
}

const std::vector<std::string_view>& allocator_names() {
    static const std::vector<std::string_view> names = {"rbtree", "magazine"};
    return names;
}

std::unique_ptr<Allocator> make_allocator(std::string_view name, machine::Machine& machine,
                                          const Space& space, const IovaParameters& parameters) {
    if (name == "rbtree")
        return std::make_unique<RbTreeAllocator>(machine, space, parameters);
    if (name == "magazine")
        return std::make_unique<MagazineAllocator>(machine, space, parameters);
    return nullptr;
}

} // namespace iommusim::iova
