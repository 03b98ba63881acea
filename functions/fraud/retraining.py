"""The record of a retraining, which is its lock, and where everything of a run lies.

One run at a time: whatever asks for another meanwhile is noted, and answered by the run under way. An alarm that stays
on is not forgotten, because reminders read the alarms' state rather than their events.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Any

import msgspec
from msgspec.structs import replace

from fraud.retraining_plan import HOUR, Plan

LONGEST_PREFIX = 36
"""Characters of a job's name that come from the stack; SageMaker allows 63 in all."""
MOST_EVENTS = 50
LONGEST_SENTENCE = 1_000


class Kind(StrEnum):
    """Who or what asks for a new model."""

    PERSON = "person"
    SCHEDULE = "schedule"
    ALARM = "alarm"
    REMINDER = "reminder"

    @property
    def is_bidden(self) -> bool:
        """Whether it is followed at once: a person or the schedule; alarms keep a distance from the last run."""
        return self in (Kind.PERSON, Kind.SCHEDULE)


class Trigger(msgspec.Struct, frozen=True, kw_only=True):
    """A request for a new model.

    Args:
        kind: of whoever asks.
        name: of the alarm, or whoever it is.
        at: when, seconds since 1970.
    """

    kind: Kind
    name: str
    at: float

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" if self.name else _UNNAMED[self.kind]


_UNNAMED = {
    Kind.PERSON: "a person", Kind.SCHEDULE: "the schedule", Kind.ALARM: "an alarm", Kind.REMINDER: "a reminder",
}  # fmt: skip


class Outcome(StrEnum):
    """How a run ended."""

    PROMOTE = "promote"
    SHADOW_ONLY = "shadow_only"
    REJECT = "reject"
    NOT_ENOUGH = "not_enough"
    UNFIT = "unfit"
    FAILED = "failed"
    ABANDONED = "abandoned"


class Said(msgspec.Struct, frozen=True):
    """What happened, in words, and when (seconds since 1970)."""

    at: float
    sentence: str


class Retraining(msgspec.Struct, frozen=True, kw_only=True):
    """The record.

    Args:
        run_id: name of the execution.
        owner: ARN of the execution that holds the lock.
        trigger: what asked for it.
        started_at: seconds since 1970.
        as_of: decisions and verdicts up to here are read, seconds since 1970.
        plan: what is done.
        champion: ARN of the package that serves; empty without one.
        source: where the rows come from: `archive`, `history` or `simulator`.
        outcome: how it ended; None while it runs.
        sentence: why.
        model_package: ARN of what was registered; empty without one.
        ended_at: seconds since 1970; 0 while it runs.
        events: what happened, the newest last.
        revision: raised by every write, which is conditional on it.
    """

    run_id: str
    owner: str
    trigger: Trigger
    started_at: float
    as_of: float
    plan: Plan
    champion: str = ""
    source: str = "archive"
    outcome: Outcome | None = None
    sentence: str = ""
    model_package: str = ""
    ended_at: float = 0.0
    events: tuple[Said, ...] = ()
    revision: int = 0

    @property
    def is_over(self) -> bool:
        """Whether the lock is free."""
        return self.ended_at > 0

    def told(self, at: float, said: str, **changes: Any) -> Retraining:
        """The record with one more thing that happened, the oldest forgotten where there are too many."""
        events = (*self.events, Said(at, said[:LONGEST_SENTENCE]))[-MOST_EVENTS:]
        if "sentence" in changes:
            changes["sentence"] = changes["sentence"][:LONGEST_SENTENCE]
        return replace(self, events=events, **changes)

    def ended(self, at: float, outcome: Outcome, sentence: str) -> Retraining:
        """The record of a run that is over, its lock free; the outcome that stands already is kept."""
        if self.is_over:
            return self
        if self.outcome is None:
            return self.told(at, sentence, outcome=outcome, sentence=sentence, ended_at=at)
        known = sentence[:LONGEST_SENTENCE] == self.sentence
        return replace(self, ended_at=at) if known else self.told(at, sentence, ended_at=at)

    @property
    def rests_until(self) -> float:
        """Until when alarms and reminders start nothing, seconds since 1970."""
        return self.ended_at + self.plan.cooldown_hours * HOUR


class Files(msgspec.Struct, frozen=True):
    """Names and places of a run: they follow from the execution, so that a repeated step meets its own.

    Args:
        bucket: the archive bucket.
        prefix: what jobs' names begin with: the stack.
        owner: ARN of the execution.
        run_id: its name.
    """

    bucket: str
    prefix: str
    owner: str
    run_id: str

    @property
    def root(self) -> str:
        """Everything of the run lies below it."""
        return f"s3://{self.bucket}/retraining/{self.run_id}"

    @property
    def dataset(self) -> str:
        """What the query wrote, Parquet."""
        return f"{self.root}/dataset/"

    @property
    def examined(self) -> str:
        """What `examine` wrote: `checks.json`, `learn/` and `evaluate/`."""
        return f"{self.root}/examined/"

    @property
    def checkpoints(self) -> str:
        """What an interrupted training goes on from."""
        return f"{self.root}/checkpoints/"

    @property
    def model(self) -> str:
        """Where the training job puts its output, below its own name."""
        return f"{self.root}/model/"

    @property
    def artefact(self) -> str:
        """The trained package."""
        return f"{self.model}{self.job('train')}/output/model.tar.gz"

    @property
    def evaluated(self) -> str:
        """What `evaluate` wrote: `evaluation.json`, `report.html` and `model_card.md`."""
        return f"{self.root}/evaluated/"

    def job(self, what: str) -> str:
        """Name of a job: `examine`, `train` or `evaluate`."""
        digest = hashlib.sha256(self.owner.encode()).hexdigest()[:12]
        return f"{self.prefix[:LONGEST_PREFIX].rstrip('-')}-{digest}-{what}"
