"""The record of a rollout in the hands of its owner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from fraud.errors import RolloutStopped, RolloutSuperseded
from fraud.rollout import REVERSIBLE, Rollout
from fraud.rollout_ports import RolloutStore
from fraud.routing import Routing

SLACK = 15 * 60
"""Seconds that a machine's task may be late, retries included, before its execution is taken for dead."""


@dataclass(frozen=True)
class RolloutRecords:
    """Reads and writes the record on behalf of the execution that owns it; every write renews its lease.

    Args:
        store: where it lies.
        clock: seconds since 1970.
    """

    store: RolloutStore
    clock: Callable[[], float]

    def owned(self, execution: str) -> Rollout:
        """The record, if it is this execution's and not over.

        Raises:
            RolloutSuperseded: it is over, or another's.
            StoreUnavailable: not read.
        """
        rollout = self.store.read()
        if rollout is None or rollout.owner != execution:
            raise RolloutSuperseded("this execution does not hold the lock, and must change nothing.")
        if rollout.released:
            raise RolloutSuperseded(f"this rollout is over: {rollout.reason or rollout.stage}")
        return rollout

    def reversible(self, execution: str) -> Rollout:
        """The record, if it is this execution's and nobody stopped it.

        Raises:
            RolloutStopped: it is to be rolled back.
            RolloutSuperseded: it is over, or another's.
            StoreUnavailable: not read.
        """
        rollout = self.owned(execution)
        if rollout.stage not in REVERSIBLE:
            raise RolloutStopped(rollout.reason or f"The rollout is {rollout.stage} already.")
        return rollout

    def save(self, rollout: Rollout, allowance: float = 0, **changes: Any) -> Rollout:
        """Write changes; `allowance` is for how many seconds the owner will be silent by its plan.

        Raises:
            RolloutMoved: somebody else was faster.
            StoreUnavailable: not known to be written.
        """
        return self.store.save(self._leased(rollout, allowance, changes))

    def commit(self, rollout: Rollout, routing: Routing, allowance: float = 0, **changes: Any) -> Rollout:
        """Write changes and the routing item, both or none.

        Raises:
            RolloutMoved: somebody else was faster.
            StoreUnavailable: not known to be written.
        """
        return self.store.commit(self._leased(rollout, allowance, {**changes, "epoch": routing.epoch}), routing)

    def _leased(self, rollout: Rollout, allowance: float, changes: dict[str, Any]) -> Rollout:
        return replace(rollout, lease_until=self.clock() + allowance + SLACK, **changes)
