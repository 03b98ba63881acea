"""The metrics of rows whose cards count several times, or not at all: what a bootstrap asks for hundreds of times.

Rows are sorted once for a model; a draw only adds up. The values are those of `model.metrics` on rows repeated as often
as their card counts, every copy of a card being a card of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model import metrics
from model.backtest import CARDS_A_DAY, FALSE_POSITIVE_RATES
from model.metrics import CALIBRATION_BINS, Flags, Floats, Integers, Ranking


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of transactions, in the order of time.

    Args:
        is_fraud: of the rows.
        card: position of each row's card, from 0 to `cards` − 1.
        cards: how many cards can be drawn; some may have no row here.
        day: of each row, counted from any origin.
        amount: of each row, in any unit.
    """

    is_fraud: Flags
    card: Integers
    cards: int
    day: Integers
    amount: Integers

    def __len__(self) -> int:
        return len(self.is_fraud)

    def among(self, rows: Flags) -> Outcomes:
        """Only some of the rows; cards keep their positions."""
        return Outcomes(self.is_fraud[rows], self.card[rows], self.cards, self.day[rows], self.amount[rows])


class Sorted:
    """Scores of the rows from the highest down, and where frauds lie among them.

    Of the distinct scores only those with frauds are kept, the ones just above them and the lowest: what thresholds are
    measured by changes nowhere else.
    """

    def __init__(self, outcomes: Outcomes, scores: Floats) -> None:
        order = np.argsort(-scores, kind="stable")
        descending, is_fraud = scores[order], outcomes.is_fraud[order]
        self._card = outcomes.card[order]
        self._frauds = np.flatnonzero(is_fraud)
        self._amount = outcomes.amount[order][self._frauds].astype(np.float64)
        ends = np.append(np.flatnonzero(np.diff(descending)) + 1, len(order))
        found = np.searchsorted(self._frauds, ends)
        with_frauds = np.diff(found, prepend=0) > 0
        kept = with_frauds | np.append(with_frauds[1:], True)
        self._ends, self._found = ends[kept], found[kept]
        self._levels = descending[self._ends - 1]

    def draw(self, counts: Floats) -> Draw | None:
        """The rows, each as often as its card counts; None where nothing but one kind is left.

        Args:
            counts: whole numbers, one for every card.
        """
        upto = counts[self._card].cumsum()
        weights = counts[self._card[self._frauds]]
        caught = np.append(0.0, weights.cumsum())
        if caught[-1] in (0.0, upto[-1]):
            return None
        rows, frauds = upto[self._ends - 1], caught[self._found]
        any_left = rows > 0
        ranking = Ranking(self._levels[any_left], rows[any_left], frauds[any_left])
        return Draw(ranking, weights, upto[self._frauds] - weights, self._amount)


@dataclass(frozen=True, slots=True)
class Draw:
    """Rows counted.

    Args:
        ranking: what thresholds are measured by.
        frauds: how often each fraud counts, those with the highest scores first.
        before: rows that come before each fraud.
        amount: of each fraud.
    """

    ranking: Ranking
    frauds: Floats
    before: Floats
    amount: Floats

    def cost(self, review_share: float) -> float | None:
        """`metrics.cost`; None where the frauds are worth nothing."""
        lost = float(self.frauds @ self.amount)
        reviewed = np.clip(int(review_share * self.ranking.rows[-1]) - self.before, 0, self.frauds)
        return 1.0 - float(reviewed @ self.amount) / lost if lost else None


class Calibrated:
    """How far the scores of each card's rows lie from their outcomes, by the bins of `metrics.calibration`."""

    def __init__(self, outcomes: Outcomes, scores: Floats) -> None:
        position = np.minimum((scores * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
        cells = outcomes.cards * CALIBRATION_BINS
        off = np.bincount(outcomes.card * CALIBRATION_BINS + position, scores - outcomes.is_fraud, cells)
        self._off = off.reshape(outcomes.cards, CALIBRATION_BINS)
        self._rows = np.bincount(outcomes.card, minlength=outcomes.cards).astype(np.float64)

    def error(self, counts: Floats) -> float:
        """`metrics.calibration_error`: a bin's rows cancel out of promise less outcome."""
        return float(np.abs(counts @ self._off).sum() / (counts @ self._rows))


class CardDays:
    """The cards of each day from the most suspicious down, and which of them were defrauded on it."""

    def __init__(self, outcomes: Outcomes, scores: Floats) -> None:
        days = [outcomes.day == day for day in np.unique(outcomes.day)]
        self._days = [_suspects(outcomes.among(rows), scores[rows]) for rows in days]

    def precision(self, counts: Floats, k: int) -> float:
        """`metrics.card_precision`: of a card that counts twice, one copy may be looked at and the other not."""
        left, found, days = counts.copy(), 0.0, 0
        for cards, defrauded in self._days:
            days += bool(counts[cards].any())
            upto = left[cards].cumsum()
            end = int(np.searchsorted(upto, k)) + 1
            top = cards[:end]
            caught = np.clip(k - upto[:end] + left[top], 0, left[top]) * defrauded[:end]
            left[top] -= caught
            found += float(caught.sum())
        return found / k / days


def _suspects(day: Outcomes, scores: Floats) -> tuple[Integers, Flags]:
    cards, position = np.unique(day.card, return_inverse=True)
    highest = np.full(len(cards), -np.inf)
    np.maximum.at(highest, position, scores)
    defrauded = np.bincount(position, day.is_fraud, len(cards)) > 0
    order = np.argsort(-highest, kind="stable")
    return cards[order], defrauded[order]


class Measure:
    """Every metric of `model.backtest.METRICS_IN_WORDS` for one model's scores."""

    def __init__(self, outcomes: Outcomes, scores: Floats, review_share: float) -> None:
        self._sorted, self._calibrated = Sorted(outcomes, scores), Calibrated(outcomes, scores)
        self._card_days, self._review_share = CardDays(outcomes, scores), review_share

    def __call__(self, counts: Floats) -> dict[str, float]:
        """By name; empty where the cards that count have no fraud or nothing but fraud."""
        draw = self._sorted.draw(counts)
        if draw is None:
            return {}
        ranking, cost = draw.ranking, draw.cost(self._review_share)
        return {
            "average_precision": metrics.average_precision(ranking),
            "auc": metrics.roc_auc(ranking),
            **{f"card_precision_{k}": self._card_days.precision(counts, k) for k in CARDS_A_DAY},
            **{
                f"recall_at_fpr_{name}": metrics.recall_at_fpr(ranking, at) for name, at in FALSE_POSITIVE_RATES.items()
            },
            **({} if cost is None else {"cost": cost}),
            "ece": self._calibrated.error(counts),
        }
