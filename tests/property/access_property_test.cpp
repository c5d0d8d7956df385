// Random software and random devices against a plain record of what was mapped when: an access may use what
// was mapped, or not yet promised to be gone, at some moment between its issue and its end; nothing else.
#include "tests/conformance/rules/rule_test.h"
#include "tests/property/access_play.h"

#include <map>

namespace iommusim::rules {
namespace {

using Sequence = std::vector<Operation>;

class AccessProperty : public RuleTest<> {
protected:
    Play play(const Sequence& sequence, Mistake mistake = Mistake::none) {
        return Play(build(Play::options()), sequence, mistake);
    }
    /// Empty if nothing is wrong.
    std::string divergence(const Sequence& sequence, Mistake mistake = Mistake::none) {
        return play(sequence, mistake).divergence();
    }
};

TEST_P(AccessProperty, AccessesUseOnlyWhatIsMappedOrNotYetPromisedToBeGone) {
    EXPECT_TRUE(rc::check("random software and devices", [&] {
        const auto sequence = *rc::gen::scale(3.0, rc::gen::container<Sequence>(operations(traits())));
        const std::string found = divergence(sequence);
        if (!found.empty())
            RC_FAIL(found);
    }));
}

INSTANTIATE_TEST_SUITE_P(, AccessProperty, testing::ValuesIn(every_architecture()), case_name<Case>);

// ---- the property can fail

class AccessPropertySelfCheck : public AccessProperty {};
constexpr Operation map_it{.kind = Operation::map, .page = 1, .target = 7, .amount = 1};
constexpr Operation read_it{.kind = Operation::read, .page = 1};
constexpr Operation write_it{.kind = Operation::write, .page = 1};
constexpr Operation unmap_it{.kind = Operation::unmap, .page = 1};
constexpr Operation invalidate_it{.kind = Operation::invalidate, .page = 1};
constexpr Operation complete_it{.kind = Operation::complete};
constexpr Operation wait_a_while{.kind = Operation::wait, .amount = 39};

TEST_P(AccessPropertySelfCheck, ACorrectSequencePasses) {
    EXPECT_EQ(
        divergence({map_it, read_it, wait_a_while, unmap_it, invalidate_it, complete_it, read_it, write_it}),
        "");
}

TEST_P(AccessPropertySelfCheck, AMissingTlbInvalidationIsFoundByReadsAndWrites) {
    const Sequence reads{map_it, read_it, wait_a_while, unmap_it, invalidate_it, complete_it, read_it};
    EXPECT_NE(divergence(reads, Mistake::no_tlb_invalidation), "");
    const Sequence writes{map_it, read_it, wait_a_while, unmap_it, invalidate_it, complete_it, write_it};
    EXPECT_NE(divergence(writes, Mistake::no_tlb_invalidation), "");
}

TEST_P(AccessPropertySelfCheck, AMissingWaitIsFound) {
    const Sequence sequence{map_it, read_it, wait_a_while, unmap_it, invalidate_it, complete_it, read_it};
    EXPECT_NE(divergence(sequence, Mistake::no_completion), "");
}

TEST_P(AccessPropertySelfCheck, AMissingConfigurationInvalidationIsFound) {
    constexpr Operation read_other{.kind = Operation::read, .space = 1, .page = 1};
    constexpr Operation map_other{.kind = Operation::map, .space = 1, .page = 1, .target = 9, .amount = 1};
    constexpr Operation invalidate_other{.kind = Operation::invalidate_device, .space = 1};
    for (unsigned through = 0; through < traits().configuration_reads; ++through) {
        SCOPED_TRACE(through);
        const Operation retarget{.kind = Operation::retarget, .amount = through};
        const Sequence sequence{map_it,   map_other,        read_other,  wait_a_while,
                                retarget, invalidate_other, complete_it, read_other};
        EXPECT_EQ(divergence(sequence), "");
        EXPECT_NE(divergence(sequence, Mistake::no_configuration_invalidation), "");
    }
}

TEST_P(AccessPropertySelfCheck, RandomSequencesFindEveryMistakeAndReallyMeetStaleTranslations) {
    const auto generator = rc::gen::container<Sequence>(150, operations(traits()));
    std::map<Mistake, unsigned> found;
    unsigned judged = 0;
    unsigned stale = 0;
    for (unsigned seed = 0; seed < 20; ++seed) {
        const Sequence sequence = generator(rc::Random(seed), 50).value();
        for (const Mistake mistake : {Mistake::none, Mistake::no_tlb_invalidation, Mistake::no_completion,
                                      Mistake::no_configuration_invalidation}) {
            const Play one = play(sequence, mistake);
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

INSTANTIATE_TEST_SUITE_P(, AccessPropertySelfCheck, testing::ValuesIn(every_architecture()), case_name<Case>);

} // namespace
} // namespace iommusim::rules
