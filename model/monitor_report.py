"""What the report of a look shows: first what is violated and what follows, then all that it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from fraud.drift import Shift
from model import (
    data_quality,
    feature_columns,
    group_bias,
    label_quality,
    monitor_plots,
    parity,
    plots,
    traffic_quality,
)
from model.baseline_document import Distribution
from model.feature_columns import Seen
from model.findings import CHAMPION, Finding, Findings
from model.label_quality import Measured
from model.monitored_rows import ACTIONS, Rows
from model.monitoring_context import Context, of_package
from model.plots import Effect
from model.report import Page, Table, render_page

TITLE = "Monitoring"
DRIFT_CHECK = "baseline_drift_check"
WORST_FEATURES = 4
INTERVAL = 0.025
"""Of each side: people read intervals of 95 %, whatever level the checks are at."""
_FOLLOWS = {
    "drift": "A new model is trained: the world moved, and can be learned.",
    "quality": "A new model is trained: this one no longer keeps its promise.",
    "data": "People are called: data is broken, and must not be learned from.",
    "upkeep": "People decide: whether it is meant, and what to do about it.",
}
_ORDER = {"data": 0, "quality": 1, "drift": 2, "upkeep": 3}
_METRICS_IN_WORDS = {
    "average_precision": "average precision",
    "auc": "ROC AUC",
    "alert_recall": "frauds blocked or reviewed",
    "alert_precision": "precision of blocks and reviews",
    "block_recall": "frauds blocked",
    "block_precision": "precision of blocks",
}
_FEATURES_NOTE = (
    "Stability index and largest distance of the values in the window from those of training; the limit is that of the "
    "number a check went by, the larger of what is worth telling and of what chance reaches. The design effect is how "
    "many rows are worth one that is independent. What moved by itself through training is not judged."
)
_QUALITY_NOTE = (
    "On mature transactions. Intervals hold 95 %, cards taken into account; checks use wider ones, so that all checks "
    "of a look together are wrong as seldom as the plan says. Average precision and precision are measured as if "
    "frauds had the share that they had when the promise was made. What is blocked and never judged is left out, but "
    "widens the interval to where these blocks kept their promise. Only ROC AUC and what is reviewed or blocked are "
    "judged."
)
_LABELS_NOTE = (
    "Of mature transactions. One without a verdict counts as genuine, unless it was blocked: "
    "its outcome is unknown then."
)
_GROUPS_NOTE = (
    "Differences have causes, such as more fraud in a group, and those must be looked at; these are fields of the "
    "transaction, not protected attributes of persons, unless a field stands for one."
)
_PARITY_NOTE = (
    "Features of the same cards and terminals every time, computed again from the archive's transactions and held "
    "against what was served."
)


def page(findings: Findings, context: Context, rows: Rows) -> str:
    """HTML that needs nothing else.

    Args:
        findings: of the look.
        context: of the look.
        rows: that it looked at.
    """
    seen = {role: feature_columns.see(rows, role, context) for role in context.roles}
    measured = {role: label_quality.measure(rows, role, context, INTERVAL) for role in context.roles}
    return render_page(
        Page(
            title=TITLE,
            summary=_summary(findings),
            highlights=_highlights(findings),
            figures=dict(_figures(findings, context, rows, seen, measured[CHAMPION])),
            tables=list(_tables(findings, context, rows, seen, measured)),
            first=[_violations(findings)],
        )
    )


# --- What is said first -----------------------------------------------------------------------------------------------


def _violated(findings: Findings) -> list[Finding]:
    found = [each for each in findings.findings if each.outcome == "violated"]
    return sorted(found, key=lambda each: _ORDER[each.concern])


def _summary(findings: Findings) -> str:
    judged = sum(each.outcome != "skipped" for each in findings.findings)
    violated = len(_violated(findings))
    found = f"of {judged:,} checks, {violated or 'none'} violated"
    part = "" if findings.looked_at == findings.rows else f" {findings.looked_at:,} of them, by card, were looked at."
    return (
        f"{findings.rows:,} decisions arrived from {findings.since} to {findings.until}: {found}.{part} "
        f"The champion is {findings.champion}."
    )


def _highlights(findings: Findings) -> dict[str, object]:
    counts = {concern: sum(each.concern == concern for each in _violated(findings)) for concern in _ORDER}
    compared, age = findings.parity.compared, findings.champion_age_days
    return {
        "violations of data: people are called": counts["data"],
        "of quality: a model is trained": counts["quality"],
        "of drift: a model is trained": counts["drift"],
        "of upkeep: people decide": counts["upkeep"],
        "decisions in the window": findings.rows,
        "days since the champion's newest lesson": None if age is None else f"{age:.1f}",
        "of the features computed again differ": f"{findings.parity.mismatched / compared:.3%}" if compared else None,
    }


def _violations(findings: Findings) -> Table:
    violated = _violated(findings)
    rows = [[each.concern, each.variant, each.sentence, _FOLLOWS[each.concern]] for each in violated]
    note = "" if rows else "Nothing changed that can be told, so nothing follows."
    return Table("What is violated", ("concern", "variant", "what was found", "what follows"), rows, note)


# --- Plots ------------------------------------------------------------------------------------------------------------


def _figures(
    findings: Findings,
    context: Context,
    rows: Rows,
    seen: Mapping[str, Seen],
    measured: Mapping[str, Measured],
) -> Iterator[tuple[str, str]]:
    baseline = context.baseline
    for name in _worst(context, seen):
        counts = {role: each.columns[name].counts for role, each in seen.items() if name in each.columns}
        yield name, monitor_plots.distribution(baseline.features[name], counts, name)
    if baseline.scores is not None:
        counts = _scores(rows, context, baseline.scores)
        yield "Scores", monitor_plots.distribution(baseline.scores, counts, "score")
    yield "Decisions", monitor_plots.shares(_decisions(findings, context), [*ACTIONS, traffic_quality.DEGRADED])
    if findings.labels.known_after:
        yield "How soon frauds are known", monitor_plots.maturity(findings.labels.known_after)
    if effects := _effects(context, measured):
        yield "Quality against the promise", plots.forest(effects, "measured less promised")


def _worst(context: Context, seen: Mapping[str, Seen]) -> list[str]:
    """The features that moved most, whichever model read them."""
    moved: dict[str, float] = {}
    for each in seen.values():
        for name, shift in _shifts(context, each).items():
            moved[name] = max(moved.get(name, 0.0), shift.psi)
    return sorted(moved, key=lambda name: -moved[name])[:WORST_FEATURES]


def _scores(rows: Rows, context: Context, baseline: Distribution) -> dict[str, list[int]]:
    chosen = rows.in_window & of_package(rows, context.champion) & ~np.isnan(rows.score)
    place = np.searchsorted(np.asarray(baseline.edges), rows.score[chosen], side="left")
    counts: list[int] = np.bincount(place, minlength=len(baseline.counts)).tolist()
    return {CHAMPION: counts}


def _decisions(findings: Findings, context: Context) -> dict[str, Mapping[str, float]]:
    were = {name: each.count / each.rows for name, each in context.baseline.decisions.items() if each.rows}
    return {**({"baseline": were} if were else {}), **{each.role: each.shares for each in findings.variants}}


def _effects(context: Context, measured: Mapping[str, Measured]) -> list[Effect]:
    promise = context.baseline.promise
    return [
        Effect(words, *(end - promise[name] for end in measured[name]))
        for name, words in _METRICS_IN_WORDS.items()
        if name in measured and name in promise
    ]


# --- Tables -----------------------------------------------------------------------------------------------------------


def _tables(
    findings: Findings,
    context: Context,
    rows: Rows,
    seen: Mapping[str, Seen],
    measured: Mapping[str, Mapping[str, Measured]],
) -> Iterator[Table]:
    for role, each in seen.items():
        yield _features(role, each, findings, context)
    yield from _quality(rows, context, measured)
    yield _labels(findings)
    groups = [each for each in findings.findings if each.check == group_bias.CHECK and each.outcome != "skipped"]
    if groups:
        yield _groups(groups)
    yield _parity(findings)
    yield _checks(findings.findings)


def _shifts(context: Context, seen: Seen) -> dict[str, Shift]:
    """Distances of the features that have a baseline and values; limits are those of a single test."""
    features = context.baseline.features
    known = {name: each.counts for name, each in seen.columns.items() if each.present and sum(features[name].counts)}
    alpha = context.limits.alpha
    return {
        name: data_quality.distance(features[name], counts, seen.draws, context, alpha)
        for name, counts in known.items()
    }


def _features(role: str, seen: Seen, findings: Findings, context: Context) -> Table:
    checks = {each.name: each for each in findings.findings if each.check == DRIFT_CHECK and each.variant == role}
    shifts, baseline = _shifts(context, seen), context.baseline.features
    rows = []
    for name in sorted(seen.columns, key=lambda each: -shifts[each].psi if each in shifts else 0.0):
        shift, column, check, of = shifts.get(name), seen.columns[name], checks.get(name), baseline[name]
        total = sum(of.counts) + of.missing
        rows.append(
            [
                name,
                shift.psi if shift else None,
                shift.ks if shift else None,
                check.limit if check else None,
                f"{of.design_effect:.1f}",
                f"{of.missing / total:.2%}" if total else None,
                f"{column.missing / seen.count:.2%}" if seen.count else None,
                _outcome(check),
            ]
        )
    header = ("feature", "PSI", "KS", "limit", "design effect", "missing in training", "missing now", "drift check")
    return Table(f"Features of the {role}: {seen.count:,} rows", header, rows, _FEATURES_NOTE)


def _outcome(check: Finding | None) -> str | None:
    return check.outcome if check else None


def _quality(rows: Rows, context: Context, measured: Mapping[str, Mapping[str, Measured]]) -> Iterator[Table]:
    header = ("metric", "measured", "95 % from", "to", "promised", "asked for")
    for role in context.roles:
        promise = context.baseline.promise if role == CHAMPION else {}
        found = measured[role]
        cells = [
            [words, *found[name], promise.get(name), _asked(name, promise, context)]
            for name, words in _METRICS_IN_WORDS.items()
            if name in found
        ]
        frauds = label_quality.outcomes(rows, role, context).frauds
        few = "" if cells else f" {frauds:,} mature frauds are too few to measure on."
        yield Table(f"Quality of the {role}: {frauds:,} frauds", header, cells, _QUALITY_NOTE + few)


def _asked(name: str, promise: Mapping[str, float], context: Context) -> float | None:
    judged = name in label_quality.JUDGED and name in promise
    return promise[name] - context.limits.quality_loss if judged else None


def _labels(findings: Findings) -> Table:
    labels = findings.labels
    sources = [
        (f"{kind} by {source}", count) for source, said in labels.by_source.items() for kind, count in said.items()
    ]
    rows = [
        ("mature", labels.mature),
        *sources,
        ("on which the two disagree", labels.disagreements),
        ("without a verdict", labels.unlabelled),
        ("blocked, outcome unknown", labels.unknown),
        ("not mature yet", labels.immature),
        ("newest verdict", labels.newest_known_at or None),
        ("weight of a released one", labels.weight),
    ]
    return Table("Verdicts", ("transactions", ""), rows, _LABELS_NOTE)


def _groups(found: Sequence[Finding]) -> Table:
    rows = []
    for each in found:
        field, value, metric = group_bias.named(each.name)
        words = metric.replace("_", " ")
        rows.append([f"{field}: {value}", words, each.variant, each.count, each.observed, each.limit, each.outcome])
    header = ("group", "share", "variant", "transactions", "more than of others", "limit", "outcome")
    return Table("Groups", header, rows, _GROUPS_NOTE)


def _parity(findings: Findings) -> Table:
    rows = [
        [each.name, each.count, each.observed, each.limit, each.outcome, each.sentence]
        for each in findings.findings
        if each.check == parity.CHECK
    ]
    of = findings.parity
    note = f"{_PARITY_NOTE} {of.cards:,} cards, {of.terminals:,} terminals; {of.left_out:,} rows were left out."
    return Table("Parity", ("features", "values", "worst share", "limit", "outcome", "found"), rows, note)


def _checks(found: Sequence[Finding]) -> Table:
    ordered = sorted(found, key=lambda each: ("violated", "passed", "skipped").index(each.outcome))
    rows = [
        [f"{each.check}: {each.name}", each.variant, each.outcome, each.observed, each.limit, each.count, each.sentence]
        for each in ordered
    ]
    return Table("All checks", ("check", "variant", "outcome", "observed", "limit", "rows", "found"), rows)
