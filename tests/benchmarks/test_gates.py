"""The benchmark of the gates simulates what it says, and has every row."""

import math

import pytest

from benchmarks import gates
from benchmarks.gates import Canary
from fraud.analysis import Arm

TINY = Canary(transactions=1_200, looks=3, cards=300)


def total(arm: Arm, field: str) -> int:
    return sum(getattr(each, field) for each in arm.values())


def test_run_has_every_row_with_a_figure_for_every_side(capsys: pytest.CaptureFixture[str]) -> None:
    rows = gates.run(TINY, 4, 2, 1)
    gates.show(rows)

    assert len(rows) == 2 + 2 * len(gates.BLOCK_RATES)
    assert all(len(values) == 3 for values in rows.values())
    assert all(0 <= value <= 1 for name, values in rows.items() if "after" not in name for value in values)
    assert "blocks 10%: stopped" in capsys.readouterr().out


def test_simulated_canary_grows_from_look_to_look_to_all_its_transactions() -> None:
    seen = [
        total(look.champion, "transactions") + total(look.challenger, "transactions")
        for look in gates.simulate(TINY, 1)
    ]

    assert seen == [400, 800, 1_200]


def test_simulated_challenger_blocks_at_its_own_rate() -> None:
    *_, last = gates.simulate(Canary(challenger_block=0.3, champion_block=0.1, tail=5, likeness=50), 1)

    ours, theirs = (total(arm, "block") / total(arm, "transactions") for arm in (last.challenger, last.champion))
    assert (ours, theirs) == pytest.approx((0.3, 0.1), abs=0.03)


def test_simulated_cards_come_back_blocked_again() -> None:
    *_, sticky = gates.simulate(Canary(champion_block=0.5, tail=50, likeness=0.01, cards=100), 1)

    shares = [each.block / each.transactions for each in sticky.champion.values()]
    assert sum(share in (0, 1) for share in shares) > len(shares) / 2


def test_stops_counts_the_transactions_of_the_look_that_stops() -> None:
    blatant = TINY._replace(challenger_block=0.9, tail=5, likeness=50)
    first = next(iter(gates.simulate(blatant, 1)))

    every_look, last_look = gates.stops(blatant, gates.NO_MARGIN, 1)[1:]
    assert every_look == total(first.challenger, "transactions")
    assert last_look is not None and last_look > every_look


@pytest.mark.parametrize(
    ("events", "count", "bound"), [(0, 2_000, 1 - 0.05 ** (1 / 2_000)), (5, 5, 1.0), (1, 10, 0.394163)]
)
def test_upper_bound_is_clopper_and_pearsons(events: int, count: int, bound: float) -> None:
    assert gates.upper_bound(events, count) == pytest.approx(bound, abs=1e-6)


def test_figures_are_told_as_shares_numbers_or_never() -> None:
    assert [gates._told(value) for value in (0.0315, 4_210, math.inf)] == ["0.0315", "4,210", "never"]
