// Random software and random devices against a plain record of what was mapped when: an access may use what
// was mapped, or not yet promised to be gone, at some moment between its issue and its end; nothing else.
#include "tests/conformance/smmuv3/smmu_bench.h"
#include "tests/property/reproducible.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <sstream>

namespace iommusim::smmuv3::test {
namespace {

constexpr std::uint64_t page_bytes = 4096;
constexpr std::uint64_t space_bytes = 4ull << 20; ///< two 2 MiB blocks of input addresses
constexpr std::uint64_t input = 0x40'0000'0000;
constexpr std::uint64_t output = 0x4000'0000;
constexpr std::uint64_t output_bytes = 4ull << 20;
constexpr Picoseconds never = ~0ull;

struct Operation {
    enum Kind {
        map_page,
        map_group,
        map_block,
        unmap,
        read,
        write,
        invalidate_address,
        invalidate_any_space,
        invalidate_range,
        invalidate_space,
        invalidate_all,
        invalidate_stream,
        invalidate_context,
        invalidate_configuration,
        retarget, ///< leads stream 2 to the other address space
        complete, ///< CMD_SYNC, and waits for it
        wait,
        slow_down, ///< from now on, table and queue accesses take longer
        slow_data  ///< from now on, what the devices access takes longer
    } kind = read;
    unsigned space = 0;       ///< 0 or 1; accesses: the stream, minus 1
    std::uint64_t page = 0;   ///< of the input addresses
    std::uint64_t target = 0; ///< page of the output
    unsigned amount = 0;      ///< range: pages; wait, slow_down: units of 50 ns

    bool operator==(const Operation&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Operation& o) {
    static const char* const names[] = {"map page", "map group", "map block", "unmap",      "read",
                                        "write",    "TLBI VA",   "TLBI VAA",  "TLBI range", "TLBI ASID",
                                        "TLBI all", "CFGI STE",  "CFGI CD",   "CFGI all",   "retarget",
                                        "SYNC",     "wait",      "slow down", "slow data"};
    out << names[o.kind];
    switch (o.kind) {
    case Operation::map_page:
    case Operation::map_group:
    case Operation::map_block:
        return out << " " << o.page << " of space " << o.space << " to " << o.target;
    case Operation::wait:
    case Operation::slow_down:
    case Operation::slow_data:
        return out << " " << o.amount * 50 << " ns";
    case Operation::read:
    case Operation::write:
        return out << " page " << o.page << " by stream " << o.space + 1;
    case Operation::invalidate_range:
        return out << " of " << o.amount + 2 << " pages from " << o.page << " of space " << o.space;
    case Operation::unmap:
    case Operation::invalidate_address:
    case Operation::invalidate_any_space:
        return out << " " << o.page << " of space " << o.space;
    case Operation::invalidate_space:
        return out << " of space " << o.space;
    default:
        return out;
    }
}

rc::Gen<Operation> operations() {
    using O = Operation;
    return rc::gen::build<Operation>(
        rc::gen::set(&O::kind, rc::gen::weightedElement<O::Kind>({{6, O::map_page},
                                                                  {2, O::map_group},
                                                                  {2, O::map_block},
                                                                  {6, O::unmap},
                                                                  {16, O::read},
                                                                  {8, O::write},
                                                                  {5, O::invalidate_address},
                                                                  {1, O::invalidate_any_space},
                                                                  {2, O::invalidate_range},
                                                                  {1, O::invalidate_space},
                                                                  {1, O::invalidate_all},
                                                                  {1, O::invalidate_stream},
                                                                  {1, O::invalidate_context},
                                                                  {1, O::invalidate_configuration},
                                                                  {1, O::retarget},
                                                                  {8, O::complete},
                                                                  {6, O::wait},
                                                                  {1, O::slow_down},
                                                                  {1, O::slow_data}})),
        rc::gen::set(&O::space, rc::gen::element(0u, 0u, 1u)),
        // Few pages, so that operations meet: some at the ends of groups and blocks.
        rc::gen::set(&O::page, rc::gen::element<std::uint64_t>(0, 1, 2, 15, 16, 17, 511, 512, 513, 600)),
        rc::gen::set(&O::target, rc::gen::inRange<std::uint64_t>(0, output_bytes / page_bytes)),
        rc::gen::set(&O::amount, rc::gen::inRange(0u, 40u)));
}

/// What the software under test does wrong on purpose.
enum class Mistake { none, no_tlb_invalidation, no_completion, no_configuration_invalidation };

/// Software, devices, and the record.
class Play {
public:
    Play(const std::vector<Operation>& operations, Mistake mistake) : mistake_(mistake) {
        for (std::uint64_t at = 0; at < output_bytes; at += page_bytes)
            bench_.poke(output + at, output + at); // every output page says which one it is
        for (unsigned space = 0; space < 2; ++space)
            cds_[space] = bench_.new_cd(cd_for(tables_[space].root(), asid(space)).with(spec::cd::r, 0));
        bench_.set_ste(1, ste_stage_1(cds_[0]));
        bench_.set_ste(2, ste_stage_1(cds_[1]));
        bindings_[0].push_back({0, 0, never, never, false});
        bindings_[1].push_back({1, 0, never, never, false});
        table_delay_ = bench_.faults().delay(soc::AccessKind::any, 0x100'0000, 0x1000'0000, 0);
        data_delay_ = bench_.faults().delay(soc::AccessKind::any, output, output_bytes, 0);
        bench_.spawn([this, &operations] {
            for (const Operation& o : operations)
                carry_out(o);
        });
        bench_.settle();
        judge();
    }

    /// Empty if every access did what it may; otherwise what the first did.
    const std::string& divergence() const { return divergence_; }
    unsigned judged() const { return judged_; }
    unsigned stale() const { return stale_; } ///< accesses that used what was no longer mapped

private:
    /// Something that held from `from` to `replaced` and may have been used until `gone`.
    struct Mapping {
        std::uint64_t page;
        std::uint64_t pages;
        std::uint64_t target; ///< output page of the first page
        unsigned level;
        Picoseconds from;
        Picoseconds replaced = never;
        Picoseconds gone = never;
        bool covered = false; ///< by an invalidation that the next completion completes
        bool holds(std::uint64_t p) const { return p >= page && p - page < pages; }
    };
    struct Binding {
        unsigned space;
        Picoseconds from;
        Picoseconds replaced;
        Picoseconds gone;
        bool covered;
    };
    struct Access {
        const Dma* dma;
        Operation operation;
        Picoseconds begun;
        std::uint64_t token;
    };

    static std::uint64_t asid(unsigned space) { return space + 1; }
    static std::uint64_t address_of(std::uint64_t page) { return input + page * page_bytes; }

    Mapping* current(unsigned space, std::uint64_t page) {
        for (Mapping& m : mappings_[space])
            if (m.replaced == never && m.holds(page))
                return &m;
        return nullptr;
    }
    void remove(unsigned space, Mapping& mapping) {
        const unsigned count = mapping.level == 2 ? 1 : static_cast<unsigned>(mapping.pages);
        for (unsigned i = 0; i < count; ++i)
            tables_[space].unmap(address_of(mapping.page + i), mapping.level);
        mapping.replaced = now();
    }
    void map(const Operation& o, unsigned level, std::uint64_t pages) {
        const std::uint64_t first = o.page / pages * pages;
        const std::uint64_t target = o.target / pages * pages;
        bool other_level = false;
        for (std::uint64_t page = first; page < first + pages; ++page)
            if (Mapping* old = current(o.space, page)) {
                other_level = other_level || old->level != level;
                remove(o.space, *old);
            }
        const std::uint64_t slot = tables_[o.space].descriptor_address(address_of(first), 2);
        if (other_level || (level == 2 && (bench_.peek(slot) & 1))) { // break before make
            bench_.poke(slot, 0);
            send(tlbi_range(asid(o.space), address_of(first / 512 * 512), 0, 9, 0, false),
                 [&] { cover(o.space, [&](const Mapping& m) { return m.page / 512 == first / 512; }); });
            complete();
        }
        const std::uint64_t to = output + target * page_bytes;
        if (pages == 16)
            tables_[o.space].map_contiguous(address_of(first), to);
        else
            tables_[o.space].map(address_of(first), to, level);
        mappings_[o.space].push_back(Mapping{first, pages, target, level, now()});
    }

    template <class Record> void send(const Command& command, Record record) {
        while (((bench_.producer() - bench_.consumer()) & 31) >= 16)
            sc_core::wait(50, sc_core::SC_NS);
        const auto op = command.get(spec::command::opcode);
        const bool configuration = op >= spec::opcode::cfgi_ste && op <= spec::opcode::cfgi_cd_all;
        if (!(mistake_ == Mistake::no_tlb_invalidation && !configuration && op != spec::opcode::sync) &&
            !(mistake_ == Mistake::no_configuration_invalidation && configuration))
            bench_.submit(command);
        record();
    }
    template <class Matches> void cover(unsigned space, Matches matches) {
        for (Mapping& m : mappings_[space])
            m.covered = m.covered || (m.replaced != never && matches(m));
    }
    void cover_bindings(unsigned stream) {
        for (Binding& b : bindings_[stream])
            b.covered = b.covered || b.replaced != never;
    }
    void complete() {
        send(sync(), [] {});
        while (mistake_ != Mistake::no_completion && bench_.consumer() != bench_.producer())
            sc_core::wait(20, sc_core::SC_NS);
        for (auto& space : mappings_)
            for (Mapping& m : space)
                if (m.covered && m.gone == never)
                    m.gone = now();
        for (auto& stream : bindings_)
            for (Binding& b : stream)
                if (b.covered && b.gone == never)
                    b.gone = now();
    }

    void carry_out(const Operation& o) {
        const auto everything = [](const Mapping&) { return true; };
        switch (o.kind) {
        case Operation::map_page:
            return map(o, 3, 1);
        case Operation::map_group:
            return map(o, 3, 16);
        case Operation::map_block:
            return map(o, 2, 512);
        case Operation::unmap:
            if (Mapping* m = current(o.space, o.page))
                remove(o.space, *m);
            return;
        case Operation::read:
            accesses_.push_back(
                {&bench_.begin_read(SmmuBench::stream(o.space + 1), address_of(o.page), 8), o, now(), 0});
            return;
        case Operation::write: {
            const std::uint64_t token = 0xfeed'0000'0000'0000 + accesses_.size();
            std::vector<std::uint8_t> bytes(8);
            std::memcpy(bytes.data(), &token, 8);
            accesses_.push_back(
                {&bench_.begin_write(SmmuBench::stream(o.space + 1),
                                     address_of(o.page) + 8 + accesses_.size() % 500 * 8, bytes),
                 o, now(), token});
            return;
        }
        case Operation::invalidate_address:
            return send(tlbi_va(asid(o.space), address_of(o.page)),
                        [&] { cover(o.space, [&](const Mapping& m) { return m.holds(o.page); }); });
        case Operation::invalidate_any_space:
            return send(tlbi_vaa(address_of(o.page)), [&] {
                for (unsigned space = 0; space < 2; ++space)
                    cover(space, [&](const Mapping& m) { return m.holds(o.page); });
            });
        case Operation::invalidate_range: {
            const std::uint64_t last = o.page + o.amount % 31 + 1;
            return send(tlbi_range(asid(o.space), address_of(o.page), o.amount % 31 + 1, 0), [&] {
                cover(o.space, [&](const Mapping& m) { return m.page <= last && m.page + m.pages > o.page; });
            });
        }
        case Operation::invalidate_space:
            return send(tlbi_asid(asid(o.space)), [&] { cover(o.space, everything); });
        case Operation::invalidate_all:
            return send(tlbi_all(), [&] {
                cover(0, everything);
                cover(1, everything);
            });
        case Operation::invalidate_stream:
            return send(cfgi_ste(o.space + 1), [&] { cover_bindings(o.space); });
        case Operation::invalidate_context:
            return send(cfgi_cd(o.space + 1), [] {}); // the STE changes, so this need not suffice
        case Operation::invalidate_configuration:
            return send(cfgi_all(), [&] {
                cover_bindings(0);
                cover_bindings(1);
            });
        case Operation::retarget: {
            Binding& old = bindings_[1].back();
            const unsigned space = 1 - old.space;
            old.replaced = now();
            bindings_[1].push_back({space, now(), never, never, false});
            bench_.set_ste(2, ste_stage_1(cds_[space]));
            return;
        }
        case Operation::complete:
            return complete();
        case Operation::wait:
            if (o.amount != 0)
                sc_core::wait(o.amount * 50, sc_core::SC_NS);
            return;
        case Operation::slow_down:
            bench_.faults().set_delay(table_delay_, o.amount * 50'000);
            return;
        case Operation::slow_data:
            bench_.faults().set_delay(data_delay_, o.amount * 50'000);
            return;
        }
    }

    // ---- judgement

    static bool overlap(Picoseconds from, Picoseconds to, const Access& a) {
        return from <= a.dma->completed && to > a.begun;
    }
    /// Where the access may have gone; `mapped` looks only at what was really mapped.
    bool may_use(const Access& a, std::uint64_t target, bool mapped) const {
        for (const Binding& b : bindings_[a.operation.space])
            if (overlap(b.from, mapped ? b.replaced : b.gone, a))
                for (const Mapping& m : mappings_[b.space])
                    if (m.holds(a.operation.page) && m.target + (a.operation.page - m.page) == target &&
                        overlap(m.from, mapped ? m.replaced : m.gone, a))
                        return true;
        return false;
    }
    /// Whether there was a moment without a mapping.
    bool may_be_refused(const Access& a) const {
        for (const Binding& b : bindings_[a.operation.space]) {
            if (!overlap(b.from, b.gone, a))
                continue;
            Picoseconds mapped_until = a.begun; // without a gap, as far as known
            bool grown = true;
            while (grown) {
                grown = false;
                for (const Mapping& m : mappings_[b.space])
                    if (m.holds(a.operation.page) && m.from <= mapped_until && m.replaced > mapped_until) {
                        mapped_until = m.replaced;
                        grown = true;
                    }
            }
            if (mapped_until <= a.dma->completed)
                return true;
        }
        return false;
    }
    void diverge(const Access& a, const std::string& what) {
        if (!divergence_.empty())
            return;
        std::ostringstream text;
        text << a.operation << ", from " << a.begun / 1000 << " to " << a.dma->completed / 1000 << " ns, "
             << what;
        divergence_ = text.str();
    }
    /// The output page that holds the token of a write.
    std::vector<std::uint64_t> places_of(std::uint64_t token) const {
        std::vector<std::uint64_t> found;
        for (std::uint64_t at = 0; at < output_bytes; at += 8)
            if (bench_.peek(output + at) == token)
                found.push_back(at / page_bytes);
        return found;
    }
    void judge() {
        for (const Access& a : accesses_) {
            ++judged_;
            if (!a.dma->finished) {
                diverge(a, "never ended");
            } else if (!a.dma->ok()) {
                if (!may_be_refused(a))
                    diverge(a, "was refused although it was mapped all the time");
            } else {
                std::uint64_t went_to = 0;
                if (a.operation.kind == Operation::read) {
                    std::memcpy(&went_to, a.dma->data.data(), 8);
                    went_to = (went_to - output) / page_bytes;
                } else {
                    const std::vector<std::uint64_t> places = places_of(a.token);
                    if (places.size() != 1)
                        continue; // overwritten by a later one
                    went_to = places[0];
                }
                if (!may_use(a, went_to, false))
                    diverge(a, "went to page " + std::to_string(went_to));
                stale_ += !may_use(a, went_to, true);
            }
        }
        // No use is observable after its mapping was promised to be gone.
        for (const RecordingProbe::Observed& o : bench_.probe.observed) {
            const std::uint64_t page = (o.use.input_address - input) / page_bytes;
            const std::uint64_t target = (o.use.output_address - output) / page_bytes;
            Picoseconds last_gone = 0;
            for (const auto& space : mappings_)
                for (const Mapping& m : space)
                    if (m.holds(page) && m.target + (page - m.page) == target)
                        last_gone = std::max(last_gone, m.gone);
            if (last_gone < o.when && divergence_.empty())
                divergence_ = "page " + std::to_string(page) + " was used at " +
                              std::to_string(o.use.time / 1000) + " ns, observable at " +
                              std::to_string(o.when / 1000) + " ns, promised to be gone at " +
                              std::to_string(last_gone / 1000) + " ns";
        }
    }

    const Mistake mistake_;
    /// Answers are on their way for a while, so that they can be old when they arrive.
    static BenchOptions options() {
        BenchOptions o;
        o.interconnect.response_latency = 150'000;
        return o;
    }
    SmmuBench bench_{options()};
    PageTable tables_[2] = {PageTable(bench_), PageTable(bench_)};
    std::uint64_t cds_[2] = {};
    soc::FaultInjector::Id table_delay_ = 0;
    soc::FaultInjector::Id data_delay_ = 0;
    std::deque<Mapping> mappings_[2];
    std::deque<Binding> bindings_[2];
    std::vector<Access> accesses_;
    std::string divergence_;
    unsigned judged_ = 0;
    unsigned stale_ = 0;
};

std::string play(const std::vector<Operation>& operations, Mistake mistake = Mistake::none) {
    start_new_simulation();
    return Play(operations, mistake).divergence();
}

TEST(Smmuv3Property, AccessesUseOnlyWhatIsMappedOrNotYetPromisedToBeGone) {
    EXPECT_TRUE(rc::check("random software and devices", [] {
        const auto sequence = *rc::gen::scale(3.0, rc::gen::container<std::vector<Operation>>(operations()));
        const std::string divergence = play(sequence);
        if (!divergence.empty())
            RC_FAIL(divergence);
    }));
}

// ---- the property can fail

using Sequence = std::vector<Operation>;
constexpr Operation map_it{Operation::map_page, 0, 1, 7, 0};
constexpr Operation read_it{Operation::read, 0, 1, 0, 0};
constexpr Operation write_it{Operation::write, 0, 1, 0, 0};
constexpr Operation unmap_it{Operation::unmap, 0, 1, 0, 0};
constexpr Operation invalidate_it{Operation::invalidate_address, 0, 1, 0, 0};
constexpr Operation complete_it{Operation::complete, 0, 0, 0, 0};
constexpr Operation wait_a_while{Operation::wait, 0, 0, 0, 39};

TEST(Smmuv3PropertySelfCheck, ACorrectSequencePasses) {
    EXPECT_EQ(play({map_it, read_it, wait_a_while, unmap_it, invalidate_it, complete_it, read_it, write_it}),
              "");
}

TEST(Smmuv3PropertySelfCheck, AMissingTlbInvalidationIsFoundByReadsAndWrites) {
    const Sequence reads{map_it, read_it, wait_a_while, unmap_it, invalidate_it, complete_it, read_it};
    EXPECT_NE(play(reads, Mistake::no_tlb_invalidation), "");
    const Sequence writes{map_it, read_it, wait_a_while, unmap_it, invalidate_it, complete_it, write_it};
    EXPECT_NE(play(writes, Mistake::no_tlb_invalidation), "");
}

TEST(Smmuv3PropertySelfCheck, AMissingWaitIsFound) {
    const Sequence sequence{map_it, read_it, wait_a_while, unmap_it, invalidate_it, complete_it, read_it};
    EXPECT_NE(play(sequence, Mistake::no_completion), "");
}

TEST(Smmuv3PropertySelfCheck, AMissingConfigurationInvalidationIsFound) {
    const Operation read_2{Operation::read, 1, 1, 0, 0};
    const Operation map_2{Operation::map_page, 1, 1, 9, 0};
    const Sequence sequence{map_it,
                            map_2,
                            read_2,
                            wait_a_while,
                            {Operation::retarget, 0, 0, 0, 0},
                            {Operation::invalidate_stream, 1, 0, 0, 0},
                            complete_it,
                            read_2};
    EXPECT_EQ(play(sequence), "");
    EXPECT_NE(play(sequence, Mistake::no_configuration_invalidation), "");
}

TEST(Smmuv3PropertySelfCheck, RandomSequencesFindEveryMistakeAndReallyMeetStaleTranslations) {
    const auto generator = rc::gen::container<Sequence>(150, operations());
    std::map<Mistake, unsigned> found;
    unsigned judged = 0;
    unsigned stale = 0;
    for (unsigned seed = 0; seed < 20; ++seed) {
        const Sequence sequence = generator(rc::Random(seed), 50).value();
        for (const Mistake mistake : {Mistake::none, Mistake::no_tlb_invalidation, Mistake::no_completion,
                                      Mistake::no_configuration_invalidation}) {
            start_new_simulation();
            const Play one(sequence, mistake);
            found[mistake] += !one.divergence().empty();
            if (mistake == Mistake::none) {
                judged += one.judged();
                stale += one.stale();
            }
        }
    }
    EXPECT_EQ(found[Mistake::none], 0u);
    EXPECT_GT(found[Mistake::no_tlb_invalidation], 5u);
    EXPECT_GT(found[Mistake::no_completion], 0u);
    EXPECT_GT(found[Mistake::no_configuration_invalidation], 0u);
    EXPECT_GT(judged, 500u);
    EXPECT_GT(stale, 20u) << "accesses that used what software had removed but not yet invalidated";
}

} // namespace
} // namespace iommusim::smmuv3::test
