"""What shadow scoring asks of the world, and the values that it speaks in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from fraud.analysis import Latency, Pairs
from fraud.decision import Action
from fraud.routing import Routing

CHAMPION, CHALLENGER = "champion", "challenger"
"""The two models of a shadow, whatever slots they are in."""

Timings = Mapping[str, Latency]
"""`CHAMPION` and `CHALLENGER` → the time of one call with the same rows; empty where none was taken."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One transaction, as the champion decided it and as the challenger would have.

    Args:
        transaction_id: its key.
        bucket: of its card.
        champion: what was decided.
        champion_score: what that rests on.
        challenger: what would have been decided; None without a score.
        challenger_score: None when the challenger left it unanswered.
    """

    transaction_id: str
    bucket: int
    champion: Action
    champion_score: float
    challenger: Action | None = None
    challenger_score: float | None = None


@dataclass(frozen=True, slots=True)
class ShadowCommit:
    """Observations on the cards of one bucket: noted and counted together, or not at all.

    Args:
        bucket: of the cards.
        observations: each transaction once.
        timings: of the calls they come from, where this is the commit that takes them along.
    """

    bucket: int
    observations: tuple[Observation, ...]
    timings: Timings = field(default_factory=dict)

    @property
    def actions(self) -> int:
        """Write actions this takes in a transaction: a note each, the bucket's counter, and one for each timing."""
        return len(self.observations) + 1 + len(self.timings)

    @property
    def pairs(self) -> Pairs:
        """What the observations add to the counter of their bucket."""
        answered = [(each.champion, each.challenger) for each in self.observations if each.challenger is not None]
        return Pairs(
            transactions=len(self.observations),
            unanswered=len(self.observations) - len(answered),
            champion_block=sum(champion is Action.BLOCK for champion, _ in answered),
            challenger_block=sum(challenger is Action.BLOCK for _, challenger in answered),
            both_block=answered.count((Action.BLOCK, Action.BLOCK)),
            champion_review=sum(champion is Action.REVIEW for champion, _ in answered),
            challenger_review=sum(challenger is Action.REVIEW for _, challenger in answered),
            both_review=answered.count((Action.REVIEW, Action.REVIEW)),
        )


@dataclass(frozen=True, slots=True)
class ShadowReport:
    """What became of a batch of decisions.

    Args:
        shadowed: decisions that the challenger was to score.
        unanswered: how many of them it left without a score.
        failed: sequence numbers to be delivered again, lowest first.
    """

    shadowed: int = 0
    unanswered: int = 0
    failed: list[str] = field(default_factory=list)


class RoutingReader(Protocol):
    """Reads the routing item."""

    def read(self) -> Routing | None:
        """The item, read consistently; None while no model serves.

        Raises:
            StoreUnavailable: not read.
        """
        ...


class ShadowStore(Protocol):
    """Counts observations exactly once, by a note of each."""

    def observe(self, epoch: int, commits: Sequence[ShadowCommit]) -> frozenset[str] | None:
        """Note and count, all or nothing; None when written, else the ids that are already noted.

        Args:
            epoch: of the routing item that the decisions were made under.
            commits: of different buckets.

        Raises:
            StoreUnavailable: not known to be written; writing again is safe.
        """
        ...
