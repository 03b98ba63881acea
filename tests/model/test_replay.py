"""Archived decisions, decided again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fraud import features, policy
from fraud.decision import Action, Score
from fraud.routing import ServedModel
from model import replay
from model.replay import Decided

APPROVE, REVIEW, BLOCK = range(3)
POLICY = policy.load((Path(__file__).parents[2] / "functions" / "policy.json").read_bytes())
MODEL = ServedModel("", "m", (), "", 0.5, 0.9)


def row(number: int, **fields: Any) -> dict[str, Any]:
    """A decision as the query gives it, a day after the one before."""
    return {
        "transaction_id": f"t{number}",
        "card_token": f"c{number}",
        "terminal_id": "shop",
        "occurred_at": f"2026-01-{number + 1:02}T10:00:00.000Z",
        "amount_minor": 1000 * (number + 1),
        "currency": "EUR",
        "channel": "pos",
        "country": "DE",
        "merchant_category": None,
        "action": "approve",
        "score": 0.1,
        "model_package": "m",
        "contract": features.contract_hash(features.NAMES),
        "features": [(name, 1.0) for name in features.NAMES],
        "is_fraud": None,
        **fields,
    }


def table_of(rows: list[dict[str, Any]]) -> pa.Table:
    types = {name: pa.string() for name in (*replay.TEXT, "occurred_at", "action", "model_package", "contract")} | {
        "amount_minor": pa.int64(),
        "score": pa.float64(),
        "features": pa.map_(pa.string(), pa.float64()),
        "is_fraud": pa.bool_(),
    }
    return pa.table({name: pa.array([each[name] for each in rows], kind) for name, kind in types.items()})


def decided(folder: Path, rows: list[dict[str, Any]], settled_before: int = 2**40) -> Decided:
    pq.write_table(table_of(rows), folder / "0")
    return replay.read(folder, settled_before)


def again(rows: Decided, model: ServedModel = MODEL, rules: policy.Policy = POLICY) -> list[int]:
    return replay.replay(rows, rules, rows.scores, {"m": model}, rows.packages).tolist()


def test_replay_with_what_served_gives_what_was_decided(tmp_path: Path) -> None:
    given = [row(0), row(1, score=0.6, action="review"), row(2, score=0.95, action="block")]
    rows = decided(tmp_path, given)
    assert again(rows) == rows.actions.tolist() == [APPROVE, REVIEW, BLOCK]


def test_replay_takes_the_thresholds_it_is_given(tmp_path: Path) -> None:
    rows = decided(tmp_path, [row(0), row(1, score=0.6)])
    assert again(rows, ServedModel("", "m", (), "", 0.05, 0.55)) == [REVIEW, BLOCK]


def test_replay_without_a_score_falls_back_to_rules(tmp_path: Path) -> None:
    rows = decided(tmp_path, [row(0, score=None, model_package=None, amount_minor=60_000)])
    assert again(rows) == [REVIEW]


def test_replay_asks_rules_about_lists_and_features(tmp_path: Path) -> None:
    rules = policy.load(
        b'{"version": "2", "lists": {"denied": ["c1"]}, "rules": ['
        b'{"name": "denied", "phase": "before", "when": [{"field": "card_token", "in": "denied"}],'
        b' "action": "block", "reason": "denied"},'
        b'{"name": "busy", "phase": "after", "when": [{"field": "card_count_1h", "at_least": 5}],'
        b' "action": "review", "reason": "busy"}]}'
    )
    busy = [(name, 9.0 if name == "card_count_1h" else None) for name in features.NAMES]
    rows = decided(tmp_path, [row(0), row(1), row(2, features=busy)])
    assert again(rows, rules=rules) == [APPROVE, BLOCK, REVIEW]


def test_replay_releases_what_was_released_and_nothing_under_a_policy_without(tmp_path: Path) -> None:
    releasing = policy.load(b'{"version": "2", "lists": {}, "rules": [], "release_share": 0.05}')
    rows = decided(tmp_path, [row(n % 28, transaction_id=f"t{n}", score=0.95, action="block") for n in range(400)])
    served = [
        policy.decide(releasing, transaction, dict.fromkeys(features.NAMES), Score(0.95), MODEL).action
        for transaction in replay._transactions(rows)
    ]
    assert 0 < served.count(Action.REVIEW) < 60
    assert [replay.ACTIONS[each] for each in again(rows, rules=releasing)] == served
    assert again(rows) == [BLOCK] * 400


def test_read_leaves_out_what_it_cannot_read_and_says_how_many(tmp_path: Path) -> None:
    rows = decided(tmp_path, [row(0), row(1, features=None), row(2, contract="0" * 16), row(3, contract=None)])
    assert (len(rows), rows.unreadable) == (1, 3)


def test_outcome_is_settled_by_a_verdict_or_by_time_but_not_for_what_was_blocked(tmp_path: Path) -> None:
    given = [row(0), row(1, action="block"), row(2, action="block", is_fraud=True), row(9), row(10, is_fraud=False)]
    rows = decided(tmp_path, given, settled_before=1_767_700_000)  # 2026-01-06
    assert rows.settled.tolist() == [True, False, True, False, True]


def test_measure_counts_by_the_day_and_only_what_is_settled(tmp_path: Path) -> None:
    given = [
        row(0, is_fraud=True, action="review"),
        row(1, is_fraud=True),
        row(2, action="review"),
        row(3, action="block"),
        row(4),
    ]
    found = replay.measure(rows := decided(tmp_path, given), rows.actions)
    assert (found.transactions, found.reviews, found.blocks) == pytest.approx((5 / 4, 2 / 4, 1 / 4))
    assert (found.frauds, found.frauds_caught) == (2, 1)
    assert found.value_caught == pytest.approx(1000 / 3000)
    assert (found.false_alerts, found.precision) == (1 / 4, 1 / 2)


def test_measure_of_part_counts_that_part(tmp_path: Path) -> None:
    rows = decided(tmp_path, [row(0, action="review"), row(1, action="review", channel="ecommerce")])
    parts = {(by, value): which for by, value, which in replay.segments(rows)}
    assert replay.measure(rows, rows.actions, parts["channel", "ecommerce"]).reviews == 1.0
    assert parts["amount", "10 to 50"].tolist() == [True, True]


def test_segments_of_amounts_hold_every_row_once(tmp_path: Path) -> None:
    rows = decided(tmp_path, [row(n, amount_minor=amount) for n, amount in enumerate([1, 999, 1000, 25_000, 10**9])])
    bands = np.array([which for by, _, which in replay.segments(rows) if by == "amount"])
    assert bands.sum(axis=0).tolist() == [1] * 5


def test_moves_tell_what_went_where(tmp_path: Path) -> None:
    rows = decided(tmp_path, [row(0), row(1), row(2, action="block")])
    found = replay.moves(rows.actions, np.array([APPROVE, REVIEW, BLOCK]))
    assert found["approve"] == {"approve": 1, "review": 1, "block": 0}
    assert found["block"] == {"approve": 0, "review": 0, "block": 1}
