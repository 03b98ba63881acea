"""What is known of outcomes: verdicts by their source, how soon they come, and whether they still do."""

from __future__ import annotations

import numpy as np

from fraud.entities import DAY
from model import mature_rows, monitoring_context
from model.examples import rfc3339
from model.findings import ALL, Finding, Labels
from model.history import NEVER, Seconds
from model.monitored_rows import ACTIONS, NO_VERDICT, Rows, Words
from model.monitoring_context import Context

FEED = "label_feed_check"
DAYS = (1, 2, 3, 5, 7, 14, 21, 30)
_BLOCK = ACTIONS.index("block")


def labels(rows: Rows, context: Context) -> Labels:
    """What is known of the outcomes."""
    mature = rows.at <= context.mature_until
    unknown = mature & ~rows.judged & (rows.action == _BLOCK)
    let_pass = mature_rows.cohort(rows, context) & mature_rows.released(rows)
    newest = _newest(rows)
    said = (rows.review != NO_VERDICT) & (rows.chargeback != NO_VERDICT)
    return Labels(
        by_source={name: _verdicts(said_so[mature]) for name, said_so in _sources(rows).items()},
        disagreements=int((mature & said & (rows.review != rows.chargeback)).sum()),
        mature=int(mature.sum()),
        unlabelled=int((mature & ~rows.judged & ~unknown).sum()),
        unknown=int(unknown.sum()),
        immature=int((~mature).sum()),
        newest_known_at="" if newest is None else rfc3339(newest),
        known_after=_known_after(_delays(rows)[mature & rows.is_fraud], context),
        weight=float(np.mean(mature_rows.weights(rows)[let_pass])) if let_pass.any() else 1.0,
    )


def _sources(rows: Rows) -> dict[str, Words]:
    return {"chargeback": rows.chargeback, "review": rows.review}


def _verdicts(said: Words) -> dict[str, int]:
    return {"frauds": int((said == 1).sum()), "genuine": int((said == 0).sum())}


def _newest(rows: Rows) -> int | None:
    known = rows.known_at[rows.judged & (rows.known_at < NEVER)]
    return int(known.max()) if len(known) else None


def _delays(rows: Rows) -> Seconds:
    """Seconds from each transaction until a verdict first said fraud."""
    delays: Seconds = np.maximum(np.minimum(rows.first_fraud_at, rows.known_at) - rows.at, 0)
    return delays


def _known_after(delays: Seconds, context: Context) -> dict[str, float]:
    """Only up to the age of maturity: of what is younger than a delay, nobody knows what is still to come."""
    days = [each for each in DAYS if each * DAY <= context.limits.maturity] if len(delays) else []
    return {str(each): float(np.mean(delays <= each * DAY)) for each in days}


def feed(rows: Rows, context: Context) -> Finding:
    """Whether verdicts still come while decisions go on."""
    decisions, limit, newest = int(rows.in_window.sum()), context.limits.freshest_label, _newest(rows)
    if not decisions:
        return monitoring_context.skipped(
            FEED, "upkeep", "verdicts", ALL, 0, "No decision came, so no verdict need have."
        )
    # By the transactions' own time: a replay of an old year has old verdicts as well.
    latest = min(context.until, float(rows.at[rows.in_window].max()))
    age = max(latest - (int(rows.at.min()) if newest is None else newest), 0.0)
    if newest is None and age <= limit:
        told = f"No verdict came yet; the transactions at hand are of {age / DAY:.1f} days."
        return monitoring_context.skipped(FEED, "upkeep", "verdicts", ALL, decisions, told)
    told = f"the newest verdict came {age / DAY:.1f} days before" if newest else f"none in {age / DAY:.1f} days"
    return monitoring_context.judged(
        FEED,
        "upkeep",
        "verdicts",
        ALL,
        is_violated=age > limit,
        observed=age / DAY,
        limit=limit / DAY,
        count=decisions,
        sentence=f"{decisions:,} decisions came, and of verdicts {told}; {limit / DAY:.1f} days are allowed.",
    )
