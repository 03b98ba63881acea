"""What people say to a rollout: yes or no to its question, pause, resume."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from msgspec.structs import replace

from fraud.errors import RolloutMoved, RolloutRefused
from fraud.rollout import ApprovalRequest, Rollout, Stage
from fraud.rollout_plan import APPROVAL_LOOK
from fraud.rollout_ports import Bell, Callbacks
from fraud.rollout_task import Answer, Task
from fraud.services.rollback import Rollback
from fraud.services.rollout_records import RolloutRecords

PAUSABLE = frozenset({Stage.SHADOW, Stage.CANARY, Stage.SOAK})


@dataclass(frozen=True)
class Steering:
    """The use-case behind `steer_rollout`.

    Args:
        records: the rollout.
        rollback: back to the champion.
        callbacks: the machine that waits for an answer.
        bell: tells people that they are asked.
    """

    records: RolloutRecords
    rollback: Rollback
    callbacks: Callbacks
    bell: Bell

    def ask(self, task: Task) -> Answer:
        """Note the question and its token, and tell people; asked again, only the token is another.

        Raises:
            RolloutStopped, RolloutSuperseded, RolloutMoved, StoreUnavailable: see `RolloutRecords`.
        """
        rollout = self.records.reversible(task.execution)
        if rollout.stage is Stage.APPROVAL and rollout.approval is not None and rollout.approval.step == task.step:
            return self._ask_again(rollout, rollout.approval, task.token)
        now, plan = self.records.clock(), rollout.plan
        share = plan.shares[task.step] / 100
        question = ApprovalRequest(
            request_id=f"{rollout.rollout_id}/{rollout.revision}",
            token=task.token,
            step=task.step,
            requested_at=now,
            asked_since=rollout.since,
        )
        sentence = f"May version {rollout.candidate.version} get {share:g} % of the cards?"
        # A question holds the rollout by itself: a pause that came just before it is over.
        asked = {"stage": Stage.APPROVAL, "since": now, "approval": question, "paused_at": None, "paused_by": None}
        # First, because a question that is noted rings nobody when it is asked again.
        self.bell.ring(
            f"A rollout asks: {share:g} % for version {rollout.candidate.version}?",
            f"{sentence}\n\nLook with `fraud rollout status`; answer with `fraud rollout approve` or `fraud rollout "
            f"reject` within {plan.approval_seconds:,} s. Started by {rollout.started_by}, who cannot approve.",
        )
        self.records.save(rollout.told(now, sentence), APPROVAL_LOOK, **asked)
        return Answer(next="asked", sentence=sentence, step=task.step)

    def _ask_again(self, rollout: Rollout, question: ApprovalRequest, token: str) -> Answer:
        """Wait with another token; an answer that came between two tokens is given at once."""
        self.records.save(rollout, APPROVAL_LOOK, approval=replace(question, token=token))
        if question.approved_by is not None:
            self.callbacks.resume(token, question.step, question.approved_by)
        return Answer(next="asked", step=question.step)

    def approve(self, by: str, request_id: str) -> Answer:
        """Answer yes; the machine goes on.

        Raises:
            RolloutRefused: not asked this, too late, or by the one who started it.
            RolloutMoved, StoreUnavailable: say it again.
        """
        rollout, question = self._asked(self.records.store.read(), request_id)
        if not by:
            raise RolloutRefused("An approval needs the name of the one who gives it.")
        if by == rollout.started_by:
            raise RolloutRefused(f"{by} started this rollout: another person has to approve it.")
        approver = question.approved_by or by
        if question.approved_by is None:
            noted = rollout.told(self.records.clock(), f"Approved by {by}.")
            self.records.store.save(replace(noted, approval=replace(question, approved_by=by)))
        # Between two tokens nobody waits; the next look finds the approval in the record.
        with suppress(RolloutRefused):
            self.callbacks.resume(question.token, question.step, approver)
        return Answer(next="approved", sentence=f"Approved by {approver}.", step=question.step)

    def reject(self, by: str, request_id: str, reason: str) -> Answer:
        """Answer no: the rollout is rolled back; said again, a machine that still waits is woken.

        Raises:
            RolloutRefused: not asked this, or too late.
            RolloutMoved, StoreUnavailable: say it again.
        """
        rollout = self.records.store.read()
        question, sentence = _led_back(rollout, request_id) or self._rejected(rollout, by, request_id, reason)
        self.callbacks.interrupt(question.token, sentence)
        return Answer(next="rejected", sentence=sentence)

    def _rejected(self, asked: Rollout | None, by: str, request_id: str, reason: str) -> tuple[ApprovalRequest, str]:
        """Roll back, unless somebody answers or stops the rollout meanwhile; the question, and why."""
        _, question = self._asked(asked, request_id)
        sentence = f"Rejected by {by or 'somebody'}: {reason or 'no reason was given'}."
        if self.rollback.stop(lambda rollout: rollout.approval == question, sentence) is None:
            raise RolloutMoved("somebody else answered or stopped the rollout meanwhile: look at it again")
        return question, sentence

    def _asked(self, rollout: Rollout | None, request_id: str) -> tuple[Rollout, ApprovalRequest]:
        question = rollout.approval if rollout else None
        if rollout is None or question is None or rollout.stage is not Stage.APPROVAL:
            raise RolloutRefused("No rollout waits for an approval now.")
        if question.request_id != request_id:
            raise RolloutRefused(f"The question now is {question.request_id}, not {request_id}: look at it again.")
        if self.records.clock() >= question.requested_at + rollout.plan.approval_seconds:
            raise RolloutRefused("The answer comes too late: the time for it is over.")
        return rollout, question

    def pause(self, by: str, reason: str, rollout_id: str = "") -> Answer:
        """Hold the rollout where it is; alarms and failing gates still roll it back.

        Raises:
            RolloutRefused: there is nothing to pause.
            RolloutMoved, StoreUnavailable: say it again.
        """
        rollout = self._under_way(rollout_id)
        sentence = f"Paused by {by or 'somebody'}{f': {reason}' if reason else ''}."
        if rollout.paused_at is None:
            now = self.records.clock()
            self.records.store.save(replace(rollout.told(now, sentence), paused_at=now, paused_by=by or "somebody"))
        return Answer(next="paused", sentence=sentence)

    def resume(self, by: str, rollout_id: str = "") -> Answer:
        """Let it go on.

        Raises:
            RolloutRefused: it is not paused.
            RolloutMoved, StoreUnavailable: say it again.
        """
        rollout, now = self._meant(rollout_id), self.records.clock()
        if rollout is None or rollout.released or rollout.paused_at is None:
            raise RolloutRefused("The rollout is not paused.")
        sentence = f"Resumed by {by or 'somebody'}."
        paused = rollout.paused_seconds + now - rollout.paused_at
        resumed = replace(rollout.told(now, sentence), paused_at=None, paused_by=None, paused_seconds=paused)
        self.records.store.save(resumed)
        return Answer(next="resumed", sentence=sentence)

    def _under_way(self, rollout_id: str) -> Rollout:
        rollout = self._meant(rollout_id)
        if rollout is None or rollout.released or rollout.stage not in PAUSABLE:
            stage = rollout.stage if rollout and not rollout.released else "not under way"
            raise RolloutRefused(f"The rollout is {stage}: only shadow, canary and soak can be paused.")
        return rollout

    def _meant(self, rollout_id: str) -> Rollout | None:
        rollout = self.records.store.read()
        if rollout is not None and rollout_id not in ("", rollout.rollout_id):
            raise RolloutRefused(f"Rollout {rollout_id} is over; {rollout.rollout_id} took its place.")
        return rollout


def _led_back(rollout: Rollout | None, request_id: str) -> tuple[ApprovalRequest, str] | None:
    """The question that stood when the rollout was stopped, and why it was; its machine may still wait."""
    question = rollout.approval if rollout else None
    if rollout is None or question is None or question.request_id != request_id:
        return None
    stopped = rollout.stage is Stage.ROLLING_BACK and not rollout.released
    return (question, rollout.reason) if stopped and rollout.step != question.step else None
