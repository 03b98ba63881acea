"""Stopping a rollout from outside its machine: an alarm, the end of its execution, or a person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from msgspec.structs import replace

from fraud.errors import DeploymentFailed, FraudError
from fraud.rollout import REVERSIBLE, Rollout, Stage
from fraud.rollout_ports import Announcements, Bell, Callbacks
from fraud.rollout_task import Answer
from fraud.services.rollback import Rollback
from fraud.services.slots import Slots

ARMED = frozenset({Stage.SHADOW, Stage.CANARY, Stage.APPROVAL, Stage.SOAK})
"""Stages in which the alarms of the challenger's slot count; before them its endpoint is only coming up."""

LEFT = "It goes on costing money. The next rollout removes it; without one, delete it by hand."


@dataclass(frozen=True)
class Aborting:
    """The use-case behind `abort_rollout`; whatever is not meant for the rollout under way changes nothing.

    Args:
        rollback: back to the champion.
        callbacks: the machine that waits for an answer.
        slots: tidied up for an execution that is over.
        bell: calls people.
        announcements: tells subscribers.
    """

    rollback: Rollback
    callbacks: Callbacks
    slots: Slots
    bell: Bell
    announcements: Announcements

    def on_alarm(self, slot: str, at: float, sentence: str) -> Answer:
        """An alarm of a slot went off; it counts while that slot holds a challenger.

        Args:
            slot: `a` or `b`.
            at: when, seconds since 1970; the event may be hours late, and then about an earlier challenger.
            sentence: why.

        Raises:
            RolloutMoved, StoreUnavailable: tell it again.
        """
        return self._stopped(
            lambda each: each.stage in ARMED and each.candidate.slot == slot and at >= each.started_at, sentence
        )

    def by_person(self, by: str, reason: str, rollout_id: str = "") -> Answer:
        """A person wants a rollout stopped; without its id, whichever is under way. `refused` when none can be.

        Raises:
            RolloutMoved, StoreUnavailable: say it again.
        """
        sentence = f"Stopped by {by or 'somebody'}: {reason or 'no reason was given'}."
        answer = self._stopped(lambda each: rollout_id in ("", each.rollout_id), sentence)
        if answer.next == "stopped":
            return answer
        # An answer, not an error: an error of this function pages, for a challenger may then still have traffic.
        return Answer(
            next="refused", sentence="No rollout is under way that could be stopped; a promoted one stays so."
        )

    def _stopped(self, applies: Callable[[Rollout], bool], sentence: str) -> Answer:
        stopped = self.rollback.stop(applies, sentence)
        self._wake()
        if stopped is None:
            return Answer(next="ignored", sentence="No rollout that this is about is under way.")
        return Answer(next="stopped", sentence=sentence)

    def _wake(self) -> None:
        """Let a machine that waits for a person see that it was stopped, also if an earlier call could not tell it."""
        rollout = self.rollback.store.read()
        if rollout is not None and rollout.stage is Stage.ROLLING_BACK and rollout.approval is not None:
            self.callbacks.interrupt(rollout.approval.token, rollout.reason)

    def on_end(self, execution: str, sentence: str, cause: str = "") -> Answer:
        """An execution is over, and not promoted by itself: restore, verify, remove, announce and release in its place.

        Args:
            execution: its ARN.
            sentence: that it ended, and how.
            cause: its own words; with them, people are told.

        Raises:
            RollbackUnverified: it is not seen that traffic is back; the lock stays until it is.
            RolloutMoved, StoreUnavailable, DeploymentInterrupted: tell it again.
        """
        self.rollback.stop(lambda each: each.owner == execution, sentence)
        answer = self._finished(execution)
        if cause:
            self.bell.ring("A rollout did not promote its model", f"{sentence} {cause}\n\nExecution {execution}.")
        return answer

    def _finished(self, execution: str) -> Answer:
        rollout = self.rollback.store.read()
        if rollout is None or rollout.owner != execution or rollout.released or rollout.stage in REVERSIBLE:
            return Answer(next="ignored", sentence="It left nothing to be done.")
        if rollout.stage is Stage.ROLLING_BACK:
            rollout = self._verified(rollout)
        told = rollout.reason or f"Version {rollout.candidate.version} was promoted already."
        self._tidy()
        self.announcements.announce(rollout, told)
        self.rollback.store.save(replace(rollout, released=True))
        return Answer(next="released", sentence=told)

    def _verified(self, rollout: Rollout) -> Rollout:
        """See that the rollback is in force; where it is not, a person is called, and the lock stays for them."""
        try:
            return self.rollback.store.save(self.rollback.verified(rollout))
        except FraudError as error:
            self.bell.ring(
                "A rollback is not verified",
                f"{rollout.reason}\n\nThe execution is over, and it was not seen that the champion has all traffic "
                f"again: {error}. Look with `fraud rollout status` and `fraud status`.",
            )
            raise

    def _tidy(self) -> None:
        """Remove what serves nobody, and let the champion follow its traffic; what cannot be done is a person's."""
        self._clear()
        try:
            self.slots.follow()
        except DeploymentFailed as refused:
            self.bell.ring(
                "The champion does not follow its traffic", f"It keeps the machines that it has: {refused}. {LEFT}"
            )

    def _clear(self) -> None:
        try:
            left = self.slots.clear()
        except DeploymentFailed as refused:
            self.bell.ring(
                "An endpoint is left", f"An endpoint that serves nobody could not be removed: {refused}. {LEFT}"
            )
            return
        if left:
            self.bell.ring(
                "An endpoint is left", f"{', '.join(left)} serves nobody and could not be removed yet. {LEFT}"
            )
