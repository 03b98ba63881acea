"""A rollout's record, and what comes next.

The record is the truth: state machine, alarms and people all change it by compare-and-set, and the routing item with it
in one transaction. A state machine asks for the next step and takes it; it decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from fraud import analysis
from fraud.analysis import Outcome, Verdict
from fraud.rollout_plan import APPROVAL_LOOK, PAUSED_LOOK, Plan
from fraud.routing import ServedModel

MOST_EVENTS, LONGEST_SENTENCE = 200, 1_000
"""Sentences kept in a record, and their characters; a table's item may have 400 KB."""


class Stage(StrEnum):
    """Where a rollout is."""

    DEPLOYING = "deploying"
    SHADOW = "shadow"
    CANARY = "canary"
    APPROVAL = "approval"
    SOAK = "soak"
    ROLLING_BACK = "rolling_back"
    PROMOTED = "promoted"
    """The challenger is the champion; what is left is bookkeeping."""
    ROLLED_BACK = "rolled_back"
    """The champion has all traffic again; what is left is bookkeeping."""


REVERSIBLE = frozenset({Stage.DEPLOYING, Stage.SHADOW, Stage.CANARY, Stage.APPROVAL, Stage.SOAK})
"""Stages from which anything that goes wrong leads back."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """What is rolled out, and where.

    Args:
        slot: `a` or `b`, the one that the champion does not have.
        endpoint: name of the slot's endpoint.
        model_package: ARN.
        version: the package's number.
        instance_type: machines of the endpoint.
        instance_count: how many.
    """

    slot: str
    endpoint: str
    model_package: str
    version: int
    instance_type: str
    instance_count: int


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened, for people: when, seconds since 1970, and what."""

    at: float
    sentence: str


class ApprovalRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A question to a person.

    Args:
        request_id: changes with every question; an answer must name it.
        token: resumes the state machine.
        step: the step that approval leads to.
        requested_at: seconds since 1970.
        asked_since: start of the stage that led to it; what happened since then still counts.
        approved_by: who approved, or None.
    """

    request_id: str
    token: str
    step: int
    requested_at: float
    asked_since: float
    approved_by: str | None = None


class Rollout(msgspec.Struct, frozen=True, kw_only=True):
    """The record of a rollout: its lock, its progress and its story.

    Args:
        rollout_id: name of the execution.
        owner: ARN of the execution; no other may move it, except to stop it.
        started_by: who asked, as told; `unknown` from the console, where CloudTrail knows.
        started_at: seconds since 1970.
        candidate: what is rolled out.
        served: what the routing item will say of it.
        champion: slot of the champion at the start; None when there was no model.
        plan: as accepted.
        estimate: how long it will take at the traffic of the start, a sentence.
        stage: where it is.
        step: index into `plan.shares`; None before the first shift.
        since: start of the stage (of each step, in a canary), seconds since 1970.
        created: whether its endpoint was asked for.
        epoch: of the routing item after the rollout's last write of it; 0 before the first.
        lease_until: until then the owner is taken to live, seconds since 1970; every write of the owner's renews it.
        paused_at: start of the pause, or None.
        paused_by: who paused, or None.
        paused_seconds: earlier pauses of this stage.
        approval: the last question to a person, or None.
        verdicts: of the last look.
        reason: why it was rolled back; empty otherwise.
        verified: whether the rollback was seen to be in force.
        released: whether the lock is free.
        events: its story, oldest first.
        revision: raised by every write; every write is conditional on it.
    """

    rollout_id: str
    owner: str
    started_by: str
    started_at: float
    candidate: Candidate
    served: ServedModel
    champion: str | None
    plan: Plan
    estimate: str = ""
    stage: Stage = Stage.DEPLOYING
    step: int | None = None
    since: float = 0.0
    created: bool = False
    epoch: int = 0
    lease_until: float = 0.0
    paused_at: float | None = None
    paused_by: str | None = None
    paused_seconds: float = 0.0
    approval: ApprovalRequest | None = None
    verdicts: tuple[Verdict, ...] = ()
    reason: str = ""
    verified: bool = False
    released: bool = False
    events: tuple[Event, ...] = ()
    revision: int = 0

    @property
    def share_bps(self) -> int:
        """The challenger's share of cards, 0 to 10,000 basis points."""
        moving = self.stage in (Stage.CANARY, Stage.APPROVAL, Stage.SOAK) and self.step is not None
        return self.plan.shares[self.step] if moving and self.step is not None else 0

    def told(self, at: float, sentence: str) -> Rollout:
        """The record with one more sentence in its story; the oldest give way."""
        events = (*self.events, Event(at=at, sentence=sentence[:LONGEST_SENTENCE]))[-MOST_EVENTS:]
        return msgspec.structs.replace(self, events=events)


class Hold(msgspec.Struct, frozen=True, tag="hold"):
    """Wait, and look again after so many seconds."""

    sentence: str
    seconds: int


class Shift(msgspec.Struct, frozen=True, tag="shift"):
    """Give the challenger the share of a step, an index into `plan.shares`."""

    sentence: str
    step: int


class Ask(msgspec.Struct, frozen=True, tag="ask"):
    """Ask a person whether to go on to a step, and look again after so many seconds."""

    sentence: str
    step: int
    seconds: int


class Promote(msgspec.Struct, frozen=True, tag="promote"):
    """Make the challenger the champion."""

    sentence: str


class RollBack(msgspec.Struct, frozen=True, tag="roll_back"):
    """Give all traffic back to the champion."""

    sentence: str


Next = Hold | Shift | Ask | Promote | RollBack


def next_step(rollout: Rollout, verdicts: Sequence[Verdict], now: float) -> Next:
    """What follows from the verdicts of a look at the shadow, a canary, the wait for a person or the soak.

    A failing gate rolls back at once, also in a pause or while a person is asked. Otherwise a stage is passed when its
    time is over and every binding gate passes; what cannot be told by the deadline is rolled back.
    """
    failed = [each for each in analysis.binding(verdicts) if each.outcome is Outcome.FAIL]
    if failed:
        return RollBack(" ".join(each.sentence for each in failed))
    if rollout.stage is Stage.APPROVAL:
        return _in_approval(rollout, now)
    if rollout.paused_at is not None:
        return _in_pause(rollout, now)
    elapsed = now - rollout.since - rollout.paused_seconds
    left = _shortest(rollout) - elapsed
    if analysis.worst(verdicts) is Outcome.PASS and left <= 0:
        return _forward(rollout)
    if elapsed >= rollout.plan.deadline_seconds:
        return RollBack(f"After {elapsed:,.0f} s in {rollout.stage} it cannot be told: {_unclear(verdicts)}")
    return Hold(
        _unclear(verdicts) if left <= 0 else f"{left:,.0f} s of {rollout.stage} are left.", _pause(rollout, left)
    )


def _in_pause(rollout: Rollout, now: float) -> Next:
    assert rollout.paused_at is not None
    plan, paused = rollout.plan, now - rollout.paused_at
    left = plan.pause_seconds - paused
    if left <= 0:
        return RollBack(f"It was paused for {paused:,.0f} s, longer than the plan allows.")
    return Hold(f"Paused by {rollout.paused_by}.", max(1, min(max(plan.look_seconds, PAUSED_LOOK), round(left))))


def _in_approval(rollout: Rollout, now: float) -> Next:
    question, plan = rollout.approval, rollout.plan
    assert question is not None
    share = f"{plan.shares[question.step] / 100:g} %"
    if question.approved_by is not None:
        return Shift(f"Approved by {question.approved_by}: the challenger gets {share} of the cards.", question.step)
    left = question.requested_at + plan.approval_seconds - now
    if left <= 0:
        return RollBack(f"Nobody approved it within {plan.approval_seconds:,} s.")
    sentence = f"May the challenger get {share} of the cards? An answer is waited for."
    return Ask(sentence, question.step, max(1, min(round(left), APPROVAL_LOOK)))


def _shortest(rollout: Rollout) -> int:
    """The shortest time in the stage, seconds."""
    plan = rollout.plan
    return {Stage.SHADOW: plan.shadow_seconds, Stage.SOAK: plan.soak_seconds}.get(rollout.stage, plan.bake_seconds)


def _forward(rollout: Rollout) -> Next:
    if rollout.stage is Stage.SOAK:
        return Promote("Every gate passed with all traffic.")
    step = 0 if rollout.step is None else rollout.step + 1
    plan = rollout.plan
    share = f"{plan.shares[step] / 100:g} %"
    if step == plan.approved_step:
        sentence = f"Every gate passed: may the challenger get {share} of the cards?"
        return Ask(sentence, step, min(plan.approval_seconds, APPROVAL_LOOK))
    return Shift(f"Every gate passed: the challenger gets {share} of the cards.", step)


def _pause(rollout: Rollout, left: float) -> int:
    """Seconds until the next look: no later than the stage's end."""
    seconds = rollout.plan.look_seconds
    return max(1, min(seconds, round(left))) if left > 0 else seconds


def _unclear(verdicts: Sequence[Verdict]) -> str:
    unclear = [each.sentence for each in analysis.binding(verdicts) if each.outcome is Outcome.INCONCLUSIVE]
    return " ".join(unclear) or "Nothing was measured."
