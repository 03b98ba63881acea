"""What the application commits for a transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from fraud.transaction import Accepted


class Action(StrEnum):
    """The closed set of outcomes, mildest first."""

    APPROVE = "approve"
    REVIEW = "review"
    BLOCK = "block"

    @property
    def severity(self) -> int:
        """0 for approve, 1 for review, 2 for block."""
        return list(Action).index(self)


RULES = "rules"
"""Stands where a slot would, when no model answered."""
NO_SLOT = "none"
"""Stands where a slot would, while there is no model."""


@dataclass(frozen=True, slots=True)
class Score:
    """A model's answer for one transaction.

    Args:
        value: 0 to 1; larger is more suspicious.
        causes: names of the features that raised it most, largest first; empty below the review threshold.
    """

    value: float
    causes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision, as it is stored and told.

    Args:
        accepted: the transaction and its arrival.
        action: approve, review or block.
        reasons: in words; never empty for review and block.
        score: None when rules decided without a model.
        features: every feature of the table at decision time, in its order.
        slot: the slot the card was routed to, or None while there is no model.
        served_by: the slot that answered, or `rules`.
        model_package: ARN of the package that answered, or None.
        epoch: of the routing item that was in force; 0 without one.
        policy_version: version of the policy document.
        degraded: True when the model that should have answered did not.
        decided_at: seconds since 1970.
        propensity: probability with which policy gives this action; 1 where nothing was left to chance.
    """

    accepted: Accepted
    action: Action
    reasons: tuple[str, ...]
    score: float | None
    features: Sequence[float | None]
    slot: str | None
    served_by: str
    model_package: str | None
    epoch: int
    policy_version: str
    degraded: bool
    decided_at: float
    propensity: float = 1.0
