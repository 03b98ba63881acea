"""What the report of an evaluation shows: the candidate against the champion, or alone where none serves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from model import comparison, plots
from model.backtest import METRICS_IN_WORDS
from model.bootstrap import Interval
from model.comparison import LOWER_IS_BETTER, Mapped
from model.plots import Effect, Scored
from model.report import Page, Table
from model.thresholds import Thresholds

TITLE, TITLE_ALONE = "Candidate against champion", "Candidate"
MOST_EFFECTS = 40
_SOURCES = {"archive": "decisions of the archive", "history": "past transactions", "simulator": "simulated payments"}
_AT_THRESHOLDS = {
    "block_precision": "precision of blocks",
    "block_recall": "frauds blocked",
    "alert_precision": "precision of blocks and reviews",
    "alert_recall": "frauds blocked or reviewed",
    "review_share": "transactions reviewed",
}
_HIGHLIGHTS = ("average_precision", "recall_at_fpr_005", "cost", "ece")
_FINDINGS = {True: "better", False: "worse", None: "cannot be told"}
_CONCLUSIONS = {
    True: "the candidate is better",
    False: "the candidate is worse",
    None: "which of the two is better cannot be told",
}
_METRICS_NOTE = (
    "Differences are the candidate's value less the champion's; their intervals hold 95 %, from cards drawn again "
    "{draws:,} times, both models on the same cards. Lower is better for the calibration error and for fraud value "
    "lost, which is what passes when people review the {share:.1%} of transactions with the highest scores."
)
_THRESHOLDS_NOTE = "Each model at the thresholds of its own package; shares are of transactions, or of frauds."
_SEGMENTS_NOTE = (
    "Average precision on parts of the rows, with intervals from the same draws. It depends on how much fraud a part "
    "has: compare models within a part, not parts. Bands of amounts are in major units of each transaction's own "
    "currency; a card is new for a week after it was first seen. A dash stands where nothing can be estimated; parts "
    "with few frauds decide nothing."
)
_FAIRNESS_NOTE = (
    "Share of genuine transactions that the candidate would review or block at its thresholds, and how many times that "
    "of all. Differences have causes, such as more fraud in a group, and those must be looked at before and during "
    "use; in small groups they may be chance. These are fields of the transaction, not protected attributes of "
    "persons, unless a field was declared because it stands for one."
)
_QUANTILES_NOTE = (
    "Scores of two models are not on one scale. Which score of the candidate is reached by as many transactions as "
    "reach the champion's threshold says what becomes of a policy that was written for the champion's scores, and what "
    "keeps its workload; a dash stands where no score is reached by so few."
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is shown.

    Args:
        document: `evaluation.json`.
        candidate, champion: scores of the rows; no champion where none serves.
        thresholds: the candidate's.
        quantiles: the champion's thresholds among the candidate's scores.
        importance: share of every feature in the candidate's gain.
        review_share: that the cost was measured at, for both.
        draws: of cards.
        notes: sentences that a reader must know.
    """

    document: Mapping[str, Any]
    candidate: Scored
    champion: Scored | None
    thresholds: Thresholds
    quantiles: Sequence[Mapped]
    importance: Mapping[str, float]
    review_share: float
    draws: int
    notes: Sequence[str] = ()


def page(evidence: Evidence) -> Page:
    """The report, to be rendered."""
    document = evidence.document
    return Page(
        title=TITLE if document["champion"] else TITLE_ALONE,
        summary=" ".join([sentence(document), _measured_on(document), *evidence.notes]),
        highlights=_highlights(document),
        figures=_figures(evidence),
        tables=list(_tables(evidence)),
    )


def sentence(document: Mapping[str, Any]) -> str:
    """What came out, from `evaluation.json`."""
    ours = document["candidate"]["metrics"]["average_precision"]
    if document["champion"] is None:
        return f"The candidate's average precision is {ours:.3f}; no model serves that it could be compared with."
    theirs = document["champion"]["metrics"]["average_precision"]
    gain = _interval(document["gains"]["average_precision"])
    return (
        f"The candidate's average precision is {ours:.3f}, the champion's {theirs:.3f}: a difference of "
        f"{gain.difference:+.3f} (95 % interval {gain.low:+.3f} to {gain.high:+.3f}), so "
        f"{_CONCLUSIONS[comparison.is_better('average_precision', gain)]}."
    )


def in_words(name: str) -> str:
    """A metric's name for people."""
    return METRICS_IN_WORDS.get(name) or _AT_THRESHOLDS.get(name) or name.replace("_", " ")


def _measured_on(document: Mapping[str, Any]) -> str:
    return (
        f"Measured on {document['rows']:,} {_SOURCES[document['source']]} with {document['frauds']:,} frauds, of "
        f"{document['cards']:,} cards, from {document['first_at']} to {document['last_at']}; the candidate learned "
        "from none of them."
    )


def _highlights(document: Mapping[str, Any]) -> dict[str, object]:
    metrics = document["candidate"]["metrics"]
    values = {in_words(name): metrics[name] for name in _HIGHLIGHTS if name in metrics}
    return {**_gain_highlight(document), **values, "frauds": document["frauds"]}


def _gain_highlight(document: Mapping[str, Any]) -> dict[str, str]:
    if document["champion"] is None:
        return {}
    gain = _interval(document["gains"]["average_precision"])
    words = f"average precision over the champion, 95 % {gain.low:+.3f} to {gain.high:+.3f}"
    return {words: f"{gain.difference:+.3f}"}


def _figures(evidence: Evidence) -> dict[str, str]:
    both = [evidence.candidate, *([evidence.champion] if evidence.champion else [])]
    effects = _effects(evidence.document)
    forest = {"Gain by segment": plots.forest(effects, "average precision over the champion")} if effects else {}
    return {
        "Precision and recall": plots.precision_recall(both),
        **forest,
        "Calibration": plots.calibration(both),
        "The candidate's scores": plots.score_distribution([evidence.candidate], evidence.thresholds._asdict()),
        "What the candidate looks at": plots.importance(evidence.importance),
    }


def _effects(document: Mapping[str, Any]) -> list[Effect]:
    """All rows first, then the segments with the most frauds, in their order."""
    if document["champion"] is None:
        return []
    known = [each for each in document["segments"] if each["gain"]]
    frauds = sorted((each["frauds"] for each in known), reverse=True)[:MOST_EFFECTS]
    shown = [each for each in known if each["frauds"] >= frauds[-1]][:MOST_EFFECTS]
    return [
        Effect("all", **document["gains"]["average_precision"]),
        *(Effect(f"{each['by']}: {each['value']}", **each["gain"]) for each in shown),
    ]


def _tables(evidence: Evidence) -> Iterator[Table]:
    document = evidence.document
    yield _metrics(document, evidence.draws, evidence.review_share)
    yield _at_thresholds(document)
    yield _segments(document)
    if document["groups"]:
        yield _fairness(document)
    if evidence.quantiles:
        yield _quantiles(evidence)


def _metrics(document: Mapping[str, Any], draws: int, review_share: float) -> Table:
    ours, theirs, gains = _sides(document)
    rows = [
        [_with_direction(name), ours[name], theirs.get(name), *_told(name, gains.get(name))]
        for name in METRICS_IN_WORDS
        if name in ours
    ]
    header = ("metric", "candidate", "champion", "difference", "95 % from", "to", "candidate is")
    return Table("Metrics", header, rows, _METRICS_NOTE.format(draws=draws, share=review_share))


def _at_thresholds(document: Mapping[str, Any]) -> Table:
    ours, theirs, _ = _sides(document)
    rows = [[words, ours[name], theirs.get(name)] for name, words in _AT_THRESHOLDS.items()]
    return Table("At the thresholds", ("metric", "candidate", "champion"), rows, _THRESHOLDS_NOTE)


def _segments(document: Mapping[str, Any]) -> Table:
    rows = [
        [
            f"{each['by']}: {each['value']}",
            each["rows"],
            each["frauds"],
            each["candidate"],
            each["champion"],
            *_ends(each["gain"]),
        ]
        for each in document["segments"]
    ]
    header = ("segment", "transactions", "frauds", "candidate", "champion", "difference", "95 % from", "to")
    return Table("Segments", header, rows, _SEGMENTS_NOTE)


def _fairness(document: Mapping[str, Any]) -> Table:
    rows = [
        [f"{each['by']}: {each['value']}", each["genuine"], each["false_alerts"], _times(each["ratio"])]
        for each in document["groups"]
    ]
    header = ("group", "genuine transactions", "reviewed or blocked", "times that of all")
    return Table("Fairness", header, rows, _FAIRNESS_NOTE)


def _quantiles(evidence: Evidence) -> Table:
    own = evidence.thresholds._asdict()
    rows = [[each.name, each.score, f"{each.share:.3%}", each.equal, own[each.name]] for each in evidence.quantiles]
    header = (
        "threshold", "champion's", "transactions at or above", "candidate's score of equal share", "candidate's own",
    )  # fmt: skip
    return Table("The champion's thresholds among the candidate's scores", header, rows, _QUANTILES_NOTE)


def _sides(document: Mapping[str, Any]) -> tuple[Mapping[str, float], Mapping[str, float], Mapping[str, Any]]:
    champion = document["champion"]
    return document["candidate"]["metrics"], champion["metrics"] if champion else {}, document["gains"]


def _told(name: str, gain: Mapping[str, float] | None) -> list[object]:
    finding = _FINDINGS[comparison.is_better(name, _interval(gain))] if gain else None
    return [*_ends(gain), finding]


def _ends(gain: Mapping[str, float] | None) -> list[str | None]:
    return [f"{value:+.4f}" for value in _interval(gain)] if gain else [None, None, None]


def _interval(gain: Mapping[str, float]) -> Interval:
    return Interval(**gain)


def _times(ratio: float | None) -> str | None:
    return None if ratio is None else f"{ratio:.2f}"


def _with_direction(name: str) -> str:
    return f"{in_words(name)} (lower is better)" if name in LOWER_IS_BETTER else in_words(name)
