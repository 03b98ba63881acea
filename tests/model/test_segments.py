"""Parts of the rows, and how groups are treated."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from model import segments


def rows(**columns: object) -> pa.Table:
    given = {
        "channel": ["pos", "pos", None, "ecommerce"],
        "country": ["DE", "FR", "DE", "DE"],
        "amount_minor": [999, 1_000, 24_999, 25_000],
        "card_seconds_since_first": [None, 60.0, 7 * 86_400.0, 1e7],
    }
    return pa.table(given | columns)


def told(parts: list[segments.Part], by: str) -> dict[str, list[int]]:
    return {each.value: np.flatnonzero(each.rows).tolist() for each in parts if each.by == by}


def test_segments_hold_every_row_once_by_each_of_their_kinds() -> None:
    parts = segments.segments(rows())
    assert told(parts, "channel") == {"pos": [0, 1], "unknown": [2], "ecommerce": [3]}
    assert told(parts, "amount") == {"under 10": [0], "10 to 50": [1], "100 to 250": [2], "250 or more": [3]}
    assert told(parts, "card") == {"new": [0, 1], "known": [2, 3]}


def test_segments_of_a_kind_are_bounded_to_the_largest() -> None:
    countries = [f"c{n}" for n in range(50) for _ in range(n + 1)]
    parts = segments.by_field(pa.table({"country": countries}), "country")
    assert [each.value for each in parts] == [f"c{n}" for n in range(49, 19, -1)]


def test_fairness_compares_false_alerts_of_genuine_rows() -> None:
    fraud, alerted = np.array([False, False, False, True]), np.array([True, False, False, True])
    found = {each.value: each for each in segments.fairness(rows(), ["country"], fraud, alerted)}
    assert (found["DE"].genuine, found["DE"].false_alerts, found["DE"].ratio) == (2, 0.5, 1.5)
    assert (found["FR"].genuine, found["FR"].false_alerts, found["FR"].ratio) == (1, 0.0, 0.0)


def test_fairness_without_any_false_alert_has_no_ratio() -> None:
    nobody = np.zeros(4, dtype=np.bool_)
    assert {each.ratio for each in segments.fairness(rows(), ["country"], nobody, nobody)} == {None}
