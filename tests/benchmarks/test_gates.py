"""The benchmark of the gates simulates what it says, and has every row."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

import numpy as np
import pytest

from benchmarks import canaries, gates, shadows
from benchmarks.canaries import Canary
from benchmarks.shadows import End, Shadowing
from fraud.analysis import Arm, Pairs, Shadow
from fraud.rollout_plan import Gates

TINY = Canary(transactions=1_200, looks=3, cards=300)
SHORT = Shadowing(pairs=1_200, looks=3, cards=300)
EVEN = Shadowing(pairs=20_000, looks=2, tail=5, likeness=50)


@pytest.fixture
def pool() -> Iterator[Executor]:
    with ThreadPoolExecutor(1) as made:
        yield made


def counted(seen: Shadow, field: str) -> int:
    return sum(getattr(each, field) for each in seen.pairs.values())


def total(arm: Arm, field: str) -> int:
    return sum(getattr(each, field) for each in arm.values())


def test_canaries_have_every_row_with_a_figure_for_every_side(
    pool: Executor, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = gates.of_canaries(pool, TINY, 4, 2)
    gates.show(gates.CANARIES, rows)

    assert len(rows) == 2 + 2 * len(gates.BLOCK_RATES)
    assert all(len(values) == 3 for values in rows.values())
    assert all(0 <= value <= 1 for name, values in rows.items() if "after" not in name for value in values)
    assert "blocks 10%: stopped" in capsys.readouterr().out


def test_simulated_canary_grows_from_look_to_look_to_all_its_transactions() -> None:
    seen = [
        total(look.champion, "transactions") + total(look.challenger, "transactions")
        for look in canaries.simulate(TINY, 1)
    ]

    assert seen == [400, 800, 1_200]


def test_simulated_challenger_blocks_at_its_own_rate() -> None:
    *_, last = canaries.simulate(Canary(challenger_block=0.3, champion_block=0.1, tail=5, likeness=50), 1)

    ours, theirs = (total(arm, "block") / total(arm, "transactions") for arm in (last.challenger, last.champion))
    assert (ours, theirs) == pytest.approx((0.3, 0.1), abs=0.03)


def test_simulated_cards_come_back_blocked_again() -> None:
    *_, sticky = canaries.simulate(Canary(champion_block=0.5, tail=50, likeness=0.01, cards=100), 1)

    shares = [each.block / each.transactions for each in sticky.champion.values()]
    assert sum(share in (0, 1) for share in shares) > len(shares) / 2


def test_stops_counts_the_transactions_of_the_look_that_stops() -> None:
    blatant = TINY._replace(challenger_block=0.9, tail=5, likeness=50)
    first = next(iter(canaries.simulate(blatant, 1)))

    every_look, last_look = canaries.stops(blatant, gates.NO_MARGIN, 1)[1:]
    assert every_look == total(first.challenger, "transactions")
    assert last_look is not None and last_look > every_look


def test_equal_shadows_are_simulated_on_both_kinds_of_cards_under_a_name_each(pool: Executor) -> None:
    equal = gates.of_equal(pool, [SHORT, SHORT._replace(overlap=0.5)], 3)

    assert list(equal) == ["300 cards, 1 % / 3 %, 80 %", "300 cards, 1 % / 3 %, 50 %"]
    assert all(len(ends) == 3 for kinds in equal.values() for ends in kinds)


def test_equal_shadows_are_of_alike_cards_first_and_then_of_unlike_ones(
    pool: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulated: list[tuple[float, float, int]] = []

    def ends(shadowing: Shadowing, limits: Gates, seed: int) -> End:
        simulated.append((shadowing.tail, shadowing.likeness, seed))
        return End(None, None)

    monkeypatch.setattr(shadows, "ends", ends)
    gates.of_equal(pool, [SHORT], 2)

    assert simulated == [(3.0, 20.0, 0), (3.0, 20.0, 1), (1.5, 3.0, 0), (1.5, 3.0, 1)]


def test_cases_of_equal_rates_are_told_apart_by_their_names(pool: Executor) -> None:
    assert all(each.challenger_block == each.champion_block for each in gates.EQUAL)
    assert len(gates.of_equal(pool, [each._replace(pairs=60, looks=1) for each in gates.EQUAL], 1)) == len(gates.EQUAL)


def test_other_shadows_are_judged_by_their_own_gates(pool: Executor) -> None:
    thrice = EVEN._replace(challenger_block=0.05, cards=20_000)
    lax = Gates(error_rate=1, block_rate=1, review_rate=1, block_rate_increase=1, review_rate_increase=1)
    rows = gates.of_others(pool, {"strict": (thrice, gates.NO_MARGIN), "lax": (thrice, lax)}, 2)

    assert (rows["strict"][1], rows["strict"][3]) == (1.0, 0.0)
    assert (rows["lax"][1], rows["lax"][3]) == (0.0, 1.0)


def test_ends_of_shadows_are_told_with_their_bounds_and_in_columns_of_their_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ends = [End(None, 900)] * 3 + [End(1_200, None)] * 6 + [End(None, None)]
    values = gates.ended(ends)
    gates.show(gates.ENDED, {"some": values})

    assert values == [10, 0.3, gates.upper_bound(3, 10), 0.6, gates.upper_bound(6, 10), math.inf, math.inf]
    assert len(values) == len(gates.ENDED.columns)
    assert "0.3000" in capsys.readouterr().out


def test_pairs_until_a_shadow_passes_count_those_that_never_do() -> None:
    passed = [End(pairs, None) for pairs in range(100, 1_000, 100)] + [End(None, None)]

    assert gates.until_passed(passed) == [0.9, 600, 900]
    assert gates.until_passed(passed[5:])[1:] == [800, math.inf]
    assert len(gates.PASSED.columns) == 2 * 3


def test_simulated_shadow_grows_from_look_to_look_to_all_its_pairs() -> None:
    assert [counted(seen, "transactions") for seen in shadows.simulate(SHORT, 1)] == [400, 800, 1_200]


def test_simulated_shadow_has_the_rates_and_the_overlap_of_both_models() -> None:
    shadowing = EVEN._replace(champion_block=0.1, challenger_block=0.3, review=0.2, overlap=0.75)
    *_, last = shadows.simulate(shadowing, 1)

    fields = ("champion_block", "challenger_block", "both_block", "champion_review", "challenger_review", "both_review")
    shares = [counted(last, field) / shadowing.pairs for field in fields]
    assert shares == pytest.approx([0.1, 0.3, 0.075, 0.2, 0.2, 0.15], abs=0.015)


def test_simulated_cards_of_a_shadow_are_treated_alike_again() -> None:
    sticky = Shadowing(champion_block=0.5, challenger_block=0.5, review=0.1, tail=50, likeness=0.01, cards=100)
    *_, last = shadows.simulate(sticky, 1)

    seen = [each for each in last.pairs.values() if each.transactions]
    assert sum(each.both_block in (0, each.transactions) for each in seen) > len(seen) / 2


def test_simulated_shadow_depends_on_its_seed_alone() -> None:
    first, again, other = (list(shadows.simulate(SHORT, seed)) for seed in (1, 1, 2))

    assert first == again
    assert first != other


def test_simulated_shadows_that_differ_share_no_draws() -> None:
    *_, last = shadows.simulate(SHORT, 1)
    *_, other = shadows.simulate(SHORT._replace(looks=2), 1)

    assert last != other


def test_pairs_are_counted_by_what_both_models_decided() -> None:
    assert shadows._counted(1, 2, 4, 8, 16, 32, 64) == Pairs(
        transactions=127,
        champion_block=5,
        challenger_block=3,
        both_block=1,
        champion_review=40,
        challenger_review=24,
        both_review=8,
    )


def test_few_cards_make_most_of_the_transactions_where_the_tail_is_heavy() -> None:
    heavy, light = (np.sort(canaries.activity(np.random.default_rng(1), 1_000, tail))[::-1] for tail in (1.2, 5.0))

    assert (heavy.sum(), light.sum()) == (pytest.approx(1), pytest.approx(1))
    assert heavy[:10].sum() > 0.15 > 0.05 > light[:10].sum()


def test_ends_are_the_first_looks_that_pass_and_fail() -> None:
    blatant = EVEN._replace(challenger_block=0.6, looks=10)

    assert shadows.ends(blatant, Gates(), 1) == End(None, 2_000)
    assert shadows.ends(EVEN._replace(looks=20), Gates(), 1) == End(2_000, None)
    assert shadows.ends(SHORT._replace(pairs=300), Gates(), 1) == End(None, None)


def test_shadow_that_fails_after_it_passed_has_both_ends_but_never_passes_after_it_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    good, bad = (next(shadows.simulate(each, 1)) for each in (EVEN, EVEN._replace(challenger_block=0.6)))
    looks = {1: [good, bad], 2: [bad, good]}
    monkeypatch.setattr(shadows, "simulate", lambda _, seed: iter(looks[seed]))

    assert shadows.ends(EVEN, Gates(), 1) == End(10_000, 10_000)
    assert shadows.ends(EVEN, Gates(), 2) == End(None, 10_000)


@pytest.mark.parametrize(
    ("events", "count", "bound"), [(0, 2_000, 1 - 0.05 ** (1 / 2_000)), (5, 5, 1.0), (1, 10, 0.394163)]
)
def test_upper_bound_is_clopper_and_pearsons(events: int, count: int, bound: float) -> None:
    assert gates.upper_bound(events, count) == pytest.approx(bound, abs=1e-6)


def test_figures_are_told_as_shares_numbers_or_never() -> None:
    assert [gates._told(value) for value in (0.0315, 4_210, math.inf)] == ["0.0315", "4,210", "never"]
