"""Gates by literals, and by simulated rollouts on cards that come back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud import analysis, gates
from fraud.analysis import LATENCY_EDGES_MS, Arm, FiredAlarm, Latency, Outcome, Pairs, Shadow, Tally, Verdict
from fraud.rollout_plan import GATES, Gates

PLACES = len(LATENCY_EDGES_MS) + 1
BUCKETS = 100
WITHOUT_LATENCY = tuple(name for name in GATES if name != "latency")
ALARM = FiredAlarm(name="fraud-detection-slot-b-errors", at=50_592.0, reason="Threshold Crossed: 3 datapoints.")


def arm(transactions: int = 100, **actions: int) -> Arm:
    """So many transactions and actions in each of the buckets."""
    return {bucket: Tally(transactions=transactions, **actions) for bucket in range(BUCKETS)}


def calls(*milliseconds: float) -> Latency:
    counts = [0] * PLACES
    for each in milliseconds:
        counts[next((place for place, edge in enumerate(LATENCY_EDGES_MS) if each <= edge), PLACES - 1)] += 1
    return Latency(counts=tuple(counts), total_ms=sum(milliseconds))


QUICK = calls(*[20.0] * 200)


def shadow(transactions: int = 40, ours: Latency = QUICK, theirs: Latency = QUICK, **counts: int) -> Shadow:
    """So many pairs and actions in each of the buckets."""
    pairs = {bucket: Pairs(transactions=transactions, **counts) for bucket in range(BUCKETS)}
    return Shadow(pairs=pairs, challenger=ours, champion=theirs)


def of(gate: str, verdicts: Sequence[Verdict]) -> Verdict:
    return next(each for each in verdicts if each.gate == gate)


def in_shadow(gate: str, seen: Shadow, **limits: float) -> Verdict:
    return of(gate, gates.judge_shadow(Gates(**limits), seen, ()))


def in_canary(gate: str, champion: Arm, challenger: Arm, **limits: float) -> Verdict:
    return of(gate, gates.judge_canary(Gates(**limits), champion, challenger, ()))


def test_gates_of_nothing_seen_are_inconclusive_but_for_alarms() -> None:
    for verdicts in (
        gates.judge_shadow(Gates(), Shadow(), ()),
        gates.judge_canary(Gates(), {}, {}, ()),
        gates.judge_soak(Gates(), {}, ()),
    ):
        assert {each.outcome for each in verdicts[:-1]} == {Outcome.INCONCLUSIVE}
        assert {each.count for each in verdicts} == {0}
        assert verdicts[-1].outcome is Outcome.PASS


def test_gates_come_in_their_order() -> None:
    assert tuple(each.gate for each in gates.judge_shadow(Gates(), shadow(), ())) == GATES
    assert tuple(each.gate for each in gates.judge_canary(Gates(), arm(), arm(), ())) == WITHOUT_LATENCY
    assert tuple(each.gate for each in gates.judge_soak(Gates(), arm(), ())) == WITHOUT_LATENCY


def test_advisory_gates_are_judged_and_marked() -> None:
    verdicts = gates.judge_canary(Gates(advisory=("block_rate",)), arm(), arm(block=90), ())
    assert [each.gate for each in verdicts if each.advisory] == ["block_rate"]
    assert of("block_rate", verdicts).outcome is Outcome.FAIL


def test_advisory_gates_leave_the_others_more_to_err_with() -> None:
    alone = gates._alpha(Gates(advisory=("errors", "review_rate")), gates._TESTS_OF_CANARY)
    assert alone == pytest.approx(0.05 / 3)
    assert gates._alpha(Gates(), gates._TESTS_OF_CANARY) == pytest.approx(0.05 / 8)
    assert gates._alpha(Gates(advisory=GATES[1:-1]), gates._TESTS_OF_SHADOW) == 0.05


@pytest.mark.parametrize(
    ("transactions", "outcome"), [(9, Outcome.INCONCLUSIVE), (10, Outcome.PASS), (11, Outcome.PASS)]
)
def test_traffic_passes_with_the_transactions_that_are_needed(transactions: int, outcome: Outcome) -> None:
    seen = in_canary("traffic", arm(1_000), arm(transactions))
    assert seen.outcome is outcome
    assert seen.sentence == f"Seen {transactions * 100:,} of the challenger's transactions; 1,000 are needed."
    assert in_shadow("traffic", shadow(transactions)).outcome is outcome


def test_alarm_that_fired_fails_and_is_told_with_its_time() -> None:
    for verdicts in (
        gates.judge_shadow(Gates(), shadow(), [ALARM]),
        gates.judge_canary(Gates(), arm(), arm(), [ALARM]),
        gates.judge_soak(Gates(), arm(), [ALARM]),
    ):
        assert verdicts[-1].outcome is Outcome.FAIL
        assert verdicts[-1].sentence == (
            "The alarm fraud-detection-slot-b-errors fired at 14:03:12 UTC: Threshold Crossed: 3 datapoints."
        )


@pytest.mark.parametrize(
    ("degraded", "outcome"), [(0, Outcome.PASS), (20, Outcome.PASS), (25, Outcome.INCONCLUSIVE), (60, Outcome.FAIL)]
)
def test_errors_fail_when_shown_above_their_cap(degraded: int, outcome: Outcome) -> None:
    challenger = {**arm(20), **dict.fromkeys(range(degraded), Tally(transactions=20, degraded=1))}
    assert of("errors", gates.judge_soak(Gates(), challenger, ())).outcome is outcome
    assert in_canary("errors", arm(), challenger, error_rate_increase=1.0).outcome is outcome


def test_unanswered_calls_of_the_shadow_are_errors() -> None:
    seen = in_shadow("errors", shadow(unanswered=4))
    assert seen.outcome is Outcome.FAIL
    assert seen.sentence == (
        "The challenger leaves 10.00 % of 4,000 transactions without a score, and at most 1 % is allowed."
    )
    assert in_shadow("errors", shadow(unanswered=0)).outcome is Outcome.PASS


def test_errors_are_held_against_the_champions() -> None:
    limits = {"error_rate": 1.0, "error_rate_increase": 0.01}
    assert in_canary("errors", arm(degraded=1), arm(degraded=10), **limits).outcome is Outcome.FAIL
    assert in_canary("errors", arm(degraded=10), arm(degraded=10), **limits).outcome is Outcome.PASS
    assert in_canary("errors", arm(degraded=90), arm(degraded=10), **limits).outcome is Outcome.PASS


def test_block_rate_of_a_canary_fails_beyond_its_margin_to_both_sides() -> None:
    limits = {"block_rate": 1.0}
    more, less = (
        in_canary("block_rate", arm(block=each), arm(block=other), **limits) for each, other in ((2, 8), (8, 2))
    )
    assert (more.outcome, less.outcome) == (Outcome.FAIL, Outcome.FAIL)
    assert more.sentence == (
        "The challenger blocks 8.00 % of 10,000 transactions, the champion 2.00 %: 6.00 points more, "
        "and at most 1 is allowed."
    )
    assert "6.00 points less" in less.sentence
    assert (more.observed, more.limit, more.count) == (pytest.approx(0.06), 0.01, 10_000)


def test_block_rate_fails_above_its_cap_whatever_the_champions() -> None:
    seen = in_canary("block_rate", arm(block=9), arm(block=9))
    assert seen.outcome is Outcome.FAIL
    assert seen.sentence == "The challenger blocks 9.00 % of 10,000 transactions, and at most 5 % is allowed."
    assert of("block_rate", gates.judge_soak(Gates(), arm(block=9), ())).sentence == seen.sentence


def test_review_rate_is_told_in_its_own_words() -> None:
    seen = in_canary("review_rate", arm(review=2), arm(review=8))
    assert seen.outcome is Outcome.FAIL
    assert seen.sentence.startswith("The challenger sends 8.00 % of 10,000 transactions to review, the champion 2.00 %")


def test_watched_rate_within_its_limits_waits_for_its_transactions() -> None:
    few = in_canary("block_rate", arm(), arm(9))
    assert few.outcome is Outcome.INCONCLUSIVE
    assert few.sentence.endswith("1,000 of them are needed.")
    assert in_canary("block_rate", arm(), arm(10)).outcome is Outcome.PASS


def test_watched_rate_beyond_its_limit_by_chance_neither_passes_nor_fails() -> None:
    seen = in_canary(
        "block_rate", arm(block=1), {**arm(20), **dict.fromkeys(range(60), Tally(transactions=20, block=1))}
    )
    assert seen.outcome is Outcome.INCONCLUSIVE
    assert seen.sentence.endswith("It may be chance.")


def test_rate_without_a_champion_to_compare_with_cannot_be_told() -> None:
    seen = in_canary("block_rate", {}, arm())
    assert (seen.outcome, seen.sentence) == (Outcome.INCONCLUSIVE, "Nothing was seen of the champion yet.")


def test_shadow_proves_equal_rates_with_enough_pairs_only() -> None:
    equal = {"champion_block": 1, "challenger_block": 1, "both_block": 1}
    few, many = (in_shadow("block_rate", shadow(size, **equal), block_rate=1.0) for size in (5, 40))
    assert (few.outcome, many.outcome) == (Outcome.INCONCLUSIVE, Outcome.PASS)
    assert "In truth it may be anything from -" in few.sentence


def test_shadow_rests_on_the_pairs_that_differ() -> None:
    agreed, differing = (
        in_shadow("block_rate", shadow(20, champion_block=4, challenger_block=4, both_block=both), block_rate=1.0)
        for both in (4, 0)
    )
    assert (agreed.outcome, differing.outcome) == (Outcome.PASS, Outcome.INCONCLUSIVE)


def test_shadow_fails_a_rate_that_lies_outside_its_margin() -> None:
    more = in_shadow("block_rate", shadow(champion_block=1, challenger_block=4, both_block=1), block_rate=1.0)
    less = in_shadow("block_rate", shadow(champion_block=4, challenger_block=1, both_block=1), block_rate=1.0)
    assert (more.outcome, less.outcome) == (Outcome.FAIL, Outcome.FAIL)


def test_shadow_proves_caps_too() -> None:
    equal = {"champion_review": 4, "challenger_review": 4, "both_review": 4}
    assert [
        in_shadow("review_rate", shadow(50, **equal), review_rate=cap).outcome for cap in (0.04, 0.08, 0.081, 0.12)
    ] == [Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.INCONCLUSIVE, Outcome.PASS]


def test_shadow_counts_rates_of_answered_pairs() -> None:
    seen = in_shadow("block_rate", shadow(40, unanswered=20, champion_block=1, challenger_block=1, both_block=1))
    assert (seen.count, seen.outcome) == (2_000, Outcome.INCONCLUSIVE)
    assert "5.00 %" in seen.sentence
    assert in_shadow("block_rate", shadow(40, unanswered=40)).count == 0


def test_few_cards_prove_nothing_however_many_their_transactions() -> None:
    alone = Shadow(pairs={7: Pairs(transactions=50_000)}, challenger=QUICK, champion=QUICK)
    seen = in_shadow("block_rate", alone)
    assert seen.outcome is Outcome.INCONCLUSIVE
    assert seen.sentence.endswith("So few cards prove nothing.")
    card: Arm = {7: Tally(transactions=50_000, block=50_000, degraded=50_000)}
    assert all(each.outcome is not Outcome.FAIL for each in gates.judge_canary(Gates(), arm(), card, ()))


def test_latency_passes_when_both_models_are_quick() -> None:
    seen = in_shadow("latency", shadow())
    assert (seen.outcome, seen.count) == (Outcome.PASS, 200)
    assert seen.sentence.startswith("The challenger's p99 is 21 ms on 200 calls, and at most 500 is allowed.")


def test_latency_of_few_calls_cannot_be_told() -> None:
    slow = in_shadow("latency", shadow(ours=calls(*[5_000.0] * 29)))
    assert slow.outcome is Outcome.INCONCLUSIVE
    assert in_shadow("latency", shadow(ours=calls(*[5_000.0] * 30))).outcome is Outcome.FAIL
    assert in_shadow("latency", shadow(theirs=calls(*[20.0] * 29))).outcome is Outcome.INCONCLUSIVE
    assert in_shadow("latency", shadow(theirs=Latency())).sentence == "Nothing was seen of the champion's calls yet."


def test_latency_fails_when_more_than_a_hundredth_is_shown_to_be_slow() -> None:
    ours = calls(*[20.0] * 950, *[600.0] * 50)
    seen = in_shadow("latency", shadow(ours=ours), latency_ratio=100.0)
    assert (seen.outcome, seen.limit) == (Outcome.FAIL, 500.0)


def test_latency_with_a_few_slow_calls_too_many_is_not_told_yet() -> None:
    ours = calls(*[20.0] * 985, *[600.0] * 15)
    seen = in_shadow("latency", shadow(ours=ours), latency_ratio=100.0)
    assert seen.outcome is Outcome.INCONCLUSIVE
    assert seen.sentence.endswith("It may be chance.")


@pytest.mark.parametrize("count", [30, 99, 200, 1_000])
def test_latency_forgives_one_slow_first_call(count: int) -> None:
    ours, theirs = calls(30_000.0, *[20.0] * (count - 1)), calls(*[20.0] * count)
    assert of_slowest(ours).outcome is Outcome.PASS
    assert in_shadow("latency", shadow(ours=ours, theirs=theirs)).outcome is not Outcome.FAIL


def of_slowest(ours: Latency) -> Verdict:
    return gates._slowest(Gates(), ours, 0.005)


def test_latency_fails_when_its_mean_is_shown_to_be_too_many_times_the_champions() -> None:
    seen = in_shadow("latency", shadow(ours=calls(*[100.0] * 200)))
    assert seen.outcome is Outcome.FAIL
    assert seen.sentence == (
        "The challenger takes 5.00 times the champion's mean of 20.0 ms on 200 calls, and at most 3 times is allowed."
    )


def test_latency_ratio_close_to_its_limit_is_not_told_yet() -> None:
    rng = np.random.default_rng(2)
    ours, theirs = (calls(*rng.exponential(mean, 60).tolist()) for mean in (70, 20))
    assert in_shadow("latency", shadow(ours=ours, theirs=theirs)).outcome is Outcome.INCONCLUSIVE


RANK = {outcome: rank for rank, outcome in enumerate(Outcome)}


@given(st.integers(1, 49), st.integers(1, 60), st.sampled_from(["block", "review"]))
def test_more_of_what_is_above_the_champions_never_makes_a_canary_better(blocked: int, base: int, action: str) -> None:
    champion = arm(100, **{action: min(base, blocked)})
    fewer, more = (in_canary(f"{action}_rate", champion, arm(50, **{action: each})) for each in (blocked, blocked + 1))
    assert RANK[more.outcome] <= RANK[fewer.outcome]


@given(st.integers(0, 39), st.integers(0, 39))
def test_more_of_what_only_the_challenger_blocks_never_makes_a_shadow_better(both: int, extra: int) -> None:
    outcomes = [
        in_shadow("block_rate", shadow(80, champion_block=both, challenger_block=both + each, both_block=both)).outcome
        for each in (extra, extra + 1)
    ]
    assert RANK[outcomes[1]] <= RANK[outcomes[0]]


@given(st.integers(0, 99))
def test_more_errors_never_make_a_soak_better(degraded: int) -> None:
    fewer, more = (
        of("errors", gates.judge_soak(Gates(), arm(100, degraded=each), ())) for each in (degraded, degraded + 1)
    )
    assert RANK[more.outcome] <= RANK[fewer.outcome]


@st.composite
def tallies(draw: st.DrawFn) -> Tally:
    parts = draw(st.lists(st.one_of(st.just(0), st.integers(0, 10**9)), min_size=3, max_size=3))
    approve, review, block = parts
    total = sum(parts)
    degraded = draw(st.integers(0, total))
    return Tally(transactions=total, approve=approve, review=review, block=block, degraded=degraded)


@st.composite
def pairs(draw: st.DrawFn) -> Pairs:
    answered, unanswered = draw(st.integers(0, 10**6)), draw(st.integers(0, 100))
    counts = {}
    for action in ("block", "review"):
        both, ours, theirs = sorted(draw(st.lists(st.integers(0, answered // 3), min_size=3, max_size=3)))
        counts |= {f"both_{action}": both, f"challenger_{action}": ours, f"champion_{action}": theirs}
    return Pairs(transactions=answered + unanswered, unanswered=unanswered, **counts)


arms = st.dictionaries(st.integers(0, 127), tallies(), max_size=6)
latencies = st.builds(
    lambda counts, microseconds: Latency(counts=tuple(counts), total_ms=microseconds / 1_000),
    st.lists(st.one_of(st.just(0), st.integers(0, 10**6)), min_size=PLACES, max_size=PLACES),
    st.integers(0, 10**16),
)
limits = st.builds(
    Gates,
    transactions=st.integers(1, 10**8),
    error_rate=st.floats(0, 1),
    error_rate_increase=st.floats(0, 1),
    block_rate=st.floats(0, 1),
    block_rate_increase=st.floats(0, 1),
    latency_ratio=st.floats(1, 1_000),
    error_probability=st.floats(1e-6, 0.5),
    advisory=st.sampled_from([(), ("errors",), ("errors", "latency", "block_rate", "review_rate")]),
)


@given(limits, arms, arms)
def test_any_arms_can_be_judged(limit: Gates, champion: Arm, challenger: Arm) -> None:
    assert tuple(each.gate for each in gates.judge_canary(limit, champion, challenger, ())) == WITHOUT_LATENCY
    assert tuple(each.gate for each in gates.judge_soak(limit, challenger, ())) == WITHOUT_LATENCY


@given(limits, st.dictionaries(st.integers(0, 127), pairs(), max_size=6), latencies, latencies)
def test_any_shadow_can_be_judged(limit: Gates, seen: dict[int, Pairs], ours: Latency, theirs: Latency) -> None:
    verdicts = gates.judge_shadow(limit, Shadow(pairs=seen, challenger=ours, champion=theirs), ())
    assert tuple(each.gate for each in verdicts) == GATES


class Market:
    """Transactions of cards that come back, unlike each other, and the buckets they are counted in.

    Args:
        seed: of everything drawn.
        tail: exponent of the Pareto distribution of transactions per card.
        likeness: a + b of the beta distribution of a card's rates; the larger, the more alike cards are.
    """

    CARDS = 3_000

    def __init__(self, seed: int, count: int, looks: int, tail: float, likeness: float) -> None:
        self.rng = np.random.default_rng(seed)
        self.looks, self.likeness = looks, likeness
        weights = self.rng.pareto(tail, self.CARDS) + 1
        self.card = self.rng.choice(self.CARDS, count, p=weights / weights.sum())
        self.bucket = self.rng.integers(0, 128, self.CARDS)[self.card]
        self.look = np.arange(count) * looks // count

    def happens(self, rate: float) -> np.ndarray:
        """Whether an event of its own happens in each transaction."""
        rates = self.rng.beta(rate * self.likeness, (1 - rate) * self.likeness, self.CARDS)
        return self.rng.random(len(self.card)) < rates[self.card]

    def counts(self, chosen: np.ndarray) -> np.ndarray:
        """Chosen transactions until each look, by bucket."""
        places = (self.look * 128 + self.bucket)[chosen]
        return np.bincount(places, minlength=self.looks * 128).reshape(self.looks, 128).cumsum(axis=0)

    def arms(self, is_chosen: np.ndarray, block: np.ndarray, review: np.ndarray) -> list[Arm]:
        """An arm as it is at each look."""
        total, blocked, reviewed = (
            self.counts(is_chosen & each).tolist() for each in (is_chosen, block, review & ~block)
        )
        return [
            {
                bucket: Tally(transactions=total[at][bucket], block=blocked[at][bucket], review=reviewed[at][bucket])
                for bucket in range(128)
            }
            for at in range(self.looks)
        ]

    def shadows(self, block: float, extra: float, missed: float) -> list[Shadow]:
        """Both block, the challenger blocks besides, it misses: shares; reviews are as different, and twice as many."""
        counts = {}
        for name, factor in (("block", 1), ("review", 2)):
            both, ours, theirs = (self.happens(factor * share) for share in (block, extra, missed))
            counts[f"both_{name}"] = self.counts(both)
            counts[f"challenger_{name}"] = self.counts(both | (ours & ~theirs))
            counts[f"champion_{name}"] = self.counts(both | (theirs & ~ours))
        total = self.counts(self.look >= 0)
        return [
            Shadow(
                pairs={
                    bucket: Pairs(
                        transactions=int(total[at, bucket]),
                        **{name: int(each[at, bucket]) for name, each in counts.items()},
                    )
                    for bucket in range(128)
                },
                challenger=QUICK,
                champion=QUICK,
            )
            for at in range(self.looks)
        ]


def test_alike_models_on_heavy_sticky_cards_are_seldom_stopped_at_any_of_60_looks() -> None:
    # The limits allow no difference at all, so that alike models stand on their very edge.
    edge = Gates(block_rate_increase=0.0, review_rate_increase=0.0, block_rate=1.0, review_rate=1.0)
    stopped = textbook = 0
    for seed in range(24):
        market = Market(seed, 8_000, 60, tail=1.3, likeness=2.0)
        is_challenger = (market.rng.random(market.CARDS) < 0.5)[market.card]
        block, review = market.happens(0.01), market.happens(0.05)
        champion, challenger = (market.arms(each, block, review) for each in (~is_challenger, is_challenger))
        stopped += any(
            analysis.worst(gates.judge_canary(edge, *each, ())) is Outcome.FAIL
            for each in zip(champion, challenger, strict=True)
        )
        textbook += any(map(differs, champion, challenger))
    # At 5 % in truth, more than 4 of 24 would come in 1 % of all draws; the benchmark measures it closely.
    assert stopped <= 4
    assert textbook > 10


def differs(champion: Arm, challenger: Arm) -> bool:
    """The textbook's z-test of two block rates at 5 %."""
    (ours, blocked), (theirs, others) = (
        (sum(each.transactions for each in arm.values()), sum(each.block for each in arm.values()))
        for arm in (challenger, champion)
    )
    pooled = (blocked + others) / (ours + theirs)
    error = (pooled * (1 - pooled) * (1 / ours + 1 / theirs)) ** 0.5
    return abs(blocked / ours - others / theirs) > 1.96 * error


def first(outcome: Outcome, shadows: Sequence[Shadow]) -> int | None:
    """Pairs at the first look with this outcome over all gates, if no other outcome ended it before."""
    for seen in shadows:
        found = analysis.worst(gates.judge_shadow(Gates(), seen, ()))
        if found is not Outcome.INCONCLUSIVE:
            return sum(each.transactions for each in seen.pairs.values()) if found is outcome else None
    return None


def test_shadow_of_equal_rates_passes_within_4_000_pairs() -> None:
    passed = [
        first(Outcome.PASS, Market(seed, 4_000, 20, tail=3.0, likeness=20.0).shadows(0.008, 0.002, 0.002))
        for seed in range(20)
    ]
    assert None not in passed
    assert sorted(each or 0 for each in passed)[10] <= 2_200


def test_shadow_with_three_times_the_blocks_fails_within_15_000_pairs() -> None:
    failed = [
        first(Outcome.FAIL, Market(seed, 15_000, 15, tail=3.0, likeness=20.0).shadows(0.008, 0.022, 0.002))
        for seed in range(10)
    ]
    assert sum(each is not None for each in failed) >= 9


def test_shadow_with_a_rate_on_the_edge_of_its_margin_is_seldom_let_through() -> None:
    passed = [
        first(Outcome.PASS, Market(seed, 8_000, 20, tail=2.0, likeness=20.0).shadows(0.008, 0.01, 0.0001))
        for seed in range(30)
    ]
    assert sum(each is not None for each in passed) <= 2


def test_canary_of_equal_rates_passes_at_1_000_transactions() -> None:
    passed = 0
    for seed in range(20):
        market = Market(seed, 2_200, 1, tail=3.0, likeness=20.0)
        is_challenger = (market.rng.random(market.CARDS) < 0.5)[market.card]
        block, review = market.happens(0.01), market.happens(0.03)
        (champion,), (challenger,) = (market.arms(each, block, review) for each in (~is_challenger, is_challenger))
        passed += analysis.worst(gates.judge_canary(Gates(), champion, challenger, ())) is Outcome.PASS
    assert passed >= 17
