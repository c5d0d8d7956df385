// Runs one load a given number of times: what scripts/benchmark measures under callgrind.
//
// usage: iommusim_load KIND COUNT      prints how many operations it simulated
//        iommusim_load --list       each kind with its bound and description, separated by tabs
#include "tests/benchmark/loads.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <systemc>

int sc_main(int argc, char** argv) {
    using namespace iommusim::benchmark;
    if (argc == 2 && std::strcmp(argv[1], "--list") == 0) {
        for (const LoadKind& kind : load_kinds())
            std::printf("%s\t%u\t%s\n", kind.name.c_str(), kind.instructions, kind.description.c_str());
        return 0;
    }
    const LoadKind* kind = argc == 3 ? find_load(argv[1]) : nullptr;
    const std::uint64_t count = kind ? std::strtoull(argv[2], nullptr, 10) : 0;
    if (count == 0) {
        std::fprintf(stderr, "usage: iommusim_load KIND COUNT | --list\n");
        return 2;
    }
    std::printf("%llu\n", static_cast<unsigned long long>(kind->make()->run(count)));
    return 0;
}
