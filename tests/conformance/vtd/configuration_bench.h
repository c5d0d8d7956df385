// Configuration fetches with nothing but registers and a memory around them.
#pragma once

#include "models/vtd/configuration_fetch.h"
#include "models/vtd/spec/registers.h"
#include "tests/conformance/vtd/register_bench.h"
#include "tests/conformance/vtd/walk_bench.h"

#include <memory>
#include <optional>

namespace iommusim::vtd::test {

inline constexpr std::uint16_t source = 0x3ac5;       ///< bus 3a, upper half of the scalable root entry
inline constexpr std::uint16_t lower_source = 0x3a45; ///< lower half
inline constexpr std::uint64_t nowhere = (1ull << 46) - 0x1000;
inline constexpr unsigned long long beyond = 1ull << 46; ///< a bit above the host address width

inline Requester device(std::uint32_t id = source) {
    Requester r;
    r.id = id;
    return r;
}
inline Requester process(std::uint32_t pasid, std::uint32_t id = source) {
    Requester r = device(id);
    r.has_pasid = true;
    r.pasid = pasid;
    return r;
}
inline Requester with(Requester r, AddressType type) {
    r.address_type = type;
    return r;
}

struct ConfigurationBench : TableBench {
    Recorder recorder;
    std::unique_ptr<RegisterFile> registers;
    std::unique_ptr<ConfigurationFetch> fetcher;
    Picoseconds taken = 0;

    /// After the features are as the test wants them.
    ConfigurationFetch& configurations() {
        if (!fetcher)
            fetcher = std::make_unique<ConfigurationFetch>(parameters, features, file(), port, queue);
        return *fetcher;
    }
    RegisterFile& file() {
        if (!registers)
            registers = std::make_unique<RegisterFile>(features, recorder);
        return *registers;
    }
    void use(std::uint64_t root, std::uint64_t mode) {
        file().write(spec::reg::rtaddr, 8, root | spec::rtaddr::ttm.make(mode));
        file().latch_root_table();
    }

    Process fetch_timed(Requester requester, Configuration& result, const bool& stale) {
        Pace pace(Pacing::timed, queue);
        result = co_await configurations().fetch(pace, requester, stale);
        co_await pace.settle();
    }
    Configuration fetch(const Requester& requester, bool stale = false) {
        Configuration result;
        const Picoseconds began = now();
        fetch_timed(requester, result, stale).start(queue, now());
        run();
        taken = now() - began;
        return result;
    }
    Configuration fetch_untimed(Pacing pacing, const Requester& requester) {
        Pace pace(pacing, queue);
        const bool stale = false;
        const Configuration result = configurations().fetch(pace, requester, stale).run_now();
        taken = pace.offset();
        return result;
    }
    /// What the caches say, if they know.
    std::optional<Configuration> find(const Requester& requester) {
        Pace pace(Pacing::loose, queue);
        const Configuration* const found = configurations().find(pace, requester);
        taken = pace.offset();
        return found ? std::optional<Configuration>(*found) : std::nullopt;
    }
    /// As the unit asks: the caches first.
    Configuration ask(const Requester& requester) {
        const std::optional<Configuration> known = find(requester);
        return known ? *known : fetch(requester);
    }
    bool cached(const Requester& requester) { return find(requester).has_value(); }
    /// The fault of a requester, which is the same for debug accesses and from the caches.
    unsigned fault(const Requester& requester) {
        configurations().invalidate_all();
        const Configuration c = ask(requester);
        EXPECT_EQ(c.kind, Configuration::Kind::fault);
        EXPECT_EQ(ask(requester).reason, c.reason) << "the second time";
        EXPECT_EQ(fetch_untimed(Pacing::debug, requester).reason, c.reason);
        no_record = c.no_record;
        return c.reason;
    }
    bool no_record = false; ///< of the last fault()
};

/// A device in legacy mode whose context entry is good.
struct LegacyContext : testing::Test {
    ConfigurationBench bench;
    LegacyRootTable<TableBench> root{bench};
    const ContextEntry good = legacy_context(0x12'3000, 0x345);

    LegacyContext() {
        root.set(source, good);
        bench.use(root.base(), spec::rtaddr::ttm_legacy);
    }
    unsigned fault_of(const ContextEntry& entry, AddressType type = AddressType::untranslated) {
        root.set(source, entry);
        return bench.fault(with(device(), type));
    }
    Configuration of(const ContextEntry& entry, AddressType type = AddressType::untranslated) {
        root.set(source, entry);
        bench.configurations().invalidate_all();
        return bench.ask(with(device(), type));
    }
};

/// A device in scalable mode: RID_PASID 77 is second-stage in domain 11h, PASID 78 first-stage in domain 12h.
struct ScalableMode : testing::Test {
    ConfigurationBench bench;
    ScalableRootTable<TableBench> root{bench};
    PasidTable<TableBench> pasids{bench};
    const ScalableContextEntry good =
        scalable_context(pasids.directory(), PasidTable<TableBench>::directory_size)
            .with(spec::scalable_context::rid_pasid, 77);

    ScalableMode() {
        root.set(source, good);
        pasids.set(77, second_stage_pasid(0x5000, 0x11));
        pasids.set(78, first_stage_pasid(0x6000, 0x12));
        bench.use(root.base(), spec::rtaddr::ttm_scalable);
    }
    unsigned context_fault(const ScalableContextEntry& entry, const Requester& requester = device()) {
        root.set(source, entry);
        return bench.fault(requester);
    }
    unsigned pasid_fault(const PasidEntry& entry, Requester requester = process(78)) {
        pasids.set(78, entry);
        return bench.fault(requester);
    }
    Configuration of(const PasidEntry& entry, Requester requester = process(78)) {
        pasids.set(78, entry);
        bench.configurations().invalidate_all();
        return bench.ask(requester);
    }
};

} // namespace iommusim::vtd::test
