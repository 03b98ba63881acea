"""The report of an evaluation reads well, and says no more than the numbers do."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from model import evaluation_report, model_card, plots
from model.backtest import METRICS_IN_WORDS
from model.comparison import Mapped
from model.evaluation_report import Evidence
from model.plots import Effect, Scored
from model.report import Table, render_page
from model.thresholds import Thresholds

AT_THRESHOLDS = ("block_precision", "block_recall", "alert_precision", "alert_recall", "review_share")
GAIN = {"difference": 0.031, "low": 0.012, "high": 0.051}


def side(model_package: str, average_precision: float) -> dict[str, Any]:
    metrics = dict.fromkeys((*METRICS_IN_WORDS, *AT_THRESHOLDS), 0.5) | {"average_precision": average_precision}
    return {"model_package": model_package, "model_sha256": "ab", "metrics": metrics}


def segment(value: str, frauds: int, gain: dict[str, float] | None) -> dict[str, Any]:
    both = {"candidate": 0.5, "champion": 0.4} if frauds else {"candidate": None, "champion": None}
    return {"by": "country", "value": value, "rows": 1_000, "frauds": frauds, **both, "gain": gain}


def document(**changed: Any) -> dict[str, Any]:
    given = {
        "source": "archive", "rows": 12_345, "frauds": 123, "cards": 2_345,
        "first_at": "2026-02-01T00:00:00Z", "last_at": "2026-02-08T00:00:00Z",
        "candidate": side("", 0.612), "champion": side("arn:3", 0.581),
        "gains": {**{name: {"difference": 0.0, "low": -0.1, "high": 0.1} for name in METRICS_IN_WORDS},
                  "average_precision": GAIN, "cost": {"difference": 0.2, "low": 0.1, "high": 0.3}},
        "segments": [segment("DE", 60, GAIN), segment("FR", 1, None), segment("NL", 0, None)],
        "groups": [{"by": "country", "value": "DE", "genuine": 900, "false_alerts": 0.02, "ratio": 1.25}],
    }  # fmt: skip
    return given | changed


def alone() -> dict[str, Any]:
    segments = [{**each, "champion": None, "gain": None} for each in document()["segments"]]
    return document(champion=None, gains={}, segments=segments)


def evidence(found: dict[str, Any]) -> Evidence:
    rng = np.random.default_rng(1)
    truth = rng.random(2_000) < 0.05
    ours, theirs = (np.clip(rng.normal(0.1 + gap * truth, 0.1), 0, 1) for gap in (0.6, 0.4))
    return Evidence(
        document=found,
        candidate=Scored("candidate", truth, ours),
        champion=Scored("champion", truth, theirs) if found["champion"] else None,
        thresholds=Thresholds(0.3, 0.7),
        quantiles=[Mapped("review", 0.25, 0.0194, 0.4), Mapped("block", 0.9, 0.0, None)] if found["champion"] else [],
        importance={"card_count_1h": 0.6, "transaction_amount": 0.4},
        review_share=0.01,
        draws=500,
    )


def table(found: dict[str, Any], title: str) -> Table:
    return next(each for each in evaluation_report.page(evidence(found)).tables if each.title == title)


def test_report_begins_with_the_gain_and_its_interval() -> None:
    page = evaluation_report.page(evidence(document()))

    assert page.title == "Candidate against champion"
    assert next(iter(page.highlights.items())) == (
        "average precision over the champion, 95 % +0.012 to +0.051",
        "+0.031",
    )


@pytest.mark.parametrize(
    ("gain", "said"),
    [
        (GAIN, "the candidate is better"),
        ({"difference": -0.03, "low": -0.05, "high": -0.01}, "the candidate is worse"),
        ({"difference": 0.03, "low": -0.01, "high": 0.05}, "cannot be told"),
        ({"difference": 0.0, "low": 0.0, "high": 0.0}, "cannot be told"),
    ],
)
def test_sentence_says_what_the_interval_allows(gain: dict[str, float], said: str) -> None:
    assert said in evaluation_report.sentence(document(gains={"average_precision": gain}))


def test_report_has_well_formed_drawings_and_loads_nothing() -> None:
    page = render_page(evaluation_report.page(evidence(document())))
    drawings = re.findall(r"<svg.*?</svg>", page, re.DOTALL)

    assert [ElementTree.fromstring(each).get("aria-label") for each in drawings] == [
        "precision over recall", "differences with their intervals", "share of frauds over score",
        "transactions by score", "features by share of gain",
    ]  # fmt: skip
    assert not re.search(r"""<script|<link|<img|(src|href)=["']?http""", page)


def test_metric_of_which_less_is_better_is_worse_when_there_is_more() -> None:
    rows = {str(row[0]): row for row in table(document(), "Metrics").rows}

    assert rows["fraud value lost (lower is better)"][3:] == ["+0.2000", "+0.1000", "+0.3000", "worse"]
    assert rows["average precision"][-1] == "better"
    assert rows["ROC AUC"][-1] == "cannot be told"


def test_segment_without_frauds_is_shown_with_dashes() -> None:
    [*_, last] = table(document(), "Segments").rows

    assert list(last) == ["country: NL", 1_000, 0, None, None, None, None, None]


def test_fairness_says_what_it_is_about() -> None:
    shown = table(document(), "Fairness")

    assert list(shown.rows[0]) == ["country: DE", 900, 0.02, "1.25"]
    assert "causes" in shown.note and "not protected attributes" in shown.note
    assert not [
        each for each in evaluation_report.page(evidence(document(groups=[]))).tables if each.title == "Fairness"
    ]


def test_thresholds_of_the_champion_are_told_among_the_candidates_scores() -> None:
    shown = table(document(), "The champion's thresholds among the candidate's scores")

    assert [list(row) for row in shown.rows] == [
        ["review", 0.25, "1.940%", 0.4, 0.3],
        ["block", 0.9, "0.000%", None, 0.7],
    ]


def test_report_without_a_champion_shows_the_candidate_alone() -> None:
    page = evaluation_report.page(evidence(alone()))

    assert page.title == "Candidate"
    assert "no model serves" in page.summary
    assert "Gain by segment" not in page.figures
    assert [each.title for each in page.tables] == ["Metrics", "At the thresholds", "Segments", "Fairness"]


def test_notes_stand_in_the_summary() -> None:
    page = evaluation_report.page(replace(evidence(document()), notes=["The champion saw some of these."]))

    assert page.summary.endswith("none of them. The champion saw some of these.")


def test_forest_shows_the_whole_and_the_segments_with_most_frauds() -> None:
    many = [segment(f"c{i}", i, GAIN) for i in range(100)]
    figure = evaluation_report.page(evidence(document(segments=many))).figures["Gain by segment"]

    shown = re.findall(r"country: c\d+|>all<", figure)
    assert shown[0] == ">all<"
    assert set(shown[1:]) == {f"country: c{i}" for i in range(60, 100)}


def test_forest_colours_only_what_is_proven() -> None:
    effects = [Effect("gain", 0.2, 0.1, 0.3), Effect("loss", -0.2, -0.3, -0.1), Effect("unclear", 0.1, -0.1, 0.3)]
    [gain, loss, unclear] = (plots.forest([each], "") for each in effects)

    assert plots.GAIN in gain and plots.FRAUD not in gain
    assert plots.FRAUD in loss and plots.GAIN not in loss
    assert plots.GAIN not in unclear and plots.FRAUD not in unclear


def test_model_card_tells_of_the_comparison_and_of_none() -> None:
    told = model_card._compared(document())
    lonely = model_card._compared(alone())

    assert "`arn:3`" in told and "| average_precision | 0.6120 | 0.5810 | +0.0310 (+0.0120 to +0.0510) |" in told
    assert "No model served" in lonely and "| average_precision | 0.6120 |" in lonely
