"""Is a data set fit to learn from, and enough? Each check is a pure function that gives its numbers and a sentence.

`not_enough` asks for patience: time mends it. `unfit` asks for a person: something is wrong where the rows come from,
and a model learned from them would be wrong in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from fraud import features
from fraud.entities import DAY, HOUR
from model import metrics, probe
from model.examples import Examples, Flags
from model.metrics import Floats
from model.probe import Finding

Outcome = Literal["passed", "not_enough", "unfit"]

FEWEST_ROWS = 1_000
"""Rows, below which a feature that no row knows may well not be known yet."""
MOST_LATE_SHARE = 0.2
"""Of the known frauds, how many may have become known when their rows already counted as genuine."""
MOST_TELLING = 0.995
"""Area under the ROC curve that no single honest feature reaches."""
FEWEST_TO_TELL = 20
"""Frauds, and genuine rows, below which one feature may separate them by chance."""
COMPARED_ROWS = 100_000
"""Genuine rows that frauds are held against, evenly spread over time."""
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Check:
    """One row of `checks.json`.

    Args:
        name: of the check.
        outcome: of it.
        sentence: what was found, and what is allowed.
        observed: the number it rests on; None where there is none.
        limit: what it was held against.
        details: what helps to find the cause and is for nobody else: a transaction's identifier stands here, and not
            in the sentence, which goes to logs and to whoever is paged.
    """

    name: str
    outcome: Outcome
    sentence: str
    observed: float | None = None
    limit: float | None = None
    details: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a plan allows.

    Args:
        fewest_frauds: to learn from.
        fewest_evaluation_frauds: to measure on.
        freshest: largest age of the newest decision, seconds.
        freshest_label: of the newest verdict.
        most_fraud_share: 0 to 1.
        maturity: age at which a row without a verdict counts as genuine, seconds.
    """

    fewest_frauds: int
    fewest_evaluation_frauds: int
    freshest: int
    freshest_label: int
    most_fraud_share: float
    maturity: int


# --- Enough -----------------------------------------------------------------------------------------------------------


def kinds(purpose: Literal["learn_from", "measure_on"], rows: int, frauds: int, fewest: int) -> Iterator[Check]:
    """A part needs frauds, and at least as many genuine rows."""
    for kind, count in (("frauds", frauds), ("genuine", rows - frauds)):
        enough = count >= fewest
        what = f"{count:,} {'frauds' if kind == 'frauds' else 'genuine transactions'} to {purpose.replace('_', ' ')}"
        sentence = f"{what}; {fewest:,} are needed."
        if not enough:
            sentence = f"Only {sentence[:-1]}: wait for more verdicts, or ask for a longer time."
        outcome: Outcome = "passed" if enough else "not_enough"
        yield Check(f"{kind}_to_{purpose}", outcome, sentence, count, fewest)


# --- What the rows hold -----------------------------------------------------------------------------------------------


def fraud_share(frauds: int, rows: int, most: float) -> Check:
    """A share that nobody would believe says that verdicts, or genuine rows, are missing."""
    share = frauds / rows if rows else 0.0
    sentence = f"{share:.2%} of the rows are fraud; at most {most:.2%} are believed."
    return Check("fraud_share", "unfit" if share > most else "passed", sentence, share, most)


def readable(rows: int, read: int, *, enough: bool) -> Check:
    """Rows without today's features say nothing; where there are too few others, they are why, and time mends it.

    Args:
        rows: that came.
        read: of them, whose features are there and mean what they mean today.
        enough: whether these suffice.
    """
    unreadable = rows - read
    if not unreadable:
        return Check("readable", "passed", "The features of every row mean what they mean today.", 0)
    told = f"{unreadable:,} of {rows:,} rows are left out: they hold no features, or those of another definition."
    return Check("readable", "passed" if enough else "not_enough", told, unreadable)


def schema(absent: Sequence[str], known: Mapping[str, int], rows: int) -> Check:
    """Every feature of the table must be there, and known to some row where there are enough.

    Args:
        absent: features that no row names.
        known: rows that know a value, by feature.
        rows: that are learned from.
    """
    by_verdicts = {feature.name for feature in probe.PROBED}
    never = [name for name, count in known.items() if not count and name not in by_verdicts and rows >= FEWEST_ROWS]
    missing = [name for name in known if rows and (name in absent or name in never)]
    sentence = f"All {len(known)} features are there."
    if missing:
        sentence = f"{_named(missing)} {'is' if len(missing) == 1 else 'are'} known in none of {rows:,} rows."
    return Check("schema", "unfit" if missing else "passed", sentence, len(missing), 0)


def finite(infinite: Mapping[str, int]) -> Check:
    """Infinite values by feature; there may be none."""
    wrong = [name for name, count in infinite.items() if count]
    sentence = f"{_named(wrong)}: infinite in {sum(infinite.values()):,} values." if wrong else "All values are finite."
    return Check("finite_values", "unfit" if wrong else "passed", sentence, sum(infinite.values()), 0)


def duplicates(rows: int, distinct: int) -> Check:
    """The query promises each transaction once."""
    copies = rows - distinct
    sentence = f"{copies:,} rows repeat a transaction; the query promises each once."
    if not copies:
        sentence = f"Each of {rows:,} transactions is there once."
    return Check("duplicates", "unfit" if copies else "passed", sentence, copies, 0)


def later(rows: int) -> Check:
    """The query promises nothing that came after the moment it was asked for."""
    sentence = f"{rows:,} rows came, or were judged, after the moment that the data set was asked for."
    if not rows:
        sentence = "Nothing came after the moment that the data set was asked for."
    return Check("point_in_time", "unfit" if rows else "passed", sentence, rows, 0)


# --- Time -------------------------------------------------------------------------------------------------------------


def decisions_fresh(age: int | None, limit: int) -> Check:
    """Age of the newest decision, seconds; None without one."""
    if age is None:
        return Check("fresh_decisions", "not_enough", "There is no decision yet.")
    told = f"The newest decision arrived {_hours(age)} ago; at most {_hours(limit)} are allowed"
    why = "is the stream archived?"
    return _held("fresh_decisions", age / HOUR, limit / HOUR, told, why, unfit=age > limit)


def verdicts_fresh(age: int | None, limit: int) -> Check:
    """Age of the newest verdict, seconds; None without one."""
    if age is None:
        return Check("fresh_verdicts", "not_enough", "There is no verdict yet.")
    told = f"The newest verdict became known {_days(age)} ago; at most {_days(limit)} are allowed"
    why = "do verdicts still come? Without them frauds would be taken for genuine."
    return _held("fresh_verdicts", age / DAY, limit / DAY, told, why, unfit=age > limit)


def label_delay(late: int, frauds: int, maturity: int) -> Check:
    """Frauds that became known only when their rows already counted as genuine.

    Args:
        late: of the frauds.
        frauds: whose transactions are older than the maturity: of younger ones none can be late.
        maturity: seconds.
    """
    share = late / frauds if frauds else 0.0
    told = f"{share:.0%} of the frauds became known later than {_days(maturity)} after the transaction"
    why = f"at most {MOST_LATE_SHARE:.0%} may, for until then they are taken for genuine: give plan.maturity_days more."
    return _held("label_delay", share, MOST_LATE_SHARE, told, why, unfit=share > MOST_LATE_SHARE)


def _held(name: str, observed: float, limit: float, told: str, why: str, *, unfit: bool) -> Check:
    """A check whose sentence says why it matters where it does."""
    sentence = f"{told}; {why}" if unfit else f"{told}."
    return Check(name, "unfit" if unfit else "passed", sentence, round(observed, 4), round(limit, 4))


# --- What the features know -------------------------------------------------------------------------------------------


def leakage(found: Sequence[Finding]) -> Check:
    """The feature that follows most what nobody could have known when it was served."""
    worst = max(found, key=lambda each: (each.share, each.days))
    looked = sum(each.days >= probe.FEWEST_DAYS for each in found)
    if not looked:
        told = (
            "Whether features knew verdicts before they came cannot be told: too few days of terminals would show it."
        )
        return Check("leakage", "passed", told, None, probe.LARGEST_SHARE)
    sentence = f"{looked} of {len(found)} features that read verdicts were looked into"
    if worst.share <= probe.LARGEST_SHARE:
        told = f"{sentence}; none knew them before they came."
        return Check("leakage", "passed", told, worst.share, probe.LARGEST_SHARE)
    told = (
        f"{worst.feature} knew verdicts before they came in {worst.following:,} of {worst.rows:,} rows that would show "
        f"it ({worst.share:.0%} of {worst.days:,} days of terminals); "
        f"{_others(found)}a model would learn from what it cannot have."
    )
    details = {"feature": worst.feature, "transaction_id": worst.transaction_id}
    return Check("leakage", "unfit", told, worst.share, probe.LARGEST_SHARE, details)


def _others(found: Sequence[Finding]) -> str:
    others = sum(each.share > probe.LARGEST_SHARE for each in found) - 1
    return f"{others} other features did too; " if others > 1 else "another feature did too; " if others else ""


def giveaway(found: tuple[str, float] | None) -> Check:
    """The feature that tells frauds best by itself, with its area under the ROC curve; None where that says nothing."""
    if found is None:
        told = "Whether one feature gives the outcome away cannot be told of so few frauds."
        return Check("giveaway", "passed", told, None, MOST_TELLING)
    name, area = found
    told = f"{name} alone tells frauds from the rest with an area under the ROC curve of {area:.4f}"
    why = "it knows the outcome."
    return _held("giveaway", area, MOST_TELLING, told, why, unfit=area >= MOST_TELLING)


def most_telling(examples: Examples, rows: Flags) -> tuple[str, float] | None:
    """The feature that alone tells the frauds among some rows best, and how well; None with too few to say."""
    frauds, genuine = np.flatnonzero(rows & examples.is_fraud), np.flatnonzero(rows & ~examples.is_fraud)
    if min(len(frauds), len(genuine)) < FEWEST_TO_TELL:
        return None
    chosen = np.concatenate([frauds, genuine[:: -(-len(genuine) // COMPARED_ROWS)]])
    values, is_fraud = examples.features[chosen].astype(np.float64), examples.is_fraud[chosen]
    areas = [_area(is_fraud, values[:, column]) for column in range(values.shape[1])]
    best = int(np.argmax(areas))
    return features.NAMES[best], areas[best]


def _area(is_fraud: Flags, values: Floats) -> float:
    """Whichever way the values point, and on whichever side those stand that are not known."""
    unknown = np.isnan(values)
    sides = [np.where(unknown, side, values) for side in ((-np.inf, np.inf) if unknown.any() else (0.0,))]
    areas = [metrics.roc_auc(metrics.rank(is_fraud, side)) for side in sides]
    return max(max(area, 1 - area) for area in areas)


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _hours(seconds: int) -> str:
    return f"{seconds / HOUR:,.0f} hours"


def _days(seconds: int) -> str:
    return f"{seconds / DAY:,.1f} days"
