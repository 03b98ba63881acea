"""The report of a look: one page, what is violated first, and nothing that says whose transaction it was."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser

import numpy as np
import pytest

from fraud import features
from model import group_bias, label_quality, monitor_report, parity
from model.baseline_document import Distribution, Share
from model.findings import Finding, Findings, Variant
from model.monitored_rows import Rows
from model.monitoring_context import Context
from tests.model import judged_market
from tests.model.judged_market import BASELINE, CHALLENGER, CHAMPION
from tests.model.served_market import market

SECTIONS = [
    "What is violated",
    "Features of the champion",
    "Quality of the champion",
    "Verdicts",
    "Parity",
    "All checks",
]
DRIFTED = "card_count_24h"


class Seen(HTMLParser):
    """Titles in their order, and what is asked for from elsewhere."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.titles: list[str] = []
        self.elsewhere: list[str] = []
        self._in_title = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_title = tag == "h2"
        given = dict(attrs)
        self.elsewhere += [str(given[name]) for name in ("src", "href") if name in given]

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.titles.append(data)
            self._in_title = False


def distribution(values: np.ndarray) -> Distribution:
    present = values[~np.isnan(values)]
    edges = np.unique(np.quantile(present, [0.25, 0.5, 0.75], method="lower")) if len(present) else present
    counts = np.bincount(np.searchsorted(edges, present, side="left"), minlength=len(edges) + 1)
    return Distribution(edges.tolist(), counts.tolist(), len(values) - len(present), None, 1.5, True)


@cache
def looked_at() -> tuple[Context, Rows]:
    of = market(15, 1)
    served = of.served()
    rows = judged_market.rows(of, served)
    window = rows.features[rows.in_window]
    of_features = {name: distribution(window[:, column]) for column, name in enumerate(features.NAMES)}
    of_features[DRIFTED] = Distribution([0.5, 1.5], [10, 10, 4_000], 0, None, 2.0, True)
    rng = np.random.default_rng(2)
    score = np.where(rows.is_fraud, rng.uniform(0.3, 1, len(rows)), rng.beta(1, 12, len(rows)))
    rows = replace(rows, score=score, action=np.where(score > 0.5, 1, 0).astype(np.int8))
    baseline = replace(
        BASELINE,
        features=of_features,
        scores=distribution(score),
        decisions={"approve": Share(980, 1000, 2.0), "review": Share(20, 1000, 2.0)},
    )
    return replace(judged_market.context(of.as_of), baseline=baseline), rows


def drifted(**changes: object) -> Finding:
    plain = Finding(
        check="baseline_drift_check",
        concern="drift",
        name=DRIFTED,
        variant="champion",
        outcome="violated",
        observed=1.5,
        limit=0.1,
        count=2_000,
        sentence=f"{DRIFTED} of the champion moved",
    )
    return replace(plain, **changes)


def found(context: Context, rows: Rows, *more: Finding) -> Findings:
    of_parity, compared = parity.check(rows, context, alpha=1e-5)
    of_quality, quality, labels = label_quality.check(rows, context, alpha=1e-5)
    biased = group_bias.check(rows, context, alpha=1e-5)
    shares = {"approve": 0.9, "review": 0.08, "block": 0.02, "degraded": 0.0}
    return Findings(
        since="2026-02-28T00:00:00.000Z",
        until="2026-03-01T00:00:00.000Z",
        champion=CHAMPION,
        rows=int(rows.in_window.sum()),
        looked_at=int(rows.in_window.sum()),
        findings=[*of_quality, *biased, *of_parity, *more],
        variants=[
            Variant(role="champion", model_package=CHAMPION, rows=10, shares=shares, quality=quality["champion"])
        ],
        parity=compared,
        labels=labels,
        champion_age_days=3.25,
    )


@cache
def page() -> str:
    context, rows = looked_at()
    return monitor_report.page(found(context, rows, drifted()), context, rows)


def test_the_page_needs_nothing_else() -> None:
    assert [each for each in Seen(page()).elsewhere if not each.startswith("#")] == []
    assert "<script" not in page()


def test_the_page_shows_what_is_violated_before_anything_else() -> None:
    titles = Seen(page()).titles

    assert titles[0] == SECTIONS[0]
    assert [each for each in SECTIONS if any(title.startswith(each) for title in titles)] == SECTIONS
    assert page().index("A new model is trained: the world moved") < page().index("<svg")


def test_the_page_shows_the_features_that_moved_most() -> None:
    titles = Seen(page()).titles

    assert titles[1] == DRIFTED
    rows = re.search(r"Features of the champion.*?<tbody>(.*?)</tbody>", page(), re.DOTALL)
    assert rows is not None
    assert rows[1].startswith(f"<tr><td>{DRIFTED}</td>")
    assert rows[1].count("<tr>") == len(features.NAMES)


@pytest.mark.parametrize(
    "title",
    ["Scores", "Decisions", "How soon frauds are known", "Quality against the promise", "Groups"],
)
def test_the_page_shows(title: str) -> None:
    assert title in Seen(page()).titles


def test_the_page_names_no_transaction_card_or_terminal() -> None:
    _, rows = looked_at()

    words = set(re.findall(r"[A-Za-z0-9_-]+", page()))
    for name in ("transaction_id", "card_token", "terminal_id"):
        assert not words & set(rows.events[name].unique().to_pylist())


def test_the_page_escapes_what_comes_from_events() -> None:
    context, rows = looked_at()
    strange = drifted(sentence="<b>country</b>", name="country <i> false_positive_rate", check=group_bias.CHECK)

    text = monitor_report.page(found(context, rows, strange), context, rows)

    assert "<b>country" not in text
    assert "<i>" not in text


def test_a_quiet_look_says_that_nothing_follows() -> None:
    context, rows = looked_at()
    quiet = replace(found(context, rows), findings=[drifted(outcome="passed")])

    text = monitor_report.page(quiet, context, rows)

    assert "of 1 checks, none violated" in text
    assert "so nothing follows" in text


def test_broken_data_comes_before_drift() -> None:
    context, rows = looked_at()
    broken = drifted(concern="data", sentence="the data is broken")

    text = monitor_report.page(found(context, rows, drifted(), broken), context, rows)

    assert text.index("the data is broken") < text.index(f"{DRIFTED} of the champion moved")
    assert "People are called" in text


def test_what_people_decide_comes_last_and_trains_no_model() -> None:
    context, rows = looked_at()
    stale = drifted(concern="upkeep", sentence="the champion is old")

    text = monitor_report.page(found(context, rows, stale, drifted()), context, rows)

    assert text.index(f"{DRIFTED} of the champion moved") < text.index("the champion is old")
    assert "People decide: whether it is meant" in text
    assert re.search(r"\b1\b.{0,40}of upkeep: people decide", text, re.DOTALL)


def test_both_models_have_their_tables() -> None:
    context, rows = looked_at()
    both = replace(context, challenger=CHALLENGER)
    half = replace(rows, package=(np.arange(len(rows)) % 2).astype(np.int32))

    titles = Seen(monitor_report.page(found(both, half), both, half)).titles

    assert any(each.startswith("Features of the challenger") for each in titles)
    assert any(each.startswith("Quality of the challenger") for each in titles)


def test_a_window_without_rows_or_baseline_still_has_a_page() -> None:
    context, rows = looked_at()
    nothing = judged_market.plain(rows.events.slice(0, 0), np.zeros(0, dtype=np.int64))
    bare = judged_market.context(context.until)
    empty = found(context, rows)

    text = monitor_report.page(replace(empty, findings=[]), bare, nothing)

    assert Seen(text).titles[0] == SECTIONS[0]
