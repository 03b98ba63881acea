"""Which model answers for a card."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace

BASIS_POINTS = 10_000
STEADY, ROLLING_OUT = "steady", "rolling_out"
"""Statuses of the routing item."""
BUCKETS = 128
"""Counters are kept per card bucket, so that counting never meets a hot item and cards can be compared as clusters."""


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model package behind a slot.

    Args:
        endpoint: name of the SageMaker endpoint.
        model_package: its ARN.
        contract: feature names in the order the model wants them.
        contract_hash: `fraud.features.contract_hash` of them.
        review_threshold: scores at or above it go to review.
        block_threshold: scores at or above it are blocked.
        instance_type: machines of the endpoint; empty where that is not known.
        instance_count: how many; 0 where that is not known.
    """

    endpoint: str
    model_package: str
    contract: tuple[str, ...]
    contract_hash: str
    review_threshold: float
    block_threshold: float
    instance_type: str = ""
    instance_count: int = 0


@dataclass(frozen=True, slots=True)
class Routing:
    """The routing item: which slot serves which share.

    Args:
        epoch: raised by every write; every write is conditional on it.
        status: `steady` or `rolling_out`.
        champion: slot that serves whoever the challenger does not.
        challenger: slot under trial, or None.
        share_bps: the challenger's share of cards, 0 to 10,000 basis points.
        salt: new for every rollout, so that another set of cards goes first.
        slots: model behind each slot.
        shadow_bps: share of cards that the challenger scores in the shadow, 0 to 10,000 basis points.
    """

    epoch: int
    status: str
    champion: str
    challenger: str | None
    share_bps: int
    salt: str
    slots: Mapping[str, ServedModel]
    shadow_bps: int = 0

    def slot_for(self, card_token: str) -> str:
        """The slot that serves this card: sticky within a rollout, and kept by the challenger when its share grows."""
        if self.challenger is None or self.share_bps == 0:
            return self.champion
        return self.challenger if position(self.salt, card_token) < self.share_bps else self.champion

    def challenged(
        self, slot: str, model: ServedModel, salt: str, *, share_bps: int = 0, shadow_bps: int = 0
    ) -> Routing:
        """The next routing item: with a challenger, which gets a share of the cards, or scores some in the shadow."""
        return replace(
            self,
            epoch=self.epoch + 1,
            status=ROLLING_OUT,
            challenger=slot,
            share_bps=share_bps,
            shadow_bps=shadow_bps,
            salt=salt,
            slots={self.champion: self.slots[self.champion], slot: model},
        )

    def shifted(self, share_bps: int) -> Routing:
        """The next routing item: the challenger with a share of the cards, and no shadow."""
        return replace(self, epoch=self.epoch + 1, share_bps=share_bps, shadow_bps=0)

    def unchallenged(self) -> Routing:
        """The next routing item: the champion alone."""
        return self._steady(self.champion)

    def promoted(self) -> Routing:
        """The next routing item: the challenger as champion, alone."""
        if self.challenger is None:
            raise ValueError("there is no challenger to promote")
        return self._steady(self.challenger)

    def _steady(self, champion: str) -> Routing:
        return Routing(self.epoch + 1, STEADY, champion, None, 0, self.salt, {champion: self.slots[champion]})


def first(slot: str, model: ServedModel, salt: str) -> Routing:
    """The routing item of a stack's first model."""
    return Routing(1, STEADY, slot, None, 0, salt, {slot: model})


def position(salt: str, card_token: str) -> int:
    """Where a card stands between 0 and 9,999 in a rollout's order."""
    digest = hmac.digest(salt.encode(), card_token.encode(), hashlib.sha256)
    return int.from_bytes(digest[:8], "big") % BASIS_POINTS


def bucket(card_token: str) -> int:
    """The counter bucket of a card, 0 to 127, the same in every rollout."""
    return hashlib.blake2b(card_token.encode(), digest_size=1).digest()[0] % BUCKETS
