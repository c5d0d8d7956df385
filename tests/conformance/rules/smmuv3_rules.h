// SMMUv3 under the rules: a stream for each device, an ASID and tables for each space, and two context
// descriptors for each device, so that either its STE or its CD can lead it elsewhere.
#pragma once

#include "tests/conformance/rules/rule_bench.h"
#include "tests/conformance/smmuv3/smmu_bench.h"

#include <array>
#include <map>

namespace iommusim::rules {

class Smmuv3Rules final : public RuleBench {
public:
    static RuleTraits describe();
    explicit Smmuv3Rules(const RuleOptions& options);

    UnitBench& unit() override { return smmu_; }

    void map(std::uint64_t address, std::uint64_t output, std::uint64_t bytes, unsigned space) override;
    void map_global(std::uint64_t address, std::uint64_t output) override;
    void unmap(std::uint64_t address, std::uint64_t bytes, unsigned space) override;
    std::uint64_t table_entry(std::uint64_t address, unsigned read, unsigned space) override {
        return tables_[space].descriptor_address(address, read);
    }

    void attach(std::uint32_t id, unsigned space) override;
    void redirect(std::uint32_t id, unsigned space, unsigned through) override;
    std::uint64_t configuration_address(unsigned read) override;

    void ring() override { smmu_.doorbell(); }
    unsigned room() override { return (1u << smmu_.options.command_queue_log2) - unconsumed(); }
    bool all_taken() override { return unconsumed() == 0; }
    std::uint64_t done() override { return queued() - unconsumed(); }

private:
    struct Contexts {
        std::array<std::uint64_t, 2> cds; ///< addresses
        unsigned in_use;                  ///< the one that the STE leads to
    };

    unsigned put(const Invalidation& invalidation) override;
    unsigned put_device_invalidation(std::uint32_t id) override;
    unsigned put_configuration_invalidation() override;
    unsigned put_narrow_device_invalidation(std::uint32_t id) override;
    void put_completion() override;

    unsigned unconsumed();
    smmuv3::test::Cd context(unsigned space) const;

    const bool record_faults_;
    smmuv3::test::SmmuBench smmu_;
    std::array<smmuv3::test::PageTable, spaces> tables_;
    std::map<std::uint32_t, Contexts> contexts_; ///< by stream
};

} // namespace iommusim::rules
