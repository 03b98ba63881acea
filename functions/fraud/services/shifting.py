"""Who gets which share of the cards: every move of the routing item that the state machine makes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fraud import routing as routings
from fraud.deployment_ports import RoutingStore
from fraud.errors import RolloutStopped, RolloutSuperseded
from fraud.rollout import REVERSIBLE, Rollout, Stage
from fraud.rollout_task import Answer, Task
from fraud.routing import BASIS_POINTS, Routing
from fraud.services.rollback import Rollback
from fraud.services.rollout_records import RolloutRecords


@dataclass(frozen=True)
class Shifting:
    """The use-case behind `shift_traffic`; every task may be repeated, also after it took effect unheard.

    Args:
        records: the rollout.
        routing: the routing item.
        rollback: back to the champion.
        new_salt: a salt nobody used before.
    """

    records: RolloutRecords
    routing: RoutingStore
    rollback: Rollback
    new_salt: Callable[[], str]

    def serve_first(self, task: Task) -> Answer:
        """Let the first model of a stack serve everybody.

        Raises:
            RolloutStopped: a champion serves by now, or it is to be rolled back.
            RolloutSuperseded, RolloutMoved, StoreUnavailable: see `RolloutRecords`.
        """
        rollout = self.records.owned(task.execution)
        if rollout.stage is not Stage.PROMOTED:
            rollout = self.records.reversible(task.execution)
            if self.routing.read() is not None:
                raise RolloutStopped("A champion serves already: this rollout took the stack for one without a model.")
            first = routings.first(rollout.candidate.slot, rollout.served, self.new_salt())
            self._promoted(rollout, first)
        return Answer(next="served", sentence=_serves(rollout))

    def shadow(self, task: Task) -> Answer:
        """Let the challenger score in the shadow.

        Raises:
            RolloutStopped, RolloutSuperseded, RolloutMoved, StoreUnavailable: see `RolloutRecords`.
        """
        rollout = self.records.reversible(task.execution)
        plan = rollout.plan
        if rollout.stage is not Stage.SHADOW:
            share = plan.shadow_cards_bps
            routing = self._challenged(rollout, shadow_bps=share)
            noted = rollout.told(
                self.records.clock(), f"The challenger scores {share / 100:g} % of cards in the shadow."
            )
            self._move(noted, routing, Stage.SHADOW, None)
        return Answer(next="shadowing", wait_seconds=min(plan.look_seconds, plan.shadow_seconds))

    def shift(self, task: Task) -> Answer:
        """Give the challenger the share of a step, the one after the step it has; `paused` when a person was faster.

        Raises:
            RolloutStopped: the step is not due, or lacks its approval, or it is to be rolled back.
            RolloutSuperseded, RolloutMoved, StoreUnavailable: see `RolloutRecords`.
        """
        rollout = self.records.reversible(task.execution)
        moving = rollout.stage in (Stage.CANARY, Stage.SOAK)
        if not (moving and rollout.step == task.step):
            if rollout.paused_at is not None:
                return _paused(rollout)
            _check_due(rollout, task.step)
            self._shift(rollout, task.step)
        return Answer(next="shifted", step=task.step, wait_seconds=rollout.plan.look_seconds)

    def _shift(self, rollout: Rollout, step: int) -> None:
        share, standing = rollout.plan.shares[step], self._written(rollout)
        alone = standing.challenger is None  # in a plan without a shadow
        routing = self._challenged(rollout, share_bps=share) if alone else standing.shifted(share)
        stage = Stage.SOAK if share == BASIS_POINTS else Stage.CANARY
        self._move(rollout.told(self.records.clock(), f"The challenger gets {share / 100:g} %."), routing, stage, step)

    def verify(self, task: Task) -> Answer:
        """Read the routing item back.

        Raises:
            RolloutStopped: it says something else than the rollout's record.
            RolloutSuperseded, StoreUnavailable: see `RolloutRecords`.
        """
        rollout = self.records.reversible(task.execution)
        standing = self._standing()
        expected = (rollout.epoch, rollout.candidate.slot, rollout.share_bps)
        if (standing.epoch, standing.challenger, standing.share_bps) != expected:
            raise RolloutStopped(
                f"The routing item of epoch {standing.epoch} gives slot {standing.challenger} {standing.share_bps} "
                f"basis points, and not, as of epoch {rollout.epoch}, slot {expected[1]} {expected[2]}."
            )
        return Answer(
            next="verified",
            sentence=f"Read back: slot {standing.challenger} has {standing.share_bps / 100:g} % of the cards.",
            step=task.step,
            wait_seconds=rollout.plan.look_seconds,
        )

    def promote(self, task: Task) -> Answer:
        """Make the challenger the champion; from here on nothing leads back. `paused` when a person was faster.

        Raises:
            RolloutStopped: it has not soaked, or it is to be rolled back.
            RolloutSuperseded, RolloutMoved, StoreUnavailable: see `RolloutRecords`.
        """
        rollout = self.records.owned(task.execution)
        if rollout.stage is not Stage.PROMOTED:
            rollout = self.records.reversible(task.execution)
            if rollout.stage is not Stage.SOAK:
                raise RolloutStopped(f"A challenger is promoted from full traffic, not from {rollout.stage}.")
            if rollout.paused_at is not None:
                return _paused(rollout)
            self._promoted(rollout, self._written(rollout).promoted())
        return Answer(next="promoted", sentence=_serves(rollout))

    def restore(self, task: Task) -> Answer:
        """Give all traffic back; `restored`, `promoted` when it is too late for that, or `superseded`.

        Raises:
            RolloutMoved, StoreUnavailable: ask again.
        """
        try:
            rollout = self.records.owned(task.execution)
        except RolloutSuperseded as error:
            return Answer(next="superseded", sentence=f"{_in_words(task.sentence)} Nothing was to be restored: {error}")
        if rollout.stage is Stage.PROMOTED:
            return Answer(next="promoted", sentence=_serves(rollout))
        if rollout.stage in REVERSIBLE:
            rollout = self.rollback.restore(rollout, _in_words(task.sentence))
        return Answer(next="restored", sentence=rollout.reason)

    def verify_rollback(self, task: Task) -> Answer:
        """See that the rollback is in force.

        Raises:
            RollbackUnverified: it is not seen to be.
            RolloutSuperseded, RolloutMoved, StoreUnavailable: see `RolloutRecords`.
        """
        rollout = self.records.owned(task.execution)
        if rollout.stage is not Stage.ROLLED_BACK:
            self.records.save(self.rollback.verified(rollout))
        return Answer(next="verified", sentence=rollout.reason)

    def release(self, task: Task) -> Answer:
        """Free the lock.

        Raises:
            RolloutSuperseded: it is another's by now.
            RolloutMoved, StoreUnavailable: ask again.
        """
        standing = self.records.store.read()
        if standing is None or standing.owner != task.execution or not standing.released:
            standing = self.records.owned(task.execution)
            self.records.save(standing, released=True)
        return Answer(
            next="released",
            sentence=standing.reason or _serves(standing),
            model_package_arn=standing.candidate.model_package,
        )

    def _challenged(self, rollout: Rollout, **shares: int) -> Routing:
        return self._standing().challenged(rollout.candidate.slot, rollout.served, self.new_salt(), **shares)

    def _written(self, rollout: Rollout) -> Routing:
        """The routing item as this rollout wrote it last; before its first write, any."""
        standing = self._standing()
        if rollout.epoch and standing.epoch != rollout.epoch:
            raise RolloutStopped(
                f"The routing item has epoch {standing.epoch}, and this rollout wrote epoch {rollout.epoch}: somebody "
                "else changed it."
            )
        return standing

    def _standing(self) -> Routing:
        standing = self.routing.read()
        if standing is None:
            raise RolloutStopped("There is no routing item any more.")
        return standing

    def _move(self, rollout: Rollout, routing: Routing, stage: Stage, step: int | None) -> None:
        self.records.commit(
            rollout,
            routing,
            rollout.plan.look_seconds,
            stage=stage,
            step=step,
            since=self.records.clock(),
            paused_seconds=0.0,
            verdicts=(),
        )

    def _promoted(self, rollout: Rollout, routing: Routing) -> None:
        noted = rollout.told(self.records.clock(), _serves(rollout))
        self.records.commit(noted, routing, stage=Stage.PROMOTED, since=self.records.clock())


def _paused(rollout: Rollout) -> Answer:
    """The pause came after the look that decided; the next look decides anew."""
    return Answer(next="paused", sentence=f"Paused by {rollout.paused_by}.", wait_seconds=rollout.plan.look_seconds)


def _check_due(rollout: Rollout, step: int) -> None:
    due = 0 if rollout.step is None else rollout.step + 1
    if step != due:
        raise RolloutStopped(f"Step {step} was asked for, and step {due} is due.")
    if step == rollout.plan.approved_step and not (
        rollout.approval is not None and rollout.approval.step == step and rollout.approval.approved_by
    ):
        raise RolloutStopped(f"Step {step} needs a person's approval, and has none.")


def _serves(rollout: Rollout) -> str:
    return f"Version {rollout.candidate.version} serves as champion in slot {rollout.candidate.slot}."


def _in_words(sentence: str) -> str:
    """Why, without the notations that Step Functions and Lambda put an error in."""
    error = _document(sentence)
    if "Error" in error:
        sentence = f"{error['Error']}: {error.get('Cause') or 'no cause was given'}"
    head, brace, rest = sentence.partition("{")
    message = _document(brace + rest).get("errorMessage")
    return sentence if message is None else f"{head}{message}"


def _document(text: str) -> dict[str, Any]:
    """A JSON object; empty for what is none."""
    try:
        document = json.loads(text)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
