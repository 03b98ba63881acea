"""What a rollout asks of the world: protocols of four methods at most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from fraud.analysis import Arm, FiredAlarm, Shadow
from fraud.rollout import Rollout
from fraud.routing import Routing


class RolloutStore(Protocol):
    """The record of the rollout under way, or of the last one; it is the lock, too."""

    def read(self) -> Rollout | None:
        """The record, read consistently; None before the first rollout.

        Raises:
            StoreUnavailable: not read.
        """
        ...

    def begin(self, rollout: Rollout, previous: Rollout | None) -> Rollout:
        """Put a new record in the place of the previous one, exactly as it was read; returns it as stored.

        Raises:
            RolloutMoved: another record stands there by now.
            StoreUnavailable: not known to be written.
        """
        ...

    def save(self, rollout: Rollout) -> Rollout:
        """Write the record over the revision that it was read as; returns it as stored.

        A released record is also kept in the history.

        Raises:
            RolloutMoved: another revision stands there.
            StoreUnavailable: not known to be written.
        """
        ...

    def commit(self, rollout: Rollout, routing: Routing) -> Rollout:
        """Write record and routing item, both or none; returns the record as stored.

        The record goes over the revision that it was read as, the item over the epoch before its own: 1 over none.

        Raises:
            RolloutMoved: another revision or epoch stands there.
            StoreUnavailable: not known to be written.
        """
        ...


class Observations(Protocol):
    """What was counted of decisions."""

    def arms(self, epoch: int) -> Mapping[str, Arm]:
        """Decisions of an epoch, by the slot they were routed to.

        Raises:
            StoreUnavailable: not read.
        """
        ...

    def shadow(self, epoch: int) -> Shadow:
        """What the shadow saw in an epoch.

        Raises:
            StoreUnavailable: not read.
        """
        ...


class SlotAlarms(Protocol):
    """The CloudWatch alarms that watch a slot."""

    def unfit(self, slot: str) -> Sequence[str]:
        """Why the slot's alarms cannot guard a rollout now, a sentence each.

        Missing, in ALARM, or watching something else than the slot.

        Raises:
            StoreUnavailable: no answer.
        """
        ...

    def fired(self, slot: str, since: float) -> Sequence[FiredAlarm]:
        """Alarms that are in ALARM, or were at any time since then, also if they recovered or are gone.

        Raises:
            StoreUnavailable: no answer.
        """
        ...


class Traffic(Protocol):
    """How much there is to see."""

    def per_second(self) -> float:
        """Decisions a second, lately.

        Raises:
            StoreUnavailable: no answer.
        """
        ...


class Callbacks(Protocol):
    """A state machine that waits for an answer."""

    def resume(self, token: str, step: int, approved_by: str) -> None:
        """Let it go on to a step.

        Raises:
            RolloutRefused: nobody waits with this token any more.
            StoreUnavailable: no answer.
        """
        ...

    def interrupt(self, token: str, sentence: str) -> None:
        """Let it fail, so that it looks at the record; nothing happens when nobody waits.

        Raises:
            StoreUnavailable: no answer.
        """
        ...


class Announcements(Protocol):
    """Tells subscribers of rollouts."""

    def announce(self, rollout: Rollout, sentence: str) -> None:
        """Tell what became of a rollout that is promoted or rolled back.

        Raises:
            StoreUnavailable: perhaps not told; telling it again is safe.
        """
        ...


class Bell(Protocol):
    """Calls people."""

    def ring(self, subject: str, message: str) -> None:
        """Tell those who are on call.

        Raises:
            StoreUnavailable: not told.
        """
        ...
