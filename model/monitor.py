"""The job that looks at a window: whether what arrived in it is what the champion was made for.

Runs as `python -m monitor BASE` in the directory of the source archive. Reads rows, packages and the baseline below
BASE/input; leaves files as Model Monitor writes them, a report for people and, last, `monitoring.json` in BASE/output.
Whatever it finds, the job succeeds: what follows is for the state machine to say.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from fraud.entities import DAY
from model import (
    attributions,
    baseline_document,
    data_quality,
    feature_columns,
    group_bias,
    job_message,
    label_quality,
    monitor_output,
    monitored_packages,
    monitored_rows,
    monitoring_options,
    parity,
    traffic_quality,
)
from model.data_quality import Drifted
from model.examples import rfc3339
from model.findings import CHALLENGER, CHAMPION, Finding, Findings, Variant
from model.monitored_rows import Rows
from model.monitoring_context import Context, event_days, of_package
from model.monitoring_options import Asked


def main(arguments: Sequence[str]) -> None:
    """Read, look and write.

    Raises:
        UnusablePackage: a package cannot be loaded.
        ValueError: rows or baseline cannot be read, or the baseline is another champion's.
    """
    asked = monitoring_options.parse(arguments)
    given = asked.base / "input"
    _tell(f"Looking at what arrived from {rfc3339(asked.since)} to {rfc3339(asked.until)}.")
    rows, arrived = monitored_rows.read(given / "rows", asked.since, asked.until, asked.most_rows)
    looked_at = int(rows.in_window.sum())
    _tell(f"{arrived:,} decisions, {looked_at:,} of them looked at; {len(rows):,} with those before.")
    context = _context(asked, given, rows, looked_at / arrived if arrived else 1.0)
    found = look(rows, arrived, context)
    for each in found.findings:
        _tell(f"{each.check} {each.name} {each.variant}: {each.outcome}. {each.sentence}")
    monitor_output.write(asked.base / "output", found, context, rows)
    violated = sum(each.outcome == "violated" for each in found.findings)
    _tell(f"{len(found.findings):,} checks, {violated:,} violated.")
    if violated:
        job_message.leave(asked.base, f"CompletedWithViolations: {violated} violations")


def look(rows: Rows, arrived: int, context: Context) -> Findings:
    """Everything that can be told of a window.

    Args:
        rows: that are looked at.
        arrived: rows of the window, those that are not looked at included.
        context: what is looked for.
    """
    alpha, alpha_of_quality = level(context), quality_level(context)
    traffic = traffic_quality.check(rows, arrived, context, alpha=alpha)
    seen = {role: feature_columns.see(rows, role, context) for role in context.roles}
    drifted = {role: data_quality.features_of(each, context, alpha=alpha) for role, each in seen.items()}
    scores = data_quality.scores_of(rows, context, alpha=alpha)
    of_quality, quality, labels = label_quality.check(rows, context, alpha=alpha_of_quality)
    of_parity, compared = parity.check(rows, context, alpha=alpha)
    of_attributions = attributions.check(rows, context)
    of_models = [finding for each in drifted.values() for finding in each.findings]
    biased = group_bias.check(rows, context, alpha=alpha_of_quality)
    age = traffic_quality.champion_age(context)
    return Findings(
        since=rfc3339(context.since),
        until=rfc3339(context.until),
        champion=context.champion,
        rows=arrived,
        looked_at=int(rows.in_window.sum()),
        findings=distrusted(
            [*traffic, *of_parity, *scores.findings, *of_attributions, *of_models, *of_quality, *biased]
        ),
        variants=_variants(rows, context, drifted, scores, quality),
        parity=compared,
        labels=labels,
        champion_age_days=None if age is None else age / DAY,
    )


UNSOUND = frozenset(
    {
        "categorical_values_check",
        "completeness_check",
        "data_type_check",
        "default_check",
        "missing_column_check",
        "parity_check",
    }
)
"""Checks whose violation says that what arrived, or what was made of it, is not what it seems."""
LEARNED = frozenset({"drift", "quality"})
"""Concerns that start a training."""


def distrusted(findings: Sequence[Finding]) -> list[Finding]:
    """The same; but what moved, or was lost, while features are broken concerns the data, and must not be learned from.

    Which features lost states have reached cannot be told from outside. Fields beside them reach none: a country that
    is new is told for as long as its champion lives, and must not hide all drift until then.
    """
    broken = [each for each in findings if each.check in UNSOUND and each.outcome == "violated"]
    unsound = [each for each in broken if each.name not in traffic_quality.FIELDS]
    return [_distrusted(each, unsound[0]) if unsound else each for each in findings]


def _distrusted(finding: Finding, broken: Finding) -> Finding:
    if finding.concern not in LEARNED or finding.outcome != "violated":
        return finding
    what = f"{broken.check.removesuffix('_check').replace('_', ' ')} of {broken.name}"
    why = f"{finding.sentence} But {what} is violated in this window, so that this is not to be learned from."
    return replace(finding, concern="data", sentence=why)


QUALITY_SHARE = 1 / 3
"""Of the plan's level, what the tests of quality have: few tests, of few frauds, among many."""


def tests(context: Context) -> int:
    """How many tests of anything but quality a look makes at most; known before anything is read."""
    return sum(each.tests(context) for each in (traffic_quality, data_quality, parity))


def quality_tests(context: Context) -> int:
    """The same of quality and groups."""
    return label_quality.tests(context) + group_bias.tests(context)


def level(context: Context) -> float:
    """Probability of a false alarm that a single test may have, so that all together have the plan's.

    Bonferroni's bound, its level shared out unevenly.
    """
    return context.limits.alpha * (1 - QUALITY_SHARE) / tests(context)


def quality_level(context: Context) -> float:
    """The same of a test of quality or groups."""
    return context.limits.alpha * QUALITY_SHARE / quality_tests(context)


def _variants(
    rows: Rows,
    context: Context,
    drifted: Mapping[str, Drifted],
    scores: Drifted,
    quality: Mapping[str, Mapping[str, float]],
) -> list[Variant]:
    return [
        Variant(
            role=role,
            model_package=package,
            rows=int((rows.in_window & of_package(rows, package)).sum()),
            shares=traffic_quality.shares(rows, package),
            largest_psi=drifted[role].largest_psi,
            score_psi=scores.largest_psi if role == CHAMPION else None,
            quality=quality.get(role, {}),
        )
        for role, package in context.roles.items()
    ]


def _context(asked: Asked, given: Path, rows: Rows, kept: float) -> Context:
    baseline = baseline_document.read(given / "baseline")
    if baseline.champion != asked.champion:
        raise ValueError(f"the baseline is of {baseline.champion}, not of {asked.champion}")
    packages = {CHAMPION: asked.champion, CHALLENGER: asked.challenger}
    models = {
        package: monitored_packages.load(given / role, role).model for role, package in packages.items() if package
    }
    champion = models[asked.champion]
    return Context(
        since=asked.since,
        until=asked.until,
        champion=asked.champion,
        challenger=asked.challenger,
        baseline=baseline,
        limits=asked.limits,
        contracts={package: model.names for package, model in models.items()},
        attribute=partial(attributions.attribute, champion.booster, champion.names),
        event_days=event_days(rows),
        kept=kept,
    )


def _tell(sentence: str) -> None:
    # The log is followed while the job runs.
    print(sentence, flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (ValueError, OSError) as error:
        job_message.leave(Path(sys.argv[1]), f"monitor: {error}")
        sys.exit(f"monitor: {error}")
