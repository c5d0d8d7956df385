// VT-d under the rules: a source-id for each device, a domain and tables for each space; descriptors in the
// queue, and a wait descriptor with a status write as the completion. Three units: legacy mode with
// second-stage tables; the same in caching mode, with overlapped execution of the queue; scalable mode with
// first-stage tables, found through RID_PASID.
#pragma once

#include "tests/conformance/rules/rule_bench.h"
#include "tests/conformance/vtd/vtd_bench.h"

#include <map>
#include <memory>
#include <set>
#include <vector>

namespace iommusim::rules {

/// What the three have in common.
class VtdRules : public RuleBench {
public:
    UnitBench& unit() override { return vtd_; }

    void map(std::uint64_t address, std::uint64_t output, std::uint64_t bytes, unsigned space) override;
    void unmap(std::uint64_t address, std::uint64_t bytes, unsigned space) override;
    std::uint64_t table_entry(std::uint64_t address, unsigned read, unsigned space) override;

    void attach(std::uint32_t id, unsigned space) override;
    void redirect(std::uint32_t id, unsigned space, unsigned through) override;

    void ring() override { vtd_.doorbell(); }
    unsigned room() override;
    bool all_taken() override { return vtd_.head() == vtd_.tail(); }
    std::uint64_t done() override;

protected:
    using Bench = vtd::test::VtdBench;

    static RuleTraits common_traits();
    static vtd::test::BenchOptions bench_options(const RuleOptions& options);
    /// `table_bits` and `page_bits`: of every entry that points to a table, or to a page.
    VtdRules(const RuleTraits& traits, const RuleOptions& options, const vtd::test::BenchOptions& bench,
             unsigned levels, std::uint64_t table_bits, std::uint64_t page_bits);

    /// DID 0 is left to what is not present.
    static std::uint16_t domain(unsigned space) { return static_cast<std::uint16_t>(space + 1); }
    static std::uint16_t source(std::uint32_t id) { return static_cast<std::uint16_t>(id); }
    /// Makes present what leads the device to the space.
    virtual void configure(std::uint16_t id, unsigned space) = 0;
    virtual void reconfigure(std::uint16_t id, unsigned space, unsigned through) = 0;
    /// Domains that a cached configuration of the device may name.
    std::set<std::uint16_t>& domains(std::uint32_t id) {
        return domains_.try_emplace(id, absent_).first->second;
    }
    /// The caches hold nothing of the device any more.
    void forget(std::uint32_t id);
    void forget_all();
    /// AM of the smallest aligned block with the range in it.
    static unsigned address_mask(const Invalidation& range);
    /// A copy of the context table in another place; its address.
    std::uint64_t copy_table(std::uint64_t table);

    Bench vtd_;
    const bool record_faults_;
    std::vector<Bench::Table> tables_; ///< by space

private:
    void put_completion() override;

    const std::uint64_t page_bits_;
    std::set<std::uint16_t> absent_; ///< DID of cached configurations that are not present
    std::map<std::uint32_t, std::set<std::uint16_t>> domains_;
    std::map<std::uint32_t, unsigned> spaces_;  ///< where devices are led now
    std::vector<std::uint64_t> completed_with_; ///< commands done with each wait
};

class VtdLegacyRules : public VtdRules {
public:
    static RuleTraits describe();
    explicit VtdLegacyRules(const RuleOptions& options);
    std::uint64_t configuration_address(unsigned read) override;

protected:
    VtdLegacyRules(const RuleTraits& traits, const RuleOptions& options,
                   const vtd::test::BenchOptions& bench);

private:
    void configure(std::uint16_t id, unsigned space) override;
    void reconfigure(std::uint16_t id, unsigned space, unsigned through) override;
    unsigned put(const Invalidation& invalidation) override;
    unsigned put_device_invalidation(std::uint32_t id) override;
    unsigned put_configuration_invalidation() override;
    vtd::test::ContextEntry context(unsigned space) const;
};

class VtdCachingModeRules final : public VtdLegacyRules {
public:
    static RuleTraits describe();
    explicit VtdCachingModeRules(const RuleOptions& options);
};

class VtdScalableRules final : public VtdRules {
public:
    static RuleTraits describe();
    explicit VtdScalableRules(const RuleOptions& options);
    std::uint64_t configuration_address(unsigned read) override;

private:
    void configure(std::uint16_t id, unsigned space) override;
    void reconfigure(std::uint16_t id, unsigned space, unsigned through) override;
    unsigned put(const Invalidation& invalidation) override;
    unsigned put_device_invalidation(std::uint32_t id) override;
    unsigned put_configuration_invalidation() override;
    unsigned put_narrow_device_invalidation(std::uint32_t id) override;
    vtd::test::PasidEntry entry(unsigned space) const;
    /// A PASID table of one's own with PASID 0 in it.
    Bench::Pasids& renew_pasids(std::uint16_t id, unsigned space);

    std::map<std::uint16_t, std::unique_ptr<Bench::Pasids>> pasids_; ///< by source
};

} // namespace iommusim::rules
